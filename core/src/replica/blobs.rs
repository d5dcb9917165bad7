//! Attachments by content: files under `blobs/`, named by their SHA-256, arriving piece by piece.
//!
//! A file that is still arriving ends in `.part`; it gets its name only when its bytes hash to it, after a sync. What is
//! here is therefore whole, and what was cut goes on where it stopped. In an encrypted folder names and bytes are encrypted.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Replica;
use crate::error::{Error, Result};
use crate::id::BlobHash;
use crate::limits::{BLOB_BYTES_MAX, BLOB_PIECE_BYTES};
use crate::schema::Attachment;
use crate::store::{BlobReader, BlobWriter, blob_rows, content_len, file_fault};
use crate::sync::blobs::BlobReply;

/// What is known of an attachment at a replica.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlobState {
    /// Whether all of it is here.
    pub here: bool,
    /// Bytes that have arrived.
    pub received: u64,
    /// Whether it was asked for and has not arrived.
    pub wanted: bool,
    /// Whether it is here and the upstream may lack it.
    pub unsent: bool,
}

/// Attachments that wait to go up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unsent {
    /// How many.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Replica {
    /// Takes a file in as an attachment under its own name; its bytes go up when everything smaller has.
    ///
    /// # Errors
    /// `file_not_found`, `attachment_too_large`, and whatever writing the folder can fail with.
    pub fn attach_file(&self, file: &Path, media: &str) -> Result<Attachment> {
        let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        self.attach_file_as(file, name, media, &mut |_, _| ())
    }

    /// As [`Replica::attach_file`], under any name; `progress` hears how many bytes of how many have been taken in.
    ///
    /// # Errors
    /// As there.
    pub fn attach_file_as(
        &self,
        file: &Path,
        name: String,
        media: &str,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Attachment> {
        let source = File::open(file).map_err(|e| file_fault(&e, file))?;
        let total = source.metadata().map_err(|e| file_fault(&e, file))?.len();
        let (hash, size) = self.taken_in((source, file), &mut |done| progress(done, total.max(done)))?;
        Ok(Attachment { hash, size, media: media.to_owned(), name })
    }

    /// As [`Replica::attach_file_as`], of a file that [`Replica::write_beside`] wrote.
    ///
    /// # Errors
    /// As there.
    pub fn attach_beside(&self, file: &Path, name: String, media: &str) -> Result<Attachment> {
        let (hash, size) = self.taken_in((self.read_beside(file)?, file), &mut |_| ())?;
        Ok(Attachment { hash, size, media: media.to_owned(), name })
    }

    fn taken_in(
        &self,
        (mut source, file): (impl Read, &Path),
        progress: &mut dyn FnMut(u64),
    ) -> Result<(BlobHash, u64)> {
        self.blob_dir()?;
        let random = |bytes: &mut [u8]| self.environment().fill_random(bytes);
        let part = self.inner.home.new_blob(&random);
        let mut take_in = || -> Result<(BlobHash, u64)> {
            let written = |e: io::Error| file_fault(&e, &part);
            let mut to = BlobWriter::create(&self.inner.home, &part, &random).map_err(written)?;
            let copied = copy_hashed(&mut source, &mut to, progress);
            let copied = copied.map_err(|failed| failed.of(file, written))?;
            to.sync().map_err(written)?;
            Ok(copied)
        };
        let copied = take_in();
        let (hash, size) = match copied {
            Ok(copied) if copied.1 <= BLOB_BYTES_MAX => copied,
            other => {
                let _ = fs::remove_file(&part);
                let (_, size) = other?;
                return Err(Error::limit("attachment-too-large").with("bytes", size).with("limit", BLOB_BYTES_MAX));
            }
        };
        keep(&part, &self.blob_path(&hash)?)?;
        self.note(|conn| blob_rows::held(conn, &hash, size))?;
        Ok((hash, size))
    }

    /// Opens an attachment, if all of it is here.
    ///
    /// # Errors
    /// Whatever reading the folder can fail with.
    pub fn blob(&self, hash: &BlobHash) -> Result<Option<BlobReader>> {
        let path = self.blob_path(hash)?;
        if !path.is_file() {
            return Ok(None);
        }
        BlobReader::open(&self.inner.home, path.clone()).map(Some).map_err(|e| file_fault(&e, &path))
    }

    /// Opens an attachment, if all of it is here, to be read once from its beginning; where it was not the right one, the
    /// last read fails.
    ///
    /// # Errors
    /// As [`Replica::blob`].
    pub fn checked_blob(&self, hash: &BlobHash) -> Result<Option<CheckedBlob>> {
        let opened = self.blob(hash)?;
        Ok(opened.map(|reader| CheckedBlob { reader, digest: Sha256::new(), hash: *hash }))
    }

    /// Copies an attachment that is here, and says in the end whether it was the right one.
    ///
    /// # Errors
    /// `blob_not_held`; `blob_damaged` where its bytes do not hash to its name; `blob_not_copied` where `to` takes no more;
    /// whatever reading the folder can fail with.
    pub fn copy_blob(&self, hash: &BlobHash, to: &mut impl Write) -> Result<()> {
        let absent = || Error::not_found("blob-not-held").with("hash", hash.to_string());
        let mut reader = self.blob(hash)?.ok_or_else(absent)?;
        let refused = |e: io::Error| {
            Error::storage("blob-not-copied").with("hash", hash.to_string()).with("detail", e.to_string())
        };
        let copied = copy_hashed(&mut reader, to, &mut |_| ());
        let (found, _) = copied.map_err(|failed| failed.of(reader.file(), refused))?;
        if found == *hash { Ok(()) } else { Err(Error::invalid("blob-damaged").with("hash", hash.to_string())) }
    }

    /// Whether an attachment is here, damaged or not.
    pub(super) fn has_blob(&self, hash: &BlobHash) -> Result<bool> {
        Ok(self.blob_path(hash)?.is_file())
    }

    /// The size of an attachment, if it is here and its bytes hash to its name.
    pub(super) fn blob_intact(&self, hash: &BlobHash) -> Result<Option<u64>> {
        let path = self.blob_path(hash)?;
        if !path.is_file() {
            return Ok(None);
        }
        let mut reader = match BlobReader::open(&self.inner.home, path.clone()) {
            // Too short to be one of an encrypted folder.
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            opened => opened.map_err(|e| file_fault(&e, &path))?,
        };
        let found = hash_of(&mut reader).map_err(|e| file_fault(&e, &path))?;
        Ok((found == *hash).then_some(reader.size()))
    }

    /// Holds every attachment against its name. Gives how many there are, and which are missing or damaged.
    pub(super) fn blobs_check(&self) -> Result<(u64, Vec<BlobHash>)> {
        let dir = self.blob_dir()?;
        let mut all: BTreeSet<BlobHash> = self.read(blob_rows::all)?.into_iter().collect();
        for entry in fs::read_dir(&dir).map_err(|e| file_fault(&e, &dir))? {
            let entry = entry.map_err(|e| file_fault(&e, &dir))?;
            all.extend(entry.file_name().to_str().and_then(BlobHash::parse));
        }
        let mut damaged = Vec::new();
        for hash in &all {
            if self.blob_intact(hash)?.is_none() {
                damaged.push(*hash);
            }
        }
        Ok((all.len() as u64, damaged))
    }

    /// Puts a damaged attachment aside, under its name with `.damaged`, and asks the upstream for it.
    pub(super) fn blob_refetch(&self, hash: &BlobHash) -> Result<()> {
        let path = self.blob_path(hash)?;
        if path.is_file() {
            let mut aside = path.with_extension("damaged");
            for n in 2.. {
                if !aside.exists() {
                    break;
                }
                aside = path.with_extension(format!("damaged-{n}"));
            }
            fs::rename(&path, &aside).map_err(|e| file_fault(&e, &path))?;
        }
        self.want_blob(hash)?;
        self.note(|conn| blob_rows::lost(conn, hash))
    }

    /// Asks for an attachment that is not here: it comes with the next exchanges.
    ///
    /// # Errors
    /// Whatever writing the store can fail with.
    pub fn want_blob(&self, hash: &BlobHash) -> Result<()> {
        self.note(|conn| blob_rows::want(conn, hash))?;
        self.inner.nudge();
        Ok(())
    }

    /// What is known of an attachment here.
    ///
    /// # Errors
    /// Whatever reading the folder can fail with.
    pub fn blob_state(&self, hash: &BlobHash) -> Result<BlobState> {
        let path = self.blob_path(hash)?;
        let here = path.is_file();
        let received = if here { content_len(&self.inner.home, &path) } else { self.part_len(hash)? };
        let (wanted, sent) =
            self.read(|conn| Ok((blob_rows::is_wanted(conn, hash)?, blob_rows::is_sent(conn, hash)?)))?;
        let unsent = here && !sent && self.settings()?.role.has_upstream();
        Ok(BlobState { here, received, wanted, unsent })
    }

    /// The attachments that wait to go up.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn unsent_blobs(&self) -> Result<Unsent> {
        if !self.settings()?.role.has_upstream() {
            return Ok(Unsent::default());
        }
        let (count, bytes) = self.read(blob_rows::unsent_sum)?;
        Ok(Unsent { count, bytes })
    }

    /// Has attachments wait, in both directions, while everything smaller goes on: for a line that is paid by the byte or a
    /// battery that is low. It holds for this process until it is taken back.
    pub fn hold_attachments(&self, held: bool) {
        if self.inner.hold_attachments(held) {
            self.inner.nudge();
        }
    }

    /// Whether attachments wait now.
    pub fn holds_attachments(&self) -> bool {
        self.inner.are_attachments_held()
    }

    pub(super) fn blob_next(&self) -> Result<BlobReply> {
        if self.holds_attachments() {
            return Ok(BlobReply::Nothing);
        }
        if let Some((hash, size)) = self.read(blob_rows::next_unsent)? {
            return Ok(BlobReply::Offer { hash, size });
        }
        match self.read(blob_rows::next_wanted)? {
            Some(hash) => Ok(BlobReply::Want { hash, offset: self.part_len(&hash)?, done: false }),
            None => Ok(BlobReply::Nothing),
        }
    }

    pub(super) fn blob_offered(&self, hash: &BlobHash, size: u64) -> Result<BlobReply> {
        if size > BLOB_BYTES_MAX {
            return Err(Error::limit("attachment-too-large").with("bytes", size).with("limit", BLOB_BYTES_MAX));
        }
        let here = self.has_blob(hash)?;
        let offset = if here { size } else { self.part_len(hash)? };
        Ok(BlobReply::Want { hash: *hash, offset, done: here })
    }

    pub(super) fn blob_read(&self, hash: &BlobHash, offset: u64, bytes_max: usize) -> Result<BlobReply> {
        let Some(mut file) = self.blob(hash)? else {
            // Asked for from below: get it from above, for the next time.
            if self.settings()?.role.has_upstream() {
                self.want_blob(hash)?;
            }
            return Ok(BlobReply::Piece { hash: *hash, offset, size: 0, bytes: Vec::new() });
        };
        let size = file.size();
        if offset >= size {
            self.note(|conn| blob_rows::sent(conn, hash))?;
            return Ok(BlobReply::Finished);
        }
        let mut bytes = Vec::new();
        let read = file.seek(SeekFrom::Start(offset));
        let read = read.and_then(|_| (&mut file).take(bytes_max as u64).read_to_end(&mut bytes));
        read.map_err(|e| file_fault(&e, file.file()))?;
        Ok(BlobReply::Piece { hash: *hash, offset, size, bytes })
    }

    pub(super) fn blob_write(&self, hash: &BlobHash, offset: u64, size: u64, bytes: &[u8]) -> Result<BlobReply> {
        if size == 0 {
            self.note(|conn| blob_rows::give_up(conn, hash))?;
            return Ok(BlobReply::Finished);
        }
        let part = self.part_path(hash)?;
        let have = self.part_len(hash)?;
        let end = offset.saturating_add(bytes.len() as u64);
        if offset != have || end > size || size > BLOB_BYTES_MAX {
            return Ok(BlobReply::Want { hash: *hash, offset: have, done: false });
        }
        let append = || -> io::Result<()> {
            let mut file = BlobWriter::append(&self.inner.home, &part, &|bytes| self.environment().fill_random(bytes))?;
            file.write_all(bytes)?;
            file.sync()
        };
        append().map_err(|e| file_fault(&e, &part))?;
        if end < size {
            return Ok(BlobReply::Want { hash: *hash, offset: end, done: false });
        }
        self.finish_blob(hash, &part, size)
    }

    fn finish_blob(&self, hash: &BlobHash, part: &Path, size: u64) -> Result<BlobReply> {
        let read = BlobReader::open(&self.inner.home, part.to_owned()).and_then(|mut file| hash_of(&mut file));
        if read.map_err(|e| file_fault(&e, part))? != *hash {
            // Nothing of it is true: begin anew.
            fs::remove_file(part).map_err(|e| file_fault(&e, part))?;
            return Err(Error::protocol("attachment-differs").with("hash", hash.to_string()));
        }
        keep(part, &self.blob_path(hash)?)?;
        let upwards = self.settings()?.role.has_upstream();
        self.note(|conn| match blob_rows::is_wanted(conn, hash)? || !upwards {
            // It came from above, or there is no above.
            true => blob_rows::arrived(conn, hash, size),
            false => blob_rows::held(conn, hash, size),
        })?;
        Ok(BlobReply::Want { hash: *hash, offset: size, done: true })
    }

    fn part_len(&self, hash: &BlobHash) -> Result<u64> {
        Ok(content_len(&self.inner.home, &self.part_path(hash)?))
    }

    fn part_path(&self, hash: &BlobHash) -> Result<PathBuf> {
        self.blob_dir()?;
        Ok(self.inner.home.blob(hash, ".part"))
    }

    fn blob_path(&self, hash: &BlobHash) -> Result<PathBuf> {
        self.blob_dir()?;
        Ok(self.inner.home.blob(hash, ""))
    }

    fn blob_dir(&self) -> Result<PathBuf> {
        let dir = self.dir().join("blobs");
        fs::create_dir_all(&dir).map_err(|e| file_fault(&e, &dir))?;
        Ok(dir)
    }
}

