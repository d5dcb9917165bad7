//! The web workplace: what the people of a hub or branch work in, in the browser, on this replica.
//!
//! Every page works as plain forms and links; the script adds to it and is needed for nothing. Whoever signed in sees and
//! writes through a [`Principal`]: no page asks the replica itself for records. Answers carry a strict policy and nothing
//! is loaded from elsewhere.
//!
//! What is absent: no SQL, no rules of the CRM, no words (they are in the catalogue).

mod account;
mod acts;
mod admin;
mod assets;
mod board;
mod calendar;
mod choices;
mod conflicts;
mod desk;
mod duplicates;
mod feeds;
mod files;
mod form;
mod formats;
mod frame;
mod guard;
mod help;
mod import;
mod lines;
mod list;
mod live;
mod many;
mod notices;
mod password;
mod record;
mod related;
mod reminders;
mod reports;
mod review;
mod search;
mod sessions;
mod sign_in;
mod sync;
mod timeline;
mod today;
mod tree;
mod uploads;
mod view;
mod write;

pub(crate) use duplicates::Pairs;
pub use guard::Guard;
pub(crate) use import::Imports;
pub(crate) use notices::Notices;
pub use password::set_password;
pub use sessions::{LINK_MS, Sessions, Token};
pub(crate) use uploads::forget as forget_uploads;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Uri;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use branchline_core::message::Language;
use maud::Markup;
use tower_http::compression::CompressionLayer;

use crate::server::Node;

/// A page for whoever looks, signed in or not.
pub(crate) fn outside_page(node: &Node, language: Language, title: &str, body: &Markup) -> Response {
    desk::secured(frame::outside(language, node.is_open, title, body).into_response(), language)
}

/// Where a form leads whose answer is asked for again, by a reload or by somebody who comes back from signing in: one level
/// up, where the form stands.
async fn above(asked: Uri) -> Redirect {
    let page = asked.path().rsplit_once('/').map_or("", |(page, _)| page);
    Redirect::to(if page.is_empty() { "/" } else { page })
}

/// The routes of the workplace.
pub fn router() -> Router<Node> {
    Router::new()
        .route("/", get(desk::front))
        .route("/today", get(today::page))
        .route("/search", get(search::page))
        .route("/c/{collection}", get(list::page).post(write::create))
        .route("/c/{collection}/bulk", get(above).post(many::bulk))
        .route("/c/{collection}/views", get(above).post(many::views))
        .route("/c/{collection}/new", get(record::blank))
        .route("/c/{collection}/{id}", get(record::page).post(write::edit))
        .route("/c/{collection}/{id}/edit", get(record::form))
        .route("/c/{collection}/{id}/archive", get(above).post(write::archive))
        .route("/c/{collection}/{id}/undo", get(above).post(write::undo))
        .route("/c/{collection}/{id}/settle", get(above).post(write::settle))
        .route("/c/{collection}/{id}/convert", get(above).post(acts::convert))
        .route("/c/{collection}/{id}/end", get(above).post(acts::end))
        .route("/c/{collection}/{id}/plan", get(above).post(acts::plan))
        .route("/c/{collection}/{id}/comment", get(above).post(acts::comment))
        .route("/c/{collection}/{id}/remind", get(above).post(reminders::answer))
        .route("/c/{collection}/{id}/lines", get(above).post(lines::edit))
        .route("/c/{collection}/{id}/file/{field}", get(files::down))
        .route(
            "/c/{collection}/{id}/attach",
            get(above).post(files::attach).layer(DefaultBodyLimit::max(uploads::BODY_BYTES_MAX)),
        )
        .route("/board/opportunity", get(board::page))
        .route("/calendar", get(calendar::page))
        .route("/calendar/feed", get(calendar::home).post(calendar::feed))
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
        .route("/import/{upload}/undo", get(above).post(import::undo))
        .route("/sign-in", get(sign_in::page).post(sign_in::enter))
        .route("/sign-out", get(above).post(sign_in::leave))
        .route("/language", get(above).post(sign_in::speak))
        .route("/live", get(live::stream))
        .route("/assets/{name}", get(assets::asset))
        .merge(keeping())
        .layer(CompressionLayer::new().gzip(true))
}

/// The pages about the company's replicas, about the company itself, and about one's own account.
fn keeping() -> Router<Node> {
    Router::new()
        .route("/sync", get(sync::page))
        .route("/sync/invite", get(sync::home).post(sync::invite))
        .route("/sync/revoke", get(sync::home).post(sync::revoke))
        .route("/sync/message", get(sync::home).post(sync::message))
        .route("/sync/line", get(sync::home).post(sync::line))
        .route("/sync/courier/pack", get(sync::home).post(sync::pack))
        .route(
            "/sync/courier/unpack",
            get(sync::home).post(sync::unpack).layer(DefaultBodyLimit::max(sync::COURIER_BYTES_MAX)),
        )
        .route("/admin", get(admin::page))
        .route("/admin/verify", get(admin::home).post(admin::verify))
        .route("/admin/support", get(admin::home).post(admin::support::make))
        .route("/admin/people", get(admin::people::page).post(admin::people::add))
        .route("/admin/people/active", get(admin::people::home).post(admin::people::active))
        .route("/admin/people/link", get(admin::people::home).post(admin::people::link))
        .route("/admin/schema", get(admin::schema::page).post(admin::schema::add_collection))
        .route("/admin/schema/{collection}", get(admin::schema::collection).post(admin::schema::add_field))
        .route("/admin/schema/{collection}/{field}", get(admin::schema::field_page).post(admin::schema::change_field))
        .route("/admin/pipelines", get(admin::pipelines::page).post(admin::pipelines::save))
        .route("/admin/audit", get(admin::audit::page))
        .route("/admin/backup", get(admin::backup::page).post(admin::backup::make))
        .route("/admin/backup/{name}", get(admin::backup::fetch))
        .route("/account", get(account::page))
        .route("/account/formats", get(account::home).post(choices::set_formats))
        .route("/account/notices", get(account::home).post(choices::set_notices))
        .route("/account/seen", get(desk::front).post(notices::seen))
        .route("/account/password", get(account::home).post(account::change))
        .route("/account/second", get(account::enrolment).post(account::begin))
        .route("/account/second/off", get(account::home).post(account::end))
        .route("/account/sessions", get(account::home).post(account::end_session))
}
