//! One transaction: changes go into the log, the records they touch are projected, and everything commits together.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, ErrorCode, params};
use sha2::{Digest, Sha256};

use super::cache::{Cache, RECORDS_MAX, RecordRow, Tail};
use super::{Model, Origin, Store, View, actor, flag, meta, record};
use crate::document::{State, Vetted};
use crate::error::{Error, Result};
use crate::id::{ChangeHash, RecordId};
use crate::limits::{TX_BYTES_MAX, TX_CHANGES_MAX};
use crate::schema::{Collection, Name, Schema};
use crate::time::Millis;
use crate::wire::codec::Binding;

/// What became of a change that was offered to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is in the log under this sequence.
    Logged(u64),
    /// The log already had it.
    Known,
    /// The log has another change of the same record, actor and number: a clone or a restored folder wrote it.
    Fork,
}

/// A commit that is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The last sequence of the log before it.
    pub begun_at: u64,
    /// The last sequence of the log.
    pub last_seq: u64,
    /// The rolling hash of the log there.
    pub rolling: [u8; 8],
    /// The collections of the records that were touched; empty where nothing was written.
    pub collections: BTreeSet<Name>,
}

/// One open transaction; dropped without [`Writer::finish`], nothing of it stays.
pub struct Writer<'s> {
    pub(super) store: &'s mut Store,
    pub(super) origin: Origin,
    now: Millis,
    begun_at: Tail,
    pub(super) tail: Tail,
    pub(super) touched: Vec<Touched>,
    index: HashMap<RecordId, usize>,
    // The record that was looked for last and is not held: whoever looks mostly goes on to make it.
    missing: Option<RecordId>,
    pub(super) collections: BTreeSet<Name>,
    changes: usize,
    bytes: usize,
    // The last change, where its transaction goes on, and changes that turned out to be the last of theirs.
    open: Option<u64>,
    last_of_tx: Vec<u64>,
    // Records of which rows went: what was read of them before must not be remembered.
    forgotten: HashSet<RecordId>,
    pub(super) dirty: bool,
    ended: bool,
}

/// A record that the transaction has looked at.
pub(super) struct Touched {
    pub(super) id: RecordId,
    pub(super) collection: Arc<Collection>,
    pub(super) row: RecordRow,
    /// Whether the record has no row in the database yet.
    pub(super) is_new: bool,
    pub(super) body: Body,
    pub(super) fields: Changed,
    /// Log rows of the record that are not projected yet.
    pub(super) seqs: Vec<u64>,
    /// The log row of a creation, as long as it waits to be written with the record's other rows.
    pub(super) unlogged: Option<LogRow>,
}

/// What a log row says beside the change itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogRow {
    pub(super) seq: u64,
    pub(super) actor: i64,
    pub(super) tx_end: bool,
}

pub(super) enum Body {
    /// Not read.
    Unread,
    /// Its only change: flat, and projected without folding a state.
    Creation(Vetted),
    /// Folded.
    Folded(Box<State>),
}

/// Which columns of the projection row are out of date.
pub(super) enum Changed {
    All,
    Fields(HashSet<Name>),
}

/// A record as it stands inside a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its collection.
    pub collection: Name,
    /// Its heads.
    pub heads: Vec<ChangeHash>,
    /// Whether it has left this replica's scopes.
    pub hidden: bool,
}

impl<'s> Writer<'s> {
    pub(super) fn begin(store: &'s mut Store, origin: Origin, now: Millis) -> Result<Self> {
        store.conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        // From here on, dropping the writer rolls back.
        let tail = Tail { seq: 0, rolling: [0; 8], record_n: 0 };
        let mut writer = Self {
            store,
            origin,
            now,
            begun_at: tail,
            tail,
            touched: Vec::new(),
            index: HashMap::new(),
            missing: None,
            collections: BTreeSet::new(),
            changes: 0,
            bytes: 0,
            open: None,
            last_of_tx: Vec::new(),
            forgotten: HashSet::new(),
            dirty: false,
            ended: false,
        };
        let store = &mut *writer.store;
        store.cache.check(&store.conn)?;
        writer.tail = store.cache.tail(&store.conn)?;
        writer.begun_at = writer.tail;
        writer.refresh_schema()?;
        Ok(writer)
    }

    /// The connection of the transaction, for what other parts of this room write with it.
    pub(crate) fn connection(&self) -> &Connection {
        &self.store.conn
    }

    pub(super) fn parts(&mut self) -> (&Connection, &mut Cache) {
        (&self.store.conn, &mut self.store.cache)
    }

