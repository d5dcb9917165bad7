//! What waits to be settled: `conflicts`, `resolve`.

use branchline_core::Result;
use branchline_core::message::Message;
use branchline_core::replica::{Conflict, Replica};
use branchline_core::schema::{Collection, Value, Winner};
use clap::Args;
use serde_json::{Value as Json, json};

use super::shape::{Shaper, collection_label};
use crate::context::Context;
use crate::output::{Answer, Table};

/// List the open conflicts with every value.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline conflicts")]
pub struct Conflicts {
    /// Only of this collection.
    collection: Option<String>,
}

impl Conflicts {
    /// Lists them; a conflict that only a person may settle makes the exit code 3.
    ///
    /// # Errors
    /// `unknown_collection` and those of the store.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        let schema = replica.schema();
        let mut open = replica.conflicts()?;
        if let Some(name) = &self.collection {
            schema.require(name)?;
            open.retain(|c| *c.collection == **name);
        }
        let shaper = Shaper::new(&replica);
        let collection_of = |c: &Conflict| schema.collection(&c.collection).map(|c| &**c);
        let asks = open.iter().any(|c| c.rule == Winner::Ask);
        let answer = Answer::of(
            context,
            || open.iter().map(|c| object(&shaper, collection_of(c), c)).collect(),
            || if open.is_empty() { context.say("no-conflicts") } else { table(context, &replica, &shaper, &open) },
        );
        Ok(answer.waiting(asks))
    }
}

/// A conflict in the shape of the contract.
pub fn object(shaper: &Shaper<'_>, collection: Option<&Collection>, conflict: &Conflict) -> Json {
    let field = collection.and_then(|c| c.field(&conflict.field));
    let value_of = |value: &Value| field.map_or(Json::Null, |f| shaper.value(f, value));
    let values = conflict.values.iter().map(|v| {
        json!({
            "value": value_of(&v.value),
            "user": shaper.reference(v.user.as_ref()),
            "device": v.device,
            "at": v.at.rfc3339(),
            "change": v.change.to_string(),
            "shown": v.shown,
        })
    });
    json!({
        "collection": &*conflict.collection,
        "id": conflict.id.to_string(),
        "label": shaper.label(&conflict.id),
        "field": &*conflict.field,
        "rule": conflict.rule.spec(),
        "values": values.collect::<Vec<_>>(),
    })
}

/// The table for people: one row for each value, the shown one marked.
pub fn table(context: &Context, replica: &Replica, shaper: &Shaper<'_>, open: &[Conflict]) -> String {
    let language = context.language();
    let schema = replica.schema();
    let headings = [
        "col-collection",
        "col-id",
        "col-title",
        "col-field",
        "col-value",
        "col-shown",
        "col-user",
        "col-device",
        "col-at",
    ];
    let mut table = Table::titled(language, &headings);
    for conflict in open {
        let field = schema.collection(&conflict.collection).and_then(|c| c.field(&conflict.field));
        for value in &conflict.values {
            table.row([
                collection_label(&schema, &conflict.collection, language),
                replica.short_id(&conflict.id),
                shaper.label(&conflict.id).unwrap_or_default(),
                field.map_or(&*conflict.field, |f| f.labels.text(language)).to_owned(),
                field.map(|f| shaper.text(f, &value.value)).unwrap_or_default(),
                if value.shown { "✓" } else { "" }.to_owned(),
                value.user.as_ref().and_then(|id| shaper.label(id)).unwrap_or_default(),
                value.device.clone(),
                value.at.rfc3339(),
            ]);
        }
    }
    table.text()
}

/// Settle a conflict by choosing a value.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline resolve opportunity \"name=Spring order\" stage --keep won")]
pub struct Resolve {
    /// The collection.
    collection: String,
    /// An id, a unique prefix of one, or FIELD=VALUE of a natural key.
    record: String,
    /// The field in conflict.
    field: String,
    /// The value that stays, as `conflicts` shows it.
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    keep: String,
}

impl Resolve {
    /// Writes the chosen value over all concurrent ones.
    ///
    /// # Errors
    /// Those of the look-up, of the value, of the rights; a field that is in no conflict.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        let id = replica.find(&self.collection, &self.record)?;
        replica.resolve(&self.collection, &id, &self.field, &self.keep)?;
        Ok(Answer::of(
            context,
            || json!({"id": id.to_string(), "collection": self.collection, "field": self.field}),
            || {
                let label = replica.label(&id).unwrap_or_default();
                let said = Message::new("conflict-resolved").with("label", label).with("field", &self.field);
                said.with("value", &self.keep).render(context.language())
            },
        ))
    }
}
