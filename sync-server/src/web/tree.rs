//! `/tree`: clients by their categories. A category may be a path, `Trade/Food/Chains`; each part is a level.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State as Shared;
use axum::response::Response;
use branchline_core::Result;
use branchline_core::limits::FILTER_TERMS_MAX;
use branchline_core::replica::Query;
use branchline_core::schema::Value;
use maud::{Markup, html};

use super::desk::{Desk, Reply, Visitor};
use crate::server::Node;

const CLIENTS: &str = "account";
/// Levels that are shown; deeper ones count for their last shown one.
const LEVELS_MAX: usize = 8;
/// Longest condition that an address carries, in bytes; a node with more spellings beneath it is no link.
const CONDITION_BYTES_MAX: usize = 6_000;

#[derive(Debug, Default, PartialEq)]
struct Branch {
    clients: u64,
    /// The categories of these clients that lead here, as they are written.
    written: BTreeSet<String>,
    below: BTreeMap<String, Branch>,
}

impl Branch {
    // A client in two categories of one branch counts once there.
    fn add<'t>(&mut self, categories: impl Iterator<Item = &'t str>) {
        let mut seen: Vec<String> = Vec::new();
        for category in categories {
            let (mut at, mut path) = (&mut *self, String::new());
            for part in category.split('/').map(str::trim).filter(|part| !part.is_empty()).take(LEVELS_MAX) {
                path.push('/');
                path.push_str(part);
                at = at.below.entry(part.to_owned()).or_default();
                if !at.written.contains(category) {
                    at.written.insert(category.to_owned());
                }
                if !seen.contains(&path) {
                    seen.push(path.clone());
                    at.clients += 1;
                }
            }
        }
    }
}

/// `GET /tree`.
pub(super) async fn page(Shared(node): Shared<Node>, visitor: Visitor) -> Response {
    visitor.read(node, show).await
}

impl Branch {
    // What a list is asked for to show these clients: a part of a path may begin or end that of another branch.
    fn condition(&self) -> Option<String> {
        let quoted = |text: &String| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let condition = format!("categories in ({})", self.written.iter().map(quoted).collect::<Vec<_>>().join(", "));
        (condition.len() <= CONDITION_BYTES_MAX && self.written.len() < FILTER_TERMS_MAX).then_some(condition)
    }
}

fn show(desk: &Desk) -> Result<Reply> {
    let (mut root, mut without) = (Branch::default(), 0u64);
    desk.principal.each(&Query::of(CLIENTS).fields(["categories"]), &mut |record| {
        match record.value("categories") {
            Value::Set(items) if !items.is_empty() => root.add(items.iter().map(String::as_str)),
            _ => without += 1,
        }
        Ok(())
    })?;
    let title = desk.say("web-tree");
    let body = html! {
        h1 { (title) }
        p.quiet { (desk.say("web-tree-what")) }
        @if root.below.is_empty() { p.empty { (desk.say("web-tree-none")) } } @else { ul.branching { (level(&root)) } }
        @if without > 0 { p { a href=(list("categories is empty")) { (desk.say("web-tree-without")) } " " span.quiet { (without) } } }
    };
    Ok(Reply::Page(title, body))
}

fn level(branch: &Branch) -> Markup {
    html! {
        @for (name, below) in &branch.below {
            li {
                @match below.condition() {
                    Some(condition) => { a href=(list(&condition)) { (name) } }
                    None => { (name) }
                }
                " " span.quiet { (below.clients) }
                @if !below.below.is_empty() { ul { (level(below)) } }
            }
        }
    }
}

fn list(condition: &str) -> String {
    format!("/c/{CLIENTS}?{}", form_urlencoded::Serializer::new(String::new()).append_pair("where", condition).finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_counts_once_on_each_level_of_its_categories() {
        let mut root = Branch::default();
        root.add(["Trade/Food", "Trade / Clothes", "VIP"].into_iter());
        root.add(["Trade/Food/Chains"].into_iter());
        let trade = root.below.get("Trade");
        assert_eq!(trade.map(|trade| trade.clients), Some(2));
        assert_eq!(trade.and_then(|trade| trade.below.get("Food")).map(|food| food.clients), Some(2));
        assert_eq!(root.below.len(), 2);
        let food = trade.and_then(|trade| trade.below.get("Food"));
        let condition = food.and_then(Branch::condition).unwrap_or_default();
        assert_eq!(condition, r#"categories in ("Trade/Food", "Trade/Food/Chains")"#);
    }
}
