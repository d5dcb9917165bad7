//! The place of a foreign change in its record's history: dependencies, sequence, operation counter, time.
//!
//! All four follow from the dependencies: the sequence is one more than the author's newest change among what the change
//! follows, the counter one more than the highest there, the time later than the newest there. So nobody can push
//! counters or clocks of a record to their end, and Automerge never sees a gap.

use std::borrow::Cow;

use crate::document::fold::Fold;
use crate::document::genesis::{self, Genesis};
use crate::document::refusal::Refusal;
use crate::document::state::State;
use crate::document::vetted::Vetted;
use crate::id::{ChangeHash, RecordId};
use crate::limits::{CHANGE_TIME_MS_MAX, OP_COUNTER_MAX};
use crate::time::Millis;

/// The record as the author of a change saw it.
pub(super) struct Base<'s> {
    pub(super) state: Option<&'s State>,
    pub(super) fold: Cow<'s, Fold>,
    /// For each change of the state whether the author had it; `None` where he had them all.
    pub(super) seen: Option<Vec<bool>>,
    /// Whether the change follows no other one: it creates the record.
    pub(super) is_root: bool,
    /// The genesis changes that the change depends on directly.
    pub(super) genesis: Vec<Genesis>,
}

impl<'s> Base<'s> {
    pub(super) fn changes(&self) -> &'s [Vetted] {
        self.state.map_or(&[], |state| state.changes())
    }

    /// What the author had, in causal order.
    pub(super) fn seen_changes(&self) -> impl Iterator<Item = &'s Vetted> + '_ {
        let seen = self.seen.as_deref();
        let was_seen = move |at: usize| seen.is_none_or(|seen| seen.get(at) == Some(&true));
        self.changes().iter().enumerate().filter(move |(at, _)| was_seen(*at)).map(|(_, change)| change)
    }
}

pub(super) fn check<'s>(record: &RecordId, change: &Vetted, state: Option<&'s State>) -> Result<Base<'s>, Refusal> {
    let held = |dep: &ChangeHash| state.and_then(|s| s.change(dep));
    let unknown: Vec<ChangeHash> = change.deps().iter().filter(|dep| held(dep).is_none()).copied().collect();
    let mut genesis = if unknown.is_empty() { Vec::new() } else { genesis::needed(record, change) };
    genesis.retain(|genesis| unknown.contains(&genesis.hash));
    let missing: Vec<ChangeHash> =
        unknown.iter().filter(|dep| !genesis.iter().any(|g| g.hash == **dep)).copied().collect();
    if !missing.is_empty() {
        return Err(Refusal::Missing { deps: missing });
    }
    if let Some(state) = state
        && change.seq() <= state.seq(&change.actor())
    {
        return Err(Refusal::Fork { actor: change.actor(), seq: change.seq() });
    }
    let known: Vec<ChangeHash> = change.deps().iter().filter(|dep| held(dep).is_some()).copied().collect();
    let base = base(state, &known, genesis);
    check_numbers(change, &base, &known)?;
    Ok(base)
}

fn base<'s>(state: Option<&'s State>, deps: &[ChangeHash], genesis: Vec<Genesis>) -> Base<'s> {
    let is_root = deps.is_empty();
    let Some(state) = state.filter(|_| !is_root) else {
        return Base { state, fold: Cow::Owned(Fold::default()), seen: state.map(unseen), is_root, genesis };
    };
    if deps == state.heads() {
        return Base { state: Some(state), fold: Cow::Borrowed(state.fold()), seen: None, is_root, genesis };
    }
    let seen = state.ancestors(deps);
    let places = seen.iter().enumerate().filter(|(_, seen)| **seen).map(|(at, _)| at);
    let fold = Cow::Owned(Fold::of(state.changes(), places));
    Base { state: Some(state), fold, seen: Some(seen), is_root, genesis }
}

fn unseen(state: &State) -> Vec<bool> {
    vec![false; state.changes().len()]
}

fn check_numbers(change: &Vetted, base: &Base<'_>, deps: &[ChangeHash]) -> Result<(), Refusal> {
    let actor = change.actor();
    let before = match (base.state, &base.seen) {
        (Some(state), None) => state.seq(&actor),
        _ => base.seen_changes().filter(|seen| seen.actor() == actor).map(Vetted::seq).max().unwrap_or(0),
    };
    if change.seq() != before + 1 {
        return Err(Refusal::Order { part: "sequence" });
    }
    let deps = || deps.iter().filter_map(|dep| base.state.and_then(|state| state.change(dep)));
    let highest = deps().map(Vetted::max_op).max().unwrap_or(0).max(u64::from(!base.genesis.is_empty()));
    if change.start_op() != highest + 1 {
        return Err(Refusal::Order { part: "counter" });
    }
    if change.max_op() > OP_COUNTER_MAX {
        return Err(Refusal::Limit { part: "counter" });
    }
    let newest = deps().map(Vetted::time).max();
    // At the end of time a record stays editable.
    let last = Millis(CHANGE_TIME_MS_MAX);
    if newest.is_some_and(|newest| change.time() <= newest && !(newest == last && change.time() == last)) {
        return Err(Refusal::Order { part: "time" });
    }
    Ok(())
}
