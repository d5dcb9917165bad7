//! Holding everything against the log: pages, hashes, heads, projection, full-text index; and writing anew what differs.
//!
//! A record whose changes do not fold is reported and left as it is: what its rows still show may be all there is.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeSet, HashMap};
use std::hash::{Hash as _, Hasher as _};

use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};

use super::flush::{self, flags_of, projected_of};
use super::misnamed::{self, Misnamed};
use super::pack::{self, Packs};
use super::projection::layout::{Column, Placed, Table, quoted};
use super::projection::row::{self, Projected};
use super::writer::{Writer, roll};
use super::{Model, Readers, actor, damaged, flag, meta, read, record};
use crate::document::State;
use crate::error::{Error, Result};
use crate::id::{ActorId, ChangeHash, RecordId};
use crate::store::cache::Cache;
use crate::wire::chunk;

/// Most lines of damage that are told.
const DAMAGE_MAX: usize = 20;

/// What was looked at, and what differs from the log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Findings {
    pub(crate) changes: u64,
    pub(crate) records: u64,
    /// Records whose heads or flags differ.
    pub(crate) heads: BTreeSet<i64>,
    /// Projection rows that differ, lack or are too many, by record.
    pub(crate) rows: BTreeSet<i64>,
    /// Records that the full-text index has differently.
    pub(crate) search: BTreeSet<i64>,
    /// Collections whose tables are missing.
    pub(crate) tables: BTreeSet<String>,
    /// Log rows that stand under another actor, number or hash than their change says.
    pub(crate) places: BTreeSet<i64>,
    /// Entries of SQLite's own indexes that differ from their tables.
    pub(crate) indexes: u64,
    /// The full-text index cannot be read at all.
    pub(crate) index_broken: bool,
    /// Records whose id or collection is damaged in their own row.
    pub(super) misnamed: Misnamed,
    /// Records some of whose changes are damaged.
    pub(crate) broken: BTreeSet<i64>,
    pub(crate) damage: Vec<String>,
}

impl Findings {
    /// Whether something can be written anew from the log.
    pub(crate) fn differs(&self) -> bool {
        let derived = [&self.heads, &self.rows, &self.search, &self.places];
        self.index_broken || self.indexes > 0 || !self.tables.is_empty() || derived.iter().any(|list| !list.is_empty())
    }

    /// Whether it can be told which record this is. What its rows still show must stay otherwise.
    fn knows(&self, n: i64) -> bool {
        self.misnamed.get(&n).is_none_or(Option::is_some)
    }

    /// Takes what cannot be read for damage.
    fn told(&mut self, part: &str, looked: Result<()>) -> Result<()> {
        match looked {
            Err(error @ Error::Corrupt(_)) => {
                self.damaged(format!("{part}: {error}"));
                Ok(())
            }
            looked => looked,
        }
    }

    fn damaged(&mut self, what: String) {
        if self.damage.len() < DAMAGE_MAX {
            self.damage.push(what);
        }
    }
}

/// Looks at everything of the last commit.
pub(crate) fn check(readers: &Readers) -> Result<Findings> {
    let conn = readers.unrestrained()?;
    conn.execute_batch("BEGIN")?;
    let mut findings = Findings::default();
    // Each part looks as far as it can: a page that cannot be read must not hide what is wrong elsewhere.
    let pages = check_pages(&conn, &mut findings);
    findings.told("pages", pages)?;
    let ids = check_ids(&conn, &readers.model(), &mut findings);
    findings.told("ids", ids)?;
    let log = check_log(&conn, &mut findings);
    findings.told("log", log)?;
    let records = check_records(&conn, &readers.model(), &mut findings);
    findings.told("records", records)?;
    conn.execute_batch("ROLLBACK")?;
    Ok(findings)
}

