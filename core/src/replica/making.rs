//! A folder on its way to be a replica: built inside itself, and a replica from one moment to the next.
//!
//! Everything is written to a database in `making/` below it. That database, whole and durable, is moved to its name:
//! before that the folder is no replica and whoever makes one begins anew, after that nothing is missing. The key lies
//! in the folder before, for it may have been enrolled already.

use std::path::PathBuf;

use crate::error::Result;
use crate::store::{self, Home, files};

/// The part of a folder in which a replica is built; goes away with the value.
pub(super) struct Making {
    dir: PathBuf,
    within: Home,
}

impl Making {
    /// Begins in `dir`. What an attempt left behind that was cut short goes.
    pub(super) fn begin(home: &Home) -> Result<Self> {
        let within = home.dir.join("making");
        if std::fs::remove_dir_all(&within).is_ok() {
            mark!("unfinished_folder_begun_anew");
        }
        files::make_folder(&within)?;
        Ok(Self { dir: home.dir.clone(), within: home.within(&within) })
    }

    /// Where to build.
    pub(super) fn within(&self) -> &Home {
        &self.within
    }

    /// Makes the folder a replica. Nobody may have the database open any more.
    pub(super) fn finish(self) -> Result<()> {
        store::publish(&self.within, &self.dir)
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.within.dir);
    }
}
