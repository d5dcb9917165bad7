//! The only door for foreign changes.
//!
//! Every change is held against the record as its author saw it: its place in the history ([`order`]) and each of its
//! operations ([`content`]). A change that only sets, removes and increments what this schema knows, or fills a text for
//! the first time, is then judged completely and goes in by the *fast* door, without a document. Anything more (edits of
//! texts, fields of a newer schema) also goes through the *full* door: Automerge must take it in, save the record and
//! load it again. What the fast door lets in the full door would let in too; the tests of this room hold that.
//!
//! Not judged here: who may write what.

mod content;
mod order;

use super::bridge;
use super::refusal::Refusal;
use super::state::State;
use super::vetted::Vetted;
use crate::id::{ChangeHash, RecordId};
use crate::schema::Collection;
use crate::wire::chunk;

/// A change as it came in.
#[derive(Debug, Clone, Copy)]
pub struct Foreign<'a> {
    /// The record that it belongs to.
    pub record: RecordId,
    /// The record's collection, by this replica's schema.
    pub collection: &'a Collection,
    /// The bytes of the change chunk.
    pub raw: &'a [u8],
    /// What they hash to, as announced.
    pub hash: ChangeHash,
}

/// Judges a foreign change against the record as it is here; `state` is `None` where the record is not here at all. A
/// change that is here already is let in again, so that delivery may repeat.
///
/// # Errors
/// Why the change may not enter; nothing was changed.
pub fn vet(input: Foreign<'_>, state: Option<&State>) -> Result<Vetted, Refusal> {
    chunk::hash(input.raw).filter(|hash| *hash == input.hash).ok_or(Refusal::Hash)?;
    vet_rebuilt(input, state)
}

/// As [`vet`], for a change that the codec rebuilt: it has just computed the hash from these bytes.
///
/// # Errors
/// Why the change may not enter; nothing was changed.
pub(crate) fn vet_rebuilt(input: Foreign<'_>, state: Option<&State>) -> Result<Vetted, Refusal> {
    if let Some(held) = state.and_then(|state| state.change(&input.hash)) {
        return Ok(held.clone());
    }
    let change = Vetted::read(input.raw.to_vec(), Some(input.hash), bridge::decode)?;
    let base = order::check(&input.record, &change, state)?;
    let plain = content::check(&input.record, input.collection, &change, &base)?;
    if !(plain && change.is_flat()) {
        bridge::admits(state, &input.record, &change)?;
    }
    Ok(change)
}
