//! A bound on the work of one statement: SQLite gives it up once it has taken as many steps as it was allowed.

use std::cell::Cell;

use rusqlite::{Connection, ErrorCode};

use crate::error::Result;

/// Steps of SQLite's virtual machine between two looks at the budget.
const STEPS_PER_LOOK: i32 = 1_000;

thread_local! {
    // A statement runs on the thread that steps it; this is what the one running now has left.
    static LOOKS_LEFT: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Makes a connection keep to the budgets of [`within`].
pub(super) fn register(conn: &mut Connection) -> Result<()> {
    let is_spent = || {
        let left = LOOKS_LEFT.get().map(|left| left.saturating_sub(1));
        LOOKS_LEFT.set(left);
        left == Some(0)
    };
    Ok(conn.progress_handler(STEPS_PER_LOOK, Some(is_spent))?)
}

/// What some reading finds within so many thousand steps of SQLite; none where it took more. Without a bound it always
/// finds its end.
pub(super) fn within<T>(thousand_steps: Option<u32>, work: impl FnOnce() -> rusqlite::Result<T>) -> Result<Option<T>> {
    LOOKS_LEFT.set(thousand_steps);
    let done = work();
    LOOKS_LEFT.set(None);
    match done {
        Ok(found) => Ok(Some(found)),
        Err(failure) if failure.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LONG: &str =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) SELECT sum(i) FROM n";

    #[test]
    fn a_statement_is_given_up_when_its_budget_is_spent_and_the_next_one_is_free() {
        let mut conn = Connection::open_in_memory().unwrap();
        register(&mut conn).unwrap();
        let sum = || conn.query_row(LONG, [], |row| row.get::<_, i64>(0));
        assert_eq!(within(Some(50), sum).unwrap(), None);
        assert_eq!(within(None, sum).unwrap(), Some(5_000_050_000));
        assert_eq!(within(Some(50_000), sum).unwrap(), Some(5_000_050_000));
        assert_eq!(sum().unwrap(), 5_000_050_000);
    }
}
