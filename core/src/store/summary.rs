//! What a replica holds, in numbers and as one digest.

use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};

use super::{Model, flag};
use crate::access::Scope;
use crate::error::Result;
use crate::schema::Name;
use crate::time::Millis;

/// What stands open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) outbox: u64,
    pub(crate) quarantine: u64,
    pub(crate) conflicts_asking: u64,
}

/// Counts of one replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) waiting: Waiting,
    pub(crate) conflicts: u64,
    pub(crate) review: u64,
    pub(crate) records: Vec<(Name, u64)>,
    pub(crate) log_end: u64,
    pub(crate) last_commit: Option<Millis>,
}

fn count(conn: &Connection, sql: &str) -> Result<u64> {
    let count: i64 = conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

fn flagged(conn: &Connection, flag: i64) -> Result<u64> {
    let (hidden, forgotten) = (flag::HIDDEN, flag::FORGOTTEN);
    let sql = format!(
        "SELECT count(*) FROM record
         WHERE flags <> 0 AND flags < {forgotten} AND flags & {flag} <> 0 AND flags & {hidden} = 0"
    );
    count(conn, &sql)
}

// The names are the program's own.
fn unsealed(model: &Model) -> String {
    let names = model.schema.sealed().iter().map(|sealed| format!("'{}'", sealed.name)).collect::<Vec<_>>().join(", ");
    format!("record.collection NOT IN (SELECT n FROM projection WHERE name IN ({names}))")
}

/// Counts what stands open.
pub(crate) fn waiting(conn: &Connection) -> Result<Waiting> {
    Ok(Waiting {
        outbox: count(conn, "SELECT count(*) FROM outbox")?,
        quarantine: count(conn, "SELECT count(*) FROM quarantine WHERE fate = 'waiting'")?,
        conflicts_asking: flagged(conn, flag::ASKS)?,
    })
}

/// Counts what is held.
pub(crate) fn summary(conn: &Connection, model: &Model) -> Result<Summary> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT projection.name, count(*) FROM record JOIN projection ON projection.n = record.collection
         WHERE record.flags & {} = 0 AND {} GROUP BY projection.name ORDER BY projection.name",
        flag::HIDDEN | flag::ARCHIVED,
        unsealed(model)
    ))?;
    let records = statement
        .query_map([], |row| Ok((Name::from(row.get::<_, String>(0)?), row.get::<_, i64>(1)?.unsigned_abs())))?
        .collect::<rusqlite::Result<_>>()?;
    let last: Option<(i64, i64)> = conn
        .prepare_cached("SELECT last_seq, at FROM log_commit ORDER BY last_seq DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(Summary {
        waiting: waiting(conn)?,
        conflicts: flagged(conn, flag::CONFLICT)?,
        review: count(conn, "SELECT count(*) FROM review WHERE fate IN ('waiting', 'carried')")?
            + flagged(conn, flag::REVIEW)?,
        records,
        log_end: last.map_or(0, |(seq, _)| seq.unsigned_abs()),
        last_commit: last.map(|(_, at)| Millis(at)),
    })
}

/// The sum, modulo 2^64 in each of four lanes, of SHA-256(id, heads) over every record held, or over those in some
/// scopes: the order in which a replica holds them makes no difference. Sealed ones do not count: a device has none.
pub(crate) fn digest(conn: &Connection, model: &Model, scopes: Option<&[Scope]>) -> Result<[u8; 32]> {
    let mut sql = format!("SELECT id, heads FROM record WHERE flags & {} = 0 AND {}", flag::HIDDEN, unsealed(model));
    if let Some(scopes) = scopes {
        let marks = vec!["?"; scopes.len()].join(", ");
        sql.push_str(&format!(
            " AND n IN (SELECT record FROM record_scope JOIN scope ON scope.n = record_scope.scope WHERE scope.name IN ({marks}))"
        ));
    }
    let names = scopes.unwrap_or_default().iter().map(ToString::to_string);
    let mut statement = conn.prepare(&sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(names))?;
    let mut lanes = [0_u64; 4];
    while let Some(row) = rows.next()? {
        let mut hash = Sha256::new();
        hash.update(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?);
        hash.update(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?);
        let hash: [u8; 32] = hash.finalize().into();
        for (lane, part) in lanes.iter_mut().zip(hash.as_chunks().0) {
            *lane = lane.wrapping_add(u64::from_be_bytes(*part));
        }
    }
    let mut digest = [0; 32];
    for (part, lane) in digest.as_chunks_mut().0.iter_mut().zip(lanes) {
        *part = lane.to_be_bytes();
    }
    Ok(digest)
}
