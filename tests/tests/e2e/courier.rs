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

#[test]
fn a_device_joins_with_a_seed_and_catches_up() {
    let home = home();
    let seed = home.path().join("all.seed").display().to_string();
    let (mut hub, laptop) = (Node::new(home.path(), "hub"), Node::new(home.path(), "laptop"));
    hub.json(["init", "--name", "Acme", "--owner", "anna@acme.example"]);
    hub.serve();
    for name in ["Orbit", "Amber"] {
        hub.json(["create", "account", &format!("name={name}")]);
    }
    let made = hub.json(["courier", "seed", &seed, "--scope", "workspace"]);
    assert!(count(&made, "records") >= 3, "{made}");
    hub.json(["create", "account", "name=Later"]);
    let invite = ["invite", "--as", "device", "--name", "laptop", "--scope", "workspace", "--role", "manager"];
    let code = hub.json(invite)["code"].as_str().unwrap().to_owned();
    let refused = laptop.run(["join", &code, "--seed", &hub.dir().join("branchline.db").display().to_string()]);
    assert_eq!((refused.code, &refused.json()["error"]["code"]), (1, &Value::from("seed_not_one")));
    let joined = laptop.json(["join", &code, "--seed", &seed]);
    assert!(count(&joined, "pulled") < 6, "what is in the seed does not come again: {joined}");
    assert_eq!(laptop.json(["list", "account"]).as_array().unwrap().len(), 3);
    assert_eq!(laptop.json(["status"])["digest"], hub.json(["status"])["digest"]);
    laptop.json(["verify"]);
}
