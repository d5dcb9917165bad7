//! Merging duplicates, and taking a merge back.
//!
//! A merge is a pointer from the losing record to the kept one: nothing is copied but the fields that somebody picks
//! from the losing one, histories stay where they are, and
//! references resolve through it. Two people who merge the same pair crosswise make a cycle, in which the smallest id
//! stands for all: every replica decides so on its own.

use std::collections::HashSet;

use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::replica::{Edit, Replica, Tx};
use crate::schema::{Name, Value};

/// What the kept record takes from the losing one in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Its value, instead of the own one.
    Other,
    /// Of a set, its items beside the own ones.
    Both,
}

/// Merges `lose` into `keep`, both of one collection; false where it was so already. Where `keep` has been merged into
/// `lose` before, that merge is taken back: the newer decision counts.
///
/// # Errors
/// `merge_with_itself`, `record_not_found`, `unknown_collection`, a denial, and those of the store.
pub fn merge(replica: &Replica, collection: &str, keep: &RecordId, lose: &RecordId) -> Result<bool> {
    merge_taking(replica, collection, keep, lose, &[])
}

/// As [`merge`], and in the same transaction the kept record takes these fields from the losing one, as it has them then.
///
/// # Errors
/// As [`merge`].
pub fn merge_taking(
    replica: &Replica,
    collection: &str,
    keep: &RecordId,
    lose: &RecordId,
    fields: &[(Name, Taken)],
) -> Result<bool> {
    replica.transact(|tx| {
        let edits = match tx.record(collection, lose)? {
            Some(other) => fields.iter().flat_map(|(field, taken)| taking(field, *taken, other.value(field))).collect(),
            None => Vec::new(),
        };
        if !edits.is_empty() {
            tx.edit(collection, keep, edits)?;
        }
        if stands_behind(tx, collection, keep, lose)? {
            tx.merge_into(collection, keep, None)?;
        }
        tx.merge_into(collection, lose, Some(*keep))
    })
}

fn taking(field: &Name, taken: Taken, value: &Value) -> Vec<Edit> {
    match (taken, value) {
        (Taken::Both, Value::Set(items)) => items.iter().map(|item| Edit::Add(field.clone(), item.clone())).collect(),
        (Taken::Both, _) => Vec::new(),
        (Taken::Other, value) => vec![Edit::Set(field.clone(), value.clone())],
    }
}

/// Takes a merge back: the record stands for itself again.
///
/// # Errors
/// `not_merged` where it is not merged into any; `record_not_found`, `unknown_collection`, a denial, and those of the
/// store.
pub fn unmerge(replica: &Replica, collection: &str, id: &RecordId) -> Result<()> {
    if replica.transact(|tx| tx.merge_into(collection, id, None))? {
        return Ok(());
    }
    Err(Error::invalid("not-merged").with("collection", collection).with("id", id.to_string()))
}

/// Whether the pointers from `record` lead to `other`.
fn stands_behind(tx: &mut Tx<'_>, collection: &str, record: &RecordId, other: &RecordId) -> Result<bool> {
    let mut seen = HashSet::new();
    let mut at = *record;
    while seen.insert(at) {
        match tx.record(collection, &at)?.and_then(|r| r.merged_into) {
            Some(next) if next == *other => return Ok(true),
            Some(next) => at = next,
            None => break,
        }
    }
    Ok(false)
}
