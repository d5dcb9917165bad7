//! What a replica remembers of its links: downstreams and their epochs, invitations, the outbox.
//!
//! Rows only this replica knows; none of them can be rebuilt from the log, all of them are written in the transaction of
//! what they belong to.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::meta;
use crate::error::Result;
use crate::id::{ActorId, ChangeHash, DeviceId, RecordId};
use crate::limits::BATCH_CHANGES_MAX;
use crate::time::Millis;

/// The number of the scope that means everything; SQLite numbers the others from 1.
pub(crate) const WORKSPACE: u64 = 0;

/// What is remembered of a downstream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct LinkRow {
    /// The epoch that it presented last.
    pub epoch: u32,
    /// The epoch that was issued in answer.
    pub offered: u32,
    /// When it was last heard.
    pub last_seen: Option<Millis>,
    /// Up to which sequence it has confirmed the log.
    pub position: u64,
    /// Changes that waited there when it was last heard.
    pub outbox: Option<u64>,
    /// Up to when it and everything beneath it is complete here.
    pub complete_through: Option<Millis>,
    /// The version of its program.
    pub version: Option<String>,
}

/// What is remembered of a downstream; `None` before its first connection.
pub(crate) fn link(conn: &Connection, device: &DeviceId) -> Result<Option<LinkRow>> {
    let mut row = conn.prepare_cached(
        "SELECT epoch, epoch_offered, last_seen, position_seq, outbox, complete_through, version FROM link WHERE device = ?",
    )?;
    Ok(row
        .query_row([device.as_bytes()], |r| {
            Ok(LinkRow {
                epoch: r.get::<_, i64>(0)? as u32,
                offered: r.get::<_, i64>(1)? as u32,
                last_seen: r.get::<_, Option<i64>>(2)?.map(Millis),
                position: r.get::<_, i64>(3)? as u64,
                outbox: r.get::<_, Option<i64>>(4)?.map(|n| n as u64),
                complete_through: r.get::<_, Option<i64>>(5)?.map(Millis),
                version: r.get(6)?,
            })
        })
        .optional()?)
}

/// Stores what is remembered of a downstream.
pub(crate) fn set_link(conn: &Connection, device: &DeviceId, row: &LinkRow) -> Result<()> {
    conn.prepare_cached(
        "INSERT OR REPLACE INTO link (device, epoch, epoch_offered, last_seen, position_seq, outbox, complete_through,
             version) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        device.as_bytes(),
        i64::from(row.epoch),
        i64::from(row.offered),
        row.last_seen.map(|t| t.0),
        row.position as i64,
        row.outbox.map(|n| n as i64),
        row.complete_through.map(|t| t.0),
        row.version,
    ])?;
    Ok(())
}

/// What is remembered of what came up from a downstream's own device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct OwnWork {
    /// Where the newest of it stands in the log.
    pub last: u64,
    /// Up to here it may lack what came from its own device: its folder was copied, or put back as it once was.
    pub copied_at: u64,
}

/// What is remembered of what came up from a downstream's own device.
pub(crate) fn own_work(conn: &Connection, device: &DeviceId) -> Result<OwnWork> {
    let bytes = meta::bytes(conn, &own_key(device))?.unwrap_or_default();
    let number = |at: usize| bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_be_bytes);
    Ok(OwnWork { last: number(0), copied_at: number(8) })
}

/// Stores what is remembered of what came up from a downstream's own device.
pub(crate) fn set_own_work(conn: &Connection, device: &DeviceId, work: OwnWork) -> Result<()> {
    meta::set(conn, &own_key(device), &[work.last.to_be_bytes(), work.copied_at.to_be_bytes()].concat())
}

fn own_key(device: &DeviceId) -> String {
    format!("own_work {device}")
}

