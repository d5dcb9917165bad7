//! Rebuilding one change of a batch.

use std::borrow::Cow;
use std::collections::HashMap;

use super::Lookup;
use super::batch::Batch;
use crate::id::{ActorId, ChangeHash, RecordId};
use crate::wire::chunk::build::{Header, actor_number, others_of, write};
use crate::wire::chunk::columns::{DeltaWriter, RleWriter};
use crate::wire::chunk::leb::put_unsigned;
use crate::wire::chunk::{
    CHANGE_TYPE, GenesisKind, InitialText, MAGIC, NewChange, Pred, RootOp, Scalar, build_genesis, genesis_actor, spec,
};
use crate::wire::codec::keys::{has_items, put_key};
use crate::wire::codec::shape::{
    CHECK_BYTES, CHECKED_TOGETHER, HEADERLESS, Kind, SHAPES_FROM, Shape, Values, WHOLE, action_number, dep,
};

impl Batch {
    // Appends the chunk of a change; `None` only where the batch is malformed.
    pub(super) fn change(
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
        let header = Header { deps: &deps, actor: &actor.0, seq, start_op, time };
        if shape == HEADERLESS {
            header.write_before(self.opaque.value(progress.next_opaque()), out);
            return Some(());
        }
        let number = shape - SHAPES_FROM;
        let shape = self.shapes.get(number)?;
        if shape.texts.is_empty() {
            self.flat(number, id, &header, progress, out)
        } else {
            self.with_texts(shape, id, &header, progress, out)
        }
    }

    // A change without initial texts: what its shape has in common is written already.
    fn flat(
        &self,
        shape: usize,
        id: &RecordId,
        header: &Header<'_>,
        progress: &mut Progress<'_>,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let Pattern { keys, insert, actions, pred_counts } = self.patterns.get(shape)?;
        if keys.is_none() {
            self.put_keys(shape, progress)?;
        }
        let Progress { places, keys: own_keys, metas, values: bytes, preds, .. } = progress;
        metas.clear();
        bytes.clear();
        preds.clear();
        let mut writer = RleWriter::new(metas);
        for op in &self.shapes.get(shape)?.ops {
            let (name, kind, values) = self.columns.get(op.column)?;
            let at = places.get_mut(op.column)?;
            writer.push(Some(values.put(*kind, at.0, bytes)?));
            for place in at.1..at.1 + op.preds {
                let actor = match usize::try_from(*values.pred_actors.get(place)?).ok()?.checked_sub(1) {
                    None => PredActor::Genesis(genesis_actor(id, self.names.get(*name)?)),
                    Some(actor) => PredActor::Ordinary(*self.actors.get(actor)?),
                };
                preds.push((*values.pred_ctrs.get(place)?, actor));
            }
            *at = (at.0 + 1, at.1 + op.preds);
        }
        writer.finish();
        let others = others_of(preds.iter().map(|(_, actor)| actor.bytes()), header.actor);
        let (mut pred_actors, mut pred_ctrs) = (Vec::new(), Vec::new());
        if !preds.is_empty() {
            let mut writer = RleWriter::new(&mut pred_actors);
            preds.iter().for_each(|(_, actor)| writer.push(Some(actor_number(actor.bytes(), header.actor, &others))));
            writer.finish();
            let mut writer = DeltaWriter::new(&mut pred_ctrs);
            preds.iter().for_each(|(ctr, _)| writer.push(Some(*ctr)));
            writer.finish();
        }
        let columns = [
            (spec::KEY_STR, keys.as_deref().unwrap_or(own_keys)),
            (spec::INSERT, insert),
            (spec::ACTION, actions),
            (spec::VALUE_META, metas),
            (spec::VALUE, bytes),
            (spec::PRED_COUNT, pred_counts),
            (spec::PRED_ACTOR, &pred_actors),
            (spec::PRED_CTR, &pred_ctrs),
        ];
        header.write(&others, columns.into_iter(), out);
        Some(())
    }

    // The key column of a change whose keys have items.
    fn put_keys(&self, shape: usize, progress: &mut Progress<'_>) -> Option<()> {
        let ops = &self.shapes.get(shape)?.ops;
        let (mut text, mut ends) = (Vec::new(), Vec::with_capacity(ops.len()));
        // A column may stand several times in a change: each time its next item is due.
        for (place, op) in ops.iter().enumerate() {
            let (name, _, values) = self.columns.get(op.column)?;
            let earlier = ops.get(..place)?.iter().filter(|other| other.column == op.column).count();
            let item = progress.places.get(op.column)?.0 + earlier;
            put_key(self.names.get(*name)?, values.items.value(item), &mut text);
            ends.push(text.len());
        }
        progress.keys.clear();
        let mut writer = RleWriter::new(&mut progress.keys);
        let mut start = 0;
        for end in ends {
            writer.push(text.get(start..end));
            start = end;
        }
        writer.finish();
        Some(())
    }

