//! The database as one file that another folder begins with: how a seed is made of a replica, and a replica of a seed.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::home::Home;
use super::open::{self, Access, DATABASE};
use super::{files, meta};
use crate::error::{Error, Result};

/// Writes the last commit as one file without a journal.
pub(crate) fn write(conn: &Connection, file: &Path) -> Result<()> {
    conn.execute("VACUUM INTO ?", [file.display().to_string()])?;
    Ok(())
}

/// Makes an image the database of a folder. What it says about the replica that it was taken from goes, all but the keys
/// `kept`; then `fill` writes what the folder says about itself. The database appears when it is whole.
pub(crate) fn adopt(
    image: &Path,
    home: &Home,
    serves: bool,
    kept: &[&str],
    fill: impl FnOnce(&Connection) -> Result<()>,
) -> Result<Connection> {
    let path = home.dir.join(DATABASE);
    if path.exists() {
        return Err(Error::usage("replica-exists").with("path", home.dir.display().to_string()));
    }
    let conn = Connection::open_with_flags(image, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    open::check_format(&conn, image, Access::Write)?;
    // Its tables are read as ours are: nothing in it may run by itself.
    let acts: i64 =
        conn.query_row("SELECT count(*) FROM sqlite_schema WHERE type IN ('trigger', 'view')", [], |row| row.get(0))?;
    if acts > 0 {
        return Err(Error::invalid("seed-damaged").at(image.display().to_string()));
    }
    conn.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get::<_, String>(0))?;
    conn.execute_batch("BEGIN IMMEDIATE")?;
    let stays = kept.iter().map(|key| Ok((*key, meta::bytes(&conn, key)?))).collect::<Result<Vec<_>>>()?;
    conn.execute_batch("DELETE FROM meta")?;
    for (key, value) in stays {
        if let Some(value) = value {
            meta::set(&conn, key, &value)?;
        }
    }
    if !serves {
        conn.execute_batch("DELETE FROM scope_log; DELETE FROM record_scope; DELETE FROM scope")?;
    }
    fill(&conn)?;
    conn.execute_batch("COMMIT")?;
    drop(conn);
    files::publish(image, &path)?;
    open::open(home, Access::Write)
}

/// Moves a database that nobody has open into the folder that it was built for.
pub(crate) fn publish(from: &Home, dir: &Path) -> Result<()> {
    let (built, path) = (from.dir.join(DATABASE), dir.join(DATABASE));
    if path.exists() {
        return Err(Error::usage("replica-exists").with("path", dir.display().to_string()));
    }
    // One file without a journal beside it: it is there as a whole or not.
    let conn = open::unlocked(&built, OpenFlags::SQLITE_OPEN_READ_WRITE, from.database_key())?;
    conn.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get::<_, String>(0))?;
    drop(conn);
    files::publish(&built, &path)
}
