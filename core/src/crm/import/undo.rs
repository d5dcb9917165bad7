//! Taking an import back: what it made is archived, what it changed gets its earlier value, unless somebody else has
//! touched it since.
//!
//! The work is done under an actor of the same batch. So it counts as the import's own last word: it loses to concurrent
//! hand edits, and a later import of the same file sees that its values are gone and brings them again.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use crate::error::{Error, Result};
use crate::id::{BatchId, RecordId};
use crate::limits::TX_CHANGES_MAX;
use crate::replica::{Edit, HistoryEntry, Record, Replica};
use crate::schema::{Name, Value};

/// What an undo did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Undone {
    /// The import.
    pub batch: BatchId,
    /// Records that the import had made, now archived.
    pub archived: u64,
    /// Records that the import had changed, now as before.
    pub restored: u64,
    /// Records left as they are, because somebody has touched them since or the import was undone before.
    pub kept: u64,
}

impl Undone {
    /// `{"batch","archived","restored","kept"}`
    pub fn json(&self) -> Json {
        json!({
            "batch": self.batch.to_string(),
            "archived": self.archived,
            "restored": self.restored,
            "kept": self.kept,
        })
    }
}

/// What is to be done to one record.
#[derive(Debug, PartialEq)]
enum Step {
    Archive,
    Restore(Vec<Edit>),
    Keep,
}

/// Takes back the import `batch`, whoever ran it, on this replica's view of it. Done again, it changes nothing.
///
/// # Errors
/// `import_batch_unknown` where no change of it is here.
pub fn undo(replica: &Replica, batch: BatchId) -> Result<Undone> {
    let touched = replica.imported(&batch)?;
    mark!("import_undone");
    if touched.is_empty() {
        return Err(Error::not_found("import-batch-unknown").with("batch", batch.to_string()));
    }
    let mut undone = Undone { batch, ..Undone::default() };
    let mut steps: Vec<(Name, RecordId, Step)> = Vec::with_capacity(touched.len());
    for (collection, id) in touched {
        let step = step(&replica.history(&collection, &id)?, &replica.record(&collection, &id)?, &batch);
        steps.push((collection, id, step));
    }
    for chunk in steps.chunks(TX_CHANGES_MAX) {
        replica.transact_as_import(batch, |tx| {
            for (collection, id, step) in chunk {
                let changed = match step {
                    Step::Keep => false,
                    Step::Archive => tx.archive(collection, id, true)?,
                    Step::Restore(edits) => tx.edit(collection, id, edits.clone())?,
                };
                match (step, changed) {
                    (Step::Archive, true) => undone.archived += 1,
                    (Step::Restore(_), true) => undone.restored += 1,
                    _ => undone.kept += 1,
                }
            }
            Ok(())
        })?;
    }
    Ok(undone)
}

/// What the history of a record says about undoing `batch` in it.
fn step(history: &[HistoryEntry], record: &Record, batch: &BatchId) -> Step {
    let mut entries: Vec<&HistoryEntry> = history.iter().collect();
    entries.sort_by_key(|entry| entry.at);
    let own = |entry: &&HistoryEntry| entry.batch.as_ref() == Some(batch);
    if entries.first().is_some_and(own) {
        return if entries.iter().all(own) { Step::Archive } else { Step::Keep };
    }
    let mut fields: Vec<&Name> = entries.iter().filter(|e| own(e)).map(|entry| &entry.field).collect();
    fields.sort_unstable();
    fields.dedup();
    let mut edits = Vec::new();
    for field in fields.into_iter().filter(|field| &***field != "archived") {
        // The import's newest writes of the field, back to the last one of somebody else.
        let tail = entries.iter().rev().filter(|entry| entry.field == *field).take_while(|entry| own(entry));
        let tail: Vec<&HistoryEntry> = tail.copied().collect();
        match tail.last().map(|oldest| (&oldest.from, &oldest.to)) {
            None => {}
            Some((Value::Set(_), _) | (_, Value::Set(_))) => items_before(field, &tail, &mut edits),
            Some((Value::Lines(_), _) | (_, Value::Lines(_))) => {
                cells_before(field, &tail, record.value(field), &mut edits);
            }
            Some((from, _)) => edits.push(Edit::Set(field.clone(), from.clone())),
        }
    }
    if edits.is_empty() { Step::Keep } else { Step::Restore(edits) }
}

/// Brings back the items of a set, from writes newest first that each tell only what they took away and put in.
fn items_before(field: &Name, tail: &[&HistoryEntry], edits: &mut Vec<Edit>) {
    let mut held: BTreeMap<&String, bool> = BTreeMap::new();
    let items = |value: &'_ Value| match value {
        Value::Set(_) => value.clone(),
        _ => Value::Set(BTreeSet::new()),
    };
    let sides: Vec<(Value, Value)> = tail.iter().map(|entry| (items(&entry.from), items(&entry.to))).collect();
    for (from, to) in &sides {
        if let (Value::Set(from), Value::Set(to)) = (from, to) {
            held.extend(to.iter().map(|item| (item, false)));
            held.extend(from.iter().map(|item| (item, true)));
        }
    }
    edits.extend(held.into_iter().map(|(item, held)| match held {
        true => Edit::Add(field.clone(), item.clone()),
        false => Edit::Remove(field.clone(), item.clone()),
    }));
}

type Cells = BTreeMap<String, BTreeMap<String, Value>>;

