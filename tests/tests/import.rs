//! Import, export and reports on real data, against figures computed here from the files by other means.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use branchline_core::crm::export::{Format, export};
use branchline_core::crm::import::{Import, ImportMap, Issue, Outcome, undo};
use branchline_core::crm::report::{Kind, Request, report};
use branchline_core::crm::{self};
use branchline_core::id::RecordId;
use branchline_core::replica::{Edit, Init, Query, Record, Replica, SystemEnvironment};
use branchline_core::schema::{Money, Value};
use branchline_tests::{checkout, data_dir};
use tempfile::TempDir;

/// A hub of its own.
struct Hub {
    replica: Replica,
    _dir: TempDir,
}

impl Hub {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let replica = crm::init(dir.path(), &Init::named("Acme"), Arc::new(SystemEnvironment)).unwrap();
        Self { replica, _dir: dir }
    }

    /// A hub with the accounts, products and people of the sales data.
    fn with_sales() -> Self {
        let hub = Self::new();
        for name in ["accounts", "products", "teams"] {
            let file = if name == "teams" { "sales_teams" } else { name };
            assert_eq!(hub.import(&sales(file), &format!("sales/{name}")).refused, 0, "{name}");
        }
        hub
    }

    fn import(&self, file: &Path, map: &str) -> Outcome {
        self.import_bytes(&std::fs::read(file).unwrap(), map)
    }

    fn import_bytes(&self, bytes: &[u8], map: &str) -> Outcome {
        let map = ImportMap::open(&checkout().join(format!("docs/examples/maps/{map}.toml"))).unwrap();
        Import { map: Some(map), ..Import::default() }.run(&self.replica, bytes).unwrap()
    }

    fn records(&self, collection: &str) -> Vec<Record> {
        let mut records = Vec::new();
        self.replica
            .each(&Query::of(collection), &mut |record| {
                records.push(record);
                Ok(())
            })
            .unwrap();
        records
    }

    fn ids(&self, collection: &str) -> BTreeSet<RecordId> {
        self.records(collection).into_iter().map(|record| record.id).collect()
    }

    fn find(&self, collection: &str, text: &str) -> Record {
        let id = self.replica.find(collection, text).unwrap();
        self.replica.record(collection, &id).unwrap()
    }
}

fn sales(name: &str) -> PathBuf {
    data_dir().join(format!("crm-sales-opportunities/{name}.csv"))
}

/// The rows of a file without quotes, by heading: no code of the import is used.
fn rows(file: &Path) -> Vec<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut lines = text.lines();
    let headings: Vec<String> = lines.next().unwrap().split(',').map(str::to_owned).collect();
    lines.map(|line| headings.iter().cloned().zip(line.split(',').map(str::to_owned)).collect()).collect()
}

fn counts(outcome: &Outcome) -> [u64; 5] {
    [outcome.rows, outcome.created, outcome.updated, outcome.unchanged, outcome.refused]
}

fn of_code<'o>(issues: &'o [Issue], code: &str) -> Vec<&'o Issue> {
    issues.iter().filter(|issue| issue.reason.code() == code).collect()
}

#[test]
fn the_sales_data_comes_in_whole_with_a_warning_for_each_thing_to_mend() {
    let hub = Hub::new();
    let accounts = hub.import(&sales("accounts"), "sales/accounts");
    assert_eq!(counts(&accounts), [85, 85, 0, 0, 0]);
    let unknown = of_code(&accounts.warnings, "choice_not_in_list");
    assert_eq!(unknown.len(), 12);
    assert!(unknown.iter().all(|w| w.value == "technolgy" && w.nearest.as_deref() == Some("technology")));
    assert_eq!(accounts.warnings.len(), 12, "an account without a parent is nothing to mend");
    assert_eq!((unknown[0].row, unknown[0].column.as_str()), (2, "sector"));

    assert_eq!(counts(&hub.import(&sales("products"), "sales/products")), [7, 7, 0, 0, 0]);
    let teams = hub.import(&sales("sales_teams"), "sales/teams");
    assert_eq!((counts(&teams), teams.looked_up), ([35, 35, 0, 0, 0], 9), "six managers, three offices");

    let deals = hub.import(&sales("sales_pipeline"), "sales/pipeline");
    assert_eq!(counts(&deals), [8_800, 8_800, 0, 0, 0]);
    let spelled = of_code(&deals.warnings, "import_reference_near");
    assert_eq!(spelled.len(), 1_480);
    assert!(spelled.iter().all(|w| w.value == "GTXPro" && w.nearest.as_deref() == Some("GTX Pro")));
    let without = of_code(&deals.warnings, "import_reference_empty");
    assert_eq!(without.len(), 1_425);
    assert!(without.iter().all(|w| w.column == "account"));
    assert_eq!(deals.warnings.len(), 1_480 + 1_425);
    assert_eq!(hub.records("product").len(), 7, "a spelling makes no product");
    assert_eq!(hub.records("account").len(), 85);

    let deal = hub.find("opportunity", "external_id=Z063OYW0");
    assert_eq!(deal.text("stage"), "won");
    assert_eq!(deal.value("amount"), &Value::Money(Money { minor: 451_400, currency: "USD".parse_currency() }));
    let owner = hub.replica.record("user", &deal.reference("owner").unwrap()).unwrap();
    assert_eq!(owner.text("name"), "Darcel Schlecht");
    assert_eq!(deal.reference("branch"), owner.reference("home_branch"), "the branch is the owner's");
}

