//! Changes that were refused: `quarantine` where they came from, `review` where they were refused.

use std::path::{Path, PathBuf};

use branchline_core::message::Message;
use branchline_core::replica::{Fate, FieldChange, Mark, RefusedEntry, Replica, Retry};
use branchline_core::schema::Value;
use branchline_core::{Error, Result};
use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};

use super::shape::{Shaper, collection_label};
use crate::context::Context;
use crate::output::{Answer, Table};

/// See what the upstream refused, take it out as a file, or try it again.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline quarantine list\n  branchline quarantine export refused.json\n  \
                        branchline quarantine retry")]
pub struct Quarantine {
    #[command(subcommand)]
    command: QuarantineCommand,
}

#[derive(Debug, Subcommand)]
enum QuarantineCommand {
    /// List the refused changes that wait for somebody, with what they did and why they were refused.
    #[command(after_help = "Example:\n  branchline quarantine list --all")]
    List {
        /// Also those that were settled, and how.
        #[arg(long)]
        all: bool,
    },
    /// Write all refused changes to a file, with their bytes: nothing is missing in it.
    #[command(after_help = "Example:\n  branchline quarantine export refused.json")]
    Export {
        /// The file, in JSON.
        file: PathBuf,
    },
    /// Put refused changes in the way again, once the cause is gone: in new changes that cite the refused ones.
    #[command(after_help = "Example:\n  branchline quarantine retry")]
    Retry {
        /// Only the transaction of this entry.
        id: Option<u64>,
    },
}

impl Quarantine {
    /// Lists, writes or tries again; exit code 3 while something waits.
    ///
    /// # Errors
    /// `refused_unknown`, a file that cannot be written, those of the store.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        match &self.command {
            QuarantineCommand::List { all } => {
                let entries = shown(replica.quarantine()?, *all);
                let waits = entries.iter().any(RefusedEntry::waits);
                Ok(list(context, &replica, &entries, &[]).waiting(waits))
            }
            QuarantineCommand::Export { file } => export(context, &replica, file),
            QuarantineCommand::Retry { id } => retry(context, &replica, *id),
        }
    }
}

/// Judge what was refused of the changes that downstreams brought.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  branchline review list\n  branchline review accept 3\n  branchline review decline 4"
)]
pub struct Review {
    #[command(subcommand)]
    command: ReviewCommand,
}

#[derive(Debug, Subcommand)]
enum ReviewCommand {
    /// List the refused changes that wait to be judged, what was brought back after a restore, and records that came back
    /// from the archive.
    #[command(after_help = "Example:\n  branchline review list --all")]
    List {
        /// Also those that were settled, and how.
        #[arg(long)]
        all: bool,
    },
    /// Take a refused transaction over: it is written again by your rights, citing the original. Of what was brought back
    /// after a restore: say that you have looked at it.
    #[command(after_help = "Example:\n  branchline review accept 3")]
    Accept {
        /// The number of any of its entries.
        id: u64,
    },
    /// Say no to a refused transaction; its author is told, and its bytes are kept.
    #[command(after_help = "Example:\n  branchline review decline 3")]
    Decline {
        /// The number of any of its entries.
        id: u64,
    },
}

impl Review {
    /// Lists or judges; exit code 3 of a list in which something waits.
    ///
    /// # Errors
    /// `refused_unknown`, what the reviewer may not do, those of the store.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        let id = match &self.command {
            ReviewCommand::List { all } => {
                let entries = shown(replica.review()?, *all);
                let marks = replica.marked()?;
                let waits = !marks.is_empty() || entries.iter().any(RefusedEntry::waits);
                return Ok(list(context, &replica, &entries, &marks).waiting(waits));
            }
            ReviewCommand::Accept { id } => {
                replica.accept(*id)?;
                *id
            }
            ReviewCommand::Decline { id } => {
                replica.decline(*id)?;
                *id
            }
        };
        let mut entries = replica.review()?;
        let transaction = entries.iter().find(|entry| entry.id == id).map(|entry| entry.transaction);
        entries.retain(|entry| Some(entry.transaction) == transaction);
        Ok(list(context, &replica, &entries, &[]))
    }
}

fn shown(mut entries: Vec<RefusedEntry>, all: bool) -> Vec<RefusedEntry> {
    entries.retain(|entry| all || entry.waits());
    entries
}

fn list(context: &Context, replica: &Replica, entries: &[RefusedEntry], marks: &[Mark]) -> Answer {
    let language = context.language();
    Answer::of(
        context,
        || {
            let entries = entries.iter().map(|entry| entry.json(replica, language));
            entries.chain(marks.iter().map(|mark| marked(context, replica, mark))).collect()
        },
        || {
            if entries.is_empty() && marks.is_empty() {
                return context.say("nothing-refused");
            }
            table(context, replica, entries, marks)
        },
    )
}

// A record that came back from the archive has no refused change: it is settled by archiving or bringing it back.
fn marked(context: &Context, replica: &Replica, mark: &Mark) -> Json {
    json!({
        "id": null,
        "state": "marked",
        "collection": &*mark.collection,
        "record": mark.record.to_string(),
        "label": replica.label(&mark.record),
        "code": "archived_while_edited",
        "reason": context.say("marked-archived"),
    })
}

