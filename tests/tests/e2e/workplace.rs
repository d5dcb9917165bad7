//! The web workplace of real servers: who gets in, what a person sees, and in whose name things are written.

use branchline_tests::process::{Node, home};
use branchline_tests::visitor::Visitor;
use serde_json::{Value, json};

pub(crate) struct Company {
    pub(crate) home: tempfile::TempDir,
    pub(crate) hub: Node,
}

/// A hub with branches Kyiv and Lviv and these people: name, e-mail address, role, branch. It does not serve yet.
pub(crate) fn express(people: &[(&str, &str, &str, &str)]) -> Company {
    let home = home();
    let hub = Node::new(home.path(), "hub");
    hub.json(["init", "--name", "Express", "--owner", "owner@acme.example"]);
    for (code, name) in [("kyiv", "Kyiv"), ("lviv", "Lviv")] {
        hub.json(["create", "branch", &format!("code={code}"), &format!("name={name}")]);
    }
    for (name, email, role, branch) in people {
        hub.json(["users", "add", name, "--email", email, "--role", role, "--branch", branch]);
    }
    Company { home, hub }
}

// Anna (a seller of Kyiv) and Oleh (a manager of Lviv) with a deal of each.
pub(crate) fn company() -> Company {
    let mut company =
        express(&[("Anna", "anna@acme.example", "seller", "kyiv"), ("Oleh", "oleh@acme.example", "manager", "lviv")]);
    company.hub.json(["create", "account", "name=Orbit Foods"]);
    for (name, owner) in [("Kyiv deal", "anna@acme.example"), ("Lviv deal", "oleh@acme.example")] {
        let values = [format!("name={name}"), format!("owner={owner}"), "account=Orbit Foods".to_owned()];
        company.hub.json(["create", "opportunity"].into_iter().map(str::to_owned).chain(values));
    }
    company.hub.serve();
    company
}

pub(crate) fn signed_in(node: &Node, email: &str) -> Visitor {
    let link = node.json(["users", "sign-in", email]);
    let mut visitor = Visitor::new(node.url());
    visitor.sign_in(link["link"].as_str().unwrap());
    visitor
}

pub(crate) fn id(node: &Node, collection: &str, name: &str) -> String {
    let found = node.json(["list", collection, "--where", &format!("name = \"{name}\"")]);
    found[0]["id"].as_str().unwrap_or_else(|| panic!("no {name}: {found}")).to_owned()
}

fn history(node: &Node, collection: &str, id: &str) -> Vec<Value> {
    node.json(["show", collection, id, "--history"])["history"].as_array().unwrap().clone()
}

#[test]
fn a_link_lets_in_once_and_leads_back_to_where_one_was() {
    let company = company();
    let mut anna = Visitor::new(company.hub.url());
    let sent = anna.get("/c/account");
    assert_eq!(sent.status, 303);
    let door = sent.header("location").to_owned();
    assert!(door.starts_with("/sign-in?next="), "{door}");
    assert!(anna.get(&door).body.contains("branchline users sign-in"));

    let link = company.hub.json(["users", "sign-in", "anna@acme.example"]);
    let token = link["link"].as_str().unwrap().split_once("link=").unwrap().1;
    // Who only looks at the link spends nothing.
    for _ in 0..2 {
        assert!(anna.get(&format!("/sign-in?link={token}")).body.contains("Welcome, Anna"));
    }
    let next = door.split_once("next=").unwrap().1;
    let entered = anna.post("/sign-in", &[("link", token), ("next", next)]);
    assert_eq!((entered.status, entered.header("location")), (303, "/c/account"));
    assert!(entered.header("set-cookie").contains("HttpOnly"), "{entered:?}");
    assert!(anna.get("/c/account").body.contains("Orbit Foods"));

    let mut second = Visitor::new(company.hub.url());
    assert_eq!(second.post("/sign-in", &[("link", token)]).status, 403);
    assert_eq!(second.get("/today").status, 303);
    anna.post("/sign-out", &[]);
    assert_eq!(anna.get("/today").status, 303);

    let nobody = company.hub.run(["users", "sign-in", "nobody@acme.example"]);
    assert_eq!((nobody.code, &nobody.json()["error"]["code"]), (1, &json!("record_not_found")));
}

