//! What changed here, in the order in which it became durable.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::flag;
use crate::error::Result;
use crate::id::RecordId;
use crate::schema::Name;
use crate::time::Millis;

/// A change of a record that is not hidden.
pub(crate) struct ChangedRow {
    pub(crate) seq: u64,
    pub(crate) id: RecordId,
    pub(crate) collection: Name,
    /// When it became durable here.
    pub(crate) at: Millis,
}

/// The changes after a place in the log, oldest first.
pub(crate) fn after(conn: &Connection, seq: u64, limit: usize) -> Result<Vec<ChangedRow>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT l.seq, r.id, p.name, (SELECT at FROM log_commit WHERE last_seq >= l.seq ORDER BY last_seq LIMIT 1)
         FROM log l CROSS JOIN record r ON r.n = l.record JOIN projection p ON p.n = r.collection
         WHERE l.seq > ?1 AND r.flags & {} = 0 ORDER BY l.seq LIMIT ?2",
        flag::HIDDEN
    ))?;
    let row = |row: &rusqlite::Row<'_>| {
        Ok(ChangedRow {
            seq: row.get::<_, i64>(0)?.unsigned_abs(),
            id: RecordId(row.get(1)?),
            collection: Name::from(row.get::<_, String>(2)?),
            at: Millis(row.get::<_, Option<i64>>(3)?.unwrap_or_default()),
        })
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![seq.cast_signed(), limit], row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Where the log ended at a moment, at most `most` changes before its end.
pub(crate) fn end_at(conn: &Connection, at: Millis, most: u64) -> Result<u64> {
    let mut last = conn.prepare_cached(
        "SELECT last_seq FROM log_commit WHERE at <= ?1 OR last_seq <= ?2 ORDER BY last_seq DESC LIMIT 1",
    )?;
    let least = end(conn)?.saturating_sub(most);
    let found = last.query_row(params![at.0, least.cast_signed()], |row| row.get::<_, i64>(0)).optional()?;
    Ok(found.map_or(0, i64::unsigned_abs))
}

/// Where the log ends.
pub(crate) fn end(conn: &Connection) -> Result<u64> {
    let mut last = conn.prepare_cached("SELECT coalesce(max(last_seq), 0) FROM log_commit")?;
    Ok(last.query_row([], |row| row.get::<_, i64>(0))?.unsigned_abs())
}
