//! Whether what was written to a record has arrived above: clean, on its way, or refused.

use super::refused::reason_of;
use super::{Record, Replica};
use crate::error::Result;
use crate::id::{ChangeHash, RecordId};
use crate::message::Message;
use crate::store::kept_rows::{self, Queue};
use crate::store::{View, link_rows};

/// How a record stands towards the upstream. On a hub, everything has arrived.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Delivery {
    /// Whether changes of it wait to go up.
    pub pending: bool,
    /// Why a change of it was refused, while that waits for a person; the newest refusal.
    pub refused: Option<Reason>,
}

/// Why something was refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// A stable code.
    pub code: String,
    /// The same in words.
    pub words: Message,
}

impl Delivery {
    fn of(view: &View<'_>, id: &RecordId) -> Result<Self> {
        Ok(Self { pending: link_rows::outbox_has(view.conn, id)?, refused: refused(view, id)? })
    }

    /// Notes it on each of these records.
    pub(super) fn note(view: &View<'_>, records: &mut [Record]) -> Result<()> {
        // Mostly nothing waits at all, and then no record needs to be looked at.
        let waiting = view.waiting()?;
        for record in records {
            record.delivery = Some(Self {
                pending: waiting.outbox > 0 && link_rows::outbox_has(view.conn, &record.id)?,
                refused: if waiting.quarantine > 0 { refused(view, &record.id)? } else { None },
            });
        }
        Ok(())
    }
}

fn refused(view: &View<'_>, id: &RecordId) -> Result<Option<Reason>> {
    let row = kept_rows::newest_waiting(view.conn, Queue::Quarantine, id)?;
    Ok(row.map(|(code, detail)| Reason { words: reason_of(&code, &detail), code }))
}

impl Replica {
    /// Whether a record has arrived above.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn delivery(&self, id: &RecordId) -> Result<Delivery> {
        self.inner.read(|view| Delivery::of(view, id))
    }

    /// The changes of a record that wait to go up.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn pending_changes(&self, id: &RecordId) -> Result<Vec<ChangeHash>> {
        self.read(|conn| link_rows::outbox_of(conn, id))
    }
}
