//! What a list of edits means for a record: at most one operation for each root key, and the new texts.
//!
//! Later edits of one call override earlier ones. What would change nothing is dropped at the end, so that saving a
//! form writes only what was typed; an operation on a field in conflict stays, because it settles the conflict.

use std::borrow::Cow;

use super::keys::{self, is_item, is_line_id};
use super::state::State;
use super::values::{Plain, plain};
use super::write::Edit;
use crate::error::{Error, Result};
use crate::limits::{CITES_MAX, COUNTER_STEP_MAX, ITEMS_MAX, LONG_TEXT_CHARS_MAX};
use crate::schema::{Collection, Field, FieldType, Value};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Act<'a> {
    Put(Plain<'a>),
    Remove,
    Increment(i64),
}

pub(super) struct Planned<'a> {
    pub(super) key: Cow<'a, str>,
    pub(super) act: Act<'a>,
}

/// Operations for root keys, ascending by key, and new contents of long texts.
pub(super) struct Plan<'a> {
    collection: &'a Collection,
    state: Option<&'a State>,
    pub(super) acts: Vec<Planned<'a>>,
    pub(super) texts: Vec<(&'a str, &'a str)>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(collection: &'a Collection, state: Option<&'a State>) -> Self {
        Self { collection, state, acts: Vec::new(), texts: Vec::new() }
    }

    pub(super) fn push(&mut self, key: impl Into<Cow<'a, str>>, act: Act<'a>) {
        self.acts.push(Planned { key: key.into(), act });
    }

    pub(super) fn edit(&mut self, edit: &'a Edit) -> Result<()> {
        match edit {
            Edit::Set(name, value) => self.set(self.collection.require_field(name)?, value),
            Edit::Add(name, item) => self.item(name, item, Act::Put(Plain::Bool(true))),
            Edit::Remove(name, item) => self.item(name, item, Act::Remove),
            Edit::Increment(name, by) => match self.collection.require_field(name)? {
                field if field.ty == FieldType::Counter => self.increment(field, *by),
                field => Err(unsuited(field)),
            },
            Edit::SetLine { field, line, sub, value } => {
                let field = self.collection.require_field(field)?;
                self.cell(field, line, sub, value)
            }
            Edit::RemoveLine { field, line } => self.remove_line(self.collection.require_field(field)?, line),
            Edit::Archive(archived) => {
                self.push(keys::ARCHIVED, Act::Put(Plain::Bool(*archived)));
                Ok(())
            }
            Edit::MergeInto(record) => {
                self.push(keys::MERGED_INTO, Act::Put(record.map_or(Plain::Null, Plain::Id)));
                Ok(())
            }
            Edit::Cite(changes) if changes.len() > CITES_MAX => Err(Error::limit("change-limit").with("part", "cites")),
            Edit::Cite(changes) => {
                let bytes: Vec<u8> = changes.iter().flat_map(|hash| hash.0).collect();
                self.push(keys::CITES, Act::Put(Plain::Bytes(bytes)));
                Ok(())
            }
        }
    }

    /// A whole value for a field, as a form gives it.
    pub(super) fn set(&mut self, field: &'a Field, value: &'a Value) -> Result<()> {
        match (&field.ty, value) {
            (FieldType::LongText, Value::Text(text)) => self.text(field, text),
            (FieldType::LongText, Value::Null) => self.text(field, ""),
            (FieldType::Counter, Value::Integer(start)) if self.state.is_none() => self.increment(field, *start),
            (FieldType::Counter, Value::Null) if self.state.is_none() => Ok(()),
            (FieldType::Counter, _) => Err(unsuited(field)),
            (FieldType::Set(_), Value::Set(items)) => {
                bounded(field, items.len())?;
                self.remove_all(&field.name, |key| items.contains(key));
                items.iter().try_for_each(|item| self.item(&field.name, item, Act::Put(Plain::Bool(true))))
            }
            (FieldType::Lines(_), Value::Lines(lines)) => {
                bounded(field, lines.len())?;
                self.remove_all(&field.name, |key| {
                    let cell = key.split_once('/');
                    cell.is_some_and(|(line, sub)| lines.get(line).is_some_and(|cells| cells.contains_key(sub)))
                });
                let cells = lines.iter().flat_map(|(line, cells)| cells.iter().map(move |(sub, v)| (line, sub, v)));
                cells.into_iter().try_for_each(|(line, sub, value)| self.cell(field, line, sub, value))
            }
            (FieldType::Set(_) | FieldType::Lines(_), Value::Null) => {
                self.remove_all(&field.name, |_| false);
                Ok(())
            }
            (ty, value) => {
                let value = plain(ty, value).ok_or_else(|| unfit(field))?;
                self.push(&*field.name, Act::Put(value));
                Ok(())
            }
        }
    }

    fn text(&mut self, field: &'a Field, text: &'a str) -> Result<()> {
        if text.chars().count() > LONG_TEXT_CHARS_MAX {
            return Err(Error::limit("long-text-too-long")
                .with("field", &*field.name)
                .with("limit", LONG_TEXT_CHARS_MAX));
        }
        self.texts.retain(|(name, _)| *name != &*field.name);
        self.texts.push((&field.name, text));
        Ok(())
    }

    fn increment(&mut self, field: &'a Field, by: i64) -> Result<()> {
        if by.unsigned_abs() > COUNTER_STEP_MAX {
            return Err(Error::limit("counter-step-too-large")
                .with("field", &*field.name)
                .with("limit", COUNTER_STEP_MAX));
        }
        self.push(&*field.name, Act::Increment(by));
        Ok(())
    }

    fn item(&mut self, name: &str, item: &'a str, act: Act<'a>) -> Result<()> {
        let field = self.collection.require_field(name)?;
        let FieldType::Set(of) = &field.ty else { return Err(unsuited(field)) };
        if !is_item(of, item) {
            return Err(unfit(field));
        }
        self.push(format!("{name}/{item}"), act);
        Ok(())
    }

    fn cell(&mut self, field: &'a Field, line: &'a str, sub: &'a str, value: &'a Value) -> Result<()> {
        let FieldType::Lines(subs) = &field.ty else { return Err(unsuited(field)) };
        let column = subs
            .iter()
            .find(|column| &*column.name == sub)
            .ok_or_else(|| Error::not_found("unknown-column").with("field", &*field.name).with("column", sub))?;
        if !is_line_id(line) {
            return Err(Error::invalid("bad-line-id").with("field", &*field.name).with("line", line));
        }
        let value = plain(&column.ty, value).ok_or_else(|| unfit(field))?;
        self.push(format!("{}/{line}/{sub}", field.name), Act::Put(value));
        Ok(())
    }

    fn remove_line(&mut self, field: &'a Field, line: &str) -> Result<()> {
        let FieldType::Lines(_) = field.ty else { return Err(unsuited(field)) };
        let prefix = format!("{}/{line}/", field.name);
        self.acts.retain(|planned| !planned.key.starts_with(&prefix));
        self.remove_all(&prefix[..prefix.len() - 1], |_| false);
        Ok(())
    }

    // Removes everything under `name/` but what is to be kept.
    fn remove_all(&mut self, name: &str, keep: impl Fn(&str) -> bool) {
        let Some(state) = self.state else { return };
        let prefix = format!("{name}/");
        for slot in state.fold().under(state.changes(), &prefix) {
            let key = slot.key(state.changes());
            if slot.current().next().is_some() && !key.strip_prefix(&prefix).is_some_and(&keep) {
                self.acts.push(Planned { key: Cow::Borrowed(key), act: Act::Remove });
            }
        }
    }

    /// One act for each key, in order, without those that would change nothing.
    pub(super) fn settle(&mut self) -> Result<()> {
        self.acts.sort_by(|a, b| a.key.cmp(&b.key));
        self.acts.dedup_by(|later, kept| {
            if later.key != kept.key {
                return false;
            }
            match (&mut kept.act, &mut later.act) {
                (Act::Increment(sum), Act::Increment(by)) => *sum = sum.saturating_add(*by),
                (kept, later) => std::mem::swap(kept, later),
            }
            true
        });
        let state = self.state;
        self.acts.retain(|planned| changes_something(state, planned));
        self.texts.retain(|(field, text)| state.and_then(|s| s.text(field)).unwrap_or_default() != *text);
        Ok(())
    }
}

