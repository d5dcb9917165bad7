//! Automerge, wherever it is needed: decoding and encoding changes with text edits, the diff of two texts, and the trial
//! of a foreign change.
//!
//! Automerge panics on some malformed input, so all that touches foreign bytes runs inside `catch_unwind`; what it was
//! given is then thrown away.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::legacy::{ElementId, Key, ObjectId, Op, OpId, OpType, SortedVec};
use automerge::transaction::Transactable;
use automerge::{Automerge, Change, ExpandedChange, ObjType, ROOT, ReadDoc, ScalarValue};

use super::genesis::{self, Genesis};
use super::refusal::Refusal;
use super::state::State;
use super::vetted::{CharId, GenesisActor, Mixed, MixedOp, OwnedScalar, TextOp, Vetted};
use crate::id::{ActorId, ChangeHash};
use crate::limits::CHANGE_OPS_MAX;
use crate::time::Millis;
use crate::wire::chunk::{Action, RootOp, Scalar};

/// Decodes a foreign change with text edits. It must be encoded as Automerge would encode it.
///
/// # Errors
/// [`Refusal::Unsupported`] for anything but root scalars and characters of genesis texts, [`Refusal::Unloadable`]
/// where Automerge itself cannot read it.
pub(super) fn decode(raw: &[u8]) -> Result<Mixed, Refusal> {
    decode_if(raw, |expanded| Change::from(expanded.clone()).raw_bytes() == raw)
}

/// Decodes a change with text edits that was let in or written here.
///
/// # Errors
/// As [`decode`], where the bytes are damaged.
pub(super) fn decode_own(raw: &[u8]) -> Result<Mixed, Refusal> {
    decode_if(raw, |_| true)
}

fn decode_if(raw: &[u8], fits: impl FnOnce(&ExpandedChange) -> bool) -> Result<Mixed, Refusal> {
    let expanded = guarded(|| {
        let change = Change::from_bytes(raw.to_vec()).ok()?;
        let expanded = (change.len() <= CHANGE_OPS_MAX).then(|| change.decode())?;
        fits(&expanded).then_some(expanded)
    })?;
    let plain = expanded.message.is_none() && expanded.extra_bytes.is_empty() && expanded.author.is_none();
    let mixed = if plain { mixed(&expanded) } else { None };
    mixed.ok_or(Refusal::Unsupported)
}

fn guarded<T>(work: impl FnOnce() -> Option<T>) -> Result<T, Refusal> {
    catch_unwind(AssertUnwindSafe(work)).ok().flatten().ok_or(Refusal::Unloadable)
}

fn mixed(change: &ExpandedChange) -> Option<Mixed> {
    let mut mixed = Mixed { root: Vec::new(), texts: Vec::new(), op_count: change.operations.len() as u64 };
    for (at, op) in change.operations.iter().enumerate() {
        let counter = change.start_op.get().checked_add(at as u64)?;
        match &op.obj {
            ObjectId::Root => mixed.root.push(root_op(op, counter)?),
            ObjectId::Id(OpId(1, actor)) => {
                let genesis: GenesisActor = actor.to_bytes().try_into().ok()?;
                let text_op = text_op(op, counter)?;
                match mixed.texts.iter_mut().find(|(known, _)| *known == genesis) {
                    Some((_, ops)) => ops.push(text_op),
                    None => mixed.texts.push((genesis, vec![text_op])),
                }
            }
            ObjectId::Id(_) => return None,
        }
    }
    Some(mixed)
}

fn root_op(op: &Op, counter: u64) -> Option<MixedOp> {
    let Key::Map(key) = &op.key else { return None };
    let (action, value) = match &op.action {
        OpType::Put(value) => (Action::Set, owned(value)?),
        OpType::Delete => (Action::Delete, OwnedScalar::Null),
        OpType::Increment(by) => (Action::Increment, OwnedScalar::Int(*by)),
        OpType::Make(_) | OpType::MarkBegin(_) | OpType::MarkEnd(_) => return None,
    };
    let preds = op.pred.iter().map(|pred| (pred.counter(), pred.actor().to_bytes().to_vec())).collect();
    (!op.insert).then(|| MixedOp { key: key.to_string(), counter, action, value, preds })
}

fn owned(value: &ScalarValue) -> Option<OwnedScalar> {
    Some(match value {
        ScalarValue::Null => OwnedScalar::Null,
        ScalarValue::Boolean(b) => OwnedScalar::Bool(*b),
        ScalarValue::Int(i) => OwnedScalar::Int(*i),
        ScalarValue::Timestamp(t) => OwnedScalar::Timestamp(*t),
        ScalarValue::Str(text) => OwnedScalar::Str(text.to_string()),
        ScalarValue::Bytes(bytes) => OwnedScalar::Bytes(bytes.clone()),
        _ => return None,
    })
}

