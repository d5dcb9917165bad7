//! Numbers byte strings in order of first appearance, up to a stated count.

/// The distinct byte strings of a column.
#[derive(Debug)]
pub(crate) struct Interner {
    // Numbers of entries from 1, at places that follow from their hashes; zero where there is none. At most half full.
    slots: Vec<u32>,
    arena: Vec<u8>,
    // End of each entry in the arena, and its hash.
    entries: Vec<(u32, u64)>,
    most: usize,
}

const SLOTS_MIN: usize = 64;

impl Interner {
    /// Room for `most` distinct strings.
    pub(crate) fn new(most: usize) -> Self {
        Self { slots: vec![0; SLOTS_MIN], arena: Vec::new(), entries: Vec::new(), most }
    }

    /// The number of this string; `None` where it would be one too many.
    pub(crate) fn intern(&mut self, bytes: &[u8]) -> Option<usize> {
        let hash = hash(bytes);
        let mut slot = self.slot(hash);
        while let Some(entry) = self.slots.get(slot).copied()?.checked_sub(1) {
            let entry = entry as usize;
            if self.entries.get(entry).is_some_and(|(_, other)| *other == hash) && self.entry(entry) == bytes {
                return Some(entry);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        if self.entries.len() == self.most {
            return None;
        }
        self.arena.extend_from_slice(bytes);
        self.entries.push((u32::try_from(self.arena.len()).ok()?, hash));
        *self.slots.get_mut(slot)? = self.entries.len() as u32;
        if self.entries.len() * 2 > self.slots.len() {
            self.grow();
        }
        Some(self.entries.len() - 1)
    }

    fn slot(&self, hash: u64) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    fn grow(&mut self) {
        self.slots = vec![0; self.slots.len() * 2];
        for entry in 0..self.entries.len() {
            let mut slot = self.slot(self.entries[entry].1);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (self.slots.len() - 1);
            }
            self.slots[slot] = entry as u32 + 1;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn entry(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).and_then(|before| self.entries.get(before)).map_or(0, |(end, _)| *end);
        let end = self.entries.get(index).map_or(0, |(end, _)| *end);
        self.arena.get(start as usize..end as usize).unwrap_or_default()
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &[u8]> + Clone {
        (0..self.len()).map(|index| self.entry(index))
    }
}

// Multiply and rotate, eight bytes at a time. Chosen strings can collide; a batch is too small for that to matter.
fn hash(bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut state = bytes.len() as u64;
    let (words, tail) = bytes.as_chunks::<8>();
    for word in words {
        state = (state.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(FACTOR);
    }
    let mut last = [0u8; 8];
    last.iter_mut().zip(tail).for_each(|(slot, byte)| *slot = *byte);
    state = (state.rotate_left(5) ^ u64::from_le_bytes(last)).wrapping_mul(FACTOR);
    state ^ state >> 32
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_numbered_as_they_appear_until_there_are_too_many() {
        let mut interner = Interner::new(300);
        for round in 0..2 {
            for i in 0..300 {
                assert_eq!(interner.intern(format!("city {i}").as_bytes()), Some(i), "round {round}");
            }
        }
        assert_eq!(interner.intern(b"one more"), None);
        assert_eq!(interner.entries().nth(7), Some(&b"city 7"[..]));
    }
}
