//! Full-text search: every word of the query must begin a word of the record, in any case, ё as е.
//!
//! The index answers whole words fast and beginnings of common words slowly: it merges every word with that beginning
//! before it gives the first row. So a word that few records have is looked up alone and those records are read; whole
//! words are tried before beginnings; a beginning that many of the newest records have is found by reading these. Only a
//! beginning between the two is left to the index.

use rusqlite::{Connection, params};

use super::fold::{fold, push_indexed};
use super::link_rows::collection_number;
use super::lookup::title_of;
use super::projection::layout::{Placed, Table, quoted};
use super::projection::row;
use super::{Model, flag, record, spelling};
use crate::error::Result;
use crate::id::RecordId;
use crate::schema::{Name, Value};

/// Most words of a query that count.
const WORDS_MAX: usize = 16;
/// Records looked at for each one asked for, so that the best of them come first.
const CANDIDATES_PER_HIT: usize = 4;
/// Records of a rare word that are read, instead of asking the index for the other words too.
const RARE_MAX: usize = 100;
/// The newest records that are read to see whether a beginning of a word is a common one.
const SAMPLE: usize = 50;
/// Words are common while at least one in so many records holds them: reading the newest finds enough, and the index
/// would merge thousands of entries first.
const COMMON_ONE_IN: usize = 5;
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

/// The records (of one collection, where it is named) that hold these words; those whose title holds them first, then the
/// newest here.
pub(crate) fn search(
    conn: &Connection,
    model: &Model,
    text: &str,
    within: Option<&str>,
    limit: usize,
) -> Result<Vec<Found>> {
    let words = words_of(text);
    if words.is_empty() || limit == 0 {
        return Ok(Vec::new());
    }
    let within = match within.map(|name| collection_number(conn, name)).transpose()? {
        Some(None) => return Ok(Vec::new()),
        within => within.flatten(),
    };
    let most = limit.saturating_mul(CANDIDATES_PER_HIT);
    let search = Search { conn, model, words: &words, within, most };
    let mut found = match search.by_rare_word()? {
        Some(found) => found,
        None => search.by_index()?,
    };
    if found.is_empty() && words.len() > 1 {
        found = search.described(&search.rows(&expression(&words, |_| true), most)?)?;
    }
    found.sort_by_key(|found| found.rank);
    found.truncate(limit);
    Ok(found)
}

/// What the index is asked for to find every record that holds these words; none where there is no word.
pub(super) fn all_of(text: &str) -> Option<String> {
    let words = words_of(text);
    (!words.is_empty()).then(|| expression(&words, |_| true))
}

/// The words of a query, all but the last of them probably finished.
struct Search<'a> {
    conn: &'a Connection,
    model: &'a Model,
    words: &'a [String],
    /// Only records of this collection.
    within: Option<i64>,
    /// Most records looked at.
    most: usize,
}

