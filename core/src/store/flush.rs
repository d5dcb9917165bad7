//! Brings the rows of touched records up to date inside a transaction: projection, search, scopes, heads and flags.

use std::collections::HashSet;
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, params};

use super::cache::{Cache, RecordRow};
use super::custom::SCHEMA_COLLECTIONS;
use super::pack::{self, Grown};
use super::projection::layout::Table;
use super::projection::row::{self, Mark, Projected};
use super::projection::{ddl, layout};
use super::scope;
use super::writer::{Body, Changed, INSERT_LOG, Touched, Writer};
use super::{Model, actor, flag, meta, record};
use crate::access::Scope;
use crate::document::{self, State, Vetted};
use crate::error::Result;
use crate::id::RecordId;
use crate::schema::{Collection, Kind, Name, Value};

impl Writer<'_> {
    /// Projects what was appended so far, so that queries on this connection see it.
    pub(crate) fn project(&mut self) -> Result<()> {
        let schema_first = |t: &&mut Touched| SCHEMA_COLLECTIONS.contains(&&*t.collection.name);
        let mut touched = std::mem::take(&mut self.touched);
        let mut schema_changed = false;
        let of_schema = touched.iter_mut().filter(schema_first).filter(|record| !record.seqs.is_empty());
        for record in of_schema {
            schema_changed = true;
            self.project_each(std::slice::from_mut(record))?;
        }
        if schema_changed {
            let epoch = meta::integer(&self.store.conn, meta::key::SCHEMA_EPOCH)?.unwrap_or(0);
            meta::set_integer(&self.store.conn, meta::key::SCHEMA_EPOCH, epoch + 1)?;
            self.adopt_schema()?;
            for record in &mut touched {
                if let Some(known) = self.store.model.schema.collection(&record.collection.name) {
                    record.collection = known.clone();
                }
            }
        }
        self.project_each(&mut touched)?;
        self.touched = touched;
        Ok(())
    }

    /// Reads the schema again where another process changed it.
    pub(super) fn refresh_schema(&mut self) -> Result<()> {
        let epoch = meta::integer(&self.store.conn, meta::key::SCHEMA_EPOCH)?;
        if epoch.is_some_and(|epoch| epoch != self.store.model.epoch) {
            self.adopt_schema()?;
        }
        Ok(())
    }

    /// Takes over the schema that the built-in one and the records of this workspace make, and projects what it changes.
    pub(crate) fn adopt_schema(&mut self) -> Result<()> {
        let store = &mut *self.store;
        let epoch = match meta::integer(&store.conn, meta::key::SCHEMA_EPOCH)? {
            Some(epoch) => epoch,
            None => {
                meta::set_integer(&store.conn, meta::key::SCHEMA_EPOCH, 0)?;
                self.dirty = true;
                0
            }
        };
        // The tables that hold the schema's own records must exist before these are read.
        let builtin = Model::of(store.builtin.clone(), epoch);
        let mut stale = ddl::create_missing(&store.conn, &builtin.layout, &SCHEMA_COLLECTIONS)?;
        let model = Model::of(Arc::new(super::custom::schema(&store.conn, &builtin)?), epoch);
        stale.extend(ddl::ensure(&store.conn, &model.schema, &model.layout)?);
        store.model = Arc::new(model);
        if !stale.is_empty() {
            self.dirty = true;
        }
        for stale in stale {
            self.project_stale(&stale)?;
        }
        Ok(())
    }

    /// Projects the records whose table came into being or grew after they did.
    fn project_stale(&mut self, stale: &ddl::Stale) -> Result<()> {
        let model = self.store.model.clone();
        let (Some(collection), Some(table)) =
            (model.schema.collection(&stale.collection), model.layout.table(&stale.collection))
        else {
            return Ok(());
        };
        let conn = &self.store.conn;
        let collection_n = record::collection_n(conn, &mut self.store.cache, &stale.collection)?;
        for (n, id) in stale_records(conn, collection_n, stale.fields.as_deref())? {
            let state = State::rebuild(id, record::changes(conn, n)?)?;
            let projected = projected_of(conn, &mut self.store.cache, &state, collection)?;
            rewrite(conn, table, n, &id, projected)?;
            let flags = flags_of(&state, collection);
            conn.prepare_cached("UPDATE record SET flags = (flags & ?) | ? WHERE n = ?")?.execute(params![
                flag::AWAY,
                flags,
                n
            ])?;
        }
        Ok(())
    }

    fn project_each(&mut self, touched: &mut [Touched]) -> Result<()> {
        let store = &mut *self.store;
        let mut pen =
            Pen { conn: &store.conn, model: &store.model, serves: store.duties.serves, held: Held::default() };
        let mut last: Option<&Arc<Collection>> = None;
        for record in touched.iter_mut().filter(|record| !record.seqs.is_empty()) {
            let new = record.seqs.len();
            pen.project(&mut store.cache, record)?;
            if let Body::Folded(state) = &record.body {
                let (n, changes) = (record.row.n, state.changes().len());
                let collection = &*record.collection.name;
                pack::pack(&store.conn, &Grown { n, id: record.id, collection, changes, new })?;
            }
            if !last.is_some_and(|last| Arc::ptr_eq(last, &record.collection)) {
                self.collections.insert(record.collection.name.clone());
                last = Some(&record.collection);
            }
        }
        Ok(())
    }
}

