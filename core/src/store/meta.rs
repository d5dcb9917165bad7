//! What a replica knows about itself, one row per key.

use rusqlite::{Connection, OptionalExtension, params};

use super::fault::damaged;
use crate::error::Result;
use crate::id::{DeviceId, RecordId, Timeline, WorkspaceId};

/// The keys of the `meta` table. Their values are bytes of fixed length, UTF-8 texts or big-endian integers.
pub(crate) mod key {
    pub(crate) const WORKSPACE: &str = "workspace";
    pub(crate) const NAME: &str = "name";
    pub(crate) const NODE_NAME: &str = "node_name";
    pub(crate) const ROLE: &str = "role";
    pub(crate) const DEVICE: &str = "device";
    pub(crate) const BRANCH: &str = "branch";
    pub(crate) const PERSON: &str = "person";
    pub(crate) const PERSON_ROLE: &str = "person_role";
    /// Granted scopes, separated by spaces.
    pub(crate) const SCOPES: &str = "scopes";
    pub(crate) const CURRENCY: &str = "currency";
    pub(crate) const LANGUAGE: &str = "language";
    pub(crate) const TIMELINE: &str = "timeline";
    pub(crate) const CLOCK_OFFSET_MS: &str = "clock_offset_ms";
    /// The device id of the replica above this one.
    pub(crate) const UPSTREAM_DEVICE: &str = "upstream_device";
    pub(crate) const SCHEMA_EPOCH: &str = "schema_epoch";
    /// The greatest number of a record, where that record is gone: numbers are never given again.
    pub(crate) const RECORD_N: &str = "record_n";
}

/// The bytes of a key, if it is set.
pub(crate) fn bytes(conn: &Connection, key: &str) -> Result<Option<Vec<u8>>> {
    let mut statement = conn.prepare_cached("SELECT value FROM meta WHERE key = ?")?;
    Ok(statement.query_row([key], |row| row.get(0)).optional()?)
}

/// The text of a key, if it is set.
pub(crate) fn text(conn: &Connection, key: &str) -> Result<Option<String>> {
    let Some(bytes) = bytes(conn, key)? else { return Ok(None) };
    String::from_utf8(bytes).map(Some).map_err(|_| damaged(format!("meta {key}")))
}

/// The integer of a key, if it is set.
pub(crate) fn integer(conn: &Connection, key: &str) -> Result<Option<i64>> {
    let Some(bytes) = bytes(conn, key)? else { return Ok(None) };
    let bytes = bytes.as_slice().try_into().map_err(|_| damaged(format!("meta {key}")))?;
    Ok(Some(i64::from_be_bytes(bytes)))
}

/// Sets a key.
pub(crate) fn set(conn: &Connection, key: &str, value: &[u8]) -> Result<()> {
    conn.prepare_cached("INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2")?
        .execute(params![key, value])?;
    Ok(())
}

/// Sets a key to an integer.
pub(crate) fn set_integer(conn: &Connection, key: &str, value: i64) -> Result<()> {
    set(conn, key, &value.to_be_bytes())
}

/// Forgets a key.
pub(crate) fn clear(conn: &Connection, key: &str) -> Result<()> {
    conn.prepare_cached("DELETE FROM meta WHERE key = ?")?.execute([key])?;
    Ok(())
}

macro_rules! id_of_key {
    ($($name:ident => $id:ident),* $(,)?) => {$(
        /// The id of a key, if it is set.
        pub(crate) fn $name(conn: &Connection, key: &str) -> Result<Option<$id>> {
            let Some(bytes) = bytes(conn, key)? else { return Ok(None) };
            $id::from_slice(&bytes).map(Some).ok_or_else(|| damaged(format!("meta {key}")))
        }
    )*};
}
id_of_key! { record => RecordId, device => DeviceId, workspace => WorkspaceId, timeline => Timeline }
