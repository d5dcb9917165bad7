//! Genesis changes: the common origin of a long text or a counter of one record.
//!
//! They follow from record and field alone, so every replica makes them when it needs them; they never travel and are
//! in no log. A change that is the first in its history to use one depends on it: a counter is recognised by the key
//! that the change increments, a long text by the mark `~text/<field>` that the change sets.

use super::keys;
use super::vetted::{GenesisActor, OpHead, Vetted};
use crate::id::{ChangeHash, RecordId};
use crate::wire::chunk::{Action, GenesisKind, build_genesis, genesis_actor};

/// A genesis change.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Genesis {
    pub(super) actor: GenesisActor,
    pub(super) hash: ChangeHash,
    pub(super) raw: Vec<u8>,
}

impl Genesis {
    pub(super) fn text(record: &RecordId, field: &str) -> Self {
        Self::new(record, field, GenesisKind::Text)
    }

    pub(super) fn counter(record: &RecordId, field: &str) -> Self {
        Self::new(record, field, GenesisKind::Counter)
    }

    fn new(record: &RecordId, field: &str, kind: GenesisKind) -> Self {
        let actor = genesis_actor(record, field);
        let (raw, hash) = build_genesis(kind, &actor, field);
        Self { actor, hash, raw }
    }
}

/// The genesis changes of the counters that a change increments and of the texts that it marks.
pub(super) fn needed(record: &RecordId, change: &Vetted) -> Vec<Genesis> {
    let is_text = |key: &[u8]| key.starts_with(keys::TEXT_PREFIX.as_bytes());
    let may_need = |(_, head): &(u32, OpHead<'_>)| head.action == Action::Increment || is_text(head.key);
    let ops = change.op_heads().filter(may_need).filter_map(|(at, _)| change.op(at));
    let genesis = ops.filter_map(|op| match (op.action, op.key.strip_prefix(keys::TEXT_PREFIX)) {
        (Action::Increment, _) => Some(Genesis::counter(record, op.key)),
        (Action::Set, Some(field)) => Some(Genesis::text(record, field)),
        _ => None,
    });
    genesis.collect()
}
