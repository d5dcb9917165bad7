//! The link as files, for places that have no line at all: what would have been said on it is packed, carried and unpacked.
//!
//! A file that goes up holds everything that waits and where its sender stands; a file that goes down holds receipts for
//! files that came up and everything since the position named last. Each file says all of it again until an answer has
//! come, so files may be lost, doubled or come in another order: what is known already changes nothing. The same
//! executors as on a line do the work: vetting, rights, scopes, refusals and positions are theirs.
//!
//! Invariants: nothing of a file counts before its signature was checked over all of it; only a receipt empties the
//! outbox; a position moves only with the last batch of a file, and only where the batches continue from a position at
//! which this replica stands. What is absent: link epochs (a file may be weeks old when it arrives; copied folders are
//! found by the line, and their changes by the log), clock corrections, deadlines.

mod enrol;
mod envelope;
mod memory;
mod pack;
mod unpack;

use std::path::Path;

use super::Replica;
use crate::error::{Error, Result};
use crate::id::{DeviceId, WorkspaceId};
use crate::store::{link_rows, meta};

/// What a packed file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packed {
    /// For whom it is: a name, or `upstream`.
    pub to: String,
    /// Changes in it.
    pub changes: u64,
    /// Receipts in it.
    pub receipts: u64,
    /// Attachments in it.
    pub attachments: u64,
    /// Its length in bytes.
    pub bytes: u64,
}

/// What unpacking a file came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Changes of ours that the upstream has acknowledged with it.
    pub pushed: u64,
    /// Changes that became durable here.
    pub pulled: u64,
    /// Changes that were refused, there or here.
    pub refused: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// What kept it from being of use in full, if anything.
    pub note: Option<Note>,
}

/// Why a file brought less than it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// It was unpacked before, or later ones have brought all that it holds.
    Known,
    /// Its changes do not continue from where this replica stands; what it acknowledges was taken.
    Elsewhere,
}

impl Replica {
    /// Packs what waits for a downstream, by its name or id, or for the upstream (`upstream`, its id, or no name where
    /// there is no downstream), into a new file.
    ///
    /// # Errors
    /// `courier_exists`, `no_upstream`, `unknown_device_name`, `ambiguous_device`, `history_differs`; whatever the store
    /// or the file system says. Nothing of a failed attempt stays.
    pub fn courier_pack(&self, file: &Path, to: Option<&str>) -> Result<Packed> {
        let upstream = self.upstream_device()?;
        let named = to.filter(|name| *name != "upstream" && upstream.map(|id| id.to_string()).as_deref() != Some(name));
        match named {
            None => pack::up(self, file),
            Some(name) => pack::down(self, file, &self.downstream_named(name)?),
        }
    }

    /// Takes in a file that was packed for this replica.
    ///
    /// # Errors
    /// `courier_not_one`, `courier_version`, `courier_other_workspace`, `courier_not_for_us`, `courier_unknown_sender`,
    /// `courier_cut`, `courier_damaged`, `courier_signature`: nothing was changed. `history_differs`: likewise. Whatever
    /// the store says; then unpacking the same file again goes on.
    pub fn courier_unpack(&self, file: &Path) -> Result<Unpacked> {
        let place = |error: Error| error.at(file.display().to_string());
        let header = envelope::peek(file)?;
        let settings = self.settings()?;
        let enrols = header.workspace == WorkspaceId::default();
        if header.workspace != settings.workspace && !enrols {
            return Err(place(Error::invalid("courier-other-workspace")));
        }
        if header.receiver != self.device() {
            let known = self.read(|conn| link_rows::device(conn, &header.receiver))?;
            let name = known.map_or_else(|| header.receiver.to_string(), |device| device.name);
            return Err(place(Error::invalid("courier-not-for-us").with("name", name)));
        }
        let opener = envelope::Opener::open(file, &header, self.identity())?;
        if self.upstream_device()? == Some(header.sender) {
            return unpack::down(self, opener);
        }
        match self.read(|conn| link_rows::device(conn, &header.sender))? {
            Some(device) => unpack::up(self, opener, &device),
            None if enrols => enrol::take_in(self, opener, &header),
            None => Err(place(Error::refused("courier-unknown-sender").with("device", header.sender.to_string()))),
        }
    }

    fn upstream_key(&self) -> Result<[u8; 32]> {
        let key = self.read(|conn| meta::bytes(conn, super::state::key::UPSTREAM_KEY))?;
        key.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| Error::usage("no-upstream"))
    }

    fn downstream_named(&self, name: &str) -> Result<link_rows::DeviceRow> {
        let fits = |d: &link_rows::DeviceRow| d.name == name || Some(d.id) == DeviceId::parse(name);
        let direct = |d: &link_rows::DeviceRow| d.enroller == self.device();
        let mut found: Vec<_> = self.read(link_rows::devices)?.into_iter().filter(|d| fits(d) && direct(d)).collect();
        if found.iter().any(|d| !d.revoked) {
            found.retain(|d| !d.revoked);
        }
        match (found.pop(), found.len()) {
            (Some(one), 0) => Ok(one),
            (None, _) => Err(Error::not_found("unknown-device-name").with("name", name)),
            (Some(_), more) => Err(Error::ambiguous("ambiguous-device").with("name", name).with("count", more + 1)),
        }
    }
}
