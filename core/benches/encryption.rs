//! What encryption costs: the same work on a plain and on an encrypted folder, by turns in one run.
//!
//! `cargo bench -p branchline-core --features encryption --bench encryption [-- RECORDS]`

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use branchline_core::crm;
use branchline_core::id::RecordId;
use branchline_core::replica::{Direction, Folder, Init, Query, Replica, StoreKey, SystemEnvironment};
use branchline_core::schema::{Name, Value};

/// So often each folder has its turn; the middle one counts.
const TURNS: usize = 15;

struct End {
    folder: Folder,
    replica: Replica,
    ids: Vec<RecordId>,
}

fn values(n: usize) -> Vec<(Name, Value)> {
    let text = |field: &str, value: String| (Name::from(field), Value::Text(value));
    vec![
        text("name", format!("Company {n} of the northern trade")),
        text("legal_name", format!("Northern Trading House No. {n} Ltd")),
        text("city", format!("City {}", n % 97)),
        text("industry", ["retail", "software", "medical", "services"][n % 4].to_owned()),
        text("address", format!("{} Long Street, house {}", n % 1_000, n % 61)),
        text("external_id", format!("A{n}")),
    ]
}

impl End {
    fn new(folder: Folder, records: usize) -> Self {
        let replica = crm::init(folder.clone(), &Init::named("Acme"), Arc::new(SystemEnvironment)).unwrap();
        let mut ids = Vec::with_capacity(records);
        for begin in (0..records).step_by(1_000) {
            let made: Vec<_> = replica
                .transact(|tx| (begin..records.min(begin + 1_000)).map(|n| tx.create("account", values(n))).collect())
                .unwrap();
            ids.extend(made);
        }
        Self { folder, replica, ids }
    }

    fn reopen(&mut self) {
        let placeholder = tempfile::tempdir().unwrap();
        let other = crm::init(placeholder.path(), &Init::named("x"), Arc::new(SystemEnvironment)).unwrap();
        drop(std::mem::replace(&mut self.replica, other));
        self.replica = crm::open(self.folder.clone(), Arc::new(SystemEnvironment)).unwrap();
    }
}

fn main() {
    let records = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(20_000);
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on a real disk");
    let at = |name: &str| home.path().join(name);
    let mut ends = [
        End::new(Folder::from(at("plain").as_path()), records),
        End::new(Folder::encrypted(at("hidden"), StoreKey::new([7; 32])), records),
    ];
    println!("{records} records; encrypted against plain, the middle of {TURNS} turns each");
    measure("cold open", &mut ends, |end, _| {
        let begun = Instant::now();
        let opened = crm::open(end.folder.clone(), Arc::new(SystemEnvironment)).unwrap();
        opened.count(&Query::of("account").limited(1)).unwrap();
        begun.elapsed().as_secs_f64()
    });
    measure("1,000 creations in one transaction", &mut ends, |end, turn| {
        timed(|| {
            let from = records + turn * 1_000;
            let made: branchline_core::Result<Vec<_>> =
                end.replica.transact(|tx| (from..from + 1_000).map(|n| tx.create("account", values(n))).collect());
            made.unwrap();
        })
    });
    measure("100 creations, each durable", &mut ends, |end, turn| {
        timed(|| {
            for n in 0..100 {
                end.replica.transact(|tx| tx.create("account", values(turn * 100 + n))).unwrap();
            }
        })
    });
    measure("1,000 records read, caches cold", &mut ends, |end, turn| {
        end.reopen();
        timed(|| {
            for n in 0..1_000 {
                let id = &end.ids[(n * 7_919 + turn * 104_729) % end.ids.len()];
                end.replica.record("account", id).unwrap();
            }
        })
    });
    measure("1,000 records read again", &mut ends, |end, _| {
        timed(|| (0..1_000).for_each(|n| drop(end.replica.record("account", &end.ids[n % 100]).unwrap())))
    });
    measure("100 pages of 50, sorted", &mut ends, |end, turn| {
        timed(|| {
            let mut after = Some(end.ids[(turn * 7_919) % end.ids.len()]);
            for _ in 0..100 {
                let query = Query::of("account").sorted("name", Direction::Ascending).limited(50).after(after);
                after = end.replica.list(&query).unwrap().next;
            }
        })
    });
    measure("100 searches", &mut ends, |end, turn| {
        timed(|| (0..100).for_each(|n| drop(end.replica.search(&format!("city {}", (n + turn) % 97), 20).unwrap())))
    });
    let size = |name: &str| size_of(&at(name)) as f64;
    println!("{:<40} {:>6.2}", "bytes of the folder", size("hidden") / size("plain"));
    let begun = Instant::now();
    ends[1].replica.rekey(&StoreKey::new([8; 32])).unwrap();
    println!("{:<40} {:>6.1} ms", "another key", begun.elapsed().as_secs_f64() * 1e3);
}

fn timed(work: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    work();
    begun.elapsed().as_secs_f64()
}

fn measure(what: &str, ends: &mut [End; 2], mut work: impl FnMut(&mut End, usize) -> f64) {
    let mut took = [Vec::new(), Vec::new()];
    for turn in 0..TURNS {
        for (end, took) in ends.iter_mut().zip(&mut took) {
            took.push(work(end, turn));
        }
    }
    let [plain, hidden] = took.map(|mut took| {
        took.sort_unstable_by(f64::total_cmp);
        took[TURNS / 2]
    });
    println!("{what:<40} {:>6.2}   ({:.2} ms against {:.2} ms)", hidden / plain, hidden * 1e3, plain * 1e3);
}

fn size_of(path: &Path) -> u64 {
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| if entry.path().is_dir() { size_of(&entry.path()) } else { entry.metadata().unwrap().len() })
        .sum()
}
