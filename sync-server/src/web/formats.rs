//! How a person reads and types numbers, days and moments: the one place through which pages write them and forms take
//! them.
//!
//! What programs read (files, addresses, filters) is not written here: it has a decimal point, ISO 8601 and UTC.

use branchline_core::message::Language;
use branchline_core::replica::Preferences;
use branchline_core::schema::{Field, FieldType};
use branchline_core::time::{Day, Millis};
use branchline_core::{Error, Result};
use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, TimeZone as _, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};

/// What stands between the groups of a number on pages, for all three languages.
const NARROW: char = '\u{202f}';
/// Characters of what an error repeats.
const SHOWN_CHARS_MAX: usize = 60;

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    SpacesPoint,
    SpacesComma,
    CommasPoint,
    DotsComma,
}

/// In which order days are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Days {
    Iso,
    Dots,
    Slashes,
    MonthFirst,
}

impl Numbers {
    pub(super) const ALL: [(&'static str, Self); 4] = [
        ("space-comma", Self::SpacesComma),
        ("space-point", Self::SpacesPoint),
        ("comma-point", Self::CommasPoint),
        ("dot-comma", Self::DotsComma),
    ];

    // What groups digits, and what parts the fraction.
    fn signs(self) -> (char, char) {
        match self {
            Self::SpacesPoint => (NARROW, '.'),
            Self::SpacesComma => (NARROW, ','),
            Self::CommasPoint => (',', '.'),
            Self::DotsComma => ('.', ','),
        }
    }
}

impl Days {
    pub(super) const ALL: [(&'static str, Self); 4] =
        [("dots", Self::Dots), ("iso", Self::Iso), ("slashes", Self::Slashes), ("month-first", Self::MonthFirst)];

    fn pattern(self) -> &'static str {
        match self {
            Self::Iso => "%Y-%m-%d",
            Self::Dots => "%d.%m.%Y",
            Self::Slashes => "%d/%m/%Y",
            Self::MonthFirst => "%m/%d/%Y",
        }
    }
}

/// The formats of one person.
#[derive(Debug, Clone, Copy)]
pub(super) struct Formats {
    pub(super) zone: Tz,
    numbers: Numbers,
    days: Days,
    /// Whether the person chose an order of days: it then holds in forms, too, where browsers have one of their own.
    ordered: bool,
}

impl Formats {
    /// What the person chose; else the first zone of `zones` that there is, and what is usual in the language.
    pub(super) fn of<'z>(language: Language, chosen: &Preferences, zones: impl IntoIterator<Item = &'z str>) -> Self {
        let known = |name: &str| name.parse::<Tz>().ok();
        let zone = known(&chosen.time_zone).or_else(|| zones.into_iter().find_map(known)).unwrap_or(Tz::UTC);
        let usual = if language == Language::En { Numbers::SpacesPoint } else { Numbers::SpacesComma };
        let numbers = Numbers::ALL.into_iter().find(|(name, _)| *name == chosen.numbers).map_or(usual, |(_, it)| it);
        let days = Days::ALL.into_iter().find(|(name, _)| *name == chosen.days).map(|(_, it)| it);
        let usual = if language == Language::En { Days::Iso } else { Days::Dots };
        Self { zone, numbers, days: days.unwrap_or(usual), ordered: days.is_some() }
    }

    /// The same with other numbers or days, to show what they look like.
    pub(super) fn with(self, numbers: Option<Numbers>, days: Option<Days>) -> Self {
        Self { numbers: numbers.unwrap_or(self.numbers), days: days.unwrap_or(self.days), ..self }
    }

    /// Every time zone by its name; those that only rename others are among them.
    pub(super) fn zones() -> impl Iterator<Item = &'static str> {
        TZ_VARIANTS.iter().map(|zone| zone.name())
    }

