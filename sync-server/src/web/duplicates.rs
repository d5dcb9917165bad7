//! `/duplicates`: pairs that are probably one thing, merged field by field side by side, and merges taken back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Form, Path, Query as Asked, State as Shared};
use axum::response::{IntoResponse as _, Redirect, Response};
use branchline_core::Result;
use branchline_core::access::Action;
use branchline_core::crm::{self, Candidate, Taken};
use branchline_core::id::RecordId;
use branchline_core::replica::{Cursor, Query, Record};
use branchline_core::schema::{Collection, Field, FieldType, Name, Value};
use branchline_core::time::Millis;
use maud::{Markup, html};

use super::desk::{Desk, Reply, Visitor};
use super::form;
use super::form::Typed;
use super::record::titled;
use crate::server::Node;

/// Collections in which people look for duplicates.
const KINDS: [&str; 4] = ["account", "contact", "lead", "product"];
/// Pairs of a page; more come as these are merged.
const PAIRS_MAX: usize = 50;
/// Pairs remembered of one search.
const FOUND_MAX: usize = 1_000;
/// Searches remembered at once.
const SEARCHES_MAX: usize = 32;
/// What was found is good for so many times what finding it took, in ms at most.
const GOOD_FOR_TIMES: i64 = 10;
const GOOD_FOR_MS_MAX: i64 = 60_000;
/// Merged records of a page.
const MERGED_MAX: usize = 200;

/// The pairs found last, by person and collection. To find them is to read and compare a whole collection, so that is done
/// once at a time, and not again while nothing was written, nor too soon.
#[derive(Clone, Default)]
pub(crate) struct Pairs(Arc<Mutex<HashMap<(RecordId, String), Found>>>);

struct Found {
    cursor: Cursor,
    at: Millis,
    good_until: Millis,
    pairs: Vec<Candidate>,
}

impl Pairs {
    // What of it has been merged or archived meanwhile, or is not seen any more, is left out.
    fn of(&self, desk: &Desk, collection: &str) -> Result<Vec<Candidate>> {
        let replica = desk.principal.replica();
        let (cursor, now) = (replica.cursor()?, replica.environment().now());
        let key = (desk.me.id, collection.to_owned());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_good = |found: &Found| found.cursor == cursor || (found.at..found.good_until).contains(&now);
        if !known.get(&key).is_some_and(is_good) {
            let mut pairs = crm::duplicates(replica, collection)?;
            pairs.truncate(FOUND_MAX);
            if known.len() >= SEARCHES_MAX {
                known.clear();
            }
            let took = replica.environment().now().0 - now.0;
            let good_until = now.plus((took * GOOD_FOR_TIMES).clamp(0, GOOD_FOR_MS_MAX));
            known.insert(key.clone(), Found { cursor, at: now, good_until, pairs });
        }
        let stands = |id: &RecordId| {
            let record = desk.principal.record(collection, id);
            record.is_ok_and(|record| !record.archived && record.merged_into.is_none())
        };
        let found = known.get(&key).map(|found| found.pairs.iter()).into_iter().flatten();
        Ok(found.filter(|pair| stands(&pair.a) && stands(&pair.b)).take(PAIRS_MAX + 1).cloned().collect())
    }
}

/// `GET /duplicates`: where most are.
pub(super) async fn start() -> Response {
    Redirect::to("/duplicates/account").into_response()
}

/// `GET /duplicates/{collection}`.
pub(super) async fn pairs(Shared(node): Shared<Node>, visitor: Visitor, Path(name): Path<String>) -> Response {
    let known = node.pairs.clone();
    visitor
        .read(node, move |desk| {
            let collection = desk.schema.require(&name)?;
            let pairs = known.of(desk, &name)?;
            let title = desk.say("web-duplicates");
            let body = html! {
                div.head { h1 { (title) } a.plain href={ "/duplicates/" (name) "/merged" } { (desk.say("web-merged")) } }
                (tabs(desk, &name))
                @if pairs.is_empty() { p.empty { (desk.say("web-no-duplicates")) } }
                ul.work { @for pair in pairs.iter().take(PAIRS_MAX) { (line(desk, collection, pair)) } }
                @if pairs.len() > PAIRS_MAX { p.quiet { (desk.say("web-more-duplicates")) } }
            };
            Ok(Reply::Page(title, body))
        })
        .await
}