fn check_pages(conn: &Connection, findings: &mut Findings) -> Result<()> {
    let mut statement = conn.prepare(&format!("PRAGMA integrity_check({DAMAGE_MAX})"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let line: String = row.get(0)?;
        let of_index = [" missing from index ", "wrong # of entries in index ", "non-unique entry in index "];
        if of_index.iter().any(|words| line.contains(words)) {
            findings.indexes += 1;
        } else if line != "ok" {
            findings.damaged(line);
        }
    }
    Ok(())
}

fn check_ids(conn: &Connection, model: &Model, findings: &mut Findings) -> Result<()> {
    if findings.indexes > 0 {
        findings.misnamed = misnamed::look(conn, model)?;
        for n in findings.misnamed.clone().into_iter().filter(|(_, id)| id.is_none()).map(|(n, _)| n) {
            findings.damaged(format!("record {n}: its id, its row and the index of ids differ"));
        }
    }
    Ok(())
}

/// Every change hashes to what the log says, and the hashes fold to what each commit says, where none were purged.
fn check_log(conn: &Connection, findings: &mut Findings) -> Result<()> {
    let mut commits = conn.prepare("SELECT last_seq, rolling FROM log_commit ORDER BY last_seq")?;
    let mut changes = conn.prepare(
        "SELECT l.seq, l.hash, l.raw, l.record, a.actor, l.aseq FROM log l LEFT JOIN actor a ON a.n = l.actor
         WHERE l.seq > ? AND l.seq <= ? ORDER BY l.seq",
    )?;
    let mut commits = commits.query([])?;
    let (mut end, mut rolling) = (0_i64, [0_u8; 8]);
    while let Some(commit) = commits.next()? {
        let last: i64 = commit.get(0)?;
        let says: Vec<u8> = commit.get(1)?;
        let mut rows = changes.query([end, last])?;
        let mut found = 0;
        while let Some(row) = rows.next()? {
            // A cell of another type holds no change, and no hash.
            let hash = row.get_ref(1)?.as_blob().ok().and_then(ChangeHash::from_slice);
            let raw = row.get_ref(2)?.as_blob().unwrap_or_default();
            findings.changes += 1;
            found += 1;
            let (seq, record): (i64, i64) = (row.get(0)?, row.get(3)?);
            let named = match chunk::parse(raw) {
                // What was taken out again leaves its hash behind, under no record.
                _ if record == 0 => hash,
                // Its bytes are looked at with its record.
                _ if raw.is_empty() => hash,
                Ok(change) => {
                    if hash != Some(change.hash) || !stands_in_place(row, &change)? {
                        findings.places.insert(seq);
                    }
                    Some(change.hash)
                }
                Err(_) => {
                    findings.damaged(format!("change {seq} of record {record} cannot be read"));
                    findings.broken.insert(record);
                    hash
                }
            };
            rolling = roll(rolling, &named.unwrap_or_default());
        }
        if found == last - end && says != rolling {
            findings.damaged(format!("the commit that ends at {last} does not fold to what it says"));
        }
        rolling = says.as_slice().try_into().unwrap_or_default();
        end = last;
    }
    Ok(())
}

// Whether the log has the change under the actor and number that it names itself.
fn stands_in_place(row: &rusqlite::Row<'_>, change: &chunk::Chunk<'_>) -> Result<bool> {
    let actor = row.get_ref(4)?.as_blob_or_null().ok().flatten();
    Ok(actor == Some(change.actor) && row.get_ref(5)?.as_i64().ok() == i64::try_from(change.seq).ok())
}

fn check_records(conn: &Connection, model: &Model, findings: &mut Findings) -> Result<()> {
    let expected = Connection::open_in_memory()?;
    expected.execute_batch(SEARCH_LIKE_OURS)?;
    let tables = tables_present(conn, model, findings)?;
    let mut look = Look { conn, model, tables, expected, cache: Cache::new(), shown: HashMap::new() };
    let mut statement = conn.prepare("SELECT n, id, collection, heads, flags FROM record ORDER BY n")?;
    let mut rows = statement.query([])?;
    while let Some(found) = rows.next()? {
        findings.records += 1;
        let n: i64 = found.get(0)?;
        match look.record(n, found, findings) {
            Err(error @ Error::Corrupt(_)) => {
                findings.damaged(format!("record {n}: {error}"));
                findings.broken.insert(n);
            }
            looked => looked?,
        }
    }
    for table in look.tables.values() {
        check_strangers(conn, table, look.shown.get(&table.name), findings)?;
    }
    check_search(conn, &look.expected, findings)
}

/// What is needed to hold records against what is shown of them.
struct Look<'l> {
    conn: &'l Connection,
    model: &'l Model,
    tables: HashMap<String, &'l Table>,
    /// The full-text index as it must be.
    expected: Connection,
    cache: Cache,
    /// Records that may have rows, by table.
    shown: HashMap<String, BTreeSet<i64>>,
}

