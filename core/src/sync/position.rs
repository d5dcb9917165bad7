//! Positions: how far a downstream has got in this upstream's log, sealed so that only the upstream can read them.
//!
//! A downstream keeps the newest token with the data that it covers and presents it when it comes back. Sequence
//! numbers count changes of every scope, so they must not be readable below: the token is encrypted, and its nonce
//! comes from its content (the same position always gives the same token, which tells nobody anything new).

use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::id::Timeline;
use crate::wire::bytes::{Reader, put_number};

/// The rolling hash over a log up to some sequence.
pub type Rolling = [u8; 8];

/// Where a downstream is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Position {
    /// The history that the sequence belongs to.
    pub timeline: Timeline,
    /// Every change up to here was delivered, but for what the passes still owe.
    pub seq: u64,
    /// The log's rolling hash there.
    pub rolling: Rolling,
    /// Scopes whose records the downstream holds or is being sent, by the upstream's numbers.
    pub held: Vec<u64>,
    /// What cannot be said by a sequence.
    pub passes: Vec<Pass>,
    /// The grant that the downstream has been told of; `None` in a token from before the first one.
    pub grant: Option<GrantMark>,
}

/// Stands for a grant in a token: a few bytes of its hash, for the token travels with every greeting.
pub type GrantMark = [u8; GRANT_MARK_BYTES];

/// Fewer bytes than a pass takes, so that at the end of a token it is no pass.
const GRANT_MARK_BYTES: usize = 3;

/// A walk over all records of some scopes, class by class.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pass {
    /// The scopes, by the upstream's numbers.
    pub scopes: Vec<u64>,
    /// Whether the records leave (a grant was taken back) instead of being sent.
    pub leaving: bool,
    /// The class that is being walked.
    pub class: u8,
    /// The last record of that class that was delivered.
    pub last: u64,
    /// Records delivered so far.
    pub done: u64,
}

/// Most scopes and passes in a token.
const ITEMS_MAX: usize = 256;

/// Seals and opens positions with a key that never leaves the replica.
#[derive(Clone)]
pub struct Seal {
    key: [u8; 32],
}

impl Seal {
    /// The seal of a replica, from the secret of its device key.
    pub fn of_secret(secret: &[u8; 32]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"branchline position seal 1");
        hash.update(secret);
        Self { key: hash.finalize().into() }
    }

    /// The token of a position.
    pub fn seal(&self, position: &Position) -> Vec<u8> {
        let plain = position.encode();
        let mut hash = Sha256::new();
        hash.update(b"nonce");
        hash.update(self.key);
        hash.update(&plain);
        let digest: [u8; 32] = hash.finalize().into();
        let mut nonce = [0u8; 12];
        nonce.copy_from_slice(&digest[..12]);
        let cipher = ChaCha20Poly1305::new(&Key::from(self.key));
        // Sealing fails only for texts of hundreds of gigabytes.
        let sealed = cipher.encrypt(&Nonce::from(nonce), plain.as_slice()).unwrap_or_default();
        let mut token = nonce.to_vec();
        token.extend_from_slice(&sealed);
        token
    }

    /// The position of a token.
    ///
    /// # Errors
    /// `position_invalid` for a token that this replica did not seal.
    pub fn open(&self, token: &[u8]) -> Result<Position> {
        let invalid = || Error::protocol("position-invalid");
        let (nonce, sealed) = token.split_first_chunk::<12>().ok_or_else(invalid)?;
        let cipher = ChaCha20Poly1305::new(&Key::from(self.key));
        let plain = cipher.decrypt(&Nonce::from(*nonce), sealed).map_err(|_| invalid())?;
        Position::decode(&plain).map_err(|_| invalid())
    }
}

impl Position {
    fn encode(&self) -> Vec<u8> {
        let mut out = self.timeline.0.to_vec();
        put_number(&mut out, self.seq);
        out.extend_from_slice(&self.rolling);
        put_list(&mut out, &self.held);
        for pass in &self.passes {
            out.push(u8::from(pass.leaving));
            out.push(pass.class);
            put_list(&mut out, &pass.scopes);
            put_number(&mut out, pass.last);
            put_number(&mut out, pass.done);
        }
        out.extend(self.grant.iter().flatten());
        out
    }

    fn decode(plain: &[u8]) -> Result<Self> {
        let mut r = Reader::new(plain);
        let mut position = Position {
            timeline: Timeline(r.array()?),
            seq: r.number()?,
            rolling: r.array()?,
            held: read_list(&mut r)?,
            passes: Vec::new(),
            grant: None,
        };
        while r.end().is_err() {
            if r.left() == GRANT_MARK_BYTES {
                position.grant = Some(r.array()?);
                break;
            }
            if position.passes.len() >= ITEMS_MAX {
                return Err(r.malformed());
            }
            let (leaving, class) = (r.bool()?, r.byte()?);
            let scopes = read_list(&mut r)?;
            position.passes.push(Pass { scopes, leaving, class, last: r.number()?, done: r.number()? });
        }
        Ok(position)
    }
}

fn put_list(out: &mut Vec<u8>, list: &[u64]) {
    put_number(out, list.len() as u64);
    list.iter().for_each(|n| put_number(out, *n));
}

fn read_list(r: &mut Reader<'_>) -> Result<Vec<u64>> {
    let count = r.count(1)?;
    if count > ITEMS_MAX {
        return Err(r.malformed());
    }
    (0..count).map(|_| r.number()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn tokens_open_only_where_they_were_sealed_and_show_nothing() {
        let position = Position {
            timeline: Timeline([1; 8]),
            seq: 100_000,
            rolling: [2; 8],
            held: vec![1, 5],
            passes: vec![Pass { scopes: vec![5], leaving: false, class: 4, last: 77, done: 12 }],
            grant: Some([7; 3]),
        };
        let seal = Seal::of_secret(&[3; 32]);
        let token = seal.seal(&position);
        assert_eq!(seal.open(&token).unwrap(), position);
        assert!(Seal::of_secret(&[4; 32]).open(&token).is_err());
        let shortest = Pass { scopes: vec![], leaving: true, class: 0, last: 0, done: 0 };
        for grant in [None, Some([0, 1, 2])] {
            let passing = Position { passes: vec![shortest.clone()], grant, ..position.clone() };
            assert_eq!(seal.open(&seal.seal(&passing)).unwrap(), passing);
        }
        let idle = Position { passes: vec![], ..position };
        assert!(seal.seal(&idle).len() <= 56, "a token for every reconnect: {}", seal.seal(&idle).len());
        for at in 0..token.len() {
            let mut changed = token.clone();
            changed[at] ^= 1;
            assert!(seal.open(&changed).is_err());
        }
    }
}
