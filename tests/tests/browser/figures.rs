//! How a company begins, by hand: a second factor, a file of sales through the wizard, the report of it with the records
//! behind a row.

use branchline_tests::data_dir;
use branchline_tests::process::{Node, home};
use branchline_tests::visitor::code;

use crate::driver::Driver;

const OWNER: &str = "owner@acme.example";
const PASSWORD: &str = "correct horse battery";
const ROWS: &str = "8800";

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_code_is_asked_besides_the_password() {
    let (home, driver) = (home(), Driver::start());
    let mut hub = Node::new(home.path(), "hub");
    hub.json(["init", "--name", "Express", "--owner", OWNER]);
    hub.serve();
    let mut browser = driver.browser().await;
    browser.sign_in(&hub, OWNER).await;
    browser.press("header .who").await;
    browser.enter("[name=password]", PASSWORD).await;
    browser.enter("[name=again]", PASSWORD).await;
    browser.send("form[action='/account/password'] button").await;
    browser.press("a[href='/account/second']").await;
    let secret = browser.see("code.secret").await;
    browser.enter("[name=code]", &code(&secret, 0)).await;
    browser.enter("[name=current]", PASSWORD).await;
    browser.send("form[action='/account/second'] button").await;
    browser.read("A code is asked besides the password.").await;
    browser.press("header form[action='/sign-out'] button").await;
    browser.enter("[name=email]", OWNER).await;
    browser.enter("[name=password]", PASSWORD).await;
    browser.press("form.door button").await;
    browser.enter("[name=code]", "000000").await;
    browser.press("form.door button").await;
    browser.see("[role=alert]").await;
    // A code counts once: the next one is of half a minute later.
    browser.enter("[name=code]", &code(&secret, 1)).await;
    browser.press("form.door button").await;
    browser.see("header .who").await;
    assert_eq!(browser.at().await, "/today");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_file_of_sales_becomes_a_report_whose_rows_lead_to_their_deals() {
    let (home, driver) = (home(), Driver::start());
    let mut hub = Node::new(home.path(), "hub");
    hub.json(["init", "--name", "Express", "--owner", OWNER]);
    hub.json(["create", "branch", "code=kyiv", "name=Kyiv"]);
    hub.serve();
    let mut browser = driver.browser().await;
    browser.sign_in(&hub, OWNER).await;
    browser.press("nav a[href='/import']").await;
    browser.choose("#collection", "opportunity").await;
    let file = data_dir().join("crm-sales-opportunities/sales_pipeline.csv");
    browser.enter("#file", file.to_str().unwrap()).await;
    browser.send("main form button").await;
    for (column, field) in [
        ("0", "external_id"),
        ("2", "product"),
        ("3", "account"),
        ("4", "stage"),
        ("5", "opened_on"),
        ("6", "closed_on"),
        ("7", "amount"),
    ] {
        browser.choose(&format!("[name='to.{column}']"), field).await;
    }
    // What each column needs is asked once it is known what the columns are.
    browser.send("[name=act][value=map]").await;
    browser.choose("#key", "opportunity_id").await;
    browser.choose("#branch", "kyiv").await;
    browser.enter("#template", "{product} · {account}").await;
    for column in ["2", "3"] {
        browser.choose(&format!("[name='by.{column}']"), "name").await;
        browser.choose(&format!("[name='missing.{column}']"), "create").await;
    }
    browser.enter("[name='currency.7']", "USD").await;
    for (text, stage) in [("Won", "won"), ("Engaging", "qualified"), ("Lost", "lost"), ("Prospecting", "new")] {
        browser.choose_beside(text, stage).await;
    }
    browser.press("[name=act][value=check]").await;
    browser.patiently("Nothing was written").await;
    browser.press("[name=act][value=run]").await;
    browser.patiently("Take this import back").await;
    let count = hub.json(["sql", "SELECT count(*) AS n FROM opportunity WHERE external_id IS NOT NULL"]);
    assert_eq!(count[0]["n"].to_string(), ROWS, "{count}");

    browser.press("nav a[href='/reports']").await;
    browser.press("a[href='/reports/funnel']").await;
    browser.see("figure.chart").await;
    let table = browser.see("main table").await;
    assert!(table.contains("Won") && table.contains("4\u{202f}238"), "{table}");
    let behind = "return [...document.querySelectorAll('main tbody tr')].find(r => r.innerText.includes('4\u{202f}238')).querySelector('a').click()";
    browser.run(behind, Vec::new()).await;
    // The list behind the row has as many records as the row says.
    browser.read("4238 records").await;
    assert!(browser.at().await.starts_with("/c/opportunity?where="), "{}", browser.at().await);
    browser.close().await;
}
