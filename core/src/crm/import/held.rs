//! The records that are here already, by the keys that rows have, with a digest of what the map would write.
//!
//! Loaded in one pass before the first row, so that a row costs no query and a row that says nothing new costs none
//! either. Kept up to date with what the import makes.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::guess::normal;
use super::plan::{Key, Plan, Target};
use crate::error::Result;
use crate::id::RecordId;
use crate::replica::{Query, Record, Replica};
use crate::schema::{Field, Name, Value, format_value};

/// A record that has a row's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HeldRecord {
    pub id: RecordId,
    /// Over the values of the mapped fields.
    pub digest: u64,
    pub state: State,
}

/// Whether a held record takes what a row brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Live,
    /// Put away by an undo of an import: the row brings it back.
    Undone,
    /// Put away by a person: the row leaves it there.
    Archived,
}

/// The index. See the [module](self).
#[derive(Debug)]
pub(super) struct Held {
    by_branch: bool,
    by_key: HashMap<(Option<RecordId>, Box<str>), Vec<HeldRecord>>,
    // Keys that a record has in any branch, for rows whose branch is only inferred.
    anywhere: HashMap<Box<str>, Vec<HeldRecord>>,
    by_id: HashMap<RecordId, HeldRecord>,
}

impl Held {
    /// Indexes the records of the plan's collection by the plan's key.
    pub(super) fn load(replica: &Replica, plan: &Plan) -> Result<Self> {
        let mut held = Self {
            by_branch: plan.of_branch(),
            by_key: HashMap::new(),
            anywhere: HashMap::new(),
            by_id: HashMap::new(),
        };
        let keys = &plan.keys;
        let (mut put_away, mut merged) = (HashSet::new(), Vec::new());
        let query = Query::of(&plan.collection.name).with_archived().fields(plan.fields_read());
        replica.each(&query, &mut |record| {
            if record.merged_into.is_some() {
                merged.push(record);
                return Ok(());
            }
            if record.archived {
                put_away.insert(record.id);
            }
            held.index(plan, keys, &record, record.id);
            Ok(())
        })?;
        // A record that was merged away stands for the one that was kept.
        for record in merged {
            let root = replica.root(&plan.collection.name, &record.id)?;
            held.index(plan, keys, &record, root);
        }
        for id in put_away {
            let state = match undone(replica, &plan.collection.name, &id)? {
                true => State::Undone,
                false => State::Archived,
            };
            held.set_state(id, state);
        }
        Ok(held)
    }

    fn index(&mut self, plan: &Plan, keys: &[Field], record: &Record, id: RecordId) {
        let held = HeldRecord { id, digest: digest(plan, |field| record.value(field)), state: State::Live };
        let branch = record.reference("branch").filter(|_| self.by_branch);
        let values =
            keys.iter().map(|field| (field.name.clone(), record.value(&field.name).clone())).collect::<Vec<_>>();
        self.add(branch, &key_text(keys, &values), held);
        self.by_id.insert(record.id, held);
    }

    /// Adds a record that the import made.
    pub(super) fn add(&mut self, branch: Option<RecordId>, key: &str, held: HeldRecord) {
        self.by_id.insert(held.id, held);
        if key.is_empty() {
            return;
        }
        let put = |slot: &mut Vec<HeldRecord>| {
            slot.retain(|h| h.id != held.id);
            slot.push(held);
        };
        let branch = branch.filter(|_| self.by_branch);
        put(self.by_key.entry((branch, key.into())).or_default());
        if self.by_branch {
            put(self.anywhere.entry(key.into()).or_default());
        }
    }

    fn set_state(&mut self, id: RecordId, state: State) {
        let slots = self.by_key.values_mut().chain(self.anywhere.values_mut()).flatten();
        for held in slots.chain(self.by_id.values_mut()).filter(|h| h.id == id) {
            held.state = state;
        }
    }

    /// The record of this id.
    pub(super) fn by_id(&self, id: &RecordId) -> Option<HeldRecord> {
        self.by_id.get(id).copied()
    }

    /// The records with this key: those of the branch, or with `anywhere` and none there, those of all branches.
    pub(super) fn by_key(&self, branch: Option<RecordId>, key: &str, anywhere: bool) -> &[HeldRecord] {
        if key.is_empty() {
            return &[];
        }
        let branch = branch.filter(|_| self.by_branch);
        let own = self.by_key.get(&(branch, Box::from(key)));
        let own = own.or_else(|| self.anywhere.get(key).filter(|_| anywhere && self.by_branch));
        own.map(Vec::as_slice).unwrap_or_default()
    }
}

