//! A backup: one SQLite file that holds the database, the attachments and, sealed, the key. Any SQLite tool reads it.

use std::io::{Read as _, Write as _};
use std::path::{Component, Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::fault::file_fault;
use super::files::{self, beside};
use super::meta;
use super::open::{self, DATABASE};
use crate::error::{Error, Result};
use crate::id::{DeviceId, Timeline};

/// The folder of attachments beside the database.
const BLOBS: &str = "blobs";
/// Length of the parts in which attachments are kept.
const PART_BYTES: usize = 1024 * 1024;
/// Deepest folder below the attachments' one.
const DEPTH_MAX: usize = 8;

/// A key as a backup holds it: encrypted with what a passphrase gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SealedKey {
    pub(crate) salt: Vec<u8>,
    pub(crate) nonce: Vec<u8>,
    pub(crate) sealed: Vec<u8>,
}

/// Writes a backup of the last commit of the database in `dir`; gives its length in bytes. The file appears when it is
/// whole.
pub(crate) fn write(dir: &Path, conn: &Connection, file: &Path, key: Option<&SealedKey>) -> Result<u64> {
    if file.exists() {
        return Err(Error::usage("backup-exists").with("path", file.display().to_string()));
    }
    let unfinished = beside(file, "unfinished");
    let written = fill(dir, conn, &unfinished, key).and_then(|()| {
        files::publish(&unfinished, file)?;
        std::fs::metadata(file).map(|meta| meta.len()).map_err(|e| file_fault(&e, file))
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&unfinished);
    }
    written
}

fn fill(dir: &Path, conn: &Connection, file: &Path, key: Option<&SealedKey>) -> Result<()> {
    let _ = std::fs::remove_file(file);
    conn.execute("VACUUM INTO ?", [file.display().to_string()])?;
    let copy = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    copy.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get::<_, String>(0))?;
    copy.execute_batch(
        "BEGIN;
         CREATE TABLE backup_key (salt BLOB NOT NULL, nonce BLOB NOT NULL, sealed BLOB NOT NULL);
         CREATE TABLE backup_blob (path TEXT NOT NULL, part INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (path, part))",
    )?;
    if let Some(key) = key {
        copy.execute("INSERT INTO backup_key VALUES (?, ?, ?)", params![key.salt, key.nonce, key.sealed])?;
    }
    let blobs = dir.join(BLOBS);
    if blobs.is_dir() {
        add_blobs(&copy, &blobs, &blobs, 0)?;
    }
    copy.execute_batch("COMMIT")?;
    Ok(())
}

fn add_blobs(copy: &Connection, root: &Path, folder: &Path, depth: usize) -> Result<()> {
    if depth > DEPTH_MAX {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).map_err(|e| file_fault(&e, folder))? {
        let path = entry.map_err(|e| file_fault(&e, folder))?.path();
        if path.is_dir() {
            add_blobs(copy, root, &path, depth + 1)?;
            continue;
        }
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        let file = std::fs::File::open(&path).map_err(|e| file_fault(&e, &path))?;
        for part in 0_i64.. {
            let mut bytes = Vec::with_capacity(PART_BYTES);
            (&file).take(PART_BYTES as u64).read_to_end(&mut bytes).map_err(|e| file_fault(&e, &path))?;
            if bytes.is_empty() && part > 0 {
                break;
            }
            copy.prepare_cached("INSERT INTO backup_blob VALUES (?, ?, ?)")?.execute(params![name, part, bytes])?;
        }
    }
    Ok(())
}

/// The key that a backup holds, and whose it is.
///
/// # Errors
/// `backup_not_one` where the file is no backup of this program.
pub(crate) fn key_of(file: &Path) -> Result<(DeviceId, Option<SealedKey>)> {
    let not_one = || Error::invalid("backup-not-one").with("path", file.display().to_string());
    if !file.is_file() {
        return Err(Error::not_found("file-missing").with("path", file.display().to_string()));
    }
    let conn = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    open::check_format(&conn, file, open::Access::Read)?;
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name IN ('backup_key', 'backup_blob') AND type = 'table'";
    let tables: i64 = conn.query_row(tables, [], |row| row.get(0))?;
    if tables != 2 {
        return Err(not_one());
    }
    let device = meta::device(&conn, meta::key::DEVICE)?.ok_or_else(not_one)?;
    let key = conn
        .query_row("SELECT salt, nonce, sealed FROM backup_key", [], |row| {
            Ok(SealedKey { salt: row.get(0)?, nonce: row.get(1)?, sealed: row.get(2)? })
        })
        .optional()?;
    Ok((device, key))
}

/// Makes a folder's database and attachments of a backup, with a history of its own from there on. The database
/// appears when it is whole.
pub(crate) fn read(file: &Path, dir: &Path, device: &DeviceId, timeline: &Timeline) -> Result<()> {
    std::fs::create_dir_all(dir).map_err(|e| file_fault(&e, dir))?;
    let target = dir.join(DATABASE);
    if target.exists() {
        return Err(Error::usage("replica-exists").with("path", dir.display().to_string()));
    }
    let unfinished = beside(&target, "unfinished");
    let unpacked = unpack(file, dir, &unfinished, device, timeline);
    let restored = unpacked.and_then(|()| files::publish(&unfinished, &target));
    if restored.is_err() {
        let _ = std::fs::remove_file(&unfinished);
    }
    restored
}

fn unpack(file: &Path, dir: &Path, to: &Path, device: &DeviceId, timeline: &Timeline) -> Result<()> {
    std::fs::copy(file, to).map_err(|e| file_fault(&e, to))?;
    let conn = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    extract_blobs(&conn, &dir.join(BLOBS))?;
    conn.execute_batch("BEGIN; DROP TABLE backup_key; DROP TABLE backup_blob")?;
    meta::set(&conn, meta::key::DEVICE, device.as_bytes())?;
    meta::set(&conn, meta::key::TIMELINE, timeline.as_bytes())?;
    conn.execute_batch("COMMIT; VACUUM")?;
    Ok(())
}

fn extract_blobs(conn: &Connection, blobs: &Path) -> Result<()> {
    let mut statement = conn.prepare("SELECT path, part, bytes FROM backup_blob ORDER BY path, part")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        // A backup is a file like any other: its names must not lead out of the folder.
        let name = PathBuf::from(name);
        if !name.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(Error::invalid("backup-not-one").with("path", name.display().to_string()));
        }
        let path = blobs.join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| file_fault(&e, folder))?;
        }
        let is_first = row.get::<_, i64>(1)? == 0;
        let mut options = std::fs::OpenOptions::new();
        options.create(true).write(true).truncate(is_first).append(!is_first);
        let mut file = options.open(&path).map_err(|e| file_fault(&e, &path))?;
        let bytes = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|e| file_fault(&e, &path))?;
    }
    Ok(())
}
