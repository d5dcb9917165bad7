//! Who gets what over a link: scopes, grants, refusals, revocation, copies. Real replicas, no line.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use branchline_core::document::Edit;
use branchline_core::id::RecordId;
use branchline_core::replica::{Credential, Direction, Query, Replica};
use branchline_core::schema::{Name, Value};
use branchline_core::sync::Event;
use branchline_tests::sim::company::{Company, bytes_of, deal, invitation, names, set, text};
use branchline_tests::sim::pair::{exchange, exchange_cut};

#[test]
fn a_branch_holds_its_own_deals_and_everything_shared() {
    let company = Company::new();
    let (central, east) = (company.branch("Central"), company.branch("East"));
    deal(&central, "ours", vec![]);
    deal(&east, "theirs", vec![]);
    exchange(&central, &company.hub).unwrap();
    exchange(&east, &company.hub).unwrap();
    exchange(&central, &company.hub).unwrap();
    assert_eq!(names(&company.hub), ["ours", "theirs"]);
    assert_eq!(names(&central), ["ours"]);
    assert_eq!(names(&east), ["theirs"]);
    assert_eq!(central.list(&Query::of("branch")).unwrap().rows.len(), 2, "branches are shared");
}

#[test]
fn a_deal_that_moves_leaves_one_branch_and_enters_the_other_whole() {
    let company = Company::new();
    let (central, east) = (company.branch("Central"), company.branch("East"));
    let id = deal(&central, "wanderer", vec![]);
    set(&central, &id, "stage", Value::Text("qualified".into()));
    exchange(&central, &company.hub).unwrap();
    let to = company.hub.find("branch", "code=east").unwrap();
    set(&company.hub, &id, "branch", Value::Reference(to));
    exchange(&central, &company.hub).unwrap();
    exchange(&east, &company.hub).unwrap();
    assert!(names(&central).is_empty());
    assert!(central.search("wanderer", 10).unwrap().is_empty());
    assert_eq!(names(&east), ["wanderer"]);
    let history = |r: &Replica| r.history("opportunity", &id).unwrap().len();
    assert_eq!(history(&east), history(&company.hub), "with all of its history");
    // And back again.
    let back = company.hub.find("branch", "code=central").unwrap();
    set(&company.hub, &id, "branch", Value::Reference(back));
    exchange(&east, &company.hub).unwrap();
    exchange(&central, &company.hub).unwrap();
    assert_eq!((names(&central), names(&east)), (vec!["wanderer".to_owned()], vec![]));
    assert!(central.verify(false).unwrap().is_sound() && east.verify(false).unwrap().is_sound());
}

/// The record's flag came back, its row did not: it stayed out of every list.
#[test]
fn an_edit_beside_an_archiving_brings_the_deal_back_into_lists() {
    let company = Company::new();
    let central = company.branch("Central");
    let id = deal(&central, "come back", vec![]);
    exchange(&central, &company.hub).unwrap();
    company.hub.transact(|tx| tx.archive("opportunity", &id, true)).unwrap();
    set(&central, &id, "stage", Value::Text("won".into()));
    exchange(&central, &company.hub).unwrap();
    for replica in [&company.hub, &central] {
        let shown = replica.list(&Query::of("opportunity")).unwrap().rows.len();
        assert_eq!(shown, 1);
        assert!(replica.verify(false).unwrap().is_sound());
    }
}

#[test]
fn a_rep_gets_nothing_of_a_scope_without_a_grant() {
    let company = Company::new();
    let anna = company.person("Anna", "seller", None);
    deal(&company.hub, "hers", vec![(Name::from("owner"), Value::Reference(anna))]);
    deal(&company.hub, "qqqqsecretqqqq", vec![]);
    let phone = company.below(&company.hub, invitation("phone").of("name=Anna"));
    assert_eq!(names(&phone), ["hers"]);
    deal(&company.hub, "qqqqsecretqqqq too", vec![]);
    let quiet = exchange(&phone, &company.hub).unwrap();
    assert_eq!(names(&phone), ["hers"]);
    assert!(!quiet.events.iter().any(|e| matches!(e, Event::Pulled(_))), "{:?}", quiet.events);
    // What changed elsewhere costs nothing here: one welcome, no batch.
    assert_eq!(quiet.down.len(), 1, "{} frames", quiet.down.len());
}

