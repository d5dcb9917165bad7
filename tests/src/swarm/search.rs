//! Many seeds on several threads, each played twice; a failing one is made smaller and kept.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use super::base::Base;
use super::plan::Plan;
use super::{Broken, Summary, run, run_again};
use crate::disk::couple::guarded;

/// Which seeds to play.
#[derive(Debug, Clone, Copy)]
pub struct Search {
    /// The first seed.
    pub first: u64,
    /// How many.
    pub runs: u64,
    /// When to stop, whatever is left.
    pub until: Option<Instant>,
    /// Threads that play.
    pub threads: usize,
    /// Whether each run is played a second time and compared.
    pub twice: bool,
    /// After so many failures it ends.
    pub failures_max: usize,
}

/// A failing plan with what it broke.
#[derive(Debug, Clone)]
pub struct Failure {
    /// As small as it could be made.
    pub plan: Plan,
    /// What it broke.
    pub broken: Broken,
}

/// What was played.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Runs, each counted once.
    pub runs: u64,
    /// Transactions that people committed in them.
    pub transactions: u64,
    /// Frames that went over lines.
    pub frames: u64,
    /// Faults that struck.
    pub faults: u64,
    /// Seeds that broke a promise.
    pub failures: Vec<Failure>,
}

/// Plays a plan once, and a panic is a broken promise like any other.
///
/// # Errors
/// The promise that was broken.
pub fn play(plan: &Plan, base: &Base, root: &Path) -> Result<Summary, Broken> {
    guarded(|| run(plan, base, root))
}

fn play_twice(plan: &Plan, base: &Base, root: &Path, twice: bool) -> Result<Summary, Broken> {
    let first = play(plan, base, root)?;
    if twice {
        let second = guarded(|| run_again(plan, base, root))?;
        if first != second {
            return Err(format!("one seed, two runs: {first:?} and {second:?}"));
        }
    }
    Ok(first)
}

/// Plays many seeds, in folders below `root`. `progress` hears of the runs so far.
pub fn search(search: Search, base: &Base, root: &Path, progress: &(dyn Fn(u64) + Sync)) -> Found {
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let found = Mutex::new(Found::default());
    std::thread::scope(|scope| {
        for worker in 0..search.threads {
            let (next, stop, found) = (&next, &stop, &found);
            scope.spawn(move || {
                let root = root.join(format!("run-{worker}"));
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let late = search.until.is_some_and(|until| Instant::now() >= until);
                    if n >= search.runs || late || stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let plan = Plan::drawn(search.first.wrapping_add(n));
                    let played = play_twice(&plan, base, &root, search.twice);
                    let mut found = found.lock().expect("no worker dies with it");
                    found.runs += 1;
                    match played {
                        Ok(summary) => {
                            found.transactions += summary.transactions;
                            found.frames += summary.frames;
                            found.faults += summary.faults;
                        }
                        Err(broken) => {
                            found.failures.push(Failure { plan, broken });
                            if found.failures.len() >= search.failures_max {
                                stop.store(true, Ordering::Relaxed);
                            }
                        }
                    }
                    let runs = found.runs;
                    drop(found);
                    progress(runs);
                }
            });
        }
    });
    found.into_inner().expect("no worker died with it")
}

/// Makes a failing plan smaller: without classes of faults, without machines, without things that people did, as long as
/// it breaks the same promise.
pub fn shrink(failure: &Failure, base: &Base, root: &Path) -> Failure {
    let mut best = failure.clone();
    let kind = |broken: &str| broken.split(':').next().unwrap_or_default().to_owned();
    let wanted = kind(&best.broken);
    let still = |plan: &Plan, best: &mut Failure| match play_twice(plan, base, root, wanted.starts_with("one seed")) {
        Err(broken) if kind(&broken) == wanted => {
            *best = Failure { plan: plan.clone(), broken };
            true
        }
        _ => false,
    };
    for class in failure.plan.classes.clone() {
        let mut plan = best.plan.clone();
        plan.classes.remove(&class);
        still(&plan, &mut best);
    }
    while best.plan.operations > 1 {
        let plan = Plan { operations: best.plan.operations * 3 / 4, ..best.plan.clone() };
        if !still(&plan, &mut best) {
            break;
        }
    }
    for operation in 0..best.plan.operations {
        let mut without: BTreeSet<u64> = best.plan.without.clone();
        without.insert(operation);
        let plan = Plan { without, ..best.plan.clone() };
        still(&plan, &mut best);
    }
    best
}
