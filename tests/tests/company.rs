//! The made-up company of the demonstration.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::sync::Arc;

use branchline_core::crm::{self, demo, report};
use branchline_core::replica::{Init, Query, Replica, SystemEnvironment};
use branchline_core::schema::{Currency, Money, Name, Value};
use branchline_core::time::Day;

fn spec(accounts: usize) -> demo::Spec {
    demo::Spec { seed: 7, accounts, today: Day::parse("2026-03-16").unwrap() }
}

fn hub() -> (Replica, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let replica = crm::init(dir.path(), &Init::named("Carrier"), Arc::new(SystemEnvironment)).unwrap();
    (replica, dir)
}

fn names(replica: &Replica) -> Vec<String> {
    let mut names = Vec::new();
    replica
        .each(&Query::of("account"), &mut |account| {
            names.push(account.text("name").to_owned());
            Ok(())
        })
        .unwrap();
    names
}

#[test]
fn a_company_of_2000_clients_is_whole_and_in_both_alphabets() {
    let (replica, _dir) = hub();
    let made = demo::company(&replica, &spec(2_000)).unwrap();
    assert_eq!(made.accounts, 2_000);
    assert!(made.contacts >= 2_000 && made.opportunities >= 2_000 && made.activities >= 4_000, "{made:?}");
    let held: u64 = replica.status().unwrap().records.iter().map(|(_, count)| count).sum();
    assert_eq!(held, made.records + 1, "and the owner");
    let names = names(&replica);
    let cyrillic = names.iter().filter(|n| n.chars().any(|c| ('а'..='я').contains(&c))).count();
    assert!((1_200..1_500).contains(&cyrillic), "{cyrillic}");

    // Each deal belongs to an office and one of its own people.
    let mut offices = BTreeSet::new();
    replica
        .each(&Query::of("opportunity"), &mut |deal| {
            let owner = replica.record("user", &deal.reference("owner").unwrap())?;
            assert_eq!(owner.reference("home_branch"), deal.reference("branch"));
            assert!(matches!(deal.value("amount"), Value::Money(money) if money.minor > 0));
            offices.extend(deal.reference("branch"));
            Ok(())
        })
        .unwrap();
    assert_eq!(offices.len(), 3);

    // Every client is to be called once in six weeks.
    let today = spec(0).today;
    let mut planned = 0;
    replica
        .each(&Query::of("activity"), &mut |activity| {
            if let Value::Instant(due) = activity.value("due_at") {
                planned += 1;
                assert!((today.0..=today.0 + 42).contains(&due.day().0), "{}", due.rfc3339());
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(planned, 2_000);
}

#[test]
fn the_same_seed_makes_the_same_company() {
    let ((one, _one), (two, _two)) = (hub(), hub());
    let made = demo::company(&one, &spec(30)).unwrap();
    assert_eq!(demo::company(&two, &spec(30)).unwrap(), made);
    assert_eq!(names(&one), names(&two));
}

#[test]
fn reports_of_the_company_have_rows_and_charts() {
    let (replica, _dir) = hub();
    demo::company(&replica, &spec(60)).unwrap();
    // What a company of so few records may lack: a plan, a deal won and one lost.
    let text = |name: &str, value: &str| -> (Name, Value) { (name.into(), Value::Text(value.to_owned())) };
    let amount = Money { minor: 1_054, currency: Currency(*b"EUR") };
    for (collection, values) in [
        ("quota", vec![text("name", "Deals"), text("metric", "deals"), ("count".into(), Value::Integer(10))]),
        ("opportunity", vec![text("name", "Won"), text("stage", "won"), ("amount".into(), Value::Money(amount))]),
        ("opportunity", vec![text("name", "Lost"), text("stage", "lost"), text("lost_reason", "too dear")]),
    ] {
        replica.transact(|tx| tx.create(collection, values)).unwrap();
    }
    for kind in report::Kind::ALL {
        let complete_through = vec![("Riga".to_owned(), None)];
        let report =
            report::report(&replica, &report::Request { complete_through, ..report::Request::of(kind) }).unwrap();
        assert!(!report.rows.is_empty(), "{kind:?}");
        let json = report.json();
        assert!(json["complete_through"]["Riga"].is_null());
        assert_eq!(json["rows"].as_array().unwrap().len(), report.rows.len());
        let (headings, rows) = report.table(branchline_core::message::Language::Uk);
        assert!(rows.iter().all(|row| row.len() == headings.len()));
        let svg = report.svg(branchline_core::message::Language::Uk).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("<rect") && svg.contains("<text"), "{kind:?}");
    }
}
