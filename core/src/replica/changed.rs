//! What changed here since somebody last asked: for systems outside that follow a replica.
//!
//! A cursor is a place in this replica's own log and means nothing to another one. It says in which history it was
//! taken, so that a restored replica does not skip what it had lost.

use std::collections::HashSet;
use std::fmt;

use super::{Principal, Replica};
use crate::error::{Error, Result};
use crate::id::{RecordId, Timeline};
use crate::schema::Name;
use crate::store::changed_rows::{self, ChangedRow};
use crate::time::Millis;

/// A place in a replica's log. Its text is `<timeline>-<number>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    timeline: Timeline,
    seq: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.timeline, self.seq)
    }
}

impl Cursor {
    /// The cursor of a text.
    ///
    /// # Errors
    /// `cursor_malformed`.
    pub fn parse(text: &str) -> Result<Self> {
        let parse = || {
            let (timeline, seq) = text.rsplit_once('-')?;
            Some(Self { timeline: Timeline::parse(timeline)?, seq: seq.parse().ok()? })
        };
        parse().ok_or_else(|| Error::invalid("cursor-malformed").with("cursor", text))
    }
}

/// A record that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Right after the change.
    pub cursor: Cursor,
    /// Its collection.
    pub collection: Name,
    /// Which record.
    pub id: RecordId,
    /// When the change became durable here.
    pub at: Millis,
}

/// A part of what changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedPage {
    /// Each record at its last change within the part, oldest first.
    pub rows: Vec<Changed>,
    /// Where to go on.
    pub next: Cursor,
    /// Whether this is all for now.
    pub all: bool,
}

impl Replica {
    /// The end of the log: what comes after it is new.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn cursor(&self) -> Result<Cursor> {
        let timeline = self.timeline()?;
        Ok(Cursor { timeline, seq: self.read(changed_rows::end)? })
    }

    /// The place in the log at a moment of the past, but at most `most` changes before its end.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn cursor_at(&self, at: Millis, most: u64) -> Result<Cursor> {
        let timeline = self.timeline()?;
        Ok(Cursor { timeline, seq: self.read(|conn| changed_rows::end_at(conn, at, most))? })
    }

    /// Whether a cursor is of the history that this replica now has.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn knows(&self, cursor: Cursor) -> Result<bool> {
        Ok(self.timeline()? == cursor.timeline)
    }
}

impl Principal {
    /// The records that changed after a cursor (from the beginning without one) and that the person sees now, out of at
    /// most `limit` changes.
    ///
    /// # Errors
    /// `cursor_unknown` for one of another history; as [`Replica::principal`].
    pub fn changed(&self, after: Option<Cursor>, limit: usize) -> Result<ChangedPage> {
        let timeline = self.replica().timeline()?;
        if after.is_some_and(|cursor| cursor.timeline != timeline) {
            return Err(Error::not_found("cursor-unknown"));
        }
        let start = after.map_or(0, |cursor| cursor.seq);
        let limit = limit.max(1);
        self.inner.read(|view| {
            let sight = self.sight(view)?;
            let (found, end) = (changed_rows::after(view.conn, start, limit)?, changed_rows::end(view.conn)?);
            let all = found.len() < limit;
            let last = found.last().map_or(start, |row| row.seq);
            let next = Cursor { timeline, seq: if all { end.max(start) } else { last } };
            let (mut rows, mut met) = (Vec::new(), HashSet::new());
            let known = |row: &ChangedRow| row.seq <= end && view.model.schema.collection(&row.collection).is_some();
            for row in found.into_iter().rev().filter(known) {
                if met.insert(row.id) && sight.sees(view, &row.collection, &row.id)? {
                    let cursor = Cursor { timeline, seq: row.seq };
                    rows.push(Changed { cursor, collection: row.collection, id: row.id, at: row.at });
                }
            }
            rows.reverse();
            Ok(ChangedPage { rows, next, all })
        })
    }
}
