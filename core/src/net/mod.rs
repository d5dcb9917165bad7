//! The socket driver of a link: connects, speaks TLS with a pinned key, moves frames between socket, session and store.
//!
//! [`sync_once`] and [`follow`] keep the upstream link of a device or branch; [`join`] enrols a new replica. [`drive`] is
//! the loop that both ends share; the server calls it for each downstream. Store work runs on blocking threads, so a
//! slow disk never stops a heartbeat.

mod connect;
mod drive;
mod follow;
mod frames;
mod patient;

pub use connect::{Address, connect};
pub use drive::{Around, Frames, Outcome, Traffic, drive};
pub use follow::{Exchange, Following, follow, is_online, join, join_with_seed, local_commits, sync_once};
pub use frames::{Line, frames, websocket_config};
pub use patient::Patient;
