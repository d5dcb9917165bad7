//! `/admin/backup`: a backup now, what lies there already, and the drill that shows whether it is good.

use std::path::{Path, PathBuf};

use axum::extract::{Form, Path as Named, State as Shared};
use axum::response::Response;
use branchline_core::message::Message;
use branchline_core::{Error, Result};
use maud::{Markup, html};
use serde::Deserialize;

use super::require;
use crate::output::{STAMP_CHARS, bytes, stamp};
use crate::server::{Node, transfer};
use crate::web::desk::{Desk, Reply, Visitor};
use crate::web::frame;

/// Backups made here that are kept; older ones go.
const KEPT_MAX: usize = 5;
const ENDING: &str = ".backup";

/// What the form sends.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Asked {
    passphrase: String,
}

/// `GET /admin/backup`.
pub(in crate::web) async fn page(Shared(node): Shared<Node>, visitor: Visitor) -> Response {
    visitor.read(node, |desk| Ok(Reply::Page(desk.say("web-backup"), shown(desk, None)?))).await
}

fn folder(desk: &Desk) -> PathBuf {
    desk.principal.replica().dir().join("backups")
}

// Names and sizes, the newest first.
fn made(folder: &Path) -> Vec<(String, u64)> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let found = files.filter_map(|file| {
        let name = file.file_name().into_string().ok().filter(|name| is_one(name))?;
        Some((name, file.metadata().ok()?.len()))
    });
    let mut found: Vec<(String, u64)> = found.collect();
    found.sort_by(|a, b| b.0.cmp(&a.0));
    found
}

fn is_one(name: &str) -> bool {
    name.strip_suffix(ENDING)
        .is_some_and(|stamp| stamp.len() == STAMP_CHARS && stamp.bytes().all(|b| b.is_ascii_digit()))
}

fn shown(desk: &Desk, error: Option<&Error>) -> Result<Markup> {
    require(desk.is_owner(), desk)?;
    let made = made(&folder(desk));
    Ok(html! {
        p.trail { a href="/admin" { (desk.say("web-admin")) } }
        h1 { (desk.say("web-backup")) }
        @if let Some(error) = error { (frame::problem(desk.language, error)) }
        div.panels {
            section.panel {
                h2 { (desk.say("web-backup-now")) }
                p { (desk.say("web-backup-what")) }
                form.door method="post" action="/admin/backup" {
                    label { (desk.say("web-passphrase")) " " small { (desk.say("web-passphrase-hint")) }
                        input type="password" name="passphrase" autocomplete="new-password"; }
                    button { (desk.say("web-backup-now")) }
                }
            }
            section.panel {
                h2 { (desk.say("web-drill")) }
                p { (desk.say("web-drill-what")) }
                pre { code { "branchline --data DRILL restore FILE --passphrase-file PASSPHRASE\nbranchline --data DRILL verify\nbranchline --data DRILL status" } }
            }
        }
        section {
            h2 { (desk.say("web-backups")) }
            @if made.is_empty() { p.empty { (desk.say("web-no-backups")) } }
            ul.work { @for (name, size) in &made { li { a href={ "/admin/backup/" (name) } { (name) } span.quiet { (bytes(*size)) } } } }
            @if !made.is_empty() { p.quiet { (Message::new("web-backups-kept").with("count", KEPT_MAX).render(desk.language)) } }
        }
    })
}

/// `POST /admin/backup`.
pub(in crate::web) async fn make(Shared(node): Shared<Node>, visitor: Visitor, Form(asked): Form<Asked>) -> Response {
    visitor
        .write(node, move |desk| match written(desk, &asked.passphrase) {
            Ok(()) => Ok(Reply::Go("/admin/backup".to_owned())),
            Err(error) => Ok(Reply::Again(desk.say("web-backup"), shown(desk, Some(&error))?)),
        })
        .await
}

fn written(desk: &Desk, passphrase: &str) -> Result<()> {
    require(desk.is_owner(), desk)?;
    let (replica, folder) = (desk.principal.replica(), folder(desk));
    let failed = |e: std::io::Error| Error::storage("backup-folder").with("detail", e.to_string());
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let name = format!("{}{ENDING}", stamp(replica.environment().now()));
    replica.backup(&folder.join(name), (!passphrase.is_empty()).then_some(passphrase))?;
    for (old, _) in made(&folder).into_iter().skip(KEPT_MAX) {
        std::fs::remove_file(folder.join(old)).map_err(failed)?;
    }
    Ok(())
}

/// `GET /admin/backup/{name}`: the file, piece by piece.
pub(in crate::web) async fn fetch(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Named(name): Named<String>,
) -> Response {
    visitor
        .read(node, move |desk| {
            require(desk.is_owner(), desk)?;
            let missing = || Error::not_found("file-missing").with("path", &name);
            let known = Some(&name).filter(|name| is_one(name)).ok_or_else(missing)?;
            let backup = std::fs::File::open(folder(desk).join(known)).map_err(|_| missing())?;
            Ok(Reply::File(name, "application/octet-stream", transfer::outgoing(backup)))
        })
        .await
}
