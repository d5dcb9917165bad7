//! Answers of commands: exactly one JSON document, or text and tables for people; errors as both.
//!
//! A command returns an [`Answer`]; only [`print`] and [`fail`] write it, after the work is done. `serve`, `demo` and
//! `sync --watch`, which speak while they run, return [`Answer::spoken`].

use std::io::{self, IsTerminal, Write};

use branchline_core::Error;
use branchline_core::message::{Language, Message};
use branchline_core::replica::Environment;
use branchline_core::time::Millis;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, TableStyle};
use serde_json::{Value as Json, json};

use crate::context::Context;

/// Characters of a [`stamp`].
pub const STAMP_CHARS: usize = 14;

/// So many bytes drawn by chance.
pub fn drawn<const BYTES: usize>(env: &dyn Environment) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    env.fill_random(&mut bytes);
    bytes
}

/// A moment in a file's name, to the second: `20170301093000`.
pub fn stamp(at: Millis) -> String {
    at.rfc3339().chars().filter(char::is_ascii_digit).take(STAMP_CHARS).collect()
}

/// What a command has to say, in the form that was asked for.
#[derive(Debug)]
pub struct Answer {
    body: Vec<u8>,
    waits: bool,
}

impl Answer {
    /// The answer in the form that the context asks for; only that one is made.
    pub fn of(context: &Context, document: impl FnOnce() -> Json, text: impl FnOnce() -> String) -> Self {
        let mut body = if context.json { document().to_string() } else { text() }.into_bytes();
        if !body.is_empty() && body.last() != Some(&b'\n') {
            body.push(b'\n');
        }
        Self { body, waits: false }
    }

    /// A body that is already in its form: an export, a chart, a long list written row by row.
    pub fn raw(body: Vec<u8>) -> Self {
        Self { body, waits: false }
    }

    /// The answer of a command that has already said everything.
    pub fn spoken() -> Self {
        Self::raw(Vec::new())
    }

    /// The same answer, done, but with something that waits for a person: exit code 3.
    #[must_use]
    pub fn waiting(mut self, waits: bool) -> Self {
        self.waits = waits;
        self
    }
}

/// Done.
const EXIT_DONE: u8 = 0;
/// Failed; nothing half-done stays.
const EXIT_FAILED: u8 = 1;
/// Wrong usage.
pub const EXIT_USAGE: u8 = 2;
/// Done, but something waits for a person.
const EXIT_WAITS: u8 = 3;
/// The upstream could not be reached.
const EXIT_UNREACHABLE: u8 = 4;

/// Writes an answer to stdout and says the exit code. A reader that went away (`| head`) is no failure.
pub fn print(answer: &Answer) -> u8 {
    let mut out = io::stdout().lock();
    let written = out.write_all(&answer.body).and_then(|()| out.flush());
    match written {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => EXIT_FAILED,
        _ if answer.waits => EXIT_WAITS,
        _ => EXIT_DONE,
    }
}

