//! `FIELD=VALUE`, `FIELD=`, `FIELD+=VALUE`, `FIELD-=VALUE` and `FIELD=@file`, as typed, to values and edits.
//!
//! A line of a lines field is `FIELD/LINE/SUB=VALUE`; `FIELD-=LINE` removes it. A text that begins with `@` itself is
//! written `@@`.

use std::fs;

use branchline_core::document::Edit;
use branchline_core::limits::LONG_TEXT_CHARS_MAX;
use branchline_core::replica::Replica;
use branchline_core::schema::{Collection, Field, FieldType, Name, ParseContext, Value, parse_value};
use branchline_core::{Error, Result};

use crate::cli::wrong_usage;

/// Largest file that `FIELD=@file` reads, in bytes: the longest long text at four bytes a character.
const VALUE_FILE_BYTES_MAX: u64 = LONG_TEXT_CHARS_MAX as u64 * 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Set,
    Add,
    Remove,
}

/// One argument, taken apart but not yet read as a value.
#[derive(Debug, PartialEq, Eq)]
struct Assignment<'a> {
    field: &'a str,
    operator: Operator,
    text: &'a str,
}

fn split(argument: &str) -> Result<Assignment<'_>> {
    let Some((left, text)) = argument.split_once('=') else {
        return Err(wrong_usage(format!("FIELD=VALUE: {argument}")));
    };
    let (field, operator) = match (left.strip_suffix('+'), left.strip_suffix('-')) {
        (Some(field), _) => (field, Operator::Add),
        (None, Some(field)) => (field, Operator::Remove),
        (None, None) => (left, Operator::Set),
    };
    let well_formed = field.starts_with(|c: char| c.is_ascii_lowercase());
    if !well_formed {
        return Err(wrong_usage(format!("FIELD=VALUE: {argument}")));
    }
    Ok(Assignment { field, operator, text })
}

/// The values of a new record.
///
/// # Errors
/// Wrong usage for an argument of another form, `unknown_field`, a value that its field does not take, a reference
/// that names no record.
pub fn values(replica: &Replica, collection: &Collection, arguments: &[String]) -> Result<Vec<(Name, Value)>> {
    let mut values: Vec<(Name, Value)> = Vec::with_capacity(arguments.len());
    for argument in arguments {
        let assignment = split(argument)?;
        if assignment.operator != Operator::Set {
            return Err(wrong_usage(format!("FIELD=VALUE: {argument}")));
        }
        match place_of(collection, assignment.field)? {
            Place::Field(field) => {
                let value = read(replica, field, assignment.text)?;
                if value != Value::Null {
                    set(&mut values, field, value);
                }
            }
            Place::Line { field, line, sub } => {
                let value = read(replica, sub, assignment.text)?;
                set_line(&mut values, field, line, sub, value);
            }
        }
    }
    Ok(values)
}

/// The edits of an existing record.
///
/// # Errors
/// As [`values`]; wrong usage also for `+=` and `-=` on a field that is neither a set nor a counter nor lines.
pub fn edits(replica: &Replica, collection: &Collection, arguments: &[String]) -> Result<Vec<Edit>> {
    let mut edits = Vec::with_capacity(arguments.len());
    for argument in arguments {
        let Assignment { field, operator, text } = split(argument)?;
        match (place_of(collection, field)?, operator) {
            (Place::Field(field), Operator::Set) => {
                edits.push(Edit::Set(field.name.clone(), read(replica, field, text)?));
            }
            (Place::Field(field), _) => change(replica, field, operator, text, &mut edits)?,
            (Place::Line { field, line, sub }, Operator::Set) => edits.push(Edit::SetLine {
                field: field.name.clone(),
                line: line.to_owned(),
                sub: sub.name.clone(),
                value: read(replica, sub, text)?,
            }),
            (Place::Line { .. }, _) => return Err(wrong_usage(format!("FIELD/LINE/SUB=VALUE: {argument}"))),
        }
    }
    Ok(edits)
}

