//! The room's tests: at its boundary, and against Automerge.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fixture;
mod records;
