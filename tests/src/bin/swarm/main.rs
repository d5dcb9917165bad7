//! `swarm`: the simulator, for as long as one lets it. Failing seeds are kept as files.
//!
//! It ends with 0 where every promise held, with 1 where one was broken.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod check;
mod table;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use branchline_tests::disk::couple::{Couple, hush_guarded_panics};
use branchline_tests::disk::{crash, failing, rot, scenario, upgrade};
use branchline_tests::network;
use branchline_tests::swarm::base::{Base, NODES};
use branchline_tests::swarm::search::{Failure, Search, play, search, shrink};
use branchline_tests::swarm::{Class, Plan, canaries};
use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(about = "The simulator: faults for as long as one lets it")]
struct Cli {
    #[command(subcommand)]
    rung: Rung,
    /// Threads that play.
    #[arg(long, global = true, default_value_t = 2)]
    threads: usize,
    /// Where failing seeds are kept.
    #[arg(long, global = true, default_value = "target/swarm")]
    keep: PathBuf,
}

#[derive(Subcommand)]
enum Rung {
    /// A tree of replicas in virtual time, one seed after the other.
    Sim(Sim),
    /// Every write and sync of a fixed scenario, and of upgrades of old folders, as the last one before a power cut.
    Crash {
        /// Of so many steps one is a crash point.
        #[arg(long, default_value_t = 1)]
        stride: usize,
        /// How often the dice are thrown for what a disk kept in part.
        #[arg(long, default_value_t = 3)]
        throws: u64,
        /// Decides what is kept.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Every write, sync and read of a piece of work fails once, or finds the disk full.
    Failing {
        /// Of so many places one fails.
        #[arg(long, default_value_t = 1)]
        stride: u64,
    },
    /// Folders damaged at rest.
    Rot {
        /// How many.
        #[arg(long, default_value_t = 2_000)]
        runs: u64,
        /// The first seed.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// The real server and client on a simulated network, one seed after the other.
    Network {
        /// How many seeds; without it and without minutes: 200.
        #[arg(long)]
        runs: Option<u64>,
        /// For how long.
        #[arg(long)]
        minutes: Option<f64>,
        /// The first seed; fresh ones without it.
        #[arg(long)]
        from: Option<u64>,
        /// Plays this seed alone.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Mutants of the core, each of which must be caught.
    Canaries {
        /// Writes the table in `docs/src/promises.md`.
        #[arg(long)]
        write: bool,
        /// Only these.
        only: Vec<String>,
    },
    /// A bounded part of everything, and every coverage mark must be hit.
    Check {
        /// Fresh seeds, too: those of `sim` for so many seconds.
        #[arg(long, value_name = "SECONDS")]
        fresh: Option<u64>,
    },
}

#[derive(Args)]
struct Sim {
    /// How many seeds; without it and without minutes: 1,000.
    #[arg(long)]
    runs: Option<u64>,
    /// For how long.
    #[arg(long)]
    minutes: Option<f64>,
    /// The first seed; fresh ones without it.
    #[arg(long)]
    from: Option<u64>,
    /// Plays this seed alone.
    #[arg(long)]
    seed: Option<u64>,
    /// With a seed: only these classes of faults.
    #[arg(long)]
    classes: Option<String>,
    /// With a seed: only these machines.
    #[arg(long)]
    nodes: Option<String>,
    /// With a seed: so many things that people do.
    #[arg(long)]
    operations: Option<u64>,
    /// With a seed: without these things.
    #[arg(long)]
    without: Option<String>,
    /// With a seed: prints what happens.
    #[arg(long)]
    tell: bool,
}

/// A first seed that no run had before.
fn fresh() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    (now.as_millis() as u64).wrapping_mul(1_000)
}

fn main() {
    let cli = Cli::parse();
    // A panic is reported with its seed, not in the middle of the progress.
    hush_guarded_panics();
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let root = tempfile::Builder::new().prefix("branchline-swarm-").tempdir_in(place).expect("a folder in memory");
    let broken = match &cli.rung {
        Rung::Sim(sim) => seeds(&cli, sim, root.path()),
        Rung::Crash { stride, throws, seed } => {
            let seed = seed.unwrap_or_else(fresh);
            let plan = crash::Plan { seed, stride: *stride, throws: *throws, threads: cli.threads, failures_max: 10 };
            crashes(plan, root.path())
        }
        Rung::Failing { stride } => {
            let progress = Progress::new("runs");
            let couple = Couple::new(root.path());
            let report = failing::play(&couple, root.path(), *stride, cli.threads, 10, &|| progress.tick());
            println!("failing: {} runs, the fault struck in {}", progress.end(report.runs), report.struck);
            report.failures
        }
        Rung::Rot { runs, seed } => rotten(*runs, seed.unwrap_or_else(fresh), cli.threads, root.path()),
        Rung::Network { seed: Some(seed), .. } => {
            let played = network::play(*seed, &Base::new(root.path()), &root.path().join("run"));
            println!("{played:?}");
            played.err().into_iter().collect()
        }
        Rung::Network { runs, minutes, from, seed: None } => {
            let until = minutes.map(|minutes| Instant::now() + Duration::from_secs_f64(minutes * 60.0));
            let runs = runs.unwrap_or(if until.is_some() { u64::MAX } else { 200 });
            networked(&cli, from.unwrap_or_else(fresh), runs, until, &Base::new(root.path()), root.path())
        }
        Rung::Canaries { write, only } => hunt(*write, only, cli.threads, root.path()),
        Rung::Check { fresh } => check::everything(&cli, *fresh, root.path()),
    };
    for what in &broken {
        println!("BROKEN {what}");
    }
    drop(root);
    std::process::exit(i32::from(!broken.is_empty()));
}

fn seeds(cli: &Cli, sim: &Sim, root: &Path) -> Vec<String> {
    let base = Base::new(root);
    if let Some(seed) = sim.seed {
        let plan = chosen(sim, seed);
        println!("{}", plan.command());
        let played = play(&plan, &base, &root.join("run"));
        println!("{played:?}");
        return played.err().into_iter().collect();
    }
    let until = sim.minutes.map(|minutes| Instant::now() + Duration::from_secs_f64(minutes * 60.0));
    let runs = sim.runs.unwrap_or(if until.is_some() { u64::MAX } else { 1_000 });
    let first = sim.from.unwrap_or_else(fresh);
    let threads = cli.threads;
    let plan = Search { first, runs, until, threads, twice: true, failures_max: 20 };
    searched(cli, plan, &base, root)
}

fn searched(cli: &Cli, plan: Search, base: &Base, root: &Path) -> Vec<String> {
    let progress = Progress::new("runs");
    let found = search(plan, base, root, &|_| progress.tick());
    println!(
        "sim: {} runs from seed {}, each twice; {} transactions, {} frames, {} faults",
        progress.end(found.runs),
        plan.first,
        found.transactions,
        found.frames,
        found.faults
    );
    found.failures.iter().take(5).map(|failure| kept(cli, failure, base, root)).collect()
}

// Makes a failure smaller and keeps it as a file with the command that plays it.
fn kept(cli: &Cli, failure: &Failure, base: &Base, root: &Path) -> String {
    let small = shrink(failure, base, &root.join("shrink"));
    let text = format!("{}\n{}\n(from {})\n", small.broken, small.plan.command(), failure.plan.command());
    note(cli, failure.plan.seed, &text)
}

fn note(cli: &Cli, seed: u64, text: &str) -> String {
    let file = cli.keep.join(format!("{seed}.txt"));
    let written = std::fs::create_dir_all(&cli.keep).and_then(|()| std::fs::write(&file, text));
    let place = written.map_or_else(|e| e.to_string(), |()| file.display().to_string());
    format!("{text}  kept in {place}")
}

fn chosen(sim: &Sim, seed: u64) -> Plan {
    let mut plan = Plan::drawn(seed);
    let list = |text: &str| -> Vec<String> {
        text.split(',').filter(|word| *word != "none" && !word.is_empty()).map(str::to_owned).collect()
    };
    if let Some(classes) = &sim.classes {
        plan.classes = list(classes).iter().filter_map(|name| Class::parse(name)).collect();
    }
    if let Some(nodes) = &sim.nodes {
        plan.nodes = list(nodes).iter().filter_map(|name| NODES.iter().position(|known| known == name)).collect();
    }
    if let Some(without) = &sim.without {
        plan.without = list(without).iter().filter_map(|n| n.parse().ok()).collect();
    }
    plan.tells = sim.tell;
    plan.operations = sim.operations.unwrap_or(plan.operations);
    plan
}

fn crashes(plan: crash::Plan, root: &Path) -> Vec<String> {
    let progress = Progress::new("images");
    let upgrades = upgrade::play(&root.join("upgrades"));
    let upgraded = upgrade::judge(&upgrades, plan, root, &|| progress.tick());
    println!("crash: {} of {} points of upgrades", progress.end(upgraded.images), upgraded.points);
    let progress = Progress::new("images");
    let played = scenario::play(&root.join("scenario"));
    let report = crash::judge(&played, plan, root, &|| progress.tick());
    println!(
        "crash: {} of {} crash points (seed {}); {} were no replica yet and could be made one",
        progress.end(report.images),
        report.points,
        plan.seed,
        report.unmade
    );
    upgraded.failures.into_iter().chain(report.failures).collect()
}

fn rotten(runs: u64, seed: u64, threads: usize, root: &Path) -> Vec<String> {
    let progress = Progress::new("runs");
    let couple = Couple::new(root);
    let report = rot::play(&couple, root, seed, runs, threads, 10, &|| progress.tick());
    println!(
        "rot: {} from seed {seed}: {} told, {} harmless, {} mended from above",
        progress.end(report.runs),
        report.told,
        report.harmless,
        report.mended
    );
    report.failures
}

fn networked(cli: &Cli, first: u64, runs: u64, until: Option<Instant>, base: &Base, root: &Path) -> Vec<String> {
    let progress = Progress::new("runs");
    let plan = network::Search { first, runs, until, twice: true, failures_max: 5 };
    let report = network::search(plan, base, root, &|_| progress.tick());
    println!(
        "network: {} runs from seed {first}, each twice; {} transactions, {} faults",
        progress.end(report.runs),
        report.transactions,
        report.faults
    );
    let command = |seed| format!("swarm network --seed {seed}");
    let failures = report.failures.into_iter();
    failures.map(|(seed, broken)| note(cli, seed, &format!("{broken}\n{}\n", command(seed)))).collect()
}

fn hunt(write: bool, only: &[String], threads: usize, root: &Path) -> Vec<String> {
    let begun = Instant::now();
    let caught = canaries::hunt(only, threads, root, &mut |one| {
        let by = one.by.as_ref().map_or("LIVES".to_owned(), |(oracle, seeds)| format!("{oracle}, after {seeds}"));
        println!("{:32} {:8} {by} ({:.0?})", one.name, one.rung.name(), begun.elapsed());
    });
    let alive: Vec<&str> = caught.iter().filter(|one| one.by.is_none()).map(|one| one.name).collect();
    println!("canaries: {} of {} caught in {:.0?}", caught.len() - alive.len(), caught.len(), begun.elapsed());
    let mut broken: Vec<String> = alive.iter().map(|name| format!("the mutant {name} lives")).collect();
    if write {
        broken.extend(table::write(&caught).err());
    }
    broken
}

/// Runs so far and their rate, once in a while.
struct Progress {
    what: &'static str,
    begun: Instant,
    state: Mutex<(u64, Instant)>,
}

impl Progress {
    fn new(what: &'static str) -> Self {
        Self { what, begun: Instant::now(), state: Mutex::new((0, Instant::now())) }
    }

    fn tick(&self) {
        let mut state = self.state.lock().expect("progress goes on");
        state.0 += 1;
        if state.1.elapsed() >= Duration::from_secs(10) {
            state.1 = Instant::now();
            let rate = state.0 as f64 / self.begun.elapsed().as_secs_f64();
            eprintln!("  {} {}, {rate:.1}/s", state.0, self.what);
        }
    }

    fn end(&self, runs: u64) -> String {
        let seconds = self.begun.elapsed().as_secs_f64();
        format!("{runs} {} in {seconds:.0} s ({:.1}/s)", self.what, runs as f64 / seconds.max(0.001))
    }
}