#[test]
fn a_wider_grant_brings_records_and_a_narrower_one_takes_them_away() {
    let company = Company::new();
    let (central, _east) = (company.branch("Central"), company.branch("East"));
    let east_id = company.hub.find("branch", "code=east").unwrap();
    deal(&company.hub, "of the east", vec![(Name::from("branch"), Value::Reference(east_id))]);
    exchange(&central, &company.hub).unwrap();
    assert!(names(&central).is_empty());
    let device = company.hub.find("device", &format!("device_id={}", central.device())).unwrap();
    let grant = |edit: fn(Name, String) -> Edit| {
        let scope = format!("branch:{east_id}");
        company.hub.transact(|tx| tx.edit("device", &device, vec![edit(Name::from("scopes"), scope)])).unwrap();
        exchange(&central, &company.hub).unwrap();
    };
    grant(Edit::Add);
    assert_eq!(names(&central), ["of the east"]);
    grant(Edit::Remove);
    assert!(names(&central).is_empty(), "taken away again");
}

/// It left the scope before the scope was taken back, and both were told at once.
#[test]
fn a_deal_that_had_left_a_scope_goes_when_the_scope_is_taken_back() {
    let company = Company::new();
    let (central, east) = (company.branch("Central"), company.branch("East"));
    let stays = deal(&central, "stays", vec![]);
    let moves = deal(&central, "moves", vec![]);
    exchange(&central, &company.hub).unwrap();
    let [from, to] = ["central", "east"].map(|code| company.hub.find("branch", &format!("code={code}")).unwrap());
    set(&company.hub, &moves, "branch", Value::Reference(to));
    let device = company.hub.find("device", &format!("device_id={}", central.device())).unwrap();
    let taken = Edit::Remove("scopes".into(), format!("branch:{from}"));
    company.hub.transact(|tx| tx.edit("device", &device, vec![taken])).unwrap();
    exchange(&central, &company.hub).unwrap();
    for id in [&stays, &moves] {
        assert_eq!(central.record("opportunity", id).unwrap_err().code(), "record_not_found");
    }
    exchange(&east, &company.hub).unwrap();
    assert_eq!(names(&east), ["moves"]);
}

/// It went from the scope that is taken back into the one that is granted, and all of it was told at once.
#[test]
fn a_deal_that_changed_scopes_stays_with_whose_grant_changed_alike() {
    let company = Company::new();
    let (_central, _east) = (company.branch("Central"), company.branch("East"));
    let [from, to] = ["central", "east"].map(|code| company.hub.find("branch", &format!("code={code}")).unwrap());
    let moves = deal(&company.hub, "moves", vec![("branch".into(), Value::Reference(from))]);
    let phone = company.below(&company.hub, invitation("phone").scope(&format!("branch:{from}")));
    assert_eq!(names(&phone), ["moves"]);
    set(&company.hub, &moves, "branch", Value::Reference(to));
    company.hub.grant("phone", Some(&[format!("branch:{to}")]), None).unwrap();
    exchange(&phone, &company.hub).unwrap();
    assert_eq!(names(&phone), ["moves"]);
    assert!(phone.verify(false).unwrap().is_sound());
}

fn code<T: std::fmt::Debug>(done: Result<T, branchline_core::Error>) -> String {
    done.map_or_else(|error| error.code(), |_| "ok".to_owned())
}

fn try_stage(replica: &Replica, id: &RecordId, stage: &str) -> String {
    let edit = Edit::Set(Name::from("stage"), Value::Text(stage.into()));
    code(replica.transact(|tx| tx.edit("opportunity", id, vec![edit])))
}

/// Gives the person of this name another role, as an administrator's `edit user` does.
fn make(hub: &Replica, person: &str, role: &str) {
    let id = hub.find("user", &format!("name={person}")).unwrap();
    let edit = Edit::Set(Name::from("role"), Value::Text(role.into()));
    hub.transact(|tx| tx.edit("user", &id, vec![edit])).unwrap();
}

