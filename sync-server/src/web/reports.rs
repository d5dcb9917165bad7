//! `/reports` and `/reports/<name>`: figures with filters, a chart, the table beneath it, and the records behind each row.
//! `/reports/<name>.csv` and `.svg` are the same to take away.

use std::collections::HashMap;

use axum::extract::{Path, Query as Asked, State as Shared};
use axum::response::Response;
use branchline_core::crm::report::{Cell, Drill, Kind, Report};
use branchline_core::message::Message;
use branchline_core::schema::FieldType;
use branchline_core::time::Day;
use branchline_core::{Error, Result};
use maud::{Markup, PreEscaped, html};

use super::desk::{Desk, Reply, Visitor};
use super::{form, frame};
use crate::commands::report;
use crate::server::Node;

/// Rows of a table; the file has all of them.
const ROWS_MAX: usize = 300;

/// `GET /reports`.
pub(super) async fn index(Shared(node): Shared<Node>, visitor: Visitor) -> Response {
    visitor
        .read(node, |desk| {
            let title = desk.say("web-reports");
            let body = html! {
                h1 { (title) }
                ul.tiles { @for kind in Kind::ALL {
                    li { a href={ "/reports/" (kind.name()) } { (kind.title().render(desk.language)) } p.quiet { (about(desk, kind)) } }
                } }
            };
            Ok(Reply::Page(title, body))
        })
        .await
}

/// `GET /reports/{name}`.
pub(super) async fn page(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path(name): Path<String>,
    Asked(asked): Asked<HashMap<String, String>>,
) -> Response {
    visitor
        .read(node, move |desk| match name.rsplit_once('.') {
            Some((name, "csv")) => {
                let figures = made(desk, Kind::parse(name)?, &asked)?;
                Ok(Reply::File(format!("{name}.csv"), "text/csv; charset=utf-8", figures.csv().into()))
            }
            Some((name, "svg")) => {
                let figures = made(desk, Kind::parse(name)?, &asked)?;
                Ok(Reply::File(format!("{name}.svg"), "image/svg+xml", drawn(desk, &figures)?.into()))
            }
            _ => show(desk, Kind::parse(&name)?, &asked),
        })
        .await
}

fn made(desk: &Desk, kind: Kind, asked: &HashMap<String, String>) -> Result<Report> {
    // Days as the person writes them.
    let day = |name: &str| match form::text(asked, name) {
        "" => Ok(String::new()),
        text => {
            let wrong = || Error::invalid("report-day").with("day", text);
            let day = desk.formats.parse_day(text).or_else(|| Day::parse_relative(text, desk.today()));
            day.map(Day::iso).ok_or_else(wrong)
        }
    };
    let (from, to) = (day("from")?, day("to")?);
    report::made(desk.principal.replica(), kind, [form::text(asked, "by"), &from, &to])
}

// The chart with its numbers as the table beneath it has them.
fn drawn(desk: &Desk, figures: &Report) -> Result<String> {
    figures.svg_with(desk.language, &|digits| desk.formats.figure(digits))
}

fn show(desk: &Desk, kind: Kind, asked: &HashMap<String, String>) -> Result<Reply> {
    let title = kind.title().render(desk.language);
    let figures = made(desk, kind, asked);
    let body = html! {
        p.trail { a href="/reports" { (desk.say("web-reports")) } }
        div.head {
            h1 { (title) }
            @if figures.is_ok() {
                a.plain href=(place(kind, ".csv", asked)) download="" { "CSV" }
                a.plain href=(place(kind, ".svg", asked)) download="" { "SVG" }
            }
        }
        p.quiet { (about(desk, kind)) }
        (asking(desk, kind, asked))
        @match &figures {
            Err(error) => { (frame::problem(desk.language, error)) }
            Ok(figures) => { (shown(desk, figures)?) }
        }
    };
    Ok(match figures {
        Ok(_) => Reply::Page(title, body),
        Err(_) => Reply::Again(title, body),
    })
}

fn about(desk: &Desk, kind: Kind) -> String {
    desk.say(match kind {
        Kind::Funnel => "web-about-funnel",
        Kind::ActivityFunnel => "web-about-activity-funnel",
        Kind::Pipeline => "web-about-pipeline",
        Kind::Plan => "web-about-plan",
        Kind::Refusals => "web-about-refusals",
        Kind::Vip => "web-about-vip",
        Kind::Activity => "web-about-activity",
        Kind::Branches => "web-about-branches",
    })
}

// The report in another shape, asked for in the same way.
fn place(kind: Kind, shape: &str, asked: &HashMap<String, String>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for name in ["by", "from", "to"] {
        let text = form::text(asked, name);
        if !text.is_empty() {
            query.append_pair(name, text);
        }
    }
    format!("/reports/{}{shape}?{}", kind.name(), query.finish())
}

