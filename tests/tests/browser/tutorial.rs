//! The tutorial of the workplace, walked through as it is written: its shell blocks are run, and in the steps of its lists
//! each **name** must be on the screen at that moment, to be pressed, filled in or read.
//!
//! A step is read by its verbs: *press* or *open* a name, *write* a text in a field, *choose* an entry in a list, *pick* a
//! day in a field, *drag* a card to a stage, *see* a text. Whose browser it is says the name that the paragraph above a list
//! has first.

use std::path::Path;
use std::time::Instant;

use branchline_tests::checkout;
use branchline_tests::process::{Node, Server, home, shell};
use fantoccini::elements::{Element, ElementRef};
use fantoccini::error::CmdError;
use serde_json::{Value, json};

use crate::driver::{Browser, Driver, STEP, WAIT};

const PEOPLE: [&str; 2] = ["Olha", "Taras"];

/// Gives what a name means on the screen: the content of the page goes before what is around it, and what is nearest to
/// another text before what is farther from it.
const FIND: &str = r#"
    const [kind, name, beside] = arguments;
    const flat = (text) => (text ?? "").replace(/\s+/g, " ").trim();
    const said = (node) => {
        const copy = node.cloneNode(true);
        for (const part of copy.querySelectorAll("small, .required, select, input, textarea, datalist")) part.remove();
        return flat(copy.textContent);
    };
    const is = (text) => text === name || text.startsWith(`${name} · `);
    const [css, named] = {
        press: ["a, button, summary", (node) => is(said(node)) || is(flat(node.ariaLabel))],
        field: ["input:not([type=hidden]), select, textarea", (node) =>
            [node.ariaLabel, node.placeholder].some((text) => is(flat(text))) || [...node.labels].some((label) => is(said(label)))],
        card: ["[data-card]", (node) => flat(node.textContent).includes(name)],
        stage: ["[data-stage]", (node) => is(flat(node.ariaLabel))],
    }[kind];
    const far = (node) => {
        let steps = 0;
        for (let at = node; at && !flat(at.textContent).includes(beside); at = at.parentElement) steps += 1;
        return steps;
    };
    const found = ["main", "body"].flatMap((root) => [...document.querySelectorAll(`${root} :is(${css})`)])
        .filter((node) => node.checkVisibility() && named(node));
    return (beside ? found.sort((a, b) => far(a) - far(b)) : found)[0] ?? null;
"#;

const READ: &str = r#"
    const flat = (text) => text.replace(/\s+/g, " ").toLowerCase();
    return flat(document.body.innerText).includes(flat(arguments[0]))
        || [...document.querySelectorAll("[aria-label]")].some((node) => flat(node.ariaLabel) === flat(arguments[0]));
"#;

/// What a page hands over: a link to sign in, and the line with which a computer joins.
const SHOWN: &str = "return [...document.querySelectorAll('main pre code')].map((code) => code.textContent)";

/// Tomorrow at ten, as a browser's own picker leaves it.
const PICK: &str = r#"
    const local = new Date(Date.now() + 864e5 - new Date().getTimezoneOffset() * 6e4);
    arguments[0].value = `${local.toISOString().slice(0, 10)}T10:00`;
    return arguments[0].value;
"#;

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    /// Between two stars on each side: what the screen says.
    Name(String),
    /// Between back quotes: what somebody types or typed.
    Text(String),
}

enum Part {
    Run(String),
    Serve(String),
    Save(String, String),
    Step(usize, Vec<Token>),
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (at, piece) in text.split("**").enumerate() {
        if at % 2 == 1 {
            tokens.push(Token::Name(piece.to_owned()));
            continue;
        }
        for (at, piece) in piece.split('`').enumerate() {
            match at % 2 {
                1 => tokens.push(Token::Text(piece.to_owned())),
                _ => tokens.extend(
                    piece
                        .split_whitespace()
                        .map(|word| Token::Word(word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase())),
                ),
            }
        }
    }
    tokens
}

