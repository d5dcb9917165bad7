//! The status page: one document without any other file, light and dark, in the reader's language.

use std::sync::OnceLock;

use branchline_core::message::{Language, Message};
use branchline_core::schema::Schema;
use branchline_core::time::Millis;
use data_encoding::BASE64;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use crate::commands::shape::collection_label;
use crate::output::grouped;
use crate::state::State;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Only this page's own style and script, by hash, and its own feed.
pub(super) fn content_security_policy() -> &'static str {
    static POLICY: OnceLock<String> = OnceLock::new();
    POLICY.get_or_init(|| {
        let hash = |text: &str| format!("'sha256-{}'", BASE64.encode(&Sha256::digest(text.as_bytes())));
        format!(
            "default-src 'none'; style-src {}; script-src {}; connect-src 'self'; img-src data:; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
            hash(STYLE),
            hash(SCRIPT)
        )
    })
}

/// The whole page.
pub(super) fn whole(language: Language, state: &State, schema: &Schema) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(language.code()) {
            head {
                (head(&format!("{} · Branchline", state.status.name)))
                style { (PreEscaped(STYLE)) }
            }
            body {
                (main_part(language, state, schema))
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// What stands in the head of every page of a server.
pub(crate) fn head(title: &str) -> Markup {
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1";
        meta name="color-scheme" content="light dark";
        title { (title) }
        link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cg fill='none' stroke='%230a7d5a' stroke-width='2'%3E%3Cpath d='M4 3v10M4 9c0-3 8-1 8-5'/%3E%3C/g%3E%3C/svg%3E";
    }
}

/// The part that the live feed replaces.
pub(super) fn main_part(language: Language, state: &State, schema: &Schema) -> Markup {
    let say = |id: &'static str| Message::new(id).render(language);
    let status = &state.status;
    html! {
        main {
            header {
                div {
                    p.workspace { (state.workspace) }
                    h1 { (status.name) }
                }
                (badges(language, state))
            }
            section.tiles aria-label=(say("page-state")) {
                (tile(&say("status-records"), &number(state.records_total()), ""))
                (tile(&say("status-outbox"), &number(status.outbox), if status.outbox > 0 { "waits" } else { "" }))
                (tile(&say("status-conflicts"), &number(status.conflicts), if status.conflicts > 0 { "asks" } else { "" }))
                (tile(&say("status-quarantine"), &number(status.quarantine), if status.quarantine > 0 { "asks" } else { "" }))
                (tile(&say("status-review"), &number(status.review), if status.review > 0 { "asks" } else { "" }))
                div.tile.wide {
                    p.figure { span { "↑ " (bytes(state.bytes_up)) } " " span { "↓ " (bytes(state.bytes_down)) } }
                    p.label { (say("page-bytes")) }
                }
            }
            section {
                h2 { (say("page-downstreams")) }
                (downstreams(language, state))
            }
            section {
                h2 { (say("page-records")) }
                (records(language, state, schema))
            }
            footer {
                dl {
                    dt { (say("status-digest")) } dd { code { (status.digest) } }
                    dt { (say("status-replica")) } dd { code { (status.replica) } }
                    dt { (say("status-user")) } dd { (status.user) }
                    dt { (say("status-version")) } dd { (env!("CARGO_PKG_VERSION")) }
                }
            }
        }
    }
}

fn badges(language: Language, state: &State) -> Markup {
    let say = |id: &'static str| Message::new(id).render(language);
    let role = match state.status.role {
        branchline_core::replica::NodeRole::Hub => "role-hub",
        branchline_core::replica::NodeRole::Branch => "role-branch",
        branchline_core::replica::NodeRole::Device => "role-device",
    };
    html! {
        p.badges {
            span.badge { (say(role)) }
            @if let Some(upstream) = &state.upstream {
                @if state.online { span.badge.good { (say("page-online")) } } @else { span.badge.bad { (say("page-offline")) } }
                span.quiet { (say("status-upstream")) " " (upstream) }
                span.quiet { (say("status-last-sync")) " " (moment(state.last_sync)) }
            }
        }
    }
}

fn tile(label: &str, value: &str, class: &str) -> Markup {
    html! { div.tile.(class) { p.figure { (value) } p.label { (label) } } }
}

fn downstreams(language: Language, state: &State) -> Markup {
    let say = |id: &'static str| Message::new(id).render(language);
    html! {
        @if state.downstreams.is_empty() {
            p.quiet { (say("page-no-downstreams")) }
        } @else {
            div.scroll { table {
                thead { tr {
                    @for id in ["col-name", "col-scopes", "col-last-seen", "col-lag", "col-outbox", "col-version"] { th scope="col" { (say(id)) } }
                } }
                tbody { @for d in &state.downstreams {
                    tr {
                        th scope="row" { span.dot.(if d.online { "good" } else { "bad" }) aria-label=(say(if d.online { "page-online" } else { "page-offline" })) {} " " (d.name) }
                        td { (d.scopes.join(", ")) }
                        td { (moment(d.last_seen)) }
                        td.number { (d.lag.map_or_else(|| "–".to_owned(), number)) }
                        td.number { (d.outbox.map(number).unwrap_or_else(|| "–".to_owned())) }
                        td { (d.version) }
                    }
                } }
            } }
        }
    }
}

fn records(language: Language, state: &State, schema: &Schema) -> Markup {
    let most = state.status.records.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    html! {
        div.scroll { table.records { tbody {
            @for (name, count) in state.status.records.iter().filter(|(_, count)| *count > 0) {
                tr {
                    th scope="row" { (collection_label(schema, name, language)) }
                    td.number { (number(*count)) }
                    td.bar { meter min="0" max=(most) value=(count) {} }
                }
            }
        } } }
    }
}

fn moment(at: Option<Millis>) -> Markup {
    match at {
        None => html! { "–" },
        // The script turns it into the reader's own time; without it UTC stays.
        Some(at) => html! { time datetime=(at.rfc3339()) { (at.rfc3339()) } },
    }
}

fn number(count: u64) -> String {
    grouped(&count.to_string())
}

/// Bytes in the largest unit that keeps at least one whole.
pub fn bytes(count: u64) -> String {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    match units.into_iter().find(|(_, size)| count >= *size) {
        Some((unit, size)) => format!("{:.1} {unit}", count as f64 / size as f64),
        None => format!("{count} B"),
    }
}

#[cfg(test)]
mod tests {
    use branchline_core::id::DeviceId;
    use branchline_core::replica::{NodeRole, Status};

    use super::*;
    use crate::state::Downstream;

    #[test]
    fn figures_are_grouped_and_scaled() {
        assert_eq!(number(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(number(999), "999");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_500_000), "1.5 MB");
    }

    fn state() -> State {
        State {
            rights: ("owner".to_owned(), vec!["workspace".to_owned()]),
            status: Status {
                role: NodeRole::Branch,
                replica: DeviceId([7; 8]),
                name: "Київ <b>".into(),
                user: "Оксана".into(),
                outbox: 12,
                quarantine: 0,
                conflicts: 3,
                conflicts_asking: 0,
                review: 0,
                records: vec![("account".into(), 2_314), ("lead".into(), 0)],
                digest: "9f8e7d".into(),
                log_end: 1,
                last_commit: None,
            },
            workspace: "Експрес".into(),
            upstream: Some("http://127.0.0.1:8787".into()),
            online: false,
            last_sync: None,
            bytes_up: 1,
            bytes_down: 2,
            downstreams: vec![Downstream {
                device: DeviceId([8; 8]),
                name: "<script>phone".into(),
                online: true,
                last_seen: Some(Millis(0)),
                lag: Some(1_420),
                outbox: None,
                version: "0.1.0".into(),
                scopes: vec!["branch:kyiv".into()],
            }],
        }
    }

    #[test]
    fn the_page_shows_every_number_and_escapes_every_name() {
        crate::catalogue::install();
        let page = whole(Language::Uk, &state(), &Schema::default()).into_string();
        let shown = [
            "Київ &lt;b&gt;",
            "&lt;script&gt;phone",
            "2\u{202f}314",
            "1\u{202f}420",
            "9f8e7d",
            "лінії немає",
            "branch:kyiv",
        ];
        for text in shown {
            assert!(page.contains(text), "{text}: {page}");
        }
        assert!(!page.contains("<b>") && !page.contains("<script>phone"));
    }

    #[test]
    fn the_policy_allows_nothing_from_elsewhere() {
        let policy = content_security_policy();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"));
    }
}
