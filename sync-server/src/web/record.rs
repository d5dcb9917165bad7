//! `/c/<collection>/<id>`: one record with its facts, open conflicts, what refers to it, and its history.

use axum::extract::{Path, Query as Asked, State as Shared};
use axum::response::Response;
use branchline_core::Result;
use branchline_core::access::Action;
use branchline_core::id::{ChangeHash, RecordId};
use branchline_core::replica::{Conflict, Direction, HistoryEntry, Query, Record};
use branchline_core::schema::{Collection, Field, FieldType, Filter, Literal, Op, Value};
use branchline_core::time::Millis;
use maud::{Markup, html};

use super::desk::{Desk, Reply, Visitor};
use super::form::{self, Typed};
use crate::server::Node;

/// Records of another collection that are shown beside one.
const RELATED_MAX: usize = 8;

/// `GET /c/{collection}/{id}`.
pub(super) async fn page(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path((name, id)): Path<(String, String)>,
) -> Response {
    visitor.read(node, move |desk| show(desk, &name, &id)).await
}

/// `GET /c/{collection}/{id}/edit`.
pub(super) async fn form(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path((name, id)): Path<(String, String)>,
) -> Response {
    visitor
        .read(node, move |desk| {
            let collection = desk.schema.require(&name)?.clone();
            let record = desk.principal.record(&name, &desk.principal.find(&name, &id)?)?;
            let title = titled(desk, &collection, &record.id);
            let inner = form::whole(desk, &collection, Some(&record), &Typed::new(), None)?;
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
            let collection = desk.schema.require(&name)?.clone();
            let typed = asked.into_iter().map(|(field, text)| (format!("f.{field}"), text)).collect();
            let title = new_title(desk, &collection);
            let inner = form::whole(desk, &collection, None, &typed, None)?;
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

fn show(desk: &Desk, name: &str, id: &str) -> Result<Reply> {
    let collection = desk.schema.require(name)?.clone();
    let id = desk.principal.find(name, id)?;
    let record = desk.principal.record(name, &id)?;
    let history = desk.principal.history(name, &id)?;
    let title = titled(desk, &collection, &id);
    let home = format!("/c/{name}/{id}");
    let body = html! {
        p.trail { a href={ "/c/" (name) } { (collection.labels.text(desk.language)) } }
        div.head {
            h1 { (title) @if record.archived { " " span.badge { (desk.say("label-archived")) } } }
            @if desk.may(Action::Edit, &collection) {
                a.button href={ (home) "/edit" } { (desk.say("web-edit")) }
                form method="post" action={ (home) "/archive" } {
                    input type="hidden" name="archived" value=(if record.archived { "no" } else { "yes" });
                    button.plain { (desk.say(if record.archived { "web-restore" } else { "web-archive" })) }
                }
            }
        }
        @for conflict in &record.conflicts { (settling(desk, &collection, &home, conflict)) }
        div.columns {
            section { h2 { (desk.say("web-facts")) } (facts(desk, &collection, &record)) (lines(desk, &collection, &record)) }
            section { (related(desk, &collection, &id)?) }
        }
        section { h2 { (desk.say("web-history")) } (timeline(desk, &collection, &home, &history)) }
    };
    Ok(Reply::Page(title, body))
}

fn facts(desk: &Desk, collection: &Collection, record: &Record) -> Markup {
    html! {
        dl.facts {
            @for field in collection.fields.iter().filter(|field| !matches!(field.ty, FieldType::Lines(_))) {
                @let value = record.value(&field.name);
                @if *value != Value::Null {
                    dt { (field.labels.text(desk.language)) }
                    dd { (fact(desk, field, value)) }
                }
            }
            dt { (desk.say("label-created")) } dd { (moment(record.created.at)) " " (desk.person(record.created.by.as_ref())) }
            dt { (desk.say("label-updated")) } dd { (moment(record.updated.at)) " " (desk.person(record.updated.by.as_ref())) }
        }
    }
}

fn fact(desk: &Desk, field: &Field, value: &Value) -> Markup {
    match (value, &field.ty) {
        (Value::Reference(id), FieldType::Reference(target)) => match desk.label(target, id) {
            Some(label) => html! { a href={ "/c/" (target) "/" (id) } { (label) } },
            None => html! { span.quiet { (desk.say("web-not-here")) } },
        },
        (Value::Instant(at), _) => moment(*at),
        (Value::Text(text), FieldType::LongText) => html! { div.prose { (text) } },
        _ => html! { (desk.text(field, value)) },
    }
}

fn lines(desk: &Desk, collection: &Collection, record: &Record) -> Markup {
    let tables = collection.fields.iter().filter_map(|field| match (&field.ty, record.value(&field.name)) {
        (FieldType::Lines(columns), Value::Lines(lines)) => Some((field, columns, lines)),
        _ => None,
    });
    html! {
        @for (field, columns, lines) in tables {
            h3 { (field.labels.text(desk.language)) }
            div.scroll { table {
                thead { tr { @for column in columns { th scope="col" { (column.labels.text(desk.language)) } } } }
                tbody { @for line in lines.values() { tr {
                    @for column in columns {
                        td { @if let Some(value) = line.get(&*column.name) { (desk.text(column, value)) } }
                    }
                } } }
            } }
        }
    }
}

/// A moment that the script turns into the reader's own time; without it UTC stays.
pub(super) fn moment(at: Millis) -> Markup {
    html! { time datetime=(at.rfc3339()) { (at.rfc3339()) } }
}

/// The values of a conflict side by side, each with a button that keeps it.
pub(super) fn settling(desk: &Desk, collection: &Collection, home: &str, conflict: &Conflict) -> Markup {
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
                @for value in &conflict.values {
                    @let text = desk.text(typed, &value.value);
                    @let written = desk.written(typed, &value.value);
                    div.rival {
                        p { strong { @if text.is_empty() { "–" } @else { (text) } } @if value.shown { " " span.badge { (desk.say("web-shown-now")) } } }
                        p.quiet { (desk.person(value.user.as_ref())) " · " (value.device) " · " (moment(value.at)) }
                        button name="keep" value=(written) { (desk.say("web-keep")) }
                    }
                }
            }
        }
    }
}

