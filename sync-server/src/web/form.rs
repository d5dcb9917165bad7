//! Fields as inputs, and what was typed into them back as values and edits.
//!
//! Beside each input stands what it showed, so that only what a person has changed is written: what others changed in the
//! meantime stays.

use std::collections::HashMap;

use branchline_core::document::Edit;
use branchline_core::id::RecordId;
use branchline_core::replica::{Direction, Query, Record};
use branchline_core::schema::{Collection, Field, FieldType, Name, ParseContext, Value, parse_value};
use branchline_core::{Error, Result};
use maud::{Markup, html};

use super::desk::Desk;
use super::frame;

/// Records of a collection up to which a reference is chosen from a list.
const CHOSEN_FROM_MAX: usize = 60;
/// Collections so small in every company that a list of them is looked for.
const SMALL: [&str; 5] = ["user", "branch", "team", "pipeline", "price_list"];
/// Records looked at for one of this title.
const TITLES_MAX: usize = 50;

/// What a form sent: `f.FIELD` what stands in the input now, `was.FIELD` what it showed.
pub(super) type Typed = HashMap<String, String>;

/// What stands in an input, without the spaces around it; nothing where the form has none of this name.
pub(super) fn text<'t>(typed: &'t Typed, name: &str) -> &'t str {
    typed.get(name).map(|text| text.trim()).unwrap_or_default()
}

/// Whether a field can be typed in a form: lines, files and counters have ways of their own.
pub(super) fn is_typed(field: &Field) -> bool {
    !matches!(field.ty, FieldType::Lines(_) | FieldType::Attachment | FieldType::Counter)
}

/// The inputs of a record, or of a new one; `typed` is what a form that was not taken had in it.
pub(super) fn inputs(desk: &Desk, collection: &Collection, record: Option<&Record>, typed: &Typed) -> Result<Markup> {
    let mut rows = Vec::new();
    for field in collection.facts().filter(|field| is_typed(field)) {
        let shown = record.map(|record| shown(desk, field, record.value(&field.name))).unwrap_or_default();
        let was = typed.get(&format!("was.{}", field.name)).cloned().unwrap_or(shown);
        let now = typed.get(&format!("f.{}", field.name)).cloned().unwrap_or_else(|| was.clone());
        rows.push(row(desk, field, &was, &now)?);
    }
    Ok(html! { div.fields { @for row in rows { (row) } } })
}

fn row(desk: &Desk, field: &Field, was: &str, now: &str) -> Result<Markup> {
    let id = format!("f-{}", field.name);
    let hint = hint(desk, field);
    Ok(html! {
        div.field.wide[field.ty == FieldType::LongText] {
            label for=(id) {
                (field.labels.text(desk.language))
                @if field.required { span.required title=(desk.say("web-required")) { " *" } }
                @if let Some(hint) = hint { " " small { (hint) } }
            }
            (input(desk, field, &id, now)?)
            input type="hidden" name={ "was." (field.name) } value=(was);
        }
    })
}

/// The form of one field of a record, in the place of its value.
///
/// # Errors
/// Those of the store, for lists to choose from.
pub(super) fn alone(desk: &Desk, field: &Field, record: &Record, home: &str) -> Result<Markup> {
    let now = shown(desk, field, record.value(&field.name));
    Ok(html! {
        form.row.record #edited method="post" action=(home) {
            (input(desk, field, &format!("f-{}", field.name), &now)?)
            input type="hidden" name={ "was." (field.name) } value=(now);
            button { (desk.say("web-save")) } " " a href=(home) { (desk.say("web-cancel")) }
        }
    })
}

/// The input of a cell of a line, with what it showed.
///
/// # Errors
/// As [`alone`].
pub(super) fn cell(desk: &Desk, column: &Field, place: &str, now: &str) -> Result<Markup> {
    let input = input_named(desk, column, &format!("f-{place}"), &format!("f.{place}"), now)?;
    Ok(html! { (input) input type="hidden" name={ "was." (place) } value=(now); })
}

