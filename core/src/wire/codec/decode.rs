//! Reads a batch and rebuilds its changes.

use std::collections::HashMap;

use super::numbers::read_numbers;
use super::records::{drawn_at, read_records};
use super::sections::{Opened, Readers, malformed};
use super::shape::{
    CHECK_BYTES, CHECKED_TOGETHER, HEADERLESS, Kind, SHAPES_FROM, Shape, ShapeOp, Values, WHOLE, action_of, dep,
};
use super::texts::{Nature, TextColumn, read_texts};
use super::{Binding, Decoded, DecodedChange, MissingChange};
use crate::error::{Error, Result};
use crate::id::{ActorId, BatchId, ChangeHash, DeviceId, RecordId};
use crate::limits::{
    BATCH_CHANGES_MAX, BATCH_COLUMNS_MAX, BATCH_DEPS_MAX, BATCH_INFLATED_BYTES_MAX, BATCH_OPS_MAX, BATCH_SHAPES_MAX,
    CHANGE_DEPS_MAX, TEXT_BYTES_MAX,
};
use crate::wire::chunk::build::{seal, write, write_chunk, write_head};
use crate::wire::chunk::{
    CHANGE_TYPE, GenesisKind, InitialText, MAGIC, NewChange, Pred, RootOp, Scalar, build_genesis, genesis_actor,
};

/// Rebuilds the changes of a batch. `lookup` says which change of a record an actor wrote under a sequence number.
///
/// A change with a dependency that `lookup` does not know is reported as missing, and so are up to fifteen others that
/// share a check with it; the rest is decoded.
///
/// # Errors
/// `batch_malformed` for bytes that are no batch, `batch_limit` beyond the bounds of [`crate::limits`].
pub fn decode(bytes: &[u8], lookup: &mut dyn FnMut(&RecordId, &ActorId, u64) -> Option<ChangeHash>) -> Result<Decoded> {
    let mut collected = Collected::default();
    let (records, bindings) = rebuild(bytes, lookup, &mut collected)?;
    let Collected { changes, missing, arena } = collected;
    Ok(Decoded { records, bindings, changes, missing, arena })
}

/// What becomes of rebuilt changes.
pub(crate) trait Receiver {
    /// Takes the chunk from `start` on, its checksum still zero, and says its hash.
    fn change(&mut self, index: usize, record: usize, tx_end: bool, rebuilt: &mut Vec<u8>, start: usize) -> ChangeHash;
    /// Hears of a change that could not be rebuilt, or was rebuilt wrongly.
    fn missing(&mut self, index: usize, record: usize, tx_end: bool);
    /// Gives the bytes that hold all chunks back.
    fn keep(&mut self, _rebuilt: Vec<u8>) {}
}

#[derive(Default)]
struct Collected {
    changes: Vec<DecodedChange>,
    missing: Vec<MissingChange>,
    arena: Vec<u8>,
}

impl Receiver for Collected {
    fn change(&mut self, index: usize, record: usize, tx_end: bool, rebuilt: &mut Vec<u8>, start: usize) -> ChangeHash {
        let end = rebuilt.len();
        let hash = seal(rebuilt.get_mut(start..).unwrap_or_default());
        self.changes.push(DecodedChange { index, record, hash, tx_end, raw: start..end });
        hash
    }

    fn missing(&mut self, index: usize, record: usize, tx_end: bool) {
        self.changes.retain(|change| change.index != index);
        self.missing.push(MissingChange { index, record, tx_end });
    }

    fn keep(&mut self, rebuilt: Vec<u8>) {
        self.arena = rebuilt;
    }
}

type Lookup<'l> = dyn FnMut(&RecordId, &ActorId, u64) -> Option<ChangeHash> + 'l;

