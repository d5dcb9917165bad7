//! Candidates for merging: pairs of records that are probably the same thing, with a score and the reasons.
//!
//! Nothing is merged here; a person does that. Names alone never outvote a number that belongs to one: two companies of
//! one name with different tax ids are no candidates. The work is linear in the number of records but for sorting.

mod block;
mod evidence;
mod febrl;
mod fold;
mod profile;

use phonenumber::country::Id as Country;

pub use febrl::{Measured, measure_febrl};

use crate::error::Result;
use crate::id::RecordId;
use crate::message::{Language, Message};
use crate::replica::{Query, Replica};
use crate::schema::{Collection, Name, Value};

use evidence::{Column, Filling};

/// Candidates below this score are not shown.
const SCORE_MIN: f64 = 0.4;
/// What it costs a pair, in bits, when first and last name only match crosswise.
const CROSSED_BITS: f64 = 2.0;

/// Two records that are probably the same thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The smaller id.
    pub a: RecordId,
    /// The greater id.
    pub b: RecordId,
    /// How probable it is that they are the same thing, from 0 to 1.
    pub score: f64,
    /// What speaks for it, the strongest first.
    pub reasons: Vec<Reason>,
}

/// Something that speaks for two records being the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// The field.
    pub field: Name,
    /// The value of one of them, in the form in which values were compared.
    pub value: String,
    /// Whether the other has exactly the same, not only a similar one.
    pub same: bool,
    bits: f64,
}

impl Candidate {
    /// The reasons in words: “same Phones +74951234567; similar Name romashka”.
    pub fn why(&self, collection: &Collection, language: Language) -> String {
        let reason = |reason: &Reason| {
            let label = collection.field(&reason.field).map_or(&*reason.field, |f| f.labels.text(language));
            let message = if reason.same { "duplicate-same" } else { "duplicate-similar" };
            Message::new(message).with("field", label).with("value", &reason.value).render(language)
        };
        self.reasons.iter().map(reason).collect::<Vec<_>>().join("; ")
    }
}

/// The candidates of a collection, the most probable first. Archived and merged records are not looked at.
///
/// # Errors
/// `unknown_collection`, and those of the store.
pub fn duplicates(replica: &Replica, collection: &str) -> Result<Vec<Candidate>> {
    let schema = replica.schema();
    let collection = schema.require(collection)?;
    let country = country_of(replica.settings()?.language);
    let sources = profile::sources(collection);
    let fields: Vec<Name> = sources.iter().flat_map(|s| s.fields.clone()).collect();
    let mut rows = Vec::new();
    let query = Query::of(&collection.name).fields(fields.iter().map(|f| &**f));
    replica.each(&query, &mut |record| {
        rows.push((record.id, record.fields));
        Ok(())
    })?;
    Ok(candidates(collection, &rows, country))
}

// Where phones are written without the code of their country.
fn country_of(language: Language) -> Country {
    match language {
        Language::En => Country::US,
        Language::Ru => Country::RU,
        Language::Uk => Country::UA,
    }
}

/// The candidates among these records, the most probable first.
pub(crate) fn candidates(
    collection: &Collection,
    rows: &[(RecordId, Vec<(Name, Value)>)],
    country: Country,
) -> Vec<Candidate> {
    let columns: Vec<Column> = profile::sources(collection)
        .into_iter()
        .map(|source| {
            let mut filling = Filling::new(source, rows.len());
            rows.iter().for_each(|(_, values)| filling.push(values, country));
            filling.finish()
        })
        .collect();
    let judge = Judge { crossing: crossing(&columns), columns, prior: evidence::prior(rows.len()) };
    let mut found: Vec<Candidate> = block::pairs(&judge.columns)
        .into_iter()
        .filter_map(|(x, y)| {
            let (x, y) = (x as usize, y as usize);
            let (mut a, mut b) = (rows.get(x)?.0, rows.get(y)?.0);
            let (score, reasons) = judge.pair(x, y)?;
            if b < a {
                std::mem::swap(&mut a, &mut b);
            }
            Some(Candidate { a, b, score, reasons })
        })
        .collect();
    found.sort_by(|p, q| q.score.total_cmp(&p.score).then_with(|| (p.a, p.b).cmp(&(q.a, q.b))));
    found
}

struct Judge {
    columns: Vec<Column>,
    prior: f64,
    crossing: Option<(usize, usize)>,
}

fn crossing(columns: &[Column]) -> Option<(usize, usize)> {
    let of = |field: &str| columns.iter().position(|c| c.source.fields.iter().any(|f| &**f == field));
    Some((of("first_name")?, of("last_name")?))
}

impl Judge {
    fn pair(&self, a: usize, b: usize) -> Option<(f64, Vec<Reason>)> {
        let mut bits = self.prior;
        let mut reasons = Vec::new();
        let mut names = 0.0;
        for (at, column) in self.columns.iter().enumerate() {
            let verdict = column.verdict(a, b);
            if verdict.veto {
                return None;
            }
            bits += verdict.bits;
            if self.crossing.is_some_and(|(first, last)| at == first || at == last) {
                names += verdict.bits;
            }
            if let (Some((code, same)), true) = (verdict.shared, verdict.bits > 0.0) {
                let field = column.source.fields.first().cloned()?;
                reasons.push(Reason { field, value: column.text(code).to_owned(), same, bits: verdict.bits });
            }
        }
        if let Some((crossed, reason)) = self.crossed(a, b).filter(|(crossed, _)| *crossed > names) {
            bits += crossed - names;
            reasons.push(reason);
        }
        let score = 1.0 / (1.0 + (-bits).exp2());
        reasons.sort_by(|x, y| y.bits.total_cmp(&x.bits));
        (score >= SCORE_MIN).then_some((score, reasons))
    }

