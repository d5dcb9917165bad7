//! What arrives on a line or in a courier file.

use branchline_core::id::{ActorId, BlobHash, ChangeHash, DeviceId, RecordId, WorkspaceId};
use branchline_core::limits::{BATCH_CHANGES_MAX, FRAME_BYTES_MAX};
use branchline_core::net::{frames, websocket_config};
use branchline_core::time::Millis;
use branchline_core::wire::chunk;
use branchline_core::wire::codec::{Binding, Encoder, Origin, Outgoing, decode};
use branchline_core::wire::courier::{Header, Item};
use branchline_core::wire::message::{
    Batch, Failure, Grant, Message, Outcome, Reset, Retracted, ReturnedChange, Verdict, Welcome,
};
use branchline_core::wire::{chunk::GenesisKind, seed};
use futures_util::StreamExt;
use futures_util::future::FutureExt;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{door, put_leb128};

/// The bytes of a socket: every message that comes out of them is within the bound, and they end.
pub(super) fn frame(bytes: &[u8]) -> bool {
    let socket = tokio::io::join(std::io::Cursor::new(bytes.to_vec()), tokio::io::sink());
    let opened = WebSocketStream::from_raw_socket(socket, Role::Server, Some(websocket_config(4096)));
    // Memory is always ready: a stream that waits here would wait for ever.
    let socket = opened.now_or_never().expect("a socket in memory opens at once");
    let read = async {
        let mut line = frames(socket, false);
        let mut understood = false;
        while let Some(message) = line.incoming.next().await {
            assert!(message.len() <= FRAME_BYTES_MAX);
            understood |= self::message(&message);
        }
        understood
    };
    read.now_or_never().expect("a socket in memory is read to its end")
}

/// Masked binary frames, whole and in fragments, between a ping and a close.
pub(super) fn frame_seeds() -> Vec<Vec<u8>> {
    let masked = |head: u8, payload: &[u8]| {
        let mut out = vec![head];
        match payload.len() {
            0..=125 => out.push(0x80 | payload.len() as u8),
            _ => {
                out.push(0x80 | 126);
                out.extend_from_slice(&(payload.len() as u16).to_be_bytes());
            }
        }
        let mask = [1, 2, 3, 4];
        out.extend_from_slice(&mask);
        out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        out
    };
    let messages = message_seeds();
    let whole = messages.iter().flat_map(|message| masked(0x82, message)).collect();
    let (begin, end) = messages[0].split_at(1);
    let parts = [masked(0x02, begin), masked(0x89, b"ping"), masked(0x80, end), masked(0x88, &[3, 232])].concat();
    vec![whole, parts]
}

/// A message that is understood is understood again once it was said again.
pub(super) fn message(bytes: &[u8]) -> bool {
    let Ok(read) = Message::decode(bytes) else { return false };
    assert_eq!(Message::decode(&read.encode()).as_ref(), Ok(&read));
    true
}

pub(super) fn message_seeds() -> Vec<Vec<u8>> {
    let (record, change) = (RecordId([1; 16]), ChangeHash([2; 32]));
    let refused = vec![Retracted { hash: change, code: "role".into(), detail: "may not".into() }];
    let verdict = Verdict { record, change, outcome: Outcome::Retried, by: RecordId([3; 16]), at: Millis(5) };
    let batch = Batch {
        number: 1,
        resets: vec![Reset { record, heads: vec![change], refused }],
        verdicts: vec![verdict],
        purge: vec![record],
        position: vec![7; 40],
        changes: batch_seeds().remove(0),
        ..Batch::default()
    };
    let blob = BlobHash([4; 32]);
    let (code, detail, raw) = ("denied_scope".to_owned(), String::new(), vec![0x85; 40]);
    let returned = ReturnedChange { record, collection: "opportunity".into(), hash: change, code, detail, raw };
    let messages = [
        Message::Got { number: 300 },
        Message::Alive { outbox: 2, complete_through: Some(Millis(5)) },
        Message::Welcome(Welcome { now: Millis(1_700_000_000_000), epoch: 9, quiet: true }),
        Message::Failure(Failure { code: "revoked".into(), retryable: false }),
        Message::Push { number: 1, changes: vec![0xab; 12] },
        Message::Grant(Grant { role: "seller".into(), scopes: vec!["workspace".into()] }),
        Message::Want { records: vec![record] },
        Message::BlobOffer { hash: blob, size: 70_000 },
        Message::BlobWant { hash: blob, offset: 32_768 },
        Message::BlobChunk { hash: blob, offset: 0, size: 5, bytes: vec![1; 5] },
        Message::Batch(batch),
        Message::Returned { changes: vec![returned] },
    ];
    messages.iter().map(Message::encode).collect()
}

