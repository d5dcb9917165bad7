//! What people do, each thing from a stream of its own, so that leaving one out does not shift the others.

use branchline_core::crm::import::{Import, ImportMap, undo};
use branchline_core::document::Edit;
use branchline_core::id::RecordId;
use branchline_core::replica::{Query, Record, Replica};
use branchline_core::schema::{Name, Value};
use branchline_core::{Error, Result};

use super::Broken;
use super::base::NODES;
use super::eye::Hash;
use super::ledger::{Replaced, Typed};
use super::plan::Class;
use super::world::World;
use crate::sim::company::text;
use crate::sim::{Random, small};

/// What one thing came to, beside the changes that it made.
#[derive(Default)]
struct Done {
    pair: Option<[RecordId; 2]>,
    moved: Vec<RecordId>,
    replaced: Option<(RecordId, &'static str, &'static str, String)>,
    chosen: Option<(RecordId, String, String)>,
    /// Written as somebody else: an import, an upstream, a replay.
    not_by_hand: bool,
}

impl World {
    /// Somebody does something.
    pub(super) fn operate(&mut self, operation: u64) -> std::result::Result<(), Broken> {
        let mut random = Random::new(self.plan.seed.wrapping_add(operation << 32), "work");
        let node = random.below(self.nodes.len());
        if self.is_paused(node) {
            return Ok(());
        }
        // What a link wrote here before is no work of this person.
        self.nodes[node].dirty = true;
        self.look(node)?;
        let replica = self.nodes[node].replica.clone();
        let at = self.nodes[node].at;
        let done = match random.below(100) {
            0..=23 => create_pair(&replica, operation),
            24..=51 => edit(&replica, operation, &mut random),
            52..=57 => edit_together(&replica, operation, &mut random),
            58..=63 => keyed(&replica, &mut random),
            64..=68 => edit_account(&replica, operation, &mut random),
            69..=71 => archive(&replica, &mut random),
            72..=75 => merge(&replica, &mut random),
            76..=78 => import(&replica, &mut random),
            79..=84 => self.settle_refused(&replica, &mut random),
            85..=94 if self.has(Class::Scopes) || self.has(Class::Refusal) => self.move_deal(&replica, at, &mut random),
            95..=97 if self.has(Class::Scopes) => self.change_grants(node, &mut random),
            98..=99 if self.has(Class::Revocation) => self.revoke(node, &mut random),
            _ => edit(&replica, operation, &mut random),
        };
        self.nodes[node].dirty = true;
        let new: Vec<(Hash, [u8; 16])> = self.seen(node)?.into_iter().map(|row| (row.hash, row.record)).collect();
        match done {
            Ok(done) => self.enter(node, operation, &new, done),
            Err(error) => return self.excuse(node, operation, new.len(), &error),
        }
        Ok(())
    }

    fn enter(&mut self, node: usize, operation: u64, new: &[(Hash, [u8; 16])], done: Done) {
        self.summary.transactions += u64::from(!new.is_empty());
        self.trace.note((operation, node, new));
        let records = |new: &[(Hash, [u8; 16])]| -> Vec<RecordId> { new.iter().map(|(_, id)| RecordId(*id)).collect() };
        self.trace
            .tell(|| format!("{} operation {operation} at {}: {:?}", self.now().0, self.name(node), records(new)));
        let person = if done.not_by_hand { [0; 16] } else { self.nodes[node].person };
        for (hash, _) in new {
            self.ledger.typed.entry(*hash).or_insert(Typed { node, person, operation });
        }
        if let Some([a, b]) = done.pair {
            self.ledger.pairs.push((a.0, b.0));
            let home = (self.nodes[node].person, self.nodes[node].home);
            self.ledger.homes.extend([(a.0, home), (b.0, home)]);
        }
        for record in done.moved {
            self.ledger.moves(&record.0);
        }
        self.ledger.chosen.extend(done.chosen.map(|(record, field, value)| (record.0, field, value)));
        if let Some((record, collection, field, before)) = done.replaced
            && !before.is_empty()
            && !new.is_empty()
        {
            let by = new.iter().map(|(hash, _)| *hash).collect();
            self.ledger.replaced.push(Replaced { record: record.0, collection, field, before, by });
        }
    }