#[test]
fn a_changed_role_of_a_person_reaches_the_devices_own_view_and_back() {
    let company = Company::new();
    let central = company.branch("Central");
    let phone = company.below(&central, invitation("phone"));
    exchange(&central, &company.hub).unwrap();
    let id = deal(&phone, "mine", vec![]);
    exchange(&phone, &central).unwrap();
    assert_eq!(&**phone.grants().unwrap().role.name(), "seller");
    // Typed before the news arrives: the upstream judges by the new role, and both ends keep it.
    make(&company.hub, "phone", "reader");
    exchange(&central, &company.hub).unwrap();
    assert_eq!(try_stage(&phone, &id, "won"), "ok");
    exchange(&phone, &central).unwrap();
    assert_eq!((phone.status().unwrap().quarantine, central.status().unwrap().review), (1, 1));
    // From now on it is refused where it is typed.
    assert_eq!(&**phone.grants().unwrap().role.name(), "reader");
    assert_eq!(try_stage(&phone, &id, "lost"), "denied_action");
    // And a promotion lets it in again, without joining anew.
    make(&company.hub, "phone", "manager");
    exchange(&central, &company.hub).unwrap();
    exchange(&phone, &central).unwrap();
    assert_eq!(&**phone.grants().unwrap().role.name(), "manager");
    assert_eq!(try_stage(&phone, &id, "qualified"), "ok");
    exchange(&phone, &central).unwrap();
    assert_eq!((phone.status().unwrap().outbox, phone.status().unwrap().quarantine), (0, 1));
    assert_eq!(central.record("opportunity", &id).unwrap().text("stage"), "qualified");
}

#[test]
fn a_devices_own_role_narrows_its_persons_until_it_is_taken_back() {
    let company = Company::new();
    let central = company.branch("Central");
    let phone = company.below(&central, invitation("phone"));
    let id = deal(&phone, "mine", vec![]);
    exchange(&phone, &central).unwrap();
    exchange(&central, &company.hub).unwrap();
    let grant = |role: &str| {
        company.hub.grant("phone", None, Some(role)).unwrap();
        exchange(&central, &company.hub).unwrap();
        exchange(&phone, &central).unwrap();
    };
    grant("reader");
    assert_eq!(try_stage(&phone, &id, "won"), "denied_action");
    // A wider role of the device gives no more than its person has.
    grant("owner");
    assert_eq!(&**phone.grants().unwrap().role.name(), "seller");
    assert_eq!(try_stage(&phone, &id, "won"), "ok");
    exchange(&phone, &central).unwrap();
    grant("reader");
    grant("");
    assert_eq!(&**phone.grants().unwrap().role.name(), "seller");
    assert_eq!(code(company.hub.grant("phone", None, Some("boss"))), "unknown_role");
    assert_eq!(code(company.hub.grant("nobody", None, Some("reader"))), "unknown_device_name");
    assert_eq!(code(company.hub.grant("phone", Some(&["galaxy:x".into()]), None)), "unknown_scope");
    let galaxies = vec!["workspace".to_owned(); 65];
    assert_eq!(code(company.hub.grant("phone", Some(&galaxies), None)), "too_many_scopes");
    assert_eq!(code(central.grant("phone", None, Some("manager"))), "denied_action", "a branch's manager may not");
}

#[test]
fn a_changed_scope_reaches_the_devices_own_view_with_its_records() {
    let company = Company::new();
    let (central, east) = (company.branch("Central"), company.branch("East"));
    let of_east = deal(&east, "of the east", vec![]);
    exchange(&east, &company.hub).unwrap();
    let ours = deal(&central, "ours", vec![]);
    exchange(&central, &company.hub).unwrap();
    let home = |name: &str| vec![(Name::from("branch"), Value::Reference(company.hub.find("branch", name).unwrap()))];
    let create = |values: Vec<(Name, Value)>| {
        let values = [vec![(Name::from("name"), Value::Text("new".into()))], values].concat();
        code(central.transact(|tx| tx.create("opportunity", values)))
    };
    assert_eq!(create(home("code=east")), "denied_scope");
    let grant = |scopes: &[&str]| {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        company.hub.grant("Central", Some(&scopes), None).unwrap();
        exchange(&central, &company.hub).unwrap();
    };
    grant(&["branch:central", "branch:east"]);
    assert_eq!((create(home("code=east")), try_stage(&central, &of_east, "qualified")), ("ok".into(), "ok".into()));
    exchange(&central, &company.hub).unwrap();
    assert_eq!(names(&central), ["new", "of the east", "ours"]);
    // Typed while away on what it loses meanwhile: delivered for a person to judge before the record goes.
    assert_eq!(try_stage(&central, &ours, "won"), "ok");
    grant(&["branch:east"]);
    assert_eq!(names(&central), ["new", "of the east"]);
    assert_eq!((central.status().unwrap().outbox, central.status().unwrap().quarantine), (0, 1));
    assert_eq!(company.hub.status().unwrap().review, 1);
    assert_eq!(try_stage(&central, &ours, "lost"), "record_not_found");
    assert_eq!(create(home("code=central")), "denied_scope");
    // Nothing new: one greeting, and no word on grants.
    let quiet = exchange(&central, &company.hub).unwrap();
    assert_eq!(quiet.down.len(), 1, "{} frames", quiet.down.len());
}

