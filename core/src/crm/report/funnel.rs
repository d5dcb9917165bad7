//! The funnel: deals by stage.
//!
//! A row for each group, stage and currency that has deals. Deals without an amount count in the workspace's currency.
//! Archived deals do not count. With `from` or `to` only deals opened in that time do (by `opened_on`, else by the day on
//! which the record was made).
//!
//! * **count, amount**: the deals that stand in this stage now, and the exact sum of their amounts.
//! * **conversion**: of all deals of the group, the share that came at least as far as this stage. Stages are ordered as
//!   in the schema, `won` last; a deal has come as far as the furthest stage in its history, and with it through all
//!   before. A lost deal counts for the furthest open stage that it was in, at least the first. For `lost` it is the
//!   share of deals lost.
//! * **median_days**: for an open stage, the median time that deals of the group spent in it before they left it, from
//!   their history; empty where none has left it. For `won` and `lost`, the median of the days from `opened_on` to
//!   `closed_on` of the deals in it; empty where none has both. Of an even number, the mean of the middle two. In tenths
//!   of a day.

use std::collections::{BTreeMap, HashMap};

use super::chart::{Chart, Series};
use super::drill::{self, Drill};
use super::groups::{Group, GroupBy, choice_cell, names};
use super::{Cell, Report, Request, Rows, column};
use crate::error::Result;
use crate::id::RecordId;
use crate::message::Message;
use crate::replica::{HistoryEntry, Query, Record, Replica};
use crate::schema::{Choice, Currency, Money, Value};
use crate::time::DAY_MS;

const WON: &str = "won";
const LOST: &str = "lost";

/// One deal, reduced to what the funnel needs.
#[derive(Debug, Clone, PartialEq)]
struct Deal {
    group: Group,
    stage: String,
    money: Option<Money>,
    /// From opening to closing, in tenths of a day.
    closing: Option<i64>,
    /// Stages that it has left, and how long it was in them, in tenths of a day.
    left: Vec<(String, i64)>,
}

#[derive(Debug, Default)]
struct StageFigures {
    /// By currency: deals and minor units.
    sums: BTreeMap<Currency, (u64, i128)>,
    days: Vec<i64>,
}

pub(super) fn report(replica: &Replica, request: &Request) -> Result<Report> {
    let schema = replica.schema();
    let collection = schema.require("opportunity")?;
    let stages = collection.require_field("stage")?.ty.choices().to_vec();
    let by = GroupBy::of(collection, request.grouped_by())?;
    let currency = replica.settings()?.currency;
    let deals = deals(replica, request, &by)?;
    let figures = figures(&deals, &stages, currency);
    let names = names(replica, figures.keys());
    let columns = vec![
        column("by", "report-by-column"),
        column("stage", "report-stage"),
        column("count", "report-count"),
        column("amount", "report-amount"),
        column("currency", "report-currency"),
        column("conversion", "report-conversion"),
        column("median_days", "report-median-days"),
    ];
    let mut rows = Rows::new();
    let mut ordered: Vec<(Cell, &Group, &GroupFigures)> =
        figures.iter().map(|(g, f)| (by.cell(g, &names), g, f)).collect();
    ordered.sort_by_key(|(cell, ..)| cell.plain());
    for (cell, group, figures) in &ordered {
        // Days of opening are held against the record's making where none is given, which a list cannot ask.
        let whole = request.from.is_none() && request.to.is_none();
        let drill = |stage: &str, of: Currency| {
            Drill::into("opportunity")
                .filter(|_| whole)?
                .and(by.condition(group))?
                .and(Some(if stage.is_empty() { "stage is empty".to_owned() } else { drill::is("stage", stage) }))?
                .and(Some(drill::in_currency(of, Some(currency))))
        };
        rows.extend(figures.rows(cell, &stages).into_iter().map(|(stage, of, row)| (row, drill(&stage, of))));
    }
    let chart = chart(&ordered, &stages);
    Ok(Report::of(request, columns, rows, chart))
}

