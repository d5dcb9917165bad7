//! The company that every run begins with: made once, enrolled and in sync, then copied from memory.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use branchline_core::replica::Replica;
use branchline_core::replica::link::Invitation;
use branchline_core::schema::{Name, Value};

use crate::sim::clock::{BEGINNING, Clockwork};
use crate::sim::company::{caravan, deal, text};
use crate::sim::pair::{enrol_with, exchange};
use crate::sim::small;

/// The machines of the tree.
pub const NODES: [&str; 8] = ["hub", "central", "east", "anna", "boris", "clara", "dmitri", "eva"];
/// The upstream of each.
pub const UPPER: [Option<usize>; 8] = [None, Some(0), Some(0), Some(1), Some(1), Some(2), Some(2), Some(0)];
/// Machines that serve others.
pub const SERVING: [usize; 3] = [0, 1, 2];

/// The files of the company.
pub struct Base {
    files: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Base {
    /// Makes the company in a folder below `root`.
    pub fn new(root: &Path) -> Self {
        let root = root.join("base");
        let time = Arc::new(AtomicI64::new(BEGINNING - 86_400_000));
        let clock = |at: usize| Clockwork::new(&time, 1_000 + at as u64);
        let hub = Replica::init(root.join("hub"), &caravan(), small::schema(), clock(0)).expect("a hub");
        hub.announce("http://127.0.0.1:1", None).expect("announced");
        let mut replicas = vec![hub];
        for at in 1..NODES.len() {
            let upper = replicas[UPPER[at].unwrap_or(0)].clone();
            let lower = enrol_with(&upper, &root.join(NODES[at]), &invitation(at, &upper), small::schema(), clock(at));
            if SERVING.contains(&at) {
                lower.announce("http://127.0.0.1:2", None).expect("announced");
            }
            exchange(&lower, &upper).expect("a first exchange");
            replicas.push(lower);
            // The branches tell the hub whom they enrolled, and everybody learns of everybody.
            sync(&replicas);
        }
        furnish(&replicas);
        sync(&replicas);
        sync(&replicas);
        drop(replicas);
        let read = |name: &str, file: &str| std::fs::read(root.join(name).join(file)).expect("a file of the company");
        Self { files: NODES.iter().map(|name| (read(name, "branchline.db"), read(name, "device.key"))).collect() }
    }

    /// Writes the folder of a machine.
    pub fn write(&self, at: usize, dir: &Path) {
        std::fs::create_dir_all(dir).expect("a folder of the run");
        std::fs::write(dir.join("branchline.db"), &self.files[at].0).expect("a database of the run");
        std::fs::write(dir.join("device.key"), &self.files[at].1).expect("a key of the run");
    }
}

fn invitation(at: usize, upper: &Replica) -> Invitation {
    let name = NODES[at];
    let plain = Invitation { name: name.into(), expires_ms: 60_000, ..Invitation::default() };
    match name {
        "central" | "east" => Invitation { branch: true, ..plain },
        // Two see a whole branch, one of them from the hub.
        "dmitri" => Invitation { scopes: vec!["branch:east".into()], ..plain },
        "eva" => {
            let home = upper.find("branch", "code=central").expect("the branch is known");
            let home = ("home_branch".into(), Value::Reference(home));
            let values = vec![text("name", "Eva"), text("role", "manager"), home];
            upper.transact(|tx| tx.create("user", values)).expect("a person");
            let scopes = vec!["branch:central".into()];
            Invitation { user: Some("name=Eva".into()), scopes, ..plain }
        }
        _ => plain,
    }
}

fn furnish(replicas: &[Replica]) {
    for (at, replica) in replicas.iter().enumerate() {
        deal(replica, &format!("first of {}", NODES[at]), vec![]);
    }
    for n in 0..3 {
        let values = vec![text("name", &format!("Keyed {n}")), text("city", "Kyiv")];
        replicas[0].transact(|tx| tx.create_keyed("account", values, &[Name::from("name")])).expect("an account");
    }
    let team = vec![text("name", "Hunters"), ("active".into(), Value::Boolean(true))];
    let _ = replicas[0].transact(|tx| tx.create("team", team));
}

fn sync(replicas: &[Replica]) {
    for _ in 0..2 {
        for (at, lower) in replicas.iter().enumerate() {
            if let Some(upper) = UPPER[at] {
                exchange(lower, &replicas[upper]).expect("an exchange");
            }
        }
    }
}
