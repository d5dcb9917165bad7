//! What the upstream refused or retracted leaves its record here and stands in quarantine, with all that followed it.
//!
//! What a person here had typed on top of it is marked to be written again; at a branch, what came from below is left to
//! the device that it came from. That one may hold the record no more, so it gets its changes back with their bytes.

use std::collections::{BTreeSet, HashMap};

use super::ingest::{BROUGHT_ALREADY, FOLLOWS_REFUSED, Refused, actor_of};
use crate::error::Result;
use crate::id::{ActorId, ChangeHash, DeviceId, RecordId};
use crate::store::kept_rows::{self, Closing, KeptRow, Queue};
use crate::store::{Fate, Lineage, Removed, Writer, link_rows};
use crate::time::Millis;
use crate::wire::message::{Outcome, Reset, ReturnedChange, Verdict};

/// Why changes went, by their names; those that are not named only followed others.
pub(super) type Reasons = HashMap<(RecordId, ChangeHash), Refused>;

/// Takes refused changes out. Whether something is to be written again.
pub(super) fn refuse(writer: &mut Writer<'_>, reasons: &Reasons, now: Millis) -> Result<bool> {
    let gone: Vec<(RecordId, ChangeHash)> = reasons.keys().copied().collect();
    let removed = writer.retract(&gone)?;
    quarantine(writer, removed, reasons, now)
}

/// Carries out retractions, but for those of records that have not come whole yet. Whether something is to be written again.
pub(super) fn reset(
    writer: &mut Writer<'_>,
    resets: &[Reset],
    lacking: &BTreeSet<RecordId>,
    now: Millis,
) -> Result<bool> {
    if canary!("ignore_a_retraction") {
        return Ok(false);
    }
    // A transaction goes with the first of its records: by then the reasons of all of them must be known.
    let reasons = named(resets);
    let mut replaying = false;
    for reset in resets.iter().filter(|reset| !lacking.contains(&reset.record)) {
        mark!("retracted_from_above");
        let removed = writer.reset(&reset.record, &reset.heads)?;
        replaying |= quarantine(writer, removed, &reasons, now)?;
    }
    Ok(replaying)
}

/// The reasons that retractions name.
pub(super) fn named(resets: &[Reset]) -> Reasons {
    let named = resets.iter().flat_map(|reset| reset.refused.iter().map(move |one| (reset.record, one)));
    named.map(|(record, one)| ((record, one.hash), Refused::new(&one.code, one.detail.clone()))).collect()
}

/// Keeps changes of one transaction that went up from here and were refused further up. Those that stand here are taken
/// out; of the others the record may have left. Whether something is to be written again.
pub(super) fn take_back(
    writer: &mut Writer<'_>,
    changes: &[ReturnedChange],
    own: &DeviceId,
    now: Millis,
) -> Result<bool> {
    let mut reasons = Reasons::new();
    for one in changes {
        if link_rows::author_of(writer.connection(), &one.record, &one.hash)?.is_some() {
            reasons.insert((one.record, one.hash), Refused::new(&one.code, one.detail.clone()));
        }
    }
    let mut replaying = if reasons.is_empty() { false } else { refuse(writer, &reasons, now)? };
    let mut tx = None;
    for one in changes {
        let kept = kept_rows::find(writer.connection(), Queue::Quarantine, &one.record, &one.hash)?;
        tx = tx.or(kept.map(|row| row.tx));
    }
    let tx = tx.unwrap_or_else(|| writer.advance());
    for one in changes {
        if kept_rows::find(writer.connection(), Queue::Quarantine, &one.record, &one.hash)?.is_some() {
            continue;
        }
        mark!("given_back");
        let actor = actor_of(&one.raw);
        let binding = link_rows::binding(writer.connection(), actor)?;
        let removed = Kept {
            record: one.record,
            collection: one.collection.clone(),
            hash: one.hash,
            actor,
            raw: one.raw.clone(),
            tx,
            from: match binding.map(|binding| binding.device).filter(|device| device != own) {
                Some(device) => Lineage::Below(device),
                None => Lineage::Here,
            },
        };
        replaying |= keep(writer, removed, &Refused::new(&one.code, one.detail.clone()), now)?;
    }
    writer.mark_dirty();
    Ok(replaying)
}

