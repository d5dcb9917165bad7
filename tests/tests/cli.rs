//! The command line's contract, on the real binary: JSON shapes, exit codes, and what bad input gets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use branchline_tests::process::{Node, Outcome, home};
use branchline_tests::visitor::Visitor;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A hub with its owner; the folder goes away with the first value.
fn hub() -> (TempDir, Node) {
    let home = home();
    let hub = Node::new(home.path(), "hub");
    hub.json(["init", "--name", "Acme Trading", "--owner", "anna@acme.example", "--currency", "USD"]);
    (home, hub)
}

/// Holds an error document and its exit code against the contract, and gives the document.
fn refused(outcome: &Outcome, exit: i32, code: &str) -> Value {
    assert_eq!(outcome.code, exit, "{outcome:#?}");
    let error = outcome.json()["error"].clone();
    assert_eq!(error["code"], code, "{outcome:#?}");
    for key in ["what", "where", "do"] {
        assert!(error[key].as_str().is_some_and(|text| key == "where" || !text.is_empty()), "{key}: {outcome:#?}");
    }
    assert!(error["retryable"].is_boolean(), "{outcome:#?}");
    assert!(!outcome.stderr.is_empty(), "the words also go to stderr: {outcome:#?}");
    error
}

fn create(node: &Node, collection: &str, values: &[&str]) -> String {
    let args = ["create", collection].into_iter().chain(values.iter().copied());
    node.json(args)["id"].as_str().expect("an id").to_owned()
}

