//! The HTTP API below `/api/v1`: what the workplace does, as JSON, for other systems.
//!
//! Whoever calls carries a token of a person, and sees and writes as that person through a
//! [`Principal`](branchline_core::replica::Principal). One table, [`routes`], is both the router and the description, so
//! neither has anything that the other lacks. Records have the shapes of the command line; an error is a problem
//! document (RFC 9457). What may be sent twice takes an `Idempotency-Key`.
//!
//! What is absent: no cookies, so a page of another site can do nothing here.

mod attachments;
mod caller;
mod changes;
mod deliver;
mod describe;
mod hooks;
mod page;
mod problem;
mod records;
mod reports;
mod routes;
mod together;
mod typed;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::get;
use tower_http::compression::CompressionLayer;

use crate::server::Node;

pub(crate) use deliver::deliver;

/// Where the API is.
const ROOT: &str = "/api/v1";
/// Largest body of a request, in bytes: more than the largest transaction in JSON.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The routes of the API and of its description.
pub(crate) fn router() -> Router<Node> {
    let mut router =
        Router::new().route(ROOT, get(page::page)).route(&format!("{ROOT}/openapi.json"), get(describe::document));
    for route in routes::routes() {
        router = router.route(&format!("{ROOT}{}", route.path), route.handler);
    }
    // A live stream must leave as it comes; the layer leaves event streams alone.
    router
        .fallback(problem::nothing_here)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(CompressionLayer::new().gzip(true))
}