impl Look<'_> {
    fn record(&mut self, n: i64, found: &rusqlite::Row<'_>, findings: &mut Findings) -> Result<()> {
        let (collection, flags): (i64, i64) = (found.get(2)?, found.get(4)?);
        let id = found.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let id = RecordId::from_slice(id).ok_or_else(|| damaged("it has no id"))?;
        let name = record::collection_name(self.conn, collection)?;
        let known = self.model.schema.held(&name);
        let table = self.tables.get(&*name).copied().filter(|_| flags & flag::HIDDEN == 0);
        if let Some(table) = table {
            // Also where the changes are damaged: what its row still shows may be all there is.
            self.shown.entry(table.name.clone()).or_default().insert(n);
        }
        self.packed(n, findings)?;
        let state = State::rebuild(id, record::changes(self.conn, n)?)?;
        let heads = found.get_ref(3)?.as_blob().unwrap_or_default();
        let now = known.map_or(flags & !flag::AWAY, |known| flags_of(&state, known));
        if record::heads_blob(state.heads()) != heads || now != flags & !flag::AWAY {
            findings.heads.insert(n);
        }
        let (Some(known), Some(table)) = (known, table) else { return Ok(()) };
        let projected = projected_of(self.conn, &mut self.cache, &state, known)?;
        let text = row::search_text(table, &projected.values);
        flush::index_text(&self.expected, n, &text)?;
        if !is_shown(self.conn, table, n, &id, &projected)? {
            findings.rows.insert(n);
        }
        Ok(())
    }

    // Every packed change is what its row says it is.
    fn packed(&self, n: i64, findings: &mut Findings) -> Result<()> {
        let mut rows = self.conn.prepare_cached(
            "SELECT l.seq, l.hash, l.raw, l.record, a.actor, l.aseq FROM log l LEFT JOIN actor a ON a.n = l.actor
             WHERE l.record = ? AND length(l.raw) = 0 ORDER BY l.seq",
        )?;
        let mut rows = rows.query([n])?;
        let mut packs = Packs::of(self.conn);
        let mut lost = Vec::new();
        while let Some(row) = rows.next()? {
            let seq: i64 = row.get(0)?;
            match packs.bytes(n, seq, &pack::hash_of(row, 1)?) {
                Ok(raw) => {
                    let fits = chunk::parse(&raw).is_ok_and(|change| stands_in_place(row, &change).unwrap_or(false));
                    findings.places.extend((!fits).then_some(seq));
                }
                Err(Error::Corrupt(_)) => lost.push(seq),
                Err(error) => return Err(error),
            }
        }
        if lost.is_empty() {
            return Ok(());
        }
        // Where every pack can be read, it is the rows that name others than they have.
        if pack::all_readable(self.conn, n)? {
            findings.places.extend(lost);
        }
        Err(damaged("its packed history"))
    }
}

const SEARCH_LIKE_OURS: &str =
    "CREATE VIRTUAL TABLE search USING fts5 (text, content = '', contentless_delete = 1, tokenize = 'unicode61');";

