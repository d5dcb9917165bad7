//! What a person is told of: mentions, records assigned, changed or in conflict, since the last look.
//!
//! All of it follows from the log and the records that it leads to, in the order in which changes arrived here: what was
//! written elsewhere long ago and comes now is news. What has been worked out is kept in memory, for each person up to a
//! place in the log, so that a page asks only for what came since.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use axum::extract::{Form, State as Shared};
use axum::response::Response;
use branchline_core::Result;
use branchline_core::id::RecordId;
use branchline_core::message::Message;
use branchline_core::replica::{Changed, Cursor, HistoryEntry, Preferences, Principal, Query, Record};
use branchline_core::schema::{Collection, Filter, Kind as Held, Literal, Name, Op, Value};
use branchline_core::time::{DAY_MS, Millis};
use lru::LruCache;
use maud::{Markup, html};

use super::calendar::WORK;
use super::desk::{Desk, Reply, Visitor};
use super::form::{self, Typed};
use super::record::titled;
use crate::server::Node;

/// How far back one is told who has not looked for longer, in days.
const DAYS: i64 = 14;
/// Changes that are looked at, at most: what came before them is old.
const CHANGES_MAX: u64 = 5_000;
/// Changes that are looked at in one go.
const PAGE_CHANGES: usize = 1_000;
/// Notices that are shown.
const SHOWN_MAX: usize = 50;
/// Records of one person that are kept in memory, the newest; and people.
const RECORDS_MAX: usize = 500;
const PEOPLE_MAX: NonZeroUsize = NonZeroUsize::new(256).unwrap();
/// Fields that a notice names.
const FIELDS_MAX: usize = 4;

/// Of what one is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Mention,
    Assigned,
    Changed,
    Reminder,
    Conflict,
}

impl Kind {
    pub(super) const ALL: [(&'static str, Self, &'static str); 5] = [
        ("mention", Self::Mention, "web-told-mention"),
        ("assigned", Self::Assigned, "web-told-assigned"),
        ("changed", Self::Changed, "web-told-changed"),
        ("reminder", Self::Reminder, "web-told-reminder"),
        ("conflict", Self::Conflict, "web-told-conflict"),
    ];

    /// Whether the person wants to be told of it: of everything, until something is chosen.
    pub(super) fn is_wanted(self, chosen: &Preferences) -> bool {
        let named = |wanted: &str| Self::ALL.iter().any(|(name, kind, _)| *name == wanted && *kind == self);
        chosen.notices.is_empty() || chosen.notices.split(',').any(named)
    }

    fn label(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind, _)| *kind == self).map(|(.., label)| *label).unwrap_or_default()
    }
}

#[derive(Debug, Clone)]
struct Notice {
    kind: Kind,
    collection: Name,
    record: RecordId,
    /// When it arrived here.
    at: Millis,
    by: Option<RecordId>,
    fields: Vec<Name>,
}

struct Known {
    cursor: Cursor,
    of: HashMap<RecordId, Vec<Notice>>,
}

/// What has been worked out in this process.
pub(crate) struct Notices(Mutex<LruCache<RecordId, Known>>);

impl Default for Notices {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(PEOPLE_MAX)))
    }
}

