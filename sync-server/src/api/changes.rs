//! What changed here: in pages, and as a live stream of server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use branchline_core::Result;
use branchline_core::replica::{Changed, Cursor, Principal};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::sync::broadcast::error::RecvError;

use super::caller::{Asks, Caller, Reply};
use super::records::{ROWS_MAX, limited};
use crate::commands::shape::Shaper;
use crate::server::Node;

/// A stream tells of commits at most so often.
const PAUSE: Duration = Duration::from_millis(200);

/// Where to begin.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Since {
    after: Option<String>,
    limit: Option<usize>,
}

/// `GET /changes`.
pub(super) async fn list(Shared(node): Shared<Node>, caller: Caller, Asks(since): Asks<Since>) -> Response {
    caller
        .run(node, move |principal| {
            let after = since.after.as_deref().map(Cursor::parse).transpose()?;
            let page = principal.changed(after, limited(since.limit)?)?;
            let changes = page.rows.iter().map(|row| object(principal, row)).collect::<Result<Vec<_>>>()?;
            Ok(Reply::Found(json!({"changes": changes, "next": page.next.to_string(), "all": page.all})))
        })
        .await
}

/// A change with the record as it is now.
pub(super) fn object(principal: &Principal, row: &Changed) -> Result<Json> {
    let schema = principal.replica().schema();
    let record = principal.record(&row.collection, &row.id)?;
    let record = Shaper::by(principal).object(schema.require(&row.collection)?, &record, None);
    Ok(json!({
        "cursor": row.cursor.to_string(), "collection": &*row.collection, "id": row.id.to_string(),
        "at": row.at.rfc3339(), "record": record,
    }))
}

/// `GET /changes/stream`: from `after`, from `Last-Event-ID`, else from now on.
pub(super) async fn stream(
    Shared(node): Shared<Node>,
    caller: Caller,
    headers: HeaderMap,
    Asks(since): Asks<Since>,
) -> Response {
    let principal = match caller.principal(&node).await {
        Ok(principal) => principal,
        Err(response) => return response,
    };
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let asked = last.or(since.after);
    // Subscribed before the place is read: what is committed in between is told twice rather than not at all.
    let commits = node.commits();
    let begun = node.blocking({
        let principal = principal.clone();
        move |replica| match asked.as_deref().map(Cursor::parse).transpose()? {
            // One of another history is said at once.
            Some(cursor) => principal.changed(Some(cursor), 1).map(|_| cursor),
            None => replica.cursor(),
        }
    });
    let cursor = match begun.await {
        Ok(cursor) => cursor,
        Err(error) => return caller.failed(&error),
    };
    let follower = Follower { stopping: node.stopping(), node, principal, caller, commits, cursor, behind: true };
    let events = stream::unfold(follower, |follower| follower.next());
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

struct Follower {
    node: Node,
    principal: Principal,
    caller: Caller,
    commits: tokio::sync::broadcast::Receiver<u64>,
    stopping: tokio::sync::watch::Receiver<bool>,
    cursor: Cursor,
    /// Whether there may be more right now.
    behind: bool,
}

impl Follower {
    // Each event is a batch of changes; its id is where to go on.
    async fn next(mut self) -> Option<(std::result::Result<Event, Infallible>, Self)> {
        loop {
            if !std::mem::take(&mut self.behind) {
                tokio::select! {
                    told = self.commits.recv() => match told {
                        Ok(_) | Err(RecvError::Lagged(_)) => {}
                        Err(RecvError::Closed) => return None,
                    },
                    _ = self.stopping.wait_for(|stop| *stop) => return None,
                }
                tokio::time::sleep(PAUSE).await;
                self.commits = self.commits.resubscribe();
            }
            // A token that was ended ends its streams; a person whose access ended sees nothing more.
            self.caller.principal(&self.node).await.ok()?;
            let (principal, cursor) = (self.principal.clone(), self.cursor);
            let read = self.node.blocking(move |_| {
                let page = principal.changed(Some(cursor), ROWS_MAX)?;
                let changes = page.rows.iter().map(|row| object(&principal, row)).collect::<Result<Vec<_>>>()?;
                Ok((changes, page.next, page.all))
            });
            let (changes, next, all) = read.await.ok()?;
            (self.cursor, self.behind) = (next, !all);
            if !changes.is_empty() {
                let data = json!({"changes": changes, "next": next.to_string()}).to_string();
                return Some((Ok(Event::default().id(next.to_string()).data(data)), self));
            }
        }
    }
}
