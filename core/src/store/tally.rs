//! How many records a query has, for each value of a field, and what another field of theirs comes to.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, params_from_iter};

use super::condition::{Conditions, Sql};
use super::lookup;
use super::memo::Memo;
use super::order::Order;
use super::projection::layout::{Place, Table, quoted};
use super::query::Query;
use super::{Model, page};
use crate::error::{Error, Result};
use crate::schema::{Currency, FieldType};

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

/// How many rows a query asks for, without its limit.
pub(crate) fn count(conn: &Connection, model: &Model, memo: Option<&Memo>, query: &Query) -> Result<u64> {
    let all = tally(conn, model, memo, query, None)?;
    Ok(all.iter().map(|tally| tally.records).sum())
}

/// The rows that a query asks for, without its limit, divided by a field; undivided without one.
pub(crate) fn tally(
    conn: &Connection,
    model: &Model,
    memo: Option<&Memo>,
    query: &Query,
    division: Option<Division<'_>>,
) -> Result<Arc<Vec<Tally>>> {
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
    Memo::ask(memo, conn, &query.collection, || format!("{sql:?}"), || read(conn, &sql))
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

fn read(conn: &Connection, sql: &Sql) -> Result<Vec<Tally>> {
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
    Ok(found)
}
