//! The company of the sales data: its files, the facts in them, its head office and its offices.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use branchline_tests::data_dir;
use branchline_tests::process::{Node, home};
use serde_json::Value;
use tempfile::TempDir;

/// The three regional offices, by name; their codes are the same in lower case.
pub(crate) const OFFICES: [&str; 3] = ["Central", "East", "West"];

const PEOPLE_MAP: &str = r#"
collection = "user"
key = ["sales_agent"]

[constants]
role = "seller"

[columns.sales_agent]
field = "name"
[columns.manager]
field = "manager"
lookup = { collection = "user", by = "name", missing = "create" }
[columns.regional_office]
field = "home_branch"
lookup = { collection = "branch", by = "name", missing = "refuse" }
"#;

const ACCOUNTS_MAP: &str = r#"
collection = "account"
key = ["account"]

[columns.account]
field = "name"
[columns.sector]
field = "industry"
[columns.year_established]
field = "founded_year"
[columns.revenue]
field = "annual_revenue"
currency = "USD"
scale = 1000000
[columns.employees]
field = "employees"
[columns.office_location]
field = "country"
[columns.subsidiary_of]
field = "parent"
lookup = { collection = "account", by = "name", missing = "create" }
"#;

const PRODUCTS_MAP: &str = r#"
collection = "product"
key = ["product"]

[columns.product]
field = "name"
[columns.series]
field = "family"
[columns.sales_price]
field = "list_price"
currency = "USD"
"#;

const DEALS_MAP: &str = r#"
collection = "opportunity"
key = ["opportunity_id"]

[columns.opportunity_id]
field = "external_id"
[columns.sales_agent]
field = "owner"
lookup = { collection = "user", by = "name", missing = "refuse" }
[columns.product]
field = "product"
lookup = { collection = "product", by = "name", missing = "empty" }
[columns.account]
field = "account"
lookup = { collection = "account", by = "name", missing = "create" }
[columns.deal_stage]
field = "stage"
values = { Won = "won", Lost = "lost", Engaging = "qualified", Prospecting = "new" }
[columns.engage_date]
field = "opened_on"
[columns.close_date]
field = "closed_on"
[columns.close_value]
field = "amount"
currency = "USD"
"#;

/// A row of the pipeline.
#[derive(Debug, Clone)]
pub(crate) struct Deal {
    pub(crate) id: String,
    pub(crate) agent: String,
    pub(crate) product: String,
    pub(crate) account: String,
    pub(crate) stage: &'static str,
    pub(crate) cents: i64,
    pub(crate) line: String,
}

/// How many deals of a stage there are, and their sum in cents.
pub(crate) type Funnel = BTreeMap<&'static str, (u64, i64)>;

/// What the files say.
pub(crate) struct Facts {
    pub(crate) deals: Vec<Deal>,
    /// Agent to office.
    pub(crate) office: BTreeMap<String, String>,
    heading: String,
}

fn file(name: &str) -> PathBuf {
    data_dir().join("crm-sales-opportunities").join(name)
}

impl Facts {
    pub(crate) fn read() -> Self {
        let pipeline = std::fs::read_to_string(file("sales_pipeline.csv")).unwrap();
        let mut lines = pipeline.lines();
        let heading = lines.next().unwrap().to_owned();
        let deals: Vec<Deal> = lines.map(Deal::of).collect();
        let teams = std::fs::read_to_string(file("sales_teams.csv")).unwrap();
        let office = teams.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
        let office = office.map(|cells| (cells[0].to_owned(), cells[2].to_owned())).collect();
        assert_eq!(deals.len(), 8_800, "the pipeline is the one that the tests were written for");
        Self { deals, office, heading }
    }

    /// The deals of an office's people.
    pub(crate) fn of_office<'a>(&'a self, office: &'a str) -> impl Iterator<Item = &'a Deal> {
        self.deals.iter().filter(move |deal| self.office[&deal.agent] == office)
    }