fn deals(replica: &Replica, request: &Request, by: &GroupBy) -> Result<Vec<Deal>> {
    let fields = ["stage", "amount", "opened_on", "closed_on"].into_iter().chain(by.field());
    let mut deals = Vec::new();
    let mut moved: Vec<(usize, RecordId)> = Vec::new();
    replica.each(&Query::of("opportunity").fields(fields), &mut |record| {
        let opened = match record.value("opened_on") {
            Value::Date(day) => *day,
            _ => record.created.at.day(),
        };
        if record.merged_into.is_none() && request.covers(Some(opened)) {
            // A record with one change only has never moved: its history need not be read.
            if record.updated.at != record.created.at {
                moved.push((deals.len(), record.id));
            }
            deals.push(deal(&record, by));
        }
        Ok(())
    })?;
    for (at, id) in moved {
        let left = stages_left(&replica.history("opportunity", &id)?);
        if let Some(deal) = deals.get_mut(at) {
            deal.left = left;
        }
    }
    Ok(deals)
}

fn deal(record: &Record, by: &GroupBy) -> Deal {
    let closing = match (record.value("opened_on"), record.value("closed_on")) {
        (Value::Date(opened), Value::Date(closed)) => Some(i64::from(closed.0 - opened.0) * 10),
        _ => None,
    };
    let money = match record.value("amount") {
        Value::Money(money) => Some(*money),
        _ => None,
    };
    Deal { group: by.group(record), stage: record.text("stage").to_owned(), money, closing, left: Vec::new() }
}

/// The stages that a deal has left, with the time in each, from its history.
fn stages_left(history: &[HistoryEntry]) -> Vec<(String, i64)> {
    let mut entries: Vec<_> = history.iter().filter(|entry| &*entry.field == "stage").collect();
    entries.sort_by_key(|entry| entry.at);
    let spans = entries.windows(2).filter_map(|pair| match pair {
        [entered, left] => match &entered.to {
            Value::Text(stage) => Some((stage.clone(), (left.at.0 - entered.at.0).max(0) * 10 / DAY_MS)),
            _ => None,
        },
        _ => None,
    });
    spans.collect()
}

/// The figures of one group.
#[derive(Debug, Default)]
struct GroupFigures {
    stages: HashMap<String, StageFigures>,
    /// Deals that came at least as far as the open stage (or `won`) of this place.
    reached: Vec<u64>,
    lost: u64,
    total: u64,
}

fn figures(deals: &[Deal], stages: &[Choice], currency: Currency) -> BTreeMap<Group, GroupFigures> {
    let order: Vec<&str> = stages.iter().map(|c| c.value.as_str()).filter(|stage| *stage != LOST).collect();
    let place = |stage: &str| order.iter().position(|s| *s == stage);
    let mut groups: BTreeMap<Group, GroupFigures> = BTreeMap::new();
    for deal in deals {
        let group = groups.entry(deal.group.clone()).or_default();
        group.reached.resize(order.len(), 0);
        group.total += 1;
        group.lost += u64::from(deal.stage == LOST);
        let furthest = deal.left.iter().map(|(stage, _)| stage).chain([&deal.stage]).filter_map(|s| place(s)).max();
        group.reached.iter_mut().take(furthest.unwrap_or_default() + 1).for_each(|reached| *reached += 1);
        for (stage, days) in &deal.left {
            if stage != WON && stage != LOST {
                group.stages.entry(stage.clone()).or_default().days.push(*days);
            }
        }
        let figures = group.stages.entry(deal.stage.clone()).or_default();
        if deal.stage == WON || deal.stage == LOST {
            figures.days.extend(deal.closing);
        }
        let sum = figures.sums.entry(deal.money.map_or(currency, |money| money.currency)).or_default();
        sum.0 += 1;
        sum.1 += i128::from(deal.money.map_or(0, |money| money.minor));
    }
    groups
}

impl GroupFigures {
    // Each row with its stage and currency.
    fn rows(&self, group: &Cell, stages: &[Choice]) -> Vec<(String, Currency, Vec<Cell>)> {
        let known = stages.iter().map(|choice| choice.value.as_str());
        let mut unknown: Vec<&str> = self.stages.keys().map(String::as_str).collect();
        unknown.retain(|stage| !stages.iter().any(|choice| choice.value == *stage));
        unknown.sort_unstable();
        let mut rows = Vec::new();
        for stage in known.chain(unknown) {
            let Some(figures) = self.stages.get(stage) else { continue };
            for (currency, (count, minor)) in &figures.sums {
                let cells = vec![
                    group.clone(),
                    choice_cell(stages, stage),
                    Cell::Count(*count),
                    amount(*minor, *currency),
                    Cell::Text(currency.code().to_owned()),
                    self.conversion(stage, stages).map_or(Cell::Empty, Cell::Share),
                    median(&figures.days).map_or(Cell::Empty, Cell::Days),
                ];
                rows.push((stage.to_owned(), *currency, cells));
            }
        }
        rows
    }

