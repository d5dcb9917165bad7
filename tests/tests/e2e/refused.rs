//! `quarantine` and `review` as people and scripts use them: a hub and a laptop as real processes, the hub killed in
//! between.

use branchline_tests::process::{Node, home};
use serde_json::{Value, json};

/// A hub that serves and a seller's laptop whose deal was given to somebody else.
struct Office {
    home: tempfile::TempDir,
    hub: Node,
    laptop: Node,
}

const DEAL: &str = "name=Spring order";

impl Office {
    fn open() -> Self {
        let home = home();
        let mut hub = Node::new(home.path(), "hub");
        hub.json(["init", "--name", "Acme", "--owner", "anna@acme.example"]);
        hub.json(["create", "branch", "code=north", "name=North"]);
        for (name, email) in [("Ira", "ira@acme.example"), ("Max", "max@acme.example")] {
            hub.json(["users", "add", name, "--email", email, "--role", "seller", "--branch", "north"]);
        }
        hub.serve();
        let invited = hub.json(["invite", "--as", "device", "--name", "laptop", "--user", "ira@acme.example"]);
        let laptop = Node::new(home.path(), "laptop");
        laptop.json(["join", invited["code"].as_str().unwrap()]);
        laptop.json(["create", "opportunity", DEAL]);
        laptop.json(["sync"]);
        Self { home, hub, laptop }
    }

    fn give_to(&self, email: &str) {
        self.hub.json(["edit", "opportunity", DEAL, &format!("owner={email}")]);
    }

    /// Something typed on the laptop that the hub will not accept.
    fn typed_in_vain(&self, value: &str) -> Value {
        self.give_to("ira@acme.example");
        self.laptop.expect(&[0, 3], ["sync"]);
        self.give_to("max@acme.example");
        self.laptop.json(["edit", "opportunity", DEAL, value]);
        let sync = self.laptop.expect(&[3], ["sync"]);
        assert_eq!((&sync["refused"], &sync["outbox"], &sync["quarantine"]), (&json!(1), &json!(0), &json!(1)));
        self.waiting(&self.hub, "review")
    }

    /// The only entry that waits in a queue.
    fn waiting(&self, node: &Node, queue: &str) -> Value {
        let list = node.expect(&[3], [queue, "list"]);
        let list = list.as_array().unwrap();
        assert_eq!(list.len(), 1, "{list:#?}");
        list[0].clone()
    }
}

fn newest(list: &Value) -> Value {
    list.as_array().unwrap().last().unwrap().clone()
}

