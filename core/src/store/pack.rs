//! Long histories: the bytes of a record's older changes lie together in packs of the batch codec, instead of one by one
//! in the log.
//!
//! Nothing of a history goes. A log row whose change is packed keeps its sequence, hash, actor and number, only its bytes
//! are empty; a pack gives every change back byte for byte, which is seen before a row lets go of them. A pack
//! names nothing outside itself but by hash, so it can be read whatever else is damaged.
//!
//! The newest changes of a record stay plain, and so does what waits for the upstream. A change is packed once: the
//! work of an edit does not grow with the history before it.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::ops::Range;

use lru::LruCache;
use rusqlite::{Connection, Row, params};

use super::fault::damaged;
use super::meta;
use crate::error::Result;
use crate::id::{ActorId, ChangeHash, RecordId};
use crate::limits::{PACK_BYTES_MAX, PACK_CHANGES, PACK_STEP_CHANGES, PLAIN_CHANGES_MIN, RECLAIM_BYTES_MIN};
use crate::wire::chunk::GenesisKind;
use crate::wire::codec::{self, Binding, Decoded, Encoder, Outgoing};

/// The columns that [`Packs::change`] reads, from `log l`.
pub(crate) const CELLS: &str = "l.record, l.seq, l.flags, l.hash, l.raw";

/// Packs that stay open while many changes are read, about 50 kB each, [`PACK_BYTES_MAX`] at most.
const OPEN_MAX: NonZeroUsize = NonZeroUsize::new(16).unwrap();

/// How hard zstd tries: a change is packed once and kept for ever.
const LEVEL: i32 = 9;

/// A change as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Logged {
    pub(crate) seq: u64,
    pub(crate) hash: ChangeHash,
    pub(crate) tx_end: bool,
    pub(crate) raw: Vec<u8>,
}

/// Reads changes, wherever their bytes are.
pub(crate) struct Packs<'c> {
    conn: &'c Connection,
    open: LruCache<(i64, i64), Unpacked>,
}

/// The changes of a pack.
#[derive(Default)]
struct Unpacked {
    changes: Vec<(ChangeHash, Range<usize>)>,
    places: HashMap<ChangeHash, usize>,
    bytes: Vec<u8>,
}

impl<'c> Packs<'c> {
    pub(crate) fn of(conn: &'c Connection) -> Self {
        Self { conn, open: LruCache::new(OPEN_MAX) }
    }

    /// The change whose [`CELLS`] stand in a row from column `at` on.
    ///
    /// # Errors
    /// `store_corrupt` where its pack cannot be read or has no such change.
    pub(crate) fn change(&mut self, row: &Row<'_>, at: usize) -> Result<Logged> {
        let (record, seq, flags): (i64, i64, i64) = (row.get(at)?, row.get(at + 1)?, row.get(at + 2)?);
        let (hash, mut raw) = (ChangeHash(row.get(at + 3)?), row.get::<_, Vec<u8>>(at + 4)?);
        if raw.is_empty() {
            raw = self.bytes(record, seq, &hash)?;
        }
        Ok(Logged { seq: seq.unsigned_abs(), hash, tx_end: flags & 1 == 1, raw })
    }

    /// The bytes of a packed change.
    ///
    /// # Errors
    /// `store_corrupt` where its pack cannot be read or has no such change.
    pub(crate) fn bytes(&mut self, record: i64, seq: i64, hash: &ChangeHash) -> Result<Vec<u8>> {
        let mut from = seq;
        // Mostly it is the first one: only what waited for the upstream lies in a later pack than its neighbours.
        while let Some(last) = self.next(record, from)? {
            if let Some(bytes) = self.pack(record, last)?.of(hash) {
                return Ok(bytes.to_vec());
            }
            from = last + 1;
        }
        Err(damaged(format!("the packed history of record {record}")))
    }

    fn next(&self, record: i64, from: i64) -> Result<Option<i64>> {
        let mut next = self.conn.prepare_cached("SELECT min(last) FROM pack WHERE record = ? AND last >= ?")?;
        Ok(next.query_row([record, from], |row| row.get(0))?)
    }

    fn pack(&mut self, record: i64, last: i64) -> Result<&Unpacked> {
        let conn = self.conn;
        self.open.try_get_or_insert((record, last), || {
            let mut bytes = conn.prepare_cached("SELECT bytes FROM pack WHERE record = ? AND last = ?")?;
            let bytes: Vec<u8> = bytes.query_row([record, last], |row| row.get(0))?;
            Unpacked::read(&bytes).ok_or_else(|| damaged(format!("a pack of record {record}")))
        })
    }
}

impl Unpacked {
    fn read(bytes: &[u8]) -> Option<Self> {
        let decoded = codec::decode(bytes, &mut |_, _, _| None).ok()?;
        decoded.missing.is_empty().then(|| Self::of_decoded(&decoded))
    }

