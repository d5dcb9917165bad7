//! What makes it a CRM: the built-in collections and the commands on them.
//!
//! Calls only `replica`; knows the names of collections and fields, which nothing below it does.

mod collections;
pub mod export;
pub mod import;
pub mod report;

pub use collections::builtin;
