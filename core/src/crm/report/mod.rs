//! Reports over what this replica holds, or what a person sees of it.
//!
//! A report is a list of rows with typed cells; as a table, CSV, JSON or SVG chart it always shows the same numbers.
//! Sums of money are exact, in minor units and per currency, never across currencies. Every report says for each branch
//! up to when its work has arrived. What each figure means is defined at the top of its module, and in the book's page
//! on reports.

mod activity;
mod branches;
mod chart;
mod drill;
mod funnel;
mod groups;
mod pipeline;
mod plan;
mod refusals;
mod steps;
mod vip;

pub use drill::Drill;

use serde_json::{Map, Value as Json};

use crate::error::{Error, Result};
use crate::message::{Language, Message};
use crate::replica::Replica;
use crate::schema::Money;
use crate::time::{Day, Millis};

/// Which report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Deals by stage.
    Funnel,
    /// Open deals by the month in which they are expected.
    Pipeline,
    /// What people did, week by week.
    Activity,
    /// Clients by how far work with them came: called, met, quoted, won.
    ActivityFunnel,
    /// Plans against what was reached.
    Plan,
    /// Why deals were lost, by client group.
    Refusals,
    /// Clients by what they bought in a period.
    Vip,
    /// Branches side by side.
    Branches,
}

impl Kind {
    /// All reports.
    pub const ALL: [Kind; 8] = [
        Kind::Funnel,
        Kind::ActivityFunnel,
        Kind::Pipeline,
        Kind::Plan,
        Kind::Refusals,
        Kind::Vip,
        Kind::Activity,
        Kind::Branches,
    ];

    /// The name that commands and addresses use.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Funnel => "funnel",
            Kind::Pipeline => "pipeline",
            Kind::Activity => "activity",
            Kind::ActivityFunnel => "activity-funnel",
            Kind::Plan => "plan",
            Kind::Refusals => "refusals",
            Kind::Vip => "vip",
            Kind::Branches => "branches",
        }
    }

    /// What people call it.
    pub fn title(self) -> Message {
        Message::new(match self {
            Kind::Funnel => "report-funnel",
            Kind::Pipeline => "report-pipeline",
            Kind::Activity => "report-activity",
            Kind::ActivityFunnel => "report-activity-funnel",
            Kind::Plan => "report-plan",
            Kind::Refusals => "report-refusals",
            Kind::Vip => "report-vip",
            Kind::Branches => "report-branches",
        })
    }

    /// The collection whose fields group its rows, and the field that does unless asked otherwise.
    pub fn grouping(self) -> (&'static str, Option<&'static str>) {
        match self {
            Kind::Funnel | Kind::Pipeline => ("opportunity", None),
            Kind::ActivityFunnel => ("activity", None),
            Kind::Plan => ("quota", Some("person")),
            Kind::Refusals => ("account", Some("industry")),
            Kind::Vip => ("opportunity", Some("account")),
            Kind::Activity => ("activity", Some("owner")),
            Kind::Branches => ("opportunity", Some("branch")),
        }
    }

    /// The report of a name.
    ///
    /// # Errors
    /// `unknown_report`.
    pub fn parse(name: &str) -> Result<Self> {
        let known = || Self::ALL.map(Kind::name).join(", ");
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| Error::not_found("unknown-report").with("name", name).with("known", known()))
    }
}

/// What a report is asked with.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Which report.
    pub kind: Kind,
    /// The field by which rows are grouped; each report has its own default.
    pub by: Option<String>,
    /// The first day that counts.
    pub from: Option<Day>,
    /// The last day that counts.
    pub to: Option<Day>,
    /// For each branch, by name, up to when its work has arrived here; none where it has never been heard of.
    pub complete_through: Vec<(String, Option<Millis>)>,
}

impl Request {
    /// The report of everything, grouped by its default.
    pub fn of(kind: Kind) -> Self {
        Self { kind, by: None, from: None, to: None, complete_through: Vec::new() }
    }

    /// The field by which rows are grouped, asked for or by default.
    fn grouped_by(&self) -> Option<&str> {
        self.by.as_deref().or(self.kind.grouping().1)
    }

    fn covers(&self, day: Option<Day>) -> bool {
        match day {
            Some(day) => self.from.is_none_or(|from| day >= from) && self.to.is_none_or(|to| day <= to),
            None => self.from.is_none() && self.to.is_none(),
        }
    }
}

/// Makes a report.
///
/// # Errors
/// `unknown_field` where the collection lacks the field to group by, `report_by` where rows cannot be grouped by it.
pub fn report(replica: &Replica, request: &Request) -> Result<Report> {
    match request.kind {
        Kind::Funnel => funnel::report(replica, request),
        Kind::Pipeline => pipeline::report(replica, request),
        Kind::Activity => activity::report(replica, request),
        Kind::ActivityFunnel => steps::report(replica, request),
        Kind::Plan => plan::report(replica, request),
        Kind::Refusals => refusals::report(replica, request),
        Kind::Vip => vip::report(replica, request),
        Kind::Branches => branches::report(replica, request),
    }
}

/// For each branch up to when its work has arrived here, by the branch's code, as scopes name it; by its title where it
/// has none.
///
/// # Errors
/// Whatever SQLite says.
pub fn complete_through(replica: &Replica) -> Result<Vec<(String, Option<Millis>)>> {
    let named = replica.completeness()?.into_iter().map(|(branch, at)| {
        let code = replica.record("branch", &branch).ok().map(|record| record.text("code").to_owned());
        let code = code.filter(|code| !code.is_empty());
        (code.or_else(|| replica.label(&branch)).unwrap_or_else(|| branch.to_string()), at)
    });
    Ok(named.collect())
}

/// A column of a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its key in JSON and CSV, never translated.
    pub key: &'static str,
    /// What people read.
    pub label: Message,
}

