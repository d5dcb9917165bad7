//! Values as text: what people type and what a CSV cell holds, and back.
//!
//! `parse_value(format_value(v)) == v` for every value but a reference, which needs the caller's look-up both ways.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};

use super::number::{self, Comma};
use super::validate::short;
use super::{Attachment, Choice, Currency, Field, FieldType, Location, Money, SetOf, Value, value_from_json};
use crate::error::{Error, Result};
use crate::id::{BlobHash, RecordId};
use crate::limits::ITEMS_MAX;
use crate::message::Language;
use crate::time::{Day, Millis};

/// What parsing needs to know besides the field.
pub struct ParseContext<'a> {
    /// The currency of a bare number.
    pub currency: Currency,
    /// Finds the record of a collection that a text names (an id, a natural key).
    pub resolve: &'a mut dyn FnMut(&str, &str) -> Result<RecordId>,
}

/// The value that `text` means in this field; blank text is [`Value::Null`]. A choice may be given by its value or by
/// its label in any language; one that is not in the list stays as typed (validation judges it).
///
/// # Errors
/// `wrong_type` or `bad_money` with field and value; whatever `resolve` answers for a reference.
pub fn parse_value(field: &Field, text: &str, ctx: &mut ParseContext<'_>) -> Result<Value> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Ok(Value::Null);
    }
    let wrong = || wrong_type(field, trimmed);
    Ok(match &field.ty {
        FieldType::Text => Value::Text(trimmed.to_owned()),
        FieldType::LongText => Value::Text(text.to_owned()),
        FieldType::Choice(choices) => Value::Text(choice(choices, trimmed)),
        FieldType::Integer | FieldType::Counter => {
            let number = number::parse(trimmed, Comma::Thousands).filter(Decimal::is_integer);
            Value::Integer(number.and_then(|n| n.to_i64()).ok_or_else(wrong)?)
        }
        FieldType::Decimal => Value::Decimal(number::parse(trimmed, Comma::Decimal).ok_or_else(wrong)?),
        FieldType::Money => Value::Money(money(field, trimmed, ctx.currency)?),
        FieldType::Boolean => Value::Boolean(boolean(trimmed).ok_or_else(wrong)?),
        FieldType::Date => Value::Date(Day::parse(trimmed).or_else(|| moment_day(trimmed)).ok_or_else(wrong)?),
        FieldType::Instant => Value::Instant(Millis::parse(trimmed).ok_or_else(wrong)?),
        FieldType::Reference(target) => Value::Reference((ctx.resolve)(target, trimmed)?),
        FieldType::Set(of) => Value::Set(set(of, trimmed, ctx)?),
        FieldType::Lines(columns) => lines(field, columns, trimmed, ctx)?,
        FieldType::Attachment => Value::Attachment(attachment(trimmed).ok_or_else(wrong)?),
        FieldType::Location => Value::Location(location(trimmed).ok_or_else(wrong)?),
    })
}

