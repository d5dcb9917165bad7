//! SQL functions that conditions use. None stands in a table, index or view, so other tools never miss them.

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;

use super::fold::fold;
use crate::error::Result;
use crate::schema::Currency;

/// Gives a connection `fold(text)` and `money_scale(currency)`, the thousandths of a unit in a minor unit.
pub(crate) fn register(conn: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    conn.create_scalar_function("fold", 1, flags, |context| {
        Ok(match context.get_raw(0) {
            ValueRef::Text(bytes) => Some(fold(&String::from_utf8_lossy(bytes))),
            _ => None,
        })
    })?;
    conn.create_scalar_function("money_scale", 1, flags, |context| {
        let currency = context.get_raw(0).as_str().ok().and_then(Currency::parse);
        Ok(currency.map(|currency| 10_i64.pow(3 - currency.exponent().min(3))))
    })?;
    Ok(())
}
