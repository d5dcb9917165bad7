//! The messages of the link: one per binary WebSocket frame, a kind byte and its fields.
//!
//! `docs/src/protocol.md` describes each in words. Decoding is total: any bytes give a message or an error, and every
//! length is bounded by the frame. What a message *means* is the business of `sync`; sealed tokens are opaque here.

use sha2::{Digest, Sha256};

use super::bytes::{Reader, put_bool, put_bytes, put_number, put_signed};
use crate::error::{Error, Result};
use crate::id::{BlobHash, ChangeHash, DeviceId, RecordId, WorkspaceId};
use crate::limits::{FRAME_BYTES_MAX, GRANT_SCOPES_MAX};
use crate::time::Millis;

/// The WebSocket subprotocol of version 1.
pub const SUBPROTOCOL: &str = "branchline.1";

/// The response header of the upgrade in which the upstream sends its nonce, base64url without padding.
pub const NONCE_HEADER: &str = "branchline-nonce";

/// The upstream's nonce of one connection.
pub type Nonce = [u8; 16];

/// Everything that travels on a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Downstream's first message: who it is and how far it got.
    Hello(Hello),
    /// Upstream's answer to a good [`Hello`].
    Welcome(Welcome),
    /// Downstream's first message instead of [`Hello`]: an invitation's secret and its own new key.
    Enrol(Enrol),
    /// Upstream's answer to a good [`Enrol`].
    Enrolled(Enrolled),
    /// Changes going down.
    Batch(Batch),
    /// Downstream has made batch `number` durable, its position with it.
    Got {
        /// The batch.
        number: u64,
    },
    /// Changes going up.
    Push {
        /// Counts from 1 within a connection.
        number: u64,
        /// A batch of the compact codec.
        changes: Vec<u8>,
    },
    /// Upstream has made push `number` durable, but for what it refused.
    Ack(Ack),
    /// Downstream lacks dependencies: send these records whole.
    Want {
        /// The records.
        records: Vec<RecordId>,
    },
    /// Both ways: I live, and this waits here. A downstream's word on completeness.
    Alive {
        /// Changes not yet acknowledged by the upstream.
        outbox: u64,
        /// The last moment at which the sender and everything beneath it had nothing to deliver.
        complete_through: Option<Millis>,
    },
    /// I hold this attachment and can send it.
    BlobOffer {
        /// Its content.
        hash: BlobHash,
        /// Its length in bytes.
        size: u64,
    },
    /// Send me this attachment from an offset on.
    BlobWant {
        /// Its content.
        hash: BlobHash,
        /// First byte that is missing.
        offset: u64,
    },
    /// A piece of an attachment.
    BlobChunk {
        /// Its content.
        hash: BlobHash,
        /// Where the piece begins.
        offset: u64,
        /// Length of the whole in bytes; zero where the sender does not hold it.
        size: u64,
        /// The piece.
        bytes: Vec<u8>,
    },
    /// The sender closes the link for this reason.
    Failure(Failure),
    /// What the downstream may do and hold from now on. Precedes the batch whose position says that it was told.
    Grant(Grant),
    /// Downstream compares what both ends hold: one round, and what it has learnt to lack.
    Compare(Compare),
    /// Upstream's half of a round; empty: compare, for our histories differ.
    Compared {
        /// A message of the set reconciliation.
        round: Vec<u8>,
    },
    /// From the upstream, empty: I do not remember you, show your certificate. From the downstream: the certificate.
    Introduce {
        /// The certificate that the upstream once signed.
        certificate: Vec<u8>,
    },
    /// Changes of one transaction that the downstream brought and that were refused further up, for it may hold them no
    /// more. Precedes the batch whose position says that it was told.
    Returned {
        /// The changes, in their order.
        changes: Vec<ReturnedChange>,
    },
}

