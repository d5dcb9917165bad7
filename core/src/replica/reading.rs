//! Reading: one record, lists, names, search, SQL.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Conflict, ConflictValue, Delivery, Hit, Page, Person, Query, Record, Replica, Settings, Stamp, Tally};
use crate::document::{self, State};
use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::schema::{Collection, Schema};
use crate::store::{Division, Row, View, flag};

/// How many times as many hits are looked at where those so far held too few that a person sees.
const HITS_PER_LOOK: usize = 8;
/// Hits looked at in all for a person who does not see everything.
const HITS_LOOKED_AT_MAX: usize = 20_000;

impl Replica {
    /// The workspace's schema: the built-in one with its own collections and fields.
    pub fn schema(&self) -> Arc<Schema> {
        self.inner.readers.model().schema.clone()
    }

    /// The workspace, and this replica's place in it.
    ///
    /// # Errors
    /// None now: they are read when the folder is opened.
    pub fn settings(&self) -> Result<Settings> {
        Ok((*self.inner.settings()).clone())
    }

    /// The person that this replica acts for.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn me(&self) -> Result<Person> {
        self.inner.read(|view| self.actor_in(view))
    }

    /// What that person may do, and with which records.
    ///
    /// # Errors
    /// `unknown_role` where the person's role is not known here.
    pub fn grants(&self) -> Result<crate::access::Grants> {
        self.inner.read(|view| self.grants_in(view))
    }

    /// One record with its open conflicts, archived or not.
    ///
    /// # Errors
    /// `unknown_collection`, `record_not_found`.
    pub fn record(&self, collection: &str, id: &RecordId) -> Result<Record> {
        self.inner.read(|view| {
            self.sight(view)?.require(view, collection, id)?;
            let (collection, state) = whole(view, collection, id)?;
            record_of(view, &collection, &state)
        })
    }

    /// The records that a query asks for.
    ///
    /// ```
    /// # use branchline_core::{crm, replica::{Init, SystemEnvironment}, schema::Value};
    /// use branchline_core::replica::{Direction, Query};
    /// # let dir = tempfile::tempdir()?;
    /// # let replica = crm::init(dir.path(), &Init::named("Acme"), std::sync::Arc::new(SystemEnvironment))?;
    /// # for name in ["Orbit", "Amber", "Заря"] {
    /// #     replica.transact(|tx| tx.create("account", vec![("name".into(), Value::Text(name.into()))]))?;
    /// # }
    /// let query = Query::of("account").sorted("name", Direction::Ascending).limited(2);
    /// let first = replica.list(&query)?;
    /// assert_eq!(first.rows.iter().map(|r| r.text("name")).collect::<Vec<_>>(), ["Amber", "Orbit"]);
    /// let rest = replica.list(&query.after(first.next))?;
    /// assert_eq!((rest.rows[0].text("name"), rest.next), ("Заря", None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `unknown_collection`, `unknown_field`, `filter_does_not_fit`, `sort_does_not_fit`; `record_not_found` where
    /// `after` is no record of the collection.
    pub fn list(&self, query: &Query) -> Result<Page> {
        self.inner.read(|view| page_of(view, &self.sight(view)?.narrowed(view, query)?))
    }

    /// The records that several queries ask for, as they stand at one moment.
    ///
    /// # Errors
    /// As [`Replica::list`].
    pub fn lists(&self, queries: &[Query]) -> Result<Vec<Page>> {
        self.inner.read(|view| {
            let sight = self.sight(view)?;
            queries.iter().map(|query| page_of(view, &sight.narrowed(view, query)?)).collect()
        })
    }

    /// Visits the records that a query asks for without holding them all.
    ///
    /// # Errors
    /// As [`Replica::list`]; the first error of `visit` ends it.
    pub fn each(&self, query: &Query, visit: &mut dyn FnMut(Record) -> Result<()>) -> Result<()> {
        self.inner.read(|view| {
            let query = self.sight(view)?.narrowed(view, query)?;
            view.each(&query, &mut |row| {
                visit(listed(&query, row))?;
                Ok(true)
            })
        })
    }

    /// How many records a query asks for; its limit does not count.
    ///
    /// # Errors
    /// As [`Replica::list`].
    pub fn count(&self, query: &Query) -> Result<u64> {
        self.inner.read(|view| view.count(&self.sight(view)?.narrowed(view, query)?))
    }

    /// The records that a query asks for, by the values of a choice, and what an amount of theirs comes to; its limit
    /// does not count. In the order of the values.
    ///
    /// # Errors
    /// As [`Replica::list`]; `filter_does_not_fit` where `by` is no choice or `sum` no money.
    pub fn tally(&self, query: &Query, by: &str, sum: &str) -> Result<Arc<Vec<Tally>>> {
        self.inner.read(|view| view.tally(&self.sight(view)?.narrowed(view, query)?, Division { by, sum }))
    }

    /// The record that a text names: an id, `FIELD=VALUE`, a natural key (as written, else in any case), or a unique
    /// prefix of an id. A record that was merged into another one leads there.
    ///
    /// # Errors
    /// `unknown_collection`, `record_not_found`, `record_ambiguous` with the records that fit.
    pub fn find(&self, collection: &str, text: &str) -> Result<RecordId> {
        self.inner.read(|view| {
            let id = view.find(collection, text)?;
            self.sight(view)?.require(view, collection, &id)?;
            Ok(id)
        })
    }

    /// The title of a record, of the one that it was merged into if it was; none where it is not held.
    pub fn label(&self, id: &RecordId) -> Option<String> {
        self.labels([id]).ok()?.remove(id)
    }

    /// The titles of records, as [`Replica::label`] gives them; those that are not held are left out.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn labels<'i>(&self, ids: impl IntoIterator<Item = &'i RecordId>) -> Result<HashMap<RecordId, String>> {
        self.inner.read(|view| self.sight(view)?.labels(view, ids))
    }

    /// The record that stands for this one: the end of its merges, or itself.
    ///
    /// # Errors
    /// `unknown_collection`.
    pub fn root(&self, collection: &str, id: &RecordId) -> Result<RecordId> {
        self.inner.read(|view| view.root(collection, *id))
    }

    /// The shortest beginning of an id, at least four characters, that no other record held here has.
    pub fn short_id(&self, id: &RecordId) -> String {
        self.inner.read(|view| view.short_id(id)).unwrap_or_else(|_| id.to_string())
    }

    /// The records whose texts have words that begin like those of `text`, in any case, ё as е; those with all of
    /// them in the title first, then the newest here.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn search(&self, text: &str, limit: usize) -> Result<Vec<Hit>> {
        self.found(text, None, limit)
    }

    /// As [`Replica::search`], in one collection.
    ///
    /// # Errors
    /// As there.
    pub fn search_in(&self, collection: &str, text: &str, limit: usize) -> Result<Vec<Hit>> {
        self.found(text, Some(collection), limit)
    }

    fn found(&self, text: &str, within: Option<&str>, limit: usize) -> Result<Vec<Hit>> {
        self.inner.read(|view| {
            let sight = self.sight(view)?;
            let mut looked_at = sight.hits(limit);
            // What others may see can stand before all that one may see oneself: then more of it is looked at.
            let seen = loop {
                let found = view.search(text, within, looked_at)?;
                let is_all = found.len() < looked_at || sight.is_whole() || looked_at >= HITS_LOOKED_AT_MAX;
                let seen = sight.keep(view, found, limit, |f| (&f.collection, &f.id))?;
                if is_all || seen.len() >= limit {
                    break seen;
                }
                looked_at = looked_at.saturating_mul(HITS_PER_LOOK);
            };
            let hit =
                |f: crate::store::Found| Hit { collection: f.collection, id: f.id, label: f.label, excerpt: f.excerpt };
            Ok(seen.into_iter().map(hit).collect())
        })
    }

    /// Runs one statement that only reads, on a connection that cannot write, and gives its rows as objects; blobs are
    /// hexadecimal. The tables are described in `store::projection`.
    ///
    /// # Errors
    /// `sql_not_reading`, `sql_failed`, `sql_too_long`, `sql_too_many_rows`; `sql_outside` for somebody who sees less than
    /// all of it.
    pub fn sql(&self, select: &str) -> Result<Vec<serde_json::Map<String, serde_json::Value>>> {
        if !self.inner.read(|view| self.sight(view))?.is_whole() {
            return Err(Error::denied("sql-outside"));
        }
        self.inner.readers.sql(select)
    }
}

