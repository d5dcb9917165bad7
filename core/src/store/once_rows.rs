//! Requests that were carried out, by the day and the hash of their key: rows of `meta`, ordered by day.

use rusqlite::{Connection, params};

use super::fault::damaged;
use super::meta;
use crate::error::Result;

// Days count from 1970; ten digits keep the order of texts that of numbers.
fn row(day: i32, name: &[u8; 32]) -> String {
    format!("{}{}", day_prefix(day), data_encoding::HEXLOWER.encode(name))
}

fn day_prefix(day: i32) -> String {
    format!("once:{:010}:", day.max(0))
}

/// The hash of the request and the answer.
pub(crate) fn find(conn: &Connection, day: i32, name: &[u8; 32]) -> Result<Option<([u8; 32], String)>> {
    let key = row(day, name);
    let Some(bytes) = meta::bytes(conn, &key)? else { return Ok(None) };
    let Some((request, answer)) = bytes.split_first_chunk::<32>() else { return Err(damaged(format!("meta {key}"))) };
    let answer = String::from_utf8(answer.to_vec()).map_err(|_| damaged(format!("meta {key}")))?;
    Ok(Some((*request, answer)))
}

/// Notes a request that is carried out in this transaction.
pub(crate) fn put(conn: &Connection, day: i32, name: &[u8; 32], request: &[u8; 32], answer: &str) -> Result<()> {
    meta::set(conn, &row(day, name), &[request.as_slice(), answer.as_bytes()].concat())
}

/// Forgets what is of days before this one.
pub(crate) fn forget_before(conn: &Connection, day: i32) -> Result<()> {
    conn.prepare_cached("DELETE FROM meta WHERE key >= 'once:' AND key < ?")?.execute(params![day_prefix(day)])?;
    Ok(())
}
