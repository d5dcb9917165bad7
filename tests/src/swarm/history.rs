//! Histories that go wrong: a folder comes back as it once was, a folder runs twice, a record is lost below and nobody
//! notices.
//!
//! What only the folder held that was put back is gone with it; everything else must be there in the end, and everybody
//! must agree as ever.

use std::collections::BTreeSet;
use std::path::Path;

use branchline_core::document::Edit;
use branchline_core::id::RecordId;
use branchline_core::replica::Query;
use branchline_core::schema::{Name, Value};

use super::Broken;
use super::base::NODES;
use super::link::Link;
use super::world::{Node, World};
use crate::sim::Random;
use crate::sim::clock::Clockwork;

/// The files of a folder as they lie there, the database with its write-ahead log.
pub(super) struct Folder(Vec<(String, Vec<u8>)>);

impl Folder {
    fn read(dir: &Path) -> Self {
        let names = ["branchline.db", "branchline.db-wal", "device.key"];
        let file = |name: &str| Some((name.to_owned(), std::fs::read(dir.join(name)).ok()?));
        Self(names.into_iter().filter_map(file).collect())
    }

    fn write(&self, dir: &Path) {
        std::fs::create_dir_all(dir).expect("a folder of the run");
        for (name, bytes) in &self.0 {
            std::fs::write(dir.join(name), bytes).expect("a file of the run");
        }
    }
}

/// Folders that run twice, in one run.
const CLONES_MAX: usize = 2;

impl World {
    /// Whatever goes wrong with histories in this step.
    pub(super) fn disturb_histories(&mut self) -> Result<(), Broken> {
        let random = &mut self.streams.history;
        let strikes = [self.rates.restored, self.rates.cloned, self.rates.lost].map(|rate| random.chance(rate));
        let mut drawn = Random::new(random.number(), "history");
        let [restored, cloned, lost] = strikes;
        self.summary.faults += strikes.iter().filter(|strikes| **strikes).count() as u64;
        if restored {
            self.keep_or_put_back(drawn.below(self.nodes.len()))?;
        }
        if cloned {
            self.run_twice(&mut drawn)?;
        }
        if lost {
            self.lose(&mut drawn)?;
        }
        Ok(())
    }

    // Every second time a copy is kept, every other one it is put back.
    fn keep_or_put_back(&mut self, node: usize) -> Result<(), Broken> {
        let Some(copy) = self.nodes[node].copy.take() else {
            self.nodes[node].copy = Some(Folder::read(&self.nodes[node].dir));
            self.trace.tell(|| format!("{} {} is copied, to be put back", self.now().0, self.name(node)));
            return Ok(());
        };
        self.look(node)?;
        self.hang_up(node);
        // What has left it and waits for its delivery is nowhere else, either.
        let mut before = self.nodes[node].eye.held()?;
        before.extend(self.nodes[node].eye.log_now()?);
        let mut elsewhere = BTreeSet::new();
        for other in self.nodes.iter().enumerate().filter(|(at, _)| *at != node).map(|(_, other)| other) {
            elsewhere.extend(other.eye.held()?);
        }
        let dir = self.fresh_dir(node);
        copy.write(&dir);
        self.nodes[node].move_into(dir).map_err(|e| format!("promise 14: {} does not open: {e}", self.name(node)))?;
        let after = self.nodes[node].eye.held()?;
        self.ledger.lost.extend(before.into_iter().filter(|hash| !after.contains(hash) && !elsewhere.contains(hash)));
        self.nodes[node].was_set_back = true;
        self.trace.note((node, "put back"));
        self.trace.tell(|| format!("{} {} is put back", self.now().0, self.name(node)));
        Ok(())
    }

