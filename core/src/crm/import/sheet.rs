//! The first filled sheet of an XLSX workbook as rows of text.
//!
//! Cells are streamed, so a lone cell in the last column of the last row costs one cell and not a million. Dates become
//! ISO 8601, whole numbers lose their `.0`, an error cell such as `#N/A` is kept as its text. Formulas count by the
//! value that the spreadsheet stored.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{DataRef, ExcelDateTime, Reader as _, Xlsx};

use crate::error::{Error, Result};
use crate::limits::{IMPORT_CELL_BYTES_MAX, IMPORT_COLUMNS_MAX, IMPORT_ROWS_MAX};

/// A row: its number in the sheet (from 1) and its cells.
pub(super) type SheetRow = (u64, Vec<String>);

/// Whether these bytes are a zip archive, as every XLSX file is.
pub(super) fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

/// The rows of the first sheet that holds anything, empty rows left out.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<SheetRow>> {
    // The file is foreign: whatever the reader makes of damaged parts must stay inside this call.
    catch_unwind(AssertUnwindSafe(|| read_workbook(bytes)))
        .unwrap_or_else(|_| Err(broken("the reader gave up on a damaged part")))
}

fn broken(reason: impl std::fmt::Display) -> Error {
    Error::invalid("import-xlsx-broken").with("reason", reason.to_string())
}

fn read_workbook(bytes: &[u8]) -> Result<Vec<SheetRow>> {
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(broken)?;
    for name in book.sheet_names() {
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
    while let Some(cell) = cells.next_cell().map_err(broken)? {
        let (row, column) = cell.get_position();
        let text = text_of(cell.get_value());
        if text.is_empty() {
            continue;
        }
        let (line, column) = (u64::from(row) + 1, column as usize);
        if column >= IMPORT_COLUMNS_MAX || text.len() > IMPORT_CELL_BYTES_MAX {
            return Err(Error::limit("import-sheet-bounds").with("row", line).with("columns", IMPORT_COLUMNS_MAX));
        }
        if rows.last().is_none_or(|(last, _)| *last != line) {
            if rows.len() > IMPORT_ROWS_MAX {
                return Err(Error::limit("import-rows-max").with("rows", IMPORT_ROWS_MAX));
            }
            rows.push((line, Vec::new()));
        }
        if let Some((_, cells)) = rows.last_mut() {
            if cells.len() <= column {
                cells.resize(column + 1, String::new());
            }
            if let Some(slot) = cells.get_mut(column) {
                *slot = text;
            }
        }
    }
    Ok(rows)
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
        assert_eq!(rows[0], (2, ["Название", "Сумма", "Дата", "Когда", "Да"].map(str::to_owned).to_vec()));
        let expected = ["ООО «Ромашка»", "1054", "2017-03-01", "2017-03-01 09:30:05", "true"];
        assert_eq!(rows[1], (4, expected.map(str::to_owned).to_vec()));
        assert_eq!(rows[2], (5, vec![String::new(), "0.1".to_owned()]));
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
