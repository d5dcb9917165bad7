//! Head office's figures: `report`.

use branchline_core::crm::report::{Kind, Report as Figures, Request, complete_through, report};
use branchline_core::message::Message;
use branchline_core::replica::Replica;
use branchline_core::time::{Day, Millis};
use branchline_core::{Error, Result};
use clap::{Args, ValueEnum};

use crate::cli::wrong_usage;
use crate::context::Context;
use crate::output::{Answer, Table};

/// Figures over everything this replica holds, each saying how complete it is.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  branchline report funnel --by branch --from 2017-01-01 --to 2017-12-31\n  branchline \
                        report pipeline --format svg > pipeline.svg"
)]
pub struct Report {
    /// funnel (deals by stage), activity-funnel (clients by how far work came), pipeline (weighted forecast by month), plan
    /// (plan against fact), refusals (why deals were lost, by client group), vip (clients by what they bought), activity
    /// (what people did, by week) or branches (side by side).
    name: String,
    /// The field to group by; each report has its own default.
    #[arg(long, value_name = "FIELD")]
    by: Option<String>,
    /// The first day that counts: 2017-03-01 or today-30d.
    #[arg(long, value_name = "DAY")]
    from: Option<String>,
    /// The last day that counts.
    #[arg(long, value_name = "DAY")]
    to: Option<String>,
    /// The form of the answer; without it a table, with --json JSON.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Csv,
    Json,
    Svg,
}

impl Report {
    /// Makes the report.
    ///
    /// # Errors
    /// `unknown_report`, a field it cannot be grouped by, a day that is none.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        let request = Request {
            kind: Kind::parse(&self.name)?,
            by: self.by.clone(),
            from: day(&replica, "--from", self.from.as_deref())?,
            to: day(&replica, "--to", self.to.as_deref())?,
            complete_through: complete_through(&replica)?,
        };
        let figures = report(&replica, &request)?;
        let language = context.language();
        let format = self.format.unwrap_or(if context.json { Format::Json } else { Format::Table });
        let body = match format {
            Format::Table => table(context, &figures),
            Format::Csv => figures.csv(),
            Format::Json => format!("{}\n", figures.json()),
            Format::Svg => figures.svg(language)?,
        };
        Ok(Answer::raw(body.into_bytes()))
    }
}

/// A report as a form or an address asks for it; empty texts ask for nothing.
///
/// # Errors
/// `report_day`; those of [`report`].
pub(crate) fn made(replica: &Replica, kind: Kind, [by, from, to]: [&str; 3]) -> Result<Figures> {
    let today = replica.environment().now().day();
    let day = |text: &str| match text {
        "" => Ok(None),
        text => {
            let wrong = || Error::invalid("report-day").with("day", text);
            Day::parse_relative(text, today).map(Some).ok_or_else(wrong)
        }
    };
    let by = Some(by).filter(|by| !by.is_empty()).map(str::to_owned);
    let complete_through = complete_through(replica)?;
    report(replica, &Request { kind, by, from: day(from)?, to: day(to)?, complete_through })
}

fn day(replica: &Replica, option: &str, text: Option<&str>) -> Result<Option<Day>> {
    let today = replica.environment().now().day();
    let parse = |text: &str| Day::parse_relative(text, today).ok_or_else(|| wrong_usage(format!("{option} {text}")));
    text.map(parse).transpose()
}

fn table(context: &Context, figures: &Figures) -> String {
    let language = context.language();
    let (headings, rows) = figures.table(language);
    let mut table = Table::new(headings);
    for row in rows {
        table.row(row);
    }
    let mut text = format!("{}\n{}\n", figures.title.render(language), table.text());
    for (branch, at) in &figures.complete_through {
        let at = at.map_or_else(|| context.say("never"), Millis::rfc3339);
        let said = Message::new("complete-through").with("branch", branch).with("at", at);
        text.push_str(&format!("{}\n", said.render(language)));
    }
    text
}