    /// The schema as this transaction sees it.
    pub fn schema(&self) -> Arc<Schema> {
        self.store.model.schema.clone()
    }

    /// The schema with its tables.
    pub(crate) fn model(&self) -> Arc<Model> {
        self.store.model.clone()
    }

    /// What can be asked, with what this transaction has written so far.
    pub(crate) fn view<T>(&mut self, work: impl FnOnce(&View<'_>) -> Result<T>) -> Result<T> {
        self.project()?;
        let model = self.store.model.clone();
        work(&View { conn: &self.store.conn, model: &model, memo: None })
    }

    /// When this transaction is said to happen.
    pub fn now(&self) -> Millis {
        self.now
    }

    /// The end of the log, with what this transaction has appended.
    pub fn log_end(&self) -> u64 {
        self.tail.seq
    }

    /// Says that rows beside the log were written, so that [`Writer::finish`] commits even without changes.
    pub(crate) fn mark_dirty(&mut self) {
        self.dirty = true;
    }

    /// A record as it stands, if it is held.
    pub fn held(&mut self, id: &RecordId) -> Result<Option<Held>> {
        let Some(at) = self.look(id)? else { return Ok(None) };
        Ok(self.touched.get(at).map(|t| Held {
            collection: t.collection.name.clone(),
            heads: t.heads(),
            hidden: t.row.flags & flag::HIDDEN != 0,
        }))
    }

    /// The folded record, if it is held.
    pub fn state(&mut self, id: &RecordId) -> Result<Option<&State>> {
        let Some(at) = self.look(id)? else { return Ok(None) };
        self.fold(at)?;
        Ok(self.touched.get(at).and_then(|t| match &t.body {
            Body::Folded(state) => Some(&**state),
            _ => None,
        }))
    }

    /// Stores the binding of an actor, whose signature the caller has checked.
    pub fn bind_actor(&mut self, binding: &Binding) -> Result<()> {
        self.dirty = true;
        let nameless = actor::bind(&self.store.conn, &mut self.store.cache, binding)?;
        // Mostly a binding comes before what was written under it; what shows no author yet is shown anew.
        let records = nameless.map(|n| actor::records(&self.store.conn, n)).transpose()?;
        records.unwrap_or_default().iter().try_for_each(|id| self.show_anew(id))
    }

    /// Puts a change at the end of the log. `tx_end` says that it is the last of its transaction, also where it is known
    /// already; the last change before [`Writer::finish`] always is.
    ///
    /// # Errors
    /// `record_other_collection` where the record is held in another collection; `transaction_too_large` for local
    /// changes beyond the bounds of a transaction.
    pub fn append(
        &mut self,
        id: RecordId,
        collection: &Arc<Collection>,
        change: &Vetted,
        tx_end: bool,
    ) -> Result<Appended> {
        let at = self.touch(id, collection)?;
        let actor = actor::ensure(&self.store.conn, &mut self.store.cache, change.actor())?.n;
        let row = LogRow { seq: self.tail.seq + 1, actor, tx_end };
        let foldable =
            self.touched.get(at).is_some_and(|t| t.is_new && matches!(t.body, Body::Unread)) && change.is_flat();
        if !foldable {
            self.fold(at)?;
        }
        let Some(touched) = self.touched.get_mut(at) else { return Ok(Appended::Known) };
        if foldable {
            // Nothing of a new record can stand in the way of its first row.
            touched.unlogged = Some(row);
        } else {
            let conn = &self.store.conn;
            let mut insert = conn.prepare_cached(INSERT_LOG)?;
            touched.log_creation(&mut insert)?;
            match log(&mut insert, touched.row.n, row, change) {
                Ok(()) => {}
                Err(failure) if failure.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                    // By number: a record that this transaction makes has no row yet that its id could be found by.
                    let hash: Vec<u8> = conn
                        .prepare_cached("SELECT hash FROM log WHERE record = ? AND actor = ? AND aseq = ?")?
                        .query_row(params![touched.row.n, actor, change.seq() as i64], |row| row.get(0))?;
                    let known = hash == change.hash().as_bytes();
                    mark!("known_change");
                    if tx_end {
                        self.last_of_tx.extend(self.open.take());
                    }
                    return Ok(if known { Appended::Known } else { Appended::Fork });
                }
                Err(failure) => return Err(failure.into()),
            }
        }
        touched.take(change, foldable)?;
        touched.seqs.push(row.seq);
        self.account(change, row.seq, tx_end)?;
        Ok(Appended::Logged(row.seq))
    }