    fn of_decoded(decoded: &Decoded) -> Self {
        let mut unpacked = Self::default();
        for change in &decoded.changes {
            let start = unpacked.bytes.len();
            unpacked.bytes.extend_from_slice(decoded.raw(change));
            unpacked.places.insert(change.hash, unpacked.changes.len());
            unpacked.changes.push((change.hash, start..unpacked.bytes.len()));
        }
        unpacked
    }

    fn of(&self, hash: &ChangeHash) -> Option<&[u8]> {
        let (_, range) = self.changes.get(*self.places.get(hash)?)?;
        self.bytes.get(range.clone())
    }
}

/// The changes of a record in log order; those that were packed with the hashes that were just computed from their bytes.
///
/// # Errors
/// `store_corrupt` where a pack cannot be read.
pub(crate) fn changes(conn: &Connection, record: i64) -> Result<Vec<(Vec<u8>, Option<ChangeHash>)>> {
    let mut rows = conn.prepare_cached("SELECT seq, hash, raw FROM log WHERE record = ? ORDER BY seq")?;
    let mut rows = rows.query([record])?;
    let mut packs = Packs::of(conn);
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        let raw: Vec<u8> = row.get(2)?;
        changes.push(if raw.is_empty() {
            let hash = hash_of(row, 1)?;
            (packs.bytes(record, row.get(0)?, &hash)?, Some(hash))
        } else {
            (raw, None)
        });
    }
    Ok(changes)
}

// A hash that is damaged names no change.
pub(super) fn hash_of(row: &Row<'_>, at: usize) -> Result<ChangeHash> {
    Ok(row.get_ref(at)?.as_blob().ok().and_then(ChangeHash::from_slice).unwrap_or_default())
}

/// A record that may have become long.
pub(super) struct Grown<'r> {
    pub(super) n: i64,
    pub(super) id: RecordId,
    pub(super) collection: &'r str,
    /// Its changes, and how many of them are new.
    pub(super) changes: usize,
    pub(super) new: usize,
}

/// Packs the older changes of a record, once enough of them have gathered. Looks only at every
/// [`PACK_STEP_CHANGES`]th change of a record.
pub(super) fn pack(conn: &Connection, record: &Grown<'_>) -> Result<()> {
    let before = record.changes.saturating_sub(record.new);
    let is_due = before / PACK_STEP_CHANGES < record.changes / PACK_STEP_CHANGES;
    if !is_due || record.changes < PACK_CHANGES + PLAIN_CHANGES_MIN {
        return Ok(());
    }
    let old = old(conn, record.n)?;
    for run in old.as_chunks::<PACK_CHANGES>().0 {
        pack_run(conn, record, run)?;
    }
    Ok(())
}

