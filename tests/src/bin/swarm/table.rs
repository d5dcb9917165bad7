//! The table of mutants in `docs/src/promises.md`, between its two marks.

use branchline_tests::checkout;
use branchline_tests::swarm::canaries::Caught;

const PAGE: &str = "docs/src/promises.md";
const BEGIN: &str = "<!-- canaries: written by `swarm canaries --write` -->\n";
const END: &str = "<!-- end of canaries -->";

/// Writes the table.
///
/// # Errors
/// Why it could not be written, in words.
pub(super) fn write(caught: &[Caught]) -> Result<(), String> {
    let path = checkout().join(PAGE);
    let page = std::fs::read_to_string(&path).map_err(|e| e.to_string())?;
    let begin = page.find(BEGIN).ok_or_else(|| format!("{PAGE} has no place for the table"))? + BEGIN.len();
    let end = page.find(END).ok_or_else(|| format!("{PAGE} has no end of the table"))?;
    let mut table =
        "\n| mutant | what is wrong with it | rung | caught by | after |\n|---|---|---|---|--:|\n".to_owned();
    for one in caught {
        let (by, after) = match &one.by {
            Some((by, after)) => (by.as_str(), after.to_string()),
            None => ("**nothing**", String::new()),
        };
        table += &format!("| `{}` | {} | {} | {by} | {after} |\n", one.name, one.what, one.rung.name());
    }
    let page = format!("{}{table}\n{}", &page[..begin], &page[end..]);
    std::fs::write(&path, page).map_err(|e| e.to_string())
}