const COLUMNS: usize = 12;

fn table(context: &Context, replica: &Replica, entries: &[RefusedEntry], marks: &[Mark]) -> String {
    let language = context.language();
    let schema = replica.schema();
    let shaper = Shaper::new(replica);
    let headings = [
        "col-id",
        "col-transaction",
        "col-collection",
        "col-title",
        "col-field",
        "col-from",
        "col-to",
        "col-user",
        "col-device",
        "col-at",
        "col-state",
        "col-reason",
    ];
    let mut table = Table::titled(language, &headings);
    for row in entries.iter().flat_map(|entry| rows(context, &shaper, entry)) {
        table.row(row);
    }
    for mark in marks {
        let mut cells = [const { String::new() }; COLUMNS];
        cells[2] = collection_label(&schema, &mark.collection, language);
        cells[3] = shaper.label(&mark.record).unwrap_or_default();
        cells[COLUMNS - 1] = context.say("marked-archived");
        table.row(cells);
    }
    table.text()
}

// A row for each field that the change wrote; one without a field where it cannot be read.
fn rows(context: &Context, shaper: &Shaper<'_>, entry: &RefusedEntry) -> Vec<[String; COLUMNS]> {
    let language = context.language();
    let schema = shaper.replica().schema();
    let collection = schema.collection(&entry.collection);
    let state = context.say(state_text(entry.fate));
    let settled = entry.closed_by.as_ref().and_then(|id| shaper.label(id));
    let state = settled.map_or_else(|| state.clone(), |by| format!("{state}: {by}"));
    let row = |field: String, from: String, to: String| {
        [
            entry.id.to_string(),
            entry.transaction.to_string(),
            collection_label(&schema, &entry.collection, language),
            shaper.label(&entry.record).unwrap_or_else(|| shaper.replica().short_id(&entry.record)),
            field,
            from,
            to,
            entry.user.as_ref().and_then(|id| shaper.label(id)).unwrap_or_default(),
            entry.device.clone(),
            entry.written_at.unwrap_or(entry.refused_at).rfc3339(),
            state.clone(),
            entry.reason().render(language),
        ]
    };
    if entry.fields.is_empty() {
        return vec![row(String::new(), String::new(), String::new())];
    }
    let of_field = |change: &FieldChange| {
        let field = collection.and_then(|c| c.field(&change.field));
        let text = |value: &Value| match (field, value) {
            (Some(field), value) => shaper.text(field, value),
            (None, Value::Boolean(true)) => "✓".to_owned(),
            (None, Value::Reference(id)) => shaper.label(id).unwrap_or_default(),
            (None, _) => String::new(),
        };
        let name = field.map_or(&*change.field, |f| f.labels.text(language)).to_owned();
        row(name, text(&change.from), text(&change.to))
    };
    entry.fields.iter().map(of_field).collect()
}

fn state_text(fate: Fate) -> &'static str {
    match fate {
        Fate::Waiting | Fate::Replaying => "state-waiting",
        Fate::Accepted => "state-accepted",
        Fate::Declined => "state-declined",
        Fate::Retried => "state-retried",
        Fate::Replayed => "state-replayed",
        Fate::Carried => "state-carried",
    }
}

fn export(context: &Context, replica: &Replica, file: &Path) -> Result<Answer> {
    let language = context.language();
    let count = replica.export_quarantine(file, language)?;
    let place = file.display().to_string();
    Ok(Answer::of(
        context,
        || json!({"file": place, "changes": count}),
        || Message::new("refused-exported").with("file", &place).with("count", count).render(language),
    ))
}

fn retry(context: &Context, replica: &Replica, id: Option<u64>) -> Result<Answer> {
    let language = context.language();
    let done = replica.retry(id)?;
    let waits = done.iter().any(|one| one.error.is_some());
    let records = |one: &Retry| -> Vec<String> { one.records.iter().map(ToString::to_string).collect() };
    let answer = Answer::of(
        context,
        || {
            let object = |one: &Retry| {
                json!({
                    "transaction": one.transaction,
                    "state": if one.error.is_some() { "waiting" } else { "retried" },
                    "records": records(one),
                    "code": one.error.as_ref().map(Error::code),
                    "reason": one.error.as_ref().map(|error| error.what(language)),
                })
            };
            done.iter().map(object).collect()
        },
        || {
            if done.is_empty() {
                return context.say("nothing-refused");
            }
            let mut table = Table::titled(language, &["col-transaction", "col-title", "col-state", "col-reason"]);
            for one in &done {
                let titles = one.records.iter().map(|id| replica.label(id).unwrap_or_else(|| replica.short_id(id)));
                table.row([
                    one.transaction.to_string(),
                    titles.collect::<Vec<_>>().join(", "),
                    context.say(if one.error.is_some() { "state-waiting" } else { "state-retried" }),
                    one.error.as_ref().map(|error| error.what(language)).unwrap_or_default(),
                ]);
            }
            table.text()
        },
    );
    Ok(answer.waiting(waits))
}
