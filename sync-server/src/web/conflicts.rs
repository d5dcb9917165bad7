//! `/conflicts`: every field that has several values, with who wrote each, where and when.

use axum::extract::State as Shared;
use axum::response::Response;
use branchline_core::Result;
use maud::html;

use super::desk::{Desk, Reply, Visitor};
use super::record::{settling, titled};
use crate::server::Node;

/// Conflicts of the page; more come as these are settled.
const CONFLICTS_MAX: usize = 50;

pub(super) async fn page(Shared(node): Shared<Node>, visitor: Visitor) -> Response {
    visitor.read(node, show).await
}

fn show(desk: &Desk) -> Result<Reply> {
    let conflicts = desk.principal.conflicts()?;
    let title = desk.say("web-conflicts");
    let body = html! {
        h1 { (title) }
        @if conflicts.is_empty() { p.empty { (desk.say("web-no-conflicts")) } }
        @for conflict in conflicts.iter().take(CONFLICTS_MAX) {
            @if let Some(collection) = desk.schema.collection(&conflict.collection) {
                @let place = format!("/c/{}/{}", conflict.collection, conflict.id);
                h2 {
                    a href=(place) { (titled(desk, collection, &conflict.id)) }
                    " " span.badge { (collection.labels.text(desk.language)) }
                }
                (settling(desk, collection, &place, conflict, "conflicts"))
            }
        }
        @if conflicts.len() > CONFLICTS_MAX { p.quiet { (desk.say("web-more-conflicts")) } }
    };
    Ok(Reply::Page(title, body))
}
