//! The pipeline: open deals by the month in which they are expected, weighted by their probability.
//!
//! A row for each group, month and currency. Open is every stage but `won` and `lost`; archived deals do not count. The
//! month is that of `expected_on`, empty where none is given; `from` and `to` are held against it.
//!
//! * **amount**: the exact sum of the amounts.
//! * **weighted**: the sum of amount × probability, rounded once, half to even. The probability is the deal's own, else
//!   that of its stage in its pipeline, else 10 % for `new`, 25 % for `qualified`, 50 % for `proposal`, 75 % for
//!   `negotiation`, 0 for any other stage.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::chart::{Chart, Series};
use super::drill::{Drill, in_currency, month};
use super::funnel::amount;
use super::groups::{Group, GroupBy, names};
use super::{Cell, Report, Request, Rows, column};
use crate::error::Result;
use crate::id::RecordId;
use crate::message::{Language, Message};
use crate::replica::{Query, Record, Replica};
use crate::schema::{Currency, Value};

#[derive(Debug, Default, Clone, Copy)]
struct Sum {
    count: u64,
    minor: i128,
    weighted: Decimal,
}

type Sums = BTreeMap<(Group, String, Currency), Sum>;

pub(super) fn report(replica: &Replica, request: &Request) -> Result<Report> {
    let schema = replica.schema();
    let by = GroupBy::of(schema.require("opportunity")?, request.grouped_by())?;
    let currency = replica.settings()?.currency;
    let probabilities = Probabilities::load(replica)?;
    let fields = ["stage", "amount", "probability", "expected_on", "pipeline"].into_iter().chain(by.field());
    let mut sums = Sums::new();
    replica.each(&Query::of("opportunity").fields(fields), &mut |record| {
        let expected = match record.value("expected_on") {
            Value::Date(day) => Some(*day),
            _ => None,
        };
        let open = !matches!(record.text("stage"), "won" | "lost") && record.merged_into.is_none();
        if open && request.covers(expected) {
            let month = expected.map(|day| day.iso().chars().take(7).collect()).unwrap_or_default();
            let money = match record.value("amount") {
                Value::Money(money) => Some(*money),
                _ => None,
            };
            let key = (by.group(&record), month, money.map_or(currency, |money| money.currency));
            let sum = sums.entry(key).or_default();
            let minor = money.map_or(0, |money| money.minor);
            sum.count += 1;
            sum.minor += i128::from(minor);
            sum.weighted += Decimal::from(minor) * probabilities.of(&record) / Decimal::ONE_HUNDRED;
        }
        Ok(())
    })?;
    Ok(finished(replica, request, &by, &sums, currency))
}

fn finished(replica: &Replica, request: &Request, by: &GroupBy, sums: &Sums, own: Currency) -> Report {
    let names = names(replica, sums.keys().map(|(group, _, _)| group));
    let columns = vec![
        column("by", "report-by-column"),
        column("month", "report-month"),
        column("count", "report-count"),
        column("amount", "report-amount"),
        column("weighted", "report-weighted"),
        column("currency", "report-currency"),
    ];
    let mut rows: Rows = sums
        .iter()
        .map(|((group, of_month, currency), sum)| {
            let open = Drill::into("opportunity").and_then(|d| d.and(Some("not stage in (won, lost)".to_owned())));
            let drill = open
                .and_then(|d| d.and(by.condition(group))?.and(month("expected_on", of_month)))
                .and_then(|d| d.and(Some(in_currency(*currency, Some(own)))));
            let cells = vec![
                by.cell(group, &names),
                if of_month.is_empty() { Cell::Empty } else { Cell::Text(of_month.clone()) },
                Cell::Count(sum.count),
                amount(sum.minor, *currency),
                amount(rounded(sum.weighted), *currency),
                Cell::Text(currency.code().to_owned()),
            ];
            // A list has no day within a month to begin with.
            (cells, drill.filter(|_| request.from.is_none() && request.to.is_none()))
        })
        .collect();
    rows.sort_by_cached_key(|(row, _)| row.iter().take(2).map(Cell::plain).collect::<Vec<_>>());
    Report::of(request, columns, rows, chart(sums))
}

fn rounded(weighted: Decimal) -> i128 {
    weighted.round().to_i128().unwrap_or_default()
}

/// Months against amounts of the currency with the most deals; a chart of several currencies would add apples to pears.
fn chart(sums: &Sums) -> Chart {
    let mut deals: BTreeMap<Currency, u64> = BTreeMap::new();
    for ((_, _, currency), sum) in sums {
        *deals.entry(*currency).or_default() += sum.count;
    }
    let Some((currency, _)) = deals.into_iter().max_by_key(|(currency, count)| (*count, std::cmp::Reverse(*currency)))
    else {
        return Chart::new(Vec::new(), Vec::new(), Message::new("report-amount"));
    };
    let months: BTreeSet<&String> = sums.keys().filter(|(_, _, c)| *c == currency).map(|(_, month, _)| month).collect();
    let total = |month: &String, of: fn(&Sum) -> f64| {
        let own = sums.iter().filter(|((_, m, c), _)| m == month && *c == currency);
        own.map(|(_, sum)| of(sum)).sum::<f64>() / 10f64.powi(currency.exponent() as i32)
    };
    let series = |label: &'static str, of: fn(&Sum) -> f64| {
        let message = Message::new(label);
        let labels = Language::ALL.map(|l| format!("{}, {}", message.render(l), currency.code()));
        let name = Cell::Choice { value: label.to_owned(), labels };
        Series { name, values: months.iter().map(|month| total(month, of)).collect() }
    };
    let amounts = series("report-amount", |sum| sum.minor as f64);
    let weighted = series("report-weighted", |sum| sum.weighted.to_f64().unwrap_or_default());
    let labels = months.iter().map(|m| Cell::Text(if m.is_empty() { "–".to_owned() } else { (*m).clone() })).collect();
    Chart::new(labels, vec![amounts, weighted], Message::new("report-amount"))
}

/// How likely a deal of a stage is won, in per cent.
struct Probabilities(HashMap<(RecordId, String), Decimal>);

impl Probabilities {
    fn load(replica: &Replica) -> Result<Self> {
        let mut of_stage = HashMap::new();
        replica.each(&Query::of("pipeline").fields(["stages"]), &mut |pipeline| {
            if let Value::Lines(stages) = pipeline.value("stages") {
                for cells in stages.values() {
                    if let (Some(Value::Text(stage)), Some(Value::Decimal(probability))) =
                        (cells.get("stage"), cells.get("probability"))
                    {
                        of_stage.insert((pipeline.id, stage.clone()), *probability);
                    }
                }
            }
            Ok(())
        })?;
        Ok(Self(of_stage))
    }

    fn of(&self, deal: &Record) -> Decimal {
        if let Value::Decimal(own) = deal.value("probability") {
            return *own;
        }
        let stage = deal.text("stage");
        let of_stage = deal.reference("pipeline").and_then(|pipeline| self.0.get(&(pipeline, stage.to_owned())));
        of_stage.copied().unwrap_or_else(|| {
            Decimal::from(match stage {
                "new" => 10,
                "qualified" => 25,
                "proposal" => 50,
                "negotiation" => 75,
                _ => 0,
            })
        })
    }
}
