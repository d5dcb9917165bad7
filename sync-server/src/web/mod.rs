//! The web workplace: what the people of a hub or branch work in, in the browser, on this replica.
//!
//! Every page works as plain forms and links; the script adds to it and is needed for nothing. Whoever signed in sees and
//! writes through a [`Principal`]: no page asks the replica itself for records. Answers carry a strict policy and nothing
//! is loaded from elsewhere.
//!
//! What is absent: no SQL, no rules of the CRM, no words (they are in the catalogue).

mod assets;
mod board;
mod conflicts;
mod desk;
mod form;
mod frame;
mod list;
mod live;
mod record;
mod search;
mod sessions;
mod sign_in;
mod today;
mod write;

pub use sessions::{LINK_MS, Sessions, Token};

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use branchline_core::message::Language;
use maud::Markup;
use tower_http::compression::CompressionLayer;

use crate::server::Node;

/// A page for whoever looks, signed in or not.
pub(crate) fn outside_page(language: Language, title: &str, body: &Markup) -> Response {
    desk::secured(frame::outside(language, title, body).into_response(), language)
}

/// The routes of the workplace.
pub fn router() -> Router<Node> {
    Router::new()
        .route("/today", get(today::page))
        .route("/search", get(search::page))
        .route("/c/{collection}", get(list::page).post(write::create))
        .route("/c/{collection}/new", get(record::blank))
        .route("/c/{collection}/{id}", get(record::page).post(write::edit))
        .route("/c/{collection}/{id}/edit", get(record::form))
        .route("/c/{collection}/{id}/archive", post(write::archive))
        .route("/c/{collection}/{id}/undo", post(write::undo))
        .route("/c/{collection}/{id}/settle", post(write::settle))
        .route("/board/opportunity", get(board::page))
        .route("/conflicts", get(conflicts::page))
        .route("/sign-in", get(sign_in::page).post(sign_in::enter))
        .route("/sign-out", post(sign_in::leave))
        .route("/language", post(sign_in::speak))
        .route("/live", get(live::stream))
        .route("/assets/{name}", get(assets::asset))
        .layer(CompressionLayer::new().gzip(true))
}
