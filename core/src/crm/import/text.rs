//! The bytes of a file as text: which encoding they are in, and what to say where they are no text at all.
//!
//! Order of evidence: a byte order mark; the signature of another kind of file; valid UTF-8; else statistics over the
//! bytes above 127. Text that is mostly valid UTF-8 with a few broken bytes is a damaged file and not another encoding.
//! Nothing here knows about rows or cells.

use encoding_rs::{Encoding, IBM866, KOI8_R, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1251, WINDOWS_1252};

use crate::error::{Error, Result};

/// Bytes that the statistics look at; a table says what it is in long before.
const SAMPLE_BYTES: usize = 64 * 1024;

/// A file as text.
#[derive(Debug)]
pub(super) struct Decoded {
    pub text: String,
    /// The encoding's usual name, `windows-1251`.
    pub encoding: &'static str,
    /// The file ends inside a character: it was cut.
    pub cut: bool,
}

/// Decodes a whole file.
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded> {
    if let Some((encoding, bom)) = Encoding::for_bom(bytes) {
        let rest = bytes.get(bom..).unwrap_or_default();
        return if encoding == UTF_8 { decode_utf8(rest) } else { decode_utf16(rest, encoding) };
    }
    if let Some(encoding) = unmarked_utf16(bytes) {
        return decode_utf16(bytes, encoding);
    }
    reject_foreign(bytes)?;
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Decoded { text: text.to_owned(), encoding: UTF_8.name(), cut: false }),
        Err(_) if looks_like_utf8(bytes) => decode_utf8(bytes),
        Err(_) => Ok(decode_single_byte(bytes)),
    }
}

fn decode_utf8(bytes: &[u8]) -> Result<Decoded> {
    reject_foreign(bytes)?;
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Decoded { text: text.to_owned(), encoding: UTF_8.name(), cut: false }),
        // No error length: the bytes end inside a character.
        Err(e) if e.error_len().is_none() => {
            let whole = bytes.get(..e.valid_up_to()).unwrap_or_default();
            Ok(Decoded { text: String::from_utf8_lossy(whole).into_owned(), encoding: UTF_8.name(), cut: true })
        }
        Err(e) => {
            let line = bytes.get(..e.valid_up_to()).unwrap_or_default().iter().filter(|b| **b == b'\n').count() + 1;
            Err(Error::invalid("import-bytes-broken").with("line", line).with("encoding", UTF_8.name()))
        }
    }
}

fn decode_utf16(bytes: &[u8], encoding: &'static Encoding) -> Result<Decoded> {
    let (whole, odd) = bytes.split_at(bytes.len() & !1);
    let (text, broken) = encoding.decode_without_bom_handling(whole);
    let mut text = text.into_owned();
    let cut = !odd.is_empty() || (broken && text.ends_with(char::REPLACEMENT_CHARACTER));
    if cut && text.ends_with(char::REPLACEMENT_CHARACTER) {
        text.pop();
    }
    if let Some(at) = text.find(char::REPLACEMENT_CHARACTER).filter(|_| broken) {
        let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
        return Err(Error::invalid("import-bytes-broken").with("line", line).with("encoding", encoding.name()));
    }
    Ok(Decoded { text, encoding: encoding.name(), cut })
}

/// UTF-16 without a mark: nearly every second byte of a table's beginning is zero.
fn unmarked_utf16(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = bytes.get(..bytes.len().min(512) & !1)?;
    let pairs = sample.len() / 2;
    let zeros = |offset: usize| sample.iter().skip(offset).step_by(2).filter(|b| **b == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    match () {
        () if pairs < 4 => None,
        () if odd * 4 > pairs * 3 && even == 0 => Some(UTF_16LE),
        () if even * 4 > pairs * 3 && odd == 0 => Some(UTF_16BE),
        () => None,
    }
}

/// Signatures of files that people try to import, with the id of the advice for each.
const FOREIGN: &[(&[u8], &str)] = &[
    (b"\xd0\xcf\x11\xe0", "import-foreign-xls"),
    (b"PK\x03\x04", "import-foreign-archive"),
    (b"\x1f\x8b", "import-foreign-archive"),
    (b"7z\xbc\xaf", "import-foreign-archive"),
    (b"Rar!", "import-foreign-archive"),
    (b"%PDF", "import-foreign-document"),
    (b"{\\rtf", "import-foreign-document"),
    (b"SQLite format 3\0", "import-foreign-document"),
];

fn reject_foreign(bytes: &[u8]) -> Result<()> {
    if let Some((_, id)) = FOREIGN.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(Error::invalid(id));
    }
    let start = bytes.trim_ascii_start();
    if start.first() == Some(&b'<') || start.starts_with(b"[{") || start.starts_with(b"{\"") {
        return Err(Error::invalid("import-foreign-markup"));
    }
    match bytes.iter().position(|b| *b == 0) {
        Some(at) => {
            let line = bytes.get(..at).unwrap_or_default().iter().filter(|b| **b == b'\n').count() + 1;
            Err(Error::invalid("import-foreign-binary").with("line", line))
        }
        None => Ok(()),
    }
}

/// Whether the bytes above 127 are mostly whole UTF-8 characters.
fn looks_like_utf8(bytes: &[u8]) -> bool {
    let (mut whole, mut broken) = (0usize, 0usize);
    for chunk in bytes.utf8_chunks() {
        whole += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        broken += chunk.invalid().len();
    }
    whole > 4 * broken
}

