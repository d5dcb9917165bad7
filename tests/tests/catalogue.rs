//! The message catalogue: three languages with the same texts, each text that the code names is there, gets all its
//! arguments, and an error's text comes with advice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use branchline_tests::catalogue::{CRATES, Use, catalogue, entries, uses};
use branchline_tests::source::sources;

const LANGUAGES: [&str; 3] = ["en", "ru", "uk"];

fn breaches(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn no_id_stands_twice() {
    let mut found = Vec::new();
    for language in LANGUAGES {
        let mut seen = BTreeSet::new();
        let twice = entries(language).into_iter().filter(|(_, id, _)| !seen.insert(id.clone()));
        found.extend(twice.map(|(file, id, _)| format!("{file}: `{id}` stands twice")));
    }
    breaches(found);
}

#[test]
fn the_languages_hold_the_same_texts_with_the_same_arguments() {
    let english = catalogue("en");
    let mut found = Vec::new();
    for language in &LANGUAGES[1..] {
        let other = catalogue(language);
        let ids: BTreeSet<&String> = english.keys().chain(other.keys()).collect();
        for id in ids {
            match (english.get(id), other.get(id)) {
                (Some(_), None) => found.push(format!("{language}: `{id}` is missing")),
                (None, Some(_)) => found.push(format!("en: `{id}` is missing, {language} has it")),
                (Some(a), Some(b)) if a.arguments != b.arguments => {
                    found.push(format!("{language}: `{id}` takes {:?}, in English {:?}", b.arguments, a.arguments));
                }
                (Some(a), Some(b)) if a.advice.is_some() != b.advice.is_some() => {
                    found.push(format!("`{id}`: advice (.do) in only one of en and {language}"));
                }
                _ => {}
            }
        }
    }
    breaches(found);
}

#[test]
fn russian_and_ukrainian_texts_are_translated() {
    let mut found = Vec::new();
    for language in &LANGUAGES[1..] {
        for (id, text) in catalogue(language) {
            let letters = text.words.chars().any(char::is_alphabetic);
            let cyrillic = text.words.chars().any(|c| ('\u{400}'..='\u{4ff}').contains(&c));
            if letters
                && !cyrillic
                && catalogue("en").get(&id).is_some_and(|e| e.words == text.words && e.words.contains(' '))
            {
                found.push(format!("{language}: `{id}` is still English"));
            }
        }
    }
    breaches(found);
}

#[test]
fn every_text_that_the_code_names_exists_and_gets_its_arguments() {
    let texts = catalogue("en");
    let uses = uses();
    assert!(!uses.is_empty(), "the scan for ids finds nothing");
    let mut found = Vec::new();
    for one in &uses {
        let Some(text) = texts.get(&one.id) else {
            found.push(format!("{}: no text `{}`", one.place, one.id));
            continue;
        };
        let wanted = text.arguments.iter().chain(text.advice.iter().flat_map(|a| &a.arguments));
        let lacking: Vec<&String> = wanted.filter(|a| !one.arguments.contains(*a)).collect();
        if !lacking.is_empty() {
            found.push(format!("{}: `{}` is not given {lacking:?}", one.place, one.id));
        }
    }
    breaches(found);
}

#[test]
fn every_error_comes_with_advice() {
    let texts = catalogue("en");
    let silent = |one: &&Use| one.kind.is_some() && texts.get(&one.id).is_some_and(|text| text.advice.is_none());
    breaches(uses().iter().filter(silent).map(|one| format!("{}: `{}` has no .do", one.place, one.id)).collect());
}

#[test]
fn no_text_is_left_over() {
    let named: String = sources(&CRATES).into_iter().map(|s| s.text).collect();
    let unused = |id: &&String| !named.contains(&format!("\"{id}\""));
    breaches(catalogue("en").keys().filter(unused).map(|id| format!("no code names `{id}`")).collect());
}
