//! Changes whose stored bytes are damaged: which records lack them, and putting in their place what came anew.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::meta;
use super::pack::{CELLS, Packs};
use super::writer::Writer;
use crate::error::{Error, Result};
use crate::id::{ChangeHash, RecordId};
use crate::wire::chunk;

/// Records to be asked for whole at the next exchange, their ids one behind the other.
const REFETCH: &str = "refetch";

/// Records that are to be fetched anew.
pub(crate) fn refetch(conn: &Connection) -> Result<BTreeSet<RecordId>> {
    let bytes = meta::bytes(conn, REFETCH)?.unwrap_or_default();
    let (ids, _) = bytes.as_chunks::<{ RecordId::LEN }>();
    Ok(ids.iter().copied().map(RecordId).collect())
}

/// Sets which records are to be fetched anew.
pub(crate) fn set_refetch(conn: &Connection, records: &BTreeSet<RecordId>) -> Result<()> {
    if records.is_empty() {
        return meta::clear(conn, REFETCH);
    }
    let bytes: Vec<u8> = records.iter().flat_map(|id| id.0).collect();
    meta::set(conn, REFETCH, &bytes)
}

/// The ids of these records.
pub(crate) fn ids(conn: &Connection, numbers: &BTreeSet<i64>) -> Result<BTreeSet<RecordId>> {
    let mut known = conn.prepare("SELECT id FROM record WHERE n = ?")?;
    let mut found = BTreeSet::new();
    for n in numbers {
        let id: Option<Vec<u8>> = known.query_row([n], |row| row.get(0)).optional()?;
        found.extend(id.and_then(|bytes| RecordId::from_slice(&bytes)));
    }
    Ok(found)
}

impl Writer<'_> {
    /// Puts a change that hashes to its name in the place of the log row that has lost it. A row whose bytes can still
    /// be read is never touched.
    pub(crate) fn mend(&mut self, id: &RecordId, hash: &ChangeHash, raw: &[u8]) -> Result<bool> {
        if chunk::hash(raw) != Some(*hash) {
            return Ok(false);
        }
        let Some(seq) = lost(self.connection(), id, hash)? else { return Ok(false) };
        self.connection().prepare_cached("UPDATE log SET raw = ? WHERE seq = ?")?.execute(params![raw, seq])?;
        mark!("change_mended");
        self.mark_dirty();
        self.forget(id);
        Ok(true)
    }
}

// The log row of a change whose bytes cannot be read any more.
fn lost(conn: &Connection, id: &RecordId, hash: &ChangeHash) -> Result<Option<i64>> {
    let mut rows = conn.prepare_cached(&format!(
        "SELECT {CELLS} FROM log l WHERE l.record = (SELECT n FROM record WHERE id = ?) AND l.hash = ?"
    ))?;
    let mut rows = rows.query(params![id.as_bytes(), hash.as_bytes()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let is_lost = match Packs::of(conn).change(row, 0) {
        Err(Error::Corrupt(_)) => true,
        change => chunk::parse(&change?.raw).is_err(),
    };
    Ok(is_lost.then_some(row.get(1)?))
}
