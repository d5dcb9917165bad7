//! Branches side by side (or other groups of deals).
//!
//! A row for each group and currency. Archived records do not count.
//!
//! * **open, open_amount**: deals that are open now, in every stage but `won` and `lost`, whatever time is asked for.
//! * **won, won_amount, lost**: deals that ended in the time asked for, by `closed_on`.
//! * **win_rate**: won of won and lost.
//! * **activities**: what was done in that time, by `done_at`; in the first row of the group, for they have no currency,
//!   and only where activities can be grouped so.

use std::collections::{BTreeMap, BTreeSet};

use super::chart::{Chart, Series};
use super::funnel::amount;
use super::groups::{Group, GroupBy, names};
use super::{Cell, Drill, Report, Request, Rows, column};
use crate::error::Result;
use crate::message::{Language, Message};
use crate::replica::{Query, Replica};
use crate::schema::{Currency, Value};

#[derive(Debug, Default, Clone, Copy)]
struct Sum {
    open: u64,
    open_minor: i128,
    won: u64,
    won_minor: i128,
    lost: u64,
}

type Sums = BTreeMap<(Group, Currency), Sum>;

pub(super) fn report(replica: &Replica, request: &Request) -> Result<Report> {
    let schema = replica.schema();
    let by = GroupBy::of(schema.require("opportunity")?, request.grouped_by())?;
    let currency = replica.settings()?.currency;
    let mut sums = Sums::new();
    let fields = ["stage", "amount", "closed_on"].into_iter().chain(by.field());
    replica.each(&Query::of("opportunity").fields(fields), &mut |record| {
        let closed = match record.value("closed_on") {
            Value::Date(day) => Some(*day),
            _ => None,
        };
        let money = match record.value("amount") {
            Value::Money(money) => Some(*money),
            _ => None,
        };
        let minor = money.map_or(0, |money| i128::from(money.minor));
        let sum = sums.entry((by.group(&record), money.map_or(currency, |money| money.currency))).or_default();
        match record.text("stage") {
            "won" if request.covers(closed) => (sum.won, sum.won_minor) = (sum.won + 1, sum.won_minor + minor),
            "lost" if request.covers(closed) => sum.lost += 1,
            "won" | "lost" => {}
            _ => (sum.open, sum.open_minor) = (sum.open + 1, sum.open_minor + minor),
        }
        Ok(())
    })?;
    let mut done: BTreeMap<Group, u64> = BTreeMap::new();
    if let Ok(by) = GroupBy::of(schema.require("activity")?, request.grouped_by()) {
        replica.each(&Query::of("activity").fields(["done_at"].into_iter().chain(by.field())), &mut |record| {
            if let Value::Instant(at) = record.value("done_at")
                && request.covers(Some(at.day()))
            {
                *done.entry(by.group(&record)).or_default() += 1;
            }
            Ok(())
        })?;
    }
    for group in done.keys() {
        if !sums.keys().any(|(known, _)| known == group) {
            sums.insert((group.clone(), currency), Sum::default());
        }
    }
    Ok(finished(replica, request, &by, &sums, &done))
}

fn finished(replica: &Replica, request: &Request, by: &GroupBy, sums: &Sums, done: &BTreeMap<Group, u64>) -> Report {
    let names = names(replica, sums.keys().map(|(group, _)| group));
    let columns = vec![
        column("by", "report-by-column"),
        column("open", "report-open"),
        column("open_amount", "report-open-amount"),
        column("won", "report-won"),
        column("won_amount", "report-won-amount"),
        column("lost", "report-lost"),
        column("win_rate", "report-win-rate"),
        column("currency", "report-currency"),
        column("activities", "report-activities"),
    ];
    let mut told = BTreeSet::new();
    let mut rows = Rows::new();
    for ((group, currency), sum) in sums {
        let first = told.insert(group);
        let cells = vec![
            by.cell(group, &names),
            Cell::Count(sum.open),
            amount(sum.open_minor, *currency),
            Cell::Count(sum.won),
            amount(sum.won_minor, *currency),
            Cell::Count(sum.lost),
            win_rate(sum).map_or(Cell::Empty, Cell::Share),
            Cell::Text(currency.code().to_owned()),
            if first { Cell::Count(done.get(group).copied().unwrap_or_default()) } else { Cell::Empty },
        ];
        rows.push((cells, Drill::into("opportunity").and_then(|d| d.and(by.condition(group)))));
    }
    rows.sort_by_cached_key(|(row, _)| row.first().map(Cell::plain));
    let chart = chart(&rows);
    Report::of(request, columns, rows, chart)
}

fn win_rate(sum: &Sum) -> Option<u32> {
    let ended = sum.won + sum.lost;
    u32::try_from((sum.won * 10_000 + ended / 2).checked_div(ended)?).ok()
}

// Deals by group: open, won, lost.
fn chart(rows: &Rows) -> Chart {
    let count = |row: &[Cell], at: usize| if let Some(Cell::Count(count)) = row.get(at) { *count as f64 } else { 0.0 };
    let series = [(1, "report-open"), (3, "report-won"), (5, "report-lost")].map(|(at, label)| {
        let message = Message::new(label);
        let name = Cell::Choice { value: label.to_owned(), labels: Language::ALL.map(|l| message.render(l)) };
        Series { name, values: rows.iter().map(|(row, _)| count(row, at)).collect() }
    });
    let labels = rows.iter().map(|(row, _)| row.first().cloned().unwrap_or(Cell::Empty)).collect();
    Chart::new(labels, series.to_vec(), Message::new("report-count"))
}