/// Says something beside the answer, on stderr; a reader that went away stops nothing.
pub fn aside(text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Writes an error: words on stderr, with `--json` also the document on stdout. Says the exit code.
pub fn fail(context: &Context, error: &Error) -> u8 {
    let language = context.language();
    let place = if error.place().is_empty() { context.folder_text() } else { error.place().to_owned() };
    let what = error.what(language);
    let advice = error.advice(language);
    if context.json {
        write_error_document(&error.code(), &what, &place, &advice, error.retryable());
    }
    let where_line = if place.is_empty() { String::new() } else { format!(" ({place})") };
    aside(format!("{} {what}{where_line}", Message::new("error-heading").render(language)));
    if !advice.is_empty() {
        aside(advice);
    }
    match error {
        Error::Usage(_) => EXIT_USAGE,
        Error::Unreachable(_) => EXIT_UNREACHABLE,
        _ => EXIT_FAILED,
    }
}

/// Writes the error document of the contract to stdout.
pub fn write_error_document(code: &str, what: &str, place: &str, advice: &str, retryable: bool) {
    let document = json!({"error": {"code": code, "what": what, "where": place, "do": advice, "retryable": retryable}});
    // Nobody is left to be told when stdout is gone.
    let _ = writeln!(io::stdout().lock(), "{document}");
}

/// A table for people: headings underlined, columns two spaces apart, cut to the terminal only on one.
#[derive(Debug)]
pub struct Table {
    table: comfy_table::Table,
}

impl Table {
    /// A table with these headings.
    pub fn new<S: ToString>(headings: impl IntoIterator<Item = S>) -> Self {
        let mut table = comfy_table::Table::new();
        table.load_style(TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─')));
        table.set_header(headings.into_iter().map(|h| h.to_string()).collect::<Vec<_>>());
        if io::stdout().is_terminal() {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        }
        Self { table }
    }

    /// A table whose headings are messages of the catalogue.
    pub fn titled(language: Language, headings: &[&'static str]) -> Self {
        Self::new(headings.iter().map(|id| Message::new(id).render(language)))
    }

    /// Adds a row.
    pub fn row<S: ToString>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.table.add_row(cells.into_iter().map(|c| one_line(&c.to_string())).collect::<Vec<_>>());
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.table.row_count()
    }

    /// Aligns columns, counted from 0, to the right.
    pub fn numbers(&mut self, columns: impl IntoIterator<Item = usize>) {
        for column in columns {
            if let Some(column) = self.table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }

    /// The finished table.
    pub fn text(&self) -> String {
        self.table.trim_fmt()
    }
}

// A value must not break the table, nor send escape sequences to the terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Names and values below each other, names padded to one width.
pub fn pairs(language: Language, rows: &[(&'static str, String)]) -> String {
    let rows: Vec<(String, &String)> =
        rows.iter().map(|(id, value)| (Message::new(id).render(language), value)).collect();
    labelled(rows.iter().map(|(label, value)| (label.as_str(), value.as_str())))
}

/// As [`pairs`], with labels that are already words.
pub fn labelled<'a>(rows: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> String {
    let width = rows.clone().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (label, value) in rows {
        let pad = " ".repeat(width - label.chars().count());
        text.push_str(&format!("{label}{pad}  {}\n", one_line(value)));
    }
    text
}

/// A number with its thousands apart by thin spaces, as all three languages read it; what follows it stays.
pub fn grouped(text: &str) -> String {
    let start = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
    let length = text.chars().skip(start).take_while(char::is_ascii_digit).count();
    let (before, rest) = text.split_at(start);
    let (digits, after) = rest.split_at(length);
    let mut grouped = before.to_owned();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (length - at).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped + after
}

/// Bytes in the largest unit that keeps at least one whole.
pub fn bytes(count: u64) -> String {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    match units.into_iter().find(|(_, size)| count >= *size) {
        Some((unit, size)) => format!("{:.1} {unit}", count as f64 / size as f64),
        None => format!("{count} B"),
    }
}

/// A progress bar on stderr where that is a terminal, else one that draws nothing.
pub fn progress(context: &Context, message: &'static str) -> indicatif::ProgressBar {
    if !io::stderr().is_terminal() {
        return indicatif::ProgressBar::hidden();
    }
    let bar = indicatif::ProgressBar::new(0);
    let template = "{msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}";
    if let Ok(style) = indicatif::ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(context.say(message));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_keeps_every_row_on_one_line_and_sends_no_escapes() {
        let mut table = Table::new(["name", "count"]);
        table.row(["a\nb\u{1b}[31m", "1"]);
        table.numbers([1]);
        let text = table.text();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn digits_stand_in_groups() {
        assert_eq!(grouped("1100040000.00 USD"), "1\u{202f}100\u{202f}040\u{202f}000.00 USD");
        assert_eq!(grouped("-1234"), "-1\u{202f}234");
        assert_eq!(grouped("999"), "999");
        assert_eq!(grouped(""), "");
        assert_eq!((bytes(999), bytes(1_500_000)), ("999 B".to_owned(), "1.5 MB".to_owned()));
    }

    #[test]
    fn labels_share_one_width() {
        let text = labelled([("ab", "1"), ("abcd", "2")].into_iter());
        assert_eq!(text, "ab    1\nabcd  2\n");
    }
}
