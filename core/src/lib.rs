//! Everything a Branchline replica knows: records, the store, the link, the CRM.
//!
//! Rooms, lower ones first; a room imports only rooms above it in this list:
//!
//! | room | what it owns |
//! |---|---|
//! | [`id`], [`limits`], [`message`], [`error`], [`time`] | newtypes for ids, every bound, the message catalogue, the error, the clock's value |
//! | [`probe`] | marks, mutants and watched files for the simulator; compiled to nothing in a published program |
//! | [`schema`] | collections and fields as data, values, validation, filter expressions |
//! | [`access`] | roles, grants, scopes: pure decisions |
//! | [`wire`] | change chunks, the compact codec, frames and messages: bytes to types and back |
//! | [`document`] | a record: create, edit, merge, conflicts, history; `vet`, the only door for foreign changes |
//! | [`sync`] | the sans-IO link: one state machine for each end |
//! | [`store`] | SQLite: log, projection, full-text index, outbox, quarantine |
//! | [`replica`] | the facade that everything else calls |
//! | [`crm`] | built-in collections, commands, import, duplicates, reports |
//! | [`net`] | the socket driver of an upstream link (feature `net`) |
//!
//! What is absent: no room below `net` reads a clock, draws randomness or opens a socket on its own; only `store`
//! speaks SQL; only `document` touches Automerge.

#[macro_use]
pub mod probe;

pub mod access;
pub mod crm;
pub mod document;
pub mod error;
pub mod id;
pub mod limits;
pub mod message;
#[cfg(feature = "net")]
pub mod net;
pub mod replica;
pub mod schema;
pub mod store;
pub mod sync;
pub mod time;
pub mod wire;

pub use error::{Error, Result};
