//! One run: a company on a simulated network, what its people do and what fails.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use branchline_core::document::Edit;
use branchline_core::error::Error;
use branchline_core::replica::{Query, Replica};
use turmoil::Sim;

use super::machine::{Machine, PORT};
use crate::sim::clock::{BEGINNING, Clockwork};
use crate::sim::company::text;
use crate::sim::{Ledger, Random, small};
use crate::swarm::base::{Base, NODES, SERVING, UPPER};
use crate::swarm::{Broken, Summary, Trace};

const TICK_MS: i64 = 20;
/// Within this time after the last fault every line is up again and everything delivered: the longest wait for an
/// answer, the longest wait before connecting again, and a try.
const SETTLING_MS_MAX: i64 = 180_000;
/// Within this time a line that owes an answer has given it, or is known to be gone: twice the wait for an answer, where
/// a heartbeat of an upstream that has not heard the question came amid the first, and the last words.
const NOTICED_MS_MAX: i64 = 40_000;
/// So long nothing must change before a company counts as quiet: longer than a line may be silent that owes an answer.
const QUIET_MS: i64 = 25_000;

/// A class of faults that a seed switches on as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Fault {
    Latency,
    Partition,
    OneWay,
    Hold,
    Loss,
    Kill,
}

const FAULTS: [Fault; 6] = [Fault::Latency, Fault::Partition, Fault::OneWay, Fault::Hold, Fault::Loss, Fault::Kill];

/// What ends a fault.
#[derive(Debug, Clone, Copy)]
enum Cure {
    Repair(usize),
    Release(usize),
    KeepAll(usize),
    Start(usize),
}

pub(super) struct World {
    seed: u64,
    root: PathBuf,
    sim: Sim<'static>,
    time: Arc<AtomicI64>,
    machines: Vec<Arc<Machine>>,
    classes: BTreeSet<Fault>,
    cures: Vec<(i64, Cure)>,
    work: Random,
    fate: Random,
    ledger: Ledger,
    trace: Arc<Mutex<Trace>>,
    summary: Summary,
}

impl World {
    pub(super) fn new(seed: u64, base: &Base, root: &Path) -> Self {
        let _ = std::fs::remove_dir_all(root);
        let mut fate = Random::new(seed, "network");
        let classes = FAULTS.into_iter().filter(|_| fate.chance(500)).collect();
        let mut sim = turmoil::Builder::new()
            .rng_seed(seed)
            .tick_duration(Duration::from_millis(TICK_MS as u64))
            .simulation_duration(Duration::from_secs(86_400))
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(Duration::from_millis(60))
            .tcp_capacity(4_096)
            .build();
        let time = Arc::new(AtomicI64::new(BEGINNING));
        let trace = Arc::new(Mutex::new(Trace::default()));
        // The hub, one branch with two devices, and by chance a second branch with one, and a device of the hub.
        let mut places = vec![0, 1, 3, 4];
        places.extend(fate.chance(400).then_some([2, 5]).into_iter().flatten());
        places.extend(fate.chance(400).then_some(7));
        let mut machines: Vec<Arc<Machine>> = Vec::new();
        for at in &places {
            let upper = UPPER[*at].and_then(|upper| places.iter().position(|place| *place == upper));
            let dir = root.join(NODES[*at]);
            base.write(*at, &dir);
            let clock = Clockwork::new(&time, seed.wrapping_mul(64).wrapping_add(*at as u64));
            if let Some(upper) = upper {
                let replica = Replica::open(&dir, small::schema(), clock.clone()).expect("the company opens");
                let address = format!("http://{}:{PORT}", machines[upper].name);
                replica.set_upstream(&address, None).expect("an address");
            }
            let serves = SERVING.contains(at);
            let machine = Machine::new(NODES[*at], dir, clock, upper, serves, trace.clone());
            machines.push(machine.clone());
            sim.host(machine.name, move || machine.clone().run());
        }
        let (ledger, summary) = (Ledger::default(), Summary::default());
        let (root, work) = (root.to_owned(), Random::new(seed, "work"));
        Self { seed, root, sim, time, machines, classes, cures: Vec::new(), work, fate, ledger, trace, summary }
    }

    /// People work and the network fails.
    pub(super) fn live(&mut self) -> Result<(), Broken> {
        for operation in 0..30 {
            for _ in 0..=self.fate.below(60) {
                self.step()?;
            }
            self.operate(operation)?;
            self.fail();
            self.ledger
                .watch_atomicity(running(&self.machines).iter().map(|(name, replica)| (*name, replica)), self.seed);
        }
        Ok(())
    }

