//! The records behind a row, as a condition that lists understand.

use crate::schema::Currency;
use crate::time::Day;

use super::Request;

/// A list that shows the records behind a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drill {
    /// The collection.
    pub collection: &'static str,
    /// The condition, as `--where` takes it; empty for all records.
    pub filter: String,
}

impl Drill {
    /// All records of a collection.
    pub(super) fn into(collection: &'static str) -> Option<Self> {
        Some(Self { collection, filter: String::new() })
    }

    /// Those of them that meet a condition too; none where there is no such condition.
    pub(super) fn and(mut self, condition: Option<String>) -> Option<Self> {
        let condition = condition?;
        if !condition.is_empty() && !self.filter.is_empty() {
            self.filter.push_str(" and ");
        }
        self.filter.push_str(&condition);
        Some(self)
    }

    /// Those of them whose day is in the time that a report is asked for.
    pub(super) fn within(self, field: &str, request: &Request) -> Option<Self> {
        let bound = |sign: &str, day: Option<Day>| day.map(|day| format!("{field} {sign} {}", day.iso()));
        let bounds: Vec<String> = [bound(">=", request.from), bound("<=", request.to)].into_iter().flatten().collect();
        self.and(Some(bounds.join(" and ")))
    }
}

/// `FIELD = "TEXT"`
pub(super) fn is(field: &str, text: &str) -> String {
    format!("{field} = \"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The deals whose amount is in a currency; where it is the workspace's own, in which they count, those without any, too.
pub(super) fn in_currency(currency: Currency, own: Option<Currency>) -> String {
    let code = currency.code();
    let nothing = if own == Some(currency) { "amount is empty or " } else { "" };
    format!("({nothing}amount >= \"0 {code}\" or amount < \"0 {code}\")")
}

/// The days of a month, `2017-03`; of an empty text, no day.
pub(super) fn month(field: &str, month: &str) -> Option<String> {
    if month.is_empty() {
        return Some(format!("{field} is empty"));
    }
    let first = Day::parse(&format!("{month}-01"))?;
    // No month has more days, and the next one begins within them.
    let beyond = Day(first.0 + 31).iso();
    let next = beyond.get(..7)?;
    Some(format!("{field} >= {} and {field} < {next}-01", first.iso()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_those_of_the_filter_language() {
        assert_eq!(is("name", "a\"b\\"), "name = \"a\\\"b\\\\\"");
        assert_eq!(month("day", "2024-02").unwrap(), "day >= 2024-02-01 and day < 2024-03-01");
        assert_eq!(month("day", "2024-12").unwrap(), "day >= 2024-12-01 and day < 2025-01-01");
        assert_eq!(month("day", "").unwrap(), "day is empty");
        assert_eq!(month("day", "soon"), None);
        let all = Drill::into("opportunity").unwrap();
        let some = all.clone().and(Some(String::new())).and_then(|d| d.and(Some(is("stage", "won")))).unwrap();
        assert_eq!(some.filter, "stage = \"won\"");
        assert_eq!(all.and(None), None);
    }
}