/// Currencies as people write them.
trait ParseCurrency {
    fn parse_currency(&self) -> branchline_core::schema::Currency;
}

impl ParseCurrency for str {
    fn parse_currency(&self) -> branchline_core::schema::Currency {
        branchline_core::schema::Currency::parse(self).unwrap()
    }
}

#[test]
fn importing_again_changes_nothing_and_two_replicas_make_the_same_records() {
    let (one, two) = (Hub::with_sales(), Hub::with_sales());
    for collection in ["account", "product", "branch"] {
        assert_eq!(one.ids(collection), two.ids(collection), "{collection}");
    }
    let part = |from: usize, to: usize| {
        let text = std::fs::read_to_string(sales("sales_pipeline")).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let mut part = vec![lines[0]];
        part.extend(&lines[from..to]);
        part.join("\n") + "\n"
    };
    // An office imports its part, head office the whole.
    two.import_bytes(part(1, 501).as_bytes(), "sales/pipeline");
    let whole = one.import_bytes(part(1, 1_001).as_bytes(), "sales/pipeline");
    assert_eq!(counts(&whole), [1_000, 1_000, 0, 0, 0]);
    assert!(two.ids("opportunity").is_subset(&one.ids("opportunity")));
    let again = one.import_bytes(part(1, 1_001).as_bytes(), "sales/pipeline");
    assert_eq!((counts(&again), again.batch), ([1_000, 0, 0, 1_000, 0], whole.batch));
    let more = one.import_bytes(part(901, 1_101).as_bytes(), "sales/pipeline");
    assert_eq!(counts(&more), [200, 100, 0, 100, 0]);
    let accounts = one.import(&sales("accounts"), "sales/accounts");
    assert_eq!(counts(&accounts), [85, 0, 0, 85, 0]);
}

#[test]
fn the_funnel_shows_what_the_file_says() {
    let hub = Hub::with_sales();
    hub.import(&sales("sales_pipeline"), "sales/pipeline");
    let office: BTreeMap<String, String> = rows(&sales("sales_teams"))
        .into_iter()
        .map(|row| (row["sales_agent"].clone(), row["regional_office"].clone()))
        .collect();
    let stage = |text: &str| match text {
        "Won" => "won",
        "Lost" => "lost",
        "Engaging" => "qualified",
        _ => "new",
    };
    let mut expected: BTreeMap<(String, String), (u64, i64)> = BTreeMap::new();
    for row in rows(&sales("sales_pipeline")) {
        let key = (office[&row["sales_agent"]].clone(), stage(&row["deal_stage"]).to_owned());
        let sum = expected.entry(key).or_default();
        sum.0 += 1;
        sum.1 += row["close_value"].parse::<i64>().unwrap_or(0);
    }
    let by_office = Request { by: Some("branch".into()), ..Request::of(Kind::Funnel) };
    let json = report(&hub.replica, &by_office).unwrap().json();
    let found: BTreeMap<(String, String), (u64, i64)> = json["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            assert_eq!(row["currency"], "USD");
            let text = |key: &str| row[key].as_str().unwrap().to_owned();
            let amount = text("amount").strip_suffix(".00").unwrap().parse().unwrap();
            ((text("by"), text("stage")), (row["count"].as_u64().unwrap(), amount))
        })
        .collect();
    assert_eq!(found, expected);

    let whole = report(&hub.replica, &Request::of(Kind::Funnel)).unwrap().json();
    let of = |stage: &str| whole["rows"].as_array().unwrap().iter().find(|row| row["stage"] == stage).unwrap();
    assert_eq!((&of("won")["count"], &of("won")["amount"]), (&4_238.into(), &"10005534.00".into()));
    // 4,238 of 8,800 were won; 1,589 stand at "qualified".
    assert_eq!((&of("won")["conversion"], &of("qualified")["conversion"]), (&0.4816.into(), &0.6622.into()));
    let mut days: Vec<i64> = rows(&sales("sales_pipeline"))
        .iter()
        .filter(|row| row["deal_stage"] == "Won")
        .map(|row| {
            let day = |text: &str| i64::from(branchline_core::time::Day::parse(text).unwrap().0);
            day(&row["close_date"]) - day(&row["engage_date"])
        })
        .collect();
    days.sort_unstable();
    let median = (days[days.len() / 2 - 1] + days[days.len() / 2]) as f64 / 2.0;
    assert_eq!(of("won")["median_days"], median);

    let finished = report(&hub.replica, &by_office).unwrap();
    let svg = finished.svg(branchline_core::message::Language::Ru).unwrap();
    assert!(svg.contains("Воронка продаж") && svg.contains("Central") && svg.contains("Выиграна"), "{svg:.200}");
    assert_eq!(finished.csv().lines().count(), expected.len() + 1);
}

