//! What a replica knows of its own upstream link: address, pause, last quiet moment, completeness.

use super::code::Trust;
use crate::error::{Error, Result};
use crate::id::{DeviceId, RecordId};
use crate::replica::Replica;
use crate::store::{Opened, link_rows, meta};
use crate::time::Millis;

/// Keys of the `meta` table that belong to the link.
pub(super) mod key {
    pub(in crate::replica::link) const URL: &str = "upstream_url";
    pub(in crate::replica::link) const TLS_PIN: &str = "upstream_tls_pin";
    pub(in crate::replica::link) const UPSTREAM_KEY: &str = "upstream_key";
    pub(in crate::replica::link) const UPSTREAM: &str = "upstream_device";
    pub(in crate::replica::link) const EPOCH: &str = "link_epoch";
    pub(in crate::replica::link) const POSITION: &str = "position";
    pub(in crate::replica::link) const WITNESS: &str = "witness";
    pub(in crate::replica::link) const PAUSED: &str = "link_paused";
    pub(in crate::replica::link) const QUIET_AT: &str = "link_quiet_at";
    pub(in crate::replica::link) const COMPLETE: &str = "complete_through";
    pub(in crate::replica::link) const PUSHED: &str = "link_pushed";
    pub(in crate::replica::link) const PULLED: &str = "link_pulled";
    pub(in crate::replica::link) const REFUSED: &str = "link_refused";
    pub(in crate::replica::link) const BYTES_UP: &str = "link_bytes_up";
    pub(in crate::replica::link) const BYTES_DOWN: &str = "link_bytes_down";
    pub(in crate::replica::link) const LINE_UP: &str = "link_line_up";
    pub(in crate::replica::link) const PUBLIC_URL: &str = "public_url";
    pub(in crate::replica::link) const PUBLIC_PIN: &str = "public_tls_pin";
    pub(in crate::replica::link) const CERTIFICATE: &str = "certificate";
    pub(in crate::replica::link) const AUDITED_AT: &str = "link_audited_at";
    pub(in crate::replica::link) const EXCHANGES_ASKED: &str = "link_exchanges_asked";
    pub(in crate::replica::link) const EXCHANGES_MADE: &str = "link_exchanges_made";
    pub(in crate::replica::link) const AUDIT_ASKED: &str = "link_audit_asked";
}

/// What the upstream link has moved since the folder joined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// Changes that the upstream acknowledged.
    pub pushed: u64,
    /// Changes received from it.
    pub pulled: u64,
    /// Changes that it refused.
    pub refused: u64,
    /// Bytes sent to it.
    pub bytes_up: u64,
    /// Bytes received from it.
    pub bytes_down: u64,
}

impl Replica {
    /// The address of the upstream and how its TLS server is known.
    ///
    /// # Errors
    /// `no_upstream` on a hub.
    pub fn upstream(&self) -> Result<(String, Option<Trust>)> {
        self.read(|conn| {
            let url = meta::text(conn, key::URL)?.ok_or_else(|| Error::usage("no-upstream"))?;
            Ok((url, meta::bytes(conn, key::TLS_PIN)?.and_then(|bytes| Trust::of_bytes(&bytes))))
        })
    }