    // What may fail: rights, a record that has left meanwhile, a disk. Nothing of it may have been written.
    fn excuse(&self, node: usize, operation: u64, written: usize, error: &Error) -> std::result::Result<(), Broken> {
        let code = error.code();
        let excused = match error {
            Error::Storage(_) => self.has(Class::Disk),
            Error::Corrupt(_) | Error::Protocol(_) => false,
            _ => true,
        };
        if !excused {
            return Err(format!("operation {operation} at {} failed: {code} {error}", self.name(node)));
        }
        // An import may have committed earlier transactions.
        if written > 0 && !code.starts_with("store_") {
            return Err(format!("promise 6: operation {operation} failed ({code}) and left {written} changes"));
        }
        Ok(())
    }

    fn move_deal(&mut self, replica: &Replica, at: usize, random: &mut Random) -> Result<Done> {
        let rows = deals(replica, 40)?;
        let Some(row) = pick(&rows, random) else { return Ok(Done::default()) };
        let branch = random.chance(500) && self.has(Class::Scopes) && at == 0;
        let collection = if branch { "branch" } else { "user" };
        let targets = replica.list(&Query::of(collection))?.rows;
        let Some(target) = pick(&targets, random) else { return Ok(Done::default()) };
        let field = Name::from(if branch { "branch" } else { "owner" });
        let (id, to) = (row.id, target.id);
        // Said before it is done: a commit whose answer is lost has moved it, too.
        self.ledger.moves(&id.0);
        replica.transact(|tx| tx.edit("opportunity", &id, vec![Edit::Set(field, Value::Reference(to))]))?;
        Ok(Done { moved: vec![id], ..Done::default() })
    }

    fn change_grants(&mut self, node: usize, random: &mut Random) -> Result<Done> {
        // Whoever serves nobody asks its upstream.
        let node = self.nodes[node].upper.filter(|_| self.is_leaf(node)).unwrap_or(node);
        let below: Vec<usize> = (0..self.nodes.len()).filter(|n| self.nodes[*n].upper == Some(node)).collect();
        let Some(lower) = pick(&below, random).copied() else { return Ok(Done::default()) };
        let replica = self.nodes[node].replica.clone();
        let branches = replica.list(&Query::of("branch"))?.rows;
        let own = format!("user:{}", RecordId(self.nodes[lower].person));
        let mut scopes = vec![own];
        for branch in &branches {
            if random.chance(400) {
                scopes.push(format!("branch:{}", branch.id));
            }
        }
        for below in 0..self.nodes.len() {
            // What a branch may hold bounds what those below it get.
            let is_it = self.nodes[below].at == self.nodes[lower].at;
            if is_it || self.nodes[below].upper == Some(lower) {
                self.nodes[below].granted_as_ever = false;
            }
        }
        replica.grant(NODES[self.nodes[lower].at], Some(&scopes), None)?;
        Ok(Done { not_by_hand: true, ..Done::default() })
    }

    fn revoke(&mut self, node: usize, random: &mut Random) -> Result<Done> {
        let below = (0..self.nodes.len()).filter(|n| self.nodes[*n].upper == Some(node));
        let leaves: Vec<usize> = below.filter(|n| self.is_leaf(*n)).collect();
        let Some(lower) = pick(&leaves, random).copied() else { return Ok(Done::default()) };
        self.nodes[node].replica.revoke(NODES[self.nodes[lower].at])?;
        // Its copies are the same device.
        for copy in (0..self.nodes.len()).filter(|n| self.nodes[*n].at == self.nodes[lower].at) {
            self.ledger.revoked.entry(copy).or_default();
        }
        Ok(Done { not_by_hand: true, ..Done::default() })
    }

