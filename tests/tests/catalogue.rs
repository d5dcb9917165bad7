//! The message catalogue: three languages with the same texts, each text that the code names is there, gets all its
//! arguments, and an error's text comes with advice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use branchline_tests::source::{Source, close, sources};
use branchline_tests::{checkout, source};
use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement};

const LANGUAGES: [&str; 3] = ["en", "ru", "uk"];
const CRATES: [&str; 3] = ["core/src", "sync-server/src", "bindings/src"];
/// The constructors of `core::error::Error`, each of which takes the id of a text.
const KINDS: [&str; 13] = [
    "invalid",
    "not_found",
    "ambiguous",
    "denied",
    "usage",
    "unreachable",
    "protocol",
    "refused",
    "storage",
    "corrupt",
    "version",
    "limit",
    "busy",
];

/// A text of the catalogue.
#[derive(Debug, Default, PartialEq)]
struct Text {
    words: String,
    arguments: BTreeSet<String>,
    advice: Option<BTreeSet<String>>,
}

/// All texts of a language by id.
fn catalogue(language: &str) -> BTreeMap<String, Text> {
    let mut texts = BTreeMap::new();
    for house in ["core/locales", "sync-server/locales"] {
        let folder = checkout().join(house).join(language);
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            let resource = fluent_syntax::parser::parse(std::fs::read_to_string(&path).unwrap())
                .unwrap_or_else(|(_, errors)| panic!("{}: {errors:?}", source::relative(&path)));
            for entry in resource.body {
                let Entry::Message(message) = entry else { continue };
                let mut text = Text::default();
                if let Some(pattern) = &message.value {
                    visit(pattern, &mut text.arguments, &mut text.words);
                }
                for attribute in message.attributes.iter().filter(|a| a.id.name == "do") {
                    let mut arguments = BTreeSet::new();
                    visit(&attribute.value, &mut arguments, &mut String::new());
                    text.advice = Some(arguments);
                }
                let id = message.id.name;
                assert!(texts.insert(id.clone(), text).is_none(), "{}: `{id}` stands twice", source::relative(&path));
            }
        }
    }
    assert!(!texts.is_empty(), "no catalogue for {language}");
    texts
}

fn visit(pattern: &Pattern<String>, arguments: &mut BTreeSet<String>, words: &mut String) {
    for element in &pattern.elements {
        match element {
            PatternElement::TextElement { value } => words.push_str(value),
            PatternElement::Placeable { expression } => match expression {
                Expression::Inline(inline) => argument(inline, arguments),
                Expression::Select { selector, variants } => {
                    argument(selector, arguments);
                    for variant in variants {
                        visit(&variant.value, arguments, words);
                    }
                }
            },
        }
    }
}

fn argument(inline: &InlineExpression<String>, arguments: &mut BTreeSet<String>) {
    match inline {
        InlineExpression::VariableReference { id } => {
            arguments.insert(id.name.clone());
        }
        InlineExpression::FunctionReference { arguments: call, .. } => {
            call.positional.iter().for_each(|inline| argument(inline, arguments));
        }
        InlineExpression::Placeable { expression } => {
            if let Expression::Inline(inline) = expression.as_ref() {
                argument(inline, arguments);
            }
        }
        _ => {}
    }
}

/// A place in the code that names a text: where, whether it makes an error, the id, the arguments that follow at once.
struct Use {
    place: String,
    error: bool,
    id: String,
    arguments: BTreeSet<String>,
}

fn uses() -> Vec<Use> {
    let makers: Vec<(String, bool)> = KINDS
        .iter()
        .map(|kind| (format!("Error::{kind}("), true))
        .chain([("Message::new(".to_owned(), false)])
        .collect();
    let mut found = Vec::new();
    for source in sources(&CRATES) {
        for (maker, error) in &makers {
            for (at, _) in source.production.match_indices(maker.as_str()) {
                found.extend(use_at(&source, at, at + maker.len() - 1, *error));
            }
        }
    }
    found
}

fn use_at(source: &Source, at: usize, open: usize, error: bool) -> Option<Use> {
    let code = &source.production;
    let inside = open + 1 + code[open + 1..].len() - code[open + 1..].trim_start().len();
    let id = source.literal(inside).filter(|id| !id.is_empty())?.to_owned();
    let (mut arguments, end) = chained(source, close(code, open)?)?;
    let line_start = code[..at].rfind('\n').map_or(0, |n| n + 1);
    if code[line_start..at].contains("let ") {
        arguments.extend(added_later(source, end));
    }
    Some(Use { place: format!("{}:{}", source.path, source.line(at)), error, id, arguments })
}

/// The names that `.with(…)` calls give from here on, and where their chain ends.
fn chained(source: &Source, mut end: usize) -> Option<(BTreeSet<String>, usize)> {
    let code = &source.production;
    let mut arguments = BTreeSet::new();
    loop {
        let next = end + code[end..].len() - code[end..].trim_start().len();
        let Some(call) = [".with(", ".at("].into_iter().find(|call| code[next..].starts_with(call)) else { break };
        let bracket = next + call.len() - 1;
        if call == ".with(" {
            let quote = bracket + 1 + code[bracket + 1..].find('"')?;
            arguments.insert(source.literal(quote)?.to_owned());
        }
        end = close(code, bracket)?;
    }
    Some((arguments, end))
}

/// The names given to a value that was kept in a variable: all `.with(…)` up to the end of its block.
fn added_later(source: &Source, from: usize) -> Vec<String> {
    let code = &source.production;
    let mut depth = 0i32;
    let closes = |byte: u8| {
        depth += i32::from(byte == b'{') - i32::from(byte == b'}');
        depth < 0
    };
    let block = code[from..].bytes().position(closes).map_or(code.len(), |n| from + n);
    let calls = code[from..block].match_indices(".with(").map(|(n, call)| from + n + call.len());
    calls.filter_map(|inside| source.literal(inside)).map(str::to_owned).collect()
}

fn breaches(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
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
        let wanted = text.arguments.iter().chain(text.advice.iter().flatten());
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
    let silent = |one: &&Use| one.error && texts.get(&one.id).is_some_and(|text| text.advice.is_none());
    breaches(uses().iter().filter(silent).map(|one| format!("{}: `{}` has no .do", one.place, one.id)).collect());
}

#[test]
fn no_text_is_left_over() {
    let named: String = sources(&CRATES).into_iter().map(|s| s.text).collect();
    let unused = |id: &&String| !named.contains(&format!("\"{id}\""));
    breaches(catalogue("en").keys().filter(unused).map(|id| format!("no code names `{id}`")).collect());
}
