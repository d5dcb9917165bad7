//! Rung C: the real server and the real client on a simulated network.
//!
//! Each machine of a small company is a host of turmoil: it runs the axum server, the tungstenite client and the store as
//! they are published. They get sockets by two seams alone, the server's listener and the client's `Network`; clock,
//! randomness and the lack of threads come from the environment of a replica, as in the other rungs. One seed decides
//! who works when and what fails: latency, lost messages, partitions in one or both directions, messages that are held
//! back, processes that are killed.

mod machine;
mod world;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::disk::couple::guarded;
use crate::swarm::base::Base;
use crate::swarm::{Broken, Summary};
use world::World;

/// Plays one seed to its end.
///
/// # Errors
/// The promise that was broken.
pub fn play(seed: u64, base: &Base, root: &Path) -> Result<Summary, Broken> {
    guarded(|| {
        let mut world = World::new(seed, base, root);
        world.live()?;
        world.settle()?;
        world.judge();
        Ok(world.summary())
    })
}

/// What was played.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Runs, each counted once.
    pub runs: u64,
    /// Transactions that people committed in them.
    pub transactions: u64,
    /// Faults that struck.
    pub faults: u64,
    /// What was broken, with the command that plays it again.
    pub failures: Vec<(u64, Broken)>,
}

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

fn play_twice(seed: u64, twice: bool, base: &Base, root: &Path) -> Result<Summary, Broken> {
    let first = play(seed, base, root)?;
    if twice {
        let second = play(seed, base, root)?;
        if first != second {
            return Err(format!("one seed, two runs: {first:?} and {second:?}"));
        }
    }
    Ok(first)
}

/// Plays many seeds on several threads, in folders below `root`. `progress` hears of the runs so far.
pub fn search(search: Search, base: &Base, root: &Path, progress: &(dyn Fn(u64) + Sync)) -> Report {
    let Search { first, runs, until, threads, twice, failures_max } = search;
    let (next, report) = (AtomicU64::new(0), Mutex::new(Report::default()));
    std::thread::scope(|scope| {
        for worker in 0..threads {
            let (next, report) = (&next, &report);
            scope.spawn(move || {
                let root = root.join(format!("network-{worker}"));
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let seed = first.wrapping_add(n);
                    let full = || report.lock().expect("no worker dies with it").failures.len() >= failures_max;
                    if n >= runs || until.is_some_and(|until| Instant::now() >= until) || full() {
                        return;
                    }
                    let played = play_twice(seed, twice, base, &root);
                    let mut report = report.lock().expect("no worker dies with it");
                    report.runs += 1;
                    match played {
                        Ok(summary) => {
                            report.transactions += summary.transactions;
                            report.faults += summary.faults;
                        }
                        Err(broken) => report.failures.push((seed, broken)),
                    }
                    let runs = report.runs;
                    drop(report);
                    progress(runs);
                }
            });
        }
    });
    report.into_inner().expect("no worker died with it")
}
