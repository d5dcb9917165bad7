//! One spelling for what people spell in many ways: names, numbers, phones, addresses.

use phonenumber::country::Id as Country;
use unicode_normalization::UnicodeNormalization;

/// Legal forms that say nothing about who it is, folded.
const LEGAL_FORMS: [&str; 46] = [
    "ooo",
    "oao",
    "zao",
    "pao",
    "ao",
    "nao",
    "ip",
    "tov",
    "dp",
    "pp",
    "fop",
    "prat",
    "pat",
    "at",
    "too",
    "chup",
    "odo",
    "gup",
    "mup",
    "fgup",
    "ano",
    "nko",
    "llc",
    "ltd",
    "limited",
    "inc",
    "incorporated",
    "corp",
    "corporation",
    "co",
    "company",
    "plc",
    "llp",
    "lp",
    "gmbh",
    "ag",
    "kg",
    "sa",
    "sas",
    "sarl",
    "srl",
    "spa",
    "bv",
    "nv",
    "oy",
    "ab",
];

/// Phrases that stand for a legal form, folded; the longest first.
const LEGAL_PHRASES: [&str; 8] = [
    "obshchestvo s ogranichennoi otvetstvennostiu",
    "tovaristvo z obmezhenoiu vidpovidalnistiu",
    "publichnoe aktsionernoe obshchestvo",
    "zakritoe aktsionernoe obshchestvo",
    "otkritoe aktsionernoe obshchestvo",
    "aktsionernoe obshchestvo",
    "individualnii predprinimatel",
    "fizichna osoba pidpriemets",
];

/// Small letters without accents, Cyrillic spelled in Latin, words apart by single spaces. `Ёлка №5` is `elka 5`.
pub(super) fn text(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.nfd().flat_map(char::to_lowercase) {
        match latin(c) {
            Some(letters) => folded.push_str(letters),
            // Accents that `nfd` split off, and signs that belong inside a word.
            None if matches!(c, '\u{300}'..='\u{36f}' | 'ь' | 'ъ' | '\'' | '’' | '.') => {}
            None if c.is_alphanumeric() => folded.push(c),
            None if !folded.is_empty() && !folded.ends_with(' ') => folded.push(' '),
            None => {}
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

// Accents are gone: й came as и and a breve, ё as е, ї as і.
fn latin(c: char) -> Option<&'static str> {
    Some(match c {
        'а' => "a",
        'б' => "b",
        'в' => "v",
        'г' | 'ґ' => "g",
        'д' => "d",
        'е' | 'э' | 'є' => "e",
        'ж' => "zh",
        'з' => "z",
        'и' | 'і' | 'ы' => "i",
        'к' => "k",
        'л' => "l",
        'м' => "m",
        'н' => "n",
        'о' => "o",
        'п' => "p",
        'р' => "r",
        'с' => "s",
        'т' => "t",
        'у' => "u",
        'ф' => "f",
        'х' => "kh",
        'ц' => "ts",
        'ч' => "ch",
        'ш' => "sh",
        'щ' => "shch",
        'ю' => "iu",
        'я' => "ia",
        'ß' => "ss",
        'ø' => "o",
        'æ' => "ae",
        'ł' => "l",
        _ => return None,
    })
}

/// The folded name of a company without its legal form. What is nothing but a legal form stays.
pub(super) fn organisation(name: &str) -> String {
    let mut folded = text(name);
    for phrase in LEGAL_PHRASES {
        if let Some(rest) = folded.strip_prefix(phrase).filter(|rest| rest.starts_with(' ')) {
            folded = rest.trim_start().to_owned();
        }
    }
    let words: Vec<&str> = folded.split(' ').filter(|word| !LEGAL_FORMS.contains(word)).collect();
    if words.is_empty() { folded } else { words.join(" ") }
}

/// Letters and digits only, in capitals: tax ids, article numbers.
pub(super) fn identifier(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect()
}

/// A phone in E.164 form, `+74951234567`; one that no country has is its digits. Empty where there are too few.
pub(super) fn phone(text: &str, country: Country) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if !(5..=20).contains(&digits.len()) {
        return String::new();
    }
    match phonenumber::parse(Some(country), text) {
        Ok(number) if number.is_valid() => number.format().mode(phonenumber::Mode::E164).to_string(),
        _ => digits,
    }
}

/// An e-mail address in small letters; empty where the text is none.
pub(super) fn email(text: &str) -> String {
    let address = text.trim().to_lowercase();
    match address.split_once('@') {
        Some((name, domain)) if !name.is_empty() && domain.contains('.') => address,
        _ => String::new(),
    }
}

/// The host of a web address without `www.`.
pub(super) fn website(text: &str) -> String {
    let address = text.trim().to_lowercase();
    let address = address.split_once("://").map_or(address.as_str(), |(_, rest)| rest);
    let host = address.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let host = host.strip_prefix("www.").unwrap_or(host);
    if host.contains('.') { host.to_owned() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_fold_to_one() {
        let same = |names: &[&str]| {
            let folded: Vec<String> = names.iter().map(|name| organisation(name)).collect();
            assert!(folded.windows(2).all(|pair| pair[0] == pair[1]) && !folded[0].is_empty(), "{folded:?}");
        };
        same(&[
            "ООО \"Ромашка\"",
            "ромашка, ооо",
            "Общество с ограниченной ответственностью «РОМАШКА»",
            "Romashka LLC",
        ]);
        same(&["ТОВ «Ёлка»", "Елка"]);
        same(&["Café Noir S.A.", "CAFE  NOIR"]);
        same(&["Acme Corp.", "acme corporation", "ACME"]);
        assert_eq!(organisation("ООО"), "ooo");
        assert_ne!(organisation("Школа №5"), organisation("Школа №6"));
    }

    #[test]
    fn keys_have_one_form() {
        let ru = Country::RU;
        for text in ["+7 (495) 123-45-67", "8 495 123 45 67", "7-495-1234567", "4951234567"] {
            assert_eq!(phone(text, ru), "+74951234567", "{text}");
        }
        assert_eq!(phone("044 123 45 67", Country::UA), "+380441234567");
        assert_eq!(phone("ext. 12", ru), "");
        assert_eq!(email(" Anna@Example.ORG "), "anna@example.org");
        assert_eq!(email("anna@localhost"), "");
        assert_eq!(website("https://www.Acme.com/about?x"), "acme.com");
        assert_eq!(website("acme"), "");
        assert_eq!(identifier("77 07-083893"), "7707083893");
    }
}
