//! The process around a replica: the command line, and the hub or branch that others connect to.
//!
//! | module | what it owns |
//! |---|---|
//! | [`cli`] | the command tree, the dispatcher, exit codes |
//! | [`commands`] | one file for each group of commands, over the replica facade |
//! | [`context`] | what a command knows before it starts: folder, language, form of the answer |
//! | [`output`] | answers: one JSON document or a table; errors and warnings |
//! | `client` | one HTTP request: webhooks, a seed |
//! | [`server`] | the HTTP side of a hub or branch: health, the link, connections |
//! | [`state`] | a replica's state in numbers, for `status` and the page |
//! | [`runtime`] | the asynchronous runtime, the stop signal, spans of time |
//! | [`demo`] | five replicas as processes, and the story they play |
//! | [`catalogue`] | this crate's texts in English, Russian and Ukrainian |
//!
//! What is absent: nothing here reads or writes a store except through `branchline_core::replica`, and no command
//! prints on its own while it can still fail, so that stdout holds one whole answer or none.

mod api;
pub mod catalogue;
pub mod cli;
mod client;
pub mod commands;
pub mod context;
pub mod demo;
pub mod key_file;
pub mod output;
pub mod runtime;
pub mod server;
pub mod state;
pub mod web;
