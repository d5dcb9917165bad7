//! One oracle for each promise that can be broken here, asked all the time or at the end, of all replicas at once.
//!
//! 1 and 2 look at every row that leaves an outbox and at every typed change; 3 at digests and values; 4 and 10 are in
//! the world's settling; 5 at keys and `verify`; 6 and 7 at what people see, all the time; 8 at what a revoked device
//! gets and what of it is taken in; 9 at the author of every change; 17 at the plain map: what was replaced by somebody
//! who saw it never comes back, whatever clocks say.

use std::collections::{BTreeMap, BTreeSet};

use branchline_core::access::Scope;
use branchline_core::id::RecordId;
use branchline_core::replica::{Query, Record, Replica};
use branchline_core::schema::Value;

use super::Broken;
use super::eye::{Hash, Id, Logged};
use super::plan::Class;
use super::world::World;

impl World {
    /// Looks at a machine that may have written. Gives what is new in its log, and judges what left its outbox.
    pub(super) fn seen(&mut self, node: usize) -> Result<Vec<Logged>, Broken> {
        if !std::mem::take(&mut self.nodes[node].dirty) {
            return Ok(Vec::new());
        }
        let before = self.nodes[node].eye.outbox.clone();
        let new = self.nodes[node].eye.look()?;
        let left: Vec<Hash> = before.difference(&self.nodes[node].eye.outbox).copied().collect();
        if let Some(upper) = self.nodes[node].upper
            && !left.is_empty()
        {
            self.nodes[upper].dirty = true;
            self.seen(upper)?;
            for hash in left {
                let (own, above) = (&self.nodes[node].eye, &self.nodes[upper].eye);
                let safe =
                    above.log.contains_key(&hash) || above.review.contains(&hash) || own.quarantine.contains(&hash);
                if !safe {
                    let (name, above) = (self.name(node), self.name(upper));
                    return Err(format!("promise 1: {name} takes {} for delivered, {above} has it not", hex(&hash)));
                }
            }
        }
        self.judge_shown(node)?;
        Ok(new)
    }

    /// Looks at a machine that may have written.
    pub(super) fn look(&mut self, node: usize) -> Result<(), Broken> {
        self.seen(node).map(|_| ())
    }

    /// Looks at every machine.
    pub(super) fn watch(&mut self) -> Result<(), Broken> {
        for node in 0..self.nodes.len() {
            self.look(node)?;
            self.note_revocation(node)?;
        }
        Ok(())
    }

    // Promises 6 and 7, all the time.
    fn judge_shown(&self, node: usize) -> Result<(), Broken> {
        if self.ledger.pairs.is_empty() {
            return Ok(());
        }
        let shown = self.nodes[node].eye.shown()?;
        if self.nodes[node].granted_as_ever {
            // While both ends compare what they hold, halves may come apart.
            let compares = (self.has(Class::Restored) || self.has(Class::Cloned)) && !self.settled;
            for (a, b) in self.ledger.pairs.iter().filter(|_| !compares) {
                if shown.contains(a) != shown.contains(b) {
                    return Err(format!("promise 6: {} shows half of a transaction", self.name(node)));
                }
            }
            let leaked =
                shown.iter().find(|id| self.ledger.homes.get(*id).is_some_and(|home| !self.may_see(node, *home)));
            if let Some(id) = leaked {
                return Err(format!("promise 7: {} holds {}, without a grant", self.name(node), RecordId(*id)));
            }
        }
        Ok(())
    }

    // Whether `node` may hold what has this owner and this branch.
    fn may_see(&self, node: usize, (owner, branch): (Id, Option<Id>)) -> bool {
        self.nodes[node].scopes.iter().any(|scope| match scope {
            Scope::Workspace => true,
            Scope::Branch(id) => branch == Some(id.0),
            Scope::User(id) => id.0 == owner,
            Scope::Team(_) | Scope::Shared | Scope::Servers(_) => false,
        })
    }

