//! Columns of integers: constant, or as they are or as differences, each packed into as many bits as most need.
//!
//! Values that do not fit the chosen width are exceptions, listed apart, so that one far value does not widen all.

use super::sections::{Readers, Sections};
use crate::wire::chunk::leb::put_unsigned;

const CONSTANT: u8 = 0;
const PLAIN: u8 = 1;
const DELTA: u8 = 2;
const EXCEPTIONS: u8 = 4;

/// Writes a column; the reader must know its length.
pub(crate) fn put_numbers(sections: &mut Sections, values: &[i64]) {
    let Some((first, rest)) = values.split_first() else { return };
    if rest.iter().all(|value| value == first) {
        sections.text.push(CONSTANT);
        sections.signed(*first);
        return;
    }
    let deltas: Vec<i64> = values.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    let by_delta = Plan::of(&deltas);
    let plain =
        if by_delta.bits == 0 { None } else { Some(Plan::of(values)).filter(|plan| plan.bits <= by_delta.bits) };
    match plain {
        Some(plan) => plan.put(sections, PLAIN, values),
        None => {
            by_delta.put(sections, DELTA, &deltas);
            sections.signed(*first);
        }
    }
}

/// Reads a column of `count` values; `None` where the bytes are no such column.
pub(crate) fn read_numbers(readers: &mut Readers<'_>, count: usize) -> Option<Vec<i64>> {
    if count == 0 {
        return Some(Vec::new());
    }
    let mode = readers.text.byte()?;
    match mode & !EXCEPTIONS {
        CONSTANT if mode == CONSTANT => Some(vec![readers.signed()?; count]),
        PLAIN => packed(readers, count, mode & EXCEPTIONS != 0),
        DELTA => {
            let mut values = packed(readers, count - 1, mode & EXCEPTIONS != 0)?;
            let mut value = readers.signed()?;
            for slot in &mut values {
                let delta = std::mem::replace(slot, value);
                value = value.wrapping_add(delta);
            }
            values.push(value);
            Some(values)
        }
        _ => None,
    }
}

/// How many bits a value takes above the base.
fn bits_of(value: u64) -> usize {
    64 - value.leading_zeros() as usize
}

struct Plan {
    base: i64,
    width: usize,
    exceptions: usize,
    bits: usize,
}

impl Plan {
    fn of(values: &[i64]) -> Self {
        let least = values.iter().copied().min().unwrap_or_default();
        let plan = Self::above(least, values);
        if plan.width <= 2 || values.len() < 16 {
            return plan;
        }
        // A few values far below would widen all others: try a base that leaves one in sixteen under it.
        let mut sorted = values.to_vec();
        let (_, base, _) = sorted.select_nth_unstable(values.len() / 16);
        let other = Self::above(*base, values);
        if other.bits < plan.bits { other } else { plan }
    }

    fn above(base: i64, values: &[i64]) -> Self {
        let mut of_length = [0usize; 65];
        for value in values {
            let bits = bits_of(value.wrapping_sub(base) as u64);
            if let Some(count) = of_length.get_mut(bits) {
                *count += 1;
            }
        }
        // From the widest down: what narrower packing saves, and what its exceptions cost.
        let mut best = Self { base, width: 64, exceptions: 0, bits: usize::MAX };
        let (mut exceptions, mut cost) = (0, 0);
        for width in (0..=64).rev() {
            let bits = cost + values.len() * width;
            if bits < best.bits {
                best = Self { base, width, exceptions, bits };
            }
            let count = of_length.get(width).copied().unwrap_or_default();
            exceptions += count;
            cost += count * (10 + 8 * width.div_ceil(7));
        }
        best
    }

    fn put(&self, sections: &mut Sections, mode: u8, values: &[i64]) {
        sections.text.push(if self.exceptions > 0 { mode | EXCEPTIONS } else { mode });
        sections.text.push(self.width as u8);
        sections.signed(self.base);
        let above = |value: &i64| value.wrapping_sub(self.base) as u64;
        let mut packer = Packer::new(&mut sections.bits, self.width);
        values.iter().for_each(|value| packer.push(above(value)));
        packer.finish();
        if self.exceptions == 0 {
            return;
        }
        sections.number(self.exceptions);
        let mut after = 0;
        for (place, value) in values.iter().enumerate().filter(|(_, value)| bits_of(above(value)) > self.width) {
            sections.number(place - after);
            put_unsigned(&mut sections.text, above(value));
            after = place + 1;
        }
    }
}

