//! One row at a time: its cells as values, the record it means, and what to write.
//!
//! A row either comes in whole or is refused with the first reason. A row whose reference to its own collection is not
//! there yet is put off, because a later row may bring it. A record that is here is changed only in the cells that
//! differ from what the last import brought, so that an old file overwrites nothing.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::cell;
use super::guess::normal;
use super::held::{Held, HeldRecord, State, digest, key_text};
use super::issue::{Issue, Outcome, Reason};
use super::lookup::{Found, Lookup};
use super::map::Missing;
use super::plan::{Column, LookupPlan, Plan, Target};
use super::table::Row;
use crate::error::{Error, Result};
use crate::id::{BatchId, RecordId};
use crate::message::Message;
use crate::replica::{Edit, Query, Record, Replica, Tx};
use crate::schema::{Currency, Field, FieldType, Kind, Name, SetOf, Value, require_all};

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
}

/// The values of a row on their way to a record.
pub(super) struct Draft {
    line: u64,
    pub values: Vec<(Name, Value)>,
    id: Option<RecordId>,
    branch: Option<RecordId>,
    /// The branch stands in the row or the map, and does not follow from the owner.
    branch_given: bool,
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
        if draft.id.is_none() && key_text(&self.plan.key_fields(), &draft.values).is_empty() {
            self.key_by_place(&mut draft);
        }
        let key_fields = self.plan.key_fields();
        let key = key_text(&key_fields, &draft.values);
        match self.held_for(&draft, &key) {
            Some(held) => self.update(tx, row, &draft, held),
            None => self.create(tx, row, draft, &key_fields, &key),
        }
    }

    /// The cells of a row as values, references found or made.
    pub(super) fn read(&mut self, tx: &mut Tx<'_>, row: &Row<'_>, last: bool) -> Read<Draft> {
        if let Some(fault) = &row.fault {
            return Err(refused(row.line, "", "", fault.clone()));
        }
        if let Some(note) = &row.note {
            self.warn(row.line, "", "", note.clone(), None);
        }
        let mut draft = Draft {
            line: row.line,
            values: Vec::with_capacity(self.constants.len() + self.plan.columns.len() + 2),
            id: None,
            branch: None,
            branch_given: false,
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
        let mut resolve = |collection: &str, text: &str| in_lines(plan, lookups, collection, text);
        let value = cell::value(column, field, text, currency, &mut resolve).map_err(halt)?;
        if let Some((message, nearest)) = cell::choice_warning(field, &value) {
            self.warn(row.line, &column.heading, text, message, nearest);
        }
        Ok(value)
    }

    fn reference(
        &mut self,
        tx: &mut Tx<'_>,
        column: &Column,
        row: &Row<'_>,
        draft: &mut Draft,
        last: bool,
    ) -> Read<()> {
        let Target::Field(field) = &column.target else { return Ok(()) };
        let text = cell::text(self.plan, column, row).trim();
        let value = match &field.ty {
            FieldType::Set(SetOf::Reference(_)) => {
                let mut items = BTreeSet::new();
                for item in text.split(';').map(str::trim).filter(|item| !item.is_empty()) {
                    items.extend(self.record_of(tx, column, item, draft, last)?.map(|id| id.to_string()));
                }
                if items.is_empty() { Value::Null } else { Value::Set(items) }
            }
            _ if text.is_empty() => {
                self.tell_empty(column, field, draft.line);
                Value::Null
            }
            _ => self.record_of(tx, column, text, draft, last)?.map_or(Value::Null, Value::Reference),
        };
        draft.values.push((field.name.clone(), value));
        Ok(())
    }

    /// The top of a tree has no parent, so only references to other collections are missed.
    fn tell_empty(&mut self, column: &Column, field: &Field, line: u64) {
        let own = FieldType::Reference(self.plan.collection.name.clone());
        if field.ty != own {
            let message = Message::new("import-reference-empty").with("field", &*field.name);
            self.warn(line, &column.heading, "", message, None);
        }
    }

    /// The record that a cell means, made if the map says so; none leaves the field empty.
    fn record_of(
        &mut self,
        tx: &mut Tx<'_>,
        column: &Column,
        text: &str,
        draft: &Draft,
        last: bool,
    ) -> Read<Option<RecordId>> {
        let plan = self.plan;
        let Some((at, wanted)) = column.lookup.and_then(|at| plan.lookups.get(at).map(|l| (at, l))) else {
            return Ok(None);
        };
        let Some(lookup) = self.lookups.get_mut(at) else { return Ok(None) };
        let named = |message: Message| message.with("collection", &*wanted.collection.name).with("value", text);
        let (message, nearest) = match lookup.find(text, draft.branch) {
            Found::Exact(id) => return Ok(Some(id)),
            Found::Near(id, known) => {
                let message = named(Message::new("import-reference-near")).with("known", &*known);
                self.warn(draft.line, &column.heading, text, message, Some(known.to_string()));
                return Ok(Some(id));
            }
            Found::Several(count) => (named(Message::new("import-reference-several")).with("count", count), None),
            Found::None(_) if wanted.own && !last => return Err(Halt::PutOff),
            Found::None(nearest) if wanted.missing == Missing::Create => {
                return self.make(tx, column, text, draft, nearest.as_deref()).map(Some);
            }
            Found::None(nearest) => {
                let near = nearest.as_deref().unwrap_or_default();
                let message = named(Message::new("import-reference-missing"));
                (message.with("near", usize::from(!near.is_empty())).with("nearest", near), nearest)
            }
        };
        let nearest = nearest.map(|n| n.to_string());
        let reason = Reason::Message(message);
        let issue = Issue { row: draft.line, column: column.heading.clone(), value: text.to_owned(), reason, nearest };
        if wanted.missing == Missing::Refuse {
            return Err(Halt::Refused(issue));
        }
        self.outcome.warn(issue);
        Ok(None)
    }

    /// Makes the record that a cell names, under the id that every replica derives from the name.
    fn make(
        &mut self,
        tx: &mut Tx<'_>,
        column: &Column,
        text: &str,
        draft: &Draft,
        near: Option<&str>,
    ) -> Read<RecordId> {
        let plan = self.plan;
        let wanted = column.lookup.and_then(|at| plan.lookups.get(at));
        let Some((wanted, by)) = wanted.and_then(|w| w.by.first().map(|by| (w, by))) else {
            return Err(refused(draft.line, &column.heading, text, Message::new("import-id-malformed")));
        };
        let collection = &wanted.collection;
        let halt = |e: Error| row_halt(draft.line, &column.heading, text, e);
        let by_field = collection.require_field(by).map_err(halt)?;
        let value =
            cell::value(&plain_column(column), by_field, text, self.currency, &mut cell::no_reference).map_err(halt)?;
        let mut values = vec![(by.clone(), value)];
        // What else the collection requires is that text, too: a branch found by name gets a code, a team a name.
        for field in collection.fields.iter().filter(|f| f.required && f.name != *by && f.ty == FieldType::Text) {
            let text = if &*field.name == "code" { normal(text).replace(' ', "-") } else { text.to_owned() };
            values.push((field.name.clone(), Value::Text(text)));
        }
        let branch = draft.branch.filter(|_| collection.kind == Kind::Branch);
        values.extend(branch.map(|branch| ("branch".into(), Value::Reference(branch))));
        let keyed = tx.create_keyed(&collection.name, values.clone(), std::slice::from_ref(by)).map_err(halt)?;
        self.changes += 1;
        self.outcome.looked_up += u64::from(keyed.created);
        if wanted.own {
            self.made.insert(keyed.id);
            let record = HeldRecord { id: keyed.id, digest: 0, state: State::Live };
            self.held.add(branch, &key_text(&plan.key_fields(), &values), record);
        }
        for (lookup, other) in self.lookups.iter_mut().zip(&plan.lookups) {
            if other.collection.name == collection.name && other.take.is_none() && other.by.contains(by) {
                lookup.add(text, keyed.id, branch);
            }
        }
        if let Some(near) = near {
            let message = Message::new("import-reference-made")
                .with("collection", &*collection.name)
                .with("value", text)
                .with("nearest", near);
            self.warn(draft.line, &column.heading, text, message, Some(near.to_owned()));
        }
        Ok(keyed.id)
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

    fn create(&mut self, tx: &mut Tx<'_>, row: &Row<'_>, mut draft: Draft, keys: &[Field], key: &str) -> Read<Step> {
        let digest = self.digest(&draft.values);
        let by_place = key.is_empty() && draft.id.is_some();
        if by_place {
            self.key_by_place(&mut draft);
        }
        let names: Vec<Name> = match by_place {
            true => vec!["external_id".into()],
            // An empty part of a key names nothing.
            false => keys.iter().map(|f| f.name.clone()).filter(|name| filled(&draft.values, name)).collect(),
        };
        let held = |name: &str| draft.values.iter().any(|(n, _)| &**n == name);
        if let Some(branch) = draft.branch.filter(|_| !held("branch")) {
            draft.values.push(("branch".into(), Value::Reference(branch)));
        }
        let values: Vec<_> = draft.values.iter().filter(|(_, value)| *value != Value::Null).cloned().collect();
        require_all(&self.plan.collection, &values).map_err(|error| refused(draft.line, "", "", error))?;
        let made = tx.create_keyed(&self.plan.collection.name, values, &names);
        let keyed = made.map_err(|error| self.blame(row, &draft.values, error))?;
        let record = HeldRecord { id: keyed.id, digest, state: State::Live };
        self.changes += 1;
        self.held.add(draft.branch, key, record);
        self.share(&draft.values, keyed.id, draft.branch);
        if keyed.created {
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

    fn update(&mut self, tx: &mut Tx<'_>, row: &Row<'_>, draft: &Draft, held: HeldRecord) -> Read<Step> {
        let made = self.made.remove(&held.id);
        let unless_made = |step: Step| if made { Step::Created } else { step };
        if held.state == State::Archived {
            self.warn(draft.line, "", "", Message::new("import-record-archived"), None);
            return Ok(Step::Unchanged);
        }
        if held.state == State::Live && held.digest == self.digest(&draft.values) {
            return Ok(unless_made(Step::Unchanged));
        }
        let collection = self.plan.collection.name.clone();
        let halt = |e: Error| row_halt(draft.line, "", "", e);
        let Some(record) = tx.record(&collection, &held.id).map_err(halt)? else { return Ok(Step::Unchanged) };
        let mut edits = Vec::new();
        for (name, value) in &draft.values {
            if let Some(field) = self.plan.collection.field(name) {
                difference(tx, &record, field, value, &mut edits).map_err(halt)?;
            }
        }
        let mut changed = held.state == State::Undone && tx.archive(&collection, &held.id, false).map_err(halt)?;
        if !edits.is_empty() {
            let edited = tx.edit(&collection, &held.id, edits);
            changed |= edited.map_err(|error| self.blame(row, &draft.values, error))?;
        }
        self.changes += 2 * usize::from(changed);
        Ok(if changed { unless_made(Step::Updated) } else { unless_made(Step::Unchanged) })
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

/// The record that a line of a lines cell refers to.
fn in_lines(plan: &Plan, lookups: &mut [Lookup], collection: &str, text: &str) -> Result<RecordId> {
    let wanted = |lookup: &LookupPlan| *lookup.collection.name == *collection && lookup.take.is_none();
    for (lookup, _) in lookups.iter_mut().zip(&plan.lookups).filter(|(_, plan)| wanted(plan)) {
        if let Found::Exact(id) | Found::Near(id, _) = lookup.find(text, None) {
            return Ok(id);
        }
    }
    cell::no_reference(collection, text)
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

/// The text by which a record is made is read without the replacements and formats of the reference's column.
fn plain_column(column: &Column) -> Column {
    Column {
        at: column.at,
        heading: column.heading.clone(),
        target: Target::Id,
        values: HashMap::new(),
        currency: None,
        format: None,
        scale: None,
        lookup: None,
    }
}

/// The edits that bring a field to what the row says, unless the last import said the same: then somebody has changed
/// it since, on purpose. An empty cell clears only what an import brought.
fn difference(tx: &mut Tx<'_>, record: &Record, field: &Field, value: &Value, edits: &mut Vec<Edit>) -> Result<()> {
    let current = record.value(&field.name);
    if same(current, value) {
        return Ok(());
    }
    match (&field.ty, value) {
        // A counter only ever grows by what people count.
        (FieldType::Counter, _) => return Ok(()),
        (FieldType::Set(_), _) => {
            let last = tx.last_imported(&record.collection, &record.id, &field.name)?;
            set_difference(field, current, value, last.as_ref(), edits);
            return Ok(());
        }
        (FieldType::Lines(_), Value::Lines(lines)) => {
            let held = match current {
                Value::Lines(held) => Some(held),
                _ => None,
            };
            for (line, cells) in lines {
                let own = held.and_then(|held| held.get(line));
                for (sub, value) in cells {
                    if !same(own.and_then(|own| own.get(sub)).unwrap_or(&Value::Null), value) {
                        let (field, sub) = (field.name.clone(), Name::from(sub.as_str()));
                        edits.push(Edit::SetLine { field, line: line.clone(), sub, value: value.clone() });
                    }
                }
            }
            return Ok(());
        }
        _ => {}
    }
    let last = tx.last_imported(&record.collection, &record.id, &field.name)?;
    let write = match (&last, value) {
        (Some(last), _) => !same(last, value),
        (None, Value::Null) => false,
        (None, _) => true,
    };
    if write {
        edits.push(Edit::Set(field.name.clone(), value.clone()));
    }
    Ok(())
}

/// Items that the file adds to what the last import brought, and items of that import which the file lacks.
fn set_difference(field: &Field, current: &Value, wanted: &Value, last: Option<&Value>, edits: &mut Vec<Edit>) {
    let none = BTreeSet::new();
    let items = |value: Option<&'_ Value>| match value {
        Some(Value::Set(items)) => items.clone(),
        _ => none.clone(),
    };
    let (current, wanted, last) = (items(Some(current)), items(Some(wanted)), items(last));
    for item in wanted.difference(&current).filter(|item| !last.contains(*item)) {
        edits.push(Edit::Add(field.name.clone(), item.clone()));
    }
    for item in last.difference(&wanted).filter(|item| current.contains(*item)) {
        edits.push(Edit::Remove(field.name.clone(), item.clone()));
    }
}

fn filled(values: &[(Name, Value)], name: &Name) -> bool {
    values.iter().any(|(n, value)| n == name && *value != Value::Null)
}

/// Equal but for blanks around a text, which no cell keeps.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Text(one), Value::Text(other)) => one.trim() == other.trim(),
        (Value::Set(items), Value::Null) | (Value::Null, Value::Set(items)) => items.is_empty(),
        (Value::Lines(lines), Value::Null) | (Value::Null, Value::Lines(lines)) => lines.is_empty(),
        _ => one == other,
    }
}