fn tables_present<'m>(
    conn: &Connection,
    model: &'m Model,
    findings: &mut Findings,
) -> Result<HashMap<String, &'m Table>> {
    let mut present = HashMap::new();
    let mut exists = conn.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?")?;
    for collection in model.schema.collections() {
        let Some(table) = model.layout.table(&collection.name) else { continue };
        let lines = table.lines.iter().map(|lines| (&lines.name, &lines.columns));
        let mut all = true;
        for (name, columns) in std::iter::once((&table.name, &table.columns)).chain(lines) {
            if !exists.exists([name])? {
                findings.tables.insert(collection.name.to_string());
                all = false;
            } else if !has_columns(conn, name, if *name == table.name { OF_RECORDS } else { OF_LINES }, columns) {
                findings.damaged(format!("table {name} has other columns than it must"));
                all = false;
            }
        }
        if all {
            present.insert(collection.name.to_string(), &**table);
        }
    }
    Ok(present)
}

/// Columns of every table of records, and of every table of lines, beside those of their fields.
const OF_RECORDS: &[&str] =
    &["n", "id", "archived", "merged_into", "created_at", "created_by", "updated_at", "updated_by"];
const OF_LINES: &[&str] = &["record", "line"];

fn has_columns(conn: &Connection, name: &str, always: &[&str], columns: &[Column]) -> bool {
    let names = always.iter().copied().chain(columns.iter().map(|column| &*column.name));
    let list: Vec<String> = names.map(|name| format!("t.{}", quoted(name))).collect();
    conn.prepare(&format!("SELECT {} FROM {} t", list.join(", "), quoted(name))).is_ok()
}

fn is_shown(conn: &Connection, table: &Table, n: i64, id: &RecordId, projected: &Projected) -> Result<bool> {
    let fields: Vec<&Placed> = table.fields.iter().collect();
    let sql = format!("SELECT {} FROM {} t WHERE t.n = ?", row::select_list(table, &fields), quoted(&table.name));
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([n])?;
    let Some(found) = rows.next()? else { return Ok(false) };
    for (placed, expected) in table.fields.iter().zip(&projected.values) {
        // A cell that cannot be read differs, whatever it is.
        if let Some(lines) = read::lines_of(table, placed)
            && row::read_lines(conn, lines, n).ok().as_ref() != Some(expected)
        {
            return Ok(false);
        }
    }
    let cell = |at| found.get::<_, Option<String>>(at);
    let mark = |mark: &row::Mark| (Some(mark.at.rfc3339()), mark.by.as_deref().map(str::to_owned));
    Ok(row::has_cells(found, table, &projected.values)?
        && cell(1)?.as_deref() == Some(id.to_string().as_str())
        && found.get::<_, bool>(2)? == projected.archived
        && cell(3)? == projected.merged_into.map(|id| id.to_string())
        && (cell(4)?, cell(5)?) == mark(&projected.created)
        && (cell(6)?, cell(7)?) == mark(&projected.updated))
}

fn check_strangers(
    conn: &Connection,
    table: &Table,
    shown: Option<&BTreeSet<i64>>,
    findings: &mut Findings,
) -> Result<()> {
    let lines = table.lines.iter().map(|lines| format!("SELECT DISTINCT record FROM {}", quoted(&lines.name)));
    for sql in std::iter::once(format!("SELECT n FROM {}", quoted(&table.name))).chain(lines) {
        let mut statement = conn.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let n = row.get(0)?;
            if shown.is_some_and(|shown| shown.contains(&n)) {
                continue;
            }
            // A row of a record that says to be in another collection: which of the two is wrong, nobody here knows.
            let elsewhere = conn
                .prepare_cached(
                    "SELECT 1 FROM record r JOIN projection p ON p.n = r.collection
                     WHERE r.n = ? AND r.flags & ? = 0 AND p.name <> ?",
                )?
                .exists(params![n, flag::HIDDEN, &*table.collection.name])?;
            if elsewhere {
                findings.damaged(format!("record {n} shows in {}, but names another collection", table.name));
                findings.misnamed.insert(n, None);
            } else {
                findings.rows.insert(n);
            }
        }
    }
    Ok(())
}

