//! The facade: transactions, queries, history, conflicts, watch, backup. Everything above calls only this.
//!
//! A [`Replica`] is one folder: `branchline.db` (SQLite), `device.key` (its Ed25519 secret), `blobs/` (attachments by
//! content), `store.key` where it is encrypted. It is cheap to clone and may be used from any thread; several processes
//! may open one folder.
//!
//! Invariants: a transaction is visible whole or not at all, here and at every other replica; who acts is asked for
//! rights before anything is written; lists show neither archived nor hidden records unless asked to; after damage was
//! seen nothing is written any more, for this may be the only copy.
//!
//! What is absent: no socket (that is `net`), no SQL (that is `store`), no knowledge of any particular collection but
//! `user`, whose records are the people who act, and `role`, which says what they may.

mod audit;
mod beside;
mod blobs;
mod changed;
mod credential;
mod deciding;
mod delivery;
mod environment;
pub mod identity;
mod inner;
mod keeping;
pub mod link;
mod making;
mod once;
mod opening;
mod preferences;
mod principal;
mod reading;
mod record;
mod refused;
mod rights;
pub(crate) mod sealed;
mod settings;
mod state;
mod turns;
mod tx;
mod watch;

pub use crate::document::Edit;
pub use crate::store::Fate;
pub use crate::store::{BlobReader, BlobWriter, Direction, Folder, Query, StoreKey, Tally};
pub use audit::LoggedChange;
pub use blobs::{BlobState, CheckedBlob, Unsent};
pub use changed::{Changed, ChangedPage, Cursor};
pub use credential::Credential;
pub use delivery::{Delivery, Reason};
pub use environment::{Environment, SystemEnvironment};
pub use identity::Identity;
pub use once::Once;
pub use preferences::Preferences;
pub use principal::Principal;
pub use record::{Conflict, ConflictValue, HistoryEntry, Hit, Page, Record, Stamp};
pub use refused::{FieldChange, Mark, RefusedEntry, Retry};
pub use settings::{Init, Joining, NodeRole, Person, Settings, Status, Verified, Waiting};
pub use tx::{Keyed, Tx};
pub use watch::WatchHandle;

use std::path::Path;
use std::sync::{Arc, OnceLock, Weak};

pub(crate) use inner::Inner;

use self::principal::Sight;
use crate::id::RecordId;

/// One replica. See the [module](self).
#[derive(Clone)]
pub struct Replica {
    inner: Arc<Inner>,
    /// Who acts, where it is somebody who signed in and not the replica's own person.
    person: Option<RecordId>,
    /// What that person sees, where it was settled at the first question.
    settled: Option<Arc<OnceLock<Sight>>>,
}

/// A replica that is not kept open by it.
#[derive(Clone)]
pub struct WeakReplica {
    inner: Weak<Inner>,
    person: Option<RecordId>,
}

impl WeakReplica {
    /// The replica, while somebody has it open.
    pub fn upgrade(&self) -> Option<Replica> {
        self.inner.upgrade().map(|inner| Replica { inner, person: self.person, settled: None })
    }
}

impl Replica {
    /// The same replica for whoever should not keep it open, such as what it calls itself.
    pub fn downgrade(&self) -> WeakReplica {
        WeakReplica { inner: Arc::downgrade(&self.inner), person: self.person }
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.inner.home.dir
    }

    /// The clock and randomness that it was opened with.
    pub fn environment(&self) -> &dyn Environment {
        &*self.inner.env
    }

    /// Its key.
    pub fn identity(&self) -> &Identity {
        &self.inner.identity
    }
}
