//! What people sign in with at a server: one sealed record for each person, which the person alone writes.
//!
//! It follows the person's branch: head office and the servers of that branch hold it, those of people without a branch
//! head office alone. Its id is derived from person and branch, and only the one that the person's record now leads to is
//! read: what another branch makes up for somebody is never looked at. What the texts hold is the business of whoever
//! lets people in; here they are opaque, and nothing but this module reads or writes them.

use std::sync::Arc;

use super::tx::By;
use super::{NodeRole, Principal, rights};
use crate::access::{Grants, Place, Role, Scope, covers};
use crate::document::{Edit, derived_id};
use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::schema::{Collection, Kind, Name, Schema, Value};
use crate::store::View;

/// The sealed collection.
const CREDENTIAL: &str = "credential";

/// What one person signs in with.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The hash of the password, with its salt and cost.
    pub password: String,
    /// The secret of the second factor, sealed; empty without one.
    pub second: String,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential")
    }
}

// Where a person's credential is.
struct Kept {
    id: RecordId,
    collection: Arc<Collection>,
    branch: Option<RecordId>,
}

impl Principal {
    /// What the person signs in with here; none where there is nothing yet, or where this replica does not hold it.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn credential(&self) -> Result<Option<Credential>> {
        self.inner.read(|view| {
            let Ok(kept) = self.kept(view) else { return Ok(None) };
            let Some(whole) = view.whole(&kept.id)? else { return Ok(None) };
            let text = |name: &str| match kept.collection.field(name).map(|field| whole.state.value(field)) {
                Some(Value::Text(text)) => text,
                _ => String::new(),
            };
            let found = Credential { password: text("password"), second: text("second") };
            Ok((whole.collection == kept.collection.name && !found.password.is_empty()).then_some(found))
        })
    }

    /// Whether what the person signs in with can be kept here.
    ///
    /// # Errors
    /// `credential_elsewhere` at a device, and at servers that are not of the person's branch.
    pub fn keeps_credential(&self) -> Result<()> {
        self.inner.read(|view| self.kept(view).map(drop))
    }

    /// Sets what the person signs in with, in the person's own name.
    ///
    /// # Errors
    /// As [`Principal::keeps_credential`]; what the store answers.
    pub fn set_credential(&self, credential: &Credential) -> Result<()> {
        let Kept { id, collection, branch } = self.inner.read(|view| self.kept(view))?;
        let me = self.id();
        let texts = [("password", &credential.password), ("second", &credential.second)];
        let value = |text: &String| if text.is_empty() { Value::Null } else { Value::Text(text.clone()) };
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

    fn kept(&self, view: &View<'_>) -> Result<Kept> {
        let me = rights::known_person(view, &self.id())?;
        let elsewhere = || Error::denied("credential-elsewhere").with("name", &me.name);
        let collection = view.model.schema.held(CREDENTIAL).cloned().ok_or_else(elsewhere)?;
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

/// Adds the sealed collection of what people sign in with to a schema.
pub(crate) fn declare(schema: &mut Schema) {
    use crate::schema::{Field, FieldType, Fields, Labels, Winner};
    let field = |name: &str, ty: FieldType| Field {
        name: name.into(),
        ty,
        labels: Labels::default(),
        required: false,
        indexed: false,
        searchable: false,
        winner: Winner::Latest,
    };
    let fields = vec![
        field("branch", FieldType::Reference("branch".into())),
        field("owner", FieldType::Reference("user".into())),
        field("password", FieldType::Text),
        field("second", FieldType::Text),
    ];
    schema.insert(Collection {
        name: CREDENTIAL.into(),
        kind: Kind::Servers,
        labels: Labels::default(),
        fields: Fields::from(fields),
        natural_keys: Vec::new(),
        title: Vec::new(),
        priority: u8::MAX,
        custom: false,
    });
}
