//! What was written, whoever wrote it, in the order in which it became durable here.

use super::Replica;
use crate::error::Result;
use crate::id::{ChangeHash, RecordId};
use crate::schema::Name;

/// One change of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedChange {
    /// Its place in the log.
    pub seq: u64,
    /// The record that it is of.
    pub record: RecordId,
    /// The collection of the record.
    pub collection: Name,
    /// Its name.
    pub hash: ChangeHash,
}

impl Replica {
    /// The newest changes, or those before a place in the log, newest first; of collections that one may ask for, and of
    /// records that who acts sees. What each did is in the history of its record.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn recent_changes(&self, before: Option<u64>, limit: usize) -> Result<Vec<LoggedChange>> {
        self.inner.read(|view| {
            let (sight, mut found) = (self.sight(view)?, Vec::new());
            let mut before = before.unwrap_or(u64::MAX >> 1);
            while found.len() < limit {
                let rows = view.log_before(before, limit)?;
                let Some((last, ..)) = rows.last() else { break };
                before = *last;
                let known = rows.into_iter().filter(|(_, _, name, _)| view.model.schema.collection(name).is_some());
                let change = |(seq, record, collection, hash)| LoggedChange { seq, record, collection, hash };
                let changes = known.map(change).collect();
                found.extend(sight.keep(view, changes, limit - found.len(), |one| (&one.collection, &one.record))?);
            }
            Ok(found)
        })
    }
}
