//! Conflicts and history: what happened to a record, and settling what happened twice.

use std::collections::HashMap;

use super::reading::{conflicts_of, whole};
use super::{Conflict, HistoryEntry, Replica};
use crate::document::Edit;
use crate::error::{Error, Result};
use crate::id::{BatchId, ChangeHash, RecordId};
use crate::schema::{Field, FieldType, Name, ParseContext, Value, format_value, parse_value};
use crate::store::flag;
use crate::time::Millis;

impl Replica {
    /// Every change of a record, oldest first, field by field, with who and where.
    ///
    /// # Errors
    /// `unknown_collection`, `record_not_found`.
    pub fn history(&self, collection: &str, id: &RecordId) -> Result<Vec<HistoryEntry>> {
        self.inner.read(|view| {
            self.sight(view)?.require(view, collection, id)?;
            let (collection, state) = whole(view, collection, id)?;
            let mut history = Vec::new();
            for entry in state.history(&collection) {
                let bound = view.bound(entry.actor)?;
                history.push(HistoryEntry {
                    change: entry.change,
                    at: entry.at,
                    user: bound.person,
                    device: bound.device_name,
                    batch: bound.batch,
                    field: entry.field,
                    from: entry.from,
                    to: entry.to,
                });
            }
            Ok(history)
        })
    }

    /// When each change of a record arrived here, or was written here.
    ///
    /// # Errors
    /// `record_not_found` where it is outside of what is seen.
    pub fn arrivals(&self, collection: &str, id: &RecordId) -> Result<HashMap<ChangeHash, Millis>> {
        self.inner.read(|view| {
            self.sight(view)?.require(view, collection, id)?;
            view.arrivals(id)
        })
    }

    /// The records that the import `batch` has written to, whoever ran it, in the order in which they came here.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn imported(&self, batch: &BatchId) -> Result<Vec<(Name, RecordId)>> {
        self.inner.read(|view| {
            self.sight(view)?.keep(view, view.imported(batch)?, usize::MAX, |(collection, id)| (collection, id))
        })
    }

    /// Every open conflict of every record held, with all its values.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn conflicts(&self) -> Result<Vec<Conflict>> {
        self.inner.read(|view| {
            let (sight, mut conflicts) = (self.sight(view)?, Vec::new());
            for id in view.flagged(flag::CONFLICT)? {
                let Some(whole) = view.whole(&id)? else { continue };
                if !sight.sees(view, &whole.collection, &id)? {
                    continue;
                }
                if let Some(collection) = view.model.schema.collection(&whole.collection) {
                    conflicts.extend(conflicts_of(view, collection, &whole.state)?);
                }
            }
            Ok(conflicts)
        })
    }

    /// Settles a conflict in favour of one of its values, given as people write it. `field` is the field's name; for a
    /// cell of a line `field/line/column`.
    ///
    /// # Errors
    /// `no_conflict` where the field has none; `not_among_values` with those it has; `denied_…`.
    pub fn resolve(&self, collection: &str, id: &RecordId, field: &str, keep: &str) -> Result<()> {
        let record = self.record(collection, id)?;
        let (name, cell) = match field.split_once('/') {
            Some((name, cell)) => (name, cell.split_once('/')),
            None => (field, None),
        };
        let is_it = |conflict: &&Conflict| {
            let own = conflict.cell.as_ref().map(|(line, sub)| (line.as_str(), &**sub));
            &*conflict.field == name && own == cell
        };
        let conflict = record
            .conflicts
            .iter()
            .find(is_it)
            .ok_or_else(|| Error::not_found("no-conflict").with("field", field).with("record", id.to_string()))?;
        let schema = self.schema();
        let typed = cell_field(schema.require(collection)?.require_field(name)?, cell.map(|(_, sub)| sub))?;
        let value = self.chosen(&typed, conflict, keep)?;
        let edit = match cell {
            None => Edit::Set(name.into(), value),
            Some((line, sub)) => Edit::SetLine { field: name.into(), line: line.to_owned(), sub: sub.into(), value },
        };
        self.transact(|tx| tx.settle(collection, id, edit))
    }

    fn chosen(&self, field: &Field, conflict: &Conflict, keep: &str) -> Result<Value> {
        let label = |id: &RecordId| self.label(id);
        let written = |value: &Value| format_value(field, value, &label);
        if let Some(exact) = conflict.values.iter().find(|known| written(&known.value) == keep) {
            return Ok(exact.value.clone());
        }
        let mut resolve = |collection: &str, text: &str| self.find(collection, text);
        let mut context = ParseContext { currency: self.inner.settings().currency, resolve: &mut resolve };
        let parsed = parse_value(field, keep, &mut context)?;
        if conflict.values.iter().any(|known| known.value == parsed) {
            return Ok(parsed);
        }
        let values: Vec<String> = conflict.values.iter().map(|known| written(&known.value)).collect();
        Err(Error::invalid("not-among-values")
            .with("field", &*conflict.field)
            .with("value", keep)
            .with("values", values.join(" · ")))
    }
}

fn cell_field(field: &Field, sub: Option<&str>) -> Result<Field> {
    let Some(sub) = sub else { return Ok(field.clone()) };
    let unknown = || Error::not_found("unknown-field").with("field", sub).with("collection", &*field.name);
    match &field.ty {
        FieldType::Lines(subs) => subs.iter().find(|known| &*known.name == sub).cloned().ok_or_else(unknown),
        _ => Err(unknown()),
    }
}