// Insertions of one character and deletions of one character: what editing a text makes, and nothing else.
fn text_op(op: &Op, counter: u64) -> Option<TextOp> {
    let Key::Seq(element) = &op.key else { return None };
    match &op.action {
        OpType::Put(ScalarValue::Str(text)) if op.insert && op.pred.is_empty() => {
            let mut chars = text.chars();
            let char = chars.next().filter(|_| chars.next().is_none())?;
            let after = match element {
                ElementId::Head => None,
                ElementId::Id(id) => Some(char_id(id)?),
            };
            Some(TextOp::Insert { counter, after, char })
        }
        OpType::Delete if !op.insert => {
            let target = char_id(element.as_opid()?)?;
            let only = op.pred.len() == 1 && op.pred.get(0).and_then(char_id) == Some(target);
            only.then_some(TextOp::Delete { target })
        }
        _ => None,
    }
}

fn char_id(id: &OpId) -> Option<CharId> {
    Some(CharId { counter: id.counter(), actor: ActorId::from_slice(id.actor().to_bytes())? })
}

/// A change with text edits that is to be written.
pub(super) struct MixedChange<'a> {
    pub(super) deps: &'a [ChangeHash],
    pub(super) actor: ActorId,
    pub(super) seq: u64,
    pub(super) start_op: u64,
    pub(super) time: Millis,
    /// Operations on root keys; they come first.
    pub(super) root: &'a [RootOp<'a>],
    /// Operations on texts, in the order of their counters.
    pub(super) texts: Vec<(GenesisActor, Vec<TextOp>)>,
}

/// Writes a change with text edits.
pub(super) fn encode(change: MixedChange<'_>) -> Option<Vec<u8>> {
    let mut operations: Vec<Op> = change.root.iter().map(from_root_op).collect::<Option<_>>()?;
    for (genesis, ops) in &change.texts {
        operations.extend(ops.iter().map(|op| from_text_op(genesis, op)));
    }
    let expanded = ExpandedChange {
        operations,
        actor_id: automerge::ActorId::from(change.actor.as_bytes()),
        hash: None,
        seq: change.seq,
        start_op: NonZeroU64::new(change.start_op)?,
        time: change.time.0,
        message: None,
        deps: change.deps.iter().map(|dep| automerge::ChangeHash(dep.0)).collect(),
        extra_bytes: Vec::new(),
        author: None,
    };
    Some(Change::from(expanded).raw_bytes().to_vec())
}

fn from_root_op(op: &RootOp<'_>) -> Option<Op> {
    let action = match op.action {
        Action::Set => OpType::Put(match op.value {
            Scalar::Null => ScalarValue::Null,
            Scalar::Bool(b) => ScalarValue::Boolean(b),
            Scalar::Int(i) => ScalarValue::Int(i),
            Scalar::Timestamp(t) => ScalarValue::Timestamp(t),
            Scalar::Str(text) => ScalarValue::Str(text.into()),
            Scalar::Bytes(bytes) => ScalarValue::Bytes(bytes.to_vec()),
            Scalar::Uint(_) | Scalar::Float(_) | Scalar::Counter(_) => return None,
        }),
        Action::Delete => OpType::Delete,
        Action::Increment => match op.value {
            Scalar::Int(by) => OpType::Increment(by),
            _ => return None,
        },
        Action::Make(_) => return None,
    };
    let preds: Vec<OpId> = op.preds.iter().map(|p| OpId(p.ctr, automerge::ActorId::from(p.actor))).collect();
    Some(Op { action, obj: ObjectId::Root, key: Key::Map(op.key.into()), pred: preds.into(), insert: false })
}

fn from_text_op(genesis: &GenesisActor, op: &TextOp) -> Op {
    let id = |char: &CharId| OpId(char.counter, automerge::ActorId::from(char.actor.as_bytes()));
    let obj = ObjectId::Id(OpId(1, automerge::ActorId::from(&genesis[..])));
    match op {
        TextOp::Insert { after, char, .. } => Op {
            action: OpType::Put(ScalarValue::Str(char.to_string().into())),
            obj,
            key: after.as_ref().map_or(Key::head(), |after| Key::Seq(ElementId::Id(id(after)))),
            pred: SortedVec::new(),
            insert: true,
        },
        TextOp::Delete { target } => Op {
            action: OpType::Delete,
            obj,
            key: Key::Seq(ElementId::Id(id(target))),
            pred: vec![id(target)].into(),
            insert: false,
        },
    }
}

