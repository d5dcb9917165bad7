//! The command tree and the dispatcher.
//!
//! Names, options and exit codes are a contract with scripts; `--help` of each command carries one worked example.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use branchline_core::message::Message;
use branchline_core::{Error, Result};
use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

use crate::catalogue;
use crate::commands::{
    conflicts, convert, courier, devices, duplicates, encryption, exchange, files, folder, link, people, query,
    records, refused, report, schema, serve,
};
use crate::context::Context;
use crate::demo;
use crate::output::{self, Answer, EXIT_USAGE};

/// Branchline: an offline-first CRM. Every place works on its own replica; changes travel when a line appears.
#[derive(Debug, Parser)]
#[command(name = "branchline", version, disable_help_subcommand = true, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    everywhere: Everywhere,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
struct Everywhere {
    /// The replica's folder.
    #[arg(long, global = true, value_name = "DIR", env = "BRANCHLINE_DATA", help_heading = "Everywhere")]
    data: Option<PathBuf>,
    /// The file of the key that the folder is encrypted with: 32 bytes, or 64 hexadecimal digits.
    #[arg(long, global = true, value_name = "FILE", env = "BRANCHLINE_KEY_FILE", help_heading = "Everywhere")]
    key_file: Option<PathBuf>,
    /// Print exactly one JSON document, errors too.
    #[arg(long, global = true, help_heading = "Everywhere")]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Init(folder::Init),
    Serve(serve::Serve),
    Invite(devices::Invite),
    Join(link::Join),
    Sync(link::Sync),
    Upstream(link::Upstream),
    Pause(link::Pause),
    Resume(link::Resume),
    Status(folder::Status),
    Users(people::Users),
    Devices(devices::Devices),
    Schema(schema::Schema),
    Import(exchange::Import),
    Export(exchange::Export),
    List(query::List),
    Show(records::Show),
    Create(records::Create),
    Edit(records::Edit),
    Archive(records::Archive),
    Unarchive(records::Unarchive),
    Undo(records::Undo),
    Convert(convert::Convert),
    Attach(files::Attach),
    Fetch(files::Fetch),
    Conflicts(conflicts::Conflicts),
    Resolve(conflicts::Resolve),
    Quarantine(refused::Quarantine),
    Review(refused::Review),
    Duplicates(duplicates::Duplicates),
    Merge(duplicates::Merge),
    Unmerge(duplicates::Unmerge),
    Search(query::Search),
    Sql(query::Sql),
    Report(report::Report),
    Courier(courier::Courier),
    Backup(folder::Backup),
    Restore(folder::Restore),
    Verify(folder::Verify),
    Encryption(encryption::Encryption),
}

/// Runs the command line `args` (with the program's name in front) and says the exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    catalogue::install();
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(refuse(&error, &args)),
    };
    let context = Context::new(cli.everywhere.json, cli.everywhere.data, cli.everywhere.key_file);
    let code = match dispatch(&context, cli.command) {
        Ok(answer) => output::print(&answer),
        Err(error) => output::fail(&context, &error),
    };
    ExitCode::from(code)
}

fn dispatch(context: &Context, command: Command) -> Result<Answer> {
    match command {
        Command::Demo(c) => c.run(context),
        Command::Init(c) => c.run(context),
        Command::Serve(c) => c.run(context),
        Command::Invite(c) => c.run(context),
        Command::Join(c) => c.run(context),
        Command::Sync(c) => c.run(context),
        Command::Upstream(c) => c.run(context),
        Command::Pause(c) => c.run(context),
        Command::Resume(c) => c.run(context),
        Command::Status(c) => c.run(context),
        Command::Users(c) => c.run(context),
        Command::Devices(c) => c.run(context),
        Command::Schema(c) => c.run(context),
        Command::Import(c) => c.run(context),
        Command::Export(c) => c.run(context),
        Command::List(c) => c.run(context),
        Command::Show(c) => c.run(context),
        Command::Create(c) => c.run(context),
        Command::Edit(c) => c.run(context),
        Command::Archive(c) => c.run(context),
        Command::Unarchive(c) => c.run(context),
        Command::Undo(c) => c.run(context),
        Command::Convert(c) => c.run(context),
        Command::Attach(c) => c.run(context),
        Command::Fetch(c) => c.run(context),
        Command::Conflicts(c) => c.run(context),
        Command::Resolve(c) => c.run(context),
        Command::Quarantine(c) => c.run(context),
        Command::Review(c) => c.run(context),
        Command::Duplicates(c) => c.run(context),
        Command::Merge(c) => c.run(context),
        Command::Unmerge(c) => c.run(context),
        Command::Search(c) => c.run(context),
        Command::Sql(c) => c.run(context),
        Command::Report(c) => c.run(context),
        Command::Courier(c) => c.run(context),
        Command::Backup(c) => c.run(context),
        Command::Restore(c) => c.run(context),
        Command::Verify(c) => c.run(context),
        Command::Encryption(c) => c.run(context),
    }
}

// What clap has to say: help and version on stdout with exit 0, all else is wrong usage.
fn refuse(error: &clap::Error, args: &[OsString]) -> u8 {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let _ = error.print();
        return 0;
    }
    let json = args.iter().take_while(|a| *a != "--").any(|a| a == "--json");
    if json {
        let context = Context::new(true, None, None);
        let text = error.render().to_string();
        let said = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let what = Message::new("wrong-usage").with("detail", said);
        let advice = what.render_advice(context.language());
        output::write_error_document("wrong_usage", &what.render(context.language()), &line(args), &advice, false);
    }
    let _ = error.print();
    EXIT_USAGE
}

// The command line as typed, without the program's name.
fn line(args: &[OsString]) -> String {
    args.iter().skip(1).map(|a| a.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// A wrong call that clap cannot see: two options that exclude each other by value, an argument without `=`.
pub(crate) fn wrong_usage(detail: impl Into<String>) -> Error {
    Error::usage("wrong-usage").with("detail", detail.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_command_carries_a_worked_example() {
        let cli = Cli::command();
        cli.clone().debug_assert();
        for command in cli.get_subcommands() {
            let example = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let shown = example.lines().any(|line| {
                line.trim_start().starts_with("branchline ") && line.contains(&format!(" {}", command.get_name()))
            });
            assert!(shown, "no example in the help of {}", command.get_name());
        }
    }
}
