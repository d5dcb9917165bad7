//! How much goes out at once, how often one speaks, how long one waits before connecting again.
//!
//! A batch is at most a few seconds of the rate that was measured, so that a cut costs little and small work is never
//! far behind; on a slow line processor time is free, so the compressor works harder there.

use crate::limits::{BATCH_BYTES_MAX, BLOB_PIECE_BYTES};
use crate::time::Millis;

/// Unacknowledged batches (and pushes) in flight.
pub const WINDOW: usize = 1;
/// An idle end says that it lives this often: rare enough for a metered line, often enough for a NAT's memory.
pub const HEARTBEAT_MS: i64 = 25_000;
/// A peer that said nothing for this long is gone: more than three heartbeats and many round trips of 600 ms.
pub const SILENCE_MS_MAX: i64 = 90_000;
/// An upstream that owes an answer and says nothing for this long is gone, on top of what the bytes take that it has
/// not answered yet: twice what the first batch of the slowest line takes there and back, and a few beats.
pub const ANSWER_MS_MAX: i64 = 15_000;
/// An upstream that cannot answer yet says this often that it lives.
pub const ANSWER_BEAT_MS: i64 = 5_000;
/// The slowest line that is still a line: half of 20 kbit/s, in bytes a second.
pub const SLOWEST_BYTES_PER_S: i64 = 1_250;
/// A peer that takes nothing of what is sent to it for this long is given up.
pub const STALL_MS_MAX: i64 = 60_000;
/// A downstream that does not greet within this time is closed.
pub const GREETING_MS_MAX: i64 = 30_000;
/// A batch holds at most this much of the measured rate.
pub const BATCH_MS: i64 = 3_000;
/// A line below this rate counts as slow, in bytes a second.
pub const SLOW_BYTES_PER_S: u64 = 60_000;
/// The least that a batch may hold, in compressed bytes.
pub const BATCH_BYTES_MIN: usize = 4 * 1024;
/// Before anything was measured, in compressed bytes: three seconds of 20 kbit/s, so that the first batch of a bad line
/// arrives before it is cut again. A good line is known after it.
pub const BATCH_BYTES_FIRST: usize = 8 * 1024;
/// How often is asked whether a push that rests may go on, in milliseconds.
pub const REST_MS: i64 = 50;
/// The shortest wait before connecting again.
pub const BACKOFF_MS_MIN: i64 = 500;
/// The longest wait before connecting again.
pub const BACKOFF_MS_MAX: i64 = 60_000;

/// How much one batch may hold and how hard to compress it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Compressed bytes.
    pub bytes: usize,
    /// zstd level.
    pub level: i32,
}

/// What is under way at the same time, each answered on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// A batch or a push.
    Changes,
    /// A piece of an attachment.
    Piece,
}

/// Measures a line by how long batches and pieces take to be answered.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    bytes_per_s: Option<u64>,
    changes: Option<(Millis, usize)>,
    piece: Option<(Millis, usize)>,
}

impl Pace {
    /// A frame of this size leaves.
    pub fn sent(&mut self, now: Millis, lane: Lane, bytes: usize) {
        *self.under_way(lane) = Some((now, bytes));
    }

    fn under_way(&mut self, lane: Lane) -> &mut Option<(Millis, usize)> {
        match lane {
            Lane::Changes => &mut self.changes,
            Lane::Piece => &mut self.piece,
        }
    }

    /// The frame was answered.
    pub fn answered(&mut self, now: Millis, lane: Lane) {
        let Some((since, bytes)) = self.under_way(lane).take() else { return };
        // Small frames measure the round trip, not the rate.
        if bytes < BATCH_BYTES_MIN / 2 {
            return;
        }
        let ms = now.0.saturating_sub(since.0).max(1) as u64;
        let rate = (bytes as u64).saturating_mul(1_000) / ms;
        self.bytes_per_s = Some(match self.bytes_per_s {
            Some(old) => (old + rate) / 2,
            None => rate,
        });
    }

