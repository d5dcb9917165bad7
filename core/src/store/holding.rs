//! What a replica holds, for comparing it with another one: every change of its log that is still there, by key and time.
//! And the way back: putting changes in the way to the upstream once more, reading those that the other end lacks.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use super::feed::{FeedChange, Viewer, transaction_ends_within};
use super::link_rows::WORKSPACE;
use super::pack::{CELLS, Logged, Packs};
use super::{flag, record};
use crate::error::{Error, Result};
use crate::id::{DeviceId, RecordId};
use crate::limits::BATCH_CHANGES_MAX;
use crate::sync::compare::{Holding, key_of};
use crate::time::Millis;
use crate::wire::chunk;

const CHANGES: &str = "SELECT r.id, l.record, l.seq, l.flags, l.hash, l.raw FROM";

/// Everything that is held here, records that only wait for their purge left out.
pub(crate) fn all(conn: &Connection) -> Result<Holding> {
    collect(conn, &format!("r.flags & {} = 0", flag::HIDDEN))
}

/// What is held here of a viewer's scopes.
pub(crate) fn of_viewer(conn: &Connection, viewer: &Viewer) -> Result<Holding> {
    let scopes = viewer.scopes.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    let within = format!("r.n IN (SELECT record FROM record_scope WHERE scope IN ({scopes}))");
    match viewer.scopes.contains(&WORKSPACE) {
        true => collect(conn, &format!("r.flags & {} = 0 AND ({} OR {within})", flag::HIDDEN, viewer.unsealed())),
        false => collect(conn, &within),
    }
}

/// Whether anything came from this other replica.
pub(crate) fn is_any_from(conn: &Connection, origin: &DeviceId) -> Result<bool> {
    Ok(conn.prepare_cached("SELECT 1 FROM log_commit WHERE origin = ? LIMIT 1")?.exists([origin.as_bytes()])?)
}

fn collect(conn: &Connection, which: &str) -> Result<Holding> {
    let plain = format!("{CHANGES} log l JOIN record r ON r.n = l.record WHERE length(l.raw) > 0 AND {which}");
    // Record by record, so that each pack is read once.
    let packed = format!(
        "{CHANGES} (SELECT DISTINCT record FROM pack) p CROSS JOIN record r ON r.n = p.record
         CROSS JOIN log l ON l.record = p.record WHERE length(l.raw) = 0 AND {which} ORDER BY l.record, l.seq"
    );
    let mut packs = Packs::of(conn);
    let mut found = Vec::new();
    for sql in [plain, packed] {
        let mut statement = conn.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            // A damaged row is not held: the other end then brings it, or lets it be fetched.
            let change = match packs.change(row, 1) {
                Err(Error::Corrupt(_)) => continue,
                change => change?,
            };
            let Ok(chunk) = chunk::parse_hashed(&change.raw, change.hash) else { continue };
            let id = RecordId(row.get(0)?);
            found.push((Millis(chunk.time), key_of(&id, &change.hash), change.seq));
        }
    }
    Ok(found.into_iter().collect())
}

/// Puts changes in the way to the upstream once more, those that are not in it anyway and have not left the log since they
/// were looked at.
pub(crate) fn offer(conn: &Connection, seqs: &[u64]) -> Result<()> {
    let mut wait =
        conn.prepare_cached("INSERT OR IGNORE INTO outbox (seq) SELECT seq FROM log WHERE seq = ? AND record <> 0")?;
    for seq in seqs {
        wait.execute([*seq as i64])?;
    }
    Ok(())
}

/// Puts all of the records that wait for their purge in the way to the upstream, which may have lost them, too; gives them.
pub(crate) fn offer_hidden(conn: &Connection) -> Result<BTreeSet<RecordId>> {
    conn.prepare_cached(
        "INSERT OR IGNORE INTO outbox (seq) SELECT l.seq FROM log l JOIN record r ON r.n = l.record
         WHERE r.flags & ?1 AND r.flags <> 0",
    )?
    .execute([flag::HIDDEN])?;
    // Of those that were retracted nothing stays.
    let mut hidden = conn.prepare_cached("SELECT id FROM record WHERE flags & ?1 AND flags <> 0 AND heads <> x''")?;
    let ids = hidden.query_map([flag::HIDDEN], |row| Ok(RecordId(row.get(0)?)))?.collect::<rusqlite::Result<_>>()?;
    Ok(ids)
}

/// The next changes of those under these sequences, as far as the viewer may hold them now, about `budget` raw bytes;
/// and how many sequences that were.
pub(crate) fn wanted(
    conn: &Connection,
    viewer: &Viewer,
    seqs: &[u64],
    budget: usize,
) -> Result<(Vec<FeedChange>, usize)> {
    let mut at_seq = conn.prepare_cached(&format!(
        "SELECT r.id, r.collection, {CELLS} FROM log l JOIN record r ON r.n = l.record WHERE l.seq = ?"
    ))?;
    let mut packs = Packs::of(conn);
    let (mut changes, mut bytes, mut taken) = (Vec::<FeedChange>::new(), 0, 0);
    for (at, seq) in seqs.iter().enumerate() {
        let full = bytes >= budget || changes.len() >= BATCH_CHANGES_MAX / 2;
        if full && changes.last().is_none_or(|last| last.tx_end) {
            break;
        }
        taken = at + 1;
        let mut rows = at_seq.query([*seq as i64])?;
        let Some(row) = rows.next()? else { continue };
        if !covers(conn, viewer, row.get(2)?, row.get(1)?)? {
            continue;
        }
        let next = seqs.get(at + 1).copied().unwrap_or(u64::MAX >> 1);
        let Logged { hash, raw, .. } = packs.change(row, 2)?;
        bytes += raw.len();
        let tx_end = transaction_ends_within(conn, *seq, next)?;
        let (record, collection) = (RecordId(row.get(0)?), row.get(1)?);
        changes.push(FeedChange { record, collection, hash, raw, tx_end });
    }
    Ok((changes, taken))
}

/// Those of these records that are held here and that the viewer may not hold.
pub(crate) fn beyond(conn: &Connection, viewer: &Viewer, records: &[RecordId]) -> Result<Vec<RecordId>> {
    let mut beyond = Vec::new();
    for id in records {
        let Some(row) = record::read_row(conn, id)? else { continue };
        if !covers(conn, viewer, row.n, row.collection)? {
            beyond.push(*id);
        }
    }
    Ok(beyond)
}

fn covers(conn: &Connection, viewer: &Viewer, n: i64, collection: i64) -> Result<bool> {
    if viewer.scopes.contains(&WORKSPACE) && !viewer.sealed.contains(&collection) {
        return Ok(true);
    }
    let mut of = conn.prepare_cached("SELECT scope FROM record_scope WHERE record = ?")?;
    let mut rows = of.query(params![n])?;
    while let Some(row) = rows.next()? {
        if viewer.scopes.contains(&row.get::<_, i64>(0)?.unsigned_abs()) {
            return Ok(true);
        }
    }
    Ok(false)
}
