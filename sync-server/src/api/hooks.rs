//! Webhooks of a hub: where changes are sent, kept as one small file each in the replica's folder.
//!
//! Files, as sessions are: they belong to this machine, and a restored backup calls nobody until somebody says so.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::{Path as Named, State as Shared};
use axum::response::Response;
use branchline_core::access::{Act, Action, Place, may};
use branchline_core::id::RecordId;
use branchline_core::net::Target;
use branchline_core::replica::{NodeRole, Principal};
use branchline_core::time::Millis;
use branchline_core::{Error, Result};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::ROOT;
use super::caller::{Body, Caller, Reply};
use crate::output::drawn;
use crate::server::Node;

/// Most webhooks of one hub.
const HOOKS_MAX: usize = 100;
/// Bytes of randomness in a secret, and in a name.
const SECRET_BYTES: usize = 32;
const NAME_BYTES: usize = 8;

/// One webhook.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Hook {
    pub(super) id: String,
    pub(super) url: String,
    pub(super) secret: String,
    /// Whose records are sent: who made it, with the rights of the moment.
    pub(super) person: String,
    /// Only these collections; all where none is named.
    pub(super) collections: Vec<String>,
    /// What is before it has been taken.
    pub(super) cursor: String,
    pub(super) failure: Option<Failure>,
}

/// Why the last try failed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) reason: String,
    pub(super) attempts: u32,
    /// When it is tried again.
    pub(super) next: i64,
}

/// The webhooks of one replica's folder.
#[derive(Debug, Clone)]
pub(super) struct Hooks {
    dir: PathBuf,
}

impl Hooks {
    pub(super) fn of(replica_dir: &Path) -> Self {
        Self { dir: replica_dir.join("webhooks") }
    }

    /// All of them, by name.
    pub(super) fn all(&self) -> Vec<Hook> {
        let files = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let mut hooks: Vec<Hook> =
            files.filter_map(|file| serde_json::from_slice(&fs::read(file.path()).ok()?).ok()).collect();
        hooks.sort_by(|a, b| a.id.cmp(&b.id));
        hooks
    }

    /// Writes down how far one has come, unless it is gone meanwhile. Deletions in this process wait, so that none comes
    /// back.
    ///
    /// # Errors
    /// `webhook_file`.
    pub(super) fn update(&self, hook: &Hook) -> Result<()> {
        let _alone = alone();
        match self.path(&hook.id).is_file() {
            true => self.write(hook),
            false => Ok(()),
        }
    }

    fn write(&self, hook: &Hook) -> Result<()> {
        let failed = |e: std::io::Error| Error::storage("webhook-file").with("detail", e.to_string());
        fs::create_dir_all(&self.dir).map_err(failed)?;
        let text = serde_json::to_vec(hook).map_err(|e| failed(e.into()))?;
        let mut file = tempfile::NamedTempFile::new_in(&self.dir).map_err(failed)?;
        file.write_all(&text).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        file.persist(self.path(&hook.id)).map_err(|e| failed(e.error))?;
        Ok(())
    }

    fn remove(&self, id: &str) -> Result<()> {
        let unknown = || Error::not_found("webhook-unknown").with("id", id);
        let _alone = alone();
        let known = self.all().into_iter().find(|hook| hook.id == id).ok_or_else(unknown)?;
        fs::remove_file(self.path(&known.id)).map_err(|_| unknown())
    }

    fn path(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{id}.json"))
    }
}

// Whoever changes a file after a look at it; only a server does, and it alone serves its folder.
fn alone() -> MutexGuard<'static, ()> {
    static CHANGING: Mutex<()> = Mutex::new(());
    CHANGING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Webhooks are made on a hub, by those who administer it.
fn require(principal: &Principal) -> Result<Hooks> {
    let replica = principal.replica();
    if replica.settings()?.role != NodeRole::Hub {
        return Err(Error::usage("webhooks-on-a-hub"));
    }
    let (schema, here) = (replica.schema(), Place::default());
    let collection = schema.require("device")?;
    let act = Act { person: principal.me()?.id, action: Action::Create, collection, before: None, after: Some(&here) };
    may(&principal.grants()?, &act)?;
    Ok(Hooks::of(replica.dir()))
}

fn shown(hook: &Hook) -> Json {
    let failure = hook.failure.as_ref().map(|failure| {
        json!({"reason": failure.reason, "attempts": failure.attempts, "next": Millis(failure.next).rfc3339()})
    });
    json!({
        "id": hook.id, "url": hook.url, "collections": hook.collections, "person": hook.person, "cursor": hook.cursor,
        "failure": failure,
    })
}

/// `GET /webhooks`.
pub(super) async fn list(Shared(node): Shared<Node>, caller: Caller) -> Response {
    caller
        .run(node, |principal| {
            let hooks = require(principal)?.all();
            Ok(Reply::Found(json!({"webhooks": hooks.iter().map(shown).collect::<Vec<_>>()})))
        })
        .await
}

/// What a webhook is asked with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    url: String,
    #[serde(default)]
    collections: Vec<String>,
}

/// `POST /webhooks`: from now on.
pub(super) async fn create(Shared(node): Shared<Node>, caller: Caller, body: Body) -> Response {
    caller
        .send(node, String::new(), body, |principal, _, wanted: Wanted| {
            let hooks = require(principal)?;
            let replica = principal.replica();
            if Target::parse(&wanted.url).is_none() || wanted.url.contains(char::is_whitespace) {
                return Err(Error::invalid("address-malformed").with("url", wanted.url));
            }
            let schema = replica.schema();
            wanted.collections.iter().try_for_each(|name| schema.require(name).map(drop))?;
            if hooks.all().len() >= HOOKS_MAX {
                return Err(Error::limit("webhooks-full").with("limit", HOOKS_MAX));
            }
            let env = replica.environment();
            let hook = Hook {
                id: HEXLOWER.encode(&drawn::<NAME_BYTES>(env)),
                url: wanted.url,
                secret: BASE64URL_NOPAD.encode(&drawn::<SECRET_BYTES>(env)),
                person: principal.me()?.id.to_string(),
                collections: wanted.collections,
                cursor: replica.cursor()?.to_string(),
                failure: None,
            };
            hooks.write(&hook)?;
            let mut document = shown(&hook);
            document["secret"] = json!(hook.secret);
            Ok(Reply::Made(format!("{ROOT}/webhooks/{}", hook.id), document))
        })
        .await
}

/// `DELETE /webhooks/{id}`.
pub(super) async fn remove(Shared(node): Shared<Node>, caller: Caller, Named(id): Named<String>) -> Response {
    caller
        .run(node, move |principal| {
            require(principal)?.remove(&id)?;
            Ok(Reply::Found(json!({"id": id})))
        })
        .await
}

impl Hook {
    /// The person whose records are sent.
    pub(super) fn sender(&self) -> Option<RecordId> {
        RecordId::parse(&self.person)
    }
}
