//! The folded values of all records, counted, and what two of them together say.
//!
//! Evidence is counted in bits, after Fellegi and Sunter: a shared value says log2(m / u), where m is how often the same
//! thing has it in both records and u how often two different things share it by chance. How often that is comes from
//! the data: sharing a rare name says more than sharing a common one.

use std::collections::HashMap;

use phonenumber::country::Id as Country;

use super::fold;
use super::profile::{Likeness, Source};
use crate::schema::{Name, Value};

/// How often the same thing has the same value in two records.
const SAME: f64 = 0.95;
/// The weight of the chance that a trait declares against what the data says, in records.
const PRIOR_RECORDS: f64 = 1_000.0;
/// Bits lost for each unit of difference between two spellings.
const BITS_PER_DIFFERENCE: f64 = 33.0;
/// Spellings less alike than this are different.
const LIKENESS_MIN: f64 = 0.8;
/// Most values of one field that are looked at.
const VALUES_MAX: usize = 20;

/// A value, as its number among the values of its column.
pub(super) type Code = u32;

/// The values of one source for all records.
pub(super) struct Column {
    pub(super) source: Source,
    /// The field that each record's values were read from, by index into the source's.
    values: Vec<Vec<Code>>,
    texts: Vec<String>,
    counts: Vec<u32>,
    /// What each value says when two records share it, in bits; known once the column is filled.
    agreements: Vec<f64>,
}

/// What two records say together about one source.
pub(super) struct Verdict {
    /// Evidence for (positive) or against their being the same.
    pub(super) bits: f64,
    /// The shared value and whether it is exactly the same, where it speaks for.
    pub(super) shared: Option<(Code, bool)>,
    /// Whether it forbids the pair.
    pub(super) veto: bool,
}

impl Column {
    /// An empty column for so many records.
    pub(super) fn new(source: Source, records: usize) -> Self {
        Self {
            source,
            values: Vec::with_capacity(records),
            texts: Vec::new(),
            counts: Vec::new(),
            agreements: Vec::new(),
        }
    }

    /// The values of each record, in the order in which they were added.
    pub(super) fn values(&self) -> &[Vec<Code>] {
        &self.values
    }

    /// The folded text of a value.
    pub(super) fn text(&self, code: Code) -> &str {
        self.texts.get(code as usize).map_or("", String::as_str)
    }

    fn agreement(&self, code: Code) -> f64 {
        self.agreements.get(code as usize).copied().unwrap_or_default()
    }

    /// What the values of two records say; nothing where one has none.
    pub(super) fn verdict(&self, a: usize, b: usize) -> Verdict {
        let none = Verdict { bits: 0.0, shared: None, veto: false };
        let (Some(left), Some(right)) = (self.values.get(a), self.values.get(b)) else { return none };
        if left.is_empty() || right.is_empty() {
            return none;
        }
        let mut best = Verdict { bits: self.source.evidence.differs, shared: None, veto: self.source.evidence.veto };
        for x in left {
            for y in right {
                let bits = self.bits(*x, *y);
                if bits > best.bits {
                    best = Verdict { bits, shared: Some((*x, x == y)), veto: self.source.evidence.veto && x != y };
                }
            }
        }
        best
    }

    /// What two values say, in bits.
    pub(super) fn bits(&self, x: Code, y: Code) -> f64 {
        let evidence = &self.source.evidence;
        // The commoner of the two says less.
        let agree = self.agreement(x).min(self.agreement(y));
        if x == y {
            return agree;
        }
        let alike = likeness(evidence.likeness, self.text(x), self.text(y));
        if alike < LIKENESS_MIN {
            return evidence.differs;
        }
        (agree - (1.0 - alike) * BITS_PER_DIFFERENCE).max(evidence.differs)
    }
}

/// The evidence needed before two of so many records are as likely the same as not, in bits.
pub(super) fn prior(records: usize) -> f64 {
    -(records as f64).max(PRIOR_RECORDS).log2()
}

