//! Lists, counts and single rows of the projection.

use rusqlite::types::Value as Cell;
use rusqlite::{Connection, Row as SqlRow, params_from_iter};

use super::condition::{Conditions, Sql};
use super::lookup;
use super::projection::layout::{LinesTable, Place, Placed, Table, quoted};
use super::projection::row;
use super::query::{Direction, Query};
use super::{Model, damaged};
use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::schema::{FieldType, Filter, Name, Value, system_field};
use crate::time::Millis;

/// A row of the projection.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) n: i64,
    pub(crate) id: RecordId,
    pub(crate) values: Vec<(Name, Value)>,
    pub(crate) archived: bool,
    pub(crate) merged_into: Option<RecordId>,
    pub(crate) created: (Millis, Option<RecordId>),
    pub(crate) updated: (Millis, Option<RecordId>),
    pub(crate) flags: i64,
}

/// Visits the rows that a query asks for, in its order, until `visit` says false.
pub(crate) fn each(
    conn: &Connection,
    model: &Model,
    query: &Query,
    visit: &mut dyn FnMut(Row) -> Result<bool>,
) -> Result<()> {
    let table = lookup::table(model, &query.collection)?;
    let fields = selected(table, query)?;
    let name = quoted(&table.name);
    let list = format!("SELECT {}, (SELECT flags FROM record WHERE record.n = t.n)", row::select_list(table, &fields));
    let mut sql = Sql::default();
    if let Some(limit) = query.limit {
        // The page is chosen by row numbers alone: a sort then carries no wide rows.
        sql.push(&format!("WITH page (n) AS MATERIALIZED (SELECT t.n FROM {name} t WHERE "));
        restrict(conn, model, table, query, &mut sql)?;
        order(table, query, &mut sql)?;
        sql.push(" LIMIT ");
        sql.param(i64::try_from(limit).unwrap_or(i64::MAX));
        sql.push(&format!(") {list} FROM page JOIN {name} t ON t.n = page.n"));
    } else {
        sql.push(&format!("{list} FROM {name} t WHERE "));
        restrict(conn, model, table, query, &mut sql)?;
    }
    order(table, query, &mut sql)?;
    let mut statement = conn.prepare_cached(&sql.text)?;
    let mut rows = statement.query(params_from_iter(&sql.params))?;
    while let Some(found) = rows.next()? {
        if !visit(read_row(conn, table, &fields, found)?)? {
            break;
        }
    }
    Ok(())
}

/// How many rows a query asks for, without its limit.
pub(crate) fn count(conn: &Connection, model: &Model, query: &Query) -> Result<u64> {
    let table = lookup::table(model, &query.collection)?;
    let mut sql = Sql::default();
    sql.push(&format!("SELECT count(*) FROM {} t WHERE ", quoted(&table.name)));
    restrict(conn, model, table, query, &mut sql)?;
    let count: i64 = conn.prepare_cached(&sql.text)?.query_row(params_from_iter(&sql.params), |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// One record's row, archived or not.
pub(crate) fn one(conn: &Connection, model: &Model, collection: &str, id: &RecordId) -> Result<Option<Row>> {
    let table = lookup::table(model, collection)?;
    let fields: Vec<&Placed> = table.fields.iter().collect();
    let sql = format!(
        "SELECT {}, (SELECT flags FROM record WHERE record.n = t.n) FROM {} t WHERE t.id = ?",
        row::select_list(table, &fields),
        quoted(&table.name)
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([id.to_string()])?;
    match rows.next()? {
        Some(found) => read_row(conn, table, &fields, found).map(Some),
        None => Ok(None),
    }
}

fn selected<'t>(table: &'t Table, query: &Query) -> Result<Vec<&'t Placed>> {
    let Some(names) = &query.fields else { return Ok(table.fields.iter().collect()) };
    for name in names {
        if system_field(name).is_none() {
            table.collection.require_field(name)?;
        }
    }
    Ok(table.fields.iter().filter(|placed| names.contains(&placed.field.name)).collect())
}

/// The table of a lines field.
pub(super) fn lines_of<'t>(table: &'t Table, placed: &Placed) -> Option<&'t LinesTable> {
    match placed.place {
        Place::Lines(at) => table.lines.get(at),
        _ => None,
    }
}

fn read_row(conn: &Connection, table: &Table, fields: &[&Placed], found: &SqlRow<'_>) -> Result<Row> {
    let n = found.get(0)?;
    let mut values = row::read_values(found, fields)?;
    for placed in fields {
        if let Some(lines) = lines_of(table, placed) {
            let value = row::read_lines(conn, lines, n)?;
            if value != Value::Null {
                values.push((placed.field.name.clone(), value));
            }
        }
    }
    let id = |at| -> Result<Option<RecordId>> {
        let text = found.get_ref(at)?.as_str_or_null().map_err(rusqlite::Error::from)?;
        text.map(|text| RecordId::parse(text).ok_or_else(|| damaged("a projected id"))).transpose()
    };
    let at = |column| -> Result<Millis> {
        let text = found.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from)?;
        Ok(text.and_then(Millis::parse).unwrap_or_default())
    };
    Ok(Row {
        n,
        id: id(1)?.ok_or_else(|| damaged("a projected id"))?,
        values,
        archived: found.get(2)?,
        merged_into: id(3)?,
        created: (at(4)?, id(5)?),
        updated: (at(6)?, id(7)?),
        flags: found.get::<_, Option<i64>>(found.as_ref().column_count() - 1)?.unwrap_or(0),
    })
}

