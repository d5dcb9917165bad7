//! One refused change in words and as JSON.

use serde_json::{Value as Json, json};

use super::known::Known;
use crate::error::Result;
use crate::id::{ActorId, BatchId, ChangeHash, DeviceId, RecordId};
use crate::message::{Language, Message};
use crate::replica::Replica;
use crate::schema::{Name, Value, json_value};
use crate::store::kept_rows::KeptRow;
use crate::store::link_rows;
use crate::store::{Fate, View};
use crate::time::Millis;

/// A record that waits for somebody to look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Its collection.
    pub collection: Name,
    /// The record.
    pub record: RecordId,
}

/// What a change did to one field.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldChange {
    /// The field; `archived` and `merged_into` for the record's own marks.
    pub field: Name,
    /// What its author saw.
    pub from: Value,
    /// What its author wrote.
    pub to: Value,
}

/// A refused change.
#[derive(Debug, Clone, PartialEq)]
pub struct RefusedEntry {
    /// Its number in the queue of this replica.
    pub id: u64,
    /// Changes with the same number were one transaction.
    pub transaction: u64,
    /// What became of it.
    pub fate: Fate,
    /// The record's collection.
    pub collection: Name,
    /// The record, which need not be here.
    pub record: RecordId,
    /// The change.
    pub change: ChangeHash,
    /// What it did, field by field; empty where its bytes cannot be read as a change, or follow what is not here.
    pub fields: Vec<FieldChange>,
    /// Who wrote it, unless the author's binding is unknown here.
    pub user: Option<RecordId>,
    /// The import that wrote it, if it was no person's hand.
    pub batch: Option<BatchId>,
    /// The name of the device that it was written on; empty where the binding is unknown here.
    pub device: String,
    /// The downstream that brought it here; `None`: written here.
    pub brought_by: Option<DeviceId>,
    /// When it was written; `None` where its bytes are no change.
    pub written_at: Option<Millis>,
    /// When it was refused.
    pub refused_at: Millis,
    /// Why, as a stable code.
    pub code: String,
    /// Why in particular, in English, as the replica that refused it said; may be empty.
    pub detail: String,
    /// When it was settled.
    pub closed_at: Option<Millis>,
    /// By whom.
    pub closed_by: Option<RecordId>,
    /// The actor that wrote it.
    pub actor: ActorId,
    /// Its bytes.
    pub raw: Vec<u8>,
}

impl RefusedEntry {
    pub(super) fn of(view: &View<'_>, mut row: KeptRow) -> Result<Self> {
        if row.is_carried() {
            row.raw = link_rows::raw_of(view.conn, &row.record, &row.hash)?.unwrap_or_default();
        }
        let change = row.change();
        let mut fields = Vec::new();
        if let (Some(change), Some(collection)) = (&change, view.model.schema.collection(&row.collection)) {
            let known = Known::of(view.conn, &view.standing(&row.record)?)?;
            let history = known.with(change).map(|state| state.history(collection)).unwrap_or_default();
            let own = history.into_iter().filter(|entry| entry.change == row.hash && &*entry.field != "cites");
            fields.extend(own.map(|e| FieldChange { field: e.field, from: e.from, to: e.to }));
        }
        let bound = view.bound(row.actor)?;
        Ok(Self {
            id: row.n,
            transaction: row.tx,
            fate: row.fate,
            collection: row.collection.into(),
            record: row.record,
            change: row.hash,
            fields,
            user: bound.person,
            batch: bound.batch,
            device: bound.device_name,
            brought_by: row.device,
            written_at: change.map(|change| change.time()),
            refused_at: row.at,
            code: row.code,
            detail: row.detail,
            closed_at: row.closed_at,
            closed_by: row.closed_by,
            actor: row.actor,
            raw: row.raw,
        })
    }

    /// Whether it waits for a person.
    pub fn waits(&self) -> bool {
        matches!(self.fate, Fate::Waiting | Fate::Carried)
    }

