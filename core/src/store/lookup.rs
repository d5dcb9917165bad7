//! Finding a record by what people call it: id, part of an id, natural key; and following merges.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, params_from_iter};

use super::fold::fold;
use super::projection::layout::{Place, Placed, Table, quoted};
use super::projection::row;
use super::{Model, damaged, record};
use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::schema::{Name, Schema, Value, format_value};

/// Most records that an ambiguous name lists.
const CANDIDATES_MAX: usize = 8;
/// Longest chain of merges that is followed.
const MERGES_MAX: usize = 1_000;
/// Records of which the titles are read in one statement.
const LABELS_AT_ONCE: usize = 64;
/// Fewest characters of an id that are taken for its prefix.
const PREFIX_CHARS_MIN: usize = 4;

/// The table of a collection.
pub(crate) fn table<'m>(model: &'m Model, collection: &str) -> Result<&'m Table> {
    model
        .layout
        .table(collection)
        .map(|table| &**table)
        .ok_or_else(|| Error::not_found("unknown-collection").with("collection", collection))
}

/// The record that a text names: an id, `FIELD=VALUE`, a natural key, a unique prefix of an id.
///
/// # Errors
/// `record_not_found`; `record_ambiguous` with the records that fit.
pub(crate) fn find(conn: &Connection, model: &Model, collection: &str, text: &str) -> Result<RecordId> {
    let table = table(model, collection)?;
    let text = text.trim();
    let found = candidates(conn, table, text)?;
    let mut roots = BTreeSet::new();
    for id in &found {
        roots.insert(root(conn, table, *id)?);
    }
    match (roots.len(), roots.first()) {
        (1, Some(only)) => Ok(*only),
        (0, _) | (_, None) => {
            Err(Error::not_found("record-not-found").with("collection", collection).with("record", text))
        }
        (count, _) => {
            let names: Vec<String> =
                roots.iter().take(CANDIDATES_MAX).map(|id| described(conn, model, table, id)).collect();
            Err(Error::ambiguous("record-ambiguous")
                .with("collection", collection)
                .with("record", text)
                .with("count", count)
                .with("candidates", names.join(", ")))
        }
    }
}

/// What stands behind a name in a filter: the record and all that are merged into it. Empty where there is none.
pub(crate) fn merged_family(
    conn: &Connection,
    model: &Model,
    collection: &str,
    text: &str,
) -> Result<BTreeSet<RecordId>> {
    let table = table(model, collection)?;
    let root = match find(conn, model, collection, text) {
        Ok(root) => root,
        // An id that is not held here may still stand in a reference.
        Err(Error::NotFound(_)) if RecordId::parse(text).is_some() => {
            return Ok(RecordId::parse(text).into_iter().collect());
        }
        Err(failure) => return Err(failure),
    };
    let sql = format!(
        "WITH RECURSIVE family (id) AS (SELECT ? UNION SELECT k.id FROM family JOIN {} k ON k.merged_into = family.id)
         SELECT id FROM family",
        quoted(&table.name)
    );
    ids(conn, &sql, &[root.to_string()])
}

/// The record that stands for this one: the end of its merges, the smallest id inside a cycle, itself where the record
/// that it was merged into is not held.
pub(crate) fn root(conn: &Connection, table: &Table, id: RecordId) -> Result<RecordId> {
    let sql = format!("SELECT merged_into FROM {} WHERE id = ?", quoted(&table.name));
    let mut path = vec![id];
    let mut at = id;
    for _ in 0..MERGES_MAX {
        let next: Option<Option<String>> =
            conn.prepare_cached(&sql)?.query_row([at.to_string()], |row| row.get(0)).optional()?;
        let Some(next) = next else {
            // Not held: the one before stands for itself.
            path.pop();
            return Ok(path.last().copied().unwrap_or(id));
        };
        let Some(next) = next.as_deref().and_then(RecordId::parse) else { return Ok(at) };
        if let Some(begin) = path.iter().position(|seen| *seen == next) {
            mark!("crossed_merges");
            return Ok(path.iter().skip(begin).min().copied().unwrap_or(next));
        }
        path.push(next);
        at = next;
    }
    Ok(at)
}