    /// Whoever has refused something settles it, so that its author hears of that. Whether there was anything.
    pub(super) fn review_what_waits(&mut self) -> bool {
        let mut any = false;
        for node in 0..self.nodes.len() {
            let replica = self.nodes[node].replica.clone();
            let waiting = replica.review().unwrap_or_default();
            for entry in waiting.iter().filter(|entry| entry.waits()).take(2) {
                // Settling one may settle others, and not everybody may take over everything.
                let accepts = self.streams.schedule.chance(500);
                let settled = if accepts { replica.accept(entry.id) } else { replica.decline(entry.id) };
                any |= settled.is_ok();
                self.nodes[node].dirty = true;
            }
        }
        self.ledger.accepted |= any;
        any
    }

    fn settle_refused(&mut self, replica: &Replica, random: &mut Random) -> Result<Done> {
        let waiting: Vec<u64> = replica.review()?.iter().filter(|e| e.waits()).map(|e| e.id).collect();
        let own: Vec<u64> = replica.quarantine()?.iter().filter(|e| e.waits()).map(|e| e.id).collect();
        let done = Done { not_by_hand: true, ..Done::default() };
        if let Some(id) = pick(&waiting, random) {
            if random.chance(600) {
                self.ledger.accepted = true;
                replica.accept(*id)?;
            } else {
                replica.decline(*id)?;
            }
        } else if let Some(id) = pick(&own, random) {
            self.ledger.accepted = true;
            replica.retry(Some(*id))?;
        } else {
            return resolve(replica, random);
        }
        Ok(done)
    }
}

fn pick<'r, T>(rows: &'r [T], random: &mut Random) -> Option<&'r T> {
    rows.get(random.below(rows.len()))
}

fn deals(replica: &Replica, limit: usize) -> Result<Vec<Record>> {
    Ok(replica.list(&Query::of("opportunity").limited(limit))?.rows)
}

// Two deals of one transaction: nobody may ever see one without the other.
fn create_pair(replica: &Replica, operation: u64) -> Result<Done> {
    let pair = replica.transact(|tx| {
        let mut make = |half| tx.create("opportunity", vec![text("name", &format!("pair {operation} {half}"))]);
        Ok([make("a")?, make("b")?])
    })?;
    Ok(Done { pair: Some(pair), ..Done::default() })
}

fn edit(replica: &Replica, operation: u64, random: &mut Random) -> Result<Done> {
    let rows = deals(replica, 30)?;
    let Some(row) = pick(&rows, random) else { return Ok(Done::default()) };
    let (field, value) = match random.below(5) {
        0 => ("name", format!("named {operation}")),
        1 | 2 => ("lost_reason", format!("reason {operation}")),
        3 => ("stage", ["new", "qualified", "won", "lost"][random.below(4)].to_owned()),
        _ => ("notes", format!("noted {operation}: {}", row.text("notes"))),
    };
    let id = row.id;
    replica.transact(|tx| tx.edit("opportunity", &id, vec![Edit::Set(Name::from(field), Value::Text(value))]))?;
    let now = replica.record("opportunity", &id)?;
    assert!(
        now.fields == row.fields || now.updated.at > row.updated.at,
        "promise 17: an edit is not later than what it edits: {:?} {:?}",
        now.updated.at,
        row.updated.at
    );
    // Values that are typed once only: what replaced one of them wins for ever over it.
    let once = matches!(field, "name" | "lost_reason").then(|| row.text(field).to_owned());
    Ok(Done { replaced: once.map(|before| (id, "opportunity", field, before)), ..Done::default() })
}