// The plain changes of a record that may be packed, in log order: all but the newest, and none that waits for the upstream.
fn old(conn: &Connection, record: i64) -> Result<Vec<i64>> {
    let mut rows = conn.prepare_cached(
        "SELECT seq, seq IN (SELECT seq FROM outbox) FROM log WHERE record = ? AND length(raw) > 0 ORDER BY seq",
    )?;
    let mut plain: Vec<(i64, bool)> =
        rows.query_map([record], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    plain.truncate(plain.len().saturating_sub(PLAIN_CHANGES_MIN));
    Ok(plain.into_iter().filter(|(_, waits)| !waits).map(|(seq, _)| seq).collect())
}

fn pack_run(conn: &Connection, record: &Grown<'_>, seqs: &[i64]) -> Result<()> {
    let mut one = conn.prepare_cached("SELECT hash, raw, flags & 1 FROM log WHERE seq = ?")?;
    let (mut run, mut bytes) = (Vec::with_capacity(seqs.len()), 0);
    for seq in seqs {
        let (hash, raw, tx_end): (_, Vec<u8>, bool) =
            one.query_row([seq], |row| Ok((hash_of(row, 0), row.get(1)?, row.get(2)?)))?;
        bytes += raw.len();
        run.push((hash?, raw, tx_end));
    }
    // A pack is read as a whole: huge changes stay as they are. So does what is damaged, for `verify` to tell.
    let pack = if bytes <= PACK_BYTES_MAX { encoded(record, &run) } else { None };
    let (Some(pack), Some(last)) = (pack, seqs.last()) else { return Ok(()) };
    conn.prepare_cached("INSERT INTO pack (record, last, bytes) VALUES (?, ?, ?)")?
        .execute(params![record.n, last, pack])?;
    let mut empty = conn.prepare_cached("UPDATE log SET raw = x'' WHERE seq = ?")?;
    for seq in seqs {
        empty.execute([seq])?;
    }
    mark!("history_packed");
    meta::set_integer(conn, FREED, meta::integer(conn, FREED)?.unwrap_or(0).saturating_add(bytes as i64))
}

// A pack that gives all of these changes back, as it was seen to do.
fn encoded(record: &Grown<'_>, run: &[(ChangeHash, Vec<u8>, bool)]) -> Option<Vec<u8>> {
    let mut encoder = Encoder::new(LEVEL);
    let packed = if canary!("pack_one_too_few") { run.len() - 1 } else { run.len() };
    for (hash, raw, tx_end) in run.iter().take(packed) {
        let change = Outgoing { record: record.id, collection: record.collection, raw, hash: *hash, tx_end: *tx_end };
        encoder.push(&change, &mut Alone).ok()?;
    }
    let pack = encoder.finish().ok()?;
    let unpacked = Unpacked::read(&pack)?;
    run.iter().take(packed).all(|(hash, raw, _)| unpacked.of(hash) == Some(&raw[..])).then_some(pack)
}

/// Bytes that rows have let go of since the file was last written anew.
pub(super) const FREED: &str = "freed";

/// Whether so much of the file is empty that it should be written anew: SQLite does not move rows together by itself.
pub(super) fn is_space_due(conn: &Connection) -> Result<bool> {
    let freed = meta::integer(conn, FREED)?.unwrap_or(0).unsigned_abs();
    if freed < RECLAIM_BYTES_MIN {
        return Ok(false);
    }
    let pages: i64 = conn.pragma_query_value(None, "page_count", |row| row.get(0))?;
    // SQLCipher answers in text.
    let size = "SELECT CAST(page_size AS INTEGER) FROM pragma_page_size";
    let page_bytes: i64 = conn.query_row(size, [], |row| row.get(0))?;
    Ok(freed >= (pages * page_bytes).unsigned_abs() / 4)
}

/// The file was written anew.
pub(super) fn space_was_reclaimed(conn: &Connection) -> Result<()> {
    meta::clear(conn, FREED)
}

/// Puts the bytes of a record's packed changes back into the log, as far as they can be read. A pack that cannot stays, and
/// so do the rows of its changes. Rows whose hashes are damaged get, in order, the changes that no row names.
pub(super) fn unpack(conn: &Connection, record: i64) -> Result<()> {
    let mut rows =
        conn.prepare_cached("SELECT seq, hash FROM log WHERE record = ? AND length(raw) = 0 ORDER BY seq")?;
    let mut rows: Vec<(i64, ChangeHash)> =
        rows.query_and_then([record], |row| Ok((row.get(0)?, hash_of(row, 1)?)))?.collect::<Result<_>>()?;
    if rows.is_empty() {
        return Ok(());
    }
    let mut packs = conn.prepare_cached("SELECT last, bytes FROM pack WHERE record = ? ORDER BY last")?;
    let packs: Vec<(i64, Vec<u8>)> =
        packs.query_map([record], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    let put = |seq: i64, raw: &[u8]| -> Result<()> {
        conn.prepare_cached("UPDATE log SET raw = ? WHERE seq = ?")?.execute(params![raw, seq])?;
        Ok(())
    };
    let (mut emptied, mut spare): (Vec<i64>, Vec<(i64, Vec<u8>)>) = (Vec::new(), Vec::new());
    for (last, bytes) in &packs {
        let Some(unpacked) = Unpacked::read(bytes) else { continue };
        for (hash, range) in &unpacked.changes {
            let raw = unpacked.bytes.get(range.clone()).unwrap_or_default();
            match rows.iter().position(|(_, known)| known == hash) {
                Some(at) => put(rows.remove(at).0, raw)?,
                None => spare.push((*last, raw.to_vec())),
            }
        }
        emptied.push(*last);
    }
    if rows.len() == spare.len() {
        rows.iter().zip(spare.drain(..)).try_for_each(|((seq, _), (_, raw))| put(*seq, &raw))?;
    }
    let mut delete = conn.prepare_cached("DELETE FROM pack WHERE record = ? AND last = ?")?;
    for last in emptied.into_iter().filter(|last| spare.iter().all(|(of, _)| of != last)) {
        delete.execute([record, last])?;
    }
    Ok(())
}

/// Whether a record has packs, and every one can be read.
pub(super) fn all_readable(conn: &Connection, record: i64) -> Result<bool> {
    let mut packs = conn.prepare_cached("SELECT bytes FROM pack WHERE record = ?")?;
    let mut packs = packs.query([record])?;
    let mut any = false;
    while let Some(row) = packs.next()? {
        if Unpacked::read(row.get_ref(0)?.as_blob().unwrap_or_default()).is_none() {
            return Ok(false);
        }
        any = true;
    }
    Ok(any)
}

/// A pack names nothing by what only a peer would know.
struct Alone;

impl codec::Origin for Alone {
    fn binding(&mut self, _: &ActorId) -> Option<Binding> {
        None
    }

    fn locate(&mut self, _: &RecordId, _: &ChangeHash) -> Option<(ActorId, u64)> {
        None
    }

    fn genesis_fields(&mut self, _: &str) -> Vec<(String, GenesisKind)> {
        Vec::new()
    }
}
