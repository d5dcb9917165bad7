//! `/calendar`: activities by day, week and month, and a private feed of them for other programs.
//!
//! Days are those of the person's time zone; a feed tells moments in UTC.

use std::collections::{BTreeMap, HashMap};

use axum::extract::{Path, Query as Asked, State as Shared};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use branchline_core::access::Action;
use branchline_core::id::RecordId;
use branchline_core::replica::{Direction, Principal, Query, Record};
use branchline_core::schema::{Filter, Literal, Op, Value};
use branchline_core::time::{DAY_MS, Day, Millis};
use branchline_core::{Error, Result};
use maud::{Markup, html};

use super::desk::{Desk, Reply, Visitor};
use super::feeds::Feeds;
use super::form;
use super::record::titled;
use crate::server::Node;

/// The collection of what people do and plan.
pub(super) const WORK: &str = "activity";
/// Activities of one page.
const ENTRIES_MAX: usize = 1_000;
/// Activities of a day of the month that are shown; the day has all.
const CELL_MAX: usize = 6;
/// Days before and after now that a feed holds.
const FEED_DAYS: i64 = 90;
/// The length of what says none, in minutes.
const MINUTES: i64 = 30;
const DAYS_OF_WEEK: i32 = 7;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Span {
    Day,
    Week,
    Month,
}

impl Span {
    const ALL: [(Self, &'static str, &'static str); 3] =
        [(Self::Day, "day", "web-day"), (Self::Week, "week", "web-week"), (Self::Month, "month", "web-month")];

    fn parse(text: &str) -> Self {
        Self::ALL.iter().find(|(_, name, _)| *name == text).map_or(Self::Month, |(span, ..)| *span)
    }

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(span, ..)| *span == self).map(|(_, name, _)| *name).unwrap_or_default()
    }

    // The first day, and how many; a month as whole weeks.
    fn days(self, on: Day) -> (Day, i32) {
        let monday = Day(on.0 - weekday(on));
        match self {
            Self::Day => (on, 1),
            Self::Week => (monday, DAYS_OF_WEEK),
            Self::Month => {
                let first = first_of_month(on);
                let begin = Day(first.0 - weekday(first));
                let next = first_of_month(Day(first.0 + 31));
                let weeks = (next.0 - begin.0 + DAYS_OF_WEEK - 1) / DAYS_OF_WEEK;
                (begin, weeks * DAYS_OF_WEEK)
            }
        }
    }

    fn step(self, on: Day, forward: bool) -> Day {
        match (self, forward) {
            (Self::Day, true) => Day(on.0 + 1),
            (Self::Day, false) => Day(on.0 - 1),
            (Self::Week, true) => Day(on.0 + DAYS_OF_WEEK),
            (Self::Week, false) => Day(on.0 - DAYS_OF_WEEK),
            (Self::Month, true) => first_of_month(Day(first_of_month(on).0 + 31)),
            (Self::Month, false) => first_of_month(Day(first_of_month(on).0 - 1)),
        }
    }
}

// From Monday; the first day of 1970 was a Thursday.
fn weekday(day: Day) -> i32 {
    (day.0 + 3).rem_euclid(DAYS_OF_WEEK)
}

fn first_of_month(day: Day) -> Day {
    let text = day.iso();
    text.get(..8).and_then(|month| Day::parse(&format!("{month}01"))).unwrap_or(day)
}

/// `GET /calendar?view=month&on=2026-11-01&who=me`.
pub(super) async fn page(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Asked(asked): Asked<HashMap<String, String>>,
) -> Response {
    visitor
        .read(node, move |desk| {
            let text = |name: &str| form::text(&asked, name);
            let today = desk.today();
            let on = Day::parse(text("on")).unwrap_or(today);
            show(desk, Span::parse(text("view")), on, today, text("who") == "all", None)
        })
        .await
}