impl Search<'_> {
    /// Reads the records that hold a rare finished word. None where there is no such word, where no record has it, or
    /// where only the index knows how a record's text is spelt in it.
    fn by_rare_word(&self) -> Result<Option<Vec<Found>>> {
        let Some((_, finished)) = self.words.split_last() else { return Ok(None) };
        let mut finished: Vec<&String> = finished.iter().filter(|word| spelling::is_plain(word)).collect();
        finished.sort_by_key(|word| std::cmp::Reverse(word.len()));
        for word in finished {
            let rows = self.rows(&term(word, false), RARE_MAX + 1)?;
            if rows.is_empty() {
                return Ok(None);
            }
            if rows.len() <= RARE_MAX {
                return self.holding(&rows);
            }
        }
        Ok(None)
    }

    /// Those of these rows that hold all words; none where that is not certain.
    fn holding(&self, rows: &[Hit]) -> Result<Option<Vec<Found>>> {
        let mut found = Vec::new();
        for hit in rows {
            let Some(text) = self.read(hit)? else { continue };
            match self.is_held(&text) {
                Some(true) => found.push(self.describe(&text)),
                Some(false) => {}
                None => return Ok(None),
            }
            if found.len() == self.most {
                break;
            }
        }
        Ok(Some(found))
    }

    fn by_index(&self) -> Result<Vec<Found>> {
        let mut rows = self.rows(&expression(self.words, |_| false), self.most)?;
        if rows.len() < self.most {
            rows = match self.newest()? {
                Some(newest) => newest,
                None => {
                    let last = self.words.len() - 1;
                    self.rows(&expression(self.words, |at| at == last), self.most)?
                }
            };
        }
        self.described(&rows)
    }

    /// The newest records that hold the words, found by reading; none where that would read too many.
    fn newest(&self) -> Result<Option<Vec<Hit>>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT n, collection FROM record WHERE flags & ?1 = 0 AND (?2 IS NULL OR collection = ?2) ORDER BY n DESC",
        )?;
        let mut rows = statement.query(params![flag::ARCHIVED | flag::HIDDEN, self.within])?;
        let mut found = Vec::new();
        let mut looked_at = 0;
        while let Some(row) = rows.next()? {
            let hit = Hit { n: row.get(0)?, collection: row.get(1)? };
            if let Some(text) = self.read(&hit)? {
                match self.is_held(&text) {
                    Some(true) => found.push(hit),
                    Some(false) => {}
                    None => return Ok(None),
                }
            }
            looked_at += 1;
            if found.len() >= self.most {
                break;
            }
            if looked_at >= SAMPLE && found.len() * COMMON_ONE_IN < looked_at {
                return Ok(None);
            }
        }
        Ok(Some(found))
    }

    fn described(&self, rows: &[Hit]) -> Result<Vec<Found>> {
        let mut found = Vec::with_capacity(rows.len());
        for hit in rows {
            found.extend(self.read(hit)?.map(|text| self.describe(&text)));
        }
        Ok(found)
    }

    /// The newest records that an expression finds.
    fn rows(&self, expression: &str, most: usize) -> Result<Vec<Hit>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT record.n, record.collection FROM search JOIN record ON record.n = search.rowid
             WHERE search MATCH ?1 AND record.flags & ?2 = 0 AND (?4 IS NULL OR record.collection = ?4)
             ORDER BY search.rowid DESC LIMIT ?3",
        )?;
        let skip = flag::ARCHIVED | flag::HIDDEN;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![expression, skip, most, self.within], |row| {
            Ok(Hit { n: row.get(0)?, collection: row.get(1)? })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The text of a record; none where it was merged into another one or its table is unknown.
    fn read(&self, hit: &Hit) -> Result<Option<Text<'_>>> {
        let collection = record::collection_name(self.conn, hit.collection)?;
        let Some(table) = self.model.layout.table(&collection) else { return Ok(None) };
        let fields: Vec<&Placed> = table.fields.iter().filter(|placed| needed(table, placed)).collect();
        let sql = format!(
            "SELECT {} FROM {} t WHERE t.n = ? AND t.merged_into IS NULL",
            row::select_list(table, &fields),
            quoted(&table.name)
        );
        let mut statement = self.conn.prepare_cached(&sql)?;
        let mut rows = statement.query([hit.n])?;
        let Some(found) = rows.next()? else { return Ok(None) };
        let id: String = found.get(1)?;
        let Some(id) = RecordId::parse(&id) else { return Ok(None) };
        Ok(Some(Text { table, id, values: row::read_values(found, &fields)? }))
    }

    // Whether a text holds all words; none where only the index knows.
    fn is_held(&self, text: &Text<'_>) -> Option<bool> {
        spelling::holds(&row::search_text_of(text.table, &text.values), self.words)
    }

    fn describe(&self, text: &Text<'_>) -> Found {
        let Text { table, id, values } = text;
        let label = title_of(table, values, id);
        let folded = fold(&label);
        let rank = match () {
            () if folded == self.words.join(" ") => 0,
            () if self.words.iter().all(|word| folded.contains(word.as_str())) => 1,
            () => 2,
        };
        let excerpt = excerpt(values, self.words);
        Found { collection: table.collection.name.clone(), id: *id, label, excerpt, rank }
    }
}

/// What a record is found and described by.
struct Text<'t> {
    table: &'t Table,
    id: RecordId,
    values: Vec<(Name, Value)>,
}

/// A row of the index.
struct Hit {
    n: i64,
    collection: i64,
}

/// The words of a query as the index spells them.
fn words_of(text: &str) -> Vec<String> {
    let mut indexed = String::new();
    push_indexed(text, &mut indexed);
    let words = indexed.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.take(WORDS_MAX).map(fold).collect()
}

fn expression(words: &[String], is_unfinished: impl Fn(usize) -> bool) -> String {
    words.iter().enumerate().map(|(at, word)| term(word, is_unfinished(at))).collect::<Vec<_>>().join(" AND ")
}

// Words are letters and digits only, so that quoting them is enough.
fn term(word: &str, is_unfinished: bool) -> String {
    let star = if is_unfinished { "*" } else { "" };
    format!("\"{word}\"{star}")
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