/// Up to which sequence every downstream that is not revoked has confirmed the log; everything where there is none, and
/// nothing while one still has to deliver: what it typed may follow what it was told to purge.
pub(crate) fn confirmed_by_all(conn: &Connection) -> Result<u64> {
    let mut least = conn.prepare_cached(
        "SELECT min(iif(l.outbox = 0, l.position_seq, 0)) FROM link l
         JOIN device d ON d.device_id = lower(hex(l.device)) WHERE d.revoked_at IS NULL",
    )?;
    let least: Option<i64> = least.query_row([], |r| r.get(0))?;
    Ok(least.map_or(u64::MAX, |seq| seq as u64))
}

/// A one-time code that was issued here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invitation {
    /// Hash of its secret.
    pub secret_hash: [u8; 32],
    /// Whether a branch may join with it, not a device.
    pub branch: bool,
    /// The name of the new replica.
    pub name: String,
    /// The person it will act for; `None`: a person of its own, made when it joins.
    pub person: Option<RecordId>,
    /// The role it will have.
    pub role: String,
    /// What it may hold, in the stable text of a scope, joined by blanks.
    pub scopes: String,
    /// The branch it belongs to.
    pub home_branch: Option<RecordId>,
    /// Until when it is good.
    pub expires: Millis,
    /// Who used it.
    pub used_by: Option<DeviceId>,
}

/// Keeps a new invitation.
pub(crate) fn add_invitation(conn: &Connection, invitation: &Invitation) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO invitation (secret_hash, kind, name, person, role, scopes, branch, expires)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        &invitation.secret_hash[..],
        if invitation.branch { "branch" } else { "device" },
        invitation.name,
        invitation.person.as_ref().map(RecordId::as_bytes),
        invitation.role,
        invitation.scopes,
        invitation.home_branch.as_ref().map(RecordId::as_bytes),
        invitation.expires.0,
    ])?;
    Ok(())
}

/// The invitation with this hash of its secret.
pub(crate) fn invitation(conn: &Connection, secret_hash: &[u8; 32]) -> Result<Option<Invitation>> {
    let mut row = conn.prepare_cached(
        "SELECT kind, name, person, role, scopes, branch, expires, used_by FROM invitation WHERE secret_hash = ?",
    )?;
    Ok(row
        .query_row([&secret_hash[..]], |r| {
            Ok(Invitation {
                secret_hash: *secret_hash,
                branch: r.get::<_, String>(0)? == "branch",
                name: r.get(1)?,
                person: r.get::<_, Option<[u8; 16]>>(2)?.map(RecordId),
                role: r.get(3)?,
                scopes: r.get(4)?,
                home_branch: r.get::<_, Option<[u8; 16]>>(5)?.map(RecordId),
                expires: Millis(r.get(6)?),
                used_by: r.get::<_, Option<[u8; 8]>>(7)?.map(DeviceId),
            })
        })
        .optional()?)
}

/// Notes who used an invitation.
pub(crate) fn use_invitation(conn: &Connection, secret_hash: &[u8; 32], device: &DeviceId, now: Millis) -> Result<()> {
    conn.prepare_cached("UPDATE invitation SET used_by = ?, used_at = ? WHERE secret_hash = ?")?.execute(params![
        device.as_bytes(),
        now.0,
        &secret_hash[..]
    ])?;
    Ok(())
}

/// A log row that waits for the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub seq: u64,
    pub record: RecordId,
    pub collection: i64,
    pub hash: ChangeHash,
    pub raw: Vec<u8>,
    pub tx_end: bool,
}

