//! Which pairs are worth comparing: all of them would be too many.
//!
//! Records are brought together that share a value, that share a rare word, or that stand next to each other when
//! sorted by their words, forwards and backwards. The work grows with the number of records, never with its square:
//! groups and windows are bounded.

use std::collections::HashMap;

use super::evidence::Column;
use super::profile::Likeness;

/// Larger groups say nothing: a town, a common word.
const GROUP_RECORDS_MAX: usize = 24;
/// How many neighbours in sorted order a record is compared with.
const WINDOW: usize = 4;
/// Shorter words bring nobody together.
const WORD_CHARS_MIN: usize = 3;

/// Pairs of record indices, the smaller first, each once.
pub(super) fn pairs(columns: &[Column]) -> Vec<(u32, u32)> {
    let mut pairs = Vec::new();
    for column in columns.iter().filter(|c| c.source.evidence.blocks) {
        shared_values(column, &mut pairs);
        if column.source.evidence.likeness == Likeness::Organisation {
            shared_words(&[column], &mut pairs);
        }
    }
    let names: Vec<&Column> = columns.iter().filter(|c| is_name(c)).collect();
    if !names.is_empty() {
        shared_words(&names, &mut pairs);
        neighbours(&names, &mut pairs);
    }
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

fn is_name(column: &Column) -> bool {
    let named = |field: &str| field.contains("name") || field == "company";
    column.source.fields.iter().any(|f| named(f)) || column.source.evidence.likeness == Likeness::Organisation
}

fn shared_values(column: &Column, pairs: &mut Vec<(u32, u32)>) {
    let mut groups: HashMap<u32, Vec<u32>> = HashMap::new();
    for (record, codes) in column.values().iter().enumerate() {
        for code in codes {
            groups.entry(*code).or_default().push(record as u32);
        }
    }
    groups.into_values().for_each(|group| all_pairs(&group, pairs));
}

// The words of all names of a record together, so that a first name in the place of the last one is found too.
fn shared_words(names: &[&Column], pairs: &mut Vec<(u32, u32)>) {
    let mut groups: HashMap<String, Vec<u32>> = HashMap::new();
    for record in 0..records(names) {
        let words = words_of(names, record);
        for (at, word) in words.iter().enumerate() {
            if word.chars().count() >= WORD_CHARS_MIN {
                groups.entry((*word).to_owned()).or_default().push(record as u32);
            }
            // Two common words together are rare: `Anna Petrova`.
            for other in words.iter().skip(at + 1) {
                groups.entry(format!("{word} {other}")).or_default().push(record as u32);
            }
        }
    }
    groups.into_values().for_each(|group| all_pairs(&group, pairs));
}

fn words_of<'a>(names: &[&'a Column], record: usize) -> Vec<&'a str> {
    const WORDS_MAX: usize = 8;
    let codes = names.iter().filter_map(|c| Some((c, c.values().get(record)?)));
    let texts = codes.flat_map(|(column, codes)| codes.iter().map(|code| column.text(*code)));
    let mut words: Vec<&str> = texts.flat_map(|text| text.split(' ')).take(WORDS_MAX).collect();
    words.sort_unstable();
    words.dedup();
    words
}

fn neighbours(names: &[&Column], pairs: &mut Vec<(u32, u32)>) {
    let mut keys: Vec<(String, u32)> = Vec::new();
    for record in 0..records(names) {
        let words = words_of(names, record).join(" ");
        if !words.is_empty() {
            keys.push((words, record as u32));
        }
    }
    window(&mut keys, pairs);
    for (key, _) in &mut keys {
        *key = key.chars().rev().collect();
    }
    window(&mut keys, pairs);
}

fn window(keys: &mut [(String, u32)], pairs: &mut Vec<(u32, u32)>) {
    keys.sort_unstable();
    for (at, (_, record)) in keys.iter().enumerate() {
        for (_, other) in keys.iter().skip(at + 1).take(WINDOW) {
            push(*record, *other, pairs);
        }
    }
}

fn records(columns: &[&Column]) -> usize {
    columns.first().map_or(0, |c| c.values().len())
}

fn all_pairs(group: &[u32], pairs: &mut Vec<(u32, u32)>) {
    if group.len() > GROUP_RECORDS_MAX {
        return;
    }
    for (at, record) in group.iter().enumerate() {
        for other in group.iter().skip(at + 1) {
            push(*record, *other, pairs);
        }
    }
}

fn push(a: u32, b: u32, pairs: &mut Vec<(u32, u32)>) {
    if a != b {
        pairs.push((a.min(b), a.max(b)));
    }
}