// What refers to this record, a list for each field that can.
fn related(desk: &Desk, collection: &Collection, id: &RecordId) -> Result<Markup> {
    let mut lists = Vec::new();
    for other in desk.schema.collections() {
        let is_it = |field: &&Field| matches!(&field.ty, FieldType::Reference(target) if *target == collection.name);
        for field in other.fields.iter().filter(is_it) {
            // People are in everything that they own.
            if matches!(&*field.name, "owner" | "branch" | "team") {
                continue;
            }
            let value = Literal::Key { collection: collection.name.clone(), text: id.to_string() };
            let condition = Filter::Compare { field: field.name.clone(), op: Op::Eq, value };
            let query = Query::of(&other.name).filtered(condition).sorted("updated_at", Direction::Descending);
            let total = desk.principal.count(&query)?;
            let rows = if total == 0 { Vec::new() } else { desk.principal.list(&query.limited(RELATED_MAX))?.rows };
            let usual = matches!(&*other.name, "contact" | "opportunity" | "activity" | "case");
            let shown = usual && *field.name == *collection.name || total > 0;
            if shown && (total > 0 || desk.may(Action::Create, other)) {
                lists.push(related_list(desk, other, field, id, &rows, total));
            }
        }
    }
    Ok(html! { @for list in lists { (list) } })
}

fn related_list(desk: &Desk, other: &Collection, field: &Field, id: &RecordId, rows: &[Record], total: u64) -> Markup {
    let all = form_urlencoded::Serializer::new(String::new())
        .append_pair("where", &format!("{} = \"{id}\"", field.name))
        .finish();
    // Deals of a client are its deals; those in which it competes say so.
    let is_plain = field.ty.target() == Some(&field.name);
    html! {
        div.related {
            h2 {
                a href={ "/c/" (other.name) "?" (all) } {
                    (other.labels.text(desk.language))
                    @if !is_plain { " · " (field.labels.text(desk.language)) }
                }
                @if total > 0 { " " span.quiet { (total) } }
                @if desk.may(Action::Create, other) {
                    " " a.plain href={ "/c/" (other.name) "/new?" (field.name) "=" (id) } aria-label=(desk.say("web-new")) { "+" }
                }
            }
            @if !rows.is_empty() {
                ul { @for row in rows {
                    li { a href={ "/c/" (other.name) "/" (row.id) } { (titled(desk, other, &row.id)) } (telling(desk, other, row)) }
                } }
            }
        }
    }
}

// The stage, the state or the day of a record, whichever it has first.
fn telling(desk: &Desk, collection: &Collection, record: &Record) -> Markup {
    let names = ["stage", "status", "due_at", "starts_at", "job_title"];
    let told = names.iter().filter_map(|name| collection.field(name)).find_map(|field| {
        let value = record.value(&field.name);
        (*value != Value::Null).then(|| fact(desk, field, value))
    });
    html! { @if let Some(told) = told { " " span.quiet { (told) } } }
}

fn timeline(desk: &Desk, collection: &Collection, home: &str, history: &[HistoryEntry]) -> Markup {
    // One entry for each change, the newest first.
    let mut changes: Vec<(ChangeHash, Vec<&HistoryEntry>)> = Vec::new();
    for entry in history {
        match changes.last_mut() {
            Some((change, entries)) if *change == entry.change => entries.push(entry),
            _ => changes.push((entry.change, vec![entry])),
        }
    }
    let may = desk.may(Action::Edit, collection);
    html! {
        ol.timeline {
            @for (change, entries) in changes.iter().rev() { @if let Some(first) = entries.first() {
                li {
                    p.quiet {
                        (moment(first.at)) " · " (desk.person(first.user.as_ref())) " · " (first.device)
                        @if first.batch.is_some() { " · " (desk.say("web-import")) }
                    }
                    ul { @for entry in entries { (changed(desk, collection, entry)) } }
                    @if may && changes.first().is_none_or(|(oldest, _)| oldest != change) {
                        form method="post" action={ (home) "/undo" } {
                            input type="hidden" name="change" value=(change);
                            button.plain { (desk.say("web-undo")) }
                        }
                    }
                }
            } }
        }
    }
}

/// What a change did to one field.
pub(super) fn changed(desk: &Desk, collection: &Collection, entry: &HistoryEntry) -> Markup {
    let Some(field) = collection.field(&entry.field) else {
        let known = match (&*entry.field, &entry.to) {
            ("archived", Value::Boolean(true)) => "web-was-archived",
            ("archived", _) => "web-was-restored",
            ("merged_into", _) => "web-was-merged",
            _ => return html! {},
        };
        return html! { li { (desk.say(known)) } };
    };
    let text = |value: &Value| match desk.text(field, value) {
        text if text.is_empty() => "–".to_owned(),
        text => text,
    };
    html! {
        li {
            (field.labels.text(desk.language)) ": "
            @if entry.from != Value::Null { del { (text(&entry.from)) } " → " }
            ins { (text(&entry.to)) }
        }
    }
}
