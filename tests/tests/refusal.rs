//! Refusal is not loss: what is refused, what goes with it, what is written again, and what people make of the rest. Real
//! replicas, no line; "reopened" is what a new process sees after the old one was killed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use branchline_core::document::Edit;
use branchline_core::id::{BatchId, RecordId};
use branchline_core::message::Language;
use branchline_core::replica::{Fate, RefusedEntry, Replica};
use branchline_core::schema::{Name, Value, parse_declarations};
use branchline_core::sync::Event;
use branchline_tests::sim::company::{Company, deal, invitation, names, set, text};
use branchline_tests::sim::pair::{exchange, exchange_cut};

fn value(replica: &Replica, id: &RecordId, field: &str) -> String {
    replica.record("opportunity", id).unwrap().text(field).to_owned()
}

fn stage(stage: &str) -> Value {
    Value::Text(stage.into())
}

fn fates(entries: &[RefusedEntry]) -> Vec<(String, Fate)> {
    entries.iter().map(|entry| (entry.code.clone(), entry.fate)).collect()
}

/// What people see of an entry, without what differs between the two ends.
fn seen(entries: &[RefusedEntry]) -> Vec<String> {
    let one = |e: &RefusedEntry| {
        format!("{} {:?} {:?} {} {:?} {:?}", e.change, e.fields, e.user, e.device, e.written_at, e.code)
    };
    let mut seen: Vec<String> = entries.iter().map(one).collect();
    seen.sort();
    seen
}

fn heads_agree(a: &Replica, b: &Replica, id: &RecordId) {
    let record = |r: &Replica| r.record("opportunity", id).map(|record| (record.fields, record.conflicts)).ok();
    let changes = |r: &Replica| {
        let mut all: Vec<_> =
            r.history("opportunity", id).unwrap_or_default().into_iter().map(|e| (e.change, e.field)).collect();
        all.sort();
        all
    };
    assert_eq!(record(a), record(b));
    assert_eq!(changes(a), changes(b), "the same changes");
}

/// A branch with a phone below it, and the deal that the phone's person loses while she is away.
struct Away {
    company: Company,
    central: Replica,
    phone: Replica,
    lost: RecordId,
    own: RecordId,
    other: RecordId,
    apart: RecordId,
}

fn away() -> Away {
    let company = Company::new();
    let central = company.branch("Central");
    let phone = company.below(&central, invitation("phone"));
    let [lost, own, other, apart] = ["lost", "own", "other", "apart"].map(|name| deal(&phone, name, vec![]));
    exchange(&phone, &central).unwrap();
    let boss = central.me().unwrap().id;
    set(&central, &lost, "owner", Value::Reference(boss));
    Away { company, central, phone, lost, own, other, apart }
}