/// The titles of records, followed through merges; those that are not held are left out.
pub(crate) fn labels(conn: &Connection, model: &Model, ids: &[RecordId]) -> Result<HashMap<RecordId, String>> {
    let mut labels = HashMap::with_capacity(ids.len());
    for some in ids.chunks(LABELS_AT_ONCE) {
        for (collection, ids) in by_collection(conn, some)? {
            let Some(table) = model.layout.table(&collection) else { continue };
            let fields = title_fields(&model.schema, table)?;
            let (list, marks) = (row::select_list(table, &fields), marks(ids.len()));
            let sql = format!("SELECT {list} FROM {} t WHERE t.id IN ({marks})", quoted(&table.name));
            let mut statement = conn.prepare_cached(&sql)?;
            let texts: Vec<String> = ids.iter().map(RecordId::to_string).collect();
            let mut rows = statement.query(params_from_iter(filled(&texts)))?;
            while let Some(found) = rows.next()? {
                let id = found.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
                let id = RecordId::parse(id).ok_or_else(|| damaged("a projected id"))?;
                let label = match found.get_ref(3)? {
                    ValueRef::Null => Some(title_of(table, &row::read_values(found, &fields)?, &id)),
                    _ => title(conn, &model.schema, table, &root(conn, table, id)?)?,
                };
                labels.extend(label.map(|label| (id, label)));
            }
        }
    }
    Ok(labels)
}

/// The title of a record, followed through merges; none where it is not held.
pub(crate) fn label(conn: &Connection, model: &Model, id: &RecordId) -> Result<Option<String>> {
    Ok(labels(conn, model, &[*id])?.remove(id))
}

// Held records by their collections.
fn by_collection(conn: &Connection, ids: &[RecordId]) -> Result<BTreeMap<Name, Vec<RecordId>>> {
    let sql = format!(
        "SELECT r.id, p.name FROM record r JOIN projection p ON p.n = r.collection WHERE r.id IN ({})",
        marks(ids.len())
    );
    let bytes: Vec<&[u8]> = ids.iter().map(|id| &id.0[..]).collect();
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(filled(&bytes)))?;
    let mut found: BTreeMap<Name, Vec<RecordId>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let name = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        let id = RecordId(row.get(0)?);
        found.entry(Name::from(name)).or_default().push(id);
    }
    Ok(found)
}

// Places for so many parameters, and some more: of few statements each is used often.
fn marks(count: usize) -> String {
    vec!["?"; count.next_power_of_two()].join(", ")
}

// The last one once more for every place that is left.
fn filled<T>(values: &[T]) -> impl Iterator<Item = &T> {
    let left = values.len().next_power_of_two() - values.len();
    values.iter().chain(values.last().into_iter().cycle().take(left))
}

/// The collection of a record; none where it is not held.
pub(crate) fn collection_of(conn: &Connection, id: &RecordId) -> Result<Option<Name>> {
    let held = record::read_row(conn, id)?;
    held.map(|held| record::collection_name(conn, held.collection)).transpose()
}

fn title(conn: &Connection, schema: &Schema, table: &Table, id: &RecordId) -> Result<Option<String>> {
    let fields = title_fields(schema, table)?;
    let sql = format!("SELECT {} FROM {} t WHERE t.id = ?", row::select_list(table, &fields), quoted(&table.name));
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([id.to_string()])?;
    let Some(found) = rows.next()? else { return Ok(None) };
    Ok(Some(title_of(table, &row::read_values(found, &fields)?, id)))
}

/// The fields of which a title is made.
pub(super) fn title_fields<'t>(schema: &Schema, table: &'t Table) -> Result<Vec<&'t Placed>> {
    let collection = schema.require(&table.collection.name)?;
    let keys = collection.title.iter().chain(&collection.natural_keys);
    Ok(keys.filter_map(|name| table.placed(name)).collect())
}

/// The title that these values make: the title's fields, else the first natural key that is not empty, else the
/// beginning of the id.
pub(crate) fn title_of(table: &Table, values: &[(Name, Value)], id: &RecordId) -> String {
    let text = |name: &Name| -> Option<String> {
        let field = &table.placed(name)?.field;
        let (_, value) = values.iter().find(|(known, _)| known == name)?;
        let text = format_value(field, value, &|_| None);
        (!text.is_empty()).then_some(text)
    };
    let collection = &table.collection;
    let title: Vec<String> = collection.title.iter().filter_map(text).collect();
    if !title.is_empty() {
        return title.join(" ");
    }
    collection.natural_keys.iter().find_map(text).unwrap_or_else(|| id.to_string().chars().take(8).collect())
}

