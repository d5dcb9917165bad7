//! The generated company of the benchmarks: accounts of eleven text fields, names in Cyrillic and Latin.
//!
//! A record is a pure function of its number, so that every run and every process sees the same ones.

/// Mixed into each record's number; another seed is another company.
pub const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

const FIRST: [&str; 13] = [
    "North",
    "River",
    "Granite",
    "Amber",
    "Silver",
    "Cedar",
    "Harbor",
    "Meadow",
    "Vector",
    "Orbit",
    "Заря",
    "Восток",
    "Нева",
];
const SECOND: [&str; 12] = [
    "Foods",
    "Logistics",
    "Textile",
    "Medical",
    "Energy",
    "Print",
    "Steel",
    "Dairy",
    "Optics",
    "Агро",
    "Сервис",
    "Торг",
];
const NOTES: [&str; 7] = ["called", "asked", "price", "later", "visit", "договор", "счёт"];
/// The values of `industry`.
pub const INDUSTRIES: [&str; 4] = ["retail", "medical", "software", "finance"];
/// The values of `city`.
pub const CITIES: [&str; 5] = ["Москва", "Самара", "Lviv", "Киев", "Tver"];

/// Draws below a bound, again and again: xorshift, started from a record's number.
#[derive(Debug, Clone)]
pub struct Draw(u64);

impl Draw {
    /// The draws of a record.
    pub fn of(number: usize) -> Self {
        Self((number as u64 + 1).wrapping_mul(SEED))
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound) as usize
    }

    fn one_of(&mut self, words: &[&'static str]) -> &'static str {
        words[self.below(words.len() as u64)]
    }
}

/// The fields of an account, in the order in which a form shows them.
pub fn account(number: usize) -> Vec<(&'static str, String)> {
    let mut draw = Draw::of(number);
    let name = format!("{} {} {number:06}", draw.one_of(&FIRST), draw.one_of(&SECOND));
    vec![
        ("external_id", format!("X{number:07}")),
        ("legal_name", format!("{name} LLC")),
        ("name", name),
        ("tax_id", (7_000_000_000 + (number as u64 * 37) % 999_999_937).to_string()),
        ("industry", draw.one_of(&INDUSTRIES).to_owned()),
        ("phones", format!("+7495{:07}", draw.below(10_000_000))),
        ("emails", format!("info{number}@example{}.com", number % 97)),
        ("city", draw.one_of(&CITIES).to_owned()),
        ("address", format!("ул. Мира {}-{}", draw.below(299) + 1, draw.below(98) + 1)),
        ("website", format!("www.example{number}.com")),
        ("notes", (0..6).map(|_| draw.one_of(&NOTES)).collect::<Vec<_>>().join(" ")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_company_never_changes() {
        let record = account(7);
        assert_eq!(record, account(7));
        assert_eq!(record[0].1, "X0000007");
        assert_eq!(record[2].1, "Granite Торг 000007");
    }
}
