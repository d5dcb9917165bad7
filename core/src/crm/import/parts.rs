//! The parts of a workbook, measured before anything reads them: a file of a few kilobytes can unpack to many gigabytes.
//!
//! Their headers are believed, for the reader of the archive gives out no more of a part than its header says and fails
//! where there is more; a test holds it to that.

use std::io::Cursor;

use memchr::memmem;
use zip::ZipArchive;

use super::sheet::broken;
use crate::error::{Error, Result};
use crate::limits::{IMPORT_SHEET_PARTS_MAX, IMPORT_SHEET_UNPACKED_BYTES_MAX};

/// How a part begins in the directory of an archive.
const DIRECTORY_ENTRY: &[u8] = b"PK\x01\x02";

/// Checks that the parts of a workbook fit into memory.
///
/// # Errors
/// `import_xlsx_parts`, `import_xlsx_unpacked`; `import_xlsx_broken` where it is no archive.
pub(super) fn check(bytes: &[u8]) -> Result<()> {
    check_within(bytes, IMPORT_SHEET_UNPACKED_BYTES_MAX)
}

fn check_within(bytes: &[u8], unpacked_max: u64) -> Result<()> {
    // Before the directory is read: what a reader keeps of each entry is larger than the entry.
    if memmem::find_iter(bytes, DIRECTORY_ENTRY).count() > IMPORT_SHEET_PARTS_MAX {
        return Err(Error::limit("import-xlsx-parts").with("limit", IMPORT_SHEET_PARTS_MAX));
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    let mut left = unpacked_max;
    for at in 0..archive.len() {
        let part = archive.by_index_raw(at).map_err(broken)?;
        left =
            left.checked_sub(part.size()).ok_or_else(|| too_large(&part.name().unwrap_or_default(), unpacked_max))?;
    }
    Ok(())
}

fn too_large(part: &str, unpacked_max: u64) -> Error {
    let name: String = part.chars().take(80).collect();
    Error::limit("import-xlsx-unpacked").with("part", name).with("size", unpacked_max >> 20)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::io::{Read, Write, copy};

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    const MIB: u64 = 1024 * 1024;

    // An archive with one part of zeros.
    fn zeros(count: u64) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file("xl/sharedStrings.xml", SimpleFileOptions::default()).unwrap();
        copy(&mut std::io::repeat(0).take(count), &mut writer).unwrap();
        writer.finish().unwrap().into_inner()
    }

    // The same with another unpacked size in its headers.
    fn claiming(mut bytes: Vec<u8>, size: u32) -> Vec<u8> {
        let central = memmem::find(&bytes, DIRECTORY_ENTRY).unwrap();
        for at in [22, central + 24] {
            bytes[at..at + 4].copy_from_slice(&size.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn a_part_that_says_it_is_huge_is_refused_unread() {
        let small = zeros(64 * 1024);
        check(&small).unwrap();
        let error = check(&claiming(small, u32::MAX - 1)).unwrap_err();
        assert_eq!(error.code(), "import_xlsx_unpacked");
        let text = error.to_string();
        assert!(text.contains("xl/sharedStrings.xml") && text.contains("512"), "{text}");
    }

    #[test]
    fn a_bomb_is_refused_and_one_that_lies_about_its_size_gives_no_more_than_it_says() {
        let bomb = zeros(8 * MIB);
        assert!(bomb.len() < 64 * 1024, "{} bytes", bomb.len());
        check_within(&bomb, 8 * MIB).unwrap();
        assert_eq!(check_within(&bomb, 4 * MIB).unwrap_err().code(), "import_xlsx_unpacked");
        let liar = claiming(bomb, 100);
        let mut given = Vec::new();
        let mut archive = ZipArchive::new(Cursor::new(&liar)).unwrap();
        assert!(archive.by_index(0).unwrap().read_to_end(&mut given).is_err());
        assert!(given.len() <= 101, "{} bytes", given.len());
    }

    #[test]
    fn parts_add_up_and_too_many_are_refused() {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for n in 0..3 {
            writer.start_file(format!("{n}"), SimpleFileOptions::default()).unwrap();
            writer.write_all(&vec![0; MIB as usize]).unwrap();
        }
        let three = writer.finish().unwrap().into_inner();
        check_within(&three, 3 * MIB).unwrap();
        assert_eq!(check_within(&three, 3 * MIB - 1).unwrap_err().code(), "import_xlsx_unpacked");
        let directory = DIRECTORY_ENTRY.repeat(IMPORT_SHEET_PARTS_MAX + 1);
        assert_eq!(check(&directory).unwrap_err().code(), "import_xlsx_parts");
    }
}
