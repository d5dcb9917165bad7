//! The operations of a foreign change: each on a key that a schema can mean, with a value of its field's type,
//! superseding exactly what its author saw there.

use std::collections::HashSet;

use super::order::Base;
use crate::document::derive;
use crate::document::fold::Slot;
use crate::document::keys::{self, Target};
use crate::document::refusal::Refusal;
use crate::document::text::Text;
use crate::document::values::fits;
use crate::document::vetted::{GenesisActor, Op, TextChange, TextOp, Vetted};
use crate::id::{ChangeHash, RecordId};
use crate::limits::{CITES_MAX, COUNTER_STEP_MAX, LONG_TEXT_CHARS_MAX, TEXT_BYTES_MAX};
use crate::schema::{Collection, Field, FieldType};
use crate::wire::chunk::{Action, Pred, Scalar, genesis_actor};

/// Whether the change does only what this schema knows.
pub(super) fn check(
    record: &RecordId,
    collection: &Collection,
    change: &Vetted,
    base: &Base<'_>,
) -> Result<bool, Refusal> {
    if change.op_count() == 0 {
        return Err(Refusal::Unsupported);
    }
    check_distinct(change)?;
    if base.is_root && !derive::creates(collection, record, change) {
        return Err(Refusal::DerivedId);
    }
    let mut plain = true;
    for op in change.ops() {
        plain &= check_op(record, collection, &op, base)?;
    }
    plain &= check_texts(record, collection, change, base)?;
    Ok(plain)
}

fn check_distinct(change: &Vetted) -> Result<(), Refusal> {
    if change.keys().is_sorted_by(|a, b| a < b) {
        return Ok(());
    }
    let mut seen = HashSet::new();
    match change.ops().find(|op| !seen.insert(op.key)) {
        Some(twice) => Err(Refusal::Predecessors { field: shown(twice.key) }),
        None => Ok(()),
    }
}

// Whether the operation is on a field of this schema.
fn check_op(record: &RecordId, collection: &Collection, op: &Op<'_>, base: &Base<'_>) -> Result<bool, Refusal> {
    let target = keys::target(collection, op.key).ok_or_else(|| Refusal::Key { key: shown(op.key) })?;
    let typed = match (op.action, &target) {
        (Action::Increment, Target::Plain(field)) => field.ty == FieldType::Counter,
        (Action::Increment, Target::Unknown) => true,
        (Action::Increment, _) | (Action::Make(_), _) => false,
        (_, Target::Plain(Field { ty: FieldType::Counter | FieldType::LongText, .. })) => false,
        (Action::Delete, Target::Plain(_) | Target::Item(..) | Target::Cell(..) | Target::Unknown) => true,
        (Action::Delete, _) => false,
        (Action::Set, Target::Plain(field) | Target::Cell(_, _, field)) => fits(&field.ty, op.value),
        (Action::Set, Target::Item(..) | Target::TextMark(_)) => op.value == Scalar::Bool(true),
        (Action::Set, Target::Archived) => matches!(op.value, Scalar::Bool(_)),
        (Action::Set, Target::MergedInto) => match op.value {
            Scalar::Null => true,
            Scalar::Bytes(id) => id.len() == RecordId::LEN,
            _ => false,
        },
        (Action::Set, Target::Key) => base.is_root && matches!(op.value, Scalar::Str(_)),
        (Action::Set, Target::Cites) => match op.value {
            Scalar::Bytes(cited) => {
                let (hashes, rest) = cited.as_chunks::<{ ChangeHash::LEN }>();
                rest.is_empty() && (1..=CITES_MAX).contains(&hashes.len())
            }
            _ => false,
        },
        (Action::Set, Target::Unknown) => match op.value {
            Scalar::Str(text) => text.len() <= TEXT_BYTES_MAX,
            Scalar::Bytes(bytes) => bytes.len() <= TEXT_BYTES_MAX,
            _ => true,
        },
    };
    if !typed {
        return Err(Refusal::Type { field: shown(op.key) });
    }
    let slot = base.fold.slot(base.changes(), op.key);
    let superseding = match op.action {
        Action::Increment => increments(record, op, slot, base)?,
        _ => supersedes(op, slot, base) && slot.is_none_or(|slot| slot.counter.is_none()),
    };
    let first_mark = !matches!(target, Target::TextMark(_)) || slot.is_none();
    if !superseding || !first_mark {
        return Err(Refusal::Predecessors { field: shown(op.key) });
    }
    Ok(target != Target::Unknown)
}