/// The shortest beginning of an id, of [`PREFIX_CHARS_MIN`] characters or more, that no other record has.
pub(crate) fn short_id(conn: &Connection, id: &RecordId) -> Result<String> {
    let mut longest = 0;
    // Ids sort as their bytes: only the two neighbours can share more of the beginning than others.
    for sql in [
        "SELECT id FROM record WHERE id > ? ORDER BY id LIMIT 1",
        "SELECT id FROM record WHERE id < ? ORDER BY id DESC LIMIT 1",
    ] {
        let neighbour: Option<Vec<u8>> =
            conn.prepare_cached(sql)?.query_row([id.as_bytes()], |row| row.get(0)).optional()?;
        if let Some(neighbour) = neighbour.as_deref().and_then(RecordId::from_slice) {
            let pairs = id.to_string().chars().zip(neighbour.to_string().chars()).take_while(|(a, b)| a == b).count();
            longest = longest.max(pairs + 1);
        }
    }
    Ok(id.to_string().chars().take(longest.max(PREFIX_CHARS_MIN)).collect())
}

fn described(conn: &Connection, model: &Model, table: &Table, id: &RecordId) -> String {
    let title = title(conn, &model.schema, table, id).ok().flatten().unwrap_or_default();
    format!("{id} ({title})")
}

fn candidates(conn: &Connection, table: &Table, text: &str) -> Result<BTreeSet<RecordId>> {
    if text.is_empty() {
        return Ok(BTreeSet::new());
    }
    if let Some(id) = RecordId::parse(text) {
        let sql = format!("SELECT id FROM {} WHERE id = ?", quoted(&table.name));
        return ids(conn, &sql, &[id.to_string()]);
    }
    if let Some((field, value)) = text.split_once('=')
        && let Some(placed) = table.placed(field.trim())
    {
        return by_fields(conn, table, &[placed], value.trim().trim_matches('"'));
    }
    let keys: Vec<&Placed> = table.collection.natural_keys.iter().filter_map(|name| table.placed(name)).collect();
    let found = by_fields(conn, table, &keys, text)?;
    let is_prefix = text.len() >= PREFIX_CHARS_MIN && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if found.is_empty() && is_prefix {
        let prefix = text.to_ascii_lowercase();
        let sql =
            format!("SELECT id FROM {} WHERE id >= ? AND id < ? LIMIT {}", quoted(&table.name), CANDIDATES_MAX + 1);
        let end = format!("{prefix}g");
        return ids(conn, &sql, &[prefix, end]);
    }
    Ok(found)
}

/// The records whose first field of these that fits at all fits this text: as written, else in any case; archived ones
/// only where no other fits.
fn by_fields(conn: &Connection, table: &Table, fields: &[&Placed], text: &str) -> Result<BTreeSet<RecordId>> {
    let folded = fold(text);
    let exact: fn(&str) -> String = |column| format!("{column} = ?");
    let any_case: fn(&str) -> String = |column| format!("fold({column}) = ?");
    for (test, value) in [(exact, text), (any_case, folded.as_str())] {
        for placed in fields {
            if !matches!(placed.place, Place::Column(_)) {
                continue;
            }
            let Some(column) = table.column_of(placed) else { continue };
            for archived in [0, 1] {
                let sql = format!(
                    "SELECT id FROM {} WHERE {} AND archived = {archived}",
                    quoted(&table.name),
                    test(&quoted(&column.name))
                );
                let found = ids(conn, &sql, &[value.to_owned()])?;
                if !found.is_empty() {
                    return Ok(found);
                }
            }
        }
    }
    Ok(BTreeSet::new())
}

fn ids(conn: &Connection, sql: &str, params: &[String]) -> Result<BTreeSet<RecordId>> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params_from_iter(params))?;
    let mut found = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let id = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        found.insert(RecordId::parse(id).ok_or_else(|| damaged("a projected id"))?);
    }
    Ok(found)
}
