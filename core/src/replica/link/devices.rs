//! The downstreams of a replica, for people: who they are, what waits there, how far they are.

use super::upstream::scopes_of;
use crate::access::{self, Grants, Role, Scope};
use crate::document::Edit;
use crate::error::{Error, Result};
use crate::id::{DeviceId, RecordId};
use crate::limits::GRANT_SCOPES_MAX;
use crate::replica::{Principal, Query, Replica, rights};
use crate::schema::{Name, Value};
use crate::store::feed;
use crate::store::link_rows::{self, DeviceRow};
use crate::time::Millis;
use crate::wire::message::Grant;

/// A downstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownstreamInfo {
    /// The device.
    pub device: DeviceId,
    /// Its name.
    pub name: String,
    /// The person it acts for.
    pub person: RecordId,
    /// The role in which it acts: its own or its person's, whichever allows less.
    pub role: String,
    /// Whether it serves others.
    pub branch: bool,
    /// What it may hold, in the stable text of a scope.
    pub scopes: Vec<String>,
    /// Whether it was revoked.
    pub revoked: bool,
    /// Whether it joined through this replica.
    pub direct: bool,
    /// When it was last heard here.
    pub last_seen: Option<Millis>,
    /// Changes of its scopes that it has not confirmed; `None` where that is not for this replica to say: it joined
    /// elsewhere, or was revoked.
    pub lag: Option<u64>,
    /// Changes that waited there when it was last heard.
    pub outbox: Option<u64>,
    /// Up to when it is complete here.
    pub complete_through: Option<Millis>,
    /// The version of its program.
    pub version: Option<String>,
}

impl Replica {
    /// Every enrolled device that this replica knows of, revoked ones too.
    ///
    /// # Errors
    /// Whatever reading the store can fail with.
    pub fn downstreams(&self) -> Result<Vec<DownstreamInfo>> {
        self.read(|conn| {
            link_rows::devices(conn)?
                .into_iter()
                .map(|device| {
                    let link = link_rows::link(conn, &device.id)?;
                    let row = link.unwrap_or_default();
                    let direct = device.enroller == self.device();
                    let role = self.grant_of(&device)?.role;
                    let lag = match direct && !device.revoked {
                        true => Some(feed::behind(conn, &device.id, &scopes_of(conn, &device)?.0, row.position)?),
                        false => None,
                    };
                    Ok(DownstreamInfo {
                        device: device.id,
                        name: device.name,
                        person: device.person,
                        role,
                        branch: device.branch,
                        scopes: device.scopes,
                        revoked: device.revoked,
                        direct,
                        last_seen: row.last_seen,
                        lag,
                        outbox: row.outbox,
                        complete_through: row.complete_through,
                        version: row.version,
                    })
                })
                .collect()
        })
    }

    /// Revokes a device by name or id: its link closes, it gets nothing more. Final.
    ///
    /// # Errors
    /// `unknown_device_name`, `ambiguous_device`, `denied_*`.
    pub fn revoke(&self, name: &str) -> Result<DeviceId> {
        let device = self.device_named(name)?;
        self.transact(|tx| tx.edit("device", &device.record, self.revoked()))?;
        Ok(device.id)
    }

    fn revoked(&self) -> Vec<Edit> {
        vec![Edit::Set(Name::from("revoked_at"), Value::Instant(self.corrected_now()))]
    }

    /// Gives a device, by name or id, other scopes or another role; `None` leaves what it has, an empty role is the
    /// person's. It hears of it over its link: what it may no longer hold is purged there once its edits have arrived,
    /// what it gained is sent.
    ///
    /// # Errors
    /// `unknown_device_name`, `ambiguous_device`, `unknown_scope`, `unknown_role`, `too_many_scopes`, `denied_*`.
    pub fn grant(&self, name: &str, scopes: Option<&[String]>, role: Option<&str>) -> Result<DeviceId> {
        let device = self.device_named(name)?;
        let scopes = match scopes {
            None => device.scopes.clone(),
            Some(asked) => asked
                .iter()
                .map(|text| Scope::parse_named(text, &mut |collection, name| self.find(collection, name)))
                .map(|scope| scope.map(|scope| scope.to_string()))
                .collect::<Result<_>>()?,
        };
        if scopes.len() > GRANT_SCOPES_MAX {
            return Err(Error::limit("too-many-scopes").with("limit", GRANT_SCOPES_MAX));
        }
        let role = role.map_or_else(|| device.role.clone(), str::to_owned);
        let wanted = DeviceRow { scopes, role, ..device.clone() };
        let granted = self.grants_of(&wanted)?;
        access::may_enrol(&self.own_grants()?, &granted, false, &|scope| self.branch_of(scope))?;
        let field = || Name::from("scopes");
        let lost = device.scopes.iter().filter(|scope| !wanted.scopes.contains(scope));
        let gained = wanted.scopes.iter().filter(|scope| !device.scopes.contains(scope));
        let mut edits: Vec<Edit> = lost.map(|scope| Edit::Remove(field(), scope.clone())).collect();
        edits.extend(gained.map(|scope| Edit::Add(field(), scope.clone())));
        if wanted.role != device.role {
            let role = if wanted.role.is_empty() { Value::Null } else { Value::Text(wanted.role) };
            edits.push(Edit::Set(Name::from("role"), role));
        }
        self.transact(|tx| tx.edit("device", &device.record, edits))?;
        Ok(device.id)
    }

