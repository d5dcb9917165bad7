//! A replica as one person sees it and acts on it: what a server does for somebody who signed in.
//!
//! What is asked follows the person's record as it stands now, so a role or branch that was changed counts from the next
//! question on. Nobody sees or writes more through a replica than the replica itself was granted. What is outside is
//! answered as if it were not there.

use super::inner::Inner;
use super::reading::{each_of, label_of, page_of};
use super::tx::By;
use super::{Conflict, HistoryEntry, Hit, Page, Person, Query, Record, Replica, Tx, rights};
use crate::access::{Grants, Place, Scope, covers};
use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::schema::{Collection, Filter, Kind, Literal, Op};
use crate::store::{Row, View};

/// Hits looked at for each one that is asked for: some are outside.
const HITS_PER_HIT: usize = 8;

/// A person at a replica.
#[derive(Clone)]
pub struct Principal {
    replica: Replica,
    person: RecordId,
}

impl Replica {
    /// The replica as this person sees it and acts on it.
    ///
    /// # Errors
    /// `record_not_found` for one who is not known here, `person_disabled`, `unknown_role`.
    pub fn principal(&self, person: &RecordId) -> Result<Principal> {
        let principal = Principal { replica: self.clone(), person: *person };
        principal.grants()?;
        Ok(principal)
    }
}

impl Principal {
    /// The replica itself.
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    /// Who acts.
    ///
    /// # Errors
    /// As [`Replica::principal`].
    pub fn me(&self) -> Result<Person> {
        self.inner().read(|view| rights::known_person(view, &self.person))
    }

    /// What the person may do here, and with which records.
    ///
    /// # Errors
    /// As [`Replica::principal`].
    pub fn grants(&self) -> Result<Grants> {
        self.inner().read(|view| self.grants_in(view))
    }

    /// As [`Replica::record`].
    ///
    /// # Errors
    /// As there; `record_not_found` also where it is outside.
    pub fn record(&self, collection: &str, id: &RecordId) -> Result<Record> {
        self.require(collection, id)?;
        self.replica.record(collection, id)
    }

    /// As [`Replica::history`].
    ///
    /// # Errors
    /// As [`Principal::record`].
    pub fn history(&self, collection: &str, id: &RecordId) -> Result<Vec<HistoryEntry>> {
        self.require(collection, id)?;
        self.replica.history(collection, id)
    }

    /// As [`Replica::list`].
    ///
    /// # Errors
    /// As there.
    pub fn list(&self, query: &Query) -> Result<Page> {
        self.seeing(query, page_of)
    }

    /// As [`Replica::count`].
    ///
    /// # Errors
    /// As there.
    pub fn count(&self, query: &Query) -> Result<u64> {
        self.seeing(query, |view, query| view.count(query))
    }

    /// As [`Replica::each`].
    ///
    /// # Errors
    /// As there.
    pub fn each(&self, query: &Query, visit: &mut dyn FnMut(Record) -> Result<()>) -> Result<()> {
        self.seeing(query, |view, query| each_of(view, query, visit))
    }

    /// As [`Replica::find`].
    ///
    /// # Errors
    /// As there; `record_not_found` also where it is outside.
    pub fn find(&self, collection: &str, text: &str) -> Result<RecordId> {
        let id = self.replica.find(collection, text)?;
        self.require(collection, &id)?;
        Ok(id)
    }

    /// As [`Replica::label`], of a record of this collection; none where it is outside.
    pub fn label(&self, collection: &str, id: &RecordId) -> Option<String> {
        let read = self.inner().read(|view| {
            let seen = sees(view, &self.grants_in(view)?, collection, id)?;
            Ok(if seen { label_of(view, id) } else { None })
        });
        read.ok().flatten()
    }

    /// As [`Principal::label`], of a record of any collection.
    pub fn title(&self, id: &RecordId) -> Option<String> {
        let read = self.inner().read(|view| {
            let Some(collection) = view.collection_of(id)? else { return Ok(None) };
            let seen = sees(view, &self.grants_in(view)?, &collection, id)?;
            Ok(if seen { label_of(view, id) } else { None })
        });
        read.ok().flatten()
    }

    /// As [`Replica::search`].
    ///
    /// # Errors
    /// As there.
    pub fn search(&self, text: &str, limit: usize) -> Result<Vec<Hit>> {
        let found = self.replica.search(text, limit.saturating_mul(HITS_PER_HIT))?;
        self.inner().read(|view| {
            let (grants, mut seen) = (self.grants_in(view)?, Vec::new());
            for hit in found {
                if seen.len() < limit && sees(view, &grants, &hit.collection, &hit.id)? {
                    seen.push(hit);
                }
            }
            Ok(seen)
        })
    }

