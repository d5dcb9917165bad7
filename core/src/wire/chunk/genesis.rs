//! Genesis changes: the common origin of a long text or a counter of one record.
//!
//! Every replica makes the same bytes from record and field alone, so a genesis change never travels. Its bytes are
//! part of wire version 1 and pinned by golden tests.

use sha2::{Digest, Sha256};

use super::build::{NewChange, build};
use super::ops::{Action, RootOp, Scalar};
use crate::id::{ChangeHash, RecordId};

/// Length of a genesis actor; ordinary actors have [`crate::id::ActorId::LEN`].
pub(crate) const GENESIS_ACTOR_BYTES: usize = 16;

const TEXT_OBJECT: u8 = 4;

/// What a genesis change makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GenesisKind {
    /// An empty text, for a long text.
    Text,
    /// A counter at zero.
    Counter,
}

/// The actor of the genesis change of a record's field.
pub fn genesis_actor(record: &RecordId, field: &str) -> [u8; 16] {
    let digest: [u8; 32] =
        Sha256::new().chain_update("branchline genesis").chain_update(record.0).chain_update(field).finalize().into();
    let mut actor = [0; 16];
    actor.iter_mut().zip(digest).for_each(|(slot, byte)| *slot = byte);
    actor
}

/// The genesis change of a field, by its kind.
pub fn build_genesis(kind: GenesisKind, actor: &[u8; 16], field: &str) -> (Vec<u8>, ChangeHash) {
    let (action, value) = match kind {
        GenesisKind::Text => (Action::Make(TEXT_OBJECT), Scalar::Null),
        GenesisKind::Counter => (Action::Set, Scalar::Counter(0)),
    };
    let ops = [RootOp { key: field, action, value, preds: Vec::new() }];
    build(&NewChange { deps: &[], actor, seq: 1, start_op: 1, time: 0, ops: &ops, texts: &[] })
}

/// The genesis change of a long text: an empty text object at the field's key.
pub fn build_text_genesis(actor: &[u8; 16], field: &str) -> (Vec<u8>, ChangeHash) {
    build_genesis(GenesisKind::Text, actor, field)
}

/// The genesis change of a counter: zero at the field's key.
pub fn build_counter_genesis(actor: &[u8; 16], field: &str) -> (Vec<u8>, ChangeHash) {
    build_genesis(GenesisKind::Counter, actor, field)
}
