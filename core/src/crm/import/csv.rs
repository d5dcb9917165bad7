//! Records of delimited text, with the line on which each begins.
//!
//! An own reader of RFC 4180, because an import must say more than the usual ones do: where a record with a line break
//! in a quoted cell began, that a quote never closes (a cut file), which row a stray quote spoils. A record that cannot
//! be read is a [`Fault`] of its own first line; reading goes on at the line after it, so one bad row costs one row.
//! Unquoted cells lose the blanks around them, quoted ones keep every character.

use std::borrow::Cow;

use crate::limits::{IMPORT_CELL_BYTES_MAX, IMPORT_COLUMNS_MAX};

/// Records that vote on the delimiter.
const SAMPLE_RECORDS: usize = 50;

/// Why a record cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A quoted cell does not end before the file does.
    Unclosed,
    /// A closing quote is followed by text.
    StrayQuote,
    /// A cell or the record is longer than the bounds.
    TooLong,
}

/// A cell as it stands in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell<'t> {
    pub text: Cow<'t, str>,
    /// Unquoted and begins with a blank: where others do not, the mark of a delimiter inside the text.
    pub spaced: bool,
}

/// Reads records one after another.
#[derive(Debug, Clone)]
pub(super) struct Reader<'t> {
    text: &'t str,
    at: usize,
    line: u64,
    delimiter: u8,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str, delimiter: u8) -> Self {
        Self { text, at: 0, line: 1, delimiter }
    }

    /// The next record into `cells`: the line on which it begins, and whether it could be read. `None` at the end.
    /// Blank lines are passed over.
    pub(super) fn next_into(&mut self, cells: &mut Vec<Cell<'t>>) -> Option<(u64, Result<(), Fault>)> {
        self.skip_blank_lines();
        cells.clear();
        if self.at >= self.text.len() {
            return None;
        }
        let (start, line) = (self.at, self.line);
        let read = self.record(cells);
        if read.is_err() {
            self.at = start;
            self.line = line;
            self.skip_line();
        }
        Some((line, read))
    }

    /// Where the next record begins, in bytes.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn slice(&self, from: usize, to: usize) -> &'t str {
        self.text.get(from..to).unwrap_or_default()
    }

    fn record(&mut self, cells: &mut Vec<Cell<'t>>) -> Result<(), Fault> {
        loop {
            if cells.len() >= IMPORT_COLUMNS_MAX {
                return Err(Fault::TooLong);
            }
            cells.push(self.cell()?);
            match self.byte(self.at) {
                Some(b) if b == self.delimiter => self.at += 1,
                _ => {
                    self.line_end();
                    return Ok(());
                }
            }
        }
    }

    fn cell(&mut self) -> Result<Cell<'t>, Fault> {
        let start = self.at;
        while self.byte(self.at) == Some(b' ') {
            self.at += 1;
        }
        if self.byte(self.at) == Some(b'"') {
            return Ok(Cell { text: self.quoted()?, spaced: false });
        }
        while self.byte(self.at).is_some_and(|b| b != self.delimiter && b != b'\n' && b != b'\r') {
            self.at += 1;
        }
        if self.at - start > IMPORT_CELL_BYTES_MAX {
            return Err(Fault::TooLong);
        }
        let raw = self.slice(start, self.at);
        Ok(Cell { text: Cow::Borrowed(raw.trim()), spaced: raw.starts_with(' ') })
    }

    fn quoted(&mut self) -> Result<Cow<'t, str>, Fault> {
        self.at += 1;
        let start = self.at;
        let mut doubled = false;
        loop {
            if self.at - start > IMPORT_CELL_BYTES_MAX {
                return Err(Fault::TooLong);
            }
            match self.byte(self.at) {
                None => return Err(Fault::Unclosed),
                Some(b'"') if self.byte(self.at + 1) == Some(b'"') => {
                    doubled = true;
                    self.at += 2;
                }
                Some(b'"') => break,
                Some(b) => {
                    let lone_return = b == b'\r' && self.byte(self.at + 1) != Some(b'\n');
                    self.line += u64::from(b == b'\n' || lone_return);
                    self.at += 1;
                }
            }
        }
        let raw = self.slice(start, self.at);
        self.at += 1;
        while self.byte(self.at) == Some(b' ') {
            self.at += 1;
        }
        match self.byte(self.at) {
            Some(b) if b != self.delimiter && b != b'\n' && b != b'\r' => Err(Fault::StrayQuote),
            _ if doubled => Ok(Cow::Owned(raw.replace("\"\"", "\""))),
            _ => Ok(Cow::Borrowed(raw)),
        }
    }

    fn line_end(&mut self) {
        match (self.byte(self.at), self.byte(self.at + 1)) {
            (Some(b'\r'), Some(b'\n')) => self.at += 2,
            (Some(b'\r' | b'\n'), _) => self.at += 1,
            _ => return,
        }
        self.line += 1;
    }

    fn skip_line(&mut self) {
        while self.byte(self.at).is_some_and(|b| b != b'\n' && b != b'\r') {
            self.at += 1;
        }
        self.line_end();
    }

    fn skip_blank_lines(&mut self) {
        loop {
            let mut end = self.at;
            while self.byte(end) == Some(b' ') {
                end += 1;
            }
            match self.byte(end) {
                Some(b'\n' | b'\r') => {
                    self.at = end;
                    self.line_end();
                }
                None => {
                    self.at = end;
                    return;
                }
                _ => return,
            }
        }
    }
}

