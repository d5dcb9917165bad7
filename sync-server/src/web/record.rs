//! `/c/<collection>/<id>`: one record with its facts, each of which can be edited where it stands, and its open conflicts;
//! what refers to it and what happened are beside it.

use axum::extract::{Path, Query as Asked, State as Shared};
use axum::response::Response;
use branchline_core::Result;
use branchline_core::access::Action;
use branchline_core::id::RecordId;
use branchline_core::replica::{Conflict, Record};
use branchline_core::schema::{Collection, Field, FieldType, Value};
use maud::{Markup, html};

use super::desk::{Desk, Reply, Visitor};
use super::form::{self, Typed};
use super::{acts, files, lines, related, timeline};
use crate::server::Node;

/// `GET /c/{collection}/{id}`.
pub(super) async fn page(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path((name, id)): Path<(String, String)>,
    Asked(asked): Asked<Typed>,
) -> Response {
    visitor.read(node, move |desk| show(desk, &name, &id, &asked)).await
}

/// `GET /c/{collection}/{id}/edit`.
pub(super) async fn form(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path((name, id)): Path<(String, String)>,
) -> Response {
    visitor
        .read(node, move |desk| {
            let collection = desk.schema.require(&name)?;
            let record = desk.principal.record(&name, &desk.principal.find(&name, &id)?)?;
            let title = titled(desk, collection, &record.id);
            let inner = form::whole(desk, collection, Some(&record), &Typed::new(), None)?;
            Ok(Reply::Page(title.clone(), html! { h1 { (title) } (inner) }))
        })
        .await
}

/// `GET /c/{collection}/new`: what the address carries as `FIELD=TEXT` stands in the form.
pub(super) async fn blank(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path(name): Path<String>,
    Asked(asked): Asked<Typed>,
) -> Response {
    visitor
        .read(node, move |desk| {
            let collection = desk.schema.require(&name)?;
            let typed = asked.into_iter().map(|(field, text)| (format!("f.{field}"), text)).collect();
            let title = new_title(desk, collection);
            let inner = form::whole(desk, collection, None, &typed, None)?;
            Ok(Reply::Page(title.clone(), html! { h1 { (title) } (inner) }))
        })
        .await
}

/// The heading of the form of a new record.
pub(super) fn new_title(desk: &Desk, collection: &Collection) -> String {
    format!("{}: {}", collection.labels.text(desk.language), desk.say("web-new-record"))
}

/// A record's title, or words for one that has none.
pub(super) fn titled(desk: &Desk, collection: &Collection, id: &RecordId) -> String {
    let label = desk.label(&collection.name, id).filter(|label| !label.is_empty());
    label.unwrap_or_else(|| desk.say("web-untitled"))
}

fn show(desk: &Desk, name: &str, id: &str, asked: &Typed) -> Result<Reply> {
    let edited = asked.get("edit").map(String::as_str);
    let past = form::text(asked, "past").parse().unwrap_or_default();
    let collection = desk.schema.require(name)?;
    let id = desk.principal.find(name, id)?;
    let record = desk.principal.record(name, &id)?;
    let title = titled(desk, collection, &id);
    let home = format!("/c/{name}/{id}");
    let may = desk.may(Action::Edit, collection);
    let body = html! {
        p.trail { a href={ "/c/" (name) } { (collection.labels.text(desk.language)) } }
        div.head {
            h1 { (title) @if record.archived { " " span.badge { (desk.say("label-archived")) } } }
            @if may {
                a.button href={ (home) "/edit" } { (desk.say("web-edit")) }
                form method="post" action={ (home) "/archive" } {
                    input type="hidden" name="archived" value=(if record.archived { "no" } else { "yes" });
                    button.plain { (desk.say(if record.archived { "web-restore" } else { "web-archive" })) }
                }
            }
        }
        @if may { (acts::offered(desk, collection, &record)) }
        (related::alike(desk, collection, &record)?)
        @for conflict in &record.conflicts { (settling(desk, collection, &home, conflict, "")) }
        div.columns {
            section { h2 { (desk.say("web-facts")) }
                (facts(desk, collection, &record, &home, edited.filter(|_| may))?)
                (lines::shown(desk, collection, &record, &home, edited.filter(|_| may), may)?)
            }
            section { (related::lists(desk, collection, &id)?) (files::beside(desk, collection, &id)?) }
        }
        section { h2 { (desk.say("web-timeline")) }
            (timeline::comment(desk, collection, &home))
            (timeline::shown(desk, collection, &record, &home, past)?)
        }
    };
    Ok(Reply::Page(title, body))
}