    // A device that may still connect, by what people call it.
    fn device_named(&self, name: &str) -> Result<DeviceRow> {
        let mut found: Vec<DeviceRow> = self
            .read(link_rows::devices)?
            .into_iter()
            .filter(|d| !d.revoked && (d.name == name || d.id.to_string() == name))
            .collect();
        match (found.pop(), found.len()) {
            (Some(one), 0) => Ok(one),
            (None, _) => Err(Error::not_found("unknown-device-name").with("name", name)),
            (Some(_), more) => Err(Error::ambiguous("ambiguous-device").with("name", name).with("count", more + 1)),
        }
    }

    /// What a downstream may do and hold: what its record and its person's both say.
    pub(super) fn grants_of(&self, device: &DeviceRow) -> Result<Grants> {
        let mut scopes: Vec<Scope> = device.scopes.iter().filter_map(|text| Scope::parse(text)).collect();
        scopes.push(Scope::Shared);
        let person = match self.record("user", &device.person) {
            Ok(user) => user.text("role").to_owned(),
            Err(Error::NotFound(_)) => String::new(),
            Err(error) => return Err(error),
        };
        let role = rights::acting_role(&person, &device.role, &|name| self.role_named(name))?;
        Ok(Grants { role, scopes })
    }

    /// The same as a message to the downstream. A role that nobody knows here allows nothing: it goes by its name.
    pub(super) fn grant_of(&self, device: &DeviceRow) -> Result<Grant> {
        let role = match self.grants_of(device) {
            Ok(grants) => grants.role.name().to_string(),
            Err(Error::Denied(_)) => device.role.clone(),
            Err(error) => return Err(error),
        };
        let mut scopes = device.scopes.clone();
        scopes.sort_unstable();
        Ok(Grant { role, scopes })
    }

    /// The role of a person, while the person may act.
    pub(super) fn role_of_person(&self, person: &RecordId) -> Result<Option<Role>> {
        let Some(record) = found(self.record("user", person))? else { return Ok(None) };
        if record.value("active") == &Value::Boolean(false) {
            return Ok(None);
        }
        found(self.role_named(record.text("role")))
    }

    /// The branch of a team or person.
    pub(super) fn branch_of(&self, scope: &Scope) -> Result<Option<RecordId>> {
        let (collection, id, field) = match scope {
            Scope::Team(id) => ("team", id, "branch"),
            Scope::User(id) => ("user", id, "home_branch"),
            _ => return Ok(None),
        };
        Ok(found(self.record(collection, id))?.and_then(|record| record.reference(field)))
    }
}

/// What is not known here is none; a store that could not be read says nothing on what is known.
fn found<T>(asked: Result<T>) -> Result<Option<T>> {
    match asked {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound(_) | Error::Denied(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Principal {
    /// As [`Replica::revoke`], in this person's name.
    ///
    /// # Errors
    /// As there; `record_not_found` where the device is outside.
    pub fn revoke(&self, name: &str) -> Result<DeviceId> {
        let device = self.replica().device_named(name)?;
        self.record("device", &device.record)?;
        self.transact(|tx| tx.edit("device", &device.record, self.replica().revoked()))?;
        Ok(device.id)
    }

    /// As [`Replica::downstreams`], those alone that the person may see.
    ///
    /// # Errors
    /// As there.
    pub fn downstreams(&self) -> Result<Vec<DownstreamInfo>> {
        let mut seen = std::collections::HashSet::new();
        self.each(&Query::of("device"), &mut |record| {
            seen.insert(record.text("device_id").to_owned());
            Ok(())
        })?;
        let all = self.replica().downstreams()?;
        Ok(all.into_iter().filter(|device| seen.contains(&device.device.to_string())).collect())
    }
}
