//! Rows of the link between real processes on loopback: a hub that serves, a device that syncs.

use std::time::Instant;

use serde_json::Value;

use super::company::{create, edit_each, hub, open};
use super::cpu::{Peak, process_seconds};
use super::{Figure, codec};
use crate::process::{Node, home};

const SMALL: usize = 10_000;
const LARGE: usize = 100_000;

/// A hub with accounts, serving, and a folder that has joined it and synced nothing yet.
pub(super) struct Pair {
    pub(super) hub: Node,
    pub(super) device: Node,
    _home: tempfile::TempDir,
}

impl Pair {
    pub(super) fn new(accounts: usize) -> Self {
        let home = home();
        let mut serving = Node::new(home.path(), "hub");
        drop(hub(serving.dir(), accounts));
        serving.serve();
        let invited =
            serving.json(["invite", "--as", "device", "--name", "laptop", "--scope", "workspace", "--role", "manager"]);
        let device = Node::new(home.path(), "laptop");
        device.json(["join", invited["code"].as_str().expect("a code"), "--no-sync"]);
        Self { hub: serving, device, _home: home }
    }

    fn hub_seconds(&self) -> f64 {
        process_seconds(self.hub.pid())
    }
}

/// What one `sync` did and took.
pub(super) struct Synced {
    answer: Value,
    wall: f64,
    cpu: f64,
    peak_mb: f64,
}

impl Synced {
    pub(super) fn of(device: &Node) -> Self {
        let start = Instant::now();
        let running = device.start(["sync"]);
        let (cpu, peak) = Peak::watch(running.pid());
        let wall = start.elapsed().as_secs_f64();
        let outcome = running.wait();
        assert_eq!(outcome.code, 0, "{outcome:#?}");
        Self { answer: outcome.json(), wall, cpu, peak_mb: peak as f64 / 1e6 }
    }

    pub(super) fn number(&self, key: &str) -> f64 {
        self.answer[key].as_f64().unwrap_or_else(|| panic!("no {key} in {}", self.answer))
    }
}

/// First sync of 10,000 records: CPU and memory of the receiver, wall time and bytes.
pub(super) fn first_sync_small() -> Vec<Figure> {
    let pair = Pair::new(SMALL);
    let synced = Synced::of(&pair.device);
    let mut figures = received(&synced, SMALL);
    figures.push(Figure::at_most("seconds of wall time, both ends", synced.wall, 0.5, 0.14));
    figures.push(Figure::at_most("bytes down", synced.number("bytes_down"), 450_000.0, 300_000.0));
    let bytes = synced.number("bytes_down") / SMALL as f64;
    figures.push(Figure::at_most(
        "bytes of a record against JSON lines, zstd-3",
        bytes / codec::json_bytes_each(SMALL),
        0.95,
        0.65,
    ));
    figures
}

/// First sync of 100,000 records: CPU and memory of the receiver.
pub(super) fn first_sync_large() -> Vec<Figure> {
    let pair = Pair::new(LARGE);
    let synced = Synced::of(&pair.device);
    let mut figures = received(&synced, LARGE);
    figures.push(Figure::note("seconds of wall time, both ends", synced.wall));
    figures.push(Figure::at_most("MB of peak memory of the receiver", synced.peak_mb, 200.0, 64.0));
    figures.extend(again(&pair.device));
    figures
}

fn received(synced: &Synced, records: usize) -> Vec<Figure> {
    assert!(synced.number("pulled") >= records as f64, "{}", synced.answer);
    vec![Figure::at_least("records per CPU second of the receiver", records as f64 / synced.cpu, 30_000.0, 70_000.0)]
}

/// A reconnect with nothing new.
pub(super) fn again(device: &Node) -> Vec<Figure> {
    let synced = Synced::of(device);
    let bytes = synced.number("bytes_up") + synced.number("bytes_down");
    vec![
        Figure::at_most("bytes both ways when nothing is new", bytes, 400.0, 160.0),
        Figure::at_most("round trips when nothing is new", synced.number("round_trips"), 2.0, 1.0),
    ]
}

/// A reconnect with nothing new at 10,000 records.
pub(super) fn reconnect() -> Vec<Figure> {
    let pair = Pair::new(SMALL);
    Synced::of(&pair.device);
    again(&pair.device)
}

/// Upload of 10,000 created records, then of one edit to each: CPU of the hub.
pub(super) fn upload() -> Vec<Figure> {
    let pair = Pair::new(0);
    Synced::of(&pair.device);
    create(&open(pair.device.dir()), 0, SMALL);
    let created = up(&pair, SMALL);
    edit_each(&open(pair.device.dir()));
    let edited = up(&pair, SMALL);
    vec![
        Figure::at_least("created records per CPU second of the hub", created, 20_000.0, 60_000.0),
        Figure::at_least("one-field edits per CPU second of the hub", edited, 5_000.0, 15_000.0),
    ]
}

/// Pushes what waits, so many changes: those of a CPU second of the hub.
pub(super) fn up(pair: &Pair, changes: usize) -> f64 {
    let before = pair.hub_seconds();
    let synced = Synced::of(&pair.device);
    assert!(synced.number("pushed") >= changes as f64 && synced.number("refused") == 0.0, "{}", synced.answer);
    changes as f64 / (pair.hub_seconds() - before)
}
