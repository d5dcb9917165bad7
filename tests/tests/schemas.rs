//! Replicas of different releases on one tree: an older program keeps what a newer schema has and it does not know.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use branchline_core::crm;
use branchline_core::document::Edit;
use branchline_core::id::RecordId;
use branchline_core::replica::link::Invitation;
use branchline_core::replica::{Replica, SystemEnvironment};
use branchline_core::schema::{Collection, Currency, Money, Name, Schema, Value};
use branchline_tests::sim::company::{Company, deal, invitation, text};
use branchline_tests::sim::pair::{enrol_with, exchange};

/// Fields of deals that the older program does not know, one of each kind.
const NEWER: [&str; 6] = ["lost_reason", "notes", "lines", "amount", "probability", "expected_on"];
/// A collection that it does not know at all.
const NEWER_COLLECTION: &str = "case";

/// What an older release had built in.
fn older() -> Schema {
    let kept = crm::builtin().collections().iter().filter(|c| &*c.name != NEWER_COLLECTION);
    Schema::new(kept.map(|collection| {
        if &*collection.name != "opportunity" {
            return (**collection).clone();
        }
        let fields = collection.fields.iter().filter(|field| !NEWER.contains(&&*field.name)).cloned().collect();
        Collection { fields, ..(**collection).clone() }
    }))
}

fn opened(dir: &Path, schema: Schema) -> Replica {
    Replica::open(dir, schema, Arc::new(SystemEnvironment)).unwrap()
}

fn decimal(text: &str) -> Value {
    Value::Decimal(text.parse().unwrap())
}

/// Values of every field that the older program does not know.
fn newer_values(replica: &Replica) -> Vec<(Name, Value)> {
    let product = replica.transact(|tx| tx.create("product", vec![text("sku", "P1"), text("name", "Pump")])).unwrap();
    let line = [("product".to_owned(), Value::Reference(product)), ("quantity".to_owned(), decimal("3"))];
    let amount = Money { minor: 105_400, currency: Currency(*b"EUR") };
    vec![
        text("lost_reason", "too dear"),
        text("notes", "Long text of a newer program"),
        ("lines".into(), Value::Lines([("l1".to_owned(), line.into())].into())),
        ("amount".into(), Value::Money(amount)),
    ]
}

/// What a replica shows of a deal in the fields that are new.
fn shown(replica: &Replica, id: &RecordId) -> Vec<String> {
    let record = replica.record("opportunity", id).unwrap();
    NEWER.iter().map(|name| format!("{name}={:?}", record.value(name))).collect()
}

fn hashes(replica: &Replica, id: &RecordId) -> BTreeSet<String> {
    replica.history("opportunity", id).unwrap().iter().map(|entry| entry.change.to_string()).collect()
}

/// Everything that the older program can do to a record, on one that it knows in part.
fn work_on(older: &Replica, id: &RecordId, other: &RecordId) {
    let stage = |stage: &str| vec![Edit::Set("stage".into(), Value::Text(stage.into()))];
    older.transact(|tx| tx.edit("opportunity", id, stage("proposal"))).unwrap();
    let own = older.history("opportunity", id).unwrap().last().unwrap().change;
    older.transact(|tx| tx.undo("opportunity", id, own)).unwrap();
    older.transact(|tx| tx.archive("opportunity", id, true)).unwrap();
    older.transact(|tx| tx.archive("opportunity", id, false)).unwrap();
    crm::merge(older, "opportunity", other, id).unwrap();
    crm::unmerge(older, "opportunity", id).unwrap();
    older.transact(|tx| tx.edit("opportunity", id, stage("negotiation"))).unwrap();
}

struct Tree {
    company: Company,
    branch: Replica,
    phone: Replica,
}

impl Tree {
    /// A newer hub, an older branch, a newer phone below it.
    fn new() -> Self {
        let company = Company::new();
        let env = Arc::new(SystemEnvironment);
        let asked: Invitation = invitation("Central").branch().into();
        let branch = enrol_with(&company.hub, &company.folder("Central"), &asked, older(), env);
        branch.announce("http://127.0.0.1:2", None).unwrap();
        exchange(&branch, &company.hub).unwrap();
        let phone = company.below(&branch, invitation("phone"));
        Self { company, branch, phone }
    }

