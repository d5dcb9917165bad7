//! Values and edits in JSON.

use branchline_core::document::Edit;
use branchline_core::replica::Principal;
use branchline_core::schema::{Collection, Field, FieldType, Name, ParseContext, Value, value_from_json};
use branchline_core::{Error, Result};
use serde_json::{Map, Value as Json};

/// The values of a new record, from an object of fields.
///
/// # Errors
/// `unknown_field`; those of [`value_from_json`].
pub(super) fn values(
    principal: &Principal,
    collection: &Collection,
    fields: &Map<String, Json>,
) -> Result<Vec<(Name, Value)>> {
    let named = fields.iter().map(|(name, json)| {
        let field = collection.require_field(name)?;
        Ok((field.name.clone(), value(principal, field, json)?))
    });
    named.collect()
}

/// The edits that an object of fields asks for. A value replaces what is there and null clears it;
/// `{"add": […], "remove": […]}` changes items of a set, `{"increment": 1}` moves a counter, and for lines
/// `{"set": {"<line>": {"<field>": …}}, "remove": ["<line>"]}` changes some and leaves the others.
///
/// # Errors
/// As [`values`].
pub(super) fn edits(principal: &Principal, collection: &Collection, fields: &Map<String, Json>) -> Result<Vec<Edit>> {
    let mut edits = Vec::with_capacity(fields.len());
    for (name, json) in fields {
        let field = collection.require_field(name)?;
        match (&field.ty, json) {
            (FieldType::Set(_), Json::Object(parts)) => {
                for (what, items) in parts {
                    let Value::Set(items) = value(principal, field, items)? else { continue };
                    for item in items {
                        edits.push(match what.as_str() {
                            "add" => Edit::Add(field.name.clone(), item),
                            "remove" => Edit::Remove(field.name.clone(), item),
                            _ => return Err(unknown_step(field, what)),
                        });
                    }
                }
            }
            (FieldType::Counter, Json::Object(parts)) => {
                for (what, step) in parts {
                    let wrong =
                        || Error::invalid("counter-step").with("field", &*field.name).with("value", step.to_string());
                    match what.as_str() {
                        "increment" => {
                            edits.push(Edit::Increment(field.name.clone(), step.as_i64().ok_or_else(wrong)?))
                        }
                        _ => return Err(unknown_step(field, what)),
                    }
                }
            }
            (FieldType::Lines(columns), Json::Object(parts)) => lines(principal, field, columns, parts, &mut edits)?,
            _ => edits.push(Edit::Set(field.name.clone(), value(principal, field, json)?)),
        }
    }
    Ok(edits)
}

fn lines(
    principal: &Principal,
    field: &Field,
    columns: &[Field],
    parts: &Map<String, Json>,
    edits: &mut Vec<Edit>,
) -> Result<()> {
    let name = || field.name.clone();
    for (what, asked) in parts {
        match (what.as_str(), asked) {
            ("remove", Json::Array(lines)) => {
                let lines = lines.iter().filter_map(Json::as_str);
                edits.extend(lines.map(|line| Edit::RemoveLine { field: name(), line: line.to_owned() }));
            }
            ("set", Json::Object(lines)) => {
                for (line, cells) in lines {
                    for (sub, cell) in cells.as_object().into_iter().flatten() {
                        let unknown =
                            || Error::not_found("unknown-column").with("column", sub).with("field", &*field.name);
                        let column = columns.iter().find(|column| *column.name == **sub).ok_or_else(unknown)?;
                        let value = value(principal, column, cell)?;
                        edits.push(Edit::SetLine {
                            field: name(),
                            line: line.clone(),
                            sub: column.name.clone(),
                            value,
                        });
                    }
                }
            }
            _ => return Err(unknown_step(field, what)),
        }
    }
    Ok(())
}

fn unknown_step(field: &Field, what: &str) -> Error {
    Error::invalid("api-step").with("field", &*field.name).with("step", what)
}

/// One value; references by ids or natural keys of records that the person sees.
///
/// # Errors
/// Those of [`value_from_json`].
pub(super) fn value(principal: &Principal, field: &Field, json: &Json) -> Result<Value> {
    let mut resolve = |collection: &str, text: &str| principal.find(collection, text);
    let currency = principal.replica().settings()?.currency;
    value_from_json(field, json, &mut ParseContext { currency, resolve: &mut resolve })
}