    fn note_revocation(&mut self, node: usize) -> Result<(), Broken> {
        let Some(upper) = self.nodes[node].upper.filter(|_| self.ledger.revoked.contains_key(&node)) else {
            return Ok(());
        };
        if self.nodes[node].cut_off {
            return Ok(());
        }
        let device = self.nodes[node].replica.device();
        let known = self.nodes[upper].replica.downstreams().map_err(|e| format!("no list of devices: {e}"));
        let knows = match known {
            Ok(known) => known.iter().any(|d| d.device == device && d.revoked),
            // The disk of the upstream may be failing just now.
            Err(_) if self.has(Class::Disk) => false,
            Err(e) => return Err(e),
        };
        if knows {
            self.nodes[node].cut_off = true;
            let held = self.nodes[upper].eye.log.keys().copied().collect();
            self.ledger.revoked.insert(node, held);
            // What was sent before it was known may still arrive.
            for link in self.links.iter_mut().filter(|link| link.lower == node) {
                link.drop_line();
            }
        }
        Ok(())
    }

    /// Asks everything that can be asked when all is quiet.
    ///
    /// # Errors
    /// The promise that was broken.
    pub fn judge(&mut self) -> Result<(), Broken> {
        self.settled = true;
        (0..self.nodes.len()).try_for_each(|node| self.judge_shown(node))?;
        self.nothing_is_lost()?;
        self.what_followed_is_written_again()?;
        self.everyone_agrees()?;
        self.merges_have_roots()?;
        self.every_replica_is_sound()?;
        self.authors_are_true()?;
        self.the_revoked_stay_out()?;
        self.what_was_replaced_stays_so()?;
        Ok(())
    }

    fn nothing_is_lost(&self) -> Result<(), Broken> {
        let hub = self.nodes[0].eye.log_now()?;
        let mut kept: BTreeSet<Hash> = BTreeSet::new();
        for node in &self.nodes {
            kept.extend(node.eye.quarantine.iter().chain(&node.eye.review));
        }
        for (hash, typed) in self.ledger.typed.iter().filter(|(hash, _)| !self.ledger.lost.contains(*hash)) {
            let waits = self.nodes[typed.node].cut_off && self.nodes[typed.node].eye.outbox.contains(hash);
            if !hub.contains(hash) && !kept.contains(hash) && !waits {
                let (name, operation) = (self.name(typed.node), typed.operation);
                return Err(format!("promise 2: {} of operation {operation} at {name} is nowhere", hex(hash)));
            }
            let own = &self.nodes[typed.node];
            // A folder that came back as it once was has forgotten what was refused since.
            let forgot = own.was_set_back || own.upper.is_some_and(|upper| self.nodes[upper].was_set_back);
            if !forgot
                && !hub.contains(hash)
                && !waits
                && !own.cut_off
                && !own.eye.quarantine.contains(hash)
                && typed.node != 0
            {
                let (name, operation) = (self.name(typed.node), typed.operation);
                return Err(format!(
                    "promise 2: {} of operation {operation} was refused, {name} keeps it not",
                    hex(hash)
                ));
            }
        }
        for link in self.links.iter().filter(|link| !self.nodes[link.lower].cut_off) {
            let (low, up) = (&self.nodes[link.lower].eye, &self.nodes[link.upper].eye);
            let both = |hash: &Hash| up.review.contains(hash) || up.quarantine.contains(hash);
            let forgot = self.nodes[link.lower].was_set_back || self.nodes[link.upper].was_set_back;
            let refused = low.refused_above(self.has(Class::Cloned))?;
            if let (false, Some(hash)) = (forgot, refused.iter().find(|hash| !both(hash))) {
                let (name, above) = (self.name(link.lower), self.name(link.upper));
                return Err(format!("promise 2: {} was refused to {name}, and {above} keeps it not", hex(hash)));
            }
            if low.not_written_again()? > 0 {
                return Err(format!(
                    "promise 2: {} has not written again what followed a refusal",
                    self.name(link.lower)
                ));
            }
        }
        let quiet = [Class::Scopes, Class::Refusal, Class::Revocation, Class::Restored];
        let quiet = quiet.iter().all(|class| !self.has(*class));
        if let (true, Some(hash)) = (quiet, kept.iter().next()) {
            let why: Vec<_> = self.nodes.iter().filter_map(|node| node.eye.reason(hash).ok()).flatten().collect();
            return Err(format!("promise 2: {} was refused, and nobody's rights have changed: {why:?}", hex(hash)));
        }
        Ok(())
    }

