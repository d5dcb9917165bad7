//! What `tests/run` plays: a bounded part of every rung, and every mark must be hit. Its seeds are fixed, so that a change
//! is judged by itself and not by luck; fresh ones come with `--fresh`, and from the other commands.

use std::path::Path;
use std::time::{Duration, Instant};

use branchline_tests::disk::couple::Couple;
use branchline_tests::disk::{crash, failing};
use branchline_tests::swarm::base::Base;
use branchline_tests::swarm::marks;
use branchline_tests::swarm::search::Search;

use super::{Cli, Progress, crashes, fresh, networked, rotten, searched};

/// The first of the seeds that are played every time, and how many they are.
const FIXED: (u64, u64) = (1_000, 200);

/// Those of the simulated network.
const NETWORK: (u64, u64) = (1_000, 60);

/// Seeds beyond those that once broke a promise, and must not again.
const MENDED: [u64; 3] = [1_795_796_617_046_024, 1_795_796_617_046_026, 1_795_796_617_046_050];

/// Plays it; gives what was broken. One line for each rung, then one for all.
pub(super) fn everything(cli: &Cli, seconds_of_fresh: Option<u64>, root: &Path) -> Vec<String> {
    let threads = cli.threads;
    let seed = || seconds_of_fresh.map_or(FIXED.0, |_| fresh());
    let mut broken = Vec::new();
    let (mut passed, mut failed) = (0, 0);
    let mut rung = |found: Vec<String>| {
        if found.is_empty() {
            passed += 1
        } else {
            failed += 1
        }
        broken.extend(found);
    };
    rung(crashes(crash::Plan { seed: seed(), stride: 9, throws: 1, threads, failures_max: 10 }, root));
    let progress = Progress::new("runs");
    let report = failing::play(&Couple::new(&root.join("failing")), root, 7, threads, 10, &|| progress.tick());
    println!("failing: {} runs, the fault struck in {}", progress.end(report.runs), report.struck);
    rung(report.failures);
    rung(rotten(600, seed(), threads, &root.join("rot")));
    let base = Base::new(root);
    let (first, runs) = FIXED;
    let fixed = Search { first, runs, until: None, threads, twice: true, failures_max: 20 };
    rung(searched(cli, fixed, &base, root));
    for seed in MENDED {
        rung(searched(cli, Search { first: seed, runs: 1, ..fixed }, &base, root));
    }
    if let Some(seconds) = seconds_of_fresh {
        let until = Some(Instant::now() + Duration::from_secs(seconds));
        rung(searched(cli, Search { first: fresh(), runs: u64::MAX, until, ..fixed }, &base, root));
    }
    rung(networked(cli, NETWORK.0, NETWORK.1, None, &base, root));
    let hits = marks::hits();
    let missed: Vec<&str> = hits.iter().filter(|(_, hits)| **hits == 0).map(|(name, _)| name.as_str()).collect();
    println!("marks: {} of {} hit", hits.len() - missed.len(), hits.len());
    for (name, hits) in &hits {
        println!("  {name:40} {hits}");
    }
    rung(missed.iter().map(|name| format!("the mark {name} was not hit")).collect());
    println!("test result: swarm. {passed} passed; {failed} failed;");
    broken
}
