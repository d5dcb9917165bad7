//! The text of a cell as the value of its field, by what the map says of the column.
//!
//! References are not resolved here: their cells are handed on as text.

use chrono::format::{Parsed, StrftimeItems, parse};
use rust_decimal::Decimal;

use super::plan::{Column, Part, Plan, Target};
use super::table::Row;
use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::message::Message;
use crate::schema::{
    Choice, Currency, Field, FieldType, Mode, Money, ParseContext, SetOf, Value, nearest, parse_value, validate,
};
use crate::time::{Day, Millis};

/// A cell as text after the map's replacements; empty where the cell is.
pub(super) fn text<'r>(plan: &'r Plan, column: &'r Column, row: &'r Row<'_>) -> &'r str {
    let cell = row.cells.get(column.at).map(|c| &**c).unwrap_or_default();
    replaced(plan, column, cell)
}

/// The text that a template makes of a row: empty where all its cells are, without what joined an empty one.
pub(super) fn joined(plan: &Plan, parts: &[Part], row: &Row<'_>) -> String {
    let mut text = String::new();
    let mut filled = false;
    for part in parts {
        match part {
            Part::Text(fixed) => text.push_str(fixed),
            Part::Cell(at) => {
                let cell = row.cells.get(*at).map(|c| c.trim()).filter(|c| !plan.empty.iter().any(|e| e == c));
                let cell = cell.unwrap_or_default();
                filled |= !cell.is_empty();
                text.push_str(cell);
            }
        }
    }
    let joint = |c: char| c.is_whitespace() || "·–—-,;:/|".contains(c);
    if filled { text.trim_matches(joint).to_owned() } else { String::new() }
}

fn replaced<'r>(plan: &'r Plan, column: &'r Column, cell: &'r str) -> &'r str {
    let trimmed = cell.trim();
    if trimmed.is_empty() || plan.empty.iter().any(|e| e == trimmed) {
        return "";
    }
    column.values.get(trimmed).map_or(cell, String::as_str)
}

/// Finds the record of a collection that a text names.
pub(super) type Resolve<'r> = &'r mut dyn FnMut(&str, &str) -> Result<RecordId>;

/// No field of this import holds references inside other values.
pub(super) fn no_reference(_: &str, text: &str) -> Result<RecordId> {
    Err(Error::not_found("import-reference-unknown").with("value", text))
}

/// The value of a cell of a field that is no reference; `resolve` finds what lines refer to.
pub(super) fn value(
    column: &Column,
    field: &Field,
    text: &str,
    currency: Currency,
    resolve: Resolve<'_>,
) -> Result<Value> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    if let Some(value) = column.format.as_deref().and_then(|format| formatted(field, text.trim(), format)) {
        return Ok(value);
    }
    let currency = column.currency.unwrap_or(currency);
    let mut context = ParseContext { currency, resolve };
    let value = match column.scale {
        Some(scale) => scaled(field, text, scale, &mut context)?,
        None => parse_value(field, text, &mut context)?,
    };
    Ok(value)
}

/// A date or a moment written by the column's format.
fn formatted(field: &Field, text: &str, format: &str) -> Option<Value> {
    match field.ty {
        FieldType::Date => Day::parse_with(text, format).map(Value::Date),
        FieldType::Instant => {
            let mut parsed = Parsed::new();
            parse(&mut parsed, text, StrftimeItems::new(format)).ok()?;
            let at = match parsed.to_datetime() {
                Ok(at) => at.timestamp_millis(),
                Err(_) => match parsed.to_naive_datetime_with_offset(0) {
                    Ok(at) => at.and_utc().timestamp_millis(),
                    Err(_) => Day::of(parsed.to_naive_date().ok()?).start().0,
                },
            };
            Some(Value::Instant(Millis(at)))
        }
        _ => None,
    }
}

/// A number of a column in thousands or millions; digits beyond the currency's are rounded.
fn scaled(field: &Field, text: &str, scale: Decimal, context: &mut ParseContext<'_>) -> Result<Value> {
    let decimal = Field { ty: FieldType::Decimal, ..field.clone() };
    let too_large = || Error::invalid("import-number-range").with("value", text);
    match (&field.ty, parse_value(&decimal, text, context)?) {
        (FieldType::Money, Value::Decimal(units)) => {
            let units = units.checked_mul(scale).ok_or_else(too_large)?.round_dp(context.currency.exponent());
            Money::from_units(units, context.currency).map(Value::Money).ok_or_else(too_large)
        }
        (FieldType::Decimal, Value::Decimal(number)) => {
            Ok(Value::Decimal(number.checked_mul(scale).ok_or_else(too_large)?))
        }
        (FieldType::Integer, Value::Decimal(number)) => {
            let number = number.checked_mul(scale).ok_or_else(too_large)?.round();
            parse_value(field, &number.to_string(), context)
        }
        _ => parse_value(field, text, context),
    }
}

/// What a person should know of a value that came in: it is in no list.
pub(super) fn choice_warning(field: &Field, value: &Value) -> Option<(Message, Option<String>)> {
    let unknown = |choices: &[Choice], text: &str| {
        if choices.iter().any(|c| c.value == text) {
            return None;
        }
        let near = nearest(text, choices.iter().map(|c| c.value.as_str())).map(str::to_owned);
        let message = Message::new("choice-not-in-list")
            .with("field", &*field.name)
            .with("value", text)
            .with("near", usize::from(near.is_some()))
            .with("nearest", near.clone().unwrap_or_default());
        Some((message, near))
    };
    match (&field.ty, value) {
        (FieldType::Choice(choices), Value::Text(text)) => unknown(choices, text),
        (FieldType::Set(SetOf::Choice(choices)), Value::Set(items)) => {
            items.iter().find_map(|item| unknown(choices, item))
        }
        _ => None,
    }
}

/// Applies the currency that stands in a column of its own.
pub(super) fn with_currency(plan: &Plan, row: &Row<'_>, field: &Field) -> Result<Option<Currency>> {
    let of_field = |c: &&Column| matches!(&c.target, Target::CurrencyOf(name) if *name == field.name);
    let Some(column) = plan.columns.iter().find(of_field) else { return Ok(None) };
    let code = text(plan, column, row);
    if code.is_empty() {
        return Ok(None);
    }
    let unknown = || Error::invalid("import-currency").with("value", code);
    Currency::parse(code).map(Some).ok_or_else(unknown)
}

/// Judges a value by the rules of its field, leniently.
pub(super) fn judge(plan: &Plan, field: &Field, value: &Value) -> Result<()> {
    // Fields of a line have no collection of their own; they are judged with the record they end up in.
    if plan.lines.is_some() {
        return Ok(());
    }
    validate(&plan.collection, &[(field.name.clone(), value.clone())], Mode::Lenient).map(|_| ())
}
