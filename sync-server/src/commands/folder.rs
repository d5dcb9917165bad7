//! The replica's folder: `init`, `status`, `verify`, `backup`, `restore`.

use std::path::PathBuf;

use branchline_core::message::{Language, Message};
use branchline_core::replica::{Init as NewHub, Replica, Verified};
use branchline_core::schema::Currency;
use branchline_core::{Error, Result, crm};
use clap::Args;
use serde_json::{Value as Json, json};

use crate::cli::wrong_usage;
use crate::context::{Context, environment};
use crate::output::{Answer, pairs};
use crate::state::State;

/// Make the folder a hub with its owner.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline --data ./hub init --name \"Acme Trading\" --owner anna@acme.example \
                        --currency USD")]
pub struct Init {
    /// The company's name.
    #[arg(long)]
    name: String,
    /// The owner's e-mail address.
    #[arg(long, value_name = "EMAIL")]
    owner: Option<String>,
    /// The currency of a bare number, three letters.
    #[arg(long, value_name = "C", default_value = "USD")]
    currency: String,
    /// The workspace's language: en, ru or uk; without it that of the environment.
    #[arg(long, value_name = "L")]
    language: Option<String>,
}

impl Init {
    /// Makes the hub.
    ///
    /// # Errors
    /// Wrong usage for an unknown currency or language; a folder that already is a replica.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let currency =
            Currency::parse(&self.currency).ok_or_else(|| wrong_usage(format!("--currency {}", self.currency)))?;
        let language = match &self.language {
            Some(text) => Language::parse(text).ok_or_else(|| wrong_usage(format!("--language {text}")))?,
            None => context.language(),
        };
        let init =
            NewHub { name: self.name.clone(), owner_name: None, owner_email: self.owner.clone(), currency, language };
        let replica = Replica::init(context.keyed()?, &init, crm::builtin().clone(), environment())?;
        let settings = replica.settings()?;
        let me = replica.me()?;
        Ok(Answer::of(
            context,
            || {
                json!({
                    "workspace": settings.workspace.to_string(),
                    "replica": settings.device.to_string(),
                    "owner": {"id": me.id.to_string(), "label": me.name},
                })
            },
            || {
                let said = Message::new("hub-made").with("name", &settings.name).with("owner", &me.name);
                said.with("folder", context.folder_text()).render(context.language())
            },
        ))
    }
}

/// Show the replica in numbers.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline status --json")]
pub struct Status {}

impl Status {
    /// Reads the numbers.
    ///
    /// # Errors
    /// Those of the store.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        let state = State::read(&replica)?;
        Ok(Answer::of(context, || state.document(), || state.text(context.language(), &replica.schema())))
    }
}

/// Check pages, log, documents and projection; mend what can be rebuilt.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline verify --repair")]
pub struct Verify {
    /// Write anew what differs from the log: projection, search, heads; have the next sync fetch what is damaged itself.
    #[arg(long)]
    repair: bool,
}

impl Verify {
    /// Checks; anything found and not mended is a failure.
    ///
    /// # Errors
    /// `verify_found` where something stays wrong, and those of the store.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        let found = replica.verify(self.repair)?;
        if !found.is_sound() {
            return Err(unsound(&found));
        }
        Ok(Answer::of(
            context,
            || counts(&found),
            || {
                let rows = [
                    ("verify-changes", found.changes),
                    ("verify-records", found.records),
                    ("verify-heads", found.heads_differ),
                    ("verify-rows", found.rows_differ),
                    ("verify-search", found.search_differ),
                    ("verify-attachments-checked", found.attachments),
                ];
                let rows = rows.map(|(id, count)| (id, count.to_string()));
                let said = if found.repaired { "verify-repaired" } else { "verify-sound" };
                format!("{}{}", pairs(context.language(), &rows), context.say(said))
            },
        ))
    }
}

fn unsound(found: &Verified) -> Error {
    let differ = found.differing();
    match found.damage.first() {
        _ if found.fetching > 0 => Error::corrupt("verify-fetching").with("count", found.fetching),
        None if found.attachments_damaged > 0 => {
            Error::corrupt("verify-attachments").with("count", found.attachments_damaged)
        }
        Some(damage) => Error::corrupt("verify-damaged").with("count", found.damage.len()).with("first", damage),
        None => Error::corrupt("verify-differs").with("count", differ),
    }
}

fn counts(found: &Verified) -> Json {
    json!({
        "changes": found.changes,
        "records": found.records,
        "heads_differ": found.heads_differ,
        "indexes_differ": found.indexes_differ,
        "places_differ": found.places_differ,
        "rows_differ": found.rows_differ,
        "search_differ": found.search_differ,
        "attachments": found.attachments,
        "attachments_damaged": found.attachments_damaged,
        "fetching": found.fetching,
        "damage": found.damage,
        "repaired": found.repaired,
    })
}

/// A backup file and the passphrase that its keys are encrypted with.
#[derive(Debug, Args)]
struct BackupFile {
    /// The file.
    file: PathBuf,
    /// A file whose first line encrypts the replica's keys inside the backup.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl BackupFile {
    fn passphrase(&self) -> Result<Option<String>> {
        let Some(path) = &self.passphrase_file else { return Ok(None) };
        let unreadable =
            |detail: String| Error::invalid("value-file").with("detail", detail).at(path.display().to_string());
        let text = std::fs::read_to_string(path).map_err(|e| unreadable(e.to_string()))?;
        let line = text.lines().next().unwrap_or_default();
        if line.is_empty() { Err(unreadable("empty".to_owned())) } else { Ok(Some(line.to_owned())) }
    }
}

/// Copy the replica into one file while it works.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline backup monday.branchline --passphrase-file ./passphrase")]
pub struct Backup {
    #[command(flatten)]
    to: BackupFile,
}

impl Backup {
    /// Writes the backup.
    ///
    /// # Errors
    /// A file that exists or cannot be written, and those of the store.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        let bytes = replica.backup(&self.to.file, self.to.passphrase()?.as_deref())?;
        let status = replica.status()?;
        let records: u64 = status.records.iter().map(|(_, count)| count).sum();
        let file = self.to.file.display().to_string();
        Ok(Answer::of(
            context,
            || json!({"file": file, "bytes": bytes, "records": records, "changes": status.log_end}),
            || {
                let said = Message::new("backup-written").with("file", &file).with("bytes", bytes);
                said.with("records", records).render(context.language())
            },
        ))
    }
}

/// Make an empty folder a replica again from a backup.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  branchline --data ./hub-again restore monday.branchline --passphrase-file ./passphrase"
)]
pub struct Restore {
    #[command(flatten)]
    from: BackupFile,
}

impl Restore {
    /// Restores; the replica begins a new timeline.
    ///
    /// # Errors
    /// A folder that is not empty, a file that is no backup, a wrong passphrase.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let passphrase = self.from.passphrase()?;
        let folder = context.keyed()?;
        let replica =
            Replica::restore(&self.from.file, folder, passphrase.as_deref(), crm::builtin().clone(), environment())?;
        let status = replica.status()?;
        let records: u64 = status.records.iter().map(|(_, count)| count).sum();
        Ok(Answer::of(
            context,
            || json!({"replica": status.replica.to_string(), "records": records, "changes": status.log_end}),
            || {
                let said = Message::new("backup-restored").with("folder", context.folder_text());
                said.with("records", records).render(context.language())
            },
        ))
    }
}
