//! One row at a time: its cells as values, the record it means, and what to write.
//!
//! A row either comes in whole or is refused with the first reason; what its collection requires and it lacks is only
//! told ([`required`]). A row whose reference to its own collection is not
//! there yet is put off, because a later row may bring it. A record that is here is changed only in the cells that
//! differ from what the last import brought, so that an old file overwrites nothing.

mod references;
mod required;
mod update;

pub(super) use update::same;

use std::collections::{BTreeSet, HashMap, HashSet};

use super::cell;
use super::held::{Held, HeldRecord, State, digest, key_text};
use super::issue::{Issue, Outcome, Reason};
use super::lookup::{Found, Lookup};
use super::map::Missing;
use super::plan::{Column, Plan, Target};
use super::table::Row;
use crate::error::{Error, Result};
use crate::id::{BatchId, RecordId};
use crate::message::Message;
use crate::replica::{Query, Replica, Tx};
use crate::schema::{Currency, Field, FieldType, Name, Value};

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Created,
    Updated,
    Unchanged,
    Refused,
    /// It refers to a record of its own collection that no row before it brought.
    PutOff,
}

/// Reads rows against what is here. See the [module](self).
pub(super) struct Engine<'a> {
    pub plan: &'a Plan,
    pub outcome: Outcome,
    /// Changes written since this was last set to 0.
    pub changes: usize,
    pub held: Held,
    batch: BatchId,
    currency: Currency,
    lookups: Vec<Lookup>,
    homes: HashMap<RecordId, RecordId>,
    constants: Vec<(Name, Value)>,
    // Records of the rows' own collection that a look-up made: the row that brings the rest of them creates them.
    made: HashSet<RecordId>,
    branchless_told: bool,
    // Required fields without a column, told once for the whole file.
    columnless_told: HashSet<Name>,
}

/// The values of a row on their way to a record.
pub(super) struct Draft {
    line: u64,
    pub values: Vec<(Name, Value)>,
    id: Option<RecordId>,
    branch: Option<RecordId>,
    /// The branch stands in the row or the map, and does not follow from the owner.
    branch_given: bool,
    /// It has no key of its own and is known by its place in the batch.
    by_place: bool,
}

/// Why a row does not come in now.
pub(super) enum Halt {
    Refused(Issue),
    PutOff,
    /// Not the row's fault: nothing can be written any more.
    Failed(Error),
}

pub(super) type Read<T> = std::result::Result<T, Halt>;

impl<'a> Engine<'a> {
    pub(super) fn new(replica: &Replica, plan: &'a Plan, batch: BatchId) -> Result<Self> {
        let lookups = plan.lookups.iter().map(|l| Lookup::load(replica, l)).collect::<Result<Vec<_>>>()?;
        let mut engine = Self {
            plan,
            outcome: Outcome { batch, ..Outcome::default() },
            changes: 0,
            batch,
            currency: replica.settings()?.currency,
            lookups,
            held: Held::load(replica, plan)?,
            homes: HashMap::new(),
            constants: Vec::new(),
            made: HashSet::new(),
            branchless_told: false,
            columnless_told: HashSet::new(),
        };
        if plan.of_branch() && plan.lines.is_none() {
            let people = Query::of("user").fields(["home_branch"]);
            replica.each(&people, &mut |person| {
                engine.homes.extend(person.reference("home_branch").map(|branch| (person.id, branch)));
                Ok(())
            })?;
        }
        for (column, text) in &plan.constants {
            let value = engine.constant(column, text)?;
            if let Target::Field(field) = &column.target {
                engine.constants.push((field.name.clone(), value));
            }
        }
        Ok(engine)
    }

    fn constant(&mut self, column: &Column, text: &str) -> Result<Value> {
        let unknown = || Error::invalid("import-map-constant").with("field", &*column.heading).with("value", text);
        let Target::Field(field) = &column.target else { return Err(unknown()) };
        let found = column.lookup.and_then(|at| self.lookups.get_mut(at)).map(|lookup| lookup.find(text.trim(), None));
        match found {
            None => cell::value(column, field, text, self.currency, &mut cell::no_reference),
            Some(Found::Exact(id) | Found::Near(id, _)) if matches!(field.ty, FieldType::Set(_)) => {
                Ok(Value::Set(BTreeSet::from([id.to_string()])))
            }
            Some(Found::Exact(id) | Found::Near(id, _)) => Ok(Value::Reference(id)),
            Some(_) => Err(unknown()),
        }
    }

    /// Takes one row in. With `last` nothing is put off any more.
    ///
    /// # Errors
    /// Only what stops the whole import; a row's own fault is counted and told in the outcome.
    pub(super) fn row(&mut self, tx: &mut Tx<'_>, row: &Row<'_>, last: bool) -> Result<Step> {
        let (warnings, more) = (self.outcome.warnings.len(), self.outcome.warnings_more);
        match self.take(tx, row, last) {
            Ok(step) => {
                self.count(step);
                Ok(step)
            }
            Err(Halt::Refused(issue)) => {
                self.outcome.refuse(issue);
                Ok(Step::Refused)
            }
            Err(Halt::PutOff) => {
                self.outcome.warnings.truncate(warnings);
                self.outcome.warnings_more = more;
                Ok(Step::PutOff)
            }
            Err(Halt::Failed(error)) => Err(error),
        }
    }

