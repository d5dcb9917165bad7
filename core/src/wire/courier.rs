//! What a courier file says: a header in the clear, then items, which are encrypted as one stream.
//!
//! `docs/src/protocol.md` describes both in words. An item is bounded like a frame of the link; decoding is total. What
//! an item *means*, and how the stream is encrypted and signed, is the business of `replica::link::courier`.

use super::bytes::{Reader, put_bool, put_bytes, put_number, put_signed};
use super::message::Message;
use crate::error::{Error, Result};
use crate::id::{DeviceId, FileId, WorkspaceId};
use crate::limits::{COURIER_ITEM_BYTES_MAX, COURIER_OPEN_MAX, COURIER_REFUSALS_MAX};
use crate::time::Millis;

/// How every courier file begins, whatever its version.
const MAGIC: [u8; 9] = *b"BLCOURIER";
/// The version that this program writes and reads.
const VERSION: u8 = 1;
/// Where the length stands: it only helps to tell a file that was cut from one that was changed.
const LENGTH_AT: std::ops::Range<usize> = 10..18;

/// What stands before the encrypted stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Length of the whole file, in bytes. It is not part of what is signed.
    pub length: u64,
    /// The company; zeros where the sender does not know it yet (an enrolment).
    pub workspace: WorkspaceId,
    /// Who packed the file.
    pub sender: DeviceId,
    /// Who can open it.
    pub receiver: DeviceId,
    /// The sender's X25519 key for this file alone.
    pub ephemeral: [u8; 32],
}

impl Header {
    /// Length of a header, in bytes.
    pub const LEN: usize = 18 + WorkspaceId::LEN + 2 * DeviceId::LEN + 32;

    /// The header's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.push(VERSION);
        out.extend_from_slice(&self.length.to_le_bytes());
        out.extend_from_slice(self.workspace.as_bytes());
        out.extend_from_slice(self.sender.as_bytes());
        out.extend_from_slice(self.receiver.as_bytes());
        out.extend_from_slice(&self.ephemeral);
        out
    }

    /// The bytes that the stream's key and the signature are bound to: all but the length.
    pub fn bound(&self) -> Vec<u8> {
        Self { length: 0, ..self.clone() }.encode()
    }

    /// Where in a file the length is written once it is known.
    pub fn length_at() -> u64 {
        LENGTH_AT.start as u64
    }

    /// Parses the beginning of a file.
    ///
    /// # Errors
    /// `courier_not_one`, `courier_cut`, `courier_version`.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        if !bytes.starts_with(&MAGIC) {
            let begun = !bytes.is_empty() && MAGIC.starts_with(bytes);
            return Err(Error::invalid(if begun { "courier-cut" } else { "courier-not-one" }));
        }
        let mut r = Reader::new(bytes);
        let cut = |_| Error::invalid("courier-cut");
        r.take(MAGIC.len()).map_err(cut)?;
        let version = r.byte().map_err(cut)?;
        if version != VERSION {
            let error = Error::version("courier-version");
            return Err(error.with("found", u64::from(version)).with("known", u64::from(VERSION)));
        }
        Ok(Self {
            length: u64::from_le_bytes(r.array().map_err(cut)?),
            workspace: WorkspaceId(r.array().map_err(cut)?),
            sender: DeviceId(r.array().map_err(cut)?),
            receiver: DeviceId(r.array().map_err(cut)?),
            ephemeral: r.array().map_err(cut)?,
        })
    }
}

/// One thing that a courier file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// Begins a file that goes up: where its sender stands.
    Up(Up),
    /// Changes that go up.
    Push {
        /// The sender's own number of each change, in their order.
        seqs: Vec<u64>,
        /// A batch of the compact codec.
        changes: Vec<u8>,
    },
    /// Begins a file that goes down: for whom its batches are.
    Down(Down),
    /// Changes of a file that were not accepted; they stand before its receipt.
    Refused(Vec<Refusal>),
    /// Everything else in a file is durable at the upstream.
    Receipt {
        /// The file.
        file: FileId,
        /// The sealed (sequence, rolling hash) of the last commit that it led to; empty where it brought nothing.
        witness: Vec<u8>,
    },
    /// A message of the link.
    Link(Message),
    /// Ends the file: the sender's signature over everything before.
    Seal([u8; 64]),
}

