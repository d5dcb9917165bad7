//! One record, folded from its changes.
//!
//! A [`State`] holds a record's changes in the order in which they were applied and what follows from them, whatever
//! that order was: two states with the same changes read the same. It never holds a change without its dependencies.
//! Genesis changes are not among them; they are made when Automerge needs them.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use super::fold::Fold;
use super::genesis;
use super::keys;
use super::text;
use super::vetted::Vetted;
use crate::error::{Error, Result};
use crate::id::{ActorId, ChangeHash, RecordId};
use crate::time::Millis;
use crate::wire::chunk::genesis_actor;

/// Who wrote a change, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// When, by the author's corrected clock.
    pub at: Millis,
    /// Who.
    pub actor: ActorId,
}

/// Up to so many changes are found by looking through them.
const SCANNED_CHANGES_MAX: usize = 16;

/// One record, folded from its changes.
#[derive(Debug, Clone)]
pub struct State {
    record: RecordId,
    changes: Vec<Vetted>,
    // Places by hash, once there are more than a glance takes in.
    index: HashMap<ChangeHash, u32>,
    heads: Vec<ChangeHash>,
    // The highest sequence of each actor.
    tallies: Vec<(ActorId, u64)>,
    fold: Fold,
    max_op: u64,
    created: Stamp,
    updated: Stamp,
    texts: OnceLock<BTreeMap<String, String>>,
}

impl State {
    /// The record without any change.
    pub fn new(record: RecordId) -> Self {
        Self {
            record,
            changes: Vec::new(),
            index: HashMap::new(),
            heads: Vec::new(),
            tallies: Vec::new(),
            fold: Fold::default(),
            max_op: 0,
            created: Stamp { at: Millis(i64::MAX), actor: ActorId([0xff; 8]) },
            updated: Stamp { at: Millis(i64::MIN), actor: ActorId([0; 8]) },
            texts: OnceLock::new(),
        }
    }

    /// The record of these change chunks from our own log, in log order.
    ///
    /// # Errors
    /// `change-damaged` where a chunk is not what was once let in, or a dependency is missing.
    pub fn rebuild(record: RecordId, changes: impl IntoIterator<Item = Vec<u8>>) -> Result<Self> {
        Self::rebuild_hashed(record, changes.into_iter().map(|raw| (raw, None)))
    }

