//! A plain mutator: flips, cuts, doubles, splices and puts the numbers that hurt.

/// Values that readers stumble over.
const HURTFUL: [&[u8]; 12] = [
    b"\0",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x7f",
    b"\0\0\0\0\0\0\0\x80",
    b"\"",
    b"\r\n",
    "\u{feff}\u{1f600}".as_bytes(),
];
/// Most mutations of one input.
const STEPS_MAX: usize = 6;
/// Longest input, in bytes: large ones cost time and find little more.
const BYTES_MAX: usize = 64 * 1024;

pub(super) struct Mutator(u64);

impl Mutator {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    // Below `bound`, which is not zero.
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    /// One of these inputs, changed.
    pub(super) fn next(&mut self, pool: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = pool[self.below(pool.len())].clone();
        for _ in 0..=self.below(STEPS_MAX) {
            self.step(&mut bytes, pool);
        }
        bytes.truncate(BYTES_MAX);
        bytes
    }

    fn step(&mut self, bytes: &mut Vec<u8>, pool: &[Vec<u8>]) {
        let at = self.below(bytes.len() + 1);
        let length = self.below(bytes.len() - at + 1).min(1 << self.below(10));
        match self.below(8) {
            0 | 1 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            2 if at < bytes.len() => bytes[at] = self.below(256) as u8,
            3 => drop(bytes.drain(at..at + length)),
            4 => {
                let again = bytes[at..at + length].to_vec();
                bytes.splice(at..at, again);
            }
            5 => {
                let other = &pool[self.below(pool.len())];
                let from = self.below(other.len() + 1);
                let to = (from + (1 << self.below(12))).min(other.len());
                bytes.splice(at..at + length, other[from..to].iter().copied());
            }
            6 => bytes.truncate(at),
            _ => {
                let hurtful = HURTFUL[self.below(HURTFUL.len())];
                let end = (at + if self.below(2) == 0 { hurtful.len() } else { 0 }).min(bytes.len());
                bytes.splice(at..end, hurtful.iter().copied());
            }
        }
    }
}