fn asking(desk: &Desk, kind: Kind, asked: &HashMap<String, String>) -> Markup {
    let (grouped, default) = kind.grouping();
    let by = Some(form::text(asked, "by")).filter(|by| !by.is_empty()).or(default).unwrap_or_default();
    let fields = desk.schema.collection(grouped).into_iter().flat_map(|collection| collection.fields.iter());
    let groups = |ty: &FieldType| {
        matches!(ty, FieldType::Choice(_) | FieldType::Reference(_) | FieldType::Date | FieldType::Boolean)
    };
    let day = |name: &'static str, label: &'static str| {
        html! {
            label { (desk.say(label)) " "
                @let (kind, example) = desk.formats.picker("date");
                input type=(kind) name=(name) placeholder=[example] value=(as_day(desk, form::text(asked, name)));
            }
        }
    };
    html! {
        form.asking method="get" action={ "/reports/" (kind.name()) } {
            label { (desk.say("web-group-by")) " "
                select name="by" data-submits="" {
                    @if default.is_none() { option value="" { "–" } }
                    @for field in fields.filter(|field| groups(&field.ty) || *field.name == *by) {
                        option value=(field.name) selected[*field.name == *by] { (field.labels.text(desk.language)) }
                    }
                }
            }
            (day("from", "web-from")) (day("to", "web-to"))
            button { (desk.say("web-show")) }
        }
    }
}

// Relative days as browsers write days; what is none stays for its error.
fn as_day(desk: &Desk, text: &str) -> String {
    Day::parse_relative(text, desk.today()).map_or_else(|| text.to_owned(), |day| desk.formats.day_input(day))
}

fn shown(desk: &Desk, figures: &Report) -> Result<Markup> {
    let (headings, rows) = figures.table(desk.language);
    let numeric = |at: usize| figures.rows.iter().any(|row| row.get(at).is_some_and(Cell::is_number));
    let numeric: Vec<bool> = (0..headings.len()).map(numeric).collect();
    let linked = figures.columns.iter().position(|column| column.key == counted(figures.kind));
    Ok(html! {
        @if rows.is_empty() { p.empty { (desk.say("web-no-figures")) } } @else {
            figure.chart { (PreEscaped(drawn(desk, figures)?)) }
            div.scroll { table {
                thead { tr { @for (heading, numeric) in headings.iter().zip(&numeric) { th scope="col" .number[*numeric] { (heading) } } } }
                tbody { @for (cells, drill) in rows.iter().zip(&figures.drills).take(ROWS_MAX) {
                    tr { @for (at, (text, numeric)) in cells.iter().zip(&numeric).enumerate() {
                        td.number[*numeric] { (cell(desk, at, text, *numeric, drill.as_ref().filter(|_| Some(at) == linked))) }
                    } }
                } }
            } }
            @if rows.len() > ROWS_MAX { p.quiet { (Message::new("web-more-rows").with("count", rows.len() - ROWS_MAX).render(desk.language)) } }
        }
        (completeness(desk, figures))
    })
}

fn cell(desk: &Desk, at: usize, text: &str, numeric: bool, drill: Option<&Drill>) -> Markup {
    let text = match (text, numeric) {
        ("", _) if at == 0 => "–".to_owned(),
        (text, true) => desk.formats.figure(text),
        (text, false) => text.to_owned(),
    };
    match drill {
        Some(drill) => {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("where", &drill.filter).finish();
            html! { a href={ "/c/" (drill.collection) "?" (query) } title=(desk.say("web-records-behind")) { (text) } }
        }
        None => html! { (text) },
    }
}

// The column whose number is that of the records behind a row, or that names them.
fn counted(kind: Kind) -> &'static str {
    match kind {
        Kind::Funnel | Kind::Pipeline | Kind::Refusals | Kind::Vip => "count",
        Kind::ActivityFunnel => "records",
        Kind::Plan => "reached",
        Kind::Branches | Kind::Activity => "by",
    }
}

// Up to when the work of each branch has arrived here. What is written here is here.
fn completeness(desk: &Desk, figures: &Report) -> Markup {
    html! {
        section.complete aria-label=(desk.say("web-complete")) {
            h2 { (desk.say("web-complete")) }
            @if figures.complete_through.is_empty() { p.quiet { (desk.say("web-complete-here")) } }
            ul { @for (branch, at) in &figures.complete_through {
                li { strong { (branch) } " " @match at {
                    Some(at) => { (desk.moment(*at)) }
                    None => { span.notice { (desk.say("web-never-heard")) } }
                } }
            } }
        }
    }
}
