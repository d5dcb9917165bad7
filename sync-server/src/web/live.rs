//! `/live`: says that something was committed here, whoever wrote it; pages then ask for themselves again.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State as Shared;
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use futures_util::stream;
use tokio::sync::broadcast::error::RecvError;

use super::desk::Visitor;
use super::sessions::Sessions;
use crate::server::Node;

/// Pages are told at most so often.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) async fn stream(Shared(node): Shared<Node>, visitor: Visitor) -> Response {
    let replica = &node.replica;
    let sessions = Sessions::of(replica.dir());
    let signed_in = visitor.session.as_deref().and_then(|token| sessions.signed_in(replica.environment().now(), token));
    if signed_in.is_none() {
        return axum::http::StatusCode::UNAUTHORIZED.into_response();
    }
    let watcher = (node.commits(), node.stopping());
    let events = stream::unfold(watcher, |(mut commits, mut stopping)| async move {
        tokio::select! {
            told = commits.recv() => match told {
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            },
            _ = stopping.wait_for(|stop| *stop) => return None,
        }
        tokio::time::sleep(PAUSE).await;
        // What came meanwhile is in the page that is asked for now.
        commits = commits.resubscribe();
        Some((Ok::<_, Infallible>(Event::default().data("changed")), (commits, stopping)))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}
