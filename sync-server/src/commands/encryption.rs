//! Encryption of the replica's folder: `encryption on`, `off`, `rekey`.

use std::path::PathBuf;

use branchline_core::message::Message;
use branchline_core::replica::Replica;
use branchline_core::{Error, Result};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::context::{Context, environment};
use crate::key_file;
use crate::output::Answer;
use crate::web;

/// Encrypt the folder, decrypt it, or give it another key.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  openssl rand -hex 32 > ./key && chmod 600 ./key\n  branchline --key-file ./key encryption on"
)]
pub struct Encryption {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    On(On),
    Off(Off),
    Rekey(Rekey),
}

impl Encryption {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// Those of the subcommand.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        match &self.command {
            Command::On(c) => c.run(context),
            Command::Off(c) => c.run(context),
            Command::Rekey(c) => c.run(context),
        }
    }
}

/// Encrypt a plain folder that nothing works on: database, attachments and the device's key. Stopped half-way it is
/// plain or encrypted, and whole.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline --key-file ./key encryption on")]
struct On {}

impl On {
    fn run(&self, context: &Context) -> Result<Answer> {
        let key = context.key()?.ok_or_else(|| Error::usage("encryption-needs-key"))?;
        Replica::encrypt(context.folder()?, &key, &*environment())?;
        web::forget_uploads(context.folder()?)?;
        Ok(answer(context, true, "encryption-is-on"))
    }
}

/// Decrypt an encrypted folder that nothing works on.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline --key-file ./key encryption off")]
struct Off {}

impl Off {
    fn run(&self, context: &Context) -> Result<Answer> {
        Replica::decrypt(&context.keyed()?, &*environment())?;
        web::forget_uploads(context.folder()?)?;
        Ok(answer(context, false, "encryption-is-off"))
    }
}

/// Have another key open the folder, also while others work on it. At once: what is encrypted stays as it is.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline --key-file ./key encryption rekey --new-key-file ./new-key")]
struct Rekey {
    /// The file of the new key: 32 bytes, or 64 hexadecimal digits.
    #[arg(long, value_name = "FILE")]
    new_key_file: PathBuf,
}

impl Rekey {
    fn run(&self, context: &Context) -> Result<Answer> {
        let key = key_file::read(&self.new_key_file)?;
        context.open()?.rekey(&key)?;
        Ok(answer(context, true, "encryption-rekeyed"))
    }
}

fn answer(context: &Context, encrypted: bool, said: &'static str) -> Answer {
    Answer::of(
        context,
        || json!({"encrypted": encrypted}),
        || Message::new(said).with("folder", context.folder_text()).render(context.language()),
    )
}
