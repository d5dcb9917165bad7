//! Automerge change chunks, read and written without Automerge.
//!
//! [`parse`] splits a chunk into its header and columns; [`root_ops`] and [`flat_ops`] read the operations of the
//! simple changes that nearly all of a CRM's changes are; [`build`] writes such changes. Invariants: one change has one
//! encoding, the one Automerge 0.12 writes (`flat_ops` followed by `build` gives the same bytes, or there are no
//! `flat_ops`); nothing here panics on any bytes. Whether the operations are allowed is for the room `document`.

pub(crate) mod build;
pub(crate) mod columns;
mod genesis;
pub(crate) mod leb;
mod ops;

use sha2::{Digest, Sha256};

pub use build::{NewChange, build};
pub use genesis::{GenesisKind, build_counter_genesis, build_genesis, build_text_genesis, genesis_actor};
pub use ops::{Action, FlatOps, InitialText, Pred, RootOp, Scalar, flat_ops, root_ops};

use crate::error::{Error, Result};
use crate::id::ChangeHash;
use crate::limits::{
    ACTOR_BYTES_MAX, CHANGE_ACTORS_MAX, CHANGE_BYTES_MAX, CHANGE_DEPS_MAX, CHANGE_TIME_MS_MAX, OP_COUNTER_MAX,
};
use leb::Reader;

pub(crate) const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
pub(crate) const CHANGE_TYPE: u8 = 1;
/// Magic, checksum and type: what stands before the length.
pub(crate) const PREFIX_BYTES: usize = 9;

/// Column specifications of a change: number of the column in the upper bits, its type in the low four.
pub(crate) mod spec {
    pub(crate) const OBJ_ACTOR: u32 = 0x01;
    pub(crate) const OBJ_CTR: u32 = 0x02;
    pub(crate) const KEY_ACTOR: u32 = 0x11;
    pub(crate) const KEY_CTR: u32 = 0x13;
    pub(crate) const KEY_STR: u32 = 0x15;
    pub(crate) const INSERT: u32 = 0x34;
    pub(crate) const ACTION: u32 = 0x42;
    pub(crate) const VALUE_META: u32 = 0x56;
    pub(crate) const VALUE: u32 = 0x57;
    pub(crate) const PRED_COUNT: u32 = 0x70;
    pub(crate) const PRED_ACTOR: u32 = 0x71;
    pub(crate) const PRED_CTR: u32 = 0x73;
    pub(crate) const EXPAND: u32 = 0x94;
    pub(crate) const MARK_NAME: u32 = 0xa5;

    /// All of them, in the order in which they stand in a change.
    pub(crate) const ALL: [u32; 14] = [
        OBJ_ACTOR, OBJ_CTR, KEY_ACTOR, KEY_CTR, KEY_STR, INSERT, ACTION, VALUE_META, VALUE, PRED_COUNT, PRED_ACTOR,
        PRED_CTR, EXPAND, MARK_NAME,
    ];
}

/// A change chunk, split but not interpreted.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk<'a> {
    /// SHA-256 over type, length and body.
    pub hash: ChangeHash,
    /// The changes it follows, ascending.
    pub deps: Vec<ChangeHash>,
    /// Who wrote it: 8 bytes, or 16 for a genesis change.
    pub actor: &'a [u8],
    /// Its number among the actor's changes of this record, from 1.
    pub seq: u64,
    /// The counter of its first operation, from 1.
    pub start_op: u64,
    /// Milliseconds since 1970.
    pub time: i64,
    /// The commit message; Branchline writes none.
    pub message: &'a [u8],
    /// Other actors whose operations it names, ascending.
    pub other_actors: Vec<&'a [u8]>,
    /// The columns that hold anything, by specification, ascending; only those of Automerge's format.
    pub columns: Vec<(u32, &'a [u8])>,
    /// Bytes after the columns; Branchline writes none.
    pub trailing: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// The bytes of a column, empty where the change has none.
    pub(crate) fn column(&self, spec: u32) -> &'a [u8] {
        self.columns.iter().find(|(s, _)| *s == spec).map_or(&[], |(_, bytes)| bytes)
    }
}

/// The hash of a change chunk, from its bytes alone; `None` where they cannot be one.
pub fn hash(raw: &[u8]) -> Option<ChangeHash> {
    if !raw.starts_with(&MAGIC) {
        return None;
    }
    // The chunk stores type, length and body next to each other: just what the hash is over.
    raw.get(8..)
        .filter(|hashed| hashed.first() == Some(&CHANGE_TYPE))
        .map(|hashed| ChangeHash(Sha256::digest(hashed).into()))
}

/// What a chunk claims to hash to, as far as it says so.
#[cfg(feature = "canary")]
fn claimed(raw: &[u8], mut hash: ChangeHash) -> ChangeHash {
    if let (Some(says), Some(to)) = (raw.get(4..8), hash.0.get_mut(..4)) {
        to.copy_from_slice(says);
    }
    hash
}

