//! The downstreams of a replica, for people: who they are, what waits there, how far they are.

use crate::access::{Grants, Role, Scope};
use crate::document::Edit;
use crate::error::{Error, Result};
use crate::id::{DeviceId, RecordId};
use crate::replica::Replica;
use crate::schema::{Name, Value};
use crate::store::link_rows::{self, DeviceRow};
use crate::time::Millis;

/// A downstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownstreamInfo {
    /// The device.
    pub device: DeviceId,
    /// Its name.
    pub name: String,
    /// The person it acts for.
    pub person: RecordId,
    /// Its role.
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
    /// Changes of this log that it has not confirmed.
    pub lag: u64,
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
            let end = link_rows::log_end(conn)?;
            link_rows::devices(conn)?
                .into_iter()
                .map(|device| {
                    let link = link_rows::link(conn, &device.id)?;
                    let row = link.clone().unwrap_or_default();
                    Ok(DownstreamInfo {
                        device: device.id,
                        name: device.name,
                        person: device.person,
                        role: device.role,
                        branch: device.branch,
                        scopes: device.scopes,
                        revoked: device.revoked,
                        direct: device.enroller == self.device(),
                        last_seen: row.last_seen,
                        lag: end.saturating_sub(row.position),
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
        let found: Vec<DeviceRow> = self
            .read(link_rows::devices)?
            .into_iter()
            .filter(|d| !d.revoked && (d.name == name || d.id.to_string() == name))
            .collect();
        let device = match found.as_slice() {
            [one] => one,
            [] => return Err(Error::not_found("unknown-device-name").with("name", name)),
            _ => return Err(Error::ambiguous("ambiguous-device").with("name", name).with("count", found.len())),
        };
        let now = self.corrected_now();
        self.transact(|tx| {
            tx.edit("device", &device.record, vec![Edit::Set(Name::from("revoked_at"), Value::Instant(now))])
        })?;
        Ok(device.id)
    }

    /// What a downstream may do and hold, as its record says.
    pub(super) fn grants_of(&self, device: &DeviceRow) -> Result<Grants> {
        let mut scopes: Vec<Scope> = device.scopes.iter().filter_map(|text| Scope::parse(text)).collect();
        scopes.push(Scope::Shared);
        Ok(Grants { role: self.role_named(&device.role)?, scopes })
    }

    /// The role of a person, while the person may act.
    pub(super) fn role_of_person(&self, person: &RecordId) -> Option<Role> {
        let record = self.record("user", person).ok()?;
        if record.value("active") == &Value::Boolean(false) {
            return None;
        }
        self.role_named(record.text("role")).ok()
    }

    /// The branch of a team or person.
    pub(super) fn branch_of(&self, scope: &Scope) -> Option<RecordId> {
        match scope {
            Scope::Team(id) => self.record("team", id).ok()?.reference("branch"),
            Scope::User(id) => self.record("user", id).ok()?.reference("home_branch"),
            _ => None,
        }
    }
}
