//! `/review`: what was refused here and waits to be judged, what came back from the archive, and what head office refused
//! of ours.

use axum::extract::{Form, State as Shared};
use axum::response::Response;
use branchline_core::replica::{FieldChange, RefusedEntry};
use branchline_core::schema::Value;
use branchline_core::{Error, Result};
use maud::{Markup, html};
use serde::Deserialize;

use super::desk::{Desk, Reply, Visitor};
use super::frame;
use super::record::titled;
use crate::commands::shape::collection_label;
use crate::server::Node;

/// Transactions of one list.
const ENTRIES_MAX: usize = 100;

/// `GET /review`.
pub(super) async fn page(Shared(node): Shared<Node>, visitor: Visitor) -> Response {
    visitor.read(node, |desk| Ok(Reply::Page(desk.say("web-review"), shown(desk, None)?))).await
}

fn shown(desk: &Desk, error: Option<&Error>) -> Result<Markup> {
    let waiting = |entries: Vec<RefusedEntry>| {
        let mut groups: Vec<Vec<RefusedEntry>> = Vec::new();
        for entry in entries.into_iter().filter(RefusedEntry::waits) {
            match groups.iter_mut().find(|group| group.iter().any(|known| known.transaction == entry.transaction)) {
                Some(group) => group.push(entry),
                None => groups.push(vec![entry]),
            }
        }
        groups
    };
    let (refused, ours) = (waiting(desk.principal.review()?), waiting(desk.principal.quarantine()?));
    let marks = desk.principal.marked()?;
    let judge: [(&str, &'static str); 2] = [("accept", "web-review-accept"), ("decline", "web-review-decline")];
    Ok(html! {
        h1 { (desk.say("web-review")) }
        @if let Some(error) = error { (frame::problem(desk.language, error)) }
        @if refused.is_empty() && ours.is_empty() && marks.is_empty() { p.empty { (desk.say("web-review-none")) } }
        @if !refused.is_empty() {
            h2 { (desk.say("web-review-refused")) }
            p.quiet { (desk.say("web-review-what")) }
            @for group in refused.iter().take(ENTRIES_MAX) { (transaction(desk, group, &judge)) }
        }
        @if !marks.is_empty() {
            h2 { (desk.say("web-review-marked")) }
            @for mark in marks.iter().take(ENTRIES_MAX) { @if let Some(collection) = desk.schema.collection(&mark.collection) {
                @let place = format!("/c/{}/{}", mark.collection, mark.record);
                section.conflict {
                    p { a href=(place) { (titled(desk, collection, &mark.record)) } " " span.badge { (collection.labels.text(desk.language)) } }
                    p.quiet { (desk.say("marked-archived")) }
                    form.row method="post" action={ (place) "/archive" } {
                        button name="archived" value="yes" { (desk.say("web-archive")) } " "
                        button name="archived" value="no" { (desk.say("web-review-stays")) }
                    }
                }
            } }
        }
        @if !ours.is_empty() {
            h2 { (desk.say("web-review-ours")) }
            p.quiet { (desk.say("web-review-ours-what")) }
            @for group in ours.iter().take(ENTRIES_MAX) { (transaction(desk, group, &[("retry", "web-review-retry")])) }
        }
    })
}

fn transaction(desk: &Desk, group: &[RefusedEntry], acts: &[(&str, &'static str)]) -> Markup {
    let Some(first) = group.first() else { return html! {} };
    html! {
        section.conflict {
            @for entry in group { (described(desk, entry)) }
            p.notice { (first.reason().render(desk.language)) }
            form.row method="post" action="/review" {
                input type="hidden" name="id" value=(first.id);
                @for (act, label) in acts { button name="act" value=(act) { (desk.say(label)) } " " }
            }
        }
    }
}

fn described(desk: &Desk, entry: &RefusedEntry) -> Markup {
    let collection = desk.schema.collection(&entry.collection);
    let text = |change: &FieldChange, value: &Value| match collection.and_then(|c| c.field(&change.field)) {
        Some(field) => desk.text(field, value),
        None => match value {
            Value::Boolean(flag) => desk.say(if *flag { "web-yes" } else { "web-no" }),
            _ => String::new(),
        },
    };
    let label = |change: &FieldChange| {
        let field = collection.and_then(|c| c.field(&change.field));
        field.map_or_else(|| change.field.to_string(), |field| field.labels.text(desk.language).to_owned())
    };
    html! {
        p {
            @match collection.and_then(|_| desk.label(&entry.collection, &entry.record)) {
                Some(title) => { a href={ "/c/" (entry.collection) "/" (entry.record) } { (title) } }
                None => { strong { (desk.say("web-new-record")) } }
            }
            " " span.badge { (collection_label(&desk.schema, &entry.collection, desk.language)) }
        }
        p.quiet { (desk.person(entry.user.as_ref())) " · " (entry.device) " · " (desk.moment(entry.written_at.unwrap_or(entry.refused_at))) }
        ul.changes { @for change in &entry.fields {
            @let (from, to) = (text(change, &change.from), text(change, &change.to));
            li { (label(change)) ": " @if !from.is_empty() { del { (from) } " → " } ins { @if to.is_empty() { "–" } @else { (to) } } }
        } }
    }
}

/// What is done about a refused transaction.
#[derive(Debug, Deserialize)]
pub(super) struct Judged {
    id: u64,
    act: String,
}

/// `POST /review`.
pub(super) async fn judge(Shared(node): Shared<Node>, visitor: Visitor, Form(asked): Form<Judged>) -> Response {
    visitor
        .write(node, move |desk| {
            let done = match asked.act.as_str() {
                "accept" => desk.principal.accept(asked.id).map(drop),
                "decline" => desk.principal.decline(asked.id).map(drop),
                _ => desk
                    .principal
                    .retry(Some(asked.id))
                    .and_then(|retried| retried.into_iter().find_map(|one| one.error).map_or(Ok(()), Err)),
            };
            match done {
                Ok(()) => Ok(Reply::Go("/review".to_owned())),
                Err(error) => Ok(Reply::Again(desk.say("web-review"), shown(desk, Some(&error))?)),
            }
        })
        .await
}
