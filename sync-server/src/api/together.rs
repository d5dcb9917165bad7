//! Several records in one transaction: all of it becomes visible together, everywhere, or nothing does.

use axum::extract::State as Shared;
use axum::response::Response;
use branchline_core::document::Edit;
use branchline_core::id::RecordId;
use branchline_core::limits::TX_CHANGES_MAX;
use branchline_core::replica::{Principal, Tx};
use branchline_core::schema::{Name, Value};
use branchline_core::{Error, Result};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::caller::{Body, Caller};
use super::typed;
use crate::server::Node;

/// What is done together.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Together {
    operations: Vec<Operation>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase", deny_unknown_fields)]
enum Operation {
    /// Makes a record; `name` lets later operations refer to it as `"@name"`.
    Create { collection: String, fields: Map<String, Json>, name: Option<String> },
    /// Changes a record.
    Edit { collection: String, record: String, fields: Map<String, Json> },
    /// Archives a record or brings it back.
    Archive { collection: String, record: String, archived: bool },
}

/// An operation with its values read.
enum Step {
    Create(Name, Map<String, Json>, Option<String>),
    Edit(Name, RecordId, Vec<Edit>),
    Archive(Name, RecordId, bool),
}

/// `POST /transactions`.
pub(super) async fn run(Shared(node): Shared<Node>, caller: Caller, body: Body) -> Response {
    caller
        .send(node, "transaction".to_owned(), body, |principal, asked, together: Together| {
            if together.operations.len() > TX_CHANGES_MAX {
                return Err(Error::limit("api-operations").with("limit", TX_CHANGES_MAX));
            }
            let steps = together.operations.into_iter().enumerate();
            let steps = steps.map(|(at, operation)| Step::of(principal, operation).map_err(|e| place(e, at)));
            let steps = steps.collect::<Result<Vec<_>>>()?;
            asked.write(principal, |tx| written(principal, tx, steps), |_| None)
        })
        .await
}

fn place(error: Error, at: usize) -> Error {
    error.at(format!("operations[{at}]"))
}

impl Step {
    fn of(principal: &Principal, operation: Operation) -> Result<Self> {
        let schema = principal.replica().schema();
        Ok(match operation {
            Operation::Create { collection, fields, name } => {
                Self::Create(schema.require(&collection)?.name.clone(), fields, name)
            }
            Operation::Edit { collection, record, fields } => {
                let collection = schema.require(&collection)?;
                let id = principal.find(&collection.name, &record)?;
                Self::Edit(collection.name.clone(), id, typed::edits(principal, collection, &fields)?)
            }
            Operation::Archive { collection, record, archived } => {
                let id = principal.find(&collection, &record)?;
                Self::Archive(schema.require(&collection)?.name.clone(), id, archived)
            }
        })
    }
}

fn written(principal: &Principal, tx: &mut Tx<'_>, steps: Vec<Step>) -> Result<Json> {
    let schema = principal.replica().schema();
    let mut made: Vec<(String, RecordId)> = Vec::new();
    let mut done = Vec::with_capacity(steps.len());
    for (at, step) in steps.into_iter().enumerate() {
        let result = match step {
            Step::Create(collection, fields, name) => {
                let values = new_values(principal, schema.require(&collection)?, fields, &made);
                let id = values.and_then(|values| tx.create(&collection, values)).map_err(|e| place(e, at))?;
                made.extend(name.map(|name| (name, id)));
                json!({"id": id.to_string(), "changed": true})
            }
            Step::Edit(collection, id, edits) => {
                let changed = !edits.is_empty() && tx.edit(&collection, &id, edits).map_err(|e| place(e, at))?;
                json!({"id": id.to_string(), "changed": changed})
            }
            Step::Archive(collection, id, archived) => {
                let changed = tx.archive(&collection, &id, archived).map_err(|e| place(e, at))?;
                json!({"id": id.to_string(), "changed": changed})
            }
        };
        done.push(result);
    }
    Ok(json!({"operations": done}))
}

// `"@name"` in a reference is a record that an earlier operation makes.
fn new_values(
    principal: &Principal,
    collection: &branchline_core::schema::Collection,
    fields: Map<String, Json>,
    made: &[(String, RecordId)],
) -> Result<Vec<(Name, Value)>> {
    let mut values = Vec::with_capacity(fields.len());
    let mut rest = Map::new();
    for (name, json) in fields {
        let field = collection.require_field(&name)?;
        let named = json.as_str().filter(|_| field.ty.target().is_some()).and_then(|text| text.strip_prefix('@'));
        match named {
            Some(named) => {
                let unknown = || Error::not_found("api-unmade").with("name", named);
                let (_, id) = made.iter().find(|(known, _)| known == named).ok_or_else(unknown)?;
                values.push((field.name.clone(), Value::Reference(*id)));
            }
            None => _ = rest.insert(name, json),
        }
    }
    values.extend(typed::values(principal, collection, &rest)?);
    Ok(values)
}
