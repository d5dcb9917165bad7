//! `/live`: says that something was committed here, whoever wrote it, or that somebody came or went; pages then ask for themselves again.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State as Shared;
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use futures_util::stream;
use tokio::sync::broadcast::error::RecvError;

use super::desk::{Visitor, signed_in};
use crate::server::Node;

/// Pages are told at most so often.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) async fn stream(Shared(node): Shared<Node>, visitor: Visitor) -> Response {
    let session = node.blocking(move |replica| signed_in(replica, visitor.session.as_deref()));
    if !matches!(session.await, Ok(Some(_))) {
        return axum::http::StatusCode::UNAUTHORIZED.into_response();
    }
    let watcher = (node.commits(), node.links.changed(), node.stopping());
    let events = stream::unfold(watcher, |(mut commits, mut links, mut stopping)| async move {
        tokio::select! {
            told = commits.recv() => match told {
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            },
            came = links.recv() => match came {
                Ok(()) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            },
            _ = stopping.wait_for(|stop| *stop) => return None,
        }
        tokio::time::sleep(PAUSE).await;
        // What came meanwhile is in the page that is asked for now.
        (commits, links) = (commits.resubscribe(), links.resubscribe());
        Some((Ok::<_, Infallible>(Event::default().data("changed")), (commits, links, stopping)))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}
