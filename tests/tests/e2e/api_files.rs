//! Files and figures over the HTTP API, and how much a server holds in memory while files come and go.

use branchline_tests::process::{Node, home};
use branchline_tests::visitor::{Answer, Visitor};
use serde_json::{Value, json};

use crate::api::{Program, ROOT, company, document, problem};
use crate::workplace::signed_in;

fn sent(program: &mut Program, path: &str, media: &str, bytes: &str) -> Answer {
    let bearer = format!("Bearer {}", program.token);
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", media)];
    program.visitor.send("POST", &format!("{ROOT}{path}"), &headers, bytes)
}

fn deal(hub: &Node, name: &str) -> String {
    hub.json(["list", "opportunity", "--where", &format!("name = \"{name}\"")])[0]["id"].as_str().unwrap().to_owned()
}

// Breaks a byte of every attachment that a server holds.
fn damage(hub: &Node) {
    for file in std::fs::read_dir(hub.dir().join("blobs")).unwrap() {
        let path = file.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
}

#[test]
fn files_of_a_record_are_added_listed_and_fetched_by_who_sees_it() {
    let home = home();
    let hub = company(home.path());
    let mut shop = Program::of(&hub, "anna@acme.example", "shop");
    let path = format!("/records/opportunity/{}/attachments", deal(&hub, "kyiv deal"));
    assert_eq!(shop.get(&path), json!({"attachments": [], "next": null}));
    let made = sent(&mut shop, &format!("{path}?name=..%2Foffer.txt"), "text/plain", "Forty pumps");
    let id = document(&made, 201)["id"].as_str().unwrap().to_owned();
    assert_eq!(made.header("location"), format!("{ROOT}/records/attachment/{id}"));
    document(&sent(&mut shop, &format!("{path}?name=page.html"), "text/html", "<script>"), 201);
    let first = shop.get(&format!("{path}?limit=1"));
    assert_eq!(first["attachments"][0]["name"], json!("page.html"), "{first}");
    let rest = shop.get(&format!("{path}?after={}", first["next"].as_str().unwrap()));
    let file = &rest["attachments"][0]["file"];
    assert_eq!((&file["name"], &file["size"], &file["media"]), (&json!("offer.txt"), &json!(11), &json!("text/plain")));

    let place = format!("/records/attachment/{id}/files/file");
    let down = shop.call("GET", &place, &Value::Null);
    assert_eq!((down.status, down.body.as_str()), (200, "Forty pumps"));
    assert_eq!(down.header("content-type"), "application/octet-stream");
    assert_eq!(down.header("content-disposition"), "attachment; filename=\"offer.txt\"");
    assert_eq!(
        problem(&shop.call("GET", &place.replace("/files/file", "/files/name"), &Value::Null), 404),
        "file_empty"
    );
    assert_eq!(problem(&sent(&mut shop, &path, "text/plain", "x"), 400), "query_malformed");

    // Neither bytes nor list for who does not see the deal; nothing is taken from who may not make files.
    let mut lviv = Program::of(&hub, "oleh@acme.example", "lviv");
    assert_eq!(problem(&lviv.call("GET", &place, &Value::Null), 404), "record_not_found");
    assert_eq!(problem(&lviv.call("GET", &path, &Value::Null), 404), "record_not_found");
    assert_eq!(problem(&sent(&mut lviv, &format!("{path}?name=x"), "text/plain", "x"), 404), "record_not_found");
    hub.json(["users", "add", "rita", "--email", "rita@acme.example", "--role", "reader", "--branch", "kyiv"]);
    let mut reader = Program::of(&hub, "rita@acme.example", "reader");
    assert_eq!(problem(&sent(&mut reader, &format!("{path}?name=x"), "text/plain", "x"), 403), "denied_action");
    assert_eq!(reader.call("GET", &place, &Value::Null).status, 200);
}

#[test]
fn a_damaged_file_is_never_handed_out_as_if_it_were_whole() {
    let home = home();
    let hub = company(home.path());
    let mut shop = Program::of(&hub, "anna@acme.example", "shop");
    let path = format!("/records/opportunity/{}/attachments", deal(&hub, "kyiv deal"));
    let mut ids = Vec::new();
    for bytes in ["small".to_owned(), "large ".repeat(400_000)] {
        let made = document(&sent(&mut shop, &format!("{path}?name=offer.txt"), "text/plain", &bytes), 201);
        ids.push(made["id"].as_str().unwrap().to_owned());
    }
    let mut anna = signed_in(&hub, "anna@acme.example");
    let places: Vec<[String; 2]> = ids
        .iter()
        .map(|id| [format!("{ROOT}/records/attachment/{id}/files/file"), format!("/c/attachment/{id}/file/file")])
        .collect();
    let bearer = format!("Bearer {}", shop.token);
    let mut fetched = |place: &str| anna.send("GET", place, &[("Authorization", &bearer)], "");
    let is_whole = |answer: &Answer| answer.status == 200 && answer.is_whole;
    assert!(places[1].iter().all(|place| is_whole(&fetched(place))));
    damage(&hub);
    for place in &places[0] {
        assert_eq!(fetched(place).status, 422, "{place}");
    }
    for place in &places[1] {
        let answer = fetched(place);
        assert!(!is_whole(&answer), "{place}: {}", answer.wire_bytes);
    }
}

#[test]
fn files_come_and_go_without_being_held_in_memory() {
    const FILE_BYTES: usize = 30 << 20;
    let home = home();
    let hub = company(home.path());
    let mut shop = Program::of(&hub, "anna@acme.example", "shop");
    let mut anna = signed_in(&hub, "anna@acme.example");
    let deal = deal(&hub, "kyiv deal");
    assert_eq!(anna.get("/today").status, 200);
    let before = hub.peak_bytes();
    let bytes = "0123456789abcdef".repeat(FILE_BYTES / 16);
    let path = format!("/records/opportunity/{deal}/attachments?name=film.bin");
    let made = document(&sent(&mut shop, &path, "application/octet-stream", &bytes), 201);
    assert_eq!(
        anna.upload(&format!("/c/opportunity/{deal}/attach"), &[], ("file", "film.bin", bytes.as_bytes())).status,
        303
    );
    let id = made["id"].as_str().unwrap();
    let down = shop.call("GET", &format!("/records/attachment/{id}/files/file"), &Value::Null);
    assert!(down.wire_bytes > FILE_BYTES, "{}", down.wire_bytes);
    assert!(anna.get(&format!("/c/attachment/{id}/file/file")).wire_bytes > FILE_BYTES);
    let grown = hub.peak_bytes().saturating_sub(before);
    assert!(grown < FILE_BYTES as u64 / 2, "{grown} bytes for files of {FILE_BYTES}");
}

#[test]
fn reports_have_the_figures_of_the_command_line_for_what_one_sees() {
    let home = home();
    let hub = company(home.path());
    let mut admin = Program::of(&hub, "owner@acme.example", "admin");
    let reports = admin.get("/reports");
    let names: Vec<&str> = reports["reports"].as_array().unwrap().iter().filter_map(|r| r["name"].as_str()).collect();
    assert!(names.len() == 8 && names.contains(&"vip"), "{reports}");
    for name in &names {
        assert_eq!(admin.get(&format!("/reports/{name}")), hub.json(["report", name]), "{name}");
    }
    let asked = hub.json(["report", "funnel", "--by", "branch", "--from", "today-1d", "--to", "today"]);
    assert_eq!(admin.get("/reports/funnel?by=branch&from=today-1d&to=today"), asked);
    assert_eq!(asked["rows"].as_array().unwrap().len(), 2, "{asked}");
    let mut shop = Program::of(&hub, "anna@acme.example", "shop");
    let own = shop.get("/reports/funnel?by=branch");
    assert!(own.to_string().contains("kyiv") && own["rows"].as_array().unwrap().len() == 1, "{own}");
    for (path, status, code) in [
        ("/reports/nothing", 404, "unknown_report"),
        ("/reports/vip?by=nothing", 404, "unknown_field"),
        ("/reports/vip?from=soon", 422, "report_day"),
        ("/reports/vip?form=soon", 400, "query_malformed"),
    ] {
        assert_eq!(problem(&admin.call("GET", path, &Value::Null), status), code, "{path}");
    }
    let mut visitor = Visitor::new(hub.url());
    assert_eq!(problem(&visitor.get(&format!("{ROOT}/reports")), 401), "token_unknown");
}
