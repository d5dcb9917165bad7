//! The replica for other languages, through UniFFI: Python today; Kotlin and Swift are generated from the same facade.
//!
//! Values cross the border as text, in the forms of the command line (`"1054.00 USD"`, `2017-03-01`, `yes`), so that an
//! app needs no types of its own for fields that a workspace added. Every call may come from any thread. Every failure
//! is one [`ReplicaError`]; a panic inside becomes one, too.
//!
//! What is absent: sync logic and SQL. This crate calls the replica's facade and the link's driver, nothing below.

uniffi::setup_scaffolding!("branchline");

mod error;
mod replica;

pub use error::ReplicaError;
pub use replica::{Field, Me, Node, Record, Replica, State, Synced, version};
