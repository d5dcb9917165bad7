//! Plan against fact: what was to be reached, and what was.
//!
//! A row for each plan (a record of `quota`) whose time meets the time asked for, under the person that it is for (unless
//! grouped otherwise). Archived records do not count.
//!
//! * **planned**: the plan's amount, for `revenue`, else its count.
//! * **reached**: of what lies in the plan's own time, from `starts_on` to `ends_on`, whether the report is asked for all
//!   of it or a part: for `revenue` the exact sum of deals won in the plan's currency and for `deals` their number, by
//!   `closed_on`; for `new_accounts` the clients whose records were made; for `calls`, `meetings` and `visits` the
//!   activities of that kind that were done, by `done_at`. A plan for a person counts that person's own (the owner's;
//!   clients by who made them), else that of its branch; with a product only deals of it.
//! * **share**: reached of planned; empty where nothing was planned.

use std::collections::HashMap;

use super::chart::{Chart, Series};
use super::groups::{GroupBy, choice_cell, names};
use super::{Cell, Drill, Report, Request, Rows, column, drill};
use crate::error::Result;
use crate::id::RecordId;
use crate::message::{Language, Message};
use crate::replica::{Query, Record, Replica};
use crate::schema::{Money, Value};
use crate::time::Day;

/// One plan, and what was reached of it.
struct Plan {
    record: Record,
    metric: String,
    person: Option<RecordId>,
    branch: Option<RecordId>,
    product: Option<RecordId>,
    from: Option<Day>,
    to: Option<Day>,
    money: Option<Money>,
    reached: i64,
}

/// One thing that was reached.
struct Fact {
    metric: &'static str,
    person: Option<RecordId>,
    branch: Option<RecordId>,
    product: Option<RecordId>,
    day: Day,
}

pub(super) fn report(replica: &Replica, request: &Request) -> Result<Report> {
    let schema = replica.schema();
    let by = GroupBy::of(schema.require("quota")?, request.grouped_by())?;
    let mut plans = Vec::new();
    replica.each(&Query::of("quota"), &mut |record| {
        plans.extend(Some(Plan::of(record)).filter(|plan| plan.meets(request)));
        Ok(())
    })?;
    let of_deals = |plan: &Plan| matches!(plan.metric.as_str(), "revenue" | "deals");
    if plans.iter().any(of_deals) {
        deals(replica, &mut plans)?;
    }
    if plans.iter().any(|plan| plan.metric == "new_accounts") {
        let mut homes = HashMap::new();
        replica.each(&Query::of("user").fields(["home_branch"]), &mut |person| {
            homes.extend(person.reference("home_branch").map(|branch| (person.id, branch)));
            Ok(())
        })?;
        replica.each(&Query::of("account").fields(["name"]), &mut |record| {
            // A client belongs to no branch; who made it does.
            let (person, day) = (record.created.by, record.created.at.day());
            let branch = person.and_then(|person| homes.get(&person).copied());
            let fact = Fact { metric: "new_accounts", person, branch, product: None, day };
            plans.iter_mut().filter(|plan| plan.counts(&fact)).for_each(|plan| plan.reached += 1);
            Ok(())
        })?;
    }
    if plans.iter().any(|plan| matches!(plan.metric.as_str(), "calls" | "meetings" | "visits")) {
        activities(replica, &mut plans)?;
    }
    Ok(finished(replica, request, &by, &plans))
}

impl Plan {
    fn of(record: Record) -> Self {
        let day = |field: &str| match record.value(field) {
            Value::Date(day) => Some(*day),
            _ => None,
        };
        let money = match record.value("amount") {
            Value::Money(money) => Some(*money),
            _ => None,
        };
        Self {
            metric: record.text("metric").to_owned(),
            person: record.reference("person"),
            branch: record.reference("branch"),
            product: record.reference("product"),
            from: day("starts_on"),
            to: day("ends_on"),
            money,
            reached: 0,
            record,
        }
    }

    fn meets(&self, request: &Request) -> bool {
        let begins = self.from.is_none_or(|from| request.to.is_none_or(|to| from <= to));
        begins && self.to.is_none_or(|to| request.from.is_none_or(|from| to >= from))
    }

    fn counts(&self, fact: &Fact) -> bool {
        let own = match (self.person, self.branch) {
            (Some(person), _) => fact.person == Some(person),
            (None, Some(branch)) => fact.branch == Some(branch),
            (None, None) => true,
        };
        let timely = self.from.is_none_or(|from| fact.day >= from) && self.to.is_none_or(|to| fact.day <= to);
        let product = self.product.is_none_or(|product| fact.product == Some(product));
        self.metric == fact.metric && own && timely && product
    }

    fn planned(&self) -> i64 {
        match (self.metric.as_str(), self.money, self.record.value("count")) {
            ("revenue", Some(money), _) => money.minor,
            ("revenue", None, _) => 0,
            (_, _, Value::Integer(count)) => *count,
            _ => 0,
        }
    }

    fn cell(&self, number: i64) -> Cell {
        match (self.metric.as_str(), self.money) {
            ("revenue", Some(money)) => Cell::Amount(Money { minor: number, currency: money.currency }),
            _ => Cell::Count(u64::try_from(number).unwrap_or_default()),
        }
    }

    fn share(&self) -> Option<u32> {
        let (reached, planned) = (i128::from(self.reached), i128::from(self.planned()));
        u32::try_from((reached * 10_000 + planned / 2).checked_div(planned)?).ok()
    }