#[test]
fn what_was_refused_is_listed_taken_out_accepted_declined_and_tried_again() {
    let mut office = Office::open();
    let at_hub = office.typed_in_vain("stage=won");
    let at_laptop = office.waiting(&office.laptop, "quarantine");
    for entry in [&at_hub, &at_laptop] {
        assert_eq!(entry["state"], "waiting");
        assert_eq!((&entry["collection"], &entry["label"]), (&json!("opportunity"), &json!("Spring order")));
        assert_eq!(entry["fields"], json!([{"field": "stage", "from": null, "to": "won"}]));
        assert_eq!((&entry["user"]["label"], &entry["device"]), (&json!("Ira"), &json!("laptop")));
        assert_eq!(entry["code"], "denied_owner");
        assert!(entry["reason"].as_str().unwrap().contains("somebody else"), "{entry}");
        for key in ["id", "transaction", "record", "change", "at", "refused_at"] {
            assert!(!entry[key].is_null(), "{key}: {entry}");
        }
    }
    assert_eq!(at_hub["change"], at_laptop["change"]);
    assert_eq!(office.hub.json(["status"])["review"], 1);

    // The hub dies and comes back; both ends say what they said.
    office.hub.kill();
    office.hub.serve();
    assert_eq!(office.waiting(&office.hub, "review"), at_hub);
    assert_eq!(office.waiting(&office.laptop, "quarantine"), at_laptop);

    let file = office.home.path().join("refused.json");
    let path = file.to_str().unwrap();
    assert_eq!(office.laptop.json(["quarantine", "export", path])["changes"], 1);
    let written: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let change = &written["changes"][0];
    assert_eq!(change["fields"], at_laptop["fields"]);
    // The first four bytes of every change chunk, in base64.
    assert!(change["bytes"].as_str().unwrap().starts_with("hW9Kg"), "{change}");

    let retried = office.laptop.expect(&[3], ["quarantine", "retry"]);
    assert_eq!((&retried[0]["state"], &retried[0]["code"]), (&json!("waiting"), &json!("denied_owner")));
    assert_eq!(office.hub.run(["review", "accept", "99"]).json()["error"]["code"], "refused_unknown");
    assert_eq!(office.hub.run(["review", "accept", "first"]).code, 2);

    let id = at_hub["id"].to_string();
    assert_eq!(office.hub.json(["review", "accept", &id])[0]["state"], "accepted");
    assert_eq!(office.hub.json(["review", "list"]), json!([]));
    office.laptop.json(["sync"]);
    let accepted = newest(&office.laptop.json(["quarantine", "list", "--all"]));
    assert_eq!((&accepted["state"], &accepted["closed_by"]["label"]), (&json!("accepted"), &json!("anna")));
    let shown = office.laptop.json(["show", "opportunity", DEAL, "--history"]);
    assert_eq!(shown["fields"]["stage"], "won");
    let history = shown["history"].as_array().unwrap();
    let cites = history.iter().find(|entry| entry["field"] == "cites").expect("history says what was accepted");
    assert_eq!(cites["to"], json!([at_hub["change"]]));

    let refused = office.typed_in_vain("stage=lost");
    office.hub.json(["review", "decline", &refused["id"].to_string()]);
    office.laptop.json(["sync"]);
    let declined = newest(&office.laptop.json(["quarantine", "list", "--all"]));
    assert_eq!((&declined["state"], &declined["closed_by"]["label"]), (&json!("declined"), &json!("anna")));
    assert_eq!(office.laptop.json(["status"])["quarantine"], 0);

    office.typed_in_vain("stage=proposal");
    office.give_to("ira@acme.example");
    office.laptop.expect(&[3], ["sync"]);
    assert_eq!(office.laptop.json(["quarantine", "retry"])[0]["state"], "retried");
    assert_eq!(office.laptop.json(["quarantine", "retry"]), json!([]), "once");
    let sync = office.laptop.json(["sync"]);
    assert_eq!((&sync["refused"], &sync["quarantine"]), (&json!(0), &json!(0)));
    for node in [&office.hub, &office.laptop] {
        assert_eq!(node.json(["show", "opportunity", DEAL])["fields"]["stage"], "proposal");
    }
    assert_eq!(office.hub.json(["status"])["review"], 0);
}

#[test]
fn people_read_what_was_refused_in_their_language() {
    let office = Office::open();
    office.typed_in_vain("stage=won");
    let mut command = office.laptop.command(["quarantine", "list"]);
    let args: Vec<_> = command.get_args().filter(|a| *a != "--json").map(ToOwned::to_owned).collect();
    let mut plain = std::process::Command::new(command.get_program());
    let output = plain.args(&args).env("BRANCHLINE_LANG", "uk").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8(output.stdout).unwrap();
    for word in ["Spring order", "Ira", "laptop", "чекає", "належить іншому"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    command = office.hub.command(["review", "list", "--all"]);
    assert_eq!(command.output().unwrap().status.code(), Some(3));
}

#[test]
fn a_record_that_came_back_from_the_archive_stands_in_the_review_list() {
    let office = Office::open();
    office.hub.json(["archive", "opportunity", DEAL]);
    office.laptop.json(["edit", "opportunity", DEAL, "stage=won"]);
    office.laptop.json(["sync"]);
    let marked = office.waiting(&office.hub, "review");
    assert_eq!((&marked["state"], &marked["label"]), (&json!("marked"), &json!("Spring order")));
    assert_eq!(office.hub.json(["status"])["review"], 1);
    office.hub.json(["unarchive", "opportunity", DEAL]);
    assert_eq!(office.hub.json(["review", "list"]), json!([]));
}
