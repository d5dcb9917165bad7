//! The sans-IO link under a virtual clock: real sessions, real replicas, lines that delay, cut and duplicate.
//!
//! One seed decides everything: the workload, the schedule, the faults. [`run`] plays it, lets the faults stop, waits for
//! quiet and asks the oracles. A failing seed is replayed with `BRANCHLINE_SEED=<seed> cargo test -p branchline-tests
//! --test link replay`.

pub mod clock;
pub mod company;
pub(crate) mod line;
mod oracle;
pub mod pair;
mod random;
pub mod small;
mod world;

pub use line::Faults;
pub use oracle::Ledger;
pub use random::Random;
pub use world::{Plan, World};

/// What a run came to, for tests that ask more than that it went well.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Transactions that people committed.
    pub transactions: u64,
    /// Lines that were cut.
    pub cuts: u64,
    /// Processes that were killed between a commit and its acknowledgement.
    pub crashes: u64,
    /// Folders that were put back as they once were.
    pub set_backs: u64,
    /// Connections that replaced a live one of the same device.
    pub duplicates: u64,
    /// Records with conflicts at the hub in the end.
    pub conflicts: u64,
}

/// Plays one seed to its end and checks promises 1 to 5 and 10.
///
/// # Panics
/// Where a promise is broken; the message names the seed and the promise.
pub fn run(plan: &Plan) -> Summary {
    let mut world = World::new(plan);
    world.live();
    world.settle();
    world.check();
    world.summary()
}
