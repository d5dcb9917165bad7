//! The register of small Russian companies: unique tax ids, equal names, search in any case and by prefix.

use std::collections::BTreeMap;

use branchline_tests::data_dir;
use branchline_tests::process::{Node, home};

use crate::company::{assert_unique, column};

const MAP: &str = r#"
collection = "account"
key = ["inn"]

[columns.inn]
field = "tax_id"
[columns.name_full]
field = "name"
[columns.name_short]
field = "legal_name"
[columns.city]
field = "city"
"#;

/// Tax id, full name and short name (fourteen have none) of each row, by a plain reader of quoted cells.
fn register() -> Vec<(String, String, String)> {
    let text = std::fs::read_to_string(data_dir().join("ru-sme-organisations/organisations.csv")).unwrap();
    let rows = text.lines().skip(1).map(|line| {
        let cells = first_cells(line);
        (cells[0].clone(), cells[2].clone(), cells[3].clone())
    });
    rows.collect()
}

fn first_cells(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell)),
            other => cell.push(other),
        }
    }
    cells.push(cell);
    cells
}

fn imported() -> (tempfile::TempDir, Node) {
    let home = home();
    let map = home.path().join("organisations.toml");
    std::fs::write(&map, MAP).unwrap();
    let hub = Node::new(home.path(), "hub");
    hub.json(["init", "--name", "Реестр", "--owner", "owner@example.ru", "--currency", "RUB", "--language", "ru"]);
    let file = data_dir().join("ru-sme-organisations/organisations.csv");
    let arguments = ["import", file.to_str().unwrap(), "--collection", "account", "--map", map.to_str().unwrap()];
    let answer = hub.json(arguments);
    assert_eq!((answer["rows"].as_u64(), answer["created"].as_u64()), (Some(644), Some(644)), "{answer:#}");
    (home, hub)
}

#[test]
fn companies_of_equal_name_stay_apart() {
    let (_home, hub) = imported();
    let rows = hub.json(["list", "account", "--fields", "tax_id,name"]);
    let tax_ids = column(&rows, "tax_id");
    assert_eq!(tax_ids.len(), 644);
    assert_unique(&tax_ids);

    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    column(&rows, "name").into_iter().for_each(|name| *names.entry(name).or_default() += 1);
    let mut expected: BTreeMap<String, usize> = BTreeMap::new();
    register().into_iter().for_each(|(_, name, _)| *expected.entry(name).or_default() += 1);
    let equal =
        |names: &BTreeMap<String, usize>| names.values().filter(|count| **count > 1).map(|n| n - 1).sum::<usize>();
    assert!(equal(&expected) > 0);
    assert_eq!(equal(&names), equal(&expected), "none merged by itself");
}

#[test]
fn organisations_are_found_in_lower_case_and_by_prefix() {
    let (_home, hub) = imported();
    // The most telling word of every twelfth name, in lower case, whole and cut short.
    let word = |name: &str| {
        let words = name.split(|c: char| !c.is_alphanumeric()).filter(|w| w.chars().count() >= 6);
        words.max_by_key(|w| w.chars().count()).map(str::to_lowercase)
    };
    let wanted: Vec<(String, String)> =
        register().into_iter().step_by(12).filter_map(|(tax_id, _, name)| Some((tax_id, word(&name)?))).collect();
    assert!(wanted.len() > 30, "{}", wanted.len());
    for (tax_id, word) in wanted {
        let id = hub.json(["show", "account", &format!("tax_id={tax_id}")])["id"].as_str().unwrap().to_owned();
        let prefix: String = word.chars().take(5).collect();
        for text in [&word, &prefix] {
            let found = column(&hub.json(["search", text]), "id");
            assert!(found.contains(&id), "search {text} does not find {tax_id}");
        }
    }
}
