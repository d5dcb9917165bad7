//! A file as a table: headings, then rows that know their line in the file.
//!
//! CSV in any common encoding and delimiter, or the first filled sheet of an XLSX workbook. The whole file is held in
//! memory within [`IMPORT_FILE_BYTES_MAX`]; rows are cut from it as they are asked for. A row that cannot be read is
//! handed out with its [`fault`](Row::fault), so that the others still come in. What the cells mean is not known here.

use std::borrow::Cow;
use std::path::Path;

use super::csv::{Cell, Fault, Reader, detect_delimiter};
use super::sheet::{self, SheetRow};
use super::text;
use crate::error::{Error, Result};
use crate::limits::{IMPORT_COLUMNS_MAX, IMPORT_FILE_BYTES_MAX, IMPORT_ROWS_MAX};
use crate::message::Message;

/// A file opened for import.
#[derive(Debug)]
pub struct Table {
    headings: Vec<String>,
    source: Source,
    total: usize,
    encoding: &'static str,
}

#[derive(Debug)]
enum Source {
    Text { text: String, delimiter: u8, cut: bool },
    Sheet(Vec<SheetRow>),
}

/// A row of the table.
#[derive(Debug)]
pub struct Row<'t> {
    /// Its line in the file, the heading's being 1.
    pub line: u64,
    /// Its cells, as many as there are headings.
    pub cells: Vec<Cow<'t, str>>,
    /// Why it cannot be read; its cells are then empty.
    pub fault: Option<Message>,
    /// What had to be mended in it.
    pub note: Option<Message>,
}

impl Table {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// `import_file_unreadable`, and those of [`Table::parse`], with the path as the place.
    pub fn open(path: &Path) -> Result<Self> {
        Self::parse(&read_file(path)?)
            .map_err(|e| if e.place().is_empty() { e.at(path.display().to_string()) } else { e })
    }

    /// Reads a file's bytes.
    ///
    /// # Errors
    /// `import_foreign_…` where it is another kind of file, `import_bytes_broken` where its text is damaged,
    /// `import_xlsx_broken`, `import_empty` where it has no heading, `import_rows_max` and `import_file_max` beyond
    /// the bounds.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > IMPORT_FILE_BYTES_MAX {
            return Err(Error::limit("import-file-max").with("size", IMPORT_FILE_BYTES_MAX >> 20));
        }
        if sheet::is_archive(bytes) { Self::of_sheet(sheet::read(bytes)?) } else { Self::of_text(text::decode(bytes)?) }
    }

    fn of_sheet(mut rows: Vec<SheetRow>) -> Result<Self> {
        if rows.is_empty() {
            return Err(Error::invalid("import-empty"));
        }
        let (_, headings) = rows.remove(0);
        let width = headings.last().map_or(0, |(column, _)| usize::from(*column) + 1);
        let headings = sheet_cells(&headings, width).iter().map(|h| heading(h)).collect();
        Ok(Self { headings, total: rows.len(), source: Source::Sheet(rows), encoding: "xlsx" })
    }

    fn of_text(decoded: text::Decoded) -> Result<Self> {
        let text::Decoded { text, encoding, cut } = decoded;
        let (delimiter, skip) = match declared_delimiter(&text) {
            Some(declared) => (declared, true),
            None => (detect_delimiter(&text), false),
        };
        let mut reader = Reader::new(&text, delimiter);
        let mut cells = Vec::new();
        if skip {
            reader.next_into(&mut cells);
        }
        let headings: Vec<String> = match reader.next_into(&mut cells) {
            None => return Err(Error::invalid("import-empty")),
            Some((line, Err(fault))) => return Err(Error::invalid(fault_id(fault)).at(format!("line {line}"))),
            Some((_, Ok(()))) => cells.iter().map(|c| heading(&c.text)).collect(),
        };
        if headings.iter().all(String::is_empty) {
            return Err(Error::invalid("import-empty"));
        }
        let mut total = 0usize;
        while reader.next_into(&mut cells).is_some() {
            total += 1;
            if total > IMPORT_ROWS_MAX {
                return Err(Error::limit("import-rows-max").with("rows", IMPORT_ROWS_MAX));
            }
        }
        Ok(Self { headings, total, source: Source::Text { text, delimiter, cut }, encoding })
    }

    /// The headings in file order, without blanks around them; an empty one is an unnamed column.
    pub fn headings(&self) -> &[String] {
        &self.headings
    }

    /// How many rows there are below the heading.
    pub fn len(&self) -> usize {
        self.total
    }

    /// Whether there is a heading only.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// The encoding that was found, `windows-1251`, or `xlsx`.
    pub fn encoding(&self) -> &'static str {
        self.encoding
    }

    /// The rows from the first one.
    pub fn rows(&self) -> Rows<'_> {
        let cursor = match &self.source {
            Source::Text { text, delimiter, .. } => {
                let mut reader = Reader::new(text, *delimiter);
                let mut cells = Vec::new();
                if declared_delimiter(text).is_some() {
                    reader.next_into(&mut cells);
                }
                reader.next_into(&mut cells);
                Cursor::Text { reader, cells }
            }
            Source::Sheet(rows) => Cursor::Sheet(rows.iter()),
        };
        Rows { table: self, cursor }
    }
}

