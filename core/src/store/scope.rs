//! Which scopes a record is in, and what happened in a scope since when. Kept only where others may join.
//!
//! Rows of `scope_log` for a commit that touches a record, by scope:
//! - a scope that the record is in before and after (or that a new record begins in): kind 0 at each of its new changes;
//! - a scope that a record which was already here enters: kind 1 at its last new change, for the record goes whole;
//! - a scope that it leaves: kind 2 at its last new change, and nothing else of that commit;
//! - a scope that a record is in of which changes were taken out, and scope 0: kind 3 at a sequence of its own.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::cache::Cache;
use crate::access::{Place, Scope};
use crate::error::Result;
use crate::schema::Value;

/// Where a record is: the values of its scope fields, all of them while one is in conflict.
pub(crate) fn place(values: impl Fn(&str) -> Vec<Value>) -> Place {
    let ids = |field| {
        let ids = values(field).into_iter().filter_map(|value| match value {
            Value::Reference(id) => Some(id),
            _ => None,
        });
        ids.collect()
    };
    Place { branches: ids("branch"), teams: ids("team"), owners: ids("owner") }
}

/// The number of a scope, given to it at first use.
pub(crate) fn scope_n(conn: &Connection, cache: &mut Cache, key: Scope) -> Result<i64> {
    if let Some(n) = cache.scopes.get(&key) {
        return Ok(*n);
    }
    let name = key.to_string();
    let found: Option<i64> =
        conn.prepare_cached("SELECT n FROM scope WHERE name = ?")?.query_row([&name], |row| row.get(0)).optional()?;
    let n = match found {
        Some(n) => n,
        None => {
            conn.prepare_cached("INSERT INTO scope (name) VALUES (?)")?.execute([&name])?;
            conn.last_insert_rowid()
        }
    };
    cache.scopes.insert(key, n);
    Ok(n)
}

/// Writes what a commit means for the scopes of a record. `seqs` are its new log rows, ascending.
pub(crate) fn record_scopes(
    conn: &Connection,
    cache: &mut Cache,
    record: i64,
    is_new: bool,
    scopes: &[Scope],
    seqs: &[u64],
) -> Result<()> {
    let Some(last) = seqs.last().copied() else { return Ok(()) };
    let mut now = BTreeSet::new();
    for key in scopes {
        now.insert(scope_n(conn, cache, *key)?);
    }
    let before = if is_new { BTreeSet::new() } else { stored(conn, record)? };
    for scope in &now {
        if is_new || before.contains(scope) {
            for seq in seqs {
                log(conn, *scope, *seq, record, 0)?;
            }
        } else {
            log(conn, *scope, last, record, 1)?;
        }
        if !before.contains(scope) {
            conn.prepare_cached("INSERT INTO record_scope (scope, record) VALUES (?, ?)")?.execute([*scope, record])?;
        }
    }
    for scope in before.difference(&now) {
        log(conn, *scope, last, record, 2)?;
        conn.prepare_cached("DELETE FROM record_scope WHERE scope = ? AND record = ?")?.execute([*scope, record])?;
    }
    Ok(())
}

/// The scopes that a record was in at the last commit.
pub(crate) fn stored(conn: &Connection, record: i64) -> Result<BTreeSet<i64>> {
    let mut statement = conn.prepare_cached("SELECT scope FROM record_scope WHERE record = ?")?;
    let scopes = statement.query_map([record], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(scopes)
}

/// Writes one row of what happened in a scope.
pub(crate) fn log(conn: &Connection, scope: i64, seq: u64, record: i64, kind: i64) -> Result<()> {
    conn.prepare_cached("INSERT OR IGNORE INTO scope_log (scope, seq, record, kind) VALUES (?, ?, ?, ?)")?
        .execute(params![scope, seq as i64, record, kind])?;
    Ok(())
}
