//! Values in the JSON shapes of the command line and the HTTP API.

use serde_json::{Value as Json, json};

use super::text::{cell_text, degrees, item_of, lines_of, wrong_type};
use super::validate::short;
use super::{Field, FieldType, ParseContext, SetOf, Value, parse_value};
use crate::error::Result;
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

/// The value that JSON means in this field: every shape that [`json_value`] writes, and a text wherever one can be
/// typed. Items of a set are one each, whatever is in them.
///
/// # Errors
/// `wrong_type` for a shape that the field does not have; as [`parse_value`].
pub fn value_from_json(field: &Field, json: &Json, ctx: &mut ParseContext<'_>) -> Result<Value> {
    let wrong = || wrong_type(field, &short(&json.to_string()));
    match (&field.ty, json) {
        (_, Json::Null) => Ok(Value::Null),
        (FieldType::Set(of), Json::Array(items)) => {
            let item = |item| item_of(of, &cell_text(item).ok_or_else(wrong)?, ctx);
            let items = items.iter().map(item).collect::<Result<_>>()?;
            Ok(Value::Set(items))
        }
        (FieldType::Lines(columns), Json::Array(rows)) => lines_of(field, columns, rows, ctx),
        (FieldType::Attachment, Json::Object(file)) => {
            let part = |name| file.get(name).and_then(cell_text).ok_or_else(wrong);
            let text = format!("{} {} {} {}", part("hash")?, part("size")?, part("media")?, part("name")?);
            parse_value(field, &text, ctx)
        }
        (FieldType::Location, Json::Object(place)) => {
            let part = |name| place.get(name).and_then(cell_text).ok_or_else(wrong);
            parse_value(field, &format!("{},{}", part("lat")?, part("lon")?), ctx)
        }
        (FieldType::Reference(_) | FieldType::Money, Json::Object(_)) | (_, Json::String(_) | Json::Number(_)) => {
            parse_value(field, &cell_text(json).ok_or_else(wrong)?, ctx)
        }
        (FieldType::Boolean, Json::Bool(yes)) => Ok(Value::Boolean(*yes)),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::id::BlobHash;
    use crate::schema::{Currency, Labels, Winner};

    fn field(spec: &str) -> Field {
        let columns = match spec {
            "lines" => vec![field("reference:product"), field("money"), field("boolean")],
            _ => Vec::new(),
        };
        Field {
            name: spec.split(':').next().unwrap().into(),
            ty: FieldType::from_spec(spec, Vec::new(), columns).unwrap(),
            labels: Labels::default(),
            required: false,
            indexed: false,
            searchable: false,
            winner: Winner::Latest,
            placing: false,
        }
    }

    fn read(spec: &str, json: &Json) -> Result<Value> {
        let mut resolve = |_: &str, text: &str| Ok(RecordId::parse(text).unwrap_or_default());
        value_from_json(&field(spec), json, &mut ParseContext { currency: Currency(*b"UAH"), resolve: &mut resolve })
    }

    #[test]
    fn what_is_written_reads_back() {
        let id = RecordId::derived(&[b"one"]).to_string();
        let hash = BlobHash([7; 32]).to_string();
        for (spec, json) in [
            ("text", json!("Acme")),
            ("long_text", json!("two\nlines")),
            ("integer", json!(-12)),
            ("decimal", json!("12.5")),
            ("money", json!({"value": "1054.00", "currency": "USD"})),
            ("boolean", json!(true)),
            ("date", json!("1996-07-04")),
            ("instant", json!("2017-03-01T00:00:00.000Z")),
            ("reference:product", json!({"id": id, "label": null})),
            ("set:text", json!(["a; b", "c"])),
            ("set:reference:product", json!([{"id": id, "label": null}])),
            ("location", json!({"lat": "55.75", "lon": "-37.61"})),
            ("attachment", json!({"hash": hash, "size": 3, "media": "text/plain", "name": "a b.txt"})),
            ("text", Json::Null),
            (
                "lines",
                json!([{"line": "1", "reference": {"id": id, "label": null}, "money": {"value": "5.00", "currency": "UAH"}, "boolean": false}]),
            ),
        ] {
            let value = read(spec, &json).unwrap();
            assert_eq!(json_value(&field(spec), &value, &|_| None), json, "{spec}");
        }
        assert_eq!(read("money", &json!(5)).unwrap(), read("money", &json!("5.00 UAH")).unwrap());
    }

    #[test]
    fn a_shape_of_another_type_is_refused() {
        for (spec, json) in [
            ("text", json!(["a"])),
            ("text", json!({"id": "a"})),
            ("text", json!(true)),
            ("integer", json!({"value": "1", "currency": "USD"})),
            ("money", json!({"value": "1"})),
            ("set:text", json!([["a"]])),
            ("boolean", json!({})),
            ("location", json!({"lat": 1})),
            ("attachment", json!({"hash": "x"})),
        ] {
            let code = read(spec, &json).unwrap_err().code();
            assert_eq!(code, "wrong_type", "{spec} {json}");
        }
    }
}
