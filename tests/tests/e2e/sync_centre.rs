//! The sync centre and the administration of real servers, as a person's browser asks for them.

use branchline_tests::process::Node;
use branchline_tests::visitor::Visitor;
use serde_json::json;

use crate::workplace::{Company, express, signed_in};

const OWNER: &str = "owner@acme.example";

fn company() -> Company {
    let mut company = express(&[
        ("Anna", "anna@acme.example", "seller", "kyiv"),
        ("Maria", "maria@acme.example", "manager", "kyiv"),
        ("Oleh", "oleh@acme.example", "manager", "lviv"),
    ]);
    company.hub.serve();
    company
}

fn until(mut what: impl FnMut() -> bool) {
    for _ in 0..600 {
        if what() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("it does not come to that");
}

#[test]
fn who_is_invited_on_a_page_joins_is_seen_and_is_revoked() {
    let Company { home, hub } = company();
    let mut owner = signed_in(&hub, OWNER);
    let page = owner.post("/sync/invite", &[("kind", "branch"), ("name", "kyiv"), ("user", "")]);
    assert!(page.status == 200 && page.body.contains("<svg"), "{}", page.body);
    let code = page.between("branchline --data FOLDER join ", "<");
    let mut branch = Node::new(home.path(), "kyiv");
    branch.json(["join", &code]);
    branch.serve();
    until(|| owner.get("/sync").body.contains("replica up"));
    let page = owner.get("/sync").body;
    for shown in ["kyiv", "branch:kyiv", "Waits to go down", "Today", env!("CARGO_PKG_VERSION")] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    let mut listening = owner.listen("/live");
    assert!(listening.by_ref().any(|line| line.is_empty()));
    // At the branch: its own line.
    let mut maria = signed_in(&branch, "maria@acme.example");
    assert!(maria.get("/sync").body.contains("The line upwards"));
    assert_eq!(maria.post("/sync/line", &[("do", "pause")]).status, 200);
    until(|| branch.json(["status"])["online"] == false);
    assert!(maria.get("/sync").body.contains("paused"));
    assert!(listening.any(|line| line.contains("changed")), "head office's page hears of it");
    until(|| !owner.get("/sync").body.contains("replica up"));
    branch.json(["create", "account", "name=Amber"]);
    assert_eq!(maria.post("/sync/line", &[("do", "resume")]).status, 200);
    assert_eq!(maria.post("/sync/line", &[("do", "now")]).status, 200);
    until(|| hub.json(["list", "account"]).as_array().unwrap().len() == 1);
    // A message is a task of today.
    let anna = hub.json(["list", "user", "--where", "name = \"Anna\""])[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(owner.post("/sync/message", &[("person", &anna), ("text", "Call me <b>")]).status, 200);
    until(|| branch.json(["list", "activity"]).as_array().unwrap().len() == 1);
    let today = signed_in(&branch, "anna@acme.example").get("/today").body;
    assert!(today.contains("Call me &lt;b&gt;"), "{today}");
    let device = hub.json(["devices"])[0]["id"].as_str().unwrap().to_owned();
    let revoked = owner.post("/sync/revoke", &[("device", &device), ("sure", "yes")]);
    assert!(revoked.status == 200 && revoked.body.contains("has ended"), "{}", revoked.body);
    assert_eq!(hub.json(["devices"])[0]["revoked"], true);
}

#[test]
fn each_sees_and_does_in_the_sync_centre_what_the_own_rights_allow() {
    let Company { home, hub } = company();
    for name in ["kyiv", "lviv"] {
        let code = hub.json(["invite", "--as", "branch", "--name", name]);
        Node::new(home.path(), name).json(["join", code["code"].as_str().unwrap()]);
    }
    let mut maria = signed_in(&hub, "maria@acme.example");
    let page = maria.get("/sync").body;
    assert!(page.contains("branch:kyiv") && !page.contains("branch:lviv"), "{page}");
    // She may invite for the own branch, at most what she is herself, and no server.
    let invited = maria.post("/sync/invite", &[("kind", "device"), ("name", "Tablet"), ("user", "anna@acme.example")]);
    assert!(invited.body.contains("join bl1") || invited.body.contains("FOLDER join "), "{}", invited.body);
    for (kind, user) in [("branch", ""), ("device", OWNER), ("device", "oleh@acme.example")] {
        let refused = maria.post("/sync/invite", &[("kind", kind), ("name", "lviv"), ("user", user)]);
        assert_eq!(refused.status, 422, "{kind} {user}: {}", refused.body);
        assert!(!refused.body.contains("FOLDER join"), "{}", refused.body);
    }
    let mut anna = signed_in(&hub, "anna@acme.example");
    assert!(!anna.get("/sync").body.contains("/sync/invite"));
    for (path, fields) in [
        ("/sync/invite", [("kind", "device"), ("name", "mine")]),
        ("/sync/line", [("do", "pause"), ("", "")]),
        ("/sync/courier/pack", [("to", "kyiv"), ("", "")]),
    ] {
        assert_eq!(anna.post(path, &fields).status, 422, "{path}");
    }
    let lviv = hub.json(["devices"]).as_array().unwrap().iter().find(|d| d["name"] == "lviv").unwrap()["id"].clone();
    for visitor in [&mut anna, &mut maria] {
        assert_ne!(visitor.post("/sync/revoke", &[("device", lviv.as_str().unwrap())]).status, 200);
    }
    assert!(hub.json(["devices"]).as_array().unwrap().iter().all(|device| device["revoked"] == false));
}

#[test]
fn the_owner_looks_after_people_and_an_administrators_link_sets_a_password() {
    let Company { home: _home, hub } = company();
    let mut owner = signed_in(&hub, OWNER);
    let kyiv = hub.json(["list", "branch", "--where", "code = \"kyiv\""])[0]["id"].as_str().unwrap().to_owned();
    let fields = [("name", "Ivan"), ("email", "ivan@acme.example"), ("role", "seller"), ("branch", &kyiv)];
    assert!(owner.post("/admin/people", &fields).body.contains("Ivan was added"));
    assert_eq!(owner.post("/admin/people", &fields).status, 422, "the address is taken");
    hub.json(["create", "user", "name=Twin", "email=ivan@acme.example"]);
    assert_eq!(owner.post("/admin/people", &fields).status, 422, "more than one has it");
    let ivan = hub.json(["list", "user", "--where", "name = \"Ivan\""])[0].clone();
    assert_eq!(ivan["home_branch"]["label"], "Kyiv");
    let id = ivan["id"].as_str().unwrap();
    let made = owner.post("/admin/people/link", &[("person", id)]);
    let link = made.between("/sign-in?link=", "<");
    let mut visitor = Visitor::new(hub.url());
    assert!(visitor.get(&format!("/sign-in?link={link}")).body.contains("Choose a password"));
    let choose = |visitor: &mut Visitor, password: &str| {
        visitor.post("/sign-in", &[("link", &link), ("password", password), ("again", password)])
    };
    assert_eq!(choose(&mut visitor, "short").status, 422);
    assert_eq!(choose(&mut visitor, "correct horse battery").status, 303, "the link was not spent by that");
    assert_eq!(visitor.get("/today").status, 200);
    assert_eq!(choose(&mut Visitor::new(hub.url()), "another horse battery").status, 403);
    // Maria may for her sellers, not for the owner, and administers nothing.
    let mut maria = signed_in(&hub, "maria@acme.example");
    let page = maria.get("/admin/people").body;
    assert!(page.contains("Ivan") && !page.contains("Oleh") && !page.contains(OWNER), "{page}");
    assert!(maria.post("/admin/people/link", &[("person", id)]).body.contains("/sign-in?link="));
    for name in ["Oleh", "owner"] {
        let id =
            hub.json(["list", "user", "--where", &format!("name = \"{name}\"")])[0]["id"].as_str().unwrap().to_owned();
        let refused = maria.post("/admin/people/link", &[("person", &id)]);
        assert!(refused.status == 422 && !refused.body.contains("/sign-in?link="), "{name}: {}", refused.body);
    }
    for (path, fields) in [
        ("/admin/people", [("name", "Eve"), ("role", "owner")]),
        ("/admin/people/active", [("person", id), ("active", "no")]),
    ] {
        assert_eq!(maria.post(path, &fields).status, 422, "{path}");
    }
    for page in ["/admin/schema", "/admin/schema/account", "/admin/pipelines", "/admin/audit", "/admin/backup"] {
        assert_eq!(maria.get(page).status, 403, "{page}");
        assert_eq!(owner.get(page).status, 200, "{page}");
    }
    let mut anna = signed_in(&hub, "anna@acme.example");
    for page in ["/admin", "/admin/people"] {
        assert_eq!(anna.get(page).status, 403);
    }
    assert!(!anna.get("/today").body.contains("href=\"/admin\""));
    assert_eq!(owner.post("/admin/people/active", &[("person", id), ("active", "no")]).status, 200);
    assert_eq!(visitor.get("/today").status, 403);
}

#[test]
fn fields_collections_and_pipelines_are_made_and_changed_on_pages() {
    let Company { home: _home, hub } = company();
    let mut owner = signed_in(&hub, OWNER);
    let tier = [
        ("name", "tier"),
        ("ty", "choice"),
        ("en", "Tier"),
        ("ru", "Уровень"),
        ("uk", "Рівень"),
        ("required", "yes"),
        ("winner", "ask"),
        ("choices", "gold | Gold | Золото | Золото\nsilver"),
        ("position", "3"),
    ];
    assert_eq!(owner.post("/admin/schema/account", &tier).status, 303);
    let again = owner.post("/admin/schema/account", &tier);
    assert!(again.status == 422 && again.body.contains("Уровень"), "what was typed stays: {}", again.body);
    let form = owner.get("/c/account/new").body;
    assert!(form.contains("name=\"f.tier\"") && form.contains("Gold"), "{form}");
    assert!(owner.clone().reading("uk").get("/c/account/new").body.contains("Рівень"));
    let missing = owner.post("/c/account", &[("f.name", "Amber")]);
    assert_eq!(missing.status, 422, "it is required");
    let shown = owner.get("/admin/schema/account/tier").body;
    assert!(shown.contains("gold | Gold | Золото | Золото") && shown.contains("value=\"3\""), "{shown}");
    let changed =
        [("en", "Level"), ("winner", "latest"), ("choices", "gold | Gold | Золото | Золото\nbronze | Bronze")];
    assert_eq!(owner.post("/admin/schema/account/tier", &changed).status, 303);
    let field = hub.json(["schema", "show", "account"])[0]["fields"].as_array().unwrap().clone();
    let field = field.iter().find(|field| field["name"] == "tier").unwrap().clone();
    assert_eq!(
        (&field["labels"]["en"], &field["required"], &field["winner"]),
        (&json!("Level"), &json!(false), &json!("latest"))
    );
    // More choices of a built-in field, twice, and none gets lost.
    for choices in ["brewing | Brewing", "brewing | Brewing\ndistilling"] {
        assert_eq!(owner.post("/admin/schema/account/industry", &[("choices", choices)]).status, 303);
    }
    let page = owner.get("/admin/schema/account/industry").body;
    assert!(page.contains("brewing") && page.contains("distilling") && !page.contains("retail |"), "{page}");
    for (field, word) in [("Bad Name", "name"), ("tier2", "reference")] {
        let refused = owner.post("/admin/schema/account", &[("name", field), ("ty", "reference"), ("en", "X")]);
        assert!(refused.status == 422 && refused.body.contains("role=\"alert\""), "{word}: {}", refused.body);
    }
    let vehicle =
        [("name", "vehicle"), ("kind", "branch"), ("en", "Vehicles"), ("ru", "Автомобили"), ("uk", "Автомобілі")];
    assert_eq!(owner.post("/admin/schema", &vehicle).status, 303);
    assert!(owner.get("/today").body.contains("Vehicles"));
    assert_eq!(owner.post("/c/vehicle", &[("f.name", "AA 1234 BB")]).status, 303);
    for taken in ["account", "credential"] {
        let refused = owner.post("/admin/schema", &[("name", taken), ("kind", "shared"), ("en", "X")]);
        assert_eq!(refused.status, 422, "{taken}");
    }
    let stages = [
        ("name", "Retail"),
        ("position.new", "1"),
        ("probability.new", "10"),
        ("days_max.new", "14"),
        ("position.won", "2"),
    ];
    assert_eq!(owner.post("/admin/pipelines", &stages).status, 303);
    let page = owner.get("/admin/pipelines").body;
    assert!(page.contains("name=\"probability.new\" value=\"10\""), "{page}");
    let id = hub.json(["list", "pipeline"])[0]["id"].as_str().unwrap().to_owned();
    let fields = [("id", &*id), ("name", "Retail"), ("probability.new", "much")];
    assert_eq!(owner.post("/admin/pipelines", &fields).status, 422);
    // A line that was made elsewhere has another id, and what somebody else typed meanwhile stays.
    hub.json(["edit", "pipeline", &id, "stages/ab12/stage=proposal", "stages/ab12/probability=40"]);
    assert!(owner.get("/admin/pipelines").body.contains("name=\"probability.proposal\" value=\"40\""));
    let fields = [
        ("id", &*id),
        ("name", "Retail"),
        ("was.probability.new", "10"),
        ("probability.new", "20"),
        ("was.position.won", "2"),
        ("position.won", ""),
    ];
    assert_eq!(owner.post("/admin/pipelines", &fields).status, 303);
    let lines = hub.json(["show", "pipeline", &id])["fields"]["stages"].clone();
    assert!(lines.to_string().contains("20") && !lines.to_string().contains("won"), "{lines}");
    assert!(lines.to_string().contains("ab12") && lines.to_string().contains("40"), "{lines}");
}

#[test]
fn every_change_is_in_the_audit_trail_and_a_backup_made_on_a_page_restores() {
    let Company { home, hub } = company();
    let mut owner = signed_in(&hub, OWNER);
    owner.post("/account/password", &[("password", "correct horse battery"), ("again", "correct horse battery")]);
    hub.json(["create", "account", "name=Amber"]);
    let trail = owner.get("/admin/audit").body;
    assert!(trail.contains("Amber") && trail.contains("owner") && trail.contains("Kyiv"), "{trail}");
    assert!(!trail.contains("argon2") && !trail.contains("credential"), "{trail}");
    for n in 0..60 {
        hub.json(["create", "account", &format!("name=Client {n}")]);
    }
    let first = owner.get("/admin/audit").body;
    let next = first.split("href=\"/admin/audit?before=").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let second = owner.get(&format!("/admin/audit?before={next}")).body;
    assert!(first.contains("Client 59") && !first.contains("Client 5<") && second.contains("Client 5<"), "{second}");
    assert_eq!(owner.post("/admin/backup", &[("passphrase", "carry me elsewhere")]).status, 303);
    let page = owner.get("/admin/backup").body;
    let name = page.split("href=\"/admin/backup/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let made = hub.dir().join("backups").join(&name);
    let sent = owner.get(&format!("/admin/backup/{name}"));
    assert_eq!(sent.status, 200);
    assert!(sent.header("content-disposition").contains(&name));
    for bad in ["..%2f..%2fdevice.key", "20260101000000.backup", "x"] {
        assert_eq!(owner.get(&format!("/admin/backup/{bad}")).status, 404, "{bad}");
    }
    let drill = Node::new(home.path(), "drill");
    let passphrase = home.path().join("passphrase");
    std::fs::write(&passphrase, "carry me elsewhere").unwrap();
    drill.json(["restore", made.to_str().unwrap(), "--passphrase-file", passphrase.to_str().unwrap()]);
    assert_eq!(drill.json(["list", "account"]).as_array().unwrap().len(), 61);
    let checked = owner.post("/admin/verify", &[]);
    assert!(checked.body.contains("Everything agrees"), "{}", checked.body);
}

#[test]
fn what_waits_goes_as_a_file_up_and_down() {
    let Company { home, hub } = company();
    let code = hub.json(["invite", "--as", "branch", "--name", "kyiv"]);
    let mut branch = Node::new(home.path(), "kyiv");
    branch.json(["join", code["code"].as_str().unwrap()]);
    branch.json(["pause"]);
    branch.serve();
    branch.json(["create", "account", "name=Amber"]);
    let (mut owner, mut maria) = (signed_in(&hub, OWNER), signed_in(&branch, "maria@acme.example"));
    let up = maria.fetch("/sync/courier/pack", &[("to", "")]);
    let taken = owner.upload("/sync/courier/unpack", &[], ("file", "file", &up));
    assert!(taken.status == 200 && taken.body.contains("1 change came"), "{}", taken.body);
    let down = owner.fetch("/sync/courier/pack", &[("to", "kyiv")]);
    let answered = maria.upload("/sync/courier/unpack", &[], ("file", "file", &down));
    assert!(answered.status == 200 && answered.body.contains("of ours has arrived"), "{}", answered.body);
    assert_eq!(branch.json(["status"])["outbox"], 0);
    let nonsense = owner.upload("/sync/courier/unpack", &[], ("file", "file", b"no courier file"));
    assert!(nonsense.status == 422 && nonsense.body.contains("role=\"alert\""), "{}", nonsense.body);
    assert_eq!(Visitor::new(hub.url()).upload("/sync/courier/unpack", &[], ("file", "file", &up)).status, 303);
}

#[test]
fn every_page_speaks_three_languages() {
    let Company { home: _home, hub } = company();
    let owner = signed_in(&hub, OWNER);
    let pages = [
        ("/sync", "Центр обміну"),
        ("/account", "Власний обліковий запис"),
        ("/admin", "Адміністрування"),
        ("/admin/people", "Співробітники"),
        ("/admin/schema", "Колекції та поля"),
        ("/admin/schema/account", "Якщо пишуть одночасно"),
        ("/admin/schema/account/industry", "Власні варіанти"),
        ("/admin/pipelines", "Додати воронку"),
        ("/admin/audit", "Журнал змін"),
        ("/admin/backup", "Резервна копія"),
    ];
    for (page, shown) in pages {
        for language in ["en", "ru", "uk"] {
            let answer = owner.clone().reading(language).get(page);
            assert_eq!(answer.status, 200, "{page}: {}", answer.body);
            assert_eq!(answer.body.contains(shown), language == "uk", "{page} in {language}: {}", answer.body);
            for id in ["web-", "label-", "count-", "col-", "status-", "kind-", "type-", "winner-", "role-"] {
                assert!(!answer.body.contains(&format!(">{id}")), "{id} on {page} in {language}: {}", answer.body);
            }
            assert!(!answer.header("content-security-policy").contains("unsafe"));
        }
    }
}

#[test]
fn the_sync_centre_tells_a_seller_of_what_the_seller_sees_alone() {
    let Company { home: _home, hub } = company();
    for n in 0..7 {
        hub.json(["create", "lead", &format!("name=Lead {n}"), "owner=oleh@acme.example"]);
    }
    hub.json(["create", "lead", "name=Own", "owner=anna@acme.example"]);
    let leads = |visitor: &mut Visitor| {
        visitor.get("/sync").between("href=\"/c/lead\">Leads</a></th><td class=\"number\">", "<")
    };
    assert_eq!(leads(&mut signed_in(&hub, OWNER)), "8");
    let mut anna = signed_in(&hub, "anna@acme.example");
    assert_eq!(leads(&mut anna), "1");
    let page = anna.get("/sync").body;
    assert!(!page.contains("Digest") && !page.contains("Waiting for review"), "{page}");
    let file = anna.upload("/sync/courier/unpack", &[], ("file", "file", b"x"));
    assert_eq!(file.status, 403, "{}", file.body);
}