/// An attachment that is held against its hash while it is read.
pub struct CheckedBlob {
    reader: BlobReader,
    digest: Sha256,
    hash: BlobHash,
}

impl CheckedBlob {
    /// How many bytes there are.
    pub fn size(&self) -> u64 {
        self.reader.size()
    }
}

impl Read for CheckedBlob {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.digest.update(buffer.get(..read).unwrap_or_default());
        if read == 0 && !buffer.is_empty() && self.digest.clone().finalize()[..] != self.hash.0[..] {
            let damaged = Error::invalid("blob-damaged").with("hash", self.hash.to_string());
            return Err(io::Error::new(io::ErrorKind::InvalidData, damaged.to_string()));
        }
        Ok(read)
    }
}

fn hash_of(file: &mut impl Read) -> io::Result<BlobHash> {
    match copy_hashed(file, &mut io::sink(), &mut |_| ()) {
        Ok((hash, _)) => Ok(hash),
        Err(CopyFailure::Reading(e) | CopyFailure::Writing(e)) => Err(e),
    }
}

/// Which end of a copy failed.
enum CopyFailure {
    Reading(io::Error),
    Writing(io::Error),
}

impl CopyFailure {
    /// The error of a copy from a file.
    fn of(self, from: &Path, written: impl FnOnce(io::Error) -> Error) -> Error {
        match self {
            Self::Reading(e) => file_fault(&e, from),
            Self::Writing(e) => written(e),
        }
    }
}

/// Copies up to what an attachment may have, and a little more where there is more.
fn copy_hashed(
    source: &mut impl Read,
    to: &mut impl Write,
    progress: &mut dyn FnMut(u64),
) -> std::result::Result<(BlobHash, u64), CopyFailure> {
    let mut digest = Sha256::new();
    let mut size = 0u64;
    let mut buffer = vec![0u8; BLOB_PIECE_BYTES];
    while size <= BLOB_BYTES_MAX {
        let read = source.read(&mut buffer).map_err(CopyFailure::Reading)?;
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else { break };
        digest.update(piece);
        to.write_all(piece).map_err(CopyFailure::Writing)?;
        size += read as u64;
        progress(size);
    }
    Ok((BlobHash(digest.finalize().into()), size))
}

fn keep(part: &Path, path: &Path) -> Result<()> {
    fs::rename(part, path).map_err(|e| file_fault(&e, path))?;
    // The name is durable once its folder is.
    if let Some(dir) = path.parent() {
        File::open(dir).and_then(|d| d.sync_all()).map_err(|e| file_fault(&e, dir))?;
    }
    Ok(())
}
