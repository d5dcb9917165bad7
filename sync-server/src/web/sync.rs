//! `/sync`: how far everybody is. On a server the replicas beneath it; where there is an upstream, the own line, too.
//!
//! Whoever may not see a device does not see it here; who may invite or revoke is asked as anywhere else. Files for places
//! without any line go up and down on the same page.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use axum::extract::{Form, Multipart, State as Shared};
use axum::response::{Redirect, Response};
use branchline_core::access::Scope;
use branchline_core::message::Message;
use branchline_core::replica::link::{DownstreamInfo, Invitation};
use branchline_core::replica::{NodeRole, Query};
use branchline_core::schema::{Name, Value};
use branchline_core::time::Millis;
use branchline_core::{Error, Result};
use maud::{Markup, html};
use serde::Deserialize;

use super::account::picture;
use super::desk::{Desk, Reply, Visitor, signed_in};
use super::{frame, sign_in};
use crate::commands::shape::{collection_label, scope_text};
use crate::output::{bytes, stamp};
use crate::server::{Node, Traffic, transfer};
use crate::state::State;

/// How long an invitation made here is good, in ms.
const INVITED_MS: i64 = 24 * 3_600_000;
/// Largest courier file that is taken over a page, in bytes.
pub(super) const COURIER_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Longest message, in characters.
const MESSAGE_CHARS_MAX: usize = 500;

/// `GET /sync`.
pub(super) async fn page(Shared(node): Shared<Node>, visitor: Visitor) -> Response {
    let own = node.clone();
    visitor.read(node, move |desk| Ok(Reply::Page(desk.say("web-sync"), shown(desk, &own, None, None)?))).await
}

/// Where a form leads whose answer is asked for again, for instance in another language.
pub(super) async fn home() -> Redirect {
    Redirect::to("/sync")
}

/// What a form of the page has led to, above everything else.
enum Done {
    Invited { name: String, code: String, expires: Millis },
    Said(String),
}

fn shown(desk: &Desk, node: &Node, done: Option<Done>, error: Option<&Error>) -> Result<Markup> {
    let replica = desk.principal.replica();
    let mut state = State::read(replica)?;
    if !desk.sees_all() {
        for (name, count) in &mut state.status.records {
            *count = desk.principal.count(&Query::of(name))?;
        }
    }
    let devices = if state.status.role == NodeRole::Device { Vec::new() } else { desk.principal.downstreams()? };
    let below = devices.into_iter().filter(|device| device.device != state.status.replica);
    let (gone, here): (Vec<_>, Vec<_>) = below.partition(|device| device.revoked);
    let manages = desk.may_invite();
    Ok(html! {
        h1 { (desk.say("web-sync")) }
        @if let Some(error) = error { (frame::problem(desk.language, error)) }
        @if let Some(done) = &done { (told(desk, done)) }
        section {
            h2 { (state.status.name) " " span.badge { (desk.say(role(state.status.role))) } }
            (tiles(desk, &state))
        }
        @if state.upstream.is_some() { (own_line(desk, node, &state)?) }
        @if state.status.role != NodeRole::Device {
            section {
                h2 { (desk.say("page-downstreams")) " " span.quiet { (here.len()) } }
                @if here.is_empty() { p.empty { (desk.say("web-nobody-joined")) } }
                (map(desk, node, &here, manages))
                @if !gone.is_empty() {
                    details { summary { (desk.say("web-revoked")) " " (gone.len()) }
                        ul.work { @for device in &gone { li { (device.name) " " span.quiet { (scopes(desk, device)) } } } }
                    }
                }
            }
            @if manages { (inviting(desk)) }
        }
        (courier(desk, &state, &here, manages))
        section {
            h2 { (desk.say("page-records")) }
            (records(desk, &state))
        }
        p.quiet { @if desk.sees_all() { (desk.say("status-digest")) " " code { (state.status.digest) } " · " } (desk.say("status-version")) " " (env!("CARGO_PKG_VERSION")) }
    })
}

fn role(role: NodeRole) -> &'static str {
    match role {
        NodeRole::Hub => "role-hub",
        NodeRole::Branch => "role-branch",
        NodeRole::Device => "role-device",
    }
}

