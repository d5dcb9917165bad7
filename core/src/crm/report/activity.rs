//! Activity: what people did, week by week.
//!
//! A row for each group (the owner, unless asked otherwise) and ISO week, `2026-W12`, Monday to Sunday in UTC. Archived
//! records do not count; `from` and `to` are held against the day.
//!
//! * **calls, meetings, visits, tasks, emails**: activities of that kind in the week of `done_at`, else of `starts_at`, else
//!   of `due_at`, else of the moment in which the record was made.
//! * **deals**: deals won in the week of `closed_on`; without one they do not count.

use std::collections::BTreeMap;

use chrono::Datelike;

use super::chart::{Chart, Series};
use super::groups::{Group, GroupBy, names};
use super::{Cell, Column, Report, Request, Rows, column};
use crate::error::Result;
use crate::message::{Language, Message};
use crate::replica::{Query, Record, Replica};
use crate::schema::Value;
use crate::time::Day;

/// Activity kinds that have a column, then the deals: column key and label.
const KINDS: [(&str, &str, &str); 5] = [
    ("call", "calls", "report-calls"),
    ("meeting", "meetings", "report-meetings"),
    ("visit", "visits", "report-visits"),
    ("task", "tasks", "report-tasks"),
    ("email", "emails", "report-emails"),
];

/// Counts in the order of [`KINDS`], deals last.
type Counts = [u64; KINDS.len() + 1];
type Weeks = BTreeMap<(Group, String), Counts>;

pub(super) fn report(replica: &Replica, request: &Request) -> Result<Report> {
    let schema = replica.schema();
    let by_name = request.grouped_by().unwrap_or("owner");
    let by = GroupBy::of(schema.require("activity")?, Some(by_name))?;
    let mut weeks = Weeks::new();
    let fields = ["kind", "done_at", "starts_at", "due_at"].into_iter().chain(by.field());
    replica.each(&Query::of("activity").fields(fields), &mut |record| {
        let at = KINDS.iter().position(|(kind, ..)| *kind == record.text("kind"));
        add(&mut weeks, request, by.group(&record), day_of(&record), at);
        Ok(())
    })?;
    // Deals can be grouped only by what they share with activities.
    if let Ok(by) = GroupBy::of(schema.require("opportunity")?, Some(by_name)) {
        let fields = ["stage", "closed_on"].into_iter().chain(by.field());
        replica.each(&Query::of("opportunity").fields(fields), &mut |record| {
            if let (Value::Date(day), "won") = (record.value("closed_on"), record.text("stage")) {
                add(&mut weeks, request, by.group(&record), *day, Some(KINDS.len()));
            }
            Ok(())
        })?;
    }
    let names = names(replica, weeks.keys().map(|(group, _)| group));
    // The day of an activity is one of four moments: no list asks for that.
    let mut rows: Rows = weeks
        .iter()
        .map(|((group, week), counts)| {
            let lead = [by.cell(group, &names), Cell::Text(week.clone())];
            (lead.into_iter().chain(counts.iter().map(|count| Cell::Count(*count))).collect(), None)
        })
        .collect();
    rows.sort_by_cached_key(|(row, _)| row.iter().take(2).map(Cell::plain).collect::<Vec<_>>());
    Ok(Report::of(request, columns(), rows, chart(&weeks)))
}

fn add(weeks: &mut Weeks, request: &Request, group: Group, day: Day, at: Option<usize>) {
    let Some(week) = week_of(day).filter(|_| request.covers(Some(day))) else { return };
    if let Some(count) = at.and_then(|at| weeks.entry((group, week)).or_default().get_mut(at)) {
        *count += 1;
    }
}

/// The day on which an activity counts.
pub(super) fn day_of(record: &Record) -> Day {
    let moment = ["done_at", "starts_at", "due_at"].into_iter().find_map(|field| match record.value(field) {
        Value::Instant(at) => Some(at.day()),
        Value::Date(day) => Some(*day),
        _ => None,
    });
    moment.unwrap_or_else(|| record.created.at.day())
}

fn week_of(day: Day) -> Option<String> {
    let week = day.date()?.iso_week();
    Some(format!("{:04}-W{:02}", week.year(), week.week()))
}

fn columns() -> Vec<Column> {
    let mut columns = vec![column("by", "report-by-column"), column("week", "report-week")];
    columns.extend(KINDS.iter().map(|(_, key, label)| column(key, label)));
    columns.push(column("deals", "report-deals"));
    columns
}

fn chart(weeks: &Weeks) -> Chart {
    let mut totals: BTreeMap<&String, Counts> = BTreeMap::new();
    for ((_, week), counts) in weeks {
        let total = totals.entry(week).or_default();
        total.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
    }
    let labels = totals.keys().map(|week| Cell::Text((*week).clone())).collect();
    let series = KINDS.iter().map(|(_, _, label)| *label).chain(["report-deals"]).enumerate().map(|(at, label)| {
        let message = Message::new(label);
        let name = Cell::Choice { value: label.to_owned(), labels: Language::ALL.map(|l| message.render(l)) };
        let values = totals.values().map(|counts| counts.get(at).copied().unwrap_or_default() as f64);
        Series { name, values: values.collect() }
    });
    Chart::new(labels, series.collect(), Message::new("report-count"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn weeks_are_iso_weeks_across_the_turn_of_a_year() {
        let week = |day: &str| Day::parse(day).and_then(week_of).unwrap();
        assert_eq!(week("2026-01-01"), "2026-W01");
        assert_eq!(week("2027-01-01"), "2026-W53");
        assert_eq!(week("2024-12-30"), "2025-W01");
    }

    #[test]
    fn each_kind_counts_in_its_own_column() {
        let mut weeks = Weeks::new();
        let request = Request::of(super::super::Kind::Activity);
        let day = Day::parse("2026-03-17").unwrap();
        add(&mut weeks, &request, Group::None, day, Some(0));
        add(&mut weeks, &request, Group::None, day, Some(KINDS.len()));
        add(&mut weeks, &request, Group::None, day, None);
        assert_eq!(weeks[&(Group::None, "2026-W12".to_owned())], [1, 0, 0, 0, 0, 1]);
    }
}