// The predecessors are exactly the field's current operations, ascending.
fn supersedes(op: &Op<'_>, slot: Option<&Slot>, base: &Base<'_>) -> bool {
    let writes = || slot.into_iter().flat_map(|slot| slot.writes(base.changes()));
    let stands = |pred: Pred<'_>| {
        writes().any(|(change, current)| current.counter == pred.ctr && change.actor_bytes() == pred.actor)
    };
    let removes_something = op.action != Action::Delete || op.preds().len() > 0;
    removes_something
        && op.preds().len() == writes().count()
        && op.preds().all(stands)
        && op.preds().is_sorted_by(|a, b| a < b)
}

// An increment adds to the counter of its genesis, on which the first one in a history depends.
fn increments(record: &RecordId, op: &Op<'_>, slot: Option<&Slot>, base: &Base<'_>) -> Result<bool, Refusal> {
    let Scalar::Int(by) = op.value else { return Ok(false) };
    if by.unsigned_abs() > COUNTER_STEP_MAX {
        return Err(Refusal::Limit { part: "counter" });
    }
    let genesis = genesis_actor(record, op.key);
    let is_first = slot.is_none_or(|slot| slot.counter.is_none());
    let depends = base.genesis.iter().any(|g| g.actor == genesis);
    let on_genesis = op.preds().len() == 1 && op.preds().all(|pred| pred.ctr == 1 && pred.actor == genesis);
    let no_scalar = slot.is_none_or(|slot| slot.current().next().is_none());
    Ok(by != 0 && on_genesis && no_scalar && is_first == depends)
}

// Every touched text is named by a mark, of this change or of one before it.
fn check_texts(record: &RecordId, collection: &Collection, change: &Vetted, base: &Base<'_>) -> Result<bool, Refusal> {
    let mut plain = true;
    let marks = change.op_heads().filter(|(_, op)| op.key.starts_with(keys::TEXT_PREFIX.as_bytes()));
    let own = marks.filter_map(|(at, _)| change.op(at)?.key.strip_prefix(keys::TEXT_PREFIX));
    let own: Vec<(&str, GenesisActor)> = own.map(|field| (field, genesis_actor(record, field))).collect();
    for (field, genesis) in &own {
        let fills = change.texts().any(|(touched, _)| touched == genesis);
        let depends = base.genesis.iter().any(|g| g.actor == *genesis);
        if !fills || !depends {
            return Err(Refusal::Predecessors { field: shown(field) });
        }
    }
    for (genesis, work) in change.texts() {
        let marked = || {
            let marks = base.fold.under(base.changes(), keys::TEXT_PREFIX);
            let mut fields = marks.filter_map(|slot| slot.key(base.changes()).strip_prefix(keys::TEXT_PREFIX));
            fields.find(|field| genesis_actor(record, field) == *genesis)
        };
        let first = own.iter().find(|(_, actor)| actor == genesis).map(|(field, _)| *field);
        let field = first.or_else(marked).ok_or(Refusal::Unsupported)?;
        match collection.field(field).map(|known| &known.ty) {
            Some(FieldType::LongText) => {}
            Some(_) => return Err(Refusal::Type { field: shown(field) }),
            None => plain = false,
        }
        check_text(genesis, field, &work, change, base)?;
    }
    Ok(plain)
}

// Every neighbour and every deleted character is one that the author had, or just typed.
fn check_text(
    genesis: &GenesisActor,
    field: &str,
    work: &TextChange<'_>,
    change: &Vetted,
    base: &Base<'_>,
) -> Result<(), Refusal> {
    let ops = match work {
        TextChange::Filled { text, .. } => {
            let fits = text.chars().count() <= LONG_TEXT_CHARS_MAX;
            return if fits { Ok(()) } else { Err(Refusal::Limit { part: "text" }) };
        }
        TextChange::Edited(ops) => ops,
    };
    let mut text = Text::of(genesis, base.seen_changes());
    let mut inserted = 0;
    for op in *ops {
        let known = match op {
            TextOp::Insert { after, .. } => {
                inserted += 1;
                after.as_ref().is_none_or(|after| text.knows(after))
            }
            TextOp::Delete { target } => text.knows(target),
        };
        if !known {
            return Err(Refusal::Predecessors { field: shown(field) });
        }
        text.apply(change.actor(), &TextChange::Edited(std::slice::from_ref(op)));
    }
    if inserted > LONG_TEXT_CHARS_MAX {
        return Err(Refusal::Limit { part: "text" });
    }
    Ok(())
}

// A key for a message: foreign, so never long.
fn shown(key: &str) -> String {
    key.chars().take(64).collect()
}
