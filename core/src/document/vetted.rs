//! A change that passed the door: its bytes, what its header says, and its operations.
//!
//! A [`Vetted`] is made by this room alone (by writing a change, by vetting a foreign one, or from our own log), so
//! whoever holds one need not check it again. Cloning shares the bytes.

use std::fmt;
use std::sync::Arc;

use super::bridge;
use super::keys;
use super::refusal::Refusal;
use crate::id::{ActorId, ChangeHash};
use crate::time::Millis;
use crate::wire::chunk::{self, Action, Chunk, FlatOps, Pred, Scalar};

/// A change of one record, known to be well formed.
#[derive(Clone)]
pub struct Vetted(Arc<Inner>);

struct Inner {
    raw: Vec<u8>,
    parts: Parts,
}

struct Parts {
    hash: ChangeHash,
    actor: ActorId,
    seq: u64,
    start_op: u64,
    op_count: u64,
    time: Millis,
    deps: Vec<ChangeHash>,
    // Keys and text values, one behind the other: reading them from the bytes would check their UTF-8 each time.
    text: String,
    // Byte values and actors of a change with text edits, which do not lie in its bytes as they are; `None` for a flat
    // change.
    side: Option<Vec<u8>>,
    ops: Vec<OpRow>,
    preds: Vec<PredRow>,
    texts: Vec<TextRow>,
}

#[derive(Clone, Copy, Default)]
struct Span {
    start: u32,
    len: u32,
}

#[derive(Clone, Copy)]
enum Stored {
    Null,
    Bool(bool),
    Int(i64),
    Timestamp(i64),
    Str(Span),
    Bytes(Span),
}

#[derive(Clone, Copy)]
struct OpRow {
    key: Span,
    counter: u32,
    action: Action,
    value: Stored,
    preds_from: u32,
    preds_len: u32,
}

#[derive(Clone, Copy)]
struct PredRow {
    counter: u32,
    actor: Span,
}

struct TextRow {
    genesis: GenesisActor,
    work: TextWork,
}

enum TextWork {
    // The change fills the empty genesis text with these characters, the first by the operation of this counter.
    Filled { counter: u32, text: Span },
    Edited(Vec<TextOp>),
}

/// An operation on a root key of a vetted change.
#[derive(Clone, Copy)]
pub struct Op<'a> {
    /// The root key.
    pub key: &'a str,
    /// What is done: only set, delete or increment.
    pub action: Action,
    /// The scalar that is set or added.
    pub value: Scalar<'a>,
    /// The operation's counter; with the change's actor it names the operation.
    pub counter: u64,
    arena: &'a [u8],
    preds: &'a [PredRow],
}

impl<'a> Op<'a> {
    /// What it supersedes.
    pub fn preds(&self) -> impl ExactSizeIterator<Item = Pred<'a>> + use<'a> {
        let arena = self.arena;
        self.preds.iter().map(move |p| Pred { ctr: u64::from(p.counter), actor: p.actor.of(arena) })
    }
}

/// An operation without its value, whose text would have to be checked anew each time: what folding needs.
#[derive(Clone, Copy)]
pub(super) struct OpHead<'a> {
    pub(super) key: &'a [u8],
    pub(super) action: Action,
    pub(super) counter: u64,
    /// What an increment adds.
    pub(super) step: i64,
    arena: &'a [u8],
    preds: &'a [PredRow],
}

impl<'a> OpHead<'a> {
    /// Whether it supersedes this operation.
    pub(super) fn supersedes(&self, actor: &[u8], counter: u64) -> bool {
        self.preds.iter().any(|pred| u64::from(pred.counter) == counter && pred.actor.of(self.arena) == actor)
    }

    pub(super) fn has_preds(&self) -> bool {
        !self.preds.is_empty()
    }
}

/// What a change does to one text.
pub(super) enum TextChange<'a> {
    /// Fills the empty text; the counter is that of the first character's operation.
    Filled { counter: u64, text: &'a str },
    /// Inserts and deletes characters.
    Edited(&'a [TextOp]),
}

/// An operation on a character of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TextOp {
    /// Inserts a character behind another one, or at the head.
    Insert { counter: u64, after: Option<CharId>, char: char },
    /// Deletes a character.
    Delete { target: CharId },
}

/// A character of a text: the operation that inserted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CharId {
    pub(super) counter: u64,
    pub(super) actor: ActorId,
}

/// Operations of a change with text edits, as Automerge decodes them.
pub(super) struct Mixed {
    pub(super) root: Vec<MixedOp>,
    pub(super) texts: Vec<(GenesisActor, Vec<TextOp>)>,
    pub(super) op_count: u64,
}

