//! The web workplace: what the people of a hub or branch work in, in the browser, on this replica.
//!
//! Every page works as plain forms and links; the script adds to it and is needed for nothing. Whoever signed in sees and
//! writes through a [`Principal`]: no page asks the replica itself for records. Answers carry a strict policy and nothing
//! is loaded from elsewhere.
//!
//! What is absent: no SQL, no rules of the CRM, no words (they are in the catalogue).

mod acts;
mod assets;
mod board;
mod calendar;
mod conflicts;
mod desk;
mod duplicates;
mod feeds;
mod files;
mod form;
mod frame;
mod help;
mod import;
mod lines;
mod list;
mod live;
mod many;
mod record;
mod related;
mod reports;
mod review;
mod search;
mod sessions;
mod sign_in;
mod timeline;
mod today;
mod tree;
mod uploads;
mod view;
mod write;

pub(crate) use import::Imports;
pub use sessions::{LINK_MS, Sessions, Token};

use axum::Router;
use axum::extract::DefaultBodyLimit;
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
        .route("/c/{collection}/bulk", post(many::bulk))
        .route("/c/{collection}/views", post(many::views))
        .route("/c/{collection}/new", get(record::blank))
        .route("/c/{collection}/{id}", get(record::page).post(write::edit))
        .route("/c/{collection}/{id}/edit", get(record::form))
        .route("/c/{collection}/{id}/archive", post(write::archive))
        .route("/c/{collection}/{id}/undo", post(write::undo))
        .route("/c/{collection}/{id}/settle", post(write::settle))
        .route("/c/{collection}/{id}/convert", post(acts::convert))
        .route("/c/{collection}/{id}/end", post(acts::end))
        .route("/c/{collection}/{id}/plan", post(acts::plan))
        .route("/c/{collection}/{id}/comment", post(acts::comment))
        .route("/c/{collection}/{id}/lines", post(lines::edit))
        .route("/c/{collection}/{id}/file/{field}", get(files::down))
        .route("/c/{collection}/{id}/attach", post(files::attach).layer(DefaultBodyLimit::max(uploads::BODY_BYTES_MAX)))
        .route("/board/opportunity", get(board::page))
        .route("/calendar", get(calendar::page).post(calendar::feed))
        .route("/feed/{token}", get(calendar::ics))
        .route("/help", get(help::page))
        .route("/tree", get(tree::page))
        .route("/conflicts", get(conflicts::page))
        .route("/duplicates", get(duplicates::start))
        .route("/duplicates/{collection}", get(duplicates::pairs).post(duplicates::merge))
        .route("/duplicates/{collection}/pair", get(duplicates::pair))
        .route("/duplicates/{collection}/merged", get(duplicates::merged).post(duplicates::unmerge))
        .route("/review", get(review::page).post(review::judge))
        .route("/reports", get(reports::index))
        .route("/reports/{name}", get(reports::page))
        .route("/import", get(import::page).post(import::upload).layer(DefaultBodyLimit::max(uploads::BODY_BYTES_MAX)))
        .route("/import/{upload}", get(import::mapping).post(import::mapped))
        .route("/import/{upload}/run", get(import::running))
        .route("/import/{upload}/undo", post(import::undo))
        .route("/sign-in", get(sign_in::page).post(sign_in::enter))
        .route("/sign-out", post(sign_in::leave))
        .route("/language", post(sign_in::speak))
        .route("/live", get(live::stream))
        .route("/assets/{name}", get(assets::asset))
        .layer(CompressionLayer::new().gzip(true))
}