fn show(desk: &Desk, span: Span, on: Day, today: Day, all: bool, feed: Option<&str>) -> Result<Reply> {
    let (first, count) = span.days(on);
    let entries = within(
        &desk.principal,
        desk.formats.start(first),
        desk.formats.start(Day(first.0 + count)),
        (!all).then_some(&desk.me.id),
    )?;
    let mut days: BTreeMap<Day, Vec<(Millis, Record)>> = BTreeMap::new();
    for (at, record) in entries {
        days.entry(desk.formats.day_of(at)).or_default().push((at, record));
    }
    let who = if all { "all" } else { "me" };
    let place = |span: Span, on: Day, who: &str| format!("/calendar?view={}&on={}&who={who}", span.name(), on.iso());
    let title = desk.say("web-calendar");
    let shown = match span {
        Span::Day => desk.formats.day(on),
        Span::Week => format!("{} – {}", desk.formats.day(first), desk.formats.day(Day(first.0 + count - 1))),
        Span::Month => on.iso().get(..7).unwrap_or_default().to_owned(),
    };
    let body = html! {
        div.head { h1 { (title) " " span.quiet { (shown) } }
            @if desk.schema.collection(WORK).is_some_and(|work| desk.may(Action::Create, work)) { a.button href={ "/c/" (WORK) "/new" } { (desk.say("web-plan")) } }
        }
        p.tabs {
            a rel="prev" href=(place(span, span.step(on, false), who)) aria-label=(desk.say("web-earlier")) { "←" }
            a href=(place(span, today, who)) { (desk.say("web-today")) }
            a rel="next" href=(place(span, span.step(on, true), who)) aria-label=(desk.say("web-later")) { "→" }
            @for (other, _, label) in Span::ALL { a href=(place(other, on, who)) aria-current=[(other == span).then_some("page")] { (desk.say(label)) } }
            a href=(place(span, on, "me")) aria-current=[(!all).then_some("page")] { (desk.say("web-mine")) }
            a href=(place(span, on, "all")) aria-current=[all.then_some("page")] { (desk.say("web-everybodys")) }
        }
        @if span == Span::Day { (list(desk, days.get(&on))?) } @else { (grid(desk, span, (first, count), on, today, who, &days)?) }
        (feed_form(desk, feed))
    };
    Ok(Reply::Page(title, body))
}

// Activities of a time: by their beginning, else by when they are due.
fn within(
    principal: &Principal,
    from: Millis,
    until: Millis,
    owner: Option<&RecordId>,
) -> Result<Vec<(Millis, Record)>> {
    let compare =
        |field: &str, op: Op, at: Millis| Filter::Compare { field: field.into(), op, value: Literal::Instant(at) };
    let entries = |field: &str, more: Vec<Filter>| {
        let mut parts = vec![compare(field, Op::Ge, from), compare(field, Op::Lt, until)];
        parts.extend(more);
        parts.extend(owner.map(|owner| {
            let value = Literal::Key { collection: "user".into(), text: owner.to_string() };
            Filter::Compare { field: "owner".into(), op: Op::Eq, value }
        }));
        let query = Query::of(WORK).filtered(Filter::And(parts)).sorted(field, Direction::Ascending);
        principal.list(&query.limited(ENTRIES_MAX)).map(|page| page.rows)
    };
    let mut rows = entries("starts_at", Vec::new())?;
    rows.extend(entries("due_at", vec![Filter::Empty { field: "starts_at".into(), negated: false }])?);
    let at = |record: &Record| match (record.value("starts_at"), record.value("due_at")) {
        (Value::Instant(at), _) | (_, Value::Instant(at)) => *at,
        _ => Millis(0),
    };
    let mut entries: Vec<(Millis, Record)> = rows.into_iter().map(|record| (at(&record), record)).collect();
    entries.sort_by_key(|(at, record)| (*at, record.id));
    entries.truncate(ENTRIES_MAX);
    Ok(entries)
}

fn list(desk: &Desk, entries: Option<&Vec<(Millis, Record)>>) -> Result<Markup> {
    let work = desk.schema.require(WORK)?;
    let shown = |record: &Record, name: &str| {
        work.field(name).map(|field| desk.text(field, record.value(name))).unwrap_or_default()
    };
    Ok(html! {
        @match entries {
            None => { p.empty { (desk.say("web-nothing-planned")) } }
            Some(entries) => { ul.work { @for (at, record) in entries {
                li { (desk.moment(*at)) span.badge { (shown(record, "kind")) }
                    a href={ "/c/" (WORK) "/" (record.id) } { (titled(desk, work, &record.id)) }
                    span.quiet { (shown(record, "account")) " " (shown(record, "owner")) } }
            } } }
        }
    })
}

