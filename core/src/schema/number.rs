//! Numbers as people type them: `1054.00`, `1 054,00`, `1,054.00`.

use rust_decimal::Decimal;

/// What a single comma before exactly three digits means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comma {
    /// The decimal point: decimals may have three places.
    Decimal,
    /// A thousands separator: whole numbers and money do not.
    Thousands,
}

/// The number in a text; spaces, narrow spaces and apostrophes group digits. Where both `.` and `,` occur the last one
/// is the decimal point.
pub(super) fn parse(text: &str, comma: Comma) -> Option<Decimal> {
    let text: String =
        text.trim().chars().filter(|c| !matches!(c, ' ' | '\u{a0}' | '\u{2009}' | '\u{202f}' | '\'' | '_')).collect();
    let text = text.replace('\u{2212}', "-");
    let (dots, commas) = (text.matches('.').count(), text.matches(',').count());
    let plain = match (dots, commas) {
        (_, 0) if dots < 2 => text,
        (0, 1) => match text.split_once(',') {
            Some((whole, rest)) if comma == Comma::Thousands && is_group(whole, rest) => format!("{whole}{rest}"),
            _ => text.replace(',', "."),
        },
        (0, _) => text.replace(',', ""),
        (_, 0) => text.replace('.', ""),
        (1, _) if text.rfind('.') > text.rfind(',') => text.replace(',', ""),
        (_, 1) if text.rfind(',') > text.rfind('.') => text.replace('.', "").replace(',', "."),
        _ => return None,
    };
    let digits = plain.strip_prefix(['-', '+']).unwrap_or(&plain);
    let shaped = digits.starts_with(|c: char| c.is_ascii_digit()) || digits.starts_with('.') && digits.len() > 1;
    if !shaped || !digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    Decimal::from_str_exact(&plain).ok().map(|d| d.normalize())
}

fn is_group(whole: &str, rest: &str) -> bool {
    let whole = whole.trim_start_matches(['-', '+']);
    rest.len() == 3 && (1..=3).contains(&whole.len()) && !whole.starts_with('0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_country_parse() {
        let check = |text: &str, comma, expect: Option<&str>| {
            assert_eq!(parse(text, comma).map(|d| d.to_string()).as_deref(), expect, "{text}");
        };
        for comma in [Comma::Decimal, Comma::Thousands] {
            check("1054.00", comma, Some("1054"));
            check("1 054,50", comma, Some("1054.5"));
            check("1,054.50", comma, Some("1054.5"));
            check("1.054,50", comma, Some("1054.5"));
            check("1.054.000", comma, Some("1054000"));
            check("-0,5", comma, Some("-0.5"));
            check(".5", comma, Some("0.5"));
            check("0,125", comma, Some("0.125"));
            for bad in ["", "-", ".", "1.2.3,4,5", "12a", "1e5", "--1", "NaN"] {
                check(bad, comma, None);
            }
        }
        check("1,054", Comma::Thousands, Some("1054"));
        check("1,054", Comma::Decimal, Some("1.054"));
        check("1.054", Comma::Thousands, Some("1.054"));
    }
}
