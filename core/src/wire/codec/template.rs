//! Texts as templates: what stands around their numbers, and the numbers.
//!
//! `+7495` and seven digits, `info17@example3.com`, `105400 USD`: in a column of a CRM the words around the numbers
//! repeat and the numbers count. A template is the text with each run of digits replaced by one byte: zero for a number
//! without leading zeros, else the number of digits.

use super::texts::TextColumn;

/// Most numbers of one text; a text with more is not taken apart.
pub(crate) const NUMBERS_MAX: usize = 16;
/// Longest run of digits that is one number.
const DIGITS_MAX: usize = 18;
/// Bytes below this cannot stand in a templated text: they are the holes.
const HOLES: u8 = DIGITS_MAX as u8 + 1;
/// Longer texts are prose, in bytes.
const AVERAGE_BYTES_MAX: usize = 128;

/// Where the numbers of a column's values stand.
pub(crate) struct Scan {
    // Start in its value and length of each run of digits, and how many of them each value has.
    runs: Vec<(u32, u8)>,
    counts: Vec<usize>,
    // Bit n: some number of n digits begins with a zero, so all of n digits keep their length.
    padded: u32,
}

impl Scan {
    /// `None` where the column has no numbers or cannot be taken apart.
    pub(crate) fn of(column: &TextColumn) -> Option<Self> {
        if column.bytes_len() > column.len() * AVERAGE_BYTES_MAX {
            return None;
        }
        let mut scan = Self { runs: Vec::new(), counts: Vec::with_capacity(column.len()), padded: 0 };
        for value in column.iter() {
            let before = scan.runs.len();
            let mut digits = 0;
            for (place, byte) in value.iter().enumerate() {
                if byte.is_ascii_digit() {
                    if digits == DIGITS_MAX {
                        scan.run(value, place, digits);
                        digits = 0;
                    }
                    digits += 1;
                    continue;
                }
                if *byte < HOLES {
                    return None;
                }
                if digits > 0 {
                    scan.run(value, place, digits);
                    digits = 0;
                }
            }
            if digits > 0 {
                scan.run(value, value.len(), digits);
            }
            let count = scan.runs.len() - before;
            if count > NUMBERS_MAX {
                return None;
            }
            scan.counts.push(count);
        }
        (!scan.runs.is_empty()).then_some(scan)
    }

    fn run(&mut self, value: &[u8], end: usize, digits: usize) {
        let start = end - digits;
        if digits > 1 && value.get(start) == Some(&b'0') {
            self.padded |= 1 << digits;
        }
        self.runs.push((start as u32, digits as u8));
    }

    /// The runs of each value, in order.
    pub(crate) fn each(&self) -> impl Iterator<Item = &[(u32, u8)]> {
        let mut rest = &self.runs[..];
        self.counts.iter().map(move |count| {
            let (runs, behind) = rest.split_at(*count);
            rest = behind;
            runs
        })
    }

    /// Writes the template of a value and appends its numbers, each to the column of its place in the value.
    pub(crate) fn template_of(
        &self,
        value: &[u8],
        runs: &[(u32, u8)],
        template: &mut Vec<u8>,
        numbers: &mut Vec<Vec<i64>>,
    ) {
        template.clear();
        let mut done = 0;
        for (place, (start, digits)) in runs.iter().enumerate() {
            let (start, end) = (*start as usize, *start as usize + usize::from(*digits));
            template.extend_from_slice(value.get(done..start).unwrap_or_default());
            let run = value.get(start..end).unwrap_or_default();
            let number = run.iter().fold(0i64, |number, digit| number * 10 + i64::from(digit - b'0'));
            template.push(if self.padded >> digits & 1 == 1 { *digits } else { 0 });
            if place == numbers.len() {
                numbers.push(Vec::new());
            }
            if let Some(column) = numbers.get_mut(place) {
                column.push(number);
            }
            done = end;
        }
        template.extend_from_slice(value.get(done..).unwrap_or_default());
    }
}

/// A template taken apart: texts, each followed by a hole, and the text behind the last one.
pub(crate) struct Template<'a> {
    pieces: Vec<(&'a [u8], u8)>,
    tail: &'a [u8],
}

impl<'a> Template<'a> {
    pub(crate) fn of(template: &'a [u8]) -> Self {
        let mut pieces = Vec::new();
        let mut tail = template;
        while let Some(end) = tail.iter().position(|byte| *byte < HOLES) {
            let (text, behind) = tail.split_at(end);
            if let Some((hole, behind)) = behind.split_first() {
                pieces.push((text, *hole));
                tail = behind;
            }
        }
        Self { pieces, tail }
    }

    /// How many numbers it takes.
    pub(crate) fn holes(&self) -> usize {
        self.pieces.len()
    }

    /// Appends its text, taking the next number of each column that it needs.
    pub(crate) fn expand(&self, numbers: &mut [impl Iterator<Item = i64>], out: &mut Vec<u8>) -> Option<()> {
        let mut columns = numbers.iter_mut();
        for (text, hole) in &self.pieces {
            out.extend_from_slice(text);
            put_digits(columns.next()?.next()?, usize::from(*hole), out)?;
        }
        out.extend_from_slice(self.tail);
        Some(())
    }
}

// Appends a number of so many digits, or of as many as it has where `fixed` is zero.
fn put_digits(number: i64, fixed: usize, out: &mut Vec<u8>) -> Option<()> {
    let mut rest = u64::try_from(number).ok()?;
    let mut buffer = [b'0'; 20];
    let mut len = 0;
    for slot in buffer.iter_mut().rev() {
        if rest == 0 && len > 0 {
            break;
        }
        *slot = b'0' + (rest % 10) as u8;
        rest /= 10;
        len += 1;
    }
    if fixed > 0 && fixed < len {
        return None;
    }
    out.extend_from_slice(buffer.get(buffer.len() - len.max(fixed)..)?);
    Some(())
}
