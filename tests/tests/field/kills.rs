//! `kill -9` of hub, branch or device while all three write and exchange: nothing that was committed is lost, and nobody
//! believes to have delivered what is not there. The moments come from a seed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use branchline_tests::process::{Node, Running, home};
use branchline_tests::sim::Random;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use crate::whole;

/// New rows that each place types in a round; a quarter as many older ones are typed anew.
const ROWS: usize = 40;
/// A kill comes at most so long after a round has begun.
const MOMENT_MS_MAX: usize = 500;
/// Longest that everything may take to come to rest in the end.
const REST_SECONDS_MAX: u64 = 120;

/// What was typed and committed: external id to name.
type Record = BTreeMap<String, String>;

/// The accounts of a folder, read as any SQLite tool would.
fn shown(dir: &Path) -> Record {
    let read = || -> rusqlite::Result<Record> {
        let db = Connection::open_with_flags(dir.join("branchline.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        db.busy_timeout(Duration::from_secs(10))?;
        let mut rows = db.prepare("SELECT external_id, name FROM account")?;
        rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    };
    read().unwrap_or_else(|e| panic!("{}: {e}", dir.display()))
}

fn outbox(node: &Node) -> usize {
    let status = node.json(["status"]);
    assert_eq!(status["quarantine"], 0, "{status:#}");
    status["outbox"].as_u64().unwrap() as usize
}

struct Chain {
    home: TempDir,
    hub: Node,
    branch: Node,
    device: Node,
    follower: Running,
    typed: Record,
    random: Random,
}

impl Chain {
    fn founded(seed: u64) -> Self {
        let home = home();
        let [mut hub, mut branch, device] = ["hub", "branch", "device"].map(|name| Node::new(home.path(), name));
        hub.json(["init", "--name", "Acme", "--owner", "owner@acme.example"]);
        hub.serve();
        hub.json(["users", "add", "Olena", "--email", "olena@acme.example", "--role", "manager"]);
        let join = |lower: &Node, upper: &Node, what: &[&str]| {
            let invitation = upper.json([["invite", "--name", "north"].as_slice(), what].concat());
            lower.json(["join", invitation["code"].as_str().unwrap()]);
        };
        join(&branch, &hub, &["--as", "branch"]);
        branch.serve();
        join(&device, &branch, &["--as", "device", "--user", "olena@acme.example"]);
        let follower = device.start(["sync", "--watch"]);
        Self { home, hub, branch, device, follower, typed: Record::new(), random: Random::new(seed, "kills") }
    }

    /// What a place types in a round: new rows, and older ones of its own with new names.
    fn file(&mut self, round: usize, place: &str) -> (PathBuf, Record) {
        let mut rows = Record::new();
        for n in 0..ROWS {
            rows.insert(format!("{place}-{round}-{n}"), format!("{place} {round}.{n}"));
        }
        for _ in 0..if round > 0 { ROWS / 4 } else { 0 } {
            let (of, n) = (self.random.below(round), self.random.below(ROWS));
            rows.insert(format!("{place}-{of}-{n}"), format!("{place} {of}.{n}, again in {round}"));
        }
        let mut text = "external_id,name\n".to_owned();
        rows.iter().for_each(|(key, name)| writeln!(text, "{key},\"{name}\"").unwrap());
        let path = self.home.path().join(format!("{place}.csv"));
        std::fs::write(&path, text).unwrap();
        (path, rows)
    }

    /// Everybody types, somebody dies at a moment of it, and is started again. Gives whether work was under way then.
    fn round(&mut self, round: usize) -> bool {
        let files = ["hub", "branch", "device"].map(|place| self.file(round, place));
        let moment = Duration::from_millis(self.random.below(MOMENT_MS_MAX) as u64);
        let victim = self.random.below(3);
        let begun = Instant::now();
        let nodes = [&self.hub, &self.branch, &self.device];
        let import = |(node, (file, _)): (&Node, &(PathBuf, Record))| {
            node.start(["import", file.to_str().unwrap(), "--collection", "account"])
        };
        let writing: Vec<Running> = nodes.into_iter().zip(&files).map(import).collect();
        std::thread::sleep(moment.saturating_sub(begun.elapsed()));
        match victim {
            0 => self.hub.kill(),
            1 => self.branch.kill(),
            _ => {
                let next = self.device.start(["status"]);
                std::mem::replace(&mut self.follower, next).kill();
            }
        }
        for writer in writing {
            let outcome = writer.wait();
            assert_eq!(outcome.code, 0, "a server's end does not concern who writes: {outcome:#?}");
        }
        files.into_iter().for_each(|(_, rows)| self.typed.extend(rows));
        let under_way = self.check(round);
        match victim {
            0 => drop(self.hub.serve()),
            1 => drop(self.branch.serve()),
            _ => {
                let next = self.device.start(["sync", "--watch"]);
                assert_eq!(std::mem::replace(&mut self.follower, next).wait().code, 0);
            }
        }
        under_way
    }

    /// Each place holds what was typed there, and what no longer waits there is above. Others may be running meanwhile:
    /// what waits is asked first.
    fn check(&self, round: usize) -> bool {
        let mut under_way = false;
        let chain = [(&self.device, Some(&self.branch)), (&self.branch, Some(&self.hub)), (&self.hub, None)];
        for ((lower, upper), place) in chain.into_iter().zip(["device", "branch", "hub"]) {
            let held = shown(lower.dir());
            let own = |(key, _): &(&String, &String)| key.starts_with(place);
            let lost: Vec<_> =
                self.typed.iter().filter(own).filter(|(key, name)| held.get(*key) != Some(name)).collect();
            assert!(lost.is_empty(), "round {round}: {place} lost what was committed there: {lost:?}");
            let Some(upper) = upper else { continue };
            let waiting = outbox(lower);
            let above = shown(upper.dir());
            // What comes from above may be newer there.
            let from_below = |key: &str| key.starts_with("device") || (key.starts_with("branch") && place == "branch");
            let missing = held.iter().filter(|(key, _)| from_below(key));
            let missing = missing.filter(|(key, name)| above.get(*key) != Some(name)).count();
            assert!(missing <= waiting, "round {round}: {missing} of {place} are not above, but {waiting} wait");
            under_way |= waiting > 0;
        }
        under_way
    }

    /// Until everybody has everything.
    fn rest(&self) {
        let deadline = Instant::now() + Duration::from_secs(REST_SECONDS_MAX);
        for (node, name) in [(&self.hub, "hub"), (&self.branch, "branch"), (&self.device, "device")] {
            while shown(node.dir()) != self.typed {
                assert!(Instant::now() < deadline, "{name} does not come to hold what was typed");
                std::thread::sleep(Duration::from_millis(50));
            }
            while outbox(node) > 0 {
                assert!(Instant::now() < deadline, "{name} still has something to send");
            }
            node.json(["verify"]);
        }
    }
}

#[test]
fn killing_hub_branch_or_device_in_mid_transfer_loses_nothing() {
    let kills = if whole() { 200 } else { 20 };
    let mut chain = Chain::founded(4);
    let begun = Instant::now();
    let under_way = (0..kills).filter(|round| chain.round(*round)).count();
    chain.rest();
    let typed = chain.typed.len();
    println!("{kills} kills, {under_way} with work under way: {typed} records, {:.0} s", begun.elapsed().as_secs_f64());
    assert!(under_way * 3 >= kills, "too few kills hit anything: {under_way} of {kills}");
    assert_eq!(chain.follower.interrupt().code, 0);
}
