//! `/c/<collection>`: a list with search, filter, sort, columns and pages; saved views; what is done with many at once.
//! `/c/<collection>.csv`, `.xlsx` and `.json` are the same to take away.

use std::collections::HashMap;

use axum::extract::{Path, Query as Asked, State as Shared};
use axum::response::Response;
use branchline_core::access::Action;
use branchline_core::crm::export::{Format, export};
use branchline_core::replica::{Direction, Query, Record};
use branchline_core::schema::{Collection, Field, Filter, Literal, Op};
use branchline_core::time::Day;
use branchline_core::{Error, Result};
use maud::{Markup, html};

use super::desk::{Desk, Reply, Visitor};
use super::form;
use super::frame;
use super::view::{OPERATORS, View, chosen_fields, period, whose};
use crate::commands::shape::{is_number, telling_fields};
use crate::server::{Node, transfer};

/// Rows of a page.
const PAGE_ROWS: usize = 50;
/// Saved views of a collection that are offered.
const VIEWS_MAX: usize = 100;

pub(super) async fn page(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path(name): Path<String>,
    Asked(mut asked): Asked<HashMap<String, String>>,
) -> Response {
    visitor
        .read(node, move |desk| {
            built(desk, &name, &mut asked)?;
            let view = View::of(&asked);
            match name.rsplit_once('.') {
                Some((name, shape)) => taken(desk, name, shape, &view),
                None => show(desk, &name, &view, asked.get("changed").map(String::as_str)),
            }
        })
        .await
}

/// What was typed into the filter builder as filters have it: they are shared and so in nobody's own format.
pub(super) fn built(desk: &Desk, collection: &str, asked: &mut HashMap<String, String>) -> Result<()> {
    let field =
        desk.schema.collection(collection).and_then(|collection| collection.field(form::text(asked, "add.field")));
    if let (Some(field), Some(value)) = (field, asked.get_mut("add.value")) {
        *value = desk.formats.plain(desk.language, field, value)?;
    }
    for name in ["from", "to"] {
        let field = desk.schema.collection(collection).and_then(|collection| period(collection));
        if let (Some(field), Some(value)) = (field, asked.get_mut(name)) {
            *value = desk.formats.plain(desk.language, field, value)?;
        }
    }
    Ok(())
}

// An operator as people read it; signs are the same in every language.
fn operator(desk: &Desk, op: &str) -> String {
    match op {
        "is empty" => desk.say("web-is-empty"),
        "is not empty" => desk.say("web-is-not-empty"),
        sign => sign.to_owned(),
    }
}

