//! The clock and randomness of a simulated machine: virtual time, off by as much as the simulation likes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use branchline_core::replica::Environment;
use branchline_core::time::Millis;

use super::random::Random;

/// When every simulation begins.
pub const BEGINNING: i64 = 1_700_000_000_000;

/// A machine's clock and randomness.
pub struct Clockwork {
    time: Arc<AtomicI64>,
    off_ms: AtomicI64,
    // The moment at which the clock stands; `i64::MIN`: it goes.
    stands_at: AtomicI64,
    random: AtomicU64,
}

impl Clockwork {
    /// A right clock over the simulation's time; `salt` decides the randomness.
    pub fn new(time: &Arc<AtomicI64>, salt: u64) -> Arc<Self> {
        let random = AtomicU64::new(Random::new(salt, "environment").number());
        let (off_ms, stands_at) = (AtomicI64::new(0), AtomicI64::new(i64::MIN));
        Arc::new(Self { time: time.clone(), off_ms, stands_at, random })
    }

    /// The clock shows so much more than it is.
    pub fn set_off(&self, off_ms: i64) {
        self.stands_at.store(i64::MIN, Ordering::Relaxed);
        self.off_ms.store(off_ms, Ordering::Relaxed);
    }

    /// The clock stands still.
    pub fn stand(&self) {
        self.stands_at.store(self.now().0, Ordering::Relaxed);
    }
}

impl Environment for Clockwork {
    fn now(&self) -> Millis {
        match self.stands_at.load(Ordering::Relaxed) {
            i64::MIN => Millis(self.time.load(Ordering::Relaxed).saturating_add(self.off_ms.load(Ordering::Relaxed))),
            at => Millis(at),
        }
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        let mut random = Random::new(self.random.fetch_add(1, Ordering::Relaxed), "drawn");
        for chunk in bytes.chunks_mut(8) {
            let number = random.number().to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
    }

    fn has_threads(&self) -> bool {
        false
    }
}
