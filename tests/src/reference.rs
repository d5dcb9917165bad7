//! Pages of the book that are made from the code, so that they cannot go stale: schema, bounds, error codes,
//! commands.
//!
//! `cargo run -p branchline-tests --bin reference` writes them; with `--check`, and in the tests, they are only compared.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use branchline_core::crm;
use branchline_core::schema::{Collection, Field, FieldType, Kind, Winner};

use crate::catalogue::{catalogue, uses};
use crate::checkout;
use crate::source::sources;

const NOTE: &str =
    "<!-- Made from the code by `cargo run -p branchline-tests --bin reference`; edit the code instead. -->\n";

/// A generated page.
pub struct Page {
    /// Where it lies.
    pub path: PathBuf,
    /// What it must hold.
    pub text: String,
}

impl Page {
    fn new(name: &str, title: &str, body: &str) -> Self {
        Self { path: checkout().join("docs/src").join(name), text: format!("{NOTE}\n# {title}\n\n{body}") }
    }

    /// Whether the file holds this.
    pub fn is_current(&self) -> bool {
        std::fs::read_to_string(&self.path).is_ok_and(|text| text == self.text)
    }
}

/// All generated pages that need nothing but the sources.
///
/// # Panics
/// Where a source cannot be read.
pub fn pages() -> Vec<Page> {
    vec![schema(), bounds(), errors()]
}

/// The page of all commands, from what the binary says of itself.
///
/// # Panics
/// Where there is no binary, or it does not answer.
pub fn commands() -> Page {
    let mut body = String::from(
        "What `branchline COMMAND --help` says, command by command. What they have in common is on the page \
         [The command line](cli.md).\n",
    );
    describe(&[], &mut body);
    Page::new("commands.md", "Commands", &body)
}

fn describe(path: &[String], body: &mut String) {
    let help = help(path);
    let inner = subcommands(&help);
    if !path.is_empty() {
        write!(body, "\n## {}\n\n```text\n{}\n```\n", path.join(" "), help.trim_end()).expect("text grows");
    }
    for name in inner {
        let mut longer = path.to_vec();
        longer.push(name);
        describe(&longer, body);
    }
}

