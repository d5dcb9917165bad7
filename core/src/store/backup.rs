//! A backup: one SQLite file that holds the database, the attachments and, sealed, the key. Any SQLite tool reads that of a
//! plain folder.

use std::io::{Read, Write as _};
use std::path::{Component, Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::blob_file::{BlobReader, BlobWriter};
use super::convert::export;
use super::fault::file_fault;
use super::files::{self, beside};
use super::home::{BLOBS, Home, is_plain};
use super::key::{DatabaseKey, Random, StoreKey};
use super::open::{self, DATABASE};
use super::{blob_rows, meta};
use crate::error::{Error, Result};
use crate::id::{BlobHash, DeviceId, Timeline};

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

/// Writes a backup of the last commit of a database; gives its length in bytes. The file appears when it is whole. That of
/// an encrypted folder is encrypted by the key that opens the folder.
pub(crate) fn write(home: &Home, conn: &Connection, file: &Path, key: Option<&SealedKey>) -> Result<u64> {
    if file.exists() {
        return Err(Error::usage("backup-exists").with("path", file.display().to_string()));
    }
    let unfinished = beside(file, "unfinished");
    let written = fill(home, conn, &unfinished, key).and_then(|()| {
        files::publish(&unfinished, file)?;
        std::fs::metadata(file).map(|meta| meta.len()).map_err(|e| file_fault(&e, file))
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&unfinished);
    }
    written
}

fn fill(home: &Home, conn: &Connection, file: &Path, key: Option<&SealedKey>) -> Result<()> {
    let _ = std::fs::remove_file(file);
    let under = home.key()?.map(|key| key.of_backup());
    match &under {
        None => drop(conn.execute("VACUUM INTO ?", [file.display().to_string()])?),
        Some(under) => {
            let database = home.dir.join(DATABASE);
            export(
                &open::unlocked(&database, OpenFlags::SQLITE_OPEN_READ_WRITE, home.database_key())?,
                file,
                Some(under),
            )?;
        }
    }
    let copy = open::unlocked(file, OpenFlags::SQLITE_OPEN_READ_WRITE, under.as_ref())?;
    copy.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get::<_, String>(0))?;
    copy.execute_batch(
        "BEGIN;
         CREATE TABLE backup_key (salt BLOB NOT NULL, nonce BLOB NOT NULL, sealed BLOB NOT NULL);
         CREATE TABLE backup_blob (path TEXT NOT NULL, part INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (path, part))",
    )?;
    if let Some(key) = key {
        copy.execute("INSERT INTO backup_key VALUES (?, ?, ?)", params![key.salt, key.nonce, key.sealed])?;
    }
    let blobs = home.dir.join(BLOBS);
    if home.is_encrypted() {
        for hash in blob_rows::all(&copy)? {
            let path = home.blob(&hash, "");
            if path.is_file() {
                let reader = BlobReader::open(home, path.clone()).map_err(|e| file_fault(&e, &path))?;
                add_blob(&copy, &hash.to_string(), reader, &path)?;
            }
        }
    } else if blobs.is_dir() {
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
        add_blob(copy, &name, file, &path)?;
    }
    Ok(())
}

fn add_blob(copy: &Connection, name: &str, mut file: impl Read, path: &Path) -> Result<()> {
    for part in 0_i64.. {
        let mut bytes = Vec::with_capacity(PART_BYTES);
        (&mut file).take(PART_BYTES as u64).read_to_end(&mut bytes).map_err(|e| file_fault(&e, path))?;
        if bytes.is_empty() && part > 0 {
            break;
        }
        copy.prepare_cached("INSERT INTO backup_blob VALUES (?, ?, ?)")?.execute(params![name, part, bytes])?;
    }
    Ok(())
}

/// A backup that a folder is made of.
pub(crate) struct Restoring<'a> {
    file: &'a Path,
    under: Option<DatabaseKey>,
}

impl<'a> Restoring<'a> {
    /// Opens a backup; an encrypted one by the key that its folder had.
    ///
    /// # Errors
    /// `file_missing`, `backup_needs_key`.
    pub(crate) fn open(file: &'a Path, key: Option<&StoreKey>) -> Result<Self> {
        let path = || file.display().to_string();
        if !file.is_file() {
            return Err(Error::not_found("file-missing").with("path", path()));
        }
        let under = match key {
            _ if is_plain(file)? => None,
            Some(key) => Some(key.of_backup()),
            None => return Err(Error::locked("backup-needs-key").with("path", path())),
        };
        Ok(Self { file, under })
    }

    fn connect(&self, flags: OpenFlags) -> Result<Connection> {
        open::unlocked(self.file, flags, self.under.as_ref())
    }