#[test]
fn a_refused_transaction_takes_along_what_descends_from_it_in_every_record_and_the_rest_is_written_again() {
    let Away { company, central, phone, lost, own, other, apart } = away();
    let edit =
        |id: &RecordId, field: &str, value: &str| (*id, vec![Edit::Set(Name::from(field), Value::Text(value.into()))]);
    let together = |edits: Vec<(RecordId, Vec<Edit>)>| {
        phone
            .transact(|tx| {
                for (id, edits) in edits {
                    tx.edit("opportunity", &id, edits)?;
                }
                Ok(())
            })
            .unwrap();
    };
    together(vec![edit(&lost, "stage", "won"), edit(&own, "stage", "won")]);
    together(vec![edit(&own, "lost_reason", "price"), edit(&other, "stage", "qualified")]);
    set(&phone, &apart, "stage", stage("proposal"));
    let news = deal(&central, "news", vec![]);
    let exchanged = exchange(&phone, &central).unwrap();
    assert!(exchanged.events.contains(&Event::Refused(4)), "{:?}", exchanged.events);
    // The refused transaction is gone whole, what was typed on top of it came again, everything else passed by.
    for replica in [&phone, &central] {
        assert_eq!(value(replica, &lost, "stage"), "");
        assert_eq!(value(replica, &own, "stage"), "", "in the same transaction");
        assert_eq!(value(replica, &own, "lost_reason"), "price");
        assert_eq!(value(replica, &other, "stage"), "qualified");
        assert_eq!(value(replica, &apart, "stage"), "proposal");
    }
    assert_eq!(phone.record("opportunity", &news).unwrap().text("name"), "news", "a refusal stops no download");
    for id in [&lost, &own, &other, &apart] {
        heads_agree(&phone, &central, id);
    }
    let quarantine = phone.quarantine().unwrap();
    let owner = ("denied_owner".to_owned(), Fate::Waiting);
    let replayed = ("follows_refused".to_owned(), Fate::Replayed);
    assert_eq!(fates(&quarantine), [owner.clone(), owner, replayed.clone(), replayed]);
    assert_eq!(quarantine[0].transaction, quarantine[1].transaction);
    let won = &quarantine[0].fields[0];
    assert_eq!((&*won.field, &won.from, &won.to), ("stage", &Value::Null, &stage("won")));
    assert!(quarantine[0].reason().render(Language::Uk).contains("нічиї"), "words in the person's language");
    assert_eq!(seen(&quarantine), seen(&central.review().unwrap()), "both ends keep the same");
    assert_eq!(central.review().unwrap().iter().filter(|entry| entry.waits()).count(), 2);
    assert_eq!((phone.status().unwrap().quarantine, central.status().unwrap().review), (2, 2));
    // The new change is of another actor than the refused one, and says what it brings again.
    let history = phone.history("opportunity", &own).unwrap();
    let again = history.iter().find(|entry| &*entry.field == "cites").expect("it cites the original");
    assert_eq!(again.to, Value::Set([quarantine[2].change.to_string()].into()));
    // And all of that is so after a restart, too.
    let before = (phone.quarantine().unwrap(), central.review().unwrap());
    drop((phone, central));
    let (phone, central) = (company.reopened("phone"), company.reopened("Central"));
    assert_eq!((phone.quarantine().unwrap(), central.review().unwrap()), before);
    assert!(phone.verify(false).unwrap().is_sound() && central.verify(false).unwrap().is_sound());
}

/// A seller's phone took an import, and its upstream refused every row of it later.
#[test]
fn an_import_without_the_right_is_refused_where_it_is_run() {
    let company = Company::new();
    let phone = company.below(&company.hub, invitation("phone"));
    let imported =
        phone.transact_as_import(BatchId([7; 16]), |tx| tx.create("account", vec![text("name", "Imported")]));
    assert_eq!(imported.unwrap_err().code(), "denied_action");
    assert_eq!(phone.status().unwrap().outbox, 0);
}

#[test]
fn a_number_of_an_actor_is_never_used_twice_after_a_refusal() {
    let Away { company, central, phone, lost, .. } = away();
    // Another process of the folder wrote what is refused, knows nothing of it, and goes on.
    let other = company.reopened("phone");
    set(&other, &lost, "stage", stage("won"));
    exchange(&phone, &central).unwrap();
    set(&central, &lost, "owner", Value::Reference(phone.me().unwrap().id));
    exchange(&phone, &central).unwrap();
    set(&other, &lost, "lost_reason", Value::Text("price".into()));
    exchange(&phone, &central).unwrap();
    assert_eq!(value(&central, &lost, "lost_reason"), "price");
    let refused = phone.quarantine().unwrap()[0].actor;
    let sql = format!(
        "SELECT count(*) AS n FROM log JOIN actor a ON a.n = log.actor WHERE hex(a.actor) = upper('{refused}')"
    );
    assert_eq!(phone.sql(&sql).unwrap()[0]["n"], 0, "its actor writes no more");
}

