//! Why a foreign change was not let in.

use crate::error::Error;
use crate::id::{ActorId, ChangeHash};
use crate::message::Message;

/// The reason for which [`vet`](super::vet()) refuses a change. Nothing of a refused change is stored as part of its
/// record; whoever sent it keeps it.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// The bytes are no change chunk in canonical form, or exceed a bound of it.
    Malformed(Error),
    /// The bytes do not hash to what was announced.
    Hash,
    /// It does something that this protocol version does not know: another kind of object, value, actor or mark.
    Unsupported,
    /// A root key that no schema can mean.
    Key {
        /// The key, shortened.
        key: String,
    },
    /// A value that is none of its field's type.
    Type {
        /// The root key.
        field: String,
    },
    /// An operation that does not supersede exactly what its author saw in the field.
    Predecessors {
        /// The root key.
        field: String,
    },
    /// Its sequence, first counter or time do not follow from its dependencies.
    Order {
        /// Which of them: `sequence`, `counter` or `time`.
        part: &'static str,
    },
    /// It follows changes that are not here: send the record whole.
    Missing {
        /// The missing changes.
        deps: Vec<ChangeHash>,
    },
    /// Another change of the same actor has its number: two copies of a replica wrote under one name.
    Fork {
        /// The actor.
        actor: ActorId,
        /// The number that was used twice.
        seq: u64,
    },
    /// The record's id does not follow from the key that its creating change names.
    DerivedId,
    /// A bound is exceeded.
    Limit {
        /// Which: `text`, `counter` or `operations`.
        part: &'static str,
    },
    /// Automerge cannot take it in, or cannot load the record again with it.
    Unloadable,
}

impl Refusal {
    /// What happened, for people.
    pub fn message(&self) -> Message {
        match self {
            Refusal::Malformed(error) => error.report().message().clone(),
            Refusal::Hash => Message::new("change-hash-differs"),
            Refusal::Unsupported => Message::new("change-unsupported"),
            Refusal::Key { key } => Message::new("change-key").with("key", key),
            Refusal::Type { field } => Message::new("change-type").with("field", field),
            Refusal::Predecessors { field } => Message::new("change-predecessors").with("field", field),
            Refusal::Order { part } => Message::new("change-order").with("part", *part),
            Refusal::Missing { deps } => Message::new("change-missing").with("count", deps.len()),
            Refusal::Fork { actor, seq } => {
                Message::new("change-fork").with("actor", actor.to_string()).with("seq", *seq)
            }
            Refusal::DerivedId => Message::new("change-derived-id"),
            Refusal::Limit { part } => Message::new("change-limit").with("part", *part),
            Refusal::Unloadable => Message::new("change-unloadable"),
        }
    }

    /// A stable code for programs and for the wire, `change_fork`; never translated.
    pub fn code(&self) -> String {
        self.message().id().replace('-', "_")
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Malformed(error) => error,
            other => Error::Refused(other.message().into()),
        }
    }
}
