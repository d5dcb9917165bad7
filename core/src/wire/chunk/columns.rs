//! Run-length columns as Automerge writes them: runs, literals and nulls.
//!
//! The reader accepts one encoding of a sequence, the one the writer makes: equal neighbours always in one run, single
//! values always in one literal, no empty segment.

use super::leb::{Reader, put_prefixed, put_signed, put_unsigned};

/// What a run-length column may hold.
pub(crate) trait Item<'a>: Copy + PartialEq {
    fn read(reader: &mut Reader<'a>) -> Option<Self>;
    fn write(self, out: &mut Vec<u8>);
}

impl Item<'_> for u64 {
    #[inline]
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        reader.unsigned()
    }
    fn write(self, out: &mut Vec<u8>) {
        put_unsigned(out, self);
    }
}

impl Item<'_> for i64 {
    #[inline]
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        reader.signed()
    }
    fn write(self, out: &mut Vec<u8>) {
        put_signed(out, self);
    }
}

impl<'a> Item<'a> for &'a [u8] {
    #[inline]
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        reader.prefixed()
    }
    fn write(self, out: &mut Vec<u8>) {
        put_prefixed(out, self);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Segment {
    Start,
    Run,
    Literal,
    Null,
}

/// Reads a run-length column value by value.
#[derive(Clone)]
pub(crate) struct RleReader<'a, T> {
    reader: Reader<'a>,
    segment: Segment,
    left: u64,
    last: Option<T>,
}

impl<'a, T: Item<'a>> RleReader<'a, T> {
    pub(crate) fn new(column: &'a [u8]) -> Self {
        Self { reader: Reader::new(column), segment: Segment::Start, left: 0, last: None }
    }

    /// Whether every value was read.
    pub(crate) fn done(&self) -> bool {
        self.left == 0 && self.reader.is_empty()
    }

    /// Bytes behind the value that was read last.
    pub(crate) fn unread(&self) -> usize {
        self.reader.rest().len()
    }

    /// The next value, null being `Some(None)`; `None` at the end and where the column is not canonical.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Option<T>> {
        if self.left == 0 {
            self.open()?;
        }
        self.left -= 1;
        if self.segment == Segment::Literal {
            let value = T::read(&mut self.reader)?;
            if self.last == Some(value) {
                return None;
            }
            self.last = Some(value);
        }
        Some(self.last)
    }

    /// The next value and how often it stands there in a row, at most so often.
    pub(crate) fn run(&mut self, most: u64) -> Option<(Option<T>, u64)> {
        if self.left == 0 {
            self.open()?;
        }
        if self.segment == Segment::Literal {
            return Some((self.next()?, 1));
        }
        let count = self.left.min(most);
        self.left -= count;
        Some((self.last, count))
    }

    /// Takes so many values that are all this one.
    pub(crate) fn take(&mut self, value: Option<T>, mut count: u64) -> Option<()> {
        while count > 0 {
            let (found, many) = self.run(count)?;
            if found != value {
                return None;
            }
            count -= many;
        }
        Some(())
    }

    /// As [`Self::take`] of nulls, in a column that is left out when it holds only nulls.
    pub(crate) fn take_nulls(&mut self, count: u64) -> Option<()> {
        let left_out = self.segment == Segment::Start && self.reader.is_empty();
        if left_out { Some(()) } else { self.take(None, count) }
    }

    /// The next value of a column without nulls.
    #[inline]
    pub(crate) fn value(&mut self) -> Option<T> {
        self.next()?
    }

    fn open(&mut self) -> Option<()> {
        let count = self.reader.signed()?;
        match count {
            2.. => {
                let value = T::read(&mut self.reader)?;
                if self.last == Some(value) {
                    return None;
                }
                (self.segment, self.left, self.last) = (Segment::Run, count as u64, Some(value));
            }
            1 => return None,
            0 => {
                let nulls = self.reader.unsigned()?;
                if nulls == 0 || self.segment == Segment::Null {
                    return None;
                }
                (self.segment, self.left, self.last) = (Segment::Null, nulls, None);
            }
            _ => {
                if self.segment == Segment::Literal {
                    return None;
                }
                (self.segment, self.left) = (Segment::Literal, count.unsigned_abs());
            }
        }
        Some(())
    }
}

/// Reads integers stored as differences; nulls leave the running value alone.
pub(crate) struct DeltaReader<'a> {
    deltas: RleReader<'a, i64>,
    value: i64,
}

impl<'a> DeltaReader<'a> {
    pub(crate) fn new(column: &'a [u8]) -> Self {
        Self { deltas: RleReader::new(column), value: 0 }
    }

    pub(crate) fn done(&self) -> bool {
        self.deltas.done()
    }

    pub(crate) fn next(&mut self) -> Option<Option<i64>> {
        match self.deltas.next()? {
            None => Some(None),
            Some(delta) => {
                self.value = self.value.checked_add(delta)?;
                Some(Some(self.value))
            }
        }
    }

    /// Takes so many nulls.
    pub(crate) fn take_nulls(&mut self, count: u64) -> Option<()> {
        self.deltas.take(None, count)
    }

    /// Takes so many values, each one more than the one before it.
    pub(crate) fn take_ascending(&mut self, count: u64) -> Option<()> {
        self.deltas.take(Some(1), count)?;
        self.value = self.value.checked_add(i64::try_from(count).ok()?)?;
        Some(())
    }
}

