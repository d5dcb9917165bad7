//! The benchmark: one row for each figure that the project promises, each a ratio or a count of one run.
//!
//! A row measures, prints what it reached next to the floor and the goal, and says which of them it met. CPU seconds are
//! those of the thread or process that the row is about, bytes those of the wire.

mod codec;
mod company;
mod cpu;
mod door;
mod duplicates;
mod flood;
mod idle;
mod link;
mod local;
mod long_history;
#[cfg(feature = "bindings")]
mod phone;
mod reading;
mod seed;
mod set_back;
mod workplace;

use serde_json::json;

/// A figure with the side on which it is good.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What was counted, `records per CPU second`.
    pub what: String,
    /// How much it was.
    pub reached: f64,
    /// What it must be; `None` for a figure that only explains others.
    pub bound: Option<Bound>,
}

/// What a figure is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    /// The worst that may land.
    pub floor: f64,
    /// What we aim for.
    pub goal: f64,
    /// Whether more is better.
    pub more_is_better: bool,
}

impl Figure {
    /// A figure that should be large.
    pub fn at_least(what: impl Into<String>, reached: f64, floor: f64, goal: f64) -> Self {
        Self { what: what.into(), reached, bound: Some(Bound { floor, goal, more_is_better: true }) }
    }

    /// A figure that should be small.
    pub fn at_most(what: impl Into<String>, reached: f64, floor: f64, goal: f64) -> Self {
        Self { what: what.into(), reached, bound: Some(Bound { floor, goal, more_is_better: false }) }
    }

    /// A figure that explains.
    pub fn note(what: impl Into<String>, reached: f64) -> Self {
        Self { what: what.into(), reached, bound: None }
    }

    /// `goal`, `floor`, `below`, or nothing where there is no bound.
    pub fn verdict(&self) -> &'static str {
        let Some(bound) = self.bound else { return "" };
        let meets = |mark: f64| if bound.more_is_better { self.reached >= mark } else { self.reached <= mark };
        match (meets(bound.goal), meets(bound.floor)) {
            (true, _) => "goal",
            (false, true) => "floor",
            (false, false) => "below",
        }
    }
}

/// A row of the benchmark.
pub struct Row {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Measures.
    pub run: fn() -> Vec<Figure>,
}

/// All rows, in the order of `docs/src/benchmarks.md`.
pub fn rows() -> Vec<Row> {
    let mut rows = vec![
        Row { name: "chunk", about: "change chunks of eleven fields, read and written", run: codec::chunks },
        Row { name: "codec-creates", about: "created records in batches of the compact codec", run: codec::creates },
        Row { name: "codec-edits", about: "one-field edits in batches of 1,000", run: codec::edits },
        Row { name: "codec-deals", about: "the 8,800 real deals in batches of the compact codec", run: codec::deals },
        Row { name: "first-sync", about: "10,000 records down to a new device", run: link::first_sync_small },
        Row { name: "first-sync-large", about: "100,000 records down to a new device", run: link::first_sync_large },
        Row { name: "seed", about: "a new replica of 100,000 records from a seed", run: seed::opened },
        Row { name: "upload", about: "10,000 records and as many edits up to a hub", run: link::upload },
        Row { name: "door", about: "judging foreign changes, against all that a hub does for them", run: door::door },
        Row { name: "reconnect", about: "connecting again with nothing new, 10,000 records", run: link::reconnect },
        Row {
            name: "set-back",
            about: "a hub put back, 1,000 changes behind its three devices",
            run: set_back::set_back,
        },
        Row { name: "idle", about: "a hub with 1,000 connections on which nothing happens", run: idle::connections },
        Row { name: "flood", about: "99 devices at work while one floods the hub", run: flood::flood },
        Row { name: "write", about: "an edit of one field, durable", run: local::write },
        Row { name: "read", about: "reading at 100,000 records", run: reading::reads },
        Row { name: "size", about: "the folder of 10,000 records", run: local::size },
        Row {
            name: "long-history",
            about: "one record with 2,000 edits by 50 people",
            run: long_history::long_history,
        },
        Row { name: "workplace", about: "eight people at the pages of 100,000 records", run: workplace::workplace },
        Row { name: "import", about: "the 8,800 real deals", run: local::import },
        Row { name: "duplicates", about: "precision and recall of duplicates on Febrl's data", run: duplicates::febrl },
    ];
    rows.extend(phones());
    rows
}

