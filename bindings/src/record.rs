//! Records, pages, conflicts and history as they cross the border.

use std::collections::BTreeSet;
use std::sync::Arc;

use branchline_core::Result;
use branchline_core::id::{ChangeHash, RecordId};
use branchline_core::message::{Language, Message};
use branchline_core::replica::{self, Delivery, Replica};
use branchline_core::schema::{self, Collection, Field as FieldOf, Name, Schema};

use crate::value::{Titles, Value, referred, shown, words};

/// How a record stands: what an app marks it with. Where several hold, the first of `Refused`, `Conflict`, `Pending`.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum RecordState {
    /// All of it has arrived above, and nothing is to be decided.
    Clean,
    /// Changes of it wait to go up.
    Pending,
    /// A change of it was refused and waits in quarantine.
    Refused {
        /// Why, in words.
        reason: String,
        /// Why, as a stable code.
        code: String,
    },
    /// Some field has several concurrent values.
    Conflict,
}

/// A field of a record with its value.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Field {
    /// The field's name.
    pub name: String,
    /// What people read as its name.
    pub label: String,
    /// The value as people read it: a choice by its label, a reference by its title.
    pub text: String,
    /// The value.
    pub value: Value,
    /// Whether what was written to it waits to go up; known where one record was read, not in lists.
    pub pending: bool,
}

/// Who touched something, and when.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Stamp {
    /// Milliseconds since 1970 in UTC, as the author's device knew it.
    pub at_ms: i64,
    /// The id of the person, where known here.
    pub person: Option<String>,
    /// The person's name, where known here.
    pub name: Option<String>,
}

/// A record as it stands here.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Record {
    /// Its id.
    pub id: String,
    /// Its collection.
    pub collection: String,
    /// What names it for people.
    pub title: String,
    /// Its fields in the schema's order, without empty ones.
    pub fields: Vec<Field>,
    /// How it stands.
    pub state: RecordState,
    /// Whether changes of it wait to go up, whatever else its state says.
    pub pending: bool,
    /// Whether it is archived.
    pub archived: bool,
    /// Whether it came back from the archive through a concurrent edit, so that somebody should look.
    pub review: bool,
    /// The record that it was merged into, if it is the losing half of two duplicates.
    pub merged_into: Option<String>,
    /// Its first change.
    pub created: Stamp,
    /// Its newest change.
    pub updated: Stamp,
    /// Its open conflicts; filled where one record was read, empty in lists.
    pub conflicts: Vec<Conflict>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Page {
    /// The records, in the order asked for.
    pub records: Vec<Record>,
    /// What to give as `after` for the next page; none on the last one.
    pub next: Option<String>,
}

/// A field with several concurrent values.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Conflict {
    /// The record's collection.
    pub collection: String,
    /// The record.
    pub record: String,
    /// What names it for people.
    pub title: String,
    /// The field; of a cell of a line `field/line/column`.
    pub field: String,
    /// What people read as the field's name.
    pub label: String,
    /// Whether only a person can settle it; else the shown value stands unless somebody chooses another.
    pub asks: bool,
    /// Every value once, the shown one first.
    pub values: Vec<ConflictValue>,
}

/// One of the values of a conflict.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct ConflictValue {
    /// The value: what to give to `resolve` to keep it.
    pub value: Value,
    /// The value as people read it.
    pub text: String,
    /// Who wrote it, and when.
    pub by: Stamp,
    /// The name of the device.
    pub device: String,
    /// Whether lists and reports show it.
    pub shown: bool,
}

/// What one change did to a record.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Change {
    /// The change, for `undo`.
    pub id: String,
    /// Who wrote it, and when.
    pub by: Stamp,
    /// The name of the device; empty where unknown here.
    pub device: String,
    /// Whether an import wrote it, and no person's hand.
    pub imported: bool,
    /// Whether it waits to go up.
    pub pending: bool,
    /// What it did, field by field.
    pub fields: Vec<FieldChange>,
}

/// What a change did to one field.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct FieldChange {
    /// The field; `archived` and `merged_into` for the record's own marks.
    pub field: String,
    /// What people read as its name.
    pub label: String,
    /// What it was for the author.
    pub from: Value,
    /// The same as people read it.
    pub from_text: String,
    /// What it became.
    pub to: Value,
    /// The same as people read it.
    pub to_text: String,
}

/// A record that full-text search found.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Hit {
    /// Its collection.
    pub collection: String,
    /// Its id.
    pub record: String,
    /// What names it for people.
    pub title: String,
    /// The first of its texts that holds a word of the search.
    pub excerpt: String,
}

