//! The one-time code of an invitation: address, secret and pinned key in one string.
//!
//! `bl1` followed by base64url (no padding) of: flags (0: plain HTTP; 1: a TLS certificate is pinned; 2: the authorities
//! that the system trusts vouch for it), secret (16 bytes), the upstream's Ed25519 public key (32), its certificate's
//! SHA-256 (32, where pinned), address (UTF-8, the rest), and a check of four bytes, so that a code which was not copied whole is told from one that is not known.

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

const PREFIX: &str = "bl1";
const CHECK: usize = 4;
/// Longest address in a code, in bytes.
const ADDRESS_BYTES_MAX: usize = 512;

/// How a TLS server is known to be the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It shows exactly this certificate, given by the SHA-256 of its DER, whoever signed it.
    Certificate([u8; 32]),
    /// It shows one for its name that the authorities vouch for which the system trusts: a proxy's own.
    System,
}

impl Trust {
    /// The bytes that are stored for it.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Trust::Certificate(hash) => hash,
            Trust::System => &[],
        }
    }

    /// What these stored bytes mean.
    pub(super) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [] => Some(Trust::System),
            bytes => bytes.try_into().ok().map(Trust::Certificate),
        }
    }
}

/// What a new replica needs to reach its upstream and to be let in once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationCode {
    /// Proves the invitation; the upstream keeps only its hash.
    pub secret: [u8; 16],
    /// The upstream's Ed25519 public key.
    pub upstream_key: [u8; 32],
    /// How its TLS server is known; none where it speaks plain HTTP.
    pub trust: Option<Trust>,
    /// `http://host:port` or `https://host:port`.
    pub address: String,
}

impl InvitationCode {
    /// The string to copy, mail or show as a QR code.
    pub fn encode(&self) -> String {
        let mut bytes = vec![match self.trust {
            None => 0,
            Some(Trust::Certificate(_)) => 1,
            Some(Trust::System) => 2,
        }];
        bytes.extend_from_slice(&self.secret);
        bytes.extend_from_slice(&self.upstream_key);
        bytes.extend_from_slice(self.trust.as_ref().map_or(&[][..], Trust::bytes));
        bytes.extend_from_slice(self.address.as_bytes());
        let check = Sha256::digest(&bytes);
        bytes.extend(check.iter().take(CHECK));
        format!("{PREFIX}{}", data_encoding::BASE64URL_NOPAD.encode(&bytes))
    }

    /// Parses a code; surrounding blanks and line breaks inside are ignored.
    ///
    /// # Errors
    /// `invitation_malformed`.
    pub fn parse(text: &str) -> Result<Self> {
        let malformed = || Error::invalid("invitation-malformed");
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let body = text.strip_prefix(PREFIX).ok_or_else(malformed)?;
        let bytes = data_encoding::BASE64URL_NOPAD.decode(body.as_bytes()).map_err(|_| malformed())?;
        let (content, check) = bytes.split_at_checked(bytes.len().saturating_sub(CHECK)).ok_or_else(malformed)?;
        if Sha256::digest(content).get(..CHECK) != Some(check) {
            return Err(malformed());
        }
        let (flags, rest) = content.split_first().ok_or_else(malformed)?;
        let (secret, rest) = rest.split_first_chunk::<16>().ok_or_else(malformed)?;
        let (key, rest) = rest.split_first_chunk::<32>().ok_or_else(malformed)?;
        let (trust, rest) = match flags {
            0 => (None, rest),
            1 => {
                let (hash, rest) = rest.split_first_chunk::<32>().ok_or_else(malformed)?;
                (Some(Trust::Certificate(*hash)), rest)
            }
            2 => (Some(Trust::System), rest),
            _ => return Err(malformed()),
        };
        let address = std::str::from_utf8(rest).map_err(|_| malformed())?.to_owned();
        let known_scheme = address.starts_with("http://") || address.starts_with("https://");
        if !known_scheme || address.len() > ADDRESS_BYTES_MAX {
            return Err(malformed());
        }
        Ok(Self { secret: *secret, upstream_key: *key, trust, address })
    }

    /// What the upstream stores instead of the secret.
    pub fn secret_hash(secret: &[u8; 16]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"branchline invitation 1");
        hash.update(secret);
        hash.finalize().into()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_back_and_damage_is_noticed() {
        for trust in [None, Some(Trust::Certificate([3; 32])), Some(Trust::System)] {
            let code = InvitationCode {
                secret: [1; 16],
                upstream_key: [2; 32],
                trust,
                address: "http://127.0.0.1:8787".into(),
            };
            let text = code.encode();
            assert_eq!(InvitationCode::parse(&format!(" {}\n{} ", &text[..40], &text[40..])).unwrap(), code);
            for at in 0..text.len() {
                let mut changed: Vec<char> = text.chars().collect();
                changed[at] = if changed[at] == 'A' { 'B' } else { 'A' };
                let changed: String = changed.into_iter().collect();
                assert_ne!(InvitationCode::parse(&changed).ok(), Some(code.clone()), "at {at}");
            }
            assert!(InvitationCode::parse(&text[..text.len() - 3]).is_err());
        }
        assert_eq!(InvitationCode::parse("hello").unwrap_err().code(), "invitation_malformed");
    }
}
