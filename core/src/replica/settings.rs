//! What a replica is: its workspace, its role, whom it acts for, and its state in numbers.

use crate::access::Scope;
use crate::id::{DeviceId, RecordId, WorkspaceId};
use crate::message::Language;
use crate::schema::{Currency, Name};
use crate::time::Millis;

/// The place of a replica among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeRole {
    /// Head office: no upstream.
    Hub,
    /// A branch: an upstream, and downstreams of its own.
    Branch,
    /// A phone or laptop: an upstream only.
    Device,
}

impl NodeRole {
    /// The name that commands and files use.
    pub fn as_str(self) -> &'static str {
        match self {
            NodeRole::Hub => "hub",
            NodeRole::Branch => "branch",
            NodeRole::Device => "device",
        }
    }

    /// The role of a name.
    pub fn parse(text: &str) -> Option<Self> {
        [NodeRole::Hub, NodeRole::Branch, NodeRole::Device].into_iter().find(|role| role.as_str() == text)
    }

    /// Whether other replicas may join this one.
    pub fn serves(self) -> bool {
        self != NodeRole::Device
    }

    /// Whether this one follows another.
    pub fn has_upstream(self) -> bool {
        self != NodeRole::Hub
    }
}

/// What a new hub is made with.
#[derive(Debug, Clone)]
pub struct Init {
    /// The company's name.
    pub name: String,
    /// The owner's name; without it the local part of the address, else the company's name.
    pub owner_name: Option<String>,
    /// The owner's address.
    pub owner_email: Option<String>,
    /// The currency of a bare number.
    pub currency: Currency,
    /// The language of the workspace.
    pub language: Language,
}

impl Init {
    /// A hub of this name, without an address of its owner, in dollars and English.
    pub fn named(name: &str) -> Self {
        let currency = Currency(*b"USD");
        Self { name: name.to_owned(), owner_name: None, owner_email: None, currency, language: Language::En }
    }
}

/// What a folder that joins an upstream is made with.
#[derive(Debug, Clone)]
pub struct Joining {
    /// The upstream's workspace.
    pub workspace: WorkspaceId,
    /// The company's name.
    pub name: String,
    /// The name of this branch or device.
    pub node_name: String,
    /// Branch or device.
    pub role: NodeRole,
    /// The person it acts for.
    pub person: RecordId,
    /// That person's role, until the person's record has arrived.
    pub person_role: String,
    /// The branch it belongs to, if any.
    pub branch: Option<RecordId>,
    /// What it was granted.
    pub scopes: Vec<Scope>,
    /// The currency of a bare number.
    pub currency: Currency,
    /// The language of the workspace.
    pub language: Language,
}

/// The workspace and this replica's place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The company's name.
    pub name: String,
    /// The name of this replica among others.
    pub node_name: String,
    /// This replica.
    pub device: DeviceId,
    /// Its place.
    pub role: NodeRole,
    /// The branch it belongs to, if any.
    pub branch: Option<RecordId>,
    /// The currency of a bare number.
    pub currency: Currency,
    /// The language of the workspace.
    pub language: Language,
}

/// The person a replica acts for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The person's record.
    pub id: RecordId,
    /// The name; the id until the record has arrived.
    pub name: String,
    /// The role: `owner`, `manager`, `seller`, `reader`, or one of the workspace's own.
    pub role: String,
    /// The branch whose records the person makes.
    pub home_branch: Option<RecordId>,
}

/// What stands open at a replica, counted without reading what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Changes that the upstream has not acknowledged.
    pub outbox: u64,
    /// Own changes that the upstream refused.
    pub quarantine: u64,
    /// Records with a conflict that only a person may settle.
    pub conflicts_asking: u64,
}

/// A replica in numbers. What the link adds (address, whether it is up) is not known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The replica's place.
    pub role: NodeRole,
    /// The replica.
    pub replica: DeviceId,
    /// Its name.
    pub name: String,
    /// The person it acts for.
    pub user: String,
    /// Changes that the upstream has not acknowledged.
    pub outbox: u64,
    /// Own changes that the upstream refused.
    pub quarantine: u64,
    /// Records with an open conflict.
    pub conflicts: u64,
    /// Of these, records with a conflict that only a person may settle.
    pub conflicts_asking: u64,
    /// Refused changes of others, and records marked, that wait for a person.
    pub review: u64,
    /// Records by collection, without archived ones.
    pub records: Vec<(Name, u64)>,
    /// Over (record id, heads) of everything held; equal on replicas that agree.
    pub digest: String,
    /// The last row of the log.
    pub log_end: u64,
    /// When the last commit happened here.
    pub last_commit: Option<Millis>,
}

/// What `verify` looked at and found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// Changes whose hash and place were checked.
    pub changes: u64,
    /// Records folded from their changes.
    pub records: u64,
    /// Records whose heads differed from their changes.
    pub heads_differ: u64,
    /// Projection rows that differed from their records.
    pub rows_differ: u64,
    /// Rows of the full-text index that differed.
    pub search_differ: u64,
    /// Tables of the projection that are missing.
    pub tables_missing: u64,
    /// Entries of indexes that differed from their tables.
    pub indexes_differ: u64,
    /// Log rows that stood under another name than their change has.
    pub places_differ: u64,
    /// Attachments whose bytes were held against their names.
    pub attachments: u64,
    /// Attachments that are missing or not what their names say.
    pub attachments_damaged: u64,
    /// Damaged records and attachments that the next exchange with the upstream fetches anew.
    pub fetching: u64,
    /// Damage that only a backup or another replica can mend, in words; empty where there is none.
    pub damage: Vec<String>,
    /// Whether what differed was written anew.
    pub repaired: bool,
}

impl Verified {
    /// Whether nothing is wrong now.
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty() && self.attachments_damaged == 0 && (self.differing() == 0 || self.repaired)
    }

    /// How much differs that can be written anew from the log.
    pub fn differing(&self) -> u64 {
        self.heads_differ
            + self.rows_differ
            + self.search_differ
            + self.tables_missing
            + self.places_differ
            + self.indexes_differ
    }
}
