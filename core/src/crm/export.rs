//! Export of a collection: CSV that comes back in through `import` unchanged, JSON in the shapes of the command line,
//! XLSX with typed cells.
//!
//! In CSV and XLSX the first column is the record's id, money is two columns `F` and `F_currency`, a set is joined with
//! `; `, and a reference is the first natural key that only its record has, else its id. A text that a spreadsheet
//! would take for a formula gets a leading `'` in CSV, which `import` takes off again; in XLSX it is a text cell.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use rust_decimal::prelude::ToPrimitive;
use rust_xlsxwriter::{ExcelDateTime, Format as CellFormat, Workbook, Worksheet, XlsxError};

use super::import::{FORMULA_STARTS, Found, Lookup, LookupPlan};
use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::replica::{Query, Record, Replica};
use crate::schema::{Collection, Field, FieldType, Schema, Value, format_value, json_value};

/// The shape of an exported file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// UTF-8, commas, a heading line; comes back in through `import`.
    #[default]
    Csv,
    /// One array of objects.
    Json,
    /// A workbook with one sheet.
    Xlsx,
}

impl Format {
    /// The format of a name: `csv`, `json`, `xlsx`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "json" => Some(Self::Json),
            "xlsx" => Some(Self::Xlsx),
            _ => None,
        }
    }
}

/// Writes the records that `query` finds; gives their number. The query's `fields`, if any, are the columns.
///
/// # Errors
/// `unknown_collection`, `unknown_field`; `export_write` where `out` takes no more; `export_cell_max` and
/// `export_rows_max` where a workbook cannot hold what is to be written.
pub fn export(replica: &Replica, query: &Query, format: Format, out: &mut dyn Write) -> Result<u64> {
    let schema = replica.schema();
    let collection = schema.require(&query.collection)?;
    let fields: Vec<Field> = match &query.fields {
        None => collection.fields.to_vec(),
        Some(names) => names
            .iter()
            .filter(|name| &***name != "id")
            .map(|name| collection.require_field(name).cloned())
            .collect::<Result<_>>()?,
    };
    match format {
        Format::Json => json(replica, query, &fields, out),
        Format::Csv => {
            let keys = NaturalKeys::load(replica, &schema, collection, &fields)?;
            csv(replica, query, &fields, &keys, out)
        }
        Format::Xlsx => {
            let keys = NaturalKeys::load(replica, &schema, collection, &fields)?;
            xlsx(replica, query, &fields, &keys, out)
        }
    }
}

fn write(out: &mut dyn Write, bytes: &[u8]) -> Result<()> {
    out.write_all(bytes).map_err(|e| Error::storage("export-write").with("reason", e.to_string()))
}

/// The text by which each referenced record is found again.
struct NaturalKeys(HashMap<RecordId, Arc<str>>);

impl NaturalKeys {
    fn load(replica: &Replica, schema: &Schema, rows: &Collection, fields: &[Field]) -> Result<Self> {
        let mut targets: Vec<&str> = Vec::new();
        for field in fields {
            match &field.ty {
                FieldType::Lines(subs) => targets.extend(subs.iter().filter_map(|sub| sub.ty.target().map(|t| &**t))),
                ty => targets.extend(ty.target().map(|t| &**t)),
            }
        }
        targets.sort_unstable();
        targets.dedup();
        let mut keys = HashMap::new();
        for target in targets {
            let plan = LookupPlan::by_natural_keys(schema.require(target)?, rows);
            let mut lookup = Lookup::load(replica, &plan)?;
            let query = Query::of(target).with_archived().fields(plan.by.iter().map(|name| &**name));
            replica.each(&query, &mut |record| {
                let texts = plan.by.iter().map(|name| record.text(name).trim());
                let mut own = texts.filter(|text| !text.is_empty() && !text.contains(';'));
                if let Some(text) = own.find(|text| lookup.find(text, None) == Found::Exact(record.id)) {
                    keys.insert(record.id, text.into());
                }
                Ok(())
            })?;
        }
        Ok(Self(keys))
    }

    fn text(&self, field: &Field, value: &Value) -> String {
        format_value(field, value, &|id| self.0.get(id).map(ToString::to_string))
    }
}

fn csv(replica: &Replica, query: &Query, fields: &[Field], keys: &NaturalKeys, out: &mut dyn Write) -> Result<u64> {
    let mut line = String::from("id");
    for heading in headings(fields) {
        line.push(',');
        push_cell(&mut line, &heading);
    }
    line.push_str("\r\n");
    write(out, line.as_bytes())?;
    let mut count = 0;
    replica.each(query, &mut |record| {
        line.clear();
        line.push_str(&record.id.to_string());
        for field in fields {
            line.push(',');
            match record.value(&field.name) {
                Value::Null if field.ty == FieldType::Money => line.push(','),
                Value::Null => {}
                Value::Money(money) => {
                    line.push_str(&money.amount_text());
                    line.push(',');
                    line.push_str(money.currency.code());
                }
                value if is_number(&field.ty) => line.push_str(&keys.text(field, value)),
                value => push_cell(&mut line, &guarded(keys.text(field, value))),
            }
        }
        line.push_str("\r\n");
        count += 1;
        write(out, line.as_bytes())
    })?;
    Ok(count)
}

fn headings(fields: &[Field]) -> Vec<String> {
    let mut headings = Vec::with_capacity(fields.len() + 4);
    for field in fields {
        headings.push(field.name.to_string());
        if field.ty == FieldType::Money {
            headings.push(format!("{}_currency", field.name));
        }
    }
    headings
}

/// A number is no formula, whatever its sign.
fn is_number(ty: &FieldType) -> bool {
    matches!(ty, FieldType::Integer | FieldType::Counter | FieldType::Decimal)
}