fn packed(readers: &mut Readers<'_>, count: usize, exceptions: bool) -> Option<Vec<i64>> {
    let width = usize::from(readers.text.byte()?);
    if width > 64 {
        return None;
    }
    let base = readers.signed()?;
    let bytes = readers.bits.take(count.checked_mul(width)?.div_ceil(8))?;
    let mut values = unpack(bytes, width, count, base);
    if exceptions {
        let many = readers.number(count)?;
        let mut place = 0usize;
        for _ in 0..many {
            place = place.checked_add(readers.number(count)?)?;
            *values.get_mut(place)? = base.wrapping_add(readers.text.unsigned()? as i64);
            place += 1;
        }
    }
    Some(values)
}

struct Packer<'o> {
    out: &'o mut Vec<u8>,
    width: u32,
    pending: u128,
    filled: u32,
}

impl<'o> Packer<'o> {
    fn new(out: &'o mut Vec<u8>, width: usize) -> Self {
        Self { out, width: width as u32, pending: 0, filled: 0 }
    }

    // Of an exception only the bits that fit are packed; its whole value follows in the list.
    fn push(&mut self, value: u64) {
        let value = if self.width == 64 { value } else { value & ((1 << self.width) - 1) };
        self.pending |= u128::from(value) << self.filled;
        self.filled += self.width;
        if self.filled >= 64 {
            self.out.extend_from_slice(&(self.pending as u64).to_le_bytes());
            self.pending >>= 64;
            self.filled -= 64;
        }
    }

    fn finish(self) {
        let bytes = (self.pending as u64).to_le_bytes();
        self.out.extend_from_slice(bytes.get(..self.filled.div_ceil(8) as usize).unwrap_or_default());
    }
}

fn unpack(bytes: &[u8], width: usize, count: usize, base: i64) -> Vec<i64> {
    if width == 0 {
        return vec![base; count];
    }
    let mask = if width == 64 { u64::MAX } else { (1 << width) - 1 };
    let mut values = Vec::with_capacity(count);
    let (mut pending, mut filled) = (0u128, 0usize);
    let (words, tail) = bytes.as_chunks::<8>();
    let mut last = [0u8; 8];
    last.iter_mut().zip(tail).for_each(|(slot, byte)| *slot = *byte);
    let mut words = words.iter().chain(std::iter::once(&last)).map(|word| u64::from_le_bytes(*word));
    for _ in 0..count {
        if filled < width {
            pending |= u128::from(words.next().unwrap_or_default()) << filled;
            filled += 64;
        }
        values.push(base.wrapping_add((pending as u64 & mask) as i64));
        pending >>= width;
        filled -= width;
    }
    values
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::codec::sections::Opened;

    fn there_and_back(values: &[i64]) -> (Vec<i64>, usize) {
        let mut sections = Sections::default();
        put_numbers(&mut sections, values);
        let size = sections.text.len() + sections.bits.len();
        let frame = sections.seal(1).unwrap();
        let opened = Opened::new(&frame).unwrap();
        let mut readers = opened.readers();
        let read = read_numbers(&mut readers, values.len()).unwrap();
        assert!(readers.ended());
        (read, size)
    }

    proptest! {
        #[test]
        fn columns_read_as_written(
            values in prop_oneof![
                proptest::collection::vec(any::<i64>(), 0..200),
                proptest::collection::vec(-3i64..1000, 0..200),
                proptest::collection::vec(prop_oneof![9 => 0i64..4, 1 => any::<i64>()], 0..200),
            ],
        ) {
            prop_assert_eq!(there_and_back(&values).0, values);
        }

        #[test]
        fn any_bytes_read_or_are_refused(text in proptest::collection::vec(any::<u8>(), 0..40), bits in proptest::collection::vec(any::<u8>(), 0..40), count in 0usize..500) {
            let frame = Sections { text, bits }.seal(1).unwrap();
            let opened = Opened::new(&frame).unwrap();
            if let Some(values) = read_numbers(&mut opened.readers(), count) {
                prop_assert_eq!(values.len(), count);
            }
        }
    }

    #[test]
    fn regular_columns_take_next_to_nothing() {
        assert!(there_and_back(&(0..2500).map(|i| 7_000_000_000 + 37 * i).collect::<Vec<_>>()).1 < 16);
        assert!(there_and_back(&[5; 2500]).1 < 4);
        let mostly: Vec<i64> = (0..2500).map(|i| if i % 500 == 3 { 1 << 40 } else { i % 4 }).collect();
        assert!(there_and_back(&mostly).1 < 2500 * 2 / 8 + 80);
    }
}
