//! Who may do what: roles, scopes, and the decisions on them, pure and without I/O.
//!
//! A [`Role`] says what one may do, [`Scope`]s say with which records; both together are [`Grants`]. The same decisions
//! are made where somebody acts (refused at once, with the reason) and by the first upstream that makes a change
//! durable. Nobody can grant more than one has.
//!
//! Invariants: reading follows scopes alone; what moves a record needs the right to write where it was and where it
//! goes. What is absent: single fields have no rights of their own (sensitive ones go into records of their own).

mod role;
mod scope;

pub use role::{ADMINISTRATION, Action, Domain, Permission, Role};
pub use scope::{Place, Scope, covers};

use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::schema::{Collection, Kind};

/// What a person or device may do, and with which records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grants {
    /// What.
    pub role: Role,
    /// With which records; the shared collections always belong to them.
    pub scopes: Vec<Scope>,
}

/// Something that somebody is about to do to a record.
#[derive(Debug, Clone, Copy)]
pub struct Act<'a> {
    /// Who acts.
    pub person: RecordId,
    /// What is done.
    pub action: Action,
    /// To a record of which collection.
    pub collection: &'a Collection,
    /// Where the record is; `None` for one that is being made, and for a whole collection (import, export).
    pub before: Option<&'a Place>,
    /// Where the record will be, if that changes or it is being made.
    pub after: Option<&'a Place>,
}

/// Whether one with these grants may do this.
///
/// # Errors
/// `denied_action` (the role lacks it), `denied_owner` (it has it for own records only), `denied_scope` (the record is
/// outside its scopes), `denied_move` (the record would leave for a branch outside its scopes).
pub fn may(grants: &Grants, act: &Act<'_>) -> Result<()> {
    let kind = act.collection.kind;
    if let Some(place) = act.before
        && !covers(&grants.scopes, &place.scopes(kind))
    {
        return Err(Error::denied("denied-scope").with("collection", &*act.collection.name));
    }
    allowed(grants, act, act.action, act.before)?;
    match (act.before, act.after) {
        (None, Some(after)) if !covers(&grants.scopes, &after.scopes(kind)) => {
            Err(Error::denied("denied-scope").with("collection", &*act.collection.name))
        }
        (Some(before), Some(after)) if kind == Kind::Branch && before != after => moved(grants, act, before, after),
        _ => Ok(()),
    }
}

fn allowed(grants: &Grants, act: &Act<'_>, action: Action, place: Option<&Place>) -> Result<()> {
    let own = place.is_none_or(|p| p.owners.is_empty() || p.owners.contains(&act.person));
    if grants.role.allows(action, act.collection, own) {
        return Ok(());
    }
    let message = if grants.role.allows(action, act.collection, true) { "denied-owner" } else { "denied-action" };
    let error = Error::denied(message).with("role", &**grants.role.name()).with("action", action.to_string());
    Err(error.with("collection", &*act.collection.name))
}

// Who takes what nobody owns does not reassign: it is how unowned work is picked up.
fn moved(grants: &Grants, act: &Act<'_>, before: &Place, after: &Place) -> Result<()> {
    let taken = before.owners.is_empty() && after.owners == [act.person];
    let taken = taken && before.branches == after.branches && before.teams == after.teams;
    if !taken {
        allowed(grants, act, Action::Reassign, Some(before))?;
    }
    let foreign =
        |branch: &&RecordId| !before.branches.contains(branch) && !covers(&grants.scopes, &[Scope::Branch(**branch)]);
    if after.branches.iter().any(|b| foreign(&b)) || !covers(&grants.scopes, &after.scopes(act.collection.kind)) {
        return Err(Error::denied("denied-move").with("collection", &*act.collection.name));
    }
    Ok(())
}