#[test]
fn an_old_file_overwrites_no_hand_and_a_new_one_brings_what_changed() {
    let hub = Hub::with_sales();
    let account = hub.find("account", "name=Cancity");
    let set = |field: &str, value: Value| {
        hub.replica
            .transact(|tx| tx.edit("account", &account.id, vec![Edit::Set(field.into(), value.clone())]))
            .unwrap()
    };
    assert!(set("country", Value::Text("Kenya".into())) && set("website", Value::Text("cancity.example".into())));
    assert_eq!(counts(&hub.import(&sales("accounts"), "sales/accounts")), [85, 0, 0, 85, 0]);
    assert_eq!(hub.find("account", "name=Cancity").text("country"), "Kenya");

    let newer = std::fs::read_to_string(sales("accounts"))
        .unwrap()
        .replace("Cancity,retail,2001,718.62,2448", "Cancity,retail,2001,718.62,2500");
    let outcome = hub.import_bytes(newer.as_bytes(), "sales/accounts");
    assert_eq!(counts(&outcome), [85, 0, 1, 84, 0]);
    let held = hub.find("account", "name=Cancity");
    assert_eq!((held.text("country"), held.value("employees")), ("Kenya", &Value::Integer(2_500)));
}

#[test]
fn an_import_is_taken_back_and_comes_again() {
    let hub = Hub::with_sales();
    let batch = hub.import(&sales("accounts"), "sales/accounts").batch;
    let cancity = hub.find("account", "name=Cancity").id;
    hub.replica
        .transact(|tx| tx.edit("account", &cancity, vec![Edit::Set("city".into(), Value::Text("Nairobi".into()))]))
        .unwrap();
    let undone = undo(&hub.replica, batch).unwrap();
    assert_eq!((undone.archived, undone.restored, undone.kept), (84, 0, 1));
    assert_eq!(hub.ids("account"), BTreeSet::from([cancity]), "what somebody touched stays");
    let twice = undo(&hub.replica, batch).unwrap();
    assert_eq!((twice.archived, twice.restored, twice.kept), (0, 0, 85));
    assert_eq!(counts(&hub.import(&sales("accounts"), "sales/accounts")), [85, 0, 84, 1, 0]);
    assert_eq!(hub.records("account").len(), 85);

    // A batch that changed records gives them back their earlier values.
    let newer = std::fs::read_to_string(sales("accounts")).unwrap().replace("718.62,2448", "718.62,2500");
    let changed = hub.import_bytes(newer.as_bytes(), "sales/accounts");
    assert_eq!(changed.updated, 1);
    let undone = undo(&hub.replica, changed.batch).unwrap();
    assert_eq!((undone.archived, undone.restored), (0, 1));
    assert_eq!(hub.find("account", "name=Cancity").value("employees"), &Value::Integer(2_448));
    assert_eq!(hub.import_bytes(newer.as_bytes(), "sales/accounts").updated, 1, "and brings them again");
}

