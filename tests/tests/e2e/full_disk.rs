//! A disk that is full, for real: a small tmpfs under the replica's folder. What was committed stays, the command says
//! what is wrong and ends with exit 1, and the same command works once there is room.
//!
//! Mounting needs root. For anybody else these tests say that they were left out; for root a mount that fails is a
//! failed test.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use branchline_tests::process::{Node, Outcome, home};

use crate::company::{column, held};

/// Rows of the file that does not fit.
const ROWS: usize = 6_000;
/// Size of the disk: the whole file fits once the filler is gone.
const DISK_MIB: u64 = 24;
/// What the filler leaves: some of the file, but not all.
const LEFT_MIB: u64 = 5;

/// A tmpfs that goes away with the value.
struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Mounts one; `None` for anybody but root.
    fn mounted(home: &Path) -> Option<Self> {
        if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
            eprintln!("LEFT OUT: a small disk can be mounted by root only");
            return None;
        }
        let path = home.join("disk");
        std::fs::create_dir(&path).unwrap();
        let size = format!("size={DISK_MIB}m");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(&path).status();
        assert!(mount.expect("mount can be run").success(), "root can mount no tmpfs here");
        Some(Self { path })
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        let mut filler = std::fs::File::options().append(true).create(true).open(self.filler()).unwrap();
        let zeros = vec![0; 64 * 1024];
        // A write that does not fit whole is cut; the next one gets nothing.
        while let Ok(1..) = filler.write(&zeros) {}
    }

    /// Fills it but for so many MiB.
    fn fill_but(&self, left_mib: u64) {
        self.fill();
        let filler = std::fs::File::options().write(true).open(self.filler()).unwrap();
        filler.set_len(filler.metadata().unwrap().len().saturating_sub(left_mib << 20)).unwrap();
    }

    fn make_room(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that has just been killed may still hold a file.
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

/// Exit 1 with this code, and words for a person.
fn assert_says(outcome: &Outcome, code: &str) {
    let error = &outcome.json()["error"];
    assert_eq!((outcome.code, error["code"].as_str()), (1, Some(code)), "{outcome:#?}");
    let said = |key: &str| !error[key].as_str().unwrap_or_default().is_empty();
    assert!(said("what") && said("where") && said("do"), "{error:#}");
}

fn founded(home: &Path, name: &str) -> Node {
    let node = Node::new(home, name);
    node.json(["init", "--name", "Acme", "--owner", "owner@acme.example"]);
    node
}

/// A file of accounts that is larger than what the filler leaves.
fn accounts(home: &Path) -> PathBuf {
    let mut text = "external_id,name,city,notes\n".to_owned();
    for n in 0..ROWS {
        writeln!(text, "X{n},Company {n},City {},{}", n % 50, format!("lorem ipsum {n} ").repeat(8)).unwrap();
    }
    let path = home.join("accounts.csv");
    std::fs::write(&path, text).unwrap();
    path
}

fn ids(node: &Node) -> BTreeSet<String> {
    column(&node.json(["list", "account", "--fields", "external_id"]), "external_id").into_iter().collect()
}

#[test]
fn a_command_on_a_full_disk_says_so_and_loses_nothing() {
    let home = home();
    let Some(disk) = SmallDisk::mounted(home.path()) else { return };
    let hub = founded(&disk.path, "hub");
    let kept = hub.json(["create", "account", "name=Kept"]);
    disk.fill();
    // Nobody else has the database open: there is no room even for the memory that readers share.
    for command in [["create", "account", "name=Lost"].as_slice(), &["list", "account"], &["status"], &["verify"]] {
        assert_says(&hub.run(command), "store_disk_full");
    }
    disk.make_room();
    let list = hub.json(["list", "account"]);
    assert_eq!((list.as_array().unwrap().len(), &list[0]["id"]), (1, &kept["id"]), "{list:#}");
    hub.json(["verify"]);
    hub.json(["create", "account", "name=Next"]);
    assert_eq!(held(&hub, "account"), 2);
}

#[test]
fn an_import_that_fills_the_disk_goes_on_when_there_is_room() {
    let home = home();
    let Some(disk) = SmallDisk::mounted(home.path()) else { return };
    let (hub, file) = (founded(&disk.path, "hub"), accounts(home.path()));
    disk.fill_but(LEFT_MIB);
    let import = ["import", file.to_str().unwrap(), "--collection", "account"];
    let stopped = hub.run(import);
    assert_says(&stopped, "import_stopped");
    disk.make_room();
    hub.json(["verify"]);
    let before = ids(&hub);
    assert!(!before.is_empty() && before.len() < ROWS, "{} rows came in", before.len());
    let done = hub.json(import);
    assert_eq!((&done["refused"], done["unchanged"].as_u64()), (&0.into(), Some(before.len() as u64)), "{done:#}");
    let after = ids(&hub);
    assert!(after.len() == ROWS && before.is_subset(&after) && held(&hub, "account") == ROWS as u64);
    hub.json(["verify"]);
}

#[test]
fn a_first_sync_that_fills_the_disk_goes_on_when_there_is_room() {
    let home = home();
    let Some(disk) = SmallDisk::mounted(home.path()) else { return };
    let (mut hub, file) = (founded(home.path(), "hub"), accounts(home.path()));
    hub.json(["import", file.to_str().unwrap(), "--collection", "account"]);
    hub.serve();
    let invitation = hub.json(["invite", "--as", "branch", "--name", "north", "--scope", "workspace"]);
    let node = Node::new(&disk.path, "north");
    node.json(["join", "--no-sync", invitation["code"].as_str().unwrap()]);
    disk.fill_but(LEFT_MIB);
    assert_says(&node.run(["sync", "--deadline", "120s"]), "store_disk_full");
    disk.make_room();
    node.json(["verify"]);
    let before = ids(&node);
    assert!(!before.is_empty() && before.len() < ROWS, "{} records arrived", before.len());
    let answer = node.json(["sync", "--deadline", "120s"]);
    let pulled = answer["pulled"].as_u64().unwrap() as usize;
    // Fewer than all: what was durable before the disk was full is not sent again.
    assert!(pulled < ROWS, "{answer}");
    assert_eq!(ids(&node), ids(&hub));
    assert_eq!(node.json(["status"])["digest"], hub.json(["status"])["digest"]);
    node.json(["verify"]);
}