    pub(super) fn count(&mut self, step: Step) {
        match step {
            Step::Created => self.outcome.created += 1,
            Step::Updated => self.outcome.updated += 1,
            _ => self.outcome.unchanged += 1,
        }
    }

    fn take(&mut self, tx: &mut Tx<'_>, row: &Row<'_>, last: bool) -> Read<Step> {
        let mut draft = self.read(tx, row, last)?;
        // A row without a key of its own is known by its place in the batch.
        if draft.id.is_none() && key_text(&self.plan.keys, &draft.values).is_empty() {
            self.key_by_place(&mut draft);
        }
        let plan = self.plan;
        let key = key_text(&plan.keys, &draft.values);
        match self.held_for(&draft, &key) {
            Some(held) => self.update(tx, row, &draft, held),
            None => self.create(tx, row, draft, &key),
        }
    }

    /// The cells of a row as values, references found or made.
    pub(super) fn read(&mut self, tx: &mut Tx<'_>, row: &Row<'_>, last: bool) -> Read<Draft> {
        if let Some(fault) = &row.fault {
            return Err(refused(row.line, "", "", fault.clone()));
        }
        self.check_filled(row)?;
        if let Some(note) = &row.note {
            self.warn(row.line, "", "", note.clone(), None);
        }
        let mut draft = Draft {
            line: row.line,
            values: Vec::with_capacity(self.constants.len() + self.plan.columns.len() + 2),
            id: None,
            branch: None,
            branch_given: false,
            by_place: false,
        };
        draft.values.extend(self.constants.iter().cloned());
        let plan = self.plan;
        // Plain cells first, then references, and those that may be made last: they need the row's branch.
        for column in plan.columns.iter().filter(|c| c.lookup.is_none()) {
            let text = cell::text(plan, column, row);
            match &column.target {
                Target::Field(field) => {
                    let value = self.plain(column, field, text, row)?;
                    draft.values.push((field.name.clone(), value));
                }
                Target::Id if text.is_empty() => {}
                Target::Id => {
                    let unknown = || refused(row.line, &column.heading, text, Message::new("import-id-malformed"));
                    draft.id = Some(RecordId::parse(text.trim()).ok_or_else(unknown)?);
                }
                Target::CurrencyOf(_) => {}
            }
        }
        for template in &plan.templates {
            if let Target::Field(field) = &template.column.target {
                let text = cell::joined(plan, &template.parts, row);
                let value = self.plain(&template.column, field, &text, row)?;
                draft.values.push((field.name.clone(), value));
            }
        }
        self.name_otherwise(&mut draft);
        let early =
            |c: &&Column| c.lookup.and_then(|at| plan.lookups.get(at)).is_some_and(|l| l.missing != Missing::Create);
        for column in plan.columns.iter().filter(early) {
            self.reference(tx, column, row, &mut draft, last)?;
        }
        self.settle_branch(&mut draft);
        let late = |c: &&Column| c.lookup.is_some() && !early(c);
        for column in plan.columns.iter().filter(late) {
            self.reference(tx, column, row, &mut draft, last)?;
        }
        Ok(draft)
    }

    fn key_by_place(&self, draft: &mut Draft) {
        draft.by_place = true;
        let place = Value::Text(format!("{}/{}", self.batch, draft.line));
        match draft.values.iter_mut().find(|(name, _)| &**name == "external_id") {
            Some((_, value)) => *value = place,
            None => draft.values.push(("external_id".into(), place)),
        }
    }

    fn plain(&mut self, column: &Column, field: &Field, text: &str, row: &Row<'_>) -> Read<Value> {
        let halt = |e: Error| refused(row.line, &column.heading, text, e);
        let mut currency = self.currency;
        if field.ty == FieldType::Money
            && let Some(own) = cell::with_currency(self.plan, row, field).map_err(halt)?
        {
            currency = own;
        }
        let (plan, lookups) = (self.plan, &mut self.lookups);
        let mut resolve = |collection: &str, text: &str| references::in_lines(plan, lookups, collection, text);
        let value = cell::value(column, field, text, currency, &mut resolve).map_err(halt)?;
        if let Some((message, nearest)) = cell::choice_warning(field, &value) {
            self.warn(row.line, &column.heading, text, message, nearest);
        }
        Ok(value)
    }

