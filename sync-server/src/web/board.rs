//! `/board/opportunity`: deals by stage, with the sum of each stage by currency.

use axum::extract::State as Shared;
use axum::response::Response;
use branchline_core::Result;
use branchline_core::access::Action;
use branchline_core::replica::{Direction, Query, Record, Tally};
use branchline_core::schema::{Choice, Currency, Field, Filter, Literal, Money, Op};
use maud::{Markup, html};

use super::desk::{Desk, Reply, Visitor};
use super::frame;
use super::record::titled;
use crate::server::Node;

const DEALS: &str = "opportunity";
/// Cards of a column; the list of its stage has the others.
const CARDS_MAX: usize = 25;
/// What a card says of its deal, beside the title.
const SHOWN: [&str; 4] = ["stage", "account", "amount", "expected_on"];

pub(super) async fn page(Shared(node): Shared<Node>, visitor: Visitor) -> Response {
    visitor.read(node, show).await
}

fn show(desk: &Desk) -> Result<Reply> {
    let collection = desk.schema.require(DEALS)?.clone();
    let field = collection.require_field("stage")?;
    let may = desk.may(Action::Edit, &collection);
    let tallies = desk.principal.tally(&Query::of(DEALS), "stage", "amount")?;
    let of_stage = |value: &str| tallies.iter().find(|tally| tally.value == value);
    let mut columns = Vec::new();
    if let total @ Some(_) = of_stage("") {
        let of = Filter::Empty { field: field.name.clone(), negated: false };
        let stage = Stage { value: "", label: &desk.say("web-no-stage"), of, total };
        columns.push(column(desk, field, &stage, may)?);
    }
    for Choice { value, labels } in field.ty.choices() {
        let is_it = Literal::Text(value.clone());
        let of = Filter::Compare { field: field.name.clone(), op: Op::Eq, value: is_it };
        let stage = Stage { value, label: labels.text(desk.language), of, total: of_stage(value) };
        columns.push(column(desk, field, &stage, may)?);
    }
    let title = desk.say("web-board");
    let body = html! {
        div.head {
            h1 { (title) }
            @if desk.may(Action::Create, &collection) { a.button href={ "/c/" (DEALS) "/new" } { (desk.say("web-new")) } }
        }
        div.board { @for column in columns { (column) } }
    };
    Ok(Reply::Page(title, body))
}

struct Stage<'a> {
    /// Empty for deals that stand in none.
    value: &'a str,
    label: &'a str,
    of: Filter,
    /// None where no deal stands in it.
    total: Option<&'a Tally>,
}

fn column(desk: &Desk, field: &Field, stage: &Stage<'_>, may: bool) -> Result<Markup> {
    let query = Query::of(DEALS).filtered(stage.of.clone()).sorted("updated_at", Direction::Descending);
    let page = desk.principal.list(&query.fields(SHOWN).limited(CARDS_MAX))?;
    desk.meet(&page.rows)?;
    let (name, asked) = if stage.value.is_empty() { ("where", "stage is empty") } else { ("is.stage", stage.value) };
    let list = form_urlencoded::Serializer::new(String::new()).append_pair(name, asked).finish();
    Ok(html! {
        section.stage data-stage=(stage.value) aria-label=(stage.label) {
            h2 { a href={ "/c/" (DEALS) "?" (list) } { (stage.label) } }
            p.quiet {
                (frame::count(desk, stage.total.map_or(0, |total| total.records)))
                @for (currency, minor) in stage.total.iter().flat_map(|total| &total.sums) { br; (money(desk, *currency, *minor)) }
            }
            ul { @for record in &page.rows { (card(desk, field, record, may)) } }
            @if page.next.is_some() { p { a href={ "/c/" (DEALS) "?" (list) } { (desk.say("web-all")) } } }
        }
    })
}

// Thousands apart, for a sum is read at a glance.
fn money(desk: &Desk, currency: Currency, minor: i64) -> String {
    let text = Money { minor, currency }.amount_text();
    desk.formats.figure(&format!("{text} {}", currency.code()))
}

fn card(desk: &Desk, field: &Field, record: &Record, may: bool) -> Markup {
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