fn decode_single_byte(bytes: &[u8]) -> Decoded {
    let sample: Vec<u8> = bytes.iter().copied().take(SAMPLE_BYTES).collect();
    let encoding = if is_latin(&sample) { WINDOWS_1252 } else { cyrillic_encoding(&sample) };
    let (text, _) = encoding.decode_without_bom_handling(bytes);
    Decoded { text: text.into_owned(), encoding: encoding.name(), cut: false }
}

/// In a Latin text accented letters stand between ASCII letters; in a Cyrillic one high bytes come in runs.
fn is_latin(sample: &[u8]) -> bool {
    let (mut in_runs, mut alone) = (0usize, 0usize);
    let mut run = 0usize;
    for byte in sample.iter().chain(std::iter::once(&b' ')) {
        if *byte >= 0x80 {
            run += 1;
        } else {
            if run >= 3 {
                in_runs += run
            } else {
                alone += run
            }
            run = 0;
        }
    }
    alone > in_runs
}

fn cyrillic_encoding(sample: &[u8]) -> &'static Encoding {
    [WINDOWS_1251, KOI8_R, IBM866]
        .into_iter()
        .max_by_key(|e| (cyrillic_score(&e.decode_without_bom_handling(sample).0), *e == WINDOWS_1251))
        .unwrap_or(WINDOWS_1251)
}

/// How much a text reads like Russian or Ukrainian: frequent letters count, a capital inside a word and signs that no
/// table holds count against it.
fn cyrillic_score(text: &str) -> i64 {
    let mut score = 0i64;
    let mut before = ' ';
    for c in text.chars() {
        let lower = c.to_lowercase().next().unwrap_or(c);
        score += match lower {
            'о' | 'е' | 'а' | 'и' | 'н' | 'т' | 'с' | 'р' => 3,
            'в' | 'л' | 'к' | 'м' | 'д' | 'п' | 'у' | 'я' | 'і' | 'ь' => 2,
            'а'..='я' | 'ё' | 'є' | 'ї' | 'ґ' => 1,
            '\u{2500}'..='\u{259f}' | '\u{80}'..='\u{9f}' => -6,
            _ if c.is_ascii() || "«»№—–…“”’".contains(c) => 0,
            _ => -3,
        };
        if before.is_lowercase() && c.is_uppercase() && !c.is_ascii() {
            score -= 4;
        }
        before = c;
    }
    score
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const RUSSIAN: &str = "название;город\r\nООО \"Ромашка\";Ярославль\r\nІП Гнатюк — Їжак;Київ\r\n";

    #[test]
    fn every_common_encoding_of_a_cyrillic_table_reads_the_same() {
        for encoding in [WINDOWS_1251, UTF_8] {
            let (bytes, _, _) = encoding.encode(RUSSIAN);
            let decoded = decode(&bytes).unwrap();
            assert_eq!(decoded.text, RUSSIAN, "{}", encoding.name());
            assert_eq!(decoded.encoding, encoding.name());
        }
        let plain = "название;город\r\nООО Ромашка;Ярославль\r\nЗАВОД ИМЕНИ ЛИХАЧЕВА;МОСКВА\r\n";
        for encoding in [KOI8_R, IBM866, WINDOWS_1251] {
            let (bytes, _, _) = encoding.encode(plain);
            assert_eq!(decode(&bytes).unwrap().text, plain, "{}", encoding.name());
        }
    }

    #[test]
    fn marks_of_order_are_read_and_taken_off() {
        let mut utf8 = b"\xef\xbb\xbf".to_vec();
        utf8.extend_from_slice(RUSSIAN.as_bytes());
        assert_eq!(decode(&utf8).unwrap().text, RUSSIAN);
        let little: Vec<u8> = [0xfeff].into_iter().chain(RUSSIAN.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        assert_eq!(decode(&little).unwrap().text, RUSSIAN);
        let big: Vec<u8> = [0xfeff].into_iter().chain(RUSSIAN.encode_utf16()).flat_map(u16::to_be_bytes).collect();
        assert_eq!(decode(&big).unwrap().text, RUSSIAN);
        let unmarked: Vec<u8> = "name;city\nAcme;Kyiv\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decode(&unmarked).unwrap().text, "name;city\nAcme;Kyiv\n");
    }

    #[test]
    fn a_western_table_is_not_taken_for_a_cyrillic_one() {
        let text = "name,city\nMünchner Käserei,München\nCafé Olé,Besançon\n";
        let (bytes, _, _) = WINDOWS_1252.encode(text);
        assert_eq!(decode(&bytes).unwrap().text, text);
    }

    #[test]
    fn damaged_utf8_names_the_line_and_a_cut_one_is_marked() {
        let mut damaged = "имя\nИван\nПётр\n".as_bytes().to_vec();
        let at = "имя\nИван\n".len();
        damaged[at] = 0xff;
        let error = decode(&damaged).unwrap_err();
        assert_eq!(error.code(), "import_bytes_broken");
        assert!(error.to_string().contains('3'), "{error}");
        let whole = "имя\nИван".as_bytes();
        let cut = decode(&whole[..whole.len() - 1]).unwrap();
        assert!(cut.cut && cut.text == "имя\nИва");
    }

    #[test]
    fn files_that_are_no_text_say_what_they_are() {
        for (bytes, code) in [
            (&b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"[..], "import_foreign_xls"),
            (b"%PDF-1.7", "import_foreign_document"),
            (b"<html><table>", "import_foreign_markup"),
            (b"[{\"a\":1}]", "import_foreign_markup"),
            (b"name\nA\0\x01\x02\x03\x04", "import_foreign_binary"),
        ] {
            assert_eq!(decode(bytes).unwrap_err().code(), code);
        }
    }
}