pub(crate) fn rebuild(
    bytes: &[u8],
    lookup: &mut Lookup<'_>,
    receiver: &mut dyn Receiver,
) -> Result<(Vec<(RecordId, String)>, Vec<Binding>)> {
    let opened = Opened::new(bytes)?;
    let mut readers = opened.readers();
    let batch = Batch::read(&mut readers).ok_or_else(malformed)?;
    batch.rebuild(lookup, receiver)?;
    let name = |collection: usize| batch.collections.get(collection).cloned().unwrap_or_default();
    Ok((batch.records.iter().map(|(id, collection)| (*id, name(*collection))).collect(), batch.bindings))
}

// Everything of a batch, read and checked but for what only shows when a change is rebuilt.
struct Batch {
    collections: Vec<String>,
    actors: Vec<ActorId>,
    bindings: Vec<Binding>,
    records: Vec<(RecordId, usize)>,
    names: Vec<String>,
    columns: Vec<(usize, Kind, Values)>,
    shapes: Vec<Shape>,
    heads: Heads,
    deps: Deps,
    opaque: TextColumn,
}

struct Heads {
    shapes: Vec<usize>,
    records: Vec<usize>,
    tx_ends: Vec<bool>,
    actors: Vec<usize>,
    seqs: Vec<i64>,
    start_ops: Vec<i64>,
    times: Vec<i64>,
    dep_counts: Vec<usize>,
}

struct Deps {
    kinds: Vec<i64>,
    actors: Vec<usize>,
    seqs: Vec<i64>,
    names: Vec<usize>,
    hashes: Vec<ChangeHash>,
    checks: Vec<u32>,
}

impl Batch {
    fn read(readers: &mut Readers<'_>) -> Option<Self> {
        let mut budget = BATCH_INFLATED_BYTES_MAX;
        let count = readers.number(BATCH_CHANGES_MAX)?;
        let collections = read_strings(readers, BATCH_CHANGES_MAX, &mut budget)?;
        let actors = readers.number(BATCH_OPS_MAX)?;
        let actors = (0..actors).map(|_| readers.bits.array().map(ActorId)).collect::<Option<Vec<_>>>()?;
        let bindings = readers.number(actors.len())?;
        let bindings = (0..bindings).map(|_| read_binding(readers, &actors)).collect::<Option<Vec<_>>>()?;
        let records = read_records(readers, collections.len())?;
        let names = read_strings(readers, BATCH_COLUMNS_MAX + CHANGE_DEPS_MAX, &mut budget)?;
        let column_count = readers.number(BATCH_COLUMNS_MAX)?;
        let column_names = read_below(readers, column_count, names.len())?;
        let kinds = read_numbers(readers, column_count)?;
        let kinds = kinds.into_iter().map(Kind::of_wire).collect::<Option<Vec<_>>>()?;
        let shapes = read_shapes(readers, &kinds)?;
        let heads = Heads::read(readers, count, &records, actors.len(), shapes.len())?;
        let deps = Deps::read(readers, &heads, actors.len(), names.len())?;
        let mut lens = vec![(0usize, 0usize); column_count];
        count_values(&heads, &shapes, &mut lens)?;
        let mut columns = Vec::with_capacity(column_count);
        for ((name, kind), (values, preds)) in column_names.into_iter().zip(kinds).zip(lens) {
            columns.push((name, kind, read_values(readers, kind, values, preds, &mut budget)?));
        }
        let opaque = heads.shapes.iter().filter(|shape| **shape < SHAPES_FROM).count();
        let opaque = read_texts(readers, opaque, Nature::Text, &mut budget)?;
        readers.ended().then_some(Self {
            collections,
            actors,
            bindings,
            records,
            names,
            columns,
            shapes,
            heads,
            deps,
            opaque,
        })
    }

    fn rebuild(&self, lookup: &mut Lookup<'_>, receiver: &mut dyn Receiver) -> Result<()> {
        let mut progress = Progress::new(self);
        let mut rebuilt = Vec::new();
        for index in 0..self.heads.shapes.len() {
            let start = rebuilt.len();
            self.change(index, &mut progress, lookup, &mut rebuilt).ok_or_else(malformed)?;
            if rebuilt.len() > BATCH_INFLATED_BYTES_MAX {
                return Err(Error::limit("batch-limit").with("part", "bytes"));
            }
            let (record, tx_end) = self.place(index);
            let known = progress.resolved.then(|| receiver.change(index, record, tx_end, &mut rebuilt, start));
            if known.is_none() {
                rebuilt.truncate(start);
                receiver.missing(index, record, tx_end);
            }
            self.check(index, known, &mut progress, receiver);
        }
        receiver.keep(rebuilt);
        Ok(())
    }