#[test]
fn a_reviewer_accepts_by_a_change_of_his_own_and_the_author_learns_it() {
    let Away { company, central, phone, lost, .. } = away();
    set(&phone, &lost, "stage", stage("won"));
    exchange(&phone, &central).unwrap();
    let waiting = central.review().unwrap()[0].clone();
    assert_eq!(central.accept(waiting.id).unwrap(), [lost]);
    assert_eq!(central.accept(waiting.id).unwrap_err().code(), "refused_unknown", "once");
    // The line is cut before the word has been confirmed; it comes with the next exchange.
    for frames in 1..5 {
        exchange_cut(&phone, &central, frames).unwrap();
    }
    exchange(&phone, &central).unwrap();
    let boss = central.me().unwrap().id;
    for replica in [&central, &phone] {
        assert_eq!(value(replica, &lost, "stage"), "won");
        let history = replica.history("opportunity", &lost).unwrap();
        let accepted = history.iter().find(|entry| entry.to == stage("won")).unwrap();
        assert_eq!(accepted.user, Some(boss), "the reviewer vouches for it");
        let cites = history.iter().find(|e| e.change == accepted.change && &*e.field == "cites").unwrap();
        assert_eq!(cites.to, Value::Set([waiting.change.to_string()].into()));
    }
    heads_agree(&central, &phone, &lost);
    drop((phone, central));
    let (phone, central) = (company.reopened("phone"), company.reopened("Central"));
    let (at_phone, at_branch) = (phone.quarantine().unwrap(), central.review().unwrap());
    for entry in [&at_phone[0], &at_branch[0]] {
        assert_eq!((entry.fate, entry.closed_by), (Fate::Accepted, Some(boss)));
        assert!(entry.closed_at.is_some());
    }
    assert_eq!((phone.status().unwrap().quarantine, central.status().unwrap().review), (0, 0));
    let quiet = exchange(&phone, &central).unwrap();
    assert_eq!(quiet.down.len(), 1, "told once: a welcome, no batch");
}

#[test]
fn a_reviewer_declines_and_the_author_learns_by_whom_and_when() {
    let Away { company, central, phone, lost, .. } = away();
    set(&phone, &lost, "stage", stage("won"));
    exchange(&phone, &central).unwrap();
    let id = central.review().unwrap()[0].id;
    assert_eq!(phone.decline(id).unwrap_err().code(), "refused_unknown", "a device has no queue of its own");
    central.decline(id).unwrap();
    exchange(&phone, &central).unwrap();
    let entry = company.reopened("phone").quarantine().unwrap()[0].clone();
    assert_eq!((entry.fate, entry.closed_by), (Fate::Declined, Some(central.me().unwrap().id)));
    assert_eq!(entry.closed_at, central.review().unwrap()[0].closed_at);
    assert_eq!(value(&phone, &lost, "stage"), "");
    assert!(!entry.raw.is_empty(), "its bytes stay");
}

#[test]
fn who_may_not_judge_leaves_the_queue_as_it_is() {
    let company = Company::new();
    let rita = company.person("Rita", "manager", None);
    let kiosk = company.below(&company.hub, invitation("Kiosk").branch().of("name=Rita"));
    let phone = company.below(&kiosk, invitation("phone"));
    let id = deal(&phone, "hers", vec![]);
    exchange(&phone, &kiosk).unwrap();
    set(&kiosk, &id, "owner", Value::Reference(rita));
    set(&phone, &id, "stage", stage("won"));
    exchange(&phone, &kiosk).unwrap();
    // What she did while she had the right stands: the phone's enrolment, too.
    exchange(&kiosk, &company.hub).unwrap();
    let demoted = vec![Edit::Set("role".into(), Value::Text("reader".into()))];
    company.hub.transact(|tx| tx.edit("user", &rita, demoted)).unwrap();
    exchange(&kiosk, &company.hub).unwrap();
    let entry = kiosk.review().unwrap()[0].id;
    assert_eq!(kiosk.accept(entry).unwrap_err().code(), "denied_action");
    assert_eq!(kiosk.decline(entry).unwrap_err().code(), "denied_action");
    assert!(kiosk.review().unwrap()[0].waits());
}

#[test]
fn a_retry_passes_once_the_right_is_given_again_and_comes_only_once() {
    let Away { central, phone, lost, .. } = away();
    set(&phone, &lost, "stage", stage("won"));
    exchange(&phone, &central).unwrap();
    let retried = phone.retry(None).unwrap();
    assert_eq!(retried[0].error.as_ref().unwrap().code(), "denied_owner", "nothing has changed yet");
    assert_eq!((phone.status().unwrap().quarantine, phone.status().unwrap().outbox), (1, 0));
    set(&central, &lost, "owner", Value::Reference(phone.me().unwrap().id));
    exchange(&phone, &central).unwrap();
    let retried = phone.retry(None).unwrap();
    assert_eq!((retried.len(), &retried[0].records, &retried[0].error), (1, &vec![lost], &None));
    assert!(phone.retry(None).unwrap().is_empty(), "it is on its way");
    exchange(&phone, &central).unwrap();
    assert_eq!(value(&central, &lost, "stage"), "won");
    heads_agree(&central, &phone, &lost);
    assert_eq!((phone.status().unwrap().quarantine, central.status().unwrap().review), (0, 0));
    let id = central.review().unwrap()[0].id;
    assert_eq!(central.accept(id).unwrap_err().code(), "refused_unknown", "it was brought again");
}