    /// A number of the program, `1234.50 UAH`, as the person reads it; what stands around it stays.
    pub(super) fn figure(&self, text: &str) -> String {
        let (group, point) = self.numbers.signs();
        let (before, number, after) = parted(text);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let mut out = before.to_owned();
        for (at, digit) in whole.chars().enumerate() {
            if at > 0 && (whole.len() - at).is_multiple_of(3) {
                out.push(group);
            }
            out.push(digit);
        }
        if !fraction.is_empty() {
            out.push(point);
            out.push_str(fraction);
        }
        out + after
    }

    /// The same as an input shows it: without groups.
    pub(super) fn input(&self, text: &str) -> String {
        let (before, number, after) = parted(text);
        format!("{before}{}{after}", number.replace('.', &self.numbers.signs().1.to_string()))
    }

    pub(super) fn day(&self, day: Day) -> String {
        day.date().map(|date| date.format(self.days.pattern()).to_string()).unwrap_or_default()
    }

    /// A moment by the person's clock, to the minute.
    pub(super) fn moment(&self, at: Millis) -> String {
        format!("{} {}", self.day(self.day_of(at)), self.hour(at))
    }

    /// `14:05`
    pub(super) fn hour(&self, at: Millis) -> String {
        self.local(at).map(|local| local.format("%H:%M").to_string()).unwrap_or_default()
    }

    /// The person's day at a moment.
    pub(super) fn day_of(&self, at: Millis) -> Day {
        self.local(at).map_or_else(|| at.day(), |local| Day::of(local.date()))
    }

    /// The first moment of a day of the person's.
    pub(super) fn start(&self, day: Day) -> Millis {
        let begin = day.date().and_then(|date| date.and_hms_opt(0, 0, 0));
        // Where the clock is put forward at midnight, the day begins an hour later.
        let later = begin.map(|begin| begin + chrono::Duration::hours(1));
        let found = [begin, later].into_iter().flatten().find_map(|local| self.at(local));
        found.unwrap_or_else(|| day.start())
    }

    /// What a field shows in an input; a browser's own picker takes ISO 8601.
    pub(super) fn day_input(&self, day: Day) -> String {
        if self.ordered { self.day(day) } else { day.iso() }
    }

    /// As [`Formats::day_input`].
    pub(super) fn moment_input(&self, at: Millis) -> String {
        match self.ordered {
            true => self.moment(at),
            false => format!("{}T{}", self.day_of(at).iso(), self.hour(at)),
        }
    }

    /// The kind of input for this picker; text for those who chose an order, with an example.
    pub(super) fn picker(&self, picker: &'static str) -> (&'static str, Option<String>) {
        match (self.ordered, picker) {
            (false, _) => (picker, None),
            (true, "date") => ("text", Some(self.example())),
            (true, _) => ("text", Some(format!("{} 14:30", self.example()))),
        }
    }

    /// A day that shows the order.
    pub(super) fn example(&self) -> String {
        self.day(Day::of(NaiveDate::from_ymd_opt(2026, 12, 31).unwrap_or_default()))
    }

    /// What was typed into a field as the program takes it.
    ///
    /// # Errors
    /// `number_unreadable`, `day_unreadable`, `moment_unreadable`, `moment_skipped`, each with the field's label.
    pub(super) fn plain(&self, language: Language, field: &Field, text: &str) -> Result<String> {
        let text = text.trim();
        let wrong = |error: Error, example: String| {
            let shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
            error.with("field", field.labels.text(language)).with("value", shown).with("example", example)
        };
        // Days that are counted from today are for whoever takes them.
        if text.is_empty() || text.starts_with("today") {
            return Ok(text.to_owned());
        }
        match &field.ty {
            FieldType::Integer | FieldType::Counter => {
                self.number(text).ok_or_else(|| wrong(Error::invalid("number-unreadable"), self.figure("12345")))
            }
            FieldType::Decimal | FieldType::Money => {
                self.number(text).ok_or_else(|| wrong(Error::invalid("number-unreadable"), self.figure("1234.5")))
            }
            FieldType::Date => self
                .parse_day(text)
                .map(Day::iso)
                .ok_or_else(|| wrong(Error::invalid("day-unreadable"), self.example())),
            FieldType::Instant => match self.parse_moment(text) {
                Some(Some(at)) => Ok(at.rfc3339()),
                Some(None) => Err(wrong(Error::invalid("moment-skipped"), self.zone.name().to_owned())),
                None => Err(wrong(Error::invalid("moment-unreadable"), format!("{} 14:30", self.example()))),
            },
            _ => Ok(text.to_owned()),
        }
    }

