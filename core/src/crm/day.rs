//! A person's day: what is late, what is planned, what is done already.
//!
//! The activities of one owner, by their moment: `starts_at`, else `due_at`. What has not been done and has its moment
//! before the day is late; notes are no plans. A day is given by its two ends, for only the person's device knows where it
//! begins.

use crate::error::Result;
use crate::id::RecordId;
use crate::replica::{Direction, Query, Record, Replica};
use crate::schema::{Filter, Literal, Location, Op, Value};
use crate::time::Millis;

/// Kinds of activities that are planned.
const PLANNED: [&str; 5] = ["call", "meeting", "task", "visit", "email"];

/// A person's day.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Agenda {
    /// What should have been done before the day, the oldest first.
    pub late: Vec<Entry>,
    /// What is planned for the day, in its order.
    pub planned: Vec<Entry>,
    /// What was done on the day, in the order in which it was done.
    pub done: Vec<Entry>,
}

/// An activity of the day with whom it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The activity.
    pub record: Record,
    /// Its moment.
    pub at: Millis,
    /// The client, if it is held here.
    pub client: Option<Client>,
}

/// What one needs to know of a client to go there or call.
#[derive(Debug, Clone, PartialEq)]
pub struct Client {
    /// The account.
    pub id: RecordId,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub address: String,
    /// Where it is on the map.
    pub location: Option<Location>,
    /// Its phones.
    pub phones: Vec<String>,
}

/// The day of `owner` from `begin` until before `end`.
///
/// # Errors
/// Whatever SQLite says.
pub fn agenda(replica: &Replica, owner: &RecordId, begin: Millis, end: Millis) -> Result<Agenda> {
    let mut agenda = Agenda::default();
    for entry in entries(replica, open_before(owner, end), |record| moment(record).filter(|at| *at < end))? {
        if entry.at < begin { agenda.late.push(entry) } else { agenda.planned.push(entry) }
    }
    agenda.done = entries(replica, done_within(owner, begin, end), |record| instant(record, "done_at"))?;
    Ok(agenda)
}

fn entries(replica: &Replica, filter: Filter, at: impl Fn(&Record) -> Option<Millis>) -> Result<Vec<Entry>> {
    let query = Query::of("activity").filtered(filter).sorted("starts_at", Direction::Ascending).with_delivery();
    let mut entries = Vec::new();
    for record in replica.list(&query)?.rows {
        let Some(at) = at(&record) else { continue };
        let client = match record.reference("account") {
            Some(account) => client(replica, &account)?,
            None => None,
        };
        entries.push(Entry { record, at, client });
    }
    entries.sort_by_key(|entry| (entry.at, entry.record.id));
    Ok(entries)
}

fn client(replica: &Replica, account: &RecordId) -> Result<Option<Client>> {
    let id = replica.root("account", account)?;
    let Ok(record) = replica.record("account", &id) else { return Ok(None) };
    let place = [record.text("city"), record.text("address")];
    let address = place.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    let location = match record.value("location") {
        Value::Location(location) => Some(*location),
        _ => None,
    };
    let phones = match record.value("phones") {
        Value::Set(phones) => phones.iter().cloned().collect(),
        _ => Vec::new(),
    };
    Ok(Some(Client { id, name: record.text("name").to_owned(), address, location, phones }))
}

fn moment(record: &Record) -> Option<Millis> {
    instant(record, "starts_at").or_else(|| instant(record, "due_at"))
}

fn instant(record: &Record, field: &str) -> Option<Millis> {
    match record.value(field) {
        Value::Instant(at) => Some(*at),
        _ => None,
    }
}

fn open_before(owner: &RecordId, end: Millis) -> Filter {
    let before = |field: &str| compare(field, Op::Lt, Literal::Instant(end));
    let undone = Filter::Empty { field: "done_at".into(), negated: false };
    Filter::And(vec![owned(owner), planned(), undone, Filter::Or(vec![before("starts_at"), before("due_at")])])
}

fn done_within(owner: &RecordId, begin: Millis, end: Millis) -> Filter {
    let begins = compare("done_at", Op::Ge, Literal::Instant(begin));
    Filter::And(vec![owned(owner), begins, compare("done_at", Op::Lt, Literal::Instant(end))])
}

fn owned(owner: &RecordId) -> Filter {
    compare("owner", Op::Eq, Literal::Key { collection: "user".into(), text: owner.to_string() })
}

fn planned() -> Filter {
    Filter::In { field: "kind".into(), values: PLANNED.map(|kind| Literal::Text(kind.to_owned())).into() }
}

fn compare(field: &str, op: Op, value: Literal) -> Filter {
    Filter::Compare { field: field.into(), op, value }
}