fn grid(
    desk: &Desk,
    span: Span,
    (first, count): (Day, i32),
    on: Day,
    today: Day,
    who: &str,
    days: &BTreeMap<Day, Vec<(Millis, Record)>>,
) -> Result<Markup> {
    let work = desk.schema.require(WORK)?;
    let month = |day: Day| day.iso().get(..7).map(str::to_owned);
    let limit = if span == Span::Week { usize::MAX } else { CELL_MAX };
    let number = |day: Day| day.iso().get(8..).map(|text| text.trim_start_matches('0').to_owned()).unwrap_or_default();
    let day_place = |day: Day| format!("/calendar?view=day&on={}&who={who}", day.iso());
    Ok(html! {
        div.scroll { table.month {
            thead { tr { @for at in 0..DAYS_OF_WEEK { th scope="col" { (desk.say(WEEKDAYS.get(at as usize).copied().unwrap_or_default())) } } } }
            tbody { @for week in 0..count / DAYS_OF_WEEK { tr {
                @for at in 0..DAYS_OF_WEEK {
                    @let day = Day(first.0 + week * DAYS_OF_WEEK + at);
                    @let entries = days.get(&day).map(Vec::as_slice).unwrap_or_default();
                    td.today[day == today].other[span == Span::Month && month(day) != month(on)] {
                        a href=(day_place(day)) aria-label={ (number(day)) " · " (desk.formats.day(day)) } { (number(day)) }
                        ul { @for (at, record) in entries.iter().take(limit) {
                            li.done[*record.value("done_at") != Value::Null] {
                                time.hour datetime=(at.rfc3339()) { (desk.formats.hour(*at)) } " "
                                a href={ "/c/" (WORK) "/" (record.id) } { (titled(desk, work, &record.id)) }
                            }
                        } }
                        @if entries.len() > limit { a.quiet href=(day_place(day)) { "+" (entries.len() - limit) } }
                    }
                }
            } } }
        } }
    })
}

const WEEKDAYS: [&str; 7] =
    ["web-monday", "web-tuesday", "web-wednesday", "web-thursday", "web-friday", "web-saturday", "web-sunday"];

// The address is shown once, when it is made: only its hash is kept.
fn feed_form(desk: &Desk, feed: Option<&str>) -> Markup {
    html! {
        section { h2 { (desk.say("web-feed")) }
            p.quiet { (desk.say("web-feed-what")) }
            @if let Some(feed) = feed { p { code { (feed) } } }
            form.row method="post" action="/calendar/feed" {
                button name="act" value="make" { (desk.say("web-feed-make")) }
                button.plain name="act" value="end" { (desk.say("web-feed-end")) }
            }
        }
    }
}

/// Where the feed's form leads when its answer is asked for again.
pub(super) async fn home() -> Redirect {
    Redirect::to("/calendar")
}

/// `POST /calendar/feed`: makes a feed, or ends the one there is.
pub(super) async fn feed(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    axum::extract::Form(typed): axum::extract::Form<HashMap<String, String>>,
) -> Response {
    visitor
        .write(node, move |desk| {
            let feeds = Feeds::of(desk.principal.dir());
            feeds.end(&desk.me.id);
            if typed.get("act").is_none_or(|act| act != "make") {
                return Ok(Reply::Go("/calendar".to_owned()));
            }
            let token = feeds.make(desk.principal.environment(), &desk.me.id)?;
            let (base, _) = desk.principal.public_address()?.ok_or_else(|| Error::usage("no-public-address"))?;
            let today = desk.today();
            let address = format!("{}/feed/{token}.ics", base.trim_end_matches('/'));
            show(desk, Span::Month, today, today, false, Some(&address))
        })
        .await
}

