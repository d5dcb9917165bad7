//! A replica as one person sees it and acts on it: what a server does for somebody who signed in.
//!
//! What is asked follows the person's record as it stands now, so a role or branch that was changed counts from the next
//! question on, or from the next answer where one takes many. Nobody sees or writes more through a replica than the
//! replica itself was granted. What is outside is answered as if it were not there.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use super::tx::By;
use super::{Person, Query, Replica, rights};
use crate::access::{Grants, Place, Scope, covers};
use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::schema::{Collection, Filter, Kind, Literal, Op};
use crate::store::{Row, View};

/// Hits looked at for each one that is asked for where some may be outside.
const HITS_PER_HIT: usize = 8;

/// A person at a replica: a [`Replica`] whose records are those that the person sees, and which writes in the person's
/// name.
///
/// Attachments are not narrowed: they are known by their hashes, and whoever hands out one by a hash that somebody named
/// asks first for a record that holds it. Neither is what shows nothing of a record to who has its id (its delivery, its
/// root), nor what is of the replica as a whole: settings, status and other numbers, digests, upkeep.
#[derive(Clone)]
pub struct Principal(Replica);

impl Replica {
    /// The replica as this person sees it and acts on it.
    ///
    /// # Errors
    /// `record_not_found` for one who is not known here, `person_disabled`, `unknown_role`.
    pub fn principal(&self, person: &RecordId) -> Result<Principal> {
        let replica = Self { inner: self.inner.clone(), person: Some(*person), settled: None };
        replica.grants()?;
        Ok(Principal(replica))
    }

    /// In whose name the replica writes.
    pub(super) fn by(&self) -> By {
        By { person: self.person, ..By::default() }
    }

    /// Who acts.
    pub(super) fn actor_in(&self, view: &View<'_>) -> Result<Person> {
        self.person.map_or_else(|| rights::person(view), |person| rights::known_person(view, &person))
    }

    /// What that person may do here.
    pub(super) fn grants_in(&self, view: &View<'_>) -> Result<Grants> {
        let person = self.actor_in(view)?;
        if self.person.is_some() { rights::grants_here(view, &person) } else { rights::grants(view, &person) }
    }

    /// What of the records held here is shown.
    pub(super) fn sight(&self, view: &View<'_>) -> Result<Sight> {
        let judged = || -> Result<Sight> {
            let grants = self.person.map(|_| self.grants_in(view)).transpose()?;
            Ok(Sight(grants.filter(|grants| !grants.scopes.contains(&Scope::Workspace))))
        };
        match &self.settled {
            None => judged(),
            Some(settled) => match settled.get() {
                Some(sight) => Ok(sight.clone()),
                None => judged().map(|sight| settled.get_or_init(|| sight).clone()),
            },
        }
    }
}

impl Deref for Principal {
    type Target = Replica;

    fn deref(&self) -> &Replica {
        &self.0
    }
}

impl Principal {
    /// The replica as the person sees it.
    pub fn replica(&self) -> &Replica {
        &self.0
    }

    /// The same person for the length of one answer: what is seen is settled at the first question, while what may be
    /// written is judged anew each time.
    #[must_use]
    pub fn for_one_answer(&self) -> Self {
        Self(Replica { settled: Some(Arc::default()), ..self.0.clone() })
    }

    /// Who acts: always somebody.
    pub(super) fn id(&self) -> RecordId {
        self.0.person.unwrap_or_default()
    }

    /// As [`Replica::label`], of a record of any collection.
    pub fn title(&self, id: &RecordId) -> Option<String> {
        self.0.label(id)
    }

    /// As [`Replica::label`], of a record of this collection; none where it is outside.
    pub fn label(&self, collection: &str, id: &RecordId) -> Option<String> {
        let read = self.inner.read(|view| {
            let seen = self.sight(view)?.sees(view, collection, id)?;
            Ok(if seen { view.label(id)? } else { None })
        });
        read.ok().flatten()
    }
}

/// What somebody sees of the records held here: all of them without grants that narrow it.
#[derive(Clone)]
pub(super) struct Sight(Option<Grants>);

impl Sight {
    /// Whether it is everything.
    pub(super) fn is_whole(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a record is in it; one that is not held here is, where everybody sees its collection.
    pub(super) fn sees(&self, view: &View<'_>, collection: &str, id: &RecordId) -> Result<bool> {
        let Some(grants) = &self.0 else { return Ok(true) };
        let collection = view.model.schema.require(collection)?;
        if collection.kind == Kind::Shared {
            // Asked for under the name of another collection, a record would be shown to who may not see it.
            return Ok(view.collection_of(id)?.is_none_or(|held| held == collection.name));
        }
        let Some(row) = view.one(&collection.name, id)? else { return Ok(false) };
        let place = place_of_row(view, id, row)?;
        Ok(covers(&grants.scopes, &place.scopes(collection.kind)))
    }

    /// # Errors
    /// `record_not_found` where a record is not in it.
    pub(super) fn require(&self, view: &View<'_>, collection: &str, id: &RecordId) -> Result<()> {
        if self.sees(view, collection, id)? {
            return Ok(());
        }
        Err(Error::not_found("record-not-found").with("collection", collection).with("record", id.to_string()))
    }

    /// The titles of records that are seen.
    pub(super) fn labels<'i>(
        &self,
        view: &View<'_>,
        ids: impl IntoIterator<Item = &'i RecordId>,
    ) -> Result<HashMap<RecordId, String>> {
        let mut seen = Vec::new();
        for id in ids {
            let sees = match self.is_whole() {
                true => true,
                false => view.collection_of(id)?.map_or(Ok(false), |held| self.sees(view, &held, id))?,
            };
            if sees {
                seen.push(*id);
            }
        }
        view.labels(&seen)
    }

    /// The query for what is seen of the records that it asks for.
    pub(super) fn narrowed(&self, view: &View<'_>, query: &Query) -> Result<Query> {
        let mut query = query.clone();
        let collection = view.model.schema.require(&query.collection)?;
        if let Some(within) = self.within(collection) {
            query.filter = Some(match query.filter.take() {
                Some(asked) => Filter::And(vec![asked, within]),
                None => within,
            });
        }
        Ok(query)
    }

    /// Keeps of a list what is seen, up to `limit`.
    pub(super) fn keep<T>(
        &self,
        view: &View<'_>,
        all: Vec<T>,
        limit: usize,
        of: impl Fn(&T) -> (&str, &RecordId),
    ) -> Result<Vec<T>> {
        let mut seen = Vec::new();
        for item in all {
            let (collection, id) = of(&item);
            if seen.len() < limit && self.sees(view, collection, id)? {
                seen.push(item);
            }
        }
        Ok(seen)
    }

    /// Hits to look at where so many are asked for.
    pub(super) fn hits(&self, limit: usize) -> usize {
        if self.is_whole() { limit } else { limit.saturating_mul(HITS_PER_HIT) }
    }

    // The records of a collection that these scopes hold; none where they hold all.
    fn within(&self, collection: &Collection) -> Option<Filter> {
        let grants = self.0.as_ref().filter(|_| collection.kind != Kind::Shared)?;
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
}

// While a field that decides is in conflict, the row shows one of its values and the record is where all of them say.
fn place_of_row(view: &View<'_>, id: &RecordId, row: Row) -> Result<Place> {
    if row.flags & crate::store::flag::CONFLICT == 0 {
        return Ok(rights::place_of_values(&row.values));
    }
    let whole = view.whole(id)?;
    Ok(whole.map(|whole| rights::place_of(&whole.state)).unwrap_or_default())
}
