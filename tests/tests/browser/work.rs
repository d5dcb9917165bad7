//! What people do all day, with the hands: records, the board, a conflict between two branches' browsers, and what must
//! not work.

use branchline_core::replica::{Environment as _, SystemEnvironment};
use branchline_tests::process::Node;
use serde_json::json;

use crate::company::{Company, company};
use crate::driver::{Driver, axe};

fn id(node: &Node, collection: &str, name: &str) -> String {
    let found = node.json(["list", collection, "--where", &format!("name = \"{name}\"")]);
    found[0]["id"].as_str().unwrap_or_else(|| panic!("no {name}: {found}")).to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_client_is_made_found_and_changed_by_hand() {
    let (Company { home: _home, hub }, driver) = (company(), Driver::start());
    let mut browser = driver.browser().await;
    browser.sign_in(&hub, "anna@acme.example").await;
    browser.open("/c/account/new").await;
    browser.enter("[name='f.name']", "Нова Хвиля§").await;
    browser.enter("[name='f.city']", "Київ§").await;
    browser.press("form.record p.actions button").await;
    browser.read("Нова Хвиля§").await;
    browser.enter("header input[type=search]", "нова хви\n").await;
    browser.press("a[data-hit]").await;
    browser.read("Київ§").await;
    let made = hub.json(["show", "account", "name=Нова Хвиля§", "--history"]);
    assert_eq!(made["history"][0]["user"]["label"], json!("Анна§"), "{made}");
    // A script in a note is a text.
    hub.json([
        "edit",
        "account",
        "name=Нова Хвиля§",
        "notes=<script>document.title='broken in'</script><img src=x onerror=\"document.title='broken in'\">§",
    ]);
    browser.open(&format!("/c/account/{}", id(&hub, "account", "Нова Хвиля§"))).await;
    browser.read("<script>document.title").await;
    assert!(!browser.client.title().await.unwrap().contains("broken in"));
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_card_is_dragged_to_another_stage() {
    let (Company { home: _home, hub }, driver) = (company(), Driver::start());
    let mut browser = driver.browser().await;
    browser.sign_in(&hub, "anna@acme.example").await;
    let anna = hub.json(["show", "user", "anna@acme.example"])["id"].as_str().unwrap().to_owned();
    browser.open(&format!("/board/opportunity?is.owner={anna}&to=2026-12-31")).await;
    let deal = id(&hub, "opportunity", "Зимове замовлення§");
    browser.drag(&format!("[data-card$='{deal}']"), "[data-stage='qualified']").await;
    browser.see(&format!("[data-stage='qualified'] [data-card$='{deal}']")).await;
    assert_eq!(hub.json(["show", "opportunity", &deal])["fields"]["stage"], json!("qualified"));
    // The board is still narrowed then, also to what comes in by itself.
    assert!(browser.at().await.contains(&format!("is.owner={anna}")), "{}", browser.at().await);
    for (name, day) in [("Пізня§", "2027-05-01"), ("Рання§", "2026-12-01")] {
        let values = [format!("name={name}"), format!("expected_on={day}"), "owner=anna@acme.example".to_owned()];
        hub.json(["create", "opportunity", "stage=new"].into_iter().map(str::to_owned).chain(values));
    }
    browser.read("Рання§").await;
    assert!(!browser.text().await.contains("Пізня§"));
    // Within a stage a card is put where it shall stand, with the hand or by its buttons.
    let early = id(&hub, "opportunity", "Рання§");
    hub.json(["edit", "opportunity", &early, "stage=qualified"]);
    let order = |first: &str, second: &str| {
        format!("[data-stage='qualified'] li:nth-child(1)[data-card$='{first}'] + [data-card$='{second}']")
    };
    browser.see(&order(&deal, &early)).await;
    browser.drag(&format!("[data-card$='{early}']"), "[data-stage='qualified'] h2").await;
    browser.see(&order(&early, &deal)).await;
    browser.press(&format!("[data-card$='{deal}'] .step:not(:disabled)")).await;
    browser.see(&order(&deal, &early)).await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn two_browsers_on_two_nodes_collide_and_a_person_decides() {
    let (Company { home, mut hub }, driver) = (company(), Driver::start());
    let code = hub.json(["invite", "--as", "branch", "--name", "kyiv"])["code"].as_str().unwrap().to_owned();
    let mut branch = Node::new(home.path(), "branch");
    branch.json(["join", &code]);
    branch.json(["sync"]);
    // The line is cut: the hub is away while both work.
    let deal = id(&hub, "opportunity", "Насоси§");
    branch.json(["pause"]);
    branch.serve();
    let (mut there, mut here) = (driver.browser().await, driver.browser().await);
    there.sign_in(&branch, "anna@acme.example").await;
    here.sign_in(&hub, "owner§@acme.example").await;
    for (browser, amount) in [(&there, "41000 UAH"), (&here, "39000 UAH")] {
        browser.open(&format!("/c/opportunity/{deal}/edit")).await;
        browser.enter("[name='f.amount']", amount).await;
        browser.send("form.record p.actions button").await;
    }
    // An open page of head office hears of it by itself when the line is back.
    here.open("/conflicts").await;
    branch.json(["resume"]);
    here.read("41").await;
    here.open(&format!("/c/opportunity/{deal}")).await;
    here.read("41").await;
    let open = hub.json(["conflicts"]);
    assert_eq!(open.as_array().unwrap().len(), 1, "{open}");
    here.open("/conflicts").await;
    here.send("main form button").await;
    assert_eq!(hub.json(["conflicts"]), json!([]));
    let kept = hub.json(["show", "opportunity", &deal])["fields"]["amount"].clone();
    there.open(&format!("/c/opportunity/{deal}")).await;
    let (whole, _) = kept["value"].as_str().unwrap().split_once("000").unwrap();
    there.read(&format!("{whole}\u{202f}000")).await;
    there.close().await;
    here.close().await;
    hub.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_foreign_session_and_a_form_of_another_site_do_nothing() {
    let (Company { home: _home, hub }, driver) = (company(), Driver::start());
    let mut browser = driver.browser().await;
    browser.sign_in(&hub, "anna@acme.example").await;
    let account = id(&hub, "account", "Янтар§");
    // Another origin: the same server under another name, so that the session's cookie does not follow it there.
    let port = hub.url().rsplit(':').next().unwrap().trim_end_matches('/').to_owned();
    let form = format!(
        "data:text/html,<form method=post action='http://127.0.0.1:{port}/c/account/{account}/archive'><input name=archived value=yes><button>go</button></form>"
    );
    browser.client.goto(&form).await.unwrap();
    browser.send("button").await;
    assert_eq!(hub.json(["show", "account", &account])["archived"], json!(false));
    let stranger = driver.browser().await;
    stranger.client.goto(hub.url()).await.unwrap();
    stranger.run("document.cookie = 'branchline_session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA; Path=/'", Vec::new()).await;
    stranger.client.goto(&format!("{}/c/account", hub.url().trim_end_matches('/'))).await.unwrap();
    assert!(stranger.client.current_url().await.unwrap().path().starts_with("/sign-in"));
    assert!(!stranger.text().await.contains("Янтар§"));
    browser.close().await;
    stranger.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_reminder_pops_up_on_an_open_page_and_news_are_looked_at() {
    let (Company { home: _home, hub }, driver, axe) = (company(), Driver::start(), axe());
    let mut browser = driver.browser().await;
    browser.sign_in(&hub, "anna@acme.example").await;
    browser.open("/c/account").await;
    browser.run("window.stayed = true; document.querySelector('[name=q]').focus()", Vec::new()).await;
    // The page hears of the activity when it is written, and of its reminder by the clock alone.
    let soon = SystemEnvironment.now().plus(4_000).rfc3339();
    let values = ["kind=call", "owner=anna@acme.example", "subject=Подзвонити§"].map(str::to_owned);
    hub.json(["create", "activity"].into_iter().map(str::to_owned).chain(values).chain([format!("remind_at={soon}")]));
    browser.see(".reminders[data-in]:not([data-in=''])").await;
    assert!(!browser.text().await.contains("Подзвонити§"));
    let due = browser.see(".reminders .reminder").await;
    assert!(due.contains("Reminder") && due.contains("Подзвонити§"), "{due}");
    assert_eq!(browser.run("return window.stayed", Vec::new()).await, json!(true), "without a new page");
    assert_eq!(browser.barriers(&axe).await, Vec::<String>::new());
    for (dark, phone) in [(false, false), (true, true)] {
        browser.look(dark, phone).await;
        browser.open("/today").await;
        browser.see("#told").await;
        assert_eq!(browser.barriers(&axe).await, Vec::<String>::new());
        browser.picture(&format!("told-{}", if phone { "phone-dark" } else { "desk" })).await;
    }
    browser.open("/c/account").await;
    browser.send(".reminder button[value=later]").await;
    assert_eq!(browser.at().await, "/c/account", "one goes on where one was");
    assert!(!browser.text().await.contains("Подзвонити§"));
    browser.press("header .told").await;
    browser.press("#told button").await;
    browser.see("body:not(:has(#told)) main h1").await;
    browser.see("body:not(:has(header .told)) main h1").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.close().await;
}
