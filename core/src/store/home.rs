//! Where a replica lies, and whether it is encrypted there.
//!
//! The database file itself says whether a folder is encrypted: `store.key` beside a plain one is what a conversion has
//! begun. Who has a replica open holds the folder, so that nobody converts it meanwhile.

use std::fs::{File, TryLockError};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::Zeroizing;

use super::fault::file_fault;
use super::key::{self, Cipher, DatabaseKey, Random, STORE_KEY_FILE, StoreKey};
use super::open::DATABASE;
use super::{files, is_replica};
use crate::error::{Error, Result};
use crate::id::BlobHash;

/// The folder of attachments beside the database.
pub(super) const BLOBS: &str = "blobs";
/// What the names of encrypted attachments begin with.
pub(super) const SEALED_BLOB: &str = "sealed-";
/// Held by who has the replica open, alone by who converts it.
const HELD_FILE: &str = "open.lock";
/// What a plain SQLite file begins with.
const SQLITE: &[u8; 16] = b"SQLite format 3\0";

/// The folder of a replica, with the key that it is encrypted with, if it is.
#[derive(Debug, Clone)]
pub struct Folder {
    pub(super) path: PathBuf,
    pub(super) key: Option<StoreKey>,
}

impl Folder {
    /// A folder that is encrypted with this key, or will be.
    pub fn encrypted(path: impl Into<PathBuf>, key: StoreKey) -> Self {
        Self { path: path.into(), key: Some(key) }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it comes with a key.
    pub fn is_keyed(&self) -> bool {
        self.key.is_some()
    }

    /// The key that it is encrypted with.
    ///
    /// # Errors
    /// `no_encryption` where there is one and this build does not encrypt.
    pub(crate) fn key(&self) -> Result<Option<&StoreKey>> {
        self.key.as_ref().map(|key| can_encrypt().map(|()| key)).transpose()
    }
}

impl<P: AsRef<Path> + ?Sized> From<&P> for Folder {
    fn from(path: &P) -> Self {
        Self { path: path.as_ref().to_owned(), key: None }
    }
}

impl From<PathBuf> for Folder {
    fn from(path: PathBuf) -> Self {
        Self { path, key: None }
    }
}

/// A folder whose key, if it needs one, was the right one.
#[derive(Clone)]
pub(crate) struct Home {
    pub(crate) dir: PathBuf,
    lock: Option<Arc<Lock>>,
}

struct Lock {
    cipher: Cipher,
    key: Mutex<StoreKey>,
}

impl Home {
    /// The home of a replica that is there.
    ///
    /// # Errors
    /// `no_replica`, `key_missing`, `key_wrong`, `folder_not_encrypted`, `store_key_damaged`, `no_encryption`.
    pub(crate) fn find(folder: &Folder) -> Result<Self> {
        let dir = folder.path.clone();
        let said = |error: Error| error.with("path", dir.display().to_string());
        if !is_replica(&dir) {
            return Err(said(Error::usage("no-replica")));
        }
        let has_key = dir.join(STORE_KEY_FILE).is_file();
        match &folder.key {
            Some(_) if is_plain(&dir.join(DATABASE))? => Err(said(Error::locked("folder-not-encrypted"))),
            Some(_) if !has_key => {
                Err(Error::corrupt("store-key-damaged").with("path", dir.join(STORE_KEY_FILE).display().to_string()))
            }
            Some(key) => Self::locked(dir, key),
            None if is_encrypted(&dir)? => Err(said(Error::locked("key-missing"))),
            None => Ok(Self { dir, lock: None }),
        }
    }

    /// The home of a replica that is about to be made. A `store.key` that an earlier attempt left is kept, for with it the
    /// device's key may have been enrolled.
    ///
    /// # Errors
    /// As [`Home::find`].
    pub(crate) fn prepare(folder: &Folder, random: Random<'_>) -> Result<Self> {
        let dir = folder.path.clone();
        let has_key = dir.join(STORE_KEY_FILE).is_file();
        match &folder.key {
            Some(key) => {
                can_encrypt()?;
                if !has_key {
                    files::make_folder(&dir)?;
                    Cipher::draw(random).keep(&dir, key, random)?;
                }
                Self::locked(dir, key)
            }
            None if has_key => Err(Error::locked("key-missing").with("path", dir.display().to_string())),
            None => Ok(Self { dir, lock: None }),
        }
    }