fn tabs(desk: &Desk, now: &str) -> Markup {
    html! {
        p.tabs { @for name in KINDS { @if let Some(collection) = desk.schema.collection(name) {
            a href={ "/duplicates/" (name) } aria-current=[(name == now).then_some("page")] { (collection.labels.text(desk.language)) } " "
        } } }
    }
}

fn line(desk: &Desk, collection: &Collection, pair: &Candidate) -> Markup {
    html! {
        li {
            span.badge { (format!("{:.0} %", pair.score * 100.0)) }
            a href={ "/duplicates/" (collection.name) "/pair?a=" (pair.a) "&b=" (pair.b) } {
                (titled(desk, collection, &pair.a)) " ↔ " (titled(desk, collection, &pair.b))
            }
            span.quiet { (pair.why(collection, desk.language)) }
        }
    }
}

/// `GET /duplicates/{collection}/pair?a=…&b=…`: the two side by side.
pub(super) async fn pair(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path(name): Path<String>,
    Asked(asked): Asked<HashMap<String, String>>,
) -> Response {
    visitor
        .read(node, move |desk| {
            let collection = desk.schema.require(&name)?;
            let of = |side: &str| {
                let text = form::text(&asked, side);
                desk.principal.record(&name, &desk.principal.find(&name, text)?)
            };
            let (a, b) = (of("a")?, of("b")?);
            if a.id == b.id {
                return Ok(Reply::Go(format!("/c/{name}/{}", a.id)));
            }
            let title = desk.say("web-merge");
            let body = html! {
                p.trail { a href={ "/duplicates/" (name) } { (desk.say("web-duplicates")) } }
                h1 { (title) }
                p.quiet { (desk.say("web-merge-what")) }
                (side_by_side(desk, collection, &a, &b))
            };
            Ok(Reply::Page(title, body))
        })
        .await
}

fn side_by_side(desk: &Desk, collection: &Collection, a: &Record, b: &Record) -> Markup {
    // The one that has more to say is kept unless somebody wants the other.
    let first = a.fields.len() >= b.fields.len();
    let head = |record: &Record, side: &str, chosen: bool| {
        html! {
            th scope="col" {
                label { input type="radio" name="keep" value=(side) checked[chosen]; " " (desk.say("web-merge-keep")) }
                br; a href={ "/c/" (collection.name) "/" (record.id) } { (titled(desk, collection, &record.id)) }
                br; span.quiet { (desk.moment(record.updated.at)) " " (desk.person(record.updated.by.as_ref())) }
            }
        }
    };
    let differing = |field: &&Field| a.value(&field.name) != b.value(&field.name) && is_taken(field);
    let same = |field: &&Field| a.value(&field.name) == b.value(&field.name) && *a.value(&field.name) != Value::Null;
    html! {
        form.record method="post" action={ "/duplicates/" (collection.name) } {
            input type="hidden" name="a" value=(a.id);
            input type="hidden" name="b" value=(b.id);
            div.scroll { table.sides-by {
                thead { tr {
                    th scope="col" { span.hidden { (desk.say("web-import-field")) } }
                    (head(a, "a", first)) (head(b, "b", !first))
                    th scope="col" { span.hidden { (desk.say("web-merge-both")) } }
                } }
                tbody {
                    @for field in collection.facts().filter(differing) { (choice(desk, field, a, b, first)) }
                    @for field in collection.facts().filter(same) {
                        tr.quiet { th scope="row" { (field.labels.text(desk.language)) } td colspan="3" { (desk.text(field, a.value(&field.name))) } }
                    }
                }
            } }
            p.actions {
                @if desk.may(Action::Edit, collection) { button { (desk.say("web-merge")) } }
                " " a href={ "/duplicates/" (collection.name) } { (desk.say("web-cancel")) }
            }
        }
    }
}

fn choice(desk: &Desk, field: &Field, a: &Record, b: &Record, first: bool) -> Markup {
    let (left, right) = (a.value(&field.name), b.value(&field.name));
    let set = matches!(field.ty, FieldType::Set(_)) && *left != Value::Null && *right != Value::Null;
    // What only one of them says is worth keeping.
    let left_chosen = !set && (*right == Value::Null || *left != Value::Null && first);
    let side = |side: &str, value: &Value, chosen: bool| {
        html! {
            td { label { input type="radio" name={ "f." (field.name) } value=(side) checked[chosen]; " "
                @let text = desk.text(field, value);
                @if text.is_empty() { span.quiet { "–" } } @else { (text) } } }
        }
    };
    html! {
        tr {
            th scope="row" { (field.labels.text(desk.language)) }
            (side("a", left, left_chosen))
            (side("b", right, !set && !left_chosen))
            td { @if set { label { input type="radio" name={ "f." (field.name) } value="both" checked; " " (desk.say("web-merge-both")) } } }
        }
    }
}

