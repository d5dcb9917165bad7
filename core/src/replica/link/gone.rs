//! What the upstream refused or retracted leaves its record here and stands in quarantine, with all that followed it.
//!
//! What a person here had typed on top of it is marked to be written again; at a branch, what came from below is left to
//! the device that it came from, which hears of the retraction in its turn.

use std::collections::HashMap;

use super::ingest::{BROUGHT_ALREADY, FOLLOWS_REFUSED, Refused};
use crate::error::Result;
use crate::id::{ChangeHash, RecordId};
use crate::store::kept_rows::{self, Closing, KeptRow, Queue};
use crate::store::{Fate, Lineage, Removed, Writer};
use crate::time::Millis;
use crate::wire::message::{Outcome, Reset, Verdict};

/// Why changes went, by their names; those that are not named only followed others.
pub(super) type Reasons = HashMap<(RecordId, ChangeHash), Refused>;

/// Takes refused changes out. Whether something is to be written again.
pub(super) fn refuse(writer: &mut Writer<'_>, reasons: &Reasons, now: Millis) -> Result<bool> {
    let gone: Vec<(RecordId, ChangeHash)> = reasons.keys().copied().collect();
    let removed = writer.retract(&gone)?;
    quarantine(writer, removed, reasons, now)
}

/// Carries out the retractions of a batch. Whether something is to be written again.
pub(super) fn reset(writer: &mut Writer<'_>, resets: &[Reset], now: Millis) -> Result<bool> {
    if canary!("ignore_a_retraction") {
        return Ok(false);
    }
    // A transaction goes with the first of its records: by then the reasons of all of them must be known.
    let named = resets.iter().flat_map(|reset| reset.refused.iter().map(move |one| (reset.record, one)));
    let reasons: Reasons =
        named.map(|(record, one)| ((record, one.hash), Refused::new(&one.code, one.detail.clone()))).collect();
    let mut replaying = false;
    for reset in resets {
        mark!("retracted_from_above");
        let removed = writer.reset(&reset.record, &reset.heads)?;
        replaying |= quarantine(writer, removed, &reasons, now)?;
    }
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
        let device = match one.from {
            // The upstream keeps what is its own.
            Lineage::Above => continue,
            Lineage::Here => None,
            Lineage::Below(device) => Some(device),
        };
        let refused = named(&one).or(of_transaction.get(&one.tx).copied()).unwrap_or(&follows);
        let again = refused.code == FOLLOWS_REFUSED && device.is_none();
        replaying |= again;
        let row = KeptRow {
            n: 0,
            record: one.record,
            collection: one.collection.to_string(),
            hash: one.change.hash(),
            actor: one.change.actor(),
            raw: one.change.raw().to_vec(),
            device,
            tx: one.tx,
            code: refused.code.clone(),
            detail: refused.detail.clone(),
            at: now,
            fate: if again { Fate::Replaying } else { Fate::Waiting },
            closed_at: None,
            closed_by: None,
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
    }
    writer.mark_dirty();
    Ok(replaying)
}