impl Notices {
    // What the person has not looked at and wants to be told, in no order.
    fn fresh<T>(&self, desk: &Desk, read: impl FnOnce(Vec<&Notice>) -> T) -> Result<T> {
        let now = desk.principal.environment().now();
        let since = seen_at(&desk.chosen).max(now.plus(-DAYS * DAY_MS));
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop(&desk.me.id);
        let mut known = match known {
            Some(known) if desk.principal.knows(known.cursor)? => known,
            _ => Known { cursor: desk.principal.cursor_at(now.plus(-DAYS * DAY_MS), CHANGES_MAX)?, of: HashMap::new() },
        };
        let mut concerned: HashMap<RecordId, (Millis, Record)> = HashMap::new();
        loop {
            let page = desk.principal.changed(Some(known.cursor), PAGE_CHANGES)?;
            for (collection, rows) in by_collection(&page.rows) {
                for row in &rows {
                    known.of.remove(&row.id);
                }
                let records = concerning(&desk.principal, desk.schema.require(&collection)?, &desk.me.id, &rows)?;
                let at: HashMap<RecordId, Millis> = rows.iter().map(|row| (row.id, row.at)).collect();
                let at = |record: &Record| at.get(&record.id).copied().unwrap_or_default();
                concerned.extend(records.into_iter().map(|record| (record.id, (at(&record), record))));
            }
            known.cursor = page.next;
            if page.all {
                break;
            }
        }
        // An import may have changed thousands: the history of the newest alone is read.
        let mut concerned: Vec<(Millis, Record)> = concerned.into_values().collect();
        concerned.sort_by_key(|(at, record)| Reverse((*at, record.id)));
        for (_, record) in concerned.iter().take(RECORDS_MAX) {
            let collection = desk.schema.require(&record.collection)?;
            known.of.insert(record.id, of_record(&desk.principal, collection, &desk.me.id, record)?);
        }
        if known.of.len() > RECORDS_MAX {
            let newest = |notices: &[Notice]| notices.iter().map(|notice| notice.at).max().unwrap_or_default();
            let mut ages: Vec<(Millis, RecordId)> = known.of.iter().map(|(id, told)| (newest(told), *id)).collect();
            ages.sort_unstable_by_key(|age| Reverse(*age));
            for (_, id) in ages.get(RECORDS_MAX..).unwrap_or_default() {
                known.of.remove(id);
            }
        }
        let told = |notice: &&Notice| notice.at > since && notice.kind.is_wanted(&desk.chosen);
        let found = read(known.of.values().flatten().filter(told).collect());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(desk.me.id, known);
        Ok(found)
    }
}

fn seen_at(chosen: &Preferences) -> Millis {
    Millis::parse(&chosen.seen_at).unwrap_or_default()
}

fn by_collection(rows: &[Changed]) -> HashMap<Name, Vec<&Changed>> {
    let mut sorted: HashMap<Name, Vec<&Changed>> = HashMap::new();
    for row in rows {
        sorted.entry(row.collection.clone()).or_default().push(row);
    }
    sorted
}

// Of the changed records of a collection those that are the person's, or name the person.
fn concerning(principal: &Principal, collection: &Collection, me: &RecordId, rows: &[&Changed]) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    let is_work = &*collection.name == WORK;
    if collection.kind != Held::Branch || collection.field("owner").is_none() {
        return Ok(records);
    }
    let mine = |field: &str| Filter::Compare {
        field: field.into(),
        op: Op::Eq,
        value: Literal::Key { collection: "user".into(), text: me.to_string() },
    };
    let whose = if is_work { Filter::Or(vec![mine("owner"), mine("participants")]) } else { mine("owner") };
    let these = rows.iter().map(|row| Literal::Text(row.id.to_string())).collect();
    let these = Filter::In { field: "id".into(), values: these };
    let query = Query::of(&collection.name).filtered(Filter::And(vec![these, whose]));
    principal.each(&query, &mut |record| {
        records.push(record);
        Ok(())
    })?;
    Ok(records)
}

