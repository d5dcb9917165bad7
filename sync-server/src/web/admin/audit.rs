//! `/admin/audit`: every change that this replica holds, the newest first: who, when, on which device, what.

use std::collections::HashMap;

use axum::extract::{Query as Asked, State as Shared};
use axum::response::Response;
use branchline_core::Result;
use branchline_core::replica::{HistoryEntry, LoggedChange};
use maud::{Markup, html};

use super::require;
use crate::commands::shape::collection_label;
use crate::server::Node;
use crate::web::desk::{Desk, Reply, Visitor};
use crate::web::record::titled;
use crate::web::timeline::changed;

/// Changes of a page.
const CHANGES_MAX: usize = 50;

/// `GET /admin/audit`.
pub(in crate::web) async fn page(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Asked(asked): Asked<HashMap<String, String>>,
) -> Response {
    let before = asked.get("before").and_then(|text| text.parse().ok());
    visitor.read(node, move |desk| shown(desk, before)).await
}

fn shown(desk: &Desk, before: Option<u64>) -> Result<Reply> {
    require(desk.is_owner(), desk)?;
    let changes = desk.principal.replica().recent_changes(before, CHANGES_MAX)?;
    let mut histories = HashMap::new();
    for change in &changes {
        let history = || desk.principal.history(&change.collection, &change.record).unwrap_or_default();
        histories.entry(change.record).or_insert_with(history);
    }
    let title = desk.say("web-audit");
    let oldest = changes.last().map(|change| change.seq).filter(|_| changes.len() == CHANGES_MAX);
    let body = html! {
        p.trail { a href="/admin" { (desk.say("web-admin")) } }
        h1 { (title) }
        p.quiet { (desk.say("web-audit-hint")) }
        ol.timeline {
            @for change in &changes { (entry(desk, change, histories.get(&change.record).map(Vec::as_slice).unwrap_or_default())) }
        }
        @if let Some(seq) = oldest { a.button rel="next" href={ "/admin/audit?before=" (seq) } { (desk.say("web-next-page")) } }
    };
    Ok(Reply::Page(title, body))
}

fn entry(desk: &Desk, change: &LoggedChange, history: &[HistoryEntry]) -> Markup {
    let entries: Vec<&HistoryEntry> = history.iter().filter(|entry| entry.change == change.hash).collect();
    let Some(collection) = desk.schema.collection(&change.collection) else { return html! {} };
    html! {
        li {
            @if let Some(first) = entries.first() {
                p.quiet { (desk.moment(first.at)) " · " (desk.person(first.user.as_ref())) " · " (first.device) @if first.batch.is_some() { " · " (desk.say("web-import")) } }
            }
            p {
                a href={ "/c/" (change.collection) "/" (change.record) } { (titled(desk, collection, &change.record)) }
                " " span.badge { (collection_label(&desk.schema, &change.collection, desk.language)) }
            }
            ul { @for entry in entries { (changed(desk, collection, entry)) } }
        }
    }
}