/// Where the sender of a file that goes up stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Up {
    /// The upstream's sealed token of the last batch that is durable here; empty before the first.
    pub position: Vec<u8>,
    /// Changes that wait and are not in this file.
    pub left: u64,
    /// Up to when the upstream will know everything once it has taken in this file.
    pub complete_through: Option<Millis>,
    /// The sender's files whose receipts have arrived: nothing more need be said of them.
    pub settled: Vec<FileId>,
}

/// For whom the batches of a file that goes down are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Down {
    /// The position after which they begin.
    pub base: Vec<u8>,
    /// Later positions at which a receiver may also stand to take them in.
    pub also: Vec<Vec<u8>>,
}

/// A change of a file that the upstream keeps for review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The sender's own number of the change.
    pub seq: u64,
    /// A stable code.
    pub code: String,
    /// What was wrong, in English; never names anything outside the sender's scopes.
    pub detail: String,
}

mod kind {
    pub(super) const UP: u8 = 1;
    pub(super) const PUSH: u8 = 2;
    pub(super) const DOWN: u8 = 3;
    pub(super) const REFUSED: u8 = 4;
    pub(super) const RECEIPT: u8 = 5;
    pub(super) const LINK: u8 = 6;
    pub(super) const SEAL: u8 = 7;
}

impl Item {
    /// The item's bytes, without the length that stands before them in the stream.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        match self {
            Item::Up(up) => {
                out.push(kind::UP);
                put_bytes(&mut out, &up.position);
                put_number(&mut out, up.left);
                put_bool(&mut out, up.complete_through.is_some());
                if let Some(at) = up.complete_through {
                    put_signed(&mut out, at.0);
                }
                put_number(&mut out, up.settled.len() as u64);
                up.settled.iter().for_each(|id| out.extend_from_slice(id.as_bytes()));
            }
            Item::Push { seqs, changes } => {
                out.push(kind::PUSH);
                put_ascending(&mut out, seqs);
                out.extend_from_slice(changes);
            }
            Item::Down(down) => {
                out.push(kind::DOWN);
                put_bytes(&mut out, &down.base);
                put_number(&mut out, down.also.len() as u64);
                down.also.iter().for_each(|token| put_bytes(&mut out, token));
            }
            Item::Refused(refusals) => {
                out.push(kind::REFUSED);
                put_number(&mut out, refusals.len() as u64);
                refusals.iter().for_each(|refusal| refusal.put(&mut out));
            }
            Item::Receipt { file, witness } => {
                out.push(kind::RECEIPT);
                out.extend_from_slice(file.as_bytes());
                put_bytes(&mut out, witness);
            }
            Item::Link(message) => {
                out.push(kind::LINK);
                out.extend(message.encode());
            }
            Item::Seal(signature) => {
                out.push(kind::SEAL);
                out.extend_from_slice(signature);
            }
        }
        out
    }

    /// The item in these bytes.
    ///
    /// # Errors
    /// `malformed_message` with the offset, or what [`Message::decode`] says.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes);
        let item = match r.byte()? {
            _ if bytes.len() > COURIER_ITEM_BYTES_MAX => return Err(r.malformed()),
            kind::UP => Item::Up(Up {
                position: r.bytes()?.to_vec(),
                left: r.number()?,
                complete_through: if r.bool()? { Some(Millis(r.signed()?)) } else { None },
                settled: {
                    let count = bounded(&mut r, FileId::LEN, COURIER_OPEN_MAX)?;
                    (0..count).map(|_| r.array().map(FileId)).collect::<Result<_>>()?
                },
            }),
            kind::PUSH => Item::Push { seqs: read_ascending(&mut r)?, changes: r.rest().to_vec() },
            kind::DOWN => Item::Down(Down {
                base: r.bytes()?.to_vec(),
                also: {
                    let count = bounded(&mut r, 1, COURIER_OPEN_MAX)?;
                    (0..count).map(|_| r.bytes().map(<[u8]>::to_vec)).collect::<Result<_>>()?
                },
            }),
            kind::REFUSED => {
                let count = bounded(&mut r, 3, COURIER_REFUSALS_MAX)?;
                Item::Refused((0..count).map(|_| Refusal::read(&mut r)).collect::<Result<_>>()?)
            }
            kind::RECEIPT => Item::Receipt { file: FileId(r.array()?), witness: r.bytes()?.to_vec() },
            kind::LINK => Item::Link(Message::decode(r.rest())?),
            kind::SEAL => Item::Seal(r.array()?),
            other => return Err(Error::protocol("unknown-message-kind").with("kind", u64::from(other))),
        };
        r.end()?;
        Ok(item)
    }
}