/// Downstream's greeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Who speaks.
    pub device: DeviceId,
    /// Ed25519 over [`Hello::signed`].
    pub signature: [u8; 64],
    /// The link epoch that the upstream issued last and this replica stored; zero at the first connection.
    pub epoch: u32,
    /// The upstream's sealed token; empty before the first batch.
    pub position: Vec<u8>,
    /// The upstream's sealed token of the newest commit that it acknowledged, where that is newer than the position.
    pub witness: Vec<u8>,
    /// Changes that wait to go up.
    pub outbox: u64,
}

/// Upstream's answer to a greeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// The upstream's clock.
    pub now: Millis,
    /// The epoch to present next time.
    pub epoch: u32,
    /// Nothing waits for this downstream.
    pub quiet: bool,
}

/// A new replica's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrol {
    /// The invitation's secret.
    pub secret: [u8; 16],
    /// The device's Ed25519 public key.
    pub public_key: [u8; 32],
    /// Ed25519 over [`Enrol::signed`].
    pub signature: [u8; 64],
}

/// What a new replica must know before its first sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// The company's database.
    pub workspace: WorkspaceId,
    /// Its name.
    pub workspace_name: String,
    /// Default currency.
    pub currency: String,
    /// Default language.
    pub language: String,
    /// Whether this replica serves others.
    pub branch: bool,
    /// The certificate, see `replica::identity`.
    pub certificate: Vec<u8>,
}

/// Changes going down.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// Counts from 1 within a connection.
    pub number: u64,
    /// The sealed position after this batch; empty where it does not move (records sent whole on request).
    pub position: Vec<u8>,
    /// Records delivered by the open passes so far.
    pub done: u64,
    /// Records of the open passes in all; zero outside a pass.
    pub total: u64,
    /// Nothing more waits behind this batch.
    pub last: bool,
    /// Records that left the downstream's scopes.
    pub purge: Vec<RecordId>,
    /// Records of which the upstream retracts what it had passed down; the changes of the batch hold them whole.
    pub resets: Vec<Reset>,
    /// What became of refused changes that the downstream brought.
    pub verdicts: Vec<Verdict>,
    /// A batch of the compact codec; empty where there is none.
    pub changes: Vec<u8>,
}

/// A retraction: of the record only these heads and what they follow stay, and what the downstream has not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reset {
    /// The record.
    pub record: RecordId,
    /// Its heads after the retraction; empty where nothing of it stays.
    pub heads: Vec<ChangeHash>,
    /// Why changes of it went; those that only followed them may be missing.
    pub refused: Vec<Retracted>,
}

/// Why a change was retracted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retracted {
    /// The change.
    pub hash: ChangeHash,
    /// A stable code.
    pub code: String,
    /// What was wrong, in English.
    pub detail: String,
}

/// What became of a refused change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The record.
    pub record: RecordId,
    /// The refused change.
    pub change: ChangeHash,
    /// What became of it.
    pub outcome: Outcome,
    /// The person who decided.
    pub by: RecordId,
    /// When.
    pub at: Millis,
}

/// What somebody made of a refused change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A reviewer said no.
    Declined = 0,
    /// A reviewer took it over in a change that cites it.
    Accepted = 1,
    /// Somebody between brought it again in a change that cites it.
    Retried = 2,
}

/// An acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// The push.
    pub number: u64,
    /// First 16 bytes of SHA-256 over (record id, change hash) of the push's changes in their order.
    pub digest: [u8; 16],
    /// The sealed (sequence, rolling hash) of the commit: the witness.
    pub witness: Vec<u8>,
    /// Changes that were not accepted, by index in the push.
    pub refused: Vec<RefusedChange>,
}

/// A change that the upstream keeps in its review queue instead of in the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedChange {
    /// Its index in the push.
    pub index: u64,
    /// A stable code.
    pub code: String,
    /// What was wrong, in English; never names anything outside the sender's scopes.
    pub detail: String,
}

/// A change that the downstream brought and that was refused further up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnedChange {
    /// The record.
    pub record: RecordId,
    /// Its collection.
    pub collection: String,
    /// The change's hash.
    pub hash: ChangeHash,
    /// A stable code.
    pub code: String,
    /// What was wrong, in English.
    pub detail: String,
    /// Its bytes.
    pub raw: Vec<u8>,
}

