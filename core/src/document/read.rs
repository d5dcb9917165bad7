//! Reading a record: visible values by the declared winner rules, conflicts, and what stands in system keys.

use std::collections::{BTreeMap, BTreeSet};

use super::fold::Slot;
use super::keys;
use super::state::State;
use super::values::value_of;
use super::vetted::{Op, Vetted};
use super::winner::{self, Candidate};
use crate::id::{ActorId, ChangeHash, RecordId};
use crate::schema::{Collection, Field, FieldType, LineId, Name, Value, Winner};
use crate::time::Millis;
use crate::wire::chunk::Scalar;

/// A field, or a cell of a line, with several concurrent values.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldConflict {
    /// The field.
    pub field: Name,
    /// In a lines field: the line and the field of the line.
    pub cell: Option<(LineId, Name)>,
    /// The rule that chose the shown value.
    pub rule: Winner,
    /// The distinct values, the shown one first, then by hand before imports, newest first.
    pub values: Vec<ConflictValue>,
}

/// One of several concurrent values.
#[derive(Debug, Clone, PartialEq)]
pub struct ConflictValue {
    /// The value.
    pub value: Value,
    /// Who wrote it; of several who wrote the same, the last by hand.
    pub actor: ActorId,
    /// When.
    pub at: Millis,
    /// In which change.
    pub change: ChangeHash,
    /// Whether it is the one that is shown.
    pub shown: bool,
}

impl State {
    /// The visible values by the places of the collection's fields; null where a field is empty. Keys that the collection
    /// does not know are left out here and stay in the record.
    pub fn values(&self, collection: &Collection) -> Vec<Value> {
        collection.fields.iter().map(|field| self.value(field)).collect()
    }

    /// The visible value of a field; null where it is empty.
    pub fn value(&self, field: &Field) -> Value {
        match &field.ty {
            FieldType::LongText => match self.text(&field.name) {
                Some(text) if !text.is_empty() => Value::Text(text.to_owned()),
                _ => Value::Null,
            },
            FieldType::Counter => {
                let sum = self.fold().slot(self.changes(), &field.name).and_then(|slot| slot.counter);
                sum.map_or(Value::Null, Value::Integer)
            }
            FieldType::Set(_) => self.set(field),
            FieldType::Lines(subs) => self.lines(field, subs),
            _ => {
                let slot = self.fold().slot(self.changes(), &field.name);
                slot.map_or(Value::Null, |slot| self.shown(field, slot))
            }
        }
    }

    fn set(&self, field: &Field) -> Value {
        let prefix = format!("{}/", field.name);
        let present = self.fold().under(self.changes(), &prefix).filter(|slot| slot.current().next().is_some());
        let items: BTreeSet<String> =
            present.filter_map(|slot| slot.key(self.changes()).strip_prefix(&prefix)).map(str::to_owned).collect();
        if items.is_empty() { Value::Null } else { Value::Set(items) }
    }

    fn lines(&self, field: &Field, subs: &[Field]) -> Value {
        let prefix = format!("{}/", field.name);
        let mut lines: BTreeMap<LineId, BTreeMap<String, Value>> = BTreeMap::new();
        for slot in self.fold().under(self.changes(), &prefix) {
            let cell = slot.key(self.changes()).strip_prefix(&prefix).and_then(|cell| cell.split_once('/'));
            let Some((line, sub)) = cell else { continue };
            if slot.current().next().is_none() {
                continue;
            }
            // A line is there even where all its cells are of a newer schema.
            let cells = lines.entry(line.to_owned()).or_default();
            if let Some(sub) = subs.iter().find(|known| &*known.name == sub) {
                let value = self.shown(sub, slot);
                if value != Value::Null {
                    cells.insert(sub.name.to_string(), value);
                }
            }
        }
        if lines.is_empty() { Value::Null } else { Value::Lines(lines) }
    }

    fn shown(&self, field: &Field, slot: &Slot) -> Value {
        let mut writes = slot.writes(self.changes());
        match (writes.next(), writes.next()) {
            (Some((_, op)), None) => value_of(&field.ty, op.value).unwrap_or(Value::Null),
            _ => self.ranked(field, slot).into_iter().next().map_or(Value::Null, |shown| shown.value),
        }
    }

    pub(super) fn ranked(&self, field: &Field, slot: &Slot) -> Vec<Candidate> {
        winner::rank(&field.winner, slot.writes(self.changes()).filter_map(|write| candidate(&field.ty, write)))
    }

