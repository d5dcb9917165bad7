//! Rust sources as text that can be searched without tripping over comments, strings and test code.
//!
//! Not a parser: a [`Source`] blanks out what is not production code, byte for byte, so that offsets and lines stay
//! those of the file.

use std::path::{Path, PathBuf};

/// A Rust file.
pub struct Source {
    /// Its path below the checkout, with `/` between folders.
    pub path: String,
    /// The file as it is.
    pub text: String,
    /// The same with comments and the contents of strings and characters blanked out.
    pub code: String,
    /// `code` without items under `#[cfg(test)]`; empty for a file of tests.
    pub production: String,
}

impl Source {
    /// A source of this path and text.
    pub fn new(path: &str, text: &str) -> Self {
        let code = blank(text);
        let only_tests = path.ends_with("/tests.rs") || path.contains("/tests/") || path.ends_with("_tests.rs");
        let production = if only_tests { String::new() } else { without_tests(&code) };
        Self { path: path.to_owned(), text: text.to_owned(), code, production }
    }

    /// The line number of an offset, from 1.
    pub fn line(&self, offset: usize) -> usize {
        self.text.as_bytes()[..offset].iter().filter(|b| **b == b'\n').count() + 1
    }

    /// Offsets of a word (not a part of a longer name) in production code.
    pub fn words<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        words(&self.production, word)
    }

    /// The contents of the plain string literal that opens at this offset of `code`.
    pub fn literal(&self, quote: usize) -> Option<&str> {
        let rest = self.text.get(quote..)?.strip_prefix('"')?;
        rest.split('"').next()
    }
}

/// All Rust files below these folders of the checkout, in order of path.
///
/// # Panics
/// Where one cannot be read.
pub fn sources(folders: &[&str]) -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in folders {
        collect(&crate::checkout().join(folder), &mut paths);
    }
    paths.sort();
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Source::new(&relative(path), &text)
    };
    paths.iter().map(read).collect()
}

/// A path below the checkout, with `/` between folders.
pub fn relative(path: &Path) -> String {
    path.strip_prefix(crate::checkout()).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries {
        let path = entry.expect("a folder can be read to its end").path();
        if path.is_dir() {
            if !path.ends_with("target") {
                collect(&path, paths);
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            paths.push(path);
        }
    }
}

/// Offsets at which `word` stands as a whole name.
pub fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part_of_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let bytes = text.as_bytes();
        let before = at.checked_sub(1).and_then(|i| bytes.get(i)).is_some_and(|b| part_of_name(*b));
        let after = bytes.get(at + word.len()).is_some_and(|b| part_of_name(*b));
        !before && !after
    })
}

/// The end of the bracket that opens at `open` in blanked code, one behind the closing one.
pub fn close(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

// Blanks comments and the contents of literals; quotes and newlines stay.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let (from, to) = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => (at, line_end(bytes, at)),
            b'/' if bytes.get(at + 1) == Some(&b'*') => (at, block_comment_end(bytes, at)),
            b'"' => {
                let end = string_end(bytes, at);
                (at + 1, end.saturating_sub(1))
            }
            b'r' if starts_raw(bytes, at) => raw_string(bytes, at),
            b'\'' => character(bytes, at),
            _ => (at, at),
        };
        for byte in &mut out[from..to.max(from)] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        let closing = usize::from(from > at);
        at = to.max(at) + closing;
        if to <= from && closing == 0 {
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |n| at + n)
}

fn block_comment_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'/', Some(b'*')) => (depth, at) = (depth + 1, at + 2),
            (b'*', Some(b'/')) => {
                (depth, at) = (depth - 1, at + 2);
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    at
}

// One behind the closing quote.
fn string_end(bytes: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn starts_raw(bytes: &[u8], at: usize) -> bool {
    let named =
        at.checked_sub(1).map(|i| bytes[i]).is_some_and(|b| b.is_ascii_alphanumeric() && b != b'b' || b == b'_');
    let hashes = bytes[at + 1..].iter().take_while(|b| **b == b'#').count();
    !named && bytes.get(at + 1 + hashes) == Some(&b'"')
}

fn raw_string(bytes: &[u8], at: usize) -> (usize, usize) {
    let hashes = bytes[at + 1..].iter().take_while(|b| **b == b'#').count();
    let open = at + 1 + hashes;
    let mut end = open + 1;
    while end < bytes.len() {
        let closes =
            bytes[end] == b'"' && bytes[end + 1..].iter().take(hashes).filter(|b| **b == b'#').count() == hashes;
        if closes {
            return (open + 1, end);
        }
        end += 1;
    }
    (open + 1, bytes.len())
}

// A character literal, or a lifetime, which is left alone.
fn character(bytes: &[u8], at: usize) -> (usize, usize) {
    if bytes.get(at + 1) == Some(&b'\\') {
        let end = bytes[at + 3..].iter().position(|b| *b == b'\'').map_or(bytes.len(), |n| at + 3 + n);
        return (at + 1, end);
    }
    let width = match bytes.get(at + 1) {
        Some(b) if *b < 0x80 => 1,
        Some(b) if *b < 0xe0 => 2,
        Some(b) if *b < 0xf0 => 3,
        _ => 4,
    };
    if bytes.get(at + 1 + width) == Some(&b'\'') { (at + 1, at + 1 + width) } else { (at, at) }
}

fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    let mut from = 0;
    while let Some(start) = out[from..].find("#[cfg(test)]").map(|n| from + n) {
        let end = item_end(&out, start);
        let blanked: String = out[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        out.replace_range(start..end, &blanked);
        from = start;
    }
    out
}

// The end of the item whose attributes begin at `start`.
fn item_end(code: &str, start: usize) -> usize {
    let bytes = code.as_bytes();
    let mut at = start;
    while at < bytes.len() {
        match bytes[at] {
            b';' => return at + 1,
            b'{' => return close(code, at).unwrap_or(bytes.len()),
            b'(' | b'[' => at = close(code, at).unwrap_or(bytes.len()),
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_strings_and_tests_are_blanked_and_offsets_stay() {
        let text = "use a; // use b\nlet s = \"use \\\" c\"; /* /* use d */ */ let r = r#\"use \"e\"#; let q = '\"'; \
                    fn f<'a>(x: &'a str) {}\n#[cfg(test)]\n#[allow(x)]\nmod tests { use g; }\nuse h;\n";
        let source = Source::new("core/src/x.rs", text);
        assert_eq!(source.production.len(), text.len());
        let found: Vec<&str> = source.words("use").map(|at| &text[at + 4..at + 5]).collect();
        assert_eq!(found, ["a", "h"]);
        assert!(source.code.contains("fn f<'a>(x: &'a str) {}"));
        assert_eq!(source.line(text.find("use h").unwrap()), 6);
    }

    #[test]
    fn an_outlined_test_module_does_not_hide_what_follows() {
        let source = Source::new("core/src/x.rs", "#[cfg(test)]\nmod tests;\nuse crate::a;\n");
        assert_eq!(source.words("crate").count(), 1);
        assert!(Source::new("core/src/x/tests.rs", "use crate::a;").production.is_empty());
    }

    #[test]
    fn literals_are_read_from_the_text() {
        let source = Source::new("x.rs", "Message::new(\"a-b\")");
        let quote = source.code.find('"').unwrap();
        assert_eq!(source.literal(quote), Some("a-b"));
    }
}