    fn conversion(&self, stage: &str, stages: &[Choice]) -> Option<u32> {
        let order = stages.iter().map(|choice| choice.value.as_str()).filter(|stage| *stage != LOST);
        let reached = match stage {
            LOST => self.lost,
            _ => *self.reached.get(order.into_iter().position(|s| s == stage)?)?,
        };
        let share = (reached * 10_000 + self.total / 2).checked_div(self.total)?;
        u32::try_from(share).ok()
    }
}

/// A sum as a cell; a sum beyond 64 bits of minor units is shown at the bound.
pub(super) fn amount(minor: i128, currency: Currency) -> Cell {
    let minor = i64::try_from(minor).unwrap_or(if minor < 0 { i64::MIN } else { i64::MAX });
    Cell::Amount(Money { minor, currency })
}

fn median(tenths: &[i64]) -> Option<i64> {
    let mut sorted = tenths.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *sorted.get(middle.checked_sub(1)?)?;
    Some((lower + upper).div_euclid(2))
}

fn chart(groups: &[(Cell, &Group, &GroupFigures)], stages: &[Choice]) -> Chart {
    let series = groups.iter().map(|(cell, _, figures)| {
        let count = |stage: &Choice| {
            let figures = figures.stages.get(&stage.value);
            figures.map_or(0, |f| f.sums.values().map(|(count, _)| count).sum::<u64>()) as f64
        };
        Series { name: cell.clone(), values: stages.iter().map(count).collect() }
    });
    let labels = stages.iter().map(|stage| choice_cell(stages, &stage.value)).collect();
    Chart::new(labels, series.collect(), Message::new("report-count"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::schema::Labels;

    const USD: Currency = Currency(*b"USD");

    fn stages() -> Vec<Choice> {
        ["new", "qualified", "won", "lost"]
            .map(|value| Choice { value: value.to_owned(), labels: Labels::default() })
            .to_vec()
    }

    fn deal(stage: &str, minor: i64, closing: Option<i64>, left: &[(&str, i64)]) -> Deal {
        let left = left.iter().map(|(stage, days)| ((*stage).to_owned(), *days)).collect();
        let money = (minor != 0).then_some(Money { minor, currency: USD });
        Deal { group: Group::None, stage: stage.to_owned(), money, closing, left }
    }

    #[test]
    fn every_figure_follows_its_definition() {
        let deals = [
            deal("new", 0, None, &[]),
            deal("won", 100, Some(50), &[("new", 10), ("qualified", 20)]),
            deal("won", 250, Some(100), &[]),
            deal("lost", 1, Some(70), &[("new", 30), ("qualified", 40)]),
            deal("lost", 0, None, &[]),
        ];
        let figures = figures(&deals, &stages(), USD);
        let rows = figures[&Group::None].rows(&Cell::Empty, &stages());
        let plain: Vec<String> =
            rows.iter().map(|(_, _, row)| row.iter().map(Cell::plain).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(plain, [" new 1 0.00 USD 1.0000 2.0", " won 2 3.50 USD 0.4000 7.5", " lost 2 0.01 USD 0.4000 7.0",]);
        assert_eq!(figures[&Group::None].conversion("qualified", &stages()), Some(6_000));
    }

    #[test]
    fn currencies_are_never_added_up() {
        let mut other = deal("won", 7, None, &[]);
        other.money = Some(Money { minor: 7, currency: Currency(*b"EUR") });
        let figures = figures(&[other, deal("won", 5, None, &[])], &stages(), USD);
        assert_eq!(figures[&Group::None].rows(&Cell::Empty, &stages()).len(), 2);
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_two() {
        assert_eq!(median(&[30, 10, 20]), Some(20));
        assert_eq!(median(&[10, 20]), Some(15));
        assert_eq!(median(&[]), None);
    }
}