pub(super) struct MixedOp {
    pub(super) key: String,
    pub(super) counter: u64,
    pub(super) action: Action,
    pub(super) value: OwnedScalar,
    pub(super) preds: Vec<(u64, Vec<u8>)>,
}

/// The scalars that a change may set or add, owned.
pub(super) enum OwnedScalar {
    Null,
    Bool(bool),
    Int(i64),
    Timestamp(i64),
    Str(String),
    Bytes(Vec<u8>),
}

/// The actor of a genesis change.
pub(super) type GenesisActor = [u8; 16];

impl Span {
    fn of(self, arena: &[u8]) -> &[u8] {
        arena.get(self.start as usize..(self.start + self.len) as usize).unwrap_or_default()
    }

    fn text(self, texts: &str) -> &str {
        texts.get(self.start as usize..(self.start + self.len) as usize).unwrap_or_default()
    }

    // The place of a non-empty slice inside the bytes it was cut from.
    fn within(arena: &[u8], part: &[u8]) -> Option<Self> {
        if part.is_empty() {
            return Some(Self::default());
        }
        let start = (part.as_ptr() as usize).checked_sub(arena.as_ptr() as usize)?;
        let inside = start.checked_add(part.len())? <= arena.len();
        inside.then_some(Self { start: u32::try_from(start).ok()?, len: u32::try_from(part.len()).ok()? })
    }

    fn push(texts: &mut String, part: &str) -> Option<Self> {
        let span = Self { start: u32::try_from(texts.len()).ok()?, len: u32::try_from(part.len()).ok()? };
        texts.push_str(part);
        Some(span)
    }

    fn append(arena: &mut Vec<u8>, part: &[u8]) -> Option<Self> {
        let span = Self { start: u32::try_from(arena.len()).ok()?, len: u32::try_from(part.len()).ok()? };
        arena.extend_from_slice(part);
        Some(span)
    }
}

impl Vetted {
    /// The hash that names the change within its record.
    pub fn hash(&self) -> ChangeHash {
        self.0.parts.hash
    }

    /// The bytes of the change chunk.
    pub fn raw(&self) -> &[u8] {
        &self.0.raw
    }

    /// Who wrote it.
    pub fn actor(&self) -> ActorId {
        self.0.parts.actor
    }

    /// Its number among the actor's changes of this record, from 1.
    pub fn seq(&self) -> u64 {
        self.0.parts.seq
    }

    /// When it was written, by the author's corrected clock.
    pub fn time(&self) -> Millis {
        self.0.parts.time
    }

    /// The counter of its first operation.
    pub fn start_op(&self) -> u64 {
        self.0.parts.start_op
    }

    /// The counter of its last operation; below [`Vetted::start_op`] where it has none.
    pub fn max_op(&self) -> u64 {
        (self.0.parts.start_op + self.0.parts.op_count).saturating_sub(1)
    }

    /// The changes it follows, ascending; genesis changes among them are in no log.
    pub fn deps(&self) -> &[ChangeHash] {
        &self.0.parts.deps
    }