    /// A day in the person's order or in ISO 8601.
    pub(super) fn parse_day(&self, text: &str) -> Option<Day> {
        Day::parse(text).or_else(|| Day::parse_with(text, self.days.pattern())).filter(|day| is_written_out(*day))
    }

    // Of a moment that the clock of the zone skips nothing is inside; of one that it shows twice the first is meant.
    fn parse_moment(&self, text: &str) -> Option<Option<Millis>> {
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Some(Some(Millis(at.timestamp_millis())));
        }
        let days = [self.days.pattern(), Days::Iso.pattern()];
        let shapes = days.iter().flat_map(|day| ["%H:%M", "%H:%M:%S"].map(|time| format!("{day} {time}")));
        let spaced = text.replacen('T', " ", 1);
        let found = shapes.into_iter().find_map(|shape| NaiveDateTime::parse_from_str(&spaced, &shape).ok());
        if let Some(local) = found.filter(|local| is_written_out(Day::of(local.date()))) {
            return Some(self.at(local));
        }
        self.parse_day(text).map(|day| Some(self.start(day)))
    }

    fn at(&self, local: NaiveDateTime) -> Option<Millis> {
        match self.zone.from_local_datetime(&local) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(Millis(at.timestamp_millis())),
            LocalResult::None => None,
        }
    }

    fn local(&self, at: Millis) -> Option<NaiveDateTime> {
        DateTime::<Utc>::from_timestamp_millis(at.0).map(|at| at.with_timezone(&self.zone).naive_local())
    }

    // The number in a text with a point and no groups; none where it could be read in two ways.
    fn number(&self, text: &str) -> Option<String> {
        let (before, number, after) = parted(text);
        let number: String = number.chars().filter(|c| !c.is_whitespace() && *c != '\'').collect();
        let (group, point) = self.numbers.signs();
        let other = if point == '.' { ',' } else { '.' };
        let number = match number.split_once(other) {
            // Who parts groups by spaces may have a keyboard with the other sign, but not where it could be a group.
            Some((whole, rest)) if group == NARROW => {
                match rest.len() != 3 && !number.contains(point) && digits(rest) {
                    true => format!("{whole}.{rest}"),
                    false => return None,
                }
            }
            Some(_) => {
                let (whole, fraction) = number.split_once(point).map_or((number.as_str(), None), |(w, f)| (w, Some(f)));
                let mut groups = whole.split(group);
                let first = groups.next().is_some_and(|first| (1..=3).contains(&first.len()));
                if !first || !groups.all(|group| group.len() == 3) || fraction.is_some_and(|f| f.contains(group)) {
                    return None;
                }
                let whole = whole.replace(group, "");
                fraction.map_or(whole.clone(), |fraction| format!("{whole}.{fraction}"))
            }
            None => number.replacen(point, ".", 1),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((&number, "0"));
        (digits(whole) && digits(fraction)).then(|| format!("{}{number}{after}", before.replace('\u{2212}', "-")))
    }
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

// What stands before a number, the number from its first to its last digit, and what stands after it.
fn parted(text: &str) -> (&str, &str, &str) {
    let is_digit = |c: char| c.is_ascii_digit();
    let first = text.find(is_digit).unwrap_or(text.len());
    let end = text.rfind(is_digit).map_or(first, |last| last + 1);
    let (before, rest) = text.split_at(first);
    let (number, after) = rest.split_at(end - first);
    (before, number, after)
}

// A year of two digits could be of any century.
fn is_written_out(day: Day) -> bool {
    day.iso().get(..1).is_some_and(|first| first != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formats(zone: &str, numbers: &str, days: &str) -> Formats {
        let texts = Preferences {
            time_zone: zone.into(),
            numbers: numbers.into(),
            days: days.into(),
            ..Preferences::default()
        };
        Formats::of(Language::En, &texts, [])
    }

    #[test]
    fn numbers_are_read_as_they_are_written_and_never_in_two_ways() {
        let check = |style: &str, typed: &str, meant: Option<&str>| {
            assert_eq!(formats("", style, "").number(typed).as_deref(), meant, "{style}: {typed}");
        };
        for (style, _) in Numbers::ALL {
            let formats = formats("", style, "");
            for text in ["1234567.50 UAH", "-12", "0.5", "999.25", "1000"] {
                assert_eq!(formats.number(&formats.figure(text)).as_deref(), Some(text), "{style}");
                assert_eq!(formats.number(&formats.input(text)).as_deref(), Some(text), "{style}");
            }
        }
        check("comma-point", "1,234.5", Some("1234.5"));
        check("comma-point", "1,5", None);
        check("dot-comma", "1.234,5 €", Some("1234.5 €"));
        check("dot-comma", "1250.50", None);
        check("space-comma", "1250.50", Some("1250.50"));
        check("space-comma", "1.250", None);
        check("space-comma", "1 250,5", Some("1250.5"));
        check("space-point", "12a4", None);
        check("space-point", "1.2.3", None);
        assert_eq!(formats("", "dot-comma", "").figure("-1234.50 USD"), "-1.234,50 USD");
    }

    #[test]
    fn moments_are_those_of_the_persons_clock() {
        let kyiv = formats("Europe/Kyiv", "", "dots");
        let at = |text: &str| Millis::parse(text).unwrap_or_default();
        assert_eq!(kyiv.moment(at("2026-11-27T22:30:00Z")), "28.11.2026 00:30");
        assert_eq!(kyiv.parse_moment("28.11.2026 00:30"), Some(Some(at("2026-11-27T22:30:00Z"))));
        assert_eq!(kyiv.parse_moment("2026-07-01T12:00"), Some(Some(at("2026-07-01T09:00:00Z"))));
        assert_eq!(kyiv.start(kyiv.day_of(at("2026-11-27T22:30:00Z"))), at("2026-11-27T22:00:00Z"));
        // In the last night of March the clock goes from 3:00 to 4:00, in that of October from 4:00 to 3:00.
        assert_eq!(kyiv.parse_moment("29.03.2026 03:30"), Some(None));
        assert_eq!(kyiv.parse_moment("25.10.2026 03:30"), Some(Some(at("2026-10-25T00:30:00Z"))));
        assert_eq!(kyiv.parse_moment("27/11/2026 10:00"), None);
        assert_eq!(kyiv.parse_day("27.11.26"), None);
        let south = formats("America/Asuncion", "", "");
        assert!(south.start(Day::parse("2023-10-01").unwrap_or_default()) > at("2023-10-01T00:00:00Z"));
    }

    #[test]
    fn what_nobody_chose_follows_the_language_and_the_nearest_zone() {
        let none = Preferences::default();
        let russian = Formats::of(Language::Ru, &none, ["", "No/Where", "Asia/Almaty", "UTC"]);
        assert_eq!((russian.zone.name(), russian.figure("1234.5")), ("Asia/Almaty", "1\u{202f}234,5".to_owned()));
        assert_eq!(russian.picker("date"), ("date", None));
        assert_eq!(formats("", "", "month-first").picker("date"), ("text", Some("12/31/2026".to_owned())));
    }
}