/// Brings back the cells of lines; a line of which nothing else is left goes.
fn cells_before(field: &Name, tail: &[&HistoryEntry], current: &Value, edits: &mut Vec<Edit>) {
    let mut before = Cells::new();
    for entry in tail {
        for (side, restored) in [(&entry.to, false), (&entry.from, true)] {
            let Value::Lines(lines) = side else { continue };
            for (line, cells) in lines {
                for (sub, value) in cells {
                    let value = if restored { value.clone() } else { Value::Null };
                    before.entry(line.clone()).or_default().insert(sub.clone(), value);
                }
            }
        }
    }
    for (line, cells) in before {
        let held = match current {
            Value::Lines(lines) => lines.get(&line),
            _ => None,
        };
        let emptied = |sub: &String| cells.get(sub) == Some(&Value::Null);
        if held.is_some_and(|held| held.iter().all(|(sub, value)| *value == Value::Null || emptied(sub))) {
            edits.push(Edit::RemoveLine { field: field.clone(), line });
            continue;
        }
        let cell = |(sub, value): (String, Value)| Edit::SetLine {
            field: field.clone(),
            line: line.clone(),
            sub: sub.as_str().into(),
            value,
        };
        edits.extend(cells.into_iter().map(cell));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::id::ChangeHash;
    use crate::replica::Stamp;
    use crate::time::Millis;

    const BATCH: BatchId = BatchId([1; 16]);

    fn entry(at: i64, batch: Option<BatchId>, field: &str, from: &str, to: &str) -> HistoryEntry {
        let value = |text: &str| if text.is_empty() { Value::Null } else { Value::Text(text.to_owned()) };
        HistoryEntry {
            change: ChangeHash::default(),
            at: Millis(at),
            user: None,
            device: String::new(),
            batch,
            field: field.into(),
            from: value(from),
            to: value(to),
        }
    }

    fn step(history: &[HistoryEntry]) -> Step {
        step_with(history, Value::Null)
    }

    fn step_with(history: &[HistoryEntry], lines: Value) -> Step {
        let stamp = Stamp::default();
        let record = Record {
            id: RecordId::default(),
            collection: "opportunity".into(),
            fields: vec![("lines".into(), lines)],
            archived: false,
            review: false,
            conflicted: false,
            merged_into: None,
            created: stamp,
            updated: stamp,
            conflicts: Vec::new(),
            title: None,
            delivery: None,
        };
        super::step(history, &record, &BATCH)
    }

    fn items(texts: &[&str]) -> Value {
        Value::Set(texts.iter().map(|text| (*text).to_owned()).collect())
    }

    fn line(cells: &[(&str, i64)]) -> Value {
        let cells = cells.iter().map(|(sub, n)| ((*sub).to_owned(), Value::Integer(*n))).collect();
        Value::Lines(BTreeMap::from([("11".to_owned(), cells)]))
    }

    fn written(batch: Option<BatchId>, field: &str, from: Value, to: Value) -> HistoryEntry {
        HistoryEntry { from, to, ..entry(2, batch, field, "", "") }
    }

    fn set(field: &str, to: &str) -> Step {
        Step::Restore(vec![Edit::Set(field.into(), Value::Text(to.to_owned()))])
    }

    #[test]
    fn what_the_import_made_goes_unless_somebody_touched_it() {
        let made = entry(1, Some(BATCH), "name", "", "Acme");
        assert_eq!(step(std::slice::from_ref(&made)), Step::Archive);
        assert_eq!(step(&[made, entry(2, None, "city", "", "Kyiv")]), Step::Keep);
    }

    #[test]
    fn what_the_import_changed_gets_the_value_it_had_before() {
        let by_hand = entry(1, None, "name", "", "Acme");
        let changed = entry(2, Some(BATCH), "name", "Acme", "ACME Ltd");
        assert_eq!(step(&[by_hand.clone(), changed.clone()]), set("name", "Acme"));
        let again = entry(3, None, "name", "ACME Ltd", "Acme Inc");
        assert_eq!(step(&[by_hand.clone(), changed.clone(), again.clone()]), Step::Keep);
        let once_more = entry(4, Some(BATCH), "name", "Acme Inc", "ACME Ltd");
        assert_eq!(step(&[by_hand, changed, again, once_more]), set("name", "Acme Inc"));
    }

    #[test]
    fn an_undo_is_not_undone_by_another() {
        let history = [
            entry(1, None, "name", "", "Acme"),
            entry(2, Some(BATCH), "name", "Acme", "ACME Ltd"),
            entry(3, Some(BATCH), "name", "ACME Ltd", "Acme"),
        ];
        // The value that is there already: editing to it writes nothing.
        assert_eq!(step(&history), set("name", "Acme"));
    }

    #[test]
    fn another_import_counts_as_somebody_else() {
        let made = entry(1, Some(BATCH), "name", "", "Acme");
        assert_eq!(step(&[made, entry(2, Some(BatchId([2; 16])), "city", "", "Kyiv")]), Step::Keep);
    }

    #[test]
    fn items_and_lines_go_one_by_one() {
        let by_hand = entry(1, None, "name", "", "Acme");
        let changed = written(Some(BATCH), "roles", items(&["dealer"]), items(&["customer"]));
        let edits = vec![Edit::Remove("roles".into(), "customer".into()), Edit::Add("roles".into(), "dealer".into())];
        assert_eq!(step(&[by_hand.clone(), changed]), Step::Restore(edits));
        let put = written(Some(BATCH), "lines", Value::Null, line(&[("quantity", 2)]));
        let (field, line_id): (Name, _) = ("lines".into(), "11".to_owned());
        let gone = Edit::RemoveLine { field: field.clone(), line: line_id.clone() };
        let history = [by_hand, put];
        assert_eq!(step_with(&history, line(&[("quantity", 2)])), Step::Restore(vec![gone]));
        let cleared = Edit::SetLine { field, line: line_id, sub: "quantity".into(), value: Value::Null };
        let held = line(&[("quantity", 2), ("discount", 1)]);
        assert_eq!(step_with(&history, held), Step::Restore(vec![cleared]));
    }
}