    /// Its operations on root keys, in order.
    pub fn ops(&self) -> impl ExactSizeIterator<Item = Op<'_>> {
        self.0.parts.ops.iter().map(|row| self.view(row))
    }

    /// The refused changes of the record that it brings again.
    pub fn cites(&self) -> Vec<ChangeHash> {
        let cites = self.ops().find(|op| op.key == keys::CITES).map(|op| op.value);
        let Some(Scalar::Bytes(cited)) = cites else { return Vec::new() };
        cited.as_chunks::<{ ChangeHash::LEN }>().0.iter().map(|hash| ChangeHash(*hash)).collect()
    }

    /// The key fields that a creating change names.
    pub fn key(&self) -> Option<&str> {
        self.ops().find(|op| op.key == keys::KEY).and_then(|op| match op.value {
            Scalar::Str(key) => Some(key),
            _ => None,
        })
    }

    /// Whether it only sets, removes and increments root keys and fills empty texts: then it can be read without
    /// Automerge.
    pub fn is_flat(&self) -> bool {
        self.0.parts.side.is_none()
    }

    pub(super) fn op(&self, at: u32) -> Option<Op<'_>> {
        self.0.parts.ops.get(at as usize).map(|row| self.view(row))
    }

    /// The root keys of its operations, in order, as bytes: what comparing them needs.
    pub(super) fn keys(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.0.parts.ops.iter().map(|row| row.key.of(self.0.parts.text.as_bytes()))
    }

    pub(super) fn op_count(&self) -> u64 {
        self.0.parts.op_count
    }

    /// What it does to texts, each named by its genesis.
    pub(super) fn texts(&self) -> impl ExactSizeIterator<Item = (&GenesisActor, TextChange<'_>)> {
        self.0.parts.texts.iter().map(|row| {
            let change = match &row.work {
                TextWork::Filled { counter, text } => {
                    TextChange::Filled { counter: u64::from(*counter), text: text.text(&self.0.parts.text) }
                }
                TextWork::Edited(ops) => TextChange::Edited(ops),
            };
            (&row.genesis, change)
        })
    }

    pub(super) fn op_head(&self, at: u32) -> Option<OpHead<'_>> {
        let row = self.0.parts.ops.get(at as usize)?;
        let step = if let Stored::Int(step) = row.value { step } else { 0 };
        let (key, arena, preds) = (row.key.of(self.0.parts.text.as_bytes()), self.arena(), self.preds(row));
        Some(OpHead { key, action: row.action, counter: u64::from(row.counter), step, arena, preds })
    }

    /// Its operations with their places, without their values.
    pub(super) fn op_heads(&self) -> impl Iterator<Item = (u32, OpHead<'_>)> {
        (0..).map_while(|at| Some((at, self.op_head(at)?)))
    }

    // Where byte values and actors lie.
    fn arena(&self) -> &[u8] {
        self.0.parts.side.as_ref().unwrap_or(&self.0.raw)
    }

    fn preds(&self, row: &OpRow) -> &[PredRow] {
        let preds = row.preds_from as usize..(row.preds_from + row.preds_len) as usize;
        self.0.parts.preds.get(preds).unwrap_or_default()
    }

    fn view<'a>(&'a self, row: &OpRow) -> Op<'a> {
        let (arena, texts) = (self.arena(), self.0.parts.text.as_str());
        let value = match row.value {
            Stored::Null => Scalar::Null,
            Stored::Bool(b) => Scalar::Bool(b),
            Stored::Int(i) => Scalar::Int(i),
            Stored::Timestamp(t) => Scalar::Timestamp(t),
            Stored::Str(span) => Scalar::Str(span.text(texts)),
            Stored::Bytes(span) => Scalar::Bytes(span.of(arena)),
        };
        let (key, preds) = (row.key.text(texts), self.preds(row));
        Op { key, action: row.action, value, counter: u64::from(row.counter), arena, preds }
    }

    pub(super) fn actor_bytes(&self) -> &[u8] {
        &self.0.parts.actor.0
    }

    /// A change that was refused, read for people alone: it goes into no record.
    ///
    /// # Errors
    /// Where its bytes are no change of this protocol version.
    pub fn refused(raw: Vec<u8>) -> Result<Self, Refusal> {
        Self::read(raw, None, bridge::decode)
    }

    /// A change from our own log; its hash, if it has just been computed from these bytes.
    pub(super) fn own(raw: Vec<u8>, hash: Option<ChangeHash>) -> Result<Self, Refusal> {
        Self::read(raw, hash, bridge::decode_own)
    }

    /// A change that was just written here.
    pub(super) fn made(raw: Vec<u8>, hash: ChangeHash) -> Result<Self, Refusal> {
        Self::read(raw, Some(hash), bridge::decode_own)
    }

    /// Reads a change chunk, whose hash is computed unless it is known. `decode` is asked for the operations of a change
    /// with text edits.
    ///
    /// # Errors
    /// Why the bytes are no change of this protocol version.
    pub(super) fn read(
        raw: Vec<u8>,
        hash: Option<ChangeHash>,
        decode: impl FnOnce(&[u8]) -> Result<Mixed, Refusal>,
    ) -> Result<Self, Refusal> {
        let chunk = match hash {
            Some(hash) => chunk::parse_hashed(&raw, hash),
            None => chunk::parse(&raw),
        };
        let mut chunk = chunk.map_err(Refusal::Malformed)?;
        let parts = match chunk::flat_ops(&chunk) {
            Some(flat) => Parts::flat(&raw, &mut chunk, &flat),
            None => Parts::mixed(&mut chunk, decode(&raw)?),
        };
        let parts = parts.ok_or(Refusal::Unsupported)?;
        Ok(Self(Arc::new(Inner { raw, parts })))
    }
}

impl Parts {
    fn header(chunk: &mut Chunk<'_>) -> Option<Self> {
        Some(Self {
            hash: chunk.hash,
            actor: ActorId::from_slice(chunk.actor)?,
            seq: chunk.seq,
            start_op: chunk.start_op,
            op_count: 0,
            time: Millis(chunk.time),
            deps: std::mem::take(&mut chunk.deps),
            text: String::new(),
            side: None,
            ops: Vec::new(),
            preds: Vec::new(),
            texts: Vec::new(),
        })
    }

