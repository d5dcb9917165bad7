//! What makes it a CRM: the built-in collections and the commands on them.
//!
//! Calls only `replica`; knows the names of collections and fields, which nothing below it does.

pub mod board;
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

use std::sync::Arc;

use crate::error::Result;
use crate::replica::{Environment, Folder, Init, Joining, Replica};

/// Makes a folder the hub of a new workspace with the built-in collections; see [`Replica::init`].
///
/// # Errors
/// As there.
pub fn init(folder: impl Into<Folder>, init: &Init, env: Arc<dyn Environment>) -> Result<Replica> {
    Replica::init(folder, init, builtin().clone(), env)
}

/// Makes a folder a replica of an existing workspace; see [`Replica::join`].
///
/// # Errors
/// As there.
pub fn join(folder: impl Into<Folder>, joining: &Joining, env: Arc<dyn Environment>) -> Result<Replica> {
    Replica::join(folder, joining, builtin().clone(), env)
}

/// Opens the replica in a folder with the built-in collections; see [`Replica::open`].
///
/// # Errors
/// As there.
pub fn open(folder: impl Into<Folder>, env: Arc<dyn Environment>) -> Result<Replica> {
    Replica::open(folder, builtin().clone(), env)
}