/// The next changes of the outbox behind a sequence, whole transactions, about `budget` raw bytes. A batch ends with an
/// enrolment, so that the upstream knows a device before it judges what the device wrote.
pub(crate) fn outbox(conn: &Connection, after: u64, budget: usize) -> Result<Vec<Waiting>> {
    let mut next = conn.prepare_cached(&format!(
        "SELECT r.id, r.collection, {CELLS} FROM outbox o
         JOIN log l ON l.seq = o.seq JOIN record r ON r.n = l.record WHERE o.seq > ? ORDER BY o.seq",
    ))?;
    let mut packs = Packs::of(conn);
    let enrolments = collection_number(conn, "device")?;
    let mut rows = next.query([after as i64])?;
    let (mut waiting, mut bytes): (Vec<Waiting>, usize) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let seq = row.get::<_, i64>(3)?.unsigned_abs();
        // What is offered once more may be a part of its transaction, without the last change.
        if let Some(last) = waiting.last_mut().filter(|last| !last.tx_end && last.seq + 1 < seq) {
            last.tx_end = transaction_ends_within(conn, last.seq, seq)?;
        }
        let enrols = waiting.last().is_some_and(|w| Some(w.collection) == enrolments);
        let full = enrols || bytes >= budget || waiting.len() >= BATCH_CHANGES_MAX / 2;
        if full && waiting.last().is_some_and(|w| w.tx_end) {
            break;
        }
        let Logged { seq, hash, tx_end, raw, .. } = packs.change(row, 2)?;
        bytes += raw.len();
        waiting.push(Waiting { seq, record: RecordId(row.get(0)?), collection: row.get(1)?, hash, raw, tx_end });
    }
    Ok(waiting)
}

/// Whether the log row of this sequence waits.
pub(crate) fn is_waiting(conn: &Connection, seq: u64) -> Result<bool> {
    Ok(conn.prepare_cached("SELECT 1 FROM outbox WHERE seq = ?")?.exists([seq as i64])?)
}

