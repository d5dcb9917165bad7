//! Whether the author of a change that came up a link had the right to write it, and whether it may stand in the record.
//!
//! A device's change is judged by its own role or its person's, whichever allows less, within the device's scopes, and
//! its values by the schema as it is here: the device may have had an older one. A branch has judged its devices itself:
//! its change is judged by the branch's scopes alone, but for what administers the company, where the author's own role
//! counts as far as the branch's reaches (a branch names its authors itself), and enrolments, where the certificate does.
//!
//! What is carried back after this log was set back has been judged when it first came. Who carries it could have made it
//! up, so nothing of it may give rights: enrolments count by their certificates, revocations because they only take.

use std::collections::BTreeSet;

use super::certificate::Certificate;
use super::ingest::{Author, Refused};
use crate::access::{ADMINISTRATION, Act, Action, Grants, Place, Role, Scope, covers, may, may_enrol};
use crate::document::{State, Vetted};
use crate::id::RecordId;
use crate::replica::rights::place_of;
use crate::schema::{Collection, Kind, Mode, Value, require_all, validate};
use crate::store::link_rows::DeviceRow;
use crate::wire::chunk::Scalar;

/// What judging needs beside the change.
pub(super) struct Bench<'a> {
    /// The device at the other end.
    pub(super) peer: &'a DeviceRow,
    /// What it may do and hold.
    pub(super) grants: Grants,
    /// The role of a person, by the person's record; `None`: unknown here.
    pub(super) role_of: &'a dyn Fn(&RecordId) -> Option<Role>,
    /// The branch of a team or person.
    pub(super) branch_of: &'a dyn Fn(&Scope) -> Option<RecordId>,
}

impl Bench<'_> {
    /// Judges one vetted change of a record as it stood before.
    pub(super) fn judge(
        &self,
        author: &Author,
        record: &RecordId,
        collection: &Collection,
        before: Option<&State>,
        change: &Vetted,
    ) -> Result<(), Refused> {
        let there = before.filter(|state| !state.is_empty()).map(place_of);
        let after = place_after(there.as_ref(), change);
        let administers = ADMINISTRATION.contains(&&*collection.name);
        if !self.peer.branch && collection.kind == Kind::Servers {
            return Err(Refused::new("denied_scope", &*collection.name));
        }
        if !self.peer.branch {
            may_all(&self.grants, author, collection, there.as_ref(), &after, change)?;
            return sound(record, collection, before, change);
        }
        let held = |place: &Place| covers(&self.grants.scopes, &place.scopes(collection.kind));
        if !there.as_ref().is_none_or(held) || !held(&after) {
            return Err(Refused::new("denied_scope", &*collection.name));
        }
        match &*collection.name {
            "device" if there.is_none() => self.enrolment(change),
            "user" if there.is_none() => self.new_person(author, collection, &after, change),
            _ if administers => self.by_author(author, collection, there.as_ref(), &after, change),
            _ => Ok(()),
        }
    }

    /// Judges a vetted change that is brought back by somebody who could not have written it. `enroller` is the key of the
    /// replica that it names as a device's enroller.
    pub(super) fn carried(
        collection: &Collection,
        before: Option<&State>,
        change: &Vetted,
        enroller: Option<[u8; 32]>,
    ) -> Result<(), Refused> {
        let begins = before.is_none_or(State::is_empty);
        let only = |keys: &[&str]| change.ops().all(|op| keys.contains(&op.key));
        let harmless = match &*collection.name {
            "role" => false,
            "device" if begins => {
                let enroller = enroller.ok_or_else(|| Refused::new("certificate_invalid", ""))?;
                return recorded(change, &enroller).map(|_| ());
            }
            "device" => only(&["revoked_at", "name"]),
            // A person has no rights without a device, and what a device may do its certificate says.
            "user" if begins => true,
            "user" => change.ops().all(|op| match op.key {
                "active" => op.value == Scalar::Bool(false),
                key => key != "role" && !key.starts_with('~'),
            }),
            _ => true,
        };
        if harmless { Ok(()) } else { Err(Refused::new("carried_rights", "")) }
    }

    fn by_author(
        &self,
        author: &Author,
        collection: &Collection,
        before: Option<&Place>,
        after: &Place,
        change: &Vetted,
    ) -> Result<(), Refused> {
        let role = (self.role_of)(&author.person).ok_or_else(|| Refused::new("unknown_person", ""))?;
        let grants = Grants { role: role.meet(&self.grants.role), scopes: self.grants.scopes.clone() };
        may_all(&grants, author, collection, before, after, change)
    }

    // A branch may make a person for a device that it enrols, at most a seller.
    fn new_person(
        &self,
        author: &Author,
        collection: &Collection,
        after: &Place,
        change: &Vetted,
    ) -> Result<(), Refused> {
        let seller = Role::builtin("seller");
        let asked = text_of(change, "role").and_then(Role::builtin);
        match (asked, seller) {
            (Some(asked), Some(seller)) if asked.within(&seller) => Ok(()),
            _ => self.by_author(author, collection, None, after, change),
        }
    }

    // The branch signed the device's certificate, and grants nothing that it has not itself.
    fn enrolment(&self, change: &Vetted) -> Result<(), Refused> {
        let certificate = recorded(change, &self.peer.public_key)?;
        let invalid = || Refused::new("certificate_invalid", "");
        let scopes = certificate.scopes.iter().filter_map(|text| Scope::parse(text)).collect();
        let role = Role::builtin(&certificate.role).ok_or_else(invalid)?;
        let enrolled = Grants { role, scopes };
        may_enrol(&self.grants, &enrolled, false, &|scope| Ok((self.branch_of)(scope))).map_err(Refused::from)
    }
}

