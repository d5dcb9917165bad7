//! Writes flat changes: the same bytes that Automerge 0.12 writes for the same operations.

use sha2::{Digest, Sha256};

use super::columns::{DeltaWriter, RleWriter};
use super::leb::{put_prefixed, put_signed, put_unsigned, signed_len, unsigned_len};
use super::ops::{Action, InitialText, Pred, RootOp, Scalar};
use super::{CHANGE_TYPE, MAGIC, spec};
use crate::id::ChangeHash;

/// A change to be written.
#[derive(Debug, Clone, Copy)]
pub struct NewChange<'a> {
    /// The changes it follows, in any order.
    pub deps: &'a [ChangeHash],
    /// Who writes it.
    pub actor: &'a [u8],
    /// Its number among the actor's changes of this record, from 1.
    pub seq: u64,
    /// The counter of its first operation, from 1.
    pub start_op: u64,
    /// Milliseconds since 1970.
    pub time: i64,
    /// Operations on root keys, in the order of their counters.
    pub ops: &'a [RootOp<'a>],
    /// Texts for empty genesis texts, which follow the operations. Empty texts take no operation.
    pub texts: &'a [InitialText<'a>],
}

/// The chunk of this change and its hash.
pub fn build(change: &NewChange<'_>) -> (Vec<u8>, ChangeHash) {
    let mut raw = Vec::with_capacity(640);
    write(change, &mut raw);
    let hash = seal(&mut raw);
    (raw, hash)
}

/// Appends the chunk of this change, its checksum still zero: [`seal`] sets it.
pub(crate) fn write(change: &NewChange<'_>, out: &mut Vec<u8>) {
    let others = other_actors(change);
    let mut columns = ColumnData { bytes: Vec::with_capacity(512), ends: [0; spec::ALL.len()] };
    if !change.ops.is_empty() || change.texts.iter().any(|text| !text.text.is_empty()) {
        write_columns(change, &others, &mut columns);
    }
    Header::of(change).write(&others, columns.each(), out);
}

/// Who wrote when, after what: the beginning of a body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header<'a> {
    /// In any order.
    pub(crate) deps: &'a [ChangeHash],
    pub(crate) actor: &'a [u8],
    pub(crate) seq: u64,
    pub(crate) start_op: u64,
    pub(crate) time: i64,
}

impl<'a> Header<'a> {
    fn of(change: &NewChange<'a>) -> Self {
        let NewChange { deps, actor, seq, start_op, time, .. } = *change;
        Self { deps, actor, seq, start_op, time }
    }

    /// Appends a chunk with these actors and columns, its checksum still zero. Empty columns are left out.
    pub(crate) fn write<'c>(
        &self,
        others: &[&[u8]],
        columns: impl Iterator<Item = (u32, &'c [u8])> + Clone,
        out: &mut Vec<u8>,
    ) {
        let columns = columns.filter(|(_, bytes)| !bytes.is_empty());
        let (mut len, mut count) = (self.len() + 1 + unsigned_len(others.len() as u64), 0);
        len += others.iter().map(|actor| unsigned_len(actor.len() as u64) + actor.len()).sum::<usize>();
        for (spec, bytes) in columns.clone() {
            len += unsigned_len(u64::from(spec)) + unsigned_len(bytes.len() as u64) + bytes.len();
            count += 1;
        }
        self.begin(len + 1, out);
        out.push(0);
        put_unsigned(out, others.len() as u64);
        others.iter().for_each(|actor| put_prefixed(out, actor));
        // At most fourteen.
        out.push(count);
        for (spec, bytes) in columns.clone() {
            put_unsigned(out, u64::from(spec));
            put_unsigned(out, bytes.len() as u64);
        }
        columns.for_each(|(_, bytes)| out.extend_from_slice(bytes));
    }

    /// Appends a chunk whose body goes on with these bytes, its checksum still zero.
    pub(crate) fn write_before(&self, rest: &[u8], out: &mut Vec<u8>) {
        self.begin(self.len() + rest.len(), out);
        out.extend_from_slice(rest);
    }

    fn len(&self) -> usize {
        let deps = unsigned_len(self.deps.len() as u64) + self.deps.len() * ChangeHash::LEN;
        let actor = unsigned_len(self.actor.len() as u64) + self.actor.len();
        deps + actor + unsigned_len(self.seq) + unsigned_len(self.start_op) + signed_len(self.time)
    }

