//! Reads a batch and rebuilds its changes.
//!
//! A batch is read whole before anything of it is used ([`batch`]); then its changes are rebuilt one by one
//! ([`change`]), each handed to a [`Receiver`]. Nothing here panics on any bytes, and every count is bounded before it
//! is believed.

mod batch;
mod change;

use super::sections::{Opened, malformed};
use super::shape::{CHECK_BYTES, CHECKED_TOGETHER, WHOLE};
use super::{Binding, Decoded, DecodedChange, MissingChange};
use crate::error::{Error, Result};
use crate::id::{ActorId, ChangeHash, RecordId};
use crate::limits::BATCH_INFLATED_BYTES_MAX;
use crate::wire::chunk::build::seal;
use batch::Batch;
use change::Progress;

/// Rebuilds the changes of a batch. `lookup` says which change of a record an actor wrote under a sequence number.
///
/// A change with a dependency that `lookup` does not know is reported as missing, and so are up to fifteen others that
/// share a check with it; the rest is decoded.
///
/// # Errors
/// `batch_malformed` for bytes that are no batch, `batch_limit` beyond the bounds of [`crate::limits`].
pub fn decode(bytes: &[u8], lookup: &mut dyn FnMut(&RecordId, &ActorId, u64) -> Option<ChangeHash>) -> Result<Decoded> {
    let mut collected = Collected::default();
    let (records, bindings) = rebuild(bytes, lookup, &mut collected)?;
    let Collected { changes, missing, arena } = collected;
    Ok(Decoded { records, bindings, changes, missing, arena })
}

/// What becomes of rebuilt changes.
pub(crate) trait Receiver {
    /// Takes the chunk from `start` on, its checksum still zero, and says its hash.
    fn change(&mut self, index: usize, record: usize, tx_end: bool, rebuilt: &mut Vec<u8>, start: usize) -> ChangeHash;
    /// Hears of a change that could not be rebuilt, or was rebuilt wrongly.
    fn missing(&mut self, index: usize, record: usize, tx_end: bool);
    /// Gives the bytes that hold all chunks back.
    fn keep(&mut self, _rebuilt: Vec<u8>) {}
}

#[derive(Default)]
struct Collected {
    changes: Vec<DecodedChange>,
    missing: Vec<MissingChange>,
    arena: Vec<u8>,
}

impl Receiver for Collected {
    fn change(&mut self, index: usize, record: usize, tx_end: bool, rebuilt: &mut Vec<u8>, start: usize) -> ChangeHash {
        let end = rebuilt.len();
        let hash = seal(rebuilt.get_mut(start..).unwrap_or_default());
        self.changes.push(DecodedChange { index, record, hash, tx_end, raw: start..end });
        hash
    }

    fn missing(&mut self, index: usize, record: usize, tx_end: bool) {
        self.changes.retain(|change| change.index != index);
        self.missing.push(MissingChange { index, record, tx_end });
    }

    fn keep(&mut self, rebuilt: Vec<u8>) {
        self.arena = rebuilt;
    }
}

type Lookup<'l> = dyn FnMut(&RecordId, &ActorId, u64) -> Option<ChangeHash> + 'l;

/// The records of a batch with their collections, and the bindings that it introduces.
type Named = (Vec<(RecordId, String)>, Vec<Binding>);

pub(crate) fn rebuild(bytes: &[u8], lookup: &mut Lookup<'_>, receiver: &mut dyn Receiver) -> Result<Named> {
    let opened = Opened::new(bytes)?;
    let mut readers = opened.readers();
    let batch = Batch::read(&mut readers).ok_or_else(malformed)?;
    batch.rebuild(lookup, receiver)?;
    let name = |collection: usize| batch.collections.get(collection).cloned().unwrap_or_default();
    Ok((batch.records.iter().map(|(id, collection)| (*id, name(*collection))).collect(), batch.bindings))
}

impl Batch {
    fn rebuild(&self, lookup: &mut Lookup<'_>, receiver: &mut dyn Receiver) -> Result<()> {
        let mut progress = Progress::new(self);
        let mut rebuilt = Vec::with_capacity(self.raw_bytes);
        for index in 0..self.heads.shapes.len() {
            let start = rebuilt.len();
            self.change(index, &mut progress, lookup, &mut rebuilt).ok_or_else(malformed)?;
            if rebuilt.len() > BATCH_INFLATED_BYTES_MAX {
                return Err(Error::limit("batch-limit").with("part", "bytes"));
            }
            let (record, tx_end) = self.place(index);
            let known = progress.resolved.then(|| receiver.change(index, record, tx_end, &mut rebuilt, start));
            if known.is_none() {
                rebuilt.truncate(start);
                receiver.missing(index, record, tx_end);
            }
            self.check(index, known, &mut progress, receiver);
        }
        receiver.keep(rebuilt);
        Ok(())
    }

    fn place(&self, index: usize) -> (usize, bool) {
        let record = self.heads.records.get(index).copied().unwrap_or_default();
        (record, self.heads.tx_ends.get(index).copied().unwrap_or_default())
    }

    // Remembers a rebuilt change for those that follow it, and closes the group of its check.
    fn check(&self, index: usize, known: Option<ChangeHash>, progress: &mut Progress<'_>, receiver: &mut dyn Receiver) {
        if let Some(hash) = known
            && progress.remembers
            && self.heads.shapes.get(index).is_some_and(|shape| *shape != WHOLE)
        {
            let key = (self.place(index).0, self.heads.actors.get(index).copied(), self.heads.seqs.get(index).copied());
            progress.known.insert(key, hash);
        }
        if progress.named {
            let first = known.and_then(|hash| hash.0.first_chunk::<CHECK_BYTES>().copied());
            progress.group.push((index, first));
        }
        let last = index + 1 == self.heads.shapes.len();
        if progress.group.len() == CHECKED_TOGETHER || (last && !progress.group.is_empty()) {
            let check = progress.checks.next().copied().unwrap_or_default();
            let sum = progress.group.iter().try_fold(0, |sum, (_, first)| Some(sum ^ u32::from_le_bytes((*first)?)));
            if sum != Some(check) {
                for (index, _) in progress.group.iter().filter(|(_, first)| first.is_some()) {
                    let (record, tx_end) = self.place(*index);
                    receiver.missing(*index, record, tx_end);
                }
            }
            progress.group.clear();
        }
    }
}