fn help(path: &[String]) -> String {
    let mut command = std::process::Command::new(crate::binary());
    // No folder of the caller's, no colours, no terminal whose width would wrap lines.
    command
        .args(path)
        .arg("--help")
        .env_remove("BRANCHLINE_DATA")
        .env_remove("BRANCHLINE_KEY_FILE")
        .env("NO_COLOR", "1")
        .env("LANG", "C.UTF-8");
    let output = command.stdin(std::process::Stdio::null()).output().expect("the binary can be run");
    assert!(output.status.success(), "{path:?} --help: {output:?}");
    let text = String::from_utf8(output.stdout).expect("help is text");
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// The commands that a help text lists.
pub fn subcommands(help: &str) -> Vec<String> {
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A longer description goes on in deeper indented lines.
    let names = list.filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

fn schema() -> Page {
    let mut body = String::from(
        "The built-in collections and their fields. A workspace adds [its own](own-fields.md). Every record also has `id`, \
         `archived`, `created_at`, `created_by`, `updated_at` and `updated_by`, which conditions and sorts can name. In \
         `sql`, each collection is a table of its name; a money field `F` is `F_minor` and `F_currency`; a reference is \
         an id.\n\n\
         *required*: a record typed without it is refused. *indexed*: conditions and sorts on it are quick. *found*: \
         full-text search covers it. A conflict rule other than `latest` is named: see \
         [conflict rules](own-fields.md).\n",
    );
    for collection in crm::builtin().collections() {
        describe_collection(collection, &mut body);
    }
    Page::new("schema.md", "Collections and fields", &body)
}

fn describe_collection(collection: &Collection, body: &mut String) {
    let kind = match collection.kind {
        Kind::Shared => "shared: every replica holds it",
        Kind::Branch | Kind::Servers => "of a branch",
    };
    let names = |names: &[branchline_core::schema::Name]| {
        names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    };
    let labels = &collection.labels;
    write!(
        body,
        "\n## {}\n\n{} · {} · {} — {kind}. Titled by {}. Named by {}.\n\n| field | type | English | Russian | Ukrainian | |\n\
         |---|---|---|---|---|---|\n",
        collection.name,
        labels.en,
        labels.ru,
        labels.uk,
        names(&collection.title),
        names(&collection.natural_keys),
    )
    .expect("text grows");
    for field in &collection.fields {
        describe_field("", field, body);
        if let FieldType::Lines(columns) = &field.ty {
            columns.iter().for_each(|column| describe_field(&format!("{}/…/", field.name), column, body));
        }
    }
}

fn describe_field(prefix: &str, field: &Field, body: &mut String) {
    let mut marks = Vec::new();
    if field.required {
        marks.push("required".to_owned());
    }
    if field.indexed {
        marks.push("indexed".to_owned());
    }
    if field.searchable {
        marks.push("found".to_owned());
    }
    if field.winner != Winner::Latest {
        marks.push(format!("rule `{}`", field.winner.spec()));
    }
    if field.placing {
        marks.push("[moved by hand](concepts.md)".to_owned());
    }
    let mut ty = format!("`{}`", field.ty.spec());
    let choices: Vec<String> = field.ty.choices().iter().map(|choice| format!("`{}`", choice.value)).collect();
    if !choices.is_empty() {
        write!(ty, ": {}", choices.join(", ")).expect("text grows");
    }
    let labels = &field.labels;
    let (en, ru, uk) = (cell(&labels.en), cell(&labels.ru), cell(&labels.uk));
    writeln!(body, "| `{prefix}{}` | {ty} | {en} | {ru} | {uk} | {} |", field.name, marks.join(", "))
        .expect("text grows");
}

/// What the bounds come to together, by hand: the tests that hold it are named.
const WORST_CASES: &str = "
## What it comes to in memory

| of | at most | made of |
|---|--:|---|
| a connection that has not asked for anything | 16 KiB | `HEAD_BYTES_MAX`; it ends after `HEAD_MAX` |
| one that asked for the link and was not let in yet | 64 KiB | `GREETING_BYTES_MAX`; it ends after `GREETING_MS_MAX` |
| an idle link | 64 KiB | measured: row `idle` of the [benchmarks](benchmarks.md) |
| a link whose peer sends the largest messages | 8 MiB | `FRAME_BYTES_MAX` for the message that arrives, as much for the one push that waits |
| the same while its push is at the store | 40 MiB | twice `BATCH_INFLATED_BYTES_MAX` more: the text, the rebuilt changes |
| a link whose peer asks and does not read | 12 MiB | `UNSENT_BYTES_MAX` and one message; it ends when nothing was taken for `STALL_MS_MAX` |
| store work of a server | 16 at a time | `BLOCKING_THREADS_MAX`, whoever asks; the others wait in the order in which they came |

A real server under all of it at once stays below 256 MB: `field::hostile`.
";

fn bounds() -> Page {
    let mut body = String::from(
        "A limit on everything: what a peer, a file or a person can reach is bounded by a named constant, and reaching it \
         gives an error that names it. Bytes, characters, counts and milliseconds as the name's end says.\n",
    );
    for (title, path) in
        [("Data, protocol and store", "core/src/limits.rs"), ("Pace of the link", "core/src/sync/pace.rs")]
    {
        let source = std::fs::read_to_string(checkout().join(path)).expect("the source can be read");
        write!(body, "\n## {title}\n\n`{path}`\n\n| bound | value | what it bounds |\n|---|--:|---|\n")
            .expect("text grows");
        for (name, value, what) in constants(&source) {
            writeln!(body, "| `{name}` | {value} | {what} |").expect("text grows");
        }
    }
    body.push_str("\n## Of one room\n\n| bound | value | what it bounds | where |\n|---|--:|---|---|\n");
    for source in sources(&["core/src", "sync-server/src"]) {
        let shared = ["core/src/limits.rs", "core/src/sync/pace.rs"].contains(&source.path.as_str());
        for (name, value, what) in constants(&source.text) {
            if name.ends_with("_MAX") && !shared {
                writeln!(body, "| `{name}` | {value} | {what} | `{}` |", source.path).expect("text grows");
            }
        }
    }
    body.push_str(WORST_CASES);
    Page::new("bounds.md", "Bounds", &body)
}

/// Name, value and documentation of each public constant.
// The name of a constant of a module and what follows it, whoever may see it.
fn constant(line: &str) -> Option<(&str, &str)> {
    let seen = ["pub const ", "pub(crate) const ", "pub(super) const ", "const "];
    seen.iter().find_map(|start| line.strip_prefix(start))?.split_once(':')
}

fn constants(source: &str) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    let mut doc = String::new();
    for line in source.lines() {
        if let Some(words) = line.strip_prefix("/// ") {
            doc = if doc.is_empty() { words.to_owned() } else { format!("{doc} {words}") };
        } else if let Some((name, rest)) = constant(line) {
            let value = rest.split_once('=').map_or("", |(_, value)| value.trim().trim_end_matches(';'));
            found.push((name.to_owned(), readable(value), std::mem::take(&mut doc)));
        } else {
            doc.clear();
        }
    }
    found
}

/// A product or a power of two worked out, with its digits in groups; anything else as it stands.
fn readable(value: &str) -> String {
    let number = |text: &str| text.trim().replace('_', "").parse::<u64>().ok();
    let worked_out = match value.split_once("<<") {
        Some((one, bits)) => number(one).zip(number(bits)).and_then(|(one, bits)| one.checked_shl(bits as u32)),
        None => value.split('*').map(number).try_fold(1u64, |product, factor| product.checked_mul(factor?)),
    };
    let Some(number) = worked_out else { return format!("`{value}`") };
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn errors() -> Page {
    let mut body = String::from(
        "Every error has a stable code for programs (`error.code` with `--json`, the `code` of a failure on the link). The \
         words come in the person's language; these are the English ones. *Retryable* kinds can succeed later without a \
         person changing anything: `unreachable`, which a command answers with exit code 4, and `busy`.\n",
    );
    let texts = catalogue("en");
    let mut kinds: BTreeMap<&str, BTreeMap<String, (String, String)>> = BTreeMap::new();
    for one in uses() {
        if let (Some(kind), Some(text)) = (one.kind, texts.get(&one.id)) {
            let advice = text.advice.as_ref().map(|a| a.shown.clone()).unwrap_or_default();
            kinds.entry(kind).or_default().insert(one.id.replace('-', "_"), (text.shown.clone(), advice));
        }
    }
    for (kind, errors) in kinds {
        write!(body, "\n## {kind}\n\n| code | what | what to do |\n|---|---|---|\n").expect("text grows");
        for (code, (what, advice)) in errors {
            writeln!(body, "| `{code}` | {} | {} |", cell(&what), cell(&advice)).expect("text grows");
        }
    }
    Page::new("errors.md", "Error codes", &body)
}

/// A text fit for a cell of a table.
fn cell(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace('|', "\\|").replace('<', "&lt;").replace('[', "\\[")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_in_a_help_text() {
        let help = "About.\n\nUsage: x\n\nCommands:\n  init   Makes it\n  import  Reads a file\n          and more\n  help  Says\n\n\
                    Options:\n  -h\n";
        assert_eq!(subcommands(help), ["init", "import"]);
    }

    #[test]
    fn constants_are_read_with_their_words_and_worked_out() {
        let source = "//! x\n/// Longest name,\n/// in bytes.\npub const A_MAX: usize = 16 * 1_024;\nfn f() {}\n\
                      pub const B: u64 = 1 << 30;\n/// C.\npub const C: &str = \"c\";\n";
        let found = constants(source);
        assert_eq!(found[0], ("A_MAX".into(), "16,384".into(), "Longest name, in bytes.".into()));
        assert_eq!(found[1].1, "1,073,741,824");
        assert_eq!(found[2].1, "`\"c\"`");
    }
}