    fn place(&self, index: usize) -> (usize, bool) {
        let record = self.heads.records.get(index).copied().unwrap_or_default();
        (record, self.heads.tx_ends.get(index).copied().unwrap_or_default())
    }

    // Remembers a rebuilt change for those that follow it, and closes the group of its check.
    fn check(&self, index: usize, known: Option<ChangeHash>, progress: &mut Progress<'_>, receiver: &mut dyn Receiver) {
        if let Some(hash) = known
            && progress.remembers
            && self.heads.shapes.get(index).is_some_and(|shape| *shape != WHOLE)
        {
            let key = (self.place(index).0, self.heads.actors.get(index).copied(), self.heads.seqs.get(index).copied());
            progress.known.insert(key, hash);
        }
        if progress.named {
            let first = known.and_then(|hash| hash.0.first_chunk::<CHECK_BYTES>().copied());
            progress.group.push((index, first));
        }
        let last = index + 1 == self.heads.shapes.len();
        if progress.group.len() == CHECKED_TOGETHER || (last && !progress.group.is_empty()) {
            let check = progress.checks.next().copied().unwrap_or_default();
            let sum = progress.group.iter().try_fold(0, |sum, (_, first)| Some(sum ^ u32::from_le_bytes((*first)?)));
            if sum != Some(check) {
                for (index, _) in progress.group.iter().filter(|(_, first)| first.is_some()) {
                    let (record, tx_end) = self.place(*index);
                    receiver.missing(*index, record, tx_end);
                }
            }
            progress.group.clear();
        }
    }

    // Appends the chunk of a change; `None` only where the batch is malformed.
    fn change(
        &self,
        index: usize,
        progress: &mut Progress<'_>,
        lookup: &mut Lookup<'_>,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let heads = &self.heads;
        let (record, _) = self.place(index);
        let (id, _) = self.records.get(record)?;
        let shape = *heads.shapes.get(index)?;
        progress.resolved = true;
        progress.named = false;
        if shape == WHOLE {
            let chunk = self.opaque.value(progress.next_opaque());
            if chunk.first() != Some(&CHANGE_TYPE) {
                return None;
            }
            out.extend_from_slice(&MAGIC);
            out.extend_from_slice(&[0; 4]);
            out.extend_from_slice(chunk);
            return Some(());
        }
        let deps = self.deps(*heads.dep_counts.get(index)?, record, id, progress, lookup)?;
        let actor = self.actors.get(*heads.actors.get(index)?)?;
        let seq = u64::try_from(*heads.seqs.get(index)?).ok()?;
        let start_op = u64::try_from(*heads.start_ops.get(index)?).ok()?;
        let time = *heads.times.get(index)?;
        if shape == HEADERLESS {
            let mut head = Vec::with_capacity(64 + deps.len() * ChangeHash::LEN);
            write_head(&deps, &actor.0, seq, start_op, time, &mut head);
            write_chunk(&head, self.opaque.value(progress.next_opaque()), out);
            return Some(());
        }
        let shape = self.shapes.get(shape - SHAPES_FROM)?;
        let new = NewChange { deps: &deps, actor: &actor.0, seq, start_op, time, ops: &[], texts: &[] };
        self.flat(shape, id, &new, progress, out)
    }

