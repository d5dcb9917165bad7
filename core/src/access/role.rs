//! Roles: what a person or a device may do with what it holds.

use std::collections::BTreeSet;
use std::fmt;

use crate::error::{Error, Result};
use crate::schema::{Collection, Kind, Name, RoleDeclaration, check_name, nearest};

/// What somebody does. Reading is not in the list of what a role grants: whoever holds a record may read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// See a record.
    Read,
    /// Make a record.
    Create,
    /// Change its fields.
    Edit,
    /// Archive it, or bring it back.
    Archive,
    /// Change its branch, team or owner.
    Reassign,
    /// Bring in a file.
    Import,
    /// Take out a file.
    Export,
    /// Decide a conflict.
    Settle,
    /// Enrol a device.
    Invite,
}

/// What an action is allowed on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    /// Shared collections, but for administration.
    Shared,
    /// Collections of a branch, in scope.
    Branch,
    /// In collections of a branch, what one owns oneself or nobody owns.
    Own,
    /// People, branches, teams, roles, devices, the schema.
    Administration,
    /// One collection.
    Collection(Name),
}

/// Collections that only administration writes.
pub const ADMINISTRATION: [&str; 7] = ["user", "branch", "team", "role", "device", "collection", "field"];

/// An action on a domain, `edit:own`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permission {
    /// What is done.
    pub action: Action,
    /// On what.
    pub on: Domain,
}

/// A named list of permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    name: Name,
    grants: Granted,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Granted {
    All,
    Listed(BTreeSet<Permission>),
}

const ACTIONS: [(&str, Action); 9] = [
    ("read", Action::Read),
    ("create", Action::Create),
    ("edit", Action::Edit),
    ("archive", Action::Archive),
    ("reassign", Action::Reassign),
    ("import", Action::Import),
    ("export", Action::Export),
    ("settle", Action::Settle),
    ("invite", Action::Invite),
];

// Archiving sets a flag and so comes with editing; it is an action of its own so that a workspace can withhold it.
// An import into shared collections is creating and editing there; settling is editing a field that has rival values.
const MANAGER: &[&str] = &[
    "create:shared",
    "edit:shared",
    "archive:shared",
    "import:shared",
    "export:shared",
    "settle:shared",
    "create:branch",
    "edit:branch",
    "archive:branch",
    "reassign:branch",
    "import:branch",
    "export:branch",
    "settle:branch",
    "invite:branch",
];
const SELLER: &[&str] =
    &["create:account", "edit:account", "archive:account", "create:branch", "edit:own", "archive:own"];

impl Role {
    /// The names of the built-in roles, the mightiest first.
    pub const BUILTIN: [&'static str; 4] = ["owner", "manager", "seller", "reader"];

    /// Everything.
    pub fn owner() -> Self {
        Self { name: "owner".into(), grants: Granted::All }
    }

    /// The built-in role of this name.
    pub fn builtin(name: &str) -> Option<Self> {
        let actions = match name {
            "owner" => return Some(Self::owner()),
            "manager" => MANAGER,
            "seller" => SELLER,
            "reader" => &[],
            _ => return None,
        };
        Self::defined(name, actions.iter().copied()).ok()
    }

    /// A role of these actions, each `action:domain` where the domain is `shared`, `branch`, `own`, `administration`
    /// or a collection.
    ///
    /// # Errors
    /// `unknown_action` for one that is none.
    pub fn defined<'a>(name: &str, actions: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let permissions = actions.into_iter().map(Permission::parse).collect::<Result<BTreeSet<_>>>()?;
        Ok(Self { name: name.into(), grants: Granted::Listed(permissions) })
    }

    /// Whether a workspace may have this role: its actions are known, its name is no built-in one's.
    ///
    /// # Errors
    /// `builtin_role`, `unknown_action`.
    pub fn check(declared: &RoleDeclaration) -> Result<()> {
        if Self::BUILTIN.contains(&&*declared.name) {
            return Err(Error::invalid("builtin-role").with("role", &*declared.name));
        }
        Self::defined(&declared.name, declared.actions.iter().map(String::as_str)).map(drop)
    }

    /// Its name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Its actions in text form; the owner's are `all`.
    pub fn actions(&self) -> Vec<String> {
        match &self.grants {
            Granted::All => vec!["all".to_owned()],
            Granted::Listed(permissions) => permissions.iter().map(ToString::to_string).collect(),
        }
    }

    /// Whether the role may do this to a record of the collection; `own` says that the acting person or nobody owns it.
    pub fn allows(&self, action: Action, collection: &Collection, own: bool) -> bool {
        let Granted::Listed(permissions) = &self.grants else { return true };
        if action == Action::Read {
            return true;
        }
        let has = |on| permissions.contains(&Permission { action, on });
        if has(Domain::Collection(collection.name.clone())) {
            return true;
        }
        if ADMINISTRATION.contains(&&*collection.name) {
            return has(Domain::Administration);
        }
        match collection.kind {
            Kind::Shared => has(Domain::Shared),
            Kind::Branch => has(Domain::Branch) || own && has(Domain::Own),
            // No role reaches them: the facade writes them for whom they are about.
            Kind::Servers => false,
        }
    }

    /// Whether the role may enrol devices.
    pub fn may_invite(&self) -> bool {
        match &self.grants {
            Granted::All => true,
            Granted::Listed(permissions) => permissions.iter().any(|p| p.action == Action::Invite),
        }
    }