/// A batch that is understood gives changes within the bounds, each under its own hash and record; what an upstream
/// without any of the dependencies cannot rebuild is named as missing.
pub(super) fn batch(bytes: &[u8]) -> bool {
    let mut understood = false;
    for known in [None, Some(ChangeHash([5; 32]))] {
        let Ok(read) = decode(bytes, &mut |_, _, _| known) else { continue };
        assert!(read.changes.len() + read.missing.len() <= BATCH_CHANGES_MAX);
        for change in &read.changes {
            assert_eq!(chunk::hash(read.raw(change)), Some(change.hash));
            assert!(change.record < read.records.len(), "a change without a record");
        }
        assert!(read.missing.iter().all(|missing| missing.record < read.records.len()));
        understood |= !read.changes.is_empty();
    }
    understood
}

/// A batch of an account's history and of many new accounts, as it travels and with its text laid open, so that a
/// mutation reaches what the compressor hides.
pub(super) fn batch_seeds() -> Vec<Vec<u8>> {
    let mut sealed = Vec::new();
    for changes in [door::history(), door::creations(40)] {
        let mut encoder = Encoder::new(3);
        for (record, raw) in &changes {
            let hash = chunk::hash(raw).unwrap();
            let outgoing = Outgoing { record: *record, collection: "account", raw, hash, tx_end: true };
            encoder.push(&outgoing, &mut Nobody).unwrap();
        }
        sealed.push(encoder.finish().unwrap());
    }
    let open: Vec<Vec<u8>> = sealed.iter().filter_map(|batch| laid_open(batch)).collect();
    sealed.extend(open);
    sealed
}

/// A sender that knows nothing beside the changes.
struct Nobody;

impl Origin for Nobody {
    fn binding(&mut self, _: &ActorId) -> Option<Binding> {
        None
    }
    fn locate(&mut self, _: &RecordId, _: &ChangeHash) -> Option<(ActorId, u64)> {
        None
    }
    fn genesis_fields(&mut self, _: &str) -> Vec<(String, GenesisKind)> {
        vec![("notes".into(), GenesisKind::Text)]
    }
}

// A batch is a method (1: plain, 2: zstd), the length of its bits, the bits, and its text, after its length where it is
// compressed.
fn laid_open(batch: &[u8]) -> Option<Vec<u8>> {
    let (&2, mut rest) = batch.split_first()? else { return None };
    let bits = leb128(&mut rest)?;
    let (bits, mut text) = rest.split_at_checked(bits)?;
    let length = leb128(&mut text)?;
    let mut out = vec![1];
    put_leb128(&mut out, bits.len());
    out.extend_from_slice(bits);
    out.extend(zstd::bulk::decompress(text, length).ok()?);
    Some(out)
}

fn leb128(rest: &mut &[u8]) -> Option<usize> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The head of a courier file, one thing that it says once decrypted, the head of a seed: each means the same again.
pub(super) fn courier(bytes: &[u8]) -> bool {
    let (header, item, manifest) = (Header::decode(bytes), Item::decode(bytes), seed::Manifest::decode(bytes));
    if let Ok(header) = &header {
        assert_eq!(Header::decode(&header.encode()).as_ref(), Ok(header));
    }
    if let Ok(item) = &item {
        assert_eq!(Item::decode(&item.encode()).as_ref(), Ok(item));
    }
    if let Ok((_, begin)) = &manifest {
        assert!(*begin <= bytes.len());
    }
    header.is_ok() || item.is_ok() || manifest.is_ok()
}

pub(super) fn courier_seeds() -> Vec<Vec<u8>> {
    let workspace = WorkspaceId([1; WorkspaceId::LEN]);
    let device = |n| DeviceId([n; DeviceId::LEN]);
    let header = Header { length: 4096, workspace, sender: device(2), receiver: device(3), ephemeral: [4; 32] };
    let manifest = seed::Manifest {
        workspace,
        maker: [5; 32],
        made_at: Millis(1_700_000_000_000),
        scopes: vec!["workspace".into()],
        records: 10,
        image_bytes: 8192,
        packed_bytes: 100,
        packed_hash: [6; 32],
    };
    let push = Item::Push { seqs: vec![1, 2, 9], changes: batch_seeds().remove(0) };
    vec![header.encode(), push.encode(), manifest.encode(|_| [0; 64])]
}