#[test]
fn wrong_usage_is_exit_2_with_an_error_document() {
    let (_home, hub) = hub();
    refused(&hub.run(["no-such-command"]), 2, "wrong_usage");
    refused(&hub.run(["list"]), 2, "wrong_usage");
    refused(&hub.run(["create", "account", "name"]), 2, "wrong_usage");
    refused(&hub.run(["create", "account", "name+=x"]), 2, "wrong_usage");
    refused(&hub.run(["edit", "account", "name=Acme"]), 2, "wrong_usage");
    refused(&hub.run(["list", "account", "--limit", "many"]), 2, "wrong_usage");
    let mut bare = std::process::Command::new(branchline_tests::binary());
    let output = bare.env_remove("BRANCHLINE_DATA").args(["--json", "status"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["error"]["code"], "data_missing");
}

#[test]
fn help_of_each_command_ends_well_and_carries_an_example() {
    let (_home, hub) = hub();
    for command in ["init", "create", "list", "import", "report", "serve", "invite", "demo"] {
        let outcome = hub.run([command, "--help"]);
        assert_eq!(outcome.code, 0);
        assert!(outcome.stdout.contains("Example:\n  branchline"), "{command}: {}", outcome.stdout);
    }
}

#[test]
fn init_makes_a_hub_once() {
    let (_home, hub) = hub();
    let again = hub.run(["init", "--name", "Other"]);
    refused(&again, 2, "replica_exists");

    let home = home();
    let other = Node::new(home.path(), "other");
    refused(&other.run(["init", "--name", "X", "--currency", "dollars"]), 2, "wrong_usage");
    refused(&other.run(["init", "--name", "X", "--language", "xx"]), 2, "wrong_usage");
    let made = other.json(["init", "--name", "Ромашка", "--language", "uk"]);
    for key in ["workspace", "replica", "owner"] {
        assert!(!made[key].is_null(), "{key}: {made}");
    }
}

#[test]
fn a_folder_that_is_no_replica_is_said_to_be_none() {
    let home = home();
    let nothing = Node::new(home.path(), "nothing");
    let outcome = nothing.run(["status"]);
    assert_ne!(outcome.code, 0);
    let error = outcome.json()["error"].clone();
    assert!(error["where"].as_str().is_some_and(|place| place.contains("nothing")), "{error}");
    assert!(!home.path().join("nothing").join("branchline.db").exists(), "looking made a replica");
}

#[test]
fn a_record_is_created_edited_shown_and_has_a_history() {
    let (_home, hub) = hub();
    let id = create(&hub, "account", &["name=Acme", "roles=customer; dealer", "annual_revenue=1054.00 USD"]);
    assert_eq!(
        hub.json(["edit", "account", "name=Acme", "roles-=dealer", "website=acme.example", "notes=first"])["id"],
        id
    );
    assert_eq!(hub.json(["edit", "account", &id[..18], "notes=second", "website="])["id"], id);

    let shown = hub.json(["show", "account", "name=Acme", "--history"]);
    assert_eq!(shown["id"], id);
    assert_eq!(shown["fields"]["name"], "Acme");
    assert_eq!(shown["fields"]["roles"], json!(["customer"]));
    assert_eq!(shown["fields"]["annual_revenue"], json!({"value": "1054.00", "currency": "USD"}));
    assert_eq!(shown["fields"]["website"], Value::Null);
    assert_eq!(shown["fields"]["notes"], "second");
    assert_eq!(shown["conflicts"], json!([]));
    let history = shown["history"].as_array().unwrap();
    let site: Vec<&Value> = history.iter().filter(|entry| entry["field"] == "website").collect();
    assert_eq!(site.len(), 2, "{history:#?}");
    let (mut first, mut second) = (site[0], site[1]);
    if first["to"].is_null() {
        (first, second) = (second, first);
    }
    assert_eq!((&first["from"], &first["to"]), (&Value::Null, &json!("acme.example")));
    assert_eq!((&second["from"], &second["to"]), (&json!("acme.example"), &Value::Null));
    for key in ["change", "at", "user", "device"] {
        assert!(!second[key].is_null(), "{key}: {second}");
    }

    let change = second["change"].as_str().unwrap();
    assert_eq!(hub.json(["undo", "account", "name=Acme", &change[..12]])["id"], id);
    assert_eq!(hub.json(["show", "account", "name=Acme"])["fields"]["website"], "acme.example");
    refused(&hub.run(["undo", "account", "name=Acme", "ffffffffffff"]), 1, "unknown_change");
}

#[test]
fn an_archived_record_leaves_lists_until_it_is_brought_back() {
    let (_home, hub) = hub();
    create(&hub, "account", &["name=Acme"]);
    hub.json(["archive", "account", "name=Acme"]);
    assert_eq!(hub.json(["list", "account"]), json!([]));
    assert_eq!(hub.json(["list", "account", "--archived"]).as_array().unwrap().len(), 1);
    hub.json(["unarchive", "account", "name=Acme"]);
    assert_eq!(hub.json(["list", "account", "--fields", "name"])[0]["name"], "Acme");
}

#[test]
fn values_come_from_files_and_bad_ones_name_field_and_rule() {
    let (home, hub) = hub();
    let file = home.path().join("notes.txt");
    std::fs::write(&file, "two\nlines").unwrap();
    create(&hub, "account", &["name=Acme", &format!("notes=@{}", file.display())]);
    assert_eq!(hub.json(["show", "account", "name=Acme"])["fields"]["notes"], "two\nlines");
    refused(&hub.run(["edit", "account", "name=Acme", "notes=@/no/such/file"]), 1, "value_file");

    let error = refused(&hub.run(["edit", "account", "name=Acme", "employees=many"]), 1, "wrong_type");
    assert!(error["what"].as_str().unwrap().contains("many"), "{error}");
    refused(&hub.run(["edit", "account", "name=Acme", "sise=1"]), 1, "unknown_field");
    refused(&hub.run(["edit", "account", "name=Acme", "roles=astronaut"]), 1, "unknown_choice");
    refused(&hub.run(["create", "acount", "name=X"]), 1, "unknown_collection");
    let nobody = hub.run(["show", "account", "name=Nobody"]);
    assert_eq!(nobody.code, 1, "{nobody:#?}");
    assert_eq!(hub.run(["create", "account", "city=Kyiv"]).code, 1, "an account needs a name");
}

#[test]
fn lists_filter_sort_and_page() {
    let (_home, hub) = hub();
    for (name, employees) in [("Alpha", 30), ("Beta", 10), ("Gamma", 20), ("Ромашка", 5)] {
        create(&hub, "account", &[&format!("name={name}"), &format!("employees={employees}")]);
    }
    let names = |args: &[&str]| -> Vec<String> {
        let list = hub.json(["list", "account", "--fields", "name"].iter().chain(args));
        list.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&["--where", "employees >= 10", "--sort", "-employees"]), ["Alpha", "Gamma", "Beta"]);
    assert_eq!(names(&["--where", "name ~ \"ромаш\""]), ["Ромашка"]);
    assert_eq!(names(&["--where", "employees > 10.5"]), ["Alpha", "Gamma"]);
    assert_eq!(names(&["--where", "employees in (5, 10) and not name = \"Beta\""]), ["Ромашка"]);

    let first = hub.json(["list", "account", "--sort", "name", "--limit", "2"]);
    let last = first[1]["id"].as_str().unwrap();
    assert_eq!(names(&["--sort", "name", "--limit", "2", "--after", last]), ["Gamma", "Ромашка"]);
    let row = &first[0];
    for key in ["id", "name", "city", "archived", "created_at", "created_by", "updated_at", "updated_by"] {
        assert!(row.get(key).is_some(), "{key}: {row}");
    }
    refused(&hub.run(["list", "account", "--where", "sise = 1"]), 1, "filter_field");
    refused(&hub.run(["list", "account", "--where", "name ="]), 1, "filter_syntax");
    refused(&hub.run(["list", "account", "--sort", "sise"]), 1, "unknown_field");
}