// `+=` and `-=`: items of a set, steps of a counter, removal of a line.
fn change(replica: &Replica, field: &Field, operator: Operator, text: &str, edits: &mut Vec<Edit>) -> Result<()> {
    let name = || field.name.clone();
    match (&field.ty, operator) {
        (FieldType::Set(_), _) => {
            let Value::Set(items) = read(replica, field, text)? else { return Ok(()) };
            edits.extend(items.into_iter().map(|item| match operator {
                Operator::Remove => Edit::Remove(name(), item),
                Operator::Add | Operator::Set => Edit::Add(name(), item),
            }));
        }
        (FieldType::Counter, _) => {
            let step: i64 = text
                .trim()
                .parse()
                .map_err(|_| Error::invalid("counter-step").with("field", &*field.name).with("value", text))?;
            let step = if operator == Operator::Remove { step.checked_neg() } else { Some(step) };
            let step =
                step.ok_or_else(|| Error::invalid("counter-step").with("field", &*field.name).with("value", text))?;
            edits.push(Edit::Increment(name(), step));
        }
        (FieldType::Lines(_), Operator::Remove) => {
            edits.push(Edit::RemoveLine { field: name(), line: text.trim().to_owned() });
        }
        _ => return Err(Error::usage("not-a-set").with("field", &*field.name)),
    }
    Ok(())
}

enum Place<'a> {
    Field(&'a Field),
    Line { field: &'a Field, line: &'a str, sub: &'a Field },
}

fn place_of<'a>(collection: &'a Collection, path: &'a str) -> Result<Place<'a>> {
    let Some((name, rest)) = path.split_once('/') else {
        return collection.require_field(path).map(Place::Field);
    };
    let field = collection.require_field(name)?;
    let parts = rest.split_once('/').filter(|(line, sub)| !line.is_empty() && !sub.is_empty());
    let (FieldType::Lines(subs), Some((line, sub_name))) = (&field.ty, parts) else {
        return Err(wrong_usage(format!("FIELD/LINE/SUB=VALUE: {path}")));
    };
    let unknown = || Error::not_found("unknown-field").with("field", path).with("collection", &*collection.name);
    let sub = subs.iter().find(|s| &*s.name == sub_name).ok_or_else(unknown)?;
    Ok(Place::Line { field, line, sub })
}

/// A value as typed, read by its field's type; references are looked up here.
///
/// # Errors
/// The value's own, and those of the look-up or of the file that `@` names.
pub fn read(replica: &Replica, field: &Field, text: &str) -> Result<Value> {
    let from_file;
    let text = match text.strip_prefix('@') {
        Some(escaped) if escaped.starts_with('@') => escaped,
        Some(path) => {
            from_file = read_file(path)?;
            &from_file
        }
        None => text,
    };
    parse(replica, field, text)
}

/// As [`read`], but `@` means nothing.
///
/// # Errors
/// The value's own and those of the look-up.
pub fn parse(replica: &Replica, field: &Field, text: &str) -> Result<Value> {
    let mut resolve = |collection: &str, text: &str| replica.find(collection, text);
    let currency = replica.settings()?.currency;
    parse_value(field, text, &mut ParseContext { currency, resolve: &mut resolve })
}

fn read_file(path: &str) -> Result<String> {
    let failed = |detail: String| Error::invalid("value-file").with("detail", detail).at(path);
    let size = fs::metadata(path).map_err(|e| failed(e.to_string()))?.len();
    if size > VALUE_FILE_BYTES_MAX {
        return Err(Error::limit("value-file-large").with("limit", VALUE_FILE_BYTES_MAX).at(path));
    }
    fs::read_to_string(path).map_err(|e| failed(e.to_string()))
}

fn set(values: &mut Vec<(Name, Value)>, field: &Field, value: Value) {
    match values.iter_mut().find(|(name, _)| *name == field.name) {
        Some((_, old)) => *old = value,
        None => values.push((field.name.clone(), value)),
    }
}

fn set_line(values: &mut Vec<(Name, Value)>, field: &Field, line: &str, sub: &Field, value: Value) {
    if !values.iter().any(|(name, _)| *name == field.name) {
        values.push((field.name.clone(), Value::Lines(Default::default())));
    }
    let lines = values.iter_mut().find(|(name, _)| *name == field.name);
    if let Some((_, Value::Lines(lines))) = lines {
        lines.entry(line.to_owned()).or_default().insert(sub.name.to_string(), value);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn arguments_split_at_the_first_equals_sign() {
        let parts = |text| {
            let a = split(text).unwrap();
            (a.field, a.operator, a.text)
        };
        assert_eq!(parts("name=a=b"), ("name", Operator::Set, "a=b"));
        assert_eq!(parts("tags+=hot"), ("tags", Operator::Add, "hot"));
        assert_eq!(parts("tags-=hot"), ("tags", Operator::Remove, "hot"));
        assert_eq!(parts("name="), ("name", Operator::Set, ""));
        assert_eq!(parts("amount=-5"), ("amount", Operator::Set, "-5"));
    }

    #[test]
    fn an_argument_without_a_field_is_wrong_usage() {
        for text in ["name", "=x", "+=x", "Name=x", ""] {
            assert!(matches!(split(text), Err(Error::Usage(_))), "{text}");
        }
    }
}
