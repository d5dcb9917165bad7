//! What forms send: records made, changed, archived, taken back, settled. Each leads back to the record.

use axum::extract::{Form, Path, State as Shared};
use axum::response::Response;
use branchline_core::document::Edit;
use branchline_core::id::{ChangeHash, RecordId};
use branchline_core::message::Message;
use branchline_core::replica::Conflict;
use branchline_core::schema::Value;
use branchline_core::{Error, Result};
use maud::html;
use serde::Deserialize;

use super::desk::{Desk, Reply, Visitor};
use super::form::{self, Typed};
use super::record::{has_notes, new_title, titled};
use super::view::View;
use super::{acts, board};
use crate::server::Node;

/// `POST /c/{collection}`: a new record.
pub(super) async fn create(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path(name): Path<String>,
    Form(typed): Form<Typed>,
) -> Response {
    visitor.write(node, move |desk| made(desk, &name, &typed)).await
}

fn made(desk: &Desk, name: &str, typed: &Typed) -> Result<Reply> {
    let collection = desk.schema.require(name)?;
    let values = form::values(desk, collection, typed);
    match values.and_then(|values| desk.principal.transact(|tx| tx.create(name, values))) {
        Ok(id) => Ok(Reply::Go(format!("/c/{name}/{id}"))),
        Err(error) if is_answerable(&error) => {
            let title = new_title(desk, collection);
            let inner = form::whole(desk, collection, None, typed, Some(&error))?;
            Ok(Reply::Again(title.clone(), html! { h1 { (title) } (inner) }))
        }
        Err(error) => Err(error),
    }
}

/// `POST /c/{collection}/{id}`: the fields that were changed in the form.
pub(super) async fn edit(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path((name, id)): Path<(String, String)>,
    Form(typed): Form<Typed>,
) -> Response {
    visitor.write(node, move |desk| edited(desk, &name, &id, &typed)).await
}

fn edited(desk: &Desk, name: &str, id: &str, typed: &Typed) -> Result<Reply> {
    let collection = desk.schema.require(name)?;
    let id = desk.principal.find(name, id)?;
    let edits = form::edits(desk, collection, typed);
    let done = edits.and_then(|mut edits| {
        let record = desk.principal.record(name, &id)?;
        let places = board::places(desk, &record, typed)?;
        if edits.is_empty() && places.is_empty() {
            return Ok(());
        }
        let (own, others): (Vec<_>, Vec<_>) = places.into_iter().partition(|(card, _)| *card == id);
        edits.extend(own.into_iter().map(|(_, place)| place));
        acts::close(desk, collection, &record, &mut edits);
        desk.principal.transact(|tx| {
            others.into_iter().try_for_each(|(card, place)| tx.edit(name, &card, vec![place]).map(drop))?;
            tx.edit(name, &id, edits).map(drop)
        })
    });
    match done {
        Ok(_) => Ok(Reply::Go(back(typed, name, &id.to_string()))),
        Err(error) if is_answerable(&error) => {
            let record = desk.principal.record(name, &id)?;
            let title = titled(desk, collection, &id);
            let inner = form::whole(desk, collection, Some(&record), typed, Some(&error))?;
            Ok(Reply::Again(title.clone(), html! { h1 { (title) } (inner) }))
        }
        Err(error) => Err(error),
    }
}

// The board sends its cards here too, and wants to be shown again.
fn back(typed: &Typed, name: &str, id: &str) -> String {
    match typed.get("back").map(String::as_str) {
        Some("board") => board::address(&View::parse(form::text(typed, "view"))),
        Some("today") => "/today".to_owned(),
        _ => format!("/c/{name}/{id}"),
    }
}

// What somebody can put right in the form.
fn is_answerable(error: &Error) -> bool {
    matches!(
        error,
        Error::Invalid(_)
            | Error::NotFound(_)
            | Error::Ambiguous(_)
            | Error::Denied(_)
            | Error::Limit(_)
            | Error::Busy(_)
    )
}

/// What archives a record or brings it back.
#[derive(Debug, Deserialize)]
pub(super) struct Archived {
    archived: String,
}

