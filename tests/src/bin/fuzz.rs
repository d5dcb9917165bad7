//! Hunts with a plain mutator on any compiler: `fuzz [TARGET…] [--minutes M] [--seed N]`, by default every target for a
//! minute. What breaks a target is kept in `tests/fuzz/crashes/TARGET`, where the tests replay it. `fuzz --seeds DIR`
//! writes what the product itself makes, one folder a target, for the coverage-guided runner to begin with.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use branchline_tests::checkout;
use branchline_tests::fuzz::{TARGETS, Target, hunt, target};
use sha2::{Digest, Sha256};

struct Options {
    targets: Vec<&'static Target>,
    minutes: f64,
    seed: u64,
    seeds_to: Option<String>,
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(why) => {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            eprintln!(
                "fuzz: {why}\nusage: fuzz [TARGET…] [--minutes M] [--seed N] [--seeds DIR]\ntargets: {}",
                names.join(" ")
            );
            return ExitCode::from(2);
        }
    };
    if let Some(dir) = &options.seeds_to {
        for target in &options.targets {
            (target.seeds)().iter().for_each(|seed| keep(&Path::new(dir).join(target.name), seed));
        }
        return ExitCode::SUCCESS;
    }
    // What the door catches is not worth a line; what a target says comes with its bytes.
    std::panic::set_hook(Box::new(|_| {}));
    let mut broken = 0;
    for target in &options.targets {
        let hunted = hunt(target, options.seed, u64::MAX, Duration::from_secs_f64(options.minutes * 60.0));
        println!(
            "{:<12}{:>12} runs {:>12} understood {:>5} broken",
            target.name,
            hunted.runs,
            hunted.understood,
            hunted.broken.len()
        );
        for (bytes, said) in &hunted.broken {
            println!("  {said}");
            keep(&checkout().join("tests/fuzz/crashes").join(target.name), bytes);
        }
        broken += hunted.broken.len();
    }
    ExitCode::from(u8::from(broken > 0))
}

fn options() -> Result<Options, String> {
    let mut options = Options { targets: Vec::new(), minutes: 1.0, seed: 1, seeds_to: None };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        let number =
            |text: String| text.parse::<f64>().ok().filter(|n| *n >= 0.0).ok_or(format!("{text} is no number"));
        match arg.as_str() {
            "--minutes" => options.minutes = number(value()?)?,
            "--seed" => options.seed = number(value()?)? as u64,
            "--seeds" => options.seeds_to = Some(value()?),
            name => options.targets.push(target(name).ok_or(format!("no target {name}"))?),
        }
    }
    if options.targets.is_empty() {
        options.targets = TARGETS.iter().collect();
    }
    Ok(options)
}

fn keep(dir: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(dir).unwrap();
    let name = data_encoding::HEXLOWER.encode(&Sha256::digest(bytes)[..8]);
    std::fs::write(dir.join(name), bytes).unwrap();
}