fn of_record(principal: &Principal, collection: &Collection, me: &RecordId, record: &Record) -> Result<Vec<Notice>> {
    let history = principal.history(&collection.name, &record.id)?;
    let arrivals = principal.arrivals(&collection.name, &record.id)?;
    let mut changes: Vec<Vec<&HistoryEntry>> = Vec::new();
    for entry in history.iter().filter(|entry| collection.is_fact(&entry.field)) {
        match changes.last_mut() {
            Some(entries) if entries.first().is_some_and(|first| first.change == entry.change) => entries.push(entry),
            _ => changes.push(vec![entry]),
        }
    }
    let is_mine = record.reference("owner") == Some(*me);
    let mut notices = Vec::new();
    for entries in &changes {
        let Some(first) = entries.first() else { continue };
        let Some(at) = arrivals.get(&first.change).copied() else { continue };
        let fields: Vec<Name> = entries.iter().map(|entry| entry.field.clone()).collect();
        let made =
            |kind| Notice { kind, collection: collection.name.clone(), record: record.id, at, by: first.user, fields };
        let sets = |field: &str, is_it: &dyn Fn(&Value) -> bool| {
            entries.iter().any(|entry| &*entry.field == field && is_it(&entry.to) && !is_it(&entry.from))
        };
        let names_me = |value: &Value| matches!(value, Value::Set(people) if people.contains(&me.to_string()));
        if record.text("kind") == "note" && sets("participants", &names_me) {
            notices.push(made(Kind::Mention));
        } else if first.user == Some(*me) {
            // What one did oneself is no news, but for a note to oneself.
        } else if is_mine && sets("owner", &|value| *value == Value::Reference(*me)) {
            notices.push(made(Kind::Assigned));
        } else if is_mine {
            notices.push(made(Kind::Changed));
        }
    }
    if is_mine && record.conflicted {
        let at = arrivals.values().max().copied().unwrap_or_default();
        let by = record.updated.by;
        notices.push(Notice {
            kind: Kind::Conflict,
            collection: collection.name.clone(),
            record: record.id,
            at,
            by,
            fields: Vec::new(),
        });
    }
    Ok(notices)
}

/// How many there are, for the top of every page.
///
/// # Errors
/// Those of the store.
pub(super) fn count(desk: &Desk) -> Result<usize> {
    desk.notices.fresh(desk, |fresh| fresh.len())
}

/// What is new, with a button that says it has been seen.
///
/// # Errors
/// Those of the store.
pub(super) fn shown(desk: &Desk) -> Result<Markup> {
    let (count, fresh) = desk.notices.fresh(desk, |mut fresh| {
        fresh.sort_by_key(|notice| (Reverse(notice.at), notice.record));
        (fresh.len(), fresh.into_iter().take(SHOWN_MAX).cloned().collect::<Vec<Notice>>())
    })?;
    let until = fresh.first().map(|notice| notice.at.rfc3339());
    Ok(html! {
        @if let Some(until) = until {
            section #told {
                div.head {
                    h2 { (desk.say("web-told")) " " span.quiet { (count) } }
                    @if desk.principal.keeps_sealed().is_ok() {
                        form method="post" action="/account/seen" {
                            input type="hidden" name="until" value=(until);
                            button.plain { (desk.say("web-told-seen")) }
                        }
                    }
                }
                ul.work { @for notice in &fresh { (line(desk, notice)) } }
                @if count > SHOWN_MAX { p.quiet { (Message::new("web-more-rows").with("count", count - SHOWN_MAX).render(desk.language)) } }
            }
        }
    })
}

fn line(desk: &Desk, notice: &Notice) -> Markup {
    let Some(collection) = desk.schema.collection(&notice.collection) else { return html! {} };
    let fields = notice.fields.iter().filter_map(|name| collection.field(name));
    let fields: Vec<&str> = fields.map(|field| field.labels.text(desk.language)).take(FIELDS_MAX).collect();
    html! {
        li {
            (desk.moment(notice.at))
            span.badge { (desk.say(notice.kind.label())) }
            a href={ "/c/" (notice.collection) "/" (notice.record) } { (titled(desk, collection, &notice.record)) }
            span.quiet { (desk.person(notice.by.as_ref())) @if notice.kind == Kind::Changed && !fields.is_empty() { " · " (fields.join(", ")) } }
        }
    }
}

/// `POST /account/seen`: what was told up to then has been looked at, on every server of the branch.
pub(super) async fn seen(Shared(node): Shared<Node>, visitor: Visitor, Form(typed): Form<Typed>) -> Response {
    visitor
        .write(node, move |desk| {
            let until = Millis::parse(form::text(&typed, "until")).unwrap_or_default();
            if until > seen_at(&desk.chosen) {
                desk.principal.set_preferences(&Preferences { seen_at: until.rfc3339(), ..desk.chosen.clone() })?;
            }
            Ok(Reply::Go("/today".to_owned()))
        })
        .await
}
