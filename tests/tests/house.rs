//! The rules of the house, held by reading the sources: who may import whom, who may touch what, how large things may
//! be, and that each module says what it is for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use branchline_tests::checkout;
use branchline_tests::source::{Source, close, sources, words};

const CRATES: [&str; 4] = ["core", "sync-server", "bindings", "tests"];

/// Names that only some rooms may use, and why. A room of `core` is named by its folder or file.
const DOORS: [(&[&str], &[&str], &str); 8] = [
    (&["automerge"], &["document"], "documents are made and merged in one room, foreign bytes enter through its door"),
    (&["negentropy"], &["sync"], "what both ends hold is compared in one place"),
    (&["rusqlite"], &["store"], "only the store speaks SQL"),
    (
        &["TcpStream", "TcpListener", "UdpSocket", "UnixStream", "UnixListener", "tokio_tungstenite", "connect_async"],
        &["net", "sync-server", "tests"],
        "only the driver and the server open sockets",
    ),
    (&["tokio", "axum"], &["net", "sync-server", "bindings", "tests"], "the core is synchronous and sans-IO"),
    (&["getrandom", "OsRng", "thread_rng"], &["replica", "net", "sync-server", "tests"], "randomness is an argument"),
    (
        &["SystemTime", "Instant::now", "Utc::now", "Local::now"],
        &["replica", "net", "sync-server", "tests"],
        "the clock is an argument",
    ),
    (&["thread::spawn", "thread::sleep"], &["replica", "net", "sync-server", "tests"], "lower rooms are pure"),
];

/// Single places that stand outside a door, and why.
const EXEMPT: [(&str, &str, &str); 1] = [(
    "core/src/store/adhoc.rs",
    "Instant::now",
    "a statement that a person typed is stopped after a minute of real time",
)];

/// What `crm` may import: it stands on the facade, with the types that the facade speaks.
const CRM_IMPORTS: [&str; 8] = ["replica", "schema", "error", "time", "id", "message", "limits", "crm"];

/// Names that a trait of somebody else's crate demands.
const FOREIGN_NAMES: [&str; 1] = ["get_item"];

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;

/// Files that may hold `unsafe`, each for one stated reason.
const UNSAFE_ALLOWED: [&str; 2] = [
    // Namespaces and TUN devices are system calls.
    "tests/src/line/kernel.rs",
    // SQLite asks for its files by C functions.
    "tests/src/disk/vfs.rs",
];

/// The rooms of `core` in their order, read from the table in the crate's documentation; those of one row are equals.
fn rooms() -> Vec<Vec<String>> {
    let root = std::fs::read_to_string(checkout().join("core/src/lib.rs")).unwrap();
    let row = |line: &str| -> Option<Vec<String>> {
        let cell = line.strip_prefix("//! | [`")?.split('|').next()?;
        Some(cell.split("[`").filter_map(|part| part.split('`').next()).map(str::to_owned).collect())
    };
    root.lines().filter_map(row).collect()
}

/// The room of a path: the part of `core` that it lies in, else its crate.
fn room(path: &str) -> &str {
    match path.strip_prefix("core/src/") {
        Some(rest) => rest.split(['/', '.']).next().unwrap_or_default(),
        None => path.split('/').next().unwrap_or_default(),
    }
}

/// The rooms that a file of `core` names by a path from the root of its crate, with the offset of each.
fn imported_rooms(source: &Source) -> Vec<(usize, String)> {
    let code = &source.production;
    let mut found = Vec::new();
    for at in words(code, "crate") {
        if let Some(rest) = code[at + "crate".len()..].strip_prefix("::") {
            found.extend(first_names(rest).into_iter().map(|name| (at, name)));
        }
    }
    let depth = module_depth(&source.path);
    let climb = "super::".repeat(depth.max(1));
    for (at, _) in code.match_indices(&climb) {
        let within = code[..at].ends_with("super::");
        if !within && depth > 0 {
            found.extend(first_names(&code[at + climb.len()..]).into_iter().map(|name| (at, name)));
        }
    }
    found
}

/// How many modules a file lies below the root of `core`.
fn module_depth(path: &str) -> usize {
    let inner = path.trim_start_matches("core/src/").trim_end_matches(".rs");
    let inner = inner.strip_suffix("/mod").unwrap_or(inner);
    if inner == "lib" { 0 } else { inner.split('/').count() }
}

/// The names with which a path goes on: one, or those of a group in braces.
fn first_names(rest: &str) -> Vec<String> {
    let name =
        |text: &str| -> String { text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    if !rest.starts_with('{') {
        return vec![name(rest)];
    }
    let end = close(rest, 0).unwrap_or(rest.len());
    let (mut depth, mut names, mut start) = (0, Vec::new(), 1);
    for (at, byte) in rest.bytes().enumerate().take(end) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if (byte == b',' && depth == 1) || (byte == b'}' && depth == 0) {
            names.push(name(&rest[start..at]));
            start = at + 1;
        }
    }
    names
}