    /// Why it was refused, in words.
    pub fn reason(&self) -> Message {
        reason_of(&self.code, &self.detail)
    }

    /// The entry as a JSON object; labels come from what `replica` holds. Keys and codes are never translated.
    pub fn json(&self, replica: &Replica, language: Language) -> Json {
        let label = |id: &RecordId| replica.label(id);
        let reference = |id: &Option<RecordId>| match id {
            Some(id) => json!({"id": id.to_string(), "label": label(id)}),
            None => Json::Null,
        };
        let schema = replica.schema();
        let collection = schema.collection(&self.collection);
        let shape = |name: &Name, value: &Value| match (collection.and_then(|c| c.field(name)), value) {
            (Some(field), value) => json_value(field, value, &label),
            (None, Value::Boolean(flag)) => json!(flag),
            (None, Value::Reference(id)) => reference(&Some(*id)),
            (None, _) => Json::Null,
        };
        let fields = self.fields.iter();
        let fields =
            fields.map(|f| json!({"field": &*f.field, "from": shape(&f.field, &f.from), "to": shape(&f.field, &f.to)}));
        json!({
            "id": self.id,
            "transaction": self.transaction,
            "state": self.fate.as_str(),
            "collection": &*self.collection,
            "record": self.record.to_string(),
            "label": label(&self.record),
            "change": self.change.to_string(),
            "fields": fields.collect::<Vec<_>>(),
            "user": reference(&self.user),
            "import": self.batch.map(|batch| batch.to_string()),
            "device": self.device,
            "brought_by": self.brought_by.map(|device| device.to_string()),
            "at": self.written_at.map(Millis::rfc3339),
            "refused_at": self.refused_at.rfc3339(),
            "code": self.code,
            "reason": self.reason().render(language),
            "detail": self.detail,
            "closed_at": self.closed_at.map(Millis::rfc3339),
            "closed_by": reference(&self.closed_by),
        })
    }

    /// As [`RefusedEntry::json`], with everything that bringing the change back by other means would need: its bytes in
    /// base64 and its actor.
    pub fn whole_json(&self, replica: &Replica, language: Language) -> Json {
        let mut object = self.json(replica, language);
        if let Some(object) = object.as_object_mut() {
            object.insert("actor".into(), json!(self.actor.to_string()));
            object.insert("bytes".into(), json!(data_encoding::BASE64.encode(&self.raw)));
        }
        object
    }
}

/// Why something was refused, in words, from its code and what the replica that refused it said.
pub(in crate::replica) fn reason_of(code: &str, detail: &str) -> Message {
    match code {
        "denied_action" => Message::new("refused-action"),
        "denied_owner" => Message::new("refused-owner"),
        "denied_scope" => Message::new("refused-scope"),
        "denied_move" => Message::new("refused-move"),
        "link_revoked" => Message::new("refused-revoked"),
        "actor_unbound"
        | "unknown_person"
        | "unknown_role"
        | "certificate_invalid"
        | "denied_invite"
        | "denied_grant"
        | "denied_new_person" => Message::new("refused-author"),
        "carried" => Message::new("refused-carried"),
        "carried_rights" => Message::new("refused-carried-rights"),
        "follows_refused" => Message::new("refused-follows"),
        "review_full" => Message::new("refused-full"),
        "brought_already" => Message::new("refused-brought"),
        "change_missing" | "transaction_incomplete" => Message::new("refused-incomplete"),
        "change_fork" => Message::new("refused-fork"),
        "change_limit" | "too_many_items" | "text_too_long" => Message::new("refused-limit"),
        "unknown_collection" | "record_other_collection" | "change_key" | "unknown_field" => {
            Message::new("refused-schema")
        }
        code if code.starts_with("change_") => Message::new("refused-foreign"),
        _ => Message::new("refused-value").with("detail", detail),
    }
}