    /// As [`State::rebuild`], where the hashes of some chunks have just been computed from their bytes.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn rebuild_hashed(
        record: RecordId,
        changes: impl IntoIterator<Item = (Vec<u8>, Option<ChangeHash>)>,
    ) -> Result<Self> {
        let mut state = Self::new(record);
        for (raw, hash) in changes {
            let change = Vetted::own(raw, hash).map_err(|_| damaged(&record))?;
            state.apply(&change)?;
        }
        Ok(state)
    }

    /// Takes in a change. One that is already here changes nothing.
    ///
    /// # Errors
    /// `change-damaged` where a change that it follows is not here: [`vet`](super::vet) would have said so.
    pub fn apply(&mut self, change: &Vetted) -> Result<()> {
        let hash = change.hash();
        if self.place(&hash).is_some() {
            return Ok(());
        }
        let unknown = || change.deps().iter().filter(|dep| self.place(dep).is_none());
        if unknown().next().is_some() {
            let genesis = genesis::needed(&self.record, change);
            if unknown().any(|dep| !genesis.iter().any(|g| g.hash == *dep)) {
                return Err(damaged(&self.record));
            }
        }
        self.take_in(change);
        Ok(())
    }

    fn take_in(&mut self, change: &Vetted) {
        let at = self.changes.len();
        let stamp = Stamp { at: change.time(), actor: change.actor() };
        self.heads.retain(|head| !change.deps().contains(head));
        if let Err(place) = self.heads.binary_search(&change.hash()) {
            self.heads.insert(place, change.hash());
        }
        match self.tallies.iter_mut().find(|(actor, _)| *actor == change.actor()) {
            Some((_, seq)) => *seq = change.seq().max(*seq),
            None => self.tallies.push((change.actor(), change.seq())),
        }
        self.max_op = self.max_op.max(change.max_op());
        self.updated = self.updated.max(stamp);
        if self.is_root(change) {
            self.created = self.created.min(stamp);
        }
        self.changes.push(change.clone());
        if self.changes.len() > SCANNED_CHANGES_MAX {
            let from = self.index.len();
            let new = self.changes.get(from..).unwrap_or_default();
            self.index.extend(new.iter().map(Vetted::hash).zip(from as u32..));
        }
        self.fold.apply(&self.changes, at);
        if change.texts().len() > 0 {
            self.texts = OnceLock::new();
        }
    }

    /// The record's id.
    pub fn record(&self) -> RecordId {
        self.record
    }

    /// The changes that no other change follows, ascending.
    pub fn heads(&self) -> &[ChangeHash] {
        &self.heads
    }

    /// Whether there is no change yet.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// All changes, each after those that it follows.
    pub fn changes(&self) -> &[Vetted] {
        &self.changes
    }

    /// The change of this hash.
    pub fn change(&self, hash: &ChangeHash) -> Option<&Vetted> {
        self.place(hash).and_then(|at| self.changes.get(at))
    }

    /// Whether a change of this record already brings that refused one again.
    pub fn is_cited(&self, refused: &ChangeHash) -> bool {
        self.changes.iter().any(|change| change.cites().contains(refused))
    }

    /// Who made the record, and when: its earliest change without dependencies.
    pub fn created(&self) -> Stamp {
        self.created
    }

    /// Who changed the record last, and when.
    pub fn updated(&self) -> Stamp {
        self.updated
    }

    /// Whether a change follows no other one of this record: it made the record, here or elsewhere.
    pub(super) fn is_root(&self, change: &Vetted) -> bool {
        change.deps().iter().all(|dep| self.place(dep).is_none())
    }

    /// The number of an actor's newest change here; 0 where there is none.
    pub fn seq(&self, actor: &ActorId) -> u64 {
        self.tallies.iter().find(|(known, _)| known == actor).map_or(0, |(_, seq)| *seq)
    }

    /// The highest operation counter.
    pub(super) fn max_op(&self) -> u64 {
        self.max_op
    }

    pub(super) fn fold(&self) -> &Fold {
        &self.fold
    }

    pub(super) fn place(&self, hash: &ChangeHash) -> Option<usize> {
        if self.index.is_empty() {
            return self.changes.iter().rposition(|change| change.hash() == *hash);
        }
        // Most questions are about the newest change.
        match self.changes.last() {
            Some(last) if last.hash() == *hash => Some(self.changes.len() - 1),
            _ => self.index.get(hash).map(|at| *at as usize),
        }
    }

    /// The text of a long text field; `None` where nobody wrote one.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        let texts = self.texts.get_or_init(|| {
            let marks = self.fold.under(&self.changes, keys::TEXT_PREFIX);
            let names = marks.filter_map(|slot| slot.key(&self.changes).strip_prefix(keys::TEXT_PREFIX));
            names.map(|name| (name.to_owned(), self.text_of(name, &self.changes))).collect()
        });
        texts.get(field).map(String::as_str)
    }

    /// The text that some of the changes, in causal order, make of a field.
    pub(super) fn text_of<'c>(&self, field: &str, changes: impl IntoIterator<Item = &'c Vetted>) -> String {
        text::read(&genesis_actor(&self.record, field), changes)
    }

    /// For each change, whether it is among `from` or one that they follow, at any distance.
    pub(super) fn ancestors(&self, from: &[ChangeHash]) -> Vec<bool> {
        let mut found = vec![false; self.changes.len()];
        let mut open: Vec<usize> = from.iter().filter_map(|hash| self.place(hash)).collect();
        while let Some(at) = open.pop() {
            let (Some(known), Some(change)) = (found.get_mut(at), self.changes.get(at)) else { continue };
            if !std::mem::replace(known, true) {
                open.extend(change.deps().iter().filter_map(|dep| self.place(dep)));
            }
        }
        found
    }

    /// For each change, whether it is `at` or follows it, at any distance.
    pub(super) fn descendants(&self, at: usize) -> Vec<bool> {
        let mut found = vec![false; self.changes.len()];
        for (here, change) in self.changes.iter().enumerate().skip(at) {
            let follows = |dep: &ChangeHash| self.place(dep).is_some_and(|dep| found.get(dep) == Some(&true));
            let is_one = here == at || change.deps().iter().any(follows);
            if let Some(slot) = found.get_mut(here) {
                *slot = is_one;
            }
        }
        found
    }
}

fn damaged(record: &RecordId) -> Error {
    Error::corrupt("change-damaged").with("record", record.to_string())
}
