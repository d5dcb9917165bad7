//! What stands before the image in a seed: whose it is, what it holds, and the hash of what follows; signed.
//!
//! `docs/src/protocol.md` describes the bytes. Making and opening the image is the business of `replica::link::seed`.

use ed25519_dalek::{Signature, VerifyingKey};

use super::bytes::{Reader, put_bytes, put_number, put_signed};
use crate::error::{Error, Result};
use crate::id::WorkspaceId;
use crate::limits::SEED_SCOPES_MAX;
use crate::time::Millis;

/// How every seed begins, whatever its version.
const MAGIC: [u8; 6] = *b"BLSEED";
const VERSION: u8 = 1;
const PURPOSE: &[u8] = b"branchline seed 1";
/// Longest manifest, in bytes.
pub const MANIFEST_BYTES_MAX: usize = 16 * 1024;

/// What a seed says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The company.
    pub workspace: WorkspaceId,
    /// The public key of the hub that made it.
    pub maker: [u8; 32],
    /// When it was made, by the maker's clock.
    pub made_at: Millis,
    /// What it holds beside the shared collections, in the stable text of a scope.
    pub scopes: Vec<String>,
    /// Records in it.
    pub records: u64,
    /// Length of the image, in bytes.
    pub image_bytes: u64,
    /// Length of the compressed image, in bytes.
    pub packed_bytes: u64,
    /// SHA-256 of the compressed image.
    pub packed_hash: [u8; 32],
}

impl Manifest {
    /// Everything that stands before the compressed image.
    pub fn encode(&self, sign: impl FnOnce(&[u8]) -> [u8; 64]) -> Vec<u8> {
        let body = self.body();
        let mut out = MAGIC.to_vec();
        out.push(VERSION);
        out.extend_from_slice(&(body.len() as u32).to_le_bytes());
        out.extend_from_slice(&body);
        out.extend_from_slice(&sign(&signed(&body)));
        out
    }

    /// Parses the beginning of a seed and checks its maker's signature; gives also where the compressed image begins.
    ///
    /// # Errors
    /// `seed_not_one`, `seed_version`, `seed_damaged`.
    pub fn decode(bytes: &[u8]) -> Result<(Self, usize)> {
        let damaged = || Error::invalid("seed-damaged");
        let rest = bytes.strip_prefix(&MAGIC).ok_or_else(|| Error::invalid("seed-not-one"))?;
        let mut r = Reader::new(rest);
        let version = r.byte().map_err(|_| damaged())?;
        if version != VERSION {
            let error = Error::version("seed-version");
            return Err(error.with("found", u64::from(version)).with("known", u64::from(VERSION)));
        }
        let length = u32::from_le_bytes(r.array().map_err(|_| damaged())?) as usize;
        if length > MANIFEST_BYTES_MAX {
            return Err(damaged());
        }
        let body = r.take(length).map_err(|_| damaged())?;
        let signature: [u8; 64] = r.array().map_err(|_| damaged())?;
        let manifest = Self::read(body).map_err(|_| damaged())?;
        let key = VerifyingKey::from_bytes(&manifest.maker).map_err(|_| damaged())?;
        key.verify_strict(&signed(body), &Signature::from_bytes(&signature)).map_err(|_| damaged())?;
        Ok((manifest, MAGIC.len() + 5 + length + signature.len()))
    }

    fn body(&self) -> Vec<u8> {
        let mut out = self.workspace.as_bytes().to_vec();
        out.extend_from_slice(&self.maker);
        put_signed(&mut out, self.made_at.0);
        put_number(&mut out, self.scopes.len() as u64);
        self.scopes.iter().for_each(|scope| put_bytes(&mut out, scope.as_bytes()));
        put_number(&mut out, self.records);
        put_number(&mut out, self.image_bytes);
        put_number(&mut out, self.packed_bytes);
        out.extend_from_slice(&self.packed_hash);
        out
    }

    fn read(body: &[u8]) -> Result<Self> {
        let mut r = Reader::new(body);
        let (workspace, maker, made_at) = (WorkspaceId(r.array()?), r.array()?, Millis(r.signed()?));
        let count = r.count(1)?;
        if count > SEED_SCOPES_MAX {
            return Err(r.malformed());
        }
        let scopes = (0..count).map(|_| r.text().map(str::to_owned)).collect::<Result<_>>()?;
        let manifest = Self {
            workspace,
            maker,
            made_at,
            scopes,
            records: r.number()?,
            image_bytes: r.number()?,
            packed_bytes: r.number()?,
            packed_hash: r.array()?,
        };
        r.end()?;
        Ok(manifest)
    }
}

fn signed(body: &[u8]) -> Vec<u8> {
    [PURPOSE, body].concat()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;

    #[test]
    fn a_manifest_comes_back_only_as_it_was_signed() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let manifest = Manifest {
            workspace: WorkspaceId([1; 16]),
            maker: key.verifying_key().to_bytes(),
            made_at: Millis(5),
            scopes: vec!["workspace".into()],
            records: 300,
            image_bytes: 70_000,
            packed_bytes: 2_000,
            packed_hash: [3; 32],
        };
        let bytes = manifest.encode(|body| key.sign(body).to_bytes());
        assert_eq!(Manifest::decode(&bytes).unwrap(), (manifest, bytes.len()));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(Manifest::decode(&changed).is_err(), "byte {at}");
            assert!(Manifest::decode(&bytes[..at]).is_err(), "cut at {at}");
        }
    }
}
