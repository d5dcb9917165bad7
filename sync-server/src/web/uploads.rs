//! Files that people uploaded to be imported: each with its map, in the replica's folder, for a day; encrypted where that is.
//!
//! An upload is its person's alone: for anybody else it is not there. Its name is drawn by chance.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use branchline_core::crm::import::ImportMap;
use branchline_core::id::RecordId;
use branchline_core::replica::Replica;
use branchline_core::time::{DAY_MS, Millis};
use branchline_core::{Error, Result};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use tempfile::TempPath;

use crate::output::drawn;

/// Largest file, in bytes.
pub(super) const FILE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Largest body of a form with a file and its map.
pub(super) const BODY_BYTES_MAX: usize = FILE_BYTES_MAX + 2 * 1024 * 1024;
/// Uploads kept of one person; the oldest goes for the newest.
const UPLOADS_MAX: usize = 8;
const TOKEN_BYTES: usize = 12;
/// Where they lie in the replica's folder.
const FOLDER: &str = "uploads";

/// The uploads of one replica's folder.
pub(super) struct Uploads {
    replica: Replica,
    dir: PathBuf,
    now: Millis,
}

/// What an upload is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct About {
    person: String,
    /// The collection that its rows go to.
    pub(super) collection: String,
    /// The file's own name.
    pub(super) name: String,
    at: i64,
}

impl Uploads {
    pub(super) fn of(replica: &Replica) -> Self {
        Self { replica: replica.clone(), dir: replica.dir().join(FOLDER), now: replica.environment().now() }
    }

    /// Keeps a file; gives the name of the upload.
    ///
    /// # Errors
    /// `upload_file` with what the file system says.
    pub(super) fn add(
        &self,
        person: &RecordId,
        (collection, name): (&str, &str),
        file: TempPath,
        map: &ImportMap,
    ) -> Result<String> {
        self.sweep(person);
        let upload = HEXLOWER.encode(&drawn::<TOKEN_BYTES>(self.replica.environment()));
        let about = About {
            person: person.to_string(),
            collection: collection.to_owned(),
            name: name.to_owned(),
            at: self.now.0,
        };
        let dir = self.dir.join(&upload);
        fs::create_dir_all(&dir).map_err(failed)?;
        file.persist(dir.join("file")).map_err(|e| failed(e.error))?;
        self.write(&dir.join("about.json"), &serde_json::to_vec(&about).map_err(|e| failed(e.into()))?)?;
        self.keep_map(&upload, map)?;
        Ok(upload)
    }

    /// What a person's own upload is.
    ///
    /// # Errors
    /// `upload_unknown`.
    pub(super) fn about(&self, upload: &str, person: &RecordId) -> Result<About> {
        let is_name = upload.len() == 2 * TOKEN_BYTES && upload.bytes().all(|b| b.is_ascii_hexdigit());
        let is_own = |about: &About| about.person == person.to_string() && !self.is_old(about);
        let about = is_name.then(|| self.read(upload)).flatten().filter(is_own);
        about.ok_or_else(|| Error::not_found("upload-unknown"))
    }

    /// A person's own uploads, the newest first.
    pub(super) fn all(&self, person: &RecordId) -> Vec<(String, About)> {
        let own = |name: String| self.about(&name, person).ok().map(|about| (name, about));
        let mut all: Vec<_> = self.names().into_iter().filter_map(own).collect();
        all.sort_by_key(|(_, about)| std::cmp::Reverse(about.at));
        all
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// `upload_file`.
    pub(super) fn bytes(&self, upload: &str) -> Result<Vec<u8>> {
        read(&self.replica, &self.dir.join(upload).join("file"))
    }

    /// The map as it was left.
    ///
    /// # Errors
    /// `upload_file`.
    pub(super) fn map(&self, upload: &str) -> Result<ImportMap> {
        let bytes = read(&self.replica, &self.dir.join(upload).join("map.toml"))?;
        ImportMap::parse(&String::from_utf8_lossy(&bytes))
    }

    /// Keeps a map with its file.
    ///
    /// # Errors
    /// `upload_file`.
    pub(super) fn keep_map(&self, upload: &str, map: &ImportMap) -> Result<()> {
        let text = toml::to_string(map).map_err(|e| Error::storage("upload-file").with("detail", e.to_string()))?;
        self.write(&self.dir.join(upload).join("map.toml"), text.as_bytes())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        self.replica.write_beside(path)?.write_all(bytes).map_err(failed)
    }

    fn read(&self, upload: &str) -> Option<About> {
        serde_json::from_slice(&read(&self.replica, &self.dir.join(upload).join("about.json")).ok()?).ok()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    fn is_old(&self, about: &About) -> bool {
        self.now.0 - about.at > DAY_MS
    }

    // What is too old goes, and the person's oldest; what cannot be removed now goes the next time.
    fn sweep(&self, person: &RecordId) {
        let own = self.all(person).into_iter().skip(UPLOADS_MAX - 1).map(|(name, _)| name);
        let old = self.names().into_iter().filter(|name| self.read(name).is_none_or(|about| self.is_old(&about)));
        for name in own.chain(old) {
            let _ = fs::remove_dir_all(self.dir.join(name));
        }
    }
}

/// What a file that was taken in holds.
///
/// # Errors
/// `upload_file`; those of the file system.
pub(super) fn read(replica: &Replica, file: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    replica.read_beside(file)?.read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Forgets all uploads of a folder that was encrypted or decrypted: they are still as they were written.
///
/// # Errors
/// `upload_file`.
pub(crate) fn forget(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder.join(FOLDER)) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(failed(e)),
        _ => Ok(()),
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::storage("upload-file").with("detail", error.to_string())
}
