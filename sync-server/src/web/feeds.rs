//! Private calendar feeds: one small file in the replica's folder for each person who made one.
//!
//! As with sessions, a file is named by the hash of its token. A feed is good until its person ends it or is disabled.

use std::fs;
use std::path::{Path, PathBuf};

use branchline_core::id::RecordId;
use branchline_core::replica::Environment;
use branchline_core::{Error, Result};
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::output::drawn;

const TOKEN_BYTES: usize = 20;

/// The feeds of one replica's folder.
pub(super) struct Feeds {
    dir: PathBuf,
}

impl Feeds {
    pub(super) fn of(replica_dir: &Path) -> Self {
        Self { dir: replica_dir.join("feeds") }
    }

    /// Makes a feed for a person; gives its token.
    ///
    /// # Errors
    /// `feed_file` with what the file system says.
    pub(super) fn make(&self, env: &dyn Environment, person: &RecordId) -> Result<String> {
        let failed = |e: std::io::Error| Error::storage("feed-file").with("detail", e.to_string());
        let token = HEXLOWER.encode(&drawn::<TOKEN_BYTES>(env));
        fs::create_dir_all(&self.dir).map_err(failed)?;
        fs::write(self.path(&token), person.to_string()).map_err(failed)?;
        Ok(token)
    }

    /// Whose feed this is.
    pub(super) fn person(&self, token: &str) -> Option<RecordId> {
        RecordId::parse(fs::read_to_string(self.path(token)).ok()?.trim())
    }

    /// Ends the feeds of a person.
    pub(super) fn end(&self, person: &RecordId) {
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            if fs::read_to_string(entry.path()).is_ok_and(|text| text.trim() == person.to_string()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn path(&self, token: &str) -> PathBuf {
        self.dir.join(HEXLOWER.encode(&Sha256::digest(token.as_bytes())))
    }
}
