//! The first filled sheet of an XLSX workbook as rows of text.
//!
//! Cells are streamed and only filled ones kept, so a lone cell in the last column of the last row costs one cell and not
//! a million. Dates become ISO 8601, whole numbers lose their `.0`, an error cell such as `#N/A` is kept as its text. Formulas count by the
//! value that the spreadsheet stored.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{DataRef, ExcelDateTime, Reader as _, Xlsx};

use super::parts;
use crate::error::{Error, Result};
use crate::limits::{
    IMPORT_CELL_BYTES_MAX, IMPORT_COLUMNS_MAX, IMPORT_ROWS_MAX, IMPORT_SHEET_CELLS_MAX, IMPORT_SHEET_TEXT_BYTES_MAX,
    IMPORT_SHEETS_MAX,
};

/// A row: its number in the sheet (from 1) and its filled cells, each with its column (from 0), ascending.
pub(super) type SheetRow = (u64, Vec<(u16, Box<str>)>);

/// Whether these bytes are a zip archive, as every XLSX file is.
pub(super) fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

/// The rows of the first sheet that holds anything, empty rows left out.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<SheetRow>> {
    parts::check(bytes)?;
    // The file is foreign: whatever the reader makes of damaged parts must stay inside this call.
    catch_unwind(AssertUnwindSafe(|| read_workbook(bytes)))
        .unwrap_or_else(|_| Err(broken("the reader gave up on a damaged part")))
}

pub(super) fn broken(reason: impl std::fmt::Display) -> Error {
    Error::invalid("import-xlsx-broken").with("reason", reason.to_string())
}

fn read_workbook(bytes: &[u8]) -> Result<Vec<SheetRow>> {
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(broken)?;
    for name in book.sheet_names().into_iter().take(IMPORT_SHEETS_MAX) {
        let rows = read_sheet(&mut book, &name)?;
        if !rows.is_empty() {
            return Ok(rows);
        }
    }
    Ok(Vec::new())
}

fn read_sheet(book: &mut Xlsx<Cursor<&[u8]>>, name: &str) -> Result<Vec<SheetRow>> {
    // Chart sheets have no cells; a workbook that has only those is empty.
    let Ok(mut cells) = book.worksheet_cells_reader(name) else { return Ok(Vec::new()) };
    let mut rows: Vec<SheetRow> = Vec::new();
    let mut room = Room::default();
    while let Some(cell) = cells.next_cell().map_err(broken)? {
        let (row, column) = cell.get_position();
        let text = text_of(cell.get_value());
        if text.is_empty() {
            continue;
        }
        let line = u64::from(row) + 1;
        let column = u16::try_from(column).ok().filter(|column| usize::from(*column) < IMPORT_COLUMNS_MAX);
        let Some(column) = column.filter(|_| text.len() <= IMPORT_CELL_BYTES_MAX) else {
            return Err(Error::limit("import-sheet-bounds").with("row", line).with("columns", IMPORT_COLUMNS_MAX));
        };
        room.take(line, text.len())?;
        if rows.last().is_none_or(|(last, _)| *last != line) {
            if rows.len() > IMPORT_ROWS_MAX {
                return Err(Error::limit("import-rows-max").with("rows", IMPORT_ROWS_MAX));
            }
            rows.push((line, Vec::new()));
        }
        if let Some((_, cells)) = rows.last_mut() {
            put(cells, column, text.into());
        }
    }
    Ok(rows)
}

/// What the cells of a sheet take: many cells may share one text in the file, but not in memory.
#[derive(Debug, Default)]
struct Room {
    cells: usize,
    bytes: usize,
}

impl Room {
    fn take(&mut self, line: u64, bytes: usize) -> Result<()> {
        self.cells += 1;
        self.bytes += bytes;
        if self.cells > IMPORT_SHEET_CELLS_MAX || self.bytes > IMPORT_SHEET_TEXT_BYTES_MAX {
            let error = Error::limit("import-sheet-size").with("row", line).with("cells", IMPORT_SHEET_CELLS_MAX);
            return Err(error.with("size", IMPORT_SHEET_TEXT_BYTES_MAX >> 20));
        }
        Ok(())
    }
}

// Cells come in order, unless a program wrote them otherwise; of two in one place the last counts.
fn put(cells: &mut Vec<(u16, Box<str>)>, column: u16, text: Box<str>) {
    if cells.last().is_none_or(|(last, _)| *last < column) {
        cells.push((column, text));
        return;
    }
    match cells.binary_search_by_key(&column, |(at, _)| *at) {
        Ok(at) => cells.splice(at..=at, [(column, text)]).for_each(drop),
        Err(at) => cells.insert(at, (column, text)),
    }
}

fn text_of(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Empty => String::new(),
        DataRef::Int(n) => n.to_string(),
        DataRef::Float(n) => number(*n),
        DataRef::String(s) => s.clone(),
        DataRef::SharedString(s) => (*s).to_owned(),
        DataRef::Bool(b) => b.to_string(),
        DataRef::DateTime(t) => moment(t),
        DataRef::DateTimeIso(s) | DataRef::DurationIso(s) => s.clone(),
        DataRef::Error(e) => e.to_string(),
    }
}