/// The delimiter of a text: the one by which most of the first records have as many cells as the heading; among equals
/// the one that makes more cells.
pub(super) fn detect_delimiter(text: &str) -> u8 {
    let votes = |delimiter: u8| {
        let mut reader = Reader::new(text, delimiter);
        let mut cells = Vec::new();
        let mut width = 0usize;
        let mut agreeing = 0usize;
        for n in 0..SAMPLE_RECORDS {
            match reader.next_into(&mut cells) {
                Some((_, Ok(()))) if n == 0 => width = cells.len(),
                Some((_, Ok(()))) => agreeing += usize::from(cells.len() == width),
                Some((_, Err(_))) => {}
                None => break,
            }
        }
        // One column only is no evidence of a delimiter.
        if width < 2 { (0, 0) } else { (agreeing + 1, width) }
    };
    [b',', b';', b'\t'].into_iter().rev().max_by_key(|d| votes(*d)).unwrap_or(b',')
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn read(text: &str, delimiter: u8) -> Vec<(u64, Result<Vec<String>, Fault>)> {
        let mut reader = Reader::new(text, delimiter);
        let (mut cells, mut out) = (Vec::new(), Vec::new());
        while let Some((line, read)) = reader.next_into(&mut cells) {
            out.push((line, read.map(|()| cells.iter().map(|c| c.text.to_string()).collect())));
        }
        out
    }

    fn row(cells: &[&str]) -> Result<Vec<String>, Fault> {
        Ok(cells.iter().map(|c| (*c).to_owned()).collect())
    }

    #[test]
    fn a_record_has_the_line_on_which_it_begins() {
        let text = "a,b\r\n\"one\r\ntwo\",2\r\n\r\n  \r\nx , \" y \"\r\n\"say \"\"hi\"\"\",";
        assert_eq!(
            read(text, b','),
            [
                (1, row(&["a", "b"])),
                (2, row(&["one\r\ntwo", "2"])),
                (6, row(&["x", " y "])),
                (7, row(&["say \"hi\"", ""])),
            ]
        );
    }

    #[test]
    fn a_bad_quote_costs_its_own_row_only() {
        let text = "a;b\n\"ООО \"Ромашка\";1\nx;\"2\n\"ok\";3\nlast;\"cut";
        assert_eq!(
            read(text, b';'),
            [
                (1, row(&["a", "b"])),
                (2, Err(Fault::StrayQuote)),
                (3, Err(Fault::StrayQuote)),
                (4, row(&["ok", "3"])),
                (5, Err(Fault::Unclosed)),
            ]
        );
    }

    #[test]
    fn old_line_ends_count_as_lines() {
        assert_eq!(read("a\rb\r", b','), [(1, row(&["a"])), (2, row(&["b"]))]);
    }

    #[test]
    fn the_delimiter_is_the_one_that_makes_a_table() {
        assert_eq!(detect_delimiter("a,b\n1,2\n"), b',');
        assert_eq!(detect_delimiter("name;price\n\"x, y\";1,50\nz;2,50\n"), b';');
        assert_eq!(detect_delimiter("a\tb, c\n1\t2\n"), b'\t');
        assert_eq!(detect_delimiter("only\none\n"), b',');
        assert_eq!(detect_delimiter("a, b, c\n1, x; y, 3\n"), b',');
    }

    #[test]
    fn cells_and_records_are_bounded() {
        let long = format!("a\n\"{}\"\nok\n", "x".repeat(IMPORT_CELL_BYTES_MAX + 1));
        assert_eq!(read(&long, b','), [(1, row(&["a"])), (2, Err(Fault::TooLong)), (3, row(&["ok"]))]);
        let wide = ",".repeat(IMPORT_COLUMNS_MAX);
        assert_eq!(read(&wide, b','), [(1, Err(Fault::TooLong))]);
    }
}
