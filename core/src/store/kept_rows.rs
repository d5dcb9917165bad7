//! Refused changes as both ends keep them: quarantine at the sender, review at the upstream.
//!
//! Nothing here is ever deleted. A row is *waiting* until somebody or something has settled it; then it says how, by whom
//! and when. What was refused above, and what was settled here, is passed down to whom it came from, under a sequence of
//! the log like everything else.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::document::Vetted;
use crate::error::Result;
use crate::id::{ActorId, ChangeHash, DeviceId, RecordId};
use crate::limits::{BATCH_CHANGES_MAX, RETURNED_BYTES_MAX, RETURNED_MAX};
use crate::time::Millis;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Queue {
    /// Changes that the upstream refused: written here or, at a branch, below.
    Quarantine,
    /// Changes of downstreams that were refused here.
    Review,
}

impl Queue {
    fn table(self) -> &'static str {
        match self {
            Queue::Quarantine => "quarantine",
            Queue::Review => "review",
        }
    }
}

/// What became of a refused change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It waits for a person.
    Waiting,
    /// It only followed a refused one, and is about to be written again by this replica.
    Replaying,
    /// It only followed a refused one, and was written again by the replica it came from.
    Replayed,
    /// Somebody brought it again, in a new change that cites it.
    Retried,
    /// A reviewer took it over, in a new change that cites it.
    Accepted,
    /// A reviewer said no.
    Declined,
    /// It was not refused: it stands in its record, brought back by somebody who could not have written it, and waits for
    /// a person to look at it.
    Carried,
}

impl Fate {
    const ALL: [Fate; 7] =
        [Fate::Waiting, Fate::Replaying, Fate::Replayed, Fate::Retried, Fate::Accepted, Fate::Declined, Fate::Carried];

    /// The name that the store and programs use.
    pub fn as_str(self) -> &'static str {
        match self {
            Fate::Waiting => "waiting",
            Fate::Replaying => "replaying",
            Fate::Replayed => "replayed",
            Fate::Retried => "retried",
            Fate::Accepted => "accepted",
            Fate::Declined => "declined",
            Fate::Carried => "carried",
        }
    }

    fn parse(text: &str) -> Self {
        Self::ALL.into_iter().find(|fate| fate.as_str() == text).unwrap_or(Fate::Waiting)
    }
}

/// A refused change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptRow {
    /// Its number in the queue; 0 for one that is not there yet.
    pub n: u64,
    pub record: RecordId,
    pub collection: String,
    pub hash: ChangeHash,
    pub actor: ActorId,
    pub raw: Vec<u8>,
    /// The downstream that it came from; `None`: written here.
    pub device: Option<DeviceId>,
    /// Changes with the same number were one transaction.
    pub tx: u64,
    pub code: String,
    pub detail: String,
    pub at: Millis,
    pub fate: Fate,
    pub closed_at: Option<Millis>,
    pub closed_by: Option<RecordId>,
}

impl KeptRow {
    /// Whether it stands in its record, and was never refused: its bytes are in the log.
    pub(crate) fn is_carried(&self) -> bool {
        self.raw.is_empty()
    }

    /// The change, if its bytes are one.
    pub(crate) fn change(&self) -> Option<Vetted> {
        Vetted::refused(self.raw.clone()).ok()
    }
}

/// How a row is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closing {
    pub fate: Fate,
    pub by: Option<RecordId>,
    pub at: Millis,
    /// The sequence under which the downstream that it came from hears of it; 0: it knows.
    pub seq: u64,
}

/// What a downstream hears of refused changes that it brought.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Refused further up, by transactions; it need not know of that, nor hold them any more.
    pub returned: Vec<Vec<KeptRow>>,
    /// Settled, each under its sequence.
    pub settled: Vec<KeptRow>,
    /// Up to which sequence this is all of it; none: up to the end.
    pub upto: Option<u64>,
}

const COLUMNS: &str =
    "n, record, collection, hash, actor, raw, device, tx, code, detail, at, fate, closed_at, closed_by";

/// The downstream that a change in quarantine came from hears of it under this sequence, unless it heard of it before.
pub(crate) fn give_back(conn: &Connection, record: &RecordId, hash: &ChangeHash, seq: u64) -> Result<()> {
    conn.prepare_cached("UPDATE quarantine SET closed_seq = ? WHERE record = ? AND hash = ? AND closed_seq = 0")?
        .execute(params![seq as i64, record.as_bytes(), hash.as_bytes()])?;
    Ok(())
}

/// Keeps a refused change; one that is kept already stays as it is.
pub(crate) fn keep(conn: &Connection, queue: Queue, row: &KeptRow) -> Result<()> {
    conn.prepare_cached(&format!(
        "INSERT OR IGNORE INTO {} (record, collection, hash, actor, raw, device, tx, code, detail, at, fate)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        queue.table()
    ))?
    .execute(params![
        row.record.as_bytes(),
        row.collection,
        row.hash.as_bytes(),
        row.actor.as_bytes(),
        row.raw,
        row.device.as_ref().map(DeviceId::as_bytes),
        row.tx as i64,
        row.code,
        row.detail,
        row.at.0,
        row.fate.as_str(),
    ])?;
    Ok(())
}

