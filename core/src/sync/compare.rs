//! Comparing what both ends hold, change by change, without naming what both have: range-based set reconciliation.
//!
//! The lower end asks ([`Asker`]), the upper end answers ([`Answerer`]); the rounds are those of the `negentropy` crate,
//! over [keys](ChangeKey) ordered by the times of their changes, so that what was lost lies together. What the asker
//! holds beyond the other end is learnt without its keys ever travelling; what it lacks comes to it as keys. A round is
//! at most [`COMPARE_ROUND_BYTES_MAX`] long. What is absent: what a change means, and how it gets across.
//!
//! Memory: 48 bytes for each change that is held, while it lasts.

use std::collections::HashSet;
use std::sync::Arc;

use negentropy::{Bound, Id, Item, Negentropy, NegentropyStorageBase};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::id::{ChangeHash, RecordId};
use crate::limits::{COMPARE_ROUND_BYTES_MAX, COMPARE_ROUNDS_MAX};
use crate::time::Millis;
use crate::wire::message::ChangeKey;

/// The key of a change.
pub fn key_of(record: &RecordId, change: &ChangeHash) -> ChangeKey {
    let mut hash = Sha256::new();
    hash.update(record.as_bytes());
    hash.update(change.as_bytes());
    hash.finalize().into()
}

/// What one end holds, with the place of each change in its log.
#[derive(Debug, Clone, Default)]
pub struct Holding(Arc<Vec<(Item, u64)>>);

impl FromIterator<(Millis, ChangeKey, u64)> for Holding {
    fn from_iter<I: IntoIterator<Item = (Millis, ChangeKey, u64)>>(changes: I) -> Self {
        let item = |time: Millis, key| {
            // Signed times in the order of unsigned ones.
            Item::with_timestamp_and_id((time.0 as u64) ^ (1 << 63), Id::from_byte_array(key))
        };
        let mut items: Vec<(Item, u64)> = changes.into_iter().map(|(time, key, seq)| (item(time, key), seq)).collect();
        items.sort_unstable();
        items.dedup_by_key(|(item, _)| *item);
        Self(Arc::new(items))
    }
}

impl Holding {
    /// The places of these changes, ascending.
    fn places(&self, keys: &HashSet<ChangeKey>) -> Vec<u64> {
        let found = self.0.iter().filter(|(item, _)| keys.contains(item.id.as_bytes()));
        let mut places: Vec<u64> = found.map(|(_, seq)| *seq).collect();
        places.sort_unstable();
        places
    }
}

impl NegentropyStorageBase for Holding {
    fn size(&self) -> std::result::Result<usize, negentropy::Error> {
        Ok(self.0.len())
    }

    fn get_item(&self, at: usize) -> std::result::Result<Option<Item>, negentropy::Error> {
        Ok(self.0.get(at).map(|(item, _)| *item))
    }

    fn iterate(
        &self,
        begin: usize,
        end: usize,
        visit: &mut dyn FnMut(Item, usize) -> std::result::Result<bool, negentropy::Error>,
    ) -> std::result::Result<(), negentropy::Error> {
        let range = self.0.get(begin..end).ok_or(negentropy::Error::BadRange)?;
        for (at, (item, _)) in range.iter().enumerate() {
            if !visit(*item, begin + at)? {
                break;
            }
        }
        Ok(())
    }

    fn find_lower_bound(&self, first: usize, last: usize, value: &Bound) -> usize {
        let range = self.0.get(first..last).unwrap_or_default();
        first + range.partition_point(|(item, _)| *item < value.item)
    }
}

type Engine = Negentropy<'static, Holding>;

fn engine(held: &Holding) -> Result<Engine> {
    Engine::owned(held.clone(), COMPARE_ROUND_BYTES_MAX as u64).map_err(broken)
}

fn broken(_: negentropy::Error) -> Error {
    Error::protocol("unexpected-message")
}

/// The lower end of a comparison.
#[derive(Debug)]
pub struct Asker {
    held: Holding,
    engine: Engine,
    rounds: usize,
    beyond: HashSet<ChangeKey>,
}

/// What an answer led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The next round; `None`: everything is compared.
    pub round: Option<Vec<u8>>,
    /// Changes that the other end holds and this one does not.
    pub want: Vec<ChangeKey>,
}

impl Asker {
    /// Begins; gives the first round with it.
    ///
    /// # Errors
    /// None that a caller could mend.
    pub fn begin(held: Holding) -> Result<(Self, Vec<u8>)> {
        let mut engine = engine(&held)?;
        let round = engine.initiate().map_err(broken)?;
        Ok((Self { held, engine, rounds: 0, beyond: HashSet::new() }, round))
    }

    /// Takes the answer to the last round.
    ///
    /// # Errors
    /// `unexpected_message` for an answer that is none, and for one that leads nowhere.
    pub fn answered(&mut self, answer: &[u8]) -> Result<Asked> {
        self.rounds += 1;
        if answer.len() > COMPARE_ROUND_BYTES_MAX || self.rounds > COMPARE_ROUNDS_MAX {
            return Err(Error::protocol("unexpected-message"));
        }
        let (mut have, mut need) = (Vec::new(), Vec::new());
        let round = self.engine.reconcile_with_ids(answer, &mut have, &mut need).map_err(broken)?;
        self.beyond.extend(have.into_iter().map(Id::to_bytes));
        let mut want: Vec<ChangeKey> = need.into_iter().map(Id::to_bytes).collect();
        // The engine gives them in the order of a hash table, another one in each run.
        want.sort_unstable();
        Ok(Asked { round, want })
    }

