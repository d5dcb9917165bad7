//! Sealed records: what servers keep about one person, one record of each kind, which the person alone writes.
//!
//! Such a record follows the person's branch: head office and the servers of that branch hold it, those of people without a
//! branch head office alone. Its id is derived from person and branch, and only the one that the person's record now leads
//! to is read: what another branch makes up for somebody is never looked at. Nothing but this module reads or writes them.

use std::sync::Arc;

use super::tx::By;
use super::{NodeRole, Principal, credential, preferences, rights};
use crate::access::{Grants, Place, Role, Scope, covers};
use crate::document::{Edit, derived_id};
use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::schema::{Collection, Field, FieldType, Fields, Kind, Labels, Name, Schema, Value, Winner};
use crate::store::View;

/// The sealed collections and their texts.
const SEALED: [(&str, &[&str]); 2] =
    [(credential::CREDENTIAL, &credential::FIELDS), (preferences::PREFERENCES, &preferences::FIELDS)];

// Where a person's record is.
struct Kept {
    id: RecordId,
    collection: Arc<Collection>,
    branch: Option<RecordId>,
}

impl Principal {
    /// Whether what is sealed about the person can be kept here.
    ///
    /// # Errors
    /// `credential_elsewhere` at a device, and at servers that are not of the person's branch.
    pub fn keeps_sealed(&self) -> Result<()> {
        self.inner.read(|view| self.kept(view, credential::CREDENTIAL).map(drop))
    }

    /// The texts of the person's record; none where there is no record, or where this replica does not hold it.
    pub(super) fn sealed<const N: usize>(&self, collection: &str, fields: [&str; N]) -> Result<Option<[String; N]>> {
        self.inner.read(|view| {
            let Ok(kept) = self.kept(view, collection) else { return Ok(None) };
            let Some(whole) = view.whole(&kept.id)? else { return Ok(None) };
            let text = |name: &str| match kept.collection.field(name).map(|field| whole.state.value(field)) {
                Some(Value::Text(text)) => text,
                _ => String::new(),
            };
            Ok((whole.collection == kept.collection.name).then(|| fields.map(text)))
        })
    }

    /// Sets texts of the person's record, in the person's own name; an empty one is taken away.
    pub(super) fn seal(&self, collection: &str, texts: &[(&str, &str)]) -> Result<()> {
        let Kept { id, collection, branch } = self.inner.read(|view| self.kept(view, collection))?;
        let me = self.id();
        let value = |text: &str| if text.is_empty() { Value::Null } else { Value::Text(text.to_owned()) };
        // No role reaches a sealed collection: that it is the person's own is what allows it.
        let everything = Grants { role: Role::owner(), scopes: vec![Scope::Workspace] };
        let by = By { person: Some(me), grants: Some(everything), ..By::default() };
        self.replica().transact_by(by, |tx| {
            if tx.holds(&id)? {
                let edits = texts.iter().map(|(name, text)| Edit::Set(Name::from(*name), value(text))).collect();
                return tx.edit_sealed(&collection, &id, edits);
            }
            let mut values = vec![(Name::from("owner"), Value::Reference(me))];
            values.extend(branch.map(|branch| (Name::from("branch"), Value::Reference(branch))));
            let filled = texts.iter().filter(|(_, text)| !text.is_empty());
            values.extend(filled.map(|(name, text)| (Name::from(*name), value(text))));
            tx.create_sealed(&collection, id, values, &[Name::from("owner")])
        })
    }

    fn kept(&self, view: &View<'_>, collection: &str) -> Result<Kept> {
        let me = rights::known_person(view, &self.id())?;
        let elsewhere = || Error::denied("credential-elsewhere").with("name", &me.name);
        let collection = view.model.schema.held(collection).cloned().ok_or_else(elsewhere)?;
        let place = Place { branches: me.home_branch.into_iter().collect(), ..Place::default() };
        let ours = rights::replica_grants(view)?;
        let serves = self.replica().settings()?.role != NodeRole::Device;
        if !serves || !covers(&ours.scopes, &place.scopes(Kind::Servers)) {
            return Err(elsewhere());
        }
        let key = [(Name::from("owner"), Value::Reference(me.id))];
        Ok(Kept { id: derived_id(&collection, &key, me.home_branch), collection, branch: me.home_branch })
    }
}

/// Adds the sealed collections to a schema.
pub(crate) fn declare(schema: &mut Schema) {
    let field = |name: &str, ty: FieldType| Field {
        name: name.into(),
        ty,
        labels: Labels::default(),
        required: false,
        indexed: false,
        searchable: false,
        winner: Winner::Latest,
        placing: false,
    };
    for (name, texts) in SEALED {
        let mut fields = vec![
            field("branch", FieldType::Reference("branch".into())),
            field("owner", FieldType::Reference("user".into())),
        ];
        fields.extend(texts.iter().map(|text| field(text, FieldType::Text)));
        schema.insert(Collection {
            name: name.into(),
            kind: Kind::Servers,
            labels: Labels::default(),
            fields: Fields::from(fields),
            natural_keys: Vec::new(),
            title: Vec::new(),
            priority: u8::MAX,
            custom: false,
        });
    }
}
