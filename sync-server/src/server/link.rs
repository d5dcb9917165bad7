//! `/link`: the upper end of each downstream's link, and the registry of who is connected now.
//!
//! One connection a device: a newer one ends the older, for a device that lost its line comes back before the old socket
//! notices. Buffers are small and WebSocket compression is off (the codec compresses), so that an idle connection stays
//! below its bound of memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{Request, State as Shared};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use branchline_core::Error;
use branchline_core::id::DeviceId;
use branchline_core::net::{Around, Line, drive, frames, websocket_config};
use branchline_core::replica::link::Upstream;
use branchline_core::sync::{Event, Input, upstream};
use branchline_core::time::{DAY_MS, Millis};
use branchline_core::wire::message::{NONCE_HEADER, Nonce, SUBPROTOCOL};
use hyper_util::rt::TokioIo;
use tokio::sync::{broadcast, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::Node;
use super::doorway::{Carried, Doorway};

/// Read buffer of a connection, in bytes: heartbeats are small, long messages come in fragments.
const READ_BUFFER_BYTES: usize = 2 * 1024;

/// The downstreams that are connected now, what their lines carry today, and what they ended with.
#[derive(Clone)]
pub struct Links {
    known: Arc<Mutex<HashMap<DeviceId, Known>>>,
    changed: broadcast::Sender<()>,
}

/// What this process knows of a downstream.
#[derive(Default)]
struct Known {
    live: Option<(watch::Sender<bool>, Arc<Carried>)>,
    today: Traffic,
    /// Of the live connection, what is in `today` or in an earlier day.
    counted: Traffic,
    day: i64,
    failed: Option<(Millis, Error)>,
}

/// Bytes of a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Received from below.
    pub received: u64,
    /// Sent down.
    pub sent: u64,
}

impl Default for Links {
    fn default() -> Self {
        Self { known: Arc::default(), changed: broadcast::channel(16).0 }
    }
}

impl Known {
    // Takes over what the live connection has carried since the last look.
    fn count(&mut self, now: Millis) {
        let day = now.0.div_euclid(DAY_MS);
        if day != self.day {
            (self.day, self.today) = (day, Traffic::default());
        }
        let Some((_, carried)) = &self.live else { return };
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let all = Traffic { received: read(&carried.received), sent: read(&carried.sent) };
        self.today.received += all.received.saturating_sub(self.counted.received);
        self.today.sent += all.sent.saturating_sub(self.counted.sent);
        self.counted = all;
    }
}

impl Links {
    /// Whether a device is connected.
    pub fn is_online(&self, device: &DeviceId) -> bool {
        self.locked().get(device).is_some_and(|known| known.live.is_some())
    }

    /// What a device's lines have carried today, since this process runs.
    pub fn today(&self, now: Millis, device: &DeviceId) -> Traffic {
        let mut known = self.locked();
        let Some(known) = known.get_mut(device) else { return Traffic::default() };
        known.count(now);
        known.today
    }

    /// With what the last connection of a device that went wrong ended, and when.
    pub fn failed(&self, device: &DeviceId) -> Option<(Millis, Error)> {
        self.locked().get(device).and_then(|known| known.failed.clone())
    }

    /// Says whenever somebody comes or goes.
    pub fn changed(&self) -> broadcast::Receiver<()> {
        self.changed.subscribe()
    }

    fn enter(&self, now: Millis, device: DeviceId, replace: watch::Sender<bool>, carried: Arc<Carried>) {
        let mut all = self.locked();
        let known = all.entry(device).or_default();
        known.count(now);
        known.counted = Traffic::default();
        if let Some((older, _)) = known.live.replace((replace, carried)) {
            let _ = older.send(true);
        }
        let _ = self.changed.send(());
    }

    // Only the connection that is registered leaves: a replaced one must not take its successor with it.
    fn leave(&self, now: Millis, device: &DeviceId, own: &watch::Sender<bool>, error: Option<&Error>) {
        let mut all = self.locked();
        let known = all.entry(*device).or_default();
        if let Some(error) = error {
            known.failed = Some((now, error.clone()));
        }
        if known.live.as_ref().is_some_and(|(registered, _)| registered.same_channel(own)) {
            known.count(now);
            known.live = None;
        }
        let _ = self.changed.send(());
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<DeviceId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
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
            let (doorway, open, carried) = Doorway::closed(TokioIo::new(upgraded));
            let socket = WebSocketStream::from_raw_socket(doorway, Role::Server, config).await;
            serve(node, frames(socket, false), (open, carried), nonce, version).await;
        }
    });
    let headers = response.headers_mut();
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    if let Ok(value) = HeaderValue::from_str(&data_encoding::BASE64URL_NOPAD.encode(&nonce)) {
        headers.insert(NONCE_HEADER, value);
    }
    response
}

async fn serve(
    node: Node,
    line: Line,
    (door, carried): (Arc<AtomicBool>, Arc<Carried>),
    nonce: Nonce,
    version: Option<String>,
) {
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
                    links.enter(env.now(), *device, replace.clone(), carried.clone());
                }
                Event::Differs => tracing::warn!(%device, "histories differ: comparing what both ends hold"),
                _ => {}
            }
        },
        stop,
    )
    .await;
    if let Some(device) = admitted.get() {
        node.links.leave(env.now(), device, &replace, outcome.error.as_ref());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_counted_by_day_over_connections_that_come_and_go() {
        let (links, device) = (Links::default(), DeviceId([7; 8]));
        let at = |day: i64| Millis(day * DAY_MS);
        let (first, second) = (watch::channel(false).0, watch::channel(false).0);
        for (line, day) in [(&first, 1), (&second, 1)] {
            let carried = Arc::new(Carried::default());
            links.enter(at(day), device, line.clone(), carried.clone());
            carried.received.store(100, Ordering::Relaxed);
            assert!(links.today(at(day), &device).received >= 100);
        }
        assert_eq!(links.today(at(1), &device), Traffic { received: 200, sent: 0 });
        // The replaced connection ends later and takes nothing along.
        links.leave(at(1), &device, &first, None);
        assert!(links.is_online(&device));
        assert_eq!(links.today(at(2), &device), Traffic::default());
        links.leave(at(2), &device, &second, Some(&Error::busy("link-replaced")));
        assert!(!links.is_online(&device) && links.failed(&device).is_some());
    }
}
