//! The envelope of a courier file: encrypted for its receiver, signed by its sender, written whole or not at all.
//!
//! Key: X25519 between a key drawn for this file and the receiver's device key (Ed25519 keys as Montgomery points), hashed
//! with the header. Stream: ChaCha20-Poly1305 in pieces of [`COURIER_CHUNK_BYTES`], nonce = piece number (11 bytes, big
//! endian) and 1 at the last piece, so that a file that was cut does not open as a shorter one. Signature: Ed25519 over the
//! SHA-256 of the header and every item before it; that hash is the file's id.
//!
//! Nothing of a file is acted upon before all of it was read and its signature checked; it is then read a second time
//! under the same key, which nobody but its sender ever had.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};
use x25519_dalek::{PublicKey, StaticSecret};

use crate::error::{Error, Result};
use crate::id::{DeviceId, FileId, WorkspaceId};
use crate::limits::{COURIER_CHUNK_BYTES, COURIER_FILE_BYTES_MAX, COURIER_ITEM_BYTES_MAX};
use crate::replica::{Environment, Identity};
use crate::store::file_fault;
use crate::wire::bytes::put_number;
use crate::wire::courier::{Header, Item};

const KEY_PURPOSE: &[u8] = b"branchline courier key 1";
const SEAL_PURPOSE: &[u8] = b"branchline courier 1";
/// What encryption adds to each piece, in bytes.
const TAG_BYTES: usize = 16;

/// Writes one file.
pub(super) struct Sealer {
    to: PathBuf,
    unfinished: PathBuf,
    out: BufWriter<File>,
    stream: Stream,
    digest: Sha256,
    plain: Vec<u8>,
    length: u64,
}

impl Sealer {
    /// Begins a file for the holder of `receiver_key`.
    ///
    /// # Errors
    /// `courier_exists`; whatever the file system says.
    pub(super) fn create(
        to: &Path,
        workspace: WorkspaceId,
        sender: DeviceId,
        receiver_key: &[u8; 32],
        env: &dyn Environment,
    ) -> Result<(Self, Header)> {
        if to.exists() {
            return Err(Error::usage("courier-exists").with("path", to.display().to_string()));
        }
        let mut secret = [0; 32];
        env.fill_random(&mut secret);
        let secret = StaticSecret::from(secret);
        let header = Header {
            length: 0,
            workspace,
            sender,
            receiver: DeviceId::of_key(receiver_key),
            ephemeral: PublicKey::from(&secret).to_bytes(),
        };
        let theirs = VerifyingKey::from_bytes(receiver_key).map_err(|_| Error::corrupt("device-key-damaged"))?;
        let shared = secret.diffie_hellman(&PublicKey::from(theirs.to_montgomery().to_bytes()));
        let mut name = to.file_name().unwrap_or_default().to_os_string();
        name.push(".unfinished");
        let unfinished = to.with_file_name(name);
        let file = File::create(&unfinished).map_err(|e| file_fault(&e, &unfinished))?;
        let bound = header.bound();
        let mut digest = Sha256::new();
        digest.update(&bound);
        let mut sealer = Self {
            to: to.to_owned(),
            unfinished,
            out: BufWriter::new(file),
            stream: Stream::new(shared.as_bytes(), &bound),
            digest,
            plain: Vec::with_capacity(COURIER_CHUNK_BYTES),
            length: 0,
        };
        sealer.write(&bound)?;
        Ok((sealer, header))
    }

    /// Appends an item.
    pub(super) fn push(&mut self, item: &Item) -> Result<()> {
        let framed = framed(item);
        self.digest.update(&framed);
        self.put(&framed)
    }

    /// Signs and syncs the file; it appears under its name when `noted` has remembered it. Gives its length in bytes.
    pub(super) fn finish(mut self, identity: &Identity, noted: impl FnOnce(FileId) -> Result<()>) -> Result<u64> {
        let id = FileId(self.digest.clone().finalize().into());
        let signature = identity.sign(&sealed(&id));
        self.put(&framed(&Item::Seal(signature)))?;
        let last = std::mem::take(&mut self.plain);
        let piece = self.stream.encrypt(&last, true)?;
        self.write(&piece)?;
        let length = self.length;
        if length > COURIER_FILE_BYTES_MAX {
            return Err(too_large(length));
        }
        let fault = |e: &std::io::Error| file_fault(e, &self.unfinished);
        let stamp = |file: &mut BufWriter<File>| -> std::io::Result<()> {
            file.seek(SeekFrom::Start(Header::length_at()))?;
            file.write_all(&length.to_le_bytes())?;
            file.flush()?;
            file.get_ref().sync_all()
        };
        stamp(&mut self.out).map_err(|e| fault(&e))?;
        noted(id)?;
        std::fs::rename(&self.unfinished, &self.to).map_err(|e| fault(&e))?;
        Ok(length)
    }

