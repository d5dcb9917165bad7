//! Holding everything against the log: pages, hashes, heads, projection, full-text index; and writing anew what differs.
//!
//! A record whose changes do not fold is reported and left as it is: what its rows still show may be all there is.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeSet, HashMap};
use std::hash::{Hash as _, Hasher as _};

use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};

use super::flush::{self, flags_of, projected_of};
use super::projection::layout::{Placed, Table, quoted};
use super::projection::row::{self, Projected};
use super::writer::{Writer, roll};
use super::{Model, Readers, flag, meta, read, record};
use crate::document::State;
use crate::error::Result;
use crate::id::{ChangeHash, RecordId};
use crate::schema::Value;
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
    pub(crate) damage: Vec<String>,
}

impl Findings {
    /// Whether something can be written anew from the log.
    pub(crate) fn differs(&self) -> bool {
        !(self.heads.is_empty() && self.rows.is_empty() && self.search.is_empty() && self.tables.is_empty())
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
    check_pages(&conn, &mut findings)?;
    check_log(&conn, &mut findings)?;
    check_records(&conn, &readers.model(), &mut findings)?;
    conn.execute_batch("ROLLBACK")?;
    Ok(findings)
}

fn check_pages(conn: &Connection, findings: &mut Findings) -> Result<()> {
    let mut statement = conn.prepare(&format!("PRAGMA integrity_check({DAMAGE_MAX})"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let line: String = row.get(0)?;
        if line != "ok" {
            findings.damaged(line);
        }
    }
    Ok(())
}

/// Every change hashes to what the log says, and the hashes fold to what each commit says, where none were purged.
fn check_log(conn: &Connection, findings: &mut Findings) -> Result<()> {
    let mut commits = conn.prepare("SELECT last_seq, rolling FROM log_commit ORDER BY last_seq")?;
    let mut changes = conn.prepare("SELECT seq, hash, raw, record FROM log WHERE seq > ? AND seq <= ? ORDER BY seq")?;
    let mut commits = commits.query([])?;
    let (mut end, mut rolling) = (0_i64, [0_u8; 8]);
    while let Some(commit) = commits.next()? {
        let last: i64 = commit.get(0)?;
        let says: Vec<u8> = commit.get(1)?;
        let mut rows = changes.query([end, last])?;
        let mut found = 0;
        while let Some(row) = rows.next()? {
            let hash = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            let raw = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
            findings.changes += 1;
            found += 1;
            let hash = ChangeHash::from_slice(hash);
            // What was taken out again leaves its hash behind, under no record.
            if row.get::<_, i64>(3)? != 0 && chunk::hash(raw) != hash {
                findings.damaged(format!("change {} does not hash to what the log says", row.get::<_, i64>(0)?));
            }
            rolling = roll(rolling, &hash.unwrap_or_default());
        }
        if found == last - end && says != rolling {
            findings.damaged(format!("the commit that ends at {last} does not fold to what it says"));
        }
        rolling = says.as_slice().try_into().unwrap_or_default();
        end = last;
    }
    Ok(())
}

fn check_records(conn: &Connection, model: &Model, findings: &mut Findings) -> Result<()> {
    let expected = Connection::open_in_memory()?;
    expected.execute_batch(SEARCH_LIKE_OURS)?;
    let tables = tables_present(conn, model, findings)?;
    let mut cache = Cache::new();
    let mut statement = conn.prepare("SELECT n, id, collection, heads, flags FROM record ORDER BY n")?;
    let mut rows = statement.query([])?;
    let mut shown: HashMap<String, BTreeSet<i64>> = HashMap::new();
    while let Some(found) = rows.next()? {
        findings.records += 1;
        let (n, collection, flags): (i64, i64, i64) = (found.get(0)?, found.get(2)?, found.get(4)?);
        let id = found.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let Some(id) = RecordId::from_slice(id) else {
            findings.damaged(format!("record {n} has no id"));
            continue;
        };
        let state = match State::rebuild(id, record::changes(conn, n)?) {
            Ok(state) => state,
            Err(failure) => {
                findings.damaged(failure.to_string());
                continue;
            }
        };
        let name = record::collection_name(conn, collection)?;
        let known = model.schema.collection(&name);
        let heads = found.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
        let now = known.map_or(flags & !flag::HIDDEN, |known| flags_of(&state, known));
        if record::heads_blob(state.heads()) != heads || now != flags & !flag::HIDDEN {
            findings.heads.insert(n);
        }
        let (Some(known), Some(table)) = (known, tables.get(&*name)) else { continue };
        if flags & flag::HIDDEN != 0 {
            continue;
        }
        shown.entry(table.name.clone()).or_default().insert(n);
        let projected = projected_of(conn, &mut cache, &state, known)?;
        let text = row::search_text(table, &projected.values);
        flush::index_text(&expected, n, &text)?;
        if !is_shown(conn, table, n, &id, &projected)? {
            findings.rows.insert(n);
        }
    }
    for table in tables.values() {
        check_strangers(conn, table, shown.get(&table.name), findings)?;
    }
    check_search(conn, &expected, findings)
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
        let mut all = exists.exists([&table.name])?;
        for lines in &table.lines {
            all &= exists.exists([&lines.name])?;
        }
        if all {
            present.insert(collection.name.to_string(), &**table);
        } else {
            findings.tables.insert(collection.name.to_string());
        }
    }
    Ok(present)
}

fn is_shown(conn: &Connection, table: &Table, n: i64, id: &RecordId, projected: &Projected) -> Result<bool> {
    let fields: Vec<&Placed> = table.fields.iter().collect();
    let sql = format!("SELECT {} FROM {} t WHERE t.n = ?", row::select_list(table, &fields), quoted(&table.name));
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([n])?;
    let Some(found) = rows.next()? else { return Ok(false) };
    // A cell that cannot be read differs, whatever it is.
    let Ok(mut values) = row::read_values(found, &fields) else { return Ok(false) };
    for placed in &table.fields {
        if let Some(lines) = read::lines_of(table, placed) {
            match row::read_lines(conn, lines, n) {
                Ok(Value::Null) => {}
                Ok(value) => values.push((placed.field.name.clone(), value)),
                Err(_) => return Ok(false),
            }
        }
    }
    let mut expected = table.collection.named(projected.values.clone());
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    values.sort_by(|a, b| a.0.cmp(&b.0));
    let cell = |at| found.get::<_, Option<String>>(at);
    let mark = |mark: &row::Mark| (Some(mark.at.rfc3339()), mark.by.as_deref().map(str::to_owned));
    Ok(values == expected
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
            if !shown.is_some_and(|shown| shown.contains(&n)) {
                findings.rows.insert(n);
            }
        }
    }
    Ok(())
}