/// A record folded from its changes, if it is held in this collection.
pub(super) fn whole(view: &View<'_>, collection: &str, id: &RecordId) -> Result<(Arc<Collection>, State)> {
    let collection = view.model.schema.require(collection)?.clone();
    match view.whole(id)? {
        Some(whole) if whole.collection == collection.name => Ok((collection, whole.state)),
        _ => Err(Error::not_found("record-not-found")
            .with("collection", &*collection.name)
            .with("record", id.to_string())),
    }
}

pub(super) fn page_of(view: &View<'_>, query: &Query) -> Result<Page> {
    let mut rows = Vec::new();
    // One row more than asked for tells whether a next page has any.
    let mut wider = query.clone();
    wider.limit = query.limit.map(|limit| limit.saturating_add(1));
    view.each(&wider, &mut |row| {
        rows.push(listed(query, row));
        Ok(true)
    })?;
    if query.delivery {
        Delivery::note(view, &mut rows)?;
    }
    let mut next = None;
    if let Some(limit) = query.limit
        && rows.len() > limit
    {
        rows.truncate(limit);
        next = rows.last().map(|record: &Record| record.id);
    }
    Ok(Page { rows, next })
}

pub(super) fn label_of(view: &View<'_>, id: &RecordId) -> Option<String> {
    view.label(id).ok().flatten()
}