    fn begin(&self, body_len: usize, out: &mut Vec<u8>) {
        out.reserve(body_len + 14);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[0, 0, 0, 0, CHANGE_TYPE]);
        put_unsigned(out, body_len as u64);
        put_unsigned(out, self.deps.len() as u64);
        if self.deps.is_sorted() {
            self.deps.iter().for_each(|dep| out.extend_from_slice(&dep.0));
        } else {
            let mut deps = self.deps.to_vec();
            deps.sort_unstable();
            deps.iter().for_each(|dep| out.extend_from_slice(&dep.0));
        }
        put_prefixed(out, self.actor);
        put_unsigned(out, self.seq);
        put_unsigned(out, self.start_op);
        put_signed(out, self.time);
    }
}

/// Hashes a chunk and sets its checksum.
pub(crate) fn seal(raw: &mut [u8]) -> ChangeHash {
    let hash = ChangeHash(Sha256::digest(raw.get(8..).unwrap_or_default()).into());
    raw.iter_mut().skip(4).zip(hash.0).take(4).for_each(|(slot, byte)| *slot = byte);
    hash
}

fn other_actors<'a>(change: &NewChange<'a>) -> Vec<&'a [u8]> {
    let preds = change.ops.iter().flat_map(|op| op.preds.iter().map(|pred| pred.actor));
    let texts = change.texts.iter().filter(|text| !text.text.is_empty()).map(|text| text.genesis);
    others_of(preds.chain(texts), change.actor)
}

/// The actors that operations name beside the change's own, ascending: their place is their number, from 1.
pub(crate) fn others_of<'a>(named: impl Iterator<Item = &'a [u8]>, own: &[u8]) -> Vec<&'a [u8]> {
    let mut others: Vec<&[u8]> = Vec::new();
    for actor in named.filter(|actor| *actor != own) {
        if let Err(place) = others.binary_search(&actor) {
            others.insert(place, actor);
        }
    }
    others
}

/// The number by which operations name an actor.
pub(crate) fn actor_number(actor: &[u8], own: &[u8], others: &[&[u8]]) -> u64 {
    if actor == own { 0 } else { others.binary_search(&actor).map_or(0, |place| place as u64 + 1) }
}

// The columns one behind the other, and where each ends.
struct ColumnData {
    bytes: Vec<u8>,
    ends: [usize; spec::ALL.len()],
}

impl ColumnData {
    fn each(&self) -> impl Iterator<Item = (u32, &[u8])> + Clone {
        spec::ALL.iter().enumerate().map(|(place, spec)| {
            let start = place.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
            (*spec, self.bytes.get(start..self.ends[place]).unwrap_or_default())
        })
    }

    // Columns come in their order: one that is left out ends where the one before it does.
    fn column(&mut self, spec: u32, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        for (end, _) in self.ends.iter_mut().zip(spec::ALL).filter(|(_, known)| *known >= spec) {
            *end = self.bytes.len();
        }
    }

    // Each value with how often it stands there in a row.
    fn rle(&mut self, spec: u32, values: impl Iterator<Item = (Option<u64>, u64)>) {
        self.column(spec, |out| {
            let mut writer = RleWriter::new(out);
            values.for_each(|(value, many)| writer.push_run(value, many));
            writer.finish();
        });
    }

