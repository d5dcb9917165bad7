//! SQL that a person types: one reading statement, on a connection that cannot write, for a bounded time.

use std::time::{Duration, Instant};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode};
use serde_json::{Map, Value as Json};

use crate::error::{Error, Result};

/// Longest run of a statement.
const RUN_MAX: Duration = Duration::from_secs(60);
/// SQLite's virtual machine steps between two looks at the clock.
const STEPS_PER_LOOK: i32 = 10_000;
/// Most rows given back.
const ROWS_MAX: usize = 1_000_000;

/// Runs a statement that only reads and gives its rows as objects. Blobs are hexadecimal text. The connection is for
/// this alone: it keeps the restraints.
///
/// # Errors
/// `sql_not_reading` for anything that is not one SELECT, WITH, VALUES or EXPLAIN; `sql_failed` with SQLite's words;
/// `sql_too_long` after a minute.
pub(crate) fn query(mut conn: Connection, select: &str) -> Result<Vec<Map<String, Json>>> {
    conn.authorizer(Some(only_reading))?;
    let begun = Instant::now();
    conn.progress_handler(STEPS_PER_LOOK, Some(move || begun.elapsed() > RUN_MAX))?;
    run(&conn, select)
}

fn only_reading(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => Authorization::Allow,
        AuthAction::Function { function_name } if function_name != "load_extension" => Authorization::Allow,
        // Reading a virtual table of FTS5 looks up its data version.
        AuthAction::Pragma { pragma_name: "data_version", .. } => Authorization::Allow,
        _ => Authorization::Deny,
    }
}

fn run(conn: &Connection, select: &str) -> Result<Vec<Map<String, Json>>> {
    let mut statement = conn.prepare(select).map_err(|failure| refused(&failure))?;
    if !statement.readonly() {
        return Err(Error::usage("sql-not-reading").with("detail", ""));
    }
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([]).map_err(|failure| refused(&failure))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(|failure| refused(&failure))? {
        if found.len() == ROWS_MAX {
            return Err(Error::limit("sql-too-many-rows").with("limit", ROWS_MAX));
        }
        let mut object = Map::with_capacity(names.len());
        for (at, name) in names.iter().enumerate() {
            object.insert(name.clone(), json(row.get_ref(at)?));
        }
        found.push(object);
    }
    Ok(found)
}

fn refused(failure: &rusqlite::Error) -> Error {
    let error = match failure.sqlite_error_code() {
        Some(ErrorCode::AuthorizationForStatementDenied | ErrorCode::ReadOnly) => Error::usage("sql-not-reading"),
        Some(ErrorCode::OperationInterrupted) => Error::limit("sql-too-long").with("seconds", RUN_MAX.as_secs()),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::corrupt("store-corrupt"),
        _ if matches!(failure, rusqlite::Error::MultipleStatement) => Error::usage("sql-not-reading"),
        _ => Error::invalid("sql-failed"),
    };
    error.with("detail", failure.to_string())
}

fn json(value: ValueRef<'_>) -> Json {
    match value {
        ValueRef::Null => Json::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned().into(),
        ValueRef::Blob(bytes) => data_encoding::HEXLOWER.encode(bytes).into(),
    }
}