    /// What both roles allow, under the name of the narrower one; of two that only overlap, under this one's.
    #[must_use]
    pub fn meet(&self, other: &Role) -> Role {
        match (&self.grants, &other.grants) {
            _ if self.within(other) => self.clone(),
            (Granted::Listed(mine), Granted::Listed(theirs)) if !other.within(self) => {
                let shared = mine.iter().filter(|p| p.within(theirs)).chain(theirs.iter().filter(|p| p.within(mine)));
                Role { name: self.name.clone(), grants: Granted::Listed(shared.cloned().collect()) }
            }
            _ => other.clone(),
        }
    }

    /// Whether all that this role may do, `other` may do too.
    pub fn within(&self, other: &Role) -> bool {
        match (&self.grants, &other.grants) {
            (_, Granted::All) => true,
            (Granted::All, Granted::Listed(_)) => false,
            (Granted::Listed(mine), Granted::Listed(theirs)) => mine.iter().all(|p| p.within(theirs)),
        }
    }
}

impl Permission {
    /// Parses what `Display` prints.
    ///
    /// # Errors
    /// `unknown_action` with the nearest known one.
    pub fn parse(text: &str) -> Result<Self> {
        let unknown = || {
            let near = nearest(text, MANAGER.iter().chain(SELLER).copied()).unwrap_or("edit:branch");
            Error::invalid("unknown-action").with("action", text).with("nearest", near)
        };
        let (action, domain) = text.split_once(':').ok_or_else(unknown)?;
        let (_, action) = ACTIONS.iter().find(|(name, _)| *name == action).ok_or_else(unknown)?;
        let on = match domain {
            "shared" => Domain::Shared,
            "branch" => Domain::Branch,
            "own" => Domain::Own,
            "administration" => Domain::Administration,
            other => Domain::Collection(check_name(other).map_err(|_| unknown())?),
        };
        Ok(Self { action: *action, on })
    }

    // Whether some wider permission, or this one, is among these. The kind of a collection is not known here, so one
    // of a single collection is within both `shared` and `branch` only when both are there, or it is `account`, which
    // sellers have.
    fn within(&self, others: &BTreeSet<Permission>) -> bool {
        let has = |on| others.contains(&Permission { action: self.action, on });
        if self.action == Action::Read || others.contains(self) {
            return true;
        }
        match &self.on {
            Domain::Own => has(Domain::Branch),
            Domain::Collection(name) if ADMINISTRATION.contains(&&**name) => has(Domain::Administration),
            Domain::Collection(name) if &**name == "account" => has(Domain::Shared),
            Domain::Collection(_) => has(Domain::Shared) && has(Domain::Branch),
            Domain::Shared | Domain::Branch | Domain::Administration => false,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = ACTIONS.iter().find(|(_, action)| action == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = match &self.on {
            Domain::Shared => "shared",
            Domain::Branch => "branch",
            Domain::Own => "own",
            Domain::Administration => "administration",
            Domain::Collection(name) => name,
        };
        write!(f, "{}:{on}", self.action)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_defined_by_what_they_print() {
        for name in Role::BUILTIN {
            let role = Role::builtin(name).unwrap();
            if name != "owner" {
                let actions = role.actions();
                assert_eq!(Role::defined(name, actions.iter().map(String::as_str)).unwrap(), role);
            }
        }
        for bad in ["edit", "edits:branch", "edit:Branch", "all"] {
            assert_eq!(Role::defined("x", [bad]).unwrap_err().code(), "unknown_action", "{bad}");
        }
        let error = Permission::parse("edit:brnch ").unwrap_err();
        assert!(error.advice(crate::message::Language::En).contains("edit:branch"), "{error:?}");
    }

    #[test]
    fn a_workspaces_role_has_a_name_and_actions_of_its_own() {
        let check = |name: &str, action: &str| {
            Role::check(&RoleDeclaration { name: name.into(), actions: vec![action.to_owned()] }).map_err(|e| e.code())
        };
        assert_eq!(check("dispatcher", "reassign:branch"), Ok(()));
        assert_eq!(check("owner", "reassign:branch"), Err("builtin_role".to_owned()));
        assert_eq!(check("dispatcher", "fly:branch"), Err("unknown_action".to_owned()));
    }

    #[test]
    fn each_builtin_role_is_within_the_ones_before_it_and_no_other() {
        let roles = Role::BUILTIN.map(|name| Role::builtin(name).unwrap());
        for (at, role) in roles.iter().enumerate() {
            for (other_at, other) in roles.iter().enumerate() {
                assert_eq!(role.within(other), at >= other_at, "{} within {}", role.name(), other.name());
            }
        }
        let field = |actions: &[&str]| Role::defined("x", actions.iter().copied()).unwrap();
        assert!(!field(&["edit:user"]).within(&roles[1]));
        assert!(field(&["edit:user"]).within(&field(&["edit:administration"])));
        assert!(field(&["edit:case"]).within(&roles[1]));
        assert!(!field(&["edit:case"]).within(&roles[2]));
        assert!(!field(&["edit:branch"]).within(&field(&["edit:own"])));
    }

    #[test]
    fn two_roles_meet_in_what_both_allow() {
        let builtin = |name: &str| Role::builtin(name).unwrap();
        for (one, other) in [("manager", "reader"), ("reader", "owner"), ("seller", "manager"), ("seller", "seller")] {
            let (one, other) = (builtin(one), builtin(other));
            let narrower = if one.within(&other) { &one } else { &other };
            assert_eq!(&one.meet(&other), narrower);
            assert_eq!(&other.meet(&one), narrower);
        }
        let own = Role::defined("dispatcher", ["reassign:branch", "edit:own", "edit:user"]).unwrap();
        let met = own.meet(&builtin("seller"));
        assert_eq!((&**met.name(), met.actions()), ("dispatcher", vec!["edit:own".to_owned()]));
        assert!(met.within(&own) && met.within(&builtin("seller")));
    }
}
