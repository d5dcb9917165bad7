//! Folders of older formats that the newest program opens, with a power cut at every write and sync until it has closed
//! them again: what opens next goes on, and holds what they held.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use branchline_core::crm;
use branchline_core::replica::Replica;

use super::crash::{Plan, Report, Sweep, hex, on_threads};
use super::medium::{Disk, Op};
use super::scenario::{Held, held};
use crate::golden::{FOLDERS, OLDEST, unpack};
use crate::sim::clock::{BEGINNING, Clockwork};

/// An old folder that was opened and closed.
pub struct Upgraded {
    name: String,
    journal: Vec<(u64, Op)>,
    // The step with which opening began.
    from: usize,
    before: Held,
}

/// Opens each folder of each older format below `root`, and keeps what was written meanwhile.
///
/// # Panics
/// Where one does not open.
pub fn play(root: &Path) -> Vec<Upgraded> {
    let mut all = Vec::new();
    for format in OLDEST..branchline_core::store::FORMAT {
        for folder in FOLDERS {
            let (dir, unpacked) = (root.join(format!("{folder}-{format}")), root.join("unpacked"));
            let unpack_anew = || {
                let _ = std::fs::remove_dir_all(&unpacked);
                std::fs::create_dir_all(&unpacked).expect("a folder for an old pair");
                unpack(format, &unpacked);
            };
            unpack_anew();
            // Looked at apart: who looks leaves an empty journal behind, whose name nobody makes durable.
            let before = held(&unpacked.join(folder)).expect("an old folder can be read");
            unpack_anew();
            std::fs::create_dir_all(&dir).expect("a folder for a disk");
            std::fs::rename(unpacked.join(folder), dir.join("folder")).expect("an old folder");
            let disk = Disk::journaled(&dir);
            disk.found();
            let from = disk.len();
            drop(open(&dir.join("folder"), 0).unwrap_or_else(|e| panic!("{folder} of format {format}: {e}")));
            let name = format!("{folder} of format {format}");
            all.push(Upgraded { name, journal: disk.take(), from, before });
        }
    }
    all
}

/// Looks at the images of every upgrade, in folders below `root`. `progress` hears of each image.
pub fn judge(upgrades: &[Upgraded], plan: Plan, root: &Path, progress: &(dyn Fn() + Sync)) -> Report {
    on_threads(plan, &|worker, failed, report| {
        for upgrade in upgrades {
            let Upgraded { name, journal, from, before } = upgrade;
            let sweep = Sweep { name, journal, from: *from, plan, worker, failed, progress };
            sweep.look(&root.join(format!("image-{worker}")), report, &|dir, next| check(dir, next, before));
        }
    })
}

fn open(dir: &Path, salt: u64) -> Result<Replica, String> {
    let env = Clockwork::new(&Arc::new(AtomicI64::new(BEGINNING + 86_400_000)), salt);
    crm::open(dir, env).map_err(|e| format!("it does not open: {e}"))
}

fn check(dir: &Path, next: u64, before: &Held) -> Result<bool, String> {
    let replica = open(dir, next)?;
    let verified = replica.verify(false).map_err(|e| format!("it cannot be verified: {e}"))?;
    if !verified.is_sound() || replica.me().is_err() {
        return Err(format!("not sound: {verified:?}"));
    }
    let after = held(dir).map_err(|e| format!("it cannot be read: {e}"))?;
    let lists = [(&before.all, &after.all), (&before.owed, &after.owed), (&before.refused, &after.refused)];
    match lists.iter().find_map(|(before, after)| before.difference(after).next()) {
        Some(lost) => Err(format!("promise 12: change {} is lost, or forgotten where it waited", hex(lost))),
        None => Ok(true),
    }
}
