//! Changes that the upstream refused: what they were, why, and what to do about them.

use std::path::Path;

use branchline_core::replica::{self, RefusedEntry};

use crate::error::Problem;
use crate::record::{FieldChange, Shaper, Stamp};
use crate::replica::{BlockingReplica, Result};
use crate::value::referred;

/// A change that the upstream refused. Nothing of it is ever thrown away.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct RefusedChange {
    /// Its number, for `retry`.
    pub id: u64,
    /// Changes with the same number were one transaction: they were refused together and are settled together.
    pub transaction: u64,
    /// Whether it waits for a person; else somebody has settled it.
    pub waits: bool,
    /// What became of it: `waiting`, `replaying`, `replayed`, `retried`, `accepted`, `declined`.
    pub fate: String,
    /// The record's collection.
    pub collection: String,
    /// The record, which need not be here.
    pub record: String,
    /// What names it for people.
    pub title: String,
    /// What it did, field by field; empty where its bytes cannot be read.
    pub fields: Vec<FieldChange>,
    /// Who wrote it, and when; none where its bytes cannot be read.
    pub by: Option<Stamp>,
    /// When it was refused, in milliseconds since 1970.
    pub refused_at_ms: i64,
    /// Why, as a stable code.
    pub code: String,
    /// Why, in words.
    pub reason: String,
    /// Why in particular, in English; may be empty.
    pub detail: String,
}

/// What trying one refused transaction again came to.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Retried {
    /// The transaction.
    pub transaction: u64,
    /// The records that it is about.
    pub records: Vec<String>,
    /// Why it could not be written again; none: it is on its way once more.
    pub problem: Option<Problem>,
}

#[uniffi::export]
impl BlockingReplica {
    /// The changes that the upstream refused; with `settled`, also those that somebody has dealt with.
    ///
    /// # Errors
    /// `Storage` where the disk fails.
    pub fn quarantine(&self, settled: bool) -> Result<Vec<RefusedChange>> {
        let language = self.language;
        self.call(|replica| {
            let mut entries = replica.quarantine()?;
            entries.retain(|entry| settled || entry.waits());
            let mut ids = Vec::new();
            for entry in &entries {
                ids.push(entry.record);
                ids.extend(entry.user);
                for field in &entry.fields {
                    referred(&field.from, &mut ids);
                    referred(&field.to, &mut ids);
                }
            }
            let mut shaper = Shaper::new(replica, language);
            shaper.learn_titles(&ids)?;
            let schema = replica.schema();
            let shape = |entry: &RefusedEntry| {
                let collection = schema.collection(&entry.collection);
                let fields = entry.fields.iter();
                RefusedChange {
                    id: entry.id,
                    transaction: entry.transaction,
                    waits: entry.waits(),
                    fate: entry.fate.as_str().to_owned(),
                    collection: entry.collection.to_string(),
                    record: entry.record.to_string(),
                    title: shaper.title(&entry.record).unwrap_or_else(|| entry.record.to_string()),
                    fields: fields.map(|f| shaper.field_change(collection, &f.field, &f.from, &f.to)).collect(),
                    by: entry.written_at.map(|at| shaper.stamp(at.0, entry.user)),
                    refused_at_ms: entry.refused_at.0,
                    code: entry.code.clone(),
                    reason: entry.reason().render(language),
                    detail: entry.detail.clone(),
                }
            };
            Ok(entries.iter().map(shape).collect())
        })
    }

    /// Puts refused changes in the way again: the transaction of one, or all that wait. What is refused again comes back
    /// as a new entry.
    ///
    /// # Errors
    /// `NotFound` where nothing waits under that number; `Storage` where the disk fails.
    pub fn retry(&self, id: Option<u64>) -> Result<Vec<Retried>> {
        let language = self.language;
        self.call(|replica| {
            let retried = |done: replica::Retry| Retried {
                transaction: done.transaction,
                records: done.records.iter().map(ToString::to_string).collect(),
                problem: done.error.map(|error| Problem::of(&error, language)),
            };
            Ok(replica.retry(id)?.into_iter().map(retried).collect())
        })
    }

    /// Writes everything that was refused to a JSON file, bytes included, and gives the number of changes. Nothing is
    /// settled by it.
    ///
    /// # Errors
    /// `Storage` where the file cannot be written.
    pub fn export_quarantine(&self, file: String) -> Result<u64> {
        self.call(|replica| replica.export_quarantine(Path::new(&file), self.language))
    }
}