fn listed(query: &Query, row: Row) -> Record {
    let stamp = |(at, by)| Stamp { at, by, device: None };
    Record {
        id: row.id,
        collection: query.collection.clone(),
        fields: row.values,
        archived: row.archived,
        review: row.flags & flag::REVIEW != 0,
        conflicted: row.flags & flag::CONFLICT != 0,
        merged_into: row.merged_into,
        created: stamp(row.created),
        updated: stamp(row.updated),
        conflicts: Vec::new(),
        title: row.title,
        delivery: None,
    }
}

/// A folded record with its conflicts and the people behind it.
pub(super) fn record_of(view: &View<'_>, collection: &Collection, state: &State) -> Result<Record> {
    let stamp = |stamp: document::Stamp| -> Result<Stamp> {
        let bound = view.bound(stamp.actor)?;
        Ok(Stamp { at: stamp.at, by: bound.person, device: bound.device })
    };
    let conflicts = conflicts_of(view, collection, state)?;
    Ok(Record {
        id: state.record(),
        collection: collection.name.clone(),
        fields: collection.named(state.values(collection)),
        archived: state.archived(),
        review: state.review_mark(),
        conflicted: !conflicts.is_empty(),
        merged_into: state.merged_into(),
        created: stamp(state.created())?,
        updated: stamp(state.updated())?,
        conflicts,
        title: None,
        delivery: None,
    })
}

/// The open conflicts of a folded record, with the people behind them.
pub(super) fn conflicts_of(view: &View<'_>, collection: &Collection, state: &State) -> Result<Vec<Conflict>> {
    let mut conflicts = Vec::new();
    for found in state.conflicts(collection) {
        let mut values = Vec::with_capacity(found.values.len());
        for value in found.values {
            let bound = view.bound(value.actor)?;
            values.push(ConflictValue {
                value: value.value,
                user: bound.person,
                device: bound.device_name,
                at: value.at,
                change: value.change,
                shown: value.shown,
            });
        }
        conflicts.push(Conflict {
            collection: collection.name.clone(),
            id: state.record(),
            field: found.field,
            cell: found.cell,
            rule: found.rule,
            values,
        });
    }
    Ok(conflicts)
}
