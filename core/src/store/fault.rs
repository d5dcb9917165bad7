//! SQLite's failures in this crate's words: full disk, damage, a lock, a folder that cannot be written.

use rusqlite::{ErrorCode, ffi};

use crate::error::Error;

impl From<rusqlite::Error> for Error {
    fn from(failure: rusqlite::Error) -> Self {
        use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType};
        let odd = matches!(failure, FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..));
        let code = failure.sqlite_error_code();
        // The shared memory of a WAL is a file, too: even reading needs room for it where no other process has made it.
        let no_shared_memory =
            failure.sqlite_error().is_some_and(|known| known.extended_code == ffi::SQLITE_IOERR_SHMSIZE);
        let error = match code {
            _ if no_shared_memory => Error::storage("store-disk-full"),
            // A cell of a type that no version of this program writes there.
            _ if odd => Error::corrupt("store-corrupt"),
            Some(ErrorCode::DiskFull) => Error::storage("store-disk-full"),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::corrupt("store-corrupt"),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::busy("store-busy"),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied) => {
                Error::storage("store-read-only")
            }
            Some(ErrorCode::CannotOpen) => Error::storage("store-cannot-open"),
            _ => Error::storage("store-failed"),
        };
        error.with("detail", failure.to_string())
    }
}

/// A failure of the file system on `path`.
pub(crate) fn file_fault(failure: &std::io::Error, path: &std::path::Path) -> Error {
    let error = match failure.kind() {
        std::io::ErrorKind::StorageFull => Error::storage("store-disk-full"),
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            Error::storage("store-read-only")
        }
        std::io::ErrorKind::NotFound => Error::not_found("file-missing"),
        _ => Error::storage("file-failed"),
    };
    error.with("detail", failure.to_string()).with("path", path.display().to_string()).at(path.display().to_string())
}

/// Bytes in the store that no version of this program writes.
pub(crate) fn damaged(what: impl Into<String>) -> Error {
    Error::corrupt("store-corrupt").with("detail", what.into())
}
