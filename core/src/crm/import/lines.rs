//! Files whose rows are lines of parent records: the items of orders.
//!
//! All rows are read first and gathered by parent, so that a parent is written once, however the file is sorted. A line
//! is named by its key columns, so that importing again changes lines and never doubles them.

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest, Sha256};

use super::held::key_text;
use super::rows::{Engine, Halt, Read, Step, refused, row_halt, same};
use super::run::{Room, Run};
use super::table::{Row, Table};
use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::limits::LINE_ID_BYTES_MAX;
use crate::message::Message;
use crate::replica::{Edit, Tx};
use crate::schema::{Name, Value};

/// A row as a line of its parent.
struct LineRow {
    /// Its line in the file.
    row: u64,
    /// The id of the line in the parent.
    id: String,
    values: Vec<(Name, Value)>,
    bytes: usize,
}

/// Lines of one parent, in the order of the file.
type Family = (RecordId, Vec<LineRow>);

/// Imports the rows of `table` as lines.
pub(super) fn run(run: &mut Run<'_, '_>, engine: &mut Engine<'_>, table: &Table) -> Result<()> {
    let mut families: Vec<Family> = Vec::new();
    let mut places: HashMap<RecordId, usize> = HashMap::new();
    let mut rows = table.rows();
    loop {
        let more = run.transaction(engine, |engine, tx| {
            let mut room = Room::default();
            let mut refused = 0;
            for row in rows.by_ref() {
                let bytes = bytes_of(&row);
                match engine.line(tx, &row)? {
                    None => refused += 1,
                    Some((parent, line)) => {
                        let place = *places.entry(parent).or_insert_with(|| {
                            families.push((parent, Vec::new()));
                            families.len() - 1
                        });
                        if let Some((_, lines)) = families.get_mut(place) {
                            lines.push(line);
                        }
                    }
                }
                let changes_of_row_max = engine.plan.lookups.len();
                if !room.take(bytes, engine.changes, changes_of_row_max) {
                    return Ok((refused, true));
                }
            }
            Ok((refused, false))
        })?;
        if !more {
            break;
        }
    }
    let mut families = families.into_iter();
    while run.transaction(engine, |engine, tx| {
        let mut room = Room::default();
        let mut done = 0;
        for (parent, lines) in families.by_ref() {
            let bytes = lines.iter().map(|line| line.bytes).sum();
            done += lines.len() as u64;
            engine.family(tx, &parent, lines)?;
            if !room.take(bytes, engine.changes, 1) {
                return Ok((done, true));
            }
        }
        Ok((done, false))
    })? {}
    Ok(())
}

/// A cell of a lines value.
pub(super) fn cell_of<'v>(lines: &'v Value, line: &str, sub: &str) -> Option<&'v Value> {
    match lines {
        Value::Lines(lines) => lines.get(line)?.get(sub),
        _ => None,
    }
}

pub(super) fn bytes_of(row: &Row<'_>) -> usize {
    // What a change costs beside its texts.
    const CHANGE_BYTES: usize = 128;
    row.cells.iter().map(|c| c.len()).sum::<usize>() + CHANGE_BYTES
}

/// The id of a line from its key cells: themselves where they may stand in a key, else a hash of them.
fn line_id(cells: &[&str]) -> String {
    let plain = cells.join("-");
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !plain.is_empty() && plain.len() <= LINE_ID_BYTES_MAX && plain.bytes().all(allowed) {
        return plain;
    }
    let mut hash = Sha256::new();
    for cell in cells {
        hash.update((cell.len() as u64).to_be_bytes());
        hash.update(cell.as_bytes());
    }
    let digest: [u8; 32] = hash.finalize().into();
    data_encoding::HEXLOWER.encode(&digest[..8])
}