// The certificate in the record of a device, signed with this key, where the record grants what was signed: the record is
// what every server judges by.
fn recorded(change: &Vetted, enroller: &[u8; 32]) -> Result<Certificate, Refused> {
    let invalid = || Refused::new("certificate_invalid", "");
    let signed = text_of(change, "certificate").and_then(|hex| data_encoding::HEXLOWER.decode(hex.as_bytes()).ok());
    let certificate = Certificate::verify(&signed.ok_or_else(invalid)?, enroller).map_err(|_| invalid())?;
    if text_of(change, "device_id") != Some(certificate.device().to_string().as_str()) {
        return Err(invalid());
    }
    let own = text_of(change, "role").unwrap_or(&certificate.role);
    let recorded: BTreeSet<&str> = change.ops().filter_map(|op| op.key.strip_prefix("scopes/")).collect();
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let person = change.ops().find(|op| op.key == "person").map(|op| op.value);
    let serves = change.ops().any(|op| op.key == "serves" && op.value == Scalar::Bool(true));
    if text_of(change, "public_key") != Some(&hex(&certificate.public_key))
        || person != Some(Scalar::Bytes(certificate.person.as_bytes()))
        || serves != certificate.branch
    {
        return Err(invalid());
    }
    if own != certificate.role || recorded != certificate.scopes.iter().map(String::as_str).collect() {
        return Err(invalid());
    }
    Ok(certificate)
}

fn may_all(
    grants: &Grants,
    author: &Author,
    collection: &Collection,
    before: Option<&Place>,
    after: &Place,
    change: &Vetted,
) -> Result<(), Refused> {
    let act = |action, before, after| Act { person: author.person, action, collection, before, after };
    if change.actor().is_import() {
        may(grants, &act(Action::Import, None, Some(after)))?;
    }
    let archives = change.ops().len() == 1 && change.ops().all(|op| op.key == "~archived");
    let action = match (before, archives) {
        (None, _) => Action::Create,
        (Some(_), true) => Action::Archive,
        (Some(_), false) => Action::Edit,
    };
    may(grants, &act(action, before, Some(after)))?;
    Ok(())
}

// What a person types is judged as strictly as where it was typed. A value that stood in the field before may stand
// there again: undo puts it back.
fn sound(record: &RecordId, collection: &Collection, before: Option<&State>, change: &Vetted) -> Result<(), Refused> {
    let mode = if change.actor().is_import() { Mode::Lenient } else { Mode::Strict };
    let values = change.puts(collection);
    for value in &values {
        if let Err(error) = validate(collection, std::slice::from_ref(value), mode)
            && !stood(before, change, &value.0)
        {
            return Err(error.into());
        }
    }
    let creates = before.is_none_or(State::is_empty);
    if creates && mode == Mode::Strict {
        let shown = change.values(record, collection);
        let named = |shown: Vec<Value>| collection.fields.iter().map(|field| field.name.clone()).zip(shown).collect();
        require_all(collection, &shown.map_or(values, named))?;
    }
    Ok(())
}

fn stood(before: Option<&State>, change: &Vetted, field: &str) -> bool {
    let of_field = |key: &str| key.split('/').next() == Some(field);
    let earlier = |key: &str, value: Scalar<'_>| {
        let changes = before.into_iter().flat_map(State::changes);
        changes.flat_map(|change| change.ops()).any(|op| op.key == key && op.value == value)
    };
    change.ops().filter(|op| of_field(op.key)).all(|op| earlier(op.key, op.value))
}

pub(super) fn text_of<'c>(change: &'c Vetted, key: &str) -> Option<&'c str> {
    change.ops().find(|op| op.key == key).and_then(|op| match op.value {
        Scalar::Str(text) => Some(text),
        _ => None,
    })
}

// Where the change puts the record: what it sets replaces what was there.
fn place_after(before: Option<&Place>, change: &Vetted) -> Place {
    let mut place = before.cloned().unwrap_or_default();
    for op in change.ops() {
        let ids = match op.key {
            "branch" => &mut place.branches,
            "team" => &mut place.teams,
            "owner" => &mut place.owners,
            _ => continue,
        };
        *ids = match op.value {
            Scalar::Bytes(bytes) => RecordId::from_slice(bytes).into_iter().collect(),
            _ => Vec::new(),
        };
    }
    place
}
