//! What people decide in the workplace: duplicates merged field by field, refused changes, conflicts.

use branchline_tests::process::{Node, home};
use serde_json::json;

use crate::workplace::{company, id, signed_in};

#[test]
fn duplicates_are_merged_field_by_field_and_taken_apart_again() {
    let company = company();
    let hub = &company.hub;
    hub.json(["create", "account", "name=Ромашка", "tax_id=7701234567", "city=Kyiv", "phones=+380441234567"]);
    hub.json([
        "create",
        "account",
        "name=ООО Ромашка",
        "tax_id=7701234567",
        "website=romashka.example",
        "phones=+380447654321",
    ]);
    let (a, b) = (id(hub, "account", "Ромашка"), id(hub, "account", "ООО Ромашка"));
    let mut owner = signed_in(hub, "owner@acme.example");
    let list = owner.get("/duplicates/account").body;
    assert!(list.contains(&format!("a={a}&amp;b={b}")) && list.contains("7701234567"), "{list}");
    let pair = owner.get(&format!("/duplicates/account/pair?a={a}&b={b}")).body;
    for text in ["Kyiv", "romashka.example", "name=\"f.name\"", "name=\"f.phones\" value=\"both\" checked"] {
        assert!(pair.contains(text), "{text}: {pair}");
    }
    let chosen = [
        ("a", a.as_str()),
        ("b", &b),
        ("keep", "a"),
        ("f.name", "b"),
        ("f.website", "b"),
        ("f.phones", "both"),
        ("f.city", "a"),
    ];
    let merged = owner.post("/duplicates/account", &chosen);
    assert_eq!(
        (merged.status, merged.header("location")),
        (303, format!("/c/account/{a}").as_str()),
        "{}",
        merged.body
    );
    let kept = hub.json(["show", "account", &a]);
    assert_eq!((&kept["fields"]["name"], &kept["fields"]["city"]), (&json!("ООО Ромашка"), &json!("Kyiv")));
    assert_eq!(kept["fields"]["website"], "romashka.example");
    assert_eq!(kept["fields"]["phones"], json!(["+380441234567", "+380447654321"]));
    assert_eq!(owner.get(&format!("/c/account/{b}")).status, 200);
    assert!(!owner.get("/duplicates/account").body.contains(&b));
    let gone = owner.get("/duplicates/account/merged").body;
    assert!(gone.contains(&b) && gone.contains("Take apart again"), "{gone}");
    // A seller of Kyiv may not merge deals of Lviv, nor see them.
    let lviv = id(hub, "opportunity", "Lviv deal");
    let mut anna = signed_in(hub, "anna@acme.example");
    let own = id(hub, "opportunity", "Kyiv deal");
    assert_eq!(anna.post("/duplicates/opportunity", &[("a", &own), ("b", &lviv), ("keep", "a")]).status, 404);
    assert_eq!(owner.post("/duplicates/account/merged", &[("id", &b)]).status, 303);
    assert_eq!(hub.json(["list", "account", "--where", "tax_id = 7701234567"]).as_array().unwrap().len(), 2);
}

#[test]
fn refused_changes_are_judged_and_conflicts_settled_in_three_ways() {
    let home = home();
    let mut hub = Node::new(home.path(), "hub");
    hub.json(["init", "--name", "Acme", "--owner", "owner@acme.example"]);
    for (code, name) in [("north", "North"), ("south", "South")] {
        hub.json(["create", "branch", &format!("code={code}"), &format!("name={name}")]);
    }
    let people =
        [("Ira", "ira", "seller", "north"), ("Max", "max", "seller", "north"), ("Sven", "sven", "manager", "south")];
    for (name, email, role, branch) in people {
        hub.json([
            "users",
            "add",
            name,
            "--email",
            &format!("{email}@acme.example"),
            "--role",
            role,
            "--branch",
            branch,
        ]);
    }
    hub.serve();
    let invited = hub.json(["invite", "--as", "device", "--name", "laptop", "--user", "ira@acme.example"]);
    let laptop = Node::new(home.path(), "laptop");
    laptop.json(["join", invited["code"].as_str().unwrap()]);
    laptop.json(["create", "opportunity", "name=Spring order"]);
    laptop.json(["sync"]);
    let mut owner = signed_in(&hub, "owner@acme.example");
    for (value, act, left) in [("stage=won", "accept", json!("won")), ("stage=lost", "decline", json!("won"))] {
        hub.json(["edit", "opportunity", "name=Spring order", "owner=ira@acme.example"]);
        laptop.expect(&[0, 3], ["sync"]);
        hub.json(["edit", "opportunity", "name=Spring order", "owner=max@acme.example"]);
        laptop.json(["edit", "opportunity", "name=Spring order", value]);
        laptop.expect(&[3], ["sync"]);
        let page = owner.get("/review");
        for text in ["Spring order", "Ira", "laptop", "somebody else"] {
            assert!(page.body.contains(text), "{text}: {}", page.body);
        }
        let entry = page.between("name=\"id\" value=\"", "\"");
        // Who does not see the deal does not see what was refused of it.
        let mut sven = signed_in(&hub, "sven@acme.example");
        assert!(!sven.get("/review").body.contains("Spring order"));
        assert_eq!(sven.post("/review", &[("id", &entry), ("act", act)]).status, 422);
        assert_eq!(owner.post("/review", &[("id", &entry), ("act", act)]).status, 303, "{act}");
        assert_eq!(hub.json(["show", "opportunity", "name=Spring order"])["fields"]["stage"], left, "{act}");
        assert!(owner.get("/review").body.contains("Nothing was refused"));
    }

    // Two at once, three times: one kept, one kept with the other noted, a third one written.
    hub.json(["edit", "opportunity", "name=Spring order", "owner=ira@acme.example"]);
    laptop.expect(&[0, 3], ["sync"]);
    let deal = id(&hub, "opportunity", "Spring order");
    let ways = [("keep", "Monday", "Monday"), ("noted", "Monday", "Monday"), ("other", "Sunday", "Sunday")];
    for (way, sent, shown) in ways {
        hub.json(["edit", "opportunity", &deal, "next_step=Monday"]);
        laptop.json(["edit", "opportunity", &deal, "next_step=Friday"]);
        laptop.expect(&[0, 3], ["sync"]);
        assert!(owner.get("/conflicts").body.contains("Friday"));
        let settled = owner.post(
            &format!("/c/opportunity/{deal}/settle"),
            &[("field", "next_step"), (way, sent), ("back", "conflicts")],
        );
        assert_eq!((settled.status, settled.header("location")), (303, "/conflicts"), "{way}: {}", settled.body);
        let record = hub.json(["show", "opportunity", &deal]);
        assert_eq!(record["fields"]["next_step"], shown, "{way}");
        assert_eq!(hub.json(["conflicts"]), json!([]), "{way}");
        let notes = record["fields"]["notes"].as_str().unwrap_or_default();
        assert_eq!(notes.contains("Friday (Ira"), way != "keep", "{way}: {notes}");
        laptop.expect(&[0, 3], ["sync"]);
        hub.json(["edit", "opportunity", &deal, "next_step="]);
        laptop.expect(&[0, 3], ["sync"]);
    }
}
