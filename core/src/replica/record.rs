//! What queries give back: records, pages, conflicts, history, search hits.

use super::Delivery;
use crate::id::{BatchId, ChangeHash, DeviceId, RecordId};
use crate::schema::{LineId, Name, Value, Winner};
use crate::time::Millis;

/// Who touched something, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// The moment, as the author's replica knew it.
    pub at: Millis,
    /// The person, unless the author's binding is unknown here.
    pub by: Option<RecordId>,
    /// The device; known where one record was read, not in lists.
    pub device: Option<DeviceId>,
}

/// A record as it stands here.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its id.
    pub id: RecordId,
    /// Its collection.
    pub collection: Name,
    /// Its fields in the schema's order; empty ones are left out.
    pub fields: Vec<(Name, Value)>,
    /// Whether it is archived.
    pub archived: bool,
    /// Whether it came back from the archive through a concurrent edit and waits for somebody to look.
    pub review: bool,
    /// Whether some field has several concurrent values.
    pub conflicted: bool,
    /// The record it was merged into, if it is the losing half of a pair of duplicates.
    pub merged_into: Option<RecordId>,
    /// Its first change.
    pub created: Stamp,
    /// Its newest change.
    pub updated: Stamp,
    /// Its open conflicts; filled where one record was read, empty in lists.
    pub conflicts: Vec<Conflict>,
    /// What it is called; known in lists that ask for it, but not of what is merged into another record.
    pub title: Option<String>,
    /// Whether it has arrived above; known in lists that ask for it.
    pub delivery: Option<Delivery>,
}

impl Record {
    /// The value of a field; `Null` where it is empty.
    pub fn value(&self, field: &str) -> &Value {
        self.fields.iter().find(|(name, _)| &**name == field).map_or(&Value::Null, |(_, value)| value)
    }

    /// The text of a text, long text or choice field; empty where the field is.
    pub fn text(&self, field: &str) -> &str {
        match self.value(field) {
            Value::Text(text) => text,
            _ => "",
        }
    }

    /// The record that a reference field points to.
    pub fn reference(&self, field: &str) -> Option<RecordId> {
        match self.value(field) {
            Value::Reference(id) => Some(*id),
            _ => None,
        }
    }
}

/// A part of a list, and where the next part begins.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// The records, in the order asked for.
    pub rows: Vec<Record>,
    /// What to give as [`Query::after`](super::Query) for the next page; none on the last one.
    pub next: Option<RecordId>,
}

/// A field with several concurrent values.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// The record's collection.
    pub collection: Name,
    /// The record.
    pub id: RecordId,
    /// The field.
    pub field: Name,
    /// In a lines field: the line and the field of the line.
    pub cell: Option<(LineId, Name)>,
    /// The rule that chose what is shown.
    pub rule: Winner,
    /// Every value once, the shown one first.
    pub values: Vec<ConflictValue>,
}

/// One of the values of a conflict.
#[derive(Debug, Clone, PartialEq)]
pub struct ConflictValue {
    /// The value.
    pub value: Value,
    /// The person who wrote it, unless the binding is unknown here.
    pub user: Option<RecordId>,
    /// The name of the person's device; empty where the binding is unknown here.
    pub device: String,
    /// When it was written.
    pub at: Millis,
    /// The change that wrote it.
    pub change: ChangeHash,
    /// Whether this is the value that lists and reports show.
    pub shown: bool,
}

/// One field that one change altered.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEntry {
    /// The change.
    pub change: ChangeHash,
    /// When it was written.
    pub at: Millis,
    /// The person who wrote it, unless the binding is unknown here.
    pub user: Option<RecordId>,
    /// The name of the device; empty where the binding is unknown here.
    pub device: String,
    /// The import that wrote it, if it was no person's hand.
    pub batch: Option<BatchId>,
    /// The field; `archived` and `merged_into` for the record's own marks.
    pub field: Name,
    /// What it was for the author.
    pub from: Value,
    /// What it became.
    pub to: Value,
}

/// A record that full-text search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// Its collection.
    pub collection: Name,
    /// Its id.
    pub id: RecordId,
    /// Its title.
    pub label: String,
    /// The first of its texts that holds a word of the search.
    pub excerpt: String,
}
