//! A record: created, edited, merged, its conflicts and its history; and [`vet`], the only door for foreign changes.
//!
//! A record is a set of Automerge changes with flat root keys (see `keys`). What it shows follows from that set alone:
//! the order and the number of times in which changes arrive make no difference. Scalars, sets, lines and counters are
//! folded here by the semantics of an Automerge map, texts by those of an Automerge text, without a document; Automerge
//! itself encodes text edits, and judges whatever foreign change is more than a plain edit. The tests of this room hold
//! both against each other.
//!
//! Absent: clocks, randomness, storage, rights. Who may write what is for `access`; where changes are kept, for `store`.

mod bridge;
mod derive;
mod fold;
mod fresh;
mod genesis;
mod history;
mod keys;
mod plan;
mod read;
mod redo;
mod refusal;
mod state;
mod text;
mod undo;
mod values;
mod vet;
mod vetted;
mod winner;
mod write;

pub use derive::derived_id;
pub use history::HistoryEntry;
pub use read::{ConflictValue, FieldConflict};
pub use redo::redo;
pub use refusal::Refusal;
pub use state::{Stamp, State};
pub use undo::undo;
pub use values::value_of;
pub(crate) use vet::vet_rebuilt;
pub use vet::{Foreign, vet};
pub use vetted::{Op, Vetted};
pub use write::{Author, Edit, create, create_again, edit};

#[cfg(test)]
mod tests;