/// Writes a run-length column at the end of a buffer in one pass.
pub(crate) struct RleWriter<'o, T> {
    out: &'o mut Vec<u8>,
    start: usize,
    pending: Option<(Option<T>, u64)>,
    // Where the header of the open literal stands, and how many values follow it.
    literal: Option<(usize, u64)>,
}

impl<'a, 'o, T: Item<'a>> RleWriter<'o, T> {
    pub(crate) fn new(out: &'o mut Vec<u8>) -> Self {
        let start = out.len();
        Self { out, start, pending: None, literal: None }
    }

    #[inline]
    pub(crate) fn push(&mut self, value: Option<T>) {
        self.push_run(value, 1);
    }

    /// The same value so many times.
    #[inline]
    pub(crate) fn push_run(&mut self, value: Option<T>, many: u64) {
        match &mut self.pending {
            Some((last, count)) if *last == value => *count += many,
            _ if many == 0 => {}
            _ => {
                self.flush();
                self.pending = Some((value, many));
            }
        }
    }

    /// Ends the column and returns its length; a column of nulls only has none.
    pub(crate) fn finish(mut self) -> usize {
        let nothing_written = self.out.len() == self.start;
        if !(nothing_written && matches!(self.pending, Some((None, _)))) {
            self.flush();
            self.close_literal();
        }
        self.out.len() - self.start
    }

    fn flush(&mut self) {
        match self.pending.take() {
            None => {}
            Some((None, count)) => {
                self.close_literal();
                self.out.push(0);
                put_unsigned(self.out, count);
            }
            Some((Some(value), 1)) => {
                let (at, count) = self.literal.unwrap_or_else(|| {
                    self.out.push(0);
                    (self.out.len() - 1, 0)
                });
                value.write(self.out);
                self.literal = Some((at, count + 1));
            }
            Some((Some(value), count)) => {
                self.close_literal();
                put_signed(self.out, count as i64);
                value.write(self.out);
            }
        }
    }

    fn close_literal(&mut self) {
        let Some((at, count)) = self.literal.take() else { return };
        if count <= 64 {
            if let Some(header) = self.out.get_mut(at) {
                *header = (count as i64).wrapping_neg() as u8 & 0x7f;
            }
        } else {
            let mut header = Vec::with_capacity(4);
            put_signed(&mut header, -(count as i64));
            self.out.splice(at..=at, header);
        }
    }
}

/// Writes integers as differences.
pub(crate) struct DeltaWriter<'o> {
    deltas: RleWriter<'o, i64>,
    value: i64,
}

impl<'o> DeltaWriter<'o> {
    pub(crate) fn new(out: &'o mut Vec<u8>) -> Self {
        Self { deltas: RleWriter::new(out), value: 0 }
    }

    pub(crate) fn push(&mut self, value: Option<i64>) {
        self.deltas.push(value.map(|v| v.wrapping_sub(self.value)));
        self.value = value.unwrap_or(self.value);
    }

    /// So many values, each one more than the one before it.
    pub(crate) fn push_ascending(&mut self, count: u64) {
        self.deltas.push_run(Some(1), count);
        self.value = self.value.wrapping_add(count as i64);
    }

    /// So many nulls.
    pub(crate) fn push_nulls(&mut self, count: u64) {
        self.deltas.push_run(None, count);
    }

    pub(crate) fn finish(self) -> usize {
        self.deltas.finish()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn write(values: &[Option<u64>]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = RleWriter::new(&mut out);
        values.iter().for_each(|v| writer.push(*v));
        writer.finish();
        out
    }

    fn read(column: &[u8], most: usize) -> Option<Vec<Option<u64>>> {
        let mut reader = RleReader::new(column);
        let mut values = Vec::new();
        while !reader.done() && values.len() < most {
            values.push(reader.next()?);
        }
        reader.done().then_some(values)
    }

    proptest! {
        #[test]
        fn columns_read_as_written(values in proptest::collection::vec(proptest::option::of(0u64..4), 0..200)) {
            let column = write(&values);
            if values.iter().all(Option::is_none) {
                prop_assert!(column.is_empty());
            } else {
                prop_assert_eq!(read(&column, 1_000), Some(values));
            }
        }

        #[test]
        fn runs_read_as_single_values_do(values in proptest::collection::vec(proptest::option::of(0u64..3), 0..60), most in 1u64..9) {
            let mut column = Vec::new();
            let mut writer = RleWriter::new(&mut column);
            for run in values.chunk_by(|a, b| a == b) {
                writer.push_run(run[0], run.len() as u64);
            }
            writer.finish();
            prop_assert_eq!(&column, &write(&values));
            let mut reader = RleReader::new(&column[..]);
            let mut found = Vec::new();
            while !column.is_empty() && !reader.done() {
                let (value, many) = reader.run(most).unwrap();
                prop_assert!((1..=most).contains(&many));
                found.extend(std::iter::repeat_n(value, many as usize));
            }
            prop_assert!(column.is_empty() || found == values);
        }

        #[test]
        fn whatever_reads_has_one_form(column in proptest::collection::vec(prop_oneof![0u8..5, 0x7bu8..0x80, any::<u8>()], 1..12)) {
            if let Some(values) = read(&column, 10_000)
                && !values.iter().all(Option::is_none)
            {
                prop_assert_eq!(write(&values), column);
            }
        }
    }

    #[test]
    fn a_long_literal_has_a_long_header() {
        let values: Vec<_> = (0..300).map(Some).collect();
        assert_eq!(read(&write(&values), 1_000), Some(values));
    }
}
