//! The commands, one file for each group: parse arguments, call the replica or the CRM, shape the answer.
//!
//! What is absent: no rule of the business and no rule of the data; those are the core's.

pub mod assignments;
pub mod conflicts;
pub mod convert;
pub mod courier;
pub mod devices;
pub mod duplicates;
pub mod encryption;
pub mod exchange;
mod fetching;
pub mod files;
pub mod folder;
pub mod link;
pub mod people;
pub mod query;
pub mod records;
pub mod refused;
pub mod report;
pub mod schema;
pub mod serve;
pub mod shape;
