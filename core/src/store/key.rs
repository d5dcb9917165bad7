//! The keys of an encrypted folder.
//!
//! What a person or a keystore gives, a [`StoreKey`], opens `store.key`; that holds the folder's own key, drawn at random
//! when the folder was encrypted, from which the keys of the database, the attachments and the small files follow. So
//! another store key takes its place in one small write, and a wrong one is told apart from damage.
//!
//! What is absent: passphrases. A store key is 256 random bits.

use std::fmt;
use std::path::Path;

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::fault::file_fault;
use super::files;
use crate::error::{Error, Result};
use crate::id::BlobHash;

/// The file that holds the folder's own key, sealed by the store key.
pub(crate) const STORE_KEY_FILE: &str = "store.key";
/// Length of a nonce, in bytes.
pub(super) const NONCE_BYTES: usize = 24;
/// Where the second copy of the sealed key begins: no damaged sector takes both.
const COPY_AT_BYTES: usize = 4096;
/// What a small file begins with when it is sealed.
const SEALED: &str = "sealed ";

/// Whatever gives unpredictable bytes.
pub(crate) type Random<'a> = &'a dyn Fn(&mut [u8]);

type Secret = Zeroizing<[u8; 32]>;

/// The key that a folder is encrypted with: 256 random bits, from a keystore or a file.
#[derive(Clone)]
pub struct StoreKey(Secret);

impl StoreKey {
    /// The key of these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The key that 32 bytes are, or that 64 hexadecimal digits (and a line's end) say.
    ///
    /// # Errors
    /// `key_length` for anything else.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let raw = <[u8; 32]>::try_from(bytes).ok();
        let said = || data_encoding::HEXLOWER_PERMISSIVE.decode(bytes.trim_ascii()).ok()?.try_into().ok();
        raw.or_else(said).map(Self::new).ok_or_else(|| Error::invalid("key-length").with("bytes", bytes.len()))
    }

    /// What a backup of the folder is encrypted with: the store key alone opens it, wherever it is restored.
    pub(super) fn of_backup(&self) -> DatabaseKey {
        DatabaseKey(derived(&self.0, "branchline backup 1"))
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey")
    }
}

/// The raw key of one database file.
pub(super) struct DatabaseKey(Secret);

impl DatabaseKey {
    /// As SQLCipher takes it: the key itself, nothing that it would have to be derived from.
    pub(super) fn literal(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("x'{}'", HEXLOWER.encode(&*self.0)))
    }
}

/// The keys that follow from a folder's own one.
pub(crate) struct Cipher {
    own: Secret,
    pub(super) database: DatabaseKey,
    pub(super) attachments: Secret,
    names: Secret,
    files: Secret,
}

impl Cipher {
    fn of(own: Secret) -> Self {
        Self {
            database: DatabaseKey(derived(&own, "branchline database 1")),
            attachments: derived(&own, "branchline attachments 1"),
            names: derived(&own, "branchline names 1"),
            files: derived(&own, "branchline files 1"),
            own,
        }
    }

    /// The keys of a folder that begins now.
    pub(super) fn draw(random: Random<'_>) -> Self {
        let mut own = Zeroizing::new([0; 32]);
        random(&mut *own);
        Self::of(own)
    }

    /// The keys of a folder.
    ///
    /// # Errors
    /// `key_wrong` where another key sealed them, `store_key_damaged` where the file is none.
    pub(super) fn open(dir: &Path, key: &StoreKey) -> Result<Self> {
        let path = dir.join(STORE_KEY_FILE);
        let bytes = std::fs::read(&path).map_err(|e| file_fault(&e, &path))?;
        let copies = bytes.chunks(COPY_AT_BYTES).filter_map(|copy| HEXLOWER.decode(copy.trim_ascii()).ok());
        let copies: Vec<_> = copies.collect();
        let is_sealed = |copy: &Vec<u8>| copy.len() == NONCE_BYTES + 32 + 16;
        if !copies.iter().any(is_sealed) {
            return Err(Error::corrupt("store-key-damaged").with("path", path.display().to_string()));
        }
        let seal = Seal::of(&derived(&key.0, "branchline store key 1"));
        let own = copies.iter().find_map(|copy| <[u8; 32]>::try_from(seal.open(STORE_KEY_FILE, copy)?.as_slice()).ok());
        let wrong = || Error::locked("key-wrong").with("path", dir.display().to_string());
        Ok(Self::of(Zeroizing::new(own.ok_or_else(wrong)?)))
    }

    /// Seals the folder's own key by a store key; whichever was there stays until the new one is whole.
    pub(super) fn keep(&self, dir: &Path, key: &StoreKey, random: Random<'_>) -> Result<()> {
        let sealed = Seal::of(&derived(&key.0, "branchline store key 1")).seal(STORE_KEY_FILE, &*self.own, random);
        let copy = HEXLOWER.encode(&sealed);
        let text = format!("{copy:width$}\n{copy}\n", width = COPY_AT_BYTES - 1);
        files::write_secret(&dir.join(STORE_KEY_FILE), text.as_bytes())
    }

