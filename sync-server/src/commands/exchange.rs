//! Data in and out: `import`, `import undo`, `export`.

use std::io::{BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use branchline_core::crm::export::{Format, export};
use branchline_core::crm::import::{self, ImportMap, Issue, Outcome, Progress};
use branchline_core::id::BatchId;
use branchline_core::message::Message;
use branchline_core::replica::{Query, Replica};
use branchline_core::{Error, Result};
use clap::{Args, Subcommand};
use serde_json::json;

use super::query::{known_field, where_filter};
use crate::cli::wrong_usage;
use crate::context::Context;
use crate::output::{Answer, Table, aside, pairs, progress};

/// Issues that people are shown; `--json` lists them all.
const ISSUES_SHOWN_MAX: usize = 20;

/// Bring the rows of a CSV or XLSX file in; importing again updates, never duplicates.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Example:\n  branchline import deals.csv --collection opportunity --map deals.toml --dry-run\n  \
                  branchline import undo 5f0c9a41d2b7e8836a1c4d9e0f2b7c55"
)]
pub struct Import {
    #[command(subcommand)]
    command: Option<Command>,
    /// The file; row 1 is the heading.
    #[arg(required = true)]
    file: Option<PathBuf>,
    /// The collection; may be left out where the map names it.
    #[arg(long, value_name = "C")]
    collection: Option<String>,
    /// Which column is which field, in TOML; without it headings are matched to names and labels.
    #[arg(long, value_name = "MAP.toml")]
    map: Option<PathBuf>,
    /// Do everything but write.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take back what an import created or changed and nobody touched since.
    #[command(after_help = "Example:\n  branchline import undo 5f0c9a41d2b7e8836a1c4d9e0f2b7c55")]
    Undo {
        /// The batch, as `import` printed it.
        batch: String,
    },
}

impl Import {
    /// Imports, or undoes an import; refused rows make the exit code 3.
    ///
    /// # Errors
    /// A file or map that cannot be read, rights, and an import that was stopped midway (run it again).
    pub fn run(&self, context: &Context) -> Result<Answer> {
        match (&self.command, &self.file) {
            (Some(Command::Undo { batch }), _) => undo(context, batch),
            (None, Some(file)) => self.import(context, file),
            (None, None) => Err(wrong_usage("FILE")),
        }
    }

    fn import(&self, context: &Context, file: &Path) -> Result<Answer> {
        let replica = context.open()?;
        let map = match &self.map {
            Some(path) => Some(ImportMap::open(path)?),
            None => None,
        };
        let bar = progress(context, "progress-rows");
        let mut show = |now: &Progress| {
            bar.set_length(now.total);
            bar.set_position(now.rows);
        };
        let run = import::Import {
            collection: self.collection.clone(),
            map,
            dry_run: self.dry_run,
            progress: Some(&mut show),
        };
        let outcome = run.run_file(&replica, file);
        bar.finish_and_clear();
        let outcome = outcome?;
        if !context.json {
            warnings(context, &outcome);
        }
        let answer = Answer::of(context, || outcome.json(context.language()), || summary(context, &outcome));
        Ok(answer.waiting(outcome.refused > 0))
    }
}

fn summary(context: &Context, outcome: &Outcome) -> String {
    let language = context.language();
    let counts = [
        ("import-rows", outcome.rows),
        ("import-created", outcome.created),
        ("import-updated", outcome.updated),
        ("import-unchanged", outcome.unchanged),
        ("import-looked-up", outcome.looked_up),
        ("import-refused", outcome.refused),
    ];
    let mut rows = vec![("import-batch", outcome.batch.to_string())];
    rows.extend(counts.map(|(id, count)| (id, count.to_string())));
    let mut text = pairs(language, &rows);
    if outcome.dry_run {
        text.push_str(&format!("{}\n", context.say("import-dry")));
    }
    if !outcome.errors.is_empty() {
        text.push_str(&format!("\n{}", issues(context, &outcome.errors, outcome.refused)));
    }
    text
}

// What people should look at but what stopped nothing goes to stderr, so that a summary can be piped.
fn warnings(context: &Context, outcome: &Outcome) {
    if !outcome.warnings.is_empty() {
        let count = outcome.warnings.len() as u64 + outcome.warnings_more;
        context.warn(&Message::new("import-warnings").with("count", count));
        aside(issues(context, &outcome.warnings, count));
    }
}

