//! Packing: everything that the other end may lack, in one file.

use std::path::Path;

use super::super::batch::Told;
use super::super::downstream::{complete_through, next_push};
use super::super::state::key;
use super::super::upstream::{Upstream, beginning, known, viewer};
use super::Packed;
use super::envelope::Sealer;
use super::memory::{Above, Below, OpenFile};
use crate::error::{Error, Result};
use crate::id::BlobHash;
use crate::limits::{BATCH_BYTES_MAX, BLOB_PIECE_BYTES, COURIER_BLOB_BYTES_MAX, COURIER_REFUSALS_MAX};
use crate::replica::Replica;
use crate::store::link_rows::DeviceRow;
use crate::store::{blob_rows, feed, meta};
use crate::sync::blobs::BlobReply;
use crate::sync::pace::Budget;
use crate::sync::position::{Position, Seal};
use crate::wire::courier::{Down, Item, Up};
use crate::wire::message::Message;

/// Batches of a file: large and well compressed, for whoever carries it has time.
const BUDGET: Budget = Budget { bytes: BATCH_BYTES_MAX, level: 9 };

/// Packs what waits for the upstream.
pub(super) fn up(replica: &Replica, file: &Path) -> Result<Packed> {
    let receiver = replica.upstream_key()?;
    let workspace = replica.settings()?.workspace;
    let (mut sealer, _) = Sealer::create(file, workspace, replica.device(), &receiver, replica.environment())?;
    let mut memory = Below::load(replica)?;
    let last_seq = replica.log_end()?;
    let position = replica.read(|conn| meta::bytes(conn, key::POSITION))?.unwrap_or_default();
    sealer.push(&Item::Up(Up {
        position,
        left: 0,
        complete_through: complete_through(replica, true)?,
        settled: memory.settled.clone(),
    }))?;
    let mut packed = Packed { to: "upstream".to_owned(), ..Packed::default() };
    let (mut told, mut after) = (Told::default(), 0);
    // What is written while this goes on may come along; what was written before does.
    while after < last_seq
        && let Some((waiting, changes)) = next_push(replica, &mut told, after, BUDGET)?
    {
        let seqs: Vec<u64> = waiting.iter().map(|w| w.seq).collect();
        after = seqs.last().copied().unwrap_or(u64::MAX);
        packed.changes += seqs.len() as u64;
        sealer.push(&Item::Push { seqs, changes })?;
    }
    if !memory.want.is_empty() {
        sealer.push(&Item::Link(Message::Want { records: memory.want.clone() }))?;
    }
    for hash in replica.read(blob_rows::wanted)? {
        sealer.push(&Item::Link(Message::BlobWant { hash, offset: 0 }))?;
    }
    let unsent = replica.read(blob_rows::unsent)?;
    let blobs = put_blobs(replica, &mut sealer, unsent.iter().map(|(hash, _)| *hash))?;
    packed.attachments = blobs.len() as u64;
    packed.bytes = sealer.finish(replica.identity(), |id| {
        memory.open.push(OpenFile { id, last_seq: after.max(last_seq), blobs });
        memory.store(replica)
    })?;
    Ok(packed)
}

/// Packs what waits for a downstream.
pub(super) fn down(replica: &Replica, file: &Path, device: &DeviceRow) -> Result<Packed> {
    let workspace = replica.settings()?.workspace;
    let (mut sealer, _) = Sealer::create(file, workspace, replica.device(), &device.public_key, replica.environment())?;
    let mut memory = Above::load(replica, &device.id)?;
    let seal = Seal::of_secret(&replica.identity().secret());
    let (position, also) = stand(replica, device, &memory, &seal)?;
    let mut upstream = Upstream::without_line(replica.clone(), device.clone(), position)?;
    let mut packed = Packed { to: device.name.clone(), ..Packed::default() };
    if !memory.enrolled.is_empty() {
        sealer.push(&Item::Link(Message::decode(&memory.enrolled)?))?;
    }
    sealer.push(&Item::Down(Down { base: memory.base.clone(), also }))?;
    for receipt in &memory.receipts {
        for refused in receipt.refused.chunks(COURIER_REFUSALS_MAX) {
            sealer.push(&Item::Refused(refused.to_vec()))?;
        }
        sealer.push(&Item::Receipt { file: receipt.file, witness: receipt.witness.clone() })?;
        packed.receipts += 1;
    }
    if !upstream.admitted()?.revoked {
        if !memory.want.is_empty() {
            let batch = upstream.whole(&memory.want)?;
            sealer.push(&Item::Link(Message::Batch(batch)))?;
        }
        packed.changes = put_batches(&mut upstream, &mut sealer, &mut memory)?;
        let blobs = put_blobs(replica, &mut sealer, memory.blobs.iter().copied())?;
        packed.attachments = blobs.len() as u64;
    }
    packed.bytes = sealer.finish(replica.identity(), |_| memory.store(replica, &device.id))?;
    Ok(packed)
}

