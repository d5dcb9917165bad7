//! Taking things out again: refused changes, retracted ones, records that left this replica's scopes.
//!
//! A log row that goes leaves its sequence and hash behind (record 0, no bytes), so that the rolling hash, and with it
//! every position below, stays true. What a person typed never goes this way without standing in quarantine first. A
//! replica that serves others tells them of what it took out, under a sequence of its own; a record of which nothing
//! stays is only hidden there until all of them have heard.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::cache::RecordRow;
use super::link_rows::{self, WORKSPACE};
use super::writer::{Body, Changed, Writer};
use super::{Origin, flag, meta, pack, record, scope};
use crate::document::{State, Vetted};
use crate::error::{Error, Result};
use crate::id::{ChangeHash, DeviceId, RecordId};
use crate::schema::{Collection, Name};

/// A change that was taken out.
#[derive(Debug, Clone)]
pub(crate) struct Removed {
    /// Where it stood in the log.
    pub(crate) seq: u64,
    /// Where its transaction began.
    pub(crate) tx: u64,
    pub(crate) record: RecordId,
    pub(crate) collection: Name,
    pub(crate) change: Vetted,
    pub(crate) from: Lineage,
    /// Whether the upstream had yet to answer for it.
    pub(crate) waited: bool,
}

/// From where a log row came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lineage {
    /// Written here.
    Here,
    /// Received from this downstream.
    Below(DeviceId),
    /// Received from the upstream, which keeps it.
    Above,
}

type Names = BTreeMap<RecordId, HashSet<ChangeHash>>;

