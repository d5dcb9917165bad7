//! Doing again, on a record as it now stands, what a refused change did to it.
//!
//! The edits make a new change of whoever does it again; the refused one stays what it was. What people have written
//! since stays, too, except under the keys that the refused change wrote: there its value comes on top, as if it were
//! typed now. A long text is merged letter by letter, a counter is counted once more.

use std::collections::{BTreeMap, BTreeSet};

use super::keys::{self, Target};
use super::refusal::Refusal;
use super::state::State;
use super::text::Text;
use super::values::value_of;
use super::vetted::{Op, Vetted};
use super::write::Edit;
use crate::error::Result;
use crate::schema::{Collection, Field, FieldType, Name, Value};
use crate::wire::chunk::{Action, Scalar, genesis_actor};

/// The edits that do again what `change` did. `state` is the record as it stands, `seen` the record as the author of
/// the change saw it, with the change.
///
/// # Errors
/// `change_key` where the change writes what this schema does not know, `change_type` where a value is none of its
/// field's: only a program that knows the field can do it again.
pub fn redo(state: &State, seen: &State, collection: &Collection, change: &Vetted) -> Result<Vec<Edit>> {
    let mut edits = Vec::new();
    let mut emptied: BTreeMap<(Name, &str), Vec<&Field>> = BTreeMap::new();
    for op in change.ops() {
        let unknown = || Refusal::Key { key: op.key.chars().take(64).collect() };
        match keys::target(collection, op.key).ok_or_else(unknown)? {
            Target::Plain(field) if field.ty == FieldType::Counter => {
                if let Scalar::Int(by) = op.value {
                    edits.push(Edit::Increment(field.name.clone(), by));
                }
            }
            Target::Plain(field) => edits.push(Edit::Set(field.name.clone(), value(field, op.key, &op)?)),
            Target::Item(field, item) if op.action == Action::Delete => {
                edits.push(Edit::Remove(field.name.clone(), item.to_owned()));
            }
            Target::Item(field, item) => edits.push(Edit::Add(field.name.clone(), item.to_owned())),
            Target::Cell(field, line, sub) if op.action == Action::Delete => {
                emptied.entry((field.name.clone(), line)).or_default().push(sub);
            }
            Target::Cell(field, line, sub) => edits.push(Edit::SetLine {
                field: field.name.clone(),
                line: line.to_owned(),
                sub: sub.name.clone(),
                value: value(sub, op.key, &op)?,
            }),
            Target::Archived => edits.push(Edit::Archive(op.value == Scalar::Bool(true))),
            Target::MergedInto => edits.push(Edit::MergeInto(match op.value {
                Scalar::Bytes(id) => crate::id::RecordId::from_slice(id),
                _ => None,
            })),
            Target::Key | Target::Cites | Target::TextMark(_) => {}
            Target::Unknown => return Err(unknown().into()),
        }
    }
    let mut all: Vec<Edit> = emptied.into_iter().flat_map(|(line, subs)| empty(state, line, &subs)).collect();
    all.extend(edits);
    all.extend(texts(state, seen, collection, change));
    Ok(all)
}

fn value(field: &Field, key: &str, op: &Op<'_>) -> Result<Value> {
    if op.action == Action::Delete {
        return Ok(Value::Null);
    }
    let unfit = || Refusal::Type { field: key.chars().take(64).collect() };
    Ok(value_of(&field.ty, op.value).ok_or_else(unfit)?)
}

// A line of which everything goes is removed; of another one cells are emptied.
fn empty(state: &State, (field, line): (Name, &str), subs: &[&Field]) -> Vec<Edit> {
    let prefix = format!("{field}/{line}/");
    let standing = state.fold().under(state.changes(), &prefix).filter(|slot| slot.current().next().is_some());
    let cells: BTreeSet<&str> = standing.filter_map(|s| s.key(state.changes()).strip_prefix(&prefix)).collect();
    let gone = |cell: &str| subs.iter().any(|sub| *sub.name == *cell);
    if !cells.is_empty() && cells.iter().all(|cell| gone(cell)) {
        return vec![Edit::RemoveLine { field, line: line.to_owned() }];
    }
    let standing = subs.iter().filter(|sub| cells.contains(&*sub.name));
    standing
        .map(|sub| Edit::SetLine {
            field: field.clone(),
            line: line.to_owned(),
            sub: sub.name.clone(),
            value: Value::Null,
        })
        .collect()
}

fn texts(state: &State, seen: &State, collection: &Collection, change: &Vetted) -> Vec<Edit> {
    let mut edits = Vec::new();
    for (genesis, work) in change.texts() {
        let is_it =
            |field: &&Field| field.ty == FieldType::LongText && genesis_actor(&state.record(), &field.name) == *genesis;
        let Some(field) = collection.fields.iter().find(is_it) else { continue };
        let mut text = Text::of(genesis, state.changes());
        text.adopt(change.actor(), &work, &Text::of(genesis, seen.changes()));
        let text = text.read();
        let value = if text.is_empty() { Value::Null } else { Value::Text(text) };
        edits.push(Edit::Set(field.name.clone(), value));
    }
    edits
}
