//! Newtypes for every id that crosses a module.
//!
//! Ids are plain bytes; randomness comes in as an argument, so that a simulator can replay it.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::time::Millis;

macro_rules! byte_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// The id in these bytes, if there are exactly as many as it has.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// The bytes of the id.
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), data_encoding::HEXLOWER.encode(&self.0))
            }
        }
    };
}

byte_id!(
    /// A record: a UUID of version 7 (typed by hand) or 8 (deterministic).
    RecordId, 16
);
byte_id!(
    /// An ordinary actor: random bytes drawn at the first write of a process for one acting person.
    ActorId, 8
);
byte_id!(
    /// SHA-256 over a change chunk's type, length and body.
    ChangeHash, 32
);
byte_id!(
    /// A device or server: the first bytes of the SHA-256 of its public key.
    DeviceId, 8
);
byte_id!(
    /// A company's database.
    WorkspaceId, 16
);
byte_id!(
    /// One history of one upstream's log; a restore starts a new one.
    Timeline, 8
);
byte_id!(
    /// One run of an import, the same for the same file, map, collection and branch.
    BatchId, 16
);
byte_id!(
    /// The content of an attachment: SHA-256 of its bytes.
    BlobHash, 32
);

byte_id!(
    /// A courier file: SHA-256 over its header and everything that it says.
    FileId, 32
);

macro_rules! hex_display {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
            }
        }
        impl $name {
            /// Parses what `Display` prints.
            pub fn parse(text: &str) -> Option<Self> {
                let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
                Self::from_slice(&bytes)
            }
        }
    )*};
}
hex_display!(ActorId, ChangeHash, DeviceId, WorkspaceId, Timeline, BatchId, BlobHash, FileId);

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&uuid::Uuid::from_bytes(self.0), f)
    }
}

impl RecordId {
    /// Parses a hyphenated or plain UUID.
    pub fn parse(text: &str) -> Option<Self> {
        uuid::Uuid::parse_str(text).ok().map(|u| Self(u.into_bytes()))
    }

    /// The deterministic id (UUIDv8) of these parts: the first 16 bytes of their SHA-256, each part behind its length.
    pub fn derived(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest: [u8; 32] = hash.finalize().into();
        let mut id = [0u8; 16];
        id.copy_from_slice(&digest[..16]);
        id[6] = (id[6] & 0x0f) | 0x80;
        id[8] = (id[8] & 0x3f) | 0x80;
        Self(id)
    }

    /// Whether this id was derived from a key (UUIDv8) and not drawn.
    pub fn is_derived(&self) -> bool {
        self.0[6] >> 4 == 8
    }
}

/// Draws record ids: UUIDv7 whose 62 low bits stay the same for the process, while time and counter above them only
/// grow, so that neighbours differ by a few bytes on the wire.
#[derive(Debug, Clone)]
pub struct RecordIds {
    low: u64,
    last: u64,
}

impl RecordIds {
    /// A source whose low bits are `random`.
    pub fn new(random: u64) -> Self {
        Self { low: random >> 2, last: 0 }
    }

    /// The next id; later calls give greater ids even where the clock stands still or steps back.
    pub fn next_id(&mut self, now: Millis) -> RecordId {
        // 48 bits of milliseconds, then 12 bits of counter.
        let floor = (now.0.max(0) as u64) << 12;
        self.last = floor.max(self.last + 1);
        let mut id = [0u8; 16];
        id[..6].copy_from_slice(&(self.last >> 12).to_be_bytes()[2..]);
        let counter = (self.last & 0xfff) as u16 | 0x7000;
        id[6..8].copy_from_slice(&counter.to_be_bytes());
        id[8..].copy_from_slice(&(self.low | 1 << 63).to_be_bytes());
        RecordId(id)
    }
}

impl ActorId {
    /// Whether the actor belongs to an import batch: its values lose to concurrent hand edits.
    pub fn is_import(&self) -> bool {
        self.0[0] & 1 == 1
    }

    /// An actor from random bytes, marked as an import's or a person's.
    pub fn from_random(mut random: [u8; 8], import: bool) -> Self {
        random[0] = random[0] & !1 | u8::from(import);
        Self(random)
    }
}

impl DeviceId {
    /// The id of the holder of this Ed25519 public key.
    pub fn of_key(public_key: &[u8; 32]) -> Self {
        let digest: [u8; 32] = Sha256::digest(public_key).into();
        let mut id = [0u8; 8];
        id.copy_from_slice(&digest[..8]);
        Self(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_ids_grow_and_share_their_low_half() {
        let mut ids = RecordIds::new(0xfedc_ba98_7654_3210);
        let first = ids.next_id(Millis(1_700_000_000_000));
        let second = ids.next_id(Millis(1_700_000_000_000));
        let stepped_back = ids.next_id(Millis(1_600_000_000_000));
        assert!(first < second && second < stepped_back);
        assert_eq!(first.0[8..], stepped_back.0[8..]);
        assert_eq!(first.0[6] >> 4, 7);
        assert_eq!(first.0[8] >> 6, 2);
    }

    #[test]
    fn derived_ids_depend_on_where_parts_end() {
        assert_ne!(RecordId::derived(&[b"ab", b"c"]), RecordId::derived(&[b"a", b"bc"]));
        assert!(RecordId::derived(&[b"ab"]).is_derived());
    }

    #[test]
    fn ids_parse_what_they_print() {
        let id = RecordId::derived(&[b"x"]);
        assert_eq!(RecordId::parse(&id.to_string()), Some(id));
        let hash = ChangeHash([7; 32]);
        assert_eq!(ChangeHash::parse(&hash.to_string()), Some(hash));
    }
}
