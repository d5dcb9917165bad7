//! The observer's eye on one replica: reads its database from beside, by SQL of its own, and remembers.
//!
//! It keeps a connection open, so that a process that "dies" leaves its journal as a killed one does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use branchline_core::document::Vetted;
use rusqlite::{Connection, OpenFlags, Row};

use super::Broken;

/// SHA-256 of a change.
pub(super) type Hash = [u8; 32];
/// A record's id.
pub(super) type Id = [u8; 16];

/// A row of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Logged {
    pub(super) hash: Hash,
    pub(super) record: Id,
    pub(super) person: Option<Id>,
}

/// What is seen of a replica.
pub(super) struct Eye {
    conn: Connection,
    /// Everything that its log has ever held, by hash.
    pub(super) log: BTreeMap<Hash, Logged>,
    /// What waits for its upstream.
    pub(super) outbox: BTreeSet<Hash>,
    /// What it keeps as refused: from here, from below.
    pub(super) quarantine: BTreeSet<Hash>,
    pub(super) review: BTreeSet<Hash>,
    /// Refused changes that some change of its log has brought again.
    pub(super) cited: BTreeSet<Hash>,
    /// The end of its log.
    pub(super) end: u64,
    last: i64,
    // Tells whether anybody has committed since the last look.
    version: i64,
}

fn failed(e: rusqlite::Error) -> Broken {
    format!("the observer cannot read: {e}")
}