    /// Commits. When this returns, everything appended is on disk.
    ///
    /// # Errors
    /// Whatever SQLite says; nothing of the transaction stays then.
    pub fn finish(mut self) -> Result<Committed> {
        self.project()?;
        self.last_of_tx.extend(self.open.take());
        for seq in &self.last_of_tx {
            let mut end = self.connection().prepare_cached("UPDATE log SET flags = flags | 1 WHERE seq = ?")?;
            end.execute([*seq as i64])?;
        }
        if self.tail.seq > self.begun_at.seq {
            let origin = match &self.origin {
                Origin::Local => None,
                Origin::Upstream => {
                    meta::bytes(self.connection(), meta::key::UPSTREAM_DEVICE)?.or_else(|| Some(Vec::new()))
                }
                Origin::Downstream(device) => Some(device.as_bytes().to_vec()),
            };
            self.connection()
                .prepare_cached("INSERT INTO log_commit (last_seq, rolling, at, origin) VALUES (?, ?, ?, ?)")?
                .execute(params![self.tail.seq as i64, &self.tail.rolling[..], self.now.0, origin])?;
        }
        let undone = canary!("acknowledge_before_durable") && matches!(self.origin, Origin::Downstream(_));
        let end = if self.dirty && !undone { "COMMIT" } else { "ROLLBACK" };
        let done = self.connection().prepare_cached(end)?.execute([]);
        if !canary!("ignore_a_failed_commit") {
            done?;
        }
        self.ended = true;
        self.remember();
        Ok(Committed {
            begun_at: self.begun_at.seq,
            last_seq: self.tail.seq,
            rolling: self.tail.rolling,
            collections: std::mem::take(&mut self.collections),
        })
    }

    /// Nothing that this transaction remembers of a record holds any longer. What it had appended must stand in the
    /// record's rows by now ([`Writer::project`]), or go with them.
    pub(super) fn forget(&mut self, id: &RecordId) {
        self.missing = None;
        if let Some(touched) = self.index.remove(id).and_then(|at| self.touched.get_mut(at)) {
            touched.seqs.clear();
            touched.unlogged = None;
            touched.body = Body::Unread;
            self.store.cache.states.pop(&touched.row.n);
        }
        self.store.cache.records.pop(id);
        self.forgotten.insert(*id);
    }

    /// Gives the log a sequence that no change stands under, for what a scope log must say without one.
    pub(crate) fn advance(&mut self) -> u64 {
        self.dirty = true;
        self.tail.seq += 1;
        self.tail.seq
    }

    fn account(&mut self, change: &Vetted, seq: u64, tx_end: bool) -> Result<()> {
        self.changes += 1;
        self.bytes += change.raw().len();
        if self.origin == Origin::Local && (self.changes > TX_CHANGES_MAX || self.bytes > TX_BYTES_MAX) {
            return Err(Error::limit("transaction-too-large").with("limit", TX_CHANGES_MAX));
        }
        self.tail.seq = seq;
        if !canary!("forget_rolling_hash") {
            self.tail.rolling = roll(self.tail.rolling, &change.hash());
        }
        self.open = (!tx_end).then_some(seq);
        self.dirty = true;
        if self.store.duties.has_upstream
            && self.origin != Origin::Upstream
            && !(canary!("edits_without_outbox") && change.seq() > 2)
        {
            self.connection().prepare_cached("INSERT INTO outbox (seq) VALUES (?)")?.execute([seq as i64])?;
        }
        Ok(())
    }

    /// The place of a held record among the touched ones.
    pub(super) fn look(&mut self, id: &RecordId) -> Result<Option<usize>> {
        if let Some(at) = self.index.get(id) {
            return Ok(Some(*at));
        }
        if self.missing == Some(*id) {
            return Ok(None);
        }
        let store = &mut *self.store;
        let Some(row) = record::row(&store.conn, &mut store.cache, id)? else {
            self.missing = Some(*id);
            return Ok(None);
        };
        let name = match store.cache.collection_names.get(&row.collection) {
            Some(name) => name.clone(),
            None => {
                let name = record::collection_name(&store.conn, row.collection)?;
                store.cache.collection_names.insert(row.collection, name.clone());
                name
            }
        };
        let collection = match store.model.schema.held(&name) {
            Some(collection) => collection.clone(),
            None => Arc::new(Collection::unknown(name)),
        };
        let fields = Changed::Fields(HashSet::new());
        Ok(Some(self.remember_touched(Touched::new(*id, collection, row, false, fields))))
    }