fn facts(desk: &Desk, collection: &Collection, record: &Record, home: &str, edited: Option<&str>) -> Result<Markup> {
    let may = desk.may(Action::Edit, collection);
    let fields = || collection.facts().filter(|field| !matches!(field.ty, FieldType::Lines(_)));
    let is_edited = |field: &Field| edited == Some(&*field.name) && form::is_typed(field);
    let empty =
        |field: &&Field| *record.value(&field.name) == Value::Null && form::is_typed(field) && !is_edited(field);
    let mut rows = Vec::new();
    for field in fields() {
        let value = record.value(&field.name);
        if is_edited(field) {
            rows.push((field, form::alone(desk, field, record, home)?));
        } else if *value != Value::Null {
            rows.push((field, fact(desk, field, value, Some((collection, &record.id)))));
        }
    }
    Ok(html! {
        dl.facts {
            @for (field, shown) in rows {
                dt { (field.labels.text(desk.language)) }
                dd { (shown) @if may && form::is_typed(field) && !is_edited(field) { (pencil(desk, home, field, "✎")) } }
            }
            dt { (desk.say("label-created")) } dd { (desk.moment(record.created.at)) " " (desk.person(record.created.by.as_ref())) }
            dt { (desk.say("label-updated")) } dd { (desk.moment(record.updated.at)) " " (desk.person(record.updated.by.as_ref())) }
        }
        @if may && fields().any(|field| empty(&field)) {
            details.quiet { summary { (desk.say("web-empty-fields")) }
                p.chips { @for field in fields().filter(empty) {
                    (pencil(desk, home, field, field.labels.text(desk.language))) " "
                } }
            }
        }
    })
}

// Leads to the same page with an input in the place of the value.
fn pencil(desk: &Desk, home: &str, field: &Field, shown: &str) -> Markup {
    let label = format!("{}: {}", desk.say("web-edit"), field.labels.text(desk.language));
    html! { " " a.pencil href={ (home) "?edit=" (field.name) "#edited" } aria-label=(label) { (shown) } }
}

/// A value as it is shown; a file of a record (its collection and id) leads to its bytes.
pub(super) fn fact(desk: &Desk, field: &Field, value: &Value, of: Option<(&Collection, &RecordId)>) -> Markup {
    match (value, &field.ty) {
        (Value::Attachment(file), _) => files::link(file, field, of),
        (Value::Reference(id), FieldType::Reference(target)) => match desk.label(target, id) {
            Some(label) => html! { a href={ "/c/" (target) "/" (id) } { (label) } },
            None => html! { span.quiet { (desk.say("web-not-here")) } },
        },
        (Value::Instant(at), _) => desk.moment(*at),
        (Value::Text(text), FieldType::LongText) => html! { div.prose { (text) } },
        _ => html! { (desk.text(field, value)) },
    }
}

/// The values of a conflict side by side, each with a button that keeps it; the others can go to the notes, or another
/// value can be written. `back` is where one comes from, if not from the record.
pub(super) fn settling(desk: &Desk, collection: &Collection, home: &str, conflict: &Conflict, back: &str) -> Markup {
    let Some(field) = collection.field(&conflict.field) else { return html! {} };
    let sub = conflict.cell.as_ref().and_then(|(_, sub)| match &field.ty {
        FieldType::Lines(columns) => columns.iter().find(|column| column.name == *sub),
        _ => None,
    });
    let place = match &conflict.cell {
        Some((line, sub)) => format!("{}/{line}/{sub}", conflict.field),
        None => conflict.field.to_string(),
    };
    let typed = sub.unwrap_or(field);
    html! {
        section.conflict aria-label=(desk.say("web-conflict")) {
            h2 { "≠ " (typed.labels.text(desk.language)) }
            p { (desk.say("web-conflict-what")) }
            form method="post" action={ (home) "/settle" } {
                input type="hidden" name="field" value=(place);
                input type="hidden" name="back" value=(back);
                @for value in &conflict.values {
                    @let text = desk.text(typed, &value.value);
                    @let written = desk.written(typed, &value.value);
                    div.rival {
                        p { strong { @if text.is_empty() { "–" } @else { (text) } } @if value.shown { " " span.badge { (desk.say("web-shown-now")) } } }
                        p.quiet { (desk.person(value.user.as_ref())) " · " (value.device) " · " (desk.moment(value.at)) }
                        button name="keep" value=(written) { (desk.say("web-keep")) }
                        @if conflict.cell.is_none() && has_notes(collection, conflict) {
                            " " button.plain name="noted" value=(written) { (desk.say("web-keep-noting")) }
                        }
                    }
                }
            }
            @if conflict.cell.is_none() && form::is_typed(field) {
                details { summary { (desk.say("web-other-value")) }
                    form.row method="post" action={ (home) "/settle" } {
                        input type="hidden" name="field" value=(place);
                        input type="hidden" name="back" value=(back);
                        (form::bare(desk, field))
                        button { (desk.say("web-save")) }
                    }
                }
            }
        }
    }
}

/// Whether what is not kept of a conflict can be noted on the record itself.
pub(super) fn has_notes(collection: &Collection, conflict: &Conflict) -> bool {
    let notes = collection.field("notes").filter(|field| field.ty == FieldType::LongText);
    notes.is_some_and(|field| field.name != conflict.field)
}
