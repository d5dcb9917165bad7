//! Writing changes: creating a record and editing it.
//!
//! A change is written without an Automerge document, by the chunk writer of `wire`; only one that edits an existing
//! text goes through Automerge's encoder. Every change written here would pass `vet` on any replica that holds what it
//! follows.

use super::bridge::{self, MixedChange};
use super::derive;
use super::genesis::Genesis;
use super::keys;
use super::plan::{Act, Plan};
use super::state::State;
use super::text::Text;
use super::values::Plain;
use super::vetted::{GenesisActor, TextOp, Vetted};
use crate::error::{Error, Result};
use crate::id::{ActorId, ChangeHash, RecordId};
use crate::limits::{CHANGE_BYTES_MAX, CHANGE_TIME_MS_MAX, KEY_FIELDS_MAX, OP_COUNTER_MAX};
use crate::schema::{Collection, LineId, Name, Value};
use crate::time::Millis;
use crate::wire::chunk::{Action, InitialText, NewChange, Pred, RootOp, Scalar, build};

/// Who writes, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Author {
    /// The actor of this process for the acting person or import.
    pub actor: ActorId,
    /// The corrected local clock; a change is never older than what it follows.
    pub now: Millis,
}

/// An edit of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// Puts a whole value into a field; null clears it. A set or lines value replaces what is there, item by item. Not
    /// for counters.
    Set(Name, Value),
    /// Adds an item to a set.
    Add(Name, String),
    /// Takes an item out of a set.
    Remove(Name, String),
    /// Adds to a counter; negative subtracts.
    Increment(Name, i64),
    /// Puts a value into a cell of a line, which appears with its first cell.
    SetLine {
        /// The lines field.
        field: Name,
        /// The line: letters, digits, `-` and `_`.
        line: LineId,
        /// The field of the line.
        sub: Name,
        /// The value; null clears the cell.
        value: Value,
    },
    /// Removes a line.
    RemoveLine {
        /// The lines field.
        field: Name,
        /// The line.
        line: LineId,
    },
    /// Archives the record or brings it back.
    Archive(bool),
    /// Points to the record that this one was merged into; `None` takes the merge back.
    MergeInto(Option<RecordId>),
    /// Says that the change brings these refused changes of the record again.
    Cite(Vec<ChangeHash>),
}

/// The first change of a record. With `key_fields` the record's id must be the one that
/// [`derived_id`](super::derived_id) gives for their values.
///
/// # Errors
/// `unknown-field`, `value-does-not-fit` and limits where a value is not of its field; `empty-record` where nothing is
/// set; `key-field-empty` and `derived-id-differs` where the id is not the one of the key.
pub fn create(
    record: RecordId,
    collection: &Collection,
    values: &[(Name, Value)],
    key_fields: Option<&[Name]>,
    author: &Author,
) -> Result<Vetted> {
    let mut plan = Plan::new(collection, None);
    plan.acts.reserve(values.len() + 1);
    for (name, value) in values {
        plan.set(collection.require_field(name)?, value)?;
    }
    if let Some(fields) = key_fields {
        let set = |name: &Name| values.iter().any(|(known, value)| known == name && *value != Value::Null);
        if let Some(empty) = fields.iter().find(|name| !set(name)) {
            return Err(Error::invalid("key-field-empty").with("field", &**empty));
        }
        if fields.is_empty() || fields.len() > KEY_FIELDS_MAX {
            return Err(Error::limit("too-many-key-fields").with("limit", KEY_FIELDS_MAX));
        }
        plan.push(keys::KEY, Act::Put(Plain::Str(derive::key_text(fields).into())));
    }
    let change = write(&record, None, plan, author)?.ok_or_else(|| Error::invalid("empty-record"))?;
    if !derive::creates(collection, &record, &change) {
        return Err(Error::invalid("derived-id-differs").with("record", record.to_string()));
    }
    Ok(change)
}