// The whole list as a file, as `export` writes it: no text begins a formula.
fn taken(desk: &Desk, name: &str, shape: &str, view: &View) -> Result<Reply> {
    let collection = desk.schema.require(name)?;
    let missing = || Error::not_found("unknown-collection").with("collection", format!("{name}.{shape}"));
    let (format, media) = match Format::parse(shape).ok_or_else(missing)? {
        Format::Csv => (Format::Csv, "text/csv; charset=utf-8"),
        Format::Json => (Format::Json, "application/json"),
        Format::Xlsx => (Format::Xlsx, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    };
    if !desk.may(Action::Export, collection) {
        return Err(Error::denied("export-denied"));
    }
    let mut query = view.query(desk, collection)?;
    if !view.columns.is_empty() {
        query = query.fields(view.columns(collection, &[]).iter().map(String::as_str));
    }
    let replica = desk.principal.replica();
    let file = transfer::made(replica, |file| export(replica, &query, format, file).map(drop))?;
    Ok(Reply::File(format!("{name}.{shape}"), media, transfer::outgoing(file)))
}

fn show(desk: &Desk, name: &str, view: &View, changed: Option<&str>) -> Result<Reply> {
    let collection = desk.schema.require(name)?;
    let title = collection.labels.text(desk.language).to_owned();
    let found = rows(desk, collection, view);
    let columns = found.as_ref().map(|found| view.columns(collection, &found.rows)).unwrap_or_default();
    let body = html! {
        div.head {
            h1 { (title) }
            @if desk.may(Action::Import, collection) { a.plain href={ "/import?collection=" (name) } { (desk.say("web-import-title")) } }
            @if desk.may(Action::Create, collection) {
                a.button href={ "/c/" (name) "/new" } { (desk.say("web-new")) }
            }
        }
        (views(desk, collection, view)?)
        (asking(desk, collection, view)?)
        @if let Some(count) = changed.and_then(|count| count.parse::<u64>().ok()) {
            p.notice role="status" { (desk.say("web-bulk-done")) " " (frame::count(desk, count)) }
        }
        @match &found {
            Err(error) => { (frame::problem(desk.language, error)) }
            Ok(found) => { (table(desk, collection, view, &columns, found)?) }
        }
    };
    Ok(match found {
        Ok(_) => Reply::Page(title, body),
        Err(_) => Reply::Again(title, body),
    })
}

struct Found {
    rows: Vec<Record>,
    total: u64,
    next: Option<String>,
}

fn rows(desk: &Desk, collection: &Collection, view: &View) -> Result<Found> {
    let mut query = view.query(desk, collection)?;
    let total = desk.principal.count(&query)?;
    query = query.titled().limited(PAGE_ROWS);
    if !view.after.is_empty() {
        query.after = Some(desk.principal.find(&collection.name, &view.after)?);
    }
    let page = desk.principal.list(&query)?;
    Ok(Found { rows: page.rows, total, next: page.next.map(|id| id.to_string()) })
}

// The person's own views, and those that others share.
fn views(desk: &Desk, collection: &Collection, now: &View) -> Result<Markup> {
    let of =
        Filter::Compare { field: "collection".into(), op: Op::Eq, value: Literal::Text(collection.name.to_string()) };
    let is = |field: &str, value| Filter::Compare { field: field.into(), op: Op::Eq, value };
    let own = is("owner", Literal::Key { collection: "user".into(), text: desk.me.id.to_string() });
    let wanted = Filter::And(vec![of, Filter::Or(vec![own, is("shared", Literal::Boolean(true))])]);
    let query = Query::of("view").filtered(wanted).sorted("name", Direction::Ascending).limited(VIEWS_MAX);
    let saved = desk.principal.list(&query)?.rows;
    let text = now.query_text();
    let place = format!("/c/{}", collection.name);
    Ok(html! {
        p.tabs {
            @for view in &saved {
                @let query = View::parse(view.text("query")).query_text();
                a href={ (place) "?" (query) } aria-current=[(query == text).then_some("page")] { (view.text("name")) }
                @if view.reference("owner") != Some(desk.me.id) { " " small.quiet { (desk.person(view.reference("owner").as_ref())) } }
                " "
            }
            @if let Some(view) = saved.iter().find(|view| View::parse(view.text("query")).query_text() == text && view.reference("owner") == Some(desk.me.id)) {
                form.inline method="post" action={ (place) "/views" } {
                    input type="hidden" name="remove" value=(view.id);
                    button.plain { (desk.say("web-view-remove")) }
                }
            }
        }
        @if !text.is_empty() && !saved.iter().any(|view| View::parse(view.text("query")).query_text() == text) {
            details.quiet { summary { (desk.say("web-view-save")) }
                form.row method="post" action={ (place) "/views" } {
                    input type="hidden" name="query" value=(text);
                    input name="name" required maxlength="80" aria-label=(desk.say("web-view-name")) placeholder=(desk.say("web-view-name"));
                    label.check { input type="checkbox" name="shared" value="yes"; " " (desk.say("web-view-shared")) }
                    button { (desk.say("web-save")) }
                }
            }
        }
    })
}

// The parts of a view in a form that changes one of them.
fn kept(view: &View, but: &[&str]) -> Markup {
    let pairs: Vec<_> = view.pairs().into_iter().filter(|(key, _)| !but.contains(key)).collect();
    html! { @for (key, value) in pairs { input type="hidden" name=(key) value=(value); } }
}

fn asking(desk: &Desk, collection: &Collection, view: &View) -> Result<Markup> {
    let place = format!("/c/{}", collection.name);
    let shown = if view.columns.is_empty() { telling_fields(collection).join(",") } else { view.columns.clone() };
    let order: Vec<&str> = shown.split(',').chain(collection.facts().map(|field| &*field.name)).collect();
    let columns = html! {
        details { summary { (desk.say("web-columns")) }
            form method="get" action=(place) {
                (kept(view, &["columns"]))
                input type="hidden" name="pick" value="1";
                input type="hidden" name="order" value=(order.join(","));
                div.boxes { @for field in collection.facts().filter(|field| !matches!(field.ty, branchline_core::schema::FieldType::Lines(_))) {
                    label.check { input type="checkbox" name={ "column." (field.name) } checked[shown.split(',').any(|name| *name == *field.name)]; " " (field.labels.text(desk.language)) }
                } }
                button { (desk.say("web-show")) }
            }
        }
        @if desk.may(Action::Export, collection) {
            span.quiet { (desk.say("web-export")) ": "
                @for shape in ["csv", "xlsx", "json"] { a href={ (place) "." (shape) "?" (view.query_text()) } download="" { (shape.to_uppercase()) } " " }
            }
        }
    };
    // Whose the records are is asked where it narrows already; elsewhere conditions say it.
    let whose: Vec<&Field> =
        whose(collection).map(|(field, _)| field).filter(|field| !view.choice(&field.name).is_empty()).collect();
    narrowing(desk, collection, view, &place, &whose, &columns)
}

/// What narrows a list or a board: words, choices, whose, a period, a filter with its builder; `more` stands beside that.
///
/// # Errors
/// Those of the store, for lists to choose from.
pub(super) fn narrowing(
    desk: &Desk,
    collection: &Collection,
    view: &View,
    place: &str,
    whose: &[&Field],
    more: &Markup,
) -> Result<Markup> {
    let mut people = Vec::new();
    for field in whose {
        people.push(form::named(desk, field, &format!("is.{}", field.name), view.choice(&field.name))?);
    }
    let (kind, example_day) = desk.formats.picker("date");
    let shown_day = |text: &str| {
        Day::parse_relative(text, desk.today()).map_or_else(|| text.to_owned(), |day| desk.formats.day_input(day))
    };
    Ok(html! {
        form.asking method="get" action=(place) role="search" {
            input type="search" name="q" value=(view.q) placeholder=(desk.say("web-words")) aria-label=(desk.say("web-words"));
            @for name in chosen_fields(collection) { @if let Some(field) = collection.field(name) {
                select name={ "is." (name) } aria-label=(field.labels.text(desk.language)) data-submits="" {
                    option value="" { (field.labels.text(desk.language)) ": " (desk.say("web-any")) }
                    @for choice in field.ty.choices() {
                        option value=(choice.value) selected[choice.value == view.choice(name)] { (choice.labels.text(desk.language)) }
                    }
                }
            } }
            @for field in people { (field) }
            @if let Some(field) = period(collection) { @for (name, label, text) in [("from", "web-from", &view.from), ("to", "web-to", &view.to)] {
                label { (field.labels.text(desk.language)) ", " (desk.say(label)) " " input type=(kind) name=(name) value=(shown_day(text)) placeholder=[&example_day]; }
            } }
            input.filter type="text" name="where" value=(view.filter) placeholder={ (desk.say("web-filter")) ": " (example(collection)) }
                aria-label=(desk.say("web-filter")) spellcheck="false";
            @for (key, value) in [("sort", &view.sort), ("columns", &view.columns)] { @if !value.is_empty() { input type="hidden" name=(key) value=(value); } }
            label.check { input type="checkbox" name="archived" value="yes" checked[!view.archived.is_empty()]; " " (desk.say("web-archived-too")) }
            button { (desk.say("web-show")) }
        }
        div.tools {
            details { summary { (desk.say("web-add-condition")) }
                form.row method="get" action=(place) {
                    (kept(view, &[]))
                    select name="add.field" aria-label=(desk.say("web-import-field")) {
                        @for field in collection.facts().filter(|field| form::is_typed(field)) { option value=(field.name) { (field.labels.text(desk.language)) } }
                    }
                    select name="add.op" aria-label=(desk.say("web-operator")) { @for op in OPERATORS { option value=(op) { (operator(desk, op)) } } }
                    input name="add.value" aria-label=(desk.say("web-import-value"));
                    button { (desk.say("web-add")) }
                }
            }
            (more)
        }
    })
}

// A filter that fits the collection, to begin from.
fn example(collection: &Collection) -> &'static str {
    if collection.field("amount").is_some() {
        "amount > 1000 and expected_on < today+30d"
    } else {
        "updated_at > today-7d"
    }
}

