//! What people do about refused changes: try them again, accept them, decline them.

use super::is_final;
use super::replay::batch_of;
use crate::access::{Act, Action, may};
use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::replica::tx::By;
use crate::replica::{Replica, Tx, rights};
use crate::store::Fate;
use crate::store::kept_rows::{self, Closing, KeptRow, Queue};

/// What trying one refused transaction again came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// The transaction, as [`RefusedEntry`](super::RefusedEntry) numbers it.
    pub transaction: u64,
    /// The records that it is about.
    pub records: Vec<RecordId>,
    /// Why it could not be written again; `None`: it is on its way once more.
    pub error: Option<Error>,
}

impl Replica {
    /// Puts refused changes in the way again, all that wait or the transaction of one: each transaction in one of the
    /// acting person's, whose changes cite the refused ones. What is still refused comes back as a new entry.
    ///
    /// # Errors
    /// `refused_unknown` where nothing waits under that number; whatever SQLite says.
    pub fn retry(&self, only: Option<u64>) -> Result<Vec<Retry>> {
        let waiting = self.inner.read(|view| self.kept(view, Queue::Quarantine))?;
        let waiting: Vec<&KeptRow> = waiting.iter().filter(|row| row.fate == Fate::Waiting).collect();
        let mut numbers: Vec<(u64, u64)> = Vec::new();
        for row in &waiting {
            if !numbers.iter().any(|(tx, _)| *tx == row.tx) {
                numbers.push((row.tx, row.n));
            }
        }
        if let Some(only) = only {
            let of = waiting.iter().find(|row| row.n == only).ok_or_else(|| unknown(only))?;
            numbers.retain(|(tx, _)| *tx == of.tx);
        }
        let mut done = Vec::new();
        for (transaction, n) in numbers {
            let records = records(waiting.iter().copied().filter(|row| row.tx == transaction));
            let error = match self.retry_one(n) {
                Ok(()) => None,
                Err(error) if is_final(&error) => Some(error),
                Err(error) => return Err(error),
            };
            done.push(Retry { transaction, records, error });
        }
        Ok(done)
    }

    fn retry_one(&self, n: u64) -> Result<()> {
        let batch = self.read(|conn| batch_of(conn, &kept_rows::transaction_of(conn, Queue::Quarantine, n)?))?;
        self.transact_by(By { batch, ..self.by() }, |tx| {
            let rows = kept_rows::transaction_of(tx.writer.connection(), Queue::Quarantine, n)?;
            tx.write_again(&rows)?;
            tx.close(Queue::Quarantine, &rows, Fate::Retried)
        })
    }

    /// Takes over a refused transaction of a downstream: writes what it did as the acting person, by that person's
    /// rights, in changes that cite the originals. `id` is that of any of its entries. Whoever sent it is told. What was
    /// carried back stands already: to accept it says that somebody has looked.
    ///
    /// # Errors
    /// `refused_unknown` where nothing waits under that number; what [`Replica::retry`] gives for one transaction.
    pub fn accept(&self, id: u64) -> Result<Vec<RecordId>> {
        self.require_reviewed(id)?;
        self.transact(|tx| {
            let rows = tx.reviewed(id)?;
            if rows.iter().all(KeptRow::is_carried) {
                tx.look_at(&rows)?;
            } else {
                tx.write_again(&rows)?;
                tx.close(Queue::Review, &rows, Fate::Accepted)?;
            }
            Ok(records(&rows))
        })
    }

    /// Says no to a refused transaction of a downstream, which needs the right to settle conflicts of its records. Its
    /// bytes stay. Whoever sent it is told.
    ///
    /// # Errors
    /// `refused_unknown` where nothing waits under that number; `review_stands` for what was carried back; `denied_…`.
    pub fn decline(&self, id: u64) -> Result<Vec<RecordId>> {
        self.require_reviewed(id)?;
        self.transact(|tx| {
            let rows = tx.reviewed(id)?;
            if rows.iter().any(KeptRow::is_carried) {
                return Err(Error::usage("review-stands").with("id", id));
            }
            tx.may_settle(&rows)?;
            tx.close(Queue::Review, &rows, Fate::Declined)?;
            Ok(records(&rows))
        })
    }
}

impl Replica {
    // What somebody does not see is not there to be judged.
    fn require_reviewed(&self, id: u64) -> Result<()> {
        let is_seen = self.inner.read(|view| {
            let rows = kept_rows::transaction_of(view.conn, Queue::Review, id)?;
            let seen = self.sight(view)?.keep(view, rows, usize::MAX, |row| (&row.collection, &row.record))?;
            Ok(seen.iter().any(|row| row.n == id))
        })?;
        if is_seen { Ok(()) } else { Err(unknown(id)) }
    }
}

impl Tx<'_> {
    fn may_settle(&mut self, rows: &[KeptRow]) -> Result<()> {
        for row in rows {
            let collection = self.writer.collection(&row.collection);
            let place = self.writer.state(&row.record)?.filter(|state| !state.is_empty()).map(rights::place_of);
            let (person, action, before) = (self.me().id, Action::Settle, place.as_ref());
            may(&self.grants, &Act { person, action, collection: &collection, before, after: None })?;
        }
        Ok(())
    }

    fn look_at(&mut self, rows: &[KeptRow]) -> Result<()> {
        self.may_settle(rows)?;
        self.writer.mark_dirty();
        for row in rows {
            let closing = Closing { fate: Fate::Accepted, by: Some(self.me().id), at: self.now(), seq: 0 };
            kept_rows::close(self.writer.connection(), Queue::Review, row.n, &closing)?;
        }
        Ok(())
    }

    fn reviewed(&self, id: u64) -> Result<Vec<KeptRow>> {
        let rows = kept_rows::transaction_of(self.writer.connection(), Queue::Review, id)?;
        if rows.iter().any(|row| row.n == id) { Ok(rows) } else { Err(unknown(id)) }
    }

    fn close(&mut self, queue: Queue, rows: &[KeptRow], fate: Fate) -> Result<()> {
        let seq = if rows.iter().any(|row| row.device.is_some()) { self.writer.advance() } else { 0 };
        self.writer.mark_dirty();
        for row in rows {
            let closing = Closing { fate, by: Some(self.me().id), at: self.now(), seq };
            kept_rows::close(self.writer.connection(), queue, row.n, &closing)?;
        }
        Ok(())
    }
}

/// The records of rows, each once, in their order.
pub(super) fn records<'r>(rows: impl IntoIterator<Item = &'r KeptRow>) -> Vec<RecordId> {
    let mut records: Vec<RecordId> = Vec::new();
    for row in rows {
        if !records.contains(&row.record) {
            records.push(row.record);
        }
    }
    records
}

fn unknown(id: u64) -> Error {
    Error::not_found("refused-unknown").with("id", id)
}
