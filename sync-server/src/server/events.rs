//! The live feed of the status page: one reader of the store for all watchers, and only while there are any.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::stream::{self, Stream};

use super::{Node, language_of, page};

/// How often the numbers are read while somebody watches.
const REFRESH: Duration = Duration::from_secs(1);

/// Reads the numbers every second while a page is open, and tells the pages when they differ. Ends with the process.
pub(super) async fn refresh(node: Node) {
    let mut stopping = node.stopping();
    let mut tick = tokio::time::interval(REFRESH);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = tick.tick() => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
        if node.live.receiver_count() == 0 {
            continue;
        }
        // A store that is busy now is read again a second later.
        if let Ok(state) = node.state().await {
            node.live.send_if_modified(|last| {
                let differs = last.as_deref() != Some(&state);
                if differs {
                    *last = Some(Arc::new(state));
                }
                differs
            });
        }
    }
}

/// `/events`: the main part of the page, rendered anew whenever a number changes.
pub(super) async fn stream(
    Shared(node): Shared<Node>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let language = language_of(&headers);
    let watcher = (node.live.subscribe(), node.stopping(), node.replica.schema());
    let events = stream::unfold(watcher, move |(mut live, mut stopping, schema)| async move {
        loop {
            tokio::select! {
                changed = live.changed() => changed.ok()?,
                _ = stopping.wait_for(|stop| *stop) => return None,
            }
            let state = live.borrow_and_update().clone();
            if let Some(state) = state {
                let part = page::main_part(language, &state, &schema).into_string();
                return Some((Ok(Event::default().data(part)), (live, stopping, schema)));
            }
        }
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}