#[test]
fn people_read_tables_with_ids_that_work() {
    let (_home, hub) = hub();
    create(&hub, "account", &["name=Ромашка", "city=Київ"]);
    let mut command = hub.command(["list", "account", "--fields", "name,city"]);
    let args: Vec<_> = command.get_args().filter(|a| *a != "--json").map(ToOwned::to_owned).collect();
    let mut plain = std::process::Command::new(command.get_program());
    let table = plain.args(&args).env("BRANCHLINE_LANG", "uk").output().unwrap();
    assert!(table.status.success());
    let text = String::from_utf8(table.stdout).unwrap();
    assert!(text.contains("Ромашка") && text.contains("Київ") && text.contains("1 запис"), "{text}");
    let prefix =
        text.lines().find(|line| line.contains("Ромашка")).and_then(|line| line.split_whitespace().next()).unwrap();
    command = hub.command(["show", "account", prefix]);
    assert!(command.output().unwrap().status.success(), "{text}");
}

#[test]
fn messages_follow_the_language_and_codes_do_not() {
    let (_home, hub) = hub();
    let outcome = |language: &str| {
        let output = hub.command(["show", "acount", "name=X"]).env("BRANCHLINE_LANG", language).output().unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        (document["error"]["code"].as_str().unwrap().to_owned(), document["error"]["what"].as_str().unwrap().to_owned())
    };
    let (english, russian, ukrainian) = (outcome("en"), outcome("ru"), outcome("uk"));
    assert!(english.0 == russian.0 && russian.0 == ukrainian.0);
    assert!(english.1 != russian.1 && russian.1 != ukrainian.1);
}

#[test]
fn search_finds_any_case_by_prefix() {
    let (_home, hub) = hub();
    let id = create(&hub, "account", &["name=ООО Ромашка", "city=Одеса"]);
    let hits = hub.json(["search", "ромаш"]);
    assert_eq!(hits[0]["id"], id);
    assert_eq!(hits[0]["collection"], "account");
    assert_eq!(hub.json(["search", "nothing-like-it"]), json!([]));
}

