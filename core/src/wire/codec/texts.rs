//! Columns of texts and bytes: a dictionary, templates with numbers in them, a dictionary of words, or as they are.

use super::interner::Interner;
use super::numbers::{put_numbers, read_numbers};
use super::sections::{Readers, Sections};
use super::template::{NUMBERS_MAX, Scan, Template};
use crate::limits::{BATCH_INFLATED_BYTES_MAX, BATCH_OPS_MAX};

const PLAIN: u8 = 0;
const DICTIONARY: u8 = 1;
const TEMPLATES: u8 = 2;
const WORDS: u8 = 3;

/// Shorter columns are written as they are.
const TRANSFORMED_MIN: usize = 6;
/// A column is judged by so many of its first values.
const SAMPLE: usize = 128;

/// Byte strings one behind the other.
#[derive(Debug, Default, Clone)]
pub(crate) struct TextColumn {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl TextColumn {
    pub(crate) fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.ends.push(self.bytes.len() as u32);
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&[u8]> {
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.bytes.get(start as usize..*self.ends.get(index)? as usize)
    }

    pub(crate) fn value(&self, index: usize) -> &[u8] {
        self.get(index).unwrap_or_default()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> + Clone {
        (0..self.len()).map(|index| self.value(index))
    }
}

/// Whether the bytes of a column are worth compressing where they travel as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// Words: into the half that zstd sees.
    Text,
    /// Ids and hashes: into the other one.
    Noise,
}

/// Writes a column; the reader must know its length and nature.
pub(crate) fn put_texts(sections: &mut Sections, column: &TextColumn, nature: Nature) {
    if column.len() == 0 {
        return;
    }
    let transformed = column.len() >= TRANSFORMED_MIN
        && (put_dictionary(sections, column, nature)
            || (nature == Nature::Text && (put_templates(sections, column) || put_words(sections, column))));
    if !transformed {
        sections.text.push(PLAIN);
        put_list(sections, column.iter(), nature);
    }
}

/// Reads a column of `count` values, at most `budget` bytes of them; `None` where the bytes are no such column.
pub(crate) fn read_texts(
    readers: &mut Readers<'_>,
    count: usize,
    nature: Nature,
    budget: &mut usize,
) -> Option<TextColumn> {
    if count == 0 {
        return Some(TextColumn::default());
    }
    let mut column = Bounded { column: TextColumn::default(), budget };
    match readers.text.byte()? {
        PLAIN => read_list(readers, count, nature, &mut column)?,
        DICTIONARY => {
            let entries = read_entries(readers, count, nature)?;
            for index in read_numbers(readers, count)? {
                column.push(entry(&entries, index)?)?;
            }
        }
        TEMPLATES => read_templates(readers, count, &mut column)?,
        WORDS => read_words(readers, count, &mut column)?,
        _ => return None,
    }
    Some(column.column)
}

struct Bounded<'b> {
    column: TextColumn,
    budget: &'b mut usize,
}

impl Bounded<'_> {
    fn push(&mut self, value: &[u8]) -> Option<()> {
        *self.budget = self.budget.checked_sub(value.len())?;
        self.column.push(value);
        Some(())
    }
}

fn put_list<'a>(sections: &mut Sections, values: impl Iterator<Item = &'a [u8]> + Clone, nature: Nature) {
    let lens: Vec<i64> = values.clone().map(|value| value.len() as i64).collect();
    put_numbers(sections, &lens);
    let half = match nature {
        Nature::Text => &mut sections.text,
        Nature::Noise => &mut sections.bits,
    };
    values.for_each(|value| half.extend_from_slice(value));
}

fn read_list(readers: &mut Readers<'_>, count: usize, nature: Nature, column: &mut Bounded<'_>) -> Option<()> {
    for len in read_numbers(readers, count)? {
        let half = match nature {
            Nature::Text => &mut readers.text,
            Nature::Noise => &mut readers.bits,
        };
        column.push(half.take(usize::try_from(len).ok()?)?)?;
    }
    Some(())
}

