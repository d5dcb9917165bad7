//! What a row changes in a record that is here: the cells that differ from what the last import brought.

use std::collections::BTreeSet;

use super::{Draft, Engine, Read, Step, row_halt};
use crate::crm::import::held::{HeldRecord, State};
use crate::crm::import::lines::cell_of;
use crate::crm::import::table::Row;
use crate::error::{Error, Result};
use crate::message::Message;
use crate::replica::{Edit, Record, Tx};
use crate::schema::{Field, FieldType, Name, Value};

impl Engine<'_> {
    /// Brings a held record to what the row says.
    pub(super) fn update(&mut self, tx: &mut Tx<'_>, row: &Row<'_>, draft: &Draft, held: HeldRecord) -> Read<Step> {
        let made = self.made.remove(&held.id);
        let unless_made = |step: Step| if made { Step::Created } else { step };
        if held.state == State::Archived {
            self.warn(draft.line, "", "", Message::new("import-record-archived"), None);
            return Ok(Step::Unchanged);
        }
        if held.state == State::Live && held.digest == self.digest(&draft.values) {
            self.tell_still_lacking(draft, None);
            return Ok(unless_made(Step::Unchanged));
        }
        let collection = self.plan.collection.name.clone();
        let halt = |e: Error| row_halt(draft.line, "", "", e);
        let Some(record) = tx.record(&collection, &held.id).map_err(halt)? else { return Ok(Step::Unchanged) };
        self.tell_still_lacking(draft, Some(&record));
        let mut edits = Vec::new();
        // What found the record stays as it stands there: the row may only spell it otherwise.
        let keys = if self.plan.key_is_columns() { self.plan.keys.as_slice() } else { &[] };
        for (name, value) in draft.values.iter().filter(|(name, _)| !keys.iter().any(|key| key.name == *name)) {
            if let Some(field) = self.plan.collection.field(name) {
                difference(tx, &record, field, value, &mut edits).map_err(halt)?;
            }
        }
        let mut changed = held.state == State::Undone && tx.archive(&collection, &held.id, false).map_err(halt)?;
        if !edits.is_empty() {
            let edited = tx.edit(&collection, &held.id, edits);
            changed |= edited.map_err(|error| self.blame(row, &draft.values, error))?;
        }
        self.changes += 2 * usize::from(changed);
        Ok(if changed { unless_made(Step::Updated) } else { unless_made(Step::Unchanged) })
    }
}

/// The edits that bring a field to what the row says, unless the last import said the same: then somebody has changed
/// it since, on purpose. An empty cell clears only what an import brought, and nothing that the collection requires.
fn difference(tx: &mut Tx<'_>, record: &Record, field: &Field, value: &Value, edits: &mut Vec<Edit>) -> Result<()> {
    let current = record.value(&field.name);
    if same(current, value) || (field.required && *value == Value::Null) {
        return Ok(());
    }
    match (&field.ty, value) {
        // A counter only ever grows by what people count.
        (FieldType::Counter, _) => return Ok(()),
        (FieldType::Set(_), _) => {
            let last = tx.last_imported(&record.collection, &record.id, &field.name)?;
            set_difference(field, current, value, last.as_ref(), edits);
            return Ok(());
        }
        (FieldType::Lines(_), Value::Lines(lines)) => {
            let last = tx.last_imported(&record.collection, &record.id, &field.name)?.unwrap_or(Value::Null);
            for (line, cells) in lines {
                for (sub, value) in cells {
                    let said = |lines| cell_of(lines, line, sub).unwrap_or(&Value::Null);
                    if !same(said(current), value) && !same(said(&last), value) {
                        let (field, sub) = (field.name.clone(), Name::from(sub.as_str()));
                        edits.push(Edit::SetLine { field, line: line.clone(), sub, value: value.clone() });
                    }
                }
            }
            return Ok(());
        }
        _ => {}
    }
    let last = tx.last_imported(&record.collection, &record.id, &field.name)?;
    let write = match (&last, value) {
        (Some(last), _) => !same(last, value),
        (None, Value::Null) => false,
        (None, _) => true,
    };
    if write {
        edits.push(Edit::Set(field.name.clone(), value.clone()));
    }
    Ok(())
}

/// Items that the file adds to what the last import brought, and items of that import which the file lacks.
fn set_difference(field: &Field, current: &Value, wanted: &Value, last: Option<&Value>, edits: &mut Vec<Edit>) {
    let none = BTreeSet::new();
    let items = |value: Option<&'_ Value>| match value {
        Some(Value::Set(items)) => items.clone(),
        _ => none.clone(),
    };
    let (current, wanted, last) = (items(Some(current)), items(Some(wanted)), items(last));
    for item in wanted.difference(&current).filter(|item| !last.contains(*item)) {
        edits.push(Edit::Add(field.name.clone(), item.clone()));
    }
    for item in last.difference(&wanted).filter(|item| current.contains(*item)) {
        edits.push(Edit::Remove(field.name.clone(), item.clone()));
    }
}

/// Equal but for blanks around a text, which no cell keeps.
pub(in crate::crm::import) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Text(one), Value::Text(other)) => one.trim() == other.trim(),
        (Value::Set(items), Value::Null) | (Value::Null, Value::Set(items)) => items.is_empty(),
        (Value::Lines(lines), Value::Null) | (Value::Null, Value::Lines(lines)) => lines.is_empty(),
        _ => one == other,
    }
}
