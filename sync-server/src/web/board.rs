//! `/board/opportunity`: deals by stage, with the sum of each stage by currency; narrowed like a list, in the address.
//! Where no other order is asked for, the cards of a stage stand as people have moved them, then the newest first.

use std::collections::HashMap;

use axum::extract::{Query as Asked, State as Shared};
use axum::response::Response;
use branchline_core::Result;
use branchline_core::access::Action;
use branchline_core::crm::board::{self, Card, PLACE};
use branchline_core::document::Edit;
use branchline_core::id::RecordId;
use branchline_core::replica::{Page, Query, Record, Tally};
use branchline_core::schema::{Choice, Collection, Currency, Field, Filter, Literal, Money, Op, Value};
use maud::{Markup, html};

use super::desk::{Desk, Reply, Visitor};
use super::form::{self, Typed};
use super::record::titled;
use super::view::{View, whose};
use super::{frame, list};
use crate::server::Node;

const DEALS: &str = "opportunity";
const ADDRESS: &str = "/board/opportunity";
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
        query if query.is_empty() => ADDRESS.to_owned(),
        query => format!("{ADDRESS}?{query}"),
    }
}

fn show(desk: &Desk, view: &View) -> Result<Reply> {
    let collection = desk.schema.require(DEALS)?;
    let title = desk.say("web-board");
    let whose: Vec<&Field> = whose(collection).map(|(field, _)| field).collect();
    let asking = list::narrowing(desk, collection, view, ADDRESS, &whose, &html! {})?;
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
        stages.push(Stage { value: "", label: &no_stage, total });
    }
    for Choice { value, labels } in field.ty.choices() {
        stages.push(Stage { value, label: labels.text(desk.language), total: of_stage(value) });
    }
    let questions = stages.iter().flat_map(|stage| questions(&wanted, view, stage.value));
    let questions: Vec<Query> = questions.map(|query| query.fields(SHOWN).titled().limited(CARDS_MAX)).collect();
    let mut pages = desk.principal.lists(&questions)?;
    desk.meet(pages.iter().flat_map(|page| &page.rows))?;
    let asked = Shown { view, may };
    let of_each = pages.len() / stages.len().max(1);
    let columns = stages.iter().zip(pages.chunks_mut(of_each.max(1)));
    Ok(columns.map(|(stage, pages)| column(desk, field, stage, &Cards::of(pages), &asked)).collect())
}

// What lists the cards of a stage in their order, one answer behind the other.
fn questions(wanted: &Query, view: &View, stage: &str) -> Vec<Query> {
    let field = "stage".into();
    let of = match stage {
        "" => Filter::Empty { field, negated: false },
        stage => Filter::Compare { field, op: Op::Eq, value: Literal::Text(stage.to_owned()) },
    };
    let parts: Vec<Filter> = wanted.filter.iter().cloned().chain([of]).collect();
    let column = Query { filter: Some(Filter::And(parts)), ..wanted.clone() };
    if view.sort.is_empty() { board::halves(&column).into() } else { vec![column] }
}

/// What must be written so that a card stands where it was put: its place and those of cards above it. A stage that was
/// chosen without a place there takes the card among those that have none.
///
/// # Errors
/// Those of the store, and of an address that asks for what is not there.
pub(super) fn places(desk: &Desk, record: &Record, typed: &Typed) -> Result<Vec<(RecordId, Edit)>> {
    let place = |record, place| (record, Edit::Set(PLACE.into(), place));
    if form::text(typed, "back") != "board" {
        return Ok(Vec::new());
    }
    let view = View::parse(form::text(typed, "view"));
    let stage = typed.get("f.stage").map_or_else(|| record.text("stage"), String::as_str);
    let Some(behind) = typed.get("behind").filter(|_| view.sort.is_empty()) else {
        let leaves = stage != record.text("stage") && *record.value(PLACE) != Value::Null;
        return Ok(leaves.then(|| place(record.id, Value::Null)).into_iter().collect());
    };
    let behind = match behind.as_str() {
        "" => None,
        id => Some(desk.principal.find(DEALS, id)?),
    };
    let wanted = view.query(desk, desk.schema.require(DEALS)?)?;
    let questions = questions(&wanted, &view, stage).into_iter();
    let questions: Vec<Query> = questions.map(|query| query.fields([PLACE]).limited(CARDS_MAX + 1)).collect();
    let rows = desk.principal.lists(&questions)?.into_iter().flat_map(|page| page.rows);
    let card = |row: Record| Card { record: row.id, place: row.text(PLACE).to_owned() };
    let column: Vec<Card> = rows.take(CARDS_MAX + 1).map(card).collect();
    let moved = board::moved(&column, record.id, behind).into_iter();
    Ok(moved.map(|card| place(card.record, Value::Text(card.place))).collect())
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

struct Cards {
    rows: Vec<Record>,
    /// Whether the stage has more of them.
    more: bool,
}

impl Cards {
    fn of(pages: &mut [Page]) -> Self {
        let mut rows: Vec<Record> = pages.iter_mut().flat_map(|page| page.rows.drain(..)).collect();
        let more = rows.len() > CARDS_MAX || pages.iter().any(|page| page.next.is_some());
        rows.truncate(CARDS_MAX);
        Self { rows, more }
    }

    // Behind which cards this one stands when it goes up and when it goes down; the empty text is the head of the column.
    fn around(&self, at: usize) -> [Option<String>; 2] {
        let id = |at: usize| self.rows.get(at).map(|record| record.id.to_string());
        let up = match at {
            0 => None,
            1 => Some(String::new()),
            _ => id(at - 2),
        };
        [up, id(at + 1)]
    }
}

fn column(desk: &Desk, field: &Field, stage: &Stage<'_>, cards: &Cards, asked: &Shown<'_>) -> Markup {
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
            ul { @for (at, record) in cards.rows.iter().enumerate() { (card(desk, field, record, cards.around(at), asked)) } }
            @if cards.more { p { a href=(list) { (desk.say("web-all")) } } }
        }
    }
}

// Thousands apart, for a sum is read at a glance.
fn money(desk: &Desk, currency: Currency, minor: i64) -> String {
    let text = Money { minor, currency }.amount_text();
    desk.formats.figure(&format!("{text} {}", currency.code()))
}

fn card(desk: &Desk, field: &Field, record: &Record, around: [Option<String>; 2], asked: &Shown<'_>) -> Markup {
    let may = asked.may;
    let [up, down] = around;
    let arrows = [("↑", "web-move-up", up), ("↓", "web-move-down", down)];
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
                    @if asked.view.sort.is_empty() {
                        @for (arrow, label, behind) in arrows {
                            button.step name="behind" value=[behind.as_ref()] disabled[behind.is_none()] aria-label=(desk.say(label)) title=(desk.say(label)) { (arrow) }
                        }
                    }
                }
            }
        }
    }
}
