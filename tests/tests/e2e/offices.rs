//! Three regional offices work offline, head office sees one truth.

use branchline_tests::process::Node;
use serde_json::Value;

use crate::company::{Company, Deal, Facts, OFFICES, assert_unique, column, funnel, held, owned, reported};

fn warnings<'a>(answer: &'a Value, column: &'a str) -> impl Iterator<Item = &'a Value> {
    answer["warnings"].as_array().unwrap().iter().filter(move |warning| warning["column"] == column)
}

/// Head office says of everything, and of each office, what the files say.
fn assert_true(hub: &Node, facts: &Facts) {
    assert_eq!(reported(hub, None), owned(funnel(facts.deals.iter())));
    for office in OFFICES {
        assert_eq!(reported(hub, Some(office)), owned(funnel(facts.of_office(office))), "{office}");
    }
}

#[test]
fn what_offices_import_offline_is_what_head_office_reports() {
    let facts = Facts::read();
    let mut company = Company::founded();
    company.import_catalogue(&company.hub);
    company.sync_all();
    company.hub.kill();

    let (mut misspelt, mut without_account) = (0, 0);
    for office in OFFICES {
        let node = &company.offices[office];
        let deals: Vec<&Deal> = facts.of_office(office).collect();
        let answer = company.import(node, "deals", &facts.office_file(office, company.home.path()));
        assert_eq!(
            (answer["rows"].as_u64(), answer["created"].as_u64()),
            (Some(deals.len() as u64), answer["rows"].as_u64())
        );
        let near: Vec<&Value> = warnings(&answer, "product").filter(|w| w["value"] == "GTXPro").collect();
        assert_eq!(near.len(), deals.iter().filter(|deal| deal.product == "GTXPro").count());
        near.iter().for_each(|w| assert!(w.to_string().contains("GTX Pro"), "names the nearest: {w}"));
        let empty = warnings(&answer, "account").count();
        assert_eq!(empty, deals.iter().filter(|deal| deal.account.is_empty()).count());
        (misspelt, without_account) = (misspelt + near.len(), without_account + empty);
        assert_eq!(node.run(["sync", "--deadline", "5s"]).code, 4, "the hub's process is stopped");
        assert!(node.json(["status"])["outbox"].as_u64().unwrap() >= deals.len() as u64, "work waits");
        assert_eq!(reported(node, None), owned(funnel(deals.into_iter())), "{office} sees its own work at once");
    }
    assert_eq!((misspelt, without_account), (1_480, 1_425), "each a warning, none a lost row");

    company.hub.serve();
    company.sync_all();
    assert_true(&company.hub, &facts);
    let status = company.hub.json(["status"]);
    assert_eq!((&status["conflicts"], &status["review"]), (&Value::from(0), &Value::from(0)));
    let complete = company.hub.json(["report", "funnel"]);
    for office in OFFICES {
        assert!(
            complete["complete_through"].to_string().contains(&office.to_lowercase()),
            "{}",
            complete["complete_through"]
        );
    }
    for office in OFFICES {
        assert_eq!(
            held(&company.offices[office], "opportunity"),
            facts.of_office(office).count() as u64,
            "only its own"
        );
    }
}

#[test]
fn the_same_rows_imported_in_several_places_exist_once() {
    let facts = Facts::read();
    let mut company = Company::founded();
    company.sync_all();
    company.hub.kill();

    for office in ["Central", "East"] {
        company.import_catalogue(&company.offices[office]);
    }
    for office in OFFICES {
        company.import(&company.offices[office], "deals", &facts.office_file(office, company.home.path()));
    }
    company.import_catalogue(&company.hub);
    let everything = company.import_pipeline(&company.hub);
    assert_eq!(everything["created"], 8_800);

    company.hub.serve();
    company.sync_all();
    assert_true(&company.hub, &facts);
    let deals = column(&company.hub.json(["list", "opportunity", "--fields", "external_id"]), "external_id");
    assert_eq!(deals.len(), 8_800);
    assert_unique(&deals);
    for (collection, count) in [("account", 85), ("product", 7)] {
        let names = column(&company.hub.json(["list", collection, "--fields", "name"]), "name");
        assert_eq!(names.len(), count, "{collection}");
        assert_unique(&names);
    }
    assert_eq!(company.hub.json(["conflicts"]), Value::Array(Vec::new()));

    let again = company.import_pipeline(&company.hub);
    assert_eq!(
        (&again["created"], &again["updated"]),
        (&Value::from(0), &Value::from(0)),
        "importing again changes nothing"
    );
}

#[test]
fn offices_that_edit_one_deal_offline_leave_a_visible_conflict() {
    let facts = Facts::read();
    let mut company = Company::founded();
    company.import_catalogue(&company.hub);
    company.sync_all();
    let office = "Central";
    company.import(&company.offices[office], "deals", &facts.office_file(office, company.home.path()));
    company.sync(office);
    let deal = facts.of_office(office).find(|deal| deal.stage == "new").unwrap();
    let record = format!("external_id={}", deal.id);
    company.hub.kill();

    company.offices[office].json(["edit", "opportunity", &record, "stage=negotiation"]);
    company.hub.json(["edit", "opportunity", &record, "stage=proposal"]);
    company.hub.serve();
    // Done, but a person must settle the stage.
    company.offices[office].expect(&[3], ["sync", "--deadline", "120s"]);

    for node in [&company.hub, &company.offices[office]] {
        let conflicts = node.expect(&[3], ["conflicts"]);
        assert_eq!(conflicts.as_array().unwrap().len(), 1, "{conflicts:#}");
        assert_eq!(conflicts[0]["field"], "stage");
        let mut values = column(&conflicts[0]["values"], "value");
        values.sort_unstable();
        assert_eq!(values, ["negotiation", "proposal"]);
    }

    company.hub.json(["resolve", "opportunity", &record, "stage", "--keep", "negotiation"]);
    company.sync(office);
    for node in [&company.hub, &company.offices[office]] {
        assert_eq!(node.json(["conflicts"]), Value::Array(Vec::new()));
        assert_eq!(node.json(["show", "opportunity", &record])["fields"]["stage"], "negotiation");
    }
    let history = company.hub.json(["show", "opportunity", &record, "--history"]);
    let stages: Vec<String> = column(&history["history"], "to");
    assert!(stages.contains(&"proposal".to_owned()), "the other value stays in the history: {history:#}");
}