/// A change's name in a comparison: SHA-256 over record id and change hash.
pub type ChangeKey = [u8; 32];

/// A round of comparing what both ends hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compare {
    /// Changes that the upstream holds and the downstream does not, as found so far and not said yet.
    pub want: Vec<ChangeKey>,
    /// A message of the set reconciliation; empty: all is compared, and what the upstream lacked was pushed.
    pub round: Vec<u8>,
}

/// What a downstream may do and hold, as its upstream will judge it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grant {
    /// The name of its role.
    pub role: String,
    /// Its scopes, in the stable text of `access::Scope`.
    pub scopes: Vec<String>,
}

/// Why a link ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// A stable code, `revoked`.
    pub code: String,
    /// Whether connecting again later can help.
    pub retryable: bool,
}

impl Hello {
    /// The bytes that a greeting signs: context, the connection's nonce, the upstream, and everything it claims.
    pub fn signed(&self, nonce: &Nonce, upstream: &DeviceId) -> Vec<u8> {
        let mut out = b"branchline hello 1".to_vec();
        out.extend_from_slice(nonce);
        out.extend_from_slice(upstream.as_bytes());
        out.extend_from_slice(self.device.as_bytes());
        self.put_claims(&mut out);
        out
    }

    fn put_claims(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.epoch.to_le_bytes());
        put_bytes(out, &self.position);
        put_bytes(out, &self.witness);
        put_number(out, self.outbox);
    }
}

impl Enrol {
    /// The bytes that an enrolment signs: context, the connection's nonce, secret and key.
    pub fn signed(&self, nonce: &Nonce) -> Vec<u8> {
        let mut out = b"branchline enrol 1".to_vec();
        out.extend_from_slice(nonce);
        out.extend_from_slice(&self.secret);
        out.extend_from_slice(&self.public_key);
        out
    }
}

mod kind {
    pub(super) const HELLO: u8 = 1;
    pub(super) const WELCOME: u8 = 2;
    pub(super) const ENROL: u8 = 3;
    pub(super) const ENROLLED: u8 = 4;
    pub(super) const BATCH: u8 = 5;
    pub(super) const GOT: u8 = 6;
    pub(super) const PUSH: u8 = 7;
    pub(super) const ACK: u8 = 8;
    pub(super) const WANT: u8 = 9;
    pub(super) const ALIVE: u8 = 10;
    pub(super) const BLOB_OFFER: u8 = 12;
    pub(super) const BLOB_WANT: u8 = 13;
    pub(super) const BLOB_CHUNK: u8 = 14;
    pub(super) const FAILURE: u8 = 15;
    pub(super) const GRANT: u8 = 16;
    pub(super) const COMPARE: u8 = 17;
    pub(super) const COMPARED: u8 = 18;
    pub(super) const INTRODUCE: u8 = 19;
    pub(super) const RETURNED: u8 = 20;
}