impl Engine<'_> {
    /// Reads a row and finds its parent; a row that cannot come in is counted, and none.
    fn line(&mut self, tx: &mut Tx<'_>, row: &Row<'_>) -> Result<Option<(RecordId, LineRow)>> {
        match self.line_of(tx, row) {
            Ok(line) => Ok(Some(line)),
            Err(Halt::Refused(issue)) => {
                self.outcome.refuse(issue);
                Ok(None)
            }
            // Lines do not refer to lines, so nothing waits for a later row.
            Err(Halt::PutOff) => Ok(None),
            Err(Halt::Failed(error)) => Err(error),
        }
    }

    fn line_of(&mut self, tx: &mut Tx<'_>, row: &Row<'_>) -> Read<(RecordId, LineRow)> {
        let plan = self.plan;
        let draft = self.read(tx, row, true)?;
        let cell = |at: usize| row.cells.get(at).map(|c| c.trim()).unwrap_or_default();
        let Some(lines) = &plan.lines else { return Err(refused(row.line, "", "", Message::new("import-line-empty"))) };
        let text = cell(lines.parent_at);
        let wanted = [(lines.by.clone(), Value::Text(text.to_owned()))];
        let parents = self.held.by_key(None, &key_text(&plan.keys, &wanted), true);
        let parent = match parents {
            [parent] => parent.id,
            [] => {
                let missing = Message::new("import-parent-missing");
                let missing = missing.with("collection", &*plan.collection.name).with("field", &*lines.by);
                return Err(refused(row.line, &lines.parent_heading, text, missing.with("value", text)));
            }
            several => {
                let message = Message::new("import-parent-several").with("count", several.len()).with("value", text);
                return Err(refused(row.line, &lines.parent_heading, text, message));
            }
        };
        let key: Vec<&str> = lines.line.iter().map(|at| cell(*at)).collect();
        if key.iter().all(|cell| cell.is_empty()) {
            return Err(refused(row.line, "", "", Message::new("import-line-empty")));
        }
        let line = LineRow { row: row.line, id: line_id(&key), values: draft.values, bytes: bytes_of(row) };
        Ok((parent, line))
    }

    /// Writes the lines of one parent in one change.
    fn family(&mut self, tx: &mut Tx<'_>, parent: &RecordId, lines: Vec<LineRow>) -> Result<()> {
        let steps = match self.write_family(tx, parent, &lines) {
            Ok(steps) => steps,
            Err(error) => return self.refuse_family(&lines, error),
        };
        steps.into_iter().for_each(|step| self.count(step));
        Ok(())
    }

    fn refuse_family(&mut self, lines: &[LineRow], error: Error) -> Result<()> {
        for line in lines {
            match row_halt(line.row, "", "", error.clone()) {
                Halt::Refused(issue) => self.outcome.refuse(issue),
                _ => return Err(error),
            }
        }
        Ok(())
    }

    fn write_family(&mut self, tx: &mut Tx<'_>, parent: &RecordId, lines: &[LineRow]) -> Result<Vec<Step>> {
        let plan = self.plan;
        let Some(field) = plan.lines.as_ref().map(|l| l.field.name.clone()) else { return Ok(Vec::new()) };
        let gone = || Error::not_found("import-parent-gone").with("record", parent.to_string());
        let record = tx.record(&plan.collection.name, parent)?.ok_or_else(gone)?;
        let held = match record.value(&field) {
            Value::Lines(held) => held.clone(),
            _ => BTreeMap::new(),
        };
        let (mut edits, mut steps, mut imported) = (Vec::new(), Vec::new(), None);
        for line in lines {
            let own = held.get(&line.id);
            let before = edits.len();
            for (sub, value) in &line.values {
                let current = own.and_then(|own| own.get(&**sub)).unwrap_or(&Value::Null);
                if same(current, value) {
                    continue;
                }
                // As with plain fields: what the last import said already was changed by somebody since.
                if imported.is_none() {
                    let last = tx.last_imported(&plan.collection.name, parent, &field)?;
                    imported = Some(last.unwrap_or(Value::Null));
                }
                let last = imported.as_ref().and_then(|last| cell_of(last, &line.id, sub));
                if last.is_none_or(|last| !same(last, value)) {
                    let (field, line, value) = (field.clone(), line.id.clone(), value.clone());
                    edits.push(Edit::SetLine { field, line, sub: sub.clone(), value });
                }
            }
            steps.push(match (own, edits.len() > before) {
                (_, false) => Step::Unchanged,
                (None, true) => Step::Created,
                (Some(_), true) => Step::Updated,
            });
        }
        if !edits.is_empty() && tx.edit(&plan.collection.name, parent, edits)? {
            self.changes += 1;
        }
        Ok(steps)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_named_by_its_key_and_never_by_its_place() {
        assert_eq!(line_id(&["11"]), "11");
        assert_eq!(line_id(&["11", "kg"]), "11-kg");
        assert_eq!(line_id(&["Чай"]).len(), 16);
        assert_ne!(line_id(&["Чай", "x"]), line_id(&["Чай", "y"]));
    }
}