    // What was reached in deals, as a list shows it.
    fn drill(&self) -> Option<Drill> {
        if !matches!(self.metric.as_str(), "revenue" | "deals") {
            return None;
        }
        let of = |field: &str, id: Option<RecordId>| id.map(|id| drill::is(field, &id.to_string())).unwrap_or_default();
        let branch = self.branch.filter(|_| self.person.is_none());
        let currency = match (self.metric.as_str(), self.money) {
            ("revenue", Some(money)) => drill::in_currency(money.currency, None),
            // Nothing counts for a sum of no currency.
            ("revenue", None) => return None,
            _ => String::new(),
        };
        let time = Request { from: self.from, to: self.to, ..Request::of(super::Kind::Plan) };
        Drill::into("opportunity")?
            .and(Some("stage = won and closed_on is not empty".to_owned()))?
            .and(Some(currency))?
            .and(Some(of("owner", self.person)))?
            .and(Some(of("branch", branch)))?
            .and(Some(of("product", self.product)))?
            .within("closed_on", &time)
    }
}

fn deals(replica: &Replica, plans: &mut [Plan]) -> Result<()> {
    let fields = ["stage", "amount", "closed_on", "product", "owner", "branch"];
    replica.each(&Query::of("opportunity").fields(fields), &mut |record| {
        let (Value::Date(day), "won") = (record.value("closed_on"), record.text("stage")) else { return Ok(()) };
        let money = match record.value("amount") {
            Value::Money(money) => Some(*money),
            _ => None,
        };
        for metric in ["revenue", "deals"] {
            let (person, branch) = (record.reference("owner"), record.reference("branch"));
            let fact = Fact { metric, person, branch, product: record.reference("product"), day: *day };
            for plan in plans.iter_mut().filter(|plan| plan.counts(&fact)) {
                let own = money.filter(|money| plan.money.is_some_and(|planned| planned.currency == money.currency));
                let more = if metric == "deals" { 1 } else { own.map_or(0, |money| money.minor) };
                plan.reached = plan.reached.saturating_add(more);
            }
        }
        Ok(())
    })
}

fn activities(replica: &Replica, plans: &mut [Plan]) -> Result<()> {
    replica.each(&Query::of("activity").fields(["kind", "done_at", "owner", "branch"]), &mut |record| {
        let metric = match record.text("kind") {
            "call" => "calls",
            "meeting" => "meetings",
            "visit" => "visits",
            _ => return Ok(()),
        };
        if let Value::Instant(at) = record.value("done_at") {
            let (person, branch) = (record.reference("owner"), record.reference("branch"));
            let fact = Fact { metric, person, branch, product: None, day: at.day() };
            plans.iter_mut().filter(|plan| plan.counts(&fact)).for_each(|plan| plan.reached += 1);
        }
        Ok(())
    })
}

fn finished(replica: &Replica, request: &Request, by: &GroupBy, plans: &[Plan]) -> Report {
    let groups: Vec<_> = plans.iter().map(|plan| by.group(&plan.record)).collect();
    let names = names(replica, groups.iter());
    let metrics = replica.schema().collection("quota").and_then(|quota| quota.field("metric").cloned());
    let columns = vec![
        column("by", "report-by-column"),
        column("plan", "report-plan-name"),
        column("metric", "report-metric"),
        column("from", "report-from"),
        column("to", "report-to"),
        column("planned", "report-planned"),
        column("reached", "report-reached"),
        column("currency", "report-currency"),
        column("share", "report-share"),
    ];
    let day = |day: Option<Day>| day.map_or(Cell::Empty, |day| Cell::Text(day.iso()));
    let mut rows: Rows = Vec::new();
    for (plan, group) in plans.iter().zip(&groups) {
        let choices = metrics.as_ref().map(|field| field.ty.choices()).unwrap_or_default();
        let cells = vec![
            by.cell(group, &names),
            Cell::Text(plan.record.text("name").to_owned()),
            choice_cell(choices, &plan.metric),
            day(plan.from),
            day(plan.to),
            plan.cell(plan.planned()),
            plan.cell(plan.reached),
            plan.money
                .filter(|_| plan.metric == "revenue")
                .map_or(Cell::Empty, |m| Cell::Text(m.currency.code().into())),
            plan.share().map_or(Cell::Empty, Cell::Share),
        ];
        rows.push((cells, plan.drill()));
    }
    rows.sort_by_cached_key(|(row, _)| row.iter().take(5).map(Cell::plain).collect::<Vec<_>>());
    // What plans measure differs; how much of each was reached compares.
    let labels = rows.iter().map(|(row, _)| label(row)).collect();
    let share = |row: &[Cell]| {
        row.last().map_or(0.0, |cell| if let Cell::Share(s) = cell { f64::from(*s) / 100.0 } else { 0.0 })
    };
    let message = Message::new("report-share");
    let name = Cell::Choice { value: "share".into(), labels: Language::ALL.map(|language| message.render(language)) };
    let series = Series { name, values: rows.iter().map(|(row, _)| share(row)).collect() };
    let chart = Chart::new(labels, vec![series], Message::new("report-per-cent"));
    Report::of(request, columns, rows, chart)
}

// The group that a plan is for, else the plan.
fn label(row: &[Cell]) -> Cell {
    let named = row.iter().take(2).find(|cell| !cell.plain().is_empty());
    named.cloned().unwrap_or(Cell::Empty)
}
