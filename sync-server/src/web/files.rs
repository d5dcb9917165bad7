//! Files of records: up with a form, down by a link, pictures shown where they stand.
//!
//! A file is looked up through the field of a record that its reader sees, never by its hash. Only pictures of a few
//! kinds are shown; everything else is handed out to be kept, so that nothing that somebody uploaded runs here.

use axum::extract::{Multipart, Path, State as Shared};
use axum::response::Response;
use branchline_core::access::Action;
use branchline_core::id::RecordId;
use branchline_core::replica::Replica;
use branchline_core::schema::{Attachment, Collection, Field, Value};
use branchline_core::{Error, Result};
use maud::{Markup, html};
use tempfile::TempPath;

use super::desk::{Desk, Reply, Visitor};
use super::related::{fields_to, referring};
use super::{sign_in, uploads};
use crate::commands::files::attached;
use crate::server::{Node, transfer};

/// Files shown beside a record.
const FILES_MAX: usize = 20;
/// Pictures that browsers show and that hold no script.
const PICTURES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];
/// Largest picture that is shown in its place.
const PICTURE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A file as a link, with its picture if it is one.
pub(super) fn link(file: &Attachment, field: &Field, of: Option<(&Collection, &RecordId)>) -> Markup {
    let Some((collection, id)) = of else { return html! { (file.name) } };
    let place = format!("/c/{}/{id}/file/{}", collection.name, field.name);
    html! {
        a href=(place) { (file.name) } " " span.quiet { (crate::output::bytes(file.size)) }
        @if picture(file).is_some() { br; a href=(place) { img.preview src=(place) alt=(file.name) loading="lazy"; } }
    }
}

fn picture(file: &Attachment) -> Option<&'static str> {
    PICTURES.into_iter().find(|media| *media == file.media).filter(|_| file.size <= PICTURE_BYTES_MAX)
}

/// The files of a record, and a form for one more.
///
/// # Errors
/// Those of the store.
pub(super) fn beside(desk: &Desk, collection: &Collection, id: &RecordId) -> Result<Markup> {
    let files = desk.schema.require("attachment")?;
    let (Some(link_field), Some(field)) = (fields_to(files, collection).next(), files.field("file")) else {
        return Ok(html! {});
    };
    let rows = desk.principal.list(&referring(files, link_field, collection, id).limited(FILES_MAX))?.rows;
    let may = desk.may(Action::Create, files);
    Ok(html! {
        @if may || !rows.is_empty() { div.related {
            h2 { (files.labels.text(desk.language)) }
            @if !rows.is_empty() { ul { @for row in &rows { @if let Value::Attachment(file) = row.value("file") {
                li { (link(file, field, Some((files, &row.id)))) }
            } } } }
            @if may {
                form.row method="post" action={ "/c/" (collection.name) "/" (id) "/attach" } enctype="multipart/form-data" {
                    input type="file" name="file" required aria-label=(desk.say("web-attach"));
                    button { (desk.say("web-attach")) }
                }
            }
        } }
    })
}

/// `POST /c/{collection}/{id}/attach`.
pub(super) async fn attach(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path((name, id)): Path<(String, String)>,
    mut form: Multipart,
) -> Response {
    if !visitor.may_send(&node) {
        return sign_in::refused(&visitor, &Error::denied("foreign-page"));
    }
    let sent = sent(&node.replica, &mut form).await;
    visitor
        .write(node, move |desk| {
            let (file, media, held) = sent?;
            let collection = desk.schema.require(&name)?;
            let id = desk.principal.find(&name, &id)?;
            attached(&desk.principal, collection, &id, (&file, &media, &held))?;
            Ok(Reply::Go(format!("/c/{name}/{id}")))
        })
        .await
}

// The file of a form: its name, its media type, its bytes.
async fn sent(replica: &Replica, form: &mut Multipart) -> Result<(String, String, TempPath)> {
    while let Ok(Some(part)) = form.next_field().await {
        if part.name() == Some("file") {
            let file = part.file_name().unwrap_or_default().to_owned();
            let media = part.content_type().unwrap_or("application/octet-stream").to_owned();
            let held = transfer::incoming_beside(replica, part, uploads::FILE_BYTES_MAX as u64).await?;
            return Ok((file, media, held));
        }
    }
    Err(Error::limit("upload-cut").with("limit", uploads::FILE_BYTES_MAX >> 20))
}

/// `GET /c/{collection}/{id}/file/{field}`.
pub(super) async fn down(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path((name, id, field)): Path<(String, String, String)>,
) -> Response {
    visitor
        .read(node, move |desk| {
            let record = desk.principal.record(&name, &desk.principal.find(&name, &id)?)?;
            let missing = || Error::not_found("file-empty").with("field", &field);
            let Value::Attachment(file) = record.value(&field) else { return Err(missing()) };
            let Some(held) = transfer::attachment(&desk.principal, &file.hash)? else {
                desk.principal.want_blob(&file.hash)?;
                let body = html! { h1 { (file.name) } p.empty { (desk.say("web-file-comes")) } };
                return Ok(Reply::Waiting(file.name.clone(), body));
            };
            Ok(match picture(file) {
                Some(media) => Reply::Picture(media, held),
                None => Reply::File(file.name.clone(), "application/octet-stream", held),
            })
        })
        .await
}
