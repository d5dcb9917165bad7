//! What is done with many records of a list at once, and with the list itself: set a field, assign, archive, save a view.

use axum::extract::{Form, Path, State as Shared};
use axum::response::Response;
use branchline_core::document::Edit;
use branchline_core::id::RecordId;
use branchline_core::limits::TX_CHANGES_MAX;
use branchline_core::schema::{Collection, Name, Value};
use branchline_core::{Error, Result};

use super::desk::{Desk, Reply, Visitor};
use super::form::{self, Typed};
use super::view::View;
use crate::server::Node;

/// `POST /c/{collection}/bulk`: all of it is done, or nothing.
pub(super) async fn bulk(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path(name): Path<String>,
    Form(typed): Form<Typed>,
) -> Response {
    visitor
        .write(node, move |desk| {
            let collection = desk.schema.require(&name)?;
            let text = |name: &str| form::text(&typed, name);
            let view = View::parse(text("query"));
            let ids = ids(desk, collection, &view, &typed)?;
            let field = if text("act") == "assign" { "owner" } else { text("field") };
            let value = if text("act") == "assign" { text("owner") } else { text("value") };
            let edit = match text("act") {
                "archive" | "restore" => None,
                _ => {
                    let field = collection.require_field(field)?;
                    Some(Edit::Set(field.name.clone(), form::parse(desk, field, value)?))
                }
            };
            let changed = desk.principal.transact(|tx| {
                let mut changed = 0u64;
                for id in &ids {
                    changed += u64::from(match &edit {
                        Some(edit) => tx.edit(&name, id, vec![edit.clone()])?,
                        None => tx.archive(&name, id, text("act") == "archive")?,
                    });
                }
                Ok(changed)
            })?;
            Ok(Reply::Go(view.with(&name, "changed", &changed.to_string())))
        })
        .await
}

fn ids(desk: &Desk, collection: &Collection, view: &View, typed: &Typed) -> Result<Vec<RecordId>> {
    let mut ids: Vec<RecordId> = Vec::new();
    if typed.contains_key("all") {
        let query = view.query(desk, collection)?.fields(std::iter::empty::<&str>()).limited(TX_CHANGES_MAX + 1);
        desk.principal.each(&query, &mut |record| {
            ids.push(record.id);
            Ok(())
        })?;
    } else {
        let ticked = typed.keys().filter_map(|key| key.strip_prefix("id."));
        for text in ticked {
            ids.push(desk.principal.find(&collection.name, text)?);
        }
    }
    match ids.len() {
        0 => Err(Error::invalid("bulk-nothing")),
        count if count > TX_CHANGES_MAX => Err(Error::limit("bulk-too-many").with("limit", TX_CHANGES_MAX)),
        _ => Ok(ids),
    }
}

/// `POST /c/{collection}/views`: saves a view under a name, or removes one.
pub(super) async fn views(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path(name): Path<String>,
    Form(typed): Form<Typed>,
) -> Response {
    visitor
        .write(node, move |desk| {
            let collection = desk.schema.require(&name)?;
            let text = |name: &str| form::text(&typed, name);
            if !text("remove").is_empty() {
                let id = desk.principal.find("view", text("remove"))?;
                desk.principal.transact(|tx| tx.archive("view", &id, true))?;
                return Ok(Reply::Go(format!("/c/{name}")));
            }
            let query = View::parse(text("query")).query_text();
            let mut values: Vec<(Name, Value)> = vec![
                ("name".into(), Value::Text(text("name").to_owned())),
                ("collection".into(), Value::Text(collection.name.to_string())),
                ("query".into(), Value::Text(query.clone())),
            ];
            if text("shared") == "yes" {
                values.push(("shared".into(), Value::Boolean(true)));
            }
            desk.principal.transact(|tx| tx.create("view", values))?;
            Ok(Reply::Go(format!("/c/{name}?{query}")))
        })
        .await
}
