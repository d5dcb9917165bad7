//! Sends what changed to the webhooks of a hub: signed, in order, again and again until it is taken.
//!
//! At least once: how far a webhook has come is written down after its receiver has answered. Each webhook waits for
//! itself; one that fails is tried after 1 s, 2 s, 4 s … at most [`RETRY_MAX_MS`].

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use branchline_core::Result;
use branchline_core::net::{Target, Tcp, Unopened, dial};
use branchline_core::replica::link::Trust;
use branchline_core::replica::{Cursor, NodeRole, Replica};
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value as Json, json};
use sha2::Sha256;
use tokio::sync::broadcast::error::RecvError;

use super::changes;
use super::hooks::{Failure, Hook, Hooks};
use crate::client::ask;
use crate::server::Node;

/// How often webhooks are looked at that wait to be tried again.
const LOOK: Duration = Duration::from_secs(1);
/// Commits are gathered for so long.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a receiver may take.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Changes of one delivery.
const CHANGES_MAX: usize = 100;
/// The longest pause between two tries, in milliseconds: an hour.
const RETRY_MAX_MS: i64 = 3_600_000;

/// Delivers until the process is asked to stop. Ends at once where there is no hub.
pub(crate) async fn deliver(node: Node) {
    let hub = node.blocking(|replica| Ok(replica.settings()?.role == NodeRole::Hub)).await;
    if !matches!(hub, Ok(true)) {
        return;
    }
    let (mut commits, mut stopping) = (node.commits(), node.stopping());
    let busy: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    loop {
        tokio::select! {
            told = commits.recv() => match told {
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
            () = tokio::time::sleep(LOOK) => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
        tokio::time::sleep(PAUSE).await;
        commits = commits.resubscribe();
        let now = node.replica.environment().now().0;
        let due = node.blocking(move |replica| {
            let hooks = Hooks::of(replica.dir()).all();
            Ok(hooks.into_iter().filter(|hook| hook.failure.as_ref().is_none_or(|f| f.next <= now)).collect::<Vec<_>>())
        });
        for hook in due.await.unwrap_or_default() {
            if busy.lock().unwrap_or_else(PoisonError::into_inner).insert(hook.id.clone()) {
                let (node, busy) = (node.clone(), busy.clone());
                tokio::spawn(async move {
                    let id = hook.id.clone();
                    catch_up(&node, hook).await;
                    busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
                });
            }
        }
    }
}

// Delivers all there is for one webhook, or notes why not.
async fn catch_up(node: &Node, mut hook: Hook) {
    loop {
        let asked = hook.clone();
        let Ok(part) = node.blocking(move |replica| part(replica, &asked)).await else { return };
        let sent = match &part.body {
            Some(body) => send(node, &hook, body).await,
            None => Ok(()),
        };
        let moved = part.next != hook.cursor;
        match sent {
            Ok(()) => (hook.cursor, hook.failure) = (part.next, None),
            Err(reason) => hook.failure = Some(failed(node, &hook, reason)),
        }
        let (noted, failure) = (hook.clone(), hook.failure.is_some());
        let written = match moved || failure {
            true => node.blocking(move |replica| Hooks::of(replica.dir()).update(&noted)).await,
            false => Ok(()),
        };
        if failure || part.all || written.is_err() {
            return;
        }
    }
}

fn failed(node: &Node, hook: &Hook, reason: String) -> Failure {
    let attempts = hook.failure.as_ref().map_or(0, |failure| failure.attempts).saturating_add(1);
    let pause = 1_000_i64.saturating_mul(1 << attempts.saturating_sub(1).min(20)).min(RETRY_MAX_MS);
    tracing::warn!(webhook = hook.id, reason, attempts, "webhook not delivered");
    Failure { reason, attempts, next: node.replica.environment().now().plus(pause).0 }
}

struct Part {
    /// What is sent; nothing where no change is for this webhook.
    body: Option<String>,
    next: String,
    all: bool,
}

fn part(replica: &Replica, hook: &Hook) -> Result<Part> {
    let nobody = || Part { body: None, next: hook.cursor.clone(), all: true };
    // A person whose access has ended gets nothing more.
    let Some(principal) = hook.sender().and_then(|person| replica.principal(&person).ok()) else { return Ok(nobody()) };
    let page = match principal.changed(Some(Cursor::parse(&hook.cursor)?), CHANGES_MAX) {
        Ok(page) => page,
        // Of another history: what came back is not sent again, what is new is.
        Err(error) if error.code() == "cursor_unknown" => {
            return Ok(Part { body: None, next: replica.cursor()?.to_string(), all: true });
        }
        Err(error) => return Err(error),
    };
    let wanted =
        |collection: &str| hook.collections.is_empty() || hook.collections.iter().any(|name| name == collection);
    let rows = page.rows.iter().filter(|row| wanted(&row.collection));
    let changes = rows.map(|row| changes::object(&principal, row)).collect::<Result<Vec<Json>>>()?;
    let body = (!changes.is_empty()).then(|| json!({"webhook": hook.id, "changes": changes}).to_string());
    Ok(Part { body, next: page.next.to_string(), all: page.all })
}

async fn send(node: &Node, hook: &Hook, body: &str) -> std::result::Result<(), String> {
    let at = node.replica.environment().now().0 / 1_000;
    let signature = format!("t={at},v1={}", signed(&hook.secret, at, body));
    match tokio::time::timeout(ANSWER_MAX, post(&hook.url, signature, body.to_owned())).await {
        Ok(Ok(status)) if status.is_success() => Ok(()),
        Ok(Ok(status)) => Err(status.to_string()),
        Ok(Err(reason)) => Err(reason),
        Err(_) => Err("timeout".to_owned()),
    }
}

/// HMAC-SHA256 over the time and the body, in hex.
fn signed(secret: &str, at: i64, body: &str) -> String {
    // Any length is a key.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(format!("{at}.{body}").as_bytes());
    HEXLOWER.encode(&mac.finalize().into_bytes())
}

async fn post(url: &str, signature: String, body: String) -> std::result::Result<StatusCode, String> {
    let target = Target::parse(url).ok_or_else(|| "no address".to_owned())?;
    let socket = dial(&Tcp, &target, Some(Trust::System)).await.map_err(|unopened| match unopened {
        Unopened::Away(reason) | Unopened::NotVouched(reason) | Unopened::NoAuthorities(reason) => reason,
        Unopened::Unnamed | Unopened::KeyUnknown | Unopened::KeyDiffers => "no certificate".to_owned(),
    })?;
    let path = url.splitn(4, '/').nth(3).unwrap_or_default().split('#').next().unwrap_or_default();
    let host = url.split('/').nth(2).unwrap_or_default();
    let request = Request::post(format!("/{path}"))
        .header(header::HOST, host)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, concat!("branchline/", env!("CARGO_PKG_VERSION")))
        .header("branchline-signature", signature)
        .body(Body::from(body))
        .map_err(|e| e.to_string())?;
    // What the answer says beside its status is not read.
    ask(socket, request).await.map(|answer| answer.response.status())
}
