//! What the pictures of the workplace in the README and the book are made from: `docs/screenshots` runs this, and nothing
//! else does.

use std::sync::Arc;

use branchline_core::crm;
use branchline_core::replica::{Environment as _, Replica, SystemEnvironment};
use branchline_tests::checkout;
use branchline_tests::process::{Node, home};

use crate::driver::Driver;

/// Each picture: name, page, whether it is dark, whether it is of a phone.
const PICTURES: [(&str, &str, bool, bool); 5] = [
    ("web-today", "/today", false, false),
    ("web-board", "/board/opportunity", false, false),
    ("web-calendar", "/calendar?view=week&who=all", true, false),
    ("web-report", "/reports/funnel", false, false),
    ("web-phone", "/c/account", false, true),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "checks nothing: docs/screenshots runs it"]
async fn pictures_of_the_workplace() {
    let (home, driver) = (home(), Driver::start());
    let mut hub = Node::new(home.path(), "hub");
    hub.json(["init", "--name", "Express", "--owner", "owner@acme.example"]);
    let replica = Replica::open(hub.dir(), crm::builtin().clone(), Arc::new(SystemEnvironment)).unwrap();
    crm::demo::company(&replica, &crm::demo::Spec { seed: 7, accounts: 240, today: SystemEnvironment.now().day() })
        .unwrap();
    drop(replica);
    let people = hub.json(["sql", "SELECT u.email AS email, count(*) AS n FROM activity a JOIN user u ON u.id = a.owner WHERE a.done_at IS NULL GROUP BY 1 ORDER BY 2 DESC LIMIT 1"]);
    let seller = people[0]["email"].as_str().unwrap().to_owned();
    hub.serve();
    let mut browser = driver.browser().await;
    browser.sign_in(&hub, &seller).await;
    let folder = checkout().join("target/screenshots/book");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, page, dark, phone) in PICTURES {
        browser.look(dark, phone).await;
        browser.open(page).await;
        browser.see("main h1").await;
        std::fs::write(folder.join(format!("{name}.png")), browser.view().await).unwrap();
    }
    browser.close().await;
}
