//! The fuzz targets on what was kept and on a few fresh mutations. `tests/fuzz` hunts further, guided by coverage.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::time::Duration;

use branchline_tests::checkout;
use branchline_tests::fuzz::{TARGETS, hunt, kept};

/// Mutations of each target in one run of the tests.
const RUNS: u64 = 3_000;
/// A target that is slow here tries fewer.
const SECONDS: u64 = 10;
/// At least one mutation in so many is understood, or the rest of the target is never tried. (A code has a checksum.)
const ONE_IN: u64 = 500;

#[test]
fn what_once_broke_a_target_breaks_it_no_more() {
    for target in &TARGETS {
        for kind in ["crashes", "corpus"] {
            for (path, bytes) in kept(kind, target.name) {
                println!("{}", path.display());
                (target.run)(&bytes);
            }
        }
        let understood = (target.seeds)().iter().filter(|seed| (target.run)(seed)).count();
        assert!(understood > 0, "{} understands none of its seeds", target.name);
    }
}

#[test]
fn mutations_break_no_target() {
    // BRANCHLINE_SEED tries others; what it finds is kept as a file in tests/fuzz/crashes.
    let seed = std::env::var("BRANCHLINE_SEED").map_or(1, |seed| seed.parse().expect("a number"));
    let mut found = Vec::new();
    for target in &TARGETS {
        let hunted = hunt(target, seed, RUNS, Duration::from_secs(SECONDS));
        println!("{}: {} runs, {} of them understood", target.name, hunted.runs, hunted.understood);
        let reached = hunted.understood * ONE_IN >= hunted.runs;
        assert!(reached || target.name == "invitation", "mutations of {} hardly reach what it guards", target.name);
        for (bytes, said) in &hunted.broken {
            found.push(format!("{}: {said}\n  {}", target.name, data_encoding::HEXLOWER.encode(bytes)));
        }
    }
    assert!(found.is_empty(), "{} with BRANCHLINE_SEED={seed}\n{}", found.len(), found.join("\n"));
}

#[test]
fn the_coverage_guided_fuzzer_knows_every_target() {
    let manifest = std::fs::read_to_string(checkout().join("tests/fuzz/Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let bins = manifest["bin"].as_array().unwrap();
    let known: BTreeSet<&str> = bins.iter().map(|bin| bin["name"].as_str().unwrap()).collect();
    assert_eq!(known, TARGETS.iter().map(|target| target.name).collect());
}
