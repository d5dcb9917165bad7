//! Comparing what both ends hold, and exchanging the difference: where a history was set back, a place was lost, and as
//! the weekly audit.
//!
//! The downstream asks, and offers what the upstream lacks by its outbox, like anything that was typed; the upstream
//! remembers what the downstream lacks and feeds it afterwards, by log order, with a new position at its end. Until that
//! position is durable below, the old one leads here again: a cut costs another comparison of what still differs.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::batch::{RAW_PER_COMPRESSED, fits};
use super::downstream::Downstream;
use super::state::key;
use super::upstream::{Upstream, beginning, encode_fed, viewer};
use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::limits::{AUDIT_MS, BATCH_CHANGES_MAX, COMPARISONS_MAX};
use crate::store::{blob_rows, holding, meta};
use crate::sync::compare::{Answerer, Asker};
use crate::sync::downstream::Audit;
use crate::sync::pace::Budget;
use crate::sync::position::Position;
use crate::time::Millis;
use crate::wire::message::{Batch, Compare};

/// A comparison, at the upper end.
#[derive(Debug)]
pub(super) struct Comparison {
    // Gone when all is compared.
    answerer: Option<Answerer>,
    // The end of the log when it began: where the downstream will stand.
    position: Position,
    wanted: Vec<u64>,
    fed: usize,
    // Records of which something was pushed meanwhile: the downstream holds them, but need not be allowed to.
    offered: BTreeSet<RecordId>,
    // Counted while it lasts.
    _one: Arc<()>,
}

impl Comparison {
    /// The downstream has pushed changes of these records.
    pub(super) fn pushed(&mut self, records: impl IntoIterator<Item = RecordId>) {
        self.offered.extend(records);
    }
}

impl Upstream {
    /// Answers a round; `None` for the last one.
    pub(super) fn compare(&mut self, compare: Compare) -> Result<Option<Vec<u8>>> {
        if self.admitted()?.revoked {
            return Err(Error::refused("link-revoked"));
        }
        if self.admitted()?.comparison.is_none() {
            let comparison = self.begin_comparison()?;
            let peer = self.admitted()?;
            // What it may be sent whole meanwhile; how far it has got is not known.
            peer.position = Position { held: comparison.position.held.clone(), ..Position::default() };
            peer.comparison = Some(comparison);
        }
        let unexpected = || Error::protocol("unexpected-message");
        let comparison = self.admitted()?.comparison.as_mut().ok_or_else(unexpected)?;
        let answerer = comparison.answerer.as_mut().ok_or_else(unexpected)?;
        answerer.want(compare.want)?;
        if !compare.round.is_empty() {
            return answerer.answer(&compare.round).map(Some);
        }
        comparison.wanted = answerer.wanted();
        comparison.answerer = None;
        self.readmit_for_good()?;
        Ok(None)
    }

    fn begin_comparison(&mut self) -> Result<Comparison> {
        let replica = self.replica.clone();
        let one = replica.inner.comparing.clone();
        // All downstreams of a restored hub come back at once.
        if Arc::strong_count(&one) > COMPARISONS_MAX + 1 {
            return Err(Error::busy("upstream-compares"));
        }
        let timeline = replica.timeline()?;
        let peer = self.admitted()?;
        replica.read(|conn| {
            let device = peer.current(conn)?;
            let viewer = viewer(conn, &replica, &device, &replica.grant_of(&device)?)?;
            let position = Position { held: viewer.scopes.clone(), ..beginning(conn, timeline)? };
            let answerer = Some(Answerer::new(holding::of_viewer(conn, &viewer)?)?);
            let (wanted, offered) = (Vec::new(), BTreeSet::new());
            Ok(Comparison { answerer, position, wanted, fed: 0, offered, _one: one })
        })
    }

    /// The next batch of what the comparison has found the downstream to lack; none where all of that was fed. The
    /// position stays until then.
    pub(super) fn feed_wanted(&mut self, budget: Budget) -> Result<Option<Batch>> {
        let replica = self.replica.clone();
        let peer = self.admitted()?;
        if peer.comparison.is_none() {
            return Ok(None);
        }
        // As its record now says: it may have been granted something else since it was let in.
        let device = replica.read(|conn| peer.current(conn))?;
        let Some(comparison) = &mut peer.comparison else { return Ok(None) };
        let (mut raw_budget, told) = (budget.bytes.saturating_mul(RAW_PER_COMPRESSED), &mut peer.told);
        while comparison.fed < comparison.wanted.len() {
            let seqs = comparison.wanted.get(comparison.fed..).unwrap_or_default();
            let (changes, count, taken) = replica.read(|conn| {
                let viewer = viewer(conn, &replica, &device, &replica.grant_of(&device)?)?;
                let (changes, taken) = holding::wanted(conn, &viewer, seqs, raw_budget)?;
                let count = changes.len() as u64;
                Ok((encode_fed(conn, &replica, told, changes, budget.level)?, count, taken))
            })?;
            if !fits(&changes) && taken > 1 {
                raw_budget /= 2;
                continue;
            }
            comparison.fed += taken;
            if count > 0 {
                peer.fed += count;
                return Ok(Some(Batch { changes, ..Batch::default() }));
            }
        }
        Ok(None)
    }

