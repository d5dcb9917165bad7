//! How well candidates are found: precision and recall on the Febrl data sets, whose record ids say the truth.

use std::collections::HashSet;

use phonenumber::country::Id as Country;

use super::candidates;
use crate::crm::builtin;
use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::schema::{Name, Value};
use crate::time::Day;

/// The outcome of a measurement: counts of pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// Pairs that are the same person.
    pub truth: usize,
    /// Pairs found.
    pub found: usize,
    /// Pairs found that are the same person.
    pub right: usize,
}

impl Measured {
    /// The part of what was found that is right.
    pub fn precision(&self) -> f64 {
        self.right as f64 / self.found.max(1) as f64
    }

    /// The part of what there was to find that was found.
    pub fn recall(&self) -> f64 {
        self.right as f64 / self.truth.max(1) as f64
    }
}

/// Finds candidates among the people of a Febrl file as contacts, and compares them with the truth in `rec_id`
/// (`rec-10-org` and `rec-10-dup-0` are one person). Pairs with at least `score_min` count as found. The file's social
/// security numbers are never misspelled and make it easy; without `with_personal_id` they are left out.
///
/// # Errors
/// `febrl_file` when the text is no such file.
pub fn measure_febrl(csv: &str, with_personal_id: bool, score_min: f64) -> Result<Measured> {
    let people = read(csv, with_personal_id)?;
    let person_of = |id: &RecordId| people.iter().find(|p| p.id == *id).map(|p| p.person.as_str());
    let rows: Vec<_> = people.iter().map(|p| (p.id, p.values.clone())).collect();
    let collection = builtin().require("contact")?;
    let found = candidates(collection, &rows, Country::AU);
    let found: Vec<_> = found.iter().filter(|c| c.score >= score_min).collect();
    let right = found.iter().filter(|c| person_of(&c.a) == person_of(&c.b)).count();
    let persons: HashSet<&str> = people.iter().map(|p| p.person.as_str()).collect();
    let of_person = |person: &&str| people.iter().filter(|p| p.person == *person).count();
    let truth = persons.iter().map(of_person).map(|n| n * n.saturating_sub(1) / 2).sum();
    Ok(Measured { truth, found: found.len(), right })
}

struct FebrlPerson {
    id: RecordId,
    person: String,
    values: Vec<(Name, Value)>,
}

const COLUMNS: [(&str, &str); 8] = [
    ("given_name", "first_name"),
    ("surname", "last_name"),
    ("suburb", "city"),
    ("state", "region"),
    ("postcode", "postcode"),
    ("address_1", "address"),
    ("date_of_birth", "birthday"),
    ("soc_sec_id", "personal_id"),
];

fn read(csv: &str, with_personal_id: bool) -> Result<Vec<FebrlPerson>> {
    let broken = |reason: String| Error::invalid("febrl-file").with("reason", reason);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(csv.as_bytes());
    let headings = reader.headers().map_err(|e| broken(e.to_string()))?.clone();
    let column = |name: &str| headings.iter().position(|h| h == name).ok_or_else(|| broken(name.to_owned()));
    let (rec_id, number) = (column("rec_id")?, column("street_number")?);
    let columns = COLUMNS.map(|(from, to)| column(from).map(|at| (at, to)));
    let columns = columns.into_iter().collect::<Result<Vec<_>>>()?;
    let mut people = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|e| broken(e.to_string()))?;
        let rec_id = row.get(rec_id).unwrap_or_default();
        let mut values = Vec::new();
        for (at, field) in &columns {
            let text = row.get(*at).unwrap_or_default();
            let value = match *field {
                _ if text.is_empty() => continue,
                "personal_id" if !with_personal_id => continue,
                "birthday" => match Day::parse_with(text, "%Y%m%d") {
                    Some(day) => Value::Date(day),
                    None => continue,
                },
                "address" => Value::Text(format!("{} {text}", row.get(number).unwrap_or_default()).trim().to_owned()),
                _ => Value::Text(text.to_owned()),
            };
            values.push((Name::from(*field), value));
        }
        let person = rec_id.split('-').take(2).collect::<Vec<_>>().join("-");
        people.push(FebrlPerson { id: RecordId::derived(&[rec_id.as_bytes()]), person, values });
    }
    Ok(people)
}
