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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::crm;
    use crate::replica::{Direction, Init, Query, SystemEnvironment};

    #[test]
    fn what_is_merged_is_called_as_what_stands_for_it_however_many_are_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let replica = crm::init(dir.path(), &Init::named("Acme"), Arc::new(SystemEnvironment)).unwrap();
        let names: Vec<String> = (0..200).map(|n| format!("Company {n:03}")).collect();
        let made = replica.transact(|tx| {
            let create = |name: &String| vec![("name".into(), Value::Text(name.clone()))];
            names.iter().map(|name| tx.create("account", create(name))).collect::<Result<Vec<_>>>()
        });
        let ids = made.unwrap();
        merge(&replica, "account", &ids[0], &ids[150]).unwrap();
        let unknown = RecordId([9; 16]);
        let labels = replica.labels(ids.iter().chain([&unknown])).unwrap();
        assert_eq!((labels.len(), labels.get(&unknown)), (200, None));
        let called = |at: usize| if at == 150 { &names[0] } else { &names[at] };
        assert!(ids.iter().enumerate().all(|(at, id)| labels[id] == *called(at)));
        let list = Query::of("account").with_archived().fields([]).titled().sorted("name", Direction::Ascending);
        let rows = replica.list(&list.limited(200)).unwrap().rows;
        let titles: Vec<Option<&str>> = rows.iter().map(|row| row.title.as_deref()).collect();
        assert_eq!((titles[7], titles[150]), (Some("Company 007"), None));
    }
}