    /// All that the downstream lacked was fed: it stands at the position of the comparison. Gives the records that it
    /// has offered and may not hold.
    pub(super) fn end_comparison(&mut self) -> Result<Option<Vec<RecordId>>> {
        let replica = self.replica.clone();
        let peer = self.admitted()?;
        if peer.comparison.is_none() {
            return Ok(None);
        }
        let device = replica.read(|conn| peer.current(conn))?;
        let Some(comparison) = &mut peer.comparison else { return Ok(None) };
        let offered: Vec<RecordId> = comparison.offered.iter().take(BATCH_CHANGES_MAX).copied().collect();
        let purge = replica.read(|conn| {
            let viewer = viewer(conn, &replica, &device, &replica.grant_of(&device)?)?;
            holding::beyond(conn, &viewer, &offered)
        })?;
        offered.iter().for_each(|id| _ = comparison.offered.remove(id));
        if comparison.offered.is_empty() {
            mark!("compared");
            peer.position = std::mem::take(&mut comparison.position);
            peer.comparison = None;
        }
        Ok(Some(purge))
    }
}

impl Downstream {
    /// When this replica is to be compared with its upstream. One that holds something and does not know its place
    /// cannot wait.
    pub(super) fn audit(&self) -> Result<Audit> {
        let now = self.replica.environment().now();
        let (lost, last, asked) = self.replica.read(|conn| {
            let placed = meta::bytes(conn, key::POSITION)?.is_some();
            let lost = !placed && holding::is_any_from(conn, &self.upstream)?;
            Ok((lost, meta::integer(conn, key::AUDITED_AT)?, meta::integer(conn, key::AUDIT_ASKED)?.is_some()))
        })?;
        if lost {
            return Ok(Audit::Now);
        }
        Ok(Audit::At(match last.map(Millis) {
            // One that lies ahead was noted by a clock that was wrong.
            Some(last) if asked || last > now => Millis(i64::MIN),
            Some(last) => last.plus(AUDIT_MS),
            None => now.plus(AUDIT_MS),
        }))
    }

    /// Begins a comparison.
    pub(super) fn compare(&mut self, asked: bool) -> Result<Compare> {
        let (asker, round) = Asker::begin(self.replica.read(holding::all)?)?;
        self.asker = Some((asker, asked));
        self.came.clear();
        self.comparing = true;
        Ok(Compare { want: Vec::new(), round })
    }

    /// Takes the answer to a round. When there is no further one, what the upstream lacks waits in the outbox.
    pub(super) fn compared(&mut self, answer: &[u8]) -> Result<Compare> {
        let (asker, asked) = self.asker.as_mut().ok_or_else(|| Error::protocol("unexpected-message"))?;
        let next = asker.answered(answer)?;
        next.want.iter().for_each(|key| _ = self.came.remove(key));
        if let Some(round) = next.round {
            return Ok(Compare { want: next.want, round });
        }
        // The upstream has noticed that it was set back: then it may have lost what is not compared, too.
        let (mut beyond, hidden) = (asker.beyond(), *asked);
        beyond.extend(self.came.drain().map(|(_, seq)| seq));
        self.asker = None;
        if !beyond.is_empty() || hidden {
            mark!("offered_again");
            self.offered_hidden = self.replica.note(|conn| {
                holding::offer(conn, &beyond)?;
                if !hidden {
                    return Ok(BTreeSet::new());
                }
                blob_rows::offer_all(conn)?;
                holding::offer_hidden(conn)
            })?;
        }
        Ok(Compare { want: next.want, round: Vec::new() })
    }

    /// Both ends have exchanged what they lacked; gives when to look again.
    pub(super) fn reconciled(&mut self) -> Result<Millis> {
        self.comparing = false;
        self.lacks_nothing()?;
        let now = self.replica.environment().now();
        self.replica.note(|conn| {
            meta::set_integer(conn, key::AUDITED_AT, now.0)?;
            meta::clear(conn, key::AUDIT_ASKED)
        })?;
        Ok(now.plus(AUDIT_MS))
    }
}