impl Writer<'_> {
    /// The collection of this name, as far as this program knows it.
    pub(crate) fn collection(&self, name: &str) -> Arc<Collection> {
        match self.model().schema.held(name) {
            Some(collection) => collection.clone(),
            None => Arc::new(Collection::unknown(name.into())),
        }
    }

    /// Takes changes out of their records, with all that descends from them and the whole of each transaction that is
    /// touched. Gives back what went, in the order of the log. A record of which nothing stays is gone.
    pub(crate) fn retract(&mut self, gone: &[(RecordId, ChangeHash)]) -> Result<Vec<Removed>> {
        self.project()?;
        let out = self.closure(gone)?;
        let mut removed = Vec::new();
        for (id, hashes) in out {
            let Some(collection) = self.held(&id)?.map(|held| held.collection) else { continue };
            let Some(state) = self.state(&id)? else { continue };
            let (goes, stays): (Vec<Vetted>, Vec<Vetted>) =
                state.changes().iter().cloned().partition(|change| hashes.contains(&change.hash()));
            for change in &goes {
                let Some(seq) = self.seq_of(&id, &change.hash())? else { continue };
                let (tx, from) = (self.transaction_around(seq)?.0, self.lineage(seq)?);
                let waited = link_rows::is_waiting(self.connection(), seq)?;
                let (collection, change) = (collection.clone(), change.clone());
                removed.push(Removed { seq, tx, record: id, collection, change, from, waited });
            }
            self.keep_only(&id, &stays, &goes)?;
        }
        removed.sort_by_key(|one| one.seq);
        Ok(removed)
    }

    /// Keeps of a record only what leads to these heads, and what still waits for the upstream beside it. Gives back
    /// what went.
    ///
    /// # Errors
    /// `unexpected_message` where a head is not here.
    pub(crate) fn reset(&mut self, id: &RecordId, heads: &[ChangeHash]) -> Result<Vec<Removed>> {
        let Some(state) = self.state(id)?.cloned() else { return Ok(Vec::new()) };
        let mut wanted: BTreeSet<ChangeHash> = heads.iter().copied().collect();
        if wanted.iter().any(|head| state.change(head).is_none()) {
            return Err(Error::protocol("unexpected-message"));
        }
        let mut stays = HashSet::new();
        for change in state.changes().iter().rev() {
            if wanted.remove(&change.hash()) {
                wanted.extend(change.deps().iter().copied());
                stays.insert(change.hash());
            }
        }
        let mut gone: Vec<(RecordId, ChangeHash)> = Vec::new();
        for change in state.changes().iter().filter(|change| !stays.contains(&change.hash())) {
            let follows = change.deps().iter().any(|dep| gone.iter().any(|(_, hash)| hash == dep));
            let waits = match self.seq_of(id, &change.hash())? {
                Some(seq) => link_rows::is_waiting(self.connection(), seq)?,
                None => false,
            };
            if follows || !waits {
                gone.push((*id, change.hash()));
            }
        }
        self.retract(&gone)
    }

    // The named changes with their descendants in every record, and the other changes of each transaction.
    fn closure(&mut self, gone: &[(RecordId, ChangeHash)]) -> Result<Names> {
        let mut out = Names::new();
        for (id, hash) in gone {
            out.entry(*id).or_default().insert(*hash);
        }
        let mut open: Vec<RecordId> = out.keys().copied().collect();
        let mut expanded: HashSet<(RecordId, ChangeHash)> = HashSet::new();
        while let Some(id) = open.pop() {
            let Some(state) = self.state(&id)? else { continue };
            let known = out.entry(id).or_default();
            // Changes stand in causal order, so one walk finds every descendant.
            for change in state.changes() {
                if change.deps().iter().any(|dep| known.contains(dep)) {
                    known.insert(change.hash());
                }
            }
            let fresh: Vec<ChangeHash> = known.iter().copied().filter(|hash| expanded.insert((id, *hash))).collect();
            for hash in fresh {
                for (other, hash) in self.siblings(&id, &hash)? {
                    if out.entry(other).or_default().insert(hash) {
                        open.push(other);
                    }
                }
            }
        }
        Ok(out)
    }

    // The changes of the transaction that a change was logged in. What came from above stays one transaction there; here
    // only the part of our scopes is known, and each record of it is retracted by name.
    fn siblings(&self, id: &RecordId, hash: &ChangeHash) -> Result<Vec<(RecordId, ChangeHash)>> {
        let Some(seq) = self.seq_of(id, hash)? else { return Ok(Vec::new()) };
        if self.lineage(seq)? == Lineage::Above {
            return Ok(Vec::new());
        }
        let (first, last) = self.transaction_around(seq)?;
        let mut rows = self.connection().prepare_cached(
            "SELECT r.id, l.hash FROM log l JOIN record r ON r.n = l.record WHERE l.seq BETWEEN ? AND ? ORDER BY l.seq",
        )?;
        let rows =
            rows.query_map(params![first as i64, last as i64], |r| Ok((RecordId(r.get(0)?), ChangeHash(r.get(1)?))))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn seq_of(&self, id: &RecordId, hash: &ChangeHash) -> Result<Option<u64>> {
        let mut seq = self
            .connection()
            .prepare_cached("SELECT seq FROM log WHERE record = (SELECT n FROM record WHERE id = ?) AND hash = ?")?;
        let seq = seq.query_row(params![id.as_bytes(), hash.as_bytes()], |r| r.get::<_, i64>(0)).optional()?;
        Ok(seq.map(|seq| seq as u64))
    }

    fn transaction_around(&self, seq: u64) -> Result<(u64, u64)> {
        let end = |sql: &str| -> Result<Option<u64>> {
            let mut end = self.connection().prepare_cached(sql)?;
            Ok(end.query_row([seq as i64], |r| r.get::<_, i64>(0)).optional()?.map(|seq| seq as u64))
        };
        let before = end("SELECT seq FROM log WHERE seq < ? AND flags & 1 ORDER BY seq DESC LIMIT 1")?;
        let last = end("SELECT seq FROM log WHERE seq >= ? AND flags & 1 ORDER BY seq LIMIT 1")?;
        Ok((before.map_or(1, |seq| seq + 1), last.unwrap_or(seq)))
    }

    fn lineage(&self, seq: u64) -> Result<Lineage> {
        Ok(lineage(self.connection(), seq)?.unwrap_or(match self.origin {
            Origin::Local => Lineage::Here,
            Origin::Upstream => Lineage::Above,
            Origin::Downstream(device) => Lineage::Below(device),
        }))
    }

    /// A record leaves this replica's scopes: out of lists and search at once, and out of the folder as soon as what was
    /// typed here has been delivered and nobody below holds it any more.
    pub(crate) fn leave(&mut self, id: &RecordId) -> Result<()> {
        // What the same batch brought of it is written first: it would be forgotten with the record.
        self.project()?;
        let Some(row) = record::read_row(self.connection(), id)? else { return Ok(()) };
        self.mark_dirty();
        let serves = self.store.duties.serves;
        if !serves && (canary!("purge_before_delivery") || !link_rows::outbox_has(self.connection(), id)?) {
            mark!("purged");
            return self.purge(id);
        }
        if serves {
            let seq = self.advance();
            for held in scope::stored(self.connection(), row.n)? {
                scope::log(self.connection(), held, seq, row.n, 2)?;
            }
        }
        self.hide(id, &row)
    }

    /// Whoever holds one of these scopes and may not hold the record hears once more that it has left.
    pub(crate) fn leave_again(&mut self, id: &RecordId, held: &BTreeSet<u64>) -> Result<()> {
        let Some(row) = record::read_row(self.connection(), id)? else { return Ok(()) };
        mark!("left_again");
        let seq = self.advance();
        held.iter().try_for_each(|scope| scope::log(self.connection(), *scope as i64, seq, row.n, 2))
    }

    /// A hidden record is wanted here again: it shows, and goes down again, as it stands.
    pub(crate) fn come_back(&mut self, id: &RecordId) -> Result<()> {
        mark!("came_back");
        self.project()?;
        self.connection()
            .prepare_cached("UPDATE record SET flags = flags & ~? WHERE id = ?")?
            .execute(params![flag::AWAY, id.as_bytes()])?;
        self.forget(id);
        self.show_anew(id)
    }

    /// Projects a record as it stands, for what it shows has changed without it.
    pub(super) fn show_anew(&mut self, id: &RecordId) -> Result<()> {
        let Some(state) = self.state(id)?.cloned() else { return Ok(()) };
        self.replace(id, state).map(|_| ())
    }

    /// Forgets hidden records whose edits were delivered and that no downstream can still hold: all of them have
    /// confirmed the log up to `confirmed`. Their ids stay, for a folder that was copied or put back may come with them.
    pub(crate) fn sweep_hidden(&mut self, confirmed: u64) -> Result<u64> {
        let hidden = {
            // Of what was retracted altogether nothing stays that could be forgotten.
            let mut rows = self.connection().prepare_cached(
                "SELECT id, n FROM record WHERE flags & ?1 AND flags <> 0 AND flags < ?2 AND heads <> x''",
            )?;
            rows.query_map([flag::HIDDEN, flag::FORGOTTEN], |r| Ok((RecordId(r.get(0)?), r.get::<_, i64>(1)?)))?
                .collect::<rusqlite::Result<Vec<_>>>()?
        };
        let mut swept = 0;
        for (id, n) in hidden {
            let left: Option<i64> = self
                .connection()
                .prepare_cached("SELECT max(seq) FROM scope_log WHERE record = ? AND kind IN (2, 3)")?
                .query_row([n], |r| r.get(0))
                .optional()?
                .flatten();
            if left.unwrap_or(0) as u64 <= confirmed && !link_rows::outbox_has(self.connection(), &id)? {
                mark!("hidden_swept");
                self.blank(n)?;
                self.connection()
                    .prepare_cached("UPDATE record SET heads = x'', flags = ? WHERE n = ?")?
                    .execute(params![flag::AWAY, n])?;
                self.mark_dirty();
                self.forget(&id);
                swept += 1;
            }
        }
        Ok(swept)
    }

    /// Removes a record from the folder. Its log rows keep their place.
    pub(crate) fn purge(&mut self, id: &RecordId) -> Result<()> {
        let Some(row) = record::read_row(self.connection(), id)? else { return Ok(()) };
        self.unproject(row.n, row.collection)?;
        self.blank(row.n)?;
        let conn = self.connection();
        conn.prepare_cached("DELETE FROM record_scope WHERE record = ?")?.execute([row.n])?;
        conn.prepare_cached("DELETE FROM record WHERE n = ?")?.execute([row.n])?;
        // What the scope log says of this number must never be read as another record's.
        if row.n == self.tail.record_n {
            meta::set_integer(conn, meta::key::RECORD_N, row.n)?;
        }
        self.mark_dirty();
        self.forget(id);
        Ok(())
    }

    fn blank(&self, n: i64) -> Result<()> {
        let conn = self.connection();
        conn.prepare_cached("DELETE FROM outbox WHERE seq IN (SELECT seq FROM log WHERE record = ?)")?.execute([n])?;
        conn.prepare_cached("DELETE FROM pack WHERE record = ?")?.execute([n])?;
        conn.prepare_cached("UPDATE log SET record = 0, actor = 0, aseq = seq, raw = x'' WHERE record = ?")?
            .execute([n])?;
        Ok(())
    }

    fn hide(&mut self, id: &RecordId, row: &RecordRow) -> Result<()> {
        self.connection().prepare_cached("DELETE FROM record_scope WHERE record = ?")?.execute([row.n])?;
        self.unproject(row.n, row.collection)?;
        self.connection()
            .prepare_cached("UPDATE record SET flags = flags | ? WHERE n = ?")?
            .execute(params![flag::HIDDEN, row.n])?;
        self.forget(id);
        Ok(())
    }

    fn keep_only(&mut self, id: &RecordId, stay: &[Vetted], gone: &[Vetted]) -> Result<()> {
        let Some(row) = record::read_row(self.connection(), id)? else { return Ok(()) };
        let serves = self.store.duties.serves;
        if stay.is_empty() && !serves {
            return self.purge(id);
        }
        if stay.is_empty() {
            let seq = self.advance();
            self.tell_retraction(row.n, seq)?;
            self.blank(row.n)?;
            // Nothing of it is archived, marked or in conflict any more, either.
            self.connection()
                .prepare_cached("UPDATE record SET heads = x'', flags = 0 WHERE n = ?")?
                .execute([row.n])?;
            return self.hide(id, &row);
        }
        pack::unpack(self.connection(), row.n)?;
        for change in gone {
            let Some(seq) = self.seq_of(id, &change.hash())? else { continue };
            let conn = self.connection();
            conn.prepare_cached("DELETE FROM outbox WHERE seq = ?")?.execute([seq as i64])?;
            conn.prepare_cached("UPDATE log SET record = 0, actor = 0, aseq = seq, raw = x'' WHERE seq = ?")?
                .execute([seq as i64])?;
        }
        let mut state = State::new(*id);
        for change in stay {
            state.apply(change)?;
        }
        let seq = self.replace(id, state)?;
        self.project()?;
        if serves { self.tell_retraction(row.n, seq) } else { Ok(()) }
    }

    // Whoever holds the record is told to hold no more of it than is here now.
    fn tell_retraction(&self, n: i64, seq: u64) -> Result<()> {
        let conn = self.connection();
        for held in scope::stored(conn, n)?.into_iter().chain([WORKSPACE as i64]) {
            scope::log(conn, held, seq, n, 3)?;
        }
        Ok(())
    }

    // Projects a record anew, under a sequence of its own.
    fn replace(&mut self, id: &RecordId, state: State) -> Result<u64> {
        let seq = self.advance();
        let Some(at) = self.look(id)? else { return Ok(seq) };
        if let Some(touched) = self.touched.get_mut(at) {
            touched.body = Body::Folded(Box::new(state));
            touched.fields = Changed::All;
            touched.seqs.push(seq);
        }
        Ok(seq)
    }

    fn unproject(&mut self, n: i64, collection: i64) -> Result<()> {
        let name = record::collection_name(self.connection(), collection)?;
        let model = self.model();
        if let Some(table) = model.layout.table(&name) {
            super::projection::row::delete(self.connection(), table, n)?;
        }
        self.connection().prepare_cached("DELETE FROM search WHERE rowid = ?")?.execute([n])?;
        self.note_collection(name);
        Ok(())
    }
}