    /// Changes the upstream's address and, with `trust`, how its TLS server is known; without it that stays. Who answers
    /// there is checked at the next connection.
    ///
    /// # Errors
    /// `no_upstream` on a hub, `address_malformed`.
    pub fn set_upstream(&self, url: &str, trust: Option<Trust>) -> Result<()> {
        self.upstream()?;
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            return Err(Error::invalid("address-malformed").with("url", url));
        }
        self.note(|conn| {
            meta::set(conn, key::URL, url.as_bytes())?;
            trust.map_or(Ok(()), |trust| meta::set(conn, key::TLS_PIN, trust.bytes()))
        })
    }

    /// Whether the line was cut by hand.
    ///
    /// # Errors
    /// Whatever reading the store can fail with.
    pub fn is_paused(&self) -> Result<bool> {
        self.read(|conn| Ok(meta::integer(conn, key::PAUSED)?.is_some()))
    }

    /// Cuts or restores the line by hand; a process that keeps the link obeys within a second.
    ///
    /// # Errors
    /// `no_upstream` on a hub.
    pub fn set_paused(&self, paused: bool) -> Result<()> {
        self.upstream()?;
        let now = self.environment().now();
        self.note(|conn| match paused {
            true => meta::set_integer(conn, key::PAUSED, now.0),
            false => meta::clear(conn, key::PAUSED),
        })
    }

    /// Has the next exchange compare everything that both ends hold, as happens once a week anyway.
    ///
    /// # Errors
    /// `no_upstream` on a hub.
    pub fn ask_audit(&self) -> Result<()> {
        self.upstream()?;
        let now = self.environment().now();
        self.note(|conn| meta::set_integer(conn, key::AUDIT_ASKED, now.0))
    }

    /// When everything that both ends of the upstream link hold was last compared, or the link begun.
    ///
    /// # Errors
    /// Whatever reading the store can fail with.
    pub fn last_audit(&self) -> Result<Option<Millis>> {
        self.read(|conn| Ok(meta::integer(conn, key::AUDITED_AT)?.map(Millis)))
    }

    /// The last sequence of the log: it changes whenever any process commits a change.
    ///
    /// # Errors
    /// Whatever reading the store can fail with.
    pub fn log_end(&self) -> Result<u64> {
        self.read(link_rows::log_end)
    }

    /// A number that grows whenever the link may have something new to move: a commit of any process, an attachment asked
    /// for here.
    pub(crate) fn link_news(&self) -> Result<u64> {
        Ok(self.log_end()?.wrapping_add(self.inner.nudges()))
    }

    /// Changes that the upstream has not acknowledged.
    ///
    /// # Errors
    /// Whatever reading the store can fail with.
    pub fn outbox_len(&self) -> Result<u64> {
        self.read(link_rows::outbox_len)
    }

    /// When the link last had nothing to move in either direction.
    ///
    /// # Errors
    /// Whatever reading the store can fail with.
    pub fn last_quiet(&self) -> Result<Option<Millis>> {
        self.read(|conn| Ok(meta::integer(conn, key::QUIET_AT)?.map(Millis)))
    }

    /// Notes that the link has nothing to move.
    ///
    /// # Errors
    /// Whatever writing the store can fail with.
    pub fn note_quiet(&self) -> Result<()> {
        let now = self.environment().now();
        self.note(|conn| meta::set_integer(conn, key::QUIET_AT, now.0))
    }

    /// Asks the process that keeps the link for an exchange from the beginning; gives the number of the wish.
    ///
    /// # Errors
    /// Whatever writing the store can fail with.
    pub fn ask_exchange(&self) -> Result<i64> {
        self.note(|conn| {
            let number = meta::integer(conn, key::EXCHANGES_ASKED)?.unwrap_or(0) + 1;
            meta::set_integer(conn, key::EXCHANGES_ASKED, number)?;
            Ok(number)
        })
    }

    /// The number of the last wish for an exchange.
    ///
    /// # Errors
    /// Whatever reading the store can fail with.
    pub fn exchanges_asked(&self) -> Result<i64> {
        self.read(|conn| Ok(meta::integer(conn, key::EXCHANGES_ASKED)?.unwrap_or(0)))
    }

    /// Up to which wish for an exchange one has come to its end.
    ///
    /// # Errors
    /// Whatever reading the store can fail with.
    pub fn exchanges_made(&self) -> Result<i64> {
        self.read(|conn| Ok(meta::integer(conn, key::EXCHANGES_MADE)?.unwrap_or(0)))
    }

    /// Notes that an exchange which began after these wishes has gone quiet.
    ///
    /// # Errors
    /// Whatever writing the store can fail with.
    pub fn note_exchanges(&self, asked: i64) -> Result<()> {
        if self.exchanges_made()? >= asked {
            return Ok(());
        }
        self.note(|conn| meta::set_integer(conn, key::EXCHANGES_MADE, asked))
    }

    /// Whether the process that keeps the link last said that the line is up.
    ///
    /// # Errors
    /// Whatever reading the store can fail with.
    pub fn is_line_up(&self) -> Result<bool> {
        self.read(|conn| Ok(meta::integer(conn, key::LINE_UP)?.is_some()))
    }

    /// Notes that the line has come up or gone down.
    ///
    /// # Errors
    /// Whatever writing the store can fail with.
    pub fn note_line(&self, up: bool) -> Result<()> {
        let now = self.environment().now();
        self.note(|conn| match up {
            true => meta::set_integer(conn, key::LINE_UP, now.0),
            false => meta::clear(conn, key::LINE_UP),
        })
    }

    /// Adds to what the upstream line has carried, in bytes.
    ///
    /// # Errors
    /// Whatever writing the store can fail with.
    pub fn note_traffic(&self, sent_bytes: u64, received_bytes: u64) -> Result<()> {
        if sent_bytes + received_bytes == 0 {
            return Ok(());
        }
        self.note(|conn| {
            add(conn, key::BYTES_UP, sent_bytes)?;
            add(conn, key::BYTES_DOWN, received_bytes)
        })
    }

    /// What the upstream link has moved so far.
    ///
    /// # Errors
    /// Whatever reading the store can fail with.
    pub fn link_counters(&self) -> Result<LinkCounters> {
        self.read(|conn| {
            let count = |key| Ok::<_, Error>(meta::integer(conn, key)?.unwrap_or(0).max(0) as u64);
            Ok(LinkCounters {
                pushed: count(key::PUSHED)?,
                pulled: count(key::PULLED)?,
                refused: count(key::REFUSED)?,
                bytes_up: count(key::BYTES_UP)?,
                bytes_down: count(key::BYTES_DOWN)?,
            })
        })
    }

    /// Where downstreams reach this replica, as `serve` announced it last, and how they know the TLS server there.
    ///
    /// # Errors
    /// Whatever reading the store can fail with.
    pub fn public_address(&self) -> Result<Option<(String, Option<Trust>)>> {
        self.read(|conn| {
            let trust = meta::bytes(conn, key::PUBLIC_PIN)?.and_then(|bytes| Trust::of_bytes(&bytes));
            Ok(meta::text(conn, key::PUBLIC_URL)?.map(|url| (url, trust)))
        })
    }

    /// Notes where downstreams reach this replica, and how they know the TLS server there.
    ///
    /// # Errors
    /// Whatever writing the store can fail with.
    pub fn announce(&self, url: &str, trust: Option<Trust>) -> Result<()> {
        self.note(|conn| {
            meta::set(conn, key::PUBLIC_URL, url.as_bytes())?;
            match trust {
                Some(trust) => meta::set(conn, key::PUBLIC_PIN, trust.bytes()),
                None => meta::clear(conn, key::PUBLIC_PIN),
            }
        })
    }

    /// For each branch, up to when its work has arrived here: the last moment at which every replica that belongs to it
    /// had nothing to deliver. `None`: one of them has never said so.
    ///
    /// # Errors
    /// Whatever reading the store can fail with.
    pub fn completeness(&self) -> Result<Vec<(RecordId, Option<Millis>)>> {
        self.read(|conn| {
            let mut through: Vec<(RecordId, Option<Millis>)> = Vec::new();
            for device in link_rows::devices(conn)? {
                let Some(branch) = device.home_branch else { continue };
                if device.revoked || device.enroller != self.device() {
                    continue;
                }
                let said = link_rows::link(conn, &device.id)?.and_then(|row| row.complete_through);
                match through.iter_mut().find(|(id, _)| *id == branch) {
                    Some((_, at)) => *at = (*at).min(said),
                    None => through.push((branch, said)),
                }
            }
            Ok(through)
        })
    }

    /// The upstream's device id; none on a hub.
    pub(super) fn upstream_device(&self) -> Result<Option<DeviceId>> {
        self.read(|conn| meta::device(conn, key::UPSTREAM))
    }
}

/// Adds to a counter.
pub(super) fn add(conn: &Opened, key: &str, more: u64) -> Result<()> {
    if more == 0 {
        return Ok(());
    }
    let before = meta::integer(conn, key)?.unwrap_or(0);
    meta::set_integer(conn, key, before.saturating_add(more as i64))
}