    // A change that fills long texts goes through its operations.
    fn with_texts(
        &self,
        shape: &Shape,
        id: &RecordId,
        header: &Header<'_>,
        progress: &mut Progress<'_>,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let name = |column: usize| self.names.get(self.columns.get(column)?.0).map(String::as_str);
        // What operations borrow is made before them: their keys, and the genesis actors of those.
        let mut borrowed = Vec::with_capacity(shape.ops.len());
        for (place, op) in shape.ops.iter().enumerate() {
            let key = if has_items(name(op.column)?) {
                let (_, _, values) = self.columns.get(op.column)?;
                let at = progress.places.get(op.column)?;
                let earlier = shape.ops.get(..place)?.iter().filter(|other| other.column == op.column).count();
                let mut key = Vec::new();
                put_key(name(op.column)?, values.items.value(at.0 + earlier), &mut key);
                Cow::Owned(String::from_utf8(key).ok()?)
            } else {
                Cow::Borrowed(name(op.column)?)
            };
            let genesis = if op.preds == 0 { [0; 16] } else { genesis_actor(id, &key) };
            borrowed.push((key, genesis));
        }
        let mut ops = Vec::with_capacity(shape.ops.len());
        for (op, (key, genesis)) in shape.ops.iter().zip(&borrowed) {
            let (_, kind, values) = self.columns.get(op.column)?;
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
            ops.push(RootOp { key, action: op.action, value, preds });
        }
        let mut owned = Vec::with_capacity(shape.texts.len());
        for column in &shape.texts {
            let (_, kind, values) = self.columns.get(*column)?;
            let at = progress.places.get_mut(*column)?;
            let Scalar::Str(text) = values.value(*kind, at.0)? else { return None };
            at.0 += 1;
            owned.push((genesis_actor(id, name(*column)?), text));
        }
        let texts: Vec<_> = owned.iter().map(|(genesis, text)| InitialText { genesis, text }).collect();
        let Header { deps, actor, seq, start_op, time } = *header;
        write(&NewChange { deps, actor, seq, start_op, time, ops: &ops, texts: &texts }, out);
        Some(())
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

/// The columns of a chunk that are the same for all changes of a shape.
pub(super) struct Pattern {
    // `None` where keys have items.
    keys: Option<Vec<u8>>,
    insert: Vec<u8>,
    actions: Vec<u8>,
    pred_counts: Vec<u8>,
}

impl Pattern {
    pub(super) fn of(shape: &Shape, names: &[String], columns: &[(usize, Kind, Values)]) -> Option<Self> {
        let mut pattern = Self { keys: None, insert: vec![], actions: vec![], pred_counts: vec![] };
        let (mut actions, mut counts) =
            (RleWriter::new(&mut pattern.actions), RleWriter::new(&mut pattern.pred_counts));
        let mut column = Vec::new();
        let mut keys = RleWriter::new(&mut column);
        let mut items = false;
        for op in &shape.ops {
            let name = names.get(columns.get(op.column)?.0)?;
            items |= has_items(name);
            keys.push(Some(name.as_bytes()));
            actions.push(Some(action_number(op.action) as u64));
            counts.push(Some(op.preds as u64));
        }
        keys.finish();
        actions.finish();
        counts.finish();
        pattern.keys = (!items).then_some(column);
        if !shape.ops.is_empty() {
            put_unsigned(&mut pattern.insert, shape.ops.len() as u64);
        }
        Some(pattern)
    }
}

#[derive(Clone, Copy)]
enum PredActor {
    Ordinary(ActorId),
    Genesis([u8; 16]),
}

impl PredActor {
    fn bytes(&self) -> &[u8] {
        match self {
            PredActor::Ordinary(actor) => &actor.0,
            PredActor::Genesis(actor) => actor,
        }
    }
}

// How far rebuilding has got in each column.
pub(super) struct Progress<'b> {
    // Values and predecessors taken from each column.
    places: Vec<(usize, usize)>,
    // Of the change at hand: its keys, types and bytes of its values, its predecessors.
    keys: Vec<u8>,
    metas: Vec<u8>,
    values: Vec<u8>,
    preds: Vec<(i64, PredActor)>,
    opaque: usize,
    dep_kinds: std::slice::Iter<'b, i64>,
    dep_actors: std::slice::Iter<'b, usize>,
    dep_seqs: std::slice::Iter<'b, i64>,
    dep_names: std::slice::Iter<'b, usize>,
    dep_hashes: std::slice::Iter<'b, ChangeHash>,
    pub(super) checks: std::slice::Iter<'b, u32>,
    pub(super) remembers: bool,
    pub(super) known: HashMap<(usize, Option<usize>, Option<i64>), ChangeHash>,
    // Of the change at hand: all dependencies known, some of them by name.
    pub(super) resolved: bool,
    pub(super) named: bool,
    pub(super) group: Vec<(usize, Option<[u8; CHECK_BYTES]>)>,
}

impl<'b> Progress<'b> {
    pub(super) fn new(batch: &'b Batch) -> Self {
        Self {
            places: vec![(0, 0); batch.columns.len()],
            keys: Vec::new(),
            metas: Vec::new(),
            values: Vec::new(),
            preds: Vec::new(),
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
