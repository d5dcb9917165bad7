//! The link to the upstream: `join`, `sync`, `upstream`, `pause`, `resume`.

use std::path::PathBuf;
use std::time::Duration;

use branchline_core::message::Message;
use branchline_core::net::{self, Exchange, Following};
use branchline_core::replica::Replica;
use branchline_core::replica::link::{InvitationCode, Seed, Trust};
use branchline_core::sync::Event;
use branchline_core::{Result, crm};
use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value as Json, json};
use tokio::sync::watch;

use crate::commands::{courier, fetching};
use crate::context::{Context, environment};
use crate::output::{Answer, aside, pairs, progress};
use crate::runtime::{block_on, parse_span, stop_signal};
use crate::server::tls::trust_of;
use crate::state::State;

/// Make the folder a replica under the upstream that gave the code.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline --data ./kyiv join bl1AAECAwQ…")]
pub struct Join {
    /// The one-time code of `invite`.
    code: String,
    /// Enrol only; the first sync comes later.
    #[arg(long)]
    no_sync: bool,
    /// Begin with this seed of the upstream and catch up from there.
    #[arg(long, value_name = "FILE", conflicts_with = "courier")]
    seed: Option<PathBuf>,
    /// Fetch the seed that the upstream offers, and begin with it. Cut at any byte, it goes on from there when the command
    /// is run again.
    #[arg(long, conflicts_with_all = ["seed", "courier"])]
    fetch_seed: bool,
    /// There is no line: write the enrolment to this file; `courier unpack` of its answer ends it.
    #[arg(long, value_name = "FILE", conflicts_with = "no_sync")]
    courier: Option<PathBuf>,
    /// How long the first sync may take; what has arrived by then stays, and `sync` goes on.
    #[arg(long, value_name = "SPAN", default_value = "1h", value_parser = parse_span)]
    deadline: Duration,
}

impl Join {
    /// Enrols, then syncs.
    ///
    /// # Errors
    /// A code that is damaged, used or expired; an upstream that cannot be reached; a folder that is a replica already.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let code = InvitationCode::parse(&self.code)?;
        if let Some(file) = &self.courier {
            return courier::join(context, &code, file);
        }
        let folder = context.keyed()?;
        block_on(async {
            let replica = match &self.seed {
                None if self.fetch_seed => fetching::join(context, folder, &code).await?,
                None => net::join(folder, &code, crm::builtin().clone(), environment()).await?,
                Some(seed) => {
                    // Looked at before the code is spent.
                    let seed = Seed::open(seed, &code.upstream_key)?;
                    net::join_with_seed(folder, &code, seed, crm::builtin().clone(), environment()).await?
                }
            };
            let done = if self.no_sync { Exchange::default() } else { once(context, &replica, self.deadline).await? };
            answer(context, &replica, &done)
        })
    }
}

/// Exchange changes with the upstream.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline sync --deadline 5m\n  branchline sync --watch")]
pub struct Sync {
    /// One exchange until both ends are quiet (the default).
    #[arg(long)]
    once: bool,
    /// How long one exchange may take.
    #[arg(long, value_name = "SPAN", default_value = "60s", value_parser = parse_span)]
    deadline: Duration,
    /// Keep the line for ever.
    #[arg(long, conflicts_with_all = ["once", "deadline"])]
    watch: bool,
    /// Compare everything that both ends hold, as happens once a week anyway.
    #[arg(long)]
    audit: bool,
}

impl Sync {
    /// Exchanges once, or follows until SIGINT or SIGTERM.
    ///
    /// # Errors
    /// An upstream that cannot be reached (exit 4; local work waits), one that refuses this replica, a hub's folder.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        if self.audit {
            replica.ask_audit()?;
        }
        block_on(async {
            let done = if self.watch {
                follow(context, &replica).await?
            } else {
                once(context, &replica, self.deadline).await?
            };
            answer(context, &replica, &done)
        })
    }
}

async fn once(context: &Context, replica: &Replica, deadline: Duration) -> Result<Exchange> {
    let bar = progress(context, "progress-records");
    let done = net::sync_once(replica, deadline, |event| show(&bar, &event)).await;
    bar.finish_and_clear();
    done
}

fn show(bar: &ProgressBar, event: &Event) {
    if let Event::Progress { done, total } = event {
        bar.set_length(*total);
        bar.set_position(*done);
    }
}