impl Eye {
    pub(super) fn open(dir: &Path) -> Result<Self, Broken> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        // Past the simulated disk: the observer reads what is there, whatever the disk refuses to others.
        let conn = Connection::open_with_flags_and_vfs(dir.join("branchline.db"), flags, "unix").map_err(failed)?;
        conn.set_prepared_statement_cache_capacity(32);
        let mut eye = Self {
            conn,
            log: BTreeMap::new(),
            outbox: BTreeSet::new(),
            quarantine: BTreeSet::new(),
            review: BTreeSet::new(),
            cited: BTreeSet::new(),
            end: 0,
            last: 0,
            version: -1,
        };
        eye.look()?;
        Ok(eye)
    }

    /// Looks again, if anything was committed. Gives the rows that are new in the log.
    pub(super) fn look(&mut self) -> Result<Vec<Logged>, Broken> {
        let version = self.one("PRAGMA data_version")?;
        if std::mem::replace(&mut self.version, version) == version {
            return Ok(Vec::new());
        }
        let new = self.rows(
            "SELECT l.hash, r.id, a.person, l.seq, iif(instr(l.raw, CAST('~cites' AS BLOB)), l.raw, NULL)
             FROM log l JOIN record r ON r.n = l.record
             LEFT JOIN actor a ON a.n = l.actor WHERE l.seq > ? ORDER BY l.seq",
            [self.last],
            |row| {
                let person: Option<Vec<u8>> = row.get(2)?;
                let person = person.and_then(|bytes| bytes.try_into().ok());
                let cites: Option<Vec<u8>> = row.get(4)?;
                let cites = cites.and_then(|raw| Vetted::refused(raw).ok()).map(|change| change.cites());
                Ok((Logged { hash: row.get(0)?, record: row.get(1)?, person }, row.get::<_, i64>(3)?, cites))
            },
        )?;
        for (logged, seq, cites) in &new {
            self.log.insert(logged.hash, *logged);
            self.cited.extend(cites.iter().flatten().map(|hash| hash.0));
            self.last = *seq;
        }
        let waiting = "SELECT l.hash FROM outbox o JOIN log l ON l.seq = o.seq";
        // What was brought again and refused once more is in the log for a moment only.
        let again = "SELECT raw FROM quarantine WHERE instr(raw, CAST('~cites' AS BLOB))";
        let again = self.rows(again, [], |row| row.get::<_, Vec<u8>>(0))?.into_iter();
        self.cited.extend(again.filter_map(|raw| Vetted::refused(raw).ok()).flat_map(|c| c.cites()).map(|hash| hash.0));
        self.outbox = self.rows(waiting, [], |row| row.get(0))?.into_iter().collect();
        self.quarantine = self.rows("SELECT hash FROM quarantine", [], |row| row.get(0))?.into_iter().collect();
        self.review = self.rows("SELECT hash FROM review", [], |row| row.get(0))?.into_iter().collect();
        self.end = self.one("SELECT coalesce(max(last_seq), 0) FROM log_commit")? as u64;
        Ok(new.into_iter().map(|(logged, ..)| logged).collect())
    }

    /// The hashes that the log has now, retracted ones too.
    pub(super) fn log_now(&self) -> Result<BTreeSet<Hash>, Broken> {
        Ok(self.rows("SELECT hash FROM log", [], |row| row.get(0))?.into_iter().collect())
    }

    /// What it holds of changes, refused ones too; a record that waits for its purge is held no more.
    pub(super) fn held(&self) -> Result<BTreeSet<Hash>, Broken> {
        let sql = "SELECT l.hash FROM log l JOIN record r ON r.n = l.record WHERE r.flags & 4 = 0
                   UNION SELECT hash FROM quarantine UNION SELECT hash FROM review";
        Ok(self.rows(sql, [], |row| row.get(0))?.into_iter().collect())
    }

    /// The records of which changes wait for the upstream.
    pub(super) fn waiting(&self) -> Result<BTreeSet<Id>, Broken> {
        let sql = "SELECT r.id FROM outbox o JOIN log l ON l.seq = o.seq JOIN record r ON r.n = l.record";
        Ok(self.rows(sql, [], |row| row.get(0))?.into_iter().collect())
    }

    /// Changes of its own that are said to have been written again.
    pub(super) fn written_again(&self) -> Result<Vec<Hash>, Broken> {
        self.rows("SELECT hash FROM quarantine WHERE fate = 'replayed' AND device IS NULL", [], |row| row.get(0))
    }

    /// The hashes of changes that stand in the log now.
    pub(super) fn standing(&self) -> Result<BTreeMap<Hash, Option<Id>>, Broken> {
        let sql = "SELECT l.hash, a.person FROM log l LEFT JOIN actor a ON a.n = l.actor WHERE l.record <> 0";
        let rows = self.rows(sql, [], |row| Ok((row.get(0)?, row.get::<_, Option<Vec<u8>>>(1)?)))?;
        Ok(rows.into_iter().map(|(hash, person)| (hash, person.and_then(|p| p.try_into().ok()))).collect())
    }

    /// The deals that people see here.
    pub(super) fn shown(&self) -> Result<BTreeSet<Id>, Broken> {
        let sql = "SELECT r.id FROM opportunity t JOIN record r ON r.n = t.n";
        Ok(self.rows(sql, [], |row| row.get(0))?.into_iter().collect())
    }

    /// Changes that were refused here and that the upstream must keep, too. What only followed may never have gone up. A
    /// copy may bring what follows a record that its upstream has forgotten: such bytes cannot be read there.
    pub(super) fn refused_above(&self, copied: bool) -> Result<Vec<Hash>, Broken> {
        let sql = "SELECT hash FROM quarantine WHERE NOT (?1 AND code = 'change_missing')
                   AND code NOT IN ('brought_already', 'review_full', 'follows_refused')";
        self.rows(sql, [copied], |row| row.get(0))
    }

    /// Why a change was refused.
    pub(super) fn reason(&self, hash: &Hash) -> Result<Vec<String>, Broken> {
        let sql = "SELECT collection || ' ' || code || ' ' || detail FROM quarantine WHERE hash = ?1
                   UNION SELECT collection || ' ' || code || ' ' || detail FROM review WHERE hash = ?1";
        self.rows(sql, [hash], |row| row.get(0))
    }

    /// Changes that were to be written again and were not.
    pub(super) fn not_written_again(&self) -> Result<i64, Broken> {
        self.one("SELECT count(*) FROM quarantine WHERE fate = 'replaying'")
    }

    /// How many records bear one name that makes their id.
    pub(super) fn most_of_one_key(&self) -> Result<i64, Broken> {
        self.one(
            "SELECT coalesce(max(n), 0) FROM (SELECT count(*) n FROM account
             WHERE name LIKE 'Keyed %' OR name LIKE 'Imported %' GROUP BY name)",
        )
    }

    fn one(&self, sql: &str) -> Result<i64, Broken> {
        self.conn.prepare_cached(sql).and_then(|mut s| s.query_row([], |row| row.get(0))).map_err(failed)
    }

    fn rows<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        map: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Broken> {
        let read = || -> rusqlite::Result<Vec<T>> { self.conn.prepare_cached(sql)?.query_map(params, map)?.collect() };
        read().map_err(failed)
    }
}
