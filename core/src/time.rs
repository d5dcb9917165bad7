//! Moments and days as values. Nothing here reads a clock: `now` is always an argument.

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, Utc};

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub i64);

/// Days since 1970-01-01 in the proleptic Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Day(pub i32);

/// Milliseconds in a day.
pub const DAY_MS: i64 = 86_400_000;

impl Millis {
    /// RFC 3339 in UTC with milliseconds, `2017-03-01T09:30:00.000Z`; a moment outside the years 0 to 9999 is clamped.
    pub fn rfc3339(self) -> String {
        const FIRST: i64 = -62_167_219_200_000;
        const LAST: i64 = 253_402_300_799_999;
        match DateTime::<Utc>::from_timestamp_millis(self.0.clamp(FIRST, LAST)) {
            Some(t) => t.to_rfc3339_opts(SecondsFormat::Millis, true),
            None => String::new(),
        }
    }

    /// Parses RFC 3339 with any offset, or `YYYY-MM-DD` and `YYYY-MM-DD HH:MM[:SS[.fff]]` taken as UTC.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(t) = DateTime::parse_from_rfc3339(text) {
            return Some(Self(t.timestamp_millis()));
        }
        for format in ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"] {
            if let Ok(t) = chrono::NaiveDateTime::parse_from_str(text, format) {
                return Some(Self(t.and_utc().timestamp_millis()));
            }
        }
        Day::parse(text).map(Day::start)
    }

    /// The UTC day of this moment.
    pub fn day(self) -> Day {
        Day(self.0.div_euclid(DAY_MS).clamp(i32::MIN as i64, i32::MAX as i64) as i32)
    }

    /// This moment `ms` later (or earlier); saturates.
    pub fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

impl Day {
    /// ISO 8601, `2017-03-01`.
    pub fn iso(self) -> String {
        self.date().map(|d| d.format("%Y-%m-%d").to_string()).unwrap_or_default()
    }

    /// Parses `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Option<Self> {
        let date = NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok()?;
        (0..=9999).contains(&date.year()).then(|| Self::of(date))
    }

    /// Parses by a chrono format such as `%d.%m.%Y`.
    pub fn parse_with(text: &str, format: &str) -> Option<Self> {
        let text = text.trim();
        NaiveDate::parse_from_str(text, format)
            .or_else(|_| chrono::NaiveDateTime::parse_from_str(text, format).map(|t| t.date()))
            .ok()
            .map(Self::of)
    }

    /// The first moment of the day in UTC.
    pub fn start(self) -> Millis {
        Millis(i64::from(self.0) * DAY_MS)
    }

    /// The calendar date, for arithmetic on months and weeks.
    pub fn date(self) -> Option<NaiveDate> {
        NaiveDate::from_ymd_opt(1970, 1, 1)?.checked_add_signed(chrono::Duration::days(i64::from(self.0)))
    }

    /// The day of a calendar date.
    pub fn of(date: NaiveDate) -> Self {
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap_or_default();
        Self(date.signed_duration_since(epoch).num_days() as i32)
    }

    /// Parses `2017-03-01`, `today`, `today-30d`, `today+2w`, `today-1m` or `today-1y`.
    pub fn parse_relative(text: &str, today: Day) -> Option<Self> {
        let text = text.trim();
        let Some(rest) = text.strip_prefix("today") else { return Self::parse(text) };
        if rest.is_empty() {
            return Some(today);
        }
        let (sign, rest) = match rest.strip_prefix('-') {
            Some(r) => (-1i32, r),
            None => (1, rest.strip_prefix('+')?),
        };
        let unit = rest.chars().last()?;
        let count: i32 = rest.get(..rest.len() - unit.len_utf8())?.parse().ok()?;
        let count = count.checked_mul(sign)?;
        let months = |n: i32| {
            let date = today.date()?;
            let moved = if n < 0 {
                date.checked_sub_months(chrono::Months::new(n.unsigned_abs()))
            } else {
                date.checked_add_months(chrono::Months::new(n as u32))
            };
            moved.map(Self::of)
        };
        match unit {
            'd' => today.0.checked_add(count).map(Day),
            'w' => today.0.checked_add(count.checked_mul(7)?).map(Day),
            'm' => months(count),
            'y' => months(count.checked_mul(12)?),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_moments_print_and_parse() {
        let day = Day::parse("2017-03-01").unwrap_or_default();
        assert_eq!(day.iso(), "2017-03-01");
        assert_eq!(day.start().rfc3339(), "2017-03-01T00:00:00.000Z");
        assert_eq!(Millis::parse("2017-03-01T03:00:00+03:00"), Some(day.start()));
        assert_eq!(Millis::parse("1996-07-04 00:00:00.000").map(Millis::day), Day::parse("1996-07-04"));
        assert_eq!(Day::parse("2017-02-30"), None);
        assert_eq!(Millis(i64::MAX).rfc3339(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn relative_days_count_from_today() {
        let today = Day::parse("2026-03-31").unwrap_or_default();
        let iso = |text| Day::parse_relative(text, today).map(Day::iso);
        assert_eq!(iso("today-30d").as_deref(), Some("2026-03-01"));
        assert_eq!(iso("today+1m").as_deref(), Some("2026-04-30"));
        assert_eq!(iso("today-1y").as_deref(), Some("2025-03-31"));
        assert_eq!(iso("today-x"), None);
    }
}