#[test]
fn sql_reads_tables_and_cannot_write() {
    let (_home, hub) = hub();
    create(&hub, "account", &["name=Acme", "annual_revenue=1054.00 USD"]);
    let rows =
        hub.json(["sql", "SELECT name, annual_revenue_minor AS minor, annual_revenue_currency AS c FROM account"]);
    assert_eq!(rows, json!([{"name": "Acme", "minor": 105_400, "c": "USD"}]));
    for bad in ["DELETE FROM account", "SELEC name", "SELECT nothing FROM account", "SELECT 1; DROP TABLE account"] {
        let outcome = hub.run(["sql", bad]);
        assert!(matches!(outcome.code, 1 | 2), "{bad}: {outcome:#?}");
        assert!(!outcome.json()["error"]["do"].as_str().unwrap().is_empty());
    }
    assert_eq!(hub.json(["sql", "SELECT count(*) AS n FROM account"])[0]["n"], 1);
}

#[test]
fn people_are_added_listed_and_disabled() {
    let (_home, hub) = hub();
    create(&hub, "branch", &["code=central", "name=Central"]);
    let added = hub.json([
        "users",
        "add",
        "Oleh Koval",
        "--email",
        "oleh@acme.example",
        "--role",
        "seller",
        "--branch",
        "central",
    ]);
    let list = hub.json(["users", "list"]);
    let oleh = list.as_array().unwrap().iter().find(|u| u["id"] == added["id"]).expect("the new person is listed");
    assert_eq!((&oleh["role"], &oleh["active"]), (&json!("seller"), &json!(true)));
    assert_eq!(oleh["home_branch"]["label"], "Central");
    hub.json(["users", "disable", "oleh@acme.example"]);
    assert_eq!(hub.json(["show", "user", "email=oleh@acme.example"])["fields"]["active"], false);
    assert_eq!(hub.run(["users", "disable", "nobody@acme.example"]).code, 1);
    assert_eq!(hub.run(["users", "add", "X", "--role", "seller", "--branch", "nowhere"]).code, 1);
    refused(&hub.run(["users", "add", "X"]), 2, "wrong_usage");
    refused(&hub.run(["users", "disable", "anna@acme.example"]), 1, "user_disable_self");
}

#[test]
fn the_schema_is_shown_with_labels_in_three_languages() {
    let (_home, hub) = hub();
    let schema = hub.json(["schema", "show"]);
    let opportunity = schema.as_array().unwrap().iter().find(|c| c["name"] == "opportunity").unwrap();
    let stage = opportunity["fields"].as_array().unwrap().iter().find(|f| f["name"] == "stage").unwrap();
    let stages: Vec<&str> = stage["choices"].as_array().unwrap().iter().map(|c| c["value"].as_str().unwrap()).collect();
    assert_eq!(stages, ["new", "qualified", "proposal", "negotiation", "won", "lost"]);
    for language in ["en", "ru", "uk"] {
        assert!(!stage["labels"][language].as_str().unwrap().is_empty());
    }
    assert_eq!(hub.json(["schema", "show", "opportunity"]).as_array().unwrap().len(), 1);
    refused(&hub.run(["schema", "show", "nothing"]), 1, "unknown_collection");
}

#[test]
fn status_has_every_number_of_the_contract() {
    let (_home, hub) = hub();
    create(&hub, "account", &["name=Acme"]);
    let status = hub.json(["status"]);
    let keys = [
        "role",
        "replica",
        "name",
        "user",
        "upstream",
        "online",
        "last_sync",
        "outbox",
        "quarantine",
        "conflicts",
        "review",
        "records",
        "digest",
        "version",
    ];
    for key in keys {
        assert!(status.get(key).is_some(), "{key}: {status}");
    }
    assert_eq!((&status["role"], &status["upstream"]), (&json!("hub"), &Value::Null));
    assert_eq!(status["records"]["account"], 1);
    assert!(!status["digest"].as_str().unwrap().is_empty());
}

