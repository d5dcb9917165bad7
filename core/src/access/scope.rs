//! Scopes: who holds which records.

use std::fmt;

use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::schema::Kind;

/// A part of the database that is granted as a whole. A record's scopes follow from its own fields.
///
/// The text form is stable, it is stored and signed: `workspace`, `shared`, `branch:<uuid>`, `team:<uuid>`,
/// `user:<uuid>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everything.
    Workspace,
    /// The shared collections, which every downstream holds.
    Shared,
    /// What carries this branch.
    Branch(RecordId),
    /// What carries this team.
    Team(RecordId),
    /// What this person owns.
    User(RecordId),
    /// What head office and the servers of this branch alone hold. Nobody is granted it by name: a server of the branch
    /// has it by its grant of the branch.
    Servers(RecordId),
}

impl Scope {
    /// Parses what `Display` prints, of what can be granted.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "workspace" => return Some(Scope::Workspace),
            "shared" => return Some(Scope::Shared),
            _ => {}
        }
        let (kind, id) = text.split_once(':')?;
        // Only the form that `Display` prints: texts of scopes are compared.
        let id = RecordId::parse(id).filter(|parsed| parsed.to_string() == id)?;
        match kind {
            "branch" => Some(Scope::Branch(id)),
            "team" => Some(Scope::Team(id)),
            "user" => Some(Scope::User(id)),
            _ => None,
        }
    }

    /// Parses what a person writes, `branch:central`; `resolve` finds the record of a collection by what names it.
    ///
    /// # Errors
    /// `unknown_scope`, or what `resolve` answers.
    pub fn parse_named(text: &str, resolve: &mut dyn FnMut(&str, &str) -> Result<RecordId>) -> Result<Self> {
        if let Some(scope) = Self::parse(text) {
            return Ok(scope);
        }
        let unknown = || Error::invalid("unknown-scope").with("scope", text);
        let (kind, name) = text.split_once(':').ok_or_else(unknown)?;
        let make = match kind {
            "branch" => Scope::Branch,
            "team" => Scope::Team,
            "user" => Scope::User,
            _ => return Err(unknown()),
        };
        resolve(kind, name.trim()).map(make)
    }

    /// Whether it is what one person owns.
    pub fn is_person(&self) -> bool {
        matches!(self, Scope::User(_))
    }

    /// The record that the scope is about: a branch, a team, a person.
    pub fn subject(&self) -> Option<RecordId> {
        match self {
            Scope::Workspace | Scope::Shared => None,
            Scope::Branch(id) | Scope::Team(id) | Scope::User(id) | Scope::Servers(id) => Some(*id),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Workspace => f.write_str("workspace"),
            Scope::Shared => f.write_str("shared"),
            Scope::Branch(id) => write!(f, "branch:{id}"),
            Scope::Team(id) => write!(f, "team:{id}"),
            Scope::User(id) => write!(f, "user:{id}"),
            Scope::Servers(id) => write!(f, "servers:{id}"),
        }
    }
}

/// What of a record decides its scopes: all values of its fields `branch`, `team` and `owner`, several while in
/// conflict, none while empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// Values of `branch`.
    pub branches: Vec<RecordId>,
    /// Values of `team`.
    pub teams: Vec<RecordId>,
    /// Values of `owner`.
    pub owners: Vec<RecordId>,
}

impl Place {
    /// The scopes that a record of this kind at this place is in, in order, each once.
    pub fn scopes(&self, kind: Kind) -> Vec<Scope> {
        match kind {
            Kind::Shared => vec![Scope::Shared],
            Kind::Servers => self.branches.iter().copied().map(Scope::Servers).collect(),
            Kind::Branch => {
                let branches = self.branches.iter().copied().map(Scope::Branch);
                let teams = self.teams.iter().copied().map(Scope::Team);
                let owners = self.owners.iter().copied().map(Scope::User);
                let mut scopes: Vec<Scope> = branches.chain(teams).chain(owners).collect();
                scopes.sort_unstable();
                scopes.dedup();
                scopes
            }
        }
    }
}

/// Whether one who was granted these scopes holds a record that is in those. What servers alone hold is asked of servers
/// alone: a device's grants say nothing of it.
pub fn covers(granted: &[Scope], record: &[Scope]) -> bool {
    let has = |scope: &Scope| match scope {
        Scope::Shared => true,
        Scope::Servers(branch) => granted.contains(&Scope::Branch(*branch)),
        scope => granted.contains(scope),
    };
    granted.contains(&Scope::Workspace) || record.iter().any(has)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn id(text: &str) -> RecordId {
        RecordId::derived(&[text.as_bytes()])
    }

    #[test]
    fn scopes_read_what_they_print() {
        let central = id("central");
        for scope in
            [Scope::Workspace, Scope::Shared, Scope::Branch(central), Scope::Team(central), Scope::User(central)]
        {
            assert_eq!(Scope::parse(&scope.to_string()), Some(scope));
        }
        assert_eq!(Scope::parse(&Scope::Servers(central).to_string()), None, "nobody is granted it");
        let upper = format!("branch:{}", central.to_string().to_uppercase());
        for bad in ["", "branch", "branch:", "branch:central", "galaxy:1", "Workspace", upper.as_str()] {
            assert_eq!(Scope::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn people_name_scopes_by_code() {
        let mut resolve = |collection: &str, name: &str| match (collection, name) {
            ("branch", "central") => Ok(id("central")),
            _ => Err(Error::not_found("unknown-collection")),
        };
        assert_eq!(Scope::parse_named("branch:central", &mut resolve).unwrap(), Scope::Branch(id("central")));
        assert_eq!(Scope::parse_named("workspace", &mut resolve).unwrap(), Scope::Workspace);
        assert_eq!(Scope::parse_named("galaxy:x", &mut resolve).unwrap_err().code(), "unknown_scope");
        assert_eq!(Scope::parse_named("central", &mut resolve).unwrap_err().code(), "unknown_scope");
        assert_eq!(Scope::parse_named("team:x", &mut resolve).unwrap_err().code(), "unknown_collection");
    }

    #[test]
    fn a_record_is_in_the_scopes_of_all_its_values() {
        let place = Place { branches: vec![id("b"), id("a")], teams: vec![], owners: vec![id("u"), id("u")] };
        let scopes = place.scopes(Kind::Branch);
        assert_eq!(scopes.len(), 3);
        for scope in [Scope::Branch(id("a")), Scope::Branch(id("b")), Scope::User(id("u")), Scope::Workspace] {
            assert!(covers(&[scope], &scopes), "{scope}");
        }
        assert!(!covers(&[Scope::Branch(id("c")), Scope::Shared], &scopes));
        assert_eq!(place.scopes(Kind::Shared), [Scope::Shared]);
        assert!(covers(&[], &[Scope::Shared]));
        assert!(!covers(&[Scope::Branch(id("a"))], &Place::default().scopes(Kind::Branch)));
        assert!(covers(&[Scope::Workspace], &Place::default().scopes(Kind::Branch)));
        let sealed = Place { branches: vec![id("a")], teams: vec![], owners: vec![id("u")] }.scopes(Kind::Servers);
        assert_eq!(sealed, [Scope::Servers(id("a"))]);
        assert!(covers(&[Scope::Branch(id("a"))], &sealed) && !covers(&[Scope::User(id("u"))], &sealed));
    }
}