    /// The place of a record among the touched ones; a new one is numbered.
    fn touch(&mut self, id: RecordId, collection: &Arc<Collection>) -> Result<usize> {
        if let Some(at) = self.look(&id)? {
            let held = self.touched.get(at).map(|t| t.collection.name.clone());
            if held.as_ref() != Some(&collection.name) {
                return Err(Error::invalid("record-other-collection")
                    .with("record", id.to_string())
                    .with("collection", &*collection.name));
            }
            return Ok(at);
        }
        let store = &mut *self.store;
        let collection_n = record::collection_n(&store.conn, &mut store.cache, &collection.name)?;
        self.tail.record_n += 1;
        let row = RecordRow { n: self.tail.record_n, collection: collection_n, heads: Vec::new(), flags: 0 };
        Ok(self.remember_touched(Touched::new(id, collection.clone(), row, true, Changed::All)))
    }

    fn remember_touched(&mut self, touched: Touched) -> usize {
        self.index.insert(touched.id, self.touched.len());
        self.touched.push(touched);
        self.touched.len() - 1
    }

    fn fold(&mut self, at: usize) -> Result<()> {
        let store = &mut *self.store;
        let Some(touched) = self.touched.get_mut(at) else { return Ok(()) };
        let state = match &touched.body {
            Body::Folded(_) => return Ok(()),
            Body::Creation(creation) => {
                let mut state = State::new(touched.id);
                state.apply(creation)?;
                state
            }
            Body::Unread if touched.is_new => State::new(touched.id),
            Body::Unread => match store.cache.states.pop(&touched.row.n) {
                Some(state) if state.heads() == touched.row.heads => state,
                _ => record::fold(&store.conn, touched.id, touched.row.n, &touched.row.heads)?,
            },
        };
        touched.body = Body::Folded(Box::new(state));
        Ok(())
    }

    fn remember(&mut self) {
        let cache = &mut self.store.cache;
        cache.tail = Some(self.tail);
        // What does not fit would only push out what is asked for often.
        let fits = self.touched.len() <= RECORDS_MAX.get() / 4;
        for touched in self.touched.drain(..) {
            if let Body::Folded(state) = touched.body {
                cache.states.put(touched.row.n, *state);
            }
            if self.forgotten.contains(&touched.id) {
                // Looked at again after it was forgotten: what was read then is older than this commit.
                cache.records.pop(&touched.id);
            } else if !touched.is_new && (fits || cache.records.contains(&touched.id)) {
                cache.records.put(touched.id, touched.row);
            }
        }
    }

    pub(super) fn note_collection(&mut self, name: Name) {
        self.collections.insert(name);
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        if !self.ended {
            // If even this fails, SQLite has rolled back by itself or does so at the next open.
            let _ = self.store.conn.execute_batch("ROLLBACK");
            self.store.cache.clear();
        }
    }
}

/// Writes a log row.
pub(super) const INSERT_LOG: &str =
    "INSERT INTO log (seq, record, actor, aseq, flags, hash, raw) VALUES (?, ?, ?, ?, ?, ?, ?)";

fn log(insert: &mut CachedStatement<'_>, record: i64, row: LogRow, change: &Vetted) -> rusqlite::Result<()> {
    let (aseq, flags, hash) = (change.seq() as i64, i64::from(row.tx_end), change.hash());
    let cells = params![row.seq as i64, record, row.actor, aseq, flags, hash.as_bytes(), change.raw()];
    insert.execute(cells).map(|_| ())
}

impl Touched {
    fn new(id: RecordId, collection: Arc<Collection>, row: RecordRow, is_new: bool, fields: Changed) -> Self {
        Self { id, collection, row, is_new, body: Body::Unread, fields, seqs: Vec::new(), unlogged: None }
    }

    /// Writes the log row of a creation that waits for it. `insert` is [`INSERT_LOG`].
    pub(super) fn log_creation(&mut self, insert: &mut CachedStatement<'_>) -> Result<()> {
        let Some(row) = self.unlogged.take() else { return Ok(()) };
        match &self.body {
            Body::Creation(change) => log(insert, self.row.n, row, change)?,
            Body::Folded(state) => {
                if let Some(change) = state.changes().first() {
                    log(insert, self.row.n, row, change)?;
                }
            }
            Body::Unread => {}
        }
        Ok(())
    }

    pub(super) fn heads(&self) -> Vec<ChangeHash> {
        match &self.body {
            Body::Unread => self.row.heads.clone(),
            Body::Creation(change) => vec![change.hash()],
            Body::Folded(state) => state.heads().to_vec(),
        }
    }

