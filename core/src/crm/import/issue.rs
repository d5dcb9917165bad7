//! What an import has to say about single rows, and its result.

use serde_json::{Map, Value as Json, json};

use crate::error::Error;
use crate::id::BatchId;
use crate::limits::IMPORT_ISSUES_MAX;
use crate::message::{Language, Message};

/// Something about one row: why it was refused, or what a person should look at.
#[derive(Debug, Clone, PartialEq)]
pub struct Issue {
    /// The line in the file, the heading's being 1.
    pub row: u64,
    /// The column's heading; empty where the whole row is meant.
    pub column: String,
    /// The cell as it stands in the file.
    pub value: String,
    /// Why.
    pub reason: Reason,
    /// The known value that was probably meant, or that was taken.
    pub nearest: Option<String>,
}

/// Why, in words of the catalogue.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    /// A rule of the import.
    Message(Message),
    /// What the replica answered.
    Error(Error),
}

impl Reason {
    /// The words, with the advice behind them where there is one.
    pub fn render(&self, language: Language) -> String {
        let (what, advice) = match self {
            Self::Message(message) => (message.render(language), message.render_advice(language)),
            Self::Error(error) => (error.what(language), error.advice(language)),
        };
        if advice.is_empty() { what } else { format!("{what} {advice}") }
    }

    /// A stable code for programs, never translated.
    pub fn code(&self) -> String {
        match self {
            Self::Message(message) => message.id().replace('-', "_"),
            Self::Error(error) => error.code(),
        }
    }
}

impl From<Message> for Reason {
    fn from(message: Message) -> Self {
        Self::Message(message)
    }
}

impl From<Error> for Reason {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Issue {
    /// `{"row","column","value","reason","code","nearest"}`; `nearest` only where there is one.
    pub fn json(&self, language: Language) -> Json {
        let mut object = Map::new();
        object.insert("row".into(), self.row.into());
        object.insert("column".into(), self.column.clone().into());
        object.insert("value".into(), self.value.clone().into());
        object.insert("reason".into(), self.reason.render(language).into());
        object.insert("code".into(), self.reason.code().into());
        if let Some(nearest) = &self.nearest {
            object.insert("nearest".into(), nearest.clone().into());
        }
        Json::Object(object)
    }
}

/// What an import did, or in a dry run would do.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// Names the import: the same for the same file, map, collection and branch.
    pub batch: BatchId,
    /// Rows below the heading.
    pub rows: u64,
    /// Rows that made a record (or, where rows are lines, a line).
    pub created: u64,
    /// Rows that changed one.
    pub updated: u64,
    /// Rows that said nothing new.
    pub unchanged: u64,
    /// Rows that did not come in.
    pub refused: u64,
    /// Records that look-ups made, beyond the rows.
    pub looked_up: u64,
    /// One for each refused row, up to [`IMPORT_ISSUES_MAX`].
    pub errors: Vec<Issue>,
    /// Up to [`IMPORT_ISSUES_MAX`].
    pub warnings: Vec<Issue>,
    /// Warnings beyond the bound.
    pub warnings_more: u64,
    /// Whether nothing was written.
    pub dry_run: bool,
}

impl Outcome {
    pub(super) fn refuse(&mut self, issue: Issue) {
        self.refused += 1;
        if self.errors.len() < IMPORT_ISSUES_MAX {
            self.errors.push(issue);
        }
    }

    pub(super) fn warn(&mut self, issue: Issue) {
        if self.warnings.len() < IMPORT_ISSUES_MAX {
            self.warnings.push(issue);
        } else {
            self.warnings_more += 1;
        }
    }

    /// The object of the command line reference.
    pub fn json(&self, language: Language) -> Json {
        let list = |issues: &[Issue]| issues.iter().map(|i| i.json(language)).collect::<Vec<_>>();
        json!({
            "batch": self.batch.to_string(),
            "rows": self.rows,
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "refused": self.refused,
            "looked_up": self.looked_up,
            "dry_run": self.dry_run,
            "errors": list(&self.errors),
            "warnings": list(&self.warnings),
            "warnings_more": self.warnings_more,
        })
    }
}

/// How far an import is; given to the caller after each transaction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Rows done.
    pub rows: u64,
    /// Rows in all.
    pub total: u64,
    /// Rows per second so far; 0 until a first measure.
    pub rows_per_second: f64,
    /// Seconds left at this speed; none until a first measure.
    pub seconds_left: Option<f64>,
}

impl Progress {
    pub(super) fn after(rows: u64, total: u64, elapsed_ms: i64) -> Self {
        let seconds = elapsed_ms.max(0) as f64 / 1000.0;
        let rows_per_second = if seconds > 0.0 { rows as f64 / seconds } else { 0.0 };
        let left = total.saturating_sub(rows) as f64;
        let seconds_left = (rows_per_second > 0.0).then(|| left / rows_per_second);
        Self { rows, total, rows_per_second, seconds_left }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn progress_tells_speed_and_time_left() {
        let progress = Progress::after(1_000, 3_000, 500);
        assert_eq!((progress.rows_per_second, progress.seconds_left), (2_000.0, Some(1.0)));
        assert_eq!(Progress::after(1_000, 3_000, 0).seconds_left, None);
    }
}