/// Turns what the core gives into what crosses the border, in one language and with the titles of what is referred to.
pub(crate) struct Shaper<'a> {
    replica: &'a Replica,
    schema: Arc<Schema>,
    language: Language,
    titles: Titles,
}

impl<'a> Shaper<'a> {
    pub(crate) fn new(replica: &'a Replica, language: Language) -> Self {
        Self { replica, schema: replica.schema(), language, titles: Titles::new() }
    }

    /// One record with its conflicts and what of it waits.
    pub(crate) fn record(mut self, record: &replica::Record) -> Result<Record> {
        let pending = match &record.delivery {
            Some(delivery) if delivery.pending => self.pending_fields(record)?,
            _ => BTreeSet::new(),
        };
        self.learn(std::slice::from_ref(record))?;
        let mut shaped = self.shape(record);
        shaped.fields.iter_mut().for_each(|field| field.pending = pending.contains(field.name.as_str()));
        shaped.conflicts = record.conflicts.iter().map(|conflict| self.conflict_shape(conflict)).collect();
        Ok(shaped)
    }

    /// A part of a list.
    pub(crate) fn page(mut self, page: &replica::Page) -> Result<Page> {
        self.learn(&page.rows)?;
        Ok(Page {
            records: page.rows.iter().map(|record| self.shape(record)).collect(),
            next: page.next.map(|id| id.to_string()),
        })
    }

    /// Records one by one.
    pub(crate) fn records(mut self, records: &[replica::Record]) -> Result<Vec<Record>> {
        self.learn(records)?;
        Ok(records.iter().map(|record| self.shape(record)).collect())
    }

    /// Conflicts with the titles of their records.
    pub(crate) fn conflicts(mut self, conflicts: &[replica::Conflict]) -> Result<Vec<Conflict>> {
        let mut ids: Vec<RecordId> = conflicts.iter().map(|conflict| conflict.id).collect();
        conflicts.iter().for_each(|conflict| of_conflict(conflict, &mut ids));
        self.titles = self.replica.labels(&ids)?;
        Ok(conflicts.iter().map(|conflict| self.conflict_shape(conflict)).collect())
    }

    /// A record's changes, oldest first.
    pub(crate) fn history(mut self, collection: &str, id: &RecordId) -> Result<Vec<Change>> {
        let entries = self.replica.history(collection, id)?;
        let pending = self.replica.pending_changes(id)?;
        let mut ids: Vec<RecordId> = entries.iter().filter_map(|entry| entry.user).collect();
        for entry in &entries {
            referred(&entry.from, &mut ids);
            referred(&entry.to, &mut ids);
        }
        self.titles = self.replica.labels(&ids)?;
        let collection = self.schema.require(collection)?.clone();
        let mut changes: Vec<Change> = Vec::new();
        let mut last: Option<ChangeHash> = None;
        for entry in &entries {
            if last != Some(entry.change) {
                last = Some(entry.change);
                changes.push(Change {
                    id: entry.change.to_string(),
                    by: self.stamp(entry.at.0, entry.user),
                    device: entry.device.clone(),
                    imported: entry.batch.is_some(),
                    pending: pending.contains(&entry.change),
                    fields: Vec::new(),
                });
            }
            if let Some(change) = changes.last_mut() {
                change.fields.push(self.field_change(Some(&collection), &entry.field, &entry.from, &entry.to));
            }
        }
        Ok(changes)
    }

    /// Learns the titles of these records.
    pub(crate) fn learn_titles(&mut self, ids: &[RecordId]) -> Result<()> {
        self.titles.extend(self.replica.labels(ids)?);
        Ok(())
    }

    pub(crate) fn title(&self, id: &RecordId) -> Option<String> {
        self.titles.get(id).cloned()
    }

    /// A stamp with the person's name, where it was learnt.
    pub(crate) fn stamp(&self, at_ms: i64, person: Option<RecordId>) -> Stamp {
        let name = person.and_then(|id| self.titles.get(&id).cloned());
        Stamp { at_ms, person: person.map(|id| id.to_string()), name }
    }

    /// What a change did to one field.
    pub(crate) fn field_change(
        &self,
        collection: Option<&Arc<Collection>>,
        name: &Name,
        from: &schema::Value,
        to: &schema::Value,
    ) -> FieldChange {
        let mark = mark_field(name);
        let field = collection.and_then(|collection| collection.field(name)).unwrap_or(&mark);
        FieldChange {
            field: name.to_string(),
            label: field.labels.text(self.language).to_owned(),
            from: shown(field, from, &self.titles, self.language),
            from_text: words(field, from, &self.titles, self.language),
            to: shown(field, to, &self.titles, self.language),
            to_text: words(field, to, &self.titles, self.language),
        }
    }

