//! The file that a folder's key is read from: never an argument, which every process list shows.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use branchline_core::replica::StoreKey;
use branchline_core::{Error, Result};

/// More than any key file has, in bytes.
const KEY_FILE_BYTES_MAX: u64 = 1024;

/// Reads a key: 32 bytes, or 64 hexadecimal digits.
///
/// # Errors
/// `key_file_unreadable`, `key_file_open` where everybody may read it, `key_length` where it holds no key.
pub fn read(path: &Path) -> Result<StoreKey> {
    let place = path.display().to_string();
    let unreadable =
        |e: std::io::Error| Error::storage("key-file-unreadable").with("detail", e.to_string()).at(place.clone());
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    (&file).take(KEY_FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(unreadable)?;
    if is_open(&file).map_err(unreadable)? {
        return Err(Error::denied("key-file-open").at(place));
    }
    StoreKey::parse(&bytes).map_err(|error| error.at(place))
}

#[cfg(unix)]
fn is_open(file: &File) -> std::io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(file.metadata()?.permissions().mode() & 0o007 != 0)
}

// Elsewhere who may read a file is not a matter of three digits.
#[cfg(not(unix))]
fn is_open(_: &File) -> std::io::Result<bool> {
    Ok(false)
}
