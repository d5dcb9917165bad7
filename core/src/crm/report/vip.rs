//! VIP clients: who bought for how much in a period.
//!
//! A row for each client (or other group of deals) and currency, the greatest sum first. Deals won count by `closed_on`;
//! archived ones do not.
//!
//! * **count, amount**: the deals won, and the exact sum of their amounts.
//! * **share**: of everything that was won in this currency in that time.
//! * **last**: the day of the newest of them.

use std::collections::BTreeMap;

use super::chart::{Chart, Series};
use super::funnel::amount;
use super::groups::{Group, GroupBy, names};
use super::{Cell, Drill, Report, Request, Rows, column, drill};
use crate::error::Result;
use crate::message::{Language, Message};
use crate::replica::{Query, Replica};
use crate::schema::{Currency, Value};
use crate::time::Day;

/// Clients that the chart shows.
const BARS_MAX: usize = 12;

#[derive(Debug, Default, Clone, Copy)]
struct Sum {
    count: u64,
    minor: i128,
    last: Option<Day>,
}

type Sums = BTreeMap<(Group, Currency), Sum>;

pub(super) fn report(replica: &Replica, request: &Request) -> Result<Report> {
    let by = GroupBy::of(replica.schema().require("opportunity")?, request.grouped_by())?;
    let mut sums = Sums::new();
    let fields = ["stage", "amount", "closed_on"].into_iter().chain(by.field());
    replica.each(&Query::of("opportunity").fields(fields), &mut |record| {
        let day = match record.value("closed_on") {
            Value::Date(day) => Some(*day),
            _ => None,
        };
        if let (Value::Money(money), "won", true) = (record.value("amount"), record.text("stage"), request.covers(day))
        {
            let sum = sums.entry((by.group(&record), money.currency)).or_default();
            sum.count += 1;
            sum.minor += i128::from(money.minor);
            sum.last = sum.last.max(day);
        }
        Ok(())
    })?;
    let names = names(replica, sums.keys().map(|(group, _)| group));
    let mut totals: BTreeMap<Currency, i128> = BTreeMap::new();
    for ((_, currency), sum) in &sums {
        *totals.entry(*currency).or_default() += sum.minor;
    }
    let mut ordered: Vec<(&(Group, Currency), &Sum)> = sums.iter().collect();
    ordered.sort_by_key(|((_, currency), sum)| (*currency, std::cmp::Reverse(sum.minor)));
    let columns = vec![
        column("by", "report-by-column"),
        column("count", "report-count"),
        column("amount", "report-amount"),
        column("currency", "report-currency"),
        column("share", "report-share"),
        column("last", "report-last"),
    ];
    let mut rows = Rows::new();
    for ((group, currency), sum) in &ordered {
        let total = totals.get(currency).copied().unwrap_or_default();
        let cells = vec![
            by.cell(group, &names),
            Cell::Count(sum.count),
            amount(sum.minor, *currency),
            Cell::Text(currency.code().to_owned()),
            share(sum.minor, total).map_or(Cell::Empty, Cell::Share),
            sum.last.map_or(Cell::Empty, |day| Cell::Text(day.iso())),
        ];
        let won = Drill::into("opportunity").and_then(|d| d.and(Some("stage = won".to_owned())));
        let won = won.and_then(|d| d.and(Some(drill::in_currency(*currency, None)))?.and(by.condition(group)));
        rows.push((cells, won.and_then(|d| d.within("closed_on", request))));
    }
    // One currency: those of several do not compare.
    let first = ordered.first().map(|((_, currency), _)| *currency);
    let top: Vec<_> = ordered.iter().filter(|((_, c), _)| Some(*c) == first).take(BARS_MAX).collect();
    let labels = top.iter().map(|((group, _), _)| by.cell(group, &names)).collect();
    let scale = 10f64.powi(first.map_or(0, |currency| currency.exponent() as i32));
    let message = Message::new("report-amount");
    let code = first.map(|currency| currency.code().to_owned()).unwrap_or_default();
    let labelled = Language::ALL.map(|language| format!("{}, {code}", message.render(language)));
    let name = Cell::Choice { value: "amount".into(), labels: labelled };
    let series = Series { name, values: top.iter().map(|(_, sum)| sum.minor as f64 / scale).collect() };
    let chart = Chart::new(labels, vec![series], message);
    Ok(Report::of(request, columns, rows, chart))
}

fn share(part: i128, total: i128) -> Option<u32> {
    u32::try_from((part * 10_000 + total / 2).checked_div(total)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_the_whole_and_of_nothing_none() {
        assert_eq!(share(1, 3), Some(3_333));
        assert_eq!(share(2, 3), Some(6_667));
        assert_eq!(share(0, 0), None);
    }
}
