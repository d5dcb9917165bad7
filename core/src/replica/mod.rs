//! The facade: transactions, queries, history, conflicts, watch, backup. Everything above calls only this.
//!
//! A [`Replica`] is one folder: `branchline.db` (SQLite), `device.key` (its Ed25519 secret), `blobs/` (attachments by
//! content). It is cheap to clone and may be used from any thread; several processes may open one folder.
//!
//! Invariants: a transaction is visible whole or not at all, here and at every other replica; who acts is asked for
//! rights before anything is written; lists show neither archived nor hidden records unless asked to.
//!
//! What is absent: no socket (that is `net`), no SQL (that is `store`), no knowledge of any particular collection but
//! `user`, whose records are the people who act.

mod environment;
mod query;
mod record;
mod settings;

pub use environment::{Environment, SystemEnvironment};
pub use query::{Direction, Query};
pub use record::{Conflict, ConflictValue, HistoryEntry, Hit, Page, Record, Stamp};
pub use settings::{Init, Joining, NodeRole, Person, Settings, Status, Verified};

use std::path::Path;
use std::sync::Arc;

pub use crate::document::Edit;
use crate::error::{Error, Result};
use crate::id::{BatchId, ChangeHash, RecordId};
use crate::schema::{Name, Schema, Value};

/// A record made by its key: new, or the one that was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyed {
    /// The record that has the key.
    pub id: RecordId,
    /// Whether it was made now.
    pub created: bool,
}

/// One replica. See the [module](self).
#[derive(Clone)]
pub struct Replica {
    inner: Arc<()>,
}

/// A transaction: what is read in it includes what it wrote.
pub struct Tx<'a> {
    replica: &'a Replica,
}

fn pending<T>() -> Result<T> {
    Err(Error::usage("unknown-collection"))
}

#[expect(unused_variables, clippy::missing_errors_doc, missing_docs, reason = "signatures first; bodies follow")]
impl Replica {
    pub fn init(dir: &Path, init: &Init, schema: Schema, env: Arc<dyn Environment>) -> Result<Self> {
        pending()
    }
    pub fn join(dir: &Path, joining: &Joining, schema: Schema, env: Arc<dyn Environment>) -> Result<Self> {
        pending()
    }
    pub fn open(dir: &Path, schema: Schema, env: Arc<dyn Environment>) -> Result<Self> {
        pending()
    }
    pub fn schema(&self) -> Arc<Schema> {
        Arc::new(Schema::default())
    }
    pub fn settings(&self) -> Result<Settings> {
        pending()
    }
    pub fn me(&self) -> Result<Person> {
        pending()
    }
    pub fn environment(&self) -> &dyn Environment {
        &SystemEnvironment
    }
    pub fn transact<T>(&self, work: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        pending()
    }
    pub fn transact_as_import<T>(&self, batch: BatchId, work: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        pending()
    }
    pub fn record(&self, collection: &str, id: &RecordId) -> Result<Record> {
        pending()
    }
    pub fn list(&self, query: &Query) -> Result<Page> {
        pending()
    }
    pub fn each(&self, query: &Query, visit: &mut dyn FnMut(Record) -> Result<()>) -> Result<()> {
        pending()
    }
    pub fn count(&self, query: &Query) -> Result<u64> {
        pending()
    }
    pub fn find(&self, collection: &str, text: &str) -> Result<RecordId> {
        pending()
    }
    /// The shortest beginning of an id, at least four characters, that no other record held here has.
    pub fn short_id(&self, id: &RecordId) -> String {
        id.to_string()
    }
    pub fn label(&self, id: &RecordId) -> Option<String> {
        None
    }
    pub fn history(&self, collection: &str, id: &RecordId) -> Result<Vec<HistoryEntry>> {
        pending()
    }
    pub fn conflicts(&self) -> Result<Vec<Conflict>> {
        pending()
    }
    pub fn resolve(&self, collection: &str, id: &RecordId, field: &str, keep: &str) -> Result<()> {
        pending()
    }
    pub fn search(&self, text: &str, limit: usize) -> Result<Vec<Hit>> {
        pending()
    }
    pub fn sql(&self, select: &str) -> Result<Vec<serde_json::Map<String, serde_json::Value>>> {
        pending()
    }
    pub fn status(&self) -> Result<Status> {
        pending()
    }
    pub fn digest(&self) -> Result<String> {
        pending()
    }
    pub fn verify(&self, repair: bool) -> Result<Verified> {
        pending()
    }
    pub fn backup(&self, file: &Path, passphrase: Option<&str>) -> Result<u64> {
        pending()
    }
    pub fn restore(
        file: &Path,
        dir: &Path,
        passphrase: Option<&str>,
        schema: Schema,
        env: Arc<dyn Environment>,
    ) -> Result<Self> {
        pending()
    }
    /// Whether another process has committed since the last call.
    pub fn changed(&self) -> Result<bool> {
        pending()
    }
}

#[expect(unused_variables, clippy::missing_errors_doc, missing_docs, reason = "signatures first; bodies follow")]
impl Tx<'_> {
    pub fn create(&mut self, collection: &str, values: Vec<(Name, Value)>) -> Result<RecordId> {
        pending()
    }
    pub fn create_keyed(&mut self, collection: &str, values: Vec<(Name, Value)>, key: &[Name]) -> Result<Keyed> {
        pending()
    }
    pub fn edit(&mut self, collection: &str, id: &RecordId, edits: Vec<Edit>) -> Result<bool> {
        pending()
    }
    pub fn archive(&mut self, collection: &str, id: &RecordId, archived: bool) -> Result<bool> {
        pending()
    }
    pub fn undo(&mut self, collection: &str, id: &RecordId, change: ChangeHash) -> Result<bool> {
        pending()
    }
    pub fn merge_into(&mut self, collection: &str, lose: &RecordId, keep: Option<RecordId>) -> Result<bool> {
        pending()
    }
    pub fn record(&mut self, collection: &str, id: &RecordId) -> Result<Option<Record>> {
        pending()
    }
    pub fn last_imported(&mut self, collection: &str, id: &RecordId, field: &str) -> Result<Option<Value>> {
        pending()
    }
}
