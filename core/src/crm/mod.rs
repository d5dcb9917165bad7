//! What makes it a CRM: the built-in collections and the commands on them.
//!
//! Calls only `replica`; knows the names of collections and fields, which nothing below it does.

mod collections;
mod convert;
mod duplicates;
pub mod export;
pub mod import;
mod merge;
pub mod report;

pub use collections::builtin;
pub use convert::{Converted, convert_lead};
pub use duplicates::{Candidate, Measured, Reason, duplicates, measure_febrl};
pub use merge::{merge, unmerge};