    /// The name of an attachment's file: it says nothing about the content to who lacks the key.
    pub(super) fn name(&self, hash: &BlobHash) -> String {
        let mut digest = Sha256::new();
        digest.update(*self.names);
        digest.update(hash.as_bytes());
        HEXLOWER.encode(&digest.finalize())
    }

    /// A small file sealed under its name.
    pub(super) fn seal_file(&self, name: &str, plain: &[u8], random: Random<'_>) -> String {
        format!("{SEALED}{}\n", HEXLOWER.encode(&Seal::of(&self.files).seal(name, plain, random)))
    }

    /// What a small file sealed under its name holds; none where it is damaged.
    pub(super) fn open_file(&self, name: &str, text: &str) -> Option<Zeroizing<Vec<u8>>> {
        let sealed = HEXLOWER.decode(text.strip_prefix(SEALED)?.trim_end().as_bytes()).ok()?;
        Seal::of(&self.files).open(name, &sealed)
    }
}

/// Whether a small file is sealed.
pub(super) fn is_sealed(text: &str) -> bool {
    text.starts_with(SEALED)
}

// A key for one purpose: from 256 random bits, one hash is enough.
fn derived(key: &Secret, purpose: &str) -> Secret {
    let mut digest = Sha256::new();
    digest.update(purpose.as_bytes());
    digest.update(**key);
    Zeroizing::new(digest.finalize().into())
}

struct Seal(XChaCha20Poly1305);

impl Seal {
    fn of(key: &Secret) -> Self {
        Self(XChaCha20Poly1305::new(&Key::from(**key)))
    }

    fn seal(&self, name: &str, plain: &[u8], random: Random<'_>) -> Vec<u8> {
        let mut sealed = vec![0; NONCE_BYTES];
        random(&mut sealed);
        let mut nonce = [0; NONCE_BYTES];
        nonce.copy_from_slice(&sealed);
        let payload = Payload { msg: plain, aad: name.as_bytes() };
        // Sealing fails only for hundreds of gigabytes.
        sealed.extend(self.0.encrypt(&XNonce::from(nonce), payload).unwrap_or_default());
        sealed
    }

    fn open(&self, name: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: name.as_bytes() };
        self.0.decrypt(&XNonce::from(*nonce), payload).ok().map(Zeroizing::new)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn random(bytes: &mut [u8]) {
        getrandom::fill(bytes).unwrap();
    }

    #[test]
    fn a_key_is_32_bytes_or_64_digits() {
        let digits = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
        assert!(
            StoreKey::parse(digits.as_bytes()).is_ok() && StoreKey::parse(format!("{digits}\n").as_bytes()).is_ok()
        );
        assert!(StoreKey::parse(&[7; 32]).is_ok());
        for bad in [&b""[..], &[7; 31], &[7; 33], &digits.as_bytes()[2..], b"not a key at all"] {
            assert_eq!(StoreKey::parse(bad).unwrap_err().code(), "key_length");
        }
    }

    #[test]
    fn a_wrong_key_is_no_damage_and_one_damaged_copy_no_loss() {
        let dir = tempfile::tempdir().unwrap();
        let (right, wrong) = (StoreKey::new([1; 32]), StoreKey::new([2; 32]));
        let cipher = Cipher::draw(&random);
        cipher.keep(dir.path(), &right, &random).unwrap();
        let opened = || Cipher::open(dir.path(), &right).map(|opened| opened.own == cipher.own);
        assert!(opened().unwrap());
        assert_eq!(Cipher::open(dir.path(), &wrong).map(|_| ()).unwrap_err().code(), "key_wrong");

        let path = dir.path().join(STORE_KEY_FILE);
        let whole = std::fs::read(&path).unwrap();
        for (from, to) in [(0, COPY_AT_BYTES), (COPY_AT_BYTES, whole.len())] {
            let mut bytes = whole.clone();
            bytes[from..to].fill(0xff);
            std::fs::write(&path, bytes).unwrap();
            assert!(opened().unwrap(), "the other copy serves");
        }
        std::fs::write(&path, "none").unwrap();
        assert_eq!(opened().unwrap_err().code(), "store_key_damaged");
    }

    #[test]
    fn a_sealed_file_opens_under_its_name_alone() {
        let cipher = Cipher::draw(&random);
        let text = cipher.seal_file("device.key", b"secret", &random);
        assert!(is_sealed(&text) && !text.contains(&HEXLOWER.encode(b"secret")));
        assert_eq!(cipher.open_file("device.key", &text).unwrap().as_slice(), b"secret");
        assert!(cipher.open_file("joining", &text).is_none());
        assert!(Cipher::draw(&random).open_file("device.key", &text).is_none());
    }
}
