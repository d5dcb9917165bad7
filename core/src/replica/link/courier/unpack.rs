//! Unpacking: what a file brings goes through the same doors as what comes on a line.

use std::collections::{BTreeSet, HashMap};

use super::super::downstream::{Answered, Downstream, settle};
use super::super::ingest::Refused;
use super::super::state::key;
use super::super::upstream::{Upstream, beginning, known};
use super::envelope::Opener;
use super::memory::{Above, Below, Receipt};
use super::{Note, Unpacked};
use crate::error::{Error, Result};
use crate::id::{BlobHash, FileId, RecordId};
use crate::replica::Replica;
use crate::store::link_rows::DeviceRow;
use crate::store::{blob_rows, feed, link_rows, meta};
use crate::sync::downstream::Reply;
use crate::sync::position::Seal;
use crate::wire::courier::{Down, Item, Refusal, Up};
use crate::wire::message::{Batch, Message};

/// Takes in a file of a downstream.
pub(super) fn up(replica: &Replica, mut opener: Opener, device: &DeviceRow) -> Result<Unpacked> {
    let (mut stands, mut enrols) = (None, false);
    let id = opener.check(&device.public_key, |item| match item {
        Item::Up(up) if stands.is_none() => {
            stands = Some(up.clone());
            Ok(())
        }
        Item::Link(Message::Enrol(_)) if stands.is_none() => {
            enrols = true;
            Ok(())
        }
        Item::Push { .. } | Item::Link(Message::Want { .. } | Message::BlobWant { .. } | Message::BlobChunk { .. })
            if stands.is_some() =>
        {
            Ok(())
        }
        _ => Err(Error::protocol("unexpected-message")),
    })?;
    let stands = stands.ok_or_else(|| Error::protocol("unexpected-message"))?;
    let mut memory = Above::load(replica, &device.id)?;
    let mut done = Unpacked { bytes: opener.length(), ..Unpacked::default() };
    if memory.received.contains(&id) {
        done.note = Some(Note::Known);
        return Ok(done);
    }
    let timeline = replica.timeline()?;
    let seal = Seal::of_secret(&replica.identity().secret());
    let position = replica.read(|conn| match stands.position.as_slice() {
        [] => beginning(conn, timeline),
        token => known(conn, timeline, &seal, token, feed::log_end(conn)?),
    })?;
    let mut upstream = Upstream::without_line(replica.clone(), device.clone(), position)?;
    let mut taken = take_in(replica, &mut opener, &mut upstream, id)?;
    upstream.heard(stands.left, stands.complete_through)?;
    done.pulled = taken.new;
    done.refused = taken.receipt.refused.len() as u64;
    if !enrols {
        memory.enrolled.clear();
    }
    note_sender(&mut memory, stands, &mut taken);
    memory.received.push(id);
    memory.store(replica, &device.id)?;
    Ok(done)
}

/// What a file of a downstream came to.
struct Taken {
    receipt: Receipt,
    new: u64,
    want: Vec<RecordId>,
    blobs: Vec<BlobHash>,
}

fn take_in(replica: &Replica, opener: &mut Opener, upstream: &mut Upstream, id: FileId) -> Result<Taken> {
    let receipt = Receipt { file: id, witness: Vec::new(), refused: Vec::new() };
    let mut taken = Taken { receipt, new: 0, want: Vec::new(), blobs: Vec::new() };
    let mut number = 0;
    while let Some(item) = opener.next()? {
        match item {
            Item::Push { seqs, changes } => {
                number += 1;
                let (ack, new) = upstream.ingest(number, &changes)?;
                taken.new += new;
                taken.receipt.witness = ack.witness;
                for refused in ack.refused {
                    let seq = usize::try_from(refused.index).ok().and_then(|at| seqs.get(at));
                    let seq = *seq.ok_or_else(|| Error::protocol("unexpected-message"))?;
                    taken.receipt.refused.push(Refusal { seq, code: refused.code, detail: refused.detail });
                }
            }
            Item::Link(Message::Want { records }) => taken.want.extend(records),
            Item::Link(Message::BlobWant { hash, .. }) => taken.blobs.push(hash),
            Item::Link(Message::BlobChunk { hash, offset, size, bytes }) => {
                piece(replica, &hash, offset, size, &bytes)?;
            }
            _ => {}
        }
    }
    Ok(taken)
}

fn note_sender(memory: &mut Above, stands: Up, taken: &mut Taken) {
    memory.base = stands.position;
    memory.receipts.retain(|receipt| !stands.settled.contains(&receipt.file));
    let nothing = Receipt { file: FileId::default(), witness: Vec::new(), refused: Vec::new() };
    memory.receipts.push(std::mem::replace(&mut taken.receipt, nothing));
    memory.want = std::mem::take(&mut taken.want);
    memory.blobs = std::mem::take(&mut taken.blobs);
}

