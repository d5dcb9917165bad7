//! `/seed`: a hub's newest seed that an invitation may open, whole or from any byte on.
//!
//! Whoever asks proves the invitation by the hash of its secret, which lets nobody in: the secret itself goes up only to
//! be spent. What is sent is checked by its receiver, as a seed on a stick is.

use std::path::PathBuf;

use axum::Json;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use branchline_core::replica::NodeRole;
use branchline_core::replica::link::OfferedSeed;
use branchline_core::{Error, Result};
use data_encoding::BASE64URL_NOPAD;
use serde_json::json;

use super::{Node, language_of, transfer};

/// Where it is.
pub(crate) const PATH: &str = "/seed";
/// What stands before the proof.
pub(crate) const SCHEME: &str = "Bearer ";

impl Node {
    /// The same with the seeds of this folder on offer.
    ///
    /// # Errors
    /// `seed_only_hub`; `seeds_no_folder`.
    pub fn offering(self, folder: PathBuf) -> Result<Self> {
        if self.replica.settings()?.role != NodeRole::Hub {
            return Err(Error::usage("seed-only-hub"));
        }
        if !folder.is_dir() {
            return Err(Error::usage("seeds-no-folder").at(folder.display().to_string()));
        }
        Ok(Self { seeds: Some(folder.into()), ..self })
    }
}

/// `GET /seed`.
pub(super) async fn seed(Shared(node): Shared<Node>, headers: HeaderMap) -> Response {
    let (folder, language) = (node.seeds.clone(), language_of(&headers));
    let answered = node.blocking(move |replica| {
        let folder = folder.ok_or_else(|| Error::not_found("seed-none-offered"))?;
        let proof = proof(&headers).ok_or_else(|| Error::refused("invitation-unknown"))?;
        answer(&headers, replica.offered_seed(&proof, &folder)?)
    });
    match answered.await {
        Ok(response) => response,
        Err(error) => {
            let status = match error {
                Error::NotFound(_) => StatusCode::NOT_FOUND,
                Error::Refused(_) => StatusCode::FORBIDDEN,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            };
            let what = error.what(language);
            (status, Json(json!({"error": {"code": error.code(), "what": what}}))).into_response()
        }
    }
}

fn proof(headers: &HeaderMap) -> Option<[u8; 32]> {
    let shown = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix(SCHEME)?;
    BASE64URL_NOPAD.decode(shown.as_bytes()).ok()?.try_into().ok()
}

fn answer(headers: &HeaderMap, seed: OfferedSeed) -> Result<Response> {
    let (tag, bytes) = (format!("\"{}\"", seed.tag), seed.bytes);
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    // Of another seed than was begun with, all is sent.
    let from = match text(header::IF_RANGE) {
        Some(known) if known != tag => None,
        _ => text(header::RANGE).and_then(from),
    };
    let mut response = match from {
        Some(from) if from >= bytes => StatusCode::RANGE_NOT_SATISFIABLE.into_response(),
        from => {
            let at = from.unwrap_or(0);
            let status = if from.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
            let kind = [(header::CONTENT_TYPE, "application/octet-stream"), (header::ACCEPT_RANGES, "bytes")];
            let length = [(header::CONTENT_LENGTH, HeaderValue::from(bytes - at))];
            (status, kind, length, transfer::outgoing(seed.from(at)?)).into_response()
        }
    };
    let range = match response.status() {
        StatusCode::PARTIAL_CONTENT => from.map(|from| format!("bytes {from}-{}/{bytes}", bytes - 1)),
        StatusCode::RANGE_NOT_SATISFIABLE => Some(format!("bytes */{bytes}")),
        _ => None,
    };
    for (name, value) in [(header::ETAG, Some(tag)), (header::CONTENT_RANGE, range)] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

// From which byte on is asked; none for ranges that only reading in pieces would use, for which everything is an answer.
fn from(range: &str) -> Option<u64> {
    range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}