    /// The faults stop; within bounded time everything is delivered and nothing moves.
    pub(super) fn settle(&mut self) -> Result<(), Broken> {
        let now = self.now();
        for (at, _) in &mut self.cures {
            *at = now;
        }
        self.cure();
        let links: Vec<usize> = self.lowers().collect();
        for lower in links {
            let (a, b) = self.ends(lower);
            self.sim.set_link_max_message_latency(a, b, Duration::from_millis(60));
        }
        // Everybody has something to say, so that every line owes an answer.
        for at in 0..self.machines.len() {
            if let Some(replica) = self.machines[at].replica() {
                self.create_pair(&replica, 1_000 + at as u64).map_err(|e| format!("promise 2: {e}"))?;
            }
        }
        let mut silent: BTreeSet<usize> = self.lowers().filter(|at| self.machines[*at].is_online()).collect();
        let (mut since, mut before) = (now, Vec::new());
        while self.now() - now < SETTLING_MS_MAX + QUIET_MS {
            for _ in 0..5 {
                self.step()?;
            }
            let state = self.state();
            silent.retain(|at| self.machines[*at].is_online() && state[*at].1 > 0);
            if let Some(at) = silent.first().filter(|_| self.now() - now > NOTICED_MS_MAX) {
                return Err(format!(
                    "promise 4: {} believes in a line that owes it an answer",
                    self.machines[*at].name
                ));
            }
            let delivered = self.machines.iter().all(|machine| machine.upper.is_none() || machine.is_online())
                && state.iter().all(|(_, outbox)| *outbox == 0);
            if !delivered || state != before {
                (since, before) = (self.now(), state);
            } else if self.now() - since >= QUIET_MS {
                return Ok(());
            }
        }
        let names = self.machines.iter().map(|machine| (machine.name, machine.is_online()));
        let state: Vec<_> = names.zip(self.state()).collect();
        Err(format!("promise 4: no quiet after the faults stopped: {state:?}"))
    }

    /// The oracles of the link.
    pub(super) fn judge(&self) {
        let replicas = running(&self.machines);
        let all: BTreeMap<usize, (&str, &Replica)> =
            replicas.iter().map(|(name, replica)| (*name, replica)).enumerate().collect();
        assert_eq!(all.len(), self.machines.len(), "promise 16: a machine has ended");
        let links: Vec<(usize, usize)> =
            self.lowers().map(|lower| (lower, self.machines[lower].upper.unwrap_or(0))).collect();
        self.ledger.check(self.seed, &all, &links);
    }

    pub(super) fn summary(&self) -> Summary {
        let mut summary = self.summary.clone();
        let mut trace = self.trace.lock().expect("the trace");
        for (name, replica) in running(&self.machines) {
            trace.note((name, replica.digest().expect("a digest").to_string()));
        }
        summary.trace = trace.value();
        summary
    }

    fn now(&self) -> i64 {
        self.time.load(Ordering::Relaxed)
    }

    fn step(&mut self) -> Result<(), Broken> {
        self.sim.step().map_err(|e| format!("promise 4: a machine has ended for good: {e}"))?;
        self.time.fetch_add(TICK_MS, Ordering::Relaxed);
        self.cure();
        Ok(())
    }

    // Ends of logs and lengths of outboxes.
    fn state(&self) -> Vec<(u64, u64)> {
        let of = |replica: Replica| (replica.log_end().unwrap_or(0), replica.outbox_len().unwrap_or(u64::MAX));
        self.machines.iter().map(|machine| machine.replica().map_or((0, u64::MAX), of)).collect()
    }

    fn lowers(&self) -> impl Iterator<Item = usize> + use<> {
        let lowers: Vec<usize> = (0..self.machines.len()).filter(|at| self.machines[*at].upper.is_some()).collect();
        lowers.into_iter()
    }

    fn ends(&self, lower: usize) -> (&'static str, &'static str) {
        (self.machines[lower].name, self.machines[self.machines[lower].upper.unwrap_or(0)].name)
    }

