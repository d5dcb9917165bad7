//! A company of real replicas without lines: a hub, and whoever joins it.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use branchline_core::crm;
use branchline_core::document::Edit;
use branchline_core::id::{BlobHash, RecordId};
use branchline_core::message::Language;
use branchline_core::replica::link::Invitation;
use branchline_core::replica::{Init, Query, Replica, SystemEnvironment};
use branchline_core::schema::{Currency, Name, Value};

use super::pair::{enrol, exchange};

/// A hub and the folders around it; all of it goes away with the value.
pub struct Company {
    root: tempfile::TempDir,
    /// Head office.
    pub hub: Replica,
}

impl Default for Company {
    fn default() -> Self {
        Self::new()
    }
}

impl Company {
    /// A hub with its owner.
    ///
    /// # Panics
    /// Where the folder cannot be made.
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let hub =
            Replica::init(root.path().join("hub"), &caravan(), crm::builtin().clone(), Arc::new(SystemEnvironment));
        let hub = hub.unwrap();
        hub.announce("http://127.0.0.1:1", None).unwrap();
        Self { root, hub }
    }

    /// The folder of this name.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// A branch below the hub.
    pub fn branch(&self, name: &str) -> Replica {
        self.below(&self.hub, invitation(name).branch())
    }

    /// Whoever joins `upper` by this invitation, after a first exchange.
    ///
    /// # Panics
    /// Where the upstream refuses it.
    pub fn below(&self, upper: &Replica, invitation: impl Into<Invitation>) -> Replica {
        let lower = self.joined(upper, &invitation.into());
        exchange(&lower, upper).unwrap();
        lower
    }

    /// Whoever joins `upper` by this invitation, without any exchange.
    ///
    /// # Panics
    /// Where the upstream refuses it.
    pub fn joined(&self, upper: &Replica, invitation: &Invitation) -> Replica {
        let lower = enrol(upper, &self.folder(&invitation.name), invitation, Arc::new(SystemEnvironment));
        lower.announce("http://127.0.0.1:2", None).unwrap();
        lower
    }

    /// A person, made at the hub.
    ///
    /// # Panics
    /// Where the hub cannot make one.
    pub fn person(&self, name: &str, role: &str, branch: Option<&str>) -> RecordId {
        let mut values = vec![text("name", name), text("role", role)];
        if let Some(code) = branch {
            let id = self.hub.find("branch", &format!("code={code}")).unwrap();
            values.push(("home_branch".into(), Value::Reference(id)));
        }
        self.hub.transact(|tx| tx.create("user", values)).unwrap()
    }

    /// The folder opened by a new process, as after a kill: nothing that a process remembers is there any more.
    ///
    /// # Panics
    /// Where it cannot be opened.
    pub fn reopened(&self, name: &str) -> Replica {
        Replica::open(self.folder(name), crm::builtin().clone(), Arc::new(SystemEnvironment)).unwrap()
    }
}

/// What the company of every simulation is called, and who owns it.
pub fn caravan() -> Init {
    Init {
        name: "Caravan".into(),
        owner_name: Some("Olha".into()),
        owner_email: Some("olha@caravan.example".into()),
        currency: Currency(*b"EUR"),
        language: Language::En,
    }
}

/// An invitation under construction.
#[derive(Debug, Clone)]
pub struct Asked(Invitation);

/// An invitation of a device of this name that acts for a person of its own.
pub fn invitation(name: &str) -> Asked {
    Asked(Invitation { name: name.into(), expires_ms: 60_000, ..Invitation::default() })
}

impl From<Asked> for Invitation {
    fn from(asked: Asked) -> Self {
        asked.0
    }
}

impl Asked {
    /// Of a branch instead.
    #[must_use]
    pub fn branch(mut self) -> Self {
        self.0.branch = true;
        self
    }

    /// For this person.
    #[must_use]
    pub fn of(mut self, user: &str) -> Self {
        self.0.user = Some(user.into());
        self
    }

    /// In this role instead of the person's.
    #[must_use]
    pub fn role(mut self, role: &str) -> Self {
        self.0.role = Some(role.into());
        self
    }

    /// Holding this scope, too.
    #[must_use]
    pub fn scope(mut self, scope: &str) -> Self {
        self.0.scopes.push(scope.into());
        self
    }
}

/// A text for a field.
pub fn text(field: &str, value: &str) -> (Name, Value) {
    (Name::from(field), Value::Text(value.into()))
}

/// A deal of this name.
///
/// # Panics
/// Where it may not be made.
pub fn deal(replica: &Replica, name: &str, more: Vec<(Name, Value)>) -> RecordId {
    let mut values = vec![text("name", name)];
    values.extend(more);
    replica.transact(|tx| tx.create("opportunity", values)).unwrap()
}

/// Sets one field of a deal.
///
/// # Panics
/// Where it may not be set.
pub fn set(replica: &Replica, id: &RecordId, field: &str, value: Value) {
    replica.transact(|tx| tx.edit("opportunity", id, vec![Edit::Set(Name::from(field), value)])).unwrap();
}

/// The names of all deals, archived ones too.
///
/// # Panics
/// Where they cannot be read.
pub fn names(replica: &Replica) -> Vec<String> {
    let rows = replica.list(&Query::of("opportunity").with_archived()).unwrap().rows;
    let mut names: Vec<String> = rows.iter().map(|r| r.text("name").to_owned()).collect();
    names.sort();
    names
}

/// The bytes of an attachment that a replica holds.
pub fn bytes_of(replica: &Replica, hash: &BlobHash) -> Vec<u8> {
    let mut bytes = Vec::new();
    replica.blob(hash).unwrap().expect("it is here").read_to_end(&mut bytes).unwrap();
    bytes
}
