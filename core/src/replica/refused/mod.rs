//! Refused changes, for people: the quarantine of what was refused above, the review queue of what was refused here.
//!
//! An entry is one change; entries with the same transaction were refused together and are settled together. Nothing of
//! a refused change is ever thrown away: an entry that was settled says how, by whom and when, and keeps its bytes.
//! Settling always writes a new change that cites the old one, so that nothing can come twice: a replica that holds a
//! change which cites another one takes in no second one that does.

mod again;
mod entry;
mod export;
mod known;
mod replay;
mod settle;

pub(super) use entry::reason_of;
pub use entry::{FieldChange, Mark, RefusedEntry};
pub use settle::Retry;

use super::Replica;
use crate::error::Result;
use crate::store::kept_rows::{self, KeptRow, Queue};
use crate::store::{View, flag};
use replay::is_final;

impl Replica {
    /// The changes that the upstream refused, written here or, at a branch, below; those that were settled, too.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn quarantine(&self) -> Result<Vec<RefusedEntry>> {
        self.entries(Queue::Quarantine)
    }

    /// The changes of downstreams that were refused here; those that were settled, too.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn review(&self) -> Result<Vec<RefusedEntry>> {
        self.entries(Queue::Review)
    }

    /// The records that came back from the archive because somebody edited them at the same time. Archiving them again,
    /// or bringing them back, says that somebody has looked.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn marked(&self) -> Result<Vec<Mark>> {
        self.inner.read(|view| {
            let (sight, mut marks) = (self.sight(view)?, Vec::new());
            for id in view.flagged(flag::REVIEW)? {
                let Some(whole) = view.whole(&id)? else { continue };
                if !sight.sees(view, &whole.collection, &id)? {
                    continue;
                }
                marks.push(Mark { collection: whole.collection, record: id });
            }
            Ok(marks)
        })
    }

    fn entries(&self, queue: Queue) -> Result<Vec<RefusedEntry>> {
        self.inner.read(|view| {
            let rows = self.kept(view, queue)?;
            rows.into_iter().map(|row| RefusedEntry::of(view, row)).collect()
        })
    }

    /// The rows of a queue that are about what who acts sees.
    fn kept(&self, view: &View<'_>, queue: Queue) -> Result<Vec<KeptRow>> {
        let rows = kept_rows::all(view.conn, queue)?;
        self.sight(view)?.keep(view, rows, usize::MAX, |row| (&row.collection, &row.record))
    }
}
