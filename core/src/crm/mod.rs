//! What makes it a CRM: the built-in collections and the commands on them.
//!
//! Calls only `replica`; knows the names of collections and fields, which nothing below it does.

mod collections;
mod convert;
pub mod day;
pub mod demo;
mod duplicates;
pub mod export;
pub mod import;
mod merge;
pub mod report;

pub use collections::builtin;
pub use convert::{Converted, convert_lead};
pub use duplicates::{Candidate, Measured, Reason, duplicates, measure_febrl};
pub use merge::{Taken, merge, merge_taking, unmerge};

use std::path::Path;
use std::sync::Arc;

use crate::error::Result;
use crate::replica::{Environment, Init, Joining, Replica};

/// Makes `dir` the hub of a new workspace with the built-in collections; see [`Replica::init`].
///
/// # Errors
/// As there.
pub fn init(dir: &Path, init: &Init, env: Arc<dyn Environment>) -> Result<Replica> {
    Replica::init(dir, init, builtin().clone(), env)
}

/// Makes `dir` a replica of an existing workspace; see [`Replica::join`].
///
/// # Errors
/// As there.
pub fn join(dir: &Path, joining: &Joining, env: Arc<dyn Environment>) -> Result<Replica> {
    Replica::join(dir, joining, builtin().clone(), env)
}

/// Opens the replica in `dir` with the built-in collections; see [`Replica::open`].
///
/// # Errors
/// As there.
pub fn open(dir: &Path, env: Arc<dyn Environment>) -> Result<Replica> {
    Replica::open(dir, builtin().clone(), env)
}
