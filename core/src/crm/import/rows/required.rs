//! What a collection requires and a row lacks. A person who types a record must fill it; a row of a file comes in all the
//! same, with a warning, for somebody can fill it later and nobody can bring back a row that was left out.
//!
//! Refused are only rows that no record can be made of: those without any value of their own, and definitions that
//! replicas work by (a collection, a field, a role, a device) without what makes them one.

use super::{Draft, Engine, Read, refused};
use crate::crm::import::cell;
use crate::crm::import::plan::{Column, Target};
use crate::crm::import::table::Row;
use crate::message::Message;
use crate::replica::Record;
use crate::schema::{Name, Value, require_all, required_missing};

/// Collections whose records say how replicas work: half of one would be worse than none.
const DEFINITIONS: [&str; 4] = ["collection", "field", "role", "device"];

impl Engine<'_> {
    /// Refuses a row that brings nothing: all its mapped cells are empty.
    pub(super) fn check_filled(&self, row: &Row<'_>) -> Read<()> {
        let plan = self.plan;
        let filled = plan.lines.is_some()
            || plan.columns.iter().any(|column| !cell::text(plan, column, row).trim().is_empty())
            || plan.templates.iter().any(|template| !cell::joined(plan, &template.parts, row).is_empty());
        if filled { Ok(()) } else { Err(refused(row.line, "", "", Message::new("import-row-empty"))) }
    }

    /// Refuses a definition that lacks what makes it one.
    pub(super) fn check_definition(&self, line: u64, values: &[(Name, Value)]) -> Read<()> {
        let collection = &self.plan.collection;
        if !DEFINITIONS.contains(&&*collection.name) {
            return Ok(());
        }
        require_all(collection, values).map_err(|error| refused(line, "", "", error))
    }

    /// A row without its name goes by another name that it has, such as the legal one.
    pub(super) fn name_otherwise(&mut self, draft: &mut Draft) {
        let Some(field) = self.plan.collection.field("name").filter(|field| field.required) else { return };
        let mapped = draft.values.iter().position(|(name, value)| *name == field.name && *value == Value::Null);
        let other = |(name, value): &(Name, Value)| name.ends_with("_name") && *value != Value::Null;
        let Some((at, (other, value))) = mapped.zip(draft.values.iter().find(|pair| other(pair)).cloned()) else {
            return;
        };
        if let Some((_, name)) = draft.values.get_mut(at) {
            *name = value;
            let message = Message::new("import-name-otherwise").with("field", &*other);
            self.warn(draft.line, "", "", message, None);
        }
    }

    /// Tells what a new record lacks: a cell for its row, a column once for the file.
    pub(super) fn tell_lacking(&mut self, draft: &Draft) {
        let plan = self.plan;
        for field in required_missing(&plan.collection, &draft.values) {
            if draft.values.iter().any(|(name, _)| *name == field.name) {
                self.tell_empty_cell(draft.line, &field.name);
            } else if self.columnless_told.insert(field.name.clone()) {
                let message = Message::new("import-required-no-column").with("field", &*field.name);
                self.warn(draft.line, "", "", message.with("collection", &*plan.collection.name), None);
            }
        }
    }

    /// Tells what a held record still lacks after a row that has an empty cell for it. Without `record`, it says the
    /// same as the row.
    pub(super) fn tell_still_lacking(&mut self, draft: &Draft, record: Option<&Record>) {
        let plan = self.plan;
        for field in required_missing(&plan.collection, &draft.values) {
            let mapped = draft.values.iter().any(|(name, _)| *name == field.name);
            if mapped && record.is_none_or(|record| *record.value(&field.name) == Value::Null) {
                self.tell_empty_cell(draft.line, &field.name);
            }
        }
    }

    fn tell_empty_cell(&mut self, line: u64, field: &Name) {
        let of_field = |column: &&Column| matches!(&column.target, Target::Field(filled) if filled.name == *field);
        let column = self.plan.columns.iter().find(of_field);
        // An empty reference was told when its cell was read.
        if column.is_some_and(|column| column.lookup.is_some()) {
            return;
        }
        let message = Message::new("import-required-empty").with("field", &**field);
        let message = message.with("collection", &*self.plan.collection.name);
        self.warn(line, column.map_or("", |column| &column.heading), "", message, None);
    }
}
