//! `/board/opportunity`: deals by stage, with the sum of each stage by currency; narrowed like a list, in the address.

use std::collections::HashMap;

use axum::extract::{Query as Asked, State as Shared};
use axum::response::Response;
use branchline_core::Result;
use branchline_core::access::Action;
use branchline_core::replica::{Page, Query, Record, Tally};
use branchline_core::schema::{Choice, Collection, Currency, Field, Filter, Literal, Money, Op};
use maud::{Markup, html};

use super::desk::{Desk, Reply, Visitor};
use super::record::titled;
use super::view::{View, whose};
use super::{frame, list};
use crate::server::Node;

const DEALS: &str = "opportunity";
const PLACE: &str = "/board/opportunity";
/// Cards of a column; the list of its stage has the others.
const CARDS_MAX: usize = 25;
/// What a card says of its deal, beside the title.
const SHOWN: [&str; 4] = ["stage", "account", "amount", "expected_on"];

/// `GET /board/opportunity`, with what an address of a list says.
pub(super) async fn page(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Asked(mut asked): Asked<HashMap<String, String>>,
) -> Response {
    visitor
        .read(node, move |desk| {
            list::built(desk, DEALS, &mut asked)?;
            show(desk, &View::of(&asked))
        })
        .await
}

/// The address of the board under a view.
pub(super) fn address(view: &View) -> String {
    match view.query_text() {
        query if query.is_empty() => PLACE.to_owned(),
        query => format!("{PLACE}?{query}"),
    }
}

fn show(desk: &Desk, view: &View) -> Result<Reply> {
    let collection = desk.schema.require(DEALS)?;
    let title = desk.say("web-board");
    let whose: Vec<&Field> = whose(collection).map(|(field, _)| field).collect();
    let asking = list::narrowing(desk, collection, view, PLACE, &whose, &html! {})?;
    let columns = columns(desk, collection, view);
    let body = html! {
        div.head {
            h1 { (title) }
            @if desk.may(Action::Create, collection) { a.button href={ "/c/" (DEALS) "/new" } { (desk.say("web-new")) } }
        }
        (asking)
        @match &columns {
            Err(error) => { (frame::problem(desk.language, error)) }
            Ok(columns) => { div.board { @for column in columns { (column) } } }
        }
    };
    Ok(if columns.is_ok() { Reply::Page(title, body) } else { Reply::Again(title, body) })
}

fn columns(desk: &Desk, collection: &Collection, view: &View) -> Result<Vec<Markup>> {
    let field = collection.require_field("stage")?;
    let may = desk.may(Action::Edit, collection);
    let wanted = view.query(desk, collection)?;
    let tallies = desk.principal.tally(&wanted, "stage", "amount")?;
    let of_stage = |value: &str| tallies.iter().find(|tally| tally.value == value);
    let no_stage = desk.say("web-no-stage");
    let mut stages = Vec::new();
    if let total @ Some(_) = of_stage("") {
        let of = Filter::Empty { field: field.name.clone(), negated: false };
        stages.push((of, Stage { value: "", label: &no_stage, total }));
    }
    for Choice { value, labels } in field.ty.choices() {
        let is_it = Literal::Text(value.clone());
        let of = Filter::Compare { field: field.name.clone(), op: Op::Eq, value: is_it };
        stages.push((of, Stage { value, label: labels.text(desk.language), total: of_stage(value) }));
    }
    let of_stages: Vec<Query> = stages.iter().map(|(of, _)| narrowed(&wanted, of)).collect();
    let pages = desk.principal.lists(&of_stages)?;
    desk.meet(pages.iter().flat_map(|page| &page.rows))?;
    let asked = Shown { view, may };
    Ok(stages.iter().zip(&pages).map(|((_, stage), page)| column(desk, field, stage, page, &asked)).collect())
}

fn narrowed(wanted: &Query, of: &Filter) -> Query {
    let parts: Vec<Filter> = wanted.filter.iter().chain([of]).cloned().collect();
    let query = Query { filter: Some(Filter::And(parts)), ..wanted.clone() };
    query.fields(SHOWN).titled().limited(CARDS_MAX)
}

// How the whole board is looked at.
struct Shown<'a> {
    view: &'a View,
    may: bool,
}

struct Stage<'a> {
    /// Empty for deals that stand in none.
    value: &'a str,
    label: &'a str,
    /// None where no deal stands in it.
    total: Option<&'a Tally>,
}

fn column(desk: &Desk, field: &Field, stage: &Stage<'_>, page: &Page, asked: &Shown<'_>) -> Markup {
    let list = match stage.value {
        "" => asked.view.and("stage is empty").with(DEALS, "is.stage", ""),
        value => asked.view.with(DEALS, "is.stage", value),
    };
    html! {
        section.stage data-stage=(stage.value) aria-label=(stage.label) {
            h2 { a href=(list) { (stage.label) } }
            p.quiet {
                (frame::count(desk, stage.total.map_or(0, |total| total.records)))
                @for (currency, minor) in stage.total.iter().flat_map(|total| &total.sums) { br; (money(desk, *currency, *minor)) }
            }
            ul { @for record in &page.rows { (card(desk, field, record, asked)) } }
            @if page.next.is_some() { p { a href=(list) { (desk.say("web-all")) } } }
        }
    }
}

// Thousands apart, for a sum is read at a glance.
fn money(desk: &Desk, currency: Currency, minor: i64) -> String {
    let text = Money { minor, currency }.amount_text();
    desk.formats.figure(&format!("{text} {}", currency.code()))
}

fn card(desk: &Desk, field: &Field, record: &Record, asked: &Shown<'_>) -> Markup {
    let may = asked.may;
    let place = format!("/c/{DEALS}/{}", record.id);
    let stage = record.text("stage").to_owned();
    let collection = desk.schema.collection(DEALS);
    let shown = |name: &str| {
        let field = collection.and_then(|collection| collection.field(name));
        field.map(|field| desk.text(field, record.value(name))).unwrap_or_default()
    };
    html! {
        li.card data-card=(place) draggable=[may.then_some("true")] {
            a href=(place) { @if let Some(collection) = collection { (titled(desk, collection, &record.id)) } }
            @if record.conflicted { " " span.mark title=(desk.say("web-conflict")) { "≠" } }
            p { (shown("account")) }
            p { strong { (shown("amount")) } " " span.quiet { (shown("expected_on")) } }
            @if may {
                form.move method="post" action=(place) {
                    input type="hidden" name="back" value="board";
                    input type="hidden" name="view" value=(asked.view.query_text());
                    input type="hidden" name="was.stage" value=(stage);
                    select name="f.stage" aria-label=(field.labels.text(desk.language)) data-submits="" {
                        @if stage.is_empty() { option value="" selected { "–" } }
                        @for choice in field.ty.choices() {
                            option value=(choice.value) selected[choice.value == stage] { (choice.labels.text(desk.language)) }
                        }
                    }
                    button.plain { (desk.say("web-move")) }
                }
            }
        }
    }
}
