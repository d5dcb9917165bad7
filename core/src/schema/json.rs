//! Values in the JSON shapes of the command line and the HTTP API.

use serde_json::{Value as Json, json};

use super::text::degrees;
use super::{Field, FieldType, SetOf, Value};
use crate::id::RecordId;

/// The value as JSON. Empty is null; integers are numbers; decimals are strings, so that no digit is lost; money is
/// `{"value":"1054.00","currency":"USD"}`; a reference is `{"id","label"}` with `label` as the caller gives it, else
/// null; sets are arrays; lines are an array of objects with `line`; an attachment is `{"hash","size","media","name"}`;
/// a location is `{"lat":"55.75","lon":"37.61"}`.
pub fn json_value(field: &Field, value: &Value, label: &dyn Fn(&RecordId) -> Option<String>) -> Json {
    let reference = |id: &RecordId| json!({ "id": id.to_string(), "label": label(id) });
    match value {
        Value::Null => Json::Null,
        Value::Text(text) => Json::from(text.as_str()),
        Value::Integer(number) => Json::from(*number),
        Value::Decimal(number) => Json::from(number.normalize().to_string()),
        Value::Money(money) => json!({ "value": money.amount_text(), "currency": money.currency.code() }),
        Value::Boolean(yes) => Json::from(*yes),
        Value::Date(day) => Json::from(day.iso()),
        Value::Instant(at) => Json::from(at.rfc3339()),
        Value::Reference(id) => reference(id),
        Value::Set(items) => {
            let by_reference = matches!(field.ty, FieldType::Set(SetOf::Reference(_)));
            let item = |item: &String| match RecordId::parse(item).filter(|_| by_reference) {
                Some(id) => reference(&id),
                None => Json::from(item.as_str()),
            };
            items.iter().map(item).collect()
        }
        Value::Lines(lines) => {
            let columns: &[Field] = if let FieldType::Lines(columns) = &field.ty { columns } else { &[] };
            let row = |(line, cells): (&String, &std::collections::BTreeMap<String, Value>)| {
                let mut row = serde_json::Map::from_iter([("line".to_owned(), Json::from(line.as_str()))]);
                for column in columns {
                    let cell = cells.get(&*column.name).unwrap_or(&Value::Null);
                    row.insert(column.name.to_string(), json_value(column, cell, label));
                }
                Json::Object(row)
            };
            lines.iter().map(row).collect()
        }
        Value::Attachment(file) => json!({
            "hash": file.hash.to_string(), "size": file.size, "media": file.media, "name": file.name
        }),
        Value::Location(place) => json!({
            "lat": degrees(place.lat_micro).to_string(), "lon": degrees(place.lon_micro).to_string()
        }),
    }
}
