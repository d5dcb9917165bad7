//! The activity funnel: clients by how far work with them came.
//!
//! A row for each group and step: **call**, **meeting** (a meeting or visit), **quote** (a document of that kind), **won**
//! (a deal). Activities count on the day of `done_at`, else of `starts_at`, else of `due_at`, else of the record's making;
//! quotes on that of `issued_on`, else of the making; deals on `closed_on`. Archived records and those of no client do
//! not count; what names a deal and no client counts for the client of the deal.
//!
//! * **clients**: clients with at least one such record.
//! * **records**: those records.
//! * **conversion**: of the clients of the step before, the share that came to this one too; empty for the first.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::activity::day_of;
use super::chart::{Chart, Series};
use super::drill::Drill;
use super::groups::{Group, GroupBy, names};
use super::{Cell, Report, Request, Rows, column};
use crate::error::Result;
use crate::id::RecordId;
use crate::message::{Language, Message};
use crate::replica::{Query, Record, Replica};
use crate::schema::Value;

/// The steps in their order: key and label.
const STEPS: [(&str, &str); 4] = [
    ("call", "report-step-call"),
    ("meeting", "report-step-meeting"),
    ("quote", "report-step-quote"),
    ("won", "report-step-won"),
];
const MEETING: usize = 1;
const QUOTE: usize = 2;
const WON: usize = 3;

#[derive(Debug, Default)]
struct Step {
    clients: HashSet<RecordId>,
    records: u64,
}

type Groups = BTreeMap<Group, [Step; STEPS.len()]>;

pub(super) fn report(replica: &Replica, request: &Request) -> Result<Report> {
    let schema = replica.schema();
    let by = GroupBy::of(schema.require("activity")?, request.grouped_by())?;
    let mut groups = Groups::new();
    let mut clients: HashMap<RecordId, RecordId> = HashMap::new();
    // Quotes and deals are grouped by what they share with activities.
    let deals_by =
        GroupBy::of(schema.require("opportunity")?, request.grouped_by()).unwrap_or_else(|_| GroupBy::none());
    let fields = ["stage", "account", "closed_on"].into_iter().chain(deals_by.field());
    replica.each(&Query::of("opportunity").fields(fields), &mut |record| {
        let Some(client) = record.reference("account") else { return Ok(()) };
        clients.insert(record.id, client);
        if let (Value::Date(day), "won") = (record.value("closed_on"), record.text("stage"))
            && request.covers(Some(*day))
        {
            add(&mut groups, deals_by.group(&record), WON, client);
        }
        Ok(())
    })?;
    let client_of = |record: &Record| {
        let deal = record.reference("opportunity");
        record.reference("account").or_else(|| deal.and_then(|deal| clients.get(&deal).copied()))
    };
    let fields = ["kind", "account", "opportunity", "done_at", "starts_at", "due_at"].into_iter().chain(by.field());
    replica.each(&Query::of("activity").fields(fields), &mut |record| {
        let step = match record.text("kind") {
            "call" => 0,
            "meeting" | "visit" => MEETING,
            _ => return Ok(()),
        };
        if let Some(client) = client_of(&record).filter(|_| request.covers(Some(day_of(&record)))) {
            add(&mut groups, by.group(&record), step, client);
        }
        Ok(())
    })?;
    let quotes_by = GroupBy::of(schema.require("document")?, request.grouped_by()).unwrap_or_else(|_| GroupBy::none());
    let fields = ["kind", "account", "opportunity", "issued_on"].into_iter().chain(quotes_by.field());
    replica.each(&Query::of("document").fields(fields), &mut |record| {
        let day = match record.value("issued_on") {
            Value::Date(day) => *day,
            _ => record.created.at.day(),
        };
        if let Some(client) = client_of(&record).filter(|_| record.text("kind") == "quote" && request.covers(Some(day)))
        {
            add(&mut groups, quotes_by.group(&record), QUOTE, client);
        }
        Ok(())
    })?;
    Ok(finished(replica, request, (&by, &deals_by), &groups))
}

fn add(groups: &mut Groups, group: Group, step: usize, client: RecordId) {
    if let Some(step) = groups.entry(group).or_default().get_mut(step) {
        step.clients.insert(client);
        step.records += 1;
    }
}

fn finished(replica: &Replica, request: &Request, (by, deals_by): (&GroupBy, &GroupBy), groups: &Groups) -> Report {
    let names = names(replica, groups.keys());
    let columns = vec![
        column("by", "report-by-column"),
        column("step", "report-step"),
        column("clients", "report-clients"),
        column("records", "report-records"),
        column("conversion", "report-conversion"),
    ];
    let mut ordered: Vec<(Cell, &Group, &[Step; STEPS.len()])> =
        groups.iter().map(|(group, steps)| (by.cell(group, &names), group, steps)).collect();
    ordered.sort_by_key(|(cell, ..)| cell.plain());
    let mut rows = Rows::new();
    for (cell, group, steps) in &ordered {
        let mut before: Option<&Step> = None;
        for (at, step) in steps.iter().enumerate() {
            let cells = vec![
                cell.clone(),
                step_cell(at),
                Cell::Count(step.clients.len() as u64),
                Cell::Count(step.records),
                before.and_then(|before| conversion(before, step)).map_or(Cell::Empty, Cell::Share),
            ];
            // Only deals have one day; the day of an activity is one of four moments.
            let won = (at == WON && step.records > 0).then(|| deals_by.condition(group)).flatten();
            let drill = Drill::into("opportunity")
                .and_then(|d| {
                    d.and(won)?.and(Some("stage = won and account is not empty and closed_on is not empty".to_owned()))
                })
                .and_then(|d| d.within("closed_on", request));
            rows.push((cells, drill));
            before = Some(step);
        }
    }
    let series = ordered.iter().map(|(cell, _, steps)| Series {
        name: cell.clone(),
        values: steps.iter().map(|step| step.clients.len() as f64).collect(),
    });
    let chart = Chart::new((0..STEPS.len()).map(step_cell).collect(), series.collect(), Message::new("report-clients"));
    Report::of(request, columns, rows, chart)
}

fn step_cell(at: usize) -> Cell {
    let (key, label) = STEPS.get(at).copied().unwrap_or_default();
    let message = Message::new(label);
    Cell::Choice { value: key.to_owned(), labels: Language::ALL.map(|language| message.render(language)) }
}

fn conversion(before: &Step, step: &Step) -> Option<u32> {
    let both = before.clients.intersection(&step.clients).count() as u64;
    let all = before.clients.len() as u64;
    u32::try_from((both * 10_000 + all / 2).checked_div(all)?).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_client_counts_once_in_a_step_and_converts_from_the_one_before() {
        let [a, b, c] = [1u8, 2, 3].map(|n| RecordId::from_slice(&[n; 16]).unwrap());
        let mut groups = Groups::new();
        for (step, client) in [(0, a), (0, a), (0, b), (MEETING, a), (MEETING, c)] {
            add(&mut groups, Group::None, step, client);
        }
        let steps = &groups[&Group::None];
        assert_eq!((steps[0].clients.len(), steps[0].records), (2, 3));
        assert_eq!(conversion(&steps[0], &steps[MEETING]), Some(5_000));
        assert_eq!(conversion(&steps[QUOTE], &steps[WON]), None);
    }
}