// The position after which a file for the device begins, and the later ones at which it may stand as well.
fn stand(replica: &Replica, device: &DeviceRow, memory: &Above, seal: &Seal) -> Result<(Position, Vec<Vec<u8>>)> {
    let timeline = replica.timeline()?;
    replica.read(|conn| {
        if memory.base.is_empty() {
            return Ok((beginning(conn, timeline)?, Vec::new()));
        }
        let end = feed::log_end(conn)?;
        let base = known(conn, timeline, seal, &memory.base, end)?;
        let granted = viewer(conn, replica, device, &replica.grant_of(device)?)?.scopes;
        let fits = |token: &&Vec<u8>| {
            known(conn, timeline, seal, token, end).is_ok_and(|at| {
                // What the file tells from the base on is true for whoever stands further, unless a pass is open (what it
                // sent later is not told again), another grant was told, or scopes were held since that are granted no more (nobody purges them).
                let held = at.held == base.held || at.held.iter().all(|scope| granted.contains(scope));
                let whole = at.passes.is_empty() && base.passes.is_empty() && at.grant == base.grant;
                at.seq >= base.seq && whole && held
            })
        };
        Ok((base.clone(), memory.ends.iter().filter(fits).cloned().collect()))
    })
}

// Everything after the position; gives the number of changes.
fn put_batches(upstream: &mut Upstream, sealer: &mut Sealer, memory: &mut Above) -> Result<u64> {
    let mut end = None;
    while let Some((before, batch)) = upstream.next_batch(BUDGET)? {
        for message in before {
            sealer.push(&Item::Link(message))?;
        }
        let last = batch.last;
        end = Some(batch.position.clone());
        sealer.push(&Item::Link(Message::Batch(batch)))?;
        if last {
            break;
        }
    }
    memory.ends.extend(end);
    Ok(upstream.admitted()?.fed)
}

// The attachments that are here, whole ones only, as far as one file carries; gives which.
fn put_blobs(replica: &Replica, sealer: &mut Sealer, hashes: impl Iterator<Item = BlobHash>) -> Result<Vec<BlobHash>> {
    let (mut put, mut room) = (Vec::new(), COURIER_BLOB_BYTES_MAX);
    for hash in hashes {
        let Some(length) = replica.blob_intact(&hash)? else {
            // Not here, or not what its name says: asked for above, where there is an above, for the next file.
            if !replica.has_blob(&hash)? {
                let _ = replica.blob_read(&hash, 0, BLOB_PIECE_BYTES)?;
            }
            continue;
        };
        // One attachment always goes, however large.
        if length > room && !put.is_empty() {
            break;
        }
        room = room.saturating_sub(length);
        let mut offset = 0;
        while offset < length {
            let BlobReply::Piece { hash, offset: at, size, bytes } =
                replica.blob_read(&hash, offset, BLOB_PIECE_BYTES)?
            else {
                return Err(Error::not_found("file-missing").with("path", hash.to_string()));
            };
            offset += bytes.len() as u64;
            sealer.push(&Item::Link(Message::BlobChunk { hash, offset: at, size, bytes }))?;
        }
        put.push(hash);
    }
    Ok(put)
}
