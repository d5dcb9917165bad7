//! `join --fetch-seed`: the upstream's seed over a line that may be cut at any byte.
//!
//! What has come stays in `seed.part` in the folder, and tells by itself of which seed it is; the next try asks for the
//! rest. A line that brings nothing several times in a row ends the command, not the download.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::{Request, StatusCode, header};
use branchline_core::message::Language;
use branchline_core::net::{self, Address, Tcp, reach};
use branchline_core::replica::link::{InvitationCode, Joiner, SeedPart};
use branchline_core::replica::{Folder, Replica};
use branchline_core::{Error, Result, crm};
use data_encoding::BASE64URL_NOPAD;
use futures_util::StreamExt as _;
use indicatif::ProgressBar;
use serde_json::Value as Json;
use tokio::time::timeout;

use crate::client::ask;
use crate::context::{Context, environment};
use crate::output::progress;
use crate::server::seeds::{PATH, SCHEME};

/// A line that brings nothing for so long is cut.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// So many tries in a row may bring nothing.
const TRIES_MAX: u32 = 5;
/// The pause before the next try, in milliseconds; doubled for each that has brought nothing.
const PAUSE_MS: u64 = 250;
/// The longest refusal that is read, in bytes.
const REFUSAL_BYTES_MAX: usize = 4 * 1024;

/// Enrols with the seed that the upstream offers to the holder of this code.
///
/// # Errors
/// `seed_none_offered`, `seed_line_cut` (what has come stays); as [`net::join_with_seed`].
pub(super) async fn join(context: &Context, folder: Folder, code: &InvitationCode) -> Result<Replica> {
    let (schema, env) = (crm::builtin().clone(), environment());
    // What cannot begin with a seed fetches none.
    Joiner::new(folder.clone(), code.clone(), schema.clone(), env.clone())?.takes_seeds()?;
    let mut part = SeedPart::open(folder.path().join("seed.part"))?;
    let bar = progress(context, "progress-seed");
    let fetched = fetch(&mut part, code, &bar, context.language()).await;
    bar.finish_and_clear();
    if fetched.is_err() && part.bytes()? == 0 {
        part.forget()?;
    }
    fetched?;
    let replica = net::join_with_seed(folder, code, part.seed(&code.upstream_key)?, schema, env).await?;
    part.forget()?;
    Ok(replica)
}

async fn fetch(part: &mut SeedPart, code: &InvitationCode, bar: &ProgressBar, language: Language) -> Result<()> {
    let mut tries = 0;
    loop {
        let before = part.bytes()?;
        let error = match go_on(part, code, bar).await {
            Ok(()) => return Ok(()),
            Err(error) if error.retryable() => error,
            Err(error) => return Err(error),
        };
        tries = if part.bytes()? > before { 0 } else { tries + 1 };
        if tries == TRIES_MAX {
            return Err(match part.bytes()? {
                0 => error,
                bytes => Error::unreachable("seed-line-cut").with("bytes", bytes).with("reason", error.what(language)),
            });
        }
        tokio::time::sleep(Duration::from_millis(PAUSE_MS << tries)).await;
    }
}

// One connection. What it brings stays, however it ends.
async fn go_on(part: &mut SeedPart, code: &InvitationCode, bar: &ProgressBar) -> Result<()> {
    let address = Address { url: code.address.clone(), trust: code.trust };
    let cut = |reason: String| Error::unreachable("upstream-unreachable").with("reason", reason).at(&address.url);
    let silent = |_| cut("timeout".to_owned());
    let (socket, target) = timeout(SILENCE_MAX, reach(&Tcp, &address)).await.map_err(silent)??;
    let begun = part.tag()?;
    let proof = BASE64URL_NOPAD.encode(&InvitationCode::secret_hash(&code.secret));
    let mut request = Request::get(PATH)
        .header(header::HOST, format!("{}:{}", target.host, target.port))
        .header(header::USER_AGENT, concat!("branchline/", env!("CARGO_PKG_VERSION")))
        .header(header::AUTHORIZATION, format!("{SCHEME}{proof}"));
    if let Some(tag) = &begun {
        let range = format!("bytes={}-", part.bytes()?);
        request = request.header(header::RANGE, range).header(header::IF_RANGE, format!("\"{tag}\""));
    }
    let request = request.body(Body::empty()).map_err(|e| cut(e.to_string()))?;
    let answer = timeout(SILENCE_MAX, ask(socket, request)).await.map_err(silent)?.map_err(cut)?;
    match answer.response.status() {
        StatusCode::OK => part.begin_anew()?,
        StatusCode::PARTIAL_CONTENT if begun.is_some() => {}
        // All of it had come.
        StatusCode::RANGE_NOT_SATISFIABLE if begun.is_some() => return Ok(()),
        status if status.is_server_error() => return Err(cut(status.to_string())),
        _ => return Err(refusal(answer.response.into_body()).await.at(&address.url)),
    }
    bar.set_position(part.bytes()?);
    bar.set_length(part.bytes()? + answer.response.body().size_hint().exact().unwrap_or(0));
    let mut pieces = answer.response.into_body().into_data_stream();
    while let Some(piece) = timeout(SILENCE_MAX, pieces.next()).await.map_err(silent)? {
        let piece = piece.map_err(|e| cut(e.to_string()))?;
        part.push(&piece)?;
        bar.inc(piece.len() as u64);
    }
    Ok(())
}

// Why the upstream sends none.
async fn refusal(body: Body) -> Error {
    let bytes = axum::body::to_bytes(body, REFUSAL_BYTES_MAX).await.unwrap_or_default();
    let document: Json = serde_json::from_slice(&bytes).unwrap_or_default();
    match document["error"]["code"].as_str() {
        Some("invitation_unknown") => Error::refused("invitation-unknown"),
        Some("invitation_used") => Error::refused("invitation-used"),
        Some("invitation_expired") => Error::refused("invitation-expired"),
        // Nor does one of an older version.
        _ => Error::not_found("seed-none-offered"),
    }
}
