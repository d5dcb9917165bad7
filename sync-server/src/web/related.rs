//! What refers to a record, and what may be the same as it.

use branchline_core::Result;
use branchline_core::access::Action;
use branchline_core::id::RecordId;
use branchline_core::replica::{Direction, Page, Query, Record};
use branchline_core::schema::{Collection, Field, FieldType, Filter, Literal, Op, Value};
use maud::{Markup, html};

use super::desk::Desk;
use super::record::{fact, titled};

/// Records of another collection that are shown beside one.
const RELATED_MAX: usize = 8;
/// Hits looked at for each value that may belong to a duplicate.
const ALIKE_HITS: usize = 8;
/// Duplicates that a page hints at.
const ALIKE_MAX: usize = 3;

/// A list for each field that refers to records of this collection.
pub(super) fn lists(desk: &Desk, collection: &Collection, id: &RecordId) -> Result<Markup> {
    let mut lists = Vec::new();
    for other in desk.schema.collections() {
        for field in fields_to(other, collection) {
            // People are in everything that they own; files have a place of their own.
            if matches!(&*field.name, "owner" | "branch" | "team") || &*other.name == "attachment" {
                continue;
            }
            let page = desk.principal.list(&referring(other, field, collection, id).limited(RELATED_MAX))?;
            let usual = matches!(&*other.name, "contact" | "opportunity" | "activity" | "case");
            let shown = usual && *field.name == *collection.name || !page.rows.is_empty();
            if shown && (!page.rows.is_empty() || desk.may(Action::Create, other)) {
                lists.push(list(desk, other, field, id, &page));
            }
        }
    }
    Ok(html! { @for list in lists { (list) } })
}

/// The fields of a collection that refer to records of another one.
pub(super) fn fields_to<'c>(of: &'c Collection, to: &Collection) -> impl Iterator<Item = &'c Field> {
    let to = to.name.clone();
    of.fields.iter().filter(move |field| matches!(&field.ty, FieldType::Reference(target) if *target == to))
}

/// The records of a collection whose field refers to a record, the newest first.
pub(super) fn referring(other: &Collection, field: &Field, collection: &Collection, id: &RecordId) -> Query {
    let value = Literal::Key { collection: collection.name.clone(), text: id.to_string() };
    let condition = Filter::Compare { field: field.name.clone(), op: Op::Eq, value };
    Query::of(&other.name).filtered(condition).sorted("updated_at", Direction::Descending)
}

fn list(desk: &Desk, other: &Collection, field: &Field, id: &RecordId, page: &Page) -> Markup {
    let all = form_urlencoded::Serializer::new(String::new())
        .append_pair("where", &format!("{} = \"{id}\"", field.name))
        .finish();
    // Deals of a client are its deals; those in which it competes say so.
    let is_plain = field.ty.target() == Some(&field.name);
    html! {
        div.related {
            h2 {
                a href={ "/c/" (other.name) "?" (all) } {
                    (other.labels.text(desk.language))
                    @if !is_plain { " · " (field.labels.text(desk.language)) }
                }
                @if !page.rows.is_empty() { " " span.quiet { (page.rows.len()) @if page.next.is_some() { "+" } } }
                @if desk.may(Action::Create, other) {
                    " " a.plain href={ "/c/" (other.name) "/new?" (field.name) "=" (id) } aria-label=(desk.say("web-new")) { "+" }
                }
            }
            @if !page.rows.is_empty() {
                ul { @for row in &page.rows {
                    li { a href={ "/c/" (other.name) "/" (row.id) } { (titled(desk, other, &row.id)) } (telling(desk, other, row)) }
                } }
            }
        }
    }
}

// The stage, the state or the day of a record, whichever it has first.
fn telling(desk: &Desk, collection: &Collection, record: &Record) -> Markup {
    let names = ["stage", "status", "due_at", "starts_at", "job_title"];
    let told = names.iter().filter_map(|name| collection.field(name)).find_map(|field| {
        let value = record.value(&field.name);
        (*value != Value::Null).then(|| fact(desk, field, value, None))
    });
    html! { @if let Some(told) = told { " " span.quiet { (told) } } }
}

/// A hint at records that may be the same: with the same number, address or name.
pub(super) fn alike(desk: &Desk, collection: &Collection, record: &Record) -> Result<Markup> {
    if !matches!(&*collection.name, "account" | "contact" | "lead") {
        return Ok(html! {});
    }
    let mut texts: Vec<String> = vec![record.text("tax_id").to_owned(), titled(desk, collection, &record.id)];
    for field in ["phones", "emails"] {
        if let Value::Set(items) = record.value(field) {
            texts.extend(items.iter().take(2).cloned());
        }
    }
    let mut found: Vec<RecordId> = Vec::new();
    for text in texts.iter().filter(|text| text.chars().count() > 3) {
        for hit in desk.principal.search_in(&collection.name, text, ALIKE_HITS)? {
            let other = hit.id != record.id && !found.contains(&hit.id);
            // Words that a long note shares with a name say nothing.
            if other && found.len() < ALIKE_MAX && (hit.label == *text || hit.excerpt.contains(text.as_str())) {
                found.push(hit.id);
            }
        }
    }
    Ok(html! {
        @if !found.is_empty() {
            p.hint { (desk.say("web-alike")) " "
                @for id in &found { a href={ "/duplicates/" (collection.name) "/pair?a=" (record.id) "&b=" (id) } { (titled(desk, collection, id)) } " " }
            }
        }
    })
}
