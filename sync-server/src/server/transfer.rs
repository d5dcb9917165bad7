//! Files that come in and go out over HTTP, piece by piece: none is held whole in memory.

use std::fmt::Display;
use std::io::{Read, Seek as _, Write};
use std::path::Path;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use branchline_core::id::BlobHash;
use branchline_core::replica::Replica;
use branchline_core::{Error, Result};
use futures_util::{Stream, StreamExt as _, stream};
use tempfile::{NamedTempFile, SpooledTempFile, TempPath};

/// Bytes of a file that are read at once.
const PIECE_BYTES: usize = 256 * 1024;
/// What is no larger is read or made in memory.
const SMALL_BYTES_MAX: usize = 1024 * 1024;

/// A body that is read as fast as somebody takes it, beside the sockets.
pub(crate) fn outgoing(source: impl Read + Send + 'static) -> Body {
    let piece = |mut source: Box<dyn Read + Send>| {
        let mut bytes = vec![0; PIECE_BYTES];
        let count = source.read(&mut bytes)?;
        bytes.truncate(count);
        Ok::<_, std::io::Error>((count > 0).then_some((bytes, source)))
    };
    let source: Box<dyn Read + Send> = Box::new(source);
    Body::from_stream(stream::try_unfold(source, move |source| async move {
        tokio::task::spawn_blocking(move || piece(source)).await.map_err(std::io::Error::other)?
    }))
}

/// An attachment to be handed out, held against its hash. Where it is damaged, a small one is refused at once, and the
/// answer of a larger one breaks off before its end. None where it is not here.
///
/// # Errors
/// `blob_damaged`; those of the store.
pub(crate) fn attachment(replica: &Replica, hash: &BlobHash) -> Result<Option<Body>> {
    let Some(held) = replica.checked_blob(hash)? else { return Ok(None) };
    if held.size() > SMALL_BYTES_MAX as u64 {
        return Ok(Some(outgoing(held)));
    }
    let mut bytes = Vec::new();
    replica.copy_blob(hash, &mut bytes)?;
    Ok(Some(bytes.into()))
}

/// A file to be kept, not shown: what people wrote must not run.
pub(crate) fn kept(name: &str, media: &'static str, body: Body) -> Response {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let ascii: String = name.chars().map(plain).collect();
    let nosniff = HeaderValue::from_static("nosniff");
    let mut response =
        ([(header::CONTENT_TYPE, HeaderValue::from_static(media)), (header::X_CONTENT_TYPE_OPTIONS, nosniff)], body)
            .into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{ascii}\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// A file made for one answer, ready to be read; it is gone with its reader. So nobody's line, however slow, holds up the
/// store. What an encrypted folder holds is never put on the disk in the clear: there it stays in memory.
///
/// # Errors
/// Those of `write`; `upload_file`.
pub(crate) fn made(
    replica: &Replica,
    write: impl FnOnce(&mut SpooledTempFile) -> Result<()>,
) -> Result<SpooledTempFile> {
    let in_memory = if replica.is_encrypted() { usize::MAX } else { SMALL_BYTES_MAX };
    let mut file = SpooledTempFile::new_in(in_memory, replica.dir());
    write(&mut file)?;
    file.rewind().map_err(|e| failed(&e))?;
    Ok(file)
}

/// Takes a body into a file beside the replica's own.
///
/// # Errors
/// `upload_cut` where it ends too soon or has more than `bytes_max`; `upload_file`.
pub(crate) async fn incoming<E>(
    dir: &Path,
    pieces: impl Stream<Item = std::result::Result<Bytes, E>> + Unpin,
    bytes_max: u64,
) -> Result<NamedTempFile> {
    filled(NamedTempFile::new_in(dir).map_err(|e| failed(&e))?, pieces, bytes_max).await
}

/// As [`incoming`], for a file that stays: encrypted where the folder is.
///
/// # Errors
/// As there; those of the file system.
pub(crate) async fn incoming_beside<E>(
    replica: &Replica,
    pieces: impl Stream<Item = std::result::Result<Bytes, E>> + Unpin,
    bytes_max: u64,
) -> Result<TempPath> {
    let path = NamedTempFile::new_in(replica.dir()).map_err(|e| failed(&e))?.into_temp_path();
    filled(replica.write_beside(&path)?, pieces, bytes_max).await?;
    Ok(path)
}

async fn filled<E, W: Write + Send + 'static>(
    mut file: W,
    mut pieces: impl Stream<Item = std::result::Result<Bytes, E>> + Unpin,
    bytes_max: u64,
) -> Result<W> {
    let cut = || Error::limit("upload-cut").with("limit", bytes_max >> 20);
    let mut taken = 0;
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| cut())?;
        taken += piece.len() as u64;
        if taken > bytes_max {
            return Err(cut());
        }
        let written = tokio::task::spawn_blocking(move || file.write_all(&piece).map(|()| file)).await;
        file = written.map_err(|e| failed(&e))?.map_err(|e| failed(&e))?;
    }
    Ok(file)
}

fn failed(error: &dyn Display) -> Error {
    Error::storage("upload-file").with("detail", error.to_string())
}
