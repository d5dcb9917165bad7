//! The message catalogue and its uses, read from the sources: what the languages hold and what the code names.

use std::collections::{BTreeMap, BTreeSet};

use fluent_syntax::ast::{Entry, Expression, InlineExpression, Message, Pattern, PatternElement};

use crate::checkout;
use crate::source::{Source, close, relative, sources, words};

/// Where code names texts.
pub const CRATES: [&str; 3] = ["core/src", "sync-server/src", "bindings/src"];
/// The constructors of `core::error::Error`, each of which takes the id of a text.
const KINDS: [&str; 14] = [
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
    "locked",
    "busy",
];

/// A text of the catalogue.
#[derive(Debug, Default, PartialEq)]
pub struct Text {
    /// The words without what stands in braces.
    pub words: String,
    /// The pattern as a reader of the reference sees it: `{field}` for an argument, the last variant of a choice.
    pub shown: String,
    /// Every argument that it takes.
    pub arguments: BTreeSet<String>,
    /// Its advice, the attribute `.do`, where it has one.
    pub advice: Option<Advice>,
}

/// What a text advises.
#[derive(Debug, Default, PartialEq)]
pub struct Advice {
    /// As in [`Text::shown`].
    pub shown: String,
    /// Every argument that it takes.
    pub arguments: BTreeSet<String>,
}

/// All texts of a language by id; of an id that stands twice, the first.
///
/// # Panics
/// Where there are none, or a file is no Fluent resource.
pub fn catalogue(language: &str) -> BTreeMap<String, Text> {
    let mut texts = BTreeMap::new();
    for (_, id, text) in entries(language) {
        texts.entry(id).or_insert(text);
    }
    assert!(!texts.is_empty(), "no catalogue for {language}");
    texts
}

/// Every text of a language with its file and id, in the order in which it is written.
///
/// # Panics
/// Where a file is no Fluent resource.
pub fn entries(language: &str) -> Vec<(String, String, Text)> {
    let mut found = Vec::new();
    for house in ["core/locales", "sync-server/locales"] {
        let Ok(folder) = std::fs::read_dir(checkout().join(house).join(language)) else { continue };
        let mut paths: Vec<_> = folder.map(|entry| entry.expect("a folder can be read to its end").path()).collect();
        paths.sort();
        for path in paths {
            let source = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", relative(&path)));
            let resource = fluent_syntax::parser::parse(source)
                .unwrap_or_else(|(_, errors)| panic!("{}: {errors:?}", relative(&path)));
            found.extend(resource.body.into_iter().filter_map(|entry| {
                let Entry::Message(message) = entry else { return None };
                Some((relative(&path), message.id.name.clone(), Text::of(&message)))
            }));
        }
    }
    found
}

impl Text {
    fn of(message: &Message<String>) -> Self {
        let mut text = Text::default();
        if let Some(pattern) = &message.value {
            visit(pattern, &mut text.arguments, &mut text.words);
            text.shown = shown(pattern);
        }
        for attribute in message.attributes.iter().filter(|a| a.id.name == "do") {
            let mut advice = Advice { shown: shown(&attribute.value), ..Advice::default() };
            visit(&attribute.value, &mut advice.arguments, &mut String::new());
            text.advice = Some(advice);
        }
        text
    }
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

fn shown(pattern: &Pattern<String>) -> String {
    let part = |element: &PatternElement<String>| match element {
        PatternElement::TextElement { value } => value.clone(),
        PatternElement::Placeable { expression: Expression::Inline(inline) } => match inline {
            InlineExpression::VariableReference { id } => format!("{{{}}}", id.name),
            InlineExpression::StringLiteral { value } => value.clone(),
            _ => "…".to_owned(),
        },
        PatternElement::Placeable { expression: Expression::Select { variants, .. } } => {
            variants.iter().find(|v| v.default).map(|v| shown(&v.value)).unwrap_or_default()
        }
    };
    pattern.elements.iter().map(part).collect()
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
pub struct Use {
    /// File and line.
    pub place: String,
    /// The error's kind, the name of its constructor; none for a mere message.
    pub kind: Option<&'static str>,
    /// The text.
    pub id: String,
    /// The names of the arguments given.
    pub arguments: BTreeSet<String>,
}

/// Every place in production code that names a text where it makes an error or a message.
///
/// # Panics
/// Where a source cannot be read.
pub fn uses() -> Vec<Use> {
    let makers: Vec<(String, Option<&'static str>)> = KINDS
        .iter()
        .map(|kind| (format!("Error::{kind}("), Some(*kind)))
        .chain([("Message::new(".to_owned(), None)])
        .collect();
    let mut found = Vec::new();
    for source in sources(&CRATES) {
        for (maker, kind) in &makers {
            for (at, _) in source.production.match_indices(maker.as_str()) {
                found.extend(use_at(&source, at, at + maker.len() - 1, *kind));
            }
        }
    }
    found
}

fn use_at(source: &Source, at: usize, open: usize, kind: Option<&'static str>) -> Option<Use> {
    let code = &source.production;
    let inside = open + 1 + code[open + 1..].len() - code[open + 1..].trim_start().len();
    let id = source.literal(inside).filter(|id| !id.is_empty())?.to_owned();
    let mut arguments = chained(source, close(code, open)?)?;
    if !stands_alone(&code[..at]) {
        // Kept, chosen or wrapped: what the function adds later counts, too.
        let begin = words(&code[..at], "fn").last().unwrap_or(0);
        let end = words(&code[at..], "fn").next().map_or(code.len(), |n| at + n);
        arguments.extend(given(source, begin, end));
    }
    Some(Use { place: format!("{}:{}", source.path, source.line(at)), kind, id, arguments })
}

/// Whether the expression that follows is an error on its way out, with nobody left to add arguments.
fn stands_alone(before: &str) -> bool {
    let before = before.trim_end();
    before.ends_with("Err(") || (before.ends_with("||") && before[..before.len() - 2].trim_end().ends_with('('))
}

/// The names that the `.with(…)` calls give that follow at once.
fn chained(source: &Source, mut end: usize) -> Option<BTreeSet<String>> {
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
    Some(arguments)
}

/// The names that the `.with(…)` calls of a piece of code give.
fn given(source: &Source, from: usize, to: usize) -> Vec<String> {
    let calls = source.production[from..to].match_indices(".with(").map(|(n, call)| from + n + call.len());
    calls.filter_map(|inside| source.literal(inside)).map(str::to_owned).collect()
}