    fn settle(&self) {
        for _ in 0..2 {
            exchange(&self.phone, &self.branch).unwrap();
            exchange(&self.branch, &self.company.hub).unwrap();
        }
        exchange(&self.phone, &self.branch).unwrap();
    }
}

#[test]
fn what_an_older_branch_does_to_a_record_leaves_the_fields_of_a_newer_schema_alone() {
    let tree = Tree::new();
    // The hub makes the product: a rep may not.
    let values = newer_values(&tree.company.hub);
    tree.settle();
    let id = deal(&tree.phone, "known in part", values);
    let other = deal(&tree.phone, "its double", vec![]);
    // An edit of what the branch does not know, and one of both together.
    tree.phone
        .transact(|tx| tx.edit("opportunity", &id, vec![Edit::Set("probability".into(), decimal("40"))]))
        .unwrap();
    let both = vec![
        Edit::Set("notes".into(), Value::Text("Long text of a newer program, edited".into())),
        Edit::Set("stage".into(), Value::Text("qualified".into())),
    ];
    tree.phone.transact(|tx| tx.edit("opportunity", &id, both)).unwrap();
    let (typed, changes) = (shown(&tree.phone, &id), hashes(&tree.phone, &id));
    tree.settle();
    assert_eq!(shown(&tree.company.hub, &id), typed, "passed on by the branch");
    work_on(&tree.branch, &id, &other);
    tree.settle();
    for replica in [&tree.phone, &tree.company.hub] {
        assert_eq!(shown(replica, &id), typed, "none of it was written away");
        assert_eq!(replica.record("opportunity", &id).unwrap().value("stage"), &Value::Text("negotiation".into()));
        assert!(hashes(replica, &id).is_superset(&changes), "with all of its history");
        assert_eq!((replica.status().unwrap().quarantine, replica.status().unwrap().review), (0, 0));
    }
    assert_eq!(tree.branch.digest().unwrap(), tree.company.hub.digest().unwrap(), "the branch holds the same changes");
    assert!(tree.branch.verify(true).unwrap().is_sound());
    // The newer program on the branch's folder shows what was there all the time.
    drop(tree.branch);
    let branch = opened(&tree.company.folder("Central"), crm::builtin().clone());
    assert_eq!(shown(&branch, &id), typed);
    assert!(branch.verify(false).unwrap().is_sound());
}

#[test]
fn an_undo_on_an_older_branch_takes_back_what_it_knows_and_no_more() {
    let tree = Tree::new();
    let id = deal(&tree.phone, "both at once", vec![text("lost_reason", "first")]);
    let both = vec![
        Edit::Set("lost_reason".into(), Value::Text("second".into())),
        Edit::Set("stage".into(), Value::Text("qualified".into())),
    ];
    tree.phone.transact(|tx| tx.edit("opportunity", &id, both)).unwrap();
    let change = tree.phone.history("opportunity", &id).unwrap().last().unwrap().change;
    tree.settle();
    tree.branch.transact(|tx| tx.undo("opportunity", &id, change)).unwrap();
    tree.settle();
    let record = tree.company.hub.record("opportunity", &id).unwrap();
    assert_eq!(record.value("lost_reason"), &Value::Text("second".into()));
    assert_ne!(record.value("stage"), &Value::Text("qualified".into()));
}

#[test]
fn a_collection_that_an_older_device_does_not_know_is_held_and_shown_by_the_next_release() {
    let company = Company::new();
    let asked: Invitation = invitation("laptop").scope("workspace").into();
    let env = Arc::new(SystemEnvironment);
    let laptop = enrol_with(&company.hub, &company.folder("laptop"), &asked, older(), env);
    let values = vec![text("kind", "claim"), text("subject", "of a newer release")];
    let id = company.hub.transact(|tx| tx.create(NEWER_COLLECTION, values)).unwrap();
    exchange(&laptop, &company.hub).unwrap();
    let unknown = laptop.record(NEWER_COLLECTION, &id).err().unwrap();
    assert_eq!(unknown.code(), "unknown_collection");
    assert!(laptop.verify(false).unwrap().is_sound());
    drop(laptop);
    let laptop = opened(&company.folder("laptop"), crm::builtin().clone());
    assert_eq!(laptop.record(NEWER_COLLECTION, &id).unwrap().text("subject"), "of a newer release");
    assert_eq!(laptop.digest().unwrap(), company.hub.digest().unwrap());
}