fn number(n: f64) -> String {
    // Beyond 2^53 a spreadsheet's whole numbers are no longer exact, and neither is the cast.
    if n.fract() == 0.0 && n.abs() < 9_007_199_254_740_992.0 { (n as i64).to_string() } else { n.to_string() }
}

fn moment(t: &ExcelDateTime) -> String {
    if !t.is_datetime() {
        return number(t.as_f64());
    }
    let (year, month, day, hour, minute, second, _) = t.to_ymd_hms_milli();
    if (hour, minute, second) == (0, 0, 0) {
        format!("{year:04}-{month:02}-{day:02}")
    } else {
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use rust_xlsxwriter::{ExcelDateTime as Written, Format, Workbook};

    fn workbook() -> Vec<u8> {
        let mut book = Workbook::new();
        book.add_worksheet();
        let sheet = book.add_worksheet();
        let date = Format::new().set_num_format("dd.mm.yyyy");
        let moment = Format::new().set_num_format("yyyy-mm-dd hh:mm:ss");
        for (column, heading) in ["Название", "Сумма", "Дата", "Когда", "Да"].iter().enumerate()
        {
            sheet.write_string(1, column as u16, *heading).unwrap();
        }
        sheet.write_string(3, 0, "ООО «Ромашка»").unwrap();
        sheet.write_number(3, 1, 1054.0).unwrap();
        let day = Written::from_ymd(2017, 3, 1).unwrap();
        sheet.write_datetime_with_format(3, 2, &day, &date).unwrap();
        let late = Written::from_ymd(2017, 3, 1).unwrap().and_hms(9, 30, 5).unwrap();
        sheet.write_datetime_with_format(3, 3, &late, &moment).unwrap();
        sheet.write_boolean(3, 4, true).unwrap();
        sheet.write_number(4, 1, 0.1).unwrap();
        book.save_to_buffer().unwrap()
    }

    #[test]
    fn the_first_filled_sheet_is_read_with_its_row_numbers() {
        let rows = read(&workbook()).unwrap();
        let row = |line: u64, cells: &[(u16, &str)]| {
            (line, cells.iter().map(|(column, text)| (*column, Box::from(*text))).collect::<Vec<_>>())
        };
        let headings = [(0, "Название"), (1, "Сумма"), (2, "Дата"), (3, "Когда"), (4, "Да")];
        assert_eq!(rows[0], row(2, &headings));
        let cells = [(0, "ООО «Ромашка»"), (1, "1054"), (2, "2017-03-01"), (3, "2017-03-01 09:30:05"), (4, "true")];
        assert_eq!(rows[1], row(4, &cells));
        assert_eq!(rows[2], row(5, &[(1, "0.1")]));
    }

    #[test]
    fn a_sheet_of_absurd_dimensions_costs_no_more_than_its_filled_cells() {
        let mut book = Workbook::new();
        let sheet = book.add_worksheet();
        for line in 0..2_000_u32 {
            sheet.write_string(line * 500, IMPORT_COLUMNS_MAX as u16 - 1, "x").unwrap();
        }
        let rows = read(&book.save_to_buffer().unwrap()).unwrap();
        assert_eq!(rows.len(), 2_000);
        assert!(rows.iter().all(|(_, cells)| cells.len() == 1 && cells.capacity() <= 4));
        let mut book = Workbook::new();
        book.add_worksheet().write_string(7, IMPORT_COLUMNS_MAX as u16, "x").unwrap();
        let error = read(&book.save_to_buffer().unwrap()).unwrap_err();
        assert_eq!(error.code(), "import_sheet_bounds");
        assert!(error.to_string().contains("Row 8"), "{error}");
    }

    #[test]
    fn a_text_that_many_cells_share_counts_in_each() {
        // Half a megabyte in the file, 600 times as much in memory.
        let shared = "x".repeat(512 * 1024);
        let table = "<sst xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><si><t>";
        let mut book = Workbook::new();
        let sheet = book.add_worksheet();
        for line in 0..600 {
            sheet.write_string(line, 0, "shared").unwrap();
        }
        let plain = book.save_to_buffer().unwrap();
        let swollen = with_part(&plain, "xl/sharedStrings.xml", &format!("{table}{shared}</t></si></sst>"));
        let error = read(&swollen).unwrap_err();
        assert_eq!(error.code(), "import_sheet_size");
        assert!(error.to_string().contains("row 513"), "{error}");
    }

    // The archive with one part replaced.
    fn with_part(bytes: &[u8], name: &str, content: &str) -> Vec<u8> {
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for at in 0..archive.len() {
            let part = archive.by_index(at).unwrap();
            if part.name().unwrap() != name {
                writer.raw_copy_file(part).unwrap();
            }
        }
        writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut writer, content.as_bytes()).unwrap();
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn damaged_workbooks_are_an_error_and_never_a_panic() {
        let whole = workbook();
        assert_eq!(read(&whole[..whole.len() / 2]).unwrap_err().code(), "import_xlsx_broken");
        for at in (0..whole.len()).step_by(97) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            let _ = read(&damaged);
        }
    }
}
