//! Places without a line: real processes on real folders, and files between them.

use branchline_tests::process::{Node, home};
use serde_json::Value;

fn count(document: &Value, key: &str) -> u64 {
    document[key].as_u64().unwrap_or_else(|| panic!("{key}: {document}"))
}

#[test]
fn a_branch_joins_and_works_by_stick_while_the_hub_serves() {
    let home = home();
    let stick = |name: &str| home.path().join(name).display().to_string();
    let (mut hub, place) = (Node::new(home.path(), "hub"), Node::new(home.path(), "kyiv"));
    hub.json(["init", "--name", "Acme", "--owner", "anna@acme.example"]);
    hub.serve();
    let code = hub.json(["invite", "--as", "branch", "--name", "Kyiv"])["code"].as_str().unwrap().to_owned();
    place.json(["join", &code, "--courier", &stick("join")]);
    assert_eq!(place.run(["status"]).code, 2, "no replica before the answer");
    hub.json(["courier", "unpack", &stick("join")]);
    hub.json(["create", "account", "name=Orbit"]);
    hub.json(["courier", "pack", &stick("a"), "--for", "Kyiv"]);
    assert!(count(&place.json(["courier", "unpack", &stick("a")]), "pulled") > 0);
    assert_eq!(place.json(["list", "account"]).as_array().unwrap().len(), 1);

    place.json(["create", "opportunity", "name=Pumps"]);
    let packed = place.json(["courier", "pack", &stick("b"), "--for", "upstream"]);
    assert_eq!((count(&packed, "changes"), count(&packed, "pushed"), count(&packed, "outbox")), (1, 0, 1));
    assert_eq!(place.run(["courier", "pack", &stick("b")]).json()["error"]["code"], "courier_exists");
    assert_eq!(count(&hub.json(["courier", "unpack", &stick("b")]), "pulled"), 1);
    let again = hub.json(["courier", "unpack", &stick("b")]);
    assert_eq!((&again["note"], count(&again, "pulled")), (&Value::from("known"), 0));
    assert_eq!(hub.json(["list", "opportunity"]).as_array().unwrap().len(), 1);
    hub.json(["courier", "pack", &stick("c"), "--for", "Kyiv"]);
    let back = place.json(["courier", "unpack", &stick("c")]);
    assert_eq!((count(&back, "pushed"), count(&back, "outbox")), (1, 0));

    let wrong = place.run(["courier", "unpack", &stick("b")]);
    assert_eq!((wrong.code, &wrong.json()["error"]["code"]), (1, &Value::from("courier_not_for_us")));
    let nobody = hub.run(["courier", "pack", &stick("d"), "--for", "Lviv"]);
    assert_eq!((nobody.code, &nobody.json()["error"]["code"]), (1, &Value::from("unknown_device_name")));

    // A line appears: both go on where the sticks have left them.
    place.json(["create", "opportunity", "name=Valves"]);
    let synced = place.json(["sync"]);
    assert_eq!((count(&synced, "pushed"), count(&synced, "outbox")), (1, 0));
    assert_eq!(hub.json(["list", "opportunity"]).as_array().unwrap().len(), 2);
}
