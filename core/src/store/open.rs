//! Opening and making the database: settings of each connection, the format's version, migrations.
//!
//! A damaged or foreign file is reported and left alone; nothing here deletes or recreates one.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use zeroize::Zeroizing;

use super::home::Home;
use super::key::DatabaseKey;
use super::{budget, files, function, pack};
use crate::error::{Error, Result};

/// The database's name in a replica's folder.
pub const DATABASE: &str = "branchline.db";

/// The format that this program writes; older ones are migrated, newer ones refused.
pub const FORMAT: i64 = 3;

/// "BrLn" in the header of the file, so that `file` and other tools tell whose it is.
pub(super) const APPLICATION_ID: i64 = 0x4272_4c6e;

/// How long a call waits for another process's transaction.
const BUSY_WAIT: Duration = Duration::from_secs(20);

const SCHEMA: &str = include_str!("schema.sql");

/// Statement `at` brings format `at + 1` to format `at + 2`.
const MIGRATIONS: &[&str] = &[include_str!("format_2.sql"), include_str!("format_3.sql")];

/// How a connection is going to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Reads only; SQLite refuses anything else.
    Read,
    /// The writing connection of a process.
    Write,
}

/// Makes the database in `dir`; everything that `fill` writes is there with it or nothing is.
pub(crate) fn create(home: &Home, fill: impl FnOnce(&Connection) -> Result<()>) -> Result<Connection> {
    let path = home.dir.join(DATABASE);
    if path.exists() {
        return Err(Error::usage("replica-exists").with("path", home.dir.display().to_string()));
    }
    files::make_folder(&home.dir)?;
    let conn = connect(&path, Access::Write, true, home.database_key())?;
    conn.execute_batch("BEGIN IMMEDIATE")?;
    conn.execute_batch(SCHEMA)?;
    conn.execute_batch("INSERT INTO search (search, rank) VALUES ('automerge', 0), ('crisismerge', 64)")?;
    conn.pragma_update(None, "application_id", APPLICATION_ID)?;
    conn.pragma_update(None, "user_version", FORMAT)?;
    fill(&conn)?;
    conn.execute_batch("COMMIT")?;
    Ok(conn)
}

/// Opens the database in a folder and brings it to this program's format.
pub(crate) fn open(home: &Home, access: Access) -> Result<Connection> {
    let path = home.dir.join(DATABASE);
    if !path.is_file() {
        return Err(Error::usage("no-replica").with("path", home.dir.display().to_string()));
    }
    let conn = connect(&path, access, false, home.database_key())?;
    check_format(&conn, &home.dir, access)?;
    if access == Access::Write && pack::is_space_due(&conn)? {
        reclaim(&conn)?;
    }
    Ok(conn)
}

// Whoever else works on the folder comes first; where it cannot be now, it can be another time.
fn reclaim(conn: &Connection) -> Result<()> {
    conn.busy_timeout(Duration::ZERO)?;
    let is_done = vacuum(conn).is_ok();
    conn.busy_timeout(BUSY_WAIT)?;
    if is_done { pack::space_was_reclaimed(conn) } else { Ok(()) }
}

/// Writes a database anew, without what is empty in it. The temporary copy of a large one does not belong into memory;
/// SQLCipher encrypts it by the database's own key.
pub(super) fn vacuum(conn: &Connection) -> Result<()> {
    conn.pragma_update(None, "temp_store", "FILE")?;
    let done = conn.execute_batch("VACUUM");
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(done?)
}

/// Whether `dir` holds a replica.
pub fn is_replica(dir: &Path) -> bool {
    dir.join(DATABASE).is_file()
}

fn connect(path: &Path, access: Access, create: bool, key: Option<&DatabaseKey>) -> Result<Connection> {
    let mut flags = match access {
        Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
    };
    if create {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let mut conn = unlocked(path, flags, key)?;
    conn.busy_timeout(BUSY_WAIT)?;
    conn.set_prepared_statement_cache_capacity(512);
    // Without it SQLite prepares some statements anew whenever a parameter changes, in hope of a better plan.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    if access == Access::Write {
        conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))?;
        conn.pragma_update(None, "synchronous", if canary!("commit_without_sync") { "NORMAL" } else { "FULL" })?;
        conn.pragma_update(None, "wal_autocheckpoint", 8_000)?;
        conn.pragma_update(None, "cache_size", -32_000)?;
    } else {
        conn.pragma_update(None, "query_only", true)?;
        conn.pragma_update(None, "cache_size", -8_000)?;
    }
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "cell_size_check", true)?;
    function::register(&conn)?;
    budget::register(&mut conn)?;
    Ok(conn)
}

/// A bare connection to a database file, unlocked where that is encrypted.
pub(super) fn unlocked(path: &Path, flags: OpenFlags, key: Option<&DatabaseKey>) -> Result<Connection> {
    let conn = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    if let Some(key) = key {
        // What is wrong with a page is an error of the statement that reads it, and needs no second telling on stderr.
        conn.execute_batch("PRAGMA cipher_log_level = NONE")?;
        conn.execute_batch(&Zeroizing::new(format!("PRAGMA key = \"{}\"", *key.literal())))?;
    }
    Ok(conn)
}

pub(super) fn check_format(conn: &Connection, dir: &Path, access: Access) -> Result<()> {
    let application: i64 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let format: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if application != APPLICATION_ID {
        return Err(Error::version("store-foreign").with("path", dir.display().to_string()));
    }
    if format > FORMAT {
        return Err(Error::version("store-newer").with("found", format).with("known", FORMAT));
    }
    if format < FORMAT && access == Access::Write {
        migrate(conn, format)?;
    }
    Ok(())
}

fn migrate(conn: &Connection, from: i64) -> Result<()> {
    if canary!("migrate_in_pieces") {
        MIGRATIONS.iter().skip(usize::try_from(from - 1).unwrap_or(0)).try_for_each(|step| conn.execute_batch(step))?;
        return Ok(conn.pragma_update(None, "user_version", FORMAT)?);
    }
    mark!("store_migrated");
    conn.execute_batch("BEGIN IMMEDIATE")?;
    // Another process may have done it while this one waited.
    let from = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap_or(from);
    let steps = MIGRATIONS.iter().skip(usize::try_from(from - 1).unwrap_or(0));
    for step in steps {
        if let Err(failure) = conn.execute_batch(step) {
            conn.execute_batch("ROLLBACK")?;
            return Err(failure.into());
        }
    }
    conn.pragma_update(None, "user_version", FORMAT)?;
    conn.execute_batch("COMMIT")?;
    Ok(())
}
