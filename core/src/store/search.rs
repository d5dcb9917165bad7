//! Full-text search: every word of the query must begin a word of the record, in any case, ё as е.

use rusqlite::{Connection, params};

use super::fold::{fold, push_indexed};
use super::lookup::title_of;
use super::projection::layout::{Placed, Table, quoted};
use super::projection::row;
use super::{Model, flag, record};
use crate::error::Result;
use crate::id::RecordId;
use crate::schema::{Name, Value};

/// Most words of a query that count.
const WORDS_MAX: usize = 16;
/// Records looked at for each one asked for, so that the best of them come first.
const CANDIDATES_PER_HIT: usize = 4;
/// Longest excerpt, in characters.
const EXCERPT_CHARS_MAX: usize = 160;

/// A record that was found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) collection: Name,
    pub(crate) id: RecordId,
    pub(crate) label: String,
    pub(crate) excerpt: String,
    rank: u8,
}

/// The records that hold these words; those whose title holds them first, then the newest here.
pub(crate) fn search(conn: &Connection, model: &Model, text: &str, limit: usize) -> Result<Vec<Found>> {
    let words = words_of(text);
    if words.is_empty() || limit == 0 {
        return Ok(Vec::new());
    }
    // Mostly only the last word is unfinished; whole words are cheap to look up, beginnings of common ones are not.
    let mut found = matching(conn, model, &words, &expression(&words, false), limit)?;
    if found.is_empty() && words.len() > 1 {
        found = matching(conn, model, &words, &expression(&words, true), limit)?;
    }
    found.sort_by_key(|found| found.rank);
    found.truncate(limit);
    Ok(found)
}

fn matching(conn: &Connection, model: &Model, words: &[String], expression: &str, limit: usize) -> Result<Vec<Found>> {
    let mut statement = conn.prepare_cached(
        "SELECT record.n, record.collection FROM search JOIN record ON record.n = search.rowid
         WHERE search MATCH ?1 AND record.flags & ?2 = 0 ORDER BY search.rowid DESC LIMIT ?3",
    )?;
    let skip = flag::ARCHIVED | flag::HIDDEN;
    let most = i64::try_from(limit.saturating_mul(CANDIDATES_PER_HIT)).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![expression, skip, most])?;
    let mut found = Vec::new();
    while let Some(hit) = rows.next()? {
        let collection = record::collection_name(conn, hit.get(1)?)?;
        if let Some(table) = model.layout.table(&collection) {
            found.extend(describe(conn, table, hit.get(0)?, words)?);
        }
    }
    Ok(found)
}

/// The words of a query as the index spells them.
fn words_of(text: &str) -> Vec<String> {
    let mut indexed = String::new();
    push_indexed(text, &mut indexed);
    let words = indexed.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.take(WORDS_MAX).map(fold).collect()
}

fn expression(words: &[String], all_unfinished: bool) -> String {
    // Words are letters and digits only, so that quoting them is enough.
    let term = |(at, word): (usize, &String)| {
        let star = if all_unfinished || at + 1 == words.len() { "*" } else { "" };
        format!("\"{word}\"{star}")
    };
    words.iter().enumerate().map(term).collect::<Vec<_>>().join(" AND ")
}

fn describe(conn: &Connection, table: &Table, n: i64, words: &[String]) -> Result<Option<Found>> {
    let fields: Vec<&Placed> = table.fields.iter().filter(|placed| needed(table, placed)).collect();
    let sql = format!(
        "SELECT {} FROM {} t WHERE t.n = ? AND t.merged_into IS NULL",
        row::select_list(table, &fields),
        quoted(&table.name)
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([n])?;
    let Some(found) = rows.next()? else { return Ok(None) };
    let id: String = found.get(1)?;
    let Some(id) = RecordId::parse(&id) else { return Ok(None) };
    let values = row::read_values(found, &fields)?;
    let label = title_of(table, &values, &id);
    let folded = fold(&label);
    let rank = match () {
        () if folded == words.join(" ") => 0,
        () if words.iter().all(|word| folded.contains(word.as_str())) => 1,
        () => 2,
    };
    let excerpt = excerpt(&values, words);
    Ok(Some(Found { collection: table.collection.name.clone(), id, label, excerpt, rank }))
}

fn needed(table: &Table, placed: &Placed) -> bool {
    let collection = &table.collection;
    let name = &placed.field.name;
    placed.field.searchable || collection.title.contains(name) || collection.natural_keys.contains(name)
}

fn excerpt(values: &[(Name, Value)], words: &[String]) -> String {
    let texts = values.iter().flat_map(|(_, value)| match value {
        Value::Text(text) => vec![text.as_str()],
        Value::Set(items) => items.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    });
    let holds = |text: &&str| {
        let folded = fold(text);
        words.iter().any(|word| folded.contains(word.as_str()))
    };
    let text = texts.into_iter().find(holds).unwrap_or_default();
    text.chars().take(EXCERPT_CHARS_MAX).collect()
}