fn put_entries(sections: &mut Sections, entries: &Interner, nature: Nature) {
    sections.number(entries.len());
    put_list(sections, entries.entries(), nature);
}

fn read_entries(readers: &mut Readers<'_>, most: usize, nature: Nature) -> Option<TextColumn> {
    let count = readers.number(most)?;
    // The entries lie in the batch as they are: its own bound is theirs.
    let mut budget = BATCH_INFLATED_BYTES_MAX;
    let mut entries = Bounded { column: TextColumn::default(), budget: &mut budget };
    read_list(readers, count, nature, &mut entries)?;
    Some(entries.column)
}

fn entry(entries: &TextColumn, index: i64) -> Option<&[u8]> {
    let index = usize::try_from(index).ok().filter(|index| *index < entries.len())?;
    Some(entries.value(index))
}

// Numbers each value of an iterator by its first appearance, unless most values are new.
fn intern_all<'a>(values: impl Iterator<Item = &'a [u8]>, count: usize) -> Option<(Interner, Vec<i64>)> {
    let mut interner = Interner::new(count / 3 + 1);
    let mut indices = Vec::with_capacity(count);
    for value in values {
        indices.push(interner.intern(value)? as i64);
        if indices.len() == SAMPLE && interner.len() > SAMPLE * 3 / 4 {
            return None;
        }
    }
    Some((interner, indices))
}

fn put_dictionary(sections: &mut Sections, column: &TextColumn, nature: Nature) -> bool {
    let Some((entries, indices)) = intern_all(column.iter(), column.len()) else { return false };
    sections.text.push(DICTIONARY);
    put_entries(sections, &entries, nature);
    put_numbers(sections, &indices);
    true
}

fn put_templates(sections: &mut Sections, column: &TextColumn) -> bool {
    let Some(scan) = Scan::of(column) else { return false };
    let mut entries = Interner::new(column.len() / 3 + 1);
    let mut indices = Vec::with_capacity(column.len());
    let mut numbers: Vec<Vec<i64>> = Vec::new();
    let mut template = Vec::new();
    for (value, runs) in column.iter().zip(scan.each()) {
        scan.template_of(value, runs, &mut template, &mut numbers);
        let Some(index) = entries.intern(&template) else { return false };
        indices.push(index as i64);
        if indices.len() == SAMPLE && entries.len() > SAMPLE * 3 / 4 {
            return false;
        }
    }
    if numbers.iter().map(Vec::len).sum::<usize>() > BATCH_OPS_MAX {
        return false;
    }
    sections.text.push(TEMPLATES);
    put_entries(sections, &entries, Nature::Text);
    put_numbers(sections, &indices);
    numbers.iter().for_each(|values| put_numbers(sections, values));
    true
}

fn read_templates(readers: &mut Readers<'_>, count: usize, column: &mut Bounded<'_>) -> Option<()> {
    let entries = read_entries(readers, count, Nature::Text)?;
    let indices = read_numbers(readers, count)?;
    let templates: Vec<Template<'_>> = entries.iter().map(Template::of).collect();
    // How many values have a first number, a second one, and so on.
    let mut lens = [0usize; NUMBERS_MAX];
    for index in &indices {
        let holes = templates.get(usize::try_from(*index).ok()?)?.holes();
        lens.get_mut(..holes)?.iter_mut().for_each(|len| *len += 1);
    }
    if lens.iter().sum::<usize>() > BATCH_OPS_MAX {
        return None;
    }
    let mut numbers = Vec::new();
    for len in lens.into_iter().take_while(|len| *len > 0) {
        numbers.push(read_numbers(readers, len)?.into_iter());
    }
    let mut value = Vec::new();
    for index in indices {
        value.clear();
        templates.get(usize::try_from(index).ok()?)?.expand(&mut numbers, &mut value)?;
        column.push(&value)?;
    }
    Some(())
}