/// Writes the rows of records beside the log, and the log row of a creation with them.
///
/// The statements that make new records stay at hand from one record to the next: fetching one and freeing its
/// parameters costs as much as a small insert.
struct Pen<'s> {
    conn: &'s Connection,
    model: &'s Model,
    serves: bool,
    held: Held<'s>,
}

#[derive(Default)]
struct Held<'s> {
    log: Option<CachedStatement<'s>>,
    record: Option<CachedStatement<'s>>,
    search: Option<CachedStatement<'s>>,
    /// With the table that it inserts into.
    row: Option<(&'s str, CachedStatement<'s>)>,
}

impl<'s> Pen<'s> {
    fn project(&mut self, cache: &mut Cache, touched: &mut Touched) -> Result<()> {
        let (conn, collection) = (self.conn, touched.collection.clone());
        // A hidden record has no rows beside the log until it comes back.
        let is_hidden = touched.row.flags & flag::HIDDEN != 0;
        let table = self.model.layout.table(&collection.name).filter(|_| !is_hidden);
        let seen = match &touched.body {
            Body::Creation(change) => seen_creation(conn, cache, touched.id, change, &collection)?,
            Body::Folded(state) => seen_state(conn, cache, state, &collection)?,
            Body::Unread => return Ok(()),
        };
        let Seen { projected, flags, scopes } = seen;
        let row = RecordRow {
            n: touched.row.n,
            collection: touched.row.collection,
            heads: touched.heads(),
            flags: touched.row.flags & flag::HIDDEN | flags,
        };
        if touched.is_new {
            if touched.unlogged.is_some() {
                touched.log_creation(statement(&mut self.held.log, conn, INSERT_LOG)?)?;
            }
            self.make(&row, touched.id, table, projected)?;
        } else {
            conn.prepare_cached("UPDATE record SET heads = ?, flags = ? WHERE n = ?")?.execute(params![
                record::heads_blob(&row.heads),
                row.flags,
                row.n
            ])?;
            if let Some(table) = table {
                renew(conn, table, &touched.fields, row.n, &touched.id, projected)?;
            }
        }
        if self.serves && !is_hidden {
            scope::record_scopes(conn, cache, row.n, touched.is_new, &scopes, &touched.seqs)?;
        }
        touched.row = row;
        touched.is_new = false;
        touched.seqs.clear();
        touched.fields = Changed::Fields(HashSet::new());
        Ok(())
    }

