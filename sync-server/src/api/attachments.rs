//! Files of records: listed, taken in and handed out piece by piece.
//!
//! A file is looked up through the field of a record that the person sees, never by its hash.

use axum::extract::{Path, Request, State as Shared};
use axum::http::header;
use axum::response::Response;
use branchline_core::Error;
use branchline_core::replica::{Direction, Query, Record};
use branchline_core::schema::{Filter, Literal, Op, Value};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::ROOT;
use super::caller::{Asks, Caller, Reply};
use super::records::limited;
use crate::commands::files::{attached, attaching, link_to};
use crate::commands::shape::Shaper;
use crate::server::{Node, transfer};

/// Largest file of one call, in bytes.
pub(super) const FILE_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// Which part of the list.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Listing {
    limit: Option<usize>,
    after: Option<String>,
}

/// `GET /records/{collection}/{record}/attachments`: the newest first.
pub(super) async fn list(
    Shared(node): Shared<Node>,
    caller: Caller,
    Path((name, record)): Path<(String, String)>,
    Asks(asked): Asks<Listing>,
) -> Response {
    caller
        .run(node, move |principal| {
            let schema = principal.schema();
            let (files, collection) = (schema.require("attachment")?, schema.require(&name)?);
            let id = principal.find(&name, &record)?;
            let value = Literal::Key { collection: collection.name.clone(), text: id.to_string() };
            let of = Filter::Compare { field: link_to(files, collection)?, op: Op::Eq, value };
            let query = Query::of("attachment").filtered(of).sorted("created_at", Direction::Descending);
            let after = asked.after.as_deref().map(|text| principal.find("attachment", text)).transpose()?;
            let page = principal.list(&query.limited(limited(asked.limit)?).after(after))?;
            let shaper = Shaper::by(principal);
            let wanted = ["name", "file", "created_at", "created_by"].map(str::to_owned);
            let file = |row: &Record| Json::Object(shaper.object(files, row, Some(&wanted)));
            let rows: Vec<Json> = page.rows.iter().map(file).collect();
            Ok(Reply::Found(json!({"attachments": rows, "next": page.next.map(|id| id.to_string())})))
        })
        .await
}

/// What a file is called.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    name: String,
}

/// `POST /records/{collection}/{record}/attachments`: the body is the file.
pub(super) async fn add(
    Shared(node): Shared<Node>,
    caller: Caller,
    Path((name, record)): Path<(String, String)>,
    Asks(asked): Asks<Named>,
    request: Request,
) -> Response {
    let media = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media = media.unwrap_or("application/octet-stream").to_owned();
    // Nothing is kept of a file that somebody may not attach.
    let found = caller.find(&node, move |principal| {
        let (schema, id) = (principal.schema(), principal.find(&name, &record)?);
        let collection = schema.require(&name)?.clone();
        attaching(principal, &collection).map(|_| (collection, id))
    });
    let (collection, id) = match found.await {
        Ok(found) => found,
        Err(response) => return response,
    };
    let pieces = request.into_body().into_data_stream();
    let held = match transfer::incoming_beside(&node.replica, pieces, FILE_BYTES_MAX).await {
        Ok(held) => held,
        Err(error) => return caller.failed(&error),
    };
    caller
        .run(node, move |principal| {
            let made = attached(principal, &collection, &id, (&asked.name, &media, &held))?;
            Ok(Reply::Made(format!("{ROOT}/records/attachment/{made}"), json!({"id": made.to_string()})))
        })
        .await
}

/// `GET /records/{collection}/{record}/files/{attachment}`: the bytes. Where they have not arrived yet, they are asked for.
pub(super) async fn down(
    Shared(node): Shared<Node>,
    caller: Caller,
    Path((name, record, field)): Path<(String, String, String)>,
) -> Response {
    caller
        .run(node, move |principal| {
            principal.schema().require(&name)?.require_field(&field)?;
            let record = principal.record(&name, &principal.find(&name, &record)?)?;
            let Value::Attachment(file) = record.value(&field) else {
                return Err(Error::not_found("file-empty").with("field", &field));
            };
            match transfer::attachment(principal, &file.hash)? {
                Some(held) => Ok(Reply::File(file.name.clone(), held)),
                None => {
                    principal.want_blob(&file.hash)?;
                    Err(Error::not_found("blob-not-held").with("hash", file.hash.to_string()))
                }
            }
        })
        .await
}