/// The first change of a record by these edits, with the key that an earlier first one named: what was refused comes again
/// under its own id.
///
/// # Errors
/// As [`create`] and [`edit`].
pub fn create_again(
    record: RecordId,
    collection: &Collection,
    edits: &[Edit],
    key: Option<&str>,
    author: &Author,
) -> Result<Vetted> {
    let mut plan = Plan::new(collection, None);
    for edit in edits {
        plan.edit(edit)?;
    }
    if let Some(key) = key {
        plan.push(keys::KEY, Act::Put(Plain::Str(key.to_owned().into())));
    }
    let change = write(&record, None, plan, author)?.ok_or_else(|| Error::invalid("empty-record"))?;
    if !derive::creates(collection, &record, &change) {
        return Err(Error::invalid("derived-id-differs").with("record", record.to_string()));
    }
    Ok(change)
}

/// A change of a record that makes these edits; `None` where nothing would differ. It settles the conflicts of the
/// fields that it sets.
///
/// # Errors
/// `unknown-field`, `edit-does-not-suit`, `value-does-not-fit` and limits where an edit is none for its field.
pub fn edit(state: &State, collection: &Collection, edits: &[Edit], author: &Author) -> Result<Option<Vetted>> {
    let mut plan = Plan::new(collection, Some(state));
    for edit in edits {
        plan.edit(edit)?;
    }
    write(&state.record(), Some(state), plan, author)
}

// What the operations of a change refer to, kept alive until it is encoded.
struct Draft<'a> {
    deps: Vec<ChangeHash>,
    // Genesis of each incremented counter, by its place in the plan.
    counters: Vec<(usize, Genesis)>,
    fills: Vec<(GenesisActor, &'a str)>,
    edits: Vec<(GenesisActor, &'a str)>,
    start_op: u64,
}

fn write<'a>(
    record: &RecordId,
    state: Option<&'a State>,
    mut plan: Plan<'a>,
    author: &Author,
) -> Result<Option<Vetted>> {
    plan.settle()?;
    if plan.acts.is_empty() && plan.texts.is_empty() {
        return Ok(None);
    }
    let draft = draft(record, state, &mut plan);
    let newest = |dep: &ChangeHash| state.and_then(|s| s.change(dep)).map(Vetted::time);
    let newest = draft.deps.iter().filter_map(newest).max();
    let newest = newest.filter(|_| !canary!("order_by_wall_clock"));
    let time = newest.map_or(author.now, |newest| author.now.max(newest.plus(1)));
    let time = Millis(time.0.clamp(-CHANGE_TIME_MS_MAX, CHANGE_TIME_MS_MAX));
    let root = root_ops(state, &plan, &draft);
    let seq = state.map_or(0, |s| s.seq(&author.actor)) + 1;
    let start_op = draft.start_op;
    let (raw, hash) = if draft.edits.is_empty() {
        let texts: Vec<InitialText<'_>> =
            draft.fills.iter().map(|(genesis, text)| InitialText { genesis: &genesis[..], text }).collect();
        let actor = author.actor.as_bytes();
        build(&NewChange { deps: &draft.deps, actor, seq, start_op, time: time.0, ops: &root, texts: &texts })
    } else {
        let texts = text_ops(state, &draft, author.actor, start_op + root.len() as u64)?;
        let change = MixedChange { deps: &draft.deps, actor: author.actor, seq, start_op, time, root: &root, texts };
        let raw = bridge::encode(change).ok_or_else(|| Error::invalid("text-edit-failed"))?;
        let hash = crate::wire::chunk::hash(&raw).unwrap_or_default();
        (raw, hash)
    };
    if raw.len() > CHANGE_BYTES_MAX {
        return Err(Error::limit("change-limit").with("part", "bytes"));
    }
    let change = Vetted::made(raw, hash)?;
    if change.max_op() > OP_COUNTER_MAX {
        return Err(Error::limit("change-limit").with("part", "counter"));
    }
    Ok(Some(change))
}