/// Whether the newest archiving of a record was the work of an import, which only an undo does.
fn undone(replica: &Replica, collection: &str, id: &RecordId) -> Result<bool> {
    let history = replica.history(collection, id)?;
    let archived = history.iter().filter(|entry| &*entry.field == "archived").max_by_key(|entry| entry.at);
    Ok(archived.is_some_and(|entry| entry.batch.is_some()))
}

/// The text by which a row and a held record are the same; empty where a key has no value at all.
pub(super) fn key_text(keys: &[Field], values: &[(Name, Value)]) -> String {
    let mut text = String::new();
    let mut filled = false;
    for field in keys {
        let value = values.iter().find(|(name, _)| *name == field.name).map_or(&Value::Null, |(_, value)| value);
        filled |= *value != Value::Null;
        // The unit separator stands in no cell, so that ("a", "bc") and ("ab", "c") differ.
        text.push('\u{1f}');
        match value {
            Value::Text(t) => text.push_str(&normal(t)),
            other => text.push_str(&format_value(field, other, &|_| None)),
        }
    }
    if filled { text } else { String::new() }
}

/// A digest over the values of the mapped fields, equal for a record and for a row that says the same.
pub(super) fn digest<'v>(plan: &Plan, value: impl Fn(&str) -> &'v Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    for field in plan.mapped_fields() {
        hash_value(value(&field.name), &mut hasher);
    }
    hasher.finish()
}

fn hash_value(value: &Value, hasher: &mut DefaultHasher) {
    std::mem::discriminant(value).hash(hasher);
    match value {
        Value::Null => {}
        Value::Text(text) => text.hash(hasher),
        Value::Integer(n) => n.hash(hasher),
        Value::Decimal(n) => n.normalize().hash(hasher),
        Value::Money(money) => money.hash(hasher),
        Value::Boolean(yes) => yes.hash(hasher),
        Value::Date(day) => day.hash(hasher),
        Value::Instant(at) => at.hash(hasher),
        Value::Reference(id) => id.hash(hasher),
        Value::Set(items) => items.hash(hasher),
        Value::Lines(lines) => {
            for (line, cells) in lines {
                line.hash(hasher);
                for (name, value) in cells.iter().filter(|(_, value)| **value != Value::Null) {
                    name.hash(hasher);
                    hash_value(value, hasher);
                }
            }
        }
        Value::Attachment(file) => file.hash(hasher),
        Value::Location(place) => place.hash(hasher),
    }
}

impl Plan {
    /// What [`Plan::keys`] holds, from the other parts of the plan.
    pub(super) fn key_fields(&self) -> Vec<Field> {
        let of_column = |at: &usize| match self.columns.get(*at).map(|c| &c.target) {
            Some(Target::Field(field)) => Some(field.clone()),
            _ => None,
        };
        if let Some(lines) = &self.lines {
            return self.collection.field(&lines.by).cloned().into_iter().collect();
        }
        match &self.key {
            Key::Columns(places) => places.iter().filter_map(of_column).collect(),
            Key::Id(_) => self.fallback_key().into_iter().collect(),
            Key::Row => self.collection.field("external_id").cloned().into_iter().collect(),
        }
    }

    /// The field that identifies a row whose id is not held here: another workspace's export.
    fn fallback_key(&self) -> Option<Field> {
        ["external_id", "code", "email", "sku"].iter().find_map(|name| {
            let mapped = self.mapped_fields().any(|f| *f.name == **name);
            self.collection.field(name).filter(|_| mapped).cloned()
        })
    }

    /// The fields that rows fill, constants first.
    pub(super) fn mapped_fields(&self) -> impl Iterator<Item = &Field> {
        let constants = self.constants.iter().map(|(column, _)| column);
        let templates = self.templates.iter().map(|template| &template.column);
        constants.chain(&self.columns).chain(templates).filter_map(|column| match &column.target {
            Target::Field(field) => Some(field),
            _ => None,
        })
    }

    fn fields_read(&self) -> impl Iterator<Item = &str> {
        let branch = self.of_branch().then_some("branch");
        let external = self.collection.field("external_id").map(|_| "external_id");
        let mapped = self.mapped_fields().filter(|_| self.lines.is_none()).map(|f| &*f.name);
        let parent = self.lines.as_ref().map(|lines| &*lines.by);
        let mut names: Vec<&str> = mapped.chain(branch).chain(external).chain(parent).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter()
    }
}