async fn follow(context: &Context, replica: &Replica) -> Result<Exchange> {
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(async move {
        stop_signal().await;
        let _ = stop.send(true);
    });
    let mut done = Exchange::default();
    let before = replica.link_counters()?;
    let language = context.language();
    net::follow(replica.clone(), &net::Tcp, stopping, |news| match news {
        Following::Online => aside(context.say("line-up")),
        Following::Offline { error, retry_ms } => {
            let said = Message::new("line-down").with("why", error.what(language)).with("seconds", retry_ms / 1_000);
            aside(said.render(language));
        }
        Following::Paused => {}
        Following::Event(Event::Pulled(changes)) => done.pulled += changes,
        Following::Event(Event::Pushed(changes)) => done.pushed += changes,
        Following::Event(Event::Refused(changes)) => done.refused += changes,
        Following::Event(Event::Differs) => aside(context.say("line-differs")),
        Following::Event(_) => {}
    })
    .await?;
    let after = replica.link_counters()?;
    done.traffic.sent_bytes = after.bytes_up.saturating_sub(before.bytes_up);
    done.traffic.received_bytes = after.bytes_down.saturating_sub(before.bytes_down);
    Ok(done)
}

fn answer(context: &Context, replica: &Replica, done: &Exchange) -> Result<Answer> {
    let waiting = replica.waiting()?;
    let said = Answer::of(
        context,
        || {
            json!({
                "pushed": done.pushed,
                "pulled": done.pulled,
                "refused": done.refused,
                "outbox": waiting.outbox,
                "quarantine": waiting.quarantine,
                "bytes_up": done.traffic.sent_bytes,
                "bytes_down": done.traffic.received_bytes,
                "round_trips": done.traffic.round_trips,
            })
        },
        || {
            pairs(
                context.language(),
                &[
                    ("sync-pushed", done.pushed.to_string()),
                    ("sync-pulled", done.pulled.to_string()),
                    ("sync-refused", done.refused.to_string()),
                    ("status-outbox", waiting.outbox.to_string()),
                    ("status-quarantine", waiting.quarantine.to_string()),
                    ("sync-bytes-up", done.traffic.sent_bytes.to_string()),
                    ("sync-bytes-down", done.traffic.received_bytes.to_string()),
                    ("sync-round-trips", done.traffic.round_trips.to_string()),
                ],
            )
        },
    );
    Ok(said.waiting(waiting.quarantine > 0 || waiting.conflicts_asking > 0))
}

/// Show or change the upstream's address.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline upstream https://hub.acme.example:8787\n  branchline upstream \
                        https://hub.acme.example --cert system")]
pub struct Upstream {
    /// The new address; who answers there must hold the upstream's key.
    url: Option<String>,
    /// How the server at the new address is known: system, by the authorities that this machine trusts, or the file of
    /// its certificate in PEM; without it as before.
    #[arg(long, value_name = "system|FILE", requires = "url")]
    cert: Option<String>,
}

impl Upstream {
    /// Shows or changes it.
    ///
    /// # Errors
    /// A hub's folder, an address that is none, another key at the new address.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        if let Some(url) = &self.url {
            replica.set_upstream(url, self.cert.as_deref().map(trust_of).transpose()?)?;
        }
        line(context, &replica)
    }
}

/// Cut the line to the upstream by hand; local work goes on.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline pause")]
pub struct Pause {}

/// Restore the line that `pause` cut.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline resume")]
pub struct Resume {}

impl Pause {
    /// Cuts the line; a process that keeps the link obeys within a second.
    ///
    /// # Errors
    /// A hub's folder.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        replica.set_paused(true)?;
        line(context, &replica)
    }
}

impl Resume {
    /// Restores the line.
    ///
    /// # Errors
    /// A hub's folder.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        replica.set_paused(false)?;
        line(context, &replica)
    }
}

fn line(context: &Context, replica: &Replica) -> Result<Answer> {
    let (url, trust) = replica.upstream()?;
    let paused = replica.is_paused()?;
    let state = State::read(replica)?;
    Ok(Answer::of(
        context,
        || {
            let pin = match trust {
                Some(Trust::Certificate(pin)) => json!(data_encoding::HEXLOWER.encode(&pin)),
                Some(Trust::System) => json!("system"),
                None => Json::Null,
            };
            json!({"upstream": url, "paused": paused, "online": state.online, "tls_pin": pin})
        },
        || {
            let how = if paused {
                "line-paused"
            } else if state.online {
                "page-online"
            } else {
                "page-offline"
            };
            pairs(context.language(), &[("status-upstream", url.clone()), ("line-state", context.say(how))])
        },
    ))
}
