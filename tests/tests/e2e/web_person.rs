//! What a person chooses for reading: pages write times, numbers and days in it, and forms take them in.

use branchline_tests::process::Node;
use branchline_tests::visitor::Visitor;
use serde_json::json;

use crate::workplace::{Company, company, id, signed_in};

const ANNA: &str = "anna@acme.example";

fn choose(visitor: &mut Visitor, zone: &str, numbers: &str, days: &str) -> u16 {
    visitor.post("/account/formats", &[("time_zone", zone), ("numbers", numbers), ("days", days)]).status
}

#[test]
fn times_numbers_and_days_are_written_and_typed_as_a_person_chose() {
    let company = company();
    let hub = &company.hub;
    let deal = id(hub, "opportunity", "Kyiv deal");
    let home = format!("/c/opportunity/{deal}");
    let mut anna = signed_in(hub, ANNA);
    assert_eq!(choose(&mut anna, "Europe/Kyiv", "dot-comma", "dots"), 303);
    assert!(anna.get("/account").body.contains("value=\"dot-comma\" selected"));

    let typed = [("f.amount", "1.234.567,50 USD"), ("f.expected_on", "31.12.2026"), ("f.probability", "12,5")];
    assert_eq!(anna.post(&home, &typed).status, 303);
    let held = hub.json(["show", "opportunity", &deal])["fields"].clone();
    assert_eq!(held["amount"], json!({"value": "1234567.50", "currency": "USD"}));
    assert_eq!(held["expected_on"], "2026-12-31");
    for page in [home.as_str(), "/c/opportunity", "/board/opportunity", "/today"] {
        let body = anna.get(page).body;
        assert!(body.contains("1.234.567,50 USD") && body.contains("31.12.2026"), "{page}: {body}");
    }
    let form = anna.get(&format!("{home}/edit")).body;
    assert!(form.contains("value=\"1234567,50 USD\"") && form.contains("value=\"31.12.2026\""), "{form}");
    assert!(!form.contains("type=\"date\""), "a browser's picker has an order of its own: {form}");
    // A chart is written like the table beneath it, also where it is taken away; the command line has no person's format.
    for page in ["/reports/pipeline", "/reports/pipeline.svg"] {
        let body = anna.get(page).body;
        let chart = &body[body.find("<svg").unwrap()..body.find("</svg>").unwrap()];
        assert!(chart.contains("\n1.000.000\n"), "{page}: {chart}");
    }
    let plain = hub.run(["report", "pipeline", "--format", "svg"]).stdout;
    assert!(plain.contains("\n1\u{202f}000\u{202f}000\n"), "{plain}");
    // The filter builder takes the person's format, the filter itself nobody's.
    let built = anna.get("/c/opportunity?add.field=amount&add.op=%3E&add.value=1.000.000,5+USD").body;
    assert!(built.contains("amount &gt; &quot;1000000.5 USD&quot;") && built.contains("Kyiv deal"), "{built}");

    // A visit at noon in Kyiv is at ten in summer, not at noon.
    let plan = [("kind", "visit"), ("subject", "Tasting"), ("due_at", "01.07.2027 12:00")];
    assert_eq!(anna.post(&format!("{home}/plan"), &plan).status, 303);
    let visit = hub.json(["list", "activity", "--where", "subject = Tasting"]);
    assert_eq!(visit[0]["due_at"], "2027-07-01T09:00:00.000Z", "{visit}");
    assert!(anna.get("/today").body.contains("01.07.2027 12:00"));
    // An evening of one day is a night of the next one.
    let late = ["subject=Night call", "kind=call", "owner=anna@acme.example", "due_at=2027-07-01T22:30:00Z"];
    hub.json(["create", "activity"].iter().chain(&late));
    let day = anna.get("/calendar?view=day&on=2027-07-02").body;
    assert!(day.contains("Night call") && day.contains("02.07.2027 01:30"), "{day}");
    assert!(!anna.get("/calendar?view=day&on=2027-07-01").body.contains("Night call"));

    // What cannot be read names its field, says how to write it and stays in the form.
    for (name, text, said) in [
        ("f.amount", "1250.50 USD", "Amount"),
        ("f.expected_on", "12/31/2026", "31.12.2026"),
        ("f.expected_on", "31.12.26", "Expected"),
        ("f.probability", "many", "Probability"),
    ] {
        let refused = anna.post(&home, &[(name, text)]);
        assert_eq!(refused.status, 422, "{name}={text}");
        assert!(refused.body.contains(said) && refused.body.contains(&format!("value=\"{text}\"")), "{}", refused.body);
    }
    let skipped =
        anna.post(&format!("{home}/plan"), &[("kind", "call"), ("subject", "x"), ("due_at", "28.03.2027 03:30")]);
    assert!(skipped.status == 422 && skipped.body.contains("Europe/Kyiv"), "{}", skipped.body);
    let unknown = anna.post("/account/formats", &[("time_zone", "Mars/Olympus"), ("numbers", ""), ("days", "")]);
    assert!(unknown.status == 422 && unknown.body.contains("Mars/Olympus"), "{}", unknown.body);
    // Somebody else reads what is usual in the language; files are for programs.
    let mut owner = signed_in(hub, "owner@acme.example").reading("uk");
    let theirs = owner.get(&home).body;
    assert!(theirs.contains("1\u{202f}234\u{202f}567,50 USD") && theirs.contains("31.12.2026"), "{theirs}");
    assert!(owner.get("/c/opportunity.csv").body.contains("1234567.50"));
}

#[test]
fn choices_follow_a_person_to_the_servers_of_the_branch() {
    let Company { home, mut hub } = company();
    let mut branch = Node::new(home.path(), "kyiv");
    let code = hub.json(["invite", "--name", "kyiv", "--as", "branch"]);
    branch.json(["join", code["code"].as_str().unwrap()]);
    branch.serve();
    let mut anna = signed_in(&hub, ANNA);
    assert_eq!(choose(&mut anna, "Asia/Almaty", "comma-point", "month-first"), 303);
    branch.json(["sync"]);
    hub.kill();
    let mut anna = signed_in(&branch, ANNA);
    let account = anna.get("/account").body;
    assert!(
        account.contains("value=\"Asia/Almaty\"") && account.contains("value=\"month-first\" selected"),
        "{account}"
    );
    // One whose choices are kept elsewhere is told so.
    let mut oleh = signed_in(&branch, "oleh@acme.example");
    let refused = oleh.post("/account/formats", &[("time_zone", "UTC"), ("numbers", ""), ("days", "")]);
    assert!(refused.status == 422 && refused.body.contains("not kept here"), "{}", refused.body);
}
