//! Everything that can be asked of the store, over one snapshot: a reader's, or what a transaction has written so far.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rusqlite::Connection;

use super::actor::{self, Bound};
use super::backup::{self, SealedKey};
use super::home::Home;
use super::memo::Memo;
use super::open::{self, Access};
use super::query::Query;
use super::read::{self, Row};
use super::search::{self, Found};
use super::summary::{self, Summary};
use super::tally::{self, Division, Tally};
use super::writer::Committed;
use super::{Model, adhoc, custom, damaged, flag, image, lookup, meta, record, verify};
use crate::access::Scope;
use crate::document::State;
use crate::error::{Error, Result};
use crate::id::{ActorId, BatchId, ChangeHash, RecordId};
use crate::schema::{Name, Schema};
use crate::time::Millis;

/// Reading connections kept open between calls, with their statements: as many as people are served at once.
const IDLE_MAX: usize = 8;

/// One snapshot of the store with the schema that it is read by.
pub(crate) struct View<'a> {
    pub(crate) conn: &'a Connection,
    pub(crate) model: &'a Model,
    /// What was found before; none for what a transaction has written so far.
    pub(crate) memo: Option<&'a Memo>,
}

/// A record folded from its changes.
pub(crate) struct Whole {
    pub(crate) collection: Name,
    pub(crate) state: State,
}

impl View<'_> {
    /// Visits the rows of a query until `visit` says false.
    pub(crate) fn each(&self, query: &Query, visit: &mut dyn FnMut(Row) -> Result<bool>) -> Result<()> {
        read::each(self.conn, self.model, self.memo, query, visit)
    }

    /// How many rows a query asks for, without its limit.
    pub(crate) fn count(&self, query: &Query) -> Result<u64> {
        tally::count(self.conn, self.model, self.memo, query)
    }

    /// The rows that a query asks for, without its limit, by the values of a field.
    pub(crate) fn tally(&self, query: &Query, division: Division<'_>) -> Result<Arc<Vec<Tally>>> {
        tally::tally(self.conn, self.model, self.memo, query, Some(division))
    }

    /// One row, archived or not.
    pub(crate) fn one(&self, collection: &str, id: &RecordId) -> Result<Option<Row>> {
        read::one(self.conn, self.model, collection, id)
    }

    /// The record that a text names.
    pub(crate) fn find(&self, collection: &str, text: &str) -> Result<RecordId> {
        lookup::find(self.conn, self.model, collection, text)
    }

    /// The collection of a record, if it is held.
    pub(crate) fn collection_of(&self, id: &RecordId) -> Result<Option<Name>> {
        lookup::collection_of(self.conn, id)
    }

    /// The title of a record, followed through merges.
    pub(crate) fn label(&self, id: &RecordId) -> Result<Option<String>> {
        lookup::label(self.conn, self.model, id)
    }

    /// The titles of records, followed through merges; those that are not held are left out.
    pub(crate) fn labels(&self, ids: &[RecordId]) -> Result<HashMap<RecordId, String>> {
        lookup::labels(self.conn, self.model, ids)
    }

    /// The record that stands for this one after merges.
    pub(crate) fn root(&self, collection: &str, id: RecordId) -> Result<RecordId> {
        lookup::root(self.conn, lookup::table(self.model, collection)?, id)
    }

    /// The shortest beginning of an id, at least four characters, that no other record held here has.
    pub(crate) fn short_id(&self, id: &RecordId) -> Result<String> {
        lookup::short_id(self.conn, id)
    }

    /// The records that hold these words, of one collection where it is named.
    pub(crate) fn search(&self, text: &str, within: Option<&str>, limit: usize) -> Result<Vec<Found>> {
        search::search(self.conn, self.model, text, within, limit)
    }

    /// The last changes before a place in the log, newest first: place, record, its collection, hash.
    pub(crate) fn log_before(&self, seq: u64, limit: usize) -> Result<Vec<(u64, RecordId, Name, ChangeHash)>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT l.seq, r.id, p.name, l.hash FROM log l JOIN record r ON r.n = l.record
             JOIN projection p ON p.n = r.collection
             WHERE l.seq < ?1 AND r.flags & ?2 = 0 ORDER BY l.seq DESC LIMIT ?3",
        )?;
        let row = |row: &rusqlite::Row<'_>| {
            let name: String = row.get(2)?;
            Ok((row.get::<_, i64>(0)?.unsigned_abs(), RecordId(row.get(1)?), name.into(), ChangeHash(row.get(3)?)))
        };
        let rows = statement.query_map(rusqlite::params![seq as i64, flag::HIDDEN, limit as i64], row)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// What stands open.
    pub(crate) fn waiting(&self) -> Result<summary::Waiting> {
        summary::waiting(self.conn)
    }

    /// What is held, in numbers.
    pub(crate) fn summary(&self) -> Result<Summary> {
        summary::summary(self.conn, self.model)
    }

    /// The digest of what is held, or of what is held in some scopes.
    pub(crate) fn digest(&self, scopes: Option<&[Scope]>) -> Result<[u8; 32]> {
        summary::digest(self.conn, self.model, scopes)
    }

    /// The digest of all rows of the projection.
    pub(crate) fn projection_digest(&self) -> Result<[u8; 32]> {
        verify::projection_digest(self.conn, self.model)
    }

    /// A record folded from its changes; none where it is not held or hidden.
    pub(crate) fn whole(&self, id: &RecordId) -> Result<Option<Whole>> {
        let Some(row) = record::read_row(self.conn, id)? else { return Ok(None) };
        if row.flags & flag::HIDDEN != 0 {
            return Ok(None);
        }
        let collection = record::collection_name(self.conn, row.collection)?;
        let state = record::fold(self.conn, *id, row.n, &row.heads)?;
        Ok(Some(Whole { collection, state }))
    }

    /// A record as it stands, hidden or not; empty where it is not here at all.
    pub(crate) fn standing(&self, id: &RecordId) -> Result<State> {
        match record::read_row(self.conn, id)? {
            Some(row) => record::fold(self.conn, *id, row.n, &row.heads),
            None => Ok(State::new(*id)),
        }
    }

    /// The records that have one of these flags, in the order in which they came.
    pub(crate) fn flagged(&self, flags: i64) -> Result<Vec<RecordId>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id FROM record WHERE flags <> 0 AND flags < ?3 AND flags & ?1 <> 0 AND flags & ?2 = 0 ORDER BY n",
        )?;
        let mut rows = statement.query([flags, flag::HIDDEN, flag::FORGOTTEN])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let id = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            found.push(RecordId::from_slice(id).ok_or_else(|| damaged("a record's id"))?);
        }
        Ok(found)
    }

    /// When the changes of a record became durable here.
    pub(crate) fn arrivals(&self, id: &RecordId) -> Result<HashMap<ChangeHash, Millis>> {
        record::arrivals(self.conn, id)
    }

    /// The records that an import has written to.
    pub(crate) fn imported(&self, batch: &BatchId) -> Result<Vec<(Name, RecordId)>> {
        actor::imported(self.conn, batch)
    }

    /// What is known of an actor.
    pub(crate) fn bound(&self, actor: ActorId) -> Result<Bound> {
        actor::bound(self.conn, actor)
    }
}

