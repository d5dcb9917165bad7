//! One run: the machines that take part, their lines, and the order in which things happen.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use branchline_core::access::Scope;
use branchline_core::id::RecordId;
use branchline_core::replica::Replica;
use branchline_core::time::Millis;

use super::base::{Base, NODES, UPPER};
use super::eye::{Eye, Id};
use super::faults::Rates;
use super::history::Folder;
use super::ledger::Ledger;
use super::link::Link;
use super::plan::{Class, Plan};
use super::{Broken, Summary, Trace};
use crate::disk::medium::Disk;
use crate::sim::clock::{BEGINNING, Clockwork};
use crate::sim::{Random, small};

/// A machine.
pub(super) struct Node {
    pub(super) at: usize,
    pub(super) upper: Option<usize>,
    pub(super) dir: PathBuf,
    pub(super) clock: Arc<Clockwork>,
    pub(super) disk: Arc<Disk>,
    pub(super) replica: Replica,
    pub(super) eye: Eye,
    pub(super) person: Id,
    /// Until when it stands still.
    pub(super) paused_until: Millis,
    /// Something may have been written since the eye last looked.
    pub(super) dirty: bool,
    /// Its upstream knows that it is revoked.
    pub(super) cut_off: bool,
    /// Its branch, for what its person makes.
    pub(super) home: Option<Id>,
    /// What it may hold, as at the company's beginning.
    pub(super) scopes: Vec<Scope>,
    /// Its grants are still those.
    pub(super) granted_as_ever: bool,
    /// Its folder as it once was.
    pub(super) copy: Option<Folder>,
    /// It came back as it once was.
    pub(super) was_set_back: bool,
}

impl Node {
    /// A machine whose folder is there.
    pub(super) fn open(at: usize, upper: Option<usize>, dir: PathBuf, clock: Arc<Clockwork>) -> Result<Self, Broken> {
        let disk = Disk::in_memory(&dir);
        let replica = Replica::open(&dir, small::schema(), clock.clone()).map_err(|e| e.to_string())?;
        let eye = Eye::open(&dir)?;
        let me = replica.me().map_err(|e| e.to_string())?;
        Ok(Self {
            at,
            upper,
            dir,
            clock,
            disk,
            replica,
            eye,
            person: me.id.0,
            home: me.home_branch.map(|branch| branch.0),
            scopes: Vec::new(),
            paused_until: Millis(0),
            dirty: false,
            cut_off: false,
            granted_as_ever: true,
            copy: None,
            was_set_back: false,
        })
    }

    /// Goes on in another folder of the same replica.
    pub(super) fn move_into(&mut self, dir: PathBuf) -> Result<(), Broken> {
        let disk = Disk::in_memory(&dir);
        self.replica = Replica::open(&dir, small::schema(), self.clock.clone()).map_err(|e| e.to_string())?;
        let seen = std::mem::replace(&mut self.eye, Eye::open(&dir)?);
        // What the observer has seen it has seen.
        self.eye.log.extend(seen.log);
        self.eye.cited.extend(seen.cited);
        (self.disk, self.dir, self.dirty) = (disk, dir, true);
        Ok(())
    }
}

/// The independent streams of one seed.
pub(super) struct Streams {
    pub(super) network: Random,
    pub(super) disk: Random,
    pub(super) clocks: Random,
    pub(super) schedule: Random,
    pub(super) history: Random,
}

/// Everything of one run.
pub struct World {
    pub(super) plan: Plan,
    pub(super) rates: Rates,
    pub(super) time: Arc<AtomicI64>,
    pub(super) root: PathBuf,
    pub(super) nodes: Vec<Node>,
    pub(super) links: Vec<Link>,
    pub(super) streams: Streams,
    pub(super) ledger: Ledger,
    pub(super) trace: Trace,
    pub(super) summary: Summary,
    /// Folders that were copied to run twice, and those made since the beginning.
    pub(super) clones: usize,
    pub(super) folders: usize,
    /// Deals that a device has lost without noticing.
    pub(super) missed: Vec<RecordId>,
    /// All is quiet in the end.
    pub(super) settled: bool,
}

/// Steps for which links may be busy once the faults have stopped.
const SETTLING_STEPS_MAX: usize = 4_000;

impl World {
    /// The company as it begins, below `root`.
    pub fn new(plan: &Plan, base: &Base, root: &Path) -> Self {
        let _ = std::fs::remove_dir_all(root);
        let time = Arc::new(AtomicI64::new(BEGINNING));
        let stream = |purpose: &str| Random::new(plan.seed, purpose);
        let streams = Streams {
            network: stream("network"),
            disk: stream("disk"),
            clocks: stream("clocks"),
            schedule: stream("schedule"),
            history: stream("history"),
        };
        let places: Vec<usize> = plan.nodes.iter().copied().collect();
        let mut world = Self {
            rates: Rates::drawn(plan),
            plan: plan.clone(),
            time,
            root: root.to_owned(),
            nodes: Vec::new(),
            links: Vec::new(),
            streams,
            ledger: Ledger::default(),
            trace: Trace::new(plan.tells),
            summary: Summary::default(),
            clones: 0,
            folders: 0,
            missed: Vec::new(),
            settled: false,
        };
        for at in &places {
            let upper = UPPER[*at].and_then(|upper| places.iter().position(|p| *p == upper));
            let dir = root.join(NODES[*at]);
            base.write(*at, &dir);
            let clock = Clockwork::new(&world.time, plan.seed.wrapping_mul(64).wrapping_add(*at as u64));
            let mut node = Node::open(*at, upper, dir, clock).expect("the company opens");
            node.scopes = scopes_of(world.nodes.first().map_or(&node.replica, |hub| &hub.replica), &node.replica);
            let lower = world.nodes.len();
            world.nodes.push(node);
            world.links.extend(upper.map(|upper| Link::new(lower, upper)));
        }
        world
    }