    fn take(&mut self, change: &Vetted, as_creation: bool) -> Result<()> {
        if as_creation {
            self.body = Body::Creation(change.clone());
            return Ok(());
        }
        if let Body::Folded(state) = &mut self.body {
            state.apply(change)?;
        }
        if let Changed::Fields(fields) = &mut self.fields {
            match change.touched_fields() {
                Some(_) if canary!("project_nothing") => {}
                Some(changed) => fields.extend(changed),
                None => self.fields = Changed::All,
            }
        }
        Ok(())
    }
}

/// The rolling hash of the log after one more change.
pub(super) fn roll(rolling: [u8; 8], hash: &ChangeHash) -> [u8; 8] {
    let digest = Sha256::new().chain_update(rolling).chain_update(hash.as_bytes()).finalize();
    let mut rolled = [0; 8];
    rolled.copy_from_slice(&digest[..8]);
    rolled
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::document::{Author, create};
    use crate::id::{ActorId, DeviceId};
    use crate::schema::{Field, FieldType, Labels, Value, Winner};
    use crate::store::{Duties, Home, create as create_database};

    fn store(dir: &std::path::Path) -> Store {
        let home = Home::plain(dir);
        let conn = create_database(&home, |_| Ok(())).unwrap();
        let duties = Duties { serves: true, has_upstream: false };
        let name = Field {
            name: "name".into(),
            ty: FieldType::Text,
            labels: Labels::default(),
            required: false,
            indexed: true,
            searchable: true,
            winner: Winner::Latest,
            placing: false,
        };
        let accounts = Collection { fields: vec![name].into(), ..Collection::unknown("account".into()) };
        let schema = Arc::new(Schema::new([accounts]));
        Store::start(conn, &home, schema, duties, Millis(0)).unwrap()
    }

    fn named(writer: &Writer<'_>, id: RecordId, seed: u8) -> Vetted {
        let author = Author { actor: ActorId([seed; 8]), now: Millis(1) };
        let values = [("name".into(), Value::Text("Acme".into()))];
        create(id, &writer.collection("account"), &values, None, &author).unwrap()
    }

    #[test]
    fn a_creation_that_comes_twice_in_one_transaction_is_logged_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = store(dir.path());
        let mut writer = store.begin(Origin::Upstream, Millis(1)).unwrap();
        let (collection, id) = (writer.collection("account"), RecordId([7; 16]));
        let change = named(&writer, id, 1);
        let offered = [(); 2].map(|()| writer.append(id, &collection, &change, true).unwrap());
        assert_eq!(offered, [Appended::Logged(1), Appended::Known]);
        assert_eq!(writer.finish().unwrap().last_seq, 1);
        let logged: i64 = store.conn.query_row("SELECT count(*) FROM log", [], |row| row.get(0)).unwrap();
        assert_eq!(logged, 1);
    }

    #[test]
    fn a_transaction_ends_with_its_last_change_that_was_not_held_and_with_its_commit() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = store(dir.path());
        let below = Origin::Downstream(DeviceId([5; 8]));
        let ids = [1, 2, 3, 4].map(|n| RecordId([n; 16]));
        let mut writer = store.begin(below, Millis(1)).unwrap();
        let collection = writer.collection("account");
        let changes = ids.map(|id| named(&writer, id, id.0[0]));
        writer.append(ids[1], &collection, &changes[1], true).unwrap();
        writer.finish().unwrap();
        // The second of a pair is held already, and of the last pair only the first comes at all.
        let mut writer = store.begin(below, Millis(1)).unwrap();
        writer.append(ids[0], &collection, &changes[0], false).unwrap();
        assert_eq!(writer.append(ids[1], &collection, &changes[1], true).unwrap(), Appended::Known);
        writer.append(ids[2], &collection, &changes[2], false).unwrap();
        writer.advance();
        writer.finish().unwrap();
        let mut writer = store.begin(below, Millis(1)).unwrap();
        writer.append(ids[3], &collection, &changes[3], true).unwrap();
        writer.finish().unwrap();
        let gone: Vec<Vec<RecordId>> = [0, 2, 3]
            .map(|n| {
                let mut writer = store.begin(Origin::Local, Millis(2)).unwrap();
                let removed = writer.retract(&[(ids[n], changes[n].hash())]).unwrap();
                removed.iter().map(|one| one.record).collect()
            })
            .into();
        assert_eq!(gone, [vec![ids[0]], vec![ids[2]], vec![ids[3]]]);
    }
}