#[test]
fn a_grant_that_was_cut_off_is_told_again() {
    let company = Company::new();
    let central = company.branch("Central");
    company.hub.grant("Central", None, Some("reader")).unwrap();
    // Greeting and welcome, then the grant, whose batch is lost.
    exchange_cut(&central, &company.hub, 3).unwrap();
    let again = exchange(&central, &company.hub).unwrap();
    assert!(again.down.iter().any(|frame| frame.first() == Some(&16)), "told again");
    assert_eq!(&**central.grants().unwrap().role.name(), "reader");
}

#[test]
fn the_lag_of_a_branch_counts_what_it_has_to_get_and_nothing_else() {
    let company = Company::new();
    let (central, east) = (company.branch("Central"), company.branch("East"));
    exchange(&central, &company.hub).unwrap();
    let lag = |name: &str| {
        let all = company.hub.downstreams().unwrap();
        all.into_iter().find(|d| d.name == name).unwrap().lag
    };
    assert_eq!(lag("Central"), Some(0));
    // What it wrote itself, and what happens elsewhere.
    deal(&central, "ours", vec![]);
    exchange(&central, &company.hub).unwrap();
    deal(&east, "theirs", vec![]);
    exchange(&east, &company.hub).unwrap();
    assert_eq!(lag("Central"), Some(0));
    let home = company.hub.find("branch", "code=central").unwrap();
    deal(&company.hub, "for them", vec![(Name::from("branch"), Value::Reference(home))]);
    let account = vec![(Name::from("name"), Value::Text("shared".into()))];
    company.hub.transact(|tx| tx.create("account", account)).unwrap();
    assert_eq!(lag("Central"), Some(2));
    exchange(&central, &company.hub).unwrap();
    assert_eq!(lag("Central"), Some(0));
    // A device beneath a branch is the branch's to count.
    company.below(&central, invitation("phone"));
    exchange(&central, &company.hub).unwrap();
    assert_eq!(lag("phone"), None);
    company.hub.revoke("East").unwrap();
    assert_eq!(lag("East"), None, "it gets nothing more");
}

#[test]
fn records_that_tie_in_a_sort_stand_alike_on_every_replica() {
    let company = Company::new();
    let central = company.branch("Central");
    let account = |replica: &Replica, name: &str, city: &str| {
        let values = [("name", name), ("city", city)];
        let values = values.map(|(field, text)| (Name::from(field), Value::Text(text.into()))).to_vec();
        replica.transact(|tx| tx.create_keyed("account", values, &[Name::from("name")])).unwrap();
    };
    // Each replica has its own ones first.
    for n in 0..6 {
        account(&company.hub, &format!("hub {n}"), "Kyiv");
        account(&central, &format!("central {n}"), if n < 4 { "Kyiv" } else { "Lviv" });
    }
    exchange(&central, &company.hub).unwrap();
    let arrived = |replica: &Replica| -> Vec<RecordId> {
        replica.list(&Query::of("account")).unwrap().rows.iter().map(|r| r.id).collect()
    };
    assert_ne!(arrived(&central), arrived(&company.hub), "they came in another order");
    for direction in [Direction::Ascending, Direction::Descending] {
        let query = Query::of("account").sorted("city", direction);
        let all =
            |replica: &Replica| -> Vec<RecordId> { replica.list(&query).unwrap().rows.iter().map(|r| r.id).collect() };
        let paged = |replica: &Replica| {
            let (mut ids, mut after) = (Vec::new(), None);
            loop {
                let page = replica.list(&query.clone().limited(5).after(after)).unwrap();
                ids.extend(page.rows.iter().map(|r| r.id));
                after = page.next;
                if after.is_none() {
                    return ids;
                }
            }
        };
        assert_eq!(all(&central), all(&company.hub));
        assert_eq!((paged(&central), paged(&company.hub)), (all(&central), all(&company.hub)));
        assert_eq!(all(&central).len(), 12);
    }
}