/// The input of a field by itself, sent as `name`.
///
/// # Errors
/// Those of the store, for lists to choose from.
pub(super) fn named(desk: &Desk, field: &Field, name: &str, now: &str) -> Result<Markup> {
    let input = input_named(desk, field, &format!("by-{name}"), name, now)?;
    Ok(html! { label { (field.labels.text(desk.language)) " " (input) } })
}

/// An empty input for a field by itself, sent as `other`.
pub(super) fn bare(desk: &Desk, field: &Field) -> Markup {
    named(desk, field, "other", "").unwrap_or_else(|_| html! {})
}

fn hint(desk: &Desk, field: &Field) -> Option<String> {
    match &field.ty {
        FieldType::Money => Some(desk.formats.figure("1054.50 USD")),
        FieldType::Instant => Some(desk.formats.zone.name().to_owned()),
        FieldType::Set(_) => Some(desk.say("web-set-hint")),
        FieldType::Location => Some("50.45, 30.52".to_owned()),
        _ => None,
    }
}

fn input(desk: &Desk, field: &Field, id: &str, now: &str) -> Result<Markup> {
    input_named(desk, field, id, &format!("f.{}", field.name), now)
}

fn input_named(desk: &Desk, field: &Field, id: &str, name: &str, now: &str) -> Result<Markup> {
    let plain = |kind: &str| html! { input type=(kind) id=(id) name=(name) value=(now) required[field.required]; };
    let when = |picker: &'static str| {
        let (kind, example) = desk.formats.picker(picker);
        html! { input type=(kind) id=(id) name=(name) value=(now) placeholder=[example] required[field.required]; }
    };
    Ok(match &field.ty {
        FieldType::LongText => html! { textarea id=(id) name=(name) rows="4" { (now) } },
        FieldType::Date => when("date"),
        FieldType::Instant => when("datetime-local"),
        FieldType::Integer => html! { input inputmode="numeric" id=(id) name=(name) value=(now); },
        FieldType::Decimal => html! { input inputmode="decimal" id=(id) name=(name) value=(now); },
        FieldType::Boolean => {
            let options = [("yes", desk.say("web-yes")), ("no", desk.say("web-no"))];
            select(id, name, now, options.map(|(value, label)| (value.to_owned(), label)).to_vec())
        }
        FieldType::Choice(choices) => {
            let label =
                |c: &branchline_core::schema::Choice| (c.value.clone(), c.labels.text(desk.language).to_owned());
            select(id, name, now, choices.iter().map(label).collect())
        }
        FieldType::Reference(target) if SMALL.contains(&&**target) => match people(desk, target)? {
            Some(options) => select(id, name, now, options),
            None => plain("text"),
        },
        FieldType::Reference(target) => html! {
            input type="text" id=(id) name=(name) value=(now) autocomplete="off" data-suggest=(target)
                list={ (id) "-list" };
            datalist id={ (id) "-list" } {}
        },
        _ => plain("text"),
    })
}

fn select(id: &str, name: &str, now: &str, mut options: Vec<(String, String)>) -> Markup {
    if !now.is_empty() && !options.iter().any(|(value, _)| value == now) {
        options.push((now.to_owned(), now.to_owned()));
    }
    html! {
        select id=(id) name=(name) {
            option value="" selected[now.is_empty()] { "–" }
            @for (value, label) in &options { option value=(value) selected[value == now] { (label) } }
        }
    }
}

fn people(desk: &Desk, target: &str) -> Result<Option<Vec<(String, String)>>> {
    let collection = desk.schema.require(target)?;
    let mut query = Query::of(target).titled().limited(CHOSEN_FROM_MAX);
    if let Some(title) = collection.title.first() {
        query = query.sorted(title, Direction::Ascending);
    }
    let page = desk.principal.list(&query)?;
    let few = page.next.is_none();
    let option = |r: Record| (r.id.to_string(), r.title.unwrap_or_else(|| r.id.to_string()));
    Ok(few.then(|| page.rows.into_iter().map(option).collect()))
}

