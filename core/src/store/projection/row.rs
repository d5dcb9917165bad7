//! Writes and reads the rows of projected tables.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use rusqlite::types::{Value as Cell, ValueRef};
use rusqlite::{CachedStatement, Connection, Row as SqlRow, params};

use super::cell::{from_cells, to_cells};
use super::layout::{LinesTable, Place, Placed, Table, quoted};
use crate::error::Result;
use crate::id::RecordId;
use crate::schema::{FieldType, Name, SetOf, Value};
use crate::store::fold::push_indexed;
use crate::time::Millis;

/// Who and when, as the projection shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Mark {
    pub(crate) at: Millis,
    /// The person's id as text; none where the actor's binding is unknown.
    pub(crate) by: Option<Arc<str>>,
}

/// A record as its projection row shows it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Projected {
    /// By the places of the collection's fields, null where a field is empty.
    pub(crate) values: Vec<Value>,
    pub(crate) archived: bool,
    pub(crate) merged_into: Option<RecordId>,
    pub(crate) created: Mark,
    pub(crate) updated: Mark,
}

/// The texts that full-text search finds the record by, in the schema's order.
pub(crate) fn search_text(table: &Table, values: &[Value]) -> String {
    searched(table.fields.iter().zip(values))
}

/// The same from values by name, as [`read_values`] gives them.
pub(crate) fn search_text_of(table: &Table, values: &[(Name, Value)]) -> String {
    searched(values.iter().filter_map(|(name, value)| Some((table.placed(name)?, value))))
}

fn searched<'v>(values: impl Iterator<Item = (&'v Placed, &'v Value)>) -> String {
    let mut text = String::new();
    for (placed, value) in values.filter(|(placed, _)| placed.field.searchable) {
        match value {
            Value::Text(value) => {
                push_indexed(value, &mut text);
                text.push('\n');
            }
            Value::Set(items) if !matches!(placed.field.ty, FieldType::Set(SetOf::Reference(_))) => {
                for item in items {
                    push_indexed(item, &mut text);
                    text.push('\n');
                }
            }
            _ => {}
        }
    }
    text
}

/// Writes the row of a record that has none yet. `insert` is the table's `insert_sql`.
pub(crate) fn insert(
    insert: &mut CachedStatement<'_>,
    conn: &Connection,
    table: &Table,
    n: i64,
    id: &RecordId,
    row: Projected,
) -> Result<()> {
    let mut lines = Vec::new();
    let mut binder = Binder { statement: insert, next: 1 };
    binder.bind(n)?;
    binder.bind(id.to_string())?;
    // Columns stand in the order of the fields.
    let mut values = row.values.into_iter();
    for placed in &table.fields {
        match (&placed.place, values.next().unwrap_or(Value::Null)) {
            (Place::Lines(at), Value::Lines(value)) => lines.push((*at, value)),
            (Place::Lines(_), _) => {}
            (Place::Column(_), Value::Text(text)) => binder.bind(text)?,
            (Place::Column(_), value) => binder.bind(to_cells(value).0)?,
            (Place::Money(_), value) => {
                let (minor, currency) = to_cells(value);
                binder.bind(minor)?;
                binder.bind(currency.unwrap_or(Cell::Null))?;
            }
        }
    }
    binder.bind(row.archived)?;
    binder.bind(row.merged_into.map(|id| id.to_string()))?;
    let created_at = row.created.at.rfc3339();
    let updated_at = (row.updated.at != row.created.at).then(|| row.updated.at.rfc3339());
    binder.bind(&created_at)?;
    binder.bind(row.created.by.as_deref())?;
    binder.bind(updated_at.as_ref().unwrap_or(&created_at))?;
    binder.bind(row.updated.by.as_deref())?;
    insert.raw_execute()?;
    for (at, value) in lines {
        if let Some(lines) = table.lines.get(at) {
            insert_lines(conn, lines, n, value)?;
        }
    }
    Ok(())
}

