//! A tree of replicas, their lines, and what people do at them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use branchline_core::crm;
use branchline_core::document::Edit;
use branchline_core::id::RecordId;
use branchline_core::replica::link::{Downstream, Invitation, Upstream};
use branchline_core::replica::{Query, Replica};
use branchline_core::schema::{Name, Value};
use branchline_core::sync::{Input, Machine, downstream, upstream};
use branchline_core::time::Millis;
use branchline_core::wire::message::Nonce;

use super::Summary;
use super::clock::{BEGINNING, Clockwork};
use super::company::caravan;
use super::line::{Direction, Faults};
use super::oracle::Ledger;
use super::pair::{Half, enrol};
use super::random::Random;

/// What to play.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Decides everything that is not fixed here.
    pub seed: u64,
    /// Branches below the hub.
    pub branches: usize,
    /// Devices below each branch.
    pub devices: usize,
    /// Steps of work and faults before the faults stop.
    pub steps: usize,
    /// What the lines do; `None`: the seed draws it.
    pub faults: Option<Faults>,
    /// Whether folders are put back as they once were.
    pub set_backs: bool,
}

struct Node {
    name: String,
    dir: PathBuf,
    env: Arc<Clockwork>,
    replica: Replica,
    upstream: Option<usize>,
}

struct Link {
    lower: usize,
    upper: usize,
    connection: Option<Connection>,
    // When to connect again.
    again_at: Millis,
}

struct Connection {
    down: Half<downstream::Session, Downstream>,
    up: Half<upstream::Session, Upstream>,
    upwards: Direction,
    downwards: Direction,
}

/// Everything of one run.
pub struct World {
    plan: Plan,
    faults: Faults,
    root: tempfile::TempDir,
    clock: Arc<AtomicI64>,
    nodes: Vec<Node>,
    links: Vec<Link>,
    work: Random,
    fate: Random,
    ledger: Ledger,
    summary: Summary,
}

const STEP_MS: i64 = 50;