/// How alike two folded values are, from 0 to 1.
fn likeness(of: Likeness, a: &str, b: &str) -> f64 {
    match of {
        Likeness::Identifier | Likeness::Day => {
            let slip = strsim::osa_distance(a, b) == 1 && a.len().min(b.len()) >= 4;
            if slip { 0.9 } else { 0.0 }
        }
        Likeness::Phone | Likeness::Email | Likeness::Website => 0.0,
        Likeness::Organisation | Likeness::Words => {
            // `School 5` and `School 6` are two schools, however alike their names.
            if !digits(a).eq(digits(b)) {
                return 0.0;
            }
            if !a.contains(' ') && !b.contains(' ') {
                return strsim::jaro_winkler(a, b);
            }
            let (shorter, longer) = (a.len().min(b.len()), a.len().max(b.len()));
            if (shorter as f64) < LIKENESS_MIN * longer as f64 {
                return 0.0;
            }
            let plain = strsim::normalized_damerau_levenshtein(a, b);
            if plain >= LIKENESS_MIN {
                return plain;
            }
            strsim::normalized_damerau_levenshtein(&sorted_words(a), &sorted_words(b))
        }
    }
}

fn digits(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().filter(u8::is_ascii_digit)
}

fn sorted_words(text: &str) -> String {
    let mut words: Vec<&str> = text.split(' ').collect();
    words.sort_unstable();
    words.join(" ")
}

/// Fills a column record by record.
pub(super) struct Filling {
    column: Column,
    codes: HashMap<String, Code>,
}

impl Filling {
    /// A column to be filled.
    pub(super) fn new(source: Source, records: usize) -> Self {
        Self { column: Column::new(source, records), codes: HashMap::new() }
    }

    /// Adds the values of the next record.
    pub(super) fn push(&mut self, values: &[(Name, Value)], country: Country) {
        let held = |field: &Name| values.iter().find(|(name, _)| name == field).map(|(_, value)| value);
        let likeness = self.column.source.evidence.likeness;
        let mut folded: Vec<String> = Vec::new();
        for value in self.column.source.fields.iter().filter_map(held) {
            fold_value(likeness, value, country, &mut folded);
            if !folded.is_empty() {
                break;
            }
        }
        folded.sort_unstable();
        folded.dedup();
        folded.truncate(VALUES_MAX);
        let codes = folded.into_iter().map(|text| self.code(text)).collect();
        self.column.values.push(codes);
    }

    fn code(&mut self, text: String) -> Code {
        let next = self.column.texts.len() as Code;
        let code = *self.codes.entry(text).or_insert_with_key(|text| {
            self.column.texts.push(text.clone());
            self.column.counts.push(0);
            next
        });
        if let Some(count) = self.column.counts.get_mut(code as usize) {
            *count += 1;
        }
        code
    }

    /// The filled column.
    pub(super) fn finish(mut self) -> Column {
        let column = &mut self.column;
        let (records, chance) = (column.values.len() as f64, column.source.evidence.chance);
        let agreement = |count: &u32| {
            // The two records themselves are no evidence of how common their value is.
            let others = f64::from(count.saturating_sub(2));
            (SAME * (records + PRIOR_RECORDS) / (others + chance * PRIOR_RECORDS)).log2()
        };
        column.agreements = column.counts.iter().map(agreement).collect();
        self.column
    }
}

fn fold_value(likeness: Likeness, value: &Value, country: Country, into: &mut Vec<String>) {
    let fold = |text: &str| match likeness {
        Likeness::Identifier | Likeness::Day => fold::identifier(text),
        Likeness::Phone => fold::phone(text, country),
        Likeness::Email => fold::email(text),
        Likeness::Website => fold::website(text),
        Likeness::Organisation => fold::organisation(text),
        Likeness::Words => fold::text(text),
    };
    match value {
        Value::Text(text) => into.push(fold(text)),
        Value::Date(day) => into.push(fold(&day.iso())),
        Value::Set(items) => into.extend(items.iter().map(|item| fold(item))),
        _ => {}
    }
    into.retain(|text| !text.is_empty());
}
