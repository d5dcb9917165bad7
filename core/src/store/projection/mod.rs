//! The projection: one ordinary table per collection, readable by any SQLite tool, rebuilt from the log at will.

pub(crate) mod cell;
pub(crate) mod ddl;
pub(crate) mod layout;
pub(crate) mod row;
