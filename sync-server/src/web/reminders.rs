//! Reminders whose time has come: on every page, on *Today* also for those who want none elsewhere. The script asks for
//! them again when the next one is due.

use axum::extract::{Form, Path, State as Shared};
use axum::http::HeaderMap;
use axum::response::Response;
use branchline_core::Result;
use branchline_core::access::Action;
use branchline_core::document::Edit;
use branchline_core::replica::{Direction, Query, Record};
use branchline_core::schema::{Filter, Literal, Op, Value};
use branchline_core::time::{DAY_MS, Millis};
use maud::{Markup, html};

use super::calendar::WORK;
use super::desk::{Desk, Reply, Visitor};
use super::form::{self, Typed};
use super::notices::Kind;
use super::record::titled;
use super::sign_in::came_from;
use crate::server::Node;

/// Reminders that are shown at a time.
const SHOWN_MAX: usize = 5;
/// Reminders that are looked at: those that are due in a day or were lately.
const ASKED_MAX: usize = 50;
const LATELY_DAYS: i64 = 14;
/// How long “later” is, in ms.
const LATER_MS: i64 = 10 * MINUTE_MS;
const MINUTE_MS: i64 = 60_000;

fn remind_at(record: &Record) -> Option<Millis> {
    match record.value("remind_at") {
        Value::Instant(at) => Some(*at),
        _ => None,
    }
}

/// What the person is reminded of now, in a place that the script finds again.
///
/// # Errors
/// Those of the store.
pub(super) fn shown(desk: &Desk) -> Result<Markup> {
    let wanted = Kind::Reminder.is_wanted(&desk.chosen) || desk.target.starts_with("/today");
    let Some(work) = desk.schema.collection(WORK).filter(|_| wanted) else { return Ok(html! {}) };
    let now = desk.principal.environment().now();
    // The same question for a minute, so that its answer is remembered from page to page.
    let minute = now.plus(-now.0.rem_euclid(MINUTE_MS));
    let compare = |field: &str, op: Op, value: Literal| Filter::Compare { field: field.into(), op, value };
    let asked = Filter::And(vec![
        compare("owner", Op::Eq, Literal::Key { collection: "user".into(), text: desk.me.id.to_string() }),
        compare("remind_at", Op::Ge, Literal::Instant(minute.plus(-LATELY_DAYS * DAY_MS))),
        compare("remind_at", Op::Lt, Literal::Instant(minute.plus(DAY_MS))),
        Filter::Empty { field: "done_at".into(), negated: false },
    ]);
    let query = Query::of(WORK).filtered(asked).sorted("remind_at", Direction::Ascending).limited(ASKED_MAX);
    let rows = desk.principal.list(&query)?.rows;
    let next = rows.iter().filter_map(remind_at).find(|at| *at > now).map(|at| at.0 - now.0);
    let due = rows.iter().filter(|record| remind_at(record).is_some_and(|at| at <= now)).take(SHOWN_MAX);
    let may = desk.may(Action::Edit, work);
    Ok(html! {
        div.reminders role="status" data-in=[next] {
            @for record in due {
                @let title = titled(desk, work, &record.id);
                @let place = format!("/c/{WORK}/{}", record.id);
                div.reminder {
                    strong { (desk.say("web-reminder")) } " "
                    a href=(place) { (title) } " "
                    @if let Value::Instant(at) = record.value("due_at") { (desk.moment(*at)) }
                    @if may {
                        form method="post" action={ (place) "/remind" } {
                            button name="act" value="later" aria-label={ (desk.say("web-remind-later")) ": " (title) } { (desk.say("web-remind-later")) }
                            button.plain name="act" value="done" aria-label={ (desk.say("web-remind-done")) ": " (title) } { (desk.say("web-remind-done")) }
                        }
                    }
                }
            }
        }
    })
}

/// `POST /c/activity/{id}/remind`: again in some minutes, or not again.
pub(super) async fn answer(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path((name, id)): Path<(String, String)>,
    headers: HeaderMap,
    Form(typed): Form<Typed>,
) -> Response {
    let back = came_from(&headers);
    visitor
        .write(node, move |desk| {
            let id = desk.principal.find(&name, &id)?;
            let value = match form::text(&typed, "act") {
                "later" => Value::Instant(desk.principal.environment().now().plus(LATER_MS)),
                _ => Value::Null,
            };
            desk.principal.transact(|tx| tx.edit(&name, &id, vec![Edit::Set("remind_at".into(), value)]))?;
            Ok(Reply::Go(back))
        })
        .await
}