    /// Every concurrent value of a reference field, without empty ones, the shown one first: a record whose scope field
    /// is in conflict belongs to the scopes of all its values.
    pub fn scope_values(&self, field: &str) -> Vec<Value> {
        let slot = self.fold().slot(self.changes(), field);
        let writes = slot.into_iter().flat_map(|slot| slot.writes(self.changes()));
        let ranked = winner::rank(&Winner::Latest, writes.filter_map(|write| candidate(&reference(), write)));
        ranked.into_iter().map(|write| write.value).filter(|value| *value != Value::Null).collect()
    }

    /// The fields with several distinct concurrent values, in the order of the collection, then by line.
    pub fn conflicts(&self, collection: &Collection) -> Vec<FieldConflict> {
        let mut conflicts = Vec::new();
        if !self.fold().is_contested() {
            return conflicts;
        }
        for field in &collection.fields {
            match &field.ty {
                FieldType::LongText | FieldType::Counter | FieldType::Set(_) => {}
                FieldType::Lines(subs) => {
                    let prefix = format!("{}/", field.name);
                    for slot in self.fold().under(self.changes(), &prefix) {
                        let cell = slot.key(self.changes()).strip_prefix(&prefix).and_then(|c| c.split_once('/'));
                        let Some((line, sub)) = cell else { continue };
                        let Some(sub) = subs.iter().find(|known| &*known.name == sub) else { continue };
                        let cell = Some((line.to_owned(), sub.name.clone()));
                        conflicts.extend(self.conflict(field, sub, cell, slot));
                    }
                }
                _ => {
                    let slot = self.fold().slot(self.changes(), &field.name);
                    conflicts.extend(slot.and_then(|slot| self.conflict(field, field, None, slot)));
                }
            }
        }
        conflicts
    }

    fn conflict(
        &self,
        field: &Field,
        typed: &Field,
        cell: Option<(LineId, Name)>,
        slot: &Slot,
    ) -> Option<FieldConflict> {
        slot.current().nth(1).filter(|_| !typed.placing)?;
        let ranked = self.ranked(typed, slot);
        if ranked.len() < 2 {
            return None;
        }
        let values = ranked.into_iter().enumerate().map(|(place, c)| ConflictValue {
            value: c.value,
            actor: c.actor,
            at: c.at,
            change: c.change,
            shown: place == 0,
        });
        Some(FieldConflict { field: field.name.clone(), cell, rule: typed.winner.clone(), values: values.collect() })
    }

    /// Whether the record is archived: somebody did, nobody took it back, and no edit by hand happened at the same time
    /// that nobody has looked at since.
    pub fn archived(&self) -> bool {
        self.is_marked_archived() && !self.review_mark()
    }

    /// Whether a person edited the record while another one archived it: it is back, and somebody should look.
    pub fn review_mark(&self) -> bool {
        if !self.is_marked_archived() {
            return false;
        }
        let Some(slot) = self.fold().slot(self.changes(), keys::ARCHIVED) else { return false };
        let mut related = vec![false; self.changes().len()];
        for at in slot.current() {
            let Some((archiving, _)) = at.of(self.changes()) else { continue };
            let seen = self.ancestors(&[archiving.hash()]);
            let later = self.descendants(at.change as usize);
            for (known, (seen, later)) in related.iter_mut().zip(seen.into_iter().zip(later)) {
                *known |= seen || later;
            }
        }
        let is_edit = |change: &Vetted| !change.actor().is_import() && edits(change);
        self.changes().iter().zip(related).any(|(change, related)| !related && is_edit(change))
    }

    fn is_marked_archived(&self) -> bool {
        let slot = self.fold().slot(self.changes(), keys::ARCHIVED);
        let Some(slot) = slot else { return false };
        let mut writes = slot.writes(self.changes()).peekable();
        writes.peek().is_some() && writes.all(|(_, op)| op.value == Scalar::Bool(true))
    }

    /// The record that this one was merged into.
    pub fn merged_into(&self) -> Option<RecordId> {
        let slot = self.fold().slot(self.changes(), keys::MERGED_INTO)?;
        let writes = slot.writes(self.changes()).filter_map(|write| candidate(&reference(), write));
        match winner::rank(&Winner::Latest, writes).into_iter().next()?.value {
            Value::Reference(id) => Some(id),
            _ => None,
        }
    }
}

// A reference to whatever record.
pub(super) fn reference() -> FieldType {
    FieldType::Reference(Name::from(""))
}

// Archiving at the same time as another one is agreement, not an edit.
fn edits(change: &Vetted) -> bool {
    change.texts().len() > 0 || change.ops().any(|op| op.key != keys::ARCHIVED)
}

pub(super) fn candidate(ty: &FieldType, (change, op): (&Vetted, Op<'_>)) -> Option<Candidate> {
    let value = value_of(ty, op.value)?;
    Some(Candidate { value, actor: change.actor(), at: change.time(), change: change.hash() })
}
