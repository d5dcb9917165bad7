//! SQLite: the log, the projection, full-text search, outbox, quarantine, and what a replica knows about itself.
//!
//! The log is the truth: raw changes in the order in which they became durable here. One [`Writer`] is one
//! transaction; it holds the writing connection, logs changes, projects the records they touch and commits with a
//! single sync. Readers have connections of their own and see the last commit.
//!
//! Invariants: everything of a commit (change, record, projection, search, scopes, outbox) is durable together; a
//! folded record in memory is used only if its heads equal those in the database inside the transaction; another
//! process's commit empties what this one remembers. Nothing here deletes a damaged database.

mod actor;
mod adhoc;
mod backup;
mod blob_file;
pub(crate) mod blob_rows;
mod budget;
mod cache;
pub(crate) mod changed_rows;
mod condition;
mod convert;
mod custom;
mod fault;
pub(crate) mod feed;
pub(crate) mod files;
pub(crate) mod flag;
mod flush;
mod fold;
mod function;
pub(crate) mod holding;
mod home;
mod image;
pub(crate) mod kept_rows;
mod key;
pub(crate) mod link_rows;
mod lookup;
mod memo;
mod mend;
pub(crate) mod meta;
mod misnamed;
mod node;
pub(crate) mod once_rows;
mod open;
mod order;
mod pack;
mod page;
pub(crate) mod projection;
mod query;
mod read;
mod record;
mod retract;
mod scope;
mod search;
mod spelling;
mod summary;
mod tally;
mod verify;
mod view;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;

use crate::error::Result;
use crate::id::{DeviceId, Timeline};
use crate::schema::Schema;
use crate::time::Millis;

pub(crate) use backup::{Restoring, SealedKey};
pub(crate) use blob_file::content_len;
pub(crate) use convert::{convert, is_converting, settle};
pub(crate) use fault::{damaged, file_fault};
pub(crate) use home::{Held, Home};
pub(crate) use image::{adopt as adopt_image, publish};
pub use kept_rows::Fate;
pub(crate) use mend::{ids as record_ids, refetch, set_refetch};
pub(crate) use node::{Assigned, Node, fill as fill_node, read as read_node};
pub(crate) use open::{Access, create, open};
pub(crate) use read::Row;
pub(crate) use retract::{Lineage, Removed, is_offered_behind};
pub(crate) use search::Found;
pub(crate) use summary::Waiting;
pub(crate) use tally::Division;
pub(crate) use verify::check;
pub(crate) use view::{Readers, View};

/// An open connection to a replica's database.
pub(crate) type Opened = Connection;
pub use blob_file::{BlobReader, BlobWriter};
pub use home::Folder;
pub use key::StoreKey;
pub use open::{DATABASE, FORMAT, is_replica};
pub use query::{Direction, Query};
pub use tally::Tally;
pub use writer::{Appended, Committed, Writer};

use cache::Cache;
use projection::layout::Layout;

/// From whom the changes of a commit come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Written here.
    Local,
    /// Received from the upstream: nothing of it goes back there.
    Upstream,
    /// Received from this downstream.
    Downstream(DeviceId),
}

/// A schema with the tables that it is projected to.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) schema: Arc<Schema>,
    pub(crate) layout: Layout,
    /// Grows whenever a commit touches the records that make the schema.
    pub(crate) epoch: i64,
}

impl Model {
    pub(crate) fn of(schema: Arc<Schema>, epoch: i64) -> Self {
        let layout = Layout::of(&schema);
        Self { schema, layout, epoch }
    }
}

/// What a replica does with what it logs; fixed when the folder is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Duties {
    /// Others may join it: it keeps the index by scope and sequence.
    pub(crate) serves: bool,
    /// It follows an upstream: what it logs goes to the outbox.
    pub(crate) has_upstream: bool,
}

/// The writing end of a replica's database; one per process.
pub struct Store {
    conn: Connection,
    path: PathBuf,
    builtin: Arc<Schema>,
    model: Arc<Model>,
    duties: Duties,
    cache: Cache,
}

impl Store {
    /// The store over a connection opened for writing; brings the projection to the schema.
    pub(crate) fn start(
        conn: Connection,
        home: &Home,
        builtin: Arc<Schema>,
        duties: Duties,
        now: Millis,
    ) -> Result<Self> {
        let model = Arc::new(Model::of(builtin.clone(), -1));
        let path = home.dir.join(DATABASE);
        let mut store = Self { conn, path, builtin, model, duties, cache: Cache::new() };
        let mut writer = store.begin(Origin::Local, now)?;
        writer.adopt_schema()?;
        writer.finish()?;
        Ok(store)
    }

    /// The store over a database that is too damaged to be written to.
    pub(crate) fn unwritten(home: &Home, builtin: Arc<Schema>, duties: Duties) -> Result<Self> {
        let conn = open(home, Access::Read)?;
        let model = Arc::new(Model::of(builtin.clone(), -1));
        Ok(Self { conn, path: home.dir.join(DATABASE), builtin, model, duties, cache: Cache::new() })
    }

    /// Begins a transaction; waits for another process's to end. `now` is when its commit is said to happen.
    pub fn begin(&mut self, origin: Origin, now: Millis) -> Result<Writer<'_>> {
        Writer::begin(self, origin, now)
    }

    /// The schema with its tables, as of the last commit that this process saw.
    pub(crate) fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// A number that differs after another process has committed.
    pub(crate) fn foreign_commits(&self) -> Result<i64> {
        Ok(self.conn.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The history that this log belongs to.
    pub fn timeline(&self) -> Result<Timeline> {
        meta::timeline(&self.conn, meta::key::TIMELINE)?.ok_or_else(|| damaged("meta timeline"))
    }
}
