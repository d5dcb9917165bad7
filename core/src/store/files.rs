//! Files beside the database: each appears whole under its name, or not at all, also when the power fails meanwhile.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::fault::file_fault;
use crate::error::Result;

/// Makes a folder and those above it.
pub(crate) fn make_folder(dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).map_err(|e| file_fault(&e, dir))?;
    file_step!(Folder(dir));
    Ok(())
}

/// Writes a new file that only its owner may read.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> Result<()> {
    let unfinished = beside(path, "unfinished");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished).map_err(|e| file_fault(&e, &unfinished))?;
    file.write_all(bytes).map_err(|e| file_fault(&e, &unfinished))?;
    file_step!(Written(&unfinished, bytes));
    drop(file);
    publish(&unfinished, path)
}

/// Writes a file; what stood there before stays until the new one is whole.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let unfinished = beside(path, "unfinished");
    std::fs::write(&unfinished, bytes).map_err(|e| file_fault(&e, path))?;
    file_step!(Written(&unfinished, bytes));
    publish(&unfinished, path)
}

/// Gives a file its name once its content is durable; when this returns, the name is, too.
pub(crate) fn publish(unfinished: &Path, path: &Path) -> Result<()> {
    let fault = |e: std::io::Error| file_fault(&e, path);
    if !canary!("file_without_sync") {
        OpenOptions::new().write(true).open(unfinished).and_then(|file| file.sync_all()).map_err(fault)?;
        file_step!(Synced(unfinished));
    }
    std::fs::rename(unfinished, path).map_err(fault)?;
    file_step!(Renamed(unfinished, path));
    sync_folder_of(path)
}

/// Makes the names in the folder of a file durable.
pub(super) fn sync_folder_of(path: &Path) -> Result<()> {
    // Windows gives no handle that a folder could be synced by; its file systems log their names themselves.
    if let Some(folder) = path.parent().filter(|_| cfg!(unix) && !canary!("name_without_sync")) {
        // A bare name lies in the current folder.
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| file_fault(&e, folder))?;
        file_step!(FolderSynced(folder));
    }
    Ok(())
}

/// The path with a suffix behind the file's name.
pub(super) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(".");
    name.push(suffix);
    file.with_file_name(name)
}
