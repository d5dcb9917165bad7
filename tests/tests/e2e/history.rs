//! The drills of the operations page on histories gone wrong, as written there: a hub put back, a folder copied.

use std::path::Path;

use branchline_tests::process::{Node, home};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten().filter(|e| e.path().is_file()) {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn names(node: &Node) -> Vec<String> {
    let list = node.json(["list", "account", "--sort", "name"]);
    list.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

fn joined(hub: &Node, home: &Path, name: &str) -> Node {
    let invited = hub.json(["invite", "--as", "device", "--name", name, "--scope", "workspace", "--role", "manager"]);
    let node = Node::new(home, name);
    node.json(["join", invited["code"].as_str().unwrap()]);
    node
}

#[test]
fn a_hub_put_back_is_whole_again_after_one_sync_of_each() {
    let home = home();
    let mut hub = Node::new(home.path(), "hub");
    hub.json(["init", "--name", "Acme", "--owner", "anna@acme.example"]);
    hub.serve();
    let laptop = joined(&hub, home.path(), "laptop");
    hub.kill();
    copy(hub.dir(), &home.path().join("kept"));
    hub.serve();
    laptop.json(["create", "account", "name=typed on the laptop"]);
    hub.json(["create", "account", "name=typed at head office"]);
    let late = joined(&hub, home.path(), "late");
    late.json(["create", "account", "name=typed by who came late"]);
    for node in [&late, &laptop] {
        node.json(["sync"]);
    }
    hub.kill();
    std::fs::rename(hub.dir(), home.path().join("burnt")).unwrap();
    copy(&home.path().join("kept"), hub.dir());
    hub.serve();
    assert!(names(&hub).is_empty());
    laptop.json(["sync"]);
    late.json(["sync"]);
    let all = ["typed at head office", "typed by who came late", "typed on the laptop"];
    assert_eq!(names(&hub), all);
    assert!(hub.log().contains("histories differ"), "{}", hub.log());
    // What the laptop brought for others waits for a look, and is there all the while.
    let waiting = hub.expect(&[3], ["review", "list"]);
    let brought: Vec<&str> = waiting.as_array().unwrap().iter().map(|e| e["state"].as_str().unwrap()).collect();
    assert!(brought.len() >= 2 && brought.iter().all(|state| *state == "carried"), "{waiting}");
    for entry in waiting.as_array().unwrap() {
        // One number stands for the whole push.
        let still = hub.run(["review", "list"]).json();
        if still.as_array().unwrap().iter().any(|e| e["id"] == entry["id"]) {
            hub.json(["review", "accept", &entry["id"].to_string()]);
        }
    }
    hub.json(["review", "list"]);
    for node in [&hub, &laptop, &late] {
        assert_eq!(names(node), all);
        node.json(["verify"]);
    }
    let audited = laptop.json(["sync", "--audit"]);
    assert_eq!((audited["pushed"].as_u64(), audited["pulled"].as_u64()), (Some(0), Some(0)), "{audited}");
}

#[test]
fn a_copied_laptop_and_its_original_both_go_on() {
    let home = home();
    let mut hub = Node::new(home.path(), "hub");
    hub.json(["init", "--name", "Acme", "--owner", "anna@acme.example"]);
    hub.serve();
    let laptop = joined(&hub, home.path(), "laptop");
    laptop.json(["create", "account", "name=Caravan"]);
    laptop.json(["sync"]);
    let twin = Node::new(home.path(), "twin");
    copy(laptop.dir(), twin.dir());
    laptop.json(["edit", "account", "name=Caravan", "city=Kyiv"]);
    twin.json(["edit", "account", "name=Caravan", "industry=retail"]);
    for node in [&laptop, &twin, &laptop, &twin] {
        node.json(["sync"]);
    }
    for node in [&laptop, &twin, &hub] {
        let shown = &node.json(["show", "account", "name=Caravan"])["fields"];
        assert_eq!((&shown["city"], &shown["industry"]), (&"Kyiv".into(), &"retail".into()), "{shown}");
        node.json(["verify"]);
    }
}
