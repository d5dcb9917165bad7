//! `/c/<collection>`: a list with search, filter, sort and pages.

use axum::extract::{Path, Query as Asked, State as Shared};
use axum::response::Response;
use branchline_core::Result;
use branchline_core::access::Action;
use branchline_core::replica::{Direction, Query, Record};
use branchline_core::schema::{Collection, Filter, Literal, Name, Op, Value, parse_filter};
use maud::{Markup, html};
use serde::Deserialize;
use std::collections::HashMap;

use super::desk::{Desk, Reply, Visitor};
use super::frame;
use crate::commands::query::known_field;
use crate::commands::shape::{is_number, telling_fields};
use crate::server::Node;

/// Rows of a page.
const PAGE_ROWS: usize = 50;
/// Hits of the search box that are shown.
const HITS_MAX: usize = 200;
/// Lists of choices above a table.
const CHOICES_MAX: usize = 3;

/// What the address of a list says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct View {
    q: String,
    r#where: String,
    sort: String,
    after: String,
    archived: String,
    #[serde(flatten)]
    rest: HashMap<String, String>,
}

pub(super) async fn page(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path(name): Path<String>,
    Asked(asked): Asked<HashMap<String, String>>,
) -> Response {
    visitor.read(node, move |desk| show(desk, &name, &View::of(asked))).await
}