    fn flat(
        &self,
        shape: &Shape,
        id: &RecordId,
        head: &NewChange<'_>,
        progress: &mut Progress<'_>,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        // What operations borrow is made before them: the genesis actors of their keys.
        let genesis: Vec<[u8; 16]> = shape.ops.iter().map(|op| self.genesis_of_preds(op, id, progress)).collect();
        let mut ops = Vec::with_capacity(shape.ops.len());
        for (op, genesis) in shape.ops.iter().zip(&genesis) {
            let (name, kind, values) = self.columns.get(op.column)?;
            let at = progress.places.get_mut(op.column)?;
            let value = values.value(*kind, at.0)?;
            let pred = |place: usize| {
                let actor = match usize::try_from(*values.pred_actors.get(place)?).ok()?.checked_sub(1) {
                    None => &genesis[..],
                    Some(actor) => &self.actors.get(actor)?.0[..],
                };
                Some(Pred { ctr: u64::try_from(*values.pred_ctrs.get(place)?).ok()?, actor })
            };
            let preds = (at.1..at.1 + op.preds).map(pred).collect::<Option<Vec<_>>>()?;
            *at = (at.0 + 1, at.1 + op.preds);
            ops.push(RootOp { key: self.names.get(*name)?, action: op.action, value, preds });
        }
        let mut owned = Vec::with_capacity(shape.texts.len());
        for column in &shape.texts {
            let (name, kind, values) = self.columns.get(*column)?;
            let at = progress.places.get_mut(*column)?;
            let Scalar::Str(text) = values.value(*kind, at.0)? else { return None };
            at.0 += 1;
            owned.push((genesis_actor(id, self.names.get(*name)?), text));
        }
        let texts: Vec<_> = owned.iter().map(|(genesis, text)| InitialText { genesis, text }).collect();
        write(&NewChange { ops: &ops, texts: &texts, ..*head }, out);
        Some(())
    }

    fn genesis_of_preds(&self, op: &ShapeOp, id: &RecordId, progress: &Progress<'_>) -> [u8; 16] {
        let column = self.columns.get(op.column).zip(progress.places.get(op.column));
        let wanted = column.filter(|((_, _, values), at)| {
            values.pred_actors.get(at.1..at.1 + op.preds).is_some_and(|actors| actors.contains(&0))
        });
        let name = wanted.and_then(|((name, _, _), _)| self.names.get(*name));
        name.map_or([0; 16], |name| genesis_actor(id, name))
    }

    fn deps(
        &self,
        count: usize,
        record: usize,
        id: &RecordId,
        progress: &mut Progress<'_>,
        lookup: &mut Lookup<'_>,
    ) -> Option<Vec<ChangeHash>> {
        let mut deps = Vec::with_capacity(count);
        for _ in 0..count {
            deps.push(match *progress.dep_kinds.next()? {
                dep::NAMED => {
                    progress.named = true;
                    let actor = *progress.dep_actors.next()?;
                    let seq = *progress.dep_seqs.next()?;
                    let known = progress.known.get(&(record, Some(actor), Some(seq))).copied();
                    let seq = u64::try_from(seq).ok()?;
                    match known.or_else(|| lookup(id, self.actors.get(actor)?, seq)) {
                        Some(hash) => hash,
                        None => {
                            progress.resolved = false;
                            ChangeHash::default()
                        }
                    }
                }
                kind @ (dep::TEXT_GENESIS | dep::COUNTER_GENESIS) => {
                    let field = self.names.get(*progress.dep_names.next()?)?;
                    let kind = if kind == dep::TEXT_GENESIS { GenesisKind::Text } else { GenesisKind::Counter };
                    build_genesis(kind, &genesis_actor(id, field), field).1
                }
                _ => *progress.dep_hashes.next()?,
            });
        }
        Some(deps)
    }
}

// How far rebuilding has got in each column.
struct Progress<'b> {
    // Values and predecessors taken from each column.
    places: Vec<(usize, usize)>,
    opaque: usize,
    dep_kinds: std::slice::Iter<'b, i64>,
    dep_actors: std::slice::Iter<'b, usize>,
    dep_seqs: std::slice::Iter<'b, i64>,
    dep_names: std::slice::Iter<'b, usize>,
    dep_hashes: std::slice::Iter<'b, ChangeHash>,
    checks: std::slice::Iter<'b, u32>,
    remembers: bool,
    known: HashMap<(usize, Option<usize>, Option<i64>), ChangeHash>,
    // Of the change at hand: all dependencies known, some of them by name.
    resolved: bool,
    named: bool,
    group: Vec<(usize, Option<[u8; CHECK_BYTES]>)>,
}