fn table(desk: &Desk, collection: &Collection, view: &View, columns: &[String], found: &Found) -> Result<Markup> {
    if found.rows.is_empty() {
        return Ok(html! { p.empty { (desk.say(if found.total > 0 { "web-no-more" } else { "web-nothing" })) } });
    }
    let may = desk.may(Action::Edit, collection);
    desk.meet(&found.rows)?;
    Ok(html! {
        p.quiet { (frame::count(desk, found.total)) }
        form method="post" action={ "/c/" (collection.name) "/bulk" } {
            div.scroll { table {
                thead { tr {
                    @if may { th { span.hidden { (desk.say("web-chosen")) } } }
                    @for name in columns { (heading(desk, collection, view, name)) }
                } }
                tbody { @for record in &found.rows { (line(desk, collection, columns, record, may)) } }
            } }
            @if may { (bulk(desk, collection, view, found.total)?) }
        }
        @if !view.after.is_empty() { a.button href=(view.with(&collection.name, "after", "")) { (desk.say("web-first-page")) } " " }
        @if let Some(next) = &found.next { a.button rel="next" href=(view.with(&collection.name, "after", next)) { (desk.say("web-next-page")) } }
    })
}

// What is done with the rows that are ticked, or with all that fit.
fn bulk(desk: &Desk, collection: &Collection, view: &View, total: u64) -> Result<Markup> {
    let typed = |field: &&Field| form::is_typed(field) && *field.name != *"owner";
    Ok(html! {
        details.bulk { summary { (desk.say("web-bulk")) }
            input type="hidden" name="query" value=(view.query_text());
            label.check { input type="checkbox" name="all" value="yes"; " " (desk.say("web-bulk-all")) " (" (total) ")" }
            div.row {
                select name="field" aria-label=(desk.say("web-import-field")) {
                    @for field in collection.facts().filter(typed) { option value=(field.name) { (field.labels.text(desk.language)) } }
                }
                input name="value" aria-label=(desk.say("web-import-value")) placeholder=(desk.say("web-bulk-value"));
                button name="act" value="set" { (desk.say("web-bulk-set")) }
            }
            div.row {
                @if let Some(owner) = collection.field("owner") {
                    (form::named(desk, owner, "owner", "")?)
                    button name="act" value="assign" { (desk.say("web-bulk-assign")) }
                }
                button name="act" value="archive" { (desk.say("web-archive")) }
                @if !view.archived.is_empty() { button name="act" value="restore" { (desk.say("web-restore")) } }
            }
        }
    })
}