/// Writes what changed of a record that has a row: these fields, its marks.
pub(crate) fn update(conn: &Connection, table: &Table, n: i64, row: Projected, fields: &HashSet<Name>) -> Result<()> {
    let mut sql = format!("UPDATE {} SET ", quoted(&table.name));
    let mut cells = Vec::new();
    let changed = table.fields.iter().zip(row.values).filter(|(placed, _)| fields.contains(&placed.field.name));
    for (placed, value) in changed {
        match placed.place {
            Place::Lines(at) => {
                let Some(lines) = table.lines.get(at) else { continue };
                delete_lines(conn, lines, n)?;
                if let Value::Lines(value) = value {
                    insert_lines(conn, lines, n, value)?;
                }
            }
            Place::Column(at) => push_assignment(table, at, to_cells(value).0, &mut sql, &mut cells),
            Place::Money(at) => {
                let (minor, currency) = to_cells(value);
                push_assignment(table, at, minor, &mut sql, &mut cells);
                push_assignment(table, at + 1, currency.unwrap_or(Cell::Null), &mut sql, &mut cells);
            }
        }
    }
    // Any edit may bring an archived record back: one that was made while the archiving was under way.
    sql.push_str("archived = ?, ");
    cells.push(Cell::Integer(i64::from(row.archived)));
    if fields.contains("~merged_into") {
        sql.push_str("merged_into = ?, ");
        cells.push(row.merged_into.map_or(Cell::Null, |id| Cell::Text(id.to_string())));
    }
    sql.push_str("created_at = ?, created_by = ?, updated_at = ?, updated_by = ? WHERE n = ?");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut binder = Binder { statement: &mut statement, next: 1 };
    for cell in &cells {
        binder.bind(cell)?;
    }
    for mark in [&row.created, &row.updated] {
        binder.bind(mark.at.rfc3339())?;
        binder.bind(mark.by.as_deref())?;
    }
    binder.bind(n)?;
    statement.raw_execute()?;
    Ok(())
}

/// Removes the row of a record.
pub(crate) fn delete(conn: &Connection, table: &Table, n: i64) -> Result<()> {
    conn.prepare_cached(&format!("DELETE FROM {} WHERE n = ?", quoted(&table.name)))?.execute([n])?;
    for lines in &table.lines {
        delete_lines(conn, lines, n)?;
    }
    Ok(())
}

/// The SELECT list of `fields`, each column of the table alias `t`; lines are read apart by [`read_lines`].
pub(crate) fn select_list(table: &Table, fields: &[&Placed]) -> String {
    let mut list =
        String::from("t.n, t.id, t.archived, t.merged_into, t.created_at, t.created_by, t.updated_at, t.updated_by");
    for placed in fields {
        let (Place::Column(at) | Place::Money(at)) = placed.place else { continue };
        let width = if matches!(placed.place, Place::Money(_)) { 2 } else { 1 };
        for column in table.columns.iter().skip(at).take(width) {
            list.push_str(", t.");
            list.push_str(&quoted(&column.name));
        }
    }
    list
}

/// How many columns [`select_list`] has in front of those of the fields.
pub(crate) const SELECT_FIXED: usize = 8;

/// The values of a row selected by [`select_list`]; empty ones are left out.
pub(crate) fn read_values(row: &SqlRow<'_>, fields: &[&Placed]) -> Result<Vec<(Name, Value)>> {
    let mut values = Vec::with_capacity(fields.len());
    let mut next = SELECT_FIXED;
    for placed in fields {
        let value = read_placed(row, placed, &mut next)?;
        if value != Value::Null {
            values.push((placed.field.name.clone(), value));
        }
    }
    Ok(values)
}

/// Whether a row selected by [`select_list`] of all fields holds exactly the cells of these values, lines aside: one value
/// can be read from several spellings, but is written in one.
pub(crate) fn has_cells(row: &SqlRow<'_>, table: &Table, values: &[Value]) -> Result<bool> {
    let mut next = SELECT_FIXED;
    for (placed, value) in table.fields.iter().zip(values) {
        let (first, second) = match placed.place {
            Place::Lines(_) => continue,
            Place::Column(_) => (to_cells(value.clone()).0, None),
            Place::Money(_) => {
                let (minor, currency) = to_cells(value.clone());
                (minor, Some(currency.unwrap_or(Cell::Null)))
            }
        };
        for cell in std::iter::once(first).chain(second) {
            if row.get_ref(next)? != ValueRef::from(&cell) {
                return Ok(false);
            }
            next += 1;
        }
    }
    Ok(true)
}