/// The parts of a page in their order; its last section says where to go on.
fn parts(page: &str) -> Vec<Part> {
    let (page, _) = page.split_once("\n## Where to go on").unwrap();
    let (mut parts, mut who, mut file) = (Vec::new(), 0, String::new());
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        if let Some(kind) = line.strip_prefix("```") {
            let block: String = lines.by_ref().take_while(|line| *line != "```").map(|l| format!("{l}\n")).collect();
            parts.push(match kind {
                "sh" => Part::Run(block),
                "sh,server" => Part::Serve(block),
                "csv" => Part::Save(file.clone(), block),
                other => panic!("{other}"),
            });
            continue;
        }
        let mut text = line.to_owned();
        while let Some(more) = lines.next_if(|line| !line.is_empty() && !line.starts_with("- ")) {
            text = format!("{text} {}", more.trim());
        }
        let tokens = tokens(text.strip_prefix("- ").unwrap_or(&text));
        if text.starts_with("- ") {
            parts.push(Part::Step(who, tokens));
            continue;
        }
        let named = PEOPLE.iter().enumerate().filter_map(|(person, name)| Some((text.find(name)?, person))).min();
        who = named.map_or(who, |(_, person)| person);
        if let Some(Token::Text(text)) = tokens.iter().rfind(|token| matches!(token, Token::Text(_))) {
            file.clone_from(text);
        }
    }
    parts
}

/// Somebody who does what a step says.
struct Hand<'a> {
    browser: &'a Browser,
    folder: &'a Path,
    step: String,
}