fn changes_something(state: Option<&State>, planned: &Planned<'_>) -> bool {
    let slot = state.and_then(|state| state.fold().slot(state.changes(), &planned.key));
    let mut current = state.into_iter().flat_map(|state| slot.into_iter().flat_map(|s| s.writes(state.changes())));
    match &planned.act {
        Act::Increment(by) => *by != 0,
        Act::Remove => current.next().is_some(),
        // Somebody edited while it was being archived: archiving once more says that the edit was seen.
        Act::Put(Plain::Bool(true)) if planned.key == keys::ARCHIVED && state.is_some_and(State::review_mark) => true,
        Act::Put(value) => {
            let nothing =
                matches!(value, Plain::Null) || (planned.key == keys::ARCHIVED && *value == Plain::Bool(false));
            match current.next() {
                None => !nothing,
                Some((_, op)) => op.value != value.scalar() || current.any(|(_, op)| op.value != value.scalar()),
            }
        }
    }
}

fn bounded(field: &Field, count: usize) -> Result<()> {
    if count <= ITEMS_MAX {
        return Ok(());
    }
    Err(Error::limit("too-many-parts").with("field", &*field.name).with("limit", ITEMS_MAX))
}

fn unfit(field: &Field) -> Error {
    Error::invalid("value-does-not-fit").with("field", &*field.name)
}

fn unsuited(field: &Field) -> Error {
    Error::invalid("edit-does-not-suit").with("field", &*field.name)
}
