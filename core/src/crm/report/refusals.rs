//! Refusals: why deals were lost, by client group.
//!
//! A row for each client group, reason and currency. The group is a field of the deal's client, its industry unless asked
//! otherwise; deals of no client are in the group without a name. Archived deals do not count; with `from` or `to` only
//! deals closed in that time do, by `closed_on`.
//!
//! * **count, amount**: lost deals with this reason, and the exact sum of their amounts.
//! * **share**: of the lost deals of the group, those with this reason.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::chart::{Chart, Series};
use super::funnel::amount;
use super::groups::{Group, GroupBy, names};
use super::{Cell, Drill, Report, Request, Rows, column, drill};
use crate::error::Result;
use crate::id::RecordId;
use crate::message::Message;
use crate::replica::{Query, Replica};
use crate::schema::{Currency, Value};

/// Clients that an address of a list can name; a row with more leads nowhere.
const CLIENTS_MAX: usize = 40;

#[derive(Debug, Default)]
struct Sum {
    count: u64,
    minor: i128,
    clients: BTreeSet<RecordId>,
    nameless: bool,
    /// A reason is written with spaces around it, which a list tells apart.
    spaced: bool,
}

type Sums = BTreeMap<(Group, String, Currency), Sum>;

pub(super) fn report(replica: &Replica, request: &Request) -> Result<Report> {
    let schema = replica.schema();
    let by = GroupBy::of(schema.require("account")?, request.grouped_by())?;
    let currency = replica.settings()?.currency;
    let mut groups: HashMap<RecordId, Group> = HashMap::new();
    replica.each(&Query::of("account").with_archived().fields(by.field()), &mut |record| {
        groups.insert(record.id, by.group(&record));
        Ok(())
    })?;
    let mut sums = Sums::new();
    let fields = ["stage", "account", "amount", "closed_on", "lost_reason"];
    replica.each(&Query::of("opportunity").fields(fields), &mut |record| {
        let closed = match record.value("closed_on") {
            Value::Date(day) => Some(*day),
            _ => None,
        };
        if record.text("stage") != "lost" || !request.covers(closed) {
            return Ok(());
        }
        let money = match record.value("amount") {
            Value::Money(money) => Some(*money),
            _ => None,
        };
        let client = record.reference("account");
        let group = client.and_then(|client| groups.get(&client).cloned()).unwrap_or(Group::None);
        let written = record.text("lost_reason");
        let reason = written.trim().to_owned();
        let spaced = reason != written;
        let sum = sums.entry((group, reason, money.map_or(currency, |money| money.currency))).or_default();
        sum.count += 1;
        sum.minor += money.map_or(0, |money| i128::from(money.minor));
        sum.clients.extend(client);
        sum.nameless |= client.is_none();
        sum.spaced |= spaced;
        Ok(())
    })?;
    Ok(finished(replica, request, &by, &sums, currency))
}

fn finished(replica: &Replica, request: &Request, by: &GroupBy, sums: &Sums, own: Currency) -> Report {
    let names = names(replica, sums.keys().map(|(group, ..)| group));
    let mut totals: BTreeMap<&Group, u64> = BTreeMap::new();
    for ((group, ..), sum) in sums {
        *totals.entry(group).or_default() += sum.count;
    }
    let columns = vec![
        column("by", "report-by-column"),
        column("reason", "report-reason"),
        column("count", "report-count"),
        column("amount", "report-amount"),
        column("currency", "report-currency"),
        column("share", "report-share"),
    ];
    let mut rows: Rows = Vec::new();
    for ((group, reason, currency), sum) in sums {
        let total = totals.get(group).copied().unwrap_or_default();
        let share = (sum.count * 10_000 + total / 2).checked_div(total).and_then(|share| u32::try_from(share).ok());
        let cells = vec![
            by.cell(group, &names),
            if reason.is_empty() { Cell::Empty } else { Cell::Text(reason.clone()) },
            Cell::Count(sum.count),
            amount(sum.minor, *currency),
            Cell::Text(currency.code().to_owned()),
            share.map_or(Cell::Empty, Cell::Share),
        ];
        let behind = behind(request, reason, sum);
        rows.push((cells, behind.and_then(|drill| drill.and(Some(drill::in_currency(*currency, Some(own)))))));
    }
    let key = |row: &[Cell]| (row.first().map(Cell::plain), std::cmp::Reverse(count_of(row)));
    rows.sort_by_cached_key(|(row, _)| key(row));
    let chart = chart(by, sums, &names);
    Report::of(request, columns, rows, chart)
}

fn count_of(row: &[Cell]) -> u64 {
    if let Some(Cell::Count(count)) = row.get(2) { *count } else { 0 }
}

fn behind(request: &Request, reason: &str, sum: &Sum) -> Option<Drill> {
    let clients: Vec<String> = sum.clients.iter().map(|id| format!("\"{id}\"")).collect();
    let clients = match (clients.len(), sum.nameless) {
        _ if sum.spaced => return None,
        (0, _) => "account is empty".to_owned(),
        (_, true) => return None,
        (count, false) if count <= CLIENTS_MAX => format!("account in ({})", clients.join(", ")),
        _ => return None,
    };
    let why = if reason.is_empty() { "lost_reason is empty".to_owned() } else { drill::is("lost_reason", reason) };
    Drill::into("opportunity")?
        .and(Some("stage = lost".to_owned()))?
        .and(Some(why))?
        .and(Some(clients))?
        .within("closed_on", request)
}

// Groups along the axis, a colour for each reason.
fn chart(by: &GroupBy, sums: &Sums, names: &HashMap<RecordId, String>) -> Chart {
    let groups: BTreeSet<&Group> = sums.keys().map(|(group, ..)| group).collect();
    let mut reasons: BTreeMap<&str, BTreeMap<&Group, u64>> = BTreeMap::new();
    for ((group, reason, _), sum) in sums {
        *reasons.entry(reason).or_default().entry(group).or_default() += sum.count;
    }
    let series = reasons.iter().map(|(reason, counts)| Series {
        name: Cell::Text((*reason).to_owned()),
        values: groups.iter().map(|group| counts.get(group).copied().unwrap_or_default() as f64).collect(),
    });
    let labels = groups.iter().map(|group| by.cell(group, names)).collect();
    Chart::new(labels, series.collect(), Message::new("report-count"))
}