#[test]
fn a_dry_run_says_all_and_writes_nothing() {
    let hub = Hub::with_sales();
    let before = hub.replica.digest().unwrap();
    let map = ImportMap::open(&checkout().join("docs/examples/maps/sales/pipeline.toml")).unwrap();
    let bytes = std::fs::read(sales("sales_pipeline")).unwrap();
    let mut told = 0;
    let mut progress = |p: &branchline_core::crm::import::Progress| told = p.rows;
    let import = Import { map: Some(map), dry_run: true, progress: Some(&mut progress), ..Import::default() };
    let outcome = import.run(&hub.replica, &bytes).unwrap();
    assert_eq!((counts(&outcome), outcome.warnings.len()), ([8_800, 8_800, 0, 0, 0], 2_905));
    assert_eq!((hub.replica.digest().unwrap(), told), (before, 8_800));
}

#[test]
fn northwind_comes_in_with_its_regions_orders_and_lines() {
    let hub = Hub::new();
    let file = |name: &str| data_dir().join(format!("northwind/{name}.csv"));
    for (name, created) in [("regions", 4), ("territories", 53), ("employees", 9), ("customers", 91), ("products", 77)]
    {
        let outcome = hub.import(&file(name), &format!("northwind/{name}"));
        assert_eq!(counts(&outcome), [created, created, 0, 0, 0], "{name}: {:?}", outcome.errors);
    }
    let places = hub.import(&file("employee-territories"), "northwind/employee-territories");
    assert_eq!(counts(&places), [49, 0, 9, 40, 0]);
    let orders = hub.import(&file("orders"), "northwind/orders");
    assert_eq!(counts(&orders), [830, 830, 0, 0, 0], "{:?}", orders.errors);
    assert_eq!(of_code(&orders.warnings, "import_cell_rejoined").len(), 176, "addresses without quotes");
    let lines = hub.import(&file("order-details"), "northwind/order-details");
    assert_eq!(counts(&lines), [2_155, 2_155, 0, 0, 0]);
    assert_eq!(counts(&hub.import(&file("order-details"), "northwind/order-details")), [2_155, 0, 0, 2_155, 0]);

    let order = hub.find("opportunity", "external_id=10250");
    let Value::Lines(held) = order.value("lines") else { panic!("{order:?}") };
    assert_eq!(held.len(), 3);
    assert_eq!(held["51"]["unit_price"], Value::Money(Money { minor: 4_240, currency: "USD".parse_currency() }));
    let branch = hub.replica.record("branch", &order.reference("branch").unwrap()).unwrap();
    assert_eq!(branch.text("name"), "Eastern");
    let total: usize = hub
        .records("opportunity")
        .iter()
        .map(|order| match order.value("lines") {
            Value::Lines(lines) => lines.len(),
            _ => 0,
        })
        .sum();
    assert_eq!(total, 2_155);
    // Nancy reports to somebody further down in the file.
    let nancy = hub.find("user", "external_id=1");
    let boss = hub.replica.record("user", &nancy.reference("manager").unwrap()).unwrap();
    assert_eq!((nancy.text("name"), boss.text("name")), ("Nancy Davolio", "Andrew Fuller"));
}

#[test]
fn organisations_with_equal_names_stay_apart_in_every_encoding() {
    let text = std::fs::read_to_string(data_dir().join("ru-sme-organisations/organisations.csv")).unwrap();
    let hub = Hub::new();
    let outcome = hub.import_bytes(text.as_bytes(), "ru/organisations");
    assert_eq!(counts(&outcome), [644, 644, 0, 0, 0], "{:?}", outcome.errors);
    let records = hub.records("account");
    let unique = |field: &str| records.iter().map(|r| r.text(field).to_owned()).collect::<BTreeSet<_>>().len();
    assert_eq!((unique("tax_id"), records.len()), (644, 644));
    assert!(unique("name") < 644);
    let found = |text: &str| hub.replica.search(text, 50).unwrap().len();
    assert!(found("урал поляр") >= 1 && found("эйфел") >= 1);

    // The same in the encoding of an old accounting program: the same records.
    let bytes: Vec<u8> = text.chars().map(windows_1251).collect();
    let other = Hub::new();
    assert_eq!(counts(&other.import_bytes(&bytes, "ru/organisations")), [644, 644, 0, 0, 0]);
    assert_eq!(other.ids("account"), hub.ids("account"));
    assert_eq!(counts(&hub.import_bytes(&bytes, "ru/organisations")), [644, 0, 0, 644, 0]);
}

