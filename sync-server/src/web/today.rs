//! `/today`: what waits for the person who signed in, the overdue first.

use axum::extract::State as Shared;
use axum::response::Response;
use branchline_core::Result;
use branchline_core::replica::{Direction, Query, Record};
use branchline_core::schema::{Collection, Filter, Literal, Op, Value};
use branchline_core::time::{Day, Millis};
use maud::{Markup, html};

use super::calendar::WORK;
use super::desk::{Desk, Reply, Visitor};
use super::record::titled;
use super::{acts, notices};
use crate::server::Node;

/// Entries of one list.
const ENTRIES_MAX: usize = 100;
/// Deals shown beside them.
const DEALS_MAX: usize = 10;

pub(super) async fn page(Shared(node): Shared<Node>, visitor: Visitor) -> Response {
    visitor.read(node, show).await
}

fn show(desk: &Desk) -> Result<Reply> {
    let collection = desk.schema.require(WORK)?;
    let now = desk.principal.replica().environment().now();
    let me = Literal::Key { collection: "user".into(), text: desk.me.id.to_string() };
    let mine = Filter::Compare { field: "owner".into(), op: Op::Eq, value: me };
    let open = Filter::And(vec![
        mine.clone(),
        Filter::Empty { field: "done_at".into(), negated: false },
        Filter::Empty { field: "due_at".into(), negated: true },
    ]);
    let query = Query::of(WORK).filtered(open).sorted("due_at", Direction::Ascending).limited(ENTRIES_MAX);
    let due = desk.principal.list(&query)?.rows;
    let tomorrow = desk.formats.start(Day(desk.today().0 + 1));
    let at = |record: &Record| match record.value("due_at") {
        Value::Instant(at) => *at,
        _ => Millis(i64::MAX),
    };
    let (overdue, rest): (Vec<_>, Vec<_>) = due.into_iter().partition(|record| at(record) < now);
    let (today, later): (Vec<_>, Vec<_>) = rest.into_iter().partition(|record| at(record) < tomorrow);
    let conflicts = desk.principal.conflicts()?.len();
    let title = desk.say("web-today");
    let body = html! {
        div.head { h1 { (title) } a.button href={ "/c/" (WORK) "/new" } { (desk.say("web-plan")) } }
        @if conflicts > 0 { p { a.notice href="/conflicts" { "≠ " (desk.say("web-conflicts-open")) " " (conflicts) } } }
        (work(desk, collection, "web-overdue", &overdue))
        (work(desk, collection, "web-due-today", &today))
        (work(desk, collection, "web-later", &later))
        @if overdue.is_empty() && today.is_empty() && later.is_empty() { p.empty { (desk.say("web-free")) } }
        (notices::shown(desk)?)
        (deals(desk, mine)?)
    };
    Ok(Reply::Page(title, body))
}

fn work(desk: &Desk, collection: &Collection, heading: &'static str, entries: &[Record]) -> Markup {
    let shown = |record: &Record, name: &str| {
        let field = collection.field(name);
        field.map(|field| desk.text(field, record.value(name))).unwrap_or_default()
    };
    html! {
        @if !entries.is_empty() {
            section {
                h2 { (desk.say(heading)) " " span.quiet { (entries.len()) } }
                ul.work { @for record in entries {
                    @let place = format!("/c/{WORK}/{}", record.id);
                    li {
                        @if let Value::Instant(at) = record.value("due_at") { (desk.moment(*at)) }
                        span.badge { (shown(record, "kind")) }
                        a href=(place) { (titled(desk, collection, &record.id)) }
                        span.quiet { (shown(record, "account")) }
                    }
                } }
            }
        }
    }
}

fn deals(desk: &Desk, mine: Filter) -> Result<Markup> {
    let collection = desk.schema.require("opportunity")?;
    let ended = acts::ENDS.map(|stage| Literal::Text(stage.into()));
    let open = Filter::Not(Box::new(Filter::In { field: "stage".into(), values: ended.to_vec() }));
    let query = Query::of("opportunity").filtered(Filter::And(vec![mine, open]));
    let rows = desk.principal.list(&query.sorted("expected_on", Direction::Descending).limited(DEALS_MAX))?.rows;
    let shown = |record: &Record, name: &str| {
        let field = collection.field(name);
        field.map(|field| desk.text(field, record.value(name))).unwrap_or_default()
    };
    Ok(html! {
        @if !rows.is_empty() {
            section {
                h2 { (desk.say("web-my-deals")) }
                ul.work { @for record in &rows {
                    li {
                        span.badge { (shown(record, "stage")) }
                        a href={ "/c/opportunity/" (record.id) } { (titled(desk, collection, &record.id)) }
                        strong { (shown(record, "amount")) }
                        span.quiet { (shown(record, "account")) " " (shown(record, "expected_on")) }
                    }
                } }
            }
        }
    })
}
