//! The HTTP API of real servers: programs with a token of a person.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use branchline_tests::process::{Node, home};
use branchline_tests::visitor::{Answer, Visitor};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

pub(crate) const ROOT: &str = "/api/v1";

/// A program with a token of somebody at a server.
pub(crate) struct Program {
    pub(crate) visitor: Visitor,
    pub(crate) token: String,
}

impl Program {
    pub(crate) fn of(node: &Node, person: &str, name: &str) -> Self {
        let made = node.json(["users", "token", person, "--name", name]);
        Self { visitor: Visitor::new(node.url()), token: made["token"].as_str().unwrap().to_owned() }
    }

    pub(crate) fn call(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        self.call_with(method, path, &[], body)
    }

    fn call_with(&mut self, method: &str, path: &str, more: &[(&str, &str)], body: &Value) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let headers = [&[("Authorization", bearer.as_str()), ("Content-Type", "application/json")], more].concat();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.visitor.send(method, &format!("{ROOT}{path}"), &headers, &body)
    }

    pub(crate) fn get(&mut self, path: &str) -> Value {
        document(&self.call("GET", path, &Value::Null), 200)
    }
}

pub(crate) fn document(answer: &Answer, status: u16) -> Value {
    assert_eq!(answer.status, status, "{answer:?}");
    serde_json::from_str(&answer.body).unwrap_or_else(|e| panic!("{e}: {answer:?}"))
}

pub(crate) fn problem(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.header("content-type"), "application/problem+json", "{answer:?}");
    let problem = document(answer, status);
    assert_eq!(problem["status"], json!(status));
    assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()), "{problem}");
    problem["code"].as_str().unwrap().to_owned()
}

// A hub with two branches, a seller in each, and a deal of each.
pub(crate) fn company(home: &std::path::Path) -> Node {
    let mut hub = Node::new(home, "hub");
    hub.json(["init", "--name", "Express", "--owner", "owner@acme.example"]);
    for (code, person) in [("kyiv", "anna"), ("lviv", "oleh")] {
        hub.json(["create", "branch", &format!("code={code}"), &format!("name={code}")]);
        let email = format!("{person}@acme.example");
        hub.json(["users", "add", person, "--email", &email, "--role", "seller", "--branch", code]);
        hub.json(["create", "opportunity", &format!("name={code} deal"), &format!("owner={email}")]);
    }
    hub.serve();
    hub
}

