//! The row of the web workplace: eight people at a server of 100,000 records, over plain HTTP.

use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use branchline_core::id::RecordId;
use branchline_core::replica::Replica;
use branchline_core::schema::{Currency, Money, Name, Value};

use super::Figure;
use super::company::hub;
use super::cpu::resident_bytes;
use super::local::{ids, millis, quantile};
use crate::process::{Node, home};
use crate::visitor::Visitor;

const ACCOUNTS: usize = 80_000;
const DEALS: usize = 20_000;
const PEOPLE: usize = 8;
const ROUNDS: usize = 40;
/// Deals of a transaction.
const TRANSACTION: usize = 1_000;
const STAGES: [&str; 6] = ["new", "qualified", "proposal", "negotiation", "won", "lost"];

/// Times of pages, their bytes, memory, and how soon an open page hears of a commit.
pub(super) fn workplace() -> Vec<Figure> {
    let home = home();
    let mut serving = Node::new(home.path(), "hub");
    let (accounts, deals) = company(serving.dir());
    serving.serve();
    let mut visitors: Vec<Visitor> = (0..PEOPLE).map(|person| signed_in(&serving, person)).collect();
    let pages = [
        ("list", format!("/c/account?sort=name&after={}", accounts[ACCOUNTS / 2])),
        ("list with a filter", "/c/account?q=київ".to_owned()),
        ("record", format!("/c/opportunity/{}", deals[DEALS / 3])),
        ("board", "/board/opportunity".to_owned()),
    ];
    let mut figures = bytes(&mut visitors[0], &pages);
    for (name, path) in &pages {
        let times = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for visitor in &mut visitors {
                let times = &times;
                scope.spawn(move || {
                    let mut own: Vec<f64> = (0..ROUNDS).map(|_| page(visitor, path)).collect();
                    times.lock().expect("nobody panicked").append(&mut own);
                });
            }
        });
        let mut times = times.into_inner().expect("nobody panicked");
        figures.push(Figure::at_most(
            format!("ms of a {name}, p95, {PEOPLE} people at once"),
            quantile(&mut times, 0.95),
            25.0,
            25.0,
        ));
    }
    figures.push(Figure::at_most("MB of the server then", resident_bytes(serving.pid()) / 1e6, 300.0, 300.0));
    figures.push(Figure::at_most(
        "ms until an open page hears of a commit",
        heard(&serving, &visitors[0]),
        1_000.0,
        1_000.0,
    ));
    figures
}

fn page(visitor: &mut Visitor, path: &str) -> f64 {
    millis(|| {
        let answer = visitor.send("GET", path, &[("Accept-Encoding", "gzip")], "");
        assert_eq!(answer.status, 200, "{path}");
    })
}

fn bytes(visitor: &mut Visitor, pages: &[(&str, String)]) -> Vec<Figure> {
    let mut weigh = |path: &str| visitor.send("GET", path, &[("Accept-Encoding", "gzip")], "").wire_bytes as f64 / 1e3;
    let whole: Vec<(String, f64)> = pages.iter().map(|(name, path)| ((*name).to_owned(), weigh(path))).collect();
    let first = visitor.get("/today").body;
    let assets = first.split('"').filter(|text| text.starts_with("/assets/")).map(str::to_owned).collect::<Vec<_>>();
    let mut weigh = |path: &str| visitor.send("GET", path, &[("Accept-Encoding", "gzip")], "").wire_bytes as f64 / 1e3;
    let largest = whole.iter().map(|(_, size)| *size).fold(0.0, f64::max);
    let with_assets = largest + assets.iter().map(|path| weigh(path)).sum::<f64>();
    let mut figures: Vec<Figure> = whole
        .into_iter()
        .map(|(name, size)| Figure::at_most(format!("kB of a {name} on the wire"), size, 20.0, 20.0))
        .collect();
    figures.push(Figure::at_most("kB of the first page with style and script", with_assets, 60.0, 60.0));
    figures
}

fn heard(serving: &Node, visitor: &Visitor) -> f64 {
    let mut lines = visitor.listen("/live");
    let head = lines.by_ref().find(String::is_empty);
    assert!(head.is_some(), "the stream begins");
    serving.json(["create", "account", "name=Heard"]);
    let committed = Instant::now();
    assert!(lines.any(|line| line.starts_with("data:")), "an event comes");
    committed.elapsed().as_secs_f64() * 1e3
}

fn signed_in(node: &Node, person: usize) -> Visitor {
    let link = node.json(["users", "sign-in", &format!("person{person}@bench.example")]);
    let mut visitor = Visitor::new(node.url());
    visitor.sign_in(link["link"].as_str().expect("a link"));
    visitor
}

fn company(dir: &Path) -> (Vec<RecordId>, Vec<RecordId>) {
    let replica = hub(dir, ACCOUNTS);
    let people = replica.transact(|tx| {
        (0..PEOPLE)
            .map(|person| {
                let text = |text: String| Value::Text(text);
                let values = [
                    ("name", text(format!("Person {person}"))),
                    ("email", text(format!("person{person}@bench.example"))),
                    ("role", text("owner".to_owned())),
                    ("active", Value::Boolean(true)),
                ];
                tx.create("user", values.map(|(name, value)| (Name::from(name), value)).to_vec())
            })
            .collect::<Result<Vec<_>, _>>()
    });
    let people = people.expect("people");
    let accounts = ids(&replica, ACCOUNTS);
    let deals = (0..DEALS).collect::<Vec<_>>();
    let made =
        deals.chunks(TRANSACTION).flat_map(|numbers| create_deals(&replica, numbers, &accounts, &people)).collect();
    (accounts, made)
}

fn create_deals(replica: &Replica, numbers: &[usize], accounts: &[RecordId], people: &[RecordId]) -> Vec<RecordId> {
    let made = replica.transact(|tx| {
        let mut made = Vec::with_capacity(numbers.len());
        for number in numbers {
            let amount = Money { minor: (number * 137 % 900_000) as i64, currency: Currency(*b"UAH") };
            // Four in five are closed, as in a company that has been at work for years.
            let stage = if number % 5 == 0 { STAGES[number / 5 % 4] } else { STAGES[4 + number % 2] };
            let values = [
                ("name", Value::Text(format!("Deal {number}"))),
                ("account", Value::Reference(accounts[number * 31 % accounts.len()])),
                ("owner", Value::Reference(people[number % people.len()])),
                ("stage", Value::Text(stage.to_owned())),
                ("amount", Value::Money(amount)),
            ];
            made.push(tx.create("opportunity", values.map(|(name, value)| (Name::from(name), value)).to_vec())?);
        }
        Ok(made)
    });
    made.expect("deals")
}