    // `None` where an actor, action or value is not of this protocol version.
    fn flat(raw: &[u8], chunk: &mut Chunk<'_>, flat: &FlatOps<'_>) -> Option<Self> {
        let mut parts = Self::header(chunk)?;
        parts.ops.reserve_exact(flat.root.len());
        let value_len = |value| if let Scalar::Str(text) = value { text.len() } else { 0 };
        let lens = flat.root.iter().map(|op| op.key.len() + value_len(op.value));
        let mut text = String::with_capacity(lens.chain(flat.texts.iter().map(|filled| filled.text.len())).sum());
        for (at, op) in flat.root.iter().enumerate() {
            let counter = parts.start_op.checked_add(at as u64)?;
            let value = Stored::flat(raw, &mut text, op.value)?;
            let key = Span::push(&mut text, op.key)?;
            let preds_from = parts.preds.len() as u32;
            for pred in &op.preds {
                let actor = Span::within(raw, pred.actor)?;
                parts.preds.push(PredRow { counter: u32::try_from(pred.ctr).ok()?, actor });
            }
            parts.push_op(key, counter, op.action, value, preds_from)?;
        }
        parts.op_count = flat.root.len() as u64;
        for filled in &flat.texts {
            let counter = u32::try_from(parts.start_op.checked_add(parts.op_count)?).ok()?;
            let work = TextWork::Filled { counter, text: Span::push(&mut text, filled.text)? };
            parts.texts.push(TextRow { genesis: filled.genesis.try_into().ok()?, work });
            parts.op_count += filled.text.chars().count() as u64;
        }
        parts.text = text;
        Some(parts)
    }

    fn mixed(chunk: &mut Chunk<'_>, mixed: Mixed) -> Option<Self> {
        let mut parts = Self::header(chunk)?;
        let mut side = Vec::new();
        for op in &mixed.root {
            let key = Span::push(&mut parts.text, &op.key)?;
            let value = match &op.value {
                OwnedScalar::Null => Stored::Null,
                OwnedScalar::Bool(b) => Stored::Bool(*b),
                OwnedScalar::Int(i) => Stored::Int(*i),
                OwnedScalar::Timestamp(t) => Stored::Timestamp(*t),
                OwnedScalar::Str(s) => Stored::Str(Span::push(&mut parts.text, s)?),
                OwnedScalar::Bytes(b) => Stored::Bytes(Span::append(&mut side, b)?),
            };
            let preds_from = parts.preds.len() as u32;
            for (counter, actor) in &op.preds {
                let actor = Span::append(&mut side, actor)?;
                parts.preds.push(PredRow { counter: u32::try_from(*counter).ok()?, actor });
            }
            parts.push_op(key, op.counter, op.action, value, preds_from)?;
        }
        parts.side = Some(side);
        parts.op_count = mixed.op_count;
        let texts = mixed.texts.into_iter();
        parts.texts = texts.map(|(genesis, ops)| TextRow { genesis, work: TextWork::Edited(ops) }).collect();
        Some(parts)
    }

    fn push_op(&mut self, key: Span, counter: u64, action: Action, value: Stored, preds_from: u32) -> Option<()> {
        let typed = match action {
            Action::Set => true,
            Action::Delete => matches!(value, Stored::Null),
            Action::Increment => matches!(value, Stored::Int(_)),
            Action::Make(_) => false,
        };
        let preds_len = self.preds.len() as u32 - preds_from;
        let counter = u32::try_from(counter).ok()?;
        self.ops.push(OpRow { key, counter, action, value, preds_from, preds_len });
        typed.then_some(())
    }
}

impl Stored {
    fn flat(raw: &[u8], texts: &mut String, value: Scalar<'_>) -> Option<Self> {
        Some(match value {
            Scalar::Null => Stored::Null,
            Scalar::Bool(b) => Stored::Bool(b),
            Scalar::Int(i) => Stored::Int(i),
            Scalar::Timestamp(t) => Stored::Timestamp(t),
            Scalar::Str(text) => Stored::Str(Span::push(texts, text)?),
            Scalar::Bytes(bytes) => Stored::Bytes(Span::within(raw, bytes)?),
            Scalar::Uint(_) | Scalar::Float(_) | Scalar::Counter(_) => return None,
        })
    }
}

impl fmt::Debug for Vetted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vetted({} {}#{} at {})", self.hash(), self.actor(), self.seq(), self.time().0)
    }
}