    fn put(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            // A full piece leaves only when something follows it: the last piece is never empty but for an empty file.
            if self.plain.len() == COURIER_CHUNK_BYTES {
                let full = std::mem::take(&mut self.plain);
                let piece = self.stream.encrypt(&full, false)?;
                self.write(&piece)?;
            }
            let room = COURIER_CHUNK_BYTES - self.plain.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.plain.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.length += bytes.len() as u64;
        self.out.write_all(bytes).map_err(|e| file_fault(&e, &self.unfinished))
    }
}

impl Drop for Sealer {
    fn drop(&mut self) {
        // Gone already where the file was finished.
        let _ = std::fs::remove_file(&self.unfinished);
    }
}

/// The header of a file, before anything is known of its sender.
pub(super) fn peek(path: &Path) -> Result<Header> {
    let file = File::open(path).map_err(|e| file_fault(&e, path))?;
    let mut bytes = Vec::with_capacity(Header::LEN);
    file.take(Header::LEN as u64).read_to_end(&mut bytes).map_err(|e| file_fault(&e, path))?;
    Header::decode(&bytes).map_err(|e| e.at(path.display().to_string()))
}

/// Reads one file that is for us, item by item, as often as it takes.
pub(super) struct Opener {
    path: PathBuf,
    input: BufReader<File>,
    key: Stream,
    bound: Vec<u8>,
    stated: u64,
    stream: Stream,
    plain: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Opener {
    /// Opens a file with the receiver's key.
    pub(super) fn open(path: &Path, header: &Header, identity: &Identity) -> Result<Self> {
        let file = File::open(path).map_err(|e| file_fault(&e, path))?;
        let real = file.metadata().map_err(|e| file_fault(&e, path))?.len();
        if real > COURIER_FILE_BYTES_MAX {
            return Err(too_large(real));
        }
        match real.cmp(&header.length) {
            Ordering::Less => return Err(Error::invalid("courier-cut").at(path.display().to_string())),
            Ordering::Greater => return Err(damaged(path)),
            Ordering::Equal => {}
        }
        let shared = identity.agree(&header.ephemeral).ok_or_else(|| damaged(path))?;
        let bound = header.bound();
        let key = Stream::new(&shared, &bound);
        let mut opener = Self {
            path: path.to_owned(),
            input: BufReader::new(file),
            stream: key.clone(),
            key,
            bound,
            stated: header.length,
            plain: Vec::new(),
            at: 0,
            ended: false,
        };
        opener.rewind()?;
        Ok(opener)
    }

    /// Length of the file, in bytes.
    pub(super) fn length(&self) -> u64 {
        self.stated
    }

    /// Back to the first item.
    pub(super) fn rewind(&mut self) -> Result<()> {
        self.input.seek(SeekFrom::Start(Header::LEN as u64)).map_err(|e| file_fault(&e, &self.path))?;
        self.stream = self.key.clone();
        self.plain.clear();
        self.at = 0;
        self.ended = false;
        Ok(())
    }

    /// Reads everything once, telling `look` of each item; gives the file's id if `sender_key` signed it.
    ///
    /// # Errors
    /// `courier_damaged`, `courier_cut`, `courier_signature`, and what `look` says.
    pub(super) fn check(&mut self, sender_key: &[u8; 32], mut look: impl FnMut(&Item) -> Result<()>) -> Result<FileId> {
        let mut digest = Sha256::new();
        digest.update(&self.bound);
        while let Some(item) = self.next()? {
            let Item::Seal(signature) = item else {
                digest.update(framed(&item));
                look(&item)?;
                continue;
            };
            if self.next()?.is_some() {
                return Err(damaged(&self.path));
            }
            let id = FileId(digest.finalize().into());
            let key = VerifyingKey::from_bytes(sender_key).map_err(|_| forged(&self.path))?;
            key.verify_strict(&sealed(&id), &Signature::from_bytes(&signature)).map_err(|_| forged(&self.path))?;
            self.rewind()?;
            return Ok(id);
        }
        Err(damaged(&self.path))
    }

    /// The next item; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Item>> {
        let Some(length) = self.number()? else { return Ok(None) };
        if length > COURIER_ITEM_BYTES_MAX as u64 {
            return Err(damaged(&self.path));
        }
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < length {
            if !self.fill()? {
                return Err(damaged(&self.path));
            }
            let want = usize::try_from(length).unwrap_or(usize::MAX) - bytes.len();
            let have = self.plain.get(self.at..).unwrap_or_default();
            let piece = have.get(..want.min(have.len())).unwrap_or_default();
            bytes.extend_from_slice(piece);
            self.at += piece.len();
        }
        Item::decode(&bytes).map(Some).map_err(|e| e.at(self.path.display().to_string()))
    }