    fn make(&mut self, row: &RecordRow, id: RecordId, table: Option<&'s Arc<Table>>, shown: Projected) -> Result<()> {
        const INSERT: &str = "INSERT INTO record (n, id, collection, heads, flags) VALUES (?, ?, ?, ?, ?)";
        let heads = record::heads_blob(&row.heads);
        statement(&mut self.held.record, self.conn, INSERT)?.execute(params![
            row.n,
            id.as_bytes(),
            row.collection,
            heads,
            row.flags
        ])?;
        let Some(table) = table else { return Ok(()) };
        let text = row::search_text(table, &shown.values);
        if self.held.row.as_ref().is_none_or(|(name, _)| *name != table.name) {
            self.held.row = Some((&table.name, self.conn.prepare_cached(&table.insert_sql)?));
        }
        if let Some((_, insert)) = &mut self.held.row {
            row::insert(insert, self.conn, table, row.n, &id, shown)?;
        }
        if !text.is_empty() {
            statement(&mut self.held.search, self.conn, INSERT_SEARCH)?.execute(params![row.n, text])?;
        }
        Ok(())
    }
}

const INSERT_SEARCH: &str = "INSERT INTO search (rowid, text) VALUES (?, ?)";

/// The statement that is held, prepared at first use.
fn statement<'h, 's>(
    held: &'h mut Option<CachedStatement<'s>>,
    conn: &'s Connection,
    sql: &str,
) -> Result<&'h mut CachedStatement<'s>> {
    Ok(match held {
        Some(statement) => statement,
        None => held.insert(conn.prepare_cached(sql)?),
    })
}

/// Brings the row and the searched text of a record that has them up to date.
fn renew(conn: &Connection, table: &Table, changed: &Changed, n: i64, id: &RecordId, shown: Projected) -> Result<()> {
    let Changed::Fields(fields) = changed else { return rewrite(conn, table, n, id, shown) };
    let searched = fields.iter().any(|name| table.placed(name).is_some_and(|placed| placed.field.searchable));
    let text = (searched && !canary!("search_nothing_new")).then(|| row::search_text(table, &shown.values));
    row::update(conn, table, n, shown, fields)?;
    text.map_or(Ok(()), |text| index_text(conn, n, &text))
}

/// What a record looks like to everything beside the log.
struct Seen {
    projected: Projected,
    flags: i64,
    scopes: Vec<Scope>,
}

fn seen_creation(
    conn: &Connection,
    cache: &mut Cache,
    id: RecordId,
    change: &Vetted,
    collection: &Collection,
) -> Result<Seen> {
    // An unknown collection has no fields: only a state shows the scopes of its records.
    let known = !collection.fields.is_empty();
    let Some(values) = known.then(|| change.values(&id, collection)).flatten() else {
        let mut state = State::new(id);
        state.apply(change)?;
        return seen_state(conn, cache, &state, collection);
    };
    let place = scope::place(|field| {
        let value = collection.fields.place(field).and_then(|place| values.get(place));
        value.filter(|value| **value != Value::Null).into_iter().cloned().collect()
    });
    let scopes = place.scopes(collection.kind);
    let mark = Mark { at: change.time(), by: actor::ensure(conn, cache, change.actor())?.person };
    let projected = Projected { values, archived: false, merged_into: None, created: mark.clone(), updated: mark };
    Ok(Seen { projected, flags: 0, scopes })
}

fn seen_state(conn: &Connection, cache: &mut Cache, state: &State, collection: &Collection) -> Result<Seen> {
    Ok(Seen {
        projected: projected_of(conn, cache, state, collection)?,
        flags: flags_of(state, collection),
        scopes: scope::place(|field| state.scope_values(field)).scopes(collection.kind),
    })
}

/// The projection row of a folded record.
pub(super) fn projected_of(
    conn: &Connection,
    cache: &mut Cache,
    state: &State,
    collection: &Collection,
) -> Result<Projected> {
    let mut mark = |stamp: document::Stamp| -> Result<Mark> {
        Ok(Mark { at: stamp.at, by: actor::ensure(conn, cache, stamp.actor)?.person })
    };
    Ok(Projected {
        values: state.values(collection),
        archived: state.archived(),
        merged_into: state.merged_into(),
        created: mark(state.created())?,
        updated: mark(state.updated())?,
    })
}

