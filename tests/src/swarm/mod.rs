//! Rung A: a tree of real replicas and sessions in virtual time, and everything that can go wrong between them.
//!
//! A seed first switches whole classes of faults on or off ([`plan`]), then draws from separate streams what people do,
//! what lines, disks and clocks do, and who comes first. [`world`] plays it, [`eye`] sees every replica from beside,
//! [`oracle`] judges, [`search`] plays many seeds, each twice, and makes failing ones smaller.

pub mod base;
pub mod canaries;
mod eye;
mod faults;
mod history;
mod ledger;
mod link;
pub mod marks;
mod oracle;
pub mod plan;
pub mod search;
mod work;
mod world;

use std::hash::{DefaultHasher, Hash, Hasher};

pub use plan::{Class, Plan};
pub use world::World;

/// A promise that did not hold, in words.
pub type Broken = String;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Transactions that people committed.
    pub transactions: u64,
    /// Frames that went over lines.
    pub frames: u64,
    /// Faults that struck.
    pub faults: u64,
    /// Stands for everything that happened, byte by byte.
    pub trace: u64,
}

/// Plays one plan to its end, and judges what it came to.
///
/// # Errors
/// The promise that was broken.
pub fn run(plan: &Plan, base: &base::Base, root: &std::path::Path) -> Result<Summary, Broken> {
    let mut world = World::new(plan, base, root);
    world.live()?;
    world.settle()?;
    world.judge()?;
    Ok(world.summary())
}

/// Plays one plan once more, up to where everything that happens is in the trace.
///
/// # Errors
/// The promise that was broken.
pub fn run_again(plan: &Plan, base: &base::Base, root: &std::path::Path) -> Result<Summary, Broken> {
    let mut world = World::new(plan, base, root);
    world.live()?;
    world.settle()?;
    Ok(world.summary())
}

/// A hash of everything that happened so far; tells of it in words, where somebody wants to read it.
#[derive(Default)]
pub(crate) struct Trace {
    hasher: DefaultHasher,
    tells: bool,
}

impl Trace {
    pub(crate) fn new(tells: bool) -> Self {
        Self { tells, ..Self::default() }
    }

    pub(crate) fn note(&mut self, what: impl Hash) {
        what.hash(&mut self.hasher);
    }

    pub(crate) fn tell(&self, words: impl FnOnce() -> String) {
        if self.tells {
            println!("{}", words());
        }
    }

    pub(crate) fn value(&self) -> u64 {
        self.hasher.finish()
    }
}
