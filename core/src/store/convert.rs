//! Encrypts a plain folder, and back.
//!
//! Everything is written in its new form beside the old one; then the new database takes the old one's name, and that
//! moment decides. A process that dies before leaves the folder as it was, one that dies after leaves it converted; what
//! lies about of the other form goes when the folder is opened next.

use std::path::Path;

use rusqlite::Connection;

use super::blob_file::{BlobReader, BlobWriter};
use super::fault::file_fault;
use super::files::{self, beside};
use super::home::{self, BLOBS, Folder, Held, Home, SEALED_BLOB};
use super::key::{DatabaseKey, Random, STORE_KEY_FILE, StoreKey};
use super::open::{self, Access, DATABASE};
use super::{blob_rows, is_replica};
use crate::error::{Error, Result};
use crate::id::BlobHash;

/// Says that a conversion has begun and not ended.
const CONVERTING_FILE: &str = "converting";

/// Encrypts the plain replica in a folder with `to`, or decrypts an encrypted one; nobody may have it open. `secrets` are
/// the small files that are sealed in an encrypted folder.
///
/// # Errors
/// `folder_open`; `folder_encrypted` and `folder_not_encrypted` for what is so already; as [`Home::find`]; whatever SQLite or the file system says.
pub(crate) fn convert(folder: &Folder, to: Option<&StoreKey>, secrets: &[&str], random: Random<'_>) -> Result<()> {
    let dir = folder.path();
    if !is_replica(dir) {
        return Err(Error::usage("no-replica").with("path", dir.display().to_string()));
    }
    let _held = Held::alone(dir)?;
    let is_encrypted = home::is_encrypted(dir)?;
    match to {
        Some(_) if is_encrypted => {
            return Err(Error::usage("folder-encrypted").with("path", dir.display().to_string()));
        }
        None if folder.key()?.is_none() && !is_encrypted => {
            return Err(Error::locked("folder-not-encrypted").with("path", dir.display().to_string()));
        }
        _ => (),
    }
    let from = Home::find(folder)?;
    end(&from, secrets, random)?;
    let target = match to {
        Some(key) => Home::drawn(dir, key, random)?,
        None => Home::plain(dir),
    };
    files::write_whole(&dir.join(CONVERTING_FILE), b"")?;
    let unfinished = beside(&dir.join(DATABASE), "unfinished");
    let prepared = prepare(&from, &target, &unfinished, random).and_then(|()| match to {
        Some(key) => target.keep(key, random),
        None => secrets.iter().try_for_each(|name| put(&from, &target, name, random)),
    });
    if let Err(failure) = prepared {
        // A folder that cannot be tidied now is when it is opened next.
        let _ = end(&from, secrets, random);
        return Err(failure);
    }
    files::publish(&unfinished, &dir.join(DATABASE))?;
    end(&target, secrets, random)
}

/// Whether a conversion was cut short in this folder.
pub(crate) fn is_converting(dir: &Path) -> bool {
    dir.join(CONVERTING_FILE).is_file()
}

/// Ends what a conversion has begun that was cut short. While somebody else has the folder open it waits for another time:
/// what lies about is in nobody's way.
pub(crate) fn settle(folder: &Folder, secrets: &[&str], random: Random<'_>) -> Result<()> {
    match Held::alone(folder.path()) {
        Err(Error::Busy(_)) => Ok(()),
        Err(failure) => Err(failure),
        Ok(_held) => end(&Home::find(folder)?, secrets, random),
    }
}

// What is not of the form in which the database stands goes.
fn end(home: &Home, secrets: &[&str], random: Random<'_>) -> Result<()> {
    if !is_converting(&home.dir) {
        return Ok(());
    }
    remove(&beside(&home.dir.join(DATABASE), "unfinished"))?;
    secrets.iter().try_for_each(|name| put(home, home, name, random))?;
    let blobs = home.dir.join(BLOBS);
    if blobs.is_dir() {
        for entry in std::fs::read_dir(&blobs).map_err(|e| file_fault(&e, &blobs))? {
            let path = entry.map_err(|e| file_fault(&e, &blobs))?.path();
            if form_of(&path).is_some_and(|sealed| sealed != home.is_encrypted()) {
                remove(&path)?;
            }
        }
    }
    if !home.is_encrypted() {
        remove(&home.dir.join(STORE_KEY_FILE))?;
    }
    remove(&home.dir.join(CONVERTING_FILE))?;
    files::sync_folder_of(&home.dir.join(DATABASE))
}