    /// The branch of a row: its own or the map's, else its owner's home.
    fn settle_branch(&mut self, draft: &mut Draft) {
        if !self.plan.of_branch() || self.plan.lines.is_some() {
            return;
        }
        let reference = |draft: &Draft, field: &str| {
            draft.values.iter().find(|(name, _)| &**name == field).and_then(|(_, value)| match value {
                Value::Reference(id) => Some(*id),
                _ => None,
            })
        };
        draft.branch = reference(draft, "branch");
        draft.branch_given = draft.branch.is_some();
        if draft.branch.is_none() {
            draft.branch = reference(draft, "owner").and_then(|owner| self.homes.get(&owner).copied());
        }
        if draft.branch.is_none() && !self.branchless_told {
            self.branchless_told = true;
            self.warn(draft.line, "", "", Message::new("import-no-branch"), None);
        }
    }

    fn held_for(&mut self, draft: &Draft, key: &str) -> Option<HeldRecord> {
        if let Some(held) = draft.id.and_then(|id| self.held.by_id(&id)) {
            return Some(held);
        }
        let found = self.held.by_key(draft.branch, key, !draft.branch_given);
        let first = found.iter().min_by_key(|h| h.id).copied()?;
        if found.len() > 1 {
            let message = Message::new("import-key-several").with("count", found.len());
            self.warn(draft.line, "", "", message, None);
        }
        Some(first)
    }

    fn create(&mut self, tx: &mut Tx<'_>, row: &Row<'_>, mut draft: Draft, key: &str) -> Read<Step> {
        let digest = self.digest(&draft.values);
        if key.is_empty() && !draft.by_place {
            self.key_by_place(&mut draft);
        }
        let names: Vec<Name> = match draft.by_place {
            true => vec!["external_id".into()],
            // An empty part of a key names nothing.
            false => self.plan.keys.iter().map(|f| f.name.clone()).filter(|name| filled(&draft.values, name)).collect(),
        };
        let held = |name: &str| draft.values.iter().any(|(n, _)| &**n == name);
        if let Some(branch) = draft.branch.filter(|_| !held("branch")) {
            draft.values.push(("branch".into(), Value::Reference(branch)));
        }
        let values: Vec<_> = draft.values.iter().filter(|(_, value)| *value != Value::Null).cloned().collect();
        self.check_definition(draft.line, &values)?;
        let made = tx.create_keyed(&self.plan.collection.name, values, &names);
        let keyed = made.map_err(|error| self.blame(row, &draft.values, error))?;
        let record = HeldRecord { id: keyed.id, digest, state: State::Live };
        self.changes += 1;
        self.held.add(draft.branch, key, record);
        self.share(&draft.values, keyed.id, draft.branch);
        if keyed.created {
            self.tell_lacking(&draft);
            return Ok(Step::Created);
        }
        // It was here under another key or in another branch: its id says that it is this row's record.
        self.update(tx, row, &draft, HeldRecord { digest: !digest, ..record })
    }

    /// Lets later rows find a record that this row made.
    fn share(&mut self, values: &[(Name, Value)], id: RecordId, branch: Option<RecordId>) {
        for (lookup, plan) in self.lookups.iter_mut().zip(&self.plan.lookups).filter(|(_, plan)| plan.own) {
            let texts = values.iter().filter(|(name, _)| plan.by.contains(name));
            for (_, value) in texts {
                if let Value::Text(text) = value {
                    lookup.add(text.trim(), id, branch);
                }
            }
        }
    }

    fn digest(&self, values: &[(Name, Value)]) -> u64 {
        let of = |name: &str| values.iter().find(|(n, _)| &**n == name).map_or(&Value::Null, |(_, value)| value);
        digest(self.plan, of)
    }

    /// Names the column whose value the replica did not take.
    fn blame(&self, row: &Row<'_>, values: &[(Name, Value)], error: Error) -> Halt {
        for column in &self.plan.columns {
            let Target::Field(field) = &column.target else { continue };
            let Some((_, value)) = values.iter().find(|(name, _)| *name == field.name) else { continue };
            if let Err(own) = cell::judge(self.plan, field, value) {
                return refused(row.line, &column.heading, cell::text(self.plan, column, row), own);
            }
        }
        row_halt(row.line, "", "", error)
    }

    fn warn(&mut self, row: u64, column: &str, value: &str, message: Message, nearest: Option<String>) {
        let reason = Reason::Message(message);
        self.outcome.warn(Issue { row, column: column.to_owned(), value: value.to_owned(), reason, nearest });
    }
}

pub(super) fn refused(row: u64, column: &str, value: &str, reason: impl Into<Reason>) -> Halt {
    Halt::Refused(Issue {
        row,
        column: column.to_owned(),
        value: value.to_owned(),
        reason: reason.into(),
        nearest: None,
    })
}

/// A row's own fault refuses the row; a fault of store or disk stops the import.
pub(super) fn row_halt(row: u64, column: &str, value: &str, error: Error) -> Halt {
    match error {
        Error::Invalid(_) | Error::NotFound(_) | Error::Ambiguous(_) | Error::Limit(_) => {
            refused(row, column, value, error)
        }
        other => Halt::Failed(other),
    }
}

fn filled(values: &[(Name, Value)], name: &Name) -> bool {
    values.iter().any(|(n, value)| n == name && *value != Value::Null)
}
