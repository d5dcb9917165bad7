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
    let mut columns = ColumnData { bytes: Vec::with_capacity(512), lens: [0; spec::ALL.len()] };
    if !change.ops.is_empty() || change.texts.iter().any(|text| !text.text.is_empty()) {
        write_columns(change, &others, &mut columns);
    }

    let mut head = Vec::with_capacity(128 + change.deps.len() * ChangeHash::LEN);
    write_head(change.deps, change.actor, change.seq, change.start_op, change.time, &mut head);
    put_prefixed(&mut head, b"");
    put_unsigned(&mut head, others.len() as u64);
    others.iter().for_each(|actor| put_prefixed(&mut head, actor));
    put_unsigned(&mut head, columns.lens.iter().filter(|len| **len > 0).count() as u64);
    for (spec, len) in spec::ALL.iter().zip(columns.lens).filter(|(_, len)| *len > 0) {
        put_unsigned(&mut head, u64::from(*spec));
        put_unsigned(&mut head, len as u64);
    }
    write_chunk(&head, &columns.bytes, out);
}

/// Appends the part of a body that says who wrote when, after what.
pub(crate) fn write_head(deps: &[ChangeHash], actor: &[u8], seq: u64, start_op: u64, time: i64, out: &mut Vec<u8>) {
    put_unsigned(out, deps.len() as u64);
    if deps.is_sorted() {
        deps.iter().for_each(|dep| out.extend_from_slice(&dep.0));
    } else {
        let mut deps = deps.to_vec();
        deps.sort_unstable();
        deps.iter().for_each(|dep| out.extend_from_slice(&dep.0));
    }
    put_prefixed(out, actor);
    put_unsigned(out, seq);
    put_unsigned(out, start_op);
    put_signed(out, time);
}

/// Appends a chunk whose body is given in two parts, its checksum still zero.
pub(crate) fn write_chunk(head: &[u8], tail: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[0; 4]);
    out.push(CHANGE_TYPE);
    put_unsigned(out, (head.len() + tail.len()) as u64);
    out.extend_from_slice(head);
    out.extend_from_slice(tail);
}

/// Hashes a chunk and sets its checksum.
pub(crate) fn seal(raw: &mut [u8]) -> ChangeHash {
    let hash = ChangeHash(Sha256::digest(raw.get(8..).unwrap_or_default()).into());
    raw.iter_mut().skip(4).zip(hash.0).take(4).for_each(|(slot, byte)| *slot = byte);
    hash
}

// The actors that operations name beside the change's own, ascending: their place is their number, from 1.
fn other_actors<'a>(change: &NewChange<'a>) -> Vec<&'a [u8]> {
    let mut others: Vec<&[u8]> = Vec::new();
    let preds = change.ops.iter().flat_map(|op| op.preds.iter().map(|pred| pred.actor));
    let texts = change.texts.iter().filter(|text| !text.text.is_empty()).map(|text| text.genesis);
    for actor in preds.chain(texts) {
        if actor != change.actor
            && let Err(place) = others.binary_search(&actor)
        {
            others.insert(place, actor);
        }
    }
    others
}

struct ColumnData {
    bytes: Vec<u8>,
    lens: [usize; spec::ALL.len()],
}

impl ColumnData {
    fn column(&mut self, spec: u32, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        if let Some(place) = spec::ALL.iter().position(|known| *known == spec) {
            self.lens[place] = self.bytes.len() - start;
        }
    }

    fn rle(&mut self, spec: u32, values: impl Iterator<Item = Option<u64>>) {
        self.column(spec, |out| {
            let mut writer = RleWriter::new(out);
            values.for_each(|value| writer.push(value));
            writer.finish();
        });
    }

    fn delta(&mut self, spec: u32, values: impl Iterator<Item = Option<i64>>) {
        self.column(spec, |out| {
            let mut writer = DeltaWriter::new(out);
            values.for_each(|value| writer.push(value));
            writer.finish();
        });
    }
}

fn write_columns(change: &NewChange<'_>, others: &[&[u8]], columns: &mut ColumnData) {
    let number = |actor: &[u8]| {
        if actor == change.actor { 0 } else { others.binary_search(&actor).map_or(0, |place| place as u64 + 1) }
    };
    let ops = change.ops;
    let texts = change.texts;
    let chars = || texts.iter().flat_map(|text| text.text.chars());
    let inserts = chars().count();
    if inserts > 0 {
        write_places(change, number, columns);
    }
    columns.column(spec::KEY_STR, |out| {
        let mut writer = RleWriter::new(out);
        ops.iter().for_each(|op| writer.push(Some(op.key)));
        (0..inserts).for_each(|_| writer.push(None));
        writer.finish();
    });
    columns.column(spec::INSERT, |out| {
        put_unsigned(out, ops.len() as u64);
        if inserts > 0 {
            put_unsigned(out, inserts as u64);
        }
    });
    let actions = ops.iter().map(|op| match op.action {
        Action::Set => 1,
        Action::Delete => 3,
        Action::Increment => 5,
        Action::Make(kind) => u64::from(kind),
    });
    columns.rle(spec::ACTION, actions.chain((0..inserts).map(|_| 1)).map(Some));
    let metas = ops.iter().map(|op| meta(&op.value)).chain(chars().map(|c| (c.len_utf8() as u64) << 4 | 6));
    columns.rle(spec::VALUE_META, metas.map(Some));
    columns.column(spec::VALUE, |out| {
        ops.iter().for_each(|op| put_value(out, &op.value));
        texts.iter().for_each(|text| out.extend_from_slice(text.text.as_bytes()));
    });
    let counts = ops.iter().map(|op| op.preds.len() as u64);
    columns.rle(spec::PRED_COUNT, counts.chain((0..inserts).map(|_| 0)).map(Some));
    let preds = || ops.iter().flat_map(|op| in_order(&op.preds));
    columns.rle(spec::PRED_ACTOR, preds().map(|pred| Some(number(pred.actor))));
    columns.delta(spec::PRED_CTR, preds().map(|pred| Some(pred.ctr as i64)));
}

// Object and neighbour of each inserted character.
fn write_places(change: &NewChange<'_>, number: impl Fn(&[u8]) -> u64, columns: &mut ColumnData) {
    let roots = change.ops.len();
    let texts = || change.texts.iter().map(|text| (number(text.genesis), text.text.chars().count()));
    let before = || (0..roots).map(|_| None);
    columns.rle(spec::OBJ_ACTOR, before().chain(texts().flat_map(|(object, len)| (0..len).map(move |_| Some(object)))));
    columns.rle(spec::OBJ_CTR, before().chain(texts().flat_map(|(_, len)| (0..len).map(|_| Some(1)))));
    let neighbours = texts().flat_map(|(_, len)| (0..len).map(|i| (i > 0).then_some(0)));
    columns.rle(spec::KEY_ACTOR, before().chain(neighbours));
    let mut ctr = (change.start_op + roots as u64) as i64;
    let ctrs = texts().flat_map(|(_, len)| {
        let first = ctr;
        ctr += len as i64;
        (0..len as i64).map(move |i| Some(if i == 0 { 0 } else { first + i - 1 }))
    });
    columns.delta(spec::KEY_CTR, (0..roots).map(|_| None).chain(ctrs));
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
