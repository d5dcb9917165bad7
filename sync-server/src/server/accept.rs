//! Accepting HTTP/1 connections: each says what it wants within a deadline, or it ends.
//!
//! A line that is cut between the handshake and the request leaves a connection of which nobody speaks again; without
//! the deadline it would stay for ever, and so would the sockets of a peer that opens many and says nothing.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::serve::Listener;
use branchline_core::net::Patient;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::{mpsc, watch};

/// How long a connection may take to send the head of a request, also between two requests: several round trips of a
/// bad line.
const HEAD_MAX: Duration = Duration::from_secs(30);
/// Longest head of a request, and the buffer of a connection that has not become a link, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Where a connection comes from; in the extensions of each of its requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Serves until `stopping` turns true, then until the open requests are answered. Links are no requests: they end on
/// their own.
pub async fn serve<L: Listener<Addr = SocketAddr>>(mut listener: L, app: Router, mut stopping: watch::Receiver<bool>) {
    let service = TowerToHyperService::new(app);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_MAX).max_buf_size(HEAD_BYTES_MAX);
    // Each connection holds one end; nothing is ever sent.
    let (open, mut all_closed) = mpsc::channel::<()>(1);
    loop {
        let (socket, address) = tokio::select! {
            biased;
            // A sender that is gone means the same.
            _ = stopping.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
        };
        let app = service.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(address));
            app.call(request)
        });
        let connection = http.serve_connection(TokioIo::new(Patient::new(socket)), service).with_upgrades();
        let (open, mut stopping) = (open.clone(), stopping.clone());
        tokio::spawn(async move {
            let _open = open;
            tokio::pin!(connection);
            // What went wrong on a connection is told to whoever is at its other end.
            tokio::select! {
                biased;
                _ = connection.as_mut() => return,
                _ = stopping.wait_for(|stop| *stop) => {}
            }
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        });
    }
    drop((listener, open));
    let _ = all_closed.recv().await;
}
