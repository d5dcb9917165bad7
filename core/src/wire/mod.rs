//! Bytes on the link and in the log: messages, change chunks, the compact codec.
//!
//! Everything here turns bytes into types and back, within the bounds of [`limits`](crate::limits), and nothing here
//! knows what a record means.

mod bytes;
pub mod message;
