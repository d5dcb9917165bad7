//! The bytes of attachments in their files: as they are, or encrypted where the folder is.
//!
//! An encrypted file is a random nonce, then the content under XChaCha20: as long as the content, so that it grows piece by
//! piece and is read from any byte. What says that the content is the right one is its SHA-256, by which it is known.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use chacha20::XChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _, StreamCipherSeek as _};

use super::home::Home;
use super::key::{NONCE_BYTES, Random};

const HEAD_BYTES: u64 = NONCE_BYTES as u64;

/// An attachment being read.
pub struct BlobReader {
    file: File,
    path: PathBuf,
    stream: Option<XChaCha20>,
    at: u64,
    len: u64,
}

impl BlobReader {
    pub(crate) fn open(home: &Home, path: PathBuf) -> io::Result<Self> {
        let mut file = File::open(&path)?;
        let stream = stream(home, &mut file)?;
        let len = file.metadata()?.len().saturating_sub(head(stream.as_ref()));
        Ok(Self { file, path, stream, at: 0, len })
    }

    /// How many bytes there are.
    pub fn size(&self) -> u64 {
        self.len
    }

    /// The file that others can read as well; none where the folder is encrypted.
    pub fn path(&self) -> Option<&Path> {
        if self.stream.is_none() { Some(&self.path) } else { None }
    }

    /// The file, readable or not.
    pub(crate) fn file(&self) -> &Path {
        &self.path
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        if let (Some(stream), Some(bytes)) = (&mut self.stream, buffer.get_mut(..read)) {
            encrypt(stream, self.at, bytes)?;
        }
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for BlobReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let head = head(self.stream.as_ref());
        let to = match to {
            SeekFrom::Start(at) => SeekFrom::Start(at.saturating_add(head)),
            other => other,
        };
        self.at = self.file.seek(to)?.checked_sub(head).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// An attachment being written, at its end.
pub struct BlobWriter {
    file: File,
    stream: Option<XChaCha20>,
    at: u64,
}

impl BlobWriter {
    /// Begins a file anew.
    pub(crate) fn create(home: &Home, path: &Path, random: Random<'_>) -> io::Result<Self> {
        File::create(path)?;
        Self::append(home, path, random)
    }

    /// Goes on with a file, or begins it.
    pub(crate) fn append(home: &Home, path: &Path, random: Random<'_>) -> io::Result<Self> {
        let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        if home.is_encrypted() && file.metadata()?.len() < HEAD_BYTES {
            let mut nonce = [0; NONCE_BYTES];
            random(&mut nonce);
            file.set_len(0)?;
            file.write_all(&nonce)?;
            file.rewind()?;
        }
        let stream = stream(home, &mut file)?;
        let at = file.seek(SeekFrom::End(0))?.saturating_sub(head(stream.as_ref()));
        Ok(Self { file, stream, at })
    }

    /// What was written is durable when this returns.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(stream) = &mut self.stream else { return self.file.write(bytes) };
        let mut sealed = bytes.to_vec();
        encrypt(stream, self.at, &mut sealed)?;
        // All of it or an error: half a piece under the next position would be other bytes.
        self.file.write_all(&sealed)?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// How many bytes of content a file holds.
pub(crate) fn content_len(home: &Home, path: &Path) -> u64 {
    let head = if home.is_encrypted() { HEAD_BYTES } else { 0 };
    path.metadata().map_or(0, |meta| meta.len().saturating_sub(head))
}

// The key stream of a file, which is then read from behind its nonce.
fn stream(home: &Home, file: &mut File) -> io::Result<Option<XChaCha20>> {
    let Some(cipher) = home.cipher() else { return Ok(None) };
    let mut nonce = [0; NONCE_BYTES];
    file.read_exact(&mut nonce)?;
    Ok(Some(XChaCha20::new(&(*cipher.attachments).into(), &nonce.into())))
}

fn head(stream: Option<&XChaCha20>) -> u64 {
    if stream.is_some() { HEAD_BYTES } else { 0 }
}

fn encrypt(stream: &mut XChaCha20, at: u64, bytes: &mut [u8]) -> io::Result<()> {
    let beyond = |_| io::Error::from(io::ErrorKind::FileTooLarge);
    stream.try_seek(at).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    stream.try_apply_keystream(bytes).map_err(beyond)
}
