//! A hub or branch as a process: the HTTP side of a replica.
//!
//! `/health` is the health document, `/link` where downstreams connect, `/seed` a seed to begin with; the other pages are the web workplace (`web`). A branch keeps its own upstream link in the same process. The store works in blocking threads, never on the async workers. On a stop signal
//! streams end first, so that the listener can close without cutting an answer short.

pub mod accept;
mod doorway;
mod link;
pub(crate) mod seeds;
pub mod tls;
pub(crate) mod transfer;
mod upward;

pub use link::{Links, Traffic};
pub use upward::Upward;

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use branchline_core::message::Language;
use branchline_core::net::{Work, local_commits};
use branchline_core::replica::Replica;
use branchline_core::{Error, Result};
use serde_json::json;
use tokio::sync::{broadcast, watch};

use crate::api;
use crate::web::{self, Guard};

/// What every request of one server shares.
#[derive(Clone)]
pub struct Node {
    /// The replica that is served.
    pub replica: Replica,
    stopping: watch::Receiver<bool>,
    /// The downstreams that are connected now.
    pub links: Links,
    /// The imports that run in this process.
    pub(crate) imports: web::Imports,
    /// The duplicates found last.
    pub(crate) pairs: web::Pairs,
    /// What people are told of, as far as it has been worked out.
    pub(crate) notices: Arc<web::Notices>,
    /// Says whenever the store has something new.
    local: Arc<broadcast::Receiver<u64>>,
    /// What became of the own line upwards.
    pub upward: Upward,
    /// Stands between strangers and passwords.
    pub(crate) guard: Arc<Guard>,
    /// Whether pages go over a network that anybody can read.
    pub(crate) is_open: bool,
    /// Where the seeds are that it offers.
    seeds: Option<Arc<Path>>,
}

impl Node {
    /// A node over this replica; its streams end when `stopping` turns true. Must be called on a runtime.
    pub fn new(replica: Replica, stopping: watch::Receiver<bool>) -> Self {
        let local = Arc::new(local_commits(replica.clone()));
        Self {
            replica,
            stopping,
            links: Links::default(),
            imports: web::Imports::default(),
            pairs: web::Pairs::default(),
            notices: Arc::default(),
            local,
            upward: Upward::default(),
            guard: Arc::default(),
            is_open: false,
            seeds: None,
        }
    }

    /// The same where pages go in the clear over a network: each of them says so.
    #[must_use]
    pub fn in_the_clear(self, is_open: bool) -> Self {
        Self { is_open, ..self }
    }

    /// Becomes true when the process is asked to stop: long answers and sockets should end then.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.clone()
    }

    /// Says whenever the store has something new, whoever wrote it.
    pub fn commits(&self) -> broadcast::Receiver<u64> {
        self.local.resubscribe()
    }

    /// Runs store work beside the sockets.
    ///
    /// # Errors
    /// The work's own; `server-task` when it was cut off by the end of the process.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Replica) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let replica = self.replica.clone();
        let mut running = Work::start(self.replica.environment(), move || work(&replica));
        let lost = || Error::storage("server-task").with("detail", "");
        running.finish().await.unwrap_or_else(|| Err(lost()))
    }
}

/// The routes of a node.
pub fn router(node: Node) -> Router {
    tokio::spawn(api::deliver(node.clone()));
    Router::new()
        .route("/health", get(health))
        .route("/link", get(link::link))
        .route(seeds::PATH, get(seeds::seed))
        .merge(web::router())
        .merge(api::router())
        .with_state(node)
}

async fn health(Shared(node): Shared<Node>) -> Response {
    match node.blocking(|replica| replica.status()).await {
        Ok(status) => axum::Json(json!({
            "status": "ok",
            "role": status.role.as_str(),
            "replica": status.replica.to_string(),
            "version": env!("CARGO_PKG_VERSION"),
        }))
        .into_response(),
        Err(error) => {
            let document =
                json!({"status": "failed", "error": {"code": error.code(), "what": error.what(Language::En)}});
            (StatusCode::SERVICE_UNAVAILABLE, axum::Json(document)).into_response()
        }
    }
}

// The best of our languages by Accept-Language; English where none is wanted.
pub(crate) fn language_of(headers: &HeaderMap) -> Language {
    let wanted = headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    best_language(wanted)
}

fn best_language(accepted: &str) -> Language {
    let mut best = (Language::En, 0.0_f32);
    for part in accepted.split(',') {
        let mut pieces = part.split(';');
        let Some(language) = pieces.next().and_then(|tag| Language::parse(tag.trim())) else { continue };
        let quality = pieces.find_map(|p| p.trim().strip_prefix("q=")?.trim().parse::<f32>().ok()).unwrap_or(1.0);
        if quality > best.1 {
            best = (language, quality);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_with_the_highest_quality_wins() {
        assert_eq!(best_language("de, uk;q=0.8, en;q=0.5"), Language::Uk);
        assert_eq!(best_language("ru-RU,ru;q=0.9,en;q=0.8"), Language::Ru);
        assert_eq!(best_language("en;q=0.1, ru;q=0"), Language::En);
        assert_eq!(best_language(""), Language::En);
    }
}