fn told(desk: &Desk, done: &Done) -> Markup {
    match done {
        Done::Said(text) => html! { p.done role="status" { (text) } },
        Done::Invited { name, code, expires } => html! {
            section.panel role="status" {
                h2 { (Message::new("web-invited").with("name", name).render(desk.language)) }
                (picture(code, &desk.say("web-invited-picture")))
                p { (desk.say("web-invited-how")) " " (desk.moment(*expires)) }
                pre { code { "branchline --data FOLDER join " (code) } }
            }
        },
    }
}

fn tiles(desk: &Desk, state: &State) -> Markup {
    let status = &state.status;
    let tile = |label: &'static str, count: u64, asks: bool, to: Option<&'static str>| {
        let body = html! { span.figure { (desk.count(count)) } span.quiet { (desk.say(label)) } };
        html! { li.tile.asks[asks && count > 0] { @match to { Some(to) => { a href=(to) { (body) } } None => { (body) } } } }
    };
    html! {
        ul.tiles {
            (tile("status-records", state.records_total(), false, None))
            @if state.upstream.is_some() { (tile("status-outbox", status.outbox, false, None)) }
            @if desk.sees_all() {
                (tile("status-conflicts", status.conflicts, true, Some("/conflicts")))
                (tile("status-quarantine", status.quarantine, true, None))
                (tile("status-review", status.review, true, None))
            }
        }
    }
}

fn own_line(desk: &Desk, node: &Node, state: &State) -> Result<Markup> {
    let replica = desk.principal.replica();
    let (paused, moved) = (replica.is_paused()?, replica.link_counters()?);
    let failed = node.upward.failed().filter(|_| !state.online && !paused);
    let stands = if paused {
        "web-line-paused"
    } else if state.online {
        "page-online"
    } else {
        "page-offline"
    };
    Ok(html! {
        section.panel {
            h2 { (desk.say("web-own-line")) " " span.badge.good[state.online && !paused].bad[!state.online || paused] { (desk.say(stands)) } }
            dl.facts {
                dt { (desk.say("status-upstream")) } dd { (state.upstream.as_deref().unwrap_or("–")) }
                dt { (desk.say("status-last-sync")) } dd { @match state.last_sync { Some(at) => { (desk.moment(at)) } None => { "–" } } }
                dt { (desk.say("status-outbox")) } dd { (desk.count(state.status.outbox)) }
                dt { (desk.say("web-changes-arrived")) } dd { (desk.count(moved.pulled)) }
                dt { (desk.say("web-delivered")) } dd { (desk.count(moved.pushed)) }
                dt { (desk.say("page-bytes")) } dd { "↑ " (bytes(moved.bytes_up)) " ↓ " (bytes(moved.bytes_down)) }
                @if let Some((at, error)) = &failed {
                    dt { (desk.say("web-last-error")) } dd { (error.what(desk.language)) " " span.quiet { (desk.moment(*at)) } }
                }
            }
            div.row {
                @if paused { (button(desk, "/sync/line", "do", "resume", "web-resume")) }
                @else {
                    (button(desk, "/sync/line", "do", "now", "web-sync-now"))
                    (button(desk, "/sync/line", "do", "pause", "web-pause"))
                }
            }
        }
    })
}

fn button(desk: &Desk, action: &str, name: &str, value: &str, label: &'static str) -> Markup {
    html! { form method="post" action=(action) { button name=(name) value=(value) { (desk.say(label)) } } }
}

// Branches with what works beneath them, then what belongs to no branch.
fn map(desk: &Desk, node: &Node, devices: &[DownstreamInfo], manages: bool) -> Markup {
    let servers: Vec<&DownstreamInfo> = devices.iter().filter(|device| device.branch).collect();
    let below = |server: &DownstreamInfo| {
        let of: Vec<&DownstreamInfo> = devices.iter().filter(|d| !d.branch && !d.direct && shares(d, server)).collect();
        of
    };
    let placed = |device: &DownstreamInfo| servers.iter().any(|server| !device.direct && shares(device, server));
    html! {
        ul.replicas {
            @for server in &servers {
                li { (card(desk, node, server, manages))
                    @let devices = below(server);
                    @if !devices.is_empty() { ul { @for device in devices { li { (card(desk, node, device, manages)) } } } }
                }
            }
            @for device in devices.iter().filter(|device| !device.branch && !placed(device)) {
                li { (card(desk, node, device, manages)) }
            }
        }
    }
}