impl<'b> Progress<'b> {
    fn new(batch: &'b Batch) -> Self {
        Self {
            places: vec![(0, 0); batch.columns.len()],
            opaque: 0,
            dep_kinds: batch.deps.kinds.iter(),
            dep_actors: batch.deps.actors.iter(),
            dep_seqs: batch.deps.seqs.iter(),
            dep_names: batch.deps.names.iter(),
            dep_hashes: batch.deps.hashes.iter(),
            checks: batch.deps.checks.iter(),
            remembers: !batch.deps.actors.is_empty(),
            known: HashMap::new(),
            resolved: true,
            named: false,
            group: Vec::with_capacity(CHECKED_TOGETHER),
        }
    }

    fn next_opaque(&mut self) -> usize {
        self.opaque += 1;
        self.opaque - 1
    }
}

impl Heads {
    fn read(
        readers: &mut Readers<'_>,
        count: usize,
        records: &[(RecordId, usize)],
        actors: usize,
        shapes: usize,
    ) -> Option<Self> {
        let shapes = read_below(readers, count, shapes + SHAPES_FROM)?;
        let numbers = read_below(readers, count, records.len())?;
        let tx_ends = read_below(readers, count, 2)?.into_iter().map(|end| end == 1).collect();
        // A batch of whole changes has no actors: their place is then filled with zeros.
        let actors = read_below(readers, count, actors.max(1))?;
        let seqs = read_numbers(readers, count)?;
        let start_ops = read_numbers(readers, count)?;
        let since_drawn = readers.number(1)? == 1;
        let mut times = read_numbers(readers, count)?;
        if since_drawn {
            for (time, record) in times.iter_mut().zip(&numbers) {
                *time = time.wrapping_add(records.get(*record).and_then(|(id, _)| drawn_at(id)).unwrap_or_default());
            }
        }
        let dep_counts = read_below(readers, count, CHANGE_DEPS_MAX + 1)?;
        Some(Self { shapes, records: numbers, tx_ends, actors, seqs, start_ops, times, dep_counts })
    }
}

impl Deps {
    fn read(readers: &mut Readers<'_>, heads: &Heads, actors: usize, names: usize) -> Option<Self> {
        let total = heads.dep_counts.iter().sum::<usize>();
        if total > BATCH_DEPS_MAX {
            return None;
        }
        let kinds = read_numbers(readers, total)?;
        let many = |wanted: &[i64]| kinds.iter().filter(|kind| wanted.contains(kind)).count();
        let named = many(&[dep::NAMED]);
        let by_field = many(&[dep::TEXT_GENESIS, dep::COUNTER_GENESIS]);
        let by_hash = many(&[dep::HASH]);
        if named + by_field + by_hash != total {
            return None;
        }
        let dep_actors = read_below(readers, named, actors)?;
        let seqs = read_numbers(readers, named)?;
        let dep_names = read_below(readers, by_field, names)?;
        let hashes = (0..by_hash).map(|_| readers.bits.array().map(ChangeHash)).collect::<Option<Vec<_>>>()?;
        let mut rest = kinds.iter();
        let checked = heads
            .dep_counts
            .iter()
            .filter(|count| rest.by_ref().take(**count).filter(|kind| **kind == dep::NAMED).count() > 0);
        let groups = checked.count().div_ceil(CHECKED_TOGETHER);
        let checks = (0..groups).map(|_| readers.bits.array().map(u32::from_le_bytes)).collect::<Option<Vec<_>>>()?;
        Some(Self { kinds, actors: dep_actors, seqs, names: dep_names, hashes, checks })
    }
}

// A column of numbers below a bound.
fn read_below(readers: &mut Readers<'_>, count: usize, bound: usize) -> Option<Vec<usize>> {
    let numbers = read_numbers(readers, count)?;
    numbers.into_iter().map(|number| usize::try_from(number).ok().filter(|number| *number < bound)).collect()
}

