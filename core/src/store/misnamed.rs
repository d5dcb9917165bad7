//! Records whose id is damaged in their own row.
//!
//! No change says which record it belongs to, so that the log cannot tell a record's id. But two other places keep it:
//! the index of ids, and the row that shows the record. Where these two agree against the record, it gets its id back;
//! where all three differ, nothing is written and the damage is told.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::projection::layout::quoted;
use super::{Model, record};
use crate::error::Result;
use crate::id::RecordId;

/// For each record whose id is damaged, the one that it must have; none where it cannot be told which record it is.
pub(super) type Misnamed = BTreeMap<i64, Option<RecordId>>;

/// Holds the id of each record against the index of ids. Only worth its time where an index differs from its table.
pub(super) fn look(conn: &Connection, model: &Model) -> Result<Misnamed> {
    let mut misnamed = Misnamed::new();
    let mut index = conn.prepare("SELECT n, id FROM record INDEXED BY sqlite_autoindex_record_1")?;
    let mut table = conn.prepare("SELECT id, collection FROM record NOT INDEXED WHERE n = ?")?;
    let mut entries = index.query([])?;
    while let Some(entry) = entries.next()? {
        let (n, indexed): (i64, Vec<u8>) = (entry.get(0)?, entry.get(1)?);
        let own: Option<(Vec<u8>, i64)> = table.query_row([n], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((own, collection)) = own.filter(|(own, _)| *own != indexed) else { continue };
        let shown = shown(conn, model, n, collection)?;
        // Where the record and its row agree, the entry of the index is what is damaged.
        if shown.is_none_or(|shown| own != shown.as_bytes()) {
            misnamed.insert(n, shown.filter(|shown| indexed == shown.as_bytes()));
        }
    }
    Ok(misnamed)
}

fn shown(conn: &Connection, model: &Model, n: i64, collection: i64) -> Result<Option<RecordId>> {
    let name = record::collection_name(conn, collection)?;
    let Some(table) = model.layout.table(&name) else { return Ok(None) };
    let sql = format!("SELECT id FROM {} WHERE n = ?", quoted(&table.name));
    let id: Option<String> = conn.prepare_cached(&sql)?.query_row([n], |row| row.get(0)).optional()?;
    Ok(id.and_then(|id| RecordId::parse(&id)))
}

/// Gives records their ids back, once the index of ids follows its table again.
pub(super) fn rename(conn: &Connection, misnamed: &Misnamed) -> Result<()> {
    for (n, id) in misnamed {
        if let Some(id) = id {
            conn.prepare_cached("UPDATE record SET id = ? WHERE n = ?")?.execute(params![id.as_bytes(), n])?;
        }
    }
    Ok(())
}