fn check_search(conn: &Connection, expected: &Connection, findings: &mut Findings) -> Result<()> {
    let ours = words(expected)?;
    let theirs = match words(conn) {
        Err(Error::Corrupt(_)) => {
            findings.index_broken = true;
            return Ok(());
        }
        theirs => theirs?,
    };
    // Which words a record must have that is damaged itself, nobody knows.
    let broken = std::mem::take(&mut findings.broken);
    let differ = |n: &&i64| ours.get(n) != theirs.get(n) && !broken.contains(n);
    findings.search.extend(ours.keys().chain(theirs.keys()).filter(differ));
    findings.broken = broken;
    Ok(())
}

/// For each record in an index, a hash over its words and their places.
fn words(conn: &Connection) -> Result<HashMap<i64, u64>> {
    conn.execute_batch("CREATE VIRTUAL TABLE temp.word USING fts5vocab (main, search, instance)")?;
    let mut words: HashMap<i64, u64> = HashMap::new();
    let mut statement = conn.prepare("SELECT doc, term, offset FROM temp.word")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut hasher = DefaultHasher::new();
        row.get_ref(1)?.as_bytes().map_err(rusqlite::Error::from)?.hash(&mut hasher);
        row.get::<_, i64>(2)?.hash(&mut hasher);
        let sum = words.entry(row.get(0)?).or_default();
        *sum = sum.wrapping_add(hasher.finish());
    }
    drop(rows);
    drop(statement);
    conn.execute_batch("DROP TABLE temp.word")?;
    Ok(words)
}

