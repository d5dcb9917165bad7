//! What a person is told of in the workplace: what came since the last look, and reminders whose time has come.

use branchline_core::replica::{Environment as _, SystemEnvironment};
use branchline_tests::process::Node;
use branchline_tests::visitor::Visitor;

use crate::workplace::{Company, company, id, signed_in};

const ANNA: &str = "anna@acme.example";
const KINDS: [&str; 5] = ["mention", "assigned", "changed", "reminder", "conflict"];

// The number at the top of every page.
fn told(visitor: &mut Visitor) -> u32 {
    let page = visitor.get("/help").body;
    let count = page.split_once("class=\"told\"").and_then(|(_, rest)| rest.split_once("● "));
    count.map_or(0, |(_, rest)| rest.split('<').next().unwrap().parse().unwrap())
}

fn look(visitor: &mut Visitor) {
    let until = visitor.get("/today").between("name=\"until\" value=\"", "\"");
    assert_eq!(visitor.post("/account/seen", &[("until", &until)]).status, 303);
}

fn wants(visitor: &mut Visitor, kinds: &[&str]) {
    let fields: Vec<(&str, &str)> = kinds.iter().map(|kind| (*kind, "yes")).collect();
    assert_eq!(visitor.post("/account/notices", &fields).status, 303);
}

#[test]
fn one_is_told_of_what_others_did_to_the_own_records_until_one_has_looked() {
    let company = company();
    let hub = &company.hub;
    hub.json(["users", "add", "Ira", "--email", "ira@acme.example", "--role", "manager", "--branch", "kyiv"]);
    let deal = id(hub, "opportunity", "Kyiv deal");
    let mut anna = signed_in(hub, ANNA);
    let mut ira = signed_in(hub, "ira@acme.example");
    // The deal that the owner has made for her is the first.
    assert_eq!(told(&mut anna), 1);
    look(&mut anna);
    assert_eq!((told(&mut anna), told(&mut ira)), (0, 0));

    let home = format!("/c/opportunity/{deal}");
    assert_eq!(ira.post(&home, &[("f.next_step", "Call them"), ("was.next_step", "")]).status, 303);
    assert_eq!(ira.post(&format!("{home}/comment"), &[("text", "@Anna please look")]).status, 303);
    hub.json(["create", "activity", "subject=Visit them", "kind=visit", "owner=anna@acme.example"]);
    // Own changes, and those of what is somebody else's, are no news.
    assert_eq!(anna.post(&home, &[("f.notes", "Mine"), ("was.notes", "")]).status, 303);
    hub.json(["edit", "opportunity", &id(hub, "opportunity", "Lviv deal"), "next_step=Not hers"]);
    assert_eq!((told(&mut anna), told(&mut ira)), (3, 0));
    let today = anna.get("/today").body;
    let list = today.split_once("id=\"told\"").unwrap().1.split_once("</section>").unwrap().0;
    for said in ["Changed", "Next step", "Mention", "please look", "Assigned to you", "Visit them", "Ira"] {
        assert!(list.contains(said), "{said}: {list}");
    }
    assert!(!list.contains("Not hers") && !list.contains(">Lviv deal<"), "{list}");

    // Of what one is told is chosen; nothing at all is a choice, too.
    wants(&mut anna, &["mention"]);
    assert_eq!(told(&mut anna), 1);
    wants(&mut anna, &[]);
    assert_eq!(told(&mut anna), 0);
    assert!(!anna.get("/account").body.contains("checked"));
    wants(&mut anna, &KINDS);
    assert_eq!(told(&mut anna), 3);
    look(&mut anna);
    assert_eq!(told(&mut anna), 0);
    hub.json(["edit", "opportunity", &deal, "next_step=Call again"]);
    assert_eq!(told(&mut anna), 1, "what comes after the look is new");
}

#[test]
fn what_was_written_elsewhere_before_the_last_look_is_told_when_it_arrives() {
    let Company { home, mut hub } = company();
    let deal = id(&hub, "opportunity", "Kyiv deal");
    let mut branch = Node::new(home.path(), "kyiv");
    let code = hub.json(["invite", "--name", "kyiv", "--as", "branch"]);
    branch.json(["join", code["code"].as_str().unwrap()]);
    branch.serve();
    branch.json(["pause"]);
    while branch.json(["status"])["online"] == true {}
    let mut anna = signed_in(&branch, ANNA);
    if told(&mut anna) > 0 {
        look(&mut anna);
    }
    // Head office writes first, the branch hears of it after Anna has looked; both write one field.
    hub.json(["edit", "opportunity", &deal, "next_step=From head office"]);
    branch.json(["edit", "opportunity", &deal, "next_step=From the branch"]);
    let before = told(&mut anna);
    if before > 0 {
        look(&mut anna);
    }
    assert_eq!(told(&mut anna), 0);
    branch.json(["resume"]);
    branch.json(["sync"]);
    let today = anna.get("/today").body;
    assert!(today.contains("id=\"told\"") && today.contains("Conflict") && told(&mut anna) >= 2, "{today}");
    hub.kill();
}