/// The flags of a folded record, without [`flag::HIDDEN`]. A sealed one asks nobody anything.
pub(super) fn flags_of(state: &State, collection: &Collection) -> i64 {
    if collection.kind == Kind::Servers {
        return 0;
    }
    let conflicts = state.conflicts(collection);
    let mut flags = 0;
    if !conflicts.is_empty() {
        flags |= flag::CONFLICT;
    }
    if conflicts.iter().any(|c| c.rule == crate::schema::Winner::Ask) {
        flags |= flag::ASKS;
    }
    if state.archived() {
        flags |= flag::ARCHIVED;
    }
    if state.review_mark() {
        flags |= flag::REVIEW;
    }
    flags
}

/// Writes the whole row of a record anew.
pub(super) fn rewrite(conn: &Connection, table: &Table, n: i64, id: &RecordId, projected: Projected) -> Result<()> {
    let text = row::search_text(table, &projected.values);
    row::delete(conn, table, n)?;
    row::insert(&mut conn.prepare_cached(&table.insert_sql)?, conn, table, n, id, projected)?;
    index_text(conn, n, &text)
}

/// Writes anew the text that a record is found by.
pub(super) fn index_text(conn: &Connection, n: i64, text: &str) -> Result<()> {
    if text.is_empty() {
        conn.prepare_cached("DELETE FROM search WHERE rowid = ?")?.execute([n])?;
    } else {
        conn.prepare_cached("INSERT OR REPLACE INTO search (rowid, text) VALUES (?, ?)")?.execute(params![n, text])?;
    }
    Ok(())
}

/// The records of a collection that a change of its table concerns: all, or those whose changes name a new field.
fn stale_records(conn: &Connection, collection: i64, fields: Option<&[Name]>) -> Result<Vec<(i64, RecordId)>> {
    let mut sql = String::from("SELECT n, id FROM record WHERE collection = ?1");
    if let Some(fields) = fields {
        // Keys stand in a change as they are, so that looking for the bytes finds every record that holds the field.
        let tests: Vec<String> =
            (0..fields.len()).map(|at| format!("instr(raw, CAST(?{} AS BLOB)) > 0", at + 2)).collect();
        let any = if tests.is_empty() { "0".to_owned() } else { tests.join(" OR ") };
        // What a packed history holds does not show.
        sql.push_str(&format!(
            " AND (EXISTS (SELECT 1 FROM log WHERE log.record = record.n AND ({any}))
             OR EXISTS (SELECT 1 FROM pack WHERE pack.record = record.n))"
        ));
    }
    let mut statement = conn.prepare(&sql)?;
    statement.raw_bind_parameter(1, collection)?;
    for (at, field) in fields.unwrap_or_default().iter().enumerate() {
        statement.raw_bind_parameter(at + 2, &**field)?;
    }
    let mut rows = statement.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let id: Vec<u8> = row.get(1)?;
        let id = RecordId::from_slice(&id).ok_or_else(|| super::damaged("a record's id"))?;
        found.push((row.get(0)?, id));
    }
    Ok(found)
}

/// The values of every record of a collection that is not archived, straight from its tables.
pub(super) fn table_values(conn: &Connection, table: &Table) -> Result<Vec<Vec<(Name, Value)>>> {
    let fields: Vec<&layout::Placed> = table.fields.iter().collect();
    let sql = format!(
        "SELECT {} FROM {} t WHERE t.archived = 0 ORDER BY t.n",
        row::select_list(table, &fields),
        layout::quoted(&table.name)
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let mut values = row::read_values(row, &fields)?;
        for placed in &table.fields {
            if let layout::Place::Lines(at) = placed.place
                && let Some(lines) = table.lines.get(at)
            {
                values.push((placed.field.name.clone(), row::read_lines(conn, lines, row.get(0)?)?));
            }
        }
        found.push(values);
    }
    Ok(found)
}