impl Hand<'_> {
    async fn find(&self, kind: &str, name: &str, beside: &str) -> Element {
        let until = Instant::now() + WAIT;
        loop {
            let found = self.browser.run(FIND, vec![json!(kind), json!(name), json!(beside)]).await;
            let id = found.as_object().and_then(|found| found.values().next()).and_then(Value::as_str);
            if let Some(id) = id {
                return Element::from_element_id(self.browser.client.clone(), ElementRef::from(id.to_owned()));
            }
            assert!(Instant::now() < until, "no {kind} “{name}”: {}\n{}", self.step, self.browser.text().await);
            tokio::time::sleep(STEP).await;
        }
    }

    async fn press(&self, name: &str, beside: &str) {
        let until = Instant::now() + WAIT;
        loop {
            let found = self.find("press", name, beside).await;
            self.browser.leave().await;
            let pressed = async {
                let leads = found.tag_name().await? != "summary";
                found.click().await?;
                Ok::<_, CmdError>(leads)
            };
            match pressed.await {
                Ok(true) => return self.browser.arrive().await,
                Ok(false) => return,
                // A live page has put another in its place.
                Err(e) if e.is_stale_element_reference() && Instant::now() < until => tokio::time::sleep(STEP).await,
                Err(e) => panic!("“{name}” cannot be pressed: {}: {e}", self.step),
            }
        }
    }

    async fn write(&self, text: &str, field: &str) {
        let field = self.find("field", field, "").await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    async fn choose(&self, entry: &str, field: &str) {
        let list = self.find("field", field, "").await;
        if list.attr("type").await.unwrap().as_deref() == Some("file") {
            return list.send_keys(self.folder.join(entry).to_str().unwrap()).await.unwrap();
        }
        let sends = list.attr("data-submits").await.unwrap().is_some();
        self.browser.leave().await;
        list.select_by_label(entry).await.unwrap_or_else(|e| panic!("no “{entry}”: {}: {e}", self.step));
        if sends {
            self.browser.arrive().await;
        }
    }

    async fn pick(&self, field: &str) {
        let field = self.find("field", field, "").await;
        let picked = self.browser.run(PICK, vec![serde_json::to_value(&field).unwrap()]).await;
        assert_ne!(picked, json!(""), "{}", self.step);
    }

    async fn drag(&self, card: &str, stage: &str) {
        let mut places = Vec::new();
        for (kind, name) in [("card", card), ("stage", stage)] {
            let attribute = format!("data-{kind}");
            let value = self.find(kind, name, "").await.attr(&attribute).await.unwrap().unwrap();
            places.push(format!("[{attribute}='{value}']"));
        }
        self.browser.leave().await;
        self.browser.drag(&places[0], &places[1]).await;
        self.browser.see(&format!("html:not([data-left]) {} {}", places[1], places[0])).await;
    }

    async fn see(&self, text: &str) {
        let until = Instant::now() + WAIT;
        while self.browser.run(READ, vec![json!(text)]).await != json!(true) {
            assert!(Instant::now() < until, "no “{text}”: {}\n{}", self.step, self.browser.text().await);
            tokio::time::sleep(STEP).await;
        }
    }

    /// Does a whole step; gives how many things that was. `link` is the last one that was handed over.
    async fn does(&self, tokens: &[Token], link: &str) -> usize {
        let (mut verb, mut held, mut done) = ("", None, 0);
        let mut tokens = tokens.iter().peekable();
        while let Some(token) = tokens.next() {
            let (is_name, text) = match token {
                Token::Word(word) => {
                    match word.as_str() {
                        "open" | "press" => verb = "press",
                        "write" | "choose" | "pick" | "drag" | "see" => verb = word,
                        "link" if verb == "press" => self
                            .browser
                            .client
                            .goto(link)
                            .await
                            .unwrap_or_else(|e| panic!("“{link}”: {e}: {}", self.step)),
                        _ => {}
                    }
                    continue;
                }
                Token::Name(name) => (true, name),
                Token::Text(text) => (false, text),
            };
            match (verb, held.take()) {
                ("press", _) if text.starts_with("http") => self.browser.client.goto(text).await.unwrap(),
                ("press", _) => {
                    let beside = tokens.next_if(|token| **token == Token::Word("beside".to_owned()));
                    let beside = beside.and_then(|_| tokens.next_if(|token| matches!(token, Token::Text(_))));
                    let beside = beside.and_then(|token| if let Token::Text(text) = token { Some(text) } else { None });
                    self.press(text, beside.map(String::as_str).unwrap_or_default()).await;
                }
                ("see", _) => self.see(text).await,
                ("pick", _) => self.pick(text).await,
                ("write" | "choose" | "drag", None) => held = Some(text),
                ("write", Some(held)) if is_name => self.write(held, text).await,
                ("choose", Some(held)) if is_name => self.choose(held, text).await,
                ("drag", Some(held)) if is_name => self.drag(held, text).await,
                _ => panic!("what is “{text}” in: {}", self.step),
            }
            done += usize::from(held.is_none());
        }
        assert_eq!(held, None, "{}", self.step);
        done
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_tutorial_of_the_workplace_is_walked_through() {
    let page = std::fs::read_to_string(checkout().join("docs/src/tutorial-web.md")).unwrap();
    let (home, driver) = (home(), Driver::start());
    let browsers = [driver.browser().await, driver.browser().await];
    let (mut servers, mut link, mut code, mut done) = (Vec::new(), String::new(), String::new(), 0);
    for part in parts(&page) {
        match part {
            Part::Save(name, text) => std::fs::write(home.path().join(name), text).unwrap(),
            Part::Serve(script) => {
                let server = Server::start(shell(home.path(), &format!("exec {script}")));
                servers.push(server.expect("it listens"));
            }
            Part::Run(script) => {
                let ran = shell(home.path(), &script.replace("CODE", &code)).output().unwrap();
                let said = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
                assert!(ran.status.success(), "{script}\n{said}");
                link = said.split_whitespace().find(|word| word.starts_with("http")).unwrap_or(&link).to_owned();
            }
            Part::Step(who, tokens) => {
                let hand = Hand { browser: &browsers[who], folder: home.path(), step: format!("{tokens:?}") };
                done += hand.does(&tokens, &link).await;
                let shown = hand.browser.run(SHOWN, Vec::new()).await;
                for text in shown.as_array().into_iter().flatten().filter_map(Value::as_str) {
                    match text.split_once(" join ") {
                        Some((_, shown)) => shown.clone_into(&mut code),
                        None if text.contains("/sign-in?link=") => text.clone_into(&mut link),
                        None => {}
                    }
                }
            }
        }
    }
    assert!(done > 100, "the page has only {done} things to do");
    let (hub, lviv) = (Node::new(home.path(), "hub"), Node::new(home.path(), "lviv"));
    lviv.json(["sync"]);
    for node in [&hub, &lviv] {
        assert_eq!(node.json(["conflicts"]), json!([]));
        let deals = node.json(["list", "opportunity", "--fields", "name,stage,amount", "--sort", "name"]);
        let told = |at: usize| (deals[at]["stage"].as_str(), deals[at]["amount"]["value"].as_str());
        assert_eq!(told(0), (Some("qualified"), Some("98000.00")), "{deals}");
        assert_eq!(told(1), (Some("proposal"), Some("42000.00")), "{deals}");
        assert_eq!(node.json(["list", "account"]).as_array().map(Vec::len), Some(5));
    }
    for browser in browsers {
        assert_eq!(browser.complaints().await, Vec::<String>::new());
        browser.close().await;
    }
}