// Sorts the plan's texts into those that fill an empty genesis and those that edit, marks the former, and gathers what
// the change depends on.
fn draft<'a>(record: &RecordId, state: Option<&'a State>, plan: &mut Plan<'a>) -> Draft<'a> {
    let heads = state.map_or(&[][..], State::heads);
    let mut draft = Draft {
        deps: heads.to_vec(),
        counters: Vec::new(),
        fills: Vec::new(),
        edits: Vec::new(),
        start_op: state.map_or(0, State::max_op) + 1,
    };
    let known = |key: &str| state.and_then(|s| s.fold().slot(s.changes(), key));
    for (field, text) in std::mem::take(&mut plan.texts) {
        let genesis = Genesis::text(record, field);
        let mark = format!("{}{field}", keys::TEXT_PREFIX);
        if known(&mark).is_none() {
            draft.deps.push(genesis.hash);
            draft.fills.push((genesis.actor, text));
            plan.push(mark, Act::Put(Plain::Bool(true)));
        } else {
            draft.edits.push((genesis.actor, text));
        }
    }
    // Marks begin with `~`, behind every field: the order stays.
    plan.acts.sort_by(|a, b| a.key.cmp(&b.key));
    for (at, planned) in plan.acts.iter().enumerate() {
        if let Act::Increment(_) = planned.act {
            let genesis = Genesis::counter(record, &planned.key);
            if known(&planned.key).is_none_or(|slot| slot.counter.is_none()) {
                draft.deps.push(genesis.hash);
            }
            draft.counters.push((at, genesis));
        }
    }
    if draft.deps.len() > heads.len() {
        // The one operation of a genesis change has the counter 1.
        draft.start_op = draft.start_op.max(2);
        draft.deps.sort_unstable();
    }
    draft
}

fn root_ops<'p>(state: Option<&'p State>, plan: &'p Plan<'_>, draft: &'p Draft<'_>) -> Vec<RootOp<'p>> {
    let operation = |(at, planned): (usize, &'p super::plan::Planned<'_>)| {
        let current = state.into_iter().flat_map(|state| {
            let slot = state.fold().slot(state.changes(), &planned.key);
            slot.into_iter().flat_map(|slot| slot.writes(state.changes()))
        });
        let (action, value) = match &planned.act {
            Act::Put(value) => (Action::Set, value.scalar()),
            Act::Remove => (Action::Delete, Scalar::Null),
            Act::Increment(by) => (Action::Increment, Scalar::Int(*by)),
        };
        let preds = if let Some((_, genesis)) = draft.counters.iter().find(|(place, _)| *place == at) {
            vec![Pred { ctr: 1, actor: &genesis.actor }]
        } else {
            let preds = current.map(|(change, op)| (op.counter, change));
            let mut preds: Vec<Pred<'_>> =
                preds.map(|(ctr, change)| Pred { ctr, actor: change.actor_bytes() }).collect();
            preds.sort_unstable();
            preds
        };
        RootOp { key: &planned.key, action, value, preds }
    };
    plan.acts.iter().enumerate().map(operation).collect()
}

fn text_ops(
    state: Option<&State>,
    draft: &Draft<'_>,
    actor: ActorId,
    mut counter: u64,
) -> Result<Vec<(GenesisActor, Vec<TextOp>)>> {
    let changes = state.map_or(&[][..], State::changes);
    let mut texts = Vec::with_capacity(draft.fills.len() + draft.edits.len());
    for (genesis, text) in draft.fills.iter().chain(&draft.edits) {
        let old = Text::of(genesis, changes).visible();
        let ops = bridge::text_edit(&old, text, actor, counter).ok_or_else(|| Error::invalid("text-edit-failed"))?;
        counter += ops.len() as u64;
        texts.push((*genesis, ops));
    }
    Ok(texts)
}
