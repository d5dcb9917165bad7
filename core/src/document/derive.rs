//! Deterministic ids: what several replicas may make on their own becomes one record.
//!
//! The id is a hash of the collection, in a collection of a branch also of the branch, and of the key fields with their
//! normalised values. The creating change names its key fields in `~key`, so that anybody can compute the id again from
//! that change alone.

use unicode_normalization::UnicodeNormalization;

use super::keys;
use super::vetted::Vetted;
use crate::id::RecordId;
use crate::limits::KEY_FIELDS_MAX;
use crate::schema::{Collection, Kind, Name, Value};
use crate::wire::chunk::{Action, Scalar};

/// The id of the record that these key fields name. Their order does not matter; `branch` counts in collections of a
/// branch alone.
pub fn derived_id(collection: &Collection, key: &[(Name, Value)], branch: Option<RecordId>) -> RecordId {
    let key: Vec<(&str, String)> = key.iter().map(|(name, value)| (&**name, value_text(value))).collect();
    derive(collection, key, branch)
}

fn derive(collection: &Collection, mut key: Vec<(&str, String)>, branch: Option<RecordId>) -> RecordId {
    key.sort();
    let branch = match collection.kind {
        Kind::Shared => None,
        Kind::Branch | Kind::Servers => Some(branch.map(|id| id.to_string()).unwrap_or_default()),
    };
    let mut parts: Vec<&[u8]> = vec![collection.name.as_bytes()];
    parts.extend(branch.as_ref().map(|id| id.as_bytes()));
    for (name, value) in &key {
        parts.extend([name.as_bytes(), value.as_bytes()]);
    }
    RecordId::derived(&parts)
}

/// The text of `~key` for these fields.
pub(super) fn key_text(fields: &[Name]) -> String {
    let mut names: Vec<&str> = fields.iter().map(|name| &**name).collect();
    names.sort_unstable();
    names.join(",")
}

/// Whether the record's id is the one that its creating change says: derived from the key that it names, or drawn when
/// it names none.
pub(super) fn creates(collection: &Collection, record: &RecordId, change: &Vetted) -> bool {
    let set = |wanted: &str| {
        let at = change.keys().position(|key| key == wanted.as_bytes())?;
        change.op(at as u32).filter(|op| op.action == Action::Set).map(|op| op.value)
    };
    let Some(named) = set(keys::KEY) else { return !record.is_derived() };
    let Scalar::Str(named) = named else { return false };
    let names: Vec<&str> = named.split(',').take(KEY_FIELDS_MAX + 1).collect();
    if names.len() > KEY_FIELDS_MAX || !names.is_sorted_by(|a, b| a < b) {
        return false;
    }
    let values = names.into_iter().map(|name| Some((name, set(name).and_then(scalar_text)?)));
    let Some(key) = values.collect::<Option<Vec<_>>>() else { return false };
    let branch = match set("branch") {
        Some(Scalar::Bytes(id)) => RecordId::from_slice(id),
        _ => None,
    };
    derive(collection, key, branch) == *record
}

// Equal to the text of the scalar that stores the value: both sides of the rule must agree.
fn value_text(value: &Value) -> String {
    match value {
        Value::Text(text) => fold(text),
        Value::Integer(n) => n.to_string(),
        Value::Decimal(d) => d.normalize().to_string(),
        Value::Money(m) => fold(&format!("{} {}", m.minor, m.currency.code())),
        Value::Boolean(b) => b.to_string(),
        Value::Date(day) => day.0.to_string(),
        Value::Instant(at) => at.0.to_string(),
        Value::Reference(id) => id.to_string(),
        Value::Location(l) => format!("{},{}", l.lat_micro, l.lon_micro),
        Value::Attachment(a) => fold(&format!("{} {} {} {}", a.hash, a.size, a.media, a.name)),
        Value::Null | Value::Set(_) | Value::Lines(_) => String::new(),
    }
}

fn scalar_text(scalar: Scalar<'_>) -> Option<String> {
    match scalar {
        Scalar::Str(text) => Some(fold(text)),
        Scalar::Int(n) | Scalar::Timestamp(n) => Some(n.to_string()),
        Scalar::Bool(b) => Some(b.to_string()),
        Scalar::Bytes(id) => RecordId::from_slice(id).map(|id| id.to_string()),
        _ => None,
    }
}

// How people write the same thing differently: width and composition of letters, case, spaces.
fn fold(text: &str) -> String {
    let folded: String = text.nfkc().flat_map(char::to_lowercase).collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}
