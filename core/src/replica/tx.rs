//! A transaction: several records, visible whole, judged by what the acting person may do.

use std::sync::Arc;

use super::inner::{Acting, Inner, lock};
use super::reading::{label_of, page_of, record_of};
use super::{Page, Person, Query, Record, Replica, rights};
use crate::access::{Act, Action, Grants, Role, Scope, may};
use crate::document::{self, Author, Edit, State};
use crate::error::{Error, Result};
use crate::id::{ActorId, BatchId, ChangeHash, RecordId};
use crate::schema::{Collection, Kind, Mode, Name, Value, require_all, validate};
use crate::store::{Appended, Origin, Writer, kept_rows};
use crate::time::Millis;

/// A record made by its key: new, or the one that was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyed {
    /// The record that has the key.
    pub id: RecordId,
    /// Whether it was made now.
    pub created: bool,
}

/// In whose name a transaction writes.
#[derive(Default)]
pub(super) struct By {
    /// A person who signed in; `None`: the one that this replica acts for.
    pub(super) person: Option<RecordId>,
    /// The import that writes, if one does.
    pub(super) batch: Option<BatchId>,
    /// Other rights than the person's own.
    pub(super) grants: Option<Grants>,
}

/// A transaction: what is read in it includes what it wrote.
///
/// A transaction holds at most [`TX_CHANGES_MAX`](crate::limits::TX_CHANGES_MAX) changes. Inside it, write through it
/// alone: the replica's own writing calls would wait for it for ever.
pub struct Tx<'a> {
    inner: Arc<Inner>,
    pub(super) writer: Writer<'a>,
    pub(super) person: Person,
    pub(super) grants: Grants,
    batch: Option<BatchId>,
    actor: Option<ActorId>,
}

impl Replica {
    /// Runs `work` in one transaction: everything that it writes becomes visible together, here and at every other
    /// replica, or nothing does.
    ///
    /// ```
    /// # use branchline_core::{crm, replica::{Init, SystemEnvironment}, schema::Value};
    /// # let dir = tempfile::tempdir()?;
    /// # let replica = crm::init(dir.path(), &Init::named("Acme"), std::sync::Arc::new(SystemEnvironment))?;
    /// let (account, contact) = replica.transact(|tx| {
    ///     let account = tx.create("account", vec![("name".into(), Value::Text("Orbit Foods".into()))])?;
    ///     let name = ("last_name".into(), Value::Text("Ковальчук".into()));
    ///     let contact = tx.create("contact", vec![name, ("account".into(), Value::Reference(account))])?;
    ///     Ok((account, contact))
    /// })?;
    /// assert_eq!(replica.record("contact", &contact)?.reference("account"), Some(account));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// What `work` answers; `denied_…` where the acting person may not do it; `transaction_too_large`; whatever SQLite
    /// says. Nothing of the transaction stays then.
    pub fn transact<T>(&self, work: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        self.transact_by(self.by(), work)
    }

    /// Like [`Replica::transact`], for what a replica does as an upstream, whoever it acts for: enrolments, which are
    /// judged by `access::may_enrol` before.
    pub(super) fn transact_as_upstream<T>(&self, work: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        let everything = Grants { role: Role::owner(), scopes: vec![Scope::Workspace] };
        self.transact_by(By { grants: Some(everything), ..By::default() }, work)
    }

    /// Like [`Replica::transact`], but the import `batch` is the author: its values lose to concurrent edits by hand,
    /// unknown choices are let in, and nothing is required.
    ///
    /// # Errors
    /// As [`Replica::transact`].
    pub fn transact_as_import<T>(&self, batch: BatchId, work: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        self.transact_by(By { batch: Some(batch), ..self.by() }, work)
    }

    pub(super) fn transact_by<T>(&self, by: By, work: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        let By { person, batch, grants } = by;
        let (value, _) = self.inner.write_owned(Origin::Local, |mut writer| {
            let (person, grants) = writer.view(|view| {
                let (person, own) = match person {
                    None => (rights::person(view)?, rights::grants as fn(&_, &_) -> _),
                    Some(person) => (rights::known_person(view, &person)?, rights::grants_here as fn(&_, &_) -> _),
                };
                let grants = grants.map_or_else(|| own(view, &person), Ok)?;
                Ok((person, grants))
            })?;
            let mut tx = Tx { inner: self.inner.clone(), writer, person, grants, batch, actor: None };
            let value = work(&mut tx)?;
            Ok((value, tx.writer))
        })?;
        Ok(value)
    }
}