    /// An encrypted home with a key of its own that no file holds yet.
    pub(super) fn drawn(dir: &Path, key: &StoreKey, random: Random<'_>) -> Result<Self> {
        can_encrypt()?;
        let lock = Lock { cipher: Cipher::draw(random), key: Mutex::new(key.clone()) };
        Ok(Self { dir: dir.to_owned(), lock: Some(Arc::new(lock)) })
    }

    /// The plain home of a folder.
    pub(crate) fn plain(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), lock: None }
    }

    fn locked(dir: PathBuf, key: &StoreKey) -> Result<Self> {
        can_encrypt()?;
        let cipher = Cipher::open(&dir, key)?;
        Ok(Self { dir, lock: Some(Arc::new(Lock { cipher, key: Mutex::new(key.clone()) })) })
    }

    /// A folder within this one, under the same key.
    pub(crate) fn within(&self, dir: &Path) -> Self {
        Self { dir: dir.to_owned(), lock: self.lock.clone() }
    }

    /// Its keys, where it is encrypted.
    pub(super) fn cipher(&self) -> Option<&Cipher> {
        self.lock.as_ref().map(|lock| &lock.cipher)
    }

    /// The key of its database, where it is encrypted.
    pub(super) fn database_key(&self) -> Option<&DatabaseKey> {
        self.cipher().map(|cipher| &cipher.database)
    }

    /// Whether it is encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.lock.is_some()
    }

    /// The key that it was opened with, if that still opens it.
    ///
    /// # Errors
    /// `key_wrong` where another process has changed it.
    pub(super) fn key(&self) -> Result<Option<StoreKey>> {
        let Some(lock) = &self.lock else { return Ok(None) };
        let key = lock.key.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Cipher::open(&self.dir, &key)?;
        Ok(Some(key))
    }

    /// Has another key open the folder from now on. It is one small write: a process that dies meanwhile leaves the folder
    /// under the old key or under the new one, as whole as it was.
    ///
    /// # Errors
    /// `folder_not_encrypted`; `key_wrong` where another process has changed the key; whatever the file system says.
    pub(crate) fn rekey(&self, new: &StoreKey, random: Random<'_>) -> Result<()> {
        let Some(lock) = &self.lock else {
            return Err(Error::locked("folder-not-encrypted").with("path", self.dir.display().to_string()));
        };
        let mut key = lock.key.lock().unwrap_or_else(PoisonError::into_inner);
        Cipher::open(&self.dir, &key)?;
        self.keep(new, random)?;
        *key = new.clone();
        Ok(())
    }

    /// Writes `store.key`.
    pub(super) fn keep(&self, key: &StoreKey, random: Random<'_>) -> Result<()> {
        self.cipher().map_or(Ok(()), |cipher| cipher.keep(&self.dir, key, random))
    }

    /// Writes a small file that only its owner may read, sealed where the folder is encrypted.
    pub(crate) fn write_secret(&self, name: &str, plain: &[u8], random: Random<'_>) -> Result<()> {
        let path = self.dir.join(name);
        match self.cipher() {
            Some(cipher) => files::write_secret(&path, cipher.seal_file(name, plain, random).as_bytes()),
            None => files::write_secret(&path, plain),
        }
    }

    /// Reads a small file; one that is not sealed is what a conversion has not come to.
    ///
    /// # Errors
    /// `key_missing` where it is sealed and the folder was opened without a key, `damaged` where the key does not open it.
    pub(crate) fn read_secret(&self, name: &str, damaged: impl Fn(String) -> Error) -> Result<Zeroizing<String>> {
        let path = self.dir.join(name);
        let text = std::fs::read_to_string(&path).map_err(|e| file_fault(&e, &path))?;
        if !key::is_sealed(&text) {
            return Ok(Zeroizing::new(text));
        }
        let missing = || Error::locked("key-missing").with("path", self.dir.display().to_string());
        let opened = self.cipher().ok_or_else(missing)?.open_file(name, &text);
        let plain = opened.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
        plain.map(Zeroizing::new).ok_or_else(|| damaged(path.display().to_string()))
    }

    /// Whether a small file is sealed where the folder is encrypted, as it ought to be.
    pub(crate) fn is_as_secret(&self, name: &str) -> Result<bool> {
        let path = self.dir.join(name);
        let text = Zeroizing::new(std::fs::read_to_string(&path).map_err(|e| file_fault(&e, &path))?);
        Ok(!self.is_encrypted() || key::is_sealed(&text))
    }

    /// The file of an attachment, under its name with a suffix.
    pub(crate) fn blob(&self, hash: &BlobHash, suffix: &str) -> PathBuf {
        let name = match self.cipher() {
            Some(cipher) => format!("{SEALED_BLOB}{}{suffix}", cipher.name(hash)),
            None => format!("{hash}{suffix}"),
        };
        self.dir.join(BLOBS).join(name)
    }

    /// Where an attachment is taken in until its hash is known.
    pub(crate) fn new_blob(&self, random: Random<'_>) -> PathBuf {
        let mut bytes = [0; 8];
        random(&mut bytes);
        let sealed = if self.is_encrypted() { SEALED_BLOB } else { "" };
        self.dir.join(BLOBS).join(format!("{sealed}{}.new", data_encoding::HEXLOWER.encode(&bytes)))
    }
}

