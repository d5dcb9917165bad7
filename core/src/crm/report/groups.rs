//! Grouping: the value of a field as the name of a group.

use std::collections::HashMap;

use super::{Cell, drill};
use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::message::Language;
use crate::replica::{Record, Replica};
use crate::schema::{Choice, Collection, Field, FieldType, Value, format_value};

/// The field by which rows are grouped.
#[derive(Debug, Clone)]
pub(super) struct GroupBy(Option<Field>);

/// A group: records with the same value; references are named when all are known.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Group {
    /// The field is empty, or nothing is grouped.
    None,
    Reference(RecordId),
    Text(String),
}

impl GroupBy {
    /// Groups by `name`; by nothing without one.
    pub(super) fn of(collection: &Collection, name: Option<&str>) -> Result<Self> {
        let Some(name) = name else { return Ok(Self(None)) };
        let field = collection.require_field(name)?;
        match field.ty {
            FieldType::Lines(_) | FieldType::LongText | FieldType::Attachment => {
                Err(Error::invalid("report-by").with("field", name))
            }
            _ => Ok(Self(Some(field.clone()))),
        }
    }

    /// Everything is one group.
    pub(super) fn none() -> Self {
        Self(None)
    }

    pub(super) fn field(&self) -> Option<&str> {
        self.0.as_ref().map(|field| &*field.name)
    }

    pub(super) fn group(&self, record: &Record) -> Group {
        let Some(field) = &self.0 else { return Group::None };
        match record.value(&field.name) {
            Value::Null => Group::None,
            Value::Reference(id) => Group::Reference(*id),
            // Days and moments are grouped by month: single days would make as many groups as records.
            Value::Date(day) => Group::Text(day.iso().chars().take(7).collect()),
            Value::Instant(at) => Group::Text(at.rfc3339().chars().take(7).collect()),
            value => Group::Text(format_value(field, value, &|_| None)),
        }
    }

    /// What a list is asked for to show a group, empty for everything; none where no list can.
    pub(super) fn condition(&self, group: &Group) -> Option<String> {
        let Some(field) = &self.0 else { return Some(String::new()) };
        match (group, &field.ty) {
            (Group::None, _) => Some(format!("{} is empty", field.name)),
            (Group::Reference(id), _) => Some(drill::is(&field.name, &id.to_string())),
            (Group::Text(text), FieldType::Date) => drill::month(&field.name, text),
            (Group::Text(text), FieldType::Text | FieldType::Choice(_)) => Some(drill::is(&field.name, text)),
            _ => None,
        }
    }

    /// The cell that names a group.
    pub(super) fn cell(&self, group: &Group, names: &HashMap<RecordId, String>) -> Cell {
        match group {
            Group::None => Cell::Empty,
            Group::Reference(id) => Cell::Text(names.get(id).cloned().unwrap_or_else(|| id.to_string())),
            Group::Text(text) => match self.0.as_ref().map(|field| &field.ty) {
                Some(FieldType::Choice(choices)) => choice_cell(choices, text),
                _ => Cell::Text(text.clone()),
            },
        }
    }
}

/// The names of the records that groups refer to.
pub(super) fn names<'g>(replica: &Replica, groups: impl Iterator<Item = &'g Group>) -> HashMap<RecordId, String> {
    let mut names = HashMap::new();
    for group in groups {
        if let Group::Reference(id) = group
            && !names.contains_key(id)
        {
            names.insert(*id, replica.label(id).unwrap_or_else(|| id.to_string()));
        }
    }
    names
}

/// A value of a choice list with its words.
pub(super) fn choice_cell(choices: &[Choice], value: &str) -> Cell {
    match choices.iter().find(|choice| choice.value == value) {
        Some(choice) => {
            let labels = Language::ALL.map(|language| choice.labels.text(language).to_owned());
            Cell::Choice { value: value.to_owned(), labels }
        }
        None if value.is_empty() => Cell::Empty,
        None => Cell::Text(value.to_owned()),
    }
}