impl Tx<'_> {
    /// Who acts.
    pub fn me(&self) -> &Person {
        &self.person
    }

    /// Makes a record with a drawn id. In a collection of a branch, a missing owner is the acting person (not in an
    /// import) and a missing branch is the owner's.
    ///
    /// # Errors
    /// `unknown_collection`, `unknown_field`, `required`, whatever validation answers, `denied_…`.
    pub fn create(&mut self, collection: &str, values: Vec<(Name, Value)>) -> Result<RecordId> {
        let collection = self.collection(collection)?;
        let values = self.completed(&collection, values)?;
        let id = lock(&self.inner.ids).next_id(self.writer.now());
        self.create_as(id, &collection, values, None)?;
        Ok(id)
    }

    /// Makes a record whose id follows from its key fields, unless it is there already: replicas that make it on their
    /// own make one record.
    ///
    /// # Errors
    /// As [`Tx::create`]; `key_field_empty` where a key field has no value.
    pub fn create_keyed(&mut self, collection: &str, values: Vec<(Name, Value)>, key: &[Name]) -> Result<Keyed> {
        let collection = self.collection(collection)?;
        let values = self.completed(&collection, values)?;
        let chance = canary!("key_by_chance").then(|| lock(&self.inner.ids).next_id(self.writer.now()));
        let id = chance.unwrap_or_else(|| self.derived(&collection, &values, key));
        if self.writer.held(&id)?.is_some() {
            mark!("deterministic_id_met");
            return Ok(Keyed { id, created: false });
        }
        self.create_as(id, &collection, values, Some(key))?;
        Ok(Keyed { id, created: true })
    }

    /// The id that [`Tx::create_keyed`] would give a record of these values.
    ///
    /// # Errors
    /// As [`Tx::create_keyed`].
    pub fn keyed_id(&mut self, collection: &str, values: Vec<(Name, Value)>, key: &[Name]) -> Result<RecordId> {
        let collection = self.collection(collection)?;
        let values = self.completed(&collection, values)?;
        Ok(self.derived(&collection, &values, key))
    }

    /// Whether a record is here.
    pub(super) fn holds(&mut self, id: &RecordId) -> Result<bool> {
        Ok(self.writer.held(id)?.is_some())
    }

    /// Makes a record of a sealed collection under its derived id.
    pub(super) fn create_sealed(
        &mut self,
        collection: &Arc<Collection>,
        id: RecordId,
        values: Vec<(Name, Value)>,
        key: &[Name],
    ) -> Result<()> {
        self.create_as(id, collection, values, Some(key))
    }

    /// Edits a record of a sealed collection.
    pub(super) fn edit_sealed(&mut self, collection: &Arc<Collection>, id: &RecordId, edits: Vec<Edit>) -> Result<()> {
        self.edit_as(Action::Edit, collection, id, |_| Ok(edits)).map(drop)
    }

    /// Edits a record; false where nothing would differ. Setting a field settles its conflict.
    ///
    /// # Errors
    /// `record_not_found`, `unknown_field`, whatever validation answers, `denied_…`.
    pub fn edit(&mut self, collection: &str, id: &RecordId, edits: Vec<Edit>) -> Result<bool> {
        let collection = self.collection(collection)?;
        self.check_edits(&collection, &edits)?;
        self.edit_as(Action::Edit, &collection, id, |_| Ok(edits))
    }

    /// Settles a conflict: an edit that needs the right to settle.
    pub(super) fn settle(&mut self, collection: &str, id: &RecordId, edit: Edit) -> Result<()> {
        let collection = self.collection(collection)?;
        let edits = vec![edit];
        self.check_edits(&collection, &edits)?;
        self.edit_as(Action::Settle, &collection, id, |_| Ok(edits)).map(|_| ())
    }

    /// Archives a record, or brings it back; false where it is so already.
    ///
    /// # Errors
    /// `record_not_found`, `denied_…`.
    pub fn archive(&mut self, collection: &str, id: &RecordId, archived: bool) -> Result<bool> {
        let collection = self.collection(collection)?;
        self.edit_as(Action::Archive, &collection, id, |_| Ok(vec![Edit::Archive(archived)]))
    }

    /// Takes back one change by a new one: fields that were changed since stay as they are.
    ///
    /// # Errors
    /// `record_not_found`; `unknown_change` where the record has no such change; `denied_…`.
    pub fn undo(&mut self, collection: &str, id: &RecordId, change: ChangeHash) -> Result<bool> {
        let collection = self.collection(collection)?;
        let of = collection.clone();
        self.edit_as(Action::Edit, &collection, id, move |state| document::undo(state, &of, change))
    }

    /// Points a duplicate at the record that stands for both; `None` takes the merge back.
    ///
    /// # Errors
    /// `record_not_found` (of either), `merge_with_itself`, `denied_…`.
    pub fn merge_into(&mut self, collection: &str, lose: &RecordId, keep: Option<RecordId>) -> Result<bool> {
        let collection = self.collection(collection)?;
        if let Some(keep) = &keep {
            if keep == lose {
                return Err(Error::invalid("merge-with-itself").with("record", lose.to_string()));
            }
            self.state_of(&collection, keep)?;
        }
        self.edit_as(Action::Edit, &collection, lose, |_| Ok(vec![Edit::MergeInto(keep)]))
    }

    /// A record as this transaction sees it; none where it is not held.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn record(&mut self, collection: &str, id: &RecordId) -> Result<Option<Record>> {
        let collection = self.collection(collection)?;
        match self.writer.held(id)? {
            Some(held) if held.collection == collection.name && !held.hidden => {}
            _ => return Ok(None),
        }
        let Some(state) = self.writer.state(id)?.cloned() else { return Ok(None) };
        self.writer.view(|view| record_of(view, &collection, &state)).map(Some)
    }

    /// As [`Replica::find`](Replica::find), with what this transaction has written.
    ///
    /// # Errors
    /// As there.
    pub fn find(&mut self, collection: &str, text: &str) -> Result<RecordId> {
        self.writer.view(|view| view.find(collection, text))
    }

    /// As [`Replica::list`], with what this transaction has written.
    ///
    /// # Errors
    /// As there.
    pub fn list(&mut self, query: &Query) -> Result<Page> {
        self.writer.view(|view| page_of(view, query))
    }

    /// As [`Replica::label`], with what this transaction has written.
    pub fn label(&mut self, id: &RecordId) -> Option<String> {
        self.writer.view(|view| Ok(label_of(view, id))).ok().flatten()
    }

    /// The value that an import last brought into a field, whatever people made of it since; none where no import
    /// touched it.
    ///
    /// # Errors
    /// `record_not_found`, `unknown_field`.
    pub fn last_imported(&mut self, collection: &str, id: &RecordId, field: &str) -> Result<Option<Value>> {
        let collection = self.collection(collection)?;
        let field = collection.require_field(field)?.clone();
        let state = self.state_of(&collection, id)?;
        Ok(state.last_imported(&field))
    }

    /// The moment that this transaction's changes carry.
    pub fn now(&self) -> Millis {
        self.writer.now()
    }

    pub(super) fn collection(&self, name: &str) -> Result<Arc<Collection>> {
        self.writer.schema().require(name).cloned()
    }

    fn mode(&self) -> Mode {
        if self.batch.is_some() { Mode::Lenient } else { Mode::Strict }
    }

    /// The values with what a record of a branch takes from its owner and the acting person.
    fn completed(&mut self, collection: &Collection, mut values: Vec<(Name, Value)>) -> Result<Vec<(Name, Value)>> {
        values.retain(|(_, value)| *value != Value::Null);
        if collection.kind == Kind::Shared {
            return Ok(values);
        }
        let reference = |values: &[(Name, Value)], field: &str| {
            values.iter().find_map(|(name, value)| match value {
                Value::Reference(id) if &**name == field => Some(*id),
                _ => None,
            })
        };
        if reference(&values, "owner").is_none() && self.batch.is_none() && collection.field("owner").is_some() {
            values.push(("owner".into(), Value::Reference(self.person.id)));
        }
        if reference(&values, "branch").is_none() && collection.field("branch").is_some() {
            let owner = reference(&values, "owner").filter(|owner| *owner != self.person.id);
            let home = match owner {
                Some(owner) => self.home_branch(&owner)?,
                None => None,
            };
            // Replicas of several branches that import one file must make the same records.
            let own = self.person.home_branch.filter(|_| self.batch.is_none());
            values.extend(home.or(own).map(|branch| ("branch".into(), Value::Reference(branch))));
        }
        Ok(values)
    }

    fn home_branch(&mut self, owner: &RecordId) -> Result<Option<RecordId>> {
        let users = self.collection("user")?;
        let Some(field) = users.field("home_branch") else { return Ok(None) };
        let state = match self.writer.state(owner)? {
            Some(state) => state,
            None => return Ok(None),
        };
        Ok(match state.value(field) {
            Value::Reference(branch) => Some(branch),
            _ => None,
        })
    }

    fn derived(&self, collection: &Collection, values: &[(Name, Value)], key: &[Name]) -> RecordId {
        let named: Vec<(Name, Value)> = key
            .iter()
            .map(|name| {
                let value = values.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
                (name.clone(), value.unwrap_or(Value::Null))
            })
            .collect();
        let branch = rights::place_of_values(values).branches.first().copied();
        document::derived_id(collection, &named, branch)
    }

    fn create_as(
        &mut self,
        id: RecordId,
        collection: &Arc<Collection>,
        values: Vec<(Name, Value)>,
        key: Option<&[Name]>,
    ) -> Result<()> {
        validate(collection, &values, self.mode())?;
        if self.mode() == Mode::Strict {
            require_all(collection, &values)?;
        }
        let place = rights::place_of_values(&values);
        let act = Act { person: self.person.id, action: Action::Create, collection, before: None, after: Some(&place) };
        may(&self.grants, &act)?;
        may_import(self.batch, &self.grants, &act)?;
        let author = self.author()?;
        let change = document::create(id, collection, &values, key, &author)?;
        self.append(id, collection, &change)
    }

    fn check_edits(&self, collection: &Collection, edits: &[Edit]) -> Result<()> {
        let mut values = Vec::with_capacity(edits.len());
        for edit in edits {
            match edit {
                Edit::Set(name, value) => values.push((name.clone(), value.clone())),
                Edit::Add(name, item) => values.push((name.clone(), Value::Set([item.clone()].into()))),
                _ => {}
            }
        }
        validate(collection, &values, self.mode())?;
        Ok(())
    }

    fn edit_as(
        &mut self,
        action: Action,
        collection: &Arc<Collection>,
        id: &RecordId,
        edits: impl FnOnce(&State) -> Result<Vec<Edit>>,
    ) -> Result<bool> {
        let author = self.author()?;
        let (person, batch, grants) = (self.person.id, self.batch, self.grants.clone());
        let state = self.state_of(collection, id)?;
        let edits = edits(state)?;
        let (before, after) = (rights::place_of(state), rights::place_after(state, &edits));
        let act = Act { person, action, collection, before: Some(&before), after: Some(&after) };
        may(&grants, &act)?;
        may_import(batch, &grants, &act)?;
        let Some(change) = document::edit(state, collection, &edits, &author)? else { return Ok(false) };
        self.append(*id, collection, &change)?;
        Ok(true)
    }

    fn state_of(&mut self, collection: &Collection, id: &RecordId) -> Result<&State> {
        let missing = || {
            Error::not_found("record-not-found").with("collection", &*collection.name).with("record", id.to_string())
        };
        match self.writer.held(id)? {
            Some(held) if held.collection == collection.name && !held.hidden => {}
            _ => return Err(missing()),
        }
        self.writer.state(id)?.ok_or_else(missing)
    }

    pub(super) fn append(
        &mut self,
        id: RecordId,
        collection: &Arc<Collection>,
        change: &document::Vetted,
    ) -> Result<()> {
        match self.writer.append(id, collection, change, false)? {
            Appended::Logged(_) => Ok(()),
            // Our own actor's next change cannot be in the log, unless the folder was copied and both write.
            Appended::Known | Appended::Fork => Err(Error::busy("actor-used-elsewhere")),
        }
    }

    /// The actor of this process for who acts here, bound before its first change is logged.
    pub(super) fn author(&mut self) -> Result<Author> {
        let now = self.writer.now();
        if let Some(actor) = self.actor {
            return Ok(Author { actor, now });
        }
        let acting = Acting { person: self.person.id, batch: self.batch };
        let known = lock(&self.inner.actors).get(&acting).copied();
        // Once one of its changes has left its record, a number of the actor could be used twice.
        let known = match known {
            Some(actor) if kept_rows::is_retired(self.writer.connection(), &actor)? => None,
            known => known,
        };
        let actor = match known {
            Some(actor) => actor,
            None => {
                let mut random = [0; 8];
                self.inner.env.fill_random(&mut random);
                if canary!("reuse_actor_after_restart") {
                    random = self.person.id.0.last_chunk().copied().unwrap_or(random);
                }
                let actor = ActorId::from_random(random, self.batch.is_some());
                let settings = self.inner.settings();
                let (workspace, name) = (&settings.workspace, &settings.node_name);
                let binding = self.inner.identity.bind(workspace, actor, name, self.person.id, self.batch);
                self.writer.bind_actor(&binding)?;
                // Forgotten again if this transaction does not commit.
                lock(&self.inner.actors).insert(acting, actor);
                actor
            }
        };
        self.actor = Some(actor);
        Ok(Author { actor, now })
    }
}

// What an import writes needs the right to import, too, as the upstream judges it.
fn may_import(batch: Option<BatchId>, grants: &Grants, act: &Act<'_>) -> Result<()> {
    let import = Act { action: Action::Import, before: None, ..*act };
    batch.map_or(Ok(()), |_| may(grants, &import))
}
