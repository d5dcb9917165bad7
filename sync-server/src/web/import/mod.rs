//! `/import`: a CSV or XLSX file becomes records, in steps: upload, mapping with a preview, trial run, run, result, undo.
//!
//! The rules of an import are the core's; here a map is made by choosing ([`mapping`]), and a run is followed ([`runs`]).

mod mapping;
mod runs;

pub(super) use mapping::{mapped, mapping};
pub(crate) use runs::Imports;
pub(super) use runs::{running, undo};

use std::collections::HashMap;

use axum::extract::{Multipart, Query as Asked, State as Shared};
use axum::response::Response;
use branchline_core::access::Action;
use branchline_core::crm::import::{self, ImportMap, Table};
use branchline_core::replica::Replica;
use branchline_core::{Error, Result};
use maud::{Markup, html};
use tempfile::TempPath;

use super::desk::{Desk, Reply, Visitor};
use super::uploads::{self, FILE_BYTES_MAX, Uploads};
use super::{frame, sign_in};
use crate::server::{Node, transfer};

/// `GET /import`: which file, and into what.
pub(super) async fn page(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Asked(asked): Asked<HashMap<String, String>>,
) -> Response {
    let wanted = asked.get("collection").cloned().unwrap_or_default();
    visitor.read(node, move |desk| Ok(Reply::Page(desk.say("web-import-title"), begin(desk, &wanted, None)))).await
}

fn begin(desk: &Desk, wanted: &str, error: Option<&Error>) -> Markup {
    let mut may: Vec<_> = desk.schema.collections().iter().filter(|c| desk.may(Action::Import, c)).collect();
    may.sort_by_key(|collection| frame::place(&collection.name));
    let own = Uploads::of(&desk.principal).all(&desk.me.id);
    html! {
        h1 { (desk.say("web-import-title")) }
        @if let Some(error) = error { (frame::problem(desk.language, error)) }
        @if may.is_empty() { p.empty { (desk.say("web-import-denied")) } } @else {
            p.quiet { (desk.say("web-import-what")) }
            form.record method="post" action="/import" enctype="multipart/form-data" {
                div.fields {
                    div.field {
                        label for="collection" { (desk.say("web-import-into")) }
                        select #collection name="collection" {
                            @for c in &may { option value=(c.name) selected[*c.name == *wanted] { (c.labels.text(desk.language)) } }
                        }
                    }
                    div.field {
                        label for="file" { (desk.say("web-import-file")) }
                        input #file type="file" name="file" accept=".csv,.tsv,.txt,.xlsx" required;
                    }
                    div.field {
                        label for="map" { (desk.say("web-import-map")) }
                        input #map type="file" name="map" accept=".toml";
                    }
                }
                p.actions { button { (desk.say("web-import-upload")) } }
            }
        }
        @if !own.is_empty() {
            h2 { (desk.say("web-import-own")) }
            ul.work { @for (upload, about) in &own {
                li { a href={ "/import/" (upload) } { (about.name) }
                    span.badge { (desk.schema.collection(&about.collection).map(|c| c.labels.text(desk.language)).unwrap_or(&about.collection)) } }
            } }
        }
    }
}

/// What a form with files held.
#[derive(Default)]
struct Sent {
    collection: String,
    name: String,
    file: Option<TempPath>,
    map: String,
}

/// `POST /import`: takes a file in and guesses its map.
pub(super) async fn upload(Shared(node): Shared<Node>, visitor: Visitor, form: Multipart) -> Response {
    if !visitor.may_send(&node) {
        return sign_in::refused(&visitor, &Error::denied("foreign-page"));
    }
    let sent = taken_in(&node.replica, form).await;
    visitor
        .write(node, move |desk| {
            let (wanted, kept) = match sent {
                Ok(sent) => (sent.collection.clone(), kept(desk, sent)),
                Err(error) => (String::new(), Err(error)),
            };
            Ok(match kept {
                Ok(upload) => Reply::Go(format!("/import/{upload}")),
                Err(error) => Reply::Again(desk.say("web-import-title"), begin(desk, &wanted, Some(&error))),
            })
        })
        .await
}

async fn taken_in(replica: &Replica, mut form: Multipart) -> Result<Sent> {
    let cut = |_| Error::limit("upload-cut").with("limit", FILE_BYTES_MAX >> 20);
    let mut sent = Sent::default();
    while let Some(part) = form.next_field().await.map_err(cut)? {
        let part_name = part.name().unwrap_or_default().to_owned();
        match part_name.as_str() {
            "collection" => sent.collection = part.text().await.map_err(cut)?,
            "map" => sent.map = part.text().await.map_err(cut)?,
            "file" => {
                sent.name =
                    part.file_name().unwrap_or_default().chars().filter(|c| !c.is_control()).take(200).collect();
                sent.file = Some(transfer::incoming_beside(replica, part, FILE_BYTES_MAX as u64).await?);
            }
            _ => {}
        }
    }
    Ok(sent)
}

fn kept(desk: &Desk, sent: Sent) -> Result<String> {
    let collection = desk.schema.require(&sent.collection)?;
    desk.require(Action::Import, collection)?;
    let file = sent.file.ok_or_else(|| Error::limit("upload-cut").with("limit", FILE_BYTES_MAX >> 20))?;
    let table = Table::parse(&uploads::read(&desk.principal, &file)?)?;
    let map = match sent.map.trim() {
        "" => import::guess_map(collection, table.headings()),
        text => ImportMap::parse(text)?,
    };
    Uploads::of(&desk.principal).add(&desk.me.id, (&sent.collection, &sent.name), file, &map)
}
