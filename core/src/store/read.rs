//! Lists, counts and single rows of the projection.

use rusqlite::{Connection, Row as SqlRow, params_from_iter};

use super::condition::{Conditions, Path, Sql};
use super::lookup;
use super::memo::Memo;
use super::order::Order;
use super::page;
use super::projection::layout::{LinesTable, Place, Placed, Table, quoted};
use super::projection::row;
use super::query::Query;
use super::{Model, damaged};
use crate::error::Result;
use crate::id::RecordId;
use crate::schema::{Name, Value, system_field};
use crate::time::Millis;

/// A row of the projection.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) n: i64,
    pub(crate) id: RecordId,
    pub(crate) values: Vec<(Name, Value)>,
    /// What it is called, where the query asked for that and it is not merged into another one.
    pub(crate) title: Option<String>,
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
    memo: Option<&Memo>,
    query: &Query,
    visit: &mut dyn FnMut(Row) -> Result<bool>,
) -> Result<()> {
    let table = lookup::table(model, &query.collection)?;
    let fields = selected(model, table, query)?;
    let list = row_list(table, &fields);
    let read = |found: &SqlRow<'_>| read_row(conn, table, &fields, found).map(|row| finished(table, query, row));
    if let Some(limit) = query.limit {
        // The page is chosen by row numbers alone: a sort then carries no wide rows.
        let numbers = page::numbers(conn, model, table, memo, query, limit)?;
        let mut statement = conn.prepare_cached(&format!("{list} WHERE t.n = ?"))?;
        for n in numbers.iter() {
            let mut rows = statement.query([n])?;
            if let Some(found) = rows.next()?
                && !visit(read(found)?)?
            {
                break;
            }
        }
        return Ok(());
    }
    let order = Order::of(table, query)?;
    let mut sql = Sql::default();
    sql.push(&format!("{list} WHERE "));
    page::restrict(&Conditions::new(conn, model, table), query, &mut sql)?;
    if let Some(after) = &query.after {
        sql.push(" AND ");
        order.push_behind(&order.place_of(conn, table, after)?, &mut sql);
    }
    order.push(Path::Free, &mut sql);
    let mut statement = conn.prepare_cached(&sql.text)?;
    let mut rows = statement.query(params_from_iter(&sql.params))?;
    while let Some(found) = rows.next()? {
        if !visit(read(found)?)? {
            break;
        }
    }
    Ok(())
}

/// One record's row, archived or not.
pub(crate) fn one(conn: &Connection, model: &Model, collection: &str, id: &RecordId) -> Result<Option<Row>> {
    let table = lookup::table(model, collection)?;
    let fields: Vec<&Placed> = table.fields.iter().collect();
    let mut statement = conn.prepare_cached(&format!("{} WHERE t.id = ?", row_list(table, &fields)))?;
    let mut rows = statement.query([id.to_string()])?;
    match rows.next()? {
        Some(found) => read_row(conn, table, &fields, found).map(Some),
        None => Ok(None),
    }
}

// Everything of a row that [`read_row`] reads.
fn row_list(table: &Table, fields: &[&Placed]) -> String {
    format!(
        "SELECT {}, (SELECT flags FROM record WHERE record.n = t.n) FROM {} t",
        row::select_list(table, fields),
        quoted(&table.name)
    )
}

fn selected<'t>(model: &Model, table: &'t Table, query: &Query) -> Result<Vec<&'t Placed>> {
    let Some(names) = &query.fields else { return Ok(table.fields.iter().collect()) };
    for name in names {
        if system_field(name).is_none() {
            table.collection.require_field(name)?;
        }
    }
    let of_title = if query.titled { lookup::title_fields(&model.schema, table)? } else { Vec::new() };
    let named = |placed: &Placed| {
        let name = &placed.field.name;
        names.contains(name) || of_title.iter().any(|placed| placed.field.name == *name)
    };
    Ok(table.fields.iter().filter(|placed| named(placed)).collect())
}

// The row as it was asked for, with its title.
fn finished(table: &Table, query: &Query, mut row: Row) -> Row {
    if query.titled && row.merged_into.is_none() {
        row.title = Some(lookup::title_of(table, &row.values, &row.id));
    }
    if let Some(names) = query.fields.as_ref().filter(|_| query.titled) {
        row.values.retain(|(name, _)| names.contains(name));
    }
    row
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
        title: None,
        archived: found.get(2)?,
        merged_into: id(3)?,
        created: (at(4)?, id(5)?),
        updated: (at(6)?, id(7)?),
        flags: found.get::<_, Option<i64>>(found.as_ref().column_count() - 1)?.unwrap_or(0),
    })
}
