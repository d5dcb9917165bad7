//! Every write and sync of the scenario as the last one before the power went: what opens must hold what was promised.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use branchline_core::replica::{Identity, Replica};

use super::couple::guarded;
use super::image::{Image, Loss};
use super::medium::Op;
use super::scenario::{Hash, Machine, Played, Promise, held};
use crate::sim::clock::{BEGINNING, Clockwork};
use crate::sim::company::caravan;
use crate::sim::{Random, small};

/// How much to look at.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Decides what each power cut leaves of what was not synced.
    pub seed: u64,
    /// Of so many crash points one is looked at.
    pub stride: usize,
    /// How often the dice are thrown for what a disk kept in part.
    pub throws: u64,
    /// Threads that look.
    pub threads: usize,
    /// After so many failures it ends.
    pub failures_max: usize,
}

/// What was looked at.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Steps of the disks that were the last before a power cut.
    pub points: u64,
    /// Images that were opened.
    pub images: u64,
    /// Of these, folders that were no replica yet and could be made one.
    pub unmade: u64,
    /// What was broken, each with how to see it again.
    pub failures: Vec<String>,
}

impl Report {
    fn add(&mut self, other: Report) {
        self.points += other.points;
        self.images += other.images;
        self.unmade += other.unmade;
        self.failures.extend(other.failures);
    }
}

/// Looks at the images of everything that was played, in folders below `root`. `progress` hears of each image.
pub fn judge(played: &Played, plan: Plan, root: &Path, progress: &(dyn Fn() + Sync)) -> Report {
    on_threads(plan, &|worker, failed, report| {
        for (at, machine) in played.machines.iter().enumerate() {
            let (name, journal) = (machine.name, &machine.journal[..]);
            let sweep = Sweep { name, journal, from: 0, plan, worker, failed, progress };
            let looker = Looker { played, at };
            sweep.look(&root.join(format!("image-{worker}")), report, &|dir, next| looker.check(dir, next));
        }
    })
}

/// Lets each thread of a plan look at its part, and adds up what they saw.
pub(super) fn on_threads(plan: Plan, look: &(dyn Fn(usize, &AtomicUsize, &mut Report) + Sync)) -> Report {
    let failed = AtomicUsize::new(0);
    let mut report = Report::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..plan.threads)
            .map(|worker| {
                let failed = &failed;
                scope.spawn(move || {
                    let mut report = Report::default();
                    look(worker, failed, &mut report);
                    report
                })
            })
            .collect();
        for worker in workers {
            report.add(worker.join().expect("a looker goes to its end"));
        }
    });
    report
}

struct Looker<'l> {
    played: &'l Played,
    at: usize,
}

/// The part of a worker in looking at every image of one journal.
pub(super) struct Sweep<'s> {
    /// Whose disk it is.
    pub(super) name: &'s str,
    /// Its steps.
    pub(super) journal: &'s [(u64, Op)],
    /// The first step that may be the last one before a power cut.
    pub(super) from: usize,
    pub(super) plan: Plan,
    pub(super) worker: usize,
    pub(super) failed: &'s AtomicUsize,
    pub(super) progress: &'s (dyn Fn() + Sync),
}

impl Sweep<'_> {
    /// Writes each image below `root` and has it checked: that gets the folder and the first step that did not happen,
    /// and tells whether it was a replica.
    pub(super) fn look(&self, root: &Path, report: &mut Report, check: &dyn Fn(&Path, u64) -> Result<bool, String>) {
        let mut image = Image::default();
        for (n, (_, op)) in self.journal.iter().enumerate() {
            let settled = image.step(op);
            if n < self.from || n % (self.plan.stride * self.plan.threads) != self.worker * self.plan.stride {
                continue;
            }
            report.points += 1;
            let next = self.journal.get(n + 1).map_or(u64::MAX, |(tick, _)| *tick);
            let again = (1..self.plan.throws).map(|throw| (Loss::Mixed, throw));
            for (loss, throw) in Loss::ALL.into_iter().map(|loss| (loss, 0)).chain(again) {
                let same_as_before = match loss {
                    Loss::Dropped => !settled,
                    Loss::Torn => image.is_settled() || !matches!(op, Op::Write(..)),
                    Loss::Kept | Loss::Mixed => image.is_settled(),
                };
                if same_as_before || self.failed.load(Ordering::Relaxed) >= self.plan.failures_max {
                    continue;
                }
                let mut random = Random::new(self.plan.seed ^ (n as u64) << 8 ^ throw << 40, self.name);
                let _ = std::fs::remove_dir_all(root);
                std::fs::create_dir_all(root).expect("a folder for images");
                image.write(root, loss, &mut random);
                report.images += 1;
                match guarded(|| check(&root.join("folder"), next)) {
                    Ok(made) => report.unmade += u64::from(!made),
                    Err(what) => {
                        self.failed.fetch_add(1, Ordering::Relaxed);
                        let (name, seed) = (self.name, self.plan.seed);
                        report
                            .failures
                            .push(format!("{name}, step {n} ({}), {loss:?} {throw}, seed {seed}: {what}", brief(op)));
                    }
                }
                (self.progress)();
            }
        }
        let _ = std::fs::remove_dir_all(root);
    }
}

