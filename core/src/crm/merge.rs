//! Merging duplicates, and taking a merge back.
//!
//! A merge is a pointer from the losing record to the kept one: nothing is copied, histories stay where they are, and
//! references resolve through it. Two people who merge the same pair crosswise make a cycle, in which the smallest id
//! stands for all: every replica decides so on its own.

use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::replica::Replica;

/// Merges `lose` into `keep`, both of one collection. A second time it changes nothing.
///
/// # Errors
/// `merge_itself`; `unknown_collection`, `unknown_record`, a denial, and those of the store.
pub fn merge(replica: &Replica, collection: &str, keep: &RecordId, lose: &RecordId) -> Result<bool> {
    if keep == lose {
        return Err(Error::usage("merge-itself").with("id", keep.to_string()));
    }
    replica.record(collection, keep)?;
    replica.transact(|tx| tx.merge_into(collection, lose, Some(*keep)))
}

/// Takes a merge back: the record stands for itself again.
///
/// # Errors
/// `not_merged` where it is not merged into any; `unknown_collection`, `unknown_record`, a denial, and those of the
/// store.
pub fn unmerge(replica: &Replica, collection: &str, id: &RecordId) -> Result<()> {
    if replica.transact(|tx| tx.merge_into(collection, id, None))? {
        return Ok(());
    }
    Err(Error::invalid("not-merged").with("collection", collection).with("id", id.to_string()))
}