#[test]
fn a_reminder_stands_on_every_page_until_it_is_answered() {
    let company = company();
    let hub = &company.hub;
    let now = SystemEnvironment.now();
    let at = |minutes: i64| now.plus(minutes * 60_000).rfc3339();
    let plan = |subject: &str, owner: &str, minutes: i64| {
        let values = [
            format!("subject={subject}"),
            format!("owner={owner}"),
            format!("remind_at={}", at(minutes)),
            "kind=call".into(),
        ];
        hub.json(["create", "activity"].into_iter().map(str::to_owned).chain(values));
    };
    plan("Ring Orbit", ANNA, -1);
    plan("Ring later", ANNA, 600);
    plan("Not hers", "oleh@acme.example", -1);
    plan("Long past", ANNA, -60 * 24 * 60);
    let mut anna = signed_in(hub, ANNA);
    let call =
        hub.json(["list", "activity", "--where", "subject = \"Ring Orbit\""])[0]["id"].as_str().unwrap().to_owned();
    let shown = |visitor: &mut Visitor, page: &str| {
        let body = visitor.get(page).body;
        body.split_once("class=\"reminders\"").map(|(_, rest)| rest.split_once("class=\"sides\"").unwrap().0.to_owned())
    };
    for page in ["/c/account", "/today", "/help"] {
        let due = shown(&mut anna, page).unwrap();
        assert!(due.contains("role=\"status\"") && due.contains("Ring Orbit") && due.contains(&call), "{page}: {due}");
        assert!(
            !due.contains("Ring later") && !due.contains("Not hers") && !due.contains("Long past"),
            "{page}: {due}"
        );
        // The script knows when to ask for the next one.
        let wait: i64 = due.split_once("data-in=\"").unwrap().1.split('"').next().unwrap().parse().unwrap();
        assert!((1..=600 * 60_000).contains(&wait), "{wait}");
    }
    let remind = format!("/c/activity/{call}/remind");
    assert_eq!(anna.post(&remind, &[("act", "later")]).status, 303);
    assert!(!shown(&mut anna, "/help").unwrap().contains("Ring Orbit"));
    let held = hub.json(["show", "activity", &call])["fields"]["remind_at"].as_str().unwrap().to_owned();
    assert!(held > now.rfc3339(), "{held}");
    hub.json(["edit", "activity", &call, &format!("remind_at={}", at(-1))]);
    assert!(shown(&mut anna, "/help").unwrap().contains("Ring Orbit"));
    // Who wants none elsewhere still has them on Today; somebody else's cannot be answered.
    wants(&mut anna, &["mention"]);
    assert_eq!(shown(&mut anna, "/help"), None);
    assert!(shown(&mut anna, "/today").unwrap().contains("Ring Orbit"));
    let mut oleh = signed_in(hub, "oleh@acme.example");
    assert_eq!(oleh.post(&remind, &[("act", "done")]).status, 404);
    assert_eq!(anna.post(&remind, &[("act", "done")]).status, 303);
    assert!(!shown(&mut anna, "/today").unwrap().contains("Ring Orbit"));
    assert!(hub.json(["show", "activity", &call])["fields"].get("remind_at").is_none_or(serde_json::Value::is_null));
}

#[test]
fn an_import_of_many_records_is_told_with_the_newest_alone() {
    let Company { home, mut hub } = company();
    let mut file = "name,owner\n".to_owned();
    for n in 0..1_500 {
        file.push_str(&format!("Many {n},{ANNA}\n"));
    }
    std::fs::write(home.path().join("many.csv"), file).unwrap();
    let map = "collection = \"opportunity\"\n[columns.name]\nfield = \"name\"\n[columns.owner]\nfield = \"owner\"\nlookup = { collection = \"user\", by = \"email\", missing = \"refuse\" }\n";
    std::fs::write(home.path().join("many.toml"), map).unwrap();
    let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    hub.json(["import", &path("many.csv"), "--map", &path("many.toml")]);
    let mut anna = signed_in(&hub, ANNA);
    assert_eq!(told(&mut anna), 500);
    look(&mut anna);
    assert_eq!(told(&mut anna), 0);
    hub.kill();
}
