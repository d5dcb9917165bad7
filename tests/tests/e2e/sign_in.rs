//! Passwords and second factors at real servers: who gets in where, what ends, and who never holds a credential.

use std::path::Path;
use std::process::Command;

use branchline_tests::binary;
use branchline_tests::process::{Node, Server};
use branchline_tests::visitor::{Answer, Visitor, code};
use serde_json::json;

use crate::workplace::{Company, express, signed_in};

const ANNA: &str = "anna@acme.example";
const GOOD: &str = "correct horse battery";
const OTHER: &str = "seventeen green bottles";

fn company() -> Company {
    let people = [("Anna", ANNA, "seller", "kyiv"), ("Oleh", "oleh@acme.example", "seller", "lviv")];
    let mut company = express(&people);
    company.hub.serve();
    company
}

fn enter(visitor: &mut Visitor, email: &str, password: &str) -> Answer {
    visitor.post("/sign-in", &[("email", email), ("password", password)])
}

fn is_in(visitor: &mut Visitor) -> bool {
    visitor.get("/today").status == 200
}

fn choose(visitor: &mut Visitor, current: &str, password: &str) -> Answer {
    visitor.post("/account/password", &[("current", current), ("password", password), ("again", password)])
}

// Whether these bytes are anywhere in a replica's database.
fn holds(folder: &Path, wanted: &str) -> bool {
    let files = ["branchline.db", "branchline.db-wal"].map(|name| std::fs::read(folder.join(name)).unwrap_or_default());
    files.iter().any(|bytes| bytes.windows(wanted.len()).any(|window| window == wanted.as_bytes()))
}

fn joined(upstream: &Node, home: &Path, name: &str, invite: &[&str]) -> Node {
    let node = Node::new(home, name);
    let code = upstream.json(["invite", "--name", name].iter().chain(invite).copied());
    node.json(["join", code["code"].as_str().unwrap()]);
    node
}