fn read_strings(readers: &mut Readers<'_>, most: usize, budget: &mut usize) -> Option<Vec<String>> {
    let count = readers.number(most)?;
    let column = read_texts(readers, count, Nature::Text, budget)?;
    column.iter().map(|string| String::from_utf8(string.to_vec()).ok()).collect()
}

fn read_binding(readers: &mut Readers<'_>, actors: &[ActorId]) -> Option<Binding> {
    let actor = *actors.get(readers.number(actors.len())?)?;
    let device = DeviceId(readers.bits.array()?);
    let name = readers.number(TEXT_BYTES_MAX)?;
    let device_name = String::from_utf8(readers.text.take(name)?.to_vec()).ok()?;
    let person = RecordId(readers.bits.array()?);
    let batch = if readers.number(1)? == 1 { Some(BatchId(readers.bits.array()?)) } else { None };
    Some(Binding { actor, device, device_name, person, batch, signature: readers.bits.array()? })
}

fn read_shapes(readers: &mut Readers<'_>, kinds: &[Kind]) -> Option<Vec<Shape>> {
    let count = readers.number(BATCH_SHAPES_MAX)?;
    let op_counts = read_below(readers, count, BATCH_OPS_MAX)?;
    let text_counts = read_below(readers, count, BATCH_OPS_MAX)?;
    let (ops, texts) = (op_counts.iter().sum::<usize>(), text_counts.iter().sum::<usize>());
    if ops > BATCH_OPS_MAX || texts > BATCH_OPS_MAX {
        return None;
    }
    let mut columns = read_below(readers, ops, kinds.len())?.into_iter();
    let mut actions = read_numbers(readers, ops)?.into_iter();
    let mut preds = read_below(readers, ops, BATCH_OPS_MAX)?.into_iter();
    let mut text_columns = read_below(readers, texts, kinds.len())?.into_iter();
    let mut shapes = Vec::with_capacity(count);
    for (ops, texts) in op_counts.into_iter().zip(text_counts) {
        let mut shape = Shape::default();
        for _ in 0..ops {
            let op = ShapeOp { column: columns.next()?, action: action_of(actions.next()?)?, preds: preds.next()? };
            shape.ops.push(op);
        }
        shape.texts.extend(text_columns.by_ref().take(texts));
        shapes.push(shape);
    }
    Some(shapes)
}

// How many values and predecessors each column has.
fn count_values(heads: &Heads, shapes: &[Shape], lens: &mut [(usize, usize)]) -> Option<()> {
    let mut uses = vec![0usize; shapes.len()];
    for shape in heads.shapes.iter().filter_map(|shape| shape.checked_sub(SHAPES_FROM)) {
        *uses.get_mut(shape)? += 1;
    }
    let mut total = 0usize;
    for (shape, uses) in shapes.iter().zip(uses) {
        for op in &shape.ops {
            let len = lens.get_mut(op.column)?;
            *len = (len.0 + uses, len.1 + uses.checked_mul(op.preds)?);
            total = total.checked_add(uses.checked_mul(1 + op.preds)?).filter(|total| *total <= BATCH_OPS_MAX)?;
        }
        for column in &shape.texts {
            lens.get_mut(*column)?.0 += uses;
            total = total.checked_add(uses).filter(|total| *total <= BATCH_OPS_MAX)?;
        }
    }
    Some(())
}

fn read_values(
    readers: &mut Readers<'_>,
    kind: Kind,
    count: usize,
    preds: usize,
    budget: &mut usize,
) -> Option<Values> {
    let mut values = Values {
        pred_actors: read_numbers(readers, preds)?,
        pred_ctrs: read_numbers(readers, preds)?,
        ..Values::default()
    };
    match kind.nature() {
        Some(nature) => values.texts = read_texts(readers, count, nature, budget)?,
        None if kind == Kind::Nothing => {}
        None => values.numbers = read_numbers(readers, count)?,
    }
    Some(values)
}
