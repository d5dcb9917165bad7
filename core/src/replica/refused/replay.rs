//! Writing again what had only followed a refused change, under a new actor, without a person's asking.
//!
//! Transactions that share records come again as one, so that what was visible together stays so, and so that a second
//! refusal ends the matter: then all of it waits for a person.

use std::collections::{HashMap, HashSet};

use crate::error::{Error, Result};
use crate::id::{BatchId, RecordId};
use crate::limits::CITES_MAX;
use crate::replica::Replica;
use crate::replica::tx::By;
use crate::store::kept_rows::{self, Closing, KeptRow, Queue};
use crate::store::{Fate, Opened};

impl Replica {
    /// Writes again what is marked for it. Whether anything was written. What cannot be done here waits for a person.
    ///
    /// # Errors
    /// Whatever SQLite says; what is marked stays so.
    pub(in crate::replica) fn replay_refused(&self) -> Result<bool> {
        if canary!("write_nothing_again") {
            return Ok(false);
        }
        let pending = self.read(kept_rows::replaying)?;
        let mut written = false;
        for group in together(pending).into_iter().flat_map(bounded) {
            match self.replay(&group) {
                Ok(()) => written = true,
                Err(error) if super::is_final(&error) => {
                    self.note(|conn| group.iter().try_for_each(|row| kept_rows::give_up(conn, row.n)))?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    fn replay(&self, group: &[KeptRow]) -> Result<()> {
        let batch = self.read(|conn| batch_of(conn, group))?;
        self.transact_by(By { batch, ..By::default() }, |tx| {
            mark!("written_again");
            let now = tx.now();
            // Another process may have been faster.
            let marked = kept_rows::replaying(tx.writer.connection())?;
            let rows: Vec<KeptRow> = marked.into_iter().filter(|row| group.iter().any(|g| g.n == row.n)).collect();
            tx.write_again(&rows)?;
            let closing = Closing { fate: Fate::Replayed, by: Some(tx.me().id), at: now, seq: 0 };
            tx.writer.mark_dirty();
            for row in &rows {
                kept_rows::close(tx.writer.connection(), Queue::Quarantine, row.n, &closing)?;
            }
            Ok(())
        })
    }
}

/// The import that wrote all of these, if it was one.
pub(super) fn batch_of(conn: &Opened, rows: &[KeptRow]) -> Result<Option<BatchId>> {
    let mut batches = HashSet::new();
    for row in rows {
        batches.insert(crate::store::link_rows::binding(conn, row.actor)?.and_then(|binding| binding.batch));
    }
    let mut batches = batches.into_iter();
    Ok(match (batches.next(), batches.next()) {
        (Some(batch), None) => batch,
        _ => None,
    })
}

// Rows of transactions that share records, directly or through others.
fn together(rows: Vec<KeptRow>) -> Vec<Vec<KeptRow>> {
    let mut groups: Vec<(HashSet<RecordId>, HashSet<u64>, Vec<KeptRow>)> = Vec::new();
    for row in rows {
        let (same, others): (Vec<_>, Vec<_>) = groups
            .into_iter()
            .partition(|(records, transactions, _)| records.contains(&row.record) || transactions.contains(&row.tx));
        let mut merged = (HashSet::from([row.record]), HashSet::from([row.tx]), Vec::new());
        for (records, transactions, rows) in same {
            merged.0.extend(records);
            merged.1.extend(transactions);
            merged.2.extend(rows);
        }
        merged.2.push(row);
        groups = others;
        groups.push(merged);
    }
    let mut groups: Vec<Vec<KeptRow>> = groups.into_iter().map(|(_, _, rows)| rows).collect();
    groups.iter_mut().for_each(|rows| rows.sort_by_key(|row| row.n));
    groups.sort_by_key(|rows| rows.first().map_or(0, |row| row.n));
    groups
}

// A change cites so many at most: what a record has more of comes in a further transaction.
fn bounded(rows: Vec<KeptRow>) -> Vec<Vec<KeptRow>> {
    let mut parts: Vec<Vec<KeptRow>> = vec![Vec::new()];
    let mut counts: HashMap<RecordId, usize> = HashMap::new();
    let mut last = None;
    for row in rows {
        let count = counts.entry(row.record).or_default();
        *count += 1 + row.change().map_or(0, |change| change.cites().len());
        if *count > CITES_MAX && last != Some(row.tx) {
            counts.clear();
            parts.push(Vec::new());
        }
        last = Some(row.tx);
        if let Some(part) = parts.last_mut() {
            part.push(row);
        }
    }
    parts
}

/// Whether trying again later would end the same way unless a person or the upstream changes something.
pub(super) fn is_final(error: &Error) -> bool {
    !matches!(error, Error::Storage(_) | Error::Corrupt(_) | Error::Busy(_) | Error::Version(_))
}