fn issues(context: &Context, issues: &[Issue], count: u64) -> String {
    let language = context.language();
    let mut table = Table::titled(language, &["col-row", "col-column", "col-value", "col-reason", "col-nearest"]);
    for issue in issues.iter().take(ISSUES_SHOWN_MAX) {
        table.row([
            issue.row.to_string(),
            issue.column.clone(),
            issue.value.clone(),
            issue.reason.render(language),
            issue.nearest.clone().unwrap_or_default(),
        ]);
    }
    table.numbers([0]);
    let mut text = table.text();
    let shown = issues.len().min(ISSUES_SHOWN_MAX) as u64;
    if count > shown {
        text.push_str(&format!("\n{}", Message::new("and-more").with("count", count - shown).render(language)));
    }
    text
}

fn undo(context: &Context, batch: &str) -> Result<Answer> {
    let replica = context.open()?;
    let id = BatchId::parse(batch).ok_or_else(|| wrong_usage(format!("BATCH: {batch}")))?;
    let undone = import::undo(&replica, id)?;
    Ok(Answer::of(
        context,
        || json!({"batch": batch, "archived": undone.archived, "restored": undone.restored, "kept": undone.kept}),
        || {
            pairs(
                context.language(),
                &[
                    ("import-archived", undone.archived.to_string()),
                    ("import-restored", undone.restored.to_string()),
                    ("import-kept", undone.kept.to_string()),
                ],
            )
        },
    ))
}

/// Write the records of a collection to a file; a CSV comes back in through `import` unchanged.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  branchline export account --where 'country = \"UA\"' --format xlsx --out accounts.xlsx"
)]
pub struct Export {
    /// The collection.
    collection: String,
    /// Only these; see `list --help`.
    #[arg(long = "where", value_name = "EXPRESSION")]
    filter: Option<String>,
    /// Only these fields, comma between.
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    fields: Vec<String>,
    /// csv, json or xlsx; without it csv, with --json json.
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// The file; without it stdout.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Export {
    /// Exports.
    ///
    /// # Errors
    /// An unknown collection, field or format, a filter that does not parse, a file that cannot be written.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let format = match &self.format {
            Some(name) => Format::parse(name).ok_or_else(|| wrong_usage(format!("--format {name}")))?,
            None if context.json && self.out.is_none() => Format::Json,
            None => Format::Csv,
        };
        if format == Format::Xlsx && self.out.is_none() && std::io::stdout().is_terminal() {
            return Err(wrong_usage("--format xlsx: --out FILE"));
        }
        let replica = context.open()?;
        let query = self.query(&replica)?;
        let Some(path) = &self.out else {
            let mut body = Vec::new();
            export(&replica, &query, format, &mut body)?;
            return Ok(Answer::raw(body));
        };
        let rows = write_file(path, |out| export(&replica, &query, format, out))?;
        let file = path.display().to_string();
        Ok(Answer::of(
            context,
            || json!({"rows": rows, "file": file}),
            || {
                let said = Message::new("export-written").with("file", &file).with("count", rows);
                said.render(context.language())
            },
        ))
    }

    fn query(&self, replica: &Replica) -> Result<Query> {
        let schema = replica.schema();
        let collection = schema.require(&self.collection)?;
        let mut query = Query::of(&self.collection);
        query.filter = where_filter(replica, collection, self.filter.as_deref())?;
        if !self.fields.is_empty() {
            query.fields = Some(self.fields.iter().map(|name| known_field(collection, name)).collect::<Result<_>>()?);
        }
        Ok(query)
    }
}

/// Writes a file whole or not at all: beside its place first, then moved there.
///
/// # Errors
/// The writer's own; `file-not-written` with what the system says.
pub fn write_file<T>(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<T> {
    let place = path.display().to_string();
    let failed = |e: std::io::Error| Error::storage("file-not-written").with("detail", e.to_string()).at(&place);
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    let mut out = BufWriter::new(file);
    let done = write(&mut out)?;
    let file = out.into_inner().map_err(|e| failed(e.into_error()))?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|e| failed(e.error))?;
    Ok(done)
}
