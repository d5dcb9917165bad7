//! `/search`: full text over everything that one may see; also what a form suggests while somebody types.

use std::collections::HashMap;

use axum::extract::{Query as Asked, State as Shared};
use axum::response::Response;
use branchline_core::Result;
use maud::html;

use super::desk::{Desk, Reply, Visitor};
use super::form;
use crate::commands::shape::collection_label;
use crate::server::Node;

/// Hits of a page.
const HITS_MAX: usize = 50;

pub(super) async fn page(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Asked(asked): Asked<HashMap<String, String>>,
) -> Response {
    visitor
        .read(node, move |desk| {
            let text = form::text(&asked, "q");
            show(desk, text, asked.get("in").map(String::as_str))
        })
        .await
}

fn show(desk: &Desk, text: &str, within: Option<&str>) -> Result<Reply> {
    let hits = match within {
        Some(collection) => desk.principal.search_in(collection, text, HITS_MAX)?,
        None => desk.principal.search(text, HITS_MAX)?,
    };
    let title = desk.say("web-search");
    let body = html! {
        h1 { (title) }
        form.asking action="/search" role="search" {
            input type="search" name="q" value=(text) aria-label=(desk.say("web-words")) autofocus;
            button { (desk.say("web-show")) }
        }
        @if hits.is_empty() {
            p.empty { (desk.say(if text.trim().is_empty() { "web-search-hint" } else { "web-nothing" })) }
        }
        ul.hits { @for hit in &hits {
            li {
                a href={ "/c/" (hit.collection) "/" (hit.id) } data-hit="" { (hit.label) }
                " " span.badge { (collection_label(&desk.schema, &hit.collection, desk.language)) }
                p.quiet { (hit.excerpt) }
            }
        } }
    };
    Ok(Reply::Page(title, body))
}
