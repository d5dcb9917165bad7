//! Reports in the workplace: the same figures as the command line's, narrowed to the reader, with the records behind them.

use branchline_tests::process::Node;

use crate::workplace::{Company, company, id, signed_in};

fn with_figures() -> Company {
    let company = company();
    let hub = &company.hub;
    let deal = |name: &str, values: &[&str]| {
        let deal = id(hub, "opportunity", name);
        hub.json(["edit", "opportunity", &deal].into_iter().chain(values.iter().copied()));
    };
    let formula = hub.json(["create", "account", "name==HYPERLINK(\"http://evil.example\")", "industry=retail"]);
    let formula = format!("account={}", formula["id"].as_str().unwrap());
    hub.json(["edit", "account", "name=Orbit Foods", "industry=food"]);
    deal("Kyiv deal", &["stage=won", "amount=1000.50 USD", "closed_on=2017-03-01"]);
    deal("Lviv deal", &["stage=lost", "amount=70 USD", "closed_on=2017-03-05", "lost_reason=Too \"dear\""]);
    hub.json([
        "create",
        "opportunity",
        "name=Formula deal",
        "owner=anna@acme.example",
        "stage=won",
        "amount=500 USD",
        "closed_on=2017-04-02",
        &formula,
    ]);
    let open =
        ["create", "opportunity", "name=Open deal", "owner=anna@acme.example", "stage=proposal", "amount=200 USD"];
    hub.json(open.into_iter().chain(["expected_on=2030-05-01", "account=Orbit Foods"]));
    for (kind, done) in [("call", "2017-02-01T10:00:00Z"), ("meeting", "2017-02-03T10:00:00Z")] {
        let (kind, done) = (format!("kind={kind}"), format!("done_at={done}"));
        hub.json([
            "create",
            "activity",
            &kind,
            "subject=Visit",
            "owner=anna@acme.example",
            "account=Orbit Foods",
            &done,
        ]);
    }
    hub.json([
        "create",
        "quota",
        "name=Q1",
        "metric=revenue",
        "person=anna@acme.example",
        "owner=anna@acme.example",
        "starts_on=2017-01-01",
        "ends_on=2017-03-31",
        "amount=2001 USD",
    ]);
    company
}

fn csv(node: &Node, report: &str) -> String {
    let run = node.run(["report", report, "--format", "csv"]);
    assert_eq!(run.code, 0, "{report}: {run:?}");
    run.stdout
}

#[test]
fn every_report_has_a_chart_its_table_the_records_behind_it_and_says_how_complete_it_is() {
    let company = with_figures();
    let branch = Node::new(company.home.path(), "kyiv");
    let code = company.hub.json(["invite", "--as", "branch", "--name", "kyiv"]);
    branch.json(["join", code["code"].as_str().unwrap()]);
    let hub = &company.hub;
    let mut owner = signed_in(hub, "owner@acme.example");
    let index = owner.get("/reports").body;
    let shown = [
        ("funnel", "Proposal"),
        ("activity-funnel", "100.00 %"),
        ("pipeline", "2030-05"),
        ("plan", "1\u{202f}000.50"),
        ("refusals", "Too &quot;dear&quot;"),
        ("vip", "Orbit Foods"),
        ("activity", "2017-W05"),
        ("branches", "Lviv"),
    ];
    for (report, text) in shown {
        assert!(index.contains(&format!("/reports/{report}\"")), "{report}");
        let page = owner.get(&format!("/reports/{report}"));
        assert_eq!(page.status, 200, "{report}: {}", page.body);
        for part in ["<svg", "<table", "How complete", "<strong>kyiv</strong>", text] {
            assert!(page.body.contains(part), "{report} lacks {part}: {}", page.body);
        }
        // One answer, three ways to it.
        let file = owner.get(&format!("/reports/{report}.csv"));
        assert!(file.header("content-disposition").contains(&format!("{report}.csv")), "{file:?}");
        assert_eq!(file.body, csv(hub, report), "{report}");
        assert!(owner.get(&format!("/reports/{report}.svg")).body.starts_with("<svg"), "{report}");
    }
    assert!(owner.get("/reports/vip.csv").body.contains("\"'=HYPERLINK"), "a formula in a file");
    // Behind a row stand exactly its records.
    for (report, there, not) in [
        ("refusals", "Lviv deal", "Kyiv deal"),
        ("vip", "Kyiv deal", "Lviv deal"),
        ("plan", "Kyiv deal", "Formula deal"),
    ] {
        let page = owner.get(&format!("/reports/{report}?from=2017-03-01&to=2017-03-31"));
        let list = page.between("<a href=\"/c/opportunity?", "\"").replace("&amp;", "&");
        let list = owner.get(&format!("/c/opportunity?{list}"));
        assert!(list.status == 200 && list.body.contains(there) && !list.body.contains(not), "{report}: {}", list.body);
    }
    assert!(!owner.get("/reports/vip?from=2017-04-01").body.contains("Orbit Foods"));
    assert!(owner.get("/reports/funnel?by=account").body.contains("Orbit Foods"));
    let wrong = owner.get("/reports/vip?from=yesterday");
    assert!(wrong.status == 422 && wrong.body.contains("“yesterday” is not a day"), "{}", wrong.body);
    assert_eq!(owner.get("/reports/nothing").status, 404);
    assert_eq!(owner.get("/reports/vip?by=nothing").status, 422);
}

