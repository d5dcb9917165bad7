//! Reports, a person's day, and converting a lead.

use branchline_core::Result as CoreResult;
use branchline_core::crm::{self, day, report};
use branchline_core::time::{Day, Millis};
use branchline_core::{Error, replica};

use crate::record::{Record, Shaper};
use crate::replica::{BlockingReplica, Result};
use crate::value::Value;

/// What a report is asked with.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ReportRequest {
    /// `funnel` (deals by stage), `pipeline` (weighted forecast by month) or `activity` (what people did, by week).
    pub name: String,
    /// The field to group by; each report has its own default.
    #[uniffi(default = None)]
    pub by: Option<String>,
    /// The first day that counts, `2017-03-01` or `today-30d`.
    #[uniffi(default = None)]
    pub from: Option<String>,
    /// The last day that counts.
    #[uniffi(default = None)]
    pub to: Option<String>,
}

/// A finished report.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Report {
    /// Its title.
    pub title: String,
    /// Its columns.
    pub columns: Vec<ReportColumn>,
    /// Its rows in reading order, cells as people read them.
    pub rows: Vec<Vec<String>>,
    /// The same for programs: `{"complete_through":{…},"rows":[{…}]}`.
    pub json: String,
    /// For each branch, up to when its work has arrived here.
    pub complete_through: Vec<Through>,
}

/// A column of a report.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ReportColumn {
    /// Its key, never translated.
    pub key: String,
    /// What people read.
    pub label: String,
}

/// Up to when the work of a branch has arrived here.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Through {
    /// The branch's code, or its title.
    pub branch: String,
    /// The moment, in milliseconds since 1970; none where nothing was ever heard of it.
    pub at_ms: Option<i64>,
}

/// A person's day.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Agenda {
    /// What should have been done before the day, the oldest first.
    pub late: Vec<AgendaEntry>,
    /// What is planned for the day, in its order.
    pub planned: Vec<AgendaEntry>,
    /// What was done on the day, in the order in which it was done.
    pub done: Vec<AgendaEntry>,
}

/// An activity of the day.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct AgendaEntry {
    /// The activity.
    pub activity: Record,
    /// Its moment, in milliseconds since 1970.
    pub at_ms: i64,
    /// With whom, if the client is held here.
    pub client: Option<AgendaClient>,
}

/// What one needs to know of a client to go there or call.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct AgendaClient {
    /// The account.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub address: String,
    /// Where it is on the map: a location, or empty.
    pub location: Value,
    /// Its phones.
    pub phones: Vec<String>,
}

/// What a lead became.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Converted {
    /// The company.
    pub account: String,
    /// The person.
    pub contact: String,
    /// The deal.
    pub opportunity: String,
}

#[uniffi::export]
impl BlockingReplica {
    /// Makes a report over everything held here.
    ///
    /// # Errors
    /// `NotFound` for an unknown report or field, `Invalid` for a day that is none or a field that cannot group.
    pub fn report(&self, request: ReportRequest) -> Result<Report> {
        let language = self.language;
        self.call(|replica| {
            let figures = report::report(replica, &asked(replica, &request)?)?;
            let (_, rows) = figures.table(language);
            let column = |column: &report::Column| ReportColumn {
                key: column.key.to_owned(),
                label: column.label.render(language),
            };
            let through = figures.complete_through.iter();
            Ok(Report {
                title: figures.title.render(language),
                columns: figures.columns.iter().map(column).collect(),
                rows,
                json: figures.json().to_string(),
                complete_through: through
                    .map(|(branch, at)| Through { branch: branch.clone(), at_ms: at.map(|at| at.0) })
                    .collect(),
            })
        })
    }

    /// A report as an SVG chart.
    ///
    /// # Errors
    /// As `report`; `Invalid` where there is nothing to draw.
    pub fn report_chart(&self, request: ReportRequest) -> Result<String> {
        self.call(|replica| report::report(replica, &asked(replica, &request)?)?.svg(self.language))
    }

    /// The acting person's day, from `begin_ms` until before `end_ms` (milliseconds since 1970): only the device knows
    /// where its day begins.
    ///
    /// # Errors
    /// `Storage` where the disk fails.
    pub fn my_day(&self, begin_ms: i64, end_ms: i64) -> Result<Agenda> {
        self.call(|replica| {
            let me = replica.me()?.id;
            let agenda = day::agenda(replica, &me, Millis(begin_ms), Millis(end_ms))?;
            Ok(Agenda {
                late: self.entries(replica, agenda.late)?,
                planned: self.entries(replica, agenda.planned)?,
                done: self.entries(replica, agenda.done)?,
            })
        })
    }

    /// Turns a lead into an account, a contact and a deal, once: called again it gives what the lead became.
    ///
    /// # Errors
    /// `NotFound` where there is no such lead, `Denied` where the person may not, `Ambiguous` where several accounts have
    /// its tax number.
    pub fn convert_lead(&self, lead: String) -> Result<Converted> {
        self.call(|replica| {
            let id = replica.find("lead", &lead)?;
            let made = crm::convert_lead(replica, &id)?;
            Ok(Converted {
                account: made.account.to_string(),
                contact: made.contact.to_string(),
                opportunity: made.opportunity.to_string(),
            })
        })
    }
}

impl BlockingReplica {
    fn entries(&self, replica: &replica::Replica, entries: Vec<day::Entry>) -> CoreResult<Vec<AgendaEntry>> {
        let (records, around): (Vec<_>, Vec<_>) =
            entries.into_iter().map(|entry| (entry.record, (entry.at.0, entry.client))).unzip();
        let records = Shaper::new(replica, self.language).records(&records)?;
        let entry = |(activity, (at_ms, client)): (Record, (i64, Option<day::Client>))| AgendaEntry {
            activity,
            at_ms,
            client: client.map(AgendaClient::of),
        };
        Ok(records.into_iter().zip(around).map(entry).collect())
    }
}

impl AgendaClient {
    fn of(client: day::Client) -> Self {
        let day::Client { id, name, address, location, phones } = client;
        let location = location.map_or(Value::Empty, |place| Value::location(&place));
        Self { id: id.to_string(), name, address, location, phones }
    }
}

fn asked(replica: &replica::Replica, request: &ReportRequest) -> CoreResult<report::Request> {
    let today = replica.environment().now().day();
    let day = |text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => match Day::parse_relative(text, today) {
            Some(day) => Ok(Some(day)),
            None => Err(Error::invalid("no-day").with("value", text)),
        },
    };
    Ok(report::Request {
        kind: report::Kind::parse(&request.name)?,
        by: request.by.clone(),
        from: day(&request.from)?,
        to: day(&request.to)?,
        complete_through: report::complete_through(replica)?,
    })
}