impl View {
    fn of(mut asked: HashMap<String, String>) -> Self {
        let mut take = |name: &str| asked.remove(name).unwrap_or_default();
        let (q, filter, sort) = (take("q"), take("where"), take("sort"));
        let (after, archived) = (take("after"), take("archived"));
        Self { q, r#where: filter, sort, after, archived, rest: asked }
    }

    // The choice that is asked of a field.
    fn choice(&self, field: &str) -> &str {
        self.rest.get(&format!("is.{field}")).map(String::as_str).unwrap_or_default()
    }

    // The address of this list with one part of it changed.
    fn with(&self, collection: &str, name: &str, value: &str) -> String {
        let own = [("q", &self.q), ("where", &self.r#where), ("sort", &self.sort), ("archived", &self.archived)];
        let chosen = self.rest.iter().filter(|(key, _)| key.starts_with("is."));
        let mut pairs: Vec<(&str, &str)> = own.iter().map(|(key, value)| (*key, value.as_str())).collect();
        pairs.extend(chosen.map(|(key, value)| (key.as_str(), value.as_str())));
        pairs.retain(|(key, value)| *key != name && !value.is_empty());
        pairs.sort_unstable();
        pairs.push((name, value));
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        format!("/c/{collection}?{query}")
    }
}

fn show(desk: &Desk, name: &str, view: &View) -> Result<Reply> {
    let collection = desk.schema.require(name)?.clone();
    let title = collection.labels.text(desk.language).to_owned();
    let found = rows(desk, &collection, view);
    let columns = found.as_ref().map(|found| columns(&collection, view, &found.rows)).unwrap_or_default();
    let body = html! {
        div.head {
            h1 { (title) }
            @if desk.may(Action::Create, &collection) {
                a.button href={ "/c/" (name) "/new" } { (desk.say("web-new")) }
            }
        }
        (asking(desk, &collection, view))
        @match &found {
            Err(error) => { (frame::problem(desk.language, error)) }
            Ok(found) => { (table(desk, &collection, view, &columns, found)) }
        }
    };
    Ok(match found {
        Ok(_) => Reply::Page(title, body),
        Err(_) => Reply::Again(title, body),
    })
}

// What is empty in all rows is left out, but for the title and what sorts them.
fn columns(collection: &Collection, view: &View, rows: &[Record]) -> Vec<String> {
    let mut columns = telling_fields(collection);
    let sorts = view.sort.trim_start_matches('-').to_owned();
    let mut at = 0;
    columns.retain(|name| {
        at += 1;
        at == 1 || *name == sorts || rows.iter().any(|record| *record.value(name) != Value::Null)
    });
    columns
}

struct Found {
    rows: Vec<Record>,
    total: u64,
    next: Option<String>,
}

fn rows(desk: &Desk, collection: &Collection, view: &View) -> Result<Found> {
    let mut query = Query::of(&collection.name);
    query.archived = !view.archived.is_empty();
    let mut parts: Vec<Filter> = Vec::new();
    if !view.r#where.trim().is_empty() {
        let today = desk.principal.replica().environment().now().day();
        parts.push(parse_filter(&view.r#where, collection, today)?);
    }
    for field in chosen_fields(collection).filter(|field| !view.choice(field).is_empty()) {
        let value = Literal::Text(view.choice(field).to_owned());
        parts.push(Filter::Compare { field: field.clone(), op: Op::Eq, value });
    }
    if !view.q.trim().is_empty() {
        let hits = desk.principal.search(&view.q, HITS_MAX)?;
        let ids = hits.into_iter().filter(|hit| hit.collection == collection.name);
        let values = ids.map(|hit| Literal::Text(hit.id.to_string())).collect();
        parts.push(Filter::In { field: "id".into(), values });
    }
    if !parts.is_empty() {
        query.filter = Some(Filter::And(parts));
    }
    query.sort = sorted(collection, &view.sort)?;
    let total = desk.principal.count(&query)?;
    query.limit = Some(PAGE_ROWS);
    if !view.after.is_empty() {
        query.after = Some(desk.principal.find(&collection.name, &view.after)?);
    }
    let page = desk.principal.list(&query)?;
    Ok(Found { rows: page.rows, total, next: page.next.map(|id| id.to_string()) })
}

// Without a wish, the newest first.
fn sorted(collection: &Collection, text: &str) -> Result<Vec<(Name, Direction)>> {
    let text = if text.is_empty() { "-updated_at" } else { text };
    let (name, direction) = match text.strip_prefix('-') {
        Some(name) => (name, Direction::Descending),
        None => (text, Direction::Ascending),
    };
    Ok(vec![(known_field(collection, name)?, direction)])
}

fn chosen_fields(collection: &Collection) -> impl Iterator<Item = &Name> {
    let choices = collection.fields.iter().filter(|field| !field.ty.choices().is_empty());
    choices.map(|field| &field.name).take(CHOICES_MAX)
}

fn asking(desk: &Desk, collection: &Collection, view: &View) -> Markup {
    html! {
        form.asking method="get" action={ "/c/" (collection.name) } role="search" {
            input type="search" name="q" value=(view.q) placeholder=(desk.say("web-words")) aria-label=(desk.say("web-words"));
            @for name in chosen_fields(collection) { @if let Some(field) = collection.field(name) {
                select name={ "is." (name) } aria-label=(field.labels.text(desk.language)) data-submits="" {
                    option value="" { (field.labels.text(desk.language)) ": " (desk.say("web-any")) }
                    @for choice in field.ty.choices() {
                        option value=(choice.value) selected[choice.value == view.choice(name)] { (choice.labels.text(desk.language)) }
                    }
                }
            } }
            input.filter type="text" name="where" value=(view.r#where) placeholder={ (desk.say("web-filter")) ": " (example(collection)) }
                aria-label=(desk.say("web-filter")) spellcheck="false";
            @if !view.sort.is_empty() { input type="hidden" name="sort" value=(view.sort); }
            label.check { input type="checkbox" name="archived" value="yes" checked[!view.archived.is_empty()]; " " (desk.say("web-archived-too")) }
            button { (desk.say("web-show")) }
        }
    }
}

// A filter that fits the collection, to begin from.
fn example(collection: &Collection) -> &'static str {
    if collection.field("amount").is_some() {
        "amount > 1000 and expected_on < today+30d"
    } else {
        "updated_at > today-7d"
    }
}

fn table(desk: &Desk, collection: &Collection, view: &View, columns: &[String], found: &Found) -> Markup {
    if found.rows.is_empty() {
        return html! { p.empty { (desk.say(if found.total > 0 { "web-no-more" } else { "web-nothing" })) } };
    }
    html! {
        p.quiet { (frame::count(desk, found.total)) }
        div.scroll { table {
            thead { tr { @for name in columns { (heading(desk, collection, view, name)) } } }
            tbody { @for record in &found.rows { (line(desk, collection, columns, record)) } }
        } }
        @if !view.after.is_empty() { a.button href=(view.with(&collection.name, "after", "")) { (desk.say("web-first-page")) } " " }
        @if let Some(next) = &found.next { a.button rel="next" href=(view.with(&collection.name, "after", next)) { (desk.say("web-next-page")) } }
    }
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

fn line(desk: &Desk, collection: &Collection, columns: &[String], record: &Record) -> Markup {
    let place = format!("/c/{}/{}", collection.name, record.id);
    html! {
        tr.archived[record.archived] {
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