fn breaches(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn a_room_imports_only_rooms_before_it() {
    let order: BTreeMap<String, usize> =
        rooms().into_iter().enumerate().flat_map(|(n, names)| names.into_iter().map(move |name| (name, n))).collect();
    assert!(order.len() >= 14, "the table of rooms in core/src/lib.rs was not understood: {order:?}");
    let mut found = Vec::new();
    for source in sources(&["core/src"]) {
        let own = room(&source.path);
        if own == "lib" {
            continue;
        }
        let Some(rank) = order.get(own) else {
            found.push(format!("{}: `{own}` is missing in the table of rooms in core/src/lib.rs", source.path));
            continue;
        };
        for (at, name) in imported_rooms(&source) {
            if order.get(&name).is_some_and(|other| other > rank) {
                found.push(format!("{}:{}: `{own}` imports `{name}`, a later room", source.path, source.line(at)));
            }
        }
    }
    breaches(found);
}

#[test]
fn crm_stands_on_the_facade_alone() {
    let mut found = Vec::new();
    for source in sources(&["core/src"]).iter().filter(|s| room(&s.path) == "crm") {
        for (at, name) in imported_rooms(source) {
            let is_room = rooms().iter().flatten().any(|r| *r == name);
            if is_room && !CRM_IMPORTS.contains(&name.as_str()) {
                found.push(format!("{}:{}: `crm` imports `{name}`", source.path, source.line(at)));
            }
        }
    }
    breaches(found);
}

#[test]
fn each_door_is_used_by_its_rooms_only() {
    let mut found = Vec::new();
    for source in sources(&["core/src", "sync-server/src", "bindings/src"]) {
        for (names, allowed, why) in DOORS {
            if allowed.contains(&room(&source.path)) {
                continue;
            }
            let exempt = |name: &str| EXEMPT.iter().any(|(path, word, _)| *path == source.path && *word == name);
            for name in names.iter().filter(|name| !exempt(name)) {
                for at in source.words(name) {
                    found.push(format!("{}:{}: `{name}` here, but {why}", source.path, source.line(at)));
                }
            }
        }
    }
    breaches(found);
}

#[test]
fn no_file_is_too_long() {
    let files = sources(&CRATES);
    let mut lines: Vec<usize> = files.iter().map(|s| s.text.lines().count()).collect();
    lines.sort_unstable();
    let long = lines.iter().filter(|n| **n > 500).count();
    println!("{} files, median {} lines, {long} above 500", lines.len(), lines[lines.len() / 2]);
    let too_long = |s: &&Source| s.text.lines().count() > FILE_LINES_MAX;
    breaches(files.iter().filter(too_long).map(|s| format!("{}: above {FILE_LINES_MAX} lines", s.path)).collect());
}

#[test]
fn no_function_is_too_long() {
    let mut found = Vec::new();
    for source in sources(&CRATES) {
        for at in source.words("fn") {
            let code = &source.production;
            let body = code[at..].find(['{', ';']).map(|n| at + n).filter(|n| code.as_bytes()[*n] == b'{');
            let Some(end) = body.and_then(|open| close(code, open)) else { continue };
            let lines = source.line(end - 1) + 1 - source.line(at);
            if lines > FUNCTION_LINES_MAX {
                let name = code[at + 3..].split(['(', '<']).next().unwrap_or_default();
                found.push(format!("{}:{}: `{name}` has {lines} lines", source.path, source.line(at)));
            }
        }
    }
    breaches(found);
}

#[test]
fn every_module_opens_with_its_purpose() {
    let silent = |s: &&Source| {
        !s.text
            .trim_start()
            .lines()
            .find(|l| !l.starts_with("#!"))
            .is_some_and(|l| l.starts_with("//! ") && l.len() > 20)
    };
    breaches(sources(&CRATES).iter().filter(silent).map(|s| format!("{}: no opening `//!`", s.path)).collect());
}

#[test]
fn unsafe_code_stays_in_the_files_named_for_it() {
    let mut found = Vec::new();
    for source in sources(&CRATES).iter().filter(|s| !UNSAFE_ALLOWED.contains(&s.path.as_str())) {
        found.extend(words(&source.code, "unsafe").map(|at| format!("{}:{}: `unsafe`", source.path, source.line(at))));
    }
    breaches(found);
}

#[test]
fn names_say_what_a_thing_is() {
    let vague = ["utils", "util", "helper", "helpers", "manager", "common", "misc"];
    let mut found = Vec::new();
    for source in sources(&CRATES) {
        let named = source.path.split(['/', '.']).find(|part| vague.contains(part));
        found.extend(named.map(|part| format!("{}: a place named `{part}`", source.path)));
        for at in source.words("fn") {
            let name: String =
                source.production[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if name.starts_with("get_") && !FOREIGN_NAMES.contains(&&*name) {
                found.push(format!("{}:{}: `{name}`: say it without get_", source.path, source.line(at)));
            }
        }
    }
    breaches(found);
}

#[test]
fn the_readers_of_imports_see_groups_and_climbs() {
    let names = |path: &str, text: &str| -> Vec<String> {
        imported_rooms(&Source::new(path, text)).into_iter().map(|(_, name)| name).collect()
    };
    assert_eq!(names("core/src/wire/a.rs", "use crate::{store::x, crm::{y, z}, id};"), ["store", "crm", "id"]);
    assert_eq!(names("core/src/wire/a.rs", "use super::super::store; use super::chunk;"), ["store"]);
    assert_eq!(
        names("core/src/wire/mod.rs", "// crate::store\nlet x = super::store::open(\"crate::crm\");"),
        ["store"]
    );
}

/// The simulator looks into the core and breaks it on purpose; nothing of that may reach a program that people run.
#[test]
fn no_published_program_has_marks_or_mutants() {
    let manifest = |path: &str| std::fs::read_to_string(checkout().join(path)).unwrap();
    let core = manifest("core/Cargo.toml");
    assert!(
        core.contains("\ncanary = []") && core.contains("\ndefault = [\"net\"]\n"),
        "the feature is off by default"
    );
    for path in ["Cargo.toml", "sync-server/Cargo.toml", "bindings/Cargo.toml"] {
        assert!(!manifest(path).contains("canary"), "{path} turns marks and mutants on");
    }
    let tests = manifest("tests/Cargo.toml");
    assert!(
        tests.contains("canary = [\"branchline-core/canary\"") && tests.contains("\ndefault = [\"bindings\"]\n"),
        "off in tests, too"
    );
}