// Two deals in one transaction, and then one of them again: what follows a refused change without depending on it is
// written again.
fn edit_together(replica: &Replica, operation: u64, random: &mut Random) -> Result<Done> {
    let rows = deals(replica, 30)?;
    let (Some(one), Some(other)) = (pick(&rows, random), pick(&rows, random)) else { return Ok(Done::default()) };
    let edit = |field: &'static str, half: &str| {
        vec![Edit::Set(Name::from(field), Value::Text(format!("{field} {operation} {half}")))]
    };
    replica.transact(|tx| {
        tx.edit("opportunity", &one.id, edit("lost_reason", "one"))?;
        if one.id == other.id { Ok(false) } else { tx.edit("opportunity", &other.id, edit("lost_reason", "other")) }
    })?;
    let again = if random.chance(500) { one } else { other };
    replica.transact(|tx| tx.edit("opportunity", &again.id, edit("notes", "again")))?;
    Ok(Done::default())
}

// Several people type the same client: it has one id, made of its name.
fn keyed(replica: &Replica, random: &mut Random) -> Result<Done> {
    let values = vec![text("name", &format!("Keyed {}", random.below(6))), text("city", "Odesa")];
    match replica.transact(|tx| tx.create_keyed("account", values, &[Name::from("name")])) {
        Ok(_) => Ok(Done::default()),
        Err(error @ (Error::Denied(_) | Error::Storage(_))) => Err(error),
        Err(error) => panic!("promise 5: a record with a key cannot be made: {} {error}", error.code()),
    }
}

fn edit_account(replica: &Replica, operation: u64, random: &mut Random) -> Result<Done> {
    let rows = replica.list(&Query::of("account"))?.rows;
    let Some(row) = pick(&rows, random) else { return Ok(Done::default()) };
    let (id, before) = (row.id, row.text("industry").to_owned());
    let value = Value::Text(format!("industry {operation}"));
    replica.transact(|tx| tx.edit("account", &id, vec![Edit::Set("industry".into(), value)]))?;
    Ok(Done { replaced: Some((id, "account", "industry", before)), ..Done::default() })
}

fn archive(replica: &Replica, random: &mut Random) -> Result<Done> {
    let rows = replica.list(&Query::of("opportunity").with_archived().limited(30))?.rows;
    let Some(row) = pick(&rows, random) else { return Ok(Done::default()) };
    let (id, archived) = (row.id, !row.archived);
    replica.transact(|tx| tx.archive("opportunity", &id, archived))?;
    Ok(Done::default())
}

// Merges may cross: a into b here, b into a there.
fn merge(replica: &Replica, random: &mut Random) -> Result<Done> {
    let rows = replica.list(&Query::of("account"))?.rows;
    let (Some(lose), Some(keep)) = (pick(&rows, random), pick(&rows, random)) else { return Ok(Done::default()) };
    let (lose, keep) = (lose.id, keep.id);
    if lose != keep {
        let keep = random.chance(850).then_some(keep);
        replica.transact(|tx| tx.merge_into("account", &lose, keep))?;
    }
    Ok(Done::default())
}

fn import(replica: &Replica, random: &mut Random) -> Result<Done> {
    let map = ImportMap::parse(small::IMPORT_MAP)?;
    let rows = 2 + random.below(4);
    let outcome = Import { map: Some(map), ..Import::default() }.run(replica, small::import_csv(rows).as_bytes())?;
    if random.chance(300) {
        undo(replica, outcome.batch)?;
    }
    Ok(Done { not_by_hand: true, ..Done::default() })
}

fn resolve(replica: &Replica, random: &mut Random) -> Result<Done> {
    let open = replica.conflicts()?;
    let Some(conflict) = pick(&open, random) else { return Ok(Done::default()) };
    if conflict.cell.is_none()
        && let Some(keep) = pick(&conflict.values, random)
        && let Value::Text(value) = &keep.value
    {
        let chosen = (conflict.id, conflict.field.to_string(), value.clone());
        replica.resolve(&conflict.collection, &conflict.id, &conflict.field, value)?;
        return Ok(Done { chosen: Some(chosen), ..Done::default() });
    }
    Ok(Done::default())
}