/// The bytes of a file, within the bound.
///
/// # Errors
/// `import_file_unreadable`, `import_file_max`.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>> {
    let unreadable = |e: std::io::Error| {
        Error::not_found("import-file-unreadable").with("reason", e.to_string()).at(path.display().to_string())
    };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > IMPORT_FILE_BYTES_MAX as u64 {
        let error = Error::limit("import-file-max").with("size", IMPORT_FILE_BYTES_MAX >> 20);
        return Err(error.at(path.display().to_string()));
    }
    std::fs::read(path).map_err(unreadable)
}

/// The rows of a [`Table`], from its first to its last.
#[derive(Debug)]
pub struct Rows<'t> {
    table: &'t Table,
    cursor: Cursor<'t>,
}

#[derive(Debug)]
enum Cursor<'t> {
    Text { reader: Reader<'t>, cells: Vec<Cell<'t>> },
    Sheet(std::slice::Iter<'t, SheetRow>),
}

impl<'t> Iterator for Rows<'t> {
    type Item = Row<'t>;

    fn next(&mut self) -> Option<Row<'t>> {
        let width = self.table.headings.len();
        match &mut self.cursor {
            Cursor::Sheet(rows) => rows.next().map(|(line, filled)| {
                let cells = sheet_cells(filled, width);
                Row { line: *line, cells, fault: None, note: None }
            }),
            Cursor::Text { reader, cells } => {
                let Source::Text { text, delimiter, cut } = &self.table.source else { return None };
                let (line, read) = reader.next_into(cells)?;
                let last = reader.position() >= text.len();
                let fault = |id| Row { line, cells: Vec::new(), fault: Some(Message::new(id)), note: None };
                Some(match read {
                    Err(Fault::Unclosed) if last => fault("import-row-cut"),
                    Err(f) => fault(fault_id(f)),
                    Ok(()) if last && *cut => fault("import-row-cut"),
                    Ok(()) => {
                        let ended = text.ends_with(['\n', '\r']);
                        text_row(line, cells, width, *delimiter, last && !ended)
                    }
                })
            }
        }
    }
}

// Notes beside a table, beyond its width, are no part of it.
fn sheet_cells(filled: &[(u16, Box<str>)], width: usize) -> Vec<Cow<'_, str>> {
    let mut cells = vec![Cow::Borrowed(""); width.min(IMPORT_COLUMNS_MAX)];
    for (column, text) in filled {
        if let Some(cell) = cells.get_mut(usize::from(*column)) {
            *cell = Cow::Borrowed(text);
        }
    }
    cells
}

fn text_row<'t>(line: u64, cells: &mut Vec<Cell<'t>>, width: usize, delimiter: u8, unfinished: bool) -> Row<'t> {
    while cells.len() > width && cells.last().is_some_and(|c| c.text.is_empty()) {
        cells.pop();
    }
    let mut note = None;
    if cells.len() > width {
        note = rejoin(cells, width, delimiter).map(|text| Message::new("import-cell-rejoined").with("text", text));
    }
    if cells.len() != width {
        let id = if unfinished && cells.len() < width { "import-row-cut" } else { "import-row-width" };
        let fault = Message::new(id).with("cells", cells.len()).with("headings", width);
        return Row { line, cells: Vec::new(), fault: Some(fault), note: None };
    }
    let cells = cells.drain(..).map(|c| without_guard(c.text)).collect();
    Row { line, cells, fault: None, note }
}