/// Whether all that `inner` grants is also granted by `outer`. `branch_of` gives the branch of a team or a person: a
/// branch's scope has those of its teams and people.
///
/// # Errors
/// Those of `branch_of`.
pub fn narrower(inner: &Grants, outer: &Grants, branch_of: BranchOf<'_>) -> Result<bool> {
    if !inner.role.within(&outer.role) {
        return Ok(false);
    }
    for scope in inner.scopes.iter().filter(|scope| !covers(&outer.scopes, &[**scope])) {
        let branch = match scope {
            Scope::Shared => continue,
            Scope::Workspace | Scope::Branch(_) | Scope::Servers(_) => None,
            Scope::Team(_) | Scope::User(_) => branch_of(scope)?,
        };
        if !branch.is_some_and(|branch| outer.scopes.contains(&Scope::Branch(branch))) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Gives the branch of a team or a person.
pub type BranchOf<'a> = &'a dyn Fn(&Scope) -> Result<Option<RecordId>>;

/// Whether an enroller may give these grants to a device, of a person that exists or of a new one.
///
/// # Errors
/// `denied_invite` (the role may not enrol), `denied_grant` (more than the enroller has), `denied_new_person` (whoever
/// is no owner makes a new person at most a seller); those of `branch_of`.
pub fn may_enrol(enroller: &Grants, enrolled: &Grants, new_person: bool, branch_of: BranchOf<'_>) -> Result<()> {
    let report = |error: Error| error.with("role", &**enrolled.role.name()).with("own", &**enroller.role.name());
    if !enroller.role.may_invite() {
        return Err(report(Error::denied("denied-invite")));
    }
    if !narrower(enrolled, enroller, branch_of)? {
        return Err(report(Error::denied("denied-grant")));
    }
    let seller = Role::builtin("seller").is_some_and(|seller| enrolled.role.within(&seller));
    if new_person && !seller && !Role::owner().within(&enroller.role) {
        return Err(report(Error::denied("denied-new-person")));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::schema::Labels;

    fn id(text: &str) -> RecordId {
        RecordId::derived(&[text.as_bytes()])
    }

    fn collection(name: &str, kind: Kind) -> Collection {
        let (labels, fields, natural_keys, title) = (Labels::default(), vec![], vec![], vec![]);
        Collection {
            name: name.into(),
            kind,
            labels,
            fields: fields.into(),
            natural_keys,
            title,
            priority: 5,
            custom: false,
        }
    }

    fn at(branch: &str, owner: &str) -> Place {
        let ids = |text: &str| if text.is_empty() { vec![] } else { vec![id(text)] };
        Place { branches: ids(branch), teams: vec![], owners: ids(owner) }
    }

    fn grants(role: &str, scopes: &[Scope]) -> Grants {
        Grants { role: Role::builtin(role).unwrap(), scopes: scopes.to_vec() }
    }

    fn central(role: &str) -> Grants {
        grants(role, &[if role == "owner" { Scope::Workspace } else { Scope::Branch(id("central")) }])
    }

    fn answer(
        grants: &Grants,
        action: Action,
        of: &Collection,
        before: Option<&Place>,
        after: Option<&Place>,
    ) -> String {
        let act = Act { person: id("me"), action, collection: of, before, after };
        may(grants, &act).map_or_else(|e| e.code(), |()| "ok".to_owned())
    }

    /// The table of the command line's contract: rows are `role | what`, the letters are what is allowed, in the order
    /// Create, Edit, Archive, reassigN, Import, eXport, Settle; reading is always.
    #[test]
    fn roles_may_do_what_the_table_says() {
        const TABLE: &str = "
            owner   | product  | CEAIXS
            owner   | account  | CEAIXS
            owner   | own      | CEANIXS
            owner   | unowned  | CEANIXS
            owner   | others   | CEANIXS
            owner   | user     | CEAIXS
            owner   | branch   | CEAIXS
            owner   | field    | CEAIXS
            manager | product  | CEAIXS
            manager | account  | CEAIXS
            manager | own      | CEANIXS
            manager | unowned  | CEANIXS
            manager | others   | CEANIXS
            manager | user     |
            manager | branch   |
            manager | field    |
            seller  | product  |
            seller  | account  | CEA
            seller  | own      | CEA
            seller  | unowned  | CEA
            seller  | others   | C
            seller  | user     |
            seller  | branch   |
            seller  | field    |
            reader  | product  |
            reader  | account  |
            reader  | own      |
            reader  | unowned  |
            reader  | others   |
            reader  | user     |
            reader  | branch   |
            reader  | field    |
        ";
        let shared = ["product", "account", "user", "branch", "field"].map(|name| collection(name, Kind::Shared));
        let deals = collection("opportunity", Kind::Branch);
        let mut cells = 0;
        for row in TABLE.lines().map(str::trim).filter(|row| !row.is_empty()) {
            let mut parts = row.split('|').map(str::trim);
            let (role, what, allowed) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
            let of = shared.iter().find(|c| &*c.name == what).unwrap_or(&deals);
            let here = match what {
                "own" => at("central", "me"),
                "unowned" => at("central", ""),
                "others" => at("central", "you"),
                _ => Place::default(),
            };
            let there = at("central", "they");
            let check = |letter: char, action, before: Option<&Place>, after: Option<&Place>| {
                let code = answer(&central(role), action, of, before, after);
                assert_eq!(code == "ok", allowed.contains(letter), "{row}: {action} is {code}");
            };
            check('C', Action::Create, None, Some(&here));
            check('E', Action::Edit, Some(&here), None);
            check('A', Action::Archive, Some(&here), None);
            if of.kind == Kind::Branch {
                check('N', Action::Edit, Some(&here), Some(&there));
                check('N', Action::Reassign, Some(&here), Some(&there));
            }
            check('I', Action::Import, None, None);
            check('X', Action::Export, None, None);
            check('S', Action::Settle, Some(&here), None);
            assert_eq!(answer(&central(role), Action::Read, of, Some(&here), None), "ok", "{row}");
            cells += 1;
        }
        assert_eq!(cells, 4 * 8);
    }

    #[test]
    fn a_refusal_says_why() {
        let deals = collection("opportunity", Kind::Branch);
        let (mine, yours, far) = (at("central", "me"), at("central", "you"), at("east", "you"));
        let check = |role: &str, action, before: Option<&Place>, after: Option<&Place>, code: &str| {
            assert_eq!(answer(&central(role), action, &deals, before, after), code);
        };
        check("reader", Action::Edit, Some(&mine), None, "denied_action");
        check("seller", Action::Edit, Some(&yours), None, "denied_owner");
        check("manager", Action::Edit, Some(&far), None, "denied_scope");
        check("manager", Action::Read, Some(&far), None, "denied_scope");
        check("manager", Action::Create, None, Some(&far), "denied_scope");
        check("manager", Action::Edit, Some(&mine), Some(&far), "denied_move");
        let act = Act { person: id("me"), action: Action::Edit, collection: &deals, before: Some(&mine), after: None };
        let error = may(&central("reader"), &act).unwrap_err();
        assert!(error.to_string().contains("reader") && error.to_string().contains("opportunity"), "{error}");
    }

    #[test]
    fn moving_a_record_needs_the_right_to_write_at_both_ends() {
        let deals = collection("opportunity", Kind::Branch);
        let both = grants("manager", &[Scope::Branch(id("central")), Scope::Branch(id("east"))]);
        let (here, there) = (at("central", "me"), at("east", "me"));
        assert_eq!(answer(&both, Action::Edit, &deals, Some(&here), Some(&there)), "ok");
        assert_eq!(answer(&central("manager"), Action::Edit, &deals, Some(&here), Some(&there)), "denied_move");
        assert_eq!(answer(&central("manager"), Action::Edit, &deals, Some(&there), Some(&here)), "denied_scope");
        let mine = grants("manager", &[Scope::User(id("me"))]);
        assert_eq!(answer(&mine, Action::Edit, &deals, Some(&here), Some(&there)), "denied_move");
        assert_eq!(answer(&mine, Action::Edit, &deals, Some(&here), Some(&at("central", "you"))), "denied_move");
    }

    #[test]
    fn a_seller_takes_unowned_work_but_gives_none_away() {
        let deals = collection("opportunity", Kind::Branch);
        let (nobody, me, you) = (at("central", ""), at("central", "me"), at("central", "you"));
        let seller = central("seller");
        assert_eq!(answer(&seller, Action::Edit, &deals, Some(&nobody), Some(&me)), "ok");
        assert_eq!(answer(&seller, Action::Edit, &deals, Some(&nobody), Some(&you)), "denied_action");
        assert_eq!(answer(&seller, Action::Edit, &deals, Some(&me), Some(&you)), "denied_action");
        assert_eq!(answer(&seller, Action::Edit, &deals, Some(&nobody), Some(&at("", "me"))), "denied_action");
    }

    #[test]
    fn a_workspaces_own_role_is_made_of_the_same_actions() {
        let dispatcher = Grants {
            role: Role::defined("dispatcher", ["reassign:branch", "edit:case"]).unwrap(),
            scopes: vec![Scope::Branch(id("central"))],
        };
        let (deals, cases) = (collection("opportunity", Kind::Branch), collection("case", Kind::Branch));
        let (mine, yours) = (at("central", "me"), at("central", "you"));
        assert_eq!(answer(&dispatcher, Action::Edit, &cases, Some(&yours), Some(&mine)), "ok");
        assert_eq!(answer(&dispatcher, Action::Edit, &deals, Some(&yours), None), "denied_action");
        assert_eq!(answer(&dispatcher, Action::Reassign, &deals, Some(&yours), Some(&mine)), "ok");
        assert_eq!(answer(&dispatcher, Action::Archive, &cases, Some(&yours), None), "denied_action");
    }

    #[test]
    fn nobody_grants_more_than_he_has() {
        let home = |scope: &Scope| Ok((*scope == Scope::User(id("anna"))).then(|| id("central")));
        let check = |outer: &Grants, role: &str, scope: Scope, new_person: bool| {
            may_enrol(outer, &grants(role, &[scope, Scope::Shared]), new_person, &home)
                .map_or_else(|e| e.code(), |()| "ok".to_owned())
        };
        let (branch, east, anna) = (Scope::Branch(id("central")), Scope::Branch(id("east")), Scope::User(id("anna")));
        let (owner, manager) = (central("owner"), central("manager"));
        assert_eq!(check(&owner, "owner", Scope::Workspace, true), "ok");
        assert_eq!(check(&owner, "manager", branch, true), "ok");
        assert_eq!(check(&manager, "seller", branch, true), "ok");
        assert_eq!(check(&manager, "manager", branch, false), "ok");
        assert_eq!(check(&manager, "manager", branch, true), "denied_new_person");
        assert_eq!(check(&manager, "seller", anna, false), "ok");
        assert_eq!(check(&manager, "seller", Scope::User(id("boris")), false), "denied_grant");
        assert_eq!(check(&manager, "seller", east, false), "denied_grant");
        assert_eq!(check(&manager, "seller", Scope::Workspace, false), "denied_grant");
        assert_eq!(check(&manager, "owner", branch, false), "denied_grant");
        assert_eq!(check(&central("seller"), "seller", branch, false), "denied_invite");
    }

    #[test]
    fn what_could_not_be_read_is_no_denial() {
        let unread = |_: &Scope| Err(Error::unreachable("upstream-failed"));
        let anna = grants("seller", &[Scope::User(id("anna"))]);
        let asked = may_enrol(&central("manager"), &anna, false, &unread);
        assert_eq!(asked.unwrap_err().code(), "upstream_failed");
        let own = grants("seller", &[Scope::Branch(id("central"))]);
        may_enrol(&central("manager"), &own, false, &unread).unwrap();
    }
}