    // A first name in the place of the last one and the other way round. Codes of two columns are of no use to each
    // other, so the texts are compared and the rarity of each in its own column counts.
    fn crossed(&self, a: usize, b: usize) -> Option<(f64, Reason)> {
        let (first, last) = self.crossing?;
        let (first, last) = (self.columns.get(first)?, self.columns.get(last)?);
        let code = |column: &Column, record: usize| column.values().get(record)?.first().copied();
        let (a_first, a_last, b_first, b_last) = (code(first, a)?, code(last, a)?, code(first, b)?, code(last, b)?);
        if first.text(a_first) != last.text(b_last) || last.text(a_last) != first.text(b_first) {
            return None;
        }
        let bits = first.bits(a_first, a_first) + last.bits(a_last, a_last) - CROSSED_BITS;
        let value = format!("{} {}", first.text(a_first), last.text(a_last));
        let field = last.source.fields.first()?.clone();
        Some((bits, Reason { field, value, same: false, bits }))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::crm::builtin;
    use crate::time::Day;

    type Fields = Vec<(Name, Value)>;

    fn text(field: &str, value: &str) -> (Name, Value) {
        (field.into(), Value::Text(value.into()))
    }

    fn set(field: &str, value: &str) -> (Name, Value) {
        (field.into(), Value::Set([value.to_owned()].into()))
    }

    fn id(at: usize) -> RecordId {
        RecordId([at as u8; 16])
    }

    fn found(collection: &str, records: &[Fields]) -> Vec<Candidate> {
        let rows: Vec<_> = records.iter().enumerate().map(|(at, values)| (id(at), values.clone())).collect();
        candidates(builtin().require(collection).unwrap(), &rows, Country::RU)
    }

    fn score(collection: &str, a: Fields, b: Fields) -> f64 {
        found(collection, &[a, b]).first().map_or(0.0, |c| c.score)
    }

    #[test]
    fn companies_pair_by_number_phone_mail_or_name() {
        let pairs = [
            (
                vec![text("name", "Ромашка"), text("tax_id", "7707083893")],
                vec![text("name", "Rmk"), text("tax_id", "77 07 083893")],
            ),
            (vec![text("name", "ООО «Ромашка»")], vec![text("name", "РОМАШКА, ооо")]),
            (vec![text("name", "Betasoloin Group")], vec![text("name", "Betasolion Group")]),
            (
                vec![text("name", "Ромашка"), set("phones", "+7 495 123-45-67"), set("emails", "Info@Romashka.ru")],
                vec![text("name", "Romashka LLC"), set("phones", "84951234567"), set("emails", "info@romashka.ru")],
            ),
        ];
        for (a, b) in pairs {
            let score = score("account", a.clone(), b.clone());
            assert!(score >= SCORE_MIN, "{score} {a:?} {b:?}");
        }
    }

    #[test]
    fn equal_names_with_different_tax_ids_are_no_candidates() {
        let one = vec![text("name", "Мир"), text("city", "Тверь"), text("tax_id", "7707083893")];
        let two = vec![text("name", "Мир"), text("city", "Тверь"), text("tax_id", "7707083894")];
        assert_eq!(found("account", &[one, two]), Vec::new());
    }

    #[test]
    fn names_that_differ_by_a_number_are_different() {
        assert_eq!(score("account", vec![text("name", "Школа №5")], vec![text("name", "Школа №6")]), 0.0);
        assert_eq!(score("account", vec![text("name", "Company 1041")], vec![text("name", "Company 1047")]), 0.0);
    }

    #[test]
    fn a_name_that_everybody_has_says_little() {
        let common: Vec<Fields> = (0..20).map(|_| vec![text("name", "Магазин")]).collect();
        assert_eq!(found("account", &common), Vec::new());
    }

    #[test]
    fn people_pair_through_slips_and_swapped_names() {
        let person = |first: &str, last: &str, day: &str| {
            vec![
                text("first_name", first),
                text("last_name", last),
                ("birthday".into(), Value::Date(Day::parse(day).unwrap())),
            ]
        };
        let base = person("Tiana", "Luchetti", "1905-01-27");
        for other in [
            person("Luchetti", "Tiana", "1905-01-27"),
            person("Tianna", "Luchetti", "1905-01-27"),
            person("Tiana", "Luchetti", "1905-01-21"),
        ] {
            let score = score("contact", base.clone(), other.clone());
            assert!(score > 0.9, "{score} {other:?}");
        }
        assert_eq!(score("contact", base.clone(), person("Tiana", "Moore", "1980-05-05")), 0.0);
    }

    #[test]
    fn a_candidate_says_why_in_the_readers_language() {
        let fields = |name: &str| vec![text("name", name), set("phones", "+74951234567")];
        let found = found("account", &[fields("Ромашка"), fields("Ромашки")]);
        let why = found[0].why(builtin().require("account").unwrap(), Language::Ru);
        assert!(why.contains("Телефоны") && why.contains("+74951234567") && why.contains("Название"), "{why}");
        assert!((found[0].a, found[0].b) == (id(0), id(1)) && found[0].score < 1.0);
    }

    #[test]
    fn collections_without_a_table_of_their_own_pair_by_title() {
        assert!(score("campaign", vec![text("name", "Весна 2026")], vec![text("name", "весна  2026")]) > SCORE_MIN);
        assert_eq!(score("campaign", vec![text("name", "Весна 2026")], vec![text("name", "Осень 2026")]), 0.0);
    }
}
