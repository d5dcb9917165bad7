//! What the changes of a batch refer to by number: collections, records, actors, names, columns, shapes.

use std::collections::HashMap;

use crate::id::{ActorId, RecordId};
use crate::limits::{BATCH_CHANGES_MAX, BATCH_COLUMNS_MAX, BATCH_SHAPES_MAX};
use crate::wire::chunk::leb::put_unsigned;
use crate::wire::chunk::{FlatOps, GenesisKind, RootOp, genesis_actor};
use crate::wire::codec::interner::Interner;
use crate::wire::codec::keys::Key;
use crate::wire::codec::numbers::put_numbers;
use crate::wire::codec::records::put_records;
use crate::wire::codec::sections::Sections;
use crate::wire::codec::shape::{Kind, Shape, ShapeOp, Values, action_number};
use crate::wire::codec::texts::{Nature, TextColumn, put_texts};
use crate::wire::codec::{Binding, Origin};

#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) collections: Vec<Collection>,
    pub(super) records: Vec<(RecordId, usize)>,
    pub(super) record_numbers: Option<Interner>,
    pub(super) actors: Vec<ActorId>,
    pub(super) actor_numbers: HashMap<ActorId, usize>,
    pub(super) bindings: Vec<(usize, Binding)>,
    pub(super) names: Vec<String>,
    pub(super) columns: Vec<(usize, Kind, Values)>,
    pub(super) column_numbers: Option<Interner>,
    pub(super) shapes: Vec<Shape>,
    pub(super) shape_numbers: Option<Interner>,
    pub(super) last_shape: usize,
}

#[derive(Debug)]
pub(super) struct Collection {
    pub(super) name: String,
    pub(super) genesis: Vec<(String, GenesisKind)>,
}

impl Tables {
    /// The same collections, records, actors and bindings.
    pub(super) fn without_shapes(&self) -> Self {
        let collection = |c: &Collection| Collection { name: c.name.clone(), genesis: Vec::new() };
        Self {
            collections: self.collections.iter().map(collection).collect(),
            records: self.records.clone(),
            actors: self.actors.clone(),
            bindings: self.bindings.clone(),
            ..Self::default()
        }
    }

    pub(super) fn collection(&mut self, name: &str, origin: &mut dyn Origin) -> usize {
        if let Some(known) = self.collections.iter().position(|collection| collection.name == name) {
            return known;
        }
        self.collections.push(Collection { name: name.to_owned(), genesis: origin.genesis_fields(name) });
        self.collections.len() - 1
    }

    // There is room for as many records as changes.
    pub(super) fn record(&mut self, id: RecordId, collection: usize) -> usize {
        let numbers = self.record_numbers.get_or_insert_with(|| Interner::new(BATCH_CHANGES_MAX));
        let number = numbers.intern(&id.0).unwrap_or_default();
        if number == self.records.len() {
            self.records.push((id, collection));
        }
        number
    }

    pub(super) fn actor(&mut self, actor: ActorId, origin: &mut dyn Origin) -> usize {
        if let Some(known) = self.actor_numbers.get(&actor) {
            return *known;
        }
        let number = self.actors.len();
        self.actors.push(actor);
        self.actor_numbers.insert(actor, number);
        if let Some(binding) = origin.binding(&actor) {
            self.bindings.push((number, binding));
        }
        number
    }

    pub(super) fn name(&mut self, name: &str) -> usize {
        if let Some(known) = self.names.iter().position(|other| other == name) {
            return known;
        }
        self.names.push(name.to_owned());
        self.names.len() - 1
    }

    pub(super) fn genesis_fields(&self, record: usize) -> Vec<(RecordId, &str, GenesisKind)> {
        let Some((id, collection)) = self.records.get(record).copied() else { return Vec::new() };
        let fields = self.collections.get(collection).map_or(&[][..], |collection| &collection.genesis);
        fields.iter().map(|(field, kind)| (id, field.as_str(), *kind)).collect()
    }

    pub(super) fn column(&mut self, key: &str, kind: Kind) -> Option<usize> {
        let key = Key::split(key)?.name();
        let mut name = Vec::with_capacity(key.len() + 1);
        name.push(kind as u8);
        name.extend_from_slice(key.as_bytes());
        let number = self.column_numbers.get_or_insert_with(|| Interner::new(BATCH_COLUMNS_MAX)).intern(&name)?;
        if number == self.columns.len() {
            let name = self.name(&key);
            self.columns.push((name, kind, Values::default()));
        }
        Some(number)
    }

    // The columns of the change's initial texts; `None` where a genesis is no field's of the collection.
    pub(super) fn text_columns(&mut self, record: usize, ops: &FlatOps<'_>) -> Option<Vec<usize>> {
        if ops.texts.is_empty() {
            return Some(Vec::new());
        }
        let fields: Vec<_> = self
            .genesis_fields(record)
            .iter()
            .map(|(id, field, _)| (genesis_actor(id, field), field.to_string()))
            .collect();
        let column =
            |genesis: &[u8]| fields.iter().find(|(actor, _)| actor == genesis).map(|(_, field)| field.as_str());
        ops.texts.iter().map(|text| self.column(column(text.genesis)?, Kind::Text)).collect()
    }