impl World {
    /// A hub with its branches and devices, all enrolled, nothing typed yet.
    pub fn new(plan: &Plan) -> Self {
        let folder = tempfile::tempdir_in(if std::path::Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "." })
            .or_else(|_| tempfile::tempdir())
            .unwrap();
        let mut fate = Random::new(plan.seed, "faults");
        let faults = plan.faults.unwrap_or_else(|| Faults::drawn(&mut fate));
        let faults = if plan.set_backs { faults.with_set_backs() } else { faults };
        let clock = Arc::new(AtomicI64::new(BEGINNING));
        let mut world = Self {
            plan: plan.clone(),
            faults,
            root: folder,
            clock,
            nodes: Vec::new(),
            links: Vec::new(),
            work: Random::new(plan.seed, "work"),
            fate,
            ledger: Ledger::default(),
            summary: Summary::default(),
        };
        world.found();
        world
    }

    fn found(&mut self) {
        let env = self.machine();
        let dir = self.folder("hub");
        let replica = Replica::init(&dir, &caravan(), crm::builtin().clone(), env.clone()).unwrap();
        replica.announce("http://127.0.0.1:1", None).unwrap();
        self.nodes.push(Node { name: "hub".into(), dir, env, replica, upstream: None });
        for b in 0..self.plan.branches {
            let branch = self.join(0, &format!("branch{b}"), true);
            self.nodes[branch].replica.announce("http://127.0.0.1:2", None).unwrap();
            for d in 0..self.plan.devices {
                // The branch enrols its devices itself, whether the hub is there or not.
                self.sync_all();
                self.join(branch, &format!("rep{b}{d}"), false);
            }
        }
        self.sync_all();
    }

    fn machine(&self) -> Arc<Clockwork> {
        let salt = self.plan.seed.wrapping_mul(1_000).wrapping_add(self.nodes.len() as u64) << 20;
        Clockwork::new(&self.clock, salt)
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn join(&mut self, upper: usize, name: &str, branch: bool) -> usize {
        let invitation = Invitation {
            branch,
            name: name.to_owned(),
            expires_ms: 3_600_000,
            role: (!branch).then(|| "seller".to_owned()),
            ..Invitation::default()
        };
        let (env, dir, now) = (self.machine(), self.folder(name), self.now());
        let replica = enrol(&self.nodes[upper].replica, &dir, &invitation, env.clone());
        self.nodes.push(Node { name: name.to_owned(), dir, env, replica, upstream: Some(upper) });
        let lower = self.nodes.len() - 1;
        self.links.push(Link { lower, upper, connection: None, again_at: now });
        lower
    }

    fn now(&self) -> Millis {
        Millis(self.clock.load(Ordering::Relaxed))
    }

    // Moves everything until every link is quiet, without faults.
    fn sync_all(&mut self) {
        let faults = std::mem::replace(&mut self.faults, Faults::NONE);
        self.until_quiet();
        self.faults = faults;
    }

    /// People work and lines fail.
    pub fn live(&mut self) {
        for _ in 0..self.plan.steps {
            if self.work.chance(400) {
                self.act();
            }
            self.fail();
            self.step();
            self.ledger.watch_atomicity(self.nodes.iter().map(|n| (n.name.as_str(), &n.replica)), self.plan.seed);
        }
    }

    /// The faults stop; every link must become quiet within bounded time (promise 4).
    pub fn settle(&mut self) {
        self.faults = Faults::NONE;
        self.until_quiet();
    }

    fn until_quiet(&mut self) {
        for _ in 0..20_000 {
            self.step();
            let quiet = self.links.iter().all(|l| l.connection.as_ref().is_some_and(|c| c.down.machine.quiet()));
            let delivered = self.nodes.iter().all(|n| n.upstream.is_none() || n.replica.outbox_len().unwrap() == 0);
            if quiet && delivered && self.links.iter().all(Link::is_still) && !self.lags() {
                return;
            }
        }
        let state: Vec<String> =
            self.nodes.iter().map(|n| format!("{}: outbox {}", n.name, n.replica.outbox_len().unwrap())).collect();
        panic!("seed {}: promise 4: no quiet after the faults stopped: {state:?}", self.plan.seed);
    }

    // Whether an upper end still has something that its session has not been told of.
    fn lags(&self) -> bool {
        self.links.iter().any(|l| {
            let end = self.nodes[l.upper].replica.log_end().unwrap();
            l.connection.as_ref().is_none_or(|c| c.up.seen != end)
        })
    }

    fn step(&mut self) {
        self.clock.fetch_add(STEP_MS, Ordering::Relaxed);
        for at in 0..self.links.len() {
            self.connect(at);
            self.exchange(at);
        }
    }

    fn connect(&mut self, at: usize) {
        let now = self.now();
        let link = &mut self.links[at];
        if link.connection.is_some() || now < link.again_at {
            return;
        }
        let nonce: Nonce = std::array::from_fn(|i| (self.fate.number() >> i) as u8);
        let (lower, upper) = (&self.nodes[link.lower].replica, &self.nodes[link.upper].replica);
        let mut connection = Connection {
            down: Half::new(
                downstream::Session::new(now),
                Downstream::new(lower.clone()).unwrap(),
                lower.log_end().unwrap(),
            ),
            up: Half::new(
                upstream::Session::new(now, nonce),
                Upstream::new(upper.clone(), None),
                upper.log_end().unwrap(),
            ),
            upwards: Direction::default(),
            downwards: Direction::default(),
        };
        connection.up.give(now, Input::Opened(nonce));
        for frame in connection.down.give(now, Input::Opened(nonce)) {
            connection.upwards.send(now, 1 + self.fate.number() % self.faults.delay_ms_max, frame);
        }
        link.connection = Some(connection);
    }

    fn exchange(&mut self, at: usize) {
        let now = self.now();
        let (lower, upper) = (self.links[at].lower, self.links[at].upper);
        let ends = (self.nodes[lower].replica.log_end().unwrap(), self.nodes[upper].replica.log_end().unwrap());
        let delay = self.faults.delay_ms_max;
        let fate = &mut self.fate;
        let Some(c) = self.links[at].connection.as_mut() else { return };
        let mut delayed = || 1 + fate.number() % delay;
        let mut out_up = Vec::new();
        let mut out_down = Vec::new();
        if c.down.seen != ends.0 {
            c.down.seen = ends.0;
            out_up.extend(c.down.give(now, Input::Local));
        }
        if c.up.seen != ends.1 {
            c.up.seen = ends.1;
            out_down.extend(c.up.give(now, Input::Local));
        }
        while let Some(frame) = c.upwards.receive(now) {
            out_down.extend(c.up.give(now, Input::Frame(frame)));
        }
        while let Some(frame) = c.downwards.receive(now) {
            out_up.extend(c.down.give(now, Input::Frame(frame)));
        }
        if now >= c.down.machine.timeout() {
            out_up.extend(c.down.give(now, Input::Timer));
        }
        if now >= c.up.machine.timeout() {
            out_down.extend(c.up.give(now, Input::Timer));
        }
        for frame in out_up {
            c.upwards.send(now, delayed(), frame);
        }
        for frame in out_down {
            c.downwards.send(now, delayed(), frame);
        }
        let ended = (c.down.end.is_some() && c.upwards.next().is_none())
            || (c.up.end.is_some() && c.downwards.next().is_none());
        if ended {
            let why =
                format!("{:?} {:?} {:?} {:?}", c.down.end, c.down.machine.error(), c.up.end, c.up.machine.error());
            let fault = c.down.machine.error().or(c.up.machine.error()).is_some_and(|e| !e.retryable());
            assert!(
                !fault,
                "seed {}: {} – {}: the link failed: {why}",
                self.plan.seed, self.nodes[lower].name, self.nodes[upper].name
            );
            self.links[at].connection = None;
            self.links[at].again_at = now.plus(200);
        }
    }

    fn fail(&mut self) {
        for at in 0..self.links.len() {
            let Faults { cut_per_mille, duplicate_per_mille, crash_per_mille, .. } = self.faults;
            if self.fate.chance(cut_per_mille) {
                self.cut(at);
            }
            if self.fate.chance(duplicate_per_mille) && self.links[at].connection.is_some() {
                // The old socket has not noticed yet when the device connects again; its upper end is simply forgotten.
                self.summary.duplicates += 1;
                self.links[at].connection = None;
                self.links[at].again_at = self.now();
            }
            if self.fate.chance(crash_per_mille) {
                let node = if self.fate.chance(500) { self.links[at].lower } else { self.links[at].upper };
                self.crash(node);
            }
        }
        if self.faults.set_back_per_mille > 0 && self.fate.chance(self.faults.set_back_per_mille) {
            let node = self.fate.below(self.nodes.len());
            self.set_back(node);
        }
    }

    // Somebody keeps a copy of the folder, or puts the last one back and tells nobody. What was typed there since and
    // had not left is gone with it: no program can bring it back. All else must come back.
    fn set_back(&mut self, node: usize) {
        let (dir, kept) = (self.nodes[node].dir.clone(), self.folder(&format!("kept-{node}")));
        if !kept.exists() {
            copy_files(&dir, &kept);
            return;
        }
        self.summary.set_backs += 1;
        self.crash(node);
        let slot = &mut self.nodes[node];
        let (again, env) = (dir.with_extension(format!("{}", self.summary.set_backs)), slot.env.clone());
        copy_files(&kept, &again);
        std::fs::remove_dir_all(kept).unwrap();
        slot.replica = Replica::open(&again, crm::builtin().clone(), env).unwrap();
        slot.dir = again;
        self.ledger.keep_held(self.nodes.iter().map(|node| &node.replica));
    }

    // Whole frames before the cut still arrive, a part of one does not.
    fn cut(&mut self, at: usize) {
        let now = self.now();
        let Some(mut c) = self.links[at].connection.take() else { return };
        self.summary.cuts += 1;
        for frame in c.upwards.cut(&mut self.fate) {
            c.up.give(now, Input::Frame(frame));
        }
        for frame in c.downwards.cut(&mut self.fate) {
            c.down.give(now, Input::Frame(frame));
        }
        self.links[at].again_at = now.plus(1 + self.fate.below(3_000) as i64);
    }

    // What the process had committed stays, what it had not said is never said: frames in flight towards it are handled
    // and their answers lost with the process.
    fn crash(&mut self, node: usize) {
        let now = self.now();
        self.summary.crashes += 1;
        for at in 0..self.links.len() {
            if self.links[at].lower != node && self.links[at].upper != node {
                continue;
            }
            if let Some(mut c) = self.links[at].connection.take() {
                if self.links[at].upper == node
                    && let Some(frame) = c.upwards.cut(&mut self.fate).into_iter().next()
                {
                    c.up.give(now, Input::Frame(frame));
                }
                if self.links[at].lower == node
                    && let Some(frame) = c.downwards.cut(&mut self.fate).into_iter().next()
                {
                    c.down.give(now, Input::Frame(frame));
                }
            }
            self.links[at].again_at = now.plus(1 + self.fate.below(1_000) as i64);
        }
        let slot = &mut self.nodes[node];
        slot.replica = Replica::open(&slot.dir, crm::builtin().clone(), slot.env.clone()).unwrap();
    }

    // ---- what people do

    fn act(&mut self) {
        let at = self.work.below(self.nodes.len());
        let replica = self.nodes[at].replica.clone();
        let number = self.summary.transactions;
        let edits = self.work.chance(550);
        let done = if edits { self.edit_some(&replica, number) } else { self.create_pair(&replica, number) };
        if done {
            self.summary.transactions += 1;
        }
    }

    // Two deals of one transaction, marked alike: nobody may ever see one without the other.
    fn create_pair(&mut self, replica: &Replica, number: u64) -> bool {
        let mark = format!("pair {number}");
        let branch = replica.me().unwrap().home_branch;
        let ids = replica
            .transact(|tx| {
                let mut ids = Vec::new();
                for half in ["a", "b"] {
                    let mut values = vec![
                        (Name::from("name"), Value::Text(format!("{mark} {half}"))),
                        (Name::from("external_id"), Value::Text(format!("{mark} {half}"))),
                    ];
                    if let Some(branch) = branch {
                        values.push((Name::from("branch"), Value::Reference(branch)));
                    }
                    ids.push(tx.create("opportunity", values)?);
                }
                Ok(ids)
            })
            .unwrap();
        self.ledger.committed(replica, "opportunity", &ids);
        self.ledger.pair(&ids);
        true
    }

    fn edit_some(&mut self, replica: &Replica, number: u64) -> bool {
        let rows = replica.list(&Query::of("opportunity").limited(30)).unwrap().rows;
        if rows.is_empty() {
            return false;
        }
        let row = &rows[self.work.below(rows.len())];
        let (field, value) = match self.work.below(4) {
            0 => ("name", Value::Text(format!("named {number}"))),
            1 => ("lost_reason", Value::Text(format!("reason {number}"))),
            2 => ("stage", Value::Text(["new", "qualified", "won", "lost"][self.work.below(4)].into())),
            _ => ("notes", Value::Text(format!("noted {number}: {}", row.text("notes")))),
        };
        let id: RecordId = row.id;
        let edited = replica.transact(|tx| tx.edit("opportunity", &id, vec![Edit::Set(Name::from(field), value)]));
        match edited {
            Ok(_) => {
                self.ledger.committed(replica, "opportunity", &[id]);
                true
            }
            // A seller may not touch a colleague's deal: refused at once, nothing was typed in vain.
            Err(error) if error.code().starts_with("denied") => false,
            Err(error) => panic!("seed {}: {error}", self.plan.seed),
        }
    }

    /// Asks the oracles.
    pub fn check(&mut self) {
        let pairs: Vec<(usize, usize)> = self.links.iter().map(|l| (l.lower, l.upper)).collect();
        let named: BTreeMap<usize, (&str, &Replica)> =
            self.nodes.iter().enumerate().map(|(at, n)| (at, (n.name.as_str(), &n.replica))).collect();
        self.ledger.check(self.plan.seed, &named, &pairs);
        self.summary.conflicts = self.nodes[0].replica.status().unwrap().conflicts;
    }

    /// What the run came to.
    pub fn summary(&self) -> Summary {
        self.summary.clone()
    }
}

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

impl Link {
    fn is_still(&self) -> bool {
        self.connection.as_ref().is_some_and(|c| c.upwards.next().is_none() && c.downwards.next().is_none())
    }
}