/// `POST /c/{collection}/{id}/archive`.
pub(super) async fn archive(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path((name, id)): Path<(String, String)>,
    Form(asked): Form<Archived>,
) -> Response {
    visitor
        .write(node, move |desk| {
            let id = desk.principal.find(&name, &id)?;
            desk.principal.transact(|tx| tx.archive(&name, &id, asked.archived == "yes"))?;
            Ok(Reply::Go(format!("/c/{name}/{id}")))
        })
        .await
}

/// Which change is taken back.
#[derive(Debug, Deserialize)]
pub(super) struct Undone {
    change: String,
}

/// `POST /c/{collection}/{id}/undo`.
pub(super) async fn undo(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path((name, id)): Path<(String, String)>,
    Form(asked): Form<Undone>,
) -> Response {
    visitor
        .write(node, move |desk| {
            let id = desk.principal.find(&name, &id)?;
            let unknown = || Error::not_found("unknown-change").with("change", &asked.change);
            let change = ChangeHash::parse(&asked.change).ok_or_else(unknown)?;
            desk.principal.transact(|tx| tx.undo(&name, &id, change))?;
            Ok(Reply::Go(format!("/c/{name}/{id}")))
        })
        .await
}

/// What becomes of a conflict: one value stays, one stays and the others are noted, or another one is written.
#[derive(Debug, Deserialize)]
pub(super) struct Settled {
    field: String,
    keep: Option<String>,
    noted: Option<String>,
    other: Option<String>,
    #[serde(default)]
    back: String,
}

/// `POST /c/{collection}/{id}/settle`.
pub(super) async fn settle(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path((name, id)): Path<(String, String)>,
    Form(asked): Form<Settled>,
) -> Response {
    visitor
        .write(node, move |desk| {
            let id = desk.principal.find(&name, &id)?;
            match (&asked.keep, &asked.noted, &asked.other) {
                (Some(keep), ..) => desk.principal.resolve(&name, &id, &asked.field, keep)?,
                (None, Some(keep), _) => noted(desk, &name, &id, &asked.field, keep)?,
                (None, None, Some(text)) => {
                    let field = desk.schema.require(&name)?.require_field(&asked.field)?;
                    let value = form::parse(desk, field, text.trim())?;
                    desk.principal.transact(|tx| tx.edit(&name, &id, vec![Edit::Set(field.name.clone(), value)]))?;
                }
                _ => {}
            }
            let settled = if asked.back == "conflicts" { "/conflicts".to_owned() } else { format!("/c/{name}/{id}") };
            Ok(Reply::Go(settled))
        })
        .await
}

// One value stays; the others go to the record's notes, each with who wrote it and when.
fn noted(desk: &Desk, name: &str, id: &RecordId, field: &str, keep: &str) -> Result<()> {
    let collection = desk.schema.require(name)?;
    let record = desk.principal.record(name, id)?;
    let is_it = |conflict: &&Conflict| &*conflict.field == field && conflict.cell.is_none();
    let missing = || Error::not_found("no-conflict").with("field", field).with("record", id.to_string());
    let conflict = record.conflicts.iter().find(is_it).filter(|c| has_notes(collection, c)).ok_or_else(missing)?;
    let typed = collection.require_field(field)?;
    let (mut kept, mut notes) = (None, record.text("notes").to_owned());
    for value in &conflict.values {
        if kept.is_none() && desk.written(typed, &value.value) == keep {
            kept = Some(value.value.clone());
            continue;
        }
        let said = Message::new("web-noted")
            .with("field", typed.labels.text(desk.language))
            .with("value", desk.text(typed, &value.value))
            .with("person", desk.person(value.user.as_ref()))
            .with("at", value.at.rfc3339());
        notes.push_str(if notes.is_empty() { "" } else { "\n" });
        notes.push_str(&said.render(desk.language));
    }
    let kept = kept.ok_or_else(missing)?;
    let edits = vec![Edit::Set(typed.name.clone(), kept), Edit::Set("notes".into(), Value::Text(notes))];
    desk.principal.transact(|tx| tx.edit(name, id, edits)).map(drop)
}