#[test]
fn a_backup_restores_what_it_holds_and_verifies() {
    let (home, hub) = hub();
    create(&hub, "account", &["name=Acme"]);
    let file = home.path().join("monday.backup");
    let path = file.to_str().unwrap();
    assert!(hub.json(["backup", path])["bytes"].as_u64().unwrap() > 0);
    create(&hub, "account", &["name=Later"]);

    let again = Node::new(home.path(), "again");
    again.json(["restore", path]);
    let names = again.json(["list", "account", "--fields", "name"]);
    assert_eq!(names.as_array().unwrap().len(), 1);
    assert_eq!(names[0]["name"], "Acme");
    assert!(again.json(["verify"])["changes"].as_u64().unwrap() > 0);
    refused(&again.run(["restore", path]), 2, "replica_exists");

    std::fs::write(&file, b"this is no backup").unwrap();
    let third = Node::new(home.path(), "third");
    assert_eq!(third.run(["restore", path]).code, 1);
    assert_eq!(third.run(["restore", "/no/such/file"]).code, 1);
}

#[test]
fn an_import_reports_rows_refuses_single_ones_and_can_be_undone() {
    let (home, hub) = hub();
    let file = home.path().join("accounts.csv");
    let path = file.to_str().unwrap();
    std::fs::write(&file, "external_id,name,employees,industry\nA1,Alpha,30,\nA2,Beta,many,\nA3,Gamma,7,\n").unwrap();

    let dry = hub.expect(&[3], ["import", path, "--collection", "account", "--dry-run"]);
    assert_eq!((&dry["rows"], &dry["refused"]), (&json!(3), &json!(1)));
    assert_eq!(hub.json(["list", "account"]), json!([]));

    let done = hub.expect(&[3], ["import", path, "--collection", "account"]);
    for (key, count) in [("rows", 3), ("created", 2), ("updated", 0), ("unchanged", 0), ("refused", 1)] {
        assert_eq!(done[key], count, "{key}: {done}");
    }
    let error = &done["errors"][0];
    assert_eq!((&error["row"], &error["column"], &error["value"]), (&json!(3), &json!("employees"), &json!("many")));
    assert!(!error["reason"].as_str().unwrap().is_empty());
    assert!(done["warnings"].is_array());

    std::fs::write(&file, "external_id,name,employees\nA1,Alpha,31\nA3,Gamma,7\n").unwrap();
    let again = hub.json(["import", path, "--collection", "account"]);
    assert_eq!((&again["created"], &again["updated"], &again["unchanged"]), (&json!(0), &json!(1), &json!(1)));
    hub.json(["import", "undo", again["batch"].as_str().unwrap()]);
    assert_eq!(hub.json(["show", "account", "external_id=A1"])["fields"]["employees"], 30);

    refused(&hub.run(["import", path, "--collection", "acount"]), 1, "unknown_collection");
    assert_eq!(hub.run(["import", "/no/such/file.csv", "--collection", "account"]).code, 1);
    refused(&hub.run(["import", "undo", "no-batch"]), 2, "wrong_usage");
    refused(&hub.run(["import"]), 2, "wrong_usage");
}

#[test]
fn an_exported_csv_comes_back_in_unchanged() {
    let (home, hub) = hub();
    create(
        &hub,
        "account",
        &["name=Acme, Inc.", "phones=+12025550100; +12025550101", "annual_revenue=5.50 EUR", "external_id=X1"],
    );
    create(&hub, "account", &["name=-5+2", "external_id=X2", "notes=two\nlines"]);
    let file = home.path().join("accounts.csv");
    let path = file.to_str().unwrap();
    assert_eq!(hub.json(["export", "account", "--out", path])["rows"], 2);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains(",-5+2"), "a formula must not reach a spreadsheet: {text}");

    let back = hub.json(["import", path, "--collection", "account"]);
    assert_eq!((&back["unchanged"], &back["created"], &back["updated"]), (&json!(2), &json!(0), &json!(0)), "{back}");
    let filtered = hub.json(["export", "account", "--where", "external_id = \"X1\"", "--format", "json"]);
    assert_eq!(filtered[0]["annual_revenue"], json!({"value": "5.50", "currency": "EUR"}));
    let sheet = home.path().join("accounts.xlsx");
    hub.json(["export", "account", "--format", "xlsx", "--out", sheet.to_str().unwrap()]);
    assert_eq!(&std::fs::read(&sheet).unwrap()[..2], b"PK");
    refused(&hub.run(["export", "account", "--format", "pdf"]), 2, "wrong_usage");
    refused(&hub.run(["export", "account", "--out", "/no/such/folder/a.csv"]), 1, "file_not_written");
}

