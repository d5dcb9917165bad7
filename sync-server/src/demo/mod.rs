//! `branchline demo`: a throw-away company of five replicas, each its own process over real sockets.
//!
//! | file | what it owns |
//! |---|---|
//! | [`line`] | a line that can be cut, restored and slowed down |
//! | [`node`] | a replica: folder, server process, commands |
//! | [`cast`] | the replicas of the demo and the lines between them |
//! | [`story`] | what happens, in order |
//! | [`teller`] | what is said about it |
//!
//! What is absent: no short cut past the link. Replicas learn of each other's work only through their sockets; this
//! process writes into a folder as a person at that place would, and reads the folders to compare them.

mod cast;
mod line;
mod node;
mod story;
mod teller;

use branchline_core::message::{Language, Message};
use branchline_core::{Error, Result};
use clap::Args;
use serde_json::json;

use crate::context::Context;
use crate::output::{Answer, Table, aside, bytes};
use crate::runtime::{block_on, stop_signal};
use cast::{Cast, Guest, Guests, Standing};
use teller::Teller;

/// Clients of the made-up company unless told otherwise.
const CLIENTS_DEFAULT: usize = 2_000;
/// Most clients: beyond that the story takes longer than anybody watches.
const CLIENTS_MAX: u64 = 100_000;
/// The hub's port unless told otherwise; the others take the next four.
const PORT_DEFAULT: u16 = 8_787;

/// Watch a company work: a hub, three branches and a field rep, lines cut and restored, edits that collide.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline demo\n  branchline --json demo --headless --records 500")]
pub struct Demo {
    /// Clients to make; contacts, deals and calls come on top.
    #[arg(long, value_name = "N", default_value_t = CLIENTS_DEFAULT as u64, value_parser = clap::value_parser!(u64).range(1..=CLIENTS_MAX))]
    records: u64,
    /// The hub's port; the other four take the next ones. Without it 8787, with --headless any free ones.
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u16).range(1..=65_531))]
    port: Option<u16>,
    /// Play the story, check that all replicas agree, and end.
    #[arg(long)]
    headless: bool,
}

impl Demo {
    /// Plays the story; without `--headless` it serves the workplaces until Ctrl-C. Asked to stop earlier, it ends its
    /// processes and takes its folders away all the same.
    ///
    /// # Errors
    /// `demo_diverged` where replicas differ at the end; `demo_process` where one of the processes fails; `demo_stuck`
    /// where a step of the story does not end; `demo_stopped`.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let home = tempfile::Builder::new()
            .prefix("branchline-demo-")
            .tempdir()
            .map_err(|e| Error::storage("demo-process").with("detail", e.to_string()))?;
        let language = context.language();
        let teller = Teller::new(language, context.json);
        let port = self.port.unwrap_or(if self.headless { 0 } else { PORT_DEFAULT });
        let ended = block_on(async {
            let mut cast = Cast::new(home.path(), port)?;
            let played = tokio::select! {
                played = self.play(&mut cast, &teller, language) => played,
                () = stop_signal() => Err(Error::busy("demo-stopped")),
            };
            match &played {
                Ok(_) if !self.headless => {
                    let guests = cast.guests().await?;
                    teller.show(&table_of(language, &guests));
                    let look = Message::new("demo-look").with("password", &guests.password);
                    teller.say(&look.with("link", &guests.laptop));
                    stop_signal().await;
                }
                Ok(_) => {}
                Err(_) => cast.last_words().into_iter().for_each(aside),
            }
            cast.leave().await;
            played
        })?;
        let converged = ended.iter().all(|standing| standing.agrees);
        if !converged {
            let apart = ended.iter().filter(|s| !s.agrees).map(|s| s.name).collect::<Vec<_>>().join(", ");
            return Err(Error::corrupt("demo-diverged").with("replicas", apart));
        }
        let hub = ended.first();
        Ok(Answer::of(
            context,
            || {
                json!({
                    "replicas": ended.len(),
                    "records": hub.map_or(0, |hub| hub.records),
                    "conflicts": hub.map_or(0, |hub| hub.conflicts),
                    "converged": converged,
                })
            },
            String::new,
        ))
    }

    async fn play(&self, cast: &mut Cast, teller: &Teller, language: Language) -> Result<Vec<Standing>> {
        story::play(cast, teller, self.records as usize).await?;
        let ended = cast.standings()?;
        teller.show(&table(language, &ended));
        Ok(ended)
    }
}

fn table_of(language: Language, guests: &Guests) -> String {
    let mut table = Table::titled(language, &["col-name", "col-role", "web-email", "col-page"]);
    for Guest { name, role, email, page, .. } in &guests.people {
        table.row([name.clone(), role.clone(), email.clone(), page.clone()]);
    }
    table.text()
}

fn table(language: Language, ended: &[Standing]) -> String {
    let headings = [
        "col-replica",
        "status-records",
        "col-outbox",
        "status-conflicts",
        "page-bytes",
        "col-heads-equal",
        "col-page",
    ];
    let mut table = Table::titled(language, &headings);
    for standing in ended {
        table.row([
            standing.name.to_owned(),
            standing.records.to_string(),
            standing.outbox.to_string(),
            standing.conflicts.to_string(),
            format!("↑ {} ↓ {}", bytes(standing.bytes_up), bytes(standing.bytes_down)),
            if standing.agrees { "✓" } else { "✗" }.to_owned(),
            standing.page.clone(),
        ]);
    }
    table.numbers(1..=3);
    table.text()
}
