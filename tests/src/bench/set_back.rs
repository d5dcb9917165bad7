//! The row of a hub whose folder is put back as it was, between real processes: what its devices bring back and what that
//! costs.

use std::path::Path;

use serde_json::Value;

use super::company::{create, hub, open};
use super::{Figure, link};
use crate::process::{Node, home};

const RECORDS: usize = 10_000;
const LOST: usize = 1_000;
const DEVICES: usize = 3;

/// A hub 1,000 changes behind its three devices after a silent restore: one sync of each.
///
/// # Panics
/// Where something does not come back.
pub(super) fn set_back() -> Vec<Figure> {
    let home = home();
    let mut serving = Node::new(home.path(), "hub");
    drop(hub(serving.dir(), RECORDS));
    serving.serve();
    let devices: Vec<Node> = (0..DEVICES).map(|n| join(&serving, home.path(), n)).collect();
    serving.kill();
    let kept = home.path().join("kept");
    copy(serving.dir(), &kept);
    serving.serve();
    for (n, device) in devices.iter().enumerate() {
        // The last one makes what the thirds leave over.
        let count = if n + 1 == DEVICES { LOST - LOST / DEVICES * n } else { LOST / DEVICES };
        create(&open(device.dir()), RECORDS + n * LOST, count);
        device.json(["sync"]);
    }
    devices.iter().for_each(|device| _ = device.json(["sync"]));
    serving.kill();
    std::fs::remove_dir_all(serving.dir()).expect("the folder goes");
    copy(&kept, serving.dir());
    serving.serve();
    let mut figures = Vec::new();
    for (which, device) in ["first", "second", "last"].into_iter().zip(&devices) {
        let synced = device.json(["sync"]);
        let number = |key: &str| synced[key].as_f64().unwrap_or_else(|| panic!("no {key} in {synced}"));
        figures.push(Figure::note(format!("changes that the {which} device brings back"), number("pushed")));
        figures.push(Figure::note(format!("bytes up of the {which} device"), number("bytes_up")));
        figures.push(Figure::note(format!("bytes down of the {which} device"), number("bytes_down")));
        figures.push(Figure::note(format!("round trips of the {which} device"), number("round_trips")));
    }
    let held = serving.json(["status"]);
    assert_eq!(held["records"]["account"], Value::from(RECORDS + LOST), "{held}");
    figures.extend(link::again(&devices[0]));
    figures
}

fn join(hub: &Node, home: &Path, n: usize) -> Node {
    let name = format!("laptop{n}");
    let asked = ["invite", "--as", "device", "--name", &name, "--scope", "workspace", "--role", "manager"];
    let invited = hub.json(asked);
    let device = Node::new(home, &name);
    device.json(["join", invited["code"].as_str().expect("a code")]);
    device
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    let files = std::fs::read_dir(from).expect("a folder").flatten().filter(|entry| entry.path().is_file());
    for file in files {
        std::fs::copy(file.path(), to.join(file.file_name())).expect("a file can be copied");
    }
}
