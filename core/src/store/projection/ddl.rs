//! Makes the tables of a layout exist, and says which collections must be projected again because theirs changed.

use rusqlite::{Connection, OptionalExtension, params};

use super::layout::{Column, Index, Layout, LinesTable, Table, quoted};
use crate::error::Result;
use crate::schema::{Name, Schema};

/// A collection whose table is new or has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stale {
    /// The collection.
    pub(crate) collection: Name,
    /// The fields that are new or projected in another way; without them, the table is new and every record missing.
    pub(crate) fields: Option<Vec<Name>>,
}

/// Makes the tables of these collections that do not exist yet.
pub(crate) fn create_missing(conn: &Connection, layout: &Layout, collections: &[&str]) -> Result<Vec<Stale>> {
    let mut stale = Vec::new();
    for table in collections.iter().filter_map(|name| layout.table(name)) {
        if projected_with(conn, table)?.is_none() {
            stale.extend(bring(conn, table)?);
        }
    }
    Ok(stale)
}

/// Brings the tables to a layout. Must run inside a transaction.
pub(crate) fn ensure(conn: &Connection, schema: &Schema, layout: &Layout) -> Result<Vec<Stale>> {
    let mut stale = Vec::new();
    for table in schema.collections().iter().filter_map(|c| layout.table(&c.name)) {
        stale.extend(bring(conn, table)?);
    }
    Ok(stale)
}

fn projected_with(conn: &Connection, table: &Table) -> Result<Option<String>> {
    let mut statement = conn.prepare_cached("SELECT projected_with FROM projection WHERE name = ?")?;
    let stored: Option<Option<String>> = statement.query_row([&*table.collection.name], |row| row.get(0)).optional()?;
    Ok(stored.flatten())
}

fn bring(conn: &Connection, table: &Table) -> Result<Option<Stale>> {
    let collection = table.collection.name.clone();
    let signature = table.signature();
    let stale = match projected_with(conn, table)? {
        Some(stored) if stored == signature => return Ok(None),
        Some(stored) => Stale { collection, fields: Some(alter(conn, table, &stored)?) },
        None => {
            create(conn, table)?;
            Stale { collection, fields: None }
        }
    };
    conn.prepare_cached(
        "INSERT INTO projection (name, projected_with) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET projected_with = ?2",
    )?
    .execute(params![&*stale.collection, signature])?;
    Ok(Some(stale))
}

fn create(conn: &Connection, table: &Table) -> Result<()> {
    let name = quoted(&table.name);
    let columns: String = table.columns.iter().map(definition).collect();
    conn.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS {name} (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, {columns}archived INTEGER NOT NULL,
         merged_into TEXT, created_at TEXT, created_by TEXT, updated_at TEXT, updated_by TEXT);
         CREATE INDEX IF NOT EXISTS {} ON {name} (merged_into) WHERE merged_into IS NOT NULL;",
        index_name(table, "merged_into")
    ))?;
    for column in &table.columns {
        create_index(conn, table, column)?;
    }
    for lines in &table.lines {
        create_lines(conn, lines)?;
    }
    Ok(())
}

fn create_lines(conn: &Connection, lines: &LinesTable) -> Result<()> {
    let columns: String = lines.columns.iter().map(definition).collect();
    conn.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS {} (record INTEGER NOT NULL, line TEXT NOT NULL, {columns}PRIMARY KEY (record, line))
         WITHOUT ROWID",
        quoted(&lines.name)
    ))?;
    Ok(())
}

fn create_index(conn: &Connection, table: &Table, column: &Column) -> Result<()> {
    let name = quoted(&column.name);
    let rows = match column.index {
        Index::None => return Ok(()),
        Index::Whole => String::new(),
        Index::Filled => format!(" WHERE {name} IS NOT NULL"),
    };
    let (index, table) = (index_name(table, &column.name), quoted(&table.name));
    conn.execute_batch(&format!("CREATE INDEX IF NOT EXISTS {index} ON {table} ({name}){rows}"))?;
    Ok(())
}

fn index_name(table: &Table, column: &str) -> String {
    quoted(&format!("{}.{column}", table.name))
}

fn definition(column: &Column) -> String {
    format!("{} {}, ", quoted(&column.name), column.sql_type)
}

/// Adds what the tables lack and gives back the fields that are new or projected in another way.
fn alter(conn: &Connection, table: &Table, stored: &str) -> Result<Vec<Name>> {
    let present = column_names(conn, &table.name)?;
    let mut fields = Vec::new();
    for column in &table.columns {
        if !present.contains(&column.name) {
            conn.execute_batch(&format!(
                "ALTER TABLE {} ADD COLUMN {} {}",
                quoted(&table.name),
                quoted(&column.name),
                column.sql_type
            ))?;
        }
        create_index(conn, table, column)?;
    }
    for lines in &table.lines {
        create_lines(conn, lines)?;
        let present = column_names(conn, &lines.name)?;
        for column in lines.columns.iter().filter(|c| !present.contains(&c.name)) {
            conn.execute_batch(&format!(
                "ALTER TABLE {} ADD COLUMN {} {}",
                quoted(&lines.name),
                quoted(&column.name),
                column.sql_type
            ))?;
        }
    }
    let signature = table.signature();
    for (placed, line) in table.fields.iter().zip(signature.lines()) {
        if !stored.lines().any(|known| known == line) {
            fields.push(placed.field.name.clone());
        }
    }
    Ok(fields)
}

fn column_names(conn: &Connection, table: &str) -> Result<Vec<String>> {
    let mut statement = conn.prepare("SELECT name FROM pragma_table_info(?)")?;
    let names = statement.query_map([table], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(names)
}