/// Mends a row with too many cells when exactly the surplus ones begin with a blank: an address such as `Rue 5, Lyon`
/// that was written without quotes. Returns the mended text.
fn rejoin(cells: &mut Vec<Cell<'_>>, width: usize, delimiter: u8) -> Option<String> {
    let surplus = cells.len() - width;
    let spaced = |(n, c): (usize, &Cell<'_>)| n > 0 && c.spaced;
    if cells.iter().enumerate().filter(|(n, c)| spaced((*n, c))).count() != surplus {
        return None;
    }
    let mut mended = String::new();
    for at in (1..cells.len()).rev() {
        if cells.get(at).is_some_and(|c| c.spaced) {
            let tail = cells.remove(at).text;
            if let Some(head) = cells.get_mut(at - 1) {
                head.text = Cow::Owned(format!("{}{} {tail}", head.text, char::from(delimiter)));
                mended = head.text.to_string();
            }
        }
    }
    Some(mended)
}

/// Takes off the `'` that keeps a spreadsheet from reading a text as a formula; `export` puts it there.
fn without_guard(text: Cow<'_, str>) -> Cow<'_, str> {
    let Some(rest) = text.strip_prefix('\'') else { return text };
    if !rest.trim_start_matches('\'').starts_with(FORMULA_STARTS) {
        return text;
    }
    match text {
        Cow::Borrowed(t) => Cow::Borrowed(t.strip_prefix('\'').unwrap_or(t)),
        Cow::Owned(mut t) => {
            t.remove(0);
            Cow::Owned(t)
        }
    }
}

/// What a spreadsheet takes for the beginning of a formula.
pub(in crate::crm) const FORMULA_STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Excel's own way to name the delimiter: a first line `sep=;`.
fn declared_delimiter(text: &str) -> Option<u8> {
    let first = text.lines().next()?.trim();
    let declared =
        first.strip_prefix("sep=").or_else(|| first.strip_prefix("\"sep=").map(|s| s.trim_end_matches('"')))?;
    match declared.as_bytes() {
        [b] if b.is_ascii() => Some(*b),
        _ => None,
    }
}

fn heading(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn fault_id(fault: Fault) -> &'static str {
    match fault {
        Fault::Unclosed => "import-quote-unclosed",
        Fault::StrayQuote => "import-quote-stray",
        Fault::TooLong => "import-cell-max",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<(u64, Vec<String>)> {
        let table = Table::parse(text.as_bytes()).unwrap();
        table.rows().map(|r| (r.line, r.cells.iter().map(ToString::to_string).collect())).collect()
    }

    fn row(line: u64, cells: &[&str]) -> (u64, Vec<String>) {
        (line, cells.iter().map(|c| (*c).to_owned()).collect())
    }

    fn fault_of(text: &str) -> (u64, &'static str) {
        let table = Table::parse(text.as_bytes()).unwrap();
        let faults: Vec<_> = table.rows().filter_map(|r| r.fault.map(|f| (r.line, f.id()))).collect();
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults[0]
    }

    #[test]
    fn an_address_without_quotes_is_read_as_one_cell() {
        let text = "id,address,city\n1,Rua do Paço, 67,Rio\n2,2, rue du Commerce,Lyon\n3,\"a, b\",c\n";
        let expected = [
            row(2, &["1", "Rua do Paço, 67", "Rio"]),
            row(3, &["2", "2, rue du Commerce", "Lyon"]),
            row(4, &["3", "a, b", "c"]),
        ];
        assert_eq!(rows(text), expected);
        let table = Table::parse(text.as_bytes()).unwrap();
        assert_eq!(table.rows().filter(|r| r.note.is_some()).count(), 2);
    }

    #[test]
    fn a_blank_after_each_delimiter_is_only_taken_off() {
        assert_eq!(rows("a, b, c\nx, , z\n"), [row(2, &["x", "", "z"])]);
        assert_eq!(fault_of("a, b\nx, y, z\n"), (2, "import-row-width"));
    }

    #[test]
    fn a_cut_file_refuses_the_row_it_was_cut_in() {
        assert_eq!(fault_of("a,b,c\n1,2,3\n4,5"), (3, "import-row-cut"));
        assert_eq!(fault_of("a,b\n1,2\n3,\"fo"), (3, "import-row-cut"));
        assert_eq!(fault_of("a,b,c\n1,2\n4,5,6\n"), (2, "import-row-width"));
    }

    #[test]
    fn guarded_cells_lose_one_guard_and_others_keep_their_apostrophe() {
        let text = "a\n'=1+1\n''-x\n'tis\n'+7 495\n";
        assert_eq!(rows(text), [row(2, &["=1+1"]), row(3, &["'-x"]), row(4, &["'tis"]), row(5, &["+7 495"])]);
    }

    #[test]
    fn a_declared_delimiter_wins_and_lines_still_count() {
        assert_eq!(rows("sep=;\nname;note\nA;b,c\n"), [row(3, &["A", "b,c"])]);
    }

    #[test]
    fn nothing_to_import_is_an_error() {
        for empty in ["", "\n\n", "\u{feff}"] {
            assert_eq!(Table::parse(empty.as_bytes()).unwrap_err().code(), "import_empty");
        }
        assert!(Table::parse(b"name\n").unwrap().is_empty());
    }
}