/// What a row costs beside the bytes of its change.
pub(crate) const ROW_BYTES: usize = 256;

/// How many bytes wait in review that this downstream brought. Reads all of them: once for a push is enough.
pub(crate) fn waiting_bytes(conn: &Connection, device: &DeviceId) -> Result<usize> {
    let sql = "SELECT coalesce(sum(length(raw) + ?), 0) FROM review WHERE device = ? AND fate = 'waiting'";
    let bytes: i64 = conn.prepare_cached(sql)?.query_row(params![ROW_BYTES as i64, device.as_bytes()], |r| r.get(0))?;
    Ok(usize::try_from(bytes).unwrap_or(usize::MAX))
}

/// A number for the transaction of the next refused changes of a downstream.
pub(crate) fn next_transaction(conn: &Connection) -> Result<u64> {
    let mut last = conn.prepare_cached("SELECT coalesce(max(tx), 0) FROM review")?;
    Ok(last.query_row([], |r| r.get::<_, i64>(0))? as u64 + 1)
}

/// Whether anything was ever refused, here or above.
pub(crate) fn is_any(conn: &Connection) -> Result<bool> {
    let mut any = conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM review) OR EXISTS (SELECT 1 FROM quarantine)")?;
    Ok(any.query_row([], |r| r.get(0))?)
}

/// A refused change by its name.
pub(crate) fn find(conn: &Connection, queue: Queue, record: &RecordId, hash: &ChangeHash) -> Result<Option<KeptRow>> {
    let sql = format!("SELECT {COLUMNS} FROM {} WHERE record = ? AND hash = ?", queue.table());
    Ok(conn.prepare_cached(&sql)?.query_row(params![record.as_bytes(), hash.as_bytes()], read).optional()?)
}

/// All rows of a queue, those that were settled too, in the order in which they came.
pub(crate) fn all(conn: &Connection, queue: Queue) -> Result<Vec<KeptRow>> {
    let mut rows = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM {} ORDER BY n", queue.table()))?;
    Ok(rows.query_map([], read)?.collect::<rusqlite::Result<_>>()?)
}

/// The changes of the transaction that row `n` belongs to, those that wait, in their order.
pub(crate) fn transaction_of(conn: &Connection, queue: Queue, n: u64) -> Result<Vec<KeptRow>> {
    let table = queue.table();
    let mut rows = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM {table} WHERE tx = (SELECT tx FROM {table} WHERE n = ?) AND fate IN ('waiting', 'carried')
         ORDER BY n"
    ))?;
    Ok(rows.query_map([n as i64], read)?.collect::<rusqlite::Result<_>>()?)
}

/// Code and detail of the newest row of a record that waits for a person.
pub(crate) fn newest_waiting(conn: &Connection, queue: Queue, record: &RecordId) -> Result<Option<(String, String)>> {
    let sql = format!(
        "SELECT code, detail FROM {} WHERE record = ? AND fate = 'waiting' ORDER BY n DESC LIMIT 1",
        queue.table()
    );
    let mut row = conn.prepare_cached(&sql)?;
    Ok(row.query_row([record.as_bytes()], |r| Ok((r.get(0)?, r.get(1)?))).optional()?)
}

/// The rows of a record, in the order in which they came.
pub(crate) fn of_record(conn: &Connection, queue: Queue, record: &RecordId) -> Result<Vec<KeptRow>> {
    let sql = format!("SELECT {COLUMNS} FROM {} WHERE record = ? ORDER BY n", queue.table());
    let mut rows = conn.prepare_cached(&sql)?;
    Ok(rows.query_map([record.as_bytes()], read)?.collect::<rusqlite::Result<_>>()?)
}

/// The own changes that are about to be written again.
pub(crate) fn replaying(conn: &Connection) -> Result<Vec<KeptRow>> {
    let mut rows =
        conn.prepare_cached(&format!("SELECT {COLUMNS} FROM quarantine WHERE fate = 'replaying' ORDER BY n"))?;
    Ok(rows.query_map([], read)?.collect::<rusqlite::Result<_>>()?)
}

/// Settles a row that waits, or is about to be written again. Whether there was one.
pub(crate) fn close(conn: &Connection, queue: Queue, n: u64, closing: &Closing) -> Result<bool> {
    let closed = conn
        .prepare_cached(&format!(
            "UPDATE {} SET fate = ?, closed_by = ?, closed_at = ?, closed_seq = ?
             WHERE n = ? AND fate IN ('waiting', 'replaying', 'carried')",
            queue.table()
        ))?
        .execute(params![
            closing.fate.as_str(),
            closing.by.as_ref().map(RecordId::as_bytes),
            closing.at.0,
            closing.seq as i64,
            n as i64
        ])?;
    Ok(closed > 0)
}

