//! The description as a page to read.

use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use branchline_core::message::Message;
use maud::html;

use super::ROOT;
use super::describe::parts;
use super::routes::routes;
use crate::server::{Node, language_of};
use crate::web;

/// `GET /api/v1`.
pub(super) async fn page(Shared(node): Shared<Node>, headers: HeaderMap) -> Response {
    let language = language_of(&headers);
    let say = |id: &'static str| Message::new(id).render(language);
    let title = say("api-title");
    let body = html! {
        h1 { (title) }
        p { (say("api-about")) }
        p { (say("api-token")) }
        pre { code { "branchline users token anna@acme.example --name shop" } }
        p { a href={ (ROOT) "/openapi.json" } { "openapi.json" } }
        @for route in routes() {
            @for call in &route.calls {
                section.call id=(call.id) {
                    h2 { code { (call.method.to_uppercase()) " " (ROOT) (route.path) } }
                    p { (say(call.summary)) }
                    @if !call.query.is_empty() || parts(route.path).next().is_some() || call.once {
                        dl {
                            @for part in parts(route.path) { dt { code { "{" (part) "}" } } dd { (say(part_summary(part))) } }
                            @for (name, _, summary) in &call.query { dt { code { (name) } } dd { (say(summary)) } }
                            @if call.once { dt { code { "Idempotency-Key" } } dd { (say("api-once")) } }
                        }
                    }
                }
            }
        }
    };
    web::outside_page(&node, language, &title, &body).into_response()
}

fn part_summary(part: &str) -> &'static str {
    match part {
        "collection" => "api-part-collection",
        "record" => "api-part-record",
        "field" => "api-part-field",
        "id" => "api-part-id",
        "report" => "api-part-report",
        "attachment" => "api-part-attachment",
        _ => "api-part-value",
    }
}
