//! Repeatable randomness: SplitMix64, one stream per seed and name.

use sha2::{Digest, Sha256};

/// A stream of numbers.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// The stream of this seed and name.
    pub(super) fn new(seed: u64, stream: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_be_bytes());
        hash.update(stream.as_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        Self(digest.iter().take(8).fold(0, |state, byte| state << 8 | u64::from(*byte)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `max`, both included.
    pub(super) fn up_to(&mut self, max: u64) -> u64 {
        // The slight preference of a remainder does not matter to made-up names.
        self.next() % (max.saturating_add(1).max(1))
    }

    /// One of these; of none, the default.
    pub(super) fn pick<T: Copy + Default>(&mut self, of: &[T]) -> T {
        let at = self.up_to((of.len() as u64).saturating_sub(1)) as usize;
        of.get(at).copied().unwrap_or_default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_repeats_and_another_differs() {
        let draw = |seed, name| {
            let mut random = Random::new(seed, name);
            (0..5).map(|_| random.up_to(1_000_000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, "riga"), draw(1, "riga"));
        assert_ne!(draw(1, "riga"), draw(2, "riga"));
        assert_ne!(draw(1, "riga"), draw(1, "kyiv"));
    }
}
