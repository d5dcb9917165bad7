//! Which attachments are here, which the upstream lacks, which somebody asked for.

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Result;
use crate::id::BlobHash;

/// The attachment is here and the upstream may lack it.
pub(crate) fn held(conn: &Connection, hash: &BlobHash, size: u64) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO blob (hash, size, have) VALUES (?1, ?2, ?2) ON CONFLICT (hash) DO UPDATE SET have = ?2, size = ?2",
    )?
    .execute(params![hash.as_bytes(), size as i64])?;
    Ok(())
}

/// The attachment came from the upstream.
pub(crate) fn arrived(conn: &Connection, hash: &BlobHash, size: u64) -> Result<()> {
    held(conn, hash, size)?;
    conn.prepare_cached("UPDATE blob SET sent = 1, wanted = 0 WHERE hash = ?")?.execute([hash.as_bytes()])?;
    Ok(())
}

/// The upstream has all of it.
pub(crate) fn sent(conn: &Connection, hash: &BlobHash) -> Result<()> {
    conn.prepare_cached("UPDATE blob SET sent = 1 WHERE hash = ?")?.execute([hash.as_bytes()])?;
    Ok(())
}

/// The upstream has lost what it had: whatever is here may be lacking there.
pub(crate) fn offer_all(conn: &Connection) -> Result<()> {
    conn.execute("UPDATE blob SET sent = 0 WHERE have > 0", [])?;
    Ok(())
}

/// Somebody here asks for it.
pub(crate) fn want(conn: &Connection, hash: &BlobHash) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO blob (hash, size, have, wanted) VALUES (?, 0, 0, 1)
         ON CONFLICT (hash) DO UPDATE SET wanted = 1 WHERE have = 0",
    )?
    .execute([hash.as_bytes()])?;
    Ok(())
}

/// The upstream has none of it: it is asked again only when somebody asks here again.
pub(crate) fn give_up(conn: &Connection, hash: &BlobHash) -> Result<()> {
    conn.prepare_cached("UPDATE blob SET wanted = 0 WHERE hash = ?")?.execute([hash.as_bytes()])?;
    Ok(())
}

/// Whether somebody here asked for it.
pub(crate) fn is_wanted(conn: &Connection, hash: &BlobHash) -> Result<bool> {
    Ok(conn.prepare_cached("SELECT 1 FROM blob WHERE hash = ? AND wanted")?.exists([hash.as_bytes()])?)
}

/// Whether the upstream has all of it.
pub(crate) fn is_sent(conn: &Connection, hash: &BlobHash) -> Result<bool> {
    Ok(conn.prepare_cached("SELECT 1 FROM blob WHERE hash = ? AND sent")?.exists([hash.as_bytes()])?)
}

/// How many attachments the upstream may lack, and their bytes.
pub(crate) fn unsent_sum(conn: &Connection) -> Result<(u64, u64)> {
    let mut sum = conn.prepare_cached("SELECT count(*), total(size) FROM blob WHERE have > 0 AND NOT sent")?;
    Ok(sum.query_row([], |r| Ok((r.get::<_, i64>(0)? as u64, r.get::<_, f64>(1)? as u64)))?)
}

/// Every attachment that is said to be here.
pub(crate) fn all(conn: &Connection) -> Result<Vec<BlobHash>> {
    let mut rows = conn.prepare_cached("SELECT hash FROM blob WHERE have > 0")?;
    let found = rows.query_map([], |r| Ok(BlobHash(r.get(0)?)))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Every attachment that was ever here or asked for.
pub(crate) fn known(conn: &Connection) -> Result<Vec<BlobHash>> {
    let mut rows = conn.prepare_cached("SELECT hash FROM blob")?;
    let found = rows.query_map([], |r| Ok(BlobHash(r.get(0)?)))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// The attachment that is said to be here is not: it is asked for.
pub(crate) fn lost(conn: &Connection, hash: &BlobHash) -> Result<()> {
    conn.prepare_cached("UPDATE blob SET have = 0, wanted = 1 WHERE hash = ?")?.execute([hash.as_bytes()])?;
    Ok(())
}

/// The next attachment that the upstream may lack, with its size.
pub(crate) fn next_unsent(conn: &Connection) -> Result<Option<(BlobHash, u64)>> {
    let mut next =
        conn.prepare_cached("SELECT hash, size FROM blob WHERE have > 0 AND NOT sent ORDER BY size LIMIT 1")?;
    Ok(next.query_row([], |r| Ok((BlobHash(r.get(0)?), r.get::<_, i64>(1)? as u64))).optional()?)
}

/// Every attachment that the upstream may lack, with its size, small ones first.
pub(crate) fn unsent(conn: &Connection) -> Result<Vec<(BlobHash, u64)>> {
    let mut rows = conn.prepare_cached("SELECT hash, size FROM blob WHERE have > 0 AND NOT sent ORDER BY size")?;
    let found = rows.query_map([], |r| Ok((BlobHash(r.get(0)?), r.get::<_, i64>(1)? as u64)))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Every attachment that somebody here asked for.
pub(crate) fn wanted(conn: &Connection) -> Result<Vec<BlobHash>> {
    let mut rows = conn.prepare_cached("SELECT hash FROM blob WHERE wanted AND have = 0")?;
    let found = rows.query_map([], |r| Ok(BlobHash(r.get(0)?)))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// The next attachment that somebody here asked for.
pub(crate) fn next_wanted(conn: &Connection) -> Result<Option<BlobHash>> {
    let mut next = conn.prepare_cached("SELECT hash FROM blob WHERE wanted AND have = 0 LIMIT 1")?;
    Ok(next.query_row([], |r| Ok(BlobHash(r.get(0)?))).optional()?)
}
