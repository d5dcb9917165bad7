//! What a person chooses on `/account`: the time zone, how numbers and days are written, of what notices tell.

use axum::extract::{Form, State as Shared};
use axum::response::Response;
use branchline_core::replica::Preferences;
use branchline_core::{Error, Result};
use maud::{Markup, html};

use super::account;
use super::desk::{Desk, Reply, Visitor};
use super::form::{self, Typed};
use super::formats::{Days, Formats, Numbers};
use super::notices::Kind;
use crate::server::Node;

/// A number that shows a format.
const NUMBER: &str = "1234567.50";
/// What is kept where somebody wants no notices: nothing at all is no choice.
const NOTHING: &str = "none";

/// The form of the formats.
pub(super) fn formats(desk: &Desk) -> Markup {
    let chosen = &desk.chosen;
    let numbers = Numbers::ALL.map(|(name, numbers)| (name, desk.formats.with(Some(numbers), None).figure(NUMBER)));
    let days = Days::ALL.map(|(name, days)| (name, desk.formats.with(None, Some(days)).example()));
    html! {
        section.panel {
            h2 { (desk.say("web-formats")) }
            p.quiet { (desk.say("web-formats-now")) " " (desk.moment(desk.principal.environment().now())) " · " code { (desk.formats.zone.name()) } }
            form.door method="post" action="/account/formats" {
                label { (desk.say("web-time-zone"))
                    input name="time_zone" list="zones" value=(chosen.time_zone) placeholder=(desk.say("web-zone-usual")) autocomplete="off" spellcheck="false";
                }
                datalist #zones { @for zone in Formats::zones() { option value=(zone) {} } }
                (choice(desk, "numbers", "web-numbers", &chosen.numbers, &numbers))
                (choice(desk, "days", "web-days", &chosen.days, &days))
                button { (desk.say("web-save")) }
            }
        }
    }
}

fn choice(desk: &Desk, name: &str, label: &'static str, chosen: &str, options: &[(&'static str, String)]) -> Markup {
    html! {
        label { (desk.say(label))
            select name=(name) {
                option value="" { (desk.say("web-as-usual")) }
                @for (value, shown) in options { option value=(value) selected[*value == chosen] { (shown) } }
            }
        }
    }
}

/// `POST /account/formats`.
pub(super) async fn set_formats(Shared(node): Shared<Node>, visitor: Visitor, Form(typed): Form<Typed>) -> Response {
    visitor
        .write(node, move |desk| {
            let text = |name: &str| form::text(&typed, name).to_owned();
            let chosen = Preferences {
                time_zone: text("time_zone"),
                numbers: text("numbers"),
                days: text("days"),
                ..desk.chosen.clone()
            };
            kept(desk, &chosen)
        })
        .await
}

/// The form of the notices.
pub(super) fn notices(desk: &Desk) -> Markup {
    html! {
        section.panel {
            h2 { (desk.say("web-notices")) }
            p.quiet { (desk.say("web-notices-what")) }
            form.door method="post" action="/account/notices" {
                @for (name, kind, label) in Kind::ALL {
                    label.check { input type="checkbox" name=(name) value="yes" checked[kind.is_wanted(&desk.chosen)]; " " (desk.say(label)) }
                }
                button { (desk.say("web-save")) }
            }
        }
    }
}

/// `POST /account/notices`.
pub(super) async fn set_notices(Shared(node): Shared<Node>, visitor: Visitor, Form(typed): Form<Typed>) -> Response {
    visitor
        .write(node, move |desk| {
            let wanted: Vec<&str> =
                Kind::ALL.map(|(name, ..)| name).into_iter().filter(|name| typed.contains_key(*name)).collect();
            let notices = if wanted.is_empty() { NOTHING.to_owned() } else { wanted.join(",") };
            kept(desk, &Preferences { notices, ..desk.chosen.clone() })
        })
        .await
}

fn kept(desk: &Desk, chosen: &Preferences) -> Result<Reply> {
    let checked = match chosen.time_zone.as_str() {
        "" => Ok(()),
        zone if Formats::zones().any(|known| known == zone) => Ok(()),
        zone => Err(Error::invalid("zone-unknown").with("zone", zone)),
    };
    match checked.and_then(|()| desk.principal.set_preferences(chosen)) {
        Ok(()) => Ok(Reply::Go("/account".to_owned())),
        Err(error @ (Error::Invalid(_) | Error::Denied(_))) => {
            Ok(Reply::Again(desk.say("web-account"), account::shown(desk, Some(&error))?))
        }
        Err(error) => Err(error),
    }
}
