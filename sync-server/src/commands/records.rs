//! One record: `create`, `edit`, `archive`, `unarchive`, `undo`, `show`.

use branchline_core::id::{ChangeHash, RecordId};
use branchline_core::message::Message;
use branchline_core::replica::{HistoryEntry, Record, Replica};
use branchline_core::schema::{Collection, Value};
use branchline_core::{Error, Result};
use clap::Args;
use serde_json::{Map, Value as Json, json};

use super::assignments;
use super::conflicts;
use super::shape::Shaper;
use crate::context::Context;
use crate::output::{Answer, Table, labelled};

/// Make a record.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline create opportunity name=\"Spring order\" account=Acme \
                        amount=\"1054.00 USD\" expected_on=2017-03-01")]
pub struct Create {
    /// The collection, for instance `account`.
    collection: String,
    /// Values: FIELD=VALUE, or FIELD=@file.
    #[arg(value_name = "FIELD=VALUE")]
    values: Vec<String>,
}

impl Create {
    /// Makes the record and answers with its id.
    ///
    /// # Errors
    /// Those of the values, of the rights and of the store.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        let schema = replica.schema();
        let collection = schema.require(&self.collection)?;
        let values = assignments::values(&replica, collection, &self.values)?;
        let id = replica.transact(|tx| tx.create(&self.collection, values))?;
        Ok(done(context, &replica, "record-created", id))
    }
}

/// Change fields of a record.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  branchline edit account name=Acme website=acme.example phones+=\"+1 202 555 0100\" notes="
)]
pub struct Edit {
    /// The collection.
    collection: String,
    /// An id, a unique prefix of one, or FIELD=VALUE of a natural key.
    record: String,
    /// FIELD=VALUE sets, FIELD= clears, FIELD+=VALUE adds to a set, FIELD-=VALUE takes from it, FIELD=@file reads.
    #[arg(value_name = "FIELD=VALUE", required = true)]
    changes: Vec<String>,
}

impl Edit {
    /// Makes the change; a field in conflict is settled by it.
    ///
    /// # Errors
    /// Those of the look-up, of the values, of the rights and of the store.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        let schema = replica.schema();
        let collection = schema.require(&self.collection)?;
        let id = replica.find(&self.collection, &self.record)?;
        let edits = assignments::edits(&replica, collection, &self.changes)?;
        let changed = replica.transact(|tx| tx.edit(&self.collection, &id, edits))?;
        Ok(done(context, &replica, if changed { "record-edited" } else { "record-unchanged" }, id))
    }
}

/// A collection and a record of it.
#[derive(Debug, Args)]
struct Target {
    /// The collection.
    collection: String,
    /// An id, a unique prefix of one, or FIELD=VALUE of a natural key.
    record: String,
}

/// Put a record away; nothing is deleted.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline archive contact email=anna@acme.example")]
pub struct Archive {
    #[command(flatten)]
    target: Target,
}

/// Bring a record back from the archive.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline unarchive contact email=anna@acme.example")]
pub struct Unarchive {
    #[command(flatten)]
    target: Target,
}

impl Archive {
    /// Archives the record.
    ///
    /// # Errors
    /// Those of the look-up, of the rights and of the store.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        self.target.archive(context, true, "record-archived")
    }
}

impl Unarchive {
    /// Brings the record back.
    ///
    /// # Errors
    /// As [`Archive::run`].
    pub fn run(&self, context: &Context) -> Result<Answer> {
        self.target.archive(context, false, "record-unarchived")
    }
}

impl Target {
    fn archive(&self, context: &Context, archived: bool, said: &'static str) -> Result<Answer> {
        let replica = context.open()?;
        let id = replica.find(&self.collection, &self.record)?;
        let changed = replica.transact(|tx| tx.archive(&self.collection, &id, archived))?;
        Ok(done(context, &replica, if changed { said } else { "record-unchanged" }, id))
    }
}

/// Take one change of a record back, by a new change.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline show opportunity \"name=Spring order\" --history\n  \
                        branchline undo opportunity \"name=Spring order\" 4f1d2c09")]
pub struct Undo {
    #[command(flatten)]
    target: Target,
    /// The change, or a unique prefix of it, as `show --history` prints it.
    change: String,
}

impl Undo {
    /// Writes the values that the change replaced.
    ///
    /// # Errors
    /// `unknown_change` or `ambiguous_change` for the change, else as [`Edit::run`].
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        let Target { collection, record } = &self.target;
        let id = replica.find(collection, record)?;
        let change = self.change_of(&replica.history(collection, &id)?)?;
        let changed = replica.transact(|tx| tx.undo(collection, &id, change))?;
        Ok(done(context, &replica, if changed { "change-undone" } else { "record-unchanged" }, id))
    }

    fn change_of(&self, history: &[HistoryEntry]) -> Result<ChangeHash> {
        let prefix = self.change.to_ascii_lowercase();
        let mut found = history.iter().map(|h| h.change).filter(|c| c.to_string().starts_with(&prefix));
        let unknown = || Error::not_found("unknown-change").with("change", &self.change);
        let first = found.next().filter(|_| !prefix.is_empty()).ok_or_else(unknown)?;
        if found.any(|other| other != first) {
            return Err(Error::ambiguous("ambiguous-change").with("change", &self.change));
        }
        Ok(first)
    }
}

fn done(context: &Context, replica: &Replica, said: &'static str, id: RecordId) -> Answer {
    Answer::of(
        context,
        || json!({"id": id.to_string()}),
        || {
            let label = replica.label(&id).unwrap_or_default();
            Message::new(said).with("label", label).with("id", replica.short_id(&id)).render(context.language())
        },
    )
}

