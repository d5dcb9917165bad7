//! What the writing connection remembers between transactions. All of it can be read again.
//!
//! Valid while `data_version` says that no other connection has committed, and no transaction of ours was rolled back.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use lru::LruCache;
use rusqlite::{Connection, OptionalExtension};

use super::actor::ActorRow;
use super::meta;
use crate::access::Scope;
use crate::document::State;
use crate::error::Result;
use crate::id::{ActorId, ChangeHash, RecordId};
use crate::schema::Name;

/// Folded records kept: about a kilobyte each.
const STATES_MAX: NonZeroUsize = NonZeroUsize::new(512).unwrap();
/// Rows of records kept: about 100 bytes each.
pub(crate) const RECORDS_MAX: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();

/// What is remembered of a record's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordRow {
    pub(crate) n: i64,
    pub(crate) collection: i64,
    pub(crate) heads: Vec<ChangeHash>,
    pub(crate) flags: i64,
}

/// The end of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tail {
    pub(crate) seq: u64,
    pub(crate) rolling: [u8; 8],
    pub(crate) record_n: i64,
}

pub(crate) struct Cache {
    data_version: Option<i64>,
    pub(crate) tail: Option<Tail>,
    pub(crate) actors: HashMap<ActorId, ActorRow>,
    pub(crate) collections: HashMap<Name, i64>,
    pub(crate) collection_names: HashMap<i64, Name>,
    pub(crate) scopes: HashMap<Scope, i64>,
    pub(crate) records: LruCache<RecordId, RecordRow>,
    pub(crate) states: LruCache<i64, State>,
}

impl Cache {
    pub(crate) fn new() -> Self {
        Self {
            data_version: None,
            tail: None,
            actors: HashMap::new(),
            collections: HashMap::new(),
            collection_names: HashMap::new(),
            scopes: HashMap::new(),
            records: LruCache::new(RECORDS_MAX),
            states: LruCache::new(STATES_MAX),
        }
    }

    /// Forgets everything that another process's commit since the last look may have made untrue. To be called inside
    /// a transaction.
    pub(crate) fn check(&mut self, conn: &Connection) -> Result<()> {
        let mut statement = conn.prepare_cached("PRAGMA data_version")?;
        let version: i64 = statement.query_row([], |row| row.get(0))?;
        if self.data_version != Some(version) {
            *self = Self::new();
            self.data_version = Some(version);
        }
        Ok(())
    }

    /// Forgets everything: what was remembered may have been rolled back.
    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }

    /// The end of the log, read once.
    pub(crate) fn tail(&mut self, conn: &Connection) -> Result<Tail> {
        if let Some(tail) = self.tail {
            return Ok(tail);
        }
        let last: Option<(i64, Vec<u8>)> = conn
            .prepare_cached("SELECT last_seq, rolling FROM log_commit ORDER BY last_seq DESC LIMIT 1")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let record_n: i64 =
            conn.prepare_cached("SELECT coalesce(max(n), 0) FROM record")?.query_row([], |row| row.get(0))?;
        let record_n = record_n.max(meta::integer(conn, meta::key::RECORD_N)?.unwrap_or(0));
        let (seq, rolling) = last.unwrap_or_default();
        let rolling = rolling.as_slice().try_into().unwrap_or_default();
        let tail = Tail { seq: seq.unsigned_abs(), rolling, record_n };
        self.tail = Some(tail);
        Ok(tail)
    }
}
