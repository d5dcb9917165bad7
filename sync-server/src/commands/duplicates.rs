//! Records that mean the same thing: `duplicates`, `merge`, `unmerge`.

use branchline_core::Result;
use branchline_core::crm::{self, Candidate};
use branchline_core::id::RecordId;
use branchline_core::message::Message;
use branchline_core::replica::{Query, Replica};
use clap::Args;
use serde_json::{Value as Json, json};

use super::shape::Shaper;
use crate::context::Context;
use crate::output::{Answer, Table};

/// List pairs of records that may mean the same thing, the likeliest first.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline duplicates account")]
pub struct Duplicates {
    /// The collection.
    collection: String,
}

impl Duplicates {
    /// Finds the pairs; nothing is merged by itself.
    ///
    /// # Errors
    /// `unknown_collection` and those of the store.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        let schema = replica.schema();
        let collection = schema.require(&self.collection)?;
        let pairs = crm::duplicates(&replica, &self.collection)?;
        let shaper = Shaper::new(&replica);
        let language = context.language();
        Ok(Answer::of(
            context,
            || {
                let object = |pair: &Candidate| {
                    json!({
                        "a": shaper.reference(Some(&pair.a)),
                        "b": shaper.reference(Some(&pair.b)),
                        "score": (pair.score * 1_000.0).round() / 1_000.0,
                        "reason": pair.why(collection, language),
                        "fields": pair.reasons.iter().map(|r| &*r.field).collect::<Vec<_>>(),
                    })
                };
                pairs.iter().map(object).collect()
            },
            || {
                let mut table =
                    Table::titled(language, &["col-score", "col-id", "col-title", "col-id", "col-title", "col-reason"]);
                for pair in &pairs {
                    table.row([
                        format!("{:.2}", pair.score),
                        replica.short_id(&pair.a),
                        shaper.label(&pair.a).unwrap_or_default(),
                        replica.short_id(&pair.b),
                        shaper.label(&pair.b).unwrap_or_default(),
                        pair.why(collection, language),
                    ]);
                }
                table.text()
            },
        ))
    }
}

/// Merge two records: the second points to the first from now on, and may come apart again.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline merge account 019a4c 019a51")]
pub struct Merge {
    /// The collection.
    collection: String,
    /// The record that stays.
    keep: String,
    /// The record that is shown as the other from now on.
    lose: String,
}

impl Merge {
    /// Merges.
    ///
    /// # Errors
    /// Those of the look-ups and of the rights; a record with itself.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        let keep = replica.find(&self.collection, &self.keep)?;
        let lose = replica.find(&self.collection, &self.lose)?;
        crm::merge(&replica, &self.collection, &keep, &lose)?;
        Ok(done(context, &replica, "records-merged", &keep, Some(&lose)))
    }
}

/// Take a merge back.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline unmerge account 019a51")]
pub struct Unmerge {
    /// The collection.
    collection: String,
    /// The record that was merged into another: its own id, or a unique prefix of it.
    record: String,
}

impl Unmerge {
    /// Takes the pointer away; nothing had been copied.
    ///
    /// # Errors
    /// Those of the look-up and of the rights; a record that is merged into none.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        let id = self.merged(&replica)?;
        crm::unmerge(&replica, &self.collection, &id)?;
        Ok(done(context, &replica, "record-unmerged", &id, None))
    }

    // Look-ups follow a merge to the record that stands for both; here the other one is meant.
    fn merged(&self, replica: &Replica) -> Result<RecordId> {
        if let Some(id) = RecordId::parse(&self.record) {
            return Ok(id);
        }
        let prefix = self.record.to_ascii_lowercase();
        let mut found = Vec::new();
        replica.each(&Query::of(&self.collection).with_archived(), &mut |record| {
            if record.merged_into.is_some() && record.id.to_string().starts_with(&prefix) {
                found.push(record.id);
            }
            Ok(())
        })?;
        match found.as_slice() {
            [one] if !prefix.is_empty() => Ok(*one),
            _ => replica.find(&self.collection, &self.record),
        }
    }
}

fn done(context: &Context, replica: &Replica, said: &'static str, id: &RecordId, merged: Option<&RecordId>) -> Answer {
    let label = |id: &RecordId| replica.label(id).unwrap_or_default();
    Answer::of(
        context,
        || json!({"id": id.to_string(), "merged": merged.map_or(Json::Null, |lose| json!(lose.to_string()))}),
        || Message::new(said).with("label", label(id)).with("id", replica.short_id(id)).render(context.language()),
    )
}
