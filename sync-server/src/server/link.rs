//! `/link`: the upper end of each downstream's link, and the registry of who is connected now.
//!
//! One connection a device: a newer one ends the older, for a device that lost its line comes back before the old socket
//! notices. Buffers are small and WebSocket compression is off (the codec compresses), so that an idle connection stays
//! below its bound of memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State as Shared;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use branchline_core::id::DeviceId;
use branchline_core::limits::FRAME_BYTES_MAX;
use branchline_core::net::{Around, Frames, drive};
use branchline_core::replica::link::Upstream;
use branchline_core::sync::{Event, Input, upstream};
use branchline_core::wire::message::{NONCE_HEADER, Nonce, SUBPROTOCOL};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::watch;

use super::Node;

/// Read buffer of a connection, in bytes: heartbeats are small, batches are read in pieces.
const READ_BUFFER_BYTES: usize = 4 * 1024;

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
pub(super) async fn link(Shared(node): Shared<Node>, headers: HeaderMap, ws: WebSocketUpgrade) -> Response {
    let ws = ws.protocols([SUBPROTOCOL]);
    if ws.selected_protocol().and_then(|p| p.to_str().ok()) != Some(SUBPROTOCOL) {
        // Another version, or no replica at all: refused before any state changes.
        return (StatusCode::BAD_REQUEST, "this server speaks the subprotocol branchline.1\n").into_response();
    }
    let mut nonce = Nonce::default();
    node.replica.environment().fill_random(&mut nonce);
    let version = program_version(&headers);
    let mut response = ws
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_message_size(FRAME_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .on_upgrade(move |socket| serve(node, socket, nonce, version));
    if let Ok(value) = HeaderValue::from_str(&data_encoding::BASE64URL_NOPAD.encode(&nonce)) {
        response.headers_mut().insert(NONCE_HEADER, value);
    }
    response
}

async fn serve(node: Node, socket: WebSocket, nonce: Nonce, version: Option<String>) {
    let replica = node.replica.clone();
    let env = replica.environment();
    let session = upstream::Session::new(env.now(), nonce);
    let executor = Upstream::new(replica.clone(), version);
    let admitted = executor.admitted_device();
    let (sink, stream) = socket.split();
    let incoming = stream
        .filter_map(|message| {
            std::future::ready(match message {
                Ok(Message::Binary(bytes)) => Some(Some(bytes.to_vec())),
                Ok(Message::Close(_)) | Err(_) => Some(None),
                Ok(_) => None,
            })
        })
        .take_while(|message| std::future::ready(message.is_some()))
        .filter_map(std::future::ready);
    let outgoing = sink.with(|frame: Vec<u8>| std::future::ready(Ok::<_, axum::Error>(Message::Binary(frame.into()))));
    let (replace, mut replaced) = watch::channel(false);
    let mut stopping = node.stopping();
    let stop = async move {
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => {}
            _ = replaced.wait_for(|replaced| *replaced) => {}
        }
    };
    let links = node.links.clone();
    let outcome = drive(
        session,
        executor,
        Frames { incoming, outgoing, client: false },
        Input::Opened(nonce),
        Around { env, local: node.local.clone() },
        |event, _| {
            if event == Event::Connected
                && let Some(device) = admitted.get()
            {
                links.enter(*device, replace.clone());
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
