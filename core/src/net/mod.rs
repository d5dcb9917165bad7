//! The socket driver of a link: connects, speaks TLS with a pinned key, moves frames between socket, session and store.
//!
//! [`sync_once`] and [`follow`] keep the upstream link of a device or branch; [`join`] enrols a new replica. [`drive`] is
//! the loop that both ends share; the server calls it for each downstream. Connections come from a [`Network`], store work
//! runs as the replica's environment says: a simulator gives its own of both.

mod connect;
mod drive;
mod follow;
mod frames;
mod patient;
mod work;

pub use connect::{Address, Network, Opening, Socket, Target, Tcp, Unopened, connect, dial, reach};
pub use drive::{Around, Frames, Outcome, Traffic, drive};
pub use follow::{Exchange, Following, follow, is_online, join, join_with_seed, local_commits, sync_once, sync_until};
pub use frames::{Line, frames, websocket_config};
pub use patient::Patient;
pub use work::Work;