    pub(super) fn now(&self) -> Millis {
        Millis(self.time.load(Ordering::Relaxed))
    }

    pub(super) fn name(&self, node: usize) -> &'static str {
        NODES[self.nodes[node].at]
    }

    pub(super) fn is_paused(&self, node: usize) -> bool {
        self.now() < self.nodes[node].paused_until
    }

    /// People work and things fail.
    ///
    /// # Errors
    /// The promise that was broken.
    pub fn live(&mut self) -> Result<(), Broken> {
        for operation in 0..self.plan.operations {
            for _ in 0..=self.streams.schedule.below(4) {
                let ms = 1 + self.streams.schedule.below(400) as i64;
                self.step(ms)?;
                self.fail()?;
            }
            if !self.plan.without.contains(&operation) {
                self.operate(operation)?;
            }
            self.watch()?;
        }
        Ok(())
    }

    /// The faults stop; every link must become quiet within bounded time, and stay so when it is made anew.
    ///
    /// # Errors
    /// Promise 4, or another one meanwhile.
    pub fn settle(&mut self) -> Result<(), Broken> {
        self.calm();
        self.until_quiet()?;
        if self.edit_what_was_lost() {
            self.until_quiet()?;
        }
        if self.review_what_waits() {
            self.until_quiet()?;
        }
        // What nobody has changed costs nothing: a line that opens anew carries no record.
        for link in &mut self.links {
            link.drop_line();
        }
        let before: Vec<u64> = self.links.iter().map(|link| link.carried).collect();
        self.until_quiet()?;
        for (at, before) in before.into_iter().enumerate() {
            let link = &self.links[at];
            if link.carried != before && !self.nodes[link.lower].cut_off {
                return Err(format!(
                    "promise 10: {} and {} were quiet, and {} batches or pushes went over a new line between them",
                    self.name(link.lower),
                    self.name(link.upper),
                    link.carried - before
                ));
            }
        }
        Ok(())
    }

    fn until_quiet(&mut self) -> Result<(), Broken> {
        for _ in 0..SETTLING_STEPS_MAX {
            self.step(50)?;
            self.watch()?;
            if self.links.iter().all(|link| self.is_quiet(link)) {
                return Ok(());
            }
        }
        let busy: Vec<String> = self
            .links
            .iter()
            .filter(|link| !self.is_quiet(link))
            .map(|link| format!("{} (outbox {}) {}", self.name(link.lower), self.outbox(link.lower), link.state()))
            .collect();
        Err(format!("promise 4: no quiet after the faults stopped: {}", busy.join("; ")))
    }

    fn outbox(&self, node: usize) -> usize {
        self.nodes[node].eye.outbox.len()
    }

    fn is_quiet(&self, link: &Link) -> bool {
        let done = self.outbox(link.lower) == 0;
        if self.nodes[link.lower].cut_off {
            return done;
        }
        done && link.is_quiet(self.nodes[link.lower].eye.end, self.nodes[link.upper].eye.end)
    }

    /// Time goes by; the lines carry what is due.
    pub(super) fn step(&mut self, ms: i64) -> Result<(), Broken> {
        self.time.fetch_add(ms, Ordering::Relaxed);
        let first = self.streams.schedule.below(self.links.len().max(1));
        for n in 0..self.links.len() {
            self.carry((first + n) % self.links.len())?;
        }
        Ok(())
    }

    /// The process of a machine dies, and a new one opens its folder.
    pub(super) fn reopen(&mut self, node: usize) -> Result<(), Broken> {
        let name = self.name(node);
        let slot = &mut self.nodes[node];
        let opened = Replica::open(&slot.dir, small::schema(), slot.clock.clone());
        slot.replica = opened.map_err(|e| format!("promise 2: {name} does not open again: {} {e}", e.code()))?;
        slot.dirty = true;
        Ok(())
    }

    /// Whether a class of faults is on.
    pub(super) fn has(&self, class: Class) -> bool {
        self.plan.has(class)
    }

    /// What the run came to.
    pub fn summary(&self) -> Summary {
        Summary { trace: self.trace.value(), ..self.summary.clone() }
    }
}

// What the hub says that a replica may hold.
fn scopes_of(hub: &Replica, replica: &Replica) -> Vec<Scope> {
    let known = hub.downstreams().expect("a list of devices").into_iter().find(|d| d.device == replica.device());
    match known {
        Some(device) => device.scopes.iter().filter_map(|text| Scope::parse(text)).collect(),
        None => vec![Scope::Workspace],
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}
