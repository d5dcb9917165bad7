//! Who acts here, and what that person may do, as the person's record and the invitation say.

use super::Person;
use crate::access::{Grants, Place, Role, Scope, covers};
use crate::document::{Edit, State};
use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::schema::{Name, Value};
use crate::store::{Query, View};

/// The person that a replica acts for.
pub(super) fn person(view: &View<'_>) -> Result<Person> {
    let assigned = view.assigned()?;
    // Until the person's record has arrived, the invitation says enough to begin with.
    let row = view.one("user", &assigned.person)?;
    Ok(described(assigned.person, &row.map(|row| row.values).unwrap_or_default(), assigned.role, assigned.branch))
}

/// A person whose record is here and who has not been disabled.
///
/// # Errors
/// `record_not_found`, `person_disabled`.
pub(super) fn known_person(view: &View<'_>, id: &RecordId) -> Result<Person> {
    let missing = || Error::not_found("record-not-found").with("collection", "user").with("record", id.to_string());
    let row = view.one("user", id)?.filter(|row| !row.archived).ok_or_else(missing)?;
    let person = described(*id, &row.values, String::new(), None);
    if row.values.iter().any(|(name, value)| &**name == "active" && *value == Value::Boolean(false)) {
        return Err(Error::denied("person-disabled").with("name", person.name));
    }
    Ok(person)
}

fn described(id: RecordId, values: &[(Name, Value)], role: String, branch: Option<RecordId>) -> Person {
    let text = |field: &str| match values.iter().find(|(name, _)| &**name == field) {
        Some((_, Value::Text(text))) => Some(text.clone()),
        _ => None,
    };
    let home = values.iter().find_map(|(name, value)| match value {
        Value::Reference(id) if &**name == "home_branch" => Some(*id),
        _ => None,
    });
    Person {
        id,
        name: text("name").unwrap_or_else(|| id.to_string()),
        role: text("role").unwrap_or(role),
        home_branch: home.or(branch),
    }
}

/// What a person who signed in may do here: what the person's record and the grant of this replica both allow.
///
/// # Errors
/// As [`grants`].
pub(super) fn grants_here(view: &View<'_>, person: &Person) -> Result<Grants> {
    let Grants { role: ours, scopes: held } = replica_grants(view)?;
    let role = role(view, if person.role.is_empty() { "reader" } else { &person.role })?.meet(&ours);
    let asked = own_scopes(person);
    let scopes = match asked.contains(&Scope::Workspace) {
        true => held,
        false => asked.into_iter().filter(|scope| scope.is_person() || covers(&held, &[*scope])).collect(),
    };
    Ok(Grants { role, scopes })
}

// Owners see everything, the people of a branch the branch, everybody what is their own.
fn own_scopes(person: &Person) -> Vec<Scope> {
    if person.role == "owner" {
        return vec![Scope::Workspace];
    }
    let home = person.home_branch.map(Scope::Branch);
    home.into_iter().chain([Scope::User(person.id)]).collect()
}

// What this replica itself was granted: head office everything.
pub(super) fn replica_grants(view: &View<'_>) -> Result<Grants> {
    let assigned = view.assigned()?;
    let own = if assigned.role.is_empty() { Role::owner() } else { role(view, &assigned.role)? };
    let all = assigned.scopes.is_empty() && own == Role::owner();
    Ok(Grants { role: own, scopes: if all { vec![Scope::Workspace] } else { assigned.scopes } })
}

/// What that person may do here, and with which records: what the person's record and the grant of this replica both
/// allow.
///
/// # Errors
/// `unknown_role` where the role is neither built in nor one of the workspace's own.
pub(super) fn grants(view: &View<'_>, person: &Person) -> Result<Grants> {
    let assigned = view.assigned()?;
    let role = acting_role(&person.role, &assigned.role, &|name| role(view, name))?;
    let mut scopes = assigned.scopes;
    if scopes.is_empty() && role == Role::owner() {
        scopes.push(Scope::Workspace);
    }
    Ok(Grants { role, scopes })
}

/// The role in which a replica acts, from its person's and its own; the one that is empty restricts nothing. Both ends
/// of a link ask this, so that what an upstream would refuse is refused at once where it is typed.
///
/// # Errors
/// Those of `named`, which finds a role by its name.
pub(super) fn acting_role(person: &str, own: &str, named: &dyn Fn(&str) -> Result<Role>) -> Result<Role> {
    match (person, own) {
        (one, "") | ("", one) => named(one),
        (person, own) if person == own => named(own),
        (person, own) => Ok(named(person)?.meet(&named(own)?)),
    }
}

/// The role of a name: built in, or one of the workspace's own.
///
/// # Errors
/// `unknown_role`.
pub(super) fn role(view: &View<'_>, name: &str) -> Result<Role> {
    match Role::builtin(name) {
        Some(role) => Ok(role),
        None => own_role(view, name),
    }
}

fn own_role(view: &View<'_>, name: &str) -> Result<Role> {
    let unknown = || Error::denied("unknown-role").with("role", name);
    let mut role = None;
    view.each(&Query::of("role"), &mut |row| {
        let is_it = row.values.iter().any(|(field, value)| &**field == "name" && *value == Value::Text(name.into()));
        if is_it {
            role = row.values.into_iter().find_map(|(field, value)| match value {
                Value::Set(actions) if &*field == "actions" => Some(actions),
                _ => None,
            });
        }
        Ok(!is_it)
    })?;
    let actions = role.ok_or_else(unknown)?;
    Role::defined(name, actions.iter().map(String::as_str))
}

/// Where a record stands now.
pub(super) fn place_of(state: &State) -> Place {
    place(|field| state.scope_values(field))
}

/// Where a record with these values stands.
pub(super) fn place_of_values(values: &[(Name, Value)]) -> Place {
    place(|field| values.iter().filter(|(name, _)| &**name == field).map(|(_, value)| value.clone()).collect())
}

/// Where a record will stand after these edits.
pub(super) fn place_after(state: &State, edits: &[Edit]) -> Place {
    place(|field| {
        let set = edits.iter().rev().find_map(|edit| match edit {
            Edit::Set(name, value) if &**name == field => Some(value.clone()),
            _ => None,
        });
        set.map_or_else(|| state.scope_values(field), |value| vec![value])
    })
}

fn place(values: impl Fn(&str) -> Vec<Value>) -> Place {
    let ids = |field| -> Vec<RecordId> {
        let ids = values(field).into_iter().filter_map(|value| match value {
            Value::Reference(id) => Some(id),
            _ => None,
        });
        ids.collect()
    };
    Place { branches: ids("branch"), teams: ids("team"), owners: ids("owner") }
}