#[test]
fn one_who_is_disabled_is_out_at_once() {
    let company = company();
    let mut anna = signed_in(&company.hub, "anna@acme.example");
    assert_eq!(anna.get("/today").status, 200);
    company.hub.json(["users", "disable", "anna@acme.example"]);
    let refused = anna.get("/today");
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("Anna has no access any more"), "{}", refused.body);
    assert_eq!(company.hub.run(["users", "sign-in", "anna@acme.example"]).code, 1);
}

#[test]
fn a_seller_sees_the_own_branch_alone() {
    let company = company();
    let (ours, theirs) = (id(&company.hub, "opportunity", "Kyiv deal"), id(&company.hub, "opportunity", "Lviv deal"));
    let mut anna = signed_in(&company.hub, "anna@acme.example");
    for page in ["/c/opportunity", "/board/opportunity", "/search?q=deal", "/today", "/c/opportunity?q=deal"] {
        let body = anna.get(page).body;
        assert!(body.contains("Kyiv deal") && !body.contains("Lviv deal") && !body.contains(&theirs), "{page}: {body}");
    }
    let account = id(&company.hub, "account", "Orbit Foods");
    let card = anna.get(&format!("/c/account/{account}")).body;
    assert!(card.contains("Kyiv deal") && !card.contains("Lviv deal"), "{card}");
    assert_eq!(anna.get(&format!("/c/opportunity/{ours}")).status, 200);
    for page in ["", "/edit"] {
        assert_eq!(anna.get(&format!("/c/opportunity/{theirs}{page}")).status, 404);
    }
    for (page, fields) in [("", ("f.name", "Mine")), ("/archive", ("archived", "yes")), ("/undo", ("change", "00"))] {
        assert_eq!(anna.post(&format!("/c/opportunity/{theirs}{page}"), &[fields]).status, 404, "{page}");
    }
    let mut owner = signed_in(&company.hub, "owner@acme.example");
    let all = owner.get("/c/opportunity").body;
    assert!(all.contains("Kyiv deal") && all.contains("Lviv deal"));
    let mut oleh = signed_in(&company.hub, "oleh@acme.example");
    assert!(!oleh.get("/c/opportunity?where=name+%7E+%22deal%22+or+id+is+not+empty").body.contains("Kyiv deal"));
}

#[test]
fn what_is_typed_is_written_in_the_persons_name_and_nothing_else_is_touched() {
    let company = company();
    let deal = id(&company.hub, "opportunity", "Kyiv deal");
    let mut anna = signed_in(&company.hub, "anna@acme.example");
    let form = anna.get(&format!("/c/opportunity/{deal}/edit"));
    assert!(form.body.contains("name=\"was.name\" value=\"Kyiv deal\""), "{}", form.body);
    // Somebody else writes while the form is open.
    company.hub.json(["edit", "opportunity", &deal, "next_step=Call on Monday"]);
    let fields = [
        ("f.name", "Kyiv deal, larger"),
        ("was.name", "Kyiv deal"),
        ("f.amount", "1500.50 USD"),
        ("was.amount", ""),
        ("f.next_step", ""),
        ("was.next_step", ""),
        ("f.account", "Orbit Foods"),
        ("was.account", "Orbit Foods"),
    ];
    assert_eq!(anna.post(&format!("/c/opportunity/{deal}"), &fields).status, 303);
    let shown = company.hub.json(["show", "opportunity", &deal]);
    assert_eq!(shown["fields"]["name"], "Kyiv deal, larger");
    assert_eq!(shown["fields"]["amount"], json!({"value": "1500.50", "currency": "USD"}));
    assert_eq!(shown["fields"]["next_step"], "Call on Monday");
    assert_eq!(shown["updated_by"]["label"], "Anna");

    // Input that is not taken comes back with what was typed.
    let again = anna.post(&format!("/c/opportunity/{deal}"), &[("f.amount", "much"), ("was.amount", "1500.50 USD")]);
    assert_eq!(again.status, 422);
    assert!(again.body.contains("value=\"much\"") && again.body.contains("role=\"alert\""), "{}", again.body);
    let made = anna.post("/c/contact", &[("f.last_name", "Коваль"), ("f.account", "Orbit Foods")]);
    assert_eq!(made.status, 303);
    let contact = company.hub.json(["list", "contact"]);
    assert_eq!(contact[0]["branch"]["label"], "Kyiv");
    assert_eq!(contact[0]["created_by"]["label"], "Anna");
    // A product is not a seller's to make.
    let denied = anna.post("/c/product", &[("f.name", "Amber")]);
    assert_eq!(denied.status, 422);
    assert!(denied.body.contains("may not create"), "{}", denied.body);

    let last = history(&company.hub, "opportunity", &deal).last().unwrap()["change"].as_str().unwrap().to_owned();
    assert_eq!(anna.post(&format!("/c/opportunity/{deal}/undo"), &[("change", &last)]).status, 303);
    assert_eq!(company.hub.json(["show", "opportunity", &deal])["fields"]["name"], "Kyiv deal");
    assert_eq!(anna.post(&format!("/c/opportunity/{deal}/archive"), &[("archived", "yes")]).status, 303);
    assert_eq!(company.hub.json(["show", "opportunity", &deal])["archived"], true);
}

