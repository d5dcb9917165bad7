//! Bytes on the link and in the log: messages, change chunks, the compact codec.
//!
//! Everything here turns bytes into types and back, within the bounds of [`limits`](crate::limits), and nothing here
//! knows what a record means. A chunk is read and written by its published format, without Automerge; whether a
//! well-formed change may enter a record is for [`document`](crate::document) to say.

pub(crate) mod bytes;
pub mod chunk;
pub mod codec;
pub mod courier;
pub mod message;
pub mod seed;