    fn learn(&mut self, records: &[replica::Record]) -> Result<()> {
        let mut ids = Vec::new();
        for record in records {
            ids.push(record.id);
            ids.extend(record.created.by);
            ids.extend(record.updated.by);
            record.fields.iter().for_each(|(_, value)| referred(value, &mut ids));
            record.conflicts.iter().for_each(|conflict| of_conflict(conflict, &mut ids));
        }
        self.titles = self.replica.labels(&ids)?;
        Ok(())
    }

    fn shape(&self, record: &replica::Record) -> Record {
        let collection = self.schema.collection(&record.collection);
        let field = |(name, value): &(Name, schema::Value)| {
            let field = collection?.field(name)?;
            Some(Field {
                name: name.to_string(),
                label: field.labels.text(self.language).to_owned(),
                text: words(field, value, &self.titles, self.language),
                value: shown(field, value, &self.titles, self.language),
                pending: false,
            })
        };
        let id = record.id.to_string();
        Record {
            collection: record.collection.to_string(),
            title: self.title(&record.id).unwrap_or_else(|| id.clone()),
            id,
            fields: record.fields.iter().filter_map(field).collect(),
            state: self.state(record),
            pending: record.delivery.as_ref().is_some_and(|delivery| delivery.pending),
            archived: record.archived,
            review: record.review,
            merged_into: record.merged_into.map(|id| id.to_string()),
            created: self.stamp(record.created.at.0, record.created.by),
            updated: self.stamp(record.updated.at.0, record.updated.by),
            conflicts: Vec::new(),
        }
    }

    fn state(&self, record: &replica::Record) -> RecordState {
        match &record.delivery {
            Some(Delivery { refused: Some(why), .. }) => {
                RecordState::Refused { reason: why.words.render(self.language), code: why.code.clone() }
            }
            _ if record.conflicted => RecordState::Conflict,
            Some(Delivery { pending: true, .. }) => RecordState::Pending,
            _ => RecordState::Clean,
        }
    }

    fn conflict_shape(&self, conflict: &replica::Conflict) -> Conflict {
        let mark = mark_field(&conflict.field);
        let collection = self.schema.collection(&conflict.collection);
        let whole = collection.and_then(|collection| collection.field(&conflict.field)).unwrap_or(&mark);
        let (path, field) = match &conflict.cell {
            None => (conflict.field.to_string(), whole),
            Some((line, column)) => {
                let columns = match &whole.ty {
                    schema::FieldType::Lines(columns) => columns.as_slice(),
                    _ => &[],
                };
                let found = columns.iter().find(|known| known.name == *column);
                (format!("{}/{line}/{column}", conflict.field), found.unwrap_or(whole))
            }
        };
        let value = |value: &replica::ConflictValue| ConflictValue {
            value: shown(field, &value.value, &self.titles, self.language),
            text: words(field, &value.value, &self.titles, self.language),
            by: self.stamp(value.at.0, value.user),
            device: value.device.clone(),
            shown: value.shown,
        };
        Conflict {
            collection: conflict.collection.to_string(),
            record: conflict.id.to_string(),
            title: self.title(&conflict.id).unwrap_or_else(|| conflict.id.to_string()),
            field: path,
            label: field.labels.text(self.language).to_owned(),
            asks: conflict.rule == schema::Winner::Ask,
            values: conflict.values.iter().map(value).collect(),
        }
    }

    fn pending_fields(&self, record: &replica::Record) -> Result<BTreeSet<String>> {
        let pending = self.replica.pending_changes(&record.id)?;
        let history = self.replica.history(&record.collection, &record.id)?;
        let waiting = history.into_iter().filter(|entry| pending.contains(&entry.change));
        Ok(waiting.map(|entry| entry.field.to_string()).collect())
    }
}

fn of_conflict(conflict: &replica::Conflict, ids: &mut Vec<RecordId>) {
    for value in &conflict.values {
        ids.extend(value.user);
        referred(&value.value, ids);
    }
}

// A record's own mark is shown like a field, under the words that the catalogue has for it.
fn mark_field(name: &Name) -> FieldOf {
    let words = |language| match &**name {
        "archived" => Message::new("mark-archived").render(language),
        "merged_into" => Message::new("mark-merged-into").render(language),
        _ => name.to_string(),
    };
    FieldOf {
        name: name.clone(),
        ty: schema::FieldType::Text,
        labels: schema::Labels { en: words(Language::En), ru: words(Language::Ru), uk: words(Language::Uk) },
        required: false,
        indexed: false,
        searchable: false,
        winner: schema::Winner::Latest,
        placing: false,
    }
}