fn shares(device: &DownstreamInfo, server: &DownstreamInfo) -> bool {
    let is_branch = |text: &&String| matches!(Scope::parse(text), Some(Scope::Branch(_)));
    device.scopes.iter().filter(is_branch).any(|scope| server.scopes.contains(scope))
}

fn card(desk: &Desk, node: &Node, device: &DownstreamInfo, manages: bool) -> Markup {
    let online = node.links.is_online(&device.device);
    let now = desk.principal.replica().environment().now();
    let Traffic { received, sent } = node.links.today(now, &device.device);
    let failed = node.links.failed(&device.device).filter(|_| !online);
    let count = |count: Option<u64>| count.map_or_else(|| "–".to_owned(), |count| desk.count(count));
    html! {
        article.replica.up[online] {
            h3 {
                span.dot role="img" aria-label=(desk.say(if online { "web-is-online" } else { "web-is-offline" })) {}
                (device.name) " " span.badge { (desk.say(if device.branch { "role-branch" } else { "role-device" })) }
            }
            p.quiet { (desk.person(Some(&device.person))) " · " (scopes(desk, device)) @if !device.direct { " · " (desk.say("web-not-direct")) } }
            dl {
                div { dt { (desk.say("col-last-seen")) } dd { @match device.last_seen { Some(at) => { (desk.moment(at)) } None => { "–" } } } }
                @if device.direct {
                    div { dt { (desk.say("web-waits-down")) } dd { (count(device.lag)) } }
                    div { dt { (desk.say("web-waits-up")) } dd { (count(device.outbox)) } }
                    div { dt { (desk.say("web-bytes-today")) } dd { "↑ " (bytes(received)) " ↓ " (bytes(sent)) } }
                }
                @if let Some(version) = &device.version { div { dt { (desk.say("col-version")) } dd { (version) } } }
            }
            @if let Some((at, error)) = &failed { p.notice { (error.what(desk.language)) " " span.quiet { (desk.moment(*at)) } } }
            @if manages {
                details { summary { (desk.say("web-actions")) }
                    form.asking method="post" action="/sync/message" {
                        input type="hidden" name="person" value=(device.person);
                        input name="text" required maxlength=(MESSAGE_CHARS_MAX) placeholder=(desk.say("web-message")) aria-label=(desk.say("web-message"));
                        button { (desk.say("web-send")) }
                    }
                    form.asking method="post" action="/sync/revoke" {
                        input type="hidden" name="device" value=(device.device);
                        label.check { input type="checkbox" name="sure" value="yes" required; " " (desk.say("web-revoke-sure")) }
                        button.danger { (desk.say("web-revoke")) }
                    }
                }
            }
        }
    }
}

fn scopes(desk: &Desk, device: &DownstreamInfo) -> String {
    let replica = desk.principal.replica();
    device.scopes.iter().map(|scope| scope_text(replica, scope)).collect::<Vec<_>>().join(", ")
}

fn inviting(desk: &Desk) -> Markup {
    html! {
        section.panel {
            h2 { (desk.say("web-invite")) }
            form.asking method="post" action="/sync/invite" {
                select name="kind" aria-label=(desk.say("web-invite-kind")) {
                    option value="device" { (desk.say("role-device")) }
                    @if desk.is_owner() { option value="branch" { (desk.say("role-branch")) } }
                }
                input name="name" required maxlength="80" placeholder=(desk.say("web-invite-name")) aria-label=(desk.say("web-invite-name"));
                input name="user" maxlength="120" placeholder=(desk.say("web-invite-user")) aria-label=(desk.say("web-invite-user"));
                button { (desk.say("web-invite")) }
            }
            p.quiet { (desk.say("web-invite-hint")) }
        }
    }
}

