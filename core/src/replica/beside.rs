//! Files that a program keeps for a while beside the replica's own: as they are, or encrypted where the folder is.
//!
//! They are written and read like attachments, but nothing knows their hashes: what was changed on the disk is not noticed.

use std::path::Path;

use super::Replica;
use crate::error::Result;
use crate::store::{BlobReader, BlobWriter, file_fault};

impl Replica {
    /// Begins a file anew.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn write_beside(&self, path: &Path) -> Result<BlobWriter> {
        let random = |bytes: &mut [u8]| self.environment().fill_random(bytes);
        BlobWriter::create(&self.inner.home, path, &random).map_err(|e| file_fault(&e, path))
    }

    /// Opens a file that was written so.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn read_beside(&self, path: &Path) -> Result<BlobReader> {
        BlobReader::open(&self.inner.home, path.to_owned()).map_err(|e| file_fault(&e, path))
    }
}
