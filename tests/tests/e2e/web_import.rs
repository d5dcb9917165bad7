//! The import wizard on real data: upload, mapping by choosing, trial run, run, undo.

use branchline_tests::data_dir;
use branchline_tests::process::Node;
use branchline_tests::visitor::{Answer, Visitor};
use serde_json::Value;

use crate::workplace::{company, signed_in};

const ROWS: i64 = 8_800;

fn pipeline() -> Vec<u8> {
    std::fs::read(data_dir().join("crm-sales-opportunities/sales_pipeline.csv")).unwrap()
}

fn ended(visitor: &mut Visitor, address: &str) -> Answer {
    loop {
        let page = visitor.get(&format!("{address}/run"));
        assert_eq!(page.status, 200, "{page:?}");
        if page.header("refresh").is_empty() {
            return page;
        }
        assert!(page.body.contains("It goes on when you leave"), "{}", page.body);
    }
}

fn counted(page: &Answer, label: &str) -> String {
    page.between(&format!("<dt>{label}</dt><dd>"), "</dd>")
}

fn count(node: &Node, condition: &str) -> i64 {
    let rows = node.json(["sql", &format!("SELECT count(*) AS n FROM opportunity WHERE {condition}")]);
    rows[0]["n"].as_i64().unwrap()
}