/// The operations that turn a text, given by its visible characters, into `new`, as the author whose next operation
/// has the counter `counter`. The difference is Automerge's: whole graphemes, the fewest of them.
pub(super) fn text_edit(old: &[(CharId, char)], new: &str, author: ActorId, counter: u64) -> Option<Vec<TextOp>> {
    let new: Vec<char> = new.chars().collect();
    let (head, tail) = common(old, &new);
    let before = old.get(head..old.len() - tail)?;
    let after: String = new.get(head..new.len() - tail)?.iter().collect();
    let neighbour = head.checked_sub(1).and_then(|at| old.get(at)).map(|(id, _)| *id);
    let (first_new, operations) = scratch_edit(before, &after)?;
    // A character of the scratch text: one that was there, or one that the edit inserts.
    let moved = |element: &OpId| -> Option<CharId> {
        match element.counter().checked_sub(first_new) {
            Some(offset) => Some(CharId { counter: counter + offset, actor: author }),
            None => before.get(element.counter().checked_sub(2)? as usize).map(|(id, _)| *id),
        }
    };
    let mut ops = Vec::with_capacity(operations.len());
    for (op, counter) in operations.iter().zip(counter..) {
        let element = match op.key.as_element_id()? {
            ElementId::Head => neighbour,
            ElementId::Id(id) => Some(moved(&id)?),
        };
        ops.push(match &op.action {
            OpType::Put(ScalarValue::Str(text)) if op.insert => {
                TextOp::Insert { counter, after: element, char: text.chars().next()? }
            }
            OpType::Delete => TextOp::Delete { target: element? },
            _ => return None,
        });
    }
    Some(ops)
}

// How many characters both texts begin and end with, up to a space: a grapheme hardly ever spans one.
fn common(old: &[(CharId, char)], new: &[char]) -> (usize, usize) {
    let same = |pair: &(&(CharId, char), &char)| pair.0.1 == *pair.1;
    let head = old.iter().zip(new).take_while(same).count();
    let head = new.iter().take(head).rposition(|c| c.is_whitespace()).unwrap_or(0);
    let rest = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(same).count();
    let tail = new.iter().rev().take(tail).rposition(|c| c.is_whitespace()).map_or(0, |at| at + 1);
    (head, tail)
}

// Automerge's edit of a document of its own, whose n-th character (from 0) has the operation n + 2: the counter of the
// edit's first operation, and all of them.
fn scratch_edit(before: &[(CharId, char)], after: &str) -> Option<(u64, Vec<Op>)> {
    let before: String = before.iter().map(|(_, char)| char).collect();
    let mut scratch = Automerge::new().with_actor(automerge::ActorId::from(&[0u8][..]));
    let made = scratch.transact::<_, _, automerge::AutomergeError>(|tx| {
        let text = tx.put_object(ROOT, "text", ObjType::Text)?;
        tx.splice_text(&text, 0, 0, &before)?;
        Ok(text)
    });
    let text = made.ok()?.result;
    let edited = scratch.transact::<_, _, automerge::AutomergeError>(|tx| tx.update_text(&text, after));
    edited.ok()?;
    let change = scratch.get_last_local_change()?.decode();
    Some((change.start_op.get(), change.operations))
}

/// Whether Automerge takes a change in, can load the record again with it, and then reads the same as before it was
/// saved.
pub(super) fn admits(state: Option<&State>, record: &crate::id::RecordId, change: &Vetted) -> Result<(), Refusal> {
    guarded(|| {
        let mut doc = document(state, record, Some(change))?;
        let own = change.hash().0;
        if !doc.get_heads().iter().any(|head| head.0 == own) {
            return None;
        }
        let before = visible(&doc)?;
        doc = Automerge::load(&doc.save_nocompress()).ok()?;
        let after = visible(&doc)?;
        (before == after && doc.get_heads().iter().any(|head| head.0 == own)).then_some(())
    })
}

/// The Automerge document of a record, with one more change if any: its genesis changes, then its own.
pub(super) fn document(
    state: Option<&State>,
    record: &crate::id::RecordId,
    more: Option<&Vetted>,
) -> Option<Automerge> {
    let held = state.map_or(&[][..], |state| state.changes());
    let mut genesis: HashMap<GenesisActor, Genesis> = HashMap::new();
    for change in held.iter().chain(more) {
        genesis.extend(genesis::needed(record, change).into_iter().map(|g| (g.actor, g)));
    }
    let raws = genesis.values().map(|g| &g.raw[..]).chain(held.iter().chain(more).map(Vetted::raw));
    let changes: Vec<Change> = raws.map(|raw| Change::from_bytes(raw.to_vec()).ok()).collect::<Option<_>>()?;
    let mut doc = Automerge::new();
    doc.apply_changes(changes).ok()?;
    Some(doc)
}

// Everything that can be read under the root: texts as texts, the rest with all its concurrent values.
fn visible(doc: &Automerge) -> Option<Vec<(String, Vec<String>)>> {
    let mut all = Vec::new();
    for key in doc.keys(ROOT) {
        let mut values = Vec::new();
        for (value, id) in doc.get_all(ROOT, key.as_str()).ok()? {
            values.push(match value {
                automerge::Value::Object(ObjType::Text) => doc.text(&id).ok()?,
                other => format!("{other:?}"),
            });
        }
        all.push((key, values));
    }
    Some(all)
}