    fn delta(&mut self, spec: u32, values: impl FnOnce(&mut DeltaWriter<'_>)) {
        self.column(spec, |out| {
            let mut writer = DeltaWriter::new(out);
            values(&mut writer);
            writer.finish();
        });
    }
}

fn write_columns(change: &NewChange<'_>, others: &[&[u8]], columns: &mut ColumnData) {
    let number = |actor: &[u8]| actor_number(actor, change.actor, others);
    let ops = change.ops;
    let texts = change.texts;
    let chars = || texts.iter().flat_map(|text| text.text.chars());
    let inserts = chars().count() as u64;
    if inserts > 0 {
        write_places(change, number, columns);
    }
    columns.column(spec::KEY_STR, |out| {
        let mut writer = RleWriter::new(out);
        ops.iter().for_each(|op| writer.push(Some(op.key.as_bytes())));
        writer.push_run(None, inserts);
        writer.finish();
    });
    columns.column(spec::INSERT, |out| {
        put_unsigned(out, ops.len() as u64);
        if inserts > 0 {
            put_unsigned(out, inserts);
        }
    });
    let actions = ops.iter().map(|op| match op.action {
        Action::Set => 1,
        Action::Delete => 3,
        Action::Increment => 5,
        Action::Make(kind) => u64::from(kind),
    });
    let once = |value| (value, 1);
    columns.rle(spec::ACTION, actions.map(once).chain([(1, inserts)]).map(some));
    let metas = ops.iter().map(|op| meta(&op.value)).chain(chars().map(|c| (c.len_utf8() as u64) << 4 | 6));
    columns.rle(spec::VALUE_META, metas.map(once).map(some));
    columns.column(spec::VALUE, |out| {
        ops.iter().for_each(|op| put_value(out, &op.value));
        texts.iter().for_each(|text| out.extend_from_slice(text.text.as_bytes()));
    });
    let counts = ops.iter().map(|op| op.preds.len() as u64);
    columns.rle(spec::PRED_COUNT, counts.map(once).chain([(0, inserts)]).map(some));
    let preds = || ops.iter().flat_map(|op| in_order(&op.preds));
    columns.rle(spec::PRED_ACTOR, preds().map(|pred| (Some(number(pred.actor)), 1)));
    columns.delta(spec::PRED_CTR, |writer| preds().for_each(|pred| writer.push(Some(pred.ctr as i64))));
}

fn some((value, many): (u64, u64)) -> (Option<u64>, u64) {
    (Some(value), many)
}

// Object and neighbour of each inserted character.
fn write_places(change: &NewChange<'_>, number: impl Fn(&[u8]) -> u64, columns: &mut ColumnData) {
    let roots = change.ops.len() as u64;
    let texts = || {
        let texts = change.texts.iter().filter(|text| !text.text.is_empty());
        texts.map(|text| (number(text.genesis), text.text.chars().count() as u64))
    };
    let before = || std::iter::once((None, roots));
    columns.rle(spec::OBJ_ACTOR, before().chain(texts().map(|(object, len)| (Some(object), len))));
    columns.rle(spec::OBJ_CTR, before().chain(texts().map(|(_, len)| (Some(1), len))));
    columns.rle(spec::KEY_ACTOR, before().chain(texts().flat_map(|(_, len)| [(None, 1), (Some(0), len - 1)])));
    columns.delta(spec::KEY_CTR, |writer| {
        writer.push_nulls(roots);
        let mut first = change.start_op + roots;
        for (_, len) in texts() {
            // The first character stands at the head, each other one behind the one before it.
            writer.push(Some(0));
            if len > 1 {
                writer.push(Some(first as i64));
                writer.push_ascending(len - 2);
            }
            first += len;
        }
    });
}

fn in_order<'p, 'a>(preds: &'p [Pred<'a>]) -> impl Iterator<Item = Pred<'a>> + use<'p, 'a> {
    // Nearly always sorted, nearly always one: the copy is the exception.
    let sorted = if preds.is_sorted() {
        None
    } else {
        let mut copy = preds.to_vec();
        copy.sort_unstable();
        Some(copy)
    };
    (0..preds.len()).filter_map(move |i| sorted.as_deref().unwrap_or(preds).get(i).copied())
}

pub(crate) fn meta(value: &Scalar<'_>) -> u64 {
    let (len, code) = match value {
        Scalar::Null => (0, 0),
        Scalar::Bool(false) => (0, 1),
        Scalar::Bool(true) => (0, 2),
        Scalar::Uint(n) => (unsigned_len(*n), 3),
        Scalar::Int(n) => (signed_len(*n), 4),
        Scalar::Float(_) => (8, 5),
        Scalar::Str(text) => (text.len(), 6),
        Scalar::Bytes(bytes) => (bytes.len(), 7),
        Scalar::Counter(n) => (signed_len(*n), 8),
        Scalar::Timestamp(n) => (signed_len(*n), 9),
    };
    (len as u64) << 4 | code
}

pub(crate) fn put_value(out: &mut Vec<u8>, value: &Scalar<'_>) {
    match value {
        Scalar::Null | Scalar::Bool(_) => {}
        Scalar::Uint(n) => put_unsigned(out, *n),
        Scalar::Int(n) | Scalar::Counter(n) | Scalar::Timestamp(n) => put_signed(out, *n),
        Scalar::Float(x) => out.extend_from_slice(&x.to_le_bytes()),
        Scalar::Str(text) => out.extend_from_slice(text.as_bytes()),
        Scalar::Bytes(bytes) => out.extend_from_slice(bytes),
    }
}
