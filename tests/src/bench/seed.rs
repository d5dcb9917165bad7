//! A new replica of 100,000 records from a seed, against its first sync over the link, in one run.

use std::time::Instant;

use super::Figure;
use super::company::{create, hub, open};
use super::cpu::Peak;
use crate::process::{Node, home};

const RECORDS: usize = 100_000;
/// What happens while the stick is on its way.
const LATER: usize = 1_000;

/// What a `join` took, with everything that followed from it.
struct Joined {
    wall: f64,
    cpu: f64,
    pulled: u64,
    digest: String,
}

impl Joined {
    fn of(serving: &Node, device: &Node, more: &[&str]) -> Self {
        let name = device.dir().file_name().and_then(|name| name.to_str()).expect("a name");
        let invited =
            serving.json(["invite", "--as", "device", "--name", name, "--scope", "workspace", "--role", "manager"]);
        let code = invited["code"].as_str().expect("a code");
        let start = Instant::now();
        let running = device.start(["join", code].iter().chain(more));
        let (cpu, _) = Peak::watch(running.pid());
        let wall = start.elapsed().as_secs_f64();
        let outcome = running.wait();
        assert_eq!(outcome.code, 0, "{outcome:#?}");
        let digest = device.json(["status"])["digest"].as_str().expect("a digest").to_owned();
        Self { wall, cpu, pulled: outcome.json()["pulled"].as_u64().expect("a count"), digest }
    }
}

/// Opening a seed and catching up, wall time and CPU of the receiver.
pub(super) fn opened() -> Vec<Figure> {
    let home = home();
    let mut serving = Node::new(home.path(), "hub");
    drop(hub(serving.dir(), RECORDS));
    serving.serve();
    let file = home.path().join("all.seed").display().to_string();
    let start = Instant::now();
    let made = serving.json(["courier", "seed", &file]);
    let making = start.elapsed().as_secs_f64();
    create(&open(serving.dir()), RECORDS, LATER);
    let seeded = Joined::of(&serving, &Node::new(home.path(), "seeded"), &["--seed", &file]);
    let synced = Joined::of(&serving, &Node::new(home.path(), "synced"), &[]);
    assert!(seeded.pulled >= LATER as u64 && seeded.pulled < 2 * LATER as u64, "{}", seeded.pulled);
    assert!(synced.pulled >= RECORDS as u64);
    // The one that synced knows of both devices, the seeded one not yet of the other.
    assert!(!seeded.digest.is_empty() && !synced.digest.is_empty());
    vec![
        Figure::at_most("wall time of opening and catching up against first sync", seeded.wall / synced.wall, 0.5, 0.2),
        Figure::at_most("CPU of the same, of the receiver", seeded.cpu / synced.cpu, 0.5, 0.2),
        Figure::note("seconds to open the seed and catch up", seeded.wall),
        Figure::note("seconds of the first sync", synced.wall),
        Figure::note("seconds to make the seed", making),
        Figure::note("bytes of the seed for each record", made["bytes_up"].as_f64().expect("a count") / RECORDS as f64),
    ]
}