/// Adds a cell to a line of CSV: quoted where it must be, never the beginning of a formula unless it is a number.
pub(super) fn push_text_cell(line: &mut String, text: String) {
    let number = text.parse::<rust_decimal::Decimal>().is_ok();
    push_cell(line, &if number { text } else { guarded(text) });
}

/// A text that no spreadsheet takes for a formula.
fn guarded(text: String) -> String {
    if text.trim_start_matches('\'').starts_with(FORMULA_STARTS) { format!("'{text}") } else { text }
}

fn push_cell(line: &mut String, text: &str) {
    let outer = text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace);
    if !outer && !text.contains(['"', ',', ';', '\t', '\n', '\r']) {
        line.push_str(text);
        return;
    }
    line.push('"');
    line.push_str(&text.replace('"', "\"\""));
    line.push('"');
}

fn json(replica: &Replica, query: &Query, fields: &[Field], out: &mut dyn Write) -> Result<u64> {
    let mut count = 0;
    write(out, b"[")?;
    replica.each(query, &mut |record| {
        let mut object = serde_json::Map::with_capacity(fields.len() + 1);
        object.insert("id".to_owned(), record.id.to_string().into());
        for field in fields {
            let value = json_value(field, record.value(&field.name), &|id| replica.label(id));
            object.insert(field.name.to_string(), value);
        }
        write(out, if count == 0 { b"\n" } else { b",\n" })?;
        count += 1;
        write(out, serde_json::Value::Object(object).to_string().as_bytes())
    })?;
    write(out, b"\n]\n")?;
    Ok(count)
}

fn xlsx(replica: &Replica, query: &Query, fields: &[Field], keys: &NaturalKeys, out: &mut dyn Write) -> Result<u64> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    let bold = CellFormat::new().set_bold();
    let headings = std::iter::once("id".to_owned()).chain(headings(fields));
    for (column, heading) in (0..).zip(headings) {
        sheet.write_string_with_format(0, column, heading, &bold).map_err(|e| unwritable(&e, 1))?;
    }
    sheet.set_freeze_panes(1, 0).map_err(|e| unwritable(&e, 1))?;
    let date = CellFormat::new().set_num_format("yyyy-mm-dd");
    let mut row = 0u32;
    replica.each(query, &mut |record| {
        row += 1;
        xlsx_row(sheet, row, &record, fields, keys, &date).map_err(|e| unwritable(&e, row + 1))
    })?;
    let bytes = book.save_to_buffer().map_err(|e| unwritable(&e, row + 1))?;
    write(out, &bytes)?;
    Ok(row.into())
}

fn xlsx_row(
    sheet: &mut Worksheet,
    row: u32,
    record: &Record,
    fields: &[Field],
    keys: &NaturalKeys,
    date: &CellFormat,
) -> std::result::Result<(), XlsxError> {
    sheet.write_string(row, 0, record.id.to_string())?;
    let mut column = 1u16;
    for field in fields {
        let value = record.value(&field.name);
        match value {
            Value::Null => {}
            Value::Money(money) => {
                let exact = money.amount_text();
                write_number(sheet, row, column, &exact)?;
                sheet.write_string(row, column + 1, money.currency.code())?;
            }
            Value::Integer(_) | Value::Decimal(_) => write_number(sheet, row, column, &keys.text(field, value))?,
            Value::Boolean(yes) => {
                sheet.write_boolean(row, column, *yes)?;
            }
            // Spreadsheets count days from 1900.
            Value::Date(day) => match ExcelDateTime::parse_from_str(&day.iso()) {
                Ok(moment) => {
                    sheet.write_datetime_with_format(row, column, &moment, date)?;
                }
                Err(_) => {
                    sheet.write_string(row, column, day.iso())?;
                }
            },
            value => {
                sheet.write_string(row, column, keys.text(field, value))?;
            }
        }
        column += if field.ty == FieldType::Money { 2 } else { 1 };
    }
    Ok(())
}

/// A number where a spreadsheet holds it exactly, else its text.
fn write_number(sheet: &mut Worksheet, row: u32, column: u16, exact: &str) -> std::result::Result<(), XlsxError> {
    const DIGITS_MAX: usize = 15;
    let digits = exact.bytes().filter(u8::is_ascii_digit).count();
    let number = exact.parse::<rust_decimal::Decimal>().ok().and_then(|n| n.to_f64()).filter(|_| digits <= DIGITS_MAX);
    match number {
        Some(number) => sheet.write_number(row, column, number)?,
        None => sheet.write_string(row, column, exact)?,
    };
    Ok(())
}

fn unwritable(error: &XlsxError, row: u32) -> Error {
    match error {
        XlsxError::MaxStringLengthExceeded => Error::limit("export-cell-max").with("row", u64::from(row)),
        XlsxError::RowColumnLimitError => Error::limit("export-rows-max"),
        other => Error::storage("export-write").with("reason", other.to_string()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::crm::import::Table;

    #[test]
    fn texts_that_look_like_formulas_are_guarded_and_read_back_as_they_were() {
        let texts = [
            "=1+1", "+7 495 1", "-x", "@a", "'=x", "''+", "'tis", "plain", " padded ", "a;b", "\"q\"", "l1\nl2", "\tx",
        ];
        let mut line = String::from("text\r\n");
        for text in texts {
            push_cell(&mut line, &guarded(text.to_owned()));
            line.push_str("\r\n");
        }
        for start in ["=", "+", "-", "@", "\"\t"] {
            assert!(!line.lines().any(|l| l.starts_with(start)), "{start}: {line}");
        }
        let table = Table::parse(line.as_bytes()).unwrap();
        let read: Vec<String> = table.rows().map(|row| row.cells[0].to_string()).collect();
        assert_eq!(read, texts);
    }
}