/// The value as text for tables and CSV cells; references as `label` gives them, else their ids.
pub fn format_value(field: &Field, value: &Value, label: &dyn Fn(&RecordId) -> Option<String>) -> String {
    match value {
        Value::Null => String::new(),
        Value::Text(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Decimal(number) => number.normalize().to_string(),
        Value::Money(money) => format!("{} {}", money.amount_text(), money.currency.code()),
        Value::Boolean(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Date(day) => day.iso(),
        Value::Instant(at) => at.rfc3339(),
        Value::Reference(id) => label(id).unwrap_or_else(|| id.to_string()),
        Value::Set(items) => {
            let by_reference = matches!(field.ty, FieldType::Set(SetOf::Reference(_)));
            let shown = items.iter().map(|item| {
                let id = RecordId::parse(item).filter(|_| by_reference);
                id.and_then(|id| label(&id)).unwrap_or_else(|| item.clone())
            });
            shown.collect::<Vec<_>>().join("; ")
        }
        Value::Lines(lines) => lines_text(field, lines, label),
        Value::Attachment(file) => format!("{} {} {} {}", file.hash, file.size, file.media, file.name),
        Value::Location(place) => format!("{},{}", degrees(place.lat_micro), degrees(place.lon_micro)),
    }
}

impl Money {
    /// The amount in units with exactly the currency's digits: `1054.00`, without the code.
    pub fn amount_text(&self) -> String {
        Decimal::from_i128_with_scale(i128::from(self.minor), self.currency.exponent()).to_string()
    }

    /// The amount of this many units; `None` where it has more digits than the currency or does not fit.
    pub fn from_units(units: Decimal, currency: Currency) -> Option<Self> {
        let minor = units.checked_mul(Decimal::from(10i64.pow(currency.exponent())))?;
        minor.is_integer().then(|| minor.to_i64()).flatten().map(|minor| Self { minor, currency })
    }
}

pub(super) fn wrong_type(field: &Field, text: &str) -> Error {
    let spec = field.ty.spec();
    let kind = spec.split(':').next().unwrap_or_default();
    Error::invalid("wrong-type").with("field", &*field.name).with("value", short(text)).with("type", kind)
}

fn choice(choices: &[Choice], text: &str) -> String {
    let known = choices.iter().find(|c| c.value == text).or_else(|| {
        let folded = text.to_lowercase();
        choices.iter().find(|c| {
            c.value.to_lowercase() == folded
                || Language::ALL.into_iter().any(|l| c.labels.text(l).to_lowercase() == folded)
        })
    });
    known.map_or_else(|| text.to_owned(), |c| c.value.clone())
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "yes" | "true" | "y" | "t" | "1" | "да" | "так" => Some(true),
        "no" | "false" | "n" | "f" | "0" | "нет" | "ні" => Some(false),
        _ => None,
    }
}

// Spreadsheets and databases write days as midnights.
fn moment_day(text: &str) -> Option<Day> {
    let at = Millis::parse(text)?;
    (at.day().start() == at).then(|| at.day())
}

/// An amount with or without its currency; `None` as the currency where the text names none.
pub(super) fn split_money(text: &str) -> Option<(Decimal, Option<Currency>)> {
    const SIGNS: [(char, &[u8; 3]); 5] = [('$', b"USD"), ('€', b"EUR"), ('£', b"GBP"), ('₽', b"RUB"), ('₴', b"UAH")];
    let text = text.trim();
    let mut currency = None;
    let mut number = text;
    if let Some((sign, code)) = SIGNS.iter().find(|(sign, _)| text.starts_with(*sign) || text.ends_with(*sign)) {
        number = text.trim_matches(*sign);
        currency = Some(Currency(**code));
    } else if let Some((front, back)) = text.char_indices().nth_back(2).map(|(at, _)| text.split_at(at))
        && let Some(code) = Currency::parse(back)
    {
        (number, currency) = (front, Some(code));
    } else if let Some((at, _)) = text.char_indices().nth(3)
        && let Some(code) = Currency::parse(text.get(..at).unwrap_or_default())
    {
        (number, currency) = (text.get(at..).unwrap_or_default(), Some(code));
    }
    number::parse(number, Comma::Thousands).map(|amount| (amount, currency))
}

fn money(field: &Field, text: &str, default: Currency) -> Result<Money> {
    let (amount, currency) = split_money(text).ok_or_else(|| wrong_type(field, text))?;
    let currency = currency.unwrap_or(default);
    Money::from_units(amount, currency).ok_or_else(|| {
        let error = Error::invalid("bad-money").with("field", &*field.name).with("value", short(text));
        error.with("currency", currency.code()).with("digits", currency.exponent() as usize)
    })
}

fn set(of: &SetOf, text: &str, ctx: &mut ParseContext<'_>) -> Result<BTreeSet<String>> {
    let items = text.split(';').map(str::trim).filter(|item| !item.is_empty());
    items.map(|item| item_of(of, item, ctx)).collect()
}

/// One item of a set.
pub(super) fn item_of(of: &SetOf, text: &str, ctx: &mut ParseContext<'_>) -> Result<String> {
    match of {
        SetOf::Text => Ok(text.trim().to_owned()),
        SetOf::Choice(choices) => Ok(choice(choices, text.trim())),
        SetOf::Reference(target) => (ctx.resolve)(target, text.trim()).map(|id| id.to_string()),
    }
}

// `[{"line":"1","product":"GTX Pro","quantity":"2"}]`.
fn lines(field: &Field, columns: &[Field], text: &str, ctx: &mut ParseContext<'_>) -> Result<Value> {
    let rows: Vec<serde_json::Value> = serde_json::from_str(text).map_err(|_| wrong_type(field, text))?;
    lines_of(field, columns, &rows, ctx)
}

/// Lines from an array of objects; each cell is JSON of its column.
pub(super) fn lines_of(
    field: &Field,
    columns: &[Field],
    rows: &[serde_json::Value],
    ctx: &mut ParseContext<'_>,
) -> Result<Value> {
    if rows.len() > ITEMS_MAX {
        let error = Error::limit("too-many-items").with("field", &*field.name);
        return Err(error.with("count", rows.len()).with("limit", ITEMS_MAX));
    }
    let mut lines = BTreeMap::new();
    for (at, row) in rows.iter().enumerate() {
        let mut line = (at + 1).to_string();
        let mut cells = BTreeMap::new();
        let row = row.as_object().ok_or_else(|| wrong_type(field, &short(&row.to_string())))?;
        for (name, cell) in row {
            if name == "line" {
                line = cell_text(cell).ok_or_else(|| wrong_type(field, &short(&cell.to_string())))?;
                continue;
            }
            let column = columns
                .iter()
                .find(|c| *c.name == **name)
                .ok_or_else(|| Error::not_found("unknown-column").with("column", name).with("field", &*field.name))?;
            let value = value_from_json(column, cell, ctx)?;
            if value != Value::Null {
                cells.insert(name.clone(), value);
            }
        }
        lines.insert(line, cells);
    }
    Ok(Value::Lines(lines))
}

/// The text that JSON stands for, also in the shapes that `json_value` writes for money and references.
pub(super) fn cell_text(cell: &serde_json::Value) -> Option<String> {
    match cell {
        serde_json::Value::Null => Some(String::new()),
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        serde_json::Value::Bool(yes) => Some(yes.to_string()),
        serde_json::Value::Object(parts) => {
            let text = |key| parts.get(key).and_then(serde_json::Value::as_str);
            text("id").map(str::to_owned).or_else(|| Some(format!("{} {}", text("value")?, text("currency")?)))
        }
        serde_json::Value::Array(_) => None,
    }
}

fn lines_text(
    field: &Field,
    lines: &BTreeMap<String, BTreeMap<String, Value>>,
    label: &dyn Fn(&RecordId) -> Option<String>,
) -> String {
    let FieldType::Lines(columns) = &field.ty else { return String::new() };
    let rows = lines.iter().map(|(line, cells)| {
        let mut row = serde_json::Map::from_iter([("line".to_owned(), line.as_str().into())]);
        for column in columns {
            if let Some(value) = cells.get(&*column.name).filter(|v| **v != Value::Null) {
                row.insert(column.name.to_string(), format_value(column, value, label).into());
            }
        }
        serde_json::Value::Object(row)
    });
    serde_json::Value::Array(rows.collect()).to_string()
}

fn attachment(text: &str) -> Option<Attachment> {
    let mut parts = text.splitn(4, ' ');
    let (hash, size, media, name) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    Some(Attachment {
        hash: BlobHash::parse(hash)?,
        size: size.parse().ok()?,
        media: media.to_owned(),
        name: name.to_owned(),
    })
}

fn location(text: &str) -> Option<Location> {
    let (lat, lon) = text.split_once([',', ';'])?;
    let micro = |degrees: &str| {
        let degrees = number::parse(degrees, Comma::Decimal)?.checked_mul(Decimal::from(1_000_000))?;
        degrees.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero).to_i32()
    };
    Some(Location { lat_micro: micro(lat)?, lon_micro: micro(lon)? })
}

