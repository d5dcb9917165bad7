//! The link under a virtual clock with seeded faults: promises 1 to 5 and 10.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use branchline_tests::sim::{Faults, Plan, run};

fn plan(seed: u64) -> Plan {
    let shapes = [(1, 0), (2, 0), (1, 1), (3, 0), (2, 1), (1, 3)];
    let (branches, devices) = shapes[seed as usize % shapes.len()];
    Plan { seed, branches, devices, steps: 250, faults: None, set_backs: false }
}

#[test]
fn quiet_lines_bring_everything_everywhere() {
    let summary = run(&Plan { faults: Some(Faults::NONE), ..plan(1) });
    assert!(summary.transactions > 50, "{summary:?}");
}

#[test]
fn seeded_faults_lose_nothing_and_everyone_agrees() {
    let (mut cuts, mut crashes, mut duplicates, mut conflicts) = (0, 0, 0, 0);
    for seed in 0..16 {
        let summary = run(&plan(seed));
        cuts += summary.cuts;
        crashes += summary.crashes;
        duplicates += summary.duplicates;
        conflicts += summary.conflicts;
    }
    // A simulator in which nothing happens proves nothing.
    assert!(cuts > 20 && crashes > 5 && duplicates > 3 && conflicts > 3, "{cuts} {crashes} {duplicates} {conflicts}");
}

/// Hubs, branches and devices whose folders are put back as they once were, untold and while all goes on: promises 13 and
/// 14.
#[test]
fn folders_put_back_lose_nothing_that_anybody_still_holds() {
    let (mut set_backs, mut transactions) = (0, 0);
    for seed in 100..112 {
        let summary = run(&Plan { set_backs: true, ..plan(seed) });
        set_backs += summary.set_backs;
        transactions += summary.transactions;
    }
    assert!(set_backs > 12 && transactions > 500, "{set_backs} {transactions}");
}

/// `BRANCHLINE_SEED=17 cargo test -p branchline-tests --test link replay` plays one seed again; with `BRANCHLINE_SET_BACKS=1` one of those
/// with folders put back.
#[test]
fn replay() {
    if let Some(seed) = std::env::var("BRANCHLINE_SEED").ok().and_then(|s| s.parse().ok()) {
        let set_backs = std::env::var("BRANCHLINE_SET_BACKS").is_ok();
        println!("{:?}", run(&Plan { set_backs, ..plan(seed) }));
    }
}
