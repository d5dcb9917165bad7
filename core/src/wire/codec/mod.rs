//! The compact codec: a batch of changes as shapes and columns of values.
//!
//! Records made by one form or one import differ only in their values. So a batch carries each *shape* once (which
//! keys, what is done to them, of which type) and then, key by key, the values of all its changes together, in the
//! encoding that suits them; ids, times, sequence numbers and predecessors are columns of small numbers. A change that
//! fits no shape travels without its header, one that fits nothing travels whole. Decoding gives back byte-identical
//! changes: the encoder decodes what it made before it hands it out.
//!
//! What does not travel: hashes (they are computed), genesis changes (every replica makes them), and dependencies,
//! which are named by (actor, sequence) and looked up at the receiver. A check of four bytes for every sixteen changes
//! with such dependencies tells when the receiver's change of that name is another one.
//!
//! `docs/src/protocol.md` describes the bytes.

mod decode;
mod encode;
mod interner;
mod keys;
mod numbers;
mod records;
mod sections;
mod shape;
mod template;
mod texts;

use std::ops::Range;

pub use decode::decode;
pub use encode::Encoder;

use crate::id::{ActorId, BatchId, ChangeHash, DeviceId, RecordId};
use crate::wire::chunk::GenesisKind;

/// A change on its way to a peer.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// The record it belongs to.
    pub record: RecordId,
    /// That record's collection.
    pub collection: &'a str,
    /// The change chunk.
    pub raw: &'a [u8],
    /// Its hash.
    pub hash: ChangeHash,
    /// Whether a transaction ends with it.
    pub tx_end: bool,
}

/// Who is behind an actor, signed by the device that drew it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The actor.
    pub actor: ActorId,
    /// The device whose process writes under it.
    pub device: DeviceId,
    /// The device's name when it was bound.
    pub device_name: String,
    /// The record of the acting person.
    pub person: RecordId,
    /// The import batch, where the actor writes for one.
    pub batch: Option<BatchId>,
    /// Ed25519 over the fields above.
    pub signature: [u8; 64],
}

/// What the sender's store knows and a change's bytes do not say.
pub trait Origin {
    /// The binding of an actor that the peer has not been sent yet; asked once for each actor of a batch.
    fn binding(&mut self, actor: &ActorId) -> Option<Binding>;

    /// Which change of the record has this hash; asked only for dependencies outside the batch. Without an answer the
    /// dependency travels as 32 bytes.
    fn locate(&mut self, record: &RecordId, hash: &ChangeHash) -> Option<(ActorId, u64)>;

    /// The fields of a collection that begin with a genesis change. A field left out costs bytes, nothing else.
    fn genesis_fields(&mut self, collection: &str) -> Vec<(String, GenesisKind)>;
}

/// The contents of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decoded {
    /// The records that its changes belong to, with their collections.
    pub records: Vec<(RecordId, String)>,
    /// The bindings of actors that the sender introduces.
    pub bindings: Vec<Binding>,
    /// The changes that could be rebuilt, in the sender's order.
    pub changes: Vec<DecodedChange>,
    /// The changes that could not, because a dependency is not here or is another change: ask for these records whole.
    pub missing: Vec<MissingChange>,
    arena: Vec<u8>,
}

/// A rebuilt change; [`Decoded::raw`] gives its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodedChange {
    /// Its place in the batch, counting the missing ones.
    pub index: usize,
    /// Its record, by place in [`Decoded::records`].
    pub record: usize,
    /// Its hash, computed from its bytes.
    pub hash: ChangeHash,
    /// Whether a transaction ends with it.
    pub tx_end: bool,
    raw: Range<usize>,
}

/// A change of the batch that could not be rebuilt here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingChange {
    /// Its place in the batch.
    pub index: usize,
    /// Its record, by place in [`Decoded::records`].
    pub record: usize,
    /// Whether a transaction ends with it.
    pub tx_end: bool,
}

impl Decoded {
    /// The bytes of a change of this batch.
    pub fn raw(&self, change: &DecodedChange) -> &[u8] {
        self.arena.get(change.raw.clone()).unwrap_or_default()
    }
}