impl Message {
    /// The frame of this message.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        match self {
            Message::Hello(hello) => {
                out.push(kind::HELLO);
                out.extend_from_slice(hello.device.as_bytes());
                out.extend_from_slice(&hello.signature);
                hello.put_claims(&mut out);
            }
            Message::Welcome(welcome) => {
                out.push(kind::WELCOME);
                put_signed(&mut out, welcome.now.0);
                out.extend_from_slice(&welcome.epoch.to_le_bytes());
                put_bool(&mut out, welcome.quiet);
            }
            Message::Enrol(enrol) => {
                out.push(kind::ENROL);
                out.extend_from_slice(&enrol.secret);
                out.extend_from_slice(&enrol.public_key);
                out.extend_from_slice(&enrol.signature);
            }
            Message::Enrolled(enrolled) => enrolled.put(&mut out),
            Message::Batch(batch) => batch.put(&mut out),
            Message::Got { number } => {
                out.push(kind::GOT);
                put_number(&mut out, *number);
            }
            Message::Push { number, changes } => {
                out.push(kind::PUSH);
                put_number(&mut out, *number);
                out.extend_from_slice(changes);
            }
            Message::Ack(ack) => ack.put(&mut out),
            Message::Want { records } => {
                out.push(kind::WANT);
                put_records(&mut out, records);
            }
            Message::Alive { outbox, complete_through } => {
                out.push(kind::ALIVE);
                put_number(&mut out, *outbox);
                put_bool(&mut out, complete_through.is_some());
                if let Some(at) = complete_through {
                    put_signed(&mut out, at.0);
                }
            }
            Message::BlobOffer { hash, size } => put_blob(&mut out, kind::BLOB_OFFER, hash, *size),
            Message::BlobWant { hash, offset } => put_blob(&mut out, kind::BLOB_WANT, hash, *offset),
            Message::BlobChunk { hash, offset, size, bytes } => {
                put_blob(&mut out, kind::BLOB_CHUNK, hash, *offset);
                put_number(&mut out, *size);
                out.extend_from_slice(bytes);
            }
            Message::Failure(failure) => {
                out.push(kind::FAILURE);
                put_bytes(&mut out, failure.code.as_bytes());
                put_bool(&mut out, failure.retryable);
            }
            Message::Grant(grant) => grant.put(&mut out),
            Message::Compare(compare) => compare.put(&mut out),
            Message::Compared { round } => put_rest(&mut out, kind::COMPARED, round),
            Message::Introduce { certificate } => put_rest(&mut out, kind::INTRODUCE, certificate),
            Message::Returned { changes } => {
                out.push(kind::RETURNED);
                put_number(&mut out, changes.len() as u64);
                changes.iter().for_each(|change| change.put(&mut out));
            }
        }
        out
    }

    /// The message in a frame.
    ///
    /// # Errors
    /// `frame_too_large` above [`FRAME_BYTES_MAX`], `malformed_message` with the offset for anything else.
    pub fn decode(frame: &[u8]) -> Result<Self> {
        if frame.len() > FRAME_BYTES_MAX {
            return Err(Error::protocol("frame-too-large").with("bytes", frame.len()).with("limit", FRAME_BYTES_MAX));
        }
        let mut r = Reader::new(frame);
        let message = match r.byte()? {
            kind::HELLO => Message::Hello(read_hello(&mut r)?),
            kind::WELCOME => Message::Welcome(Welcome {
                now: Millis(r.signed()?),
                epoch: u32::from_le_bytes(r.array()?),
                quiet: r.bool()?,
            }),
            kind::ENROL => Message::Enrol(Enrol { secret: r.array()?, public_key: r.array()?, signature: r.array()? }),
            kind::ENROLLED => Message::Enrolled(read_enrolled(&mut r)?),
            kind::BATCH => Message::Batch(read_batch(&mut r)?),
            kind::GOT => Message::Got { number: r.number()? },
            kind::PUSH => Message::Push { number: r.number()?, changes: r.rest().to_vec() },
            kind::ACK => Message::Ack(read_ack(&mut r)?),
            kind::WANT => Message::Want { records: read_records(&mut r)? },
            kind::ALIVE => Message::Alive {
                outbox: r.number()?,
                complete_through: if r.bool()? { Some(Millis(r.signed()?)) } else { None },
            },
            kind::BLOB_OFFER => Message::BlobOffer { hash: BlobHash(r.array()?), size: r.number()? },
            kind::BLOB_WANT => Message::BlobWant { hash: BlobHash(r.array()?), offset: r.number()? },
            kind::BLOB_CHUNK => Message::BlobChunk {
                hash: BlobHash(r.array()?),
                offset: r.number()?,
                size: r.number()?,
                bytes: r.rest().to_vec(),
            },
            kind::FAILURE => Message::Failure(Failure { code: r.text()?.to_owned(), retryable: r.bool()? }),
            kind::GRANT => Message::Grant(read_grant(&mut r)?),
            kind::COMPARE => Message::Compare(Compare {
                want: read_list(&mut r, size_of::<ChangeKey>(), |r| r.array())?,
                round: r.rest().to_vec(),
            }),
            kind::COMPARED => Message::Compared { round: r.rest().to_vec() },
            kind::INTRODUCE => Message::Introduce { certificate: r.rest().to_vec() },
            kind::RETURNED => {
                Message::Returned { changes: read_list(&mut r, RecordId::LEN + ChangeHash::LEN + 4, read_returned)? }
            }
            other => return Err(Error::protocol("unknown-message-kind").with("kind", u64::from(other))),
        };
        r.end()?;
        Ok(message)
    }
}