/// Millionths of a degree as the shortest decimal.
pub(super) fn degrees(micro: i32) -> Decimal {
    Decimal::new(i64::from(micro), 6).normalize()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::schema::{Labels, Winner, json_value};

    fn field(spec: &str) -> Field {
        let labels = Labels { en: "Won".into(), ru: "Выиграна".into(), uk: "Виграна".into() };
        let columns =
            if spec == "lines" { vec![field("reference:product"), field("decimal"), field("money")] } else { vec![] };
        Field {
            name: spec.split(':').next().unwrap().into(),
            ty: FieldType::from_spec(spec, vec![Choice { value: "won".into(), labels }], columns).unwrap(),
            labels: Labels::default(),
            required: false,
            indexed: false,
            searchable: false,
            winner: Winner::Latest,
            placing: false,
        }
    }

    fn id_of(collection: &str, key: &str) -> RecordId {
        RecordId::derived(&[collection.as_bytes(), key.as_bytes()])
    }

    fn parsed(spec: &str, text: &str) -> Result<Value> {
        let mut resolve = |collection: &str, key: &str| match key {
            "nobody" => Err(Error::not_found("unknown-collection")),
            _ => Ok(id_of(collection, key)),
        };
        let mut ctx = ParseContext { currency: Currency(*b"UAH"), resolve: &mut resolve };
        parse_value(&field(spec), text, &mut ctx)
    }

    fn shown(spec: &str, value: &Value) -> String {
        let label = |id: &RecordId| (*id == id_of("product", "GTX Pro")).then(|| "GTX Pro".to_owned());
        format_value(&field(spec), value, &label)
    }

    #[test]
    fn typed_values_read_and_print_back() {
        let check = |spec: &str, text: &str, expect: &str| {
            let value = parsed(spec, text).unwrap();
            assert_eq!(shown(spec, &value), expect, "{spec} {text}");
            assert_eq!(parsed(spec, expect).unwrap(), value, "{spec} {expect}");
        };
        check("text", "  Acme ", "Acme");
        check("long_text", "a\n b ", "a\n b ");
        check("choice", "Выиграна", "won");
        check("choice", "WON", "won");
        check("choice", "paused", "paused");
        check("integer", "1,054", "1054");
        check("integer", "-12.0", "-12");
        check("decimal", "12,50", "12.5");
        check("money", "1054.00 USD", "1054.00 USD");
        check("money", "1 054,5", "1054.50 UAH");
        check("money", "$1,054", "1054.00 USD");
        check("money", "eur 7", "7.00 EUR");
        check("money", "500 JPY", "500 JPY");
        check("money", "-0,05 ₽", "-0.05 RUB");
        check("boolean", "Да", "yes");
        check("boolean", "ні", "no");
        check("date", "1996-07-04 00:00:00.000", "1996-07-04");
        check("instant", "2017-03-01T03:00:00+03:00", "2017-03-01T00:00:00.000Z");
        check("reference:product", "GTX Pro", "GTX Pro");
        check("set:text", "b; a;; b", "a; b");
        check("set:choice", "Won; x", "won; x");
        check("set:reference:product", "GTX Pro", "GTX Pro");
        check("location", "55.75, 37.61", "55.75,37.61");
        check("location", "-33.123456;151", "-33.123456,151");
        let hash = "ab".repeat(32);
        check("attachment", &format!("{hash} 12 image/png a b.png"), &format!("{hash} 12 image/png a b.png"));
        check(
            "lines",
            r#"[{"line":"7","reference":"GTX Pro","decimal":2,"money":{"value":"3.00","currency":"USD"}},{"decimal":"1,5"}]"#,
            r#"[{"line":"2","decimal":"1.5"},{"line":"7","reference":"GTX Pro","decimal":"2","money":"3.00 USD"}]"#,
        );
        for spec in ["text", "long_text", "integer", "money", "date", "reference:product", "set:text", "lines"] {
            assert_eq!(parsed(spec, "  ").unwrap(), Value::Null);
        }
    }

    #[test]
    fn what_a_field_cannot_hold_is_refused_with_field_and_value() {
        let check = |spec: &str, text: &str, code: &str| {
            let error = parsed(spec, text).unwrap_err();
            assert_eq!(error.code(), code, "{spec} {text}");
        };
        check("integer", "1.5", "wrong_type");
        check("integer", "99999999999999999999", "wrong_type");
        check("decimal", "1e5", "wrong_type");
        check("money", "10.005 USD", "bad_money");
        check("money", "92233720368547758.08 USD", "bad_money");
        check("money", "ten", "wrong_type");
        check("boolean", "perhaps", "wrong_type");
        check("date", "2017-02-30", "wrong_type");
        check("date", "2017-03-01 09:30", "wrong_type");
        check("location", "north", "wrong_type");
        check("location", "99999,0", "wrong_type");
        check("attachment", "a.png", "wrong_type");
        check("lines", "{", "wrong_type");
        check("lines", r#"[{"size":1}]"#, "unknown_column");
        check("reference:product", "nobody", "unknown_collection");
        assert!(parsed("date", "someday").unwrap_err().to_string().contains("someday"));
    }

    #[test]
    fn values_have_the_json_shapes_of_the_command_line() {
        let id = id_of("product", "GTX Pro");
        let check = |spec: &str, text: &str, expect: &str| {
            let label = |id: &RecordId| (*id == id_of("product", "GTX Pro")).then(|| "GTX Pro".to_owned());
            let json = json_value(&field(spec), &parsed(spec, text).unwrap(), &label);
            assert_eq!(json.to_string(), expect.replace("ID", &id.to_string()), "{spec}");
        };
        check("text", "", "null");
        check("text", "Acme", r#""Acme""#);
        check("money", "1054 USD", r#"{"value":"1054.00","currency":"USD"}"#);
        check("reference:product", "GTX Pro", r#"{"id":"ID","label":"GTX Pro"}"#);
        check("integer", "7", "7");
        check("decimal", "12.50", r#""12.5""#);
        check("boolean", "yes", "true");
        check("date", "2017-03-01", r#""2017-03-01""#);
        check("set:text", "b; a", r#"["a","b"]"#);
        check("set:reference:product", "GTX Pro", r#"[{"id":"ID","label":"GTX Pro"}]"#);
        check(
            "lines",
            r#"[{"line":"1","reference":"GTX Pro"}]"#,
            r#"[{"line":"1","reference":{"id":"ID","label":"GTX Pro"},"decimal":null,"money":null}]"#,
        );
        check("location", "1.5,2", r#"{"lat":"1.5","lon":"2"}"#);
    }
}