// Lines and counters belong to their record; they stay where they are.
fn is_taken(field: &Field) -> bool {
    !matches!(field.ty, FieldType::Lines(_) | FieldType::Counter)
}

/// `POST /duplicates/{collection}`: merges two records.
pub(super) async fn merge(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path(name): Path<String>,
    Form(typed): Form<Typed>,
) -> Response {
    visitor
        .write(node, move |desk| {
            let collection = desk.schema.require(&name)?;
            let of = |side: &str| desk.principal.find(&name, form::text(&typed, side));
            let (a, b) = (of("a")?, of("b")?);
            let kept = typed.get("keep").map(String::as_str).unwrap_or("a");
            let (keep, lose, other) = if kept == "b" { (b, a, "a") } else { (a, b, "b") };
            let taken = taken(collection, &typed, other);
            crm::merge_taking(desk.principal.replica(), &name, &keep, &lose, &taken)?;
            Ok(Reply::Go(format!("/c/{name}/{keep}")))
        })
        .await
}

fn taken(collection: &Collection, typed: &Typed, other: &str) -> Vec<(Name, Taken)> {
    let of = |field: &Field| match typed.get(&format!("f.{}", field.name)).map(String::as_str) {
        Some("both") => Some((field.name.clone(), Taken::Both)),
        Some(side) if side == other => Some((field.name.clone(), Taken::Other)),
        _ => None,
    };
    collection.fields.iter().filter(|field| is_taken(field)).filter_map(of).collect()
}

/// `GET /duplicates/{collection}/merged`: merges that can be taken back.
pub(super) async fn merged(Shared(node): Shared<Node>, visitor: Visitor, Path(name): Path<String>) -> Response {
    visitor
        .read(node, move |desk| {
            let collection = desk.schema.require(&name)?;
            let mut gone: Vec<(RecordId, String, RecordId)> = Vec::new();
            let titles: Vec<&Name> = collection.title.iter().collect();
            let query = Query::of(&name).with_archived().fields(titles.iter().map(|name| &***name));
            desk.principal.each(&query, &mut |record| {
                if let Some(into) = record.merged_into.filter(|_| gone.len() < MERGED_MAX) {
                    let known = titles.iter().filter_map(|name| collection.field(name));
                    let text: Vec<String> = known.map(|field| desk.text(field, record.value(&field.name))).collect();
                    gone.push((record.id, text.join(" "), into));
                }
                Ok(())
            })?;
            let title = desk.say("web-merged");
            let body = html! {
                p.trail { a href={ "/duplicates/" (name) } { (desk.say("web-duplicates")) } }
                h1 { (title) }
                @if gone.is_empty() { p.empty { (desk.say("web-no-merged")) } }
                ul.work { @for (id, text, into) in &gone {
                    li {
                        @if text.trim().is_empty() { (desk.say("web-untitled")) } @else { (text) }
                        " → " a href={ "/c/" (name) "/" (into) } { (titled(desk, collection, into)) }
                        form method="post" { input type="hidden" name="id" value=(id); button.plain { (desk.say("web-unmerge")) } }
                    }
                } }
            };
            Ok(Reply::Page(title, body))
        })
        .await
}

/// `POST /duplicates/{collection}/merged`: takes a merge back.
pub(super) async fn unmerge(
    Shared(node): Shared<Node>,
    visitor: Visitor,
    Path(name): Path<String>,
    Form(typed): Form<Typed>,
) -> Response {
    visitor
        .write(node, move |desk| {
            let text = form::text(&typed, "id");
            // A look-up would follow the merge; here the other one is meant.
            let id = RecordId::parse(text).map_or_else(|| desk.principal.find(&name, text), Ok)?;
            desk.principal.record(&name, &id)?;
            crm::unmerge(desk.principal.replica(), &name, &id)?;
            Ok(Reply::Go(format!("/c/{name}/{id}")))
        })
        .await
}
