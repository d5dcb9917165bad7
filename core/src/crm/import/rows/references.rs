//! Cells that mean other records: found, made, waited for, or left empty with a warning.

use std::collections::{BTreeSet, HashMap};

use super::{Draft, Engine, Halt, Read, refused, row_halt};
use crate::crm::import::cell;
use crate::crm::import::guess::normal;
use crate::crm::import::held::{HeldRecord, State, key_text};
use crate::crm::import::issue::{Issue, Reason};
use crate::crm::import::lookup::{Found, Lookup};
use crate::crm::import::map::Missing;
use crate::crm::import::plan::{Column, LookupPlan, Plan, Target};
use crate::crm::import::table::Row;
use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::message::Message;
use crate::replica::Tx;
use crate::schema::{Field, FieldType, Kind, SetOf, Value};

impl Engine<'_> {
    /// Reads the cell of a reference column into the draft.
    pub(super) fn reference(
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
            self.held.add(branch, &key_text(&plan.keys, &values), record);
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
}

/// The record that a line of a lines cell refers to.
pub(super) fn in_lines(plan: &Plan, lookups: &mut [Lookup], collection: &str, text: &str) -> Result<RecordId> {
    let wanted = |lookup: &LookupPlan| *lookup.collection.name == *collection && lookup.take.is_none();
    for (lookup, _) in lookups.iter_mut().zip(&plan.lookups).filter(|(_, plan)| wanted(plan)) {
        if let Found::Exact(id) | Found::Near(id, _) = lookup.find(text, None) {
            return Ok(id);
        }
    }
    cell::no_reference(collection, text)
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
