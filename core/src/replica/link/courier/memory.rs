//! What each end remembers between files, one row of `meta` each: what a downstream has sent and is owed an answer for,
//! and, for each downstream, where its upstream believes it to stand.
//!
//! Losing a row loses nothing: what is not remembered as sent is sent again, and arrives as what is held already.

use crate::error::Result;
use crate::id::{BlobHash, DeviceId, FileId, RecordId};
use crate::limits::COURIER_OPEN_MAX;
use crate::replica::Replica;
use crate::store::{damaged, meta};
use crate::wire::bytes::{Reader, put_bytes, put_number};
use crate::wire::courier::Refusal;

/// Of a downstream, towards its upstream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Below {
    /// Files without a receipt yet, oldest first.
    pub(super) open: Vec<OpenFile>,
    /// Files whose receipts have arrived, oldest first.
    pub(super) settled: Vec<FileId>,
    /// Files that were taken in, oldest first.
    pub(super) received: Vec<FileId>,
    /// Records whose dependencies are missing here.
    pub(super) want: Vec<RecordId>,
}

/// A file on its way up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OpenFile {
    pub(super) id: FileId,
    /// Everything that waited up to this sequence is in it.
    pub(super) last_seq: u64,
    /// Attachments that are in it whole.
    pub(super) blobs: Vec<BlobHash>,
}

/// Of an upstream, towards one downstream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Above {
    /// The position that the downstream named last; empty before its first batch.
    pub(super) base: Vec<u8>,
    /// Where the files that were packed for it end, oldest first.
    pub(super) ends: Vec<Vec<u8>>,
    /// Receipts that it may lack, oldest first.
    pub(super) receipts: Vec<Receipt>,
    /// Files that were taken in, oldest first.
    pub(super) received: Vec<FileId>,
    /// Records that it asks for whole.
    pub(super) want: Vec<RecordId>,
    /// Attachments that it asks for.
    pub(super) blobs: Vec<BlobHash>,
    /// The answer to its enrolment, while it may lack it.
    pub(super) enrolled: Vec<u8>,
}

/// What a downstream is owed for one of its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) file: FileId,
    pub(super) witness: Vec<u8>,
    pub(super) refused: Vec<Refusal>,
}

const BELOW: &str = "courier";

fn above_key(device: &DeviceId) -> String {
    format!("courier:{device}")
}

impl Below {
    pub(super) fn load(replica: &Replica) -> Result<Self> {
        let bytes = replica.read(|conn| meta::bytes(conn, BELOW))?;
        bytes.map_or(Ok(Self::default()), |bytes| Self::decode(&bytes).map_err(|_| damaged("meta courier")))
    }

    pub(super) fn store(&mut self, replica: &Replica) -> Result<()> {
        keep_newest(&mut self.open);
        keep_newest(&mut self.settled);
        keep_newest(&mut self.received);
        replica.note(|conn| meta::set(conn, BELOW, &self.encode()))
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_number(&mut out, self.open.len() as u64);
        for file in &self.open {
            out.extend_from_slice(file.id.as_bytes());
            put_number(&mut out, file.last_seq);
            put_ids(&mut out, &file.blobs, BlobHash::as_bytes);
        }
        put_ids(&mut out, &self.settled, FileId::as_bytes);
        put_ids(&mut out, &self.received, FileId::as_bytes);
        put_ids(&mut out, &self.want, RecordId::as_bytes);
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes);
        let open = (0..r.count(FileId::LEN)?)
            .map(|_| Ok(OpenFile { id: FileId(r.array()?), last_seq: r.number()?, blobs: read_ids(&mut r, BlobHash)? }))
            .collect::<Result<_>>()?;
        let below = Self {
            open,
            settled: read_ids(&mut r, FileId)?,
            received: read_ids(&mut r, FileId)?,
            want: read_ids(&mut r, RecordId)?,
        };
        r.end()?;
        Ok(below)
    }
}