/// The lines of a record, by line.
pub(crate) fn read_lines(conn: &Connection, lines: &LinesTable, n: i64) -> Result<Value> {
    let columns: String = lines.columns.iter().map(|c| format!(", {}", quoted(&c.name))).collect();
    let sql = format!("SELECT line{columns} FROM {} WHERE record = ? ORDER BY line", quoted(&lines.name));
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([n])?;
    let mut read = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let mut next = 1;
        let mut values = BTreeMap::new();
        for placed in &lines.fields {
            let value = read_placed(row, placed, &mut next)?;
            if value != Value::Null {
                values.insert(placed.field.name.to_string(), value);
            }
        }
        read.insert(row.get::<_, String>(0)?, values);
    }
    Ok(if read.is_empty() { Value::Null } else { Value::Lines(read) })
}

fn read_placed(row: &SqlRow<'_>, placed: &Placed, next: &mut usize) -> Result<Value> {
    match placed.place {
        Place::Lines(_) => Ok(Value::Null),
        Place::Column(_) => {
            let cell = row.get_ref(*next)?;
            *next += 1;
            from_cells(&placed.field.ty, cell, None)
        }
        Place::Money(_) => {
            let (minor, currency): (ValueRef<'_>, _) = (row.get_ref(*next)?, row.get_ref(*next + 1)?);
            *next += 2;
            from_cells(&placed.field.ty, minor, Some(currency))
        }
    }
}

fn insert_lines(
    conn: &Connection,
    lines: &LinesTable,
    n: i64,
    value: BTreeMap<String, BTreeMap<String, Value>>,
) -> Result<()> {
    let columns: String = lines.columns.iter().map(|c| format!(", {}", quoted(&c.name))).collect();
    let marks = ", ?".repeat(lines.columns.len());
    let sql = format!("INSERT INTO {} (record, line{columns}) VALUES (?, ?{marks})", quoted(&lines.name));
    let mut statement = conn.prepare_cached(&sql)?;
    for (line, mut values) in value {
        let mut cells = vec![Cell::Null; lines.columns.len()];
        for placed in &lines.fields {
            let (cell, currency) = to_cells(values.remove(&*placed.field.name).unwrap_or(Value::Null));
            if let Place::Column(at) | Place::Money(at) = placed.place {
                set(&mut cells, at, cell);
                if let Some(currency) = currency {
                    set(&mut cells, at + 1, currency);
                }
            }
        }
        let mut binder = Binder { statement: &mut statement, next: 1 };
        binder.bind(n)?;
        binder.bind(line)?;
        for cell in &cells {
            binder.bind(cell)?;
        }
        statement.raw_execute()?;
    }
    Ok(())
}

fn delete_lines(conn: &Connection, lines: &LinesTable, n: i64) -> Result<()> {
    let sql = format!("DELETE FROM {} WHERE record = ?", quoted(&lines.name));
    conn.prepare_cached(&sql)?.execute(params![n])?;
    Ok(())
}

fn set(cells: &mut [Cell], at: usize, cell: Cell) {
    if let Some(slot) = cells.get_mut(at) {
        *slot = cell;
    }
}

fn push_assignment(table: &Table, at: usize, cell: Cell, sql: &mut String, cells: &mut Vec<Cell>) {
    if let Some(column) = table.columns.get(at) {
        sql.push_str(&quoted(&column.name));
        sql.push_str(" = ?, ");
        cells.push(cell);
    }
}

struct Binder<'a, 'c> {
    statement: &'a mut CachedStatement<'c>,
    next: usize,
}

impl Binder<'_, '_> {
    fn bind(&mut self, value: impl rusqlite::ToSql) -> Result<()> {
        self.statement.raw_bind_parameter(self.next, value)?;
        self.next += 1;
        Ok(())
    }
}