#[test]
fn a_password_lets_in_at_the_own_branch_without_a_line_and_reaches_servers_alone() {
    let Company { home, hub } = company();
    let home = home.path();
    let mut branch = joined(&hub, home, "kyiv", &["--as", "branch"]);
    branch.serve();
    let phone = joined(&branch, home, "phone", &["--as", "device", "--user", ANNA, "--scope", "branch:kyiv"]);
    let whole =
        joined(&hub, home, "whole", &["--as", "device", "--user", "owner@acme.example", "--scope", "workspace"]);
    for email in [ANNA, "oleh@acme.example", "owner@acme.example"] {
        assert_eq!(choose(&mut signed_in(&hub, email), "", GOOD).status, 303, "{email}");
    }
    for node in [&branch, &phone, &whole] {
        node.json(["sync"]);
    }
    branch.json(["pause"]);
    while branch.json(["status"])["online"] == true {}
    let mut anna = Visitor::new(branch.url());
    assert!(anna.get("/sign-in").body.contains("type=\"password\""));
    assert_eq!(enter(&mut anna, &format!(" {ANNA}"), GOOD).status, 303);
    assert!(is_in(&mut anna));
    // Others of the company have none here.
    for email in ["oleh@acme.example", "owner@acme.example", "nobody@acme.example", ""] {
        let refused = enter(&mut Visitor::new(branch.url()), email, GOOD);
        assert_eq!(refused.status, 403, "{email}");
        assert!(refused.body.contains("is wrong") && refused.body.contains(&format!("value=\"{email}\"")), "{email}");
    }
    for server in [&hub, &branch] {
        assert!(holds(server.dir(), "$argon2id$"), "otherwise this looks in the wrong place");
    }
    for device in [&phone, &whole] {
        assert!(!holds(device.dir(), "argon2id") && !holds(device.dir(), "credential"));
        assert_eq!(device.run(["users", "sign-in", ANNA]).code, 2, "it does not serve");
    }
    // A device that holds everything agrees with head office all the same.
    assert_eq!(whole.json(["status"])["digest"], hub.json(["status"])["digest"]);
    // Nothing shows them at a server either.
    for command in [
        &["list", "credential"][..],
        &["export", "credential"],
        &["sql", "SELECT * FROM credential"],
        &["schema", "show", "credential"],
        &["create", "credential", "password=x"],
    ] {
        assert_eq!(hub.run(command.iter().copied()).code, 1, "{command:?}");
    }
    assert_eq!(hub.json(["search", "argon2id"]), json!([]));
    assert!(hub.json(["status"])["records"].get("credential").is_none());
    assert!(!hub.json(["schema", "show"]).to_string().contains("credential"));
    let token =
        hub.json(["users", "token", "owner@acme.example", "--name", "shop"])["token"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {token}");
    for (path, status) in [("/changes?limit=1000", 200), ("/schema", 200), ("/records/credential", 404)] {
        let answer = Visitor::new(hub.url()).send("GET", &format!("/api/v1{path}"), &[("Authorization", &bearer)], "");
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(!answer.body.contains("argon2") && (status == 404 || !answer.body.contains("credential")), "{path}");
    }
    let mut owner = signed_in(&hub, "owner@acme.example");
    for page in ["/c/credential", "/c/credential/new"] {
        assert_eq!(owner.get(page).status, 404, "{page}");
    }
    assert_eq!(owner.post("/c/credential", &[("f.password", "x")]).status, 404);
    assert!(!owner.get("/today").body.contains("credential"));
}

#[test]
fn one_password_counts_everywhere_and_two_at_a_time_are_no_conflict() {
    let Company { home, hub } = company();
    let mut branch = joined(&hub, home.path(), "kyiv", &["--as", "branch"]);
    branch.serve();
    assert_eq!(choose(&mut signed_in(&hub, ANNA), "", GOOD).status, 303);
    branch.json(["sync"]);
    let (mut here, mut there) = (Visitor::new(hub.url()), Visitor::new(branch.url()));
    for visitor in [&mut here, &mut there] {
        assert_eq!(enter(visitor, ANNA, GOOD).status, 303);
    }
    branch.json(["pause"]);
    while branch.json(["status"])["online"] == true {}
    assert_eq!(choose(&mut here, GOOD, "eleven dusty suitcases").status, 303);
    assert_eq!(choose(&mut there, GOOD, OTHER).status, 303);
    branch.json(["resume"]);
    branch.json(["sync"]);
    for node in [&hub, &branch] {
        assert_eq!((node.json(["conflicts"]), &node.json(["status"])["conflicts"]), (json!([]), &json!(0)));
        assert_eq!(enter(&mut Visitor::new(node.url()), ANNA, OTHER).status, 303, "the later one counts");
        assert_eq!(enter(&mut Visitor::new(node.url()), ANNA, GOOD).status, 403);
    }
    assert!(!is_in(&mut here), "its password counts no more");
    assert!(is_in(&mut there));
}

#[test]
fn who_changes_the_password_ends_all_other_sessions_and_sees_those_that_are_open() {
    let Company { home: _home, hub } = company();
    let mut first = signed_in(&hub, ANNA);
    for (current, password, again, word) in
        [("", "short", "short", "fewer than 10"), ("", GOOD, OTHER, "in two ways"), ("", ANNA, ANNA, "guessed at once")]
    {
        let fields = [("current", current), ("password", password), ("again", again)];
        let refused = first.post("/account/password", &fields);
        assert_eq!(refused.status, 422);
        assert!(refused.body.contains(word) && !refused.body.contains(GOOD), "{}", refused.body);
    }
    assert_eq!(choose(&mut first, "", GOOD).status, 303);
    assert!(is_in(&mut first), "the session goes on");
    let mut second = Visitor::new(hub.url());
    let mut third = Visitor::new(hub.url());
    for visitor in [&mut second, &mut third] {
        assert_eq!(enter(visitor, ANNA, GOOD).status, 303);
    }
    let page = first.get("/account").body;
    assert_eq!(page.matches("name=\"session\"").count(), 3, "two others, and all of them: {page}");
    let name = page.split("name=\"session\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    // A session of somebody else is none of Oleh's business.
    let mut oleh = signed_in(&hub, "oleh@acme.example");
    assert_eq!(oleh.post("/account/sessions", &[("session", &name)]).status, 303);
    assert!(is_in(&mut second) && is_in(&mut third));
    assert_eq!(first.post("/account/sessions", &[("session", &name)]).status, 303);
    assert_ne!(is_in(&mut second), is_in(&mut third));
    assert_eq!(choose(&mut first, OTHER, OTHER).status, 422, "the present one is needed");
    assert_eq!(choose(&mut first, GOOD, OTHER).status, 303);
    assert!(is_in(&mut first) && !is_in(&mut second) && !is_in(&mut third));
    assert_eq!(enter(&mut second, ANNA, OTHER).status, 303);
    hub.json(["users", "disable", ANNA]);
    assert_eq!(enter(&mut third, ANNA, OTHER).status, 403);
}

#[test]
fn who_guesses_waits_and_others_do_not() {
    let Company { home: _home, hub } = company();
    for email in [ANNA, "oleh@acme.example"] {
        assert_eq!(choose(&mut signed_in(&hub, email), "", GOOD).status, 303);
    }
    let mut guesser = Visitor::new(hub.url());
    for n in 0..5 {
        assert_eq!(enter(&mut guesser, ANNA, &format!("wrong password {n}")).status, 403);
    }
    let refused = enter(&mut guesser, ANNA, GOOD);
    assert_eq!(refused.status, 429);
    assert!(refused.body.contains("Too many wrong tries. Wait 1"), "{}", refused.body);
    assert_eq!(enter(&mut Visitor::new(hub.url()), "oleh@acme.example", GOOD).status, 303);
    // A link of the server's keeper still lets in.
    assert!(is_in(&mut signed_in(&hub, ANNA)));
}

#[test]
fn a_second_factor_is_asked_for_and_each_code_is_good_once() {
    let Company { home: _home, hub } = company();
    let mut anna = signed_in(&hub, ANNA);
    assert_eq!(choose(&mut anna, "", GOOD).status, 303);
    let page = anna.get("/account/second");
    assert!(page.body.contains("<svg") && page.status == 200, "{}", page.body);
    let secret = page.between("name=\"secret\" value=\"", "\"");
    let wrong = [("secret", &*secret), ("current", GOOD), ("code", "000000")];
    let again = anna.post("/account/second", &wrong);
    assert!(again.status == 422 && again.body.contains(&secret), "the picture stays the same: {}", again.body);
    let used = code(&secret, 0);
    let begun = anna.post("/account/second", &[("secret", &secret), ("current", GOOD), ("code", &used)]);
    assert_eq!(begun.status, 303, "{}", begun.body);
    assert!(!holds(hub.dir(), &secret), "the secret is sealed");
    let mut fresh = Visitor::new(hub.url());
    let asked = enter(&mut fresh, ANNA, GOOD);
    assert_eq!(asked.status, 200);
    assert!(!is_in(&mut fresh), "the password alone is not enough");
    let half = asked.between("name=\"half\" value=\"", "\"");
    let replayed = fresh.post("/sign-in", &[("half", &half), ("code", &used)]);
    assert_eq!(replayed.status, 403);
    let next = code(&secret, 1);
    assert_eq!(fresh.post("/sign-in", &[("half", &half), ("code", &next)]).status, 303);
    assert!(is_in(&mut fresh));
    assert_eq!(fresh.post("/sign-in", &[("half", &half), ("code", &next)]).status, 403, "it waits no more");
    // It outlives a change of the password, and ends with the password.
    assert_eq!(choose(&mut fresh, GOOD, OTHER).status, 303);
    assert!(enter(&mut Visitor::new(hub.url()), ANNA, OTHER).body.contains("name=\"half\""));
    assert_eq!(fresh.post("/account/second/off", &[("current", GOOD)]).status, 422);
    assert_eq!(fresh.post("/account/second/off", &[("current", OTHER)]).status, 303);
    assert_eq!(enter(&mut Visitor::new(hub.url()), ANNA, OTHER).status, 303);
}

#[test]
fn who_has_the_password_cannot_guess_codes_without_end() {
    let Company { home: _home, hub } = company();
    let mut anna = signed_in(&hub, ANNA);
    assert_eq!(choose(&mut anna, "", GOOD).status, 303);
    let secret = anna.get("/account/second").between("name=\"secret\" value=\"", "\"");
    let begun = [("secret", &*secret), ("current", GOOD), ("code", &code(&secret, 0))];
    assert_eq!(anna.post("/account/second", &begun).status, 303);
    // Each right password begins a new half of a sign-in; none of them forgives the wrong codes.
    let mut guesser = Visitor::new(hub.url());
    let mut last = 0;
    for _ in 0..3 {
        let asked = enter(&mut guesser, ANNA, GOOD);
        assert_eq!(asked.status, 200);
        let half = asked.between("name=\"half\" value=\"", "\"");
        last = guesser.post("/sign-in", &[("half", &half), ("code", "000000")]).status;
    }
    assert_eq!(last, 429);
    assert_eq!(enter(&mut guesser, ANNA, GOOD).status, 429);
}

#[test]
fn the_door_speaks_three_languages_and_a_foreign_page_opens_nothing() {
    let Company { home: _home, hub } = company();
    assert_eq!(choose(&mut signed_in(&hub, ANNA), "", GOOD).status, 303);
    assert_eq!(Visitor::new(hub.url()).get("/").header("location"), "/today");
    for (language, word) in [("en", "Password"), ("ru", "Пароль"), ("uk", "Електронна пошта")] {
        let door = Visitor::new(hub.url()).reading(language).get("/sign-in");
        assert!(door.body.contains(word) && !door.body.contains(">web-"), "{}", door.body);
        let account = signed_in(&hub, ANNA).reading(language).get("/account");
        assert!(!account.body.contains(">web-") && account.status == 200, "{}", account.body);
        assert!(!account.body.contains("not encrypted"), "it is on loopback");
    }
    let mut lured = Visitor::new(hub.url()).from_origin("http://evil.example");
    assert_eq!(enter(&mut lured, ANNA, GOOD).status, 403);
    let mut anna = signed_in(&hub, ANNA).from_origin("http://evil.example");
    for path in ["/account/password", "/account/sessions", "/account/second", "/account/second/off"] {
        assert_eq!(anna.post(path, &[("current", GOOD), ("session", "others")]).status, 403, "{path}");
    }
}

#[test]
fn pages_that_go_in_the_clear_say_so() {
    let Company { home: _home, mut hub } = company();
    hub.kill();
    let mut command = Command::new(binary());
    command.env("LANG", "C.UTF-8").arg("--data").arg(hub.dir());
    command.args(["serve", "--listen", "0.0.0.0:0", "--insecure-http"]);
    let server = Server::start(command).unwrap();
    let link = hub.json(["users", "sign-in", ANNA])["link"].as_str().unwrap().to_owned();
    let mut visitor = Visitor::new(server.url());
    assert!(visitor.get("/sign-in").body.contains("This page is not encrypted"));
    visitor.sign_in(&link);
    for page in ["/today", "/account", "/sync", "/c/account"] {
        assert!(visitor.get(page).body.contains("This page is not encrypted"), "{page}");
    }
    assert!(visitor.clone().reading("uk").get("/today").body.contains("не зашифровано"));
}
