//! Between log rows and batches of the codec.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::id::{ActorId, ChangeHash, RecordId};
use crate::limits::FRAME_BYTES_MAX;
use crate::schema::{FieldType, Schema};
use crate::store::link_rows::Waiting;
use crate::store::{Opened, link_rows};
use crate::wire::chunk::GenesisKind;
use crate::wire::codec::{self, Binding, Decoded, Encoder, Outgoing};

/// Raw change bytes that a compressed byte stands for, about: batches are cut by raw bytes and bounded by compressed ones.
pub(super) const RAW_PER_COMPRESSED: usize = 8;
/// What a message may need beside its batch: position, purges, numbers.
const MESSAGE_BYTES_MAX: usize = 512 * 1024;
/// Actors remembered as introduced on one connection; beyond it they are introduced again.
const INTRODUCED_MAX: usize = 4_096;

/// A change with its record, ready for the codec.
pub(super) struct Item {
    pub(super) record: RecordId,
    pub(super) collection: i64,
    pub(super) hash: ChangeHash,
    pub(super) raw: Vec<u8>,
    pub(super) tx_end: bool,
}

impl Item {
    /// A change of the outbox.
    pub(super) fn of(waiting: &Waiting) -> Self {
        Self {
            record: waiting.record,
            collection: waiting.collection,
            hash: waiting.hash,
            raw: waiting.raw.clone(),
            tx_end: waiting.tx_end,
        }
    }
}

/// What one end has told the other on this connection, so that nothing is told twice.
#[derive(Debug, Default)]
pub(super) struct Told {
    introduced: HashSet<ActorId>,
}

/// Encodes changes, introducing the actors that the other end has not been told of on this connection.
pub(super) fn encode(conn: &Opened, schema: &Schema, told: &mut Told, items: &[Item], level: i32) -> Result<Vec<u8>> {
    if told.introduced.len() > INTRODUCED_MAX {
        told.introduced.clear();
    }
    let mut names = HashMap::new();
    for item in items {
        if let std::collections::hash_map::Entry::Vacant(slot) = names.entry(item.collection) {
            slot.insert(link_rows::collection_name(conn, item.collection)?);
        }
    }
    let mut origin = Source { conn, schema, told, unread: Unread::default() };
    let mut encoder = Encoder::new(level);
    for item in items {
        let change = Outgoing {
            record: item.record,
            collection: names.get(&item.collection).map_or("", |name| name),
            raw: &item.raw,
            hash: item.hash,
            tx_end: item.tx_end,
        };
        encoder.push(&change, &mut origin)?;
        origin.unread.told()?;
    }
    encoder.finish()
}

/// Decodes a batch; `known` says which change an actor wrote as its so many-th of a record. What it cannot read is no
/// answer, and told.
pub(super) fn decoded(
    bytes: &[u8],
    known: impl Fn(&RecordId, &ActorId, u64) -> Result<Option<ChangeHash>>,
) -> Result<Decoded> {
    let unread = Unread::default();
    let decoded = codec::decode(bytes, &mut |id, actor, seq| unread.note(known(id, actor, seq)));
    unread.told()?;
    decoded
}

/// What could not be read by whoever can only be answered or not: then nothing is refused, sent or taken in.
#[derive(Default)]
pub(super) struct Unread(RefCell<Option<Error>>);

impl Unread {
    pub(super) fn note<T>(&self, asked: Result<Option<T>>) -> Option<T> {
        asked.unwrap_or_else(|error| {
            self.0.replace(Some(error));
            None
        })
    }

    pub(super) fn told(&self) -> Result<()> {
        self.0.take().map_or(Ok(()), Err)
    }
}

/// Whether an encoded batch leaves room in its frame for the message around it.
pub(super) fn fits(batch: &[u8]) -> bool {
    batch.len() <= FRAME_BYTES_MAX - MESSAGE_BYTES_MAX
}

struct Source<'a> {
    conn: &'a Opened,
    schema: &'a Schema,
    told: &'a mut Told,
    unread: Unread,
}

impl codec::Origin for Source<'_> {
    fn binding(&mut self, actor: &ActorId) -> Option<Binding> {
        if !self.told.introduced.insert(*actor) {
            return None;
        }
        // An actor whose binding is not known here travels without one; the other end judges that.
        self.unread.note(link_rows::binding(self.conn, *actor))
    }

    fn locate(&mut self, record: &RecordId, hash: &ChangeHash) -> Option<(ActorId, u64)> {
        self.unread.note(link_rows::author_of(self.conn, record, hash))
    }

    fn genesis_fields(&mut self, collection: &str) -> Vec<(String, GenesisKind)> {
        let Some(collection) = self.schema.collection(collection) else { return Vec::new() };
        collection
            .fields
            .iter()
            .filter_map(|field| match field.ty {
                FieldType::LongText => Some((field.name.to_string(), GenesisKind::Text)),
                FieldType::Counter => Some((field.name.to_string(), GenesisKind::Counter)),
                _ => None,
            })
            .collect()
    }
}

/// What an acknowledgement says about a push: SHA-256 over the names of its accepted changes, cut to 16 bytes.
pub(super) fn digest<'a>(names: impl IntoIterator<Item = (&'a RecordId, &'a ChangeHash)>) -> [u8; 16] {
    let mut hash = Sha256::new();
    for (record, change) in names {
        hash.update(record.as_bytes());
        hash.update(change.as_bytes());
    }
    let full: [u8; 32] = hash.finalize().into();
    let mut cut = [0u8; 16];
    cut.copy_from_slice(&full[..16]);
    cut
}
