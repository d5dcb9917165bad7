//! Reading a new record straight from its creating change, without a [`State`](super::State): the receiving of new
//! records rests on it.

use std::collections::{BTreeMap, BTreeSet};

use super::keys::{self, Target};
use super::values::value_of;
use super::vetted::{Op, TextChange, Vetted};
use crate::id::RecordId;
use crate::schema::{Collection, Name, Value};
use crate::wire::chunk::{Action, Scalar, genesis_actor};

impl Vetted {
    /// The values that `record` shows if this is its only change, by the places of the collection's fields; null where
    /// there is none. `None` where that cannot be read without folding: the change edits texts, follows others, or
    /// archives or merges the record.
    pub fn values(&self, record: &RecordId, collection: &Collection) -> Option<Vec<Value>> {
        if !self.is_flat() {
            return None;
        }
        let mut values = vec![Value::Null; collection.fields.len()];
        let mut marks: Vec<&str> = Vec::new();
        for op in self.ops() {
            match keys::target(collection, op.key) {
                Some(Target::TextMark(field)) => marks.push(field),
                // What marks the record as a whole is no value.
                Some(Target::Archived | Target::MergedInto) => return None,
                Some(target) if op.preds().len() == 0 || op.action == Action::Increment => {
                    read(&mut values, collection, &target, &op);
                }
                _ => return None,
            }
        }
        for (genesis, work) in self.texts() {
            let TextChange::Filled { text, .. } = work else { return None };
            // A single text needs no hash to know whose it is.
            let field = match marks[..] {
                [only] => Some(only),
                _ => marks.iter().copied().find(|field| genesis_actor(record, field) == *genesis),
            };
            if let Some(slot) = field.and_then(|field| slot(&mut values, collection, field)) {
                *slot = Value::Text(text.to_owned());
            }
        }
        Some(values)
    }

    /// The values that the change puts into fields: of sets and lines what it puts in, null where it empties a field.
    pub fn puts(&self, collection: &Collection) -> Vec<(Name, Value)> {
        let mut values = vec![Value::Null; collection.fields.len()];
        let mut places = BTreeSet::new();
        for op in self.ops().filter(|op| op.action == Action::Set) {
            let Some(target) = keys::target(collection, op.key) else { continue };
            if let Target::Plain(field) | Target::Item(field, _) | Target::Cell(field, ..) = target {
                places.extend(collection.fields.place(&field.name));
                read(&mut values, collection, &target, &op);
            }
        }
        let put = collection.fields.iter().zip(values).enumerate().filter(|(place, _)| places.contains(place));
        put.map(|(_, (field, value))| (field.name.clone(), value)).collect()
    }

    /// The fields whose values the change may alter, and `~archived` and `~merged_into` where it says so; `None` where
    /// only a folded record can tell.
    pub fn touched_fields(&self) -> Option<Vec<Name>> {
        let field = |key: &str| match key.strip_prefix(keys::TEXT_PREFIX) {
            Some(field) => Name::from(field),
            None => Name::from(key.split('/').next().unwrap_or(key)),
        };
        // What is put in front of a text that was there before looks like one that is typed at once, and names no field.
        let named = self.ops().filter(|op| op.key.starts_with(keys::TEXT_PREFIX)).count();
        let told = self.is_flat() && self.texts().count() == named;
        told.then(|| self.ops().map(|op| field(op.key)).collect())
    }
}

fn read(values: &mut [Value], collection: &Collection, target: &Target<'_, '_>, op: &Op<'_>) {
    let (Target::Plain(field) | Target::Item(field, _) | Target::Cell(field, ..)) = target else { return };
    let Some(slot) = slot(values, collection, &field.name) else { return };
    match (target, op.action, op.value) {
        (Target::Plain(_), Action::Increment, Scalar::Int(sum)) => *slot = Value::Integer(sum),
        (Target::Plain(field), Action::Set, value) => *slot = value_of(&field.ty, value).unwrap_or(Value::Null),
        (Target::Item(_, item), Action::Set, _) => {
            if *slot == Value::Null {
                *slot = Value::Set(BTreeSet::new());
            }
            if let Value::Set(items) = slot {
                items.insert((*item).to_owned());
            }
        }
        (Target::Cell(_, line, sub), Action::Set, value) => {
            if *slot == Value::Null {
                *slot = Value::Lines(BTreeMap::new());
            }
            if let Value::Lines(lines) = slot {
                let cells = lines.entry((*line).to_owned()).or_default();
                let value = value_of(&sub.ty, value).filter(|value| *value != Value::Null);
                cells.extend(value.map(|value| (sub.name.to_string(), value)));
            }
        }
        _ => {}
    }
}

fn slot<'v>(values: &'v mut [Value], collection: &Collection, field: &str) -> Option<&'v mut Value> {
    collection.fields.place(field).and_then(|place| values.get_mut(place))
}