#[test]
fn a_refused_edit_is_kept_at_both_ends_and_blocks_nothing() {
    let company = Company::new();
    let central = company.branch("Central");
    let phone = company.below(&central, invitation("phone"));
    let id = deal(&phone, "mine", vec![]);
    let other = deal(&phone, "also mine", vec![]);
    exchange(&phone, &central).unwrap();
    // The branch gives the deal to somebody else while the phone is away and its owner edits it.
    let boss = central.me().unwrap().id;
    set(&central, &id, "owner", Value::Reference(boss));
    set(&phone, &id, "stage", Value::Text("won".into()));
    set(&phone, &other, "stage", Value::Text("qualified".into()));
    let exchanged = exchange(&phone, &central).unwrap();
    assert!(exchanged.events.contains(&Event::Refused(1)), "{:?}", exchanged.events);
    assert_eq!(phone.status().unwrap().quarantine, 1);
    assert_eq!(central.status().unwrap().review, 1);
    assert_eq!(phone.status().unwrap().outbox, 0);
    let stage = |r: &Replica, id: &RecordId| r.record("opportunity", id).unwrap().text("stage").to_owned();
    assert_eq!(stage(&central, &id), stage(&phone, &id), "both show what was accepted");
    assert_eq!(stage(&central, &other), "qualified", "the next edit got through");
    assert!(phone.verify(false).unwrap().is_sound());
}

#[test]
fn a_revoked_device_hands_over_for_review_and_gets_nothing() {
    let company = Company::new();
    let central = company.branch("Central");
    deal(&central, "typed before", vec![]);
    exchange(&central, &company.hub).unwrap();
    company.hub.revoke("Central").unwrap();
    let branch = company.hub.find("branch", "code=central").unwrap();
    deal(&company.hub, "too late", vec![(Name::from("branch"), Value::Reference(branch))]);
    deal(&central, "typed after", vec![]);
    exchange(&central, &company.hub).unwrap();
    assert_eq!(names(&company.hub), ["too late", "typed before"]);
    assert_eq!(company.hub.status().unwrap().review, 1);
    assert_eq!(central.status().unwrap().quarantine, 1);
    assert!(!names(&central).contains(&"too late".to_owned()));
    assert_eq!(exchange(&central, &company.hub).unwrap_err().code(), "link_revoked");
}

#[test]
fn a_cut_first_sync_goes_on_where_it_was() {
    let company = Company::new();
    let branch = company.branch("Central");
    let home = company.hub.find("branch", "code=central").unwrap();
    for part in 0..12 {
        company
            .hub
            .transact(|tx| {
                for n in 0..500 {
                    let name = (Name::from("name"), Value::Text(format!("deal {part}/{n} {}", "x".repeat(400))));
                    tx.create("opportunity", vec![name, (Name::from("branch"), Value::Reference(home))])?;
                }
                Ok(())
            })
            .unwrap();
    }
    let mut pulled = 0;
    let mut cuts = 0;
    while names(&branch).len() < 6_000 {
        let exchanged = exchange_cut(&branch, &company.hub, 4 + cuts % 3).unwrap();
        pulled += exchanged.events.iter().map(|e| if let Event::Pulled(n) = e { *n } else { 0 }).sum::<u64>();
        cuts += 1;
        assert!(cuts < 100, "no progress");
    }
    assert!(cuts > 1, "the line was cut on the way");
    assert_eq!(pulled, 6_000, "every change became new exactly once");
}

