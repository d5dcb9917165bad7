//! What happened to a record and around it, the newest first: changes, activities, comments.
//!
//! A comment is an activity of the kind `note` that refers to the record; whom it names with `@` takes part in it.

use std::collections::HashMap;

use branchline_core::access::Action;
use branchline_core::id::{ChangeHash, RecordId};
use branchline_core::replica::{Direction, HistoryEntry, Query, Record};
use branchline_core::schema::{Collection, Field, Name, Value};
use branchline_core::time::Millis;
use branchline_core::{Error, Result};
use maud::{Markup, html};

use super::desk::Desk;
use super::record::titled;
use super::related::{fields_to, referring};

/// Entries of a page of a timeline.
const ENTRIES_MAX: usize = 50;
/// Activities of a timeline; the list beside it has the others.
const ACTIVITIES_MAX: usize = 60;
/// From when on a change is said to have arrived later than it was written, in ms.
const LATE_MS: i64 = 60_000;
/// People that a comment may name.
const PEOPLE_MAX: usize = 1_000;

/// The field of activities that refers to records of this collection.
pub(super) fn link<'c>(activities: &'c Collection, collection: &Collection) -> Option<&'c Field> {
    fields_to(activities, collection).find(|field| field.name == collection.name)
}

/// The form of a comment, where one can be made.
pub(super) fn comment(desk: &Desk, collection: &Collection, home: &str) -> Markup {
    let activities = desk.schema.collection("activity").filter(|activities| desk.may(Action::Create, activities));
    html! {
        @if activities.is_some_and(|activities| link(activities, collection).is_some()) {
            form.comment method="post" action={ (home) "/comment" } {
                textarea name="text" rows="2" required aria-label=(desk.say("web-comment")) placeholder=(desk.say("web-comment-hint")) {}
                button { (desk.say("web-comment")) }
            }
        }
    }
}

/// Writes a comment.
///
/// # Errors
/// `comment_nowhere` where activities cannot refer to the record; those of the rights and the store.
pub(super) fn write(desk: &Desk, collection: &Collection, id: &RecordId, text: &str) -> Result<()> {
    let activities = desk.schema.require("activity")?;
    let link = link(activities, collection).ok_or_else(|| Error::invalid("comment-nowhere"))?;
    let subject: String = text.lines().next().unwrap_or_default().chars().take(120).collect();
    let mut values: Vec<(Name, Value)> = vec![
        ("kind".into(), Value::Text("note".into())),
        ("subject".into(), Value::Text(subject)),
        ("notes".into(), Value::Text(text.replace("\r\n", "\n"))),
        (link.name.clone(), Value::Reference(*id)),
    ];
    let named = mentioned(desk, text)?;
    if !named.is_empty() {
        values.push(("participants".into(), Value::Set(named.iter().map(ToString::to_string).collect())));
    }
    desk.principal.transact(|tx| tx.create("activity", values)).map(drop)
}

// Whom a text names: `@Anna` or `@Anna Koval`, in any case; of two names that fit, the longer one.
fn mentioned(desk: &Desk, text: &str) -> Result<Vec<RecordId>> {
    if !text.contains('@') {
        return Ok(Vec::new());
    }
    let mut people: Vec<(String, RecordId)> = Vec::new();
    let query = Query::of("user").fields(["name"]).sorted("name", Direction::Ascending).limited(PEOPLE_MAX);
    desk.principal.each(&query, &mut |record| {
        people.push((record.text("name").to_lowercase(), record.id));
        Ok(())
    })?;
    people.retain(|(name, _)| !name.is_empty());
    people.sort_by_key(|(name, _)| std::cmp::Reverse(name.chars().count()));
    let mut named = Vec::new();
    for rest in text.to_lowercase().split('@').skip(1) {
        let ends = |name: &str| rest.strip_prefix(name).is_some_and(|after| !after.starts_with(char::is_alphanumeric));
        if let Some((_, id)) = people.iter().find(|(name, _)| ends(name)) {
            named.push(*id);
        }
    }
    Ok(named)
}

enum Entry<'a> {
    Change(Vec<&'a HistoryEntry>, bool),
    Activity(Box<Record>),
}