impl Refusal {
    /// Appends the refusal.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_number(out, self.seq);
        put_bytes(out, self.code.as_bytes());
        put_bytes(out, self.detail.as_bytes());
    }

    /// Takes a refusal off the front.
    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self> {
        Ok(Self { seq: r.number()?, code: r.text()?.to_owned(), detail: r.text()?.to_owned() })
    }
}

fn bounded(r: &mut Reader<'_>, bytes_min: usize, limit: usize) -> Result<usize> {
    let count = r.count(bytes_min)?;
    if count > limit { Err(r.malformed()) } else { Ok(count) }
}

// Numbers of a log grow, so their differences are small.
fn put_ascending(out: &mut Vec<u8>, numbers: &[u64]) {
    put_number(out, numbers.len() as u64);
    let mut before = 0;
    for number in numbers {
        put_number(out, number.wrapping_sub(before));
        before = *number;
    }
}

fn read_ascending(r: &mut Reader<'_>) -> Result<Vec<u64>> {
    let count = r.count(1)?;
    let mut before = 0_u64;
    let mut next = |_| {
        let step = r.number()?;
        before = before.checked_add(step).filter(|_| step > 0).ok_or_else(|| r.malformed())?;
        Ok(before)
    };
    (0..count).map(&mut next).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header() -> Header {
        Header {
            length: 4_711,
            workspace: WorkspaceId([1; 16]),
            sender: DeviceId([2; 8]),
            receiver: DeviceId([3; 8]),
            ephemeral: [4; 32],
        }
    }

    fn items() -> Vec<Item> {
        vec![
            Item::Up(Up {
                position: vec![1, 2],
                left: 3,
                complete_through: Some(Millis(4)),
                settled: vec![FileId([5; 32])],
            }),
            Item::Push { seqs: vec![7, 8, 400], changes: vec![9; 5] },
            Item::Down(Down { base: vec![6], also: vec![vec![7, 7], vec![]] }),
            Item::Refused(vec![Refusal { seq: 8, code: "denied_scope".into(), detail: "account".into() }]),
            Item::Receipt { file: FileId([1; 32]), witness: vec![2] },
            Item::Link(Message::Got { number: 1 }),
            Item::Seal([3; 64]),
        ]
    }

    #[test]
    fn the_bytes_of_version_1_stay_what_they_are() {
        let hex = |bytes: Vec<u8>| data_encoding::HEXLOWER.encode(&bytes);
        let zeros = |n: usize, digit: &str| digit.repeat(n);
        assert_eq!(
            hex(header().encode()),
            format!(
                "424c434f5552494552016712000000000000{}{}{}{}",
                zeros(16, "01"),
                zeros(8, "02"),
                zeros(8, "03"),
                zeros(32, "04")
            )
        );
        let lines: Vec<String> = items().iter().map(|item| hex(item.encode())).collect();
        let expected = [
            format!("010201020301080{}", "1".to_owned() + &zeros(32, "05")),
            "020307018803".to_owned() + &zeros(5, "09"),
            "03010602020707".to_owned() + "00",
            "0401080c64656e6965645f73636f7065076163636f756e74".to_owned(),
            format!("05{}0102", zeros(32, "01")),
            "060601".to_owned(),
            format!("07{}", zeros(64, "03")),
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn what_is_encoded_comes_back_and_a_cut_does_not() {
        assert_eq!(Header::decode(&header().encode()).unwrap(), header());
        for end in 0..Header::LEN {
            let code = Header::decode(&header().encode()[..end]).unwrap_err().code();
            assert_eq!(code, if end == 0 { "courier_not_one" } else { "courier_cut" }, "{end}");
        }
        let mut newer = header().encode();
        newer[9] = 2;
        assert_eq!(Header::decode(&newer).unwrap_err().code(), "courier_version");
        assert_eq!(Header::decode(b"PK\x03\x04 whatever").unwrap_err().code(), "courier_not_one");
        for item in items() {
            assert_eq!(Item::decode(&item.encode()).unwrap(), item);
        }
        assert!(Item::decode(&[kind::PUSH, 2, 5, 0]).is_err(), "numbers ascend");
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_item_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 0_u8..9) {
            let mut bytes = bytes;
            if let Some(first) = bytes.first_mut() {
                *first = kind;
            }
            let _ = Header::decode(&bytes);
            if let Ok(item) = Item::decode(&bytes) {
                prop_assert_eq!(item.encode(), bytes);
            }
        }
    }
}