/// Whether, behind a sequence, something of this record waits for the upstream that has come from there once.
pub(crate) fn is_offered_behind(conn: &Connection, record: &RecordId, seq: u64) -> Result<bool> {
    let mut waiting = conn.prepare_cached(
        "SELECT l.seq FROM log l CROSS JOIN outbox o ON o.seq = l.seq
         WHERE l.record = (SELECT n FROM record WHERE id = ?) AND l.seq > ?",
    )?;
    let mut waiting = waiting.query(params![record.as_bytes(), seq as i64])?;
    while let Some(row) = waiting.next()? {
        if lineage(conn, row.get::<_, i64>(0)? as u64)? == Some(Lineage::Above) {
            return Ok(true);
        }
    }
    Ok(false)
}

// From where a log row came; none while its commit goes on.
fn lineage(conn: &Connection, seq: u64) -> Result<Option<Lineage>> {
    let mut commit =
        conn.prepare_cached("SELECT origin FROM log_commit WHERE last_seq >= ? ORDER BY last_seq LIMIT 1")?;
    let origin: Option<Option<Vec<u8>>> = commit.query_row([seq as i64], |r| r.get(0)).optional()?;
    let Some(origin) = origin else { return Ok(None) };
    let Some(origin) = origin else { return Ok(Some(Lineage::Here)) };
    let upstream = meta::device(conn, meta::key::UPSTREAM_DEVICE)?;
    Ok(Some(match DeviceId::from_slice(&origin) {
        Some(device) if Some(device) != upstream => Lineage::Below(device),
        _ => Lineage::Above,
    }))
}
