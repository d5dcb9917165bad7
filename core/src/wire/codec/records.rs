//! The table of records: ids by what neighbours share.
//!
//! A drawn id is milliseconds, a counter and 64 bits that stay the same for a process: those stand once, the others
//! are columns of small differences. Derived ids are noise.

use super::interner::Interner;
use super::numbers::{put_numbers, read_numbers};
use super::sections::{Readers, Sections};
use crate::id::RecordId;
use crate::limits::BATCH_CHANGES_MAX;

/// Milliseconds in a drawn id.
pub(crate) fn drawn_at(id: &RecordId) -> Option<i64> {
    Drawn::of(id).map(|drawn| drawn.ms)
}

struct Drawn {
    ms: i64,
    counter: i64,
    low: [u8; 8],
}

impl Drawn {
    fn of(id: &RecordId) -> Option<Self> {
        let (high, low) = id.0.split_first_chunk::<8>()?;
        let high = u64::from_be_bytes(*high);
        let low = low.first_chunk::<8>()?;
        (high >> 12 & 0xf == 7).then_some(Self { ms: (high >> 16) as i64, counter: (high & 0xfff) as i64, low: *low })
    }

    fn id(&self) -> Option<RecordId> {
        let ms = u64::try_from(self.ms).ok().filter(|ms| ms >> 48 == 0)?;
        let counter = u64::try_from(self.counter).ok().filter(|counter| counter >> 12 == 0)?;
        let mut id = [0; 16];
        let (high, low) = id.split_at_mut(8);
        high.copy_from_slice(&(ms << 16 | 0x7000 | counter).to_be_bytes());
        low.copy_from_slice(&self.low);
        Some(RecordId(id))
    }
}

/// Writes the ids and the number of each record's collection.
pub(crate) fn put_records(sections: &mut Sections, records: &[(RecordId, usize)]) {
    sections.number(records.len());
    let mut lows = Interner::new(records.len());
    let (mut classes, mut ms, mut counters) = (Vec::with_capacity(records.len()), Vec::new(), Vec::new());
    let mut raw = Vec::new();
    for (id, _) in records {
        match Drawn::of(id).and_then(|drawn| Some((lows.intern(&drawn.low)?, drawn))) {
            Some((low, drawn)) => {
                classes.push(low as i64 + 1);
                ms.push(drawn.ms);
                counters.push(drawn.counter);
            }
            None => {
                classes.push(0);
                raw.push(id);
            }
        }
    }
    sections.number(lows.len());
    lows.entries().for_each(|low| sections.bits.extend_from_slice(low));
    put_numbers(sections, &classes);
    put_numbers(sections, &ms);
    put_numbers(sections, &counters);
    raw.iter().for_each(|id| sections.bits.extend_from_slice(&id.0));
    let collections: Vec<i64> = records.iter().map(|(_, collection)| *collection as i64).collect();
    put_numbers(sections, &collections);
}

/// Reads what [`put_records`] wrote; each collection below `collections`.
pub(crate) fn read_records(readers: &mut Readers<'_>, collections: usize) -> Option<Vec<(RecordId, usize)>> {
    let count = readers.number(BATCH_CHANGES_MAX)?;
    let many = readers.number(count)?;
    let lows = (0..many).map(|_| readers.bits.array::<8>()).collect::<Option<Vec<_>>>()?;
    let classes = read_numbers(readers, count)?;
    let drawn = classes.iter().filter(|class| **class != 0).count();
    let mut ms = read_numbers(readers, drawn)?.into_iter();
    let mut counters = read_numbers(readers, drawn)?.into_iter();
    let mut ids = Vec::with_capacity(count);
    for class in classes {
        ids.push(match usize::try_from(class).ok()?.checked_sub(1) {
            None => RecordId(readers.bits.array()?),
            Some(low) => Drawn { ms: ms.next()?, counter: counters.next()?, low: *lows.get(low)? }.id()?,
        });
    }
    let numbers = read_numbers(readers, count)?;
    let below = |number: i64| usize::try_from(number).ok().filter(|number| *number < collections);
    ids.into_iter().zip(numbers).map(|(id, number)| Some((id, below(number)?))).collect()
}
