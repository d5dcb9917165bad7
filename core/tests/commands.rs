//! What makes it a CRM, at the facade: leads become clients, duplicates are found, merged and told apart again.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use branchline_core::crm;
use branchline_core::id::RecordId;
use branchline_core::replica::{Init, Query, Replica, SystemEnvironment};
use branchline_core::schema::{Name, Value, parse_declarations, parse_filter};
use branchline_core::time::Day;

fn hub(dir: &Path) -> Replica {
    crm::init(dir, &Init::named("Acme"), Arc::new(SystemEnvironment)).unwrap()
}

fn text(field: &str, value: &str) -> (Name, Value) {
    (field.into(), Value::Text(value.into()))
}

fn set(field: &str, value: &str) -> (Name, Value) {
    (field.into(), Value::Set([value.to_owned()].into()))
}

fn lead(replica: &Replica, values: Vec<(Name, Value)>) -> RecordId {
    replica.transact(|tx| tx.create_keyed("lead", values, &["external_id".into()])).unwrap().id
}

fn account(replica: &Replica, name: &str) -> RecordId {
    replica.transact(|tx| tx.create("account", vec![text("name", name)])).unwrap()
}

fn count(replica: &Replica, collection: &str) -> u64 {
    replica.count(&Query::of(collection)).unwrap()
}

fn lead_values() -> Vec<(Name, Value)> {
    vec![
        text("external_id", "L-1"),
        text("name", "Ганна Петрівна Коваль"),
        text("company", "Ромашка"),
        text("city", "Львів"),
        set("phones", "+380441234567"),
        text("notes", "Просила перезвонить."),
    ]
}

#[test]
fn a_lead_becomes_account_contact_and_opportunity() {
    let dir = tempfile::tempdir().unwrap();
    let replica = hub(dir.path());
    let lead = lead(&replica, lead_values());
    let made = crm::convert_lead(&replica, &lead).unwrap();
    let account = replica.record("account", &made.account).unwrap();
    assert_eq!((account.text("name"), account.text("city")), ("Ромашка", "Львів"));
    let contact = replica.record("contact", &made.contact).unwrap();
    assert_eq!((contact.text("first_name"), contact.text("last_name")), ("Ганна", "Коваль"));
    assert_eq!(contact.reference("account"), Some(made.account));
    assert_eq!(contact.value("phones"), &set("phones", "+380441234567").1);
    let deal = replica.record("opportunity", &made.opportunity).unwrap();
    assert_eq!((deal.text("stage"), deal.reference("contact")), ("new", Some(made.contact)));
    assert_eq!(deal.reference("owner"), replica.record("lead", &lead).unwrap().reference("owner"));
    let lead = replica.record("lead", &lead).unwrap();
    assert_eq!(lead.text("status"), "converted");
    assert_eq!(lead.reference("converted_opportunity"), Some(made.opportunity));
}

#[test]
fn a_lead_is_converted_once_whoever_does_it_where() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (here, there) = (hub(here.path()), hub(there.path()));
    let (lead_here, lead_there) = (lead(&here, lead_values()), lead(&there, lead_values()));
    assert_eq!(lead_here, lead_there);
    let made = crm::convert_lead(&here, &lead_here).unwrap();
    assert_eq!(crm::convert_lead(&there, &lead_there).unwrap(), made);
    assert_eq!(crm::convert_lead(&here, &lead_here).unwrap(), made);
    assert_eq!([count(&here, "account"), count(&here, "contact"), count(&here, "opportunity")], [1, 1, 1]);
}

#[test]
fn a_lead_of_a_known_company_adds_no_second_account() {
    let dir = tempfile::tempdir().unwrap();
    let replica = hub(dir.path());
    let values = vec![text("name", "Ромашка"), text("tax_id", "7707083893")];
    let known = replica.transact(|tx| tx.create("account", values)).unwrap();
    let lead = lead(&replica, [lead_values(), vec![text("tax_id", "7707083893")]].concat());
    assert_eq!(crm::convert_lead(&replica, &lead).unwrap().account, known);
}

#[test]
fn an_unknown_lead_is_not_converted() {
    let dir = tempfile::tempdir().unwrap();
    let replica = hub(dir.path());
    let error = crm::convert_lead(&replica, &RecordId([7; 16])).unwrap_err();
    assert_eq!(error.code(), "record_not_found");
    assert_eq!(count(&replica, "account"), 0);
}

#[test]
fn duplicates_are_found_merged_and_told_apart_again() {
    let dir = tempfile::tempdir().unwrap();
    let replica = hub(dir.path());
    let (first, second) = (account(&replica, "ООО «Ромашка»"), account(&replica, "Ромашка, ООО"));
    account(&replica, "Василёк");
    let pairs = crm::duplicates(&replica, "account").unwrap();
    assert_eq!(pairs.iter().map(|p| (p.a, p.b)).collect::<Vec<_>>(), [(first, second)]);
    assert!(crm::merge(&replica, "account", &first, &second).unwrap());
    assert!(!crm::merge(&replica, "account", &first, &second).unwrap());
    assert_eq!((count(&replica, "account"), crm::duplicates(&replica, "account").unwrap()), (2, vec![]));
    crm::unmerge(&replica, "account", &second).unwrap();
    assert_eq!((count(&replica, "account"), crm::duplicates(&replica, "account").unwrap().len()), (3, 1));
    assert_eq!(crm::unmerge(&replica, "account", &second).unwrap_err().code(), "not_merged");
    assert_eq!(crm::merge(&replica, "account", &first, &first).unwrap_err().code(), "merge_with_itself");
    assert_eq!(crm::merge(&replica, "account", &RecordId([7; 16]), &first).unwrap_err().code(), "record_not_found");
}

