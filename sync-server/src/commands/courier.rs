//! The link as a file: `courier pack`, `courier unpack`.

use std::path::{Path, PathBuf};

use branchline_core::message::Message;
use branchline_core::replica::Replica;
use branchline_core::replica::link::{InvitationCode, Note, Unpacked};
use branchline_core::{Result, crm};
use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};

use crate::context::{Context, environment};
use crate::output::{Answer, pairs};

/// Carry the link as a signed, encrypted file, where there is no line at all.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline --data ./kyiv courier pack /media/stick/kyiv-1.courier\n  \
                  branchline --data ./hub courier unpack /media/stick/kyiv-1.courier\n  \
                  branchline --data ./hub courier pack /media/stick/hub-1.courier --for Kyiv")]
pub struct Courier {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Pack(Pack),
    Unpack(Unpack),
    Seed(Seed),
}

/// Pack everything that the other end may lack into a new file.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline courier pack /media/stick/monday.courier --for \"Ganna's phone\"")]
struct Pack {
    /// The file to write.
    file: PathBuf,
    /// The downstream's name or id; without it, or with `upstream`, the upstream.
    #[arg(long = "for", value_name = "NAME")]
    to: Option<String>,
}

/// Take in a file that was packed for this replica; a copy of it may be unpacked again without harm.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline courier unpack /media/stick/monday.courier")]
struct Unpack {
    /// The file.
    file: PathBuf,
}

/// Make the seed of a new replica in advance: it opens with `join --seed` and then catches up. Not encrypted: keep it
/// like a backup.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline courier seed /media/stick/kyiv.seed --scope branch:kyiv")]
struct Seed {
    /// The file to write.
    file: PathBuf,
    /// What it holds beside the shared collections: workspace (without any), branch:CODE, team:CODE or user:NAME.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
}

impl Courier {
    /// Packs or unpacks.
    ///
    /// # Errors
    /// A file that exists, is no courier file, damaged or for somebody else; a downstream that is not known; those of the
    /// store.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        match &self.action {
            Action::Pack(pack) => pack.run(context),
            Action::Unpack(unpack) => unpack.run(context),
            Action::Seed(seed) => seed.run(context),
        }
    }
}

impl Pack {
    fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        let packed = replica.courier_pack(&self.file, self.to.as_deref())?;
        let status = replica.status()?;
        let file = self.file.display().to_string();
        // Nothing counts as sent before its receipt has come.
        let moved = Unpacked::default();
        Ok(Answer::of(
            context,
            || {
                let mut document = document(&moved, status.outbox, status.quarantine, packed.bytes, 0);
                document["file"] = json!(file);
                document["for"] = json!(packed.to);
                document["changes"] = json!(packed.changes);
                document["receipts"] = json!(packed.receipts);
                document["attachments"] = json!(packed.attachments);
                document
            },
            || {
                let said = Message::new("courier-packed").with("file", &file).with("name", &packed.to);
                let rows = [
                    ("courier-changes", packed.changes),
                    ("courier-receipts", packed.receipts),
                    ("courier-attachments", packed.attachments),
                    ("courier-bytes", packed.bytes),
                ];
                let rows = rows.map(|(id, count)| (id, count.to_string()));
                format!("{}{}", pairs(context.language(), &rows), said.render(context.language()))
            },
        ))
    }
}

impl Unpack {
    fn run(&self, context: &Context) -> Result<Answer> {
        let (replica, done) = if Replica::courier_joins(context.folder()?) {
            Replica::courier_joined(context.keyed()?, &self.file, crm::builtin().clone(), environment())?
        } else {
            let replica = context.open()?;
            let done = replica.courier_unpack(&self.file)?;
            (replica, done)
        };
        if let Some(note) = done.note {
            let said = match note {
                Note::Known => "courier-known",
                Note::Elsewhere => "courier-elsewhere",
            };
            context.warn(&Message::new(said));
        }
        let status = replica.status()?;
        let said = Answer::of(
            context,
            || {
                let mut document = document(&done, status.outbox, status.quarantine, 0, done.bytes);
                document["note"] = match done.note {
                    None => Json::Null,
                    Some(Note::Known) => json!("known"),
                    Some(Note::Elsewhere) => json!("elsewhere"),
                };
                document
            },
            || {
                let rows = [
                    ("sync-pushed", done.pushed),
                    ("sync-pulled", done.pulled),
                    ("sync-refused", done.refused),
                    ("status-outbox", status.outbox),
                    ("status-quarantine", status.quarantine),
                ];
                pairs(context.language(), &rows.map(|(id, count)| (id, count.to_string())))
            },
        );
        let waits = done.note == Some(Note::Elsewhere) || status.quarantine > 0 || status.conflicts_asking > 0;
        Ok(said.waiting(waits))
    }
}

/// Packs the enrolment of the folder instead of carrying it over a line.
pub fn join(context: &Context, code: &InvitationCode, file: &Path) -> Result<Answer> {
    let bytes = Replica::courier_join(context.keyed()?, code, file, crm::builtin().clone(), environment())?;
    let file = file.display().to_string();
    Ok(Answer::of(
        context,
        || {
            let mut document = document(&Unpacked::default(), 0, 0, bytes, 0);
            document["file"] = json!(file);
            document
        },
        || Message::new("courier-joining").with("file", &file).render(context.language()),
    ))
}

impl Seed {
    fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        let (records, bytes) = replica.courier_seed(&self.file, &self.scopes, crm::builtin().clone())?;
        let status = replica.status()?;
        let file = self.file.display().to_string();
        Ok(Answer::of(
            context,
            || {
                let mut document = document(&Unpacked::default(), status.outbox, status.quarantine, bytes, 0);
                document["file"] = json!(file);
                document["records"] = json!(records);
                document
            },
            || {
                let said = Message::new("seed-written").with("file", &file).with("bytes", bytes);
                said.with("records", records).render(context.language())
            },
        ))
    }
}

// As `sync` answers; a file takes no round trips.
fn document(done: &Unpacked, outbox: u64, quarantine: u64, bytes_up: u64, bytes_down: u64) -> Json {
    json!({
        "pushed": done.pushed,
        "pulled": done.pulled,
        "refused": done.refused,
        "outbox": outbox,
        "quarantine": quarantine,
        "bytes_up": bytes_up,
        "bytes_down": bytes_down,
        "round_trips": 0,
    })
}
