//! Values as SQLite cells and back, without loss.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::types::{Value as Cell, ValueRef};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::json;

use crate::error::Result;
use crate::id::{BlobHash, RecordId};
use crate::schema::{Attachment, Currency, FieldType, Location, Money, Value};
use crate::store::fault::damaged;
use crate::time::{Day, Millis};

/// The cells of a value: one, or minor units and currency.
pub(crate) fn to_cells(value: Value) -> (Cell, Option<Cell>) {
    let cell = match value {
        Value::Null | Value::Lines(_) => Cell::Null,
        Value::Text(text) => Cell::Text(text),
        Value::Integer(number) => Cell::Integer(number),
        Value::Decimal(number) => Cell::Text(number.normalize().to_string()),
        Value::Money(Money { minor, currency }) => {
            return (Cell::Integer(minor), Some(Cell::Text(currency.code().to_owned())));
        }
        Value::Boolean(yes) => Cell::Integer(i64::from(yes)),
        Value::Date(day) => Cell::Text(day.iso()),
        Value::Instant(at) => Cell::Text(at.rfc3339()),
        Value::Reference(id) => Cell::Text(id.to_string()),
        Value::Set(items) if items.is_empty() => Cell::Null,
        Value::Set(items) => Cell::Text(json!(items).to_string()),
        Value::Attachment(file) => Cell::Text(attachment_json(&file)),
        Value::Location(at) => Cell::Text(location_text(at)),
    };
    (cell, None)
}

/// The value of a field of type `ty` from its cell; money also takes the currency's cell.
///
/// # Errors
/// `store_corrupt` where the cell is none that [`to_cells`] makes.
pub(crate) fn from_cells(ty: &FieldType, cell: ValueRef<'_>, currency: Option<ValueRef<'_>>) -> Result<Value> {
    let value = match cell {
        ValueRef::Null => Some(Value::Null),
        ValueRef::Integer(number) => match ty {
            FieldType::Boolean => Some(Value::Boolean(number != 0)),
            FieldType::Money => currency
                .and_then(|code| code.as_str().ok())
                .and_then(Currency::parse)
                .map(|currency| Value::Money(Money { minor: number, currency })),
            _ => Some(Value::Integer(number)),
        },
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok().and_then(|text| from_text(ty, text)),
        _ => None,
    };
    value.ok_or_else(|| damaged(format!("a projected {} is {cell:?}", ty.spec())))
}

fn from_text(ty: &FieldType, text: &str) -> Option<Value> {
    Some(match ty {
        FieldType::Decimal => Value::Decimal(text.parse::<Decimal>().ok()?),
        FieldType::Date => Value::Date(Day::parse(text)?),
        FieldType::Instant => Value::Instant(Millis::parse(text)?),
        FieldType::Reference(_) => Value::Reference(RecordId::parse(text)?),
        FieldType::Set(_) => Value::Set(serde_json::from_str::<BTreeSet<String>>(text).ok()?),
        FieldType::Attachment => Value::Attachment(parse_attachment(text)?),
        FieldType::Location => Value::Location(parse_location(text)?),
        FieldType::Lines(_) => Value::Lines(BTreeMap::new()),
        _ => Value::Text(text.to_owned()),
    })
}

fn attachment_json(file: &Attachment) -> String {
    json!({ "hash": file.hash.to_string(), "size": file.size, "media": file.media, "name": file.name }).to_string()
}

fn parse_attachment(text: &str) -> Option<Attachment> {
    let object: serde_json::Value = serde_json::from_str(text).ok()?;
    let part = |key| object.get(key).and_then(serde_json::Value::as_str);
    Some(Attachment {
        hash: BlobHash::parse(part("hash")?)?,
        size: object.get("size")?.as_u64()?,
        media: part("media")?.to_owned(),
        name: part("name")?.to_owned(),
    })
}

fn location_text(at: Location) -> String {
    let degrees = |micro: i32| {
        let sign = if micro < 0 { "-" } else { "" };
        format!("{sign}{}.{:06}", micro.unsigned_abs() / 1_000_000, micro.unsigned_abs() % 1_000_000)
    };
    format!("{},{}", degrees(at.lat_micro), degrees(at.lon_micro))
}

fn parse_location(text: &str) -> Option<Location> {
    let micro = |part: &str| (part.parse::<Decimal>().ok()? * Decimal::from(1_000_000)).to_i32();
    let (lat, lon) = text.split_once(',')?;
    Some(Location { lat_micro: micro(lat)?, lon_micro: micro(lon)? })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::schema::SetOf;

    #[test]
    fn every_type_comes_back_as_it_went() {
        let file =
            Attachment {
                hash: BlobHash([9; 32]), size: 12, media: "image/png".into(), name: "счёт \"1\".png".into()
            };
        let cases = [
            (FieldType::Text, Value::Text("Ёлка".into())),
            (FieldType::Integer, Value::Integer(i64::MIN)),
            (FieldType::Decimal, Value::Decimal("-0.000125".parse().unwrap())),
            (FieldType::Money, Value::Money(Money { minor: -105_400, currency: Currency(*b"USD") })),
            (FieldType::Boolean, Value::Boolean(false)),
            (FieldType::Date, Value::Date(Day(-1))),
            (FieldType::Instant, Value::Instant(Millis(1_700_000_000_123))),
            (FieldType::Reference("user".into()), Value::Reference(RecordId([3; 16]))),
            (FieldType::Set(SetOf::Text), Value::Set(["a".to_owned(), "б;\"".to_owned()].into())),
            (FieldType::Attachment, Value::Attachment(file)),
            (FieldType::Location, Value::Location(Location { lat_micro: -500_001, lon_micro: 37_610_000 })),
            (FieldType::Text, Value::Null),
        ];
        for (ty, value) in cases {
            let (cell, currency) = to_cells(value.clone());
            let currency = currency.as_ref().map(ValueRef::from);
            assert_eq!(from_cells(&ty, ValueRef::from(&cell), currency).unwrap(), value, "{ty:?}");
        }
    }
}