    fn number(&mut self) -> Result<Option<u64>> {
        let mut value = 0_u64;
        for shift in (0..35).step_by(7) {
            if !self.fill()? {
                return if shift == 0 { Ok(None) } else { Err(damaged(&self.path)) };
            }
            let byte = self.plain.get(self.at).copied().unwrap_or_default();
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                // One form only, so that the hash of what was read is the hash of what was written.
                return if byte == 0 && shift > 0 { Err(damaged(&self.path)) } else { Ok(Some(value)) };
            }
        }
        Err(damaged(&self.path))
    }

    // Has at least one plain byte ready; false at the end of the stream.
    fn fill(&mut self) -> Result<bool> {
        if self.at < self.plain.len() {
            return Ok(true);
        }
        if self.ended {
            return Ok(false);
        }
        let mut piece = Vec::with_capacity(COURIER_CHUNK_BYTES + TAG_BYTES);
        let full = (COURIER_CHUNK_BYTES + TAG_BYTES) as u64;
        (&mut self.input).take(full).read_to_end(&mut piece).map_err(|e| file_fault(&e, &self.path))?;
        let mut peeked = [0; 1];
        let follows =
            piece.len() as u64 == full && self.input.read(&mut peeked).map_err(|e| file_fault(&e, &self.path))? == 1;
        if follows {
            self.input.seek_relative(-1).map_err(|e| file_fault(&e, &self.path))?;
        }
        self.ended = !follows;
        self.plain = match self.stream.decrypt(&piece, self.ended) {
            Some(plain) => plain,
            None if self.ended && self.stream.decrypt(&piece, false).is_some() => {
                return Err(Error::invalid("courier-cut").at(self.path.display().to_string()));
            }
            None => return Err(damaged(&self.path)),
        };
        self.stream.number += 1;
        self.at = 0;
        Ok(!self.plain.is_empty())
    }
}

/// The cipher of one file and the number of its next piece.
#[derive(Clone)]
struct Stream {
    cipher: ChaCha20Poly1305,
    number: u64,
}

impl Stream {
    fn new(shared: &[u8; 32], bound: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(KEY_PURPOSE);
        hash.update(shared);
        hash.update(bound);
        let key: [u8; 32] = hash.finalize().into();
        Self { cipher: ChaCha20Poly1305::new(&Key::from(key)), number: 0 }
    }

    fn nonce(&self, last: bool) -> Nonce {
        let mut nonce = [0; 12];
        nonce[3..11].copy_from_slice(&self.number.to_be_bytes());
        nonce[11] = u8::from(last);
        Nonce::from(nonce)
    }

    fn encrypt(&mut self, plain: &[u8], last: bool) -> Result<Vec<u8>> {
        let piece = self.cipher.encrypt(&self.nonce(last), plain);
        self.number += 1;
        // Encryption fails only for pieces of hundreds of gigabytes.
        piece.map_err(|_| too_large(plain.len() as u64))
    }

    fn decrypt(&self, piece: &[u8], last: bool) -> Option<Vec<u8>> {
        self.cipher.decrypt(&self.nonce(last), piece).ok()
    }
}

fn framed(item: &Item) -> Vec<u8> {
    let bytes = item.encode();
    let mut out = Vec::with_capacity(bytes.len() + 5);
    put_number(&mut out, bytes.len() as u64);
    out.extend(bytes);
    out
}

fn sealed(id: &FileId) -> Vec<u8> {
    [SEAL_PURPOSE, id.as_bytes()].concat()
}

fn damaged(path: &Path) -> Error {
    Error::invalid("courier-damaged").at(path.display().to_string())
}

fn forged(path: &Path) -> Error {
    Error::invalid("courier-signature").at(path.display().to_string())
}