impl Looker<'_> {
    fn machine(&self) -> &Machine {
        &self.played.machines[self.at]
    }

    // Opens an image. `next` is the first step that did not happen. False: it was no replica yet, and could be made one.
    fn check(&self, dir: &Path, next: u64) -> Result<bool, String> {
        let promised = |at: usize| self.played.promises.iter().filter(move |p| p.machine == at && p.tick <= next);
        let env = Clockwork::new(&Arc::new(AtomicI64::new(BEGINNING + 86_400_000)), next);
        if !dir.join("branchline.db").exists() {
            if promised(self.at).any(|p| p.promise == Promise::Made) {
                return Err("the folder is no replica any more".to_owned());
            }
            let identity = Identity::ensure(dir, &*env).map_err(|e| format!("no key can be made: {e}"))?;
            let key = Promise::Key(identity.device().to_string());
            if promised(self.at).any(|p| matches!(p.promise, Promise::Key(_)) && p.promise != key) {
                return Err("the key that may have been enrolled is gone".to_owned());
            }
            let made = Replica::init(dir, &caravan(), small::schema(), env);
            return made.map(|_| false).map_err(|e| format!("it cannot be made a replica: {e}"));
        }
        let replica = Replica::open(dir, small::schema(), env).map_err(|e| format!("it does not open: {e}"))?;
        if replica.settings().map_err(|e| e.to_string())?.role.has_upstream() && replica.upstream().is_err() {
            return Err("it does not know its upstream".to_owned());
        }
        let verified = replica.verify(false).map_err(|e| format!("it cannot be verified: {e}"))?;
        if !verified.is_sound() || replica.me().is_err() {
            return Err(format!("not sound: {verified:?}"));
        }
        let held = held(dir).map_err(|e| format!("it cannot be read: {e}"))?;
        for given in promised(self.at) {
            if let Promise::Holds(hashes) = &given.promise
                && let Some(lost) = hashes.iter().find(|hash| !held.all.contains(*hash))
            {
                return Err(format!("promises 1 and 2: change {} is lost", hex(lost)));
            }
        }
        let above: BTreeSet<Hash> = match self.machine().upper {
            Some(upper) => promised(upper).flat_map(|p| hashes(&p.promise)).copied().collect(),
            None => BTreeSet::new(),
        };
        for given in promised(self.at) {
            let Promise::Owes(owed) = &given.promise else { continue };
            let safe = |hash: &Hash| held.owed.contains(hash) || held.refused.contains(hash) || above.contains(hash);
            if let Some(lost) = owed.iter().find(|hash| !safe(hash)) {
                return Err(format!("promise 2: change {} would never be delivered", hex(lost)));
            }
        }
        Ok(true)
    }
}

fn hashes(promise: &Promise) -> &[Hash] {
    match promise {
        Promise::Holds(hashes) => hashes,
        _ => &[],
    }
}

pub(super) fn hex(hash: &Hash) -> String {
    data_encoding::HEXLOWER.encode(&hash[..6])
}

fn brief(op: &Op) -> String {
    match op {
        Op::Write(path, offset, bytes) => format!("{} bytes at {offset} of {}", bytes.len(), path.display()),
        op => format!("{op:?}"),
    }
}
