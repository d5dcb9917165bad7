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
        align_tasks();
        let mut world = World::new(seed, base, root);
        world.live()?;
        world.settle()?;
        world.judge();
        Ok(world.summary())
    })
}

// Tokio drops the tasks of a process that is killed in an order that follows from their numbers, and counts these through
// all runs of this process: each run begins at a multiple of what they are sorted by. For the same reason runs do not
// share a process with others on further threads.
fn align_tasks() {
    const SORTED_BY: u64 = 64;
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let number = || runtime.block_on(async { tokio::spawn(async {}).id().to_string().parse::<u64>() });
    while number().is_ok_and(|number| number % SORTED_BY != 0) {}
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

/// Plays many seeds one after the other, in a folder below `root`. `progress` hears of the runs so far.
pub fn search(search: Search, base: &Base, root: &Path, progress: &dyn Fn(u64)) -> Report {
    let root = root.join("network");
    let mut report = Report::default();
    for n in 0..search.runs {
        let late = search.until.is_some_and(|until| Instant::now() >= until);
        if late || report.failures.len() >= search.failures_max {
            break;
        }
        let seed = search.first.wrapping_add(n);
        report.runs += 1;
        match play_twice(seed, search.twice, base, &root) {
            Ok(summary) => {
                report.transactions += summary.transactions;
                report.faults += summary.faults;
            }
            Err(broken) => report.failures.push((seed, broken)),
        }
        progress(report.runs);
    }
    report
}
