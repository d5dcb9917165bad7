//! Foreign bytes, one reader each: what must hold whatever arrives.
//!
//! A target takes any bytes and panics where a promise is broken: a reader that fails in another way than by its error,
//! that accepts what it cannot say again, that lets in what hurts later. Three runners drive the same targets:
//! `tests/fuzz` (cargo-fuzz, guided by coverage), [`hunt`] (a plain mutator, for as long as one lets it, on any
//! compiler), and `tests/tests/fuzz.rs`, which replays what the others kept.

mod door;
mod files;
mod mutate;
mod wire;
mod words;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use branchline_core::crm;
use branchline_core::replica::{Init, Replica, SystemEnvironment};
use branchline_core::schema::Value;

use crate::checkout;
use mutate::Mutator;

/// A reader of foreign bytes.
pub struct Target {
    /// Its name, that of its corpus too.
    pub name: &'static str,
    /// Reads any bytes and says whether they were understood; panics where it does not hold.
    pub run: fn(&[u8]) -> bool,
    /// Bytes that it understands, made by the product itself.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: [Target; 11] = [
    Target { name: "frame", run: wire::frame, seeds: wire::frame_seeds },
    Target { name: "message", run: wire::message, seeds: wire::message_seeds },
    Target { name: "batch", run: wire::batch, seeds: wire::batch_seeds },
    Target { name: "courier", run: wire::courier, seeds: wire::courier_seeds },
    Target { name: "change", run: door::change, seeds: door::change_seeds },
    Target { name: "edit", run: door::edited, seeds: door::edit_seeds },
    Target { name: "table", run: files::table, seeds: files::table_seeds },
    Target { name: "sheet", run: files::sheet, seeds: files::sheet_seeds },
    Target { name: "map", run: files::map, seeds: files::map_seeds },
    Target { name: "filter", run: words::filter, seeds: words::filter_seeds },
    Target { name: "invitation", run: words::invitation, seeds: words::invitation_seeds },
];

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// What is kept of a target: `corpus` (bytes worth mutating) or `crashes` (bytes that once broke it).
///
/// # Panics
/// Where a kept file cannot be read.
pub fn kept(kind: &str, target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(dir) = std::fs::read_dir(checkout().join("tests/fuzz").join(kind).join(target)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = dir.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect()
}

/// What a hunt did.
pub struct Hunted {
    /// Inputs tried.
    pub runs: u64,
    /// Those of them that were understood.
    pub understood: u64,
    /// Bytes that broke the target, each with what it said.
    pub broken: Vec<(Vec<u8>, String)>,
}

/// Tries mutations of the target's seeds and corpus: so many, or until the time is over.
pub fn hunt(target: &Target, seed: u64, runs: u64, time: Duration) -> Hunted {
    let begun = Instant::now();
    let mut mutator = Mutator::new(seed);
    let mut pool = (target.seeds)();
    pool.extend(kept("corpus", target.name).into_iter().map(|(_, bytes)| bytes));
    let mut hunted = Hunted { runs: 0, understood: 0, broken: Vec::new() };
    while hunted.runs < runs && begun.elapsed() < time {
        let bytes = mutator.next(&pool);
        hunted.runs += 1;
        match catch_unwind(AssertUnwindSafe(|| (target.run)(&bytes))) {
            Ok(understood) => hunted.understood += u64::from(understood),
            Err(panic) => {
                let said = panic.downcast_ref::<String>().cloned();
                let said = said.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                hunted.broken.push((bytes, said.unwrap_or_default()));
            }
        }
    }
    hunted
}

/// A small company that lives as long as the process: what imports and filters are tried on, without being changed.
fn company() -> &'static Replica {
    static COMPANY: OnceLock<(tempfile::TempDir, Replica)> = OnceLock::new();
    let made = COMPANY.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let hub =
            crm::init(dir.path().join("hub"), &Init::named("Fuzz"), std::sync::Arc::new(SystemEnvironment)).unwrap();
        for (name, city) in [("Orbit", "Tver"), ("Заря", "Киев"), ("Amber \"A\" 100%", "")] {
            let values = [("name", name), ("city", city)].map(|(field, v)| (field.into(), Value::Text(v.to_owned())));
            hub.transact(|tx| tx.create("account", values.into())).unwrap();
        }
        (dir, hub)
    });
    &made.1
}

/// Appends a number in LEB128, as chunks and batches write their lengths.
fn put_leb128(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
