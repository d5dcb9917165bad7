//! Rows of records and their folded states.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use super::cache::{Cache, RecordRow};
use super::fault::damaged;
use super::pack;
use crate::document::State;
use crate::error::Result;
use crate::id::{ChangeHash, RecordId};
use crate::schema::Name;
use crate::time::Millis;

/// Heads as their column holds them.
pub(crate) fn heads_blob(heads: &[ChangeHash]) -> Vec<u8> {
    heads.iter().flat_map(|hash| hash.0).collect()
}

/// The heads of a column.
pub(crate) fn heads_of(blob: &[u8]) -> Result<Vec<ChangeHash>> {
    let (hashes, rest) = blob.as_chunks::<{ ChangeHash::LEN }>();
    if !rest.is_empty() {
        return Err(damaged("a record's heads"));
    }
    Ok(hashes.iter().map(|hash| ChangeHash(*hash)).collect())
}

/// The row of a record, if it is held.
pub(crate) fn row(conn: &Connection, cache: &mut Cache, id: &RecordId) -> Result<Option<RecordRow>> {
    if let Some(row) = cache.records.get(id) {
        return Ok(Some(row.clone()));
    }
    let found = read_row(conn, id)?;
    if let Some(row) = &found {
        cache.records.put(*id, row.clone());
    }
    Ok(found)
}

/// The row of a record, if it is held.
pub(crate) fn read_row(conn: &Connection, id: &RecordId) -> Result<Option<RecordRow>> {
    let mut statement = conn.prepare_cached("SELECT n, collection, heads, flags FROM record WHERE id = ?")?;
    let mut rows = statement.query([id.as_bytes()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let heads = heads_of(row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?)?;
    Ok(Some(RecordRow { n: row.get(0)?, collection: row.get(1)?, heads, flags: row.get(3)? }))
}

/// The number of a collection, given to it at first use.
pub(crate) fn collection_n(conn: &Connection, cache: &mut Cache, name: &Name) -> Result<i64> {
    if let Some(n) = cache.collections.get(name) {
        return Ok(*n);
    }
    let found: Option<i64> = conn
        .prepare_cached("SELECT n FROM projection WHERE name = ?")?
        .query_row([&**name], |row| row.get(0))
        .optional()?;
    let n = match found {
        Some(n) => n,
        None => {
            conn.prepare_cached("INSERT INTO projection (name) VALUES (?)")?.execute([&**name])?;
            conn.last_insert_rowid()
        }
    };
    cache.collections.insert(name.clone(), n);
    cache.collection_names.insert(n, name.clone());
    Ok(n)
}

/// The name of a collection's number.
pub(crate) fn collection_name(conn: &Connection, n: i64) -> Result<Name> {
    let name: String = conn
        .prepare_cached("SELECT name FROM projection WHERE n = ?")?
        .query_row([n], |row| row.get(0))
        .optional()?
        .ok_or_else(|| damaged(format!("collection {n}")))?;
    Ok(Name::from(name))
}

/// The changes of a record in log order.
pub(crate) fn changes(conn: &Connection, n: i64) -> Result<Vec<Vec<u8>>> {
    Ok(pack::changes(conn, n)?.into_iter().map(|(raw, _)| raw).collect())
}

/// The record folded from its changes.
///
/// # Errors
/// `store_corrupt` where the changes do not fold, or fold to other heads than `heads`.
pub(crate) fn fold(conn: &Connection, id: RecordId, n: i64, heads: &[ChangeHash]) -> Result<State> {
    let state = State::rebuild_hashed(id, pack::changes(conn, n)?)?;
    if state.heads() != heads {
        return Err(damaged(format!("the changes of record {id}")));
    }
    Ok(state)
}

/// When the changes of a record became durable here, as the local clock had it.
pub(crate) fn arrivals(conn: &Connection, id: &RecordId) -> Result<HashMap<ChangeHash, Millis>> {
    let Some(row) = read_row(conn, id)? else { return Ok(HashMap::new()) };
    let mut statement = conn.prepare_cached(
        "SELECT l.hash, (SELECT c.at FROM log_commit c WHERE c.last_seq >= l.seq ORDER BY c.last_seq LIMIT 1)
         FROM log l WHERE l.record = ?",
    )?;
    let mut rows = statement.query([row.n])?;
    let mut arrivals = HashMap::new();
    while let Some(row) = rows.next()? {
        let hash: Vec<u8> = row.get(0)?;
        let at: Option<i64> = row.get(1)?;
        if let (Some(hash), Some(at)) = (ChangeHash::from_slice(&hash), at) {
            arrivals.insert(hash, Millis(at));
        }
    }
    Ok(arrivals)
}