#[cfg(feature = "bindings")]
fn phones() -> Vec<Row> {
    vec![
        Row { name: "kotlin-calls", about: "one record and a page of 50 through Kotlin", run: phone::calls },
        Row { name: "kotlin-open", about: "a new process opens 100,000 records through Kotlin", run: phone::cold_open },
        Row { name: "kotlin-typing", about: "search at every keystroke through Kotlin", run: phone::typing },
        Row { name: "kotlin-first-sync", about: "a phone's first sync, Kotlin against Rust", run: phone::first_sync },
        Row { name: "kotlin-memory", about: "memory of a phone during its first sync", run: phone::memory },
        Row { name: "phone-size", about: "what an app carries", run: phone::size },
    ]
}

#[cfg(not(feature = "bindings"))]
fn phones() -> Vec<Row> {
    Vec::new()
}

/// Runs rows and prints them; all where `names` is empty.
///
/// # Panics
/// Where a name is no row's, or a row cannot measure.
pub fn run(names: &[String], as_json: bool) {
    let rows = rows();
    for name in names {
        assert!(rows.iter().any(|row| row.name == name), "no row is called {name}");
    }
    let mut report = Vec::new();
    for row in rows.iter().filter(|row| names.is_empty() || names.iter().any(|name| name == row.name)) {
        let figures = (row.run)();
        if as_json {
            report.extend(figures.iter().map(|figure| as_value(row, figure)));
        } else {
            print(row, &figures);
        }
    }
    if as_json {
        println!("{}", serde_json::Value::Array(report));
    }
}

fn as_value(row: &Row, figure: &Figure) -> serde_json::Value {
    let bound = figure.bound;
    json!({
        "row": row.name,
        "what": figure.what,
        "reached": figure.reached,
        "floor": bound.map(|bound| bound.floor),
        "goal": bound.map(|bound| bound.goal),
        "verdict": figure.verdict(),
    })
}

fn print(row: &Row, figures: &[Figure]) {
    println!("{}: {}", row.name, row.about);
    for figure in figures {
        let reached = number(figure.reached);
        match figure.bound {
            None => println!("  {:<58} {reached:>12}", figure.what),
            Some(bound) => {
                let side = if bound.more_is_better { '≥' } else { '≤' };
                let (floor, goal) = (number(bound.floor), number(bound.goal));
                println!(
                    "  {:<58} {reached:>12}  floor {side} {floor:<9} goal {side} {goal:<9} {}",
                    figure.what,
                    figure.verdict()
                );
            }
        }
    }
}

// Three digits that say something, thousands apart.
fn number(value: f64) -> String {
    if value.abs() >= 1_000.0 {
        let digits = format!("{value:.0}");
        let head = digits.len() % 3;
        let mut out = digits[..head].to_owned();
        for group in digits.as_bytes()[head..].chunks(3) {
            if !out.is_empty() {
                out.push(',');
            }
            out.push_str(&String::from_utf8_lossy(group));
        }
        out
    } else if value.abs() >= 100.0 {
        format!("{value:.0}")
    } else if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_knows_its_side() {
        assert_eq!(Figure::at_least("", 80.0, 30.0, 70.0).verdict(), "goal");
        assert_eq!(Figure::at_least("", 40.0, 30.0, 70.0).verdict(), "floor");
        assert_eq!(Figure::at_most("", 0.9, 0.8, 0.5).verdict(), "below");
        assert_eq!(Figure::note("", 1.0).verdict(), "");
    }

    #[test]
    fn numbers_print_in_few_digits() {
        assert_eq!(
            [number(70_123.4), number(0.654), number(12.34), number(1_234_567.0)],
            ["70,123", "0.65", "12.3", "1,234,567"]
        );
    }
}
