//! `/admin`: looking after the company. Only for those who have the right; each page asks again, and so does every write.

pub(super) mod audit;
pub(super) mod backup;
pub(super) mod people;
pub(super) mod pipelines;
pub(super) mod schema;
pub(super) mod support;

use axum::extract::State as Shared;
use axum::response::{Redirect, Response};
use branchline_core::access::Action;
use branchline_core::message::Message;
use branchline_core::replica::Query;
use branchline_core::{Error, Result};
use maud::{Markup, html};

use super::desk::{Desk, Reply, Visitor};
use crate::commands::shape::collection_label;
use crate::server::Node;

/// Whether the person has something to do here at all.
pub(super) fn may_look(desk: &Desk) -> bool {
    desk.may_invite()
}

/// Whether the person administers the company: people, places, the schema.
fn administers(desk: &Desk) -> bool {
    desk.schema.collection("user").is_some_and(|users| desk.may(Action::Edit, users))
}

fn require(allowed: bool, desk: &Desk) -> Result<()> {
    let denied = || Error::denied("denied-administration").with("role", desk.role());
    if allowed { Ok(()) } else { Err(denied()) }
}

/// `GET /admin`.
pub(super) async fn page(Shared(node): Shared<Node>, visitor: Visitor) -> Response {
    visitor.read(node, shown).await
}

/// Where a form leads whose answer is asked for again, for instance in another language.
pub(super) async fn home() -> Redirect {
    Redirect::to("/admin")
}

fn shown(desk: &Desk) -> Result<Reply> {
    require(may_look(desk), desk)?;
    let entry = |to: &str, title: String, what: &'static str| {
        html! { li.panel { h2 { a href=(to) { (title) } } p.quiet { (desk.say(what)) } } }
    };
    let label = |name: &str| collection_label(&desk.schema, name, desk.language);
    let count = |name: &str| -> Result<String> {
        let count = desk.principal.count(&Query::of(name))?;
        Ok(format!("{} · {}", label(name), desk.count(count)))
    };
    let title = desk.say("web-admin");
    let body = html! {
        h1 { (title) }
        ul.panels.plain {
            (entry("/admin/people", count("user")?, "web-admin-people"))
            @if administers(desk) {
                (entry("/c/branch", count("branch")?, "web-admin-branches"))
                (entry("/c/team", count("team")?, "web-admin-teams"))
                (entry("/c/role", count("role")?, "web-admin-roles"))
                (entry("/admin/schema", desk.say("web-admin-schema"), "web-admin-schema-what"))
                (entry("/admin/pipelines", label("pipeline"), "web-admin-pipelines"))
            }
            (entry("/sync", desk.say("web-sync"), "web-admin-devices"))
            @if desk.is_owner() {
                (entry("/admin/audit", desk.say("web-audit"), "web-audit-what"))
                (entry("/admin/backup", desk.say("web-backup"), "web-backup-what"))
            }
        }
        (about(desk)?)
    };
    Ok(Reply::Page(title, body))
}

fn about(desk: &Desk) -> Result<Markup> {
    let replica = desk.principal.replica();
    let status = replica.status()?;
    let address = replica.public_address()?.map(|(url, _)| url);
    Ok(html! {
        section {
            h2 { (desk.say("web-about")) }
            dl.facts {
                dt { (desk.say("status-version")) } dd { "Branchline " (env!("CARGO_PKG_VERSION")) }
                dt { (desk.say("status-role")) } dd { (status.name) " · " (status.role.as_str()) }
                dt { (desk.say("status-replica")) } dd { code { (status.replica) } }
                @if let Some(address) = &address { dt { (desk.say("web-address")) } dd { (address) } }
                dt { (desk.say("web-health")) } dd { a href="/health" { "/health" } }
                dt { (desk.say("web-log-end")) } dd { (desk.count(status.log_end)) }
                dt { (desk.say("status-records")) } dd { (desk.count(status.records.iter().map(|(_, n)| n).sum::<u64>())) }
            }
            @if desk.is_owner() {
                form.row method="post" action="/admin/verify" { button { (desk.say("web-verify")) } }
                form.row method="post" action="/admin/support" { button { (desk.say("web-support")) } }
                p.quiet { (desk.say("web-support-what")) }
            }
        }
    })
}

/// `POST /admin/verify`: holds what is stored against the log.
pub(super) async fn verify(Shared(node): Shared<Node>, visitor: Visitor) -> Response {
    visitor
        .write(node, |desk| {
            require(desk.is_owner(), desk)?;
            let found = desk.principal.replica().verify(false)?;
            let title = desk.say("web-verify");
            let differs = found.heads_differ + found.rows_differ + found.search_differ + found.tables_missing;
            let differs = differs + found.indexes_differ + found.places_differ + found.attachments_damaged;
            let sound = found.damage.is_empty() && differs == 0;
            let checked = Message::new("web-verified").with("changes", found.changes).with("records", found.records);
            Ok(Reply::Page(
                title.clone(),
                html! {
                    p.trail { a href="/admin" { (desk.say("web-admin")) } }
                    h1 { (title) }
                    p { (checked.render(desk.language)) }
                    @if sound { p.done role="status" { (desk.say("verify-sound")) } }
                    @else {
                        div.problem role="alert" {
                            p { strong { (desk.say("web-verify-differs")) } }
                            ul { @for line in &found.damage { li { (line) } } }
                            pre { code { "branchline verify --repair" } }
                        }
                    }
                },
            ))
        })
        .await
}