#[test]
fn references_resolve_through_a_merge() {
    let dir = tempfile::tempdir().unwrap();
    let replica = hub(dir.path());
    let (keep, lose) = (account(&replica, "Keep"), account(&replica, "Lose"));
    let deal = vec![text("name", "Deal"), ("account".into(), Value::Reference(lose))];
    replica.transact(|tx| tx.create("opportunity", deal)).unwrap();
    crm::merge(&replica, "account", &keep, &lose).unwrap();
    assert_eq!(replica.label(&lose).as_deref(), Some("Keep"));
    let schema = replica.schema();
    let filter = parse_filter("account = Keep", schema.require("opportunity").unwrap(), Day(0)).unwrap();
    assert_eq!(replica.count(&Query::of("opportunity").filtered(filter)).unwrap(), 1);
    crm::unmerge(&replica, "account", &lose).unwrap();
    assert_eq!(replica.label(&lose).as_deref(), Some("Lose"));
}

#[test]
fn the_newer_of_two_opposite_merges_counts() {
    let dir = tempfile::tempdir().unwrap();
    let replica = hub(dir.path());
    let ids = ["A", "B", "C"].map(|name| account(&replica, name));
    crm::merge(&replica, "account", &ids[1], &ids[0]).unwrap();
    crm::merge(&replica, "account", &ids[2], &ids[1]).unwrap();
    assert_eq!(replica.label(&ids[0]).as_deref(), Some("C"));
    crm::merge(&replica, "account", &ids[0], &ids[2]).unwrap();
    for id in &ids {
        assert_eq!(replica.label(id).as_deref(), Some("A"));
    }
    assert_eq!(count(&replica, "account"), 1);
}

#[test]
fn of_merges_that_crossed_on_the_way_the_smallest_id_stands_for_all() {
    let dir = tempfile::tempdir().unwrap();
    let replica = hub(dir.path());
    let (first, second) = (account(&replica, "Ромашка"), account(&replica, "Ромашка ООО"));
    let point =
        |from: &RecordId, to: RecordId| replica.transact(|tx| tx.merge_into("account", from, Some(to))).unwrap();
    assert!(point(&first, second) && point(&second, first));
    let rows = replica.list(&Query::of("account")).unwrap().rows;
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [first.min(second)]);
    assert_eq!(replica.label(&first), replica.label(&second));
    let third = account(&replica, "ромашка");
    let pairs = crm::duplicates(&replica, "account").unwrap();
    assert_eq!(pairs.iter().map(|p| (p.a, p.b)).collect::<Vec<_>>(), [(first.min(second), third)]);
}

#[test]
fn a_workspaces_own_collection_is_used_as_soon_as_it_is_declared() {
    let dir = tempfile::tempdir().unwrap();
    let replica = hub(dir.path());
    let declared = parse_declarations(
        "[[collection]]\nname = \"vehicle\"\nkind = \"branch\"\ntitle = [\"plate\"]\nnatural_keys = [\"plate\"]\n\
         fields = [{ name = \"plate\", type = \"text\", required = true }, { name = \"client\", type = \"reference:account\" }]\n\
         [[extend]]\ncollection = \"account\"\nfields = [{ name = \"tier\", type = \"choice\", choices = [\"gold\"] }]\n",
    )
    .unwrap();
    declared.check_against(&replica.schema()).unwrap();
    let declare = || {
        replica.transact(|tx| {
            for record in declared.records() {
                let key: Vec<Name> = record.key.iter().map(|k| Name::from(*k)).collect();
                tx.create_keyed(record.collection, record.values, &key)?;
            }
            Ok(())
        })
    };
    declare().unwrap();
    declare().unwrap();
    let vehicle = replica.transact(|tx| tx.create("vehicle", vec![text("plate", "AA 1234")])).unwrap();
    assert_eq!(replica.label(&vehicle).as_deref(), Some("AA 1234"));
    let gold = vec![text("name", "Acme"), text("tier", "gold")];
    let acme = replica.transact(|tx| tx.create("account", gold)).unwrap();
    drop(replica);
    let replica = crm::open(dir.path(), Arc::new(SystemEnvironment)).unwrap();
    assert_eq!(replica.record("account", &acme).unwrap().text("tier"), "gold");
    assert_eq!(count(&replica, "vehicle"), 1);
    let refused = replica.transact(|tx| tx.create("account", vec![text("name", "B"), text("tier", "silver")]));
    assert_eq!(refused.unwrap_err().code(), "unknown_choice");
}