/// The page shows nothing of it, and any number could be sent.
#[test]
fn who_does_not_see_a_record_tries_nothing_of_it_again() {
    let Away { company, central, phone, lost, .. } = away();
    let zoe = company.person("Zoe", "seller", None);
    exchange(&central, &company.hub).unwrap();
    set(&phone, &lost, "stage", stage("won"));
    exchange(&phone, &central).unwrap();
    let number = phone.quarantine().unwrap()[0].id;
    let principal = phone.principal(&zoe).unwrap();
    assert!(principal.quarantine().unwrap().is_empty());
    assert_eq!(principal.retry(Some(number)).unwrap_err().code(), "refused_unknown");
    assert!(principal.retry(None).unwrap().is_empty());
    assert_eq!(phone.retry(Some(number)).unwrap().len(), 1, "who sees it does");
}

#[test]
fn a_retry_that_is_refused_again_stands_in_both_queues_once() {
    let Away { central, phone, lost, .. } = away();
    set(&phone, &lost, "stage", stage("won"));
    exchange(&phone, &central).unwrap();
    let (her, boss) = (phone.me().unwrap().id, central.me().unwrap().id);
    set(&central, &lost, "owner", Value::Reference(her));
    exchange(&phone, &central).unwrap();
    phone.retry(None).unwrap();
    set(&central, &lost, "owner", Value::Reference(boss));
    exchange(&phone, &central).unwrap();
    assert_eq!((phone.status().unwrap().quarantine, central.status().unwrap().review), (1, 1));
    // Accepted at last: the reviewer's change cites both.
    let waiting = central.review().unwrap().into_iter().find(RefusedEntry::waits).unwrap();
    central.accept(waiting.id).unwrap();
    let history = central.history("opportunity", &lost).unwrap();
    let cites = history.iter().find(|e| &*e.field == "cites").unwrap();
    assert!(matches!(&cites.to, Value::Set(cited) if cited.len() == 2), "{cites:?}");
}