#[test]
fn attachments_follow_when_nothing_else_waits_and_survive_cuts() {
    let company = Company::new();
    let central = company.branch("Central");
    let file = company.folder("contract.pdf");
    let content: Vec<u8> = (0..300_000u32).flat_map(|n| n.to_le_bytes()).collect();
    std::fs::write(&file, &content).unwrap();
    let attachment = central.attach_file(&file, "application/pdf").unwrap();
    for cut in 5..12 {
        exchange_cut(&central, &company.hub, cut).unwrap();
    }
    exchange(&central, &company.hub).unwrap();
    assert_eq!(bytes_of(&company.hub, &attachment.hash), content, "it arrived");
    let phone = company.below(&central, invitation("phone"));
    assert!(phone.blob(&attachment.hash).unwrap().is_none(), "on demand on devices");
    phone.want_blob(&attachment.hash).unwrap();
    exchange(&phone, &central).unwrap();
    assert_eq!(bytes_of(&phone, &attachment.hash), content);
}

fn signs_in(password: &str) -> Credential {
    Credential { password: password.to_owned(), second: String::new() }
}

fn held_in(company: &Company, name: &str, wanted: &str) -> bool {
    let files = ["branchline.db", "branchline.db-wal"].map(|file| company.folder(name).join(file));
    let holds = |bytes: Vec<u8>| bytes.windows(wanted.len()).any(|window| window == wanted.as_bytes());
    files.into_iter().any(|file| holds(std::fs::read(file).unwrap_or_default()))
}

#[test]
fn what_people_sign_in_with_reaches_the_servers_of_their_branch_alone() {
    let company = Company::new();
    let (central, east) = (company.branch("Central"), company.branch("East"));
    let (anna, boss) = (company.person("Anna", "seller", Some("central")), company.hub.me().unwrap().id);
    exchange(&central, &company.hub).unwrap();
    exchange(&east, &company.hub).unwrap();
    let phone = company.below(&central, invitation("phone").of("name=Anna").scope("branch:central"));
    let whole = company.below(&company.hub, invitation("whole").role("owner").scope("workspace"));
    let set = |replica: &Replica, person: &RecordId, password: &str| {
        replica.principal(person).and_then(|principal| principal.set_credential(&signs_in(password)))
    };
    set(&central, &anna, "qqqq-first-qqqq").unwrap();
    set(&company.hub, &boss, "qqqq-boss-qqqq").unwrap();
    for (replica, person) in [(&east, &anna), (&phone, &anna), (&whole, &boss), (&central, &boss)] {
        assert_eq!(set(replica, person, "qqqq-never-qqqq").unwrap_err().code(), "credential_elsewhere");
    }
    // By the log, by whole records, by comparing both ends.
    for round in 0..4 {
        if round == 2 {
            set(&company.hub, &anna, "qqqq-second-qqqq").unwrap();
        }
        for (lower, upper) in
            [(&central, &company.hub), (&east, &company.hub), (&whole, &company.hub), (&phone, &central)]
        {
            if round == 3 {
                lower.ask_audit().unwrap();
            }
            exchange(lower, upper).unwrap();
        }
    }
    let known = |replica: &Replica, person: &RecordId| replica.principal(person).unwrap().credential().unwrap();
    assert_eq!(known(&central, &anna), Some(signs_in("qqqq-second-qqqq")));
    assert_eq!(known(&company.hub, &anna), Some(signs_in("qqqq-second-qqqq")));
    assert_eq!(known(&company.hub, &boss), Some(signs_in("qqqq-boss-qqqq")));
    assert_eq!((known(&east, &anna), known(&phone, &anna), known(&whole, &boss)), (None, None, None));
    for (name, words) in [("hub", ["first", "second", "boss"].as_slice()), ("Central", &["first", "second"])] {
        assert!(words.iter().all(|word| held_in(&company, name, word)), "{name}");
    }
    for (name, word) in [("Central", "qqqq-boss"), ("East", "qqqq"), ("phone", "qqqq"), ("whole", "qqqq")] {
        assert!(!held_in(&company, name, word), "{name} holds {word}");
    }
    assert_eq!(whole.digest().unwrap(), company.hub.digest().unwrap(), "they hold the same otherwise");
    for replica in [&company.hub, &central] {
        assert!(replica.verify(false).unwrap().is_sound());
        assert_eq!(replica.status().unwrap().conflicts, 0);
        assert!(replica.schema().collection("credential").is_none());
        assert_eq!(replica.list(&Query::of("credential")).unwrap_err().code(), "unknown_collection");
        assert!(replica.search("qqqq", 10).unwrap().is_empty());
    }
}

