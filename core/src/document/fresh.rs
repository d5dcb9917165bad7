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
    /// The values that `record` shows if this is its only change, in the order of the operations; empty ones are left
    /// out. `None` where that cannot be read without folding: the change edits texts, follows others, or archives or
    /// merges the record.
    pub fn values(&self, record: &RecordId, collection: &Collection) -> Option<Vec<(Name, Value)>> {
        if !self.is_flat() {
            return None;
        }
        let mut values: Vec<(Name, Value)> = Vec::with_capacity(self.ops().len());
        let mut marks: Vec<&str> = Vec::new();
        for op in self.ops() {
            match keys::target(collection, op.key) {
                Some(Target::TextMark(field)) => marks.push(field),
                // What marks the record as a whole is no value.
                Some(Target::Archived | Target::MergedInto) => return None,
                Some(target) if op.preds().len() == 0 || op.action == Action::Increment => {
                    read(&mut values, &target, &op);
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
            if let Some(field) = field.and_then(|field| collection.field(field)) {
                values.push((field.name.clone(), Value::Text(text.to_owned())));
            }
        }
        Some(values)
    }

    /// The fields whose values the change may alter, and `~archived` and `~merged_into` where it says so; `None` where
    /// only a folded record can tell.
    pub fn touched_fields(&self) -> Option<Vec<Name>> {
        let field = |key: &str| match key.strip_prefix(keys::TEXT_PREFIX) {
            Some(field) => Name::from(field),
            None => Name::from(key.split('/').next().unwrap_or(key)),
        };
        self.is_flat().then(|| self.ops().map(|op| field(op.key)).collect())
    }
}

fn read(values: &mut Vec<(Name, Value)>, target: &Target<'_, '_>, op: &Op<'_>) {
    match (target, op.action, op.value) {
        (Target::Plain(field), Action::Increment, Scalar::Int(sum)) => {
            values.push((field.name.clone(), Value::Integer(sum)));
        }
        (Target::Plain(field), Action::Set, value) => {
            let value = value_of(&field.ty, value).filter(|value| *value != Value::Null);
            values.extend(value.map(|value| (field.name.clone(), value)));
        }
        (Target::Item(field, item), Action::Set, _) => {
            if let Value::Set(items) = entry(values, &field.name, || Value::Set(BTreeSet::new())) {
                items.insert((*item).to_owned());
            }
        }
        (Target::Cell(field, line, sub), Action::Set, value) => {
            if let Value::Lines(lines) = entry(values, &field.name, || Value::Lines(BTreeMap::new())) {
                let cells = lines.entry((*line).to_owned()).or_default();
                let value = value_of(&sub.ty, value).filter(|value| *value != Value::Null);
                cells.extend(value.map(|value| (sub.name.to_string(), value)));
            }
        }
        _ => {}
    }
}

// Items of one set and cells of one table mostly stand together: looked for from the end.
fn entry<'v>(values: &'v mut Vec<(Name, Value)>, name: &Name, make: impl FnOnce() -> Value) -> &'v mut Value {
    let at = values.iter().rposition(|(known, _)| known == name).unwrap_or_else(|| {
        values.push((name.clone(), make()));
        values.len() - 1
    });
    &mut values[at].1
}