fn put_words(sections: &mut Sections, column: &TextColumn) -> bool {
    let split = |value: &'_ [u8]| value.iter().filter(|byte| **byte == b' ').count() + 1;
    let counts: Vec<i64> = column.iter().map(|value| split(value) as i64).collect();
    let total = counts.iter().sum::<i64>() as usize;
    if total < column.len() * 3 / 2 || total > BATCH_OPS_MAX {
        return false;
    }
    let words = column.iter().flat_map(|value| value.split(|byte| *byte == b' '));
    let Some((entries, indices)) = intern_all(words, total) else { return false };
    sections.text.push(WORDS);
    put_numbers(sections, &counts);
    put_entries(sections, &entries, Nature::Text);
    put_numbers(sections, &indices);
    true
}

fn read_words(readers: &mut Readers<'_>, count: usize, column: &mut Bounded<'_>) -> Option<()> {
    let counts = read_numbers(readers, count)?;
    let mut total = 0usize;
    for words in &counts {
        let words = usize::try_from(*words).ok().filter(|words| *words > 0)?;
        total = total.checked_add(words).filter(|total| *total <= BATCH_OPS_MAX)?;
    }
    let entries = read_entries(readers, total, Nature::Text)?;
    let mut indices = read_numbers(readers, total)?.into_iter();
    let mut value = Vec::new();
    for words in counts {
        value.clear();
        for word in 0..words {
            if word > 0 {
                value.push(b' ');
            }
            value.extend_from_slice(entry(&entries, indices.next()?)?);
            if value.len() > *column.budget {
                return None;
            }
        }
        column.push(&value)?;
    }
    Some(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::codec::sections::Opened;

    fn there_and_back(values: &[Vec<u8>], nature: Nature) -> (Vec<Vec<u8>>, usize) {
        let mut column = TextColumn::default();
        values.iter().for_each(|value| column.push(value));
        let mut sections = Sections::default();
        put_texts(&mut sections, &column, nature);
        let frame = sections.seal(3).unwrap();
        let opened = Opened::new(&frame).unwrap();
        let mut readers = opened.readers();
        let mut budget = BATCH_INFLATED_BYTES_MAX;
        let read = read_texts(&mut readers, values.len(), nature, &mut budget).unwrap();
        assert!(readers.ended());
        (read.iter().map(<[u8]>::to_vec).collect(), frame.len())
    }

    fn texts() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let of = |pattern: &'static str| proptest::collection::vec(pattern.prop_map(String::into_bytes), 0..60);
        prop_oneof![
            of("[ab]{0,2}"),
            of("(A|B)-[0-9]{1,4}/0{0,3}[0-9]{1,20}"),
            of("(один|two|3)( (один|two|3|00)){0,4}"),
            of("[а-я0-9 \\n]{0,20}"),
            proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..60),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

        #[test]
        fn columns_read_as_written(values in texts(), noise: bool) {
            let nature = if noise { Nature::Noise } else { Nature::Text };
            prop_assert_eq!(there_and_back(&values, nature).0, values);
        }

        #[test]
        fn any_bytes_read_or_are_refused(mode in 0u8..5, text in proptest::collection::vec(any::<u8>(), 0..60), bits in proptest::collection::vec(any::<u8>(), 0..40), count in 1usize..100) {
            let text = [vec![mode], text].concat();
            let frame = Sections { text, bits }.seal(1).unwrap();
            let opened = Opened::new(&frame).unwrap();
            let mut budget = 1000;
            if let Some(column) = read_texts(&mut opened.readers(), count, Nature::Text, &mut budget) {
                prop_assert_eq!(column.len(), count);
                prop_assert!(column.bytes.len() <= 1000);
            }
        }
    }

    #[test]
    fn keys_that_count_take_no_room_of_their_own() {
        let values: Vec<Vec<u8>> = (0..2500).map(|i| format!("X{i:07}").into_bytes()).collect();
        assert!(there_and_back(&values, Nature::Text).1 < 60);
        let values: Vec<Vec<u8>> = (0..2500).map(|i| format!("info{i}@example{}.com", i % 97).into_bytes()).collect();
        assert!(there_and_back(&values, Nature::Text).1 < 300);
    }
}