fn check_search(conn: &Connection, expected: &Connection, findings: &mut Findings) -> Result<()> {
    let (ours, theirs) = (words(expected)?, words(conn)?);
    let differ = |n: &&i64| ours.get(n) != theirs.get(n);
    findings.search.extend(ours.keys().chain(theirs.keys()).filter(differ));
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
        for name in &findings.tables {
            self.connection().execute("UPDATE projection SET projected_with = NULL WHERE name = ?", [name])?;
        }
        if !findings.tables.is_empty() {
            let epoch = meta::integer(self.connection(), meta::key::SCHEMA_EPOCH)?.unwrap_or(0);
            meta::set_integer(self.connection(), meta::key::SCHEMA_EPOCH, epoch + 1)?;
            self.adopt_schema()?;
        }
        let all = findings.heads.iter().chain(&findings.rows).chain(&findings.search);
        let all: BTreeSet<i64> = all.copied().collect();
        for n in all {
            self.repair_record(n)?;
        }
        Ok(())
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
        let Ok(state) = State::rebuild(id, record::changes(conn, n)?) else { return Ok(()) };
        let name = record::collection_name(conn, found.get(1)?)?;
        let known = model.schema.collection(&name);
        let hidden = flags & flag::HIDDEN;
        let now = known.map_or(flags, |known| hidden | flags_of(&state, known));
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
        if hidden != 0 {
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