/// Takes in a file of the upstream.
pub(super) fn down(replica: &Replica, mut opener: Opener) -> Result<Unpacked> {
    let sender = replica.upstream_key()?;
    let (mut begins, mut end) = (None, Vec::new());
    let id = opener.check(&sender, |item| match item {
        Item::Link(Message::Enrolled(_)) if begins.is_none() => Ok(()),
        Item::Down(down) if begins.is_none() => {
            begins = Some(down.clone());
            Ok(())
        }
        Item::Link(Message::Batch(batch)) if begins.is_some() => {
            if !batch.position.is_empty() {
                end.clone_from(&batch.position);
            }
            Ok(())
        }
        Item::Refused(_)
        | Item::Receipt { .. }
        | Item::Link(Message::Grant(_) | Message::Returned { .. } | Message::BlobChunk { .. })
            if begins.is_some() =>
        {
            Ok(())
        }
        _ => Err(Error::protocol("unexpected-message")),
    })?;
    let begins = begins.ok_or_else(|| Error::protocol("unexpected-message"))?;
    let mut memory = Below::load(replica)?;
    let mut done = Unpacked { bytes: opener.length(), ..Unpacked::default() };
    if memory.received.contains(&id) {
        done.note = Some(Note::Known);
        return Ok(done);
    }
    let stands = replica.read(|conn| meta::bytes(conn, key::POSITION))?.unwrap_or_default();
    let continues = continues(&begins, &stands);
    done.note = match (continues, end.is_empty() || end == stands) {
        (true, _) => None,
        (false, true) => Some(Note::Known).filter(|_| !end.is_empty()),
        (false, false) => Some(Note::Elsewhere),
    };
    let intake = Intake { replica, continues, end, memory: &mut memory, done: &mut done };
    intake.run(&mut opener)?;
    // A file whose batches were left aside may be of use once others have come.
    if done.note != Some(Note::Elsewhere) {
        memory.received.push(id);
    }
    memory.store(replica)?;
    Ok(done)
}

fn continues(begins: &Down, stands: &Vec<u8>) -> bool {
    begins.base == *stands || begins.also.contains(stands)
}

struct Intake<'i> {
    replica: &'i Replica,
    continues: bool,
    // The position after the file's last batch: the only one at which a receiver may stand that began elsewhere than at
    // the base.
    end: Vec<u8>,
    memory: &'i mut Below,
    done: &'i mut Unpacked,
}

impl Intake<'_> {
    fn run(mut self, opener: &mut Opener) -> Result<()> {
        let mut executor = Downstream::new(self.replica.clone())?;
        let mut refused = HashMap::new();
        let mut want = Vec::new();
        while let Some(item) = opener.next()? {
            match item {
                Item::Refused(refusals) => refused.extend(refusals.into_iter().map(|r| (r.seq, (r.code, r.detail)))),
                Item::Receipt { file, witness } => self.receipt(&file, witness, &std::mem::take(&mut refused))?,
                Item::Link(Message::Grant(grant)) if self.continues => executor.granted(&grant)?,
                Item::Link(Message::Returned { changes }) if self.continues => _ = executor.returned(&changes)?,
                Item::Link(Message::Batch(batch)) if self.continues => {
                    want.extend(self.batch(&mut executor, batch)?);
                }
                Item::Link(Message::BlobChunk { hash, offset, size, bytes }) => {
                    piece(self.replica, &hash, offset, size, &bytes)?;
                }
                _ => {}
            }
        }
        if self.continues {
            want.sort_unstable();
            want.dedup();
            self.memory.want = want;
        }
        Ok(())
    }

    fn batch(&mut self, executor: &mut Downstream, mut batch: Batch) -> Result<Vec<RecordId>> {
        if batch.position != self.end {
            batch.position.clear();
        }
        match executor.apply(&batch)? {
            Reply::Applied { changes, want, .. } => {
                self.done.pulled += changes;
                Ok(want)
            }
            _ => Ok(Vec::new()),
        }
    }

    fn receipt(&mut self, file: &FileId, witness: Vec<u8>, refused: &HashMap<u64, (String, String)>) -> Result<()> {
        let Some(at) = self.memory.open.iter().position(|open| open.id == *file) else { return Ok(()) };
        let open = self.memory.open.remove(at);
        let waiting = self.replica.read(|conn| link_rows::outbox_upto(conn, open.last_seq))?;
        let mut answer = Answered { witness: Some(witness).filter(|token| !token.is_empty()), ..Answered::default() };
        for change in waiting {
            match refused.get(&change.0) {
                None => answer.accepted.push(change),
                Some(why) => answer.refused.push((change, Refused::new(&why.0, why.1.clone()))),
            }
        }
        self.done.pushed += answer.accepted.len() as u64;
        self.done.refused += answer.refused.len() as u64;
        settle(self.replica, &answer, &BTreeSet::new())?;
        self.replica.note(|conn| open.blobs.iter().try_for_each(|hash| blob_rows::sent(conn, hash)))?;
        self.memory.settled.push(open.id);
        Ok(())
    }
}

// A piece of an attachment; what is here already stays.
fn piece(replica: &Replica, hash: &BlobHash, offset: u64, size: u64, bytes: &[u8]) -> Result<()> {
    if !replica.has_blob(hash)? {
        replica.blob_write(hash, offset, size, bytes)?;
    }
    Ok(())
}
