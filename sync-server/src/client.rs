//! One HTTP request over a connection of its own.

use axum::body::Body;
use axum::http::{Request, Response};
use branchline_core::net::Socket;
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;

/// An answer, with the connection that carries it.
pub(crate) struct Answer {
    /// What was answered; its body comes as it is read.
    pub(crate) response: Response<Body>,
    // Ends with the answer, however that ends.
    _connection: JoinSet<()>,
}

/// Asks, and waits until an answer begins.
///
/// # Errors
/// What went wrong, in words.
pub(crate) async fn ask(socket: Box<dyn Socket>, request: Request<Body>) -> Result<Answer, String> {
    let words = |e: hyper::Error| e.to_string();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.map_err(words)?;
    let mut carrying = JoinSet::new();
    carrying.spawn(async { _ = connection.await });
    let response = sender.send_request(request).await.map_err(words)?.map(Body::new);
    Ok(Answer { response, _connection: carrying })
}
