//! Folders that released programs left, one pair for each format of the store: `tests/golden/format_N.tar.zst`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The oldest format, of the first program that could be released.
pub const OLDEST: i64 = 1;

/// The two folders of a pair.
pub const FOLDERS: [&str; 2] = ["hub", "phone"];

/// Where the pair of a format is kept.
pub fn file(format: i64) -> PathBuf {
    crate::checkout().join(format!("tests/golden/format_{format}.tar.zst"))
}

/// Unpacks the pair of a format below `to`.
///
/// # Panics
/// Where there is none, or it cannot be unpacked.
pub fn unpack(format: i64, to: &Path) {
    let file = file(format);
    assert!(file.is_file(), "format {format} has no pair of folders at {}", file.display());
    let tar = zstd::decode_all(std::fs::File::open(file).unwrap()).unwrap();
    let mut child = Command::new("tar").args(["-x", "-C"]).arg(to).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&tar).unwrap();
    assert!(child.wait().unwrap().success());
}