    // The numbers of all predecessors' actors in their order; `None` where one is neither ordinary nor the genesis.
    pub(super) fn pred_actors(
        &mut self,
        record: usize,
        ops: &FlatOps<'_>,
        origin: &mut dyn Origin,
    ) -> Option<Vec<i64>> {
        let (id, _) = self.records.get(record).copied()?;
        let mut numbers = Vec::new();
        for op in &ops.root {
            for pred in &op.preds {
                numbers.push(match ActorId::from_slice(pred.actor) {
                    Some(actor) => self.actor(actor, origin) as i64 + 1,
                    None => (genesis_actor(&id, op.key) == pred.actor).then_some(0)?,
                });
            }
        }
        Some(numbers)
    }

    pub(super) fn shape(&mut self, ops: &FlatOps<'_>, texts: Vec<usize>) -> Option<usize> {
        if self.is_shape(self.last_shape, ops, &texts) {
            return Some(self.last_shape);
        }
        let mut shape = Shape { ops: Vec::with_capacity(ops.root.len()), texts };
        let mut name = Vec::with_capacity(4 * ops.root.len());
        for op in &ops.root {
            let column = self.column(op.key, Kind::of_value(&op.value))?;
            shape.ops.push(ShapeOp { column, action: op.action, preds: op.preds.len() });
            put_unsigned(&mut name, column as u64);
            put_unsigned(&mut name, action_number(op.action) as u64);
            put_unsigned(&mut name, op.preds.len() as u64);
        }
        name.push(0);
        shape.texts.iter().for_each(|column| put_unsigned(&mut name, *column as u64));
        let number = self.shape_numbers.get_or_insert_with(|| Interner::new(BATCH_SHAPES_MAX)).intern(&name)?;
        if number == self.shapes.len() {
            self.shapes.push(shape);
        }
        self.last_shape = number;
        Some(number)
    }

    // Neighbours mostly have the same shape: comparing is cheaper than looking it up.
    pub(super) fn is_shape(&self, number: usize, ops: &FlatOps<'_>, texts: &[usize]) -> bool {
        let Some(shape) = self.shapes.get(number) else { return false };
        let same = |(op, place): (&RootOp<'_>, &ShapeOp)| {
            let column = self.columns.get(place.column);
            op.action == place.action
                && op.preds.len() == place.preds
                && column.is_some_and(|(name, kind, _)| {
                    let name = self.names.get(*name);
                    *kind == Kind::of_value(&op.value)
                        && Key::split(op.key).zip(name).is_some_and(|(key, name)| key.is_named(name))
                })
        };
        shape.ops.len() == ops.root.len() && shape.texts == texts && ops.root.iter().zip(&shape.ops).all(same)
    }

    pub(super) fn put(&self, sections: &mut Sections) {
        put_strings(sections, self.collections.iter().map(|collection| collection.name.as_str()));
        sections.number(self.actors.len());
        self.actors.iter().for_each(|actor| sections.bits.extend_from_slice(&actor.0));
        sections.number(self.bindings.len());
        self.bindings.iter().for_each(|(actor, binding)| put_binding(sections, *actor, binding));
        put_records(sections, &self.records);
        put_strings(sections, self.names.iter().map(String::as_str));
        sections.number(self.columns.len());
        put_numbers(sections, &self.columns.iter().map(|(name, _, _)| *name as i64).collect::<Vec<_>>());
        put_numbers(sections, &self.columns.iter().map(|(_, kind, _)| *kind as i64).collect::<Vec<_>>());
        self.put_shapes(sections);
    }

    pub(super) fn put_shapes(&self, sections: &mut Sections) {
        sections.number(self.shapes.len());
        let of_shapes = |f: fn(&Shape) -> i64| self.shapes.iter().map(f).collect::<Vec<_>>();
        put_numbers(sections, &of_shapes(|shape| shape.ops.len() as i64));
        put_numbers(sections, &of_shapes(|shape| shape.texts.len() as i64));
        let of_ops =
            |f: fn(&ShapeOp) -> i64| self.shapes.iter().flat_map(|shape| &shape.ops).map(f).collect::<Vec<_>>();
        put_numbers(sections, &of_ops(|op| op.column as i64));
        put_numbers(sections, &of_ops(|op| action_number(op.action)));
        put_numbers(sections, &of_ops(|op| op.preds as i64));
        let texts: Vec<i64> = self.shapes.iter().flat_map(|shape| &shape.texts).map(|column| *column as i64).collect();
        put_numbers(sections, &texts);
    }
}

fn put_strings<'a>(sections: &mut Sections, strings: impl Iterator<Item = &'a str>) {
    let mut column = TextColumn::default();
    strings.for_each(|string| column.push(string.as_bytes()));
    sections.number(column.len());
    put_texts(sections, &column, Nature::Text);
}

fn put_binding(sections: &mut Sections, actor: usize, binding: &Binding) {
    sections.number(actor);
    sections.bits.extend_from_slice(binding.device.as_bytes());
    sections.number(binding.device_name.len());
    sections.text.extend_from_slice(binding.device_name.as_bytes());
    sections.bits.extend_from_slice(binding.person.as_bytes());
    sections.number(usize::from(binding.batch.is_some()));
    if let Some(batch) = &binding.batch {
        sections.bits.extend_from_slice(batch.as_bytes());
    }
    sections.bits.extend_from_slice(&binding.signature);
}
