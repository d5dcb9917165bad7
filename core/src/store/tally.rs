//! How many records a query has, for each value of a field, and what another field of theirs comes to.
//!
//! Counted once, and remembered until a commit touches the collection: a list says at the head of each of its pages how
//! many records it has, a board says it of each column. Which commits touch what is known of those of this process; one
//! that lies between them was somebody else's and counts as touching everything.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use rusqlite::{Connection, params_from_iter};

use super::condition::{Conditions, Sql};
use super::feed;
use super::lookup;
use super::order::Order;
use super::projection::layout::{Place, Table, quoted};
use super::query::Query;
use super::writer::Committed;
use super::{Model, page};
use crate::error::{Error, Result};
use crate::schema::{Currency, FieldType, Name};

/// Answers that are remembered.
const ANSWERS_MAX: NonZeroUsize = NonZeroUsize::new(256).expect("it is not zero");

/// The records of a query that have one value in a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The value as it is stored; empty for records without one.
    pub value: String,
    /// How many they are.
    pub records: u64,
    /// What a field of money comes to in each currency, in minor units.
    pub sums: BTreeMap<Currency, i64>,
}

/// By which field a query is divided, and which one is added up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Division<'a> {
    pub(crate) by: &'a str,
    pub(crate) sum: &'a str,
}

/// Answers that hold as long as nothing touches their collections.
#[derive(Default)]
pub(crate) struct Tallies(Mutex<Known>);

struct Known {
    /// All commits after the first and up to the second sequence are known.
    span: (u64, u64),
    /// The last of them that touched a collection.
    touched: HashMap<Name, u64>,
    answers: LruCache<String, Answer>,
}

#[derive(Clone)]
struct Answer {
    collection: Name,
    /// The end of the log that it was read from.
    end: u64,
    tallies: Arc<[Tally]>,
}

impl Default for Known {
    fn default() -> Self {
        Self { span: (0, 0), touched: HashMap::new(), answers: LruCache::new(ANSWERS_MAX) }
    }
}

impl Known {
    fn holds(&self, answer: &Answer, end: u64) -> bool {
        let (from, to) = self.span;
        let untouched = self.touched.get(&answer.collection).is_none_or(|at| *at <= answer.end);
        end == answer.end || (from <= answer.end && answer.end < end && end <= to && untouched)
    }
}

impl Tallies {
    /// A commit of this process, in their order.
    pub(crate) fn committed(&self, committed: &Committed) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if committed.last_seq == committed.begun_at {
            // The log does not show what it touched: a record that went, and nothing was said of it.
            if !committed.collections.is_empty() {
                known.answers.clear();
            }
            return;
        }
        if known.span.1 != committed.begun_at {
            known.span.0 = committed.begun_at;
        }
        known.span.1 = committed.last_seq;
        known.touched.extend(committed.collections.iter().map(|name| (name.clone(), committed.last_seq)));
    }

    /// Nothing that was counted need hold: the rows were mended, or the schema is another one.
    pub(crate) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).answers.clear();
    }

    fn known(&self, question: &str, end: u64) -> Option<Arc<[Tally]>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = known.answers.get(question)?.clone();
        known.holds(&answer, end).then_some(answer.tallies)
    }

    fn keep(&self, question: String, answer: Answer) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).answers.put(question, answer);
    }
}

/// How many rows a query asks for, without its limit.
pub(crate) fn count(conn: &Connection, model: &Model, tallies: Option<&Tallies>, query: &Query) -> Result<u64> {
    let all = tally(conn, model, tallies, query, None)?;
    Ok(all.iter().map(|tally| tally.records).sum())
}

/// The rows that a query asks for, without its limit, divided by a field; undivided without one. `tallies`: what is
/// remembered, where the connection reads what was committed.
pub(crate) fn tally(
    conn: &Connection,
    model: &Model,
    tallies: Option<&Tallies>,
    query: &Query,
    division: Option<Division<'_>>,
) -> Result<Arc<[Tally]>> {
    let table = lookup::table(model, &query.collection)?;
    let (by, minor, currency) = match division {
        Some(division) => columns(table, division)?,
        None => ["NULL"; 3].map(String::from).into(),
    };
    let mut sql = Sql::default();
    // Added up in halves: no sum of money may be too great for SQLite.
    sql.push(&format!(
        "SELECT coalesce({by}, ''), {currency}, count(*), sum({minor} >> 32), sum({minor} & 4294967295) FROM {} t WHERE ",
        quoted(&table.name)
    ));
    page::restrict(&Conditions::new(conn, model, table), query, &mut sql)?;
    if let Some(after) = &query.after {
        sql.push(" AND ");
        let order = Order::of(table, query)?;
        order.push_behind(&order.place_of(conn, table, after)?, &mut sql);
    }
    if division.is_some() {
        sql.push(" GROUP BY 1, 2");
    }
    let Some(tallies) = tallies else { return read(conn, &sql) };
    let (question, end) = (format!("{} {:?}", sql.text, sql.params), feed::log_end(conn)?);
    if let Some(known) = tallies.known(&question, end) {
        return Ok(known);
    }
    let found = read(conn, &sql)?;
    tallies.keep(question, Answer { collection: query.collection.clone(), end, tallies: found.clone() });
    Ok(found)
}

// The columns of a division: of its field, of the amount, of the currency.
fn columns(table: &Table, division: Division<'_>) -> Result<(String, String, String)> {
    let wrong = |field: &str| {
        Error::invalid("filter-does-not-fit").with("field", field).with("collection", &*table.collection.name)
    };
    let column = |at: usize| table.columns.get(at).map(|column| format!("t.{}", quoted(&column.name)));
    let by = match table.placed(division.by) {
        Some(placed) if matches!(placed.field.ty, FieldType::Choice(_)) => table.column_of(placed),
        _ => None,
    };
    let by = by.map(|column| format!("t.{}", quoted(&column.name))).ok_or_else(|| wrong(division.by))?;
    let money = match table.placed(division.sum).map(|placed| &placed.place) {
        Some(Place::Money(at)) => column(*at).zip(column(at + 1)),
        _ => None,
    };
    let (minor, currency) = money.ok_or_else(|| wrong(division.sum))?;
    Ok((by, minor, currency))
}

fn read(conn: &Connection, sql: &Sql) -> Result<Arc<[Tally]>> {
    let mut statement = conn.prepare_cached(&sql.text)?;
    let mut rows = statement.query(params_from_iter(&sql.params))?;
    let mut found: Vec<Tally> = Vec::new();
    while let Some(row) = rows.next()? {
        let (value, currency): (String, Option<String>) = (row.get(0)?, row.get(1)?);
        if found.last().is_none_or(|last| last.value != value) {
            found.push(Tally { value, records: 0, sums: BTreeMap::new() });
        }
        let Some(tally) = found.last_mut() else { continue };
        tally.records += row.get::<_, i64>(2)?.unsigned_abs();
        if let Some(currency) = currency.as_deref().and_then(Currency::parse) {
            let (high, low): (Option<i64>, Option<i64>) = (row.get(3)?, row.get(4)?);
            let sum = (i128::from(high.unwrap_or(0)) << 32) + i128::from(low.unwrap_or(0));
            let sum = i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX });
            tally.sums.insert(currency, sum);
        }
    }
    Ok(found.into())
}
