//! `/help`: what each page is for and how it is used, in the reader's language.

use axum::extract::State as Shared;
use axum::response::Response;
use maud::html;

use super::desk::{Desk, Reply, Visitor};
use crate::server::Node;

/// The sections in the order of a day: the first part of a page's address, its title, its help.
const SECTIONS: [(&str, &str, &str); 16] = [
    ("today", "web-today", "web-help-today"),
    ("c", "web-lists", "web-help-c"),
    ("record", "web-record", "web-help-record"),
    ("board", "web-board", "web-help-board"),
    ("calendar", "web-calendar", "web-help-calendar"),
    ("tree", "web-tree", "web-help-tree"),
    ("search", "web-search", "web-help-search"),
    ("conflicts", "web-conflicts", "web-help-conflicts"),
    ("review", "web-review", "web-help-review"),
    ("duplicates", "web-duplicates", "web-help-duplicates"),
    ("import", "web-import-title", "web-help-import"),
    ("reports", "web-reports", "web-help-reports"),
    ("sync", "web-sync", "web-help-sync"),
    ("admin", "web-admin", "web-help-admin"),
    ("account", "web-account", "web-help-account"),
    ("keys", "web-keys", "web-help-keys"),
];

/// The section about the page of an address.
pub(super) fn section(target: &str) -> &'static str {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let mut parts = path.split('/').skip(1);
    let wanted = match (parts.next(), parts.next(), parts.next()) {
        (Some("c"), Some(_), Some(_)) => "record",
        (first, ..) => first.unwrap_or_default(),
    };
    SECTIONS.iter().find(|(name, ..)| *name == wanted).map_or("today", |(name, ..)| *name)
}

/// `GET /help`.
pub(super) async fn page(Shared(node): Shared<Node>, visitor: Visitor) -> Response {
    visitor
        .read(node, |desk: &Desk| {
            let title = desk.say("web-help");
            let body = html! {
                h1 { (title) }
                dl.help { @for (name, heading, text) in SECTIONS { dt #(name) { (desk.say(heading)) } dd { (desk.say(text)) } } }
            };
            Ok(Reply::Page(title, body))
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_section() {
        assert_eq!(section("/c/account?q=a"), "c");
        assert_eq!(section("/c/account/0198"), "record");
        assert_eq!(section("/reports/vip?from=2017-01-01"), "reports");
        assert_eq!(section("/admin/schema/account"), "admin");
        assert_eq!(section("/sync"), "sync");
    }
}