impl Enrolled {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(kind::ENROLLED);
        out.extend_from_slice(self.workspace.as_bytes());
        put_bytes(out, self.workspace_name.as_bytes());
        put_bytes(out, self.currency.as_bytes());
        put_bytes(out, self.language.as_bytes());
        put_bool(out, self.branch);
        put_bytes(out, &self.certificate);
    }
}

impl Batch {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(kind::BATCH);
        put_number(out, self.number);
        put_bytes(out, &self.position);
        put_number(out, self.done);
        put_number(out, self.total);
        put_bool(out, self.last);
        put_records(out, &self.purge);
        put_number(out, self.resets.len() as u64);
        self.resets.iter().for_each(|reset| reset.put(out));
        put_number(out, self.verdicts.len() as u64);
        self.verdicts.iter().for_each(|verdict| verdict.put(out));
        out.extend_from_slice(&self.changes);
    }
}

impl Reset {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.record.as_bytes());
        put_number(out, self.heads.len() as u64);
        self.heads.iter().for_each(|head| out.extend_from_slice(head.as_bytes()));
        put_number(out, self.refused.len() as u64);
        for refused in &self.refused {
            out.extend_from_slice(refused.hash.as_bytes());
            put_bytes(out, refused.code.as_bytes());
            put_bytes(out, refused.detail.as_bytes());
        }
    }
}

impl Verdict {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.record.as_bytes());
        out.extend_from_slice(self.change.as_bytes());
        put_number(out, self.outcome as u64);
        out.extend_from_slice(self.by.as_bytes());
        put_signed(out, self.at.0);
    }
}

impl Ack {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(kind::ACK);
        put_number(out, self.number);
        out.extend_from_slice(&self.digest);
        put_bytes(out, &self.witness);
        put_number(out, self.refused.len() as u64);
        for refused in &self.refused {
            put_number(out, refused.index);
            put_bytes(out, refused.code.as_bytes());
            put_bytes(out, refused.detail.as_bytes());
        }
    }
}

impl ReturnedChange {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.record.as_bytes());
        put_bytes(out, self.collection.as_bytes());
        out.extend_from_slice(self.hash.as_bytes());
        put_bytes(out, self.code.as_bytes());
        put_bytes(out, self.detail.as_bytes());
        put_bytes(out, &self.raw);
    }
}

impl Compare {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(kind::COMPARE);
        put_number(out, self.want.len() as u64);
        self.want.iter().for_each(|key| out.extend_from_slice(key));
        out.extend_from_slice(&self.round);
    }
}

impl Grant {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(kind::GRANT);
        put_bytes(out, self.role.as_bytes());
        put_number(out, self.scopes.len() as u64);
        self.scopes.iter().for_each(|scope| put_bytes(out, scope.as_bytes()));
    }

    /// What stands for this grant in a position.
    pub fn mark(&self) -> [u8; 3] {
        let mut bytes = Vec::new();
        self.put(&mut bytes);
        let [a, b, c, ..]: [u8; 32] = Sha256::digest(&bytes).into();
        [a, b, c]
    }
}

fn put_records(out: &mut Vec<u8>, records: &[RecordId]) {
    put_number(out, records.len() as u64);
    records.iter().for_each(|id| out.extend_from_slice(id.as_bytes()));
}

fn put_rest(out: &mut Vec<u8>, kind: u8, rest: &[u8]) {
    out.push(kind);
    out.extend_from_slice(rest);
}

fn put_blob(out: &mut Vec<u8>, kind: u8, hash: &BlobHash, number: u64) {
    out.push(kind);
    out.extend_from_slice(hash.as_bytes());
    put_number(out, number);
}