fn windows_1251(c: char) -> u8 {
    match c {
        'А'..='я' => (c as u32 - 'А' as u32) as u8 + 0xc0,
        'Ё' => 0xa8,
        'ё' => 0xb8,
        '№' => 0xb9,
        '«' => 0xab,
        '»' => 0xbb,
        c if c.is_ascii() => c as u8,
        c => panic!("{c} is not in the data"),
    }
}

#[test]
fn an_export_comes_back_in_unchanged() {
    let hub = Hub::with_sales();
    hub.import(&data_dir().join("northwind/customers.csv"), "northwind/customers");
    let by_hand = ["=HYPERLINK(\"http://x\")", "'+7", "a;b, \"c\"\nd", "-5"];
    for name in by_hand {
        let notes = ("notes".into(), Value::Text(format!("{name}\r\n{name}")));
        hub.replica
            .transact(|tx| tx.create("account", vec![("name".into(), Value::Text(name.into())), notes.clone()]))
            .unwrap();
    }
    let text = std::fs::read_to_string(sales("sales_pipeline")).unwrap();
    let part: String = text.lines().take(301).flat_map(|line| [line, "\n"]).collect();
    hub.import_bytes(part.as_bytes(), "sales/pipeline");
    let lines = ("lines".into(), {
        let product = hub.find("product", "name=GTK 500").id;
        let cells = BTreeMap::from([("product".to_owned(), Value::Reference(product))]);
        Value::Lines(BTreeMap::from([("1".to_owned(), cells)]))
    });
    hub.replica.transact(|tx| tx.create("opportunity", vec![lines])).unwrap();
    for collection in ["account", "product", "user", "branch", "opportunity"] {
        for format in [Format::Csv, Format::Xlsx] {
            let mut file = Vec::new();
            let count = export(&hub.replica, &Query::of(collection), format, &mut file).unwrap();
            assert_eq!(count, hub.records(collection).len() as u64);
            let import = Import { collection: Some(collection.into()), ..Import::default() };
            let outcome = import.run(&hub.replica, &file).unwrap();
            assert_eq!(counts(&outcome), [count, 0, 0, count, 0], "{collection} {format:?}: {:?}", outcome.errors);
            let unread: Vec<_> =
                outcome.warnings.iter().filter(|w| w.reason.code() == "import_column_unmatched").collect();
            assert!(unread.is_empty(), "{collection} {format:?}: {unread:?}");
        }
    }
    let mut file = Vec::new();
    export(&hub.replica, &Query::of("account"), Format::Csv, &mut file).unwrap();
    let text = String::from_utf8(file).unwrap();
    assert!(text.contains("'=HYPERLINK") && !text.contains(",=HYPERLINK") && !text.contains("\"=HYPERLINK"));

    // Another workspace takes the same file in as new records, and then knows them again.
    let other = Hub::new();
    let accounts =
        || Import { collection: Some("account".into()), ..Import::default() }.run(&other.replica, text.as_bytes());
    let first = accounts().unwrap();
    assert_eq!((first.created, first.refused), (first.rows, 0));
    assert_eq!(counts(&accounts().unwrap()), [first.rows, 0, 0, first.rows, 0]);
}

#[test]
fn a_guessed_map_reads_headings_in_any_language() {
    let hub = Hub::new();
    let file = "Название;ИНН;Город;Головная компания;Что-то\nООО «Луч»;7701;Тверь;ООО «Заря»;x\nООО «Заря»;7702;Псков;;y\n;;;;\n";
    let import = || Import { collection: Some("account".into()), ..Import::default() };
    let outcome = import().run(&hub.replica, file.as_bytes()).unwrap();
    assert_eq!(counts(&outcome), [3, 2, 0, 0, 1]);
    assert_eq!((outcome.errors[0].row, outcome.errors[0].reason.code().as_str()), (4, "import_row_empty"));
    assert_eq!(of_code(&outcome.warnings, "import_column_unmatched").len(), 1);
    let ray = hub.find("account", "tax_id=7701");
    assert_eq!(hub.replica.label(&ray.reference("parent").unwrap()).as_deref(), Some("ООО «Заря»"));
    // Rows without a key are known by their place in the file.
    let again = import().run(&hub.replica, file.as_bytes()).unwrap();
    assert_eq!(counts(&again), [3, 0, 0, 2, 1]);
}