/// Applies declarations of a workspace's own, as `schema apply` does.
fn declare(hub: &Replica, toml: &str) {
    let rows = parse_declarations(toml).unwrap().records();
    hub.transact(|tx| {
        for row in &rows {
            let key: Vec<Name> = row.key.iter().map(|name| Name::from(*name)).collect();
            let keyed = tx.create_keyed(row.collection, row.values.clone(), &key)?;
            if !keyed.created {
                let edits = row.values.iter().map(|(name, value)| Edit::Set(name.clone(), value.clone()));
                tx.edit(row.collection, &keyed.id, edits.collect())?;
            }
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn accepting_and_retrying_at_once_brings_it_once() {
    let company = Company::new();
    let counter = "[[extend]]\ncollection = \"opportunity\"\nfields = [{ name = \"calls\", type = \"counter\" }]";
    declare(&company.hub, counter);
    let central = company.branch("Central");
    let phone = company.below(&central, invitation("phone"));
    let id = deal(&phone, "counted", vec![]);
    exchange(&phone, &central).unwrap();
    let (her, boss) = (phone.me().unwrap().id, central.me().unwrap().id);
    set(&central, &id, "owner", Value::Reference(boss));
    phone.transact(|tx| tx.edit("opportunity", &id, vec![Edit::Increment("calls".into(), 5)])).unwrap();
    exchange(&phone, &central).unwrap();
    set(&central, &id, "owner", Value::Reference(her));
    exchange(&phone, &central).unwrap();
    assert!(phone.retry(None).unwrap()[0].error.is_none());
    central.accept(central.review().unwrap()[0].id).unwrap();
    exchange(&phone, &central).unwrap();
    exchange(&phone, &central).unwrap();
    for replica in [&phone, &central] {
        let calls = replica.record("opportunity", &id).unwrap().value("calls").clone();
        assert_eq!(calls, Value::Integer(5), "counted once");
    }
    heads_agree(&phone, &central, &id);
    assert_eq!((phone.status().unwrap().quarantine, central.status().unwrap().review), (0, 0));
}

#[test]
fn a_role_taken_away_while_its_person_was_offline_binds_what_was_typed_meanwhile() {
    let company = Company::new();
    let _north = company.branch("North");
    let anna = company.person("Anna", "manager", Some("north"));
    let phone = company.below(&company.hub, invitation("phone").of("name=Anna"));
    let id = deal(&phone, "hers", vec![]);
    exchange(&phone, &company.hub).unwrap();
    let role = |role: &str| {
        let edit = vec![Edit::Set("role".into(), Value::Text(role.into()))];
        company.hub.transact(|tx| tx.edit("user", &anna, edit)).unwrap();
    };
    role("reader");
    set(&phone, &id, "stage", stage("won"));
    exchange(&phone, &company.hub).unwrap();
    assert_eq!(fates(&phone.quarantine().unwrap()), [("denied_action".to_owned(), Fate::Waiting)]);
    assert_eq!((value(&phone, &id, "stage"), value(&company.hub, &id, "stage")), (String::new(), String::new()));
    role("manager");
    exchange(&phone, &company.hub).unwrap();
    assert!(phone.retry(None).unwrap()[0].error.is_none());
    exchange(&phone, &company.hub).unwrap();
    assert_eq!(value(&company.hub, &id, "stage"), "won");
}

#[test]
fn a_value_that_a_newer_schema_does_not_allow_waits_until_it_does() {
    let company = Company::new();
    let tiers = |choices: &str| {
        let field = format!("{{ name = \"tier\", type = \"choice\", choices = [{choices}] }}");
        declare(&company.hub, &format!("[[extend]]\ncollection = \"opportunity\"\nfields = [{field}]"));
    };
    tiers("\"gold\", \"silver\"");
    company.person("Anna", "manager", None);
    let phone = company.below(&company.hub, invitation("phone").of("name=Anna"));
    let old = deal(&phone, "old", vec![text("tier", "silver")]);
    exchange(&phone, &company.hub).unwrap();
    tiers("\"gold\"");
    let new = deal(&phone, "new", vec![text("tier", "silver")]);
    set(&phone, &old, "stage", stage("won"));
    exchange(&phone, &company.hub).unwrap();
    assert_eq!(names(&company.hub), ["old"]);
    assert_eq!(value(&company.hub, &old, "stage"), "won", "a value that stands already hinders nothing");
    let entry = &phone.quarantine().unwrap()[0];
    assert_eq!((entry.code.as_str(), entry.record), ("unknown_choice", new));
    assert!(entry.reason().render(Language::En).contains("silver"), "{}", entry.reason());
    assert_eq!(names(&phone), ["old"], "nobody shows what was not accepted");
    let retried = phone.retry(None).unwrap();
    assert_eq!(retried[0].error.as_ref().unwrap().code(), "unknown_choice", "the phone has learnt the schema");
    assert_eq!(company.hub.accept(company.hub.review().unwrap()[0].id).unwrap_err().code(), "unknown_choice");
    tiers("\"gold\", \"silver\"");
    exchange(&phone, &company.hub).unwrap();
    assert!(phone.retry(None).unwrap()[0].error.is_none());
    exchange(&phone, &company.hub).unwrap();
    assert_eq!(value(&company.hub, &new, "tier"), "silver", "under its own id");
    assert_eq!(company.hub.status().unwrap().review, 0);
}

#[test]
fn what_the_hub_refuses_of_a_branchs_device_is_retracted_all_the_way_down() {
    let company = Company::new();
    let _east = company.branch("East");
    let central =
        company.below(&company.hub, invitation("Central").branch().scope("branch:east").scope("branch:central"));
    company.person("Anna", "manager", Some("central"));
    exchange(&central, &company.hub).unwrap();
    let asked = |name: &str| invitation(name).of("name=Anna").scope("branch:central").scope("branch:east");
    let (phone, second) = (company.below(&central, asked("phone")), company.below(&central, asked("second")));
    let id = deal(&phone, "wanderer", vec![]);
    let made = deal(&phone, "made there", vec![]);
    for (lower, upper) in [(&phone, &central), (&central, &company.hub), (&second, &central)] {
        exchange(lower, upper).unwrap();
    }
    // Head office takes East away from the branch while the branch is out of reach and its people work on.
    let east = company.hub.find("branch", "code=east").unwrap();
    let device = company.hub.find("device", &format!("device_id={}", central.device())).unwrap();
    let scope = Edit::Remove("scopes".into(), format!("branch:{east}"));
    company.hub.transact(|tx| tx.edit("device", &device, vec![scope])).unwrap();
    set(&phone, &id, "branch", Value::Reference(east));
    set(&phone, &id, "stage", stage("won"));
    let born = deal(&phone, "born in the east", vec![("branch".into(), Value::Reference(east))]);
    set(&phone, &made, "stage", stage("qualified"));
    exchange(&phone, &central).unwrap();
    exchange(&second, &central).unwrap();
    assert_eq!((value(&central, &id, "stage"), value(&second, &id, "stage")), ("won".into(), "won".into()));
    exchange(&central, &company.hub).unwrap();
    assert_eq!(value(&company.hub, &made, "stage"), "qualified", "what was within the grants got through");
    assert_eq!(company.hub.review().unwrap().iter().filter(|e| e.code == "denied_scope").count(), 2);
    // The line to the phone is cut again and again on the way.
    for frames in 1..6 {
        exchange_cut(&phone, &central, frames).unwrap();
    }
    drop(phone);
    let phone = company.reopened("phone");
    for (lower, upper) in [(&phone, &central), (&central, &company.hub), (&second, &central), (&phone, &central)] {
        exchange(lower, upper).unwrap();
    }
    for replica in [&central, &phone, &second] {
        heads_agree(&company.hub, replica, &id);
        assert_eq!(replica.record("opportunity", &born).unwrap_err().code(), "record_not_found");
        assert!(replica.verify(false).unwrap().is_sound());
    }
    assert_eq!(value(&phone, &id, "stage"), "won", "typed on top of the move, and written again without it");
    assert_eq!(value(&company.hub, &id, "stage"), "won");
    assert_eq!(phone.digest().unwrap(), second.digest().unwrap());
    let waiting: Vec<RefusedEntry> = phone.quarantine().unwrap().into_iter().filter(RefusedEntry::waits).collect();
    assert_eq!(waiting.iter().map(|e| e.code.as_str()).collect::<Vec<_>>(), ["denied_scope", "denied_scope"]);
    assert!(second.quarantine().unwrap().is_empty(), "it typed nothing");
    // Head office accepts the one and declines the other; both branch and phone learn it.
    let of = |record: RecordId| company.hub.review().unwrap().into_iter().find(|e| e.record == record).unwrap().id;
    company.hub.accept(of(born)).unwrap();
    company.hub.decline(of(id)).unwrap();
    for (lower, upper) in [(&central, &company.hub), (&phone, &central)] {
        exchange(lower, upper).unwrap();
    }
    assert_eq!(value(&company.hub, &born, "name"), "born in the east");
    for replica in [&central, &phone] {
        let fate = |record: RecordId| {
            let entries = replica.quarantine().unwrap();
            entries.into_iter().find(|e| e.record == record && e.code == "denied_scope").unwrap().fate
        };
        assert_eq!((fate(born), fate(id)), (Fate::Accepted, Fate::Declined));
        assert_eq!(replica.status().unwrap().quarantine, 0);
    }
}

/// What was refused of a transaction waits together at every end, so that accepting it never makes half of it; and the
/// branch, at which nothing of its records stays, keeps no mark of what they were.
#[test]
fn a_transaction_that_the_hub_refuses_of_a_branchs_device_waits_whole_at_every_end() {
    let company = Company::new();
    let _east = company.branch("East");
    let scopes = invitation("Central").branch().scope("branch:east").scope("branch:central");
    let central = company.below(&company.hub, scopes);
    company.person("Anna", "manager", Some("central"));
    exchange(&central, &company.hub).unwrap();
    let asked = invitation("phone").of("name=Anna").scope("branch:central").scope("branch:east");
    let phone = company.below(&central, asked);
    exchange(&central, &company.hub).unwrap();
    let east = company.hub.find("branch", "code=east").unwrap();
    let device = company.hub.find("device", &format!("device_id={}", central.device())).unwrap();
    let scope = Edit::Remove("scopes".into(), format!("branch:{east}"));
    company.hub.transact(|tx| tx.edit("device", &device, vec![scope])).unwrap();
    let pair = phone.transact(|tx| {
        let mut make = |name| {
            let branch = ("branch".into(), Value::Reference(east));
            tx.create("opportunity", vec![text("name", name), branch])
        };
        Ok([make("one")?, make("other")?])
    });
    let [one, other] = pair.unwrap();
    phone.transact(|tx| tx.archive("opportunity", &other, true)).unwrap();
    for (lower, upper) in [(&phone, &central), (&central, &company.hub), (&phone, &central), (&central, &company.hub)] {
        exchange(lower, upper).unwrap();
    }
    let of_pair = |entries: Vec<RefusedEntry>| {
        let (mut records, mut transactions) = (Vec::new(), Vec::new());
        for entry in entries.iter().filter(|e| e.waits() && e.code == "denied_scope") {
            records.push(entry.record);
            transactions.push(entry.transaction);
        }
        transactions.dedup();
        (records, transactions.len())
    };
    let whole = (vec![one, other], 1);
    assert_eq!(of_pair(phone.quarantine().unwrap()), whole);
    assert_eq!(of_pair(central.quarantine().unwrap()), whole);
    assert_eq!(of_pair(company.hub.review().unwrap()), whole);
    for replica in [&phone, &central, &company.hub] {
        let verified = replica.verify(false).unwrap();
        assert!(verified.is_sound(), "{verified:?}");
    }
    let waiting = company.hub.review().unwrap().into_iter().find(RefusedEntry::waits).unwrap();
    assert_eq!(company.hub.accept(waiting.id).unwrap(), [one, other]);
    assert_eq!(
        (value(&company.hub, &one, "name"), value(&company.hub, &other, "name")),
        ("one".into(), "other".into())
    );
}

/// The phone was told that its branch has taken it, and holds the record no more: it gets back what it wrote.
#[test]
fn what_is_refused_above_after_its_record_has_left_the_device_goes_back_to_its_author() {
    for frames in 1..12 {
        let company = Company::new();
        let _east = company.branch("East");
        let scopes = invitation("Central").branch().scope("branch:east").scope("branch:central");
        // One that may narrow what its devices hold.
        let central = company.below(&company.hub, scopes.role("owner"));
        company.person("Anna", "manager", Some("central"));
        exchange(&central, &company.hub).unwrap();
        let asked = invitation("phone").of("name=Anna").scope("branch:central").scope("branch:east");
        let phone = company.below(&central, asked);
        let id = deal(&phone, "wanderer", vec![]);
        for (lower, upper) in [(&phone, &central), (&central, &company.hub)] {
            exchange(lower, upper).unwrap();
        }
        let east = company.hub.find("branch", "code=east").unwrap();
        let device = company.hub.find("device", &format!("device_id={}", central.device())).unwrap();
        let scope = Edit::Remove("scopes".into(), format!("branch:{east}"));
        company.hub.transact(|tx| tx.edit("device", &device, vec![scope])).unwrap();
        let moved = vec![Edit::Set("branch".into(), Value::Reference(east))];
        let born = phone.transact(|tx| {
            tx.edit("opportunity", &id, moved)?;
            tx.create("opportunity", vec![text("name", "born there"), ("branch".into(), Value::Reference(east))])
        });
        let born = born.unwrap();
        set(&phone, &born, "stage", stage("won"));
        exchange(&phone, &central).unwrap();
        let kept = company.hub.find("branch", "code=central").unwrap();
        central.grant("phone", Some(&[format!("branch:{kept}")]), None).unwrap();
        exchange(&phone, &central).unwrap();
        for gone in [&id, &born] {
            assert_eq!(phone.record("opportunity", gone).unwrap_err().code(), "record_not_found");
        }
        exchange(&central, &company.hub).unwrap();
        assert_eq!(company.hub.review().unwrap().len(), 3);
        exchange_cut(&phone, &central, frames).unwrap();
        drop(phone);
        let phone = company.reopened("phone");
        exchange(&phone, &central).unwrap();
        let (own, above) = (phone.quarantine().unwrap(), company.hub.review().unwrap());
        assert_eq!(seen(&own), seen(&above), "cut after {frames} frames");
        assert_eq!(own[0].transaction, own[1].transaction, "they wait together");
        assert_eq!(value(&phone, &id, "name"), "wanderer", "the record is where it was, and came back");
        company.hub.decline(above[0].id).unwrap();
        exchange(&central, &company.hub).unwrap();
        exchange(&phone, &central).unwrap();
        assert_eq!(phone.quarantine().unwrap()[0].fate, Fate::Declined);
        assert!(phone.verify(false).unwrap().is_sound() && central.verify(false).unwrap().is_sound());
    }
}

#[test]
fn a_record_that_leaves_is_purged_only_after_what_was_typed_was_delivered_or_quarantined() {
    for is_hers in [true, false] {
        for frames in 1..12 {
            let company = Company::new();
            let _east = company.branch("East");
            let _west = company.branch("West");
            company.person("Anna", "seller", Some("east"));
            let phone = company.below(&company.hub, invitation("phone").of("name=Anna").scope("branch:east"));
            let id = deal(&phone, "moving", vec![]);
            exchange(&phone, &company.hub).unwrap();
            set(&phone, &id, "stage", stage("won"));
            let to = company.hub.find("branch", "code=west").unwrap();
            let mut edits = vec![Edit::Set("branch".into(), Value::Reference(to))];
            if !is_hers {
                edits.push(Edit::Set("owner".into(), Value::Reference(company.hub.me().unwrap().id)));
            }
            company.hub.transact(|tx| tx.edit("opportunity", &id, edits)).unwrap();
            // Cut after so many frames, then killed.
            exchange_cut(&phone, &company.hub, frames).unwrap();
            drop(phone);
            let phone = company.reopened("phone");
            let arrived = |company: &Company| {
                let at_hub = company.hub.history("opportunity", &id).unwrap();
                let known = company.hub.review().unwrap();
                at_hub.iter().any(|e| e.to == stage("won")) || known.iter().any(|e| e.record == id)
            };
            let kept = phone.outbox_len().unwrap() > 0 || phone.quarantine().unwrap().iter().any(|e| e.record == id);
            assert!(kept || arrived(&company), "lost after {frames} frames");
            exchange(&phone, &company.hub).unwrap();
            assert!(arrived(&company), "after {frames} frames");
            assert_eq!(phone.record("opportunity", &id).unwrap_err().code(), "record_not_found");
            assert_eq!(phone.outbox_len().unwrap(), 0);
            let quarantined = phone.quarantine().unwrap().iter().any(|e| e.record == id);
            let refused = company.hub.review().unwrap().iter().any(|e| e.record == id);
            assert_eq!(quarantined, refused, "both ends keep what was refused");
            let left = phone.sql("SELECT count(*) AS n FROM record WHERE flags & 4").unwrap();
            assert_eq!(left[0]["n"], 0, "nothing of it is left behind, hidden");
        }
    }
}

#[test]
fn what_a_revoked_device_brings_can_be_accepted_and_nothing_is_told_it() {
    let company = Company::new();
    let central = company.branch("Central");
    exchange(&central, &company.hub).unwrap();
    company.hub.revoke("Central").unwrap();
    let id = deal(&central, "typed after", vec![]);
    exchange(&central, &company.hub).unwrap();
    let entry = company.hub.review().unwrap()[0].clone();
    assert_eq!((entry.code.as_str(), entry.device.as_str()), ("link_revoked", "Central"));
    company.hub.accept(entry.id).unwrap();
    let history = company.hub.history("opportunity", &id).unwrap();
    assert!(history.iter().all(|e| e.user == Some(company.hub.me().unwrap().id)));
    assert_eq!(names(&company.hub), ["typed after"]);
    assert_eq!(exchange(&central, &company.hub).unwrap_err().code(), "link_revoked");
    assert_eq!(central.quarantine().unwrap()[0].fate, Fate::Waiting, "it hears of nothing any more");
}