fn courier(desk: &Desk, state: &State, devices: &[DownstreamInfo], manages: bool) -> Markup {
    let direct: Vec<&DownstreamInfo> = devices.iter().filter(|device| device.direct).collect();
    html! {
        @if manages {
            section.panel {
                h2 { (desk.say("web-courier")) }
                p { (desk.say("web-courier-what")) }
                div.row {
                    form.asking method="post" action="/sync/courier/pack" {
                        select name="to" aria-label=(desk.say("web-courier-for")) {
                            @if state.upstream.is_some() { option value="" { (desk.say("status-upstream")) } }
                            @for device in &direct { option value=(device.name) { (device.name) } }
                        }
                        button disabled[state.upstream.is_none() && direct.is_empty()] { (desk.say("web-courier-pack")) }
                    }
                    form.asking method="post" action="/sync/courier/unpack" enctype="multipart/form-data" {
                        input type="file" name="file" required aria-label=(desk.say("web-courier-file"));
                        button { (desk.say("web-courier-unpack")) }
                    }
                }
            }
        }
    }
}

fn records(desk: &Desk, state: &State) -> Markup {
    let most = state.status.records.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    html! {
        div.scroll { table.counts { tbody {
            @for (name, count) in state.status.records.iter().filter(|(_, count)| *count > 0) {
                tr {
                    th scope="row" { a href={ "/c/" (name) } { (collection_label(&desk.schema, name, desk.language)) } }
                    td.number { (desk.count(count)) }
                    td.bar { meter min="0" max=(most) value=(count) {} }
                }
            }
        } } }
    }
}

/// What the forms send.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    kind: String,
    name: String,
    user: String,
    device: String,
    person: String,
    text: String,
    r#do: String,
    to: String,
}

/// `POST /sync/invite`: the code as a picture and as text.
pub(super) async fn invite(Shared(node): Shared<Node>, visitor: Visitor, Form(asked): Form<Asked>) -> Response {
    acting(node, visitor, move |desk| {
        let text = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let invited = desk.principal.invite(&Invitation {
            branch: asked.kind == "branch",
            name: text(&asked.name).unwrap_or_default(),
            user: text(&asked.user),
            expires_ms: INVITED_MS,
            ..Invitation::default()
        })?;
        Ok(Done::Invited { name: asked.name, code: invited.code, expires: invited.expires })
    })
    .await
}

/// `POST /sync/revoke`.
pub(super) async fn revoke(Shared(node): Shared<Node>, visitor: Visitor, Form(asked): Form<Asked>) -> Response {
    acting(node, visitor, move |desk| {
        desk.principal.revoke(&asked.device)?;
        Ok(Done::Said(desk.say("web-revoked-done")))
    })
    .await
}

/// `POST /sync/message`: a task for who works there, which stands among that person's work of today.
pub(super) async fn message(Shared(node): Shared<Node>, visitor: Visitor, Form(asked): Form<Asked>) -> Response {
    acting(node, visitor, move |desk| {
        let person = desk.principal.find("user", &asked.person)?;
        let subject: String = asked.text.trim().chars().take(MESSAGE_CHARS_MAX).collect();
        let now = desk.principal.replica().environment().now();
        let values = [
            ("kind", Value::Text("task".to_owned())),
            ("subject", Value::Text(subject)),
            ("owner", Value::Reference(person)),
            ("due_at", Value::Instant(now)),
        ];
        let values = values.into_iter().map(|(name, value)| (Name::from(name), value)).collect();
        desk.principal.transact(|tx| tx.create("activity", values))?;
        let name = desk.person(Some(&person));
        Ok(Done::Said(Message::new("web-sent").with("name", name).render(desk.language)))
    })
    .await
}

/// `POST /sync/line`: pauses the own line, lets it go on, or has it exchange now.
pub(super) async fn line(Shared(node): Shared<Node>, visitor: Visitor, Form(asked): Form<Asked>) -> Response {
    acting(node, visitor, move |desk| {
        let replica = desk.principal.replica();
        may_manage(desk)?;
        match &*asked.r#do {
            "pause" => replica.set_paused(true)?,
            "resume" => replica.set_paused(false)?,
            _ => _ = replica.ask_exchange()?,
        }
        Ok(Done::Said(desk.say("web-line-done")))
    })
    .await
}