fn restrict(conn: &Connection, model: &Model, table: &Table, query: &Query, sql: &mut Sql) -> Result<()> {
    let conditions = Conditions { conn, model, table, follows_sort: follows_sort(table, query) };
    if query.archived || query.filter.as_ref().is_some_and(names_archived) {
        sql.push("1");
    } else {
        conditions.shown(sql);
    }
    if let Some(filter) = &query.filter {
        sql.push(" AND ");
        conditions.filter(filter, sql)?;
    }
    if let Some(after) = &query.after {
        sql.push(" AND ");
        keyset(conn, table, query, after, sql)?;
    }
    Ok(())
}

/// Whether the first sort key has an index, so that the first rows can be had without looking at all.
fn follows_sort(table: &Table, query: &Query) -> bool {
    let first = query.sort.first().and_then(|(name, _)| table.placed(name));
    query.limit.is_some() && first.and_then(|placed| table.column_of(placed)).is_some_and(|column| column.indexed)
}

fn names_archived(filter: &Filter) -> bool {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().any(names_archived),
        Filter::Not(part) => names_archived(part),
        Filter::Compare { field, .. } | Filter::In { field, .. } | Filter::Empty { field, .. } => {
            &**field == "archived"
        }
    }
}

/// The expressions that a query sorts by, each with its direction. Records that tie stand by their ids, which are the
/// same on every replica; without any sort, rows stand in the order in which they came here.
fn sort_keys(table: &Table, query: &Query) -> Result<Vec<(String, Direction)>> {
    let mut keys = Vec::new();
    for (name, direction) in &query.sort {
        let key = match table.placed(name) {
            Some(placed) => {
                let column = table.column_of(placed).ok_or_else(|| {
                    Error::invalid("sort-does-not-fit")
                        .with("field", &**name)
                        .with("collection", &*table.collection.name)
                })?;
                let column = format!("t.{}", quoted(&column.name));
                if placed.field.ty == FieldType::Decimal { format!("CAST({column} AS REAL)") } else { column }
            }
            None if system_field(name).is_some() => format!("t.{name}"),
            None => return table.collection.require_field(name).map(|_| Vec::new()),
        };
        keys.push((key, *direction));
    }
    let last = query.sort.last().map_or(Direction::Ascending, |(_, direction)| *direction);
    let tie = if query.sort.is_empty() { "t.n" } else { "t.id" };
    keys.push((tie.to_owned(), last));
    Ok(keys)
}

fn order(table: &Table, query: &Query, sql: &mut Sql) -> Result<()> {
    sql.push(" ORDER BY ");
    for (at, (key, direction)) in sort_keys(table, query)?.iter().enumerate() {
        if at > 0 {
            sql.push(", ");
        }
        sql.push(key);
        if *direction == Direction::Descending {
            sql.push(" DESC");
        }
    }
    Ok(())
}

/// Only rows behind the row of `after`: equal in the first keys, behind in the next one. Empty values sort first.
fn keyset(conn: &Connection, table: &Table, query: &Query, after: &RecordId, sql: &mut Sql) -> Result<()> {
    let keys = sort_keys(table, query)?;
    let list: Vec<&str> = keys.iter().map(|(key, _)| key.as_str()).collect();
    let select = format!("SELECT {} FROM {} t WHERE t.id = ?", list.join(", "), quoted(&table.name));
    let mut statement = conn.prepare_cached(&select)?;
    let mut rows = statement.query([after.to_string()])?;
    let Some(found) = rows.next()? else {
        return Err(Error::not_found("record-not-found")
            .with("collection", &*table.collection.name)
            .with("record", after.to_string()));
    };
    let values: Vec<Cell> = (0..keys.len()).map(|at| found.get(at)).collect::<rusqlite::Result<_>>()?;
    sql.push("(0");
    for (at, (key, direction)) in keys.iter().enumerate() {
        let Some(value) = values.get(at) else { continue };
        let behind = match (direction, value) {
            (Direction::Ascending, Cell::Null) => Some(format!("{key} IS NOT NULL")),
            (Direction::Ascending, _) => Some(format!("{key} > ?")),
            (Direction::Descending, Cell::Null) => None,
            (Direction::Descending, _) => Some(format!("({key} IS NULL OR {key} < ?)")),
        };
        let Some(behind) = behind else { continue };
        sql.push(" OR (");
        for ((equal, _), value) in keys.iter().zip(&values).take(at) {
            sql.push(equal);
            sql.push(" IS ");
            sql.param(value.clone());
            sql.push(" AND ");
        }
        sql.push(&behind);
        if *value != Cell::Null {
            sql.params.push(value.clone());
        }
        sql.push(")");
    }
    sql.push(")");
    Ok(())
}