fn read_hello(r: &mut Reader<'_>) -> Result<Hello> {
    Ok(Hello {
        device: DeviceId(r.array()?),
        signature: r.array()?,
        epoch: u32::from_le_bytes(r.array()?),
        position: r.bytes()?.to_vec(),
        witness: r.bytes()?.to_vec(),
        outbox: r.number()?,
    })
}

fn read_enrolled(r: &mut Reader<'_>) -> Result<Enrolled> {
    Ok(Enrolled {
        workspace: WorkspaceId(r.array()?),
        workspace_name: r.text()?.to_owned(),
        currency: r.text()?.to_owned(),
        language: r.text()?.to_owned(),
        branch: r.bool()?,
        certificate: r.bytes()?.to_vec(),
    })
}

fn read_batch(r: &mut Reader<'_>) -> Result<Batch> {
    Ok(Batch {
        number: r.number()?,
        position: r.bytes()?.to_vec(),
        done: r.number()?,
        total: r.number()?,
        last: r.bool()?,
        purge: read_records(r)?,
        resets: read_list(r, RecordId::LEN + 2, read_reset)?,
        verdicts: read_list(r, RecordId::LEN * 2 + ChangeHash::LEN + 2, read_verdict)?,
        changes: r.rest().to_vec(),
    })
}

// A list whose items take at least so many bytes each.
fn read_list<T>(r: &mut Reader<'_>, least: usize, read: fn(&mut Reader<'_>) -> Result<T>) -> Result<Vec<T>> {
    let count = r.count(least)?;
    (0..count).map(|_| read(r)).collect()
}

fn read_reset(r: &mut Reader<'_>) -> Result<Reset> {
    Ok(Reset {
        record: RecordId(r.array()?),
        heads: read_list(r, ChangeHash::LEN, |r| Ok(ChangeHash(r.array()?)))?,
        refused: read_list(r, ChangeHash::LEN + 2, |r| {
            Ok(Retracted { hash: ChangeHash(r.array()?), code: r.text()?.to_owned(), detail: r.text()?.to_owned() })
        })?,
    })
}

fn read_verdict(r: &mut Reader<'_>) -> Result<Verdict> {
    let (record, change) = (RecordId(r.array()?), ChangeHash(r.array()?));
    let outcome = match r.number()? {
        0 => Outcome::Declined,
        1 => Outcome::Accepted,
        2 => Outcome::Retried,
        _ => return Err(r.malformed()),
    };
    Ok(Verdict { record, change, outcome, by: RecordId(r.array()?), at: Millis(r.signed()?) })
}

fn read_ack(r: &mut Reader<'_>) -> Result<Ack> {
    let (number, digest, witness) = (r.number()?, r.array()?, r.bytes()?.to_vec());
    let count = r.count(3)?;
    let mut refused = Vec::with_capacity(count);
    for _ in 0..count {
        refused.push(RefusedChange { index: r.number()?, code: r.text()?.to_owned(), detail: r.text()?.to_owned() });
    }
    Ok(Ack { number, digest, witness, refused })
}

fn read_returned(r: &mut Reader<'_>) -> Result<ReturnedChange> {
    Ok(ReturnedChange {
        record: RecordId(r.array()?),
        collection: r.text()?.to_owned(),
        hash: ChangeHash(r.array()?),
        code: r.text()?.to_owned(),
        detail: r.text()?.to_owned(),
        raw: r.bytes()?.to_vec(),
    })
}

fn read_grant(r: &mut Reader<'_>) -> Result<Grant> {
    let role = r.text()?.to_owned();
    let count = r.count(1)?;
    if count > GRANT_SCOPES_MAX {
        return Err(r.malformed());
    }
    Ok(Grant { role, scopes: (0..count).map(|_| r.text().map(str::to_owned)).collect::<Result<_>>()? })
}

fn read_records(r: &mut Reader<'_>) -> Result<Vec<RecordId>> {
    let count = r.count(RecordId::LEN)?;
    (0..count).map(|_| Ok(RecordId(r.array()?))).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