/// A GET request by hand: status line and headers, then the body.
fn get(url: &str, path: &str, language: &str) -> (String, String) {
    use std::io::{Read, Write};
    let address = url.trim_start_matches("http://");
    let mut socket = std::net::TcpStream::connect(address).unwrap();
    write!(
        socket,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept-Language: {language}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

#[test]
fn a_served_hub_answers_health_and_lets_strangers_sign_in_alone() {
    let (_home, mut hub) = hub();
    let url = hub.serve();
    let (head, body) = get(&url, "/health", "en");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let health: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&health["status"], &health["role"]), (&json!("ok"), &json!("hub")));

    // Nothing of the company is shown to strangers.
    create(&hub, "account", &["name=Amber"]);
    let (head, page) = get(&url, "/", "uk, en;q=0.5");
    assert!(head.starts_with("HTTP/1.1 303") && head.to_lowercase().contains("location: /today"), "{head}");
    assert!(page.is_empty(), "{page}");
    let (head, page) = get(&url, "/sign-in", "uk, en;q=0.5");
    assert!(head.to_lowercase().contains("content-security-policy: default-src 'none'"), "{head}");
    assert!(page.contains("Пароль") && !page.contains("Amber"), "{page}");
    let (head, _) = get(&url, "/no-such-page", "en");
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
}