/// Show one record, its conflicts and, if asked, every change.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline show account name=Acme --history")]
pub struct Show {
    #[command(flatten)]
    target: Target,
    /// Every change: who, when, on which device, from what to what.
    #[arg(long)]
    history: bool,
}

impl Show {
    /// Reads the record.
    ///
    /// # Errors
    /// Those of the look-up and of the store.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        let schema = replica.schema();
        let collection = schema.require(&self.target.collection)?;
        let id = replica.find(&self.target.collection, &self.target.record)?;
        let record = replica.record(&self.target.collection, &id)?;
        let history = if self.history { Some(replica.history(&self.target.collection, &id)?) } else { None };
        let shaper = Shaper::new(&replica);
        Ok(Answer::of(
            context,
            || document(&shaper, collection, &record, history.as_deref()),
            || text(context, &replica, &shaper, collection, &record, history.as_deref()),
        ))
    }
}

/// A record as a whole in the shape of the contract, with its changes where they are given.
pub fn document(
    shaper: &Shaper<'_>,
    collection: &Collection,
    record: &Record,
    history: Option<&[HistoryEntry]>,
) -> Json {
    let mut object = Map::new();
    object.insert("id".into(), json!(record.id.to_string()));
    object.insert("collection".into(), json!(&*record.collection));
    object.insert("fields".into(), Json::Object(shaper.fields(collection, record)));
    object.extend(shaper.system(record).map(|(name, value)| (name.to_owned(), value)));
    object.insert("review".into(), json!(record.review));
    object.insert("merged_into".into(), shaper.reference(record.merged_into.as_ref()));
    let open: Vec<Json> = record.conflicts.iter().map(|c| conflicts::object(shaper, Some(collection), c)).collect();
    object.insert("conflicts".into(), Json::Array(open));
    if let Some(history) = history {
        let entries = history.iter().map(|entry| history_object(shaper, collection, entry));
        object.insert("history".into(), entries.collect());
    }
    Json::Object(object)
}

/// A change in the shape of the contract.
pub fn history_object(shaper: &Shaper<'_>, collection: &Collection, entry: &HistoryEntry) -> Json {
    json!({
        "change": entry.change.to_string(),
        "at": entry.at.rfc3339(),
        "user": shaper.reference(entry.user.as_ref()),
        "device": entry.device,
        "import": entry.batch.map(|b| b.to_string()),
        "field": &*entry.field,
        "from": history_json(shaper, collection, entry, &entry.from),
        "to": history_json(shaper, collection, entry, &entry.to),
    })
}

// The record's own marks are no fields of the schema: `archived` is a boolean, `merged_into` a reference, `cites` a list
// of refused changes that came again.
fn history_json(shaper: &Shaper<'_>, collection: &Collection, entry: &HistoryEntry, value: &Value) -> Json {
    match (collection.field(&entry.field), value) {
        (Some(field), value) => shaper.value(field, value),
        (None, Value::Boolean(flag)) => json!(flag),
        (None, Value::Reference(id)) => shaper.reference(Some(id)),
        (None, Value::Set(cited)) => json!(cited),
        (None, _) => Json::Null,
    }
}

fn history_text(shaper: &Shaper<'_>, collection: &Collection, entry: &HistoryEntry, value: &Value) -> String {
    match (collection.field(&entry.field), value) {
        (Some(field), value) => shaper.text(field, value),
        (None, Value::Boolean(flag)) => flag.to_string(),
        (None, Value::Reference(id)) => shaper.label(id).unwrap_or_else(|| id.to_string()),
        (None, Value::Set(cited)) => cited.iter().cloned().collect::<Vec<_>>().join(" "),
        (None, _) => String::new(),
    }
}

fn text(
    context: &Context,
    replica: &Replica,
    shaper: &Shaper<'_>,
    collection: &Collection,
    record: &Record,
    history: Option<&[HistoryEntry]>,
) -> String {
    let language = context.language();
    let mut rows = vec![("id".to_owned(), record.id.to_string())];
    for field in collection.facts() {
        let value = record.value(&field.name);
        if *value != Value::Null {
            rows.push((field.labels.text(language).to_owned(), shaper.text(field, value)));
        }
    }
    let by = |stamp| format!("{} {}", shaper.person_name(stamp), stamp.at.rfc3339());
    rows.push((context.say("label-created"), by(&record.created)));
    rows.push((context.say("label-updated"), by(&record.updated)));
    if record.archived {
        rows.push((context.say("label-archived"), "✓".to_owned()));
    }
    let mut text = labelled(rows.iter().map(|(label, value)| (label.as_str(), value.as_str())));
    if !record.conflicts.is_empty() {
        text.push_str(&format!("\n{}\n", conflicts::table(context, replica, shaper, &record.conflicts)));
    }
    if let Some(history) = history {
        text.push_str(&format!("\n{}\n", history_table(context, shaper, collection, history)));
    }
    text
}

fn history_table(context: &Context, shaper: &Shaper<'_>, collection: &Collection, history: &[HistoryEntry]) -> String {
    let language = context.language();
    let headings = ["col-change", "col-at", "col-user", "col-device", "col-field", "col-from", "col-to"];
    let mut table = Table::titled(language, &headings);
    for entry in history {
        let label = collection.field(&entry.field).map_or(&*entry.field, |f| f.labels.text(language));
        table.row([
            entry.change.to_string().chars().take(8).collect(),
            entry.at.rfc3339(),
            entry.user.as_ref().and_then(|id| shaper.label(id)).unwrap_or_default(),
            entry.device.clone(),
            label.to_owned(),
            history_text(shaper, collection, entry, &entry.from),
            history_text(shaper, collection, entry, &entry.to),
        ]);
    }
    table.text()
}
