//! The tables and columns of a batch, read within the bounds.

use super::change::Pattern;
use crate::id::{ActorId, BatchId, ChangeHash, DeviceId, RecordId};
use crate::limits::{
    BATCH_CHANGES_MAX, BATCH_COLUMNS_MAX, BATCH_DEPS_MAX, BATCH_INFLATED_BYTES_MAX, BATCH_OPS_MAX, BATCH_SHAPES_MAX,
    CHANGE_DEPS_MAX, TEXT_BYTES_MAX,
};
use crate::wire::codec::Binding;
use crate::wire::codec::keys::has_items;
use crate::wire::codec::numbers::read_numbers;
use crate::wire::codec::records::{drawn_at, read_records};
use crate::wire::codec::sections::Readers;
use crate::wire::codec::shape::{CHECKED_TOGETHER, Kind, SHAPES_FROM, Shape, ShapeOp, Values, action_of, dep};
use crate::wire::codec::texts::{Nature, TextColumn, read_texts};

// Everything of a batch, read and checked but for what only shows when a change is rebuilt.
pub(super) struct Batch {
    pub(super) raw_bytes: usize,
    pub(super) collections: Vec<String>,
    pub(super) actors: Vec<ActorId>,
    pub(super) bindings: Vec<Binding>,
    pub(super) records: Vec<(RecordId, usize)>,
    pub(super) names: Vec<String>,
    pub(super) columns: Vec<(usize, Kind, Values)>,
    pub(super) shapes: Vec<Shape>,
    pub(super) patterns: Vec<Pattern>,
    pub(super) heads: Heads,
    pub(super) deps: Deps,
    pub(super) opaque: TextColumn,
}

pub(super) struct Heads {
    pub(super) shapes: Vec<usize>,
    pub(super) records: Vec<usize>,
    pub(super) tx_ends: Vec<bool>,
    pub(super) actors: Vec<usize>,
    pub(super) seqs: Vec<i64>,
    pub(super) start_ops: Vec<i64>,
    pub(super) times: Vec<i64>,
    pub(super) dep_counts: Vec<usize>,
}

pub(super) struct Deps {
    pub(super) kinds: Vec<i64>,
    pub(super) actors: Vec<usize>,
    pub(super) seqs: Vec<i64>,
    pub(super) names: Vec<usize>,
    pub(super) hashes: Vec<ChangeHash>,
    pub(super) checks: Vec<u32>,
}

impl Batch {
    pub(super) fn read(readers: &mut Readers<'_>) -> Option<Self> {
        let mut budget = BATCH_INFLATED_BYTES_MAX;
        let count = readers.number(BATCH_CHANGES_MAX)?;
        let raw_bytes = readers.number(BATCH_INFLATED_BYTES_MAX)?;
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
            let items = if names.get(name).is_some_and(|name| has_items(name)) { values } else { 0 };
            columns.push((name, kind, read_values(readers, kind, [values, preds, items], &mut budget)?));
        }
        let opaque = heads.shapes.iter().filter(|shape| **shape < SHAPES_FROM).count();
        let opaque = read_texts(readers, opaque, Nature::Text, &mut budget)?;
        let patterns = shapes.iter().map(|shape| Pattern::of(shape, &names, &columns)).collect::<Option<Vec<_>>>()?;
        readers.ended().then_some(Self {
            raw_bytes,
            collections,
            actors,
            bindings,
            records,
            names,
            columns,
            shapes,
            patterns,
            heads,
            deps,
            opaque,
        })
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
    [count, preds, items]: [usize; 3],
    budget: &mut usize,
) -> Option<Values> {
    let mut values = Values {
        pred_actors: read_numbers(readers, preds)?,
        pred_ctrs: read_numbers(readers, preds)?,
        items: read_texts(readers, items, Nature::Text, budget)?,
        ..Values::default()
    };
    match kind.nature() {
        Some(nature) => values.texts = read_texts(readers, count, nature, budget)?,
        None if kind == Kind::Nothing => {}
        None => values.numbers = read_numbers(readers, count)?,
    }
    Some(values)
}