/// Notes what became of a refused change, for whoever looks here and for the device that it came from.
pub(super) fn hear(writer: &mut Writer<'_>, verdict: &Verdict) -> Result<()> {
    let row = kept_rows::find(writer.connection(), Queue::Quarantine, &verdict.record, &verdict.change)?;
    let Some(row) = row else { return Ok(()) };
    mark!("verdict_heard");
    let fate = match verdict.outcome {
        Outcome::Declined => Fate::Declined,
        Outcome::Accepted => Fate::Accepted,
        Outcome::Retried => Fate::Retried,
    };
    let seq = if row.device.is_some() { writer.advance() } else { 0 };
    writer.mark_dirty();
    let closing = Closing { fate, by: Some(verdict.by), at: verdict.at, seq };
    kept_rows::close(writer.connection(), Queue::Quarantine, row.n, &closing)?;
    Ok(())
}

fn quarantine(writer: &mut Writer<'_>, removed: Vec<Removed>, reasons: &Reasons, now: Millis) -> Result<bool> {
    let follows = Refused::new(FOLLOWS_REFUSED, "");
    let named = |one: &Removed| reasons.get(&(one.record, one.change.hash()));
    // The unit of refusal is the transaction: its other changes do not follow it. Written again by themselves they would
    // be half of it, and what is left in review the other half.
    let of_transaction: HashMap<u64, &Refused> = removed.iter().filter_map(|one| Some((one.tx, named(one)?))).collect();
    let mut replaying = false;
    for one in removed {
        let reason = named(&one).or(of_transaction.get(&one.tx).copied());
        // The upstream keeps what is its own; but of what it had lost, only what it has answered for.
        if one.from == Lineage::Above && (!one.waited || reason.is_some_and(Refused::is_kept_above)) {
            continue;
        }
        let refused = reason.unwrap_or(&follows);
        let kept = Kept {
            record: one.record,
            collection: one.collection.to_string(),
            hash: one.change.hash(),
            actor: one.change.actor(),
            raw: one.change.raw().to_vec(),
            tx: one.tx,
            from: one.from,
        };
        replaying |= keep(writer, kept, refused, now)?;
    }
    writer.mark_dirty();
    Ok(replaying)
}

/// A change on its way into quarantine.
struct Kept {
    record: RecordId,
    collection: String,
    hash: ChangeHash,
    actor: ActorId,
    raw: Vec<u8>,
    tx: u64,
    from: Lineage,
}

// Whether it is to be written again.
fn keep(writer: &mut Writer<'_>, kept: Kept, refused: &Refused, now: Millis) -> Result<bool> {
    let Kept { record, collection, hash, actor, raw, tx, from } = kept;
    let again = refused.code == FOLLOWS_REFUSED && from == Lineage::Here;
    let device = match from {
        Lineage::Below(device) => Some(device),
        Lineage::Here | Lineage::Above => None,
    };
    let fate = if again { Fate::Replaying } else { Fate::Waiting };
    let (code, detail) = (refused.code.clone(), refused.detail.clone());
    let (closed_at, closed_by) = (None, None);
    let row = KeptRow {
        n: 0,
        record,
        collection,
        hash,
        actor,
        raw,
        device,
        tx,
        code,
        detail,
        at: now,
        fate,
        closed_at,
        closed_by,
    };
    mark!("quarantined");
    if !canary!("throw_away_what_is_refused") {
        kept_rows::keep(writer.connection(), Queue::Quarantine, &row)?;
    }
    if refused.code == BROUGHT_ALREADY
        && let Some(kept) = kept_rows::find(writer.connection(), Queue::Quarantine, &row.record, &row.hash)?
    {
        let closing = Closing { fate: Fate::Retried, by: None, at: now, seq: 0 };
        kept_rows::close(writer.connection(), Queue::Quarantine, kept.n, &closing)?;
    }
    if device.is_some() && !canary!("give_nothing_back") {
        let seq = writer.advance();
        kept_rows::give_back(writer.connection(), &row.record, &row.hash, seq)?;
    }
    Ok(again)
}
