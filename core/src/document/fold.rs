//! The current operations under each root key, folded from changes in causal order.
//!
//! The semantics are those of an Automerge map, without a document: a set removes its predecessors and adds itself, a
//! deletion removes its predecessors, an increment adds to the key's counter. A predecessor always stands before what
//! supersedes it, so nothing that was removed has to be remembered. Changes are named by their place in the record's
//! list; keys and values stay in their bytes.

use super::vetted::{Op, OpHead, Vetted};
use crate::wire::chunk::Action;

/// An operation: place of its change, place of the operation in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OpRef {
    pub(super) change: u32,
    op: u32,
}

impl OpRef {
    pub(super) fn of(self, changes: &[Vetted]) -> Option<(&Vetted, Op<'_>)> {
        let change = changes.get(self.change as usize)?;
        Some((change, change.op(self.op)?))
    }

    fn head(self, changes: &[Vetted]) -> Option<(&Vetted, OpHead<'_>)> {
        let change = changes.get(self.change as usize)?;
        Some((change, change.op_head(self.op)?))
    }
}

/// A root key and what now stands under it.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    // Where the key can be read: the first operation on it.
    named_by: OpRef,
    // Nearly always one: only concurrent writes make more.
    first: Option<OpRef>,
    more: Vec<OpRef>,
    /// The sum of the increments, where there were any.
    pub(super) counter: Option<i64>,
}

impl Slot {
    /// The current operations: none after a deletion, several after concurrent writes.
    pub(super) fn current(&self) -> impl Iterator<Item = OpRef> + '_ {
        self.first.iter().chain(&self.more).copied()
    }

    pub(super) fn key<'c>(&self, changes: &'c [Vetted]) -> &'c str {
        self.named_by.of(changes).map_or("", |(_, op)| op.key)
    }

    /// The current operations with their changes.
    pub(super) fn writes<'c>(&self, changes: &'c [Vetted]) -> impl Iterator<Item = (&'c Vetted, Op<'c>)> {
        self.current().filter_map(|at| at.of(changes))
    }

    fn add(&mut self, op: OpRef) {
        if self.first.is_none() {
            self.first = Some(op);
        } else {
            self.more.push(op);
        }
    }

    fn key_bytes<'c>(&self, changes: &'c [Vetted]) -> &'c [u8] {
        self.named_by.head(changes).map_or(&[], |(_, op)| op.key)
    }

    fn remove_preds(&mut self, changes: &[Vetted], op: &OpHead<'_>) {
        if !op.has_preds() {
            return;
        }
        let superseded = |at: &OpRef| {
            at.head(changes).is_some_and(|(change, current)| op.supersedes(change.actor_bytes(), current.counter))
        };
        self.more.retain(|at| !superseded(at));
        if self.first.as_ref().is_some_and(superseded) {
            self.first = self.more.pop();
        }
    }
}

/// All root keys of a record, in the order of their bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Fold {
    slots: Vec<Slot>,
}

impl Fold {
    /// The fold of some of the changes, given by their places in causal order.
    pub(super) fn of(changes: &[Vetted], places: impl IntoIterator<Item = usize>) -> Self {
        let mut fold = Self::default();
        for at in places {
            fold.apply(changes, at);
        }
        fold
    }

    /// Folds in the change at this place; all that it follows must be in already.
    pub(super) fn apply(&mut self, changes: &[Vetted], at: usize) {
        for op in 0.. {
            let here = OpRef { change: at as u32, op };
            let Some((_, op)) = here.head(changes) else { return };
            let slot = self.slot_mut(changes, op.key, here);
            match op.action {
                Action::Set => {
                    slot.remove_preds(changes, &op);
                    slot.add(here);
                }
                Action::Delete => slot.remove_preds(changes, &op),
                Action::Increment => slot.counter = Some(slot.counter.unwrap_or(0).wrapping_add(op.step)),
                Action::Make(_) => {}
            }
        }
    }

    /// What stands under a key; `None` where no change ever named it.
    pub(super) fn slot(&self, changes: &[Vetted], key: &str) -> Option<&Slot> {
        self.place(changes, key.as_bytes()).ok().and_then(|at| self.slots.get(at))
    }

    /// All keys that begin with `prefix`, in order.
    pub(super) fn under<'s>(&'s self, changes: &'s [Vetted], prefix: &'s str) -> impl Iterator<Item = &'s Slot> {
        let prefix = prefix.as_bytes();
        let from = self.slots.partition_point(|slot| slot.key_bytes(changes) < prefix);
        self.slots.iter().skip(from).take_while(move |slot| slot.key_bytes(changes).starts_with(prefix))
    }

    /// Whether any key has several current operations.
    pub(super) fn is_contested(&self) -> bool {
        self.slots.iter().any(|slot| !slot.more.is_empty())
    }

    fn place(&self, changes: &[Vetted], key: &[u8]) -> Result<usize, usize> {
        // Keys of a creating change come in order: most often the new one goes to the end.
        match self.slots.last() {
            Some(last) if last.key_bytes(changes) < key => Err(self.slots.len()),
            _ => self.slots.binary_search_by(|slot| slot.key_bytes(changes).cmp(key)),
        }
    }

    fn slot_mut(&mut self, changes: &[Vetted], key: &[u8], here: OpRef) -> &mut Slot {
        let at = self.place(changes, key).unwrap_or_else(|at| {
            self.slots.insert(at, Slot { named_by: here, first: None, more: Vec::new(), counter: None });
            at
        });
        &mut self.slots[at]
    }
}