#[test]
fn a_row_that_lacks_a_required_field_comes_in_with_a_warning() {
    let hub = Hub::new();
    let import = |file: &str, collection: &str| {
        Import { collection: Some(collection.into()), ..Import::default() }.run(&hub.replica, file.as_bytes()).unwrap()
    };
    let told = |outcome: &Outcome| -> Vec<(u64, String, String)> {
        let lacking = of_code(&outcome.warnings, "import_required_empty");
        lacking.iter().map(|w| (w.row, w.column.clone(), w.reason.code())).collect()
    };
    let file = "external_id,name,city\nA1,,Kyiv\nA2,Orbit,Lviv\n";
    let outcome = import(file, "account");
    assert_eq!(counts(&outcome), [2, 2, 0, 0, 0]);
    assert_eq!(told(&outcome), [(2, "name".to_owned(), "import_required_empty".to_owned())]);
    let nameless = hub.find("account", "external_id=A1");
    assert_eq!((nameless.text("name"), nameless.text("city")), ("", "Kyiv"));
    // The same again changes nothing, and says again what is missing, until somebody has filled it.
    let again = import(file, "account");
    assert_eq!((counts(&again), told(&again).len()), ([2, 0, 0, 2, 0], 1));
    let name = || vec![Edit::Set("name".into(), Value::Text("Aurora".into()))];
    hub.replica.transact(|tx| tx.edit("account", &nameless.id, name())).unwrap();
    let once_more = import(file, "account");
    assert_eq!((counts(&once_more), told(&once_more).len()), ([2, 0, 0, 2, 0], 0));
    // An empty cell takes no required value away, although the last import brought it.
    let emptied = import("external_id,name,city\nA2,,Odesa\n", "account");
    assert_eq!((counts(&emptied), told(&emptied).len()), ([1, 0, 1, 0, 0], 0));
    let orbit = hub.find("account", "external_id=A2");
    assert_eq!((orbit.text("name"), orbit.text("city")), ("Orbit", "Odesa"));
}

#[test]
fn a_file_without_a_required_column_says_so_once_and_definitions_stay_whole() {
    let hub = Hub::new();
    let import = |file: &str, collection: &str| {
        Import { collection: Some(collection.into()), ..Import::default() }.run(&hub.replica, file.as_bytes()).unwrap()
    };
    let outcome = import("sku,unit\nS1,pc\nS2,pc\n,\n", "product");
    assert_eq!(counts(&outcome), [3, 2, 0, 0, 1]);
    assert_eq!(of_code(&outcome.warnings, "import_required_no_column").len(), 1);
    assert_eq!((outcome.errors[0].row, outcome.errors[0].reason.code().as_str()), (4, "import_row_empty"));
    let roles = import("name,actions\n,edit:case\n", "role");
    assert_eq!(counts(&roles), [1, 0, 0, 0, 1]);
    assert_eq!(roles.errors[0].reason.code(), "required_field");
    // By hand it stays strict.
    let typed = hub.replica.transact(|tx| tx.create("product", vec![("sku".into(), Value::Text("S3".into()))]));
    assert_eq!(typed.unwrap_err().code(), "required_field");
}

#[test]
fn a_map_that_names_what_is_not_there_is_refused_before_anything_is_written() {
    let hub = Hub::new();
    let before = hub.replica.digest().unwrap();
    let code = |map: &str| {
        let map = ImportMap::parse(map).unwrap();
        let file = b"name,city,branch\nA,B,C\n";
        Import { map: Some(map), ..Import::default() }.run(&hub.replica, file).unwrap_err().code()
    };
    assert_eq!(code("collection = \"acount\"\n[columns.name]\nfield = \"name\"\n"), "unknown_collection");
    assert_eq!(code("collection = \"account\"\n[columns.name]\nfield = \"nam\"\n"), "import_map_field");
    assert_eq!(code("collection = \"account\"\n[columns.nome]\nfield = \"name\"\n"), "import_map_column");
    assert_eq!(
        code("collection = \"account\"\nkey = [\"city\"]\n[columns.name]\nfield = \"name\"\n"),
        "import_map_key"
    );
    let constant = "collection = \"lead\"\n[constants]\nbranch = \"nowhere\"\n[columns.name]\nfield = \"name\"\n";
    assert_eq!(code(constant), "import_map_constant");
    let lookup = "collection = \"lead\"\n[columns.branch]\nfield = \"branch\"\nlookup = { collection = \"user\", by = \"name\" }\n";
    assert_eq!(code(lookup), "import_map_lookup");
    let format = "collection = \"lead\"\n[columns.name]\nfield = \"revisit_on\"\nformat = \"%Q\"\n";
    assert_eq!(code(format), "import_map_value");
    assert_eq!(hub.replica.digest().unwrap(), before);
}