/// A cell of a report.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// No value.
    Empty,
    /// A name, a month, a currency.
    Text(String),
    /// A value of a choice list with its words.
    Choice {
        /// The stored value.
        value: String,
        /// Its label in each language, in the order of [`Language::ALL`].
        labels: [String; 3],
    },
    /// How many.
    Count(u64),
    /// An amount; its currency stands in a cell of its own.
    Amount(Money),
    /// A part of a whole in ten-thousandths: 4815 is 48.15 %.
    Share(u32),
    /// Days in tenths: 125 is 12.5 days.
    Days(i64),
}

/// A finished report.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Which report.
    pub kind: Kind,
    /// Its title.
    pub title: Message,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, in reading order.
    pub rows: Vec<Vec<Cell>>,
    /// The records behind each row, as a list asks for them; none where no list shows exactly those.
    pub drills: Vec<Option<Drill>>,
    /// For each branch, up to when its work has arrived here.
    pub complete_through: Vec<(String, Option<Millis>)>,
    chart: chart::Chart,
}

/// Rows with the records behind each, while a report is made.
type Rows = Vec<(Vec<Cell>, Option<Drill>)>;

impl Report {
    fn of(request: &Request, columns: Vec<Column>, rows: Rows, chart: chart::Chart) -> Self {
        let (rows, drills) = rows.into_iter().unzip();
        let complete_through = request.complete_through.clone();
        Self { kind: request.kind, title: request.kind.title(), columns, rows, drills, complete_through, chart }
    }

    /// `{"complete_through":{branch:time},"rows":[…]}`, the rows as objects by column key. Amounts are exact decimal
    /// texts, shares numbers from 0 to 1, days numbers.
    pub fn json(&self) -> Json {
        let through = self.complete_through.iter().map(|(branch, at)| {
            let at = at.map_or(Json::Null, |at| at.rfc3339().into());
            (branch.clone(), at)
        });
        let rows = self.rows.iter().map(|row| {
            let cells = self.columns.iter().zip(row).map(|(column, cell)| (column.key.to_owned(), cell.json()));
            Json::Object(cells.collect::<Map<_, _>>())
        });
        let mut object = Map::new();
        object.insert("complete_through".into(), Json::Object(through.collect()));
        object.insert("rows".into(), Json::Array(rows.collect()));
        Json::Object(object)
    }

    /// Headings and cells in a person's language, for a table on paper or screen.
    pub fn table(&self, language: Language) -> (Vec<String>, Vec<Vec<String>>) {
        let headings = self.columns.iter().map(|column| column.label.render(language)).collect();
        let rows = self.rows.iter().map(|row| row.iter().map(|cell| cell.text(language)).collect());
        (headings, rows.collect())
    }

    /// The rows under the column keys as CSV, with lines ended by CR LF; texts never begin a formula.
    pub fn csv(&self) -> String {
        let mut out = self.columns.iter().map(|column| column.key).collect::<Vec<_>>().join(",");
        out.push_str("\r\n");
        for row in &self.rows {
            for (n, cell) in row.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                super::export::push_text_cell(&mut out, cell.plain());
            }
            out.push_str("\r\n");
        }
        out
    }

    /// The report as an SVG chart with axes and legend, 960 by 540, in a person's language.
    ///
    /// # Errors
    /// `report_chart` where there is nothing to draw it with.
    pub fn svg(&self, language: Language) -> Result<String> {
        self.svg_with(language, &chart::grouped)
    }

    /// As [`svg`](Self::svg), for a person who has a way to write numbers: `figure` gets the digits of a whole one.
    ///
    /// # Errors
    /// As [`svg`](Self::svg).
    pub fn svg_with(&self, language: Language, figure: &dyn Fn(&str) -> String) -> Result<String> {
        self.chart.svg(&self.title.render(language), language, figure)
    }
}

impl Cell {
    /// Whether it is a number, which stands at the right of a column.
    pub fn is_number(&self) -> bool {
        !matches!(self, Cell::Empty | Cell::Text(_) | Cell::Choice { .. })
    }

    fn json(&self) -> Json {
        match self {
            Cell::Empty => Json::Null,
            Cell::Text(text) => text.clone().into(),
            Cell::Choice { value, .. } => value.clone().into(),
            Cell::Count(count) => (*count).into(),
            Cell::Amount(money) => money.amount_text().into(),
            Cell::Share(share) => (f64::from(*share) / 10_000.0).into(),
            Cell::Days(tenths) => (*tenths as f64 / 10.0).into(),
        }
    }

    /// The cell for programs.
    fn plain(&self) -> String {
        match self {
            Cell::Empty => String::new(),
            Cell::Text(text) | Cell::Choice { value: text, .. } => text.clone(),
            Cell::Count(count) => count.to_string(),
            Cell::Amount(money) => money.amount_text(),
            Cell::Share(share) => format!("{}.{:04}", share / 10_000, share % 10_000),
            Cell::Days(tenths) => tenths_text(*tenths),
        }
    }

    /// The cell for people.
    fn text(&self, language: Language) -> String {
        match self {
            Cell::Choice { labels, .. } => {
                let at = Language::ALL.iter().position(|l| *l == language).unwrap_or_default();
                labels.get(at).cloned().unwrap_or_default()
            }
            Cell::Share(share) => format!("{}.{:02} %", share / 100, share % 100),
            other => other.plain(),
        }
    }
}

fn tenths_text(tenths: i64) -> String {
    let sign = if tenths < 0 { "-" } else { "" };
    format!("{sign}{}.{}", tenths.abs() / 10, tenths.abs() % 10)
}

fn column(key: &'static str, label: &'static str) -> Column {
    Column { key, label: Message::new(label) }
}
