//! The drill of a damaged folder, as the page on operations has it: real processes, damage put there by a plain SQLite tool.

use branchline_tests::process::{Node, home};

fn plainly(node: &Node, sql: &str) {
    rusqlite::Connection::open(node.dir().join("branchline.db")).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn a_damaged_laptop_is_made_whole_by_repair_and_sync() {
    let home = home();
    let (mut hub, laptop) = (Node::new(home.path(), "hub"), Node::new(home.path(), "laptop"));
    hub.json(["init", "--name", "Acme", "--owner", "anna@acme.example"]);
    hub.serve();
    let invite = ["invite", "--as", "device", "--name", "laptop", "--scope", "workspace", "--role", "manager"];
    let code = hub.json(invite)["code"].as_str().unwrap().to_owned();
    laptop.json(["join", &code]);
    for name in ["Orbit", "Amber", "Birch"] {
        laptop.json(["create", "account", &format!("name={name}")]);
    }
    laptop.json(["sync"]);
    let digest = laptop.json(["status"])["digest"].clone();
    plainly(
        &laptop,
        "UPDATE log SET raw = zeroblob(length(raw)) WHERE seq = (SELECT max(seq) FROM log);
         UPDATE account SET name = 'forged' WHERE name = 'Amber'",
    );
    let code = |args: &[&str]| {
        let outcome = laptop.run(args);
        assert_eq!(outcome.code, 1, "{outcome:#?}");
        outcome.json()["error"]["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(code(&["verify"]), "verify_damaged");
    assert_eq!(code(&["verify", "--repair"]), "verify_fetching");
    assert_eq!(laptop.json(["list", "account"]).as_array().unwrap().len(), 3, "meanwhile everything shows");
    laptop.json(["sync"]);
    laptop.json(["verify", "--repair"]);
    laptop.json(["verify"]);
    assert_eq!(laptop.json(["status"])["digest"], digest);
    assert_eq!(laptop.json(["list", "account", "--where", "name = \"Amber\""]).as_array().unwrap().len(), 1);
}
