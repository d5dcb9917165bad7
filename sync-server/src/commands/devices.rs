//! Who works on this replica from below: `invite`, `devices`, `devices grant`, `devices revoke`.

use std::io::IsTerminal;
use std::time::Duration;

use branchline_core::Result;
use branchline_core::id::DeviceId;
use branchline_core::message::Message;
use branchline_core::replica::Replica;
use branchline_core::replica::link::{DownstreamInfo, Invitation};
use branchline_core::time::Millis;
use clap::{Args, Subcommand, ValueEnum};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde_json::{Value as Json, json};

use super::shape::{Shaper, scope_text};
use crate::context::Context;
use crate::output::{Answer, Table};
use crate::runtime::parse_span;

/// Make a one-time code with which a branch or device joins.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  branchline invite --as branch --name kyiv\n  branchline invite --as device --name \
                        \"Olena's laptop\" --user olena@acme.example --expires 2h"
)]
pub struct Invite {
    /// Whether the new replica serves others of its own.
    #[arg(long = "as", value_enum)]
    kind: Kind,
    /// Its name; for a branch its code, and a branch of that code is made if missing.
    #[arg(long)]
    name: String,
    /// The person it acts for; without it a new person of that name.
    #[arg(long, value_name = "EMAIL")]
    user: Option<String>,
    /// What it holds: workspace, branch:CODE, team:CODE or user:EMAIL; may be repeated.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// What it may do; without it the person's role, else manager for a branch, seller for a device.
    #[arg(long)]
    role: Option<String>,
    /// How long the code is good.
    #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = parse_span)]
    expires: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Branch,
    Device,
}

impl Invite {
    /// Makes the code.
    ///
    /// # Errors
    /// A replica that has never served, an unknown person or scope, rights.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        let invited = replica.invite(&Invitation {
            branch: self.kind == Kind::Branch,
            name: self.name.clone(),
            user: self.user.clone(),
            scopes: self.scopes.clone(),
            role: self.role.clone(),
            expires_ms: i64::try_from(self.expires.as_millis()).unwrap_or(i64::MAX),
        })?;
        Ok(Answer::of(
            context,
            || json!({"code": invited.code, "expires": invited.expires.rfc3339()}),
            || {
                let said = Message::new("invited").with("name", &self.name).with("at", invited.expires.rfc3339());
                format!("{}{}\n{}\n", picture(&invited.code), invited.code, said.render(context.language()))
            },
        ))
    }
}

// A QR for a phone's camera, only where a camera could see it.
fn picture(code: &str) -> String {
    let drawn = std::io::stdout().is_terminal().then(|| QrCode::new(code).ok()).flatten();
    drawn.map(|qr| format!("{}\n", qr.render::<Dense1x2>().build())).unwrap_or_default()
}

/// The replicas beneath this one: last seen, how far behind, what waits there.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  branchline devices\n  branchline devices grant \"Olena's laptop\" --scope branch:kyiv\n  \
                        branchline devices revoke \"Olena's laptop\""
)]
pub struct Devices {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Change what a device holds and may do; it hears of it over its link.
    #[command(after_help = "Example:\n  branchline devices grant \"Olena's laptop\" --scope branch:kyiv --scope \
                            branch:lviv\n  branchline devices grant \"Olena's laptop\" --role reader")]
    Grant {
        /// Its name or id.
        name: String,
        /// What it holds from now on: workspace, branch:CODE, team:CODE or user:EMAIL; may be repeated. What it had and
        /// is not named is purged there.
        #[arg(long = "scope", value_name = "SCOPE", required_unless_present = "role")]
        scopes: Vec<String>,
        /// A role of its own, narrower than its person's; an empty one is the person's again.
        #[arg(long)]
        role: Option<String>,
    },
    /// End a device's access for good.
    #[command(after_help = "Example:\n  branchline devices revoke \"Olena's laptop\"")]
    Revoke {
        /// Its name or id.
        name: String,
    },
}

impl Devices {
    /// Lists, grants or revokes.
    ///
    /// # Errors
    /// An unknown or ambiguous name, an unknown scope or role, rights.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        match &self.command {
            None => list(context, &replica),
            Some(Command::Grant { name, scopes, role }) => {
                let asked = (!scopes.is_empty()).then_some(scopes.as_slice());
                let device = replica.grant(name, asked, role.as_deref())?;
                granted(context, &replica, &device)
            }
            Some(Command::Revoke { name }) => {
                let device = replica.revoke(name)?;
                Ok(Answer::of(
                    context,
                    || json!([{"id": device.to_string(), "name": name, "revoked": true}]),
                    || Message::new("device-revoked").with("name", name).render(context.language()),
                ))
            }
        }
    }
}

fn granted(context: &Context, replica: &Replica, device: &DeviceId) -> Result<Answer> {
    let known = replica.downstreams()?.into_iter().find(|d| d.device == *device);
    let shaper = Shaper::new(replica);
    Ok(Answer::of(
        context,
        || known.iter().map(|d| object(&shaper, d)).collect(),
        || {
            let said = |d: &DownstreamInfo| {
                let said = Message::new("device-granted").with("name", &d.name).with("role", &d.role);
                said.with("scopes", scopes_text(replica, &d.scopes)).render(context.language())
            };
            known.as_ref().map(said).unwrap_or_default()
        },
    ))
}

fn scopes_text(replica: &Replica, scopes: &[String]) -> String {
    scopes.iter().map(|scope| scope_text(replica, scope)).collect::<Vec<_>>().join(", ")
}

fn list(context: &Context, replica: &Replica) -> Result<Answer> {
    let all = replica.downstreams()?;
    let shaper = Shaper::new(replica);
    Ok(Answer::of(
        context,
        || all.iter().map(|d| object(&shaper, d)).collect(),
        || {
            let headings = [
                "col-name",
                "col-user",
                "col-role",
                "col-last-seen",
                "col-lag",
                "col-outbox",
                "col-scopes",
                "col-version",
                "col-state",
            ];
            let mut table = Table::titled(context.language(), &headings);
            for d in &all {
                table.row([
                    d.name.clone(),
                    shaper.label(&d.person).unwrap_or_default(),
                    d.role.clone(),
                    d.last_seen.map(Millis::rfc3339).unwrap_or_default(),
                    d.lag.map(|n| n.to_string()).unwrap_or_default(),
                    d.outbox.map(|n| n.to_string()).unwrap_or_default(),
                    scopes_text(replica, &d.scopes),
                    d.version.clone().unwrap_or_default(),
                    if d.revoked { context.say("state-revoked") } else { String::new() },
                ]);
            }
            table.numbers([4, 5]);
            table.text()
        },
    ))
}

fn object(shaper: &Shaper<'_>, d: &DownstreamInfo) -> Json {
    json!({
        "id": d.device.to_string(),
        "name": d.name,
        "as": if d.branch { "branch" } else { "device" },
        "user": shaper.reference(Some(&d.person)),
        "role": d.role,
        "scopes": d.scopes.iter().map(|s| scope_text(shaper.replica(), s)).collect::<Vec<_>>(),
        "direct": d.direct,
        "revoked": d.revoked,
        "last_seen": d.last_seen.map(Millis::rfc3339),
        "lag": d.lag,
        "outbox": d.outbox,
        "complete_through": d.complete_through.map(Millis::rfc3339),
        "version": d.version,
    })
}