    fn operate(&mut self, operation: u64) -> Result<(), Broken> {
        let machine = self.machines[self.work.below(self.machines.len())].clone();
        let (new, draw) = (self.work.chance(500), self.work.number());
        let Some(replica) = machine.replica() else { return Ok(()) };
        let done = if new { self.create_pair(&replica, operation) } else { self.edit(&replica, operation, draw) };
        match done {
            Ok(()) => self.summary.transactions += 1,
            // What one may not do is refused at once.
            Err(Error::Storage(what)) => return Err(format!("promise 2: {}: {what:?}", machine.name)),
            Err(Error::Corrupt(what)) => return Err(format!("promise 15: {}: {what:?}", machine.name)),
            Err(_) => {}
        }
        Ok(())
    }

    fn create_pair(&mut self, replica: &Replica, operation: u64) -> Result<(), Error> {
        let pair = replica.transact(|tx| {
            let mut make = |half| tx.create("opportunity", vec![text("name", &format!("pair {operation} {half}"))]);
            Ok([make("a")?, make("b")?])
        })?;
        self.ledger.committed(replica, "opportunity", &pair);
        self.ledger.pair(&pair);
        Ok(())
    }

    fn edit(&mut self, replica: &Replica, operation: u64, draw: u64) -> Result<(), Error> {
        let rows = replica.list(&Query::of("opportunity").limited(40))?.rows;
        let Some(row) = rows.get(draw as usize % rows.len().max(1)) else { return Ok(()) };
        let (_, value) = text("name", &format!("edit {operation}"));
        let edit = Edit::Set("name".into(), value);
        replica.transact(|tx| tx.edit("opportunity", &row.id, vec![edit]))?;
        self.ledger.committed(replica, "opportunity", &[row.id]);
        Ok(())
    }

    fn fail(&mut self) {
        let Some(fault) = self.classes.iter().nth(self.fate.below(FAULTS.len())).copied() else { return };
        let links: Vec<usize> = self.lowers().collect();
        let lower = links[self.fate.below(links.len())];
        let (a, b) = self.ends(lower);
        // Mostly short, at times longer than a silent line is believed.
        let lasts = if self.fate.chance(150) { 20_000 + self.fate.below(80_000) } else { 100 + self.fate.below(6_000) };
        let cure = match fault {
            Fault::Latency => {
                let ms = [5, 60, 300, 900][self.fate.below(4)];
                self.sim.set_link_max_message_latency(a, b, Duration::from_millis(ms));
                self.strike(fault, lower);
                return;
            }
            Fault::Partition => {
                self.sim.partition(a, b);
                Cure::Repair(lower)
            }
            Fault::OneWay => {
                let (from, to) = if self.fate.chance(500) { (a, b) } else { (b, a) };
                self.sim.partition_oneway(from, to);
                Cure::Repair(lower)
            }
            Fault::Hold => {
                self.sim.hold(a, b);
                Cure::Release(lower)
            }
            Fault::Loss => {
                self.sim.set_link_fail_rate(a, b, 0.02);
                Cure::KeepAll(lower)
            }
            Fault::Kill => {
                let at = self.fate.below(self.machines.len());
                if self.machines[at].replica().is_none() {
                    return;
                }
                self.machines[at].forget_process();
                self.sim.crash(self.machines[at].name);
                Cure::Start(at)
            }
        };
        self.strike(fault, lower);
        self.cures.push((self.now() + lasts as i64, cure));
    }

    fn strike(&mut self, fault: Fault, lower: usize) {
        self.summary.faults += 1;
        self.trace.lock().expect("the trace").note((fault, lower));
    }

    // Ends the faults that are due.
    fn cure(&mut self) {
        let now = self.now();
        let (due, left) = std::mem::take(&mut self.cures).into_iter().partition(|(at, _)| *at <= now);
        self.cures = left;
        let due: Vec<(i64, Cure)> = due;
        for (_, cure) in due {
            match cure {
                Cure::Repair(lower) => {
                    let (a, b) = self.ends(lower);
                    self.sim.repair(a, b);
                }
                Cure::Release(lower) => {
                    let (a, b) = self.ends(lower);
                    self.sim.release(a, b);
                }
                Cure::KeepAll(lower) => {
                    let (a, b) = self.ends(lower);
                    self.sim.set_link_fail_rate(a, b, 0.0);
                    self.sim.repair(a, b);
                }
                Cure::Start(at) => self.sim.bounce(self.machines[at].name),
            }
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

// The replicas of machines whose process runs.
fn running(machines: &[Arc<Machine>]) -> Vec<(&'static str, Replica)> {
    machines.iter().filter_map(|machine| Some((machine.name, machine.replica()?))).collect()
}