    fn what_followed_is_written_again(&self) -> Result<(), Broken> {
        let cited: BTreeSet<Hash> = self.nodes.iter().flat_map(|node| node.eye.cited.iter().copied()).collect();
        for (at, node) in self.nodes.iter().enumerate() {
            if let Some(hash) = node.eye.written_again()?.iter().find(|hash| !cited.contains(*hash)) {
                let name = self.name(at);
                return Err(format!(
                    "promise 2: {name} says that it has written {} again, and nothing does",
                    hex(hash)
                ));
            }
        }
        Ok(())
    }

    fn everyone_agrees(&self) -> Result<(), Broken> {
        for link in &self.links {
            let (low, up) = (&self.nodes[link.lower], &self.nodes[link.upper]);
            if low.cut_off {
                continue;
            }
            let (name, above) = (self.name(link.lower), self.name(link.upper));
            let error = |e: branchline_core::Error| format!("promise 3: {name} cannot be compared with {above}: {e}");
            let device = low.replica.device();
            let known = up.replica.downstreams().map_err(error)?;
            let known = known.into_iter().find(|d| d.device == device).ok_or("promise 3: an unknown device")?;
            let mut scopes: Vec<Scope> = known.scopes.iter().filter_map(|text| Scope::parse(text)).collect();
            let (holds, all) = (scopes.clone(), scopes.contains(&Scope::Workspace));
            scopes.push(Scope::Shared);
            let digests = (low.replica.digest().map_err(error)?, up.replica.digest_of(&scopes).map_err(error)?);
            for collection in ["opportunity", "account"] {
                let (ours, theirs) = (rows(&low.replica, collection)?, rows(&up.replica, collection)?);
                for (id, record) in &ours {
                    let Some(same) = theirs.get(id) else {
                        return Err(format!("promise 3: {name} shows {id}, {above} does not"));
                    };
                    if record.fields != same.fields || record.archived != same.archived {
                        return Err(format!("promise 3: {name} and {above} differ in {id}: {record:?} {same:?}"));
                    }
                    if collection != "opportunity" || all {
                        continue;
                    }
                    // A list shows one value of a conflict.
                    let whole = up.replica.record(collection, id).map_err(error)?;
                    if !self.is_within(&whole, &holds) {
                        return Err(format!("promise 7: {name} holds {id}, beyond its grants"));
                    }
                }
            }
            if digests.0 != digests.1 {
                return Err(format!("promise 3: the digests of {name} and {above} differ"));
            }
        }
        Ok(())
    }

    // Whether a deal is of one of these scopes by its own fields, with every value that a conflict holds.
    fn is_within(&self, record: &Record, scopes: &[Scope]) -> bool {
        let values = |field: &str| {
            let own = [record.value(field).clone()].into_iter();
            let others = record.conflicts.iter().filter(|c| &*c.field == field).flat_map(|c| c.values.iter());
            let ids = own.chain(others.map(|v| v.value.clone()));
            ids.filter_map(|value| if let Value::Reference(id) = value { Some(id) } else { None }).collect::<Vec<_>>()
        };
        let (owners, branches, teams) = (values("owner"), values("branch"), values("team"));
        scopes.iter().any(|scope| match scope {
            Scope::User(id) => owners.contains(id),
            Scope::Branch(id) => branches.contains(id),
            Scope::Team(id) => teams.contains(id),
            Scope::Workspace | Scope::Shared => true,
            // What servers alone hold is no record of the plan.
            Scope::Servers(_) => false,
        })
    }

    // Merges that crossed have one root, and everybody finds the same.
    fn merges_have_roots(&self) -> Result<(), Broken> {
        let roots = |replica: &Replica| -> Result<BTreeMap<RecordId, RecordId>, Broken> {
            let all = rows(replica, "account")?.into_keys();
            all.map(|id| Ok((id, replica.root("account", &id).map_err(|e| format!("no root: {e}"))?))).collect()
        };
        let hub = roots(&self.nodes[0].replica)?;
        for (at, node) in self.nodes.iter().enumerate().filter(|(_, node)| !node.cut_off) {
            if roots(&node.replica)?.iter().any(|(id, root)| hub.get(id) != Some(root)) {
                return Err(format!(
                    "promise 3: merged accounts have another root at {} than at the hub",
                    self.name(at)
                ));
            }
        }
        Ok(())
    }