#[test]
fn a_page_of_another_site_writes_nothing() {
    let company = company();
    let deal = id(&company.hub, "opportunity", "Kyiv deal");
    let anna = signed_in(&company.hub, "anna@acme.example");
    let mut lured = anna.clone().from_origin("http://evil.example");
    for path in ["/c/opportunity".to_owned(), format!("/c/opportunity/{deal}"), "/sign-out".to_owned()] {
        assert_eq!(lured.post(&path, &[("f.name", "Stolen")]).status, 403, "{path}");
    }
    assert_eq!(history(&company.hub, "opportunity", &deal).iter().filter(|e| e["field"] == "name").count(), 1);
    assert_eq!(anna.clone().get("/today").status, 200);
}

#[test]
fn a_branch_writes_in_the_names_of_its_people_and_conflicts_are_settled_on_a_page() {
    let mut company = company();
    let hub = &mut company.hub;
    let mut branch = Node::new(company.home.path(), "kyiv");
    let code = hub.json(["invite", "--as", "branch", "--name", "kyiv"]);
    branch.json(["join", code["code"].as_str().unwrap()]);
    branch.serve();
    let mut anna = signed_in(&branch, "anna@acme.example");
    let deal = id(&branch, "opportunity", "Kyiv deal");
    branch.json(["pause"]);
    while branch.json(["status"])["online"] == true {}
    let typed = [("f.stage", "won"), ("was.stage", "")];
    assert_eq!(anna.post(&format!("/c/opportunity/{deal}"), &typed).status, 303);
    hub.json(["edit", "opportunity", &deal, "stage=lost"]);
    branch.json(["resume"]);
    branch.expect(&[0, 3], ["sync"]);
    assert_eq!(hub.json(["status"])["review"], 0);
    let by: Vec<String> = history(hub, "opportunity", &deal)
        .iter()
        .filter(|entry| entry["field"] == "stage")
        .map(|entry| entry["user"]["label"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert!(by.contains(&"Anna".to_owned()) && by.len() == 2, "{by:?}");

    let mut owner = signed_in(hub, "owner@acme.example");
    let page = owner.get("/conflicts");
    for text in ["Kyiv deal", "Won", "Lost", "Anna", "kyiv", "shown now"] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    let settled = owner.post(&format!("/c/opportunity/{deal}/settle"), &[("field", "stage"), ("keep", "won")]);
    assert_eq!(settled.status, 303);
    assert_eq!(hub.json(["conflicts"]), json!([]));
    assert!(owner.get("/conflicts").body.contains("there is nothing to decide"));
    branch.expect(&[0], ["sync"]);
    assert!(anna.get(&format!("/c/opportunity/{deal}")).body.contains("Won"));
}

#[test]
fn every_page_speaks_the_readers_language_and_loads_nothing_from_elsewhere() {
    let company = company();
    let deal = id(&company.hub, "opportunity", "Kyiv deal");
    let owner = signed_in(&company.hub, "owner@acme.example");
    let record = format!("/c/opportunity/{deal}");
    let edit = format!("{record}/edit");
    let pages = [
        ("/today", "Сьогодні"),
        ("/c/opportunity", "Угоди"),
        ("/c/account/new", "Зберегти"),
        ("/board/opportunity", "Дошка"),
        ("/conflicts", "вирішувати нічого"),
        ("/review", "Нічого не відхилено"),
        ("/duplicates/account", "Об’єднані записи"),
        ("/import", "Завантажити й подивитися"),
        ("/reports", "Угоди за стадіями"),
        ("/reports/vip", "За полем"),
        ("/calendar", ">Нд<"),
        ("/tree", "Клієнти за категоріями"),
        ("/help", "Клавіші"),
        ("/search?q=deal", "Пошук"),
        (record.as_str(), "Що відбувалося"),
        (edit.as_str(), "Скасувати"),
        ("/c/nothing", "Не вийшло"),
    ];
    for (page, shown) in pages {
        for language in ["en", "ru", "uk"] {
            let answer = owner.clone().reading(language).get(page);
            assert!(answer.body.contains(&format!("<html lang=\"{language}\">")), "{page}");
            assert_eq!(answer.body.contains(shown), language == "uk", "{page} in {language}: {}", answer.body);
            // A message that the catalogue lacks would stand there as its id.
            for id in ["web-", "label-", "count-"] {
                assert!(!answer.body.contains(&format!(">{id}")), "{page} in {language}: {}", answer.body);
            }
            let policy = answer.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{page}: {policy}");
            assert!(!answer.body.contains("http://") || !answer.body.contains("src=\"http"), "{page}");
        }
    }
    let mut owner = owner;
    assert_eq!(owner.post("/language", &[("language", "ru")]).status, 303);
    assert!(owner.get("/today").body.contains("<html lang=\"ru\">"));
}

#[test]
fn an_open_page_hears_of_what_others_write() {
    let company = company();
    let anna = signed_in(&company.hub, "anna@acme.example");
    let mut lines = anna.listen("/live");
    assert!(lines.by_ref().any(|line| line.is_empty()), "the headers end");
    for name in ["Amber", "Cobalt"] {
        company.hub.json(["create", "account", &format!("name={name}")]);
        assert!(lines.by_ref().any(|line| line.contains("data: changed")), "{name}");
    }
    assert_eq!(Visitor::new(company.hub.url()).get("/live").status, 401);
}

#[test]
fn bad_addresses_and_forms_are_answered_in_words() {
    let company = company();
    let mut owner = signed_in(&company.hub, "owner@acme.example");
    let wrong = owner.get("/c/opportunity?where=amount+%3E%3E");
    assert_eq!(wrong.status, 422);
    assert!(wrong.body.contains("role=\"alert\"") && wrong.body.contains("amount &gt;&gt;"), "{}", wrong.body);
    let missing = "00000000-0000-0000-0000-000000000000";
    for (page, status) in [
        ("/c/opportunity?sort=nothing".to_owned(), 422),
        (format!("/c/opportunity?after={missing}"), 422),
        (format!("/c/opportunity/{missing}"), 404),
        ("/c/opportunity/%3Cscript%3E".to_owned(), 404),
        ("/c/../../etc/passwd".to_owned(), 404),
        ("/assets/..%2f..%2fdevice.key".to_owned(), 404),
    ] {
        let answer = owner.get(&page);
        assert_eq!(answer.status, status, "{page}: {}", answer.body);
        assert!(!answer.body.contains("<script>"), "{page}");
    }
    company.hub.json(["create", "account", "name=<script>alert(1)</script>"]);
    let list = owner.get("/c/account").body;
    assert!(list.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !list.contains("<script>alert"), "{list}");
}