    /// A file with the deals of an office's people.
    pub(crate) fn office_file(&self, office: &str, folder: &Path) -> PathBuf {
        let rows = self.of_office(office).map(|deal| deal.line.as_str());
        let text = std::iter::once(self.heading.as_str()).chain(rows).collect::<Vec<_>>().join("\n") + "\n";
        let path = folder.join(format!("{}.csv", office.to_lowercase()));
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Deal {
    fn of(line: &str) -> Self {
        let cells: Vec<&str> = line.trim_end().split(',').collect();
        let stage = match cells[4] {
            "Won" => "won",
            "Lost" => "lost",
            "Engaging" => "qualified",
            "Prospecting" => "new",
            other => panic!("an unknown stage: {other}"),
        };
        let cents = if cells[7].is_empty() { 0 } else { cells[7].parse::<i64>().unwrap() * 100 };
        let text = |n: usize| cells[n].to_owned();
        Self { id: text(0), agent: text(1), product: text(2), account: text(3), stage, cents, line: line.to_owned() }
    }
}

/// Counts and sums by stage.
pub(crate) fn funnel<'a>(deals: impl Iterator<Item = &'a Deal>) -> Funnel {
    let mut funnel = Funnel::new();
    for deal in deals {
        let entry = funnel.entry(deal.stage).or_default();
        *entry = (entry.0 + 1, entry.1 + deal.cents);
    }
    funnel
}

/// An amount of a report in cents.
pub(crate) fn cents(amount: &Value) -> i64 {
    let text = amount.as_str().unwrap_or_else(|| panic!("an amount is a text: {amount}"));
    let (units, decimals) = text.split_once('.').unwrap_or((text, "00"));
    format!("{units}{decimals:0<2}").parse().unwrap()
}

/// What a node's funnel says of a branch, or of everything: stages with deals only.
pub(crate) fn reported(node: &Node, branch: Option<&str>) -> BTreeMap<String, (u64, i64)> {
    let mut arguments = vec!["report", "funnel"];
    if branch.is_some() {
        arguments.extend(["--by", "branch"]);
    }
    let report = node.json(&arguments);
    let rows = report["rows"].as_array().unwrap_or_else(|| panic!("a report has rows: {report}"));
    let of_branch = |row: &&Value| branch.is_none_or(|name| row["by"].as_str() == Some(name));
    let figures = rows.iter().filter(of_branch).map(|row| {
        let stage = row["stage"].as_str().unwrap().to_owned();
        let sum = if row["amount"].is_null() { 0 } else { cents(&row["amount"]) };
        (stage, (row["count"].as_u64().unwrap(), sum))
    });
    figures.filter(|(_, (count, _))| *count > 0).collect()
}

/// The same figures with owned names, to compare with what a report says.
pub(crate) fn owned(funnel: Funnel) -> BTreeMap<String, (u64, i64)> {
    funnel.into_iter().map(|(stage, figures)| (stage.to_owned(), figures)).collect()
}

/// Head office and its offices, each a folder with a real replica.
pub(crate) struct Company {
    pub(crate) home: TempDir,
    pub(crate) hub: Node,
    pub(crate) offices: BTreeMap<&'static str, Node>,
}

impl Company {
    /// A head office with people and branches, and three offices that have joined; the hub serves.
    pub(crate) fn founded() -> Self {
        let home = home();
        for (name, map) in
            [("people", PEOPLE_MAP), ("accounts", ACCOUNTS_MAP), ("products", PRODUCTS_MAP), ("deals", DEALS_MAP)]
        {
            std::fs::write(home.path().join(format!("{name}.toml")), map).unwrap();
        }
        let hub = Node::new(home.path(), "hub");
        hub.json(["init", "--name", "MavenTech", "--owner", "owner@maventech.example", "--currency", "USD"]);
        for office in OFFICES {
            let code = format!("code={}", office.to_lowercase());
            hub.json(["create", "branch", &code, &format!("name={office}"), &format!("region={office}")]);
        }
        let mut company = Self { home, hub, offices: BTreeMap::new() };
        company.import(&company.hub, "people", &file("sales_teams.csv"));
        company.hub.serve();
        for office in OFFICES {
            let name = office.to_lowercase();
            let invitation = company.hub.json(["invite", "--as", "branch", "--name", &name]);
            let node = Node::new(company.home.path(), &name);
            node.json(["join", invitation["code"].as_str().unwrap()]);
            company.offices.insert(office, node);
        }
        company
    }

    /// Imports a file by one of the maps; no row may be refused.
    pub(crate) fn import(&self, node: &Node, map: &str, file: &Path) -> Value {
        let map = self.home.path().join(format!("{map}.toml"));
        let map_collection = std::fs::read_to_string(&map).unwrap();
        let collection = map_collection.split('"').nth(1).unwrap();
        let arguments = ["import", file.to_str().unwrap(), "--collection", collection, "--map", map.to_str().unwrap()];
        let answer = node.json(arguments);
        assert_eq!(answer["refused"], 0, "{answer:#}");
        answer
    }

    pub(crate) fn import_catalogue(&self, node: &Node) {
        self.import(node, "accounts", &file("accounts.csv"));
        self.import(node, "products", &file("products.csv"));
    }

    pub(crate) fn import_pipeline(&self, node: &Node) -> Value {
        self.import(node, "deals", &file("sales_pipeline.csv"))
    }

    /// One exchange of an office with the hub, until both are quiet.
    pub(crate) fn sync(&self, office: &str) -> Value {
        let answer = self.offices[office].json(["sync", "--deadline", "120s"]);
        assert_eq!((&answer["refused"], &answer["outbox"]), (&Value::from(0), &Value::from(0)), "{office}: {answer:#}");
        answer
    }

    /// Every office exchanges with the hub, twice, so that each has what the others brought.
    pub(crate) fn sync_all(&self) {
        for _ in 0..2 {
            OFFICES.iter().for_each(|office| {
                self.sync(office);
            });
        }
    }
}

/// The number of records of a collection that a node holds.
pub(crate) fn held(node: &Node, collection: &str) -> u64 {
    node.json(["status"])["records"][collection].as_u64().unwrap_or(0)
}

/// The values of a text field over a list.
pub(crate) fn column(rows: &Value, field: &str) -> Vec<String> {
    let rows = rows.as_array().unwrap_or_else(|| panic!("a list: {rows}"));
    rows.iter().filter_map(|row| row[field].as_str().map(str::to_owned)).collect()
}

/// That no value is there twice.
pub(crate) fn assert_unique(values: &[String]) {
    let distinct: BTreeSet<&String> = values.iter().collect();
    assert_eq!(distinct.len(), values.len());
}