    // A device's folder is copied, and both run.
    fn run_twice(&mut self, drawn: &mut Random) -> Result<(), Broken> {
        let leaves: Vec<usize> = (0..self.nodes.len()).filter(|n| self.is_leaf(*n)).collect();
        let Some(node) = leaves.get(drawn.below(leaves.len())).copied() else { return Ok(()) };
        if self.clones >= CLONES_MAX {
            return Ok(());
        }
        self.clones += 1;
        self.look(node)?;
        let dir = self.fresh_dir(node);
        Folder::read(&self.nodes[node].dir).write(&dir);
        let copy = self.nodes.len();
        let (at, upper) = (self.nodes[node].at, self.nodes[node].upper);
        let clock = Clockwork::new(&self.time, self.plan.seed.wrapping_mul(64).wrapping_add(32 + copy as u64));
        let opened = Node::open(at, upper, dir, clock);
        let mut opened = opened.map_err(|e| format!("promise 13: a copy of {} does not open: {e}", NODES[at]))?;
        let original = &self.nodes[node];
        (opened.cut_off, opened.granted_as_ever) = (original.cut_off, original.granted_as_ever);
        (opened.scopes, opened.was_set_back) = (original.scopes.clone(), original.was_set_back);
        if let Some(held) = self.ledger.revoked.get(&node).cloned() {
            self.ledger.revoked.insert(copy, held);
        }
        self.nodes.push(opened);
        self.links.extend(upper.map(|upper| Link::new(copy, upper)));
        self.trace.note((node, "runs twice"));
        self.trace.tell(|| format!("{} {} runs twice: machine {copy}", self.now().0, self.name(node)));
        Ok(())
    }

    // A device loses a deal that its upstream holds, and does not notice.
    fn lose(&mut self, drawn: &mut Random) -> Result<(), Broken> {
        let leaves: Vec<usize> =
            (0..self.nodes.len()).filter(|n| self.is_leaf(*n) && !self.nodes[*n].cut_off).collect();
        let Some(node) = leaves.get(drawn.below(leaves.len())).copied() else { return Ok(()) };
        self.look(node)?;
        let waiting = self.nodes[node].eye.waiting()?;
        // A disk that fails just now loses nothing.
        let Ok(page) = self.nodes[node].replica.list(&Query::of("opportunity").limited(40)) else { return Ok(()) };
        let mut deals: Vec<RecordId> = page.rows.iter().map(|row| row.id).collect();
        deals.retain(|id| !waiting.contains(&id.0));
        let Some(id) = deals.get(drawn.below(deals.len())).copied() else { return Ok(()) };
        if self.nodes[node].replica.lose(&id).is_ok() {
            self.ledger.moves(&id.0);
            self.missed.push(id);
            self.trace.note((node, id.0, "lost"));
            self.trace.tell(|| format!("{} {} loses {id}", self.now().0, self.name(node)));
        }
        self.nodes[node].dirty = true;
        self.look(node)
    }

    /// Somebody at head office edits what was lost below, for nothing else shows it there before the next audit.
    pub(super) fn edit_what_was_lost(&mut self) -> bool {
        let mut any = false;
        for (n, id) in std::mem::take(&mut self.missed).into_iter().enumerate() {
            let edit = Edit::Set(Name::from("lost_reason"), Value::Text(format!("seen again {n}")));
            any |= self.nodes[0].replica.transact(|tx| tx.edit("opportunity", &id, vec![edit])).is_ok();
        }
        self.nodes[0].dirty = true;
        any
    }

    /// Whether nobody is below.
    pub(super) fn is_leaf(&self, node: usize) -> bool {
        self.nodes[node].upper.is_some() && self.nodes.iter().all(|other| other.upper != Some(node))
    }

    // Its lines are gone, without a word.
    fn hang_up(&mut self, node: usize) {
        let now = self.now();
        for link in self.links.iter_mut().filter(|link| link.lower == node || link.upper == node) {
            link.drop_line();
            link.again_at = now.plus(1 + self.streams.history.below(1_000) as i64);
        }
    }

    fn fresh_dir(&mut self, node: usize) -> std::path::PathBuf {
        self.folders += 1;
        self.root.join(format!("{}-{}", self.name(node), self.folders))
    }
}