#[test]
fn figures_are_of_what_their_reader_sees() {
    let company = with_figures();
    let mut anna = signed_in(&company.hub, "anna@acme.example");
    for report in ["funnel", "refusals", "vip", "branches", "activity"] {
        for page in [format!("/reports/{report}"), format!("/reports/{report}.csv")] {
            let body = anna.get(&page).body;
            assert!(!body.contains("Lviv") && !body.contains("dear") && !body.contains("70.00"), "{page}: {body}");
        }
    }
    assert!(anna.get("/reports/branches").body.contains("Kyiv"));
    let mut oleh = signed_in(&company.hub, "oleh@acme.example");
    let theirs = oleh.get("/reports/branches").body;
    assert!(theirs.contains("Lviv") && !theirs.contains("Kyiv") && !theirs.contains("500.00"), "{theirs}");
}

#[test]
fn a_branch_reaches_its_plan_of_new_clients_by_those_whom_its_people_made() {
    let company = company();
    let hub = &company.hub;
    hub.json(["create", "quota", "metric=new_accounts", "branch=kyiv", "count=2"]);
    let mut anna = signed_in(hub, "anna@acme.example");
    assert_eq!(anna.post("/c/account", &[("f.name", "Zirka")]).status, 303);
    let plan = hub.json(["report", "plan", "--by", "branch"]);
    // The client of the company's own was made by its owner, who is of no branch.
    assert_eq!(plan["rows"][0]["reached"], serde_json::json!(1), "{plan}");
}

#[test]
fn behind_a_figure_stand_exactly_the_records_that_make_it() {
    let company = company();
    let hub = &company.hub;
    let ends =
        [("proposal", "expected_on=2030-05-01"), ("won", "closed_on=2017-03-01"), ("lost", "closed_on=2017-03-01")];
    for (stage, day) in ends {
        for (n, amount) in ["amount=1 USD", "amount=-2 USD", "amount=0 EUR", "amount="].into_iter().enumerate() {
            let (name, stage) = (format!("name={stage} {n}"), format!("stage={stage}"));
            hub.json(["create", "opportunity", &name, "account=Orbit Foods", &stage, amount, day, "lost_reason=Dear"]);
        }
    }
    hub.json(["create", "quota", "metric=revenue", "amount=5 EUR", "starts_on=2017-01-01", "ends_on=2017-12-31"]);
    let mut owner = signed_in(hub, "owner@acme.example");
    // In its own currency a workspace counts what has no amount, too, but for what was bought.
    for (report, figures) in [("funnel", 7), ("pipeline", 3), ("refusals", 2), ("vip", 2)] {
        let page = owner.get(&format!("/reports/{report}")).body;
        let mut counts = Vec::new();
        for link in page.split("<a href=\"/c/opportunity?").skip(1) {
            let (query, rest) = link.split_once('"').unwrap();
            let count: usize = rest.split(['>', '<']).nth(1).unwrap().parse().unwrap();
            let list = owner.get(&format!("/c/opportunity?{}", query.replace("&amp;", "&"))).body;
            assert_eq!(list.matches("name=\"id.").count(), count, "{report}: {query}: {list}");
            counts.push(count);
        }
        assert_eq!(counts.len(), figures, "{report}: {counts:?}");
    }
    let plan = owner.get("/reports/plan").body;
    let query = plan.split("<a href=\"/c/opportunity?").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let list = owner.get(&format!("/c/opportunity?{}", query.replace("&amp;", "&"))).body;
    assert!(list.contains("won 2") && !list.contains("won 0") && !list.contains("won 3"), "{list}");
}
