//! The map of a file that has none: headings matched to field names and to labels in every language.

use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;

use super::map::{ColumnMap, ImportMap};
use crate::error::{Error, Result};
use crate::message::Language;
use crate::schema::{Collection, FieldType};

/// Natural keys that identify a row by themselves; a name does not, for equal names are not one client.
const KEYS: [&str; 5] = ["id", "external_id", "code", "email", "sku"];

/// Columns of an export that follow from a record's changes and are never brought by a file.
const DERIVED: [&str; 6] = ["archived", "created_at", "created_by", "updated_at", "updated_by", "merged_into"];

/// A guessed map and the headings that fit no field.
#[derive(Debug, PartialEq)]
pub(super) struct Guess {
    pub map: ImportMap,
    pub unmatched: Vec<String>,
}

/// The map that a file without one is imported with, as far as its headings fit fields of the collection; empty where
/// none does.
pub fn guess_map(collection: &Collection, headings: &[String]) -> ImportMap {
    guess(collection, headings).map(|guess| guess.map).unwrap_or_default()
}

/// Guesses what the columns of a file for `collection` are.
pub(super) fn guess(collection: &Collection, headings: &[String]) -> Result<Guess> {
    let mut map = ImportMap { collection: Some(collection.name.to_string()), ..ImportMap::default() };
    let mut unmatched = Vec::new();
    let mut taken = HashSet::new();
    for heading in headings.iter().filter(|h| !h.is_empty()) {
        match field_of(collection, heading).filter(|field| taken.insert(field.clone())) {
            Some(field) => {
                map.columns.insert(heading.clone(), ColumnMap { field, ..ColumnMap::default() });
            }
            None if DERIVED.contains(&heading.as_str()) => {}
            None => unmatched.push(heading.clone()),
        }
    }
    if map.columns.is_empty() {
        let known = collection.fields.iter().map(|f| f.name.to_string()).collect::<Vec<_>>().join(", ");
        return Err(Error::invalid("import-no-column")
            .with("collection", &*collection.name)
            .with("headings", headings.join(", "))
            .with("fields", known));
    }
    map.key = KEYS
        .iter()
        .find_map(|key| map.columns.iter().find(|(_, c)| c.field == *key).map(|(heading, _)| vec![heading.clone()]))
        .unwrap_or_default();
    Ok(Guess { map, unmatched })
}

fn field_of(collection: &Collection, heading: &str) -> Option<String> {
    let wanted = fold(heading);
    if wanted == "id" {
        return Some("id".to_owned());
    }
    let by_name = collection.fields.iter().find(|f| fold(&f.name) == wanted);
    let field = by_name.or_else(|| {
        let labelled = |l: Language| collection.fields.iter().find(|f| fold(f.labels.text(l)) == wanted);
        Language::ALL.into_iter().find_map(labelled)
    });
    if let Some(field) = field {
        return Some(field.name.to_string());
    }
    let money = collection.fields.iter().filter(|f| f.ty == FieldType::Money);
    money.map(|f| format!("{}_currency", f.name)).find(|name| fold(name) == wanted)
}

/// A text without differences of case, letter width and blanks: the rule by which ids are derived from keys.
pub(super) fn normal(text: &str) -> String {
    // Most keys are numbers and codes, for which the tables of Unicode need not be asked.
    if text.is_ascii() && !text.bytes().any(|b| b.is_ascii_whitespace()) {
        return text.to_ascii_lowercase();
    }
    let folded: String = text.nfkc().flat_map(char::to_lowercase).collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text without case, spaces and punctuation, `ё` as `е`: equal for texts that people take for the same.
pub(super) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars().filter(|c| c.is_alphanumeric()) {
        folded.extend(c.to_lowercase().map(|c| if c == 'ё' { 'е' } else { c }));
    }
    folded
}