/// `POST /sync/courier/pack`: a file for the upstream or a downstream.
pub(super) async fn pack(Shared(node): Shared<Node>, visitor: Visitor, Form(asked): Form<Asked>) -> Response {
    let own = node.clone();
    visitor
        .write(node, move |desk| match may_manage(desk).and_then(|()| packed(desk, &asked)) {
            Ok((name, packed)) => Ok(Reply::File(name, "application/octet-stream", transfer::outgoing(packed))),
            Err(error) => Ok(Reply::Again(desk.say("web-sync"), shown(desk, &own, None, Some(&error))?)),
        })
        .await
}

fn may_manage(desk: &Desk) -> Result<()> {
    if desk.may_invite() { Ok(()) } else { Err(Error::denied("denied-invite").with("own", desk.role())) }
}

/// A courier file on its way out, in a folder that goes with it.
struct Packed {
    file: File,
    _dir: tempfile::TempDir,
}

impl Read for Packed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

fn packed(desk: &Desk, asked: &Asked) -> Result<(String, Packed)> {
    let failed = |e: io::Error| Error::storage("courier-page").with("detail", e.to_string());
    let dir = tempfile::tempdir_in(desk.principal.replica().dir()).map_err(failed)?;
    let path = dir.path().join("file.branchline");
    desk.principal.replica().courier_pack(&path, (!asked.to.is_empty()).then_some(&*asked.to))?;
    let file = File::open(&path).map_err(failed)?;
    let stamp = stamp(desk.principal.environment().now());
    Ok((format!("courier-{stamp}.branchline"), Packed { file, _dir: dir }))
}

/// `POST /sync/courier/unpack`: takes a file in.
pub(super) async fn unpack(Shared(node): Shared<Node>, visitor: Visitor, form: Multipart) -> Response {
    // Nothing is kept of a file that somebody may not bring.
    if !visitor.is_own_page() {
        return sign_in::refused(&visitor, &Error::denied("foreign-page"));
    }
    let session = visitor.session.clone();
    let known = node.blocking(move |replica| {
        let known = signed_in(replica, session.as_deref())?;
        known.map(|(_, principal)| Ok(principal.grants()?.role.may_invite())).transpose()
    });
    if !matches!(known.await, Ok(Some(true))) {
        return visitor.write(node, |desk| may_manage(desk).map(|()| Reply::Go("/sync".to_owned()))).await;
    }
    let file = match received(node.replica.dir(), form).await {
        Ok(file) => file,
        Err(error) => return sign_in::refused(&visitor, &error),
    };
    acting(node, visitor, move |desk| {
        may_manage(desk)?;
        let done = desk.principal.replica().courier_unpack(file.path())?;
        let said = Message::new("web-courier-done").with("pulled", done.pulled).with("pushed", done.pushed);
        Ok(Done::Said(said.render(desk.language)))
    })
    .await
}

async fn received(dir: &Path, mut form: Multipart) -> Result<tempfile::NamedTempFile> {
    let failed = |detail: String| Error::invalid("courier-page").with("detail", detail);
    while let Some(field) = form.next_field().await.map_err(|e| failed(e.body_text()))? {
        if field.name() != Some("file") {
            continue;
        }
        return transfer::incoming(dir, field, COURIER_BYTES_MAX as u64).await;
    }
    Err(failed("no file".to_owned()))
}

// Does something that a form asks for, and shows the page with what came of it.
async fn acting(node: Node, visitor: Visitor, act: impl FnOnce(&Desk) -> Result<Done> + Send + 'static) -> Response {
    let own = node.clone();
    visitor
        .write(node, move |desk| {
            let title = desk.say("web-sync");
            match act(desk) {
                Ok(done) => Ok(Reply::Page(title, shown(desk, &own, Some(done), None)?)),
                Err(error) => Ok(Reply::Again(title, shown(desk, &own, None, Some(&error))?)),
            }
        })
        .await
}
