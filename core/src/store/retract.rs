//! Taking things out again: refused changes, retracted ones, records that left this replica's scopes.
//!
//! A log row that goes leaves its sequence and hash behind (record 0, no bytes), so that the rolling hash, and with it
//! every position below, stays true. What a person typed never goes this way without standing in quarantine first.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use rusqlite::{OptionalExtension, params};

use super::link_rows::{self, RefusedRow};
use super::writer::{Body, Changed, Writer};
use super::{flag, record, scope};
use crate::document::{State, Vetted};
use crate::error::Result;
use crate::id::{ChangeHash, RecordId};
use crate::schema::Collection;
use crate::time::Millis;

/// What went with retracted changes.
#[derive(Default)]
pub(crate) struct Retracted {
    /// Changes that descended from them, in causal order.
    pub(crate) descendants: Vec<Vetted>,
    /// The root keys that the named changes wrote.
    pub(crate) keys: HashSet<String>,
    /// Whether anything of the record is left.
    pub(crate) stays: bool,
}

fn keys_of(change: &Vetted) -> Vec<String> {
    change.ops().map(|op| op.key.to_owned()).collect()
}

impl Writer<'_> {
    /// The collection of this name, as far as this program knows it.
    pub(crate) fn collection(&self, name: &str) -> Arc<Collection> {
        match self.model().schema.collection(name) {
            Some(collection) => collection.clone(),
            None => Arc::new(Collection::unknown(name.into())),
        }
    }

    /// Takes changes and all that descends from them out of a record. A record of which nothing stays is gone.
    pub(crate) fn retract(&mut self, id: &RecordId, gone: &[ChangeHash]) -> Result<Retracted> {
        let Some(state) = self.state(id)? else { return Ok(Retracted::default()) };
        let mut out: HashSet<ChangeHash> = gone.iter().copied().collect();
        let keys = gone.iter().filter_map(|hash| state.change(hash)).flat_map(keys_of).collect();
        let (mut stay, mut descendants) = (Vec::new(), Vec::new());
        // Changes stand in causal order, so one walk finds every descendant.
        for change in state.changes() {
            let descends = change.deps().iter().any(|dep| out.contains(dep));
            if out.contains(&change.hash()) {
                continue;
            }
            if descends {
                out.insert(change.hash());
                descendants.push(change.clone());
            } else {
                stay.push(change.clone());
            }
        }
        self.keep_only(id, &stay, &out)?;
        Ok(Retracted { descendants, keys, stays: !stay.is_empty() })
    }

    /// Keeps of a record only what leads to these heads; own changes beyond them, not yet acknowledged or refused, go to
    /// quarantine.
    pub(crate) fn reset(&mut self, id: &RecordId, heads: &[ChangeHash], now: Millis) -> Result<()> {
        let Some(state) = self.state(id)? else { return Ok(()) };
        let mut wanted: BTreeSet<ChangeHash> = heads.iter().copied().collect();
        let (mut stay, mut beyond) = (Vec::new(), Vec::new());
        for change in state.changes().iter().rev() {
            if wanted.remove(&change.hash()) {
                wanted.extend(change.deps().iter().copied());
                stay.push(change.clone());
            } else {
                beyond.push(change.clone());
            }
        }
        stay.reverse();
        let collection = self.held(id)?.map(|held| held.collection.to_string()).unwrap_or_default();
        for change in &beyond {
            link_rows::quarantine(
                self.connection(),
                &RefusedRow {
                    record: *id,
                    collection: collection.clone(),
                    hash: change.hash(),
                    actor: change.actor(),
                    raw: change.raw().to_vec(),
                    tx: 0,
                    code: "retracted".to_owned(),
                    detail: String::new(),
                    at: now,
                },
            )?;
        }
        self.keep_only(id, &stay, &beyond.iter().map(Vetted::hash).collect())
    }

    /// A record leaves this replica's scopes: out of lists and search at once, and out of the folder as soon as what was
    /// typed here has been delivered and nobody below holds it any more.
    pub(crate) fn leave(&mut self, id: &RecordId) -> Result<()> {
        let Some(row) = record::read_row(self.connection(), id)? else { return Ok(()) };
        self.mark_dirty();
        let serves = self.store.duties.serves;
        if !serves && !link_rows::outbox_has(self.connection(), id)? {
            return self.purge(id);
        }
        if serves {
            let seq = self.advance();
            for held in scope::stored(self.connection(), row.n)? {
                scope::log(self.connection(), held, seq, row.n, 2)?;
            }
            self.connection().prepare_cached("DELETE FROM record_scope WHERE record = ?")?.execute([row.n])?;
        }
        self.unproject(row.n, row.collection)?;
        self.connection()
            .prepare_cached("UPDATE record SET flags = flags | ? WHERE n = ?")?
            .execute(params![flag::HIDDEN, row.n])?;
        self.forget(id);
        Ok(())
    }

    /// A hidden record is wanted here again: it shows, and goes down again, as it stands.
    pub(crate) fn come_back(&mut self, id: &RecordId) -> Result<()> {
        self.connection()
            .prepare_cached("UPDATE record SET flags = flags & ~? WHERE id = ?")?
            .execute(params![flag::HIDDEN, id.as_bytes()])?;
        self.forget(id);
        self.renew(id)
    }

    /// Removes hidden records whose edits were delivered and that no downstream can still hold: all of them have
    /// confirmed the log up to `confirmed`.
    pub(crate) fn sweep_hidden(&mut self, confirmed: u64) -> Result<u64> {
        let hidden = {
            let mut rows =
                self.connection().prepare_cached("SELECT id, n FROM record WHERE flags & ? AND flags <> 0")?;
            rows.query_map([flag::HIDDEN], |r| Ok((RecordId(r.get(0)?), r.get::<_, i64>(1)?)))?
                .collect::<rusqlite::Result<Vec<_>>>()?
        };
        let mut swept = 0;
        for (id, n) in hidden {
            let left: Option<i64> = self
                .connection()
                .prepare_cached("SELECT max(seq) FROM scope_log WHERE record = ? AND kind = 2")?
                .query_row([n], |r| r.get(0))
                .optional()?
                .flatten();
            if left.unwrap_or(0) as u64 <= confirmed && !link_rows::outbox_has(self.connection(), &id)? {
                self.purge(&id)?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    /// Removes a record from the folder. Its log rows keep their place.
    pub(crate) fn purge(&mut self, id: &RecordId) -> Result<()> {
        let Some(row) = record::read_row(self.connection(), id)? else { return Ok(()) };
        self.unproject(row.n, row.collection)?;
        let conn = self.connection();
        conn.prepare_cached("DELETE FROM outbox WHERE seq IN (SELECT seq FROM log WHERE record = ?)")?
            .execute([row.n])?;
        conn.prepare_cached(BLANK_RECORD)?.execute([row.n])?;
        conn.prepare_cached("DELETE FROM record_scope WHERE record = ?")?.execute([row.n])?;
        conn.prepare_cached("DELETE FROM record WHERE n = ?")?.execute([row.n])?;
        self.mark_dirty();
        self.forget(id);
        Ok(())
    }

    fn keep_only(&mut self, id: &RecordId, stay: &[Vetted], gone: &HashSet<ChangeHash>) -> Result<()> {
        if stay.is_empty() {
            return self.purge(id);
        }
        let Some(row) = record::read_row(self.connection(), id)? else { return Ok(()) };
        for hash in gone {
            let conn = self.connection();
            let seq: Option<i64> = conn
                .prepare_cached("SELECT seq FROM log WHERE record = ? AND hash = ?")?
                .query_row(params![row.n, hash.as_bytes()], |r| r.get(0))
                .optional()?;
            let Some(seq) = seq else { continue };
            conn.prepare_cached("DELETE FROM outbox WHERE seq = ?")?.execute([seq])?;
            conn.prepare_cached(BLANK_CHANGE)?.execute([seq])?;
        }
        let mut state = State::new(*id);
        for change in stay {
            state.apply(change)?;
        }
        self.replace(id, state)
    }

    // Projects a record anew from its changes.
    fn renew(&mut self, id: &RecordId) -> Result<()> {
        let Some(state) = self.state(id)?.cloned() else { return Ok(()) };
        self.replace(id, state)
    }

    fn replace(&mut self, id: &RecordId, state: State) -> Result<()> {
        let seq = self.advance();
        let Some(at) = self.look(id)? else { return Ok(()) };
        if let Some(touched) = self.touched.get_mut(at) {
            touched.body = Body::Folded(Box::new(state));
            touched.fields = Changed::All;
            touched.seqs.push(seq);
        }
        Ok(())
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

const BLANK_RECORD: &str = "UPDATE log SET record = 0, actor = 0, aseq = seq, raw = x'' WHERE record = ?";
const BLANK_CHANGE: &str = "UPDATE log SET record = 0, actor = 0, aseq = seq, raw = x'' WHERE seq = ?";