    fn every_replica_is_sound(&self) -> Result<(), Broken> {
        for (at, node) in self.nodes.iter().enumerate() {
            let name = self.name(at);
            let verified = node.replica.verify(false).map_err(|e| format!("promise 5: {name}: {e}"))?;
            if !verified.is_sound() {
                return Err(format!("promise 5: {name} is not sound: {verified:?}"));
            }
            let most = node.eye.most_of_one_key()?;
            if most > 1 {
                return Err(format!("promise 5: {name} has {most} records of one key"));
            }
            let outbox = node.replica.outbox_len().map_err(|e| format!("promise 4: {name}: {e}"))?;
            if outbox > 0 && !node.cut_off {
                return Err(format!("promise 4: {name} still owes {outbox} changes"));
            }
        }
        Ok(())
    }

    fn authors_are_true(&self) -> Result<(), Broken> {
        let standing = self.nodes[0].eye.standing()?;
        for (hash, typed) in self.ledger.typed.iter().filter(|(_, typed)| typed.person != [0; 16]) {
            match standing.get(hash) {
                None => {}
                Some(person) if *person == Some(typed.person) => {}
                Some(person) => {
                    let (name, person) = (self.name(typed.node), person.map(RecordId));
                    return Err(format!("promise 9: {} of {name} is by {person:?} at the hub", hex(hash)));
                }
            }
        }
        Ok(())
    }

    fn the_revoked_stay_out(&self) -> Result<(), Broken> {
        for (node, held) in self.ledger.revoked.iter().filter(|(node, _)| self.nodes[**node].cut_off) {
            let Some(upper) = self.nodes[*node].upper else { continue };
            let standing = self.nodes[upper].eye.standing()?;
            let late = self
                .ledger
                .typed
                .iter()
                .find(|(hash, typed)| typed.node == *node && standing.contains_key(*hash) && !held.contains(*hash));
            if let Some((hash, _)) = late {
                return Err(format!(
                    "promise 8: {} of {} was taken in after it was revoked",
                    hex(hash),
                    self.name(*node)
                ));
            }
        }
        Ok(())
    }

    fn what_was_replaced_stays_so(&self) -> Result<(), Broken> {
        // What was written again after a refusal, or taken over by a reviewer, says an old value anew.
        if self.ledger.accepted || self.nodes.iter().any(|node| !node.eye.quarantine.is_empty()) {
            return Ok(());
        }
        let standing = self.nodes[0].eye.standing()?;
        let mut tables: BTreeMap<&str, BTreeMap<RecordId, Record>> = BTreeMap::new();
        for collection in ["opportunity", "account"] {
            tables.insert(collection, rows(&self.nodes[0].replica, collection)?);
        }
        for replaced in &self.ledger.replaced {
            let accepted = !replaced.by.is_empty() && replaced.by.iter().all(|hash| standing.contains_key(hash));
            let record = tables.get(replaced.collection).and_then(|rows| rows.get(&RecordId(replaced.record)));
            let chosen = (replaced.record, replaced.field.to_owned(), replaced.before.clone());
            if let (true, Some(record)) = (accepted && !self.ledger.chosen.contains(&chosen), record)
                && record.text(replaced.field) == replaced.before
            {
                let (id, field, before) = (RecordId(replaced.record), replaced.field, &replaced.before);
                return Err(format!("promise 17: {field} of {id} shows {before:?} again, which was replaced"));
            }
        }
        Ok(())
    }
}

fn rows(replica: &Replica, collection: &str) -> Result<BTreeMap<RecordId, Record>, Broken> {
    let page = replica.list(&Query::of(collection).with_archived()).map_err(|e| format!("no list: {e}"))?;
    Ok(page.rows.into_iter().map(|row| (row.id, row)).collect())
}

fn hex(hash: &Hash) -> String {
    data_encoding::HEXLOWER.encode(&hash[..6])
}
