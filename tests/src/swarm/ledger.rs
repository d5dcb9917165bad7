//! The plain map: everything that was ever committed by a person, seen from outside, and what follows from it alone.

use std::collections::{BTreeMap, BTreeSet};

use super::eye::{Hash, Id};

/// A change that somebody committed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Typed {
    pub(super) node: usize,
    /// The person of the machine, unless an import wrote it.
    pub(super) person: Id,
    pub(super) operation: u64,
}

/// A value that a commit put in the place of another that its author saw.
#[derive(Debug, Clone)]
pub(super) struct Replaced {
    pub(super) record: Id,
    pub(super) collection: &'static str,
    pub(super) field: &'static str,
    pub(super) before: String,
    /// The changes of the commit.
    pub(super) by: Vec<Hash>,
}

/// Everything that was committed.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) typed: BTreeMap<Hash, Typed>,
    pub(super) replaced: Vec<Replaced>,
    /// Values that somebody chose among those of a conflict.
    pub(super) chosen: BTreeSet<(Id, String, String)>,
    /// Two records of one transaction.
    pub(super) pairs: Vec<(Id, Id)>,
    /// Records made in this run with their owner and branch, as long as nobody moves them.
    pub(super) homes: BTreeMap<Id, (Id, Option<Id>)>,
    /// Whoever was revoked, with what its upstream held of it when it learnt of that.
    pub(super) revoked: BTreeMap<usize, BTreeSet<Hash>>,
    /// What only a folder held that was put back as it once was.
    pub(super) lost: BTreeSet<Hash>,
    /// Whether a reviewer has accepted anything.
    pub(super) accepted: bool,
}

impl Ledger {
    /// From now on a record may come and go as its scopes do.
    pub(super) fn moves(&mut self, record: &Id) {
        self.homes.remove(record);
        self.pairs.retain(|(a, b)| a != record && b != record);
    }
}