    /// What the next batch may be.
    pub fn budget(&self) -> Budget {
        let Some(rate) = self.bytes_per_s else { return Budget { bytes: BATCH_BYTES_FIRST, level: 3 } };
        let bytes =
            (rate.saturating_mul(BATCH_MS as u64) / 1_000).clamp(BATCH_BYTES_MIN as u64, BATCH_BYTES_MAX as u64);
        Budget { bytes: bytes as usize, level: if rate < SLOW_BYTES_PER_S { 9 } else { 3 } }
    }

    /// What the next piece of an attachment may hold, in bytes.
    pub fn piece_bytes(&self) -> usize {
        // Nothing is lost by small ones: what they hold is compressed already.
        self.bytes_per_s.map_or(BATCH_BYTES_MIN, |_| self.budget().bytes.min(BLOB_PIECE_BYTES))
    }
}

/// Waits before connecting again: doubling, with jitter so that a thousand devices do not come back at once.
#[derive(Debug, Clone, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The line worked: start over.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// There is no hurry: the next wait is a long one.
    pub fn rest(&mut self) {
        self.failures = u32::MAX;
    }

    /// The wait after one more failure, in ms: between half and all of the doubled time, as `random` says.
    pub fn next_ms(&mut self, random: u32) -> i64 {
        let full = BACKOFF_MS_MIN.saturating_mul(1 << self.failures.min(10)).min(BACKOFF_MS_MAX);
        self.failures = self.failures.saturating_add(1);
        full / 2 + (full / 2) * i64::from(random) / i64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_follow_the_line() {
        let mut pace = Pace::default();
        assert_eq!(pace.budget().bytes, BATCH_BYTES_FIRST);
        pace.sent(Millis(0), Lane::Changes, 20_000);
        pace.answered(Millis(8_000), Lane::Changes);
        assert_eq!(pace.budget(), Budget { bytes: 7_500, level: 9 }, "2,500 bytes a second, three seconds of it");
        for _ in 0..20 {
            pace.sent(Millis(0), Lane::Changes, 200_000);
            pace.answered(Millis(20), Lane::Changes);
        }
        assert_eq!(pace.budget(), Budget { bytes: BATCH_BYTES_MAX, level: 3 });
    }

    #[test]
    fn pieces_of_attachments_measure_the_line_and_follow_it() {
        let mut pace = Pace::default();
        assert_eq!(pace.piece_bytes(), BATCH_BYTES_MIN);
        pace.sent(Millis(0), Lane::Piece, 8_000);
        pace.answered(Millis(100), Lane::Changes);
        assert_eq!(pace.piece_bytes(), BATCH_BYTES_MIN, "nothing was answered in this lane");
        pace.answered(Millis(4_000), Lane::Piece);
        assert_eq!(pace.piece_bytes(), 6_000);
        pace.sent(Millis(0), Lane::Piece, 8_000);
        pace.answered(Millis(10), Lane::Piece);
        assert_eq!(pace.piece_bytes(), BLOB_PIECE_BYTES);
    }

    #[test]
    fn waiting_grows_to_a_bound_and_never_vanishes() {
        let mut backoff = Backoff::default();
        let waits: Vec<i64> = (0..12).map(|_| backoff.next_ms(0)).collect();
        assert_eq!(waits.first(), Some(&250));
        assert!(waits.windows(2).all(|w| w[0] <= w[1]));
        assert_eq!(waits.last(), Some(&(BACKOFF_MS_MAX / 2)));
        assert_eq!(backoff.next_ms(u32::MAX), BACKOFF_MS_MAX);
        backoff.reset();
        assert_eq!(backoff.next_ms(u32::MAX), BACKOFF_MS_MIN);
        backoff.rest();
        assert_eq!(backoff.next_ms(u32::MAX), BACKOFF_MS_MAX);
    }
}
