//! A record as the author of a refused change saw it: from what stands and from what was refused beside it.

use std::collections::HashSet;

use crate::document::{State, Vetted};
use crate::error::Result;
use crate::id::{ChangeHash, RecordId};
use crate::store::Opened;
use crate::store::kept_rows::{self, Queue};

/// The changes of one record that are here, standing or refused, each behind those that it follows.
pub(super) struct Known {
    record: RecordId,
    changes: Vec<Vetted>,
}

impl Known {
    /// `state` is the record as it stands.
    pub(super) fn of(conn: &Opened, state: &State) -> Result<Self> {
        let record = state.record();
        let mut changes = state.changes().to_vec();
        let mut refused: Vec<Vetted> = Vec::new();
        for queue in [Queue::Quarantine, Queue::Review] {
            refused.extend(kept_rows::of_record(conn, queue, &record)?.iter().filter_map(kept_rows::KeptRow::change));
        }
        let standing: HashSet<ChangeHash> = changes.iter().map(Vetted::hash).collect();
        refused.retain(|change| !standing.contains(&change.hash()));
        while !refused.is_empty() {
            let waiting: HashSet<ChangeHash> = refused.iter().map(Vetted::hash).collect();
            let (ready, rest): (Vec<_>, Vec<_>) =
                refused.into_iter().partition(|change| !change.deps().iter().any(|dep| waiting.contains(dep)));
            if ready.is_empty() {
                break;
            }
            changes.extend(ready);
            refused = rest;
        }
        Ok(Self { record, changes })
    }

    /// What a change followed, and the change itself; `None` where something of it is missing.
    pub(super) fn with(&self, change: &Vetted) -> Option<State> {
        let mut wanted: HashSet<ChangeHash> = HashSet::from([change.hash()]);
        let mut seen: Vec<&Vetted> = Vec::new();
        for known in self.changes.iter().rev() {
            if wanted.remove(&known.hash()) {
                wanted.extend(known.deps().iter().copied());
                seen.push(known);
            }
        }
        let mut state = State::new(self.record);
        for known in seen.into_iter().rev() {
            state.apply(known).ok()?;
        }
        state.change(&change.hash()).is_some().then_some(state)
    }
}
