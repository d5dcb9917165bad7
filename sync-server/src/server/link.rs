//! `/link`: the upper end of each downstream's link, and the registry of who is connected now.
//!
//! One connection a device: a newer one ends the older, for a device that lost its line comes back before the old socket
//! notices. Buffers are small and WebSocket compression is off (the codec compresses), so that an idle connection stays
//! below its bound of memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{Request, State as Shared};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use branchline_core::id::DeviceId;
use branchline_core::net::{Around, Line, drive, frames, websocket_config};
use branchline_core::replica::link::Upstream;
use branchline_core::sync::{Event, Input, upstream};
use branchline_core::wire::message::{NONCE_HEADER, Nonce, SUBPROTOCOL};
use hyper_util::rt::TokioIo;
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::Node;
use super::doorway::Doorway;

/// Read buffer of a connection, in bytes: heartbeats are small, long messages come in fragments.
const READ_BUFFER_BYTES: usize = 2 * 1024;

/// The downstreams that are connected now.
#[derive(Clone, Default)]
pub struct Links {
    live: Arc<Mutex<HashMap<DeviceId, watch::Sender<bool>>>>,
}

impl Links {
    /// Whether a device is connected.
    pub fn is_online(&self, device: &DeviceId) -> bool {
        self.locked().contains_key(device)
    }

    fn enter(&self, device: DeviceId, replace: watch::Sender<bool>) {
        if let Some(older) = self.locked().insert(device, replace) {
            let _ = older.send(true);
        }
    }

    // Only the connection that is registered leaves: a replaced one must not take its successor with it.
    fn leave(&self, device: &DeviceId, own: &watch::Sender<bool>) {
        let mut live = self.locked();
        if live.get(device).is_some_and(|registered| registered.same_channel(own)) {
            live.remove(device);
        }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<DeviceId, watch::Sender<bool>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Upgrades a downstream's connection.
pub(super) async fn link(Shared(node): Shared<Node>, mut request: Request) -> Response {
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|v| v.to_str().ok());
    if !offered.flat_map(|list| list.split(',')).any(|protocol| protocol.trim() == SUBPROTOCOL) {
        // Another version, or no replica at all: refused before any state changes.
        let spoken = [(header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL)];
        return (StatusCode::UPGRADE_REQUIRED, spoken, "this server speaks the subprotocol branchline.1\n")
            .into_response();
    }
    let mut response = match create_response_with_body(&request, Body::empty) {
        Ok(response) => response,
        Err(refused) => return (StatusCode::BAD_REQUEST, format!("{refused}\n")).into_response(),
    };
    let mut nonce = Nonce::default();
    node.replica.environment().fill_random(&mut nonce);
    let version = program_version(request.headers());
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            let config = Some(websocket_config(READ_BUFFER_BYTES));
            let (doorway, open) = Doorway::closed(TokioIo::new(upgraded));
            let socket = WebSocketStream::from_raw_socket(doorway, Role::Server, config).await;
            serve(node, frames(socket, false), open, nonce, version).await;
        }
    });
    let headers = response.headers_mut();
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    if let Ok(value) = HeaderValue::from_str(&data_encoding::BASE64URL_NOPAD.encode(&nonce)) {
        headers.insert(NONCE_HEADER, value);
    }
    response
}

async fn serve(node: Node, line: Line, door: Arc<AtomicBool>, nonce: Nonce, version: Option<String>) {
    let replica = node.replica.clone();
    let env = replica.environment();
    let session = upstream::Session::new(env.now(), nonce);
    let executor = Upstream::new(replica.clone(), version);
    let admitted = executor.admitted_device();
    let (replace, mut replaced) = watch::channel(false);
    let mut stopping = node.stopping();
    let stop = async move {
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => Input::Stop,
            _ = replaced.wait_for(|replaced| *replaced) => Input::Replaced,
        }
    };
    let links = node.links.clone();
    let outcome = drive(
        session,
        executor,
        line,
        Input::Opened(nonce),
        Around { env, local: node.local.resubscribe() },
        |event, _| {
            let Some(device) = admitted.get() else { return };
            match event {
                Event::Connected => {
                    door.store(true, Ordering::Relaxed);
                    links.enter(*device, replace.clone());
                }
                Event::Differs => tracing::warn!(%device, "histories differ: comparing what both ends hold"),
                _ => {}
            }
        },
        stop,
    )
    .await;
    if let Some(device) = admitted.get() {
        node.links.leave(device, &replace);
        tracing::debug!(device = %device, end = ?outcome.end, "link ended");
    }
    if let Some(error) = outcome.error {
        tracing::info!(device = ?admitted.get(), %error, "link refused");
    }
}

// `branchline/0.1.0` in the user agent: what `devices` shows.
fn program_version(headers: &HeaderMap) -> Option<String> {
    let agent = headers.get(header::USER_AGENT)?.to_str().ok()?;
    let version = agent.strip_prefix("branchline/")?;
    (version.len() <= 32).then(|| version.to_owned())
}