impl Writer<'_> {
    /// Writes anew from the log what differs from it.
    pub(crate) fn repair(&mut self, findings: &Findings) -> Result<()> {
        self.mark_dirty();
        // As long as an id cannot be told, the index may be the last to know it.
        if findings.indexes > 0 && findings.misnamed.values().all(Option::is_some) {
            self.connection().execute_batch("REINDEX")?;
            misnamed::rename(self.connection(), &findings.misnamed)?;
        }
        for name in &findings.tables {
            self.connection().execute("UPDATE projection SET projected_with = NULL WHERE name = ?", [name])?;
        }
        if !findings.tables.is_empty() {
            let epoch = meta::integer(self.connection(), meta::key::SCHEMA_EPOCH)?.unwrap_or(0);
            meta::set_integer(self.connection(), meta::key::SCHEMA_EPOCH, epoch + 1)?;
            self.adopt_schema()?;
        }
        for seq in &findings.places {
            self.put_in_place(*seq)?;
        }
        if findings.index_broken {
            self.index_anew(findings)?;
        }
        let all = findings.heads.iter().chain(&findings.rows).chain(&findings.search);
        let all: BTreeSet<i64> = all.copied().filter(|n| findings.knows(*n)).collect();
        for n in all {
            self.repair_record(n)?;
        }
        Ok(())
    }

    // Names a log row by what its change says.
    fn put_in_place(&mut self, seq: i64) -> Result<()> {
        let (conn, cache) = self.parts();
        let raw = "SELECT raw FROM log WHERE seq = ?";
        let mut bytes: Vec<u8> = conn.query_row(raw, [seq], |row| row.get(0))?;
        if bytes.is_empty() {
            pack::unpack(conn, conn.query_row("SELECT record FROM log WHERE seq = ?", [seq], |row| row.get(0))?)?;
            bytes = conn.query_row(raw, [seq], |row| row.get(0))?;
        }
        let Ok(change) = chunk::parse(&bytes) else { return Ok(()) };
        let Some(actor) = ActorId::from_slice(change.actor) else { return Ok(()) };
        let n = actor::ensure(conn, cache, actor)?.n;
        conn.execute(
            "UPDATE OR IGNORE log SET actor = ?, aseq = ?, hash = ? WHERE seq = ?",
            params![n, change.seq as i64, change.hash.as_bytes(), seq],
        )?;
        Ok(())
    }

    // Makes the full-text index again from every record that is shown.
    fn index_anew(&mut self, findings: &Findings) -> Result<()> {
        let conn = self.connection();
        conn.execute_batch("INSERT INTO search (search) VALUES ('delete-all')")?;
        let mut statement = conn.prepare("SELECT n FROM record ORDER BY n")?;
        let all: Vec<i64> = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        drop(statement);
        all.into_iter().filter(|n| findings.knows(*n)).try_for_each(|n| self.repair_record(n))
    }

    fn repair_record(&mut self, n: i64) -> Result<()> {
        let model = self.model();
        let (conn, cache) = self.parts();
        let mut statement = conn.prepare_cached("SELECT id, collection, flags FROM record WHERE n = ?")?;
        let mut rows = statement.query([n])?;
        let Some(found) = rows.next()? else {
            for collection in model.schema.collections() {
                if let Some(table) = model.layout.table(&collection.name) {
                    row::delete(conn, table, n)?;
                }
            }
            return flush::index_text(conn, n, "");
        };
        let id = found.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        let Some(id) = RecordId::from_slice(id) else { return Ok(()) };
        let flags: i64 = found.get(2)?;
        // Damage is told by the look, and nothing is taken away because of it.
        let changes = record::changes(conn, n);
        let Ok(state) = changes.and_then(|changes| State::rebuild(id, changes)) else { return Ok(()) };
        let name = record::collection_name(conn, found.get(1)?)?;
        let known = model.schema.held(&name);
        let away = flags & flag::AWAY;
        let now = known.map_or(flags, |known| away | flags_of(&state, known));
        conn.prepare_cached("UPDATE record SET heads = ?, flags = ? WHERE n = ?")?.execute(params![
            record::heads_blob(state.heads()),
            now,
            n
        ])?;
        for collection in model.schema.collections().iter().filter(|c| c.name != name) {
            if let Some(table) = model.layout.table(&collection.name) {
                row::delete(conn, table, n)?;
            }
        }
        let (Some(known), Some(table)) = (known, model.layout.table(&name)) else { return Ok(()) };
        if away != 0 {
            row::delete(conn, table, n)?;
            return flush::index_text(conn, n, "");
        }
        let projected = projected_of(conn, cache, &state, known)?;
        flush::rewrite(conn, table, n, &id, projected)
    }
}

/// SHA-256 over every row of the projection, table by table: two replicas that show the same have the same.
pub(crate) fn projection_digest(conn: &Connection, model: &Model) -> Result<[u8; 32]> {
    let mut digest = Sha256::new();
    for collection in model.schema.collections() {
        let Some(table) = model.layout.table(&collection.name) else { continue };
        let columns: String = table.columns.iter().map(|c| format!(", {}", quoted(&c.name))).collect();
        let main = format!(
            "SELECT id, archived, merged_into, created_at, created_by, updated_at, updated_by{columns} FROM {} ORDER BY id",
            quoted(&table.name)
        );
        let lines = table.lines.iter().map(|lines| {
            let columns: String = lines.columns.iter().map(|c| format!(", l.{}", quoted(&c.name))).collect();
            let (lines, table) = (quoted(&lines.name), quoted(&table.name));
            format!(
                "SELECT t.id, l.line{columns} FROM {lines} l JOIN {table} t ON t.n = l.record ORDER BY t.id, l.line"
            )
        });
        for sql in std::iter::once(main).chain(lines) {
            let mut statement = conn.prepare(&sql)?;
            let width = statement.column_count();
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                for at in 0..width {
                    digest.update(format!("{:?};", row.get_ref(at)?));
                }
            }
        }
    }
    Ok(digest.finalize().into())
}