/// The timeline of a record, without the `past` newest entries.
///
/// # Errors
/// Those of the store.
pub(super) fn shown(desk: &Desk, collection: &Collection, record: &Record, home: &str, past: usize) -> Result<Markup> {
    let history = desk.principal.history(&collection.name, &record.id)?;
    let arrivals = desk.principal.arrivals(&collection.name, &record.id)?;
    let mut entries: Vec<(Millis, Entry<'_>)> = Vec::new();
    let mut changes: Vec<(ChangeHash, Vec<&HistoryEntry>)> = Vec::new();
    for entry in history.iter().filter(|entry| collection.is_fact(&entry.field)) {
        match changes.last_mut() {
            Some((change, entries)) if *change == entry.change => entries.push(entry),
            _ => changes.push((entry.change, vec![entry])),
        }
    }
    for (at, (_, of)) in changes.into_iter().enumerate() {
        let when = of.first().map(|entry| entry.at).unwrap_or_default();
        entries.push((when, Entry::Change(of, at > 0)));
    }
    let activities = desk.schema.require("activity")?;
    if let Some(link) = link(activities, collection) {
        let query = referring(activities, link, collection, &record.id).limited(ACTIVITIES_MAX);
        entries.extend(
            desk.principal.list(&query)?.rows.into_iter().map(|row| (when(&row), Entry::Activity(Box::new(row)))),
        );
    }
    entries.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let may = desk.may(Action::Edit, collection);
    Ok(html! {
        ol.timeline { @for (at, entry) in entries.iter().skip(past).take(ENTRIES_MAX) {
            @match entry {
                Entry::Change(of, undoable) => { (change(desk, collection, home, of, may && *undoable, &arrivals)) }
                Entry::Activity(row) => { (activity(desk, activities, *at, row)) }
            }
        } }
        @if entries.len() > past + ENTRIES_MAX { a.button rel="next" href={ (home) "?past=" (past + ENTRIES_MAX) } { (desk.say("web-next-page")) } }
    })
}

fn when(row: &Record) -> Millis {
    let moment = ["done_at", "starts_at", "due_at"].into_iter().find_map(|field| match row.value(field) {
        Value::Instant(at) => Some(*at),
        _ => None,
    });
    moment.unwrap_or(row.created.at)
}

fn activity(desk: &Desk, activities: &Collection, at: Millis, row: &Record) -> Markup {
    let kind = activities.field("kind").map(|field| desk.text(field, row.value("kind"))).unwrap_or_default();
    let is_comment = row.text("kind") == "note";
    html! {
        li.work-entry.comment-entry[is_comment] {
            p.quiet {
                (desk.moment(at)) " · " (desk.person(row.reference("owner").or(row.created.by).as_ref())) " · "
                @if is_comment { (desk.say("web-commented")) } @else { (kind) }
            }
            @if is_comment { div.prose { (row.text("notes")) } } @else {
                p { a href={ "/c/activity/" (row.id) } { (titled(desk, activities, &row.id)) } " " span.quiet { (row.text("outcome")) } }
            }
        }
    }
}

fn change(
    desk: &Desk,
    collection: &Collection,
    home: &str,
    of: &[&HistoryEntry],
    undoable: bool,
    arrivals: &HashMap<ChangeHash, Millis>,
) -> Markup {
    let Some(first) = of.first() else { return html! {} };
    html! {
        li {
            p.quiet {
                (desk.moment(first.at)) " · " (desk.person(first.user.as_ref())) " · " (first.device)
                @if let Some(at) = arrivals.get(&first.change).filter(|at| at.0 - first.at.0 > LATE_MS) {
                    " · " (desk.say("web-arrived")) " " (desk.moment(*at))
                }
                @if first.batch.is_some() { " · " (desk.say("web-import")) }
            }
            ul { @for entry in of { (changed(desk, collection, entry)) } }
            @if undoable {
                form method="post" action={ (home) "/undo" } {
                    input type="hidden" name="change" value=(first.change);
                    button.plain { (desk.say("web-undo")) }
                }
            }
        }
    }
}

/// What a change did to one field.
pub(super) fn changed(desk: &Desk, collection: &Collection, entry: &HistoryEntry) -> Markup {
    let Some(field) = collection.field(&entry.field) else {
        let known = match (&*entry.field, &entry.to) {
            ("archived", Value::Boolean(true)) => "web-was-archived",
            ("archived", _) => "web-was-restored",
            ("merged_into", _) => "web-was-merged",
            _ => return html! {},
        };
        return html! { li { (desk.say(known)) } };
    };
    let text = |value: &Value| match desk.text(field, value) {
        text if text.is_empty() => "–".to_owned(),
        text => text,
    };
    html! {
        li {
            (field.labels.text(desk.language)) ": "
            @if entry.from != Value::Null { del { (text(&entry.from)) } " → " }
            ins { (text(&entry.to)) }
        }
    }
}