/// What an input shows of a value.
pub(super) fn shown(desk: &Desk, field: &Field, value: &Value) -> String {
    match (&field.ty, value) {
        (_, Value::Null) => String::new(),
        (FieldType::Boolean, Value::Boolean(true)) => "yes".to_owned(),
        (FieldType::Boolean, Value::Boolean(false)) => "no".to_owned(),
        (FieldType::Instant, Value::Instant(at)) => desk.formats.moment_input(*at),
        (FieldType::Date, Value::Date(day)) => desk.formats.day_input(*day),
        (FieldType::Money | FieldType::Decimal, _) => desk.formats.input(&desk.written(field, value)),
        (FieldType::Reference(target), Value::Reference(id)) if SMALL.contains(&&**target) => id.to_string(),
        _ => desk.written(field, value),
    }
}

/// The values of a new record.
///
/// # Errors
/// A value that its field does not take, a reference that names no record or several.
pub(super) fn values(desk: &Desk, collection: &Collection, typed: &Typed) -> Result<Vec<(Name, Value)>> {
    let mut values = Vec::new();
    for field in collection.facts().filter(|field| is_typed(field)) {
        let text = text(typed, &format!("f.{}", field.name));
        if !text.is_empty() {
            values.push((field.name.clone(), parse(desk, field, text)?));
        }
    }
    Ok(values)
}

/// The edits of what a person has changed in a form.
///
/// # Errors
/// As [`values`].
pub(super) fn edits(desk: &Desk, collection: &Collection, typed: &Typed) -> Result<Vec<Edit>> {
    let mut edits = Vec::new();
    for field in collection.facts().filter(|field| is_typed(field)) {
        let Some(now) = typed.get(&format!("f.{}", field.name)) else { continue };
        let was = typed.get(&format!("was.{}", field.name)).map(String::as_str).unwrap_or_default();
        // Browsers send line ends of their own.
        let (now, was) = (now.replace("\r\n", "\n"), was.replace("\r\n", "\n"));
        if now.trim() != was.trim() {
            edits.push(Edit::Set(field.name.clone(), parse(desk, field, now.trim())?));
        }
    }
    Ok(edits)
}

/// What was typed into a field's input as its value.
///
/// # Errors
/// As [`values`].
pub(super) fn parse(desk: &Desk, field: &Field, text: &str) -> Result<Value> {
    let mut resolve = |collection: &str, text: &str| referred(desk, collection, text);
    let currency = desk.principal.replica().settings()?.currency;
    let text = desk.formats.plain(desk.language, field, text)?;
    parse_value(field, &text, &mut ParseContext { currency, resolve: &mut resolve })
}

// The record that a natural key, an id or the title that a list shows names.
fn referred(desk: &Desk, collection: &str, text: &str) -> Result<RecordId> {
    let missing = match desk.principal.find(collection, text) {
        Err(Error::NotFound(report)) => Error::NotFound(report),
        found => return found,
    };
    let hits = desk.principal.search_in(collection, text, TITLES_MAX)?;
    let mut titled = hits.iter().filter(|hit| hit.label == text);
    match (titled.next(), titled.next()) {
        (Some(only), None) => Ok(only.id),
        (Some(_), Some(_)) => {
            Err(Error::ambiguous("title-ambiguous").with("collection", collection).with("record", text))
        }
        (None, _) => Err(missing),
    }
}

/// A whole form: what went wrong, inputs, buttons.
pub(super) fn whole(
    desk: &Desk,
    collection: &Collection,
    record: Option<&Record>,
    typed: &Typed,
    error: Option<&Error>,
) -> Result<Markup> {
    let home = format!("/c/{}", collection.name);
    let (action, back) = match record {
        Some(record) => (format!("{home}/{}", record.id), format!("{home}/{}", record.id)),
        None => (home.clone(), home),
    };
    Ok(html! {
        @if let Some(error) = error { (frame::problem(desk.language, error)) }
        form.record method="post" action=(action) {
            (inputs(desk, collection, record, typed)?)
            p.actions { button { (desk.say("web-save")) } " " a href=(back) { (desk.say("web-cancel")) } }
        }
    })
}