#[test]
fn a_program_sees_and_writes_as_the_person_of_its_token() {
    let home = home();
    let hub = company(home.path());
    let mut shop = Program::of(&hub, "anna@acme.example", "shop");
    assert_eq!(shop.get("/me")["name"], json!("anna"));
    let deals = shop.get("/records/opportunity?fields=name,branch&count=true");
    assert_eq!(deals["count"], json!(1), "{deals}");
    assert_eq!(deals["records"][0]["name"], json!("kyiv deal"));

    let made = shop.call("POST", "/records/lead", &json!({"name": "Web form", "emails": ["a@b.example"]}));
    let id = document(&made, 201)["id"].as_str().unwrap().to_owned();
    assert_eq!(made.header("location"), format!("{ROOT}/records/lead/{id}"));
    let lead = shop.get(&format!("/records/lead/{id}"));
    assert_eq!(lead["fields"]["owner"]["label"], json!("anna"), "{lead}");
    let edited = shop.call(
        "PATCH",
        &format!("/records/lead/{id}"),
        &json!({"emails": {"add": ["c@d.example"]}, "company": "Orbit"}),
    );
    assert_eq!(document(&edited, 200)["changed"], json!(true));
    let shown = hub.json(["show", "lead", &id, "--history"]);
    assert_eq!(shown["fields"]["emails"], json!(["a@b.example", "c@d.example"]));
    assert!(
        shown["history"].as_array().unwrap().iter().all(|entry| entry["user"]["label"] == json!("anna")),
        "{shown}"
    );

    // What is Lviv's is not there for Anna's program.
    let foreign =
        hub.json(["list", "opportunity", "--where", "name = \"lviv deal\""])[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/records/opportunity/{foreign}");
    assert_eq!(problem(&shop.call("GET", &path, &Value::Null), 404), "record_not_found");
    assert_eq!(problem(&shop.call("PATCH", &path, &json!({"name": "mine"})), 404), "record_not_found");
    assert_eq!(
        problem(&shop.call("POST", "/records/branch", &json!({"code": "x", "name": "x"})), 403),
        "denied_action"
    );

    // An ended token, no token, a session's cookie without one.
    hub.json(["users", "end-token", "shop"]);
    assert_eq!(problem(&shop.call("GET", "/me", &Value::Null), 401), "token_unknown");
    let link = hub.json(["users", "sign-in", "anna@acme.example"]);
    let mut browser = Visitor::new(hub.url());
    browser.sign_in(link["link"].as_str().unwrap());
    assert_eq!(problem(&browser.get(&format!("{ROOT}/me")), 401), "token_unknown");
    hub.json(["users", "disable", "oleh@acme.example"]);
    assert_eq!(
        hub.run(["users", "token", "oleh@acme.example", "--name", "gone"]).json()["error"]["code"],
        json!("person_disabled")
    );
}

#[test]
fn a_request_with_a_key_is_carried_out_once_even_across_a_kill() {
    let home = home();
    let mut hub = company(home.path());
    let mut shop = Program::of(&hub, "anna@acme.example", "shop");
    let order = json!({"operations": [
        {"do": "create", "collection": "account", "name": "client", "fields": {"name": "Orbit Foods"}},
        {"do": "create", "collection": "contact", "fields": {"last_name": "Koval", "account": "@client"}},
    ]});
    let key = [("Idempotency-Key", "order-77")];
    let first = document(&shop.call_with("POST", "/transactions", &key, &order), 200);
    hub.kill();
    hub.serve();
    shop.visitor = Visitor::new(hub.url());
    let again = shop.call_with("POST", "/transactions", &key, &order);
    assert_eq!(again.header("idempotent-replayed"), "true", "{again:?}");
    assert_eq!(document(&again, 200), first);
    assert_eq!(hub.json(["list", "account"]).as_array().unwrap().len(), 1);
    let contact = hub.json(["list", "contact"]);
    assert_eq!(contact[0]["account"]["label"], json!("Orbit Foods"), "{contact}");

    let other = json!({"operations": []});
    assert_eq!(problem(&shop.call_with("POST", "/transactions", &key, &other), 409), "once_key_reused");
    // What is refused leaves nothing, and its key stays free.
    let half = json!({"operations": [
        {"do": "create", "collection": "account", "fields": {"name": "Half"}},
        {"do": "create", "collection": "contact", "fields": {"last_name": "Nobody", "account": "@missing"}},
    ]});
    let refused = shop.call_with("POST", "/transactions", &[("Idempotency-Key", "half")], &half);
    assert_eq!(problem(&refused, 404), "api_unmade");
    assert!(refused.body.contains("operations[1]"), "{refused:?}");
    assert_eq!(hub.json(["list", "account"]).as_array().unwrap().len(), 1);

    for created in [true, false] {
        let put = shop.call("PUT", "/records/account/by/external_id/1C-9", &json!({"name": "Amber", "city": "Київ"}));
        assert_eq!(document(&put, if created { 201 } else { 200 })["created"], json!(created));
    }
    assert_eq!(hub.json(["show", "account", "external_id=1C-9"])["fields"]["city"], json!("Київ"));
    assert_eq!(problem(&shop.call("PUT", "/records/account/by/city/x", &json!({})), 422), "api_key");
}

#[test]
fn changes_are_followed_by_cursor_and_live() {
    let home = home();
    let hub = company(home.path());
    let mut shop = Program::of(&hub, "anna@acme.example", "shop");
    let mut cursor = String::new();
    let mut seen = Vec::new();
    loop {
        let after = if cursor.is_empty() { String::new() } else { format!("&after={cursor}") };
        let page = shop.get(&format!("/changes?limit=2{after}"));
        for change in page["changes"].as_array().unwrap() {
            seen.push((change["collection"].as_str().unwrap().to_owned(), change["record"]["name"].clone()));
        }
        cursor = page["next"].as_str().unwrap().to_owned();
        if page["all"] == json!(true) {
            break;
        }
    }
    assert!(seen.contains(&("opportunity".to_owned(), json!("kyiv deal"))), "{seen:?}");
    assert!(!seen.contains(&("opportunity".to_owned(), json!("lviv deal"))), "{seen:?}");

    let headers = format!("Authorization: Bearer {}", shop.token);
    let mut lines = shop.visitor.listen_with(&format!("{ROOT}/changes/stream?after={cursor}"), &headers);
    hub.json(["create", "account", "name=Fresh"]);
    let data = lines.find_map(|line| line.strip_prefix("data: ").map(str::to_owned)).unwrap();
    let event: Value = serde_json::from_str(&data).unwrap();
    assert_eq!(event["changes"][0]["record"]["name"], json!("Fresh"), "{event}");
    assert_eq!(shop.get(&format!("/changes?after={cursor}"))["next"], event["next"]);
    assert_eq!(problem(&shop.call("GET", "/changes?after=never", &Value::Null), 422), "cursor_malformed");
    let foreign = format!("/changes?after={}-5", "0".repeat(cursor.split_once('-').unwrap().0.len()));
    assert_eq!(problem(&shop.call("GET", &foreign, &Value::Null), 410), "cursor_unknown");
}

/// Takes one request and answers with a status; gives the request's head and body.
fn take(listener: &TcpListener, status: &str) -> (String, Value) {
    listener.set_nonblocking(true).unwrap();
    let accepted = (0..300).find_map(|_| {
        std::thread::sleep(Duration::from_millis(100));
        listener.accept().ok()
    });
    let (mut socket, _) = accepted.expect("somebody calls");
    socket.set_nonblocking(false).unwrap();
    let mut reader = BufReader::new(socket.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
    }
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    write!(socket, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").unwrap();
    (head, serde_json::from_slice(&body).unwrap())
}

#[test]
fn a_webhook_gets_every_change_signed_until_it_is_taken() {
    let home = home();
    let mut hub = company(home.path());
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook?from=crm", receiver.local_addr().unwrap());
    let mut seller = Program::of(&hub, "anna@acme.example", "seller");
    let wanted = json!({"url": url, "collections": ["account"]});
    assert_eq!(problem(&seller.call("POST", "/webhooks", &wanted), 403), "denied_action");
    let mut admin = Program::of(&hub, "owner@acme.example", "admin");
    assert_eq!(problem(&admin.call("POST", "/webhooks", &json!({"url": "ftp://x"})), 422), "address_malformed");
    let made = document(&admin.call("POST", "/webhooks", &wanted), 201);
    let secret = made["secret"].as_str().unwrap().to_owned();

    hub.json(["create", "branch", "code=odesa", "name=Odesa"]);
    hub.json(["create", "account", "name=First"]);
    let (head, body) = take(&receiver, "503 Service Unavailable");
    assert!(head.starts_with("POST /hook?from=crm HTTP/1.1"), "{head}");
    assert_eq!(body["changes"].as_array().unwrap().len(), 1, "{body}");
    // What was not taken comes again by itself.
    let (_, again) = take(&receiver, "302 Found");
    assert_eq!(again, body);
    // Killed before it was taken: it comes again, with what was written meanwhile.
    hub.kill();
    hub.json(["create", "account", "name=Second"]);
    hub.serve();
    let (head, body) = take(&receiver, "204 No Content");
    let names: Vec<&Value> =
        body["changes"].as_array().unwrap().iter().map(|change| &change["record"]["name"]).collect();
    assert_eq!(names, [&json!("First"), &json!("Second")]);
    let signature = head.lines().find_map(|line| line.strip_prefix("branchline-signature: ")).unwrap();
    let (at, mac) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let mut expected = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    expected.update(format!("{at}.{body}").as_bytes());
    assert_eq!(mac, data_encoding::HEXLOWER.encode(&expected.finalize().into_bytes()));

    // What was taken does not come again; what nobody takes is told.
    admin.visitor = Visitor::new(hub.url());
    let id = made["id"].as_str().unwrap();
    drop(receiver);
    hub.json(["create", "account", "name=Third"]);
    let failing = (0..100).find_map(|_| {
        std::thread::sleep(Duration::from_millis(100));
        let hook = admin.get("/webhooks")["webhooks"][0].clone();
        (!hook["failure"].is_null()).then_some(hook)
    });
    let failing = failing.expect("a failure is told");
    assert!(failing["failure"]["attempts"].as_u64() >= Some(1) && failing.get("secret").is_none(), "{failing}");
    document(&admin.call("DELETE", &format!("/webhooks/{id}"), &Value::Null), 200);
    assert_eq!(admin.get("/webhooks")["webhooks"], json!([]));
    assert_eq!(problem(&admin.call("DELETE", "/webhooks/..%2Fx", &Value::Null), 404), "webhook_unknown");
}

#[test]
fn the_description_names_exactly_what_is_served() {
    let home = home();
    let hub = company(home.path());
    let mut shop = Program::of(&hub, "owner@acme.example", "shop");
    let described = shop.get("/openapi.json");
    assert_eq!(described["openapi"], json!("3.1.0"));
    let account = &described["components"]["schemas"]["account"]["properties"];
    assert_eq!(account["city"]["title"], json!("City"), "{account}");
    for (path, calls) in described["paths"].as_object().unwrap() {
        let path = path
            .replace("{collection}", "account")
            .replace("{record}", "x")
            .replace("{field}", "name")
            .replace("{value}", "x")
            .replace("{report}", "vip")
            .replace("{attachment}", "file")
            .replace("{id}", "x");
        for (method, call) in calls.as_object().unwrap() {
            assert!(call["summary"].as_str().is_some_and(|text| !text.contains("api-")), "{call}");
            // A stream does not end by itself; it is held by the test above.
            if call["operationId"] == json!("followChanges") {
                continue;
            }
            let answer = shop.call(&method.to_uppercase(), &path, &json!({}));
            assert!(answer.status != 405 && answer.status < 500, "{method} {path}: {answer:?}");
            assert!(!answer.body.contains("\"api_path\""), "{method} {path}: {answer:?}");
        }
    }
    let mut visitor = Visitor::new(hub.url()).reading("uk");
    let page = visitor.get(ROOT);
    assert!(page.body.contains("Створити запис") && page.body.contains("/records/{collection}"), "{page:?}");
    assert_eq!(problem(&visitor.get(&format!("{ROOT}/nothing")), 404), "api_path");
}

#[test]
fn what_is_malformed_or_too_large_is_a_problem_with_advice() {
    let home = home();
    let hub = company(home.path());
    let mut shop = Program::of(&hub, "anna@acme.example", "shop");
    let bearer = format!("Bearer {}", shop.token);
    let headers = [("Authorization", bearer.as_str())];
    let mut post = |body: &str| shop.visitor.send("POST", &format!("{ROOT}/records/lead"), &headers, body);
    assert_eq!(problem(&post("{"), 400), "body_malformed");
    assert_eq!(problem(&post("[]"), 400), "body_malformed");
    assert_eq!(problem(&post("{\"sise\": 1}"), 404), "unknown_field");
    assert_eq!(problem(&post("{\"emails\": {\"a\": 1}}"), 422), "wrong_type");
    assert_eq!(problem(&post(&format!("{{\"notes\": \"{}\"}}", "x".repeat(9 << 20))), 413), "body_large");
    assert_eq!(problem(&shop.call("POST", "/records/account", &json!({})), 422), "required_field");
    for (path, status, code) in [
        ("/records/nothing", 404, "unknown_collection"),
        ("/records/lead?where=name%20%3D", 422, "filter_syntax"),
        ("/records/lead?sort=sise", 404, "unknown_field"),
        ("/records/lead?limit=0", 422, "api_limit"),
        ("/records/lead?limit=many", 400, "query_malformed"),
        ("/records/lead?wher=x", 400, "query_malformed"),
        ("/search", 400, "query_malformed"),
    ] {
        let answer = shop.call("GET", path, &Value::Null);
        assert_eq!(problem(&answer, status), code, "{path}");
    }
}