    /// The device's key that it holds, and whose it is.
    ///
    /// # Errors
    /// `backup_not_one` where the file is no backup of this program, `backup_key_wrong` where another key encrypted it.
    pub(crate) fn key(&self) -> Result<(DeviceId, Option<SealedKey>)> {
        let path = || self.file.display().to_string();
        let not_one = || Error::invalid("backup-not-one").with("path", path());
        let conn = self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        match open::check_format(&conn, self.file, open::Access::Read) {
            Err(Error::Corrupt(_)) if self.under.is_some() => {
                return Err(Error::locked("backup-key-wrong").with("path", path()));
            }
            checked => checked?,
        }
        let tables =
            "SELECT count(*) FROM sqlite_schema WHERE name IN ('backup_key', 'backup_blob') AND type = 'table'";
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

    /// Makes a folder's database and attachments of it, with a history of its own from there on. The database appears when
    /// it is whole.
    pub(crate) fn into(self, home: &Home, device: &DeviceId, timeline: &Timeline, random: Random<'_>) -> Result<()> {
        files::make_folder(&home.dir)?;
        let target = home.dir.join(DATABASE);
        if target.exists() {
            return Err(Error::usage("replica-exists").with("path", home.dir.display().to_string()));
        }
        let unfinished = beside(&target, "unfinished");
        let unpacked = self.unpack(home, &unfinished, device, timeline, random);
        let restored = unpacked.and_then(|()| files::publish(&unfinished, &target));
        if restored.is_err() {
            let _ = std::fs::remove_file(&unfinished);
        }
        restored
    }

    fn unpack(&self, home: &Home, to: &Path, device: &DeviceId, timeline: &Timeline, random: Random<'_>) -> Result<()> {
        if self.under.is_none() && !home.is_encrypted() {
            std::fs::copy(self.file, to).map_err(|e| file_fault(&e, to))?;
        } else {
            export(&self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE)?, to, home.database_key())?;
        }
        let conn = open::unlocked(to, OpenFlags::SQLITE_OPEN_READ_WRITE, home.database_key())?;
        extract_blobs(&conn, home, random)?;
        conn.execute_batch("BEGIN; DROP TABLE backup_key; DROP TABLE backup_blob")?;
        meta::set(&conn, meta::key::DEVICE, device.as_bytes())?;
        meta::set(&conn, meta::key::TIMELINE, timeline.as_bytes())?;
        conn.execute_batch("COMMIT")?;
        open::vacuum(&conn)
    }
}

fn extract_blobs(conn: &Connection, home: &Home, random: Random<'_>) -> Result<()> {
    let mut statement = conn.prepare("SELECT path, part, bytes FROM backup_blob ORDER BY path, part")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let Some(path) = blob_path(home, &name)? else { continue };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| file_fault(&e, folder))?;
        }
        let is_first = row.get::<_, i64>(1)? == 0;
        let bytes = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        let write = || {
            let begin = if is_first { BlobWriter::create } else { BlobWriter::append };
            let mut file = begin(home, &path, random)?;
            file.write_all(bytes)?;
            file.sync()
        };
        write().map_err(|e| file_fault(&e, &path))?;
    }
    Ok(())
}

// Where an attachment of a backup lies in a folder; none for what has no place in an encrypted one.
fn blob_path(home: &Home, name: &str) -> Result<Option<PathBuf>> {
    if home.is_encrypted() {
        let (stem, suffix) = name.split_at(name.find('.').unwrap_or(name.len()));
        let is_whole = suffix.is_empty() || suffix.starts_with(".damaged") && !suffix.contains(['/', '\\']);
        return Ok(BlobHash::parse(stem).filter(|_| is_whole).map(|hash| home.blob(&hash, suffix)));
    }
    // A backup is a file like any other: its names must not lead out of the folder.
    let name = PathBuf::from(name);
    if !name.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(Error::invalid("backup-not-one").with("path", name.display().to_string()));
    }
    Ok(Some(home.dir.join(BLOBS).join(name)))
}

#[cfg(all(test, feature = "encryption"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::{Folder, pack};

    #[test]
    fn a_backup_leaves_the_database_as_it_is_and_opening_it_takes_room_back() {
        let dir = tempfile::tempdir().unwrap();
        let random = |bytes: &mut [u8]| bytes.fill(7);
        let folder = Folder::encrypted(dir.path().join("home"), StoreKey::new([1; 32]));
        let home = Home::prepare(&folder, &random).unwrap();
        let conn = open::create(&home, |_| Ok(())).unwrap();
        meta::set_integer(&conn, pack::FREED, i64::MAX).unwrap();
        write(&home, &conn, &dir.path().join("backup"), None).unwrap();
        assert!(pack::is_space_due(&conn).unwrap(), "nobody asked for it");
        open::open(&home, open::Access::Write).unwrap();
        assert!(!pack::is_space_due(&conn).unwrap());
    }
}
