//! A hub and a phone in folders that are made once and copied for every run.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use branchline_core::Error;
use branchline_core::document::Edit;
use branchline_core::limits::{PACK_CHANGES, PLAIN_CHANGES_MIN};
use branchline_core::replica::link::Invitation;
use branchline_core::replica::{Query, Replica};
use branchline_core::schema::Value;

use super::scenario::{Hash, held};
use crate::sim::clock::{BEGINNING, Clockwork};
use crate::sim::company::{caravan, deal, set};
use crate::sim::pair::{enrol_with, exchange};
use crate::sim::small;

/// The folders that every run begins with.
pub struct Couple {
    base: PathBuf,
}

/// The folders of one run.
pub struct Copy {
    /// Where they lie.
    pub root: PathBuf,
    time: Arc<AtomicI64>,
}

/// The two ends.
pub const ENDS: [&str; 2] = ["hub", "phone"];

impl Couple {
    /// Makes the folders below `root`: enrolled, in sync, with a change at each end that the other one lacks.
    pub fn new(root: &Path) -> Self {
        let base = root.join("couple");
        let copy = Copy { root: base.clone(), time: Arc::new(AtomicI64::new(BEGINNING)) };
        let (hub, phone) = (base.join("hub"), base.join("phone"));
        let hub = Replica::init(&hub, &caravan(), small::schema(), copy.clock("hub")).expect("a hub");
        hub.announce("http://127.0.0.1:1", None).expect("announced");
        let invitation = Invitation { name: "phone".into(), expires_ms: 60_000, ..Invitation::default() };
        let phone = enrol_with(&hub, &phone, &invitation, small::schema(), copy.clock("phone"));
        for n in 0..6 {
            let id = deal(&phone, &format!("deal {n}"), vec![]);
            set(&phone, &id, "notes", Value::Text(format!("notes {n}")));
        }
        exchange(&phone, &hub).expect("an exchange");
        // One deal has so long a history that both ends have packed it.
        let long = deal(&phone, "long", vec![]);
        for numbers in [0..PACK_CHANGES, PACK_CHANGES..PACK_CHANGES + 2 * PLAIN_CHANGES_MIN] {
            let edit = |n: usize| vec![Edit::Set("lost_reason".into(), Value::Text(format!("reason {n}")))];
            let edited = phone.transact(|tx| {
                for n in numbers {
                    tx.edit("opportunity", &long, edit(n))?;
                }
                Ok(())
            });
            edited.expect("many edits");
            exchange(&phone, &hub).expect("an exchange");
        }
        deal(&phone, "not delivered", vec![]);
        deal(&hub, "not fetched", vec![("owner".into(), Value::Reference(phone.me().expect("a person").id))]);
        Self { base }
    }

    /// A copy below `root`, which is emptied.
    pub fn copy(&self, root: &Path) -> Copy {
        let _ = std::fs::remove_dir_all(root);
        for end in ENDS {
            std::fs::create_dir_all(root.join(end)).expect("a folder of the run");
            for name in ["branchline.db", "device.key"] {
                std::fs::copy(self.base.join(end).join(name), root.join(end).join(name)).expect("a copy");
            }
        }
        Copy { root: root.to_owned(), time: Arc::new(AtomicI64::new(BEGINNING + 3_600_000)) }
    }
}

impl Copy {
    /// The clock of an end.
    pub fn clock(&self, end: &str) -> Arc<Clockwork> {
        Clockwork::new(&self.time, self.time.load(Ordering::Relaxed) as u64 ^ end.len() as u64)
    }

    /// Opens an end.
    ///
    /// # Errors
    /// Whatever opening says.
    pub fn open(&self, end: &str) -> Result<Replica, Error> {
        Replica::open(self.root.join(end), small::schema(), self.clock(end))
    }

    /// The changes that an end holds; empty where it cannot be read.
    pub fn held(&self, end: &str) -> BTreeSet<Hash> {
        held(&self.root.join(end)).map(|held| held.all).unwrap_or_default()
    }

    /// Time goes by.
    pub fn wait(&self, ms: i64) {
        self.time.fetch_add(ms, Ordering::Relaxed);
    }
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Panics that [`guarded`] reports are not printed as well.
pub fn hush_guarded_panics() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !GUARDED.get() {
            print(panic);
        }
    }));
}

/// Does something; a panic in it is a failure like any other.
///
/// # Errors
/// What it says, or the panic's words.
pub fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    GUARDED.set(true);
    let done = std::panic::catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(false);
    done.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
        Err(match text.contains("promise") {
            true => text.to_owned(),
            false => format!("promise 16: a panic: {text}"),
        })
    })
}

/// The names of all deals that an end shows.
///
/// # Errors
/// Whatever reading says.
pub fn shown(replica: &Replica) -> Result<Vec<String>, Error> {
    let rows = replica.list(&Query::of("opportunity").with_archived())?.rows;
    let mut names: Vec<String> = rows.iter().map(|row| format!("{} {}", row.text("name"), row.text("stage"))).collect();
    names.sort();
    Ok(names)
}
