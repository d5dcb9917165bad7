//! Every page that can be reached: in three languages, light and dark, at a desk and on a phone; what stands in the way
//! of people who see or move differently; words that come from nowhere.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;

use crate::company::{MARK, company};
use crate::driver::{Browser, Driver, axe};

/// Words that stand alike in every language.
const COMMON: [&str; 10] =
    ["Chrome · Linux", "English", "Русский", "Українська", "CSV", "XLSX", "UTC", "HTTP API", "Branchline", "Ctrl+K"];
/// Most kinds of pages: a crawl that finds more has lost its way.
const PAGES_MAX: usize = 120;

// `/c/account/0190…` and `/c/account/0191…` are one kind of page.
fn kind(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let parts = path.split('/').map(|part| if part.len() >= 32 && part.contains('-') { "id" } else { part });
    let kind = parts.collect::<Vec<_>>().join("/");
    // Lists of all collections are one page; those of deals and activities stand for them.
    match kind.split('/').collect::<Vec<_>>().as_slice() {
        ["", "c", collection, rest @ ..] if !["opportunity", "account", "activity", "lead"].contains(collection) => {
            format!("/c/other/{}", rest.join("/"))
        }
        ["", "admin", "schema", _] => "/admin/schema/collection".to_owned(),
        ["", "admin", "schema", _, _] => "/admin/schema/collection/field".to_owned(),
        ["", "duplicates", collection, rest @ ..] if *collection != "account" => {
            format!("/duplicates/other/{}", rest.join("/"))
        }
        _ => kind,
    }
}

/// One address of every kind of page, found by following links.
async fn pages(browser: &Browser) -> BTreeMap<String, String> {
    let (mut found, mut queue) = (BTreeMap::new(), VecDeque::from(["/today".to_owned()]));
    while let Some(path) = queue.pop_front() {
        if found.contains_key(&kind(&path)) {
            continue;
        }
        browser.open(&path).await;
        found.insert(kind(&path), path);
        assert!(found.len() <= PAGES_MAX, "{:?}", found.keys());
        let links = "return [...document.querySelectorAll('main a[href], nav a[href], header a[href]')]
            .filter(a => a.origin === location.origin && !a.hasAttribute('download') && !a.pathname.startsWith('/api/') && a.pathname !== '/health'
                && !/[.](csv|xlsx|ics|svg|zip)$/.test(a.pathname) && !a.pathname.startsWith('/files/') && !/format=/.test(a.search))
            .map(a => a.pathname + a.search)";
        let links = browser.run(links, Vec::new()).await;
        queue.extend(links.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
    }
    found
}

fn name_of(kind: &str) -> String {
    kind.trim_matches('/').replace('/', "-")
}

/// What stands on the page as words: texts, and what is read aloud or shown in empty fields.
async fn words(browser: &Browser) -> BTreeSet<String> {
    let script = "const out = [];
        const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (walk.nextNode()) {
            const e = walk.currentNode.parentElement;
            if (!e.closest('script, style, code, pre, time, option[value]:not([value=\"\"]) [data-x]')) out.push(walk.currentNode.textContent);
        }
        for (const e of document.querySelectorAll('[title], [placeholder], [aria-label], [alt]'))
            for (const a of ['title', 'placeholder', 'aria-label', 'alt']) if (e.hasAttribute(a) && !e.closest('code')) out.push(e.getAttribute(a));
        return out";
    let all = browser.run(script, Vec::new()).await;
    let texts = all.as_array().into_iter().flatten().filter_map(Value::as_str);
    texts.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|text| !text.is_empty()).collect()
}

// Names of the company, numbers, addresses and the like are no words of the program.
fn is_data(text: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    letters < 2
        || text.contains(MARK)
        || text.contains('@')
        || text.starts_with('/')
        || text.chars().any(|c| c.is_ascii_digit())
        || COMMON.contains(&text)
        || text.chars().all(|c| c.is_ascii_uppercase())
        || text == "kyiv"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_page_is_translated_and_has_no_barriers() {
    let (company, driver, axe) = (company(), Driver::start(), axe());
    let mut browser = driver.browser().await;
    browser.sign_in(&company.hub, "owner§@acme.example").await;
    let pages = pages(&browser).await;
    assert!(pages.len() >= 10, "{pages:?}");
    let mut faults = Vec::new();
    for (kind, path) in &pages {
        let mut spoken: Vec<BTreeSet<String>> = Vec::new();
        for language in ["en", "ru", "uk"] {
            browser.speak(language).await;
            browser.look(false, false).await;
            browser.open(path).await;
            let words = words(&browser).await;
            for word in words.iter().filter(|word| word.split(' ').any(is_message_id)) {
                faults.push(format!("{kind} {language}: “{word}” is the id of a text"));
            }
            spoken.push(words);
            if language == "en" {
                for barrier in browser.barriers(&axe).await {
                    faults.push(format!("{kind}: {barrier}"));
                }
                for (name, dark, phone) in [
                    ("desk", false, false),
                    ("desk-dark", true, false),
                    ("phone", false, true),
                    ("phone-dark", true, true),
                ] {
                    browser.look(dark, phone).await;
                    if dark && !phone {
                        faults.extend(
                            browser.barriers(&axe).await.iter().map(|barrier| format!("{kind} dark: {barrier}")),
                        );
                    }
                    if phone && !dark {
                        let wide =
                            browser.run("return document.documentElement.scrollWidth - innerWidth", Vec::new()).await;
                        if wide.as_i64().unwrap_or(0) > 1 {
                            faults.push(format!("{kind}: {wide} px wider than a phone"));
                        }
                    }
                    browser.picture(&format!("{}-{name}", name_of(kind))).await;
                }
            } else {
                browser.picture(&format!("{}-{language}", name_of(kind))).await;
            }
        }
        let alike = spoken[0].intersection(&spoken[2]).filter(|text| !is_data(text));
        faults.extend(alike.map(|text| format!("{kind}: “{text}” is the same in English and Ukrainian")));
        faults.extend(browser.complaints().await.iter().map(|complaint| format!("{kind}: {complaint}")));
    }
    browser.close().await;
    assert!(faults.is_empty(), "{} pages, {} faults:\n{}", pages.len(), faults.len(), faults.join("\n"));
}

fn is_message_id(word: &str) -> bool {
    ["web-", "api-", "col-", "label-"].iter().any(|start| word.starts_with(start))
}
