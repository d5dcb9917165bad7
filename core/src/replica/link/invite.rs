//! Invitations: who may join, as whom, holding what.

use super::code::InvitationCode;
use crate::access::{self, Grants, Role, Scope};
use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::replica::{Principal, Replica};
use crate::schema::{Name, Value};
use crate::store::link_rows;
use crate::time::Millis;

/// What an invitation is asked with.
#[derive(Debug, Clone, Default)]
pub struct Invitation {
    /// Whether the new replica serves others.
    pub branch: bool,
    /// Its name; a branch of that code is created if missing.
    pub name: String,
    /// The e-mail address or name of the person it acts for; `None`: a person of its own.
    pub user: Option<String>,
    /// What it may hold, as people write it: `branch:central`; empty: what follows from the person or branch.
    pub scopes: Vec<String>,
    /// Its role; `None`: the person's, else `manager` for a branch and `seller` for a device.
    pub role: Option<String>,
    /// How long the code is good, in ms.
    pub expires_ms: i64,
}

/// A code and until when it is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invited {
    /// The code to pass on.
    pub code: String,
    /// Until when it is good.
    pub expires: Millis,
}

/// The longest that a code may be good, in ms.
const EXPIRES_MS_MAX: i64 = 30 * 24 * 3_600_000;

impl Replica {
    /// Makes a one-time code. Its address is where `serve` last announced this replica.
    ///
    /// # Errors
    /// `not_serving` on a device, `no_public_address` before the first `serve`, `public_cert_missing` where nothing says
    /// how the TLS server at its public address is known, `not_found` for an unknown person,
    /// branch or team, `denied` where the acting person may not grant this.
    pub fn invite(&self, invitation: &Invitation) -> Result<Invited> {
        self.invite_within(&self.own_grants()?, invitation)
    }

    fn invite_within(&self, own: &Grants, invitation: &Invitation) -> Result<Invited> {
        if !self.settings()?.role.serves() {
            return Err(Error::usage("not-serving"));
        }
        if invitation.expires_ms <= 0 || invitation.expires_ms > EXPIRES_MS_MAX {
            return Err(Error::usage("invitation-expiry").with("days", EXPIRES_MS_MAX / crate::time::DAY_MS));
        }
        let (address, trust) = self.public_address()?.ok_or_else(|| Error::usage("no-public-address"))?;
        if trust.is_none() && address.starts_with("https://") {
            return Err(Error::usage("public-cert-missing").with("url", address));
        }
        let person = invitation.user.as_deref().map(|text| self.person_named(text)).transpose()?;
        let home_branch = match (invitation.branch, &person) {
            (true, _) => Some(self.branch_named(&invitation.name)?),
            (false, Some(person)) => person.home_branch.or(self.me()?.home_branch),
            (false, None) => self.me()?.home_branch,
        };
        let role = invitation.role.clone().unwrap_or_else(|| match (&person, invitation.branch) {
            (Some(person), _) => person.role.clone(),
            (None, true) => "manager".to_owned(),
            (None, false) => "seller".to_owned(),
        });
        let scopes = match invitation.scopes.as_slice() {
            [] => default_scopes(person.as_ref().map(|p| p.id), home_branch, &role),
            asked => asked
                .iter()
                .map(|text| Scope::parse_named(text, &mut |collection, name| self.find(collection, name)))
                .collect::<Result<Vec<_>>>()?,
        };
        self.check_grant(own, invitation, &role, &scopes)?;
        let now = self.environment().now();
        let expires = now.plus(invitation.expires_ms);
        let mut secret = [0u8; 16];
        self.environment().fill_random(&mut secret);
        let code = InvitationCode { secret, upstream_key: self.identity().public_key(), trust, address };
        self.note(|conn| {
            link_rows::add_invitation(
                conn,
                &link_rows::Invitation {
                    secret_hash: InvitationCode::secret_hash(&secret),
                    branch: invitation.branch,
                    name: invitation.name.clone(),
                    person: person.as_ref().map(|p| p.id),
                    role: role.clone(),
                    scopes: scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
                    home_branch,
                    expires,
                    used_by: None,
                },
            )
        })?;
        Ok(Invited { code: code.encode(), expires })
    }

    // One may grant only what one has; only an owner's hub takes in a branch.
    fn check_grant(&self, own: &Grants, invitation: &Invitation, role: &str, scopes: &[Scope]) -> Result<()> {
        let granted = Grants { scopes: scopes.to_vec(), role: self.role_named(role)? };
        let new_person = invitation.user.is_none() && !invitation.branch;
        access::may_enrol(own, &granted, new_person, &|scope| self.branch_of(scope))
    }

    /// The branch of this code or name, made if there is none.
    fn branch_named(&self, name: &str) -> Result<RecordId> {
        let code = branch_code(name);
        match self.find("branch", &format!("code={code}")) {
            Ok(id) => Ok(id),
            Err(Error::NotFound(_)) => self.transact(|tx| {
                let values = [("code", code.clone()), ("name", name.to_owned())];
                let values = values.into_iter().map(|(k, v)| (Name::from(k), Value::Text(v))).collect();
                tx.create_keyed("branch", values, &[Name::from("code")]).map(|keyed| keyed.id)
            }),
            Err(error) => Err(error),
        }
    }
}

impl Principal {
    /// As [`Replica::invite`], within what the person may do. A server of a branch holds what its people sign in with, so
    /// an owner alone invites one.
    ///
    /// # Errors
    /// As there.
    pub fn invite(&self, invitation: &Invitation) -> Result<Invited> {
        let own = self.grants()?;
        if invitation.branch && !Role::owner().within(&own.role) {
            return Err(Error::denied("denied-invite").with("own", &**own.role.name()));
        }
        self.replica().invite_within(&own, invitation)
    }

    /// Whether the person may do for another one what an invitation of a device would allow: act under that name.
    ///
    /// # Errors
    /// `denied_invite`, `denied_grant`; those of the store.
    pub fn may_stand_in_for(&self, person: &RecordId) -> Result<()> {
        let theirs = self.replica().principal(person)?.grants()?;
        access::may_enrol(&self.grants()?, &theirs, false, &|scope| self.replica().branch_of(scope))
    }
}

// Owners hold everything, a branch and its people the branch, anybody else what is their own.
fn default_scopes(person: Option<RecordId>, home_branch: Option<RecordId>, role: &str) -> Vec<Scope> {
    match (home_branch, person) {
        (Some(branch), _) => vec![Scope::Branch(branch)],
        (None, _) if role == "owner" => vec![Scope::Workspace],
        (None, Some(person)) => vec![Scope::User(person)],
        // The person is made when the device joins; its own scope is added then.
        (None, None) => Vec::new(),
    }
}

/// A branch's code from its name: lower case, anything but letters and digits becomes one hyphen.
pub(crate) fn branch_code(name: &str) -> String {
    let mut code = String::new();
    for c in name.trim().to_lowercase().chars() {
        if c.is_alphanumeric() {
            code.push(c);
        } else if !code.ends_with('-') {
            code.push('-');
        }
    }
    code.trim_matches('-').to_owned()
}