#[test]
fn who_moves_to_another_branch_signs_in_there_with_something_new() {
    let company = Company::new();
    let (central, _east) = (company.branch("Central"), company.branch("East"));
    let anna = company.person("Anna", "seller", Some("central"));
    let principal = company.hub.principal(&anna).unwrap();
    principal.set_credential(&signs_in("qqqq-central-qqqq")).unwrap();
    let east_id = company.hub.find("branch", "code=east").unwrap();
    company
        .hub
        .transact(|tx| tx.edit("user", &anna, vec![Edit::Set("home_branch".into(), Value::Reference(east_id))]))
        .unwrap();
    exchange(&central, &company.hub).unwrap();
    assert_eq!(principal.credential().unwrap(), None);
    assert_eq!(central.principal(&anna).unwrap().credential().unwrap(), None);
    principal.set_credential(&signs_in("qqqq-east-qqqq")).unwrap();
    exchange(&central, &company.hub).unwrap();
    assert!(!held_in(&company, "Central", "qqqq-east"));
}

/// Everybody sees every account, so whatever was asked for as an account was shown.
#[test]
fn a_record_under_another_collections_name_is_not_shown() {
    let company = Company::new();
    let anna = company.person("Anna", "seller", None);
    let hidden = deal(&company.hub, "qqqqsecretqqqq", vec![]);
    let principal = company.hub.principal(&anna).unwrap();
    assert_eq!(principal.label("opportunity", &hidden), None);
    assert_eq!(principal.label("account", &hidden), None);
    assert!(principal.arrivals("account", &hidden).is_err());
    let shown = company.hub.transact(|tx| tx.create("account", vec![text("name", "Orbit")])).unwrap();
    assert_eq!(principal.label("account", &shown).as_deref(), Some("Orbit"));
    assert!(principal.arrivals("account", &shown).is_ok());
}

#[test]
fn what_a_person_watches_and_reads_of_the_log_is_what_the_person_sees() {
    let company = Company::new();
    let anna = company.person("Anna", "seller", None);
    let hidden = deal(&company.hub, "hidden", vec![]);
    let principal = company.hub.principal(&anna).unwrap();
    let again = principal.downgrade().upgrade().unwrap();
    assert!(names(&again).is_empty(), "also through what does not keep it open");
    let (send, receive) = std::sync::mpsc::channel();
    let handle = principal.watch(Query::of("opportunity"), move |page| {
        let mut names: Vec<String> = page.rows.iter().map(|row| row.text("name").to_owned()).collect();
        names.sort();
        let _ = send.send(names);
    });
    let reported = || receive.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(reported(), Vec::<String>::new());
    let hers = deal(&company.hub, "hers", vec![("owner".into(), Value::Reference(anna))]);
    assert_eq!(reported(), ["hers"]);

    let records = |replica: &Replica| -> Vec<RecordId> {
        replica.recent_changes(None, 1_000).unwrap().into_iter().map(|change| change.record).collect()
    };
    assert!(records(&company.hub).contains(&hidden) && records(&company.hub).contains(&hers));
    assert!(!records(&principal).contains(&hidden) && records(&principal).contains(&hers));
    assert_eq!(principal.recent_changes(None, 1).unwrap().len(), 1);

    let promoted = vec![Edit::Set("role".into(), Value::Text("owner".into()))];
    company.hub.transact(|tx| tx.edit("user", &anna, promoted)).unwrap();
    assert_eq!(reported(), ["hers", "hidden"], "a role that was changed counts at once");
    drop(handle);
}

#[test]
fn one_answer_sees_what_its_first_question_saw_and_writes_what_may_be_written_now() {
    let company = Company::new();
    let anna = company.person("Anna", "owner", None);
    deal(&company.hub, "anybody's", vec![]);
    let principal = company.hub.principal(&anna).unwrap();
    let answer = principal.for_one_answer();
    assert_eq!(names(&answer).len(), 1);
    let demoted = vec![Edit::Set("role".into(), Value::Text("reader".into()))];
    company.hub.transact(|tx| tx.edit("user", &anna, demoted)).unwrap();
    assert_eq!((names(&answer).len(), names(&principal).len()), (1, 0));
    assert!(names(&principal.for_one_answer()).is_empty());
    let refused = answer.transact(|tx| tx.create("account", vec![text("name", "Orbit")])).unwrap_err();
    assert_eq!(refused.code(), "denied_action");
}