/// Copies the last commit of a database into a new file under another key, or none.
pub(super) fn export(from: &Connection, file: &Path, key: Option<&DatabaseKey>) -> Result<()> {
    // SQLite attaches what is there; it makes no file for a connection that may not make its own.
    std::fs::File::create(file).map_err(|e| file_fault(&e, file))?;
    let literal = key.map(DatabaseKey::literal).unwrap_or_default();
    from.execute("ATTACH ?1 AS target KEY ?2", [&file.display().to_string(), &*literal])?;
    let exported = fill(from);
    // After a failure its transaction is still open.
    let _ = if exported.is_err() { from.execute_batch("ROLLBACK") } else { Ok(()) };
    from.execute_batch("DETACH target")?;
    exported
}

fn fill(from: &Connection) -> Result<()> {
    // Whoever dies meanwhile leaves a file that nobody reads.
    from.query_row("PRAGMA target.journal_mode = OFF", [], |_| Ok(()))?;
    from.execute_batch("BEGIN")?;
    from.query_row("SELECT sqlcipher_export('target')", [], |_| Ok(()))?;
    for pragma in ["application_id", "user_version"] {
        let value: i64 = from.query_row(&format!("PRAGMA main.{pragma}"), [], |row| row.get(0))?;
        from.execute_batch(&format!("PRAGMA target.{pragma} = {value}"))?;
    }
    Ok(from.execute_batch("COMMIT")?)
}

// The database and the attachments in their new form.
fn prepare(from: &Home, target: &Home, unfinished: &Path, random: Random<'_>) -> Result<()> {
    let conn = open::open(from, Access::Write)?;
    // One file without a journal beside it, which would be read as that of the new one.
    let mode: String = conn.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0))?;
    if mode != "delete" {
        return Err(Error::busy("folder-open").with("path", from.dir.display().to_string()));
    }
    export(&conn, unfinished, target.database_key())?;
    for hash in blob_rows::known(&conn)? {
        copy_blob(from, target, &hash, random)?;
    }
    Ok(())
}

// An attachment, and what was put aside of it because it was damaged. One that is still arriving begins anew.
fn copy_blob(from: &Home, target: &Home, hash: &BlobHash, random: Random<'_>) -> Result<()> {
    let damaged = (1..).map(|n| if n == 1 { ".damaged".to_owned() } else { format!(".damaged-{n}") });
    for (at, suffix) in std::iter::once(String::new()).chain(damaged).enumerate() {
        let (source, path) = (from.blob(hash, &suffix), target.blob(hash, &suffix));
        if !source.is_file() {
            if at == 0 { continue } else { break }
        }
        let unfinished = beside(&path, "new");
        let copy = || {
            let mut to = BlobWriter::create(target, &unfinished, random)?;
            std::io::copy(&mut BlobReader::open(from, source.clone())?, &mut to)?;
            to.sync()
        };
        copy().map_err(|e| file_fault(&e, &source))?;
        files::publish(&unfinished, &path)?;
    }
    Ok(())
}

// A small file in the form of `to`.
fn put(from: &Home, to: &Home, name: &str, random: Random<'_>) -> Result<()> {
    if !from.dir.join(name).is_file() {
        return Ok(());
    }
    let plain = from.read_secret(name, |path| Error::corrupt("device-key-damaged").with("path", path))?;
    to.write_secret(name, plain.as_bytes(), random)
}

// Whether a file among the attachments is of an encrypted folder; none for what is not ours.
fn form_of(path: &Path) -> Option<bool> {
    let name = path.file_name()?.to_str()?;
    if name.starts_with(SEALED_BLOB) {
        return Some(true);
    }
    let is_plain = name.ends_with(".new") || BlobHash::parse(name.split('.').next()?).is_some();
    is_plain.then_some(false)
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(file_fault(&e, path)),
        _ => Ok(()),
    }
}
