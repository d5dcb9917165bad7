//! What must be true, asked of all replicas at once by somebody who saw every commit.

use std::collections::{BTreeMap, BTreeSet};

use branchline_core::access::Scope;
use branchline_core::id::{ChangeHash, RecordId};
use branchline_core::replica::{Query, Replica};

/// Everything that was ever committed by a person, and which records belong together.
#[derive(Debug, Default)]
pub struct Ledger {
    changes: BTreeSet<(RecordId, ChangeHash)>,
    collections: BTreeMap<RecordId, String>,
    pairs: Vec<(RecordId, RecordId)>,
}

impl Ledger {
    /// A transaction over these records has just returned to its caller.
    pub fn committed(&mut self, replica: &Replica, collection: &str, records: &[RecordId]) {
        for id in records {
            self.collections.insert(*id, collection.to_owned());
            for entry in replica.history(collection, id).unwrap() {
                self.changes.insert((*id, entry.change));
            }
        }
    }

    /// A folder was put back as it once was: what none of these replicas holds any more is nowhere.
    pub fn keep_held<'a>(&mut self, replicas: impl Iterator<Item = &'a Replica> + Clone) {
        let mut held: BTreeSet<(RecordId, ChangeHash)> = BTreeSet::new();
        for (id, collection) in &self.collections {
            for replica in replicas.clone() {
                held.extend(replica.history(collection, id).unwrap_or_default().iter().map(|e| (*id, e.change)));
            }
        }
        self.changes.retain(|change| held.contains(change));
        let known: BTreeSet<RecordId> = held.iter().map(|(id, _)| *id).collect();
        self.collections.retain(|id, _| known.contains(id));
        self.pairs.retain(|(a, b)| known.contains(a) && known.contains(b));
    }

    /// Two records were made by one transaction.
    pub fn pair(&mut self, ids: &[RecordId]) {
        if let [a, b] = ids {
            self.pairs.push((*a, *b));
        }
    }

    /// Promise 6, looked at all the time: of a pair a replica shows both or none.
    pub fn watch_atomicity<'a>(&self, replicas: impl Iterator<Item = (&'a str, &'a Replica)>, seed: u64) {
        for (name, replica) in replicas {
            let shown: BTreeSet<RecordId> = replica
                .list(&Query::of("opportunity").with_archived())
                .unwrap()
                .rows
                .into_iter()
                .map(|r| r.id)
                .collect();
            for (a, b) in &self.pairs {
                assert_eq!(
                    shown.contains(a),
                    shown.contains(b),
                    "seed {seed}: promise 6: {name} shows half of a transaction"
                );
            }
        }
    }

    /// Promises 1, 2, 3 and 5 at the end of a run; `links` are pairs of lower and upper replica.
    pub fn check(&self, seed: u64, replicas: &BTreeMap<usize, (&str, &Replica)>, links: &[(usize, usize)]) {
        let hub = replicas[&0].1;
        let mut at_hub: BTreeSet<(RecordId, ChangeHash)> = BTreeSet::new();
        for (id, collection) in &self.collections {
            for entry in hub.history(collection, id).unwrap_or_default() {
                at_hub.insert((*id, entry.change));
            }
        }
        let lost: Vec<_> = self.changes.difference(&at_hub).collect();
        assert!(
            lost.is_empty(),
            "seed {seed}: promises 1 and 2: {} of {} changes never came to the hub: {lost:?}",
            lost.len(),
            self.changes.len()
        );
        for (lower, upper) in links {
            let (name, low) = replicas[lower];
            let (above, up) = replicas[upper];
            let low_rows = low.list(&Query::of("opportunity").with_archived()).unwrap().rows;
            for row in &low_rows {
                let theirs = up.record("opportunity", &row.id).unwrap();
                let ours = low.record("opportunity", &row.id).unwrap();
                assert_eq!(
                    ours.fields, theirs.fields,
                    "seed {seed}: promise 3: {name} and {above} differ in {}",
                    row.id
                );
                assert_eq!(ours.conflicts, theirs.conflicts, "seed {seed}: promise 3: conflicts of {}", row.id);
            }
            let device = low.device();
            let known = up.downstreams().unwrap().into_iter().find(|d| d.device == device).unwrap();
            let mut scopes: Vec<Scope> = known.scopes.iter().filter_map(|text| Scope::parse(text)).collect();
            scopes.push(Scope::Shared);
            let digests = (low.digest().unwrap(), up.digest_of(&scopes).unwrap());
            assert_eq!(digests.0, digests.1, "seed {seed}: promise 3: digests of {name} and {above}");
        }
        for (name, replica) in replicas.values() {
            let status = replica.status().unwrap();
            assert_eq!(
                (status.outbox, status.quarantine),
                (0, 0),
                "seed {seed}: promise 4: {name} has unexplained work"
            );
            let verified = replica.verify(false).unwrap();
            assert!(verified.is_sound(), "seed {seed}: promise 5: {name}: {verified:?}");
        }
    }
}