type Locking = fn(&File) -> std::result::Result<(), TryLockError>;

/// A replica's folder while somebody has it open, or converts it.
pub(crate) struct Held {
    file: Option<File>,
}

impl Drop for Held {
    // Closing would not do: a process that is just being started by another thread has the file open until it runs.
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            let _ = file.unlock();
        }
    }
}

impl Held {
    /// Holds the folder beside others.
    ///
    /// # Errors
    /// `folder_converted` while somebody encrypts or decrypts it.
    pub(crate) fn shared(dir: &Path) -> Result<Self> {
        Self::by(dir, Error::busy("folder-converted").with("path", dir.display().to_string()), File::try_lock_shared)
    }

    /// Holds the folder alone.
    ///
    /// # Errors
    /// `folder_open` while somebody has it open.
    pub(super) fn alone(dir: &Path) -> Result<Self> {
        Self::by(dir, Error::busy("folder-open").with("path", dir.display().to_string()), File::try_lock)
    }

    fn by(dir: &Path, otherwise: Error, lock: Locking) -> Result<Self> {
        let path = dir.join(HELD_FILE);
        let file = File::create(&path).map_err(|e| file_fault(&e, &path))?;
        match lock(&file) {
            Ok(()) => Ok(Self { file: Some(file) }),
            Err(TryLockError::WouldBlock) => Err(otherwise),
            // A file system without locks: whoever converts a folder there is alone with it by agreement.
            Err(TryLockError::Error(e)) if e.kind() == std::io::ErrorKind::Unsupported => Ok(Self { file: None }),
            Err(TryLockError::Error(e)) => Err(file_fault(&e, &path)),
        }
    }
}

/// Whether the database in a folder is encrypted.
pub(super) fn is_encrypted(dir: &Path) -> Result<bool> {
    Ok(dir.join(STORE_KEY_FILE).is_file() && !is_plain(&dir.join(DATABASE))?)
}

/// Whether a file is a plain SQLite database, or too short to tell.
pub(super) fn is_plain(path: &Path) -> Result<bool> {
    let fault = |e: std::io::Error| file_fault(&e, path);
    let mut start = Vec::new();
    File::open(path).map_err(fault)?.take(SQLITE.len() as u64).read_to_end(&mut start).map_err(fault)?;
    Ok(start.len() < SQLITE.len() || start == SQLITE)
}

fn can_encrypt() -> Result<()> {
    if cfg!(feature = "encryption") { Ok(()) } else { Err(Error::usage("no-encryption")) }
}