/// What waits up to a sequence: sequences and names of the changes, in their order.
pub(crate) fn outbox_upto(conn: &Connection, last: u64) -> Result<Vec<(u64, RecordId, ChangeHash)>> {
    let mut rows = conn.prepare_cached(
        "SELECT o.seq, r.id, l.hash FROM outbox o
         JOIN log l ON l.seq = o.seq JOIN record r ON r.n = l.record WHERE o.seq <= ? ORDER BY o.seq",
    )?;
    let found = rows
        .query_map([last as i64], |r| Ok((r.get::<_, i64>(0)? as u64, RecordId(r.get(1)?), ChangeHash(r.get(2)?))))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// How many changes wait.
pub(crate) fn outbox_len(conn: &Connection) -> Result<u64> {
    Ok(conn.prepare_cached("SELECT count(*) FROM outbox")?.query_row([], |r| r.get::<_, i64>(0))? as u64)
}

/// Whether changes of this record wait.
pub(crate) fn outbox_has(conn: &Connection, record: &RecordId) -> Result<bool> {
    let mut waits = conn.prepare_cached(
        "SELECT 1 FROM outbox o JOIN log l ON l.seq = o.seq WHERE l.record = (SELECT n FROM record WHERE id = ?) LIMIT 1",
    )?;
    Ok(waits.exists([record.as_bytes()])?)
}

/// The changes of a record that wait in the outbox, in their order.
pub(crate) fn outbox_of(conn: &Connection, record: &RecordId) -> Result<Vec<ChangeHash>> {
    let mut rows = conn.prepare_cached(
        "SELECT l.hash FROM log l JOIN outbox o ON o.seq = l.seq
         WHERE l.record = (SELECT n FROM record WHERE id = ?) ORDER BY l.seq",
    )?;
    let found = rows.query_map([record.as_bytes()], |r| Ok(ChangeHash(r.get(0)?)))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// These changes were delivered.
pub(crate) fn delivered(conn: &Connection, seqs: &[u64]) -> Result<()> {
    if canary!("drop_outbox_row") {
        conn.execute("DELETE FROM outbox WHERE seq = (SELECT max(seq) FROM outbox)", [])?;
    }
    let mut gone = conn.prepare_cached("DELETE FROM outbox WHERE seq = ?")?;
    for seq in seqs {
        gone.execute([*seq as i64])?;
    }
    Ok(())
}

/// A device as its record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeviceRow {
    pub id: DeviceId,
    /// Its record.
    pub record: RecordId,
    pub name: String,
    pub public_key: [u8; 32],
    /// The person it acts for.
    pub person: RecordId,
    pub role: String,
    /// In the stable text of a scope.
    pub scopes: Vec<String>,
    pub home_branch: Option<RecordId>,
    /// Whether it serves downstreams of its own.
    pub branch: bool,
    pub enroller: DeviceId,
    pub revoked: bool,
}

const DEVICE_COLUMNS: &str =
    "device_id, id, name, public_key, person, role, scopes, branch, serves, enroller, revoked_at FROM device";

/// The device of this id, as the projection of its record says.
pub(crate) fn device(conn: &Connection, id: &DeviceId) -> Result<Option<DeviceRow>> {
    let select = format!("SELECT {DEVICE_COLUMNS} WHERE device_id = ? AND NOT archived ORDER BY n");
    let mut rows = conn.prepare_cached(&select)?;
    let found = rows.query_map([id.to_string()], device_of)?.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(each_once(found).into_iter().next())
}

/// Every enrolled device, revoked ones too.
pub(crate) fn devices(conn: &Connection) -> Result<Vec<DeviceRow>> {
    let mut rows = conn.prepare_cached(&format!("SELECT {DEVICE_COLUMNS} WHERE NOT archived ORDER BY n"))?;
    Ok(each_once(rows.query_map([], device_of)?.collect::<rusqlite::Result<Vec<_>>>()?))
}

// After a log was set back a device can have two records: the one that was lost, and the one made when it came back. It is
// revoked if either says so.
fn each_once(found: Vec<Option<DeviceRow>>) -> Vec<DeviceRow> {
    let mut places: HashMap<DeviceId, usize> = HashMap::new();
    let mut devices: Vec<DeviceRow> = Vec::new();
    for device in found.into_iter().flatten() {
        match places.get(&device.id).and_then(|at| devices.get_mut(*at)) {
            Some(first) => first.revoked |= device.revoked,
            None => {
                places.insert(device.id, devices.len());
                devices.push(device);
            }
        }
    }
    devices
}

// A record that lacks what a device must have is none.
fn device_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<DeviceRow>> {
    let text = |at: usize| row.get::<_, Option<String>>(at).map(Option::unwrap_or_default);
    let key = data_encoding::HEXLOWER.decode(text(3)?.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    let (Some(id), Some(record), Some(public_key), Some(person)) =
        (DeviceId::parse(&text(0)?), RecordId::parse(&text(1)?), key, RecordId::parse(&text(4)?))
    else {
        return Ok(None);
    };
    Ok(Some(DeviceRow {
        id,
        record,
        name: text(2)?,
        public_key,
        person,
        role: text(5)?,
        scopes: serde_json::from_str(&text(6)?).unwrap_or_default(),
        home_branch: RecordId::parse(&text(7)?),
        branch: row.get::<_, Option<bool>>(8)?.unwrap_or_default(),
        enroller: DeviceId::parse(&text(9)?).unwrap_or_default(),
        revoked: row.get::<_, Option<String>>(10)?.is_some(),
    }))
}

/// Whether a person may act: known and not disabled. A person whose record has not arrived yet may.
pub(crate) fn person_active(conn: &Connection, person: &RecordId) -> Result<bool> {
    let mut row = conn.prepare_cached("SELECT active FROM user WHERE id = ?")?;
    let active: Option<Option<bool>> = row.query_row([person.to_string()], |r| r.get(0)).optional()?;
    Ok(active.flatten().unwrap_or(true))
}

/// Changes of a record that are looked through for one of them; in a longer history, the newest ones of so many actors come
/// first.
const GLANCE_MAX: i64 = 64;

/// Who wrote a change: its actor and the actor's sequence.
pub(crate) fn author_of(conn: &Connection, record: &RecordId, hash: &ChangeHash) -> Result<Option<(ActorId, u64)>> {
    let mut n = conn.prepare_cached("SELECT n FROM record WHERE id = ?")?;
    let Some(n) = n.query_row([record.as_bytes()], |r| r.get::<_, i64>(0)).optional()? else { return Ok(None) };
    let author = |r: &rusqlite::Row<'_>| Ok((ActorId(r.get(0)?), r.get::<_, i64>(1)? as u64));
    let mut some = conn.prepare_cached(
        "SELECT a.actor, l.aseq, l.hash FROM log l JOIN actor a ON a.n = l.actor WHERE l.record = ? LIMIT ?",
    )?;
    let mut rows = some.query(params![n, GLANCE_MAX])?;
    let mut seen = 0;
    while let Some(row) = rows.next()? {
        if row.get_ref(2)?.as_blob().is_ok_and(|found| found == hash.as_bytes()) {
            return Ok(Some(author(row)?));
        }
        seen += 1;
    }
    if seen < GLANCE_MAX {
        return Ok(None);
    }
    // What is asked for is mostly the newest change of somebody: then a long history is not read for it.
    const NEWEST: &str = "
        WITH RECURSIVE newest (actor) AS (
            SELECT max(actor) FROM log WHERE record = ?1
            UNION ALL
            SELECT (SELECT max(l.actor) FROM log l WHERE l.record = ?1 AND l.actor < newest.actor)
            FROM newest WHERE newest.actor IS NOT NULL LIMIT ?3)
        SELECT a.actor, l.aseq FROM newest CROSS JOIN log l ON l.record = ?1 AND l.actor = newest.actor
            AND l.aseq = (SELECT max(aseq) FROM log WHERE record = ?1 AND actor = newest.actor)
        CROSS JOIN actor a ON a.n = l.actor WHERE l.hash = ?2 LIMIT 1";
    const ALL: &str = "
        SELECT a.actor, l.aseq FROM log l JOIN actor a ON a.n = l.actor WHERE l.record = ?1 AND l.hash = ?2 LIMIT ?3";
    for sql in [NEWEST, ALL] {
        let mut one = conn.prepare_cached(sql)?;
        let found = one.query_row(params![n, hash.as_bytes(), GLANCE_MAX], author).optional()?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The bytes of a change of the log.
pub(crate) fn raw_of(conn: &Connection, record: &RecordId, hash: &ChangeHash) -> Result<Option<Vec<u8>>> {
    let mut rows = conn.prepare_cached(&format!(
        "SELECT {CELLS} FROM log l WHERE l.record = (SELECT n FROM record WHERE id = ?) AND l.hash = ?"
    ))?;
    let mut rows = rows.query(params![record.as_bytes(), hash.as_bytes()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Packs::of(conn).change(row, 0)?.raw))
}

/// The number of a scope by its name; none while no record is in it.
pub(crate) fn scope_number(conn: &Connection, name: &str) -> Result<Option<u64>> {
    if name == "workspace" {
        return Ok(Some(WORKSPACE));
    }
    let mut known = conn.prepare_cached("SELECT n FROM scope WHERE name = ?")?;
    Ok(known.query_row([name], |r| r.get::<_, i64>(0)).optional()?.map(|n| n as u64))
}

/// The number of a collection by its name; none while it has no record.
pub(crate) fn collection_number(conn: &Connection, name: &str) -> Result<Option<i64>> {
    let mut known = conn.prepare_cached("SELECT n FROM projection WHERE name = ?")?;
    Ok(known.query_row([name], |r| r.get(0)).optional()?)
}

/// The name of a collection's number.
pub(crate) fn collection_name(conn: &Connection, n: i64) -> Result<String> {
    super::record::collection_name(conn, n).map(|name| name.to_string())
}

pub(crate) use super::actor::{binding, bindings};
pub(crate) use super::feed::log_end;
use super::feed::transaction_ends_within;
use super::pack::{CELLS, Logged, Packs};