    /// Where the changes stand here that the other end does not hold.
    pub fn beyond(&self) -> Vec<u64> {
        self.held.places(&self.beyond)
    }
}

/// The upper end of a comparison.
#[derive(Debug)]
pub struct Answerer {
    held: Holding,
    engine: Engine,
    rounds: usize,
    wanted: HashSet<ChangeKey>,
}

impl Answerer {
    /// For what is held here.
    ///
    /// # Errors
    /// None that a caller could mend.
    pub fn new(held: Holding) -> Result<Self> {
        Ok(Self { engine: engine(&held)?, held, rounds: 0, wanted: HashSet::new() })
    }

    /// Answers a round.
    ///
    /// # Errors
    /// `unexpected_message` for a round that is none, and for one too many.
    pub fn answer(&mut self, round: &[u8]) -> Result<Vec<u8>> {
        self.rounds += 1;
        if round.len() > COMPARE_ROUND_BYTES_MAX || self.rounds > COMPARE_ROUNDS_MAX {
            return Err(Error::protocol("unexpected-message"));
        }
        self.engine.reconcile(round).map_err(broken)
    }

    /// Notes what the other end lacks.
    ///
    /// # Errors
    /// `unexpected_message` where that is more than is held here.
    pub fn want(&mut self, keys: Vec<ChangeKey>) -> Result<()> {
        self.wanted.extend(keys);
        if self.wanted.len() > self.held.0.len() { Err(Error::protocol("unexpected-message")) } else { Ok(()) }
    }

    /// Where the changes stand here that the other end lacks.
    pub fn wanted(&self) -> Vec<u64> {
        self.held.places(&self.wanted)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn holding(numbers: impl IntoIterator<Item = u64>) -> Holding {
        let key = |n: u64| key_of(&RecordId([1; 16]), &ChangeHash(Sha256::digest(n.to_be_bytes()).into()));
        numbers.into_iter().map(|n| (Millis(n as i64 - 500), key(n), n)).collect()
    }

    fn compare(lower: Holding, upper: Holding) -> (Vec<u64>, Vec<u64>, usize) {
        let (mut asker, mut round) = Asker::begin(lower).unwrap();
        let mut answerer = Answerer::new(upper).unwrap();
        let mut bytes = 0;
        loop {
            let answer = answerer.answer(&round).unwrap();
            bytes += round.len() + answer.len();
            let asked = asker.answered(&answer).unwrap();
            answerer.want(asked.want).unwrap();
            match asked.round {
                Some(next) => round = next,
                None => return (asker.beyond(), answerer.wanted(), bytes),
            }
        }
    }

    #[test]
    fn each_end_learns_exactly_what_the_other_lacks() {
        let lower = || (0..10_000).filter(|n| n % 1_000 != 7);
        let upper = || (0..9_500).filter(|n| n % 900 != 3);
        let (beyond, wanted, _) = compare(holding(lower()), holding(upper()));
        let only = |of: Vec<u64>, not: Vec<u64>| -> Vec<u64> {
            let not: HashSet<u64> = not.into_iter().collect();
            of.into_iter().filter(|n| !not.contains(n)).collect()
        };
        assert_eq!(beyond, only(lower().collect(), upper().collect()));
        assert_eq!(wanted, only(upper().collect(), lower().collect()));
    }

    #[test]
    fn equal_ends_part_after_one_short_round_and_a_lost_end_costs_no_keys() {
        let (beyond, wanted, bytes) = compare(holding(0..100_000), holding(0..100_000));
        assert!(beyond.is_empty() && wanted.is_empty() && bytes < 500, "{bytes}");
        let (beyond, _, bytes) = compare(holding(0..100_000), holding(0..90_000));
        assert_eq!(beyond, (90_000..100_000).collect::<Vec<_>>());
        assert!(bytes < 16 * 1024, "{bytes}");
        let (_, wanted, _) = compare(holding(0..0), holding(0..5_000));
        assert_eq!(wanted.len(), 5_000, "in several rounds");
    }

    #[test]
    fn no_bytes_make_either_end_panic() {
        let (mut asker, round) = Asker::begin(holding(0..2_000)).unwrap();
        let mut answerer = Answerer::new(holding(100..2_100)).unwrap();
        let answer = answerer.answer(&round).unwrap();
        for (of, at) in [&round, &answer].into_iter().flat_map(|of| (0..of.len()).map(move |at| (of, at))) {
            for bit in 0..8 {
                let mut changed = of.clone();
                changed[at] ^= 1 << bit;
                let _ = answerer.answer(&changed);
                (asker.rounds, answerer.rounds) = (0, 0);
                let _ = asker.answered(&changed);
            }
            let _ = answerer.answer(&of[..at]);
            let _ = asker.answered(&of[..at]);
        }
        assert!(answerer.answer(&vec![0x61; COMPARE_ROUND_BYTES_MAX + 1]).is_err());
        assert!(answerer.want((0..3_000_u64).map(|n| Sha256::digest(n.to_le_bytes()).into()).collect()).is_err());
    }
}