/// What was about to be written again waits for a person instead.
pub(crate) fn give_up(conn: &Connection, n: u64) -> Result<()> {
    conn.prepare_cached("UPDATE quarantine SET fate = 'waiting' WHERE n = ? AND fate = 'replaying'")?
        .execute([n as i64])?;
    Ok(())
}

/// The device that refused changes came from brings them again itself: they wait no longer, whichever queue they are in.
pub(crate) fn brought_again(
    conn: &Connection,
    record: &RecordId,
    cited: &[ChangeHash],
    device: &DeviceId,
    closing: &Closing,
) -> Result<()> {
    for queue in [Queue::Review, Queue::Quarantine] {
        for hash in cited {
            let row = find(conn, queue, record, hash)?.filter(|row| row.device.as_ref() == Some(device));
            if let Some(row) = row {
                close(conn, queue, row.n, closing)?;
            }
        }
    }
    Ok(())
}

/// What of the changes that a downstream brought was refused further up or settled under a sequence of `after + 1..=end`;
/// of much the first part.
pub(crate) fn news(conn: &Connection, device: &DeviceId, after: u64, end: u64) -> Result<News> {
    let mut rows = conn.prepare_cached(&format!(
        "SELECT {COLUMNS}, closed_seq, 0 FROM review WHERE device = ?1 AND closed_seq > ?2 AND closed_seq <= ?3
         UNION ALL
         SELECT {COLUMNS}, closed_seq, 1 FROM quarantine WHERE device = ?1 AND closed_seq > ?2 AND closed_seq <= ?3
         ORDER BY closed_seq, n"
    ))?;
    let mut rows = rows.query(params![device.as_bytes(), after as i64, end as i64])?;
    let (mut news, mut last, mut bytes, mut count) = (News::default(), after, 0, 0);
    while let Some(row) = rows.next()? {
        let (seq, refused_above) = (row.get::<_, i64>(14)? as u64, row.get::<_, bool>(15)?);
        // What stands under one sequence goes together.
        let full = count >= BATCH_CHANGES_MAX || bytes >= RETURNED_BYTES_MAX || news.returned.len() >= RETURNED_MAX;
        if full && seq > last && last > after {
            news.upto = Some(last);
            break;
        }
        let row = read(row)?;
        (last, count, bytes) = (seq, count + 1, bytes + row.raw.len());
        if refused_above {
            match news.returned.last_mut() {
                Some(rows) if in_one_message(rows, &row) => rows.push(row.clone()),
                _ => news.returned.push(vec![row.clone()]),
            }
        }
        news.settled.push(row);
    }
    Ok(news)
}

// A transaction, as far as one message holds it.
fn in_one_message(rows: &[KeptRow], next: &KeptRow) -> bool {
    let bytes: usize = rows.iter().map(|row| row.raw.len()).sum();
    rows.last().is_some_and(|last| last.tx == next.tx) && bytes < RETURNED_BYTES_MAX
}

/// Whether a downstream has yet to hear of something that it brought.
pub(crate) fn is_news_after(conn: &Connection, device: &DeviceId, after: u64) -> Result<bool> {
    for queue in [Queue::Review, Queue::Quarantine] {
        let sql = format!("SELECT 1 FROM {} WHERE device = ? AND closed_seq > ? LIMIT 1", queue.table());
        if conn.prepare_cached(&sql)?.exists(params![device.as_bytes(), after as i64])? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a change of this actor was refused: its numbers must not be used again.
pub(crate) fn is_retired(conn: &Connection, actor: &ActorId) -> Result<bool> {
    Ok(conn.prepare_cached("SELECT 1 FROM quarantine WHERE actor = ? LIMIT 1")?.exists([actor.as_bytes()])?)
}

/// The refused change that an actor wrote as its `seq`-th of a record: others may name it as what they follow.
pub(crate) fn change_of(conn: &Connection, record: &RecordId, actor: &ActorId, seq: u64) -> Result<Option<ChangeHash>> {
    for queue in [Queue::Review, Queue::Quarantine] {
        for row in of_record(conn, queue, record)?.into_iter().filter(|row| row.actor == *actor) {
            if row.change().is_some_and(|change| change.seq() == seq) {
                return Ok(Some(row.hash));
            }
        }
    }
    Ok(None)
}

fn read(row: &Row<'_>) -> rusqlite::Result<KeptRow> {
    Ok(KeptRow {
        n: row.get::<_, i64>(0)? as u64,
        record: RecordId(row.get(1)?),
        collection: row.get(2)?,
        hash: ChangeHash(row.get(3)?),
        actor: ActorId(row.get(4)?),
        raw: row.get(5)?,
        device: row.get::<_, Option<[u8; 8]>>(6)?.map(DeviceId),
        tx: row.get::<_, i64>(7)? as u64,
        code: row.get(8)?,
        detail: row.get(9)?,
        at: Millis(row.get(10)?),
        fate: Fate::parse(&row.get::<_, String>(11)?),
        closed_at: row.get::<_, Option<i64>>(12)?.map(Millis),
        closed_by: row.get::<_, Option<[u8; 16]>>(13)?.map(RecordId),
    })
}