#[test]
fn a_file_of_sales_comes_in_by_choosing_and_goes_again() {
    let company = company();
    let hub = &company.hub;
    let mut owner = signed_in(hub, "owner@acme.example");
    let sent = owner.upload("/import", &[("collection", "opportunity")], ("file", "sales_pipeline.csv", &pipeline()));
    assert_eq!(sent.status, 303, "{}", sent.body);
    let address = sent.header("location").to_owned();
    let page = owner.get(&address).body;
    for text in ["sales_pipeline.csv", "1C1I7A6R", "deal_stage"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    // What is found by its name was guessed.
    assert!(page.contains("<option value=\"account\" selected"), "{page}");
    let columns = [
        ("to.0", "external_id"),
        ("to.2", "product"),
        ("to.3", "account"),
        ("to.4", "stage"),
        ("to.5", "opened_on"),
        ("to.6", "closed_on"),
        ("to.7", "amount"),
        ("key", "opportunity_id"),
        ("branch", "kyiv"),
        ("template", "{product} · {account}"),
    ];
    let map = owner.post(&address, &[columns.as_slice(), &[("act", "map")]].concat());
    assert_eq!((map.status, map.header("location")), (303, address.as_str()));
    let page = owner.get(&address);
    let stages = [("Won", "won"), ("Engaging", "qualified"), ("Lost", "lost"), ("Prospecting", "new")];
    let mut more: Vec<(String, String)> = Vec::new();
    for (text, stage) in stages {
        let place = page
            .body
            .split(&format!("\" value=\"{text}\""))
            .next()
            .and_then(|before| before.rsplit("name=\"t.4.").next());
        let n = place.unwrap_or_else(|| panic!("{text} is not offered: {}", page.body)).to_owned();
        more.push((format!("t.4.{n}"), text.to_owned()));
        more.push((format!("v.4.{n}"), stage.to_owned()));
    }
    let looked_up =
        [("by.2", "name"), ("missing.2", "create"), ("by.3", "name"), ("missing.3", "create"), ("currency.7", "USD")];
    let more: Vec<(&str, &str)> = more.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let all = [columns.as_slice(), &more, &looked_up].concat();

    let checked = owner.post(&address, &[all.as_slice(), &[("act", "check")]].concat());
    assert_eq!(checked.header("location"), format!("{address}/run"));
    let trial = ended(&mut owner, &address);
    assert!(trial.body.contains("Nothing was written"), "{}", trial.body);
    assert_eq!((counted(&trial, "Created"), counted(&trial, "Refused")), (ROWS.to_string(), "0".to_owned()));
    assert_eq!(count(hub, "external_id IS NOT NULL"), 0, "a trial run wrote");

    owner.post(&address, &[("act", "run")]);
    let done = ended(&mut owner, &address);
    assert_eq!(counted(&done, "Created"), ROWS.to_string(), "{}", done.body);
    assert_eq!(count(hub, "external_id IS NOT NULL"), ROWS);
    assert_eq!(count(hub, "stage = 'won'"), 4_238);
    let deal = hub.json(["show", "opportunity", "external_id=1C1I7A6R"]);
    assert_eq!(deal["fields"]["name"], "GTX Plus Basic · Cancity");
    assert_eq!(deal["fields"]["amount"], serde_json::json!({"value": "1054.00", "currency": "USD"}));
    assert_eq!(deal["fields"]["branch"]["label"], "Kyiv");

    owner.post(&address, &[("act", "run")]);
    let again = ended(&mut owner, &address);
    assert_eq!((counted(&again, "Created"), counted(&again, "Unchanged")), ("0".to_owned(), ROWS.to_string()));
    let undone = owner.post(&format!("{address}/undo"), &[]);
    assert!(undone.body.contains("The import was taken back"), "{}", undone.body);
    assert_eq!(count(hub, "external_id IS NOT NULL AND archived = 0"), 0);
}

#[test]
fn rows_that_do_not_fit_are_told_and_files_are_their_persons_alone() {
    let company = company();
    let hub = &company.hub;
    let mut oleh = signed_in(hub, "oleh@acme.example");
    let file = "name;amount;account\n<b>Bold</b>;much;Orbit Foods\nGood;5;Nobody\n".as_bytes();
    let sent = oleh.upload("/import", &[("collection", "opportunity")], ("file", "own.csv", file));
    let address = sent.header("location").to_owned();
    oleh.post(
        &address,
        &[("to.0", "name"), ("to.1", "amount"), ("to.2", "account"), ("key", ""), ("branch", "lviv"), ("act", "check")],
    );
    let trial = ended(&mut oleh, &address);
    assert_eq!(counted(&trial, "Refused"), "1", "{}", trial.body);
    assert!(trial.body.contains("much") && !trial.body.contains("<b>Bold"), "{}", trial.body);
    oleh.post(&address, &[("act", "run")]);
    ended(&mut oleh, &address);
    let made: Value = hub.json(["list", "opportunity", "--where", "name = Good"]);
    assert_eq!((&made[0]["branch"]["label"], &made[0]["created_by"]["label"]), (&"Lviv".into(), &"Oleh".into()));

    let mut anna = signed_in(hub, "anna@acme.example");
    for page in [address.clone(), format!("{address}/run"), "/import/..%2f..%2fdevice.key".to_owned()] {
        assert_eq!(anna.get(&page).status, 404, "{page}");
    }
    assert!(anna.get("/import").body.contains("Your role may not import"));
    let denied = anna.upload("/import", &[("collection", "opportunity")], ("file", "own.csv", file));
    assert_eq!(denied.status, 422, "{}", denied.body);
    assert!(
        denied.body.contains("may not import") && std::fs::read_dir(hub.dir().join("uploads")).unwrap().count() == 1
    );
    assert_eq!(anna.post(&format!("{address}/undo"), &[]).status, 404);
    let not = oleh.upload("/import", &[("collection", "opportunity")], ("file", "empty.csv", b""));
    assert!(not.status == 422 && not.body.contains("role=\"alert\""), "{}", not.body);
    let mut lured = oleh.clone().from_origin("http://evil.example");
    assert_eq!(lured.upload("/import", &[("collection", "opportunity")], ("file", "own.csv", file)).status, 403);
    let mut nobody = Visitor::new(hub.url());
    assert_eq!(nobody.upload("/import", &[("collection", "opportunity")], ("file", "own.csv", file)).status, 403);
}

#[test]
fn many_imports_take_turns() {
    let company = company();
    let hub = &company.hub;
    let mut oleh = signed_in(hub, "oleh@acme.example");
    let rows: String = (0..1_500).map(|n| format!("Row {n},lviv\n")).collect();
    let uploads: Vec<String> = (0..5)
        .map(|n| {
            let file = format!("name,branch\n{n},lviv\n{rows}");
            let fields = [("collection", "opportunity")];
            let sent = oleh.upload("/import", &fields, ("file", &format!("{n}.csv"), file.as_bytes()));
            sent.header("location").to_owned()
        })
        .collect();
    for upload in &uploads {
        assert_eq!(oleh.post(upload, &[("act", "run")]).header("location"), format!("{upload}/run"));
    }
    let mut most = 0;
    loop {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", hub.pid())).unwrap().flatten();
        let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        most = most.max(tasks.map(name).filter(|name| name.trim() == "import").count());
        let pages: Vec<Answer> = uploads.iter().map(|upload| oleh.get(&format!("{upload}/run"))).collect();
        if pages.iter().all(|page| page.header("refresh").is_empty()) {
            break;
        }
    }
    assert!((1..=2).contains(&most), "{most} at once");
    assert_eq!(hub.json(["list", "opportunity", "--where", "name ~ Row"]).as_array().unwrap().len(), 5 * 1_500);
}