#[test]
fn a_server_says_where_it_listens_and_stops_when_asked() {
    use std::io::{BufRead, BufReader};
    let (_home, hub) = hub();
    let mut command = hub.command(["serve", "--listen", "127.0.0.1:0"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let document: Value = serde_json::from_str(&first).unwrap();
    let address = document["listening"].as_str().unwrap();

    // A page that listens for news must not keep the process alive.
    let link = hub.json(["users", "sign-in", "anna@acme.example"])["link"].as_str().unwrap().to_owned();
    let mut visitor = Visitor::new(&format!("http://{address}"));
    visitor.sign_in(&link);
    let mut feed = visitor.listen("/live");
    assert!(feed.next().unwrap().contains("200"));

    std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    refused(&hub.run(["serve", "--listen", "nowhere"]), 2, "wrong_usage");
    refused(&hub.run(["serve", "--listen", "203.0.113.1:1"]), 2, "listen_failed");
}

#[test]
fn a_device_joins_syncs_and_waits_while_the_hub_is_away() {
    let (home, mut hub) = hub();
    hub.serve();
    create(&hub, "account", &["name=Acme"]);
    let invited =
        hub.json(["invite", "--as", "device", "--name", "Olena", "--scope", "workspace", "--role", "manager"]);
    assert!(invited["expires"].as_str().is_some_and(|at| at.ends_with('Z')), "{invited}");
    let code = invited["code"].as_str().unwrap();

    let device = Node::new(home.path(), "device");
    let joined = device.json(["join", code]);
    let keys = ["pushed", "pulled", "refused", "outbox", "quarantine", "bytes_up", "bytes_down", "round_trips"];
    for key in keys {
        assert!(joined[key].is_u64(), "{key}: {joined}");
    }
    assert_eq!(device.json(["list", "account", "--fields", "name"])[0]["name"], "Acme");
    assert_eq!(device.json(["upstream"])["upstream"], hub.url());

    let second = Node::new(home.path(), "second");
    assert_eq!(second.run(["join", code]).code, 1, "a code works once");
    assert_eq!(second.run(["join", "bl1nonsense"]).code, 1);

    hub.kill();
    create(&device, "account", &["name=Written offline"]);
    let away = device.run(["sync", "--deadline", "10s"]);
    let error = refused(&away, 4, away.json()["error"]["code"].as_str().unwrap());
    assert_eq!(error["retryable"], true);
    assert!(device.json(["status"])["outbox"].as_u64().unwrap() > 0);

    hub.serve();
    let done = device.json(["sync"]);
    assert_eq!(done["outbox"], 0);
    assert_eq!(hub.json(["show", "account", "name=Written offline"])["fields"]["name"], "Written offline");
    assert_eq!(hub.json(["status"])["digest"], device.json(["status"])["digest"]);

    device.json(["pause"]);
    assert_eq!(device.run(["sync"]).code, 4, "a paused line is no line");
    device.json(["resume"]);
    device.json(["sync"]);
    assert_eq!(hub.run(["sync"]).code, 2, "a hub has no upstream");
}

/// A line that is kept by a server and quiet already says nothing more by itself: a `sync` beside it waited for news that
/// did not come.
#[test]
fn a_sync_beside_a_server_whose_line_is_quiet_ends_at_once() {
    let (home, mut hub) = hub();
    hub.serve();
    let mut branch = Node::new(home.path(), "kyiv");
    let invited = hub.json(["invite", "--as", "branch", "--name", "kyiv"]);
    branch.json(["join", invited["code"].as_str().unwrap()]);
    branch.serve();
    while branch.json(["status"])["online"] != true {}
    for round in 0..3 {
        create(&hub, "account", &[&format!("name=From above {round}")]);
        branch.json(["sync", "--deadline", "30s"]);
        branch.json(["show", "account", &format!("name=From above {round}")]);
        branch.json(["sync", "--deadline", "30s"]);
    }
    hub.kill();
    assert_eq!(branch.run(["sync", "--deadline", "10s"]).code, 4);
}

#[test]
fn invitations_name_people_branches_and_devices() {
    let (_home, mut hub) = hub();
    hub.serve();
    hub.json(["invite", "--as", "branch", "--name", "kyiv"]);
    assert_eq!(hub.json(["show", "branch", "code=kyiv"])["fields"]["code"], "kyiv");
    assert_eq!(hub.run(["invite", "--as", "device", "--name", "x", "--user", "nobody@acme.example"]).code, 1);
    refused(&hub.run(["invite", "--as", "toaster", "--name", "x"]), 2, "wrong_usage");
    refused(&hub.run(["invite", "--as", "device", "--name", "x", "--expires", "soon"]), 2, "wrong_usage");
    assert!(hub.json(["devices"]).is_array());
    assert_eq!(hub.run(["devices", "revoke", "nobody"]).code, 1);
}

#[test]
fn duplicates_merge_and_come_apart_again() {
    let (_home, hub) = hub();
    let keep = create(&hub, "account", &["name=Ромашка", "tax_id=7707083893"]);
    let lose = create(&hub, "account", &["name=ООО «Ромашка»", "tax_id=7707083893"]);
    let pairs = hub.json(["duplicates", "account"]);
    assert_eq!(pairs.as_array().unwrap().len(), 1, "{pairs}");
    assert!(pairs[0]["score"].as_f64().is_some_and(|score| score > 0.5), "{pairs}");

    hub.json(["merge", "account", &keep, &lose]);
    assert_eq!(hub.json(["duplicates", "account"]), json!([]));
    assert_eq!(hub.json(["list", "account"]).as_array().unwrap().len(), 1);
    let prefix = &lose[..lose.bytes().zip(keep.bytes()).take_while(|(a, b)| a == b).count() + 1];
    hub.json(["unmerge", "account", prefix]);
    assert_eq!(hub.json(["list", "account"]).as_array().unwrap().len(), 2);
    refused(&hub.run(["merge", "account", &keep, &keep]), 1, "merge_with_itself");
    refused(&hub.run(["unmerge", "account", &lose]), 1, "not_merged");
}

#[test]
fn a_lead_becomes_account_contact_and_opportunity_once() {
    let (_home, hub) = hub();
    let lead = create(&hub, "lead", &["name=Ірина Мельник", "company=Ромашка", "phones=+380441234567"]);
    let first = hub.json(["convert", "lead", &lead]);
    for key in ["account", "contact", "opportunity"] {
        assert!(!first[key].is_null(), "{key}: {first}");
    }
    assert_eq!(hub.json(["convert", "lead", &lead]), first);
    assert_eq!(hub.json(["list", "opportunity"]).as_array().unwrap().len(), 1);
    assert_eq!(hub.run(["convert", "lead", "name=Nobody"]).code, 1);
}

#[test]
fn reports_say_how_complete_they_are() {
    let (_home, hub) = hub();
    for (name, stage) in [("One", "won"), ("Two", "lost"), ("Three", "new")] {
        create(&hub, "opportunity", &[&format!("name={name}"), &format!("stage={stage}"), "amount=100.00 USD"]);
    }
    let funnel = hub.json(["report", "funnel"]);
    assert!(funnel["complete_through"].is_object(), "{funnel}");
    let won = funnel["rows"].as_array().unwrap().iter().find(|row| row["stage"] == "won").expect("a row for won deals");
    for key in ["by", "stage", "count", "amount", "currency", "conversion", "median_days"] {
        assert!(won.get(key).is_some(), "{key}: {won}");
    }
    assert_eq!((&won["count"], &won["amount"], &won["currency"]), (&json!(1), &json!("100.00"), &json!("USD")));
    for name in ["pipeline", "activity"] {
        assert!(hub.json(["report", name])["rows"].is_array());
    }
    let svg = hub.run(["report", "funnel", "--format", "svg"]);
    assert!(svg.stdout.contains("<svg"), "{svg:#?}");
    assert_eq!(hub.run(["report", "horoscope"]).code, 1);
    assert_ne!(hub.run(["report", "funnel", "--from", "someday"]).code, 0);
    assert_ne!(hub.run(["report", "funnel", "--by", "sise"]).code, 0);
}

#[test]
fn an_attachment_is_kept_by_content() {
    let (home, hub) = hub();
    create(&hub, "document", &["name=Contract"]);
    let file = home.path().join("contract.txt");
    std::fs::write(&file, "signed").unwrap();
    let attached = hub.json(["attach", "document", "name=Contract", "file", file.to_str().unwrap()]);
    let hash = attached["hash"].as_str().unwrap();
    let out = home.path().join("out.txt");
    hub.json(["fetch", hash, "--out", out.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "signed");
    assert_eq!(hub.run(["fetch", &"0".repeat(64)]).code, 1);
    assert_eq!(hub.run(["attach", "document", "name=Contract", "file", "/no/such/file"]).code, 1);
}

/// The names of marks are texts in a program that has them.
#[test]
fn the_program_has_no_marks_of_the_simulator() {
    let program = std::fs::read(branchline_tests::binary()).unwrap();
    let sources = branchline_tests::source::sources(&["core/src"]);
    let marks: Vec<&str> = sources
        .iter()
        .filter(|s| s.path != "core/src/probe.rs")
        .flat_map(|s| s.text.split("mark!(\"").skip(1).filter_map(|rest| rest.split('"').next()))
        .collect();
    assert!(marks.len() > 20, "the marks of the core were not found: {marks:?}");
    // Short ones are words of other texts, too.
    for mark in marks.iter().filter(|mark| mark.len() >= 20) {
        let found = program.windows(mark.len()).any(|part| part == mark.as_bytes());
        assert!(!found, "{mark} is in the program: it was built with the feature `canary`");
    }
}
