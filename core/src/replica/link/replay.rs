//! Writing again, under a new actor, what a person typed on top of a change that was refused.
//!
//! The originals stand in quarantine; what can be kept without the refused fields is kept, as a new edit of the person's.

use std::collections::HashSet;

use crate::document::{Edit, Vetted, value_of};
use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::replica::Replica;
use crate::schema::{Collection, FieldType, Name, Value};
use crate::wire::chunk::{Action, Scalar};

/// Edits of one record to make once more.
pub(super) struct Replay {
    record: RecordId,
    collection: Name,
    edits: Vec<Edit>,
}

impl Replay {
    /// What these changes did, without the keys that the refused ones wrote. `None`: nothing is left to do.
    pub(super) fn of(
        record: RecordId,
        collection: &Collection,
        changes: &[Vetted],
        refused_keys: &HashSet<String>,
    ) -> Option<Self> {
        let edits: Vec<Edit> = changes
            .iter()
            .flat_map(|change| change.ops().filter(|op| !refused_keys.contains(op.key)).collect::<Vec<_>>())
            .filter_map(|op| edit_of(collection, op.key, op.action, op.value))
            .collect();
        (!edits.is_empty()).then(|| Self { record, collection: collection.name.clone(), edits })
    }

    /// Makes the edits. What the person may not do any more stays in quarantine alone.
    pub(super) fn run(self, replica: &Replica) -> Result<()> {
        match replica.transact(|tx| tx.edit(&self.collection, &self.record, self.edits)) {
            Ok(_) | Err(Error::Denied(_) | Error::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn edit_of(collection: &Collection, key: &str, action: Action, scalar: Scalar<'_>) -> Option<Edit> {
    if key == "~archived" {
        return match scalar {
            Scalar::Bool(archived) => Some(Edit::Archive(archived)),
            _ => None,
        };
    }
    let (name, rest) = match key.split_once('/') {
        Some((name, rest)) => (name, Some(rest)),
        None => (key, None),
    };
    let field = collection.field(name)?;
    let name = field.name.clone();
    match (&field.ty, rest, action) {
        (FieldType::Counter, None, Action::Increment) => match scalar {
            Scalar::Int(by) | Scalar::Counter(by) => Some(Edit::Increment(name, by)),
            _ => None,
        },
        (FieldType::Set(_), Some(item), Action::Set) => Some(Edit::Add(name, item.to_owned())),
        (FieldType::Set(_), Some(item), Action::Delete) => Some(Edit::Remove(name, item.to_owned())),
        (FieldType::Lines(subs), Some(rest), Action::Set) => {
            let (line, sub) = rest.split_once('/')?;
            let sub = subs.iter().find(|known| &*known.name == sub)?;
            let value = value_of(&sub.ty, scalar)?;
            Some(Edit::SetLine { field: name, line: line.to_owned(), sub: sub.name.clone(), value })
        }
        (ty, None, Action::Set) => match scalar {
            Scalar::Null => Some(Edit::Set(name, Value::Null)),
            scalar => value_of(ty, scalar).map(|value| Edit::Set(name, value)),
        },
        _ => None,
    }
}
