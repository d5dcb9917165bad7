//! Files that a person imports.

use std::collections::BTreeSet;
use std::io::{Cursor, Write};

use branchline_core::crm::import::{Import, ImportMap, Table};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::company;
use crate::checkout;

/// A file of any bytes: it has as many rows as it says, and a dry run over a real company says of each what would come
/// of it.
pub(super) fn table(bytes: &[u8]) -> bool {
    let Ok(table) = Table::parse(bytes) else { return false };
    assert_eq!(table.rows().count(), table.len());
    tried(bytes, None, table.len())
}

/// Text in several encodings and with several delimiters, and a workbook.
pub(super) fn table_seeds() -> Vec<Vec<u8>> {
    let windows_1251 = b"name;city\n\xc7\xe0\xf0\xff;\xca\xe8\xe5\xe2\n".to_vec();
    vec![
        b"name,city,phones\nOrbit,Tver,+7 495 1234567\n\"Amber \"\"A\"\"\",\"Riga\r\nold town\",\n".to_vec(),
        "\u{feff}sep=;\nНазвание;Город\nЗаря;Киев\n;\n".as_bytes().to_vec(),
        "name\tannual_revenue\temployees\nA\t1 234,50 USD\t12\n".as_bytes().to_vec(),
        windows_1251,
        workbook(SHEET.as_bytes()),
    ]
}

/// A workbook whose only sheet holds any bytes.
pub(super) fn sheet(bytes: &[u8]) -> bool {
    let file = workbook(bytes);
    let Ok(table) = Table::parse(&file) else { return false };
    assert_eq!(table.rows().count(), table.len());
    true
}

const SHEET: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><dimension ref="A1:C3"/><sheetData>
<row r="1"><c r="A1" t="inlineStr"><is><t>name</t></is></c><c r="B1" t="inlineStr"><is><t>employees</t></is></c></row>
<row r="2"><c r="A2" t="inlineStr"><is><t>Заря</t></is></c><c r="B2"><v>12</v></c><c r="C2" t="b"><v>1</v></c></row>
<row r="4"><c r="A4" t="str"><f>A2&amp;"x"</f><v>Заряx</v></c><c r="B4" t="e"><v>#DIV/0!</v></c></row>
</sheetData><mergeCells count="1"><mergeCell ref="A1:A2"/></mergeCells></worksheet>"#;

pub(super) fn sheet_seeds() -> Vec<Vec<u8>> {
    vec![SHEET.as_bytes().to_vec()]
}

fn workbook(sheet: &[u8]) -> Vec<u8> {
    const PARTS: [(&str, &str); 4] = [
        (
            "[Content_Types].xml",
            r#"<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>"#,
        ),
        (
            "_rels/.rels",
            r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#,
        ),
        (
            "xl/workbook.xml",
            r#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="A" sheetId="1" r:id="r1"/></sheets></workbook>"#,
        ),
        (
            "xl/_rels/workbook.xml.rels",
            r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#,
        ),
    ];
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let parts = PARTS.iter().map(|(name, part)| (*name, part.as_bytes()));
    for (name, part) in parts.chain([("xl/worksheets/sheet1.xml", sheet)]) {
        zip.start_file(name, stored).unwrap();
        zip.write_all(part).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A map of any text, tried on a small file with the columns that it names.
pub(super) fn map(bytes: &[u8]) -> bool {
    let Some(map) = std::str::from_utf8(bytes).ok().and_then(|text| ImportMap::parse(text).ok()) else { return false };
    let parent = map.lines.as_ref().map(|lines| lines.parent.column.clone());
    let headings: BTreeSet<String> = map.columns.keys().cloned().chain(parent).collect();
    let values = ["Orbit", "1,054", "2017-03-01", "", "Won", "x\u{301}", "-7.5", "a@b.example"];
    let mut file = csv::Writer::from_writer(Vec::new());
    file.write_record(&headings).unwrap();
    for row in 0..values.len() {
        file.write_record((0..headings.len()).map(|column| values[(row + column) % values.len()])).unwrap();
    }
    tried(&file.into_inner().unwrap(), Some(map), values.len())
}

/// The maps of the documentation.
pub(super) fn map_seeds() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut folders = vec![checkout().join("docs/examples/maps")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path),
            }
        }
    }
    found.sort();
    assert!(!found.is_empty());
    found.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

// Each row of a file is counted once, whatever comes of it, and a dry run leaves the company as it was.
fn tried(file: &[u8], map: Option<ImportMap>, rows: usize) -> bool {
    let collection = map.is_none().then(|| "account".to_owned());
    let before = company().digest().unwrap();
    let outcome = Import { collection, map, dry_run: true, ..Import::default() }.run(company(), file);
    if let Ok(outcome) = &outcome {
        let told = outcome.created + outcome.updated + outcome.unchanged + outcome.refused;
        assert_eq!((outcome.rows, told), (rows as u64, rows as u64), "{outcome:?}");
    }
    assert_eq!(company().digest().unwrap(), before);
    outcome.is_ok()
}