/// Parses one change chunk and checks its checksum.
///
/// # Errors
/// `change-malformed` for anything but exactly one uncompressed change in canonical form, `change-limit` beyond the
/// bounds of [`crate::limits`].
pub fn parse(raw: &[u8]) -> Result<Chunk<'_>> {
    let hash = hash(raw).ok_or_else(|| malformed("header"))?;
    #[cfg(feature = "canary")]
    let hash = if canary!("trust_a_claimed_hash") { claimed(raw, hash) } else { hash };
    if raw.get(4..8) != Some(&hash.0[..4]) {
        return Err(malformed("checksum"));
    }
    parse_hashed(raw, hash)
}

/// Parses a chunk whose hash is known, without computing it again: one from our own log, or one just built.
///
/// # Errors
/// As [`parse`], except that the checksum is only held against `hash`.
pub fn parse_hashed(raw: &[u8], hash: ChangeHash) -> Result<Chunk<'_>> {
    if raw.len() > CHANGE_BYTES_MAX {
        return Err(over("bytes"));
    }
    let head_is_right = raw.starts_with(&MAGIC) && raw.get(4..8) == Some(&hash.0[..4]);
    if !head_is_right || raw.get(8) != Some(&CHANGE_TYPE) {
        return Err(malformed("header"));
    }
    let mut reader = Reader::new(raw.get(PREFIX_BYTES..).unwrap_or_default());
    let len = reader.unsigned().ok_or_else(|| malformed("length"))?;
    if len != reader.rest().len() as u64 {
        return Err(malformed("length"));
    }
    body(&mut reader, hash)
}

fn body<'a>(reader: &mut Reader<'a>, hash: ChangeHash) -> Result<Chunk<'a>> {
    let deps = deps(reader)?;
    let actor = actor(reader)?;
    let seq = reader.unsigned().filter(|seq| *seq > 0).ok_or_else(|| malformed("seq"))?;
    let start_op = reader.unsigned().filter(|op| *op > 0).ok_or_else(|| malformed("start_op"))?;
    if seq > OP_COUNTER_MAX || start_op > OP_COUNTER_MAX {
        return Err(over("counter"));
    }
    let time = reader.signed().ok_or_else(|| malformed("time"))?;
    if time.unsigned_abs() > CHANGE_TIME_MS_MAX as u64 {
        return Err(over("time"));
    }
    let message = reader.prefixed().ok_or_else(|| malformed("message"))?;
    if std::str::from_utf8(message).is_err() {
        return Err(malformed("message"));
    }
    let other_actors = other_actors(reader, actor)?;
    let columns = columns(reader)?;
    Ok(Chunk { hash, deps, actor, seq, start_op, time, message, other_actors, columns, trailing: reader.rest() })
}

fn deps(reader: &mut Reader<'_>) -> Result<Vec<ChangeHash>> {
    let count = reader.unsigned().ok_or_else(|| malformed("deps"))?;
    if count > CHANGE_DEPS_MAX as u64 {
        return Err(over("deps"));
    }
    let mut deps: Vec<ChangeHash> = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let dep = ChangeHash(reader.array().ok_or_else(|| malformed("deps"))?);
        if deps.last().is_some_and(|last| *last >= dep) {
            return Err(malformed("deps"));
        }
        deps.push(dep);
    }
    Ok(deps)
}

fn actor<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8]> {
    let actor = reader.prefixed().filter(|actor| !actor.is_empty()).ok_or_else(|| malformed("actor"))?;
    if actor.len() > ACTOR_BYTES_MAX { Err(over("actor")) } else { Ok(actor) }
}

fn other_actors<'a>(reader: &mut Reader<'a>, own: &[u8]) -> Result<Vec<&'a [u8]>> {
    let count = reader.unsigned().ok_or_else(|| malformed("actors"))?;
    if count > CHANGE_ACTORS_MAX as u64 {
        return Err(over("actors"));
    }
    let mut actors: Vec<&[u8]> = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let other = actor(reader)?;
        if other == own || actors.last().is_some_and(|last| *last >= other) {
            return Err(malformed("actors"));
        }
        actors.push(other);
    }
    Ok(actors)
}

fn columns<'a>(reader: &mut Reader<'a>) -> Result<Vec<(u32, &'a [u8])>> {
    let count = reader.unsigned().ok_or_else(|| malformed("columns"))?;
    if count > spec::ALL.len() as u64 {
        return Err(malformed("columns"));
    }
    let mut known = spec::ALL.iter();
    let mut metas = [(0u32, 0usize); spec::ALL.len()];
    let metas = metas.get_mut(..count as usize).unwrap_or_default();
    for meta in metas.iter_mut() {
        let column = reader.unsigned().ok_or_else(|| malformed("columns"))?;
        let len = reader.unsigned().filter(|len| *len > 0).ok_or_else(|| malformed("columns"))?;
        // Ascending, each once, no column that Automerge does not have, none of them compressed.
        let spec = known.find(|known| u64::from(**known) == column).ok_or_else(|| malformed("columns"))?;
        *meta = (*spec, usize::try_from(len).map_err(|_| malformed("columns"))?);
    }
    metas.iter().map(|(spec, len)| Ok((*spec, reader.take(*len).ok_or_else(|| malformed("columns"))?))).collect()
}

fn malformed(part: &'static str) -> Error {
    Error::protocol("change-malformed").with("part", part)
}

fn over(part: &'static str) -> Error {
    Error::limit("change-limit").with("part", part)
}