/// The reading connections of a replica.
pub(crate) struct Readers {
    home: Home,
    builtin: Arc<Schema>,
    model: RwLock<Arc<Model>>,
    idle: Mutex<Vec<Idle>>,
    memo: Memo,
}

struct Idle {
    conn: Connection,
    data_version: i64,
}

impl Readers {
    pub(crate) fn new(home: Home, builtin: Arc<Schema>, model: Arc<Model>) -> Self {
        Self { home, builtin, model: RwLock::new(model), idle: Mutex::default(), memo: Memo::default() }
    }

    /// The schema with its tables, as of the last look.
    pub(crate) fn model(&self) -> Arc<Model> {
        self.model.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes over the schema of a commit, and what it touched.
    pub(crate) fn committed(&self, model: &Arc<Model>, committed: &Committed) {
        self.adopt(model);
        self.memo.committed(committed);
    }

    /// What was found so far need hold no longer.
    pub(crate) fn forget(&self) {
        self.memo.forget();
    }

    fn adopt(&self, model: &Arc<Model>) {
        let mut known = self.model.write().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&known, model) {
            *known = model.clone();
            self.memo.forget();
        }
    }

    /// Reads the last commit; every question inside sees the same one.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&View<'_>) -> Result<T>) -> Result<T> {
        let mut idle = match self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            Some(idle) => idle,
            None => Idle { conn: open::open(&self.home, Access::Read)?, data_version: -1 },
        };
        idle.conn.prepare_cached("BEGIN")?.execute([])?;
        let memo = Some(&self.memo);
        let result = self.refresh(&mut idle).and_then(|model| work(&View { conn: &idle.conn, model: &model, memo }));
        idle.conn.prepare_cached("ROLLBACK")?.execute([])?;
        let mut kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < IDLE_MAX {
            kept.push(idle);
        }
        result
    }

    /// A connection that may also make temporary tables; the database itself stays out of its reach.
    pub(crate) fn unrestrained(&self) -> Result<Connection> {
        let conn = open::open(&self.home, Access::Read)?;
        conn.pragma_update(None, "query_only", false)?;
        Ok(conn)
    }

    /// Writes a backup of the last commit.
    pub(crate) fn backup(&self, file: &Path, key: Option<&SealedKey>) -> Result<u64> {
        backup::write(&self.home, &self.unrestrained()?, file, key)
    }

    /// Writes the last commit as the image of a seed.
    pub(crate) fn image(&self, file: &Path) -> Result<()> {
        image::write(&self.unrestrained()?, file)
    }

    /// Runs one statement of a person on a connection of its own.
    pub(crate) fn sql(&self, select: &str) -> Result<Vec<serde_json::Map<String, serde_json::Value>>> {
        adhoc::query(open::open(&self.home, Access::Read)?, select)
    }

    // Another process may have changed the schema since this connection last looked.
    fn refresh(&self, idle: &mut Idle) -> Result<Arc<Model>> {
        let version: i64 = idle.conn.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        let model = self.model();
        if version == idle.data_version {
            return Ok(model);
        }
        idle.data_version = version;
        let epoch = meta::integer(&idle.conn, meta::key::SCHEMA_EPOCH)?.unwrap_or(0);
        if epoch == model.epoch {
            return Ok(model);
        }
        let builtin = Model::of(self.builtin.clone(), epoch);
        let schema = match custom::schema(&idle.conn, &builtin) {
            // What the schema declares beyond the built-in one cannot be read: the rest still can.
            Err(Error::Corrupt(_)) => return Ok(Arc::new(builtin)),
            schema => schema?,
        };
        let model = Arc::new(Model::of(Arc::new(schema), epoch));
        self.adopt(&model);
        Ok(model)
    }
}