    /// As [`Replica::conflicts`].
    ///
    /// # Errors
    /// As there.
    pub fn conflicts(&self) -> Result<Vec<Conflict>> {
        let all = self.replica.conflicts()?;
        self.inner().read(|view| {
            let (grants, mut seen) = (self.grants_in(view)?, Vec::new());
            for conflict in all {
                if sees(view, &grants, &conflict.collection, &conflict.id)? {
                    seen.push(conflict);
                }
            }
            Ok(seen)
        })
    }

    /// As [`Replica::resolve`].
    ///
    /// # Errors
    /// As there; `record_not_found` also where it is outside.
    pub fn resolve(&self, collection: &str, id: &RecordId, field: &str, keep: &str) -> Result<()> {
        self.require(collection, id)?;
        self.replica.resolve_by(self.by(), collection, id, field, keep)
    }

    /// As [`Replica::transact`], in this person's name.
    ///
    /// # Errors
    /// As there.
    pub fn transact<T>(&self, work: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        self.replica.transact_by(self.by(), work)
    }

    pub(super) fn id(&self) -> RecordId {
        self.person
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.replica.inner
    }

    fn by(&self) -> By {
        By { person: Some(self.person), ..By::default() }
    }

    fn seeing<T>(&self, query: &Query, read: impl FnOnce(&View<'_>, &Query) -> Result<T>) -> Result<T> {
        self.inner().read(|view| {
            let grants = self.grants_in(view)?;
            let collection = view.model.schema.require(&query.collection)?;
            let mut query = query.clone();
            if let Some(within) = within(&grants, collection) {
                query.filter = Some(match query.filter.take() {
                    Some(asked) => Filter::And(vec![asked, within]),
                    None => within,
                });
            }
            read(view, &query)
        })
    }

    /// Whether the person sees this record.
    pub(super) fn is_seen(&self, collection: &str, id: &RecordId) -> Result<bool> {
        self.inner().read(|view| sees(view, &self.grants_in(view)?, collection, id))
    }

    fn require(&self, collection: &str, id: &RecordId) -> Result<()> {
        let seen = self.is_seen(collection, id)?;
        let missing =
            || Error::not_found("record-not-found").with("collection", collection).with("record", id.to_string());
        if seen { Ok(()) } else { Err(missing()) }
    }

    fn grants_in(&self, view: &View<'_>) -> Result<Grants> {
        rights::grants_here(view, &rights::known_person(view, &self.person)?)
    }
}

fn sees(view: &View<'_>, grants: &Grants, collection: &str, id: &RecordId) -> Result<bool> {
    let collection = view.model.schema.require(collection)?;
    if collection.kind == Kind::Shared || grants.scopes.contains(&Scope::Workspace) {
        return Ok(true);
    }
    let Some(row) = view.one(&collection.name, id)? else { return Ok(false) };
    let place = place_of_row(view, id, row)?;
    Ok(covers(&grants.scopes, &place.scopes(collection.kind)))
}

// While a field that decides is in conflict, the row shows one of its values and the record is where all of them say.
fn place_of_row(view: &View<'_>, id: &RecordId, row: Row) -> Result<Place> {
    if row.flags & crate::store::flag::CONFLICT == 0 {
        return Ok(rights::place_of_values(&row.values));
    }
    let whole = view.whole(id)?;
    Ok(whole.map(|whole| rights::place_of(&whole.state)).unwrap_or_default())
}

/// The records of a collection that these scopes hold; none where they hold all.
fn within(grants: &Grants, collection: &Collection) -> Option<Filter> {
    if collection.kind == Kind::Shared || grants.scopes.contains(&Scope::Workspace) {
        return None;
    }
    let held = grants.scopes.iter().filter_map(|scope| {
        let (field, of) = match scope {
            Scope::Branch(_) => ("branch", "branch"),
            Scope::Team(_) => ("team", "team"),
            Scope::User(_) => ("owner", "user"),
            Scope::Workspace | Scope::Shared | Scope::Servers(_) => return None,
        };
        let value = Literal::Key { collection: of.into(), text: scope.subject()?.to_string() };
        collection.field(field).map(|field| Filter::Compare { field: field.name.clone(), op: Op::Eq, value })
    });
    Some(Filter::Or(held.collect()))
}
