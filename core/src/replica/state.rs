//! The replica in numbers, and its digest.

use super::{Replica, Status, Waiting, rights};
use crate::access::Scope;
use crate::error::Result;
use crate::id::Timeline;
use crate::store;

impl Replica {
    /// The replica in numbers.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn status(&self) -> Result<Status> {
        let settings = self.inner.settings();
        self.inner.read(|view| {
            let summary = view.summary()?;
            Ok(Status {
                role: settings.role,
                replica: settings.device,
                name: settings.node_name.clone(),
                user: rights::person(view)?.name,
                outbox: summary.waiting.outbox,
                quarantine: summary.waiting.quarantine,
                conflicts: summary.conflicts,
                conflicts_asking: summary.waiting.conflicts_asking,
                review: summary.review,
                records: summary.records,
                digest: hex(view.digest(None)?),
                log_end: summary.log_end,
                last_commit: summary.last_commit,
            })
        })
    }

    /// What stands open; unlike [`Replica::status`] it costs the same however much is held.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn waiting(&self) -> Result<Waiting> {
        self.inner.read(|view| {
            let store::Waiting { outbox, quarantine, conflicts_asking } = view.waiting()?;
            Ok(Waiting { outbox, quarantine, conflicts_asking })
        })
    }

    /// A sum of SHA-256 over (record id, heads) of everything held: equal on replicas that hold the same.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn digest(&self) -> Result<String> {
        self.inner.read(|view| Ok(hex(view.digest(None)?)))
    }

    /// The digest of what is in some scopes, of a replica that serves others: equal to the digest of a downstream that
    /// holds exactly these and has everything.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn digest_of(&self, scopes: &[Scope]) -> Result<String> {
        if scopes.contains(&Scope::Workspace) {
            return self.digest();
        }
        self.inner.read(|view| Ok(hex(view.digest(Some(scopes))?)))
    }

    /// The history that this replica's log belongs to; a restore begins a new one.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn timeline(&self) -> Result<Timeline> {
        self.inner.store().timeline()
    }
}

fn hex(digest: [u8; 32]) -> String {
    data_encoding::HEXLOWER.encode(&digest)
}
