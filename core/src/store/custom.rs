//! The workspace's schema: the built-in one with what the records of `collection` and `field` add to it.

use rusqlite::Connection;

use super::Model;
use super::flush::table_values;
use crate::error::Result;
use crate::schema::{Name, Schema, Value};

/// Collections whose records are the schema itself.
pub(super) const SCHEMA_COLLECTIONS: [&str; 2] = ["collection", "field"];

/// The schema as the records that are held make it. What cannot be used is left out; `schema apply` has said so.
pub(super) fn schema(conn: &Connection, builtin: &Model) -> Result<Schema> {
    let mut rows: Vec<(&str, Vec<(Name, Value)>)> = Vec::new();
    for name in SCHEMA_COLLECTIONS {
        let Some(table) = builtin.layout.table(name) else { continue };
        rows.extend(table_values(conn, table)?.into_iter().map(|values| (name, values)));
    }
    let (schema, _) =
        Schema::with_custom(&builtin.schema, rows.iter().map(|(name, values)| (*name, values.as_slice())));
    Ok(schema)
}