/// `GET /feed/{token}.ics`: the activities of the person who made it, for programs that cannot sign in.
pub(super) async fn ics(Shared(node): Shared<Node>, Path(name): Path<String>) -> Response {
    let made: Result<Option<String>> = node
        .blocking(move |replica| {
            let token = name.strip_suffix(".ics").unwrap_or_default();
            let Some(person) = Feeds::of(replica.dir()).person(token) else { return Ok(None) };
            let principal = replica.principal(&person)?;
            let now = replica.environment().now();
            let (from, until) = (now.plus(-FEED_DAYS * DAY_MS), now.plus(FEED_DAYS * DAY_MS));
            let entries = within(&principal, from, until, Some(&person))?;
            Ok(Some(written(&principal, now, &entries)))
        })
        .await;
    match made {
        Ok(Some(text)) => {
            let headers = [(header::CONTENT_TYPE, "text/calendar; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
            (headers, text).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn written(principal: &Principal, now: Millis, entries: &[(Millis, Record)]) -> String {
    let mut lines =
        vec!["BEGIN:VCALENDAR".to_owned(), "VERSION:2.0".into(), "PRODID:-//Branchline//Workplace//EN".into()];
    for (at, record) in entries {
        let minutes = match record.value("duration_minutes") {
            Value::Integer(minutes) => (*minutes).clamp(1, 24 * 60),
            _ => MINUTES,
        };
        let client = record.reference("account").and_then(|id| principal.label("account", &id));
        lines.push("BEGIN:VEVENT".into());
        lines.push(format!("UID:{}", record.id));
        lines.push(format!("DTSTAMP:{}", stamp(now)));
        lines.push(format!("DTSTART:{}", stamp(*at)));
        lines.push(format!("DTEND:{}", stamp(at.plus(minutes * 60_000))));
        lines.push(format!("SUMMARY:{}", escaped(record.text("subject"))));
        if let Some(client) = client {
            lines.push(format!("LOCATION:{}", escaped(&client)));
        }
        lines.push("END:VEVENT".into());
    }
    lines.push("END:VCALENDAR".into());
    lines.iter().map(|line| folded(line)).collect()
}

// `20261127T090000Z`
fn stamp(at: Millis) -> String {
    let digits: String = at.rfc3339().chars().take(19).filter(|c| !matches!(c, '-' | ':')).collect();
    format!("{digits}Z")
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace(';', "\\;")
        .replace(',', "\\,")
        .replace("\r\n", "\\n")
        .replace(['\n', '\r'], "\\n")
}

// Lines of 75 bytes at most, the rest on lines that begin with a blank.
fn folded(line: &str) -> String {
    const LINE_BYTES_MAX: usize = 73;
    let mut out = String::new();
    let mut bytes = 0;
    for c in line.chars() {
        if bytes + c.len_utf8() > LINE_BYTES_MAX {
            out.push_str("\r\n ");
            bytes = 0;
        }
        out.push(c);
        bytes += c.len_utf8();
    }
    out + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap_or(Day(0))
    }

    #[test]
    fn a_month_is_shown_in_whole_weeks_from_monday() {
        assert_eq!(Span::Month.days(day("2026-11-15")), (day("2026-10-26"), 42));
        assert_eq!(Span::Month.days(day("2027-02-01")), (day("2027-02-01"), 28));
        assert_eq!(Span::Week.days(day("2026-11-29")), (day("2026-11-23"), 7));
        assert_eq!(Span::Month.step(day("2026-01-31"), true), day("2026-02-01"));
        assert_eq!(Span::Month.step(day("2026-01-31"), false), day("2025-12-01"));
    }

    #[test]
    fn a_feed_is_in_the_shape_that_programs_read() {
        assert_eq!(stamp(day("2026-11-27").start()), "20261127T000000Z");
        assert_eq!(escaped("a;b,c\\\nd"), "a\\;b\\,c\\\\\\nd");
        let long = folded(&"ю".repeat(60));
        assert!(long.lines().all(|line| line.len() <= 75) && long.lines().count() == 2, "{long}");
    }
}
