//! The pages against the code and each other: links resolve, every page can be reached, maps and references are true.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use branchline_tests::checkout;
use branchline_tests::reference::{commands, pages as pages_from_code};
use branchline_tests::source::relative;

/// A Markdown page: its path and its text without fenced code.
struct Page {
    path: PathBuf,
    text: String,
}

impl Page {
    fn read(path: PathBuf) -> Self {
        let whole = std::fs::read_to_string(&path).unwrap();
        let mut fenced = false;
        let prose = whole.lines().filter(|line| {
            let fence = line.trim_start().starts_with("```");
            fenced ^= fence;
            !fenced && !fence
        });
        let text = prose.collect::<Vec<_>>().join("\n");
        Self { path, text }
    }

    /// What its links point to.
    fn links(&self) -> Vec<String> {
        let parts = self.text.split("](").skip(1);
        parts.filter_map(|rest| rest.split(')').next()).map(|t| t.split(' ').next().unwrap().to_owned()).collect()
    }

    /// The anchors of its headings, as mdBook and GitHub make them.
    fn anchors(&self) -> BTreeSet<String> {
        let heading = |line: &str| line.starts_with('#').then(|| line.trim_start_matches('#').trim().to_lowercase());
        let slug = |title: String| -> String {
            let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        };
        self.text.lines().filter_map(heading).map(slug).collect()
    }
}

fn collect(folder: &Path, pages: &mut Vec<Page>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, pages);
        } else if path.extension().is_some_and(|e| e == "md") {
            pages.push(Page::read(path));
        }
    }
}

/// Every page of the project: the book, and the pages beside the code.
fn pages() -> Vec<Page> {
    let mut pages = Vec::new();
    for folder in ["docs", "mobile-demo", "bindings"] {
        collect(&checkout().join(folder), &mut pages);
    }
    pages.extend(["README.md", "CHANGELOG.md"].map(|name| Page::read(checkout().join(name))));
    pages.sort_by(|a, b| a.path.cmp(&b.path));
    pages
}

fn breaches(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn every_link_resolves() {
    let mut found = Vec::new();
    let pages = pages();
    assert!(pages.iter().map(|p| p.links().len()).sum::<usize>() > 10, "the scan for links finds next to nothing");
    for page in &pages {
        for link in page.links() {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() { page.path.clone() } else { page.path.parent().unwrap().join(path) };
            if !target.exists() {
                found.push(format!("{}: nothing at {link}", relative(&page.path)));
            } else if !anchor.is_empty() && !Page::read(target).anchors().contains(anchor) {
                found.push(format!("{}: no heading for {link}", relative(&page.path)));
            }
        }
    }
    breaches(found);
}

#[test]
fn every_page_of_the_book_is_in_its_contents() {
    let book = checkout().join("docs/src");
    let contents = Page::read(book.join("SUMMARY.md"));
    let listed: BTreeSet<PathBuf> = contents.links().iter().map(|link| book.join(link)).collect();
    let mut pages = Vec::new();
    collect(&book, &mut pages);
    let missing = pages.iter().filter(|p| p.path != contents.path && !listed.contains(&p.path));
    breaches(missing.map(|p| format!("SUMMARY.md does not list {}", relative(&p.path))).collect());
}

#[test]
fn included_files_exist() {
    let mut found = Vec::new();
    for page in pages() {
        for part in page.text.split("{{#include ").skip(1) {
            let name = part.split("}}").next().unwrap();
            if !page.path.parent().unwrap().join(name).is_file() {
                found.push(format!("{}: nothing to include at {name}", relative(&page.path)));
            }
        }
    }
    breaches(found);
}

#[test]
fn the_readme_maps_every_folder_and_every_room() {
    let readme = std::fs::read_to_string(checkout().join("README.md")).unwrap();
    let rows: String = readme.lines().filter(|line| line.starts_with("| `")).collect();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(checkout()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let ours = entry.path().is_dir() && !name.starts_with('.') && name != "target";
        if ours && !rows.contains(&format!("`{name}/`")) {
            found.push(format!("README.md: no word on the folder {name}/"));
        }
    }
    let core = std::fs::read_to_string(checkout().join("core/src/lib.rs")).unwrap();
    for room in core.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')) {
        if !rows.contains(&format!("`{room}`")) {
            found.push(format!("README.md: no word on the room {room}"));
        }
    }
    for named in rows.split('`').filter(|word| word.ends_with('/')) {
        if !checkout().join(named).is_dir() {
            found.push(format!("README.md: there is no folder {named}"));
        }
    }
    breaches(found);
}

#[test]
fn decisions_are_numbered_without_a_gap() {
    let mut numbers: Vec<u32> = std::fs::read_dir(checkout().join("docs/src/adr"))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.split_once('-')?.0.parse().ok())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=numbers.len() as u32).collect::<Vec<_>>());
}

#[test]
fn generated_pages_are_current() {
    let stale = pages_from_code().into_iter().chain([commands()]).filter(|page| !page.is_current());
    let say = |page: &branchline_tests::reference::Page| {
        format!("{} is stale: cargo run -p branchline-tests --bin reference", relative(&page.path))
    };
    breaches(stale.map(|page| say(&page)).collect());
}

#[test]
fn the_protocol_page_lists_every_message() {
    let page = std::fs::read_to_string(checkout().join("docs/src/protocol.md")).unwrap();
    let source = std::fs::read_to_string(checkout().join("core/src/wire/message.rs")).unwrap();
    let kinds: Vec<(String, String)> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub(super) const ")?.strip_suffix(';')?.split_once(": u8 = "))
        .map(|(name, number)| (name.replace('_', "").to_lowercase(), number.to_owned()))
        .collect();
    assert!(kinds.len() >= 14, "the kinds of messages were not found");
    let rows = page.to_lowercase();
    let missing = kinds.iter().filter(|(name, number)| !rows.contains(&format!("| {number} | `{name}` |")));
    breaches(missing.map(|(name, number)| format!("protocol.md: no row for message {number}, {name}")).collect());
}

/// The TOML examples of a page.
fn examples(page: &str) -> Vec<String> {
    let text = std::fs::read_to_string(checkout().join("docs/src").join(page)).unwrap();
    let blocks = text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
    blocks.collect()
}

#[test]
fn the_declarations_in_the_book_are_valid() {
    let examples = examples("own-fields.md");
    assert!(!examples.is_empty());
    for example in examples {
        if let Err(error) = branchline_core::schema::parse_declarations(&example) {
            panic!("own-fields.md: {error}\n{example}");
        }
    }
}

#[test]
fn the_import_maps_in_the_book_are_valid() {
    let examples = examples("import-maps.md");
    assert!(!examples.is_empty());
    for example in examples {
        if let Err(error) = branchline_core::crm::import::ImportMap::parse(&example) {
            panic!("import-maps.md: {error}\n{example}");
        }
    }
}

#[test]
fn the_page_of_commands_has_a_part_for_each() {
    let page = commands().text;
    let headings: BTreeSet<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    for command in ["init", "serve", "invite", "join", "sync", "import", "import undo", "report", "users add", "verify"]
    {
        assert!(headings.contains(command), "{command}: {headings:?}");
    }
}