impl Above {
    pub(super) fn load(replica: &Replica, device: &DeviceId) -> Result<Self> {
        let key = above_key(device);
        let bytes = replica.read(|conn| meta::bytes(conn, &key))?;
        bytes.map_or(Ok(Self::default()), |bytes| Self::decode(&bytes).map_err(|_| damaged(format!("meta {key}"))))
    }

    pub(super) fn store(&mut self, replica: &Replica, device: &DeviceId) -> Result<()> {
        keep_newest(&mut self.ends);
        keep_newest(&mut self.receipts);
        keep_newest(&mut self.received);
        replica.note(|conn| meta::set(conn, &above_key(device), &self.encode()))
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_bytes(&mut out, &self.base);
        put_number(&mut out, self.ends.len() as u64);
        self.ends.iter().for_each(|end| put_bytes(&mut out, end));
        put_number(&mut out, self.receipts.len() as u64);
        for receipt in &self.receipts {
            out.extend_from_slice(receipt.file.as_bytes());
            put_bytes(&mut out, &receipt.witness);
            put_number(&mut out, receipt.refused.len() as u64);
            receipt.refused.iter().for_each(|refusal| refusal.put(&mut out));
        }
        put_ids(&mut out, &self.received, FileId::as_bytes);
        put_ids(&mut out, &self.want, RecordId::as_bytes);
        put_ids(&mut out, &self.blobs, BlobHash::as_bytes);
        put_bytes(&mut out, &self.enrolled);
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes);
        let base = r.bytes()?.to_vec();
        let ends = (0..r.count(1)?).map(|_| r.bytes().map(<[u8]>::to_vec)).collect::<Result<_>>()?;
        let receipts = (0..r.count(FileId::LEN)?)
            .map(|_| {
                let (file, witness) = (FileId(r.array()?), r.bytes()?.to_vec());
                let refused = (0..r.count(3)?).map(|_| Refusal::read(&mut r)).collect::<Result<_>>()?;
                Ok(Receipt { file, witness, refused })
            })
            .collect::<Result<_>>()?;
        let above = Self {
            base,
            ends,
            receipts,
            received: read_ids(&mut r, FileId)?,
            want: read_ids(&mut r, RecordId)?,
            blobs: read_ids(&mut r, BlobHash)?,
            enrolled: r.bytes()?.to_vec(),
        };
        r.end()?;
        Ok(above)
    }
}

fn keep_newest<T>(list: &mut Vec<T>) {
    let over = list.len().saturating_sub(COURIER_OPEN_MAX);
    list.drain(..over);
}

fn put_ids<T>(out: &mut Vec<u8>, ids: &[T], bytes: impl Fn(&T) -> &[u8]) {
    put_number(out, ids.len() as u64);
    ids.iter().for_each(|id| out.extend_from_slice(bytes(id)));
}

fn read_ids<T, const N: usize>(r: &mut Reader<'_>, id: impl Fn([u8; N]) -> T) -> Result<Vec<T>> {
    let count = r.count(N)?;
    (0..count).map(|_| r.array().map(&id)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_comes_back() {
        let id = FileId([1; 32]);
        let below = Below {
            open: vec![OpenFile { id, last_seq: 300, blobs: vec![BlobHash([2; 32])] }],
            settled: vec![id],
            received: vec![],
            want: vec![RecordId([3; 16])],
        };
        assert_eq!(Below::decode(&below.encode()).unwrap(), below);
        let refusal = Refusal { seq: 4, code: "denied_scope".into(), detail: String::new() };
        let above = Above {
            base: vec![1, 2],
            ends: vec![vec![], vec![3]],
            receipts: vec![Receipt { file: id, witness: vec![5], refused: vec![refusal] }],
            received: vec![id; 2],
            want: vec![RecordId([3; 16])],
            blobs: vec![BlobHash([2; 32])],
            enrolled: vec![9],
        };
        assert_eq!(Above::decode(&above.encode()).unwrap(), above);
        let bytes = above.encode();
        assert!(Above::decode(&bytes[..bytes.len() - 1]).is_err());
    }
}