fn heading(desk: &Desk, collection: &Collection, view: &View, name: &str) -> Markup {
    let label = collection.field(name).map_or(name, |field| field.labels.text(desk.language));
    let (upward, downward) = (view.sort == name, view.sort.strip_prefix('-') == Some(name));
    let wanted = if upward { format!("-{name}") } else { name.to_owned() };
    let sort = if upward {
        "ascending"
    } else if downward {
        "descending"
    } else {
        "none"
    };
    html! {
        th scope="col" aria-sort=(sort) .number[numeric(collection, name)] {
            a href=(view.with(&collection.name, "sort", &wanted)) { (label) @if upward { " ↑" } @if downward { " ↓" } }
        }
    }
}

fn line(desk: &Desk, collection: &Collection, columns: &[String], record: &Record, may: bool) -> Markup {
    let place = format!("/c/{}/{}", collection.name, record.id);
    let title = columns.first().and_then(|name| collection.field(name));
    let title = title.map(|field| desk.text(field, record.value(&field.name))).unwrap_or_default();
    html! {
        tr.archived[record.archived] {
            @if may { td { input type="checkbox" name={ "id." (record.id) } aria-label=(title); } }
            @for (at, name) in columns.iter().enumerate() {
                @let field = collection.field(name);
                @let text = field.map(|field| desk.text(field, record.value(name))).unwrap_or_default();
                td.number[numeric(collection, name)] {
                    @if at == 0 {
                        a href=(place) { @if text.is_empty() { (desk.say("web-untitled")) } @else { (text) } }
                        @if record.conflicted { " " span.mark title=(desk.say("web-conflict")) { "≠" } }
                    } @else { (text) }
                }
            }
        }
    }
}

fn numeric(collection: &Collection, name: &str) -> bool {
    collection.field(name).is_some_and(|field| is_number(&field.ty))
}
