//! The room's tests: at its boundary, and against Automerge.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod archive;
mod automerge;
mod fixture;
mod history;
mod merge;
mod records;
mod redo;
mod script;
mod vetting;