fn too_large(bytes: u64) -> Error {
    Error::limit("courier-too-large").with("bytes", bytes).with("limit", COURIER_FILE_BYTES_MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::Home;
    use crate::time::Millis;
    use crate::wire::courier::Up;

    /// Draws the same bytes always: a file made with it is the same in every run.
    struct Fixed;

    impl Environment for Fixed {
        fn now(&self) -> Millis {
            Millis(0)
        }

        fn fill_random(&self, bytes: &mut [u8]) {
            bytes.fill(9);
        }
    }

    fn identities(dir: &Path) -> [Identity; 3] {
        [1, 2, 3].map(|n| {
            let dir = dir.join(n.to_string());
            std::fs::create_dir(&dir).unwrap();
            Identity::restore(&Home::plain(&dir), &[n; 32], &Fixed).unwrap()
        })
    }

    fn write(dir: &Path, sender: &Identity, receiver: &Identity, items: &[Item]) -> PathBuf {
        let file = dir.join(format!("{}.courier", items.len()));
        let workspace = WorkspaceId([7; 16]);
        let (mut sealer, _) =
            Sealer::create(&file, workspace, sender.device(), &receiver.public_key(), &Fixed).unwrap();
        items.iter().for_each(|item| sealer.push(item).unwrap());
        let length = sealer.finish(sender, |_| Ok(())).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().len(), length);
        file
    }

    #[test]
    fn the_bytes_of_version_1_stay_what_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let [sender, receiver, _] = identities(dir.path());
        let file = write(dir.path(), &sender, &receiver, &[Item::Up(Up { left: 5, ..Up::default() })]);
        let hex = data_encoding::HEXLOWER.encode(&std::fs::read(&file).unwrap());
        assert_eq!(hex, GOLDEN);
    }

    /// Made outside of this program, by what the protocol page says alone.
    const GOLDEN: &str = concat!(
        "424c434f555249455201aa000000000000000707070707070707070707070707070734750f98bd59fcfc6a3803d5f059902a",
        "57db4b359f23ae5e146e4e2512056704722506348c150c14753d0c933d04d4218800969e9c299af8ab51daf776dc1a19ce26",
        "1f8b3ee7532cdf2f6355424a8e02a71bc4ebde4f01362eee1db7273acaf9a2c19b3a3da991c0eb88dc9237196d756ed52e44",
        "465ca9475de2bab26c6f1d0a57e43ad247dd7dd2",
    );

    #[test]
    fn many_pieces_come_back_and_only_the_receiver_opens_them() {
        let dir = tempfile::tempdir().unwrap();
        let [sender, receiver, other] = identities(dir.path());
        // One item that fills pieces to the byte, others around it.
        for size in [0, 1, COURIER_CHUNK_BYTES - 80, COURIER_CHUNK_BYTES, 3 * COURIER_CHUNK_BYTES - 7] {
            let item = |n: u64| Item::Push { seqs: vec![n], changes: vec![n as u8; size] };
            let items: Vec<Item> = std::iter::once(Item::Up(Up::default())).chain((1..4).map(item)).collect();
            let file = write(dir.path(), &sender, &receiver, &items);
            let header = peek(&file).unwrap();
            let mut opener = Opener::open(&file, &header, &receiver).unwrap();
            let mut seen = Vec::new();
            opener
                .check(&sender.public_key(), |item| {
                    seen.push(item.clone());
                    Ok(())
                })
                .unwrap();
            assert_eq!(seen, items);
            assert_eq!(opener.next().unwrap().as_ref(), items.first(), "it begins anew");
            opener.rewind().unwrap();
            let forged = opener.check(&other.public_key(), |_| Ok(())).unwrap_err();
            assert_eq!(forged.code(), "courier_signature");
            let mut closed = Opener::open(&file, &header, &other).unwrap();
            assert_eq!(closed.check(&sender.public_key(), |_| Ok(())).unwrap_err().code(), "courier_damaged");
            // Cut after a whole piece, with a header that does not tell.
            if size > COURIER_CHUNK_BYTES {
                let mut bytes = std::fs::read(&file).unwrap();
                bytes.truncate(Header::LEN + COURIER_CHUNK_BYTES + TAG_BYTES);
                let length = bytes.len() as u64;
                bytes[10..18].copy_from_slice(&length.to_le_bytes());
                std::fs::write(&file, bytes).unwrap();
                let mut cut = Opener::open(&file, &peek(&file).unwrap(), &receiver).unwrap();
                assert_eq!(cut.check(&sender.public_key(), |_| Ok(())).unwrap_err().code(), "courier_cut");
            }
            std::fs::remove_file(file).unwrap();
        }
    }
}
