//! Records with long histories: older changes are packed, and nothing of any promise changes with it. Real replicas.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use branchline_core::document::Edit;
use branchline_core::id::RecordId;
use branchline_core::replica::Replica;
use branchline_core::replica::link::Invitation;
use branchline_core::schema::Value;
use branchline_tests::sim::company::{Company, deal, set};
use branchline_tests::sim::pair::exchange;
use rusqlite::Connection;

const PEOPLE: usize = 8;
const EDITS_EACH: usize = 100;

fn city(n: usize) -> Vec<Edit> {
    vec![Edit::Set("lost_reason".into(), Value::Text(format!("reason {n}")))]
}

/// So many edits of a deal, each a change of its own, in one transaction.
fn edit(replica: &Replica, id: &RecordId, numbers: std::ops::Range<usize>) {
    let edited = replica.transact(|tx| {
        for n in numbers {
            tx.edit("opportunity", id, city(n))?;
        }
        Ok(())
    });
    edited.unwrap();
}

/// Edits by many processes, each an actor of its own, of which `seen` hears in between.
fn work(company: &Company, folder: &str, id: &RecordId, mut seen: impl FnMut(&Replica)) {
    for person in 0..PEOPLE {
        let replica = company.reopened(folder);
        edit(&replica, id, person * EDITS_EACH..(person + 1) * EDITS_EACH);
        seen(&replica);
    }
}

fn plainly<T: rusqlite::types::FromSql>(dir: &Path, sql: &str) -> T {
    let conn = Connection::open(dir.join("branchline.db")).unwrap();
    conn.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn do_plainly(dir: &Path, sql: &str) {
    let conn = Connection::open(dir.join("branchline.db")).unwrap();
    assert!(conn.execute(sql, []).unwrap() > 0, "{sql}");
}

fn packed(dir: &Path) -> (i64, i64) {
    let rows = plainly(dir, "SELECT count(*) FROM log WHERE record <> 0 AND raw = x''");
    (rows, plainly(dir, "SELECT count(*) FROM pack"))
}

/// A device of a manager below the hub, after its first sync.
fn laptop(company: &Company, scope: &str) -> Replica {
    let (scopes, role) = (vec![scope.to_owned()], Some("manager".into()));
    let name = "laptop".to_owned();
    company.below(&company.hub, Invitation { name, role, scopes, expires_ms: 60_000, ..Invitation::default() })
}

/// Who changed what from what to what, in order.
fn history(replica: &Replica, id: &RecordId) -> Vec<String> {
    let entries = replica.history("opportunity", id).unwrap();
    entries
        .iter()
        .map(|e| format!("{} {} {:?} {:?} {:?} {:?}", e.change, e.field, e.at, e.user, e.from, e.to))
        .collect()
}

#[test]
fn a_packed_history_is_the_one_that_was_typed_and_goes_down_whole_and_in_log_order() {
    let company = Company::new();
    let (central, hub) = (company.branch("Central"), &company.hub);
    let id = deal(&central, "long", vec![]);
    let mut typed = Vec::new();
    work(&company, "Central", &id, |replica| {
        typed = history(replica, &id);
        exchange(replica, hub).unwrap();
    });
    set(&central, &id, "stage", Value::Text("won".into()));
    exchange(&central, hub).unwrap();
    typed.extend(history(&central, &id).split_off(typed.len()));
    assert!(typed.len() > PEOPLE * EDITS_EACH);
    // Both ends have packed, all but the newest.
    for folder in ["hub", "Central"] {
        let (rows, packs) = packed(&company.folder(folder));
        assert_eq!((rows, packs), (512, 2), "{folder}");
    }
    let again = company.reopened("Central");
    for replica in [hub, &central, &again] {
        assert_eq!(history(replica, &id), typed);
        assert!(replica.verify(false).unwrap().is_sound());
    }
    // A device that joins now gets it whole, one below the branch from the branch.
    let laptop = laptop(&company, "workspace");
    assert_eq!(history(&laptop, &id), typed);
    assert_eq!(laptop.digest().unwrap(), hub.digest().unwrap());
    assert_eq!(packed(&company.folder("laptop")), (512, 2), "also where it came in one batch");
    assert!(laptop.verify(false).unwrap().is_sound());
}

#[test]
fn whoever_comes_back_late_follows_and_is_followed_across_packs() {
    let company = Company::new();
    let hub = &company.hub;
    let id = deal(hub, "long", vec![]);
    let laptop = laptop(&company, "workspace");
    work(&company, "hub", &id, |_| {});
    let hub = &company.reopened("hub");
    assert_eq!(packed(&company.folder("hub")), (512, 2));
    // It saw the first change alone; what it types follows that, and comes in log order after two packs.
    set(&laptop, &id, "stage", Value::Text("qualified".into()));
    exchange(&laptop, hub).unwrap();
    assert_eq!(laptop.digest().unwrap(), hub.digest().unwrap());
    assert_eq!(history(&laptop, &id), history(hub, &id));
    // What lies in a pack can still be undone where nobody wrote since.
    let entries = hub.history("opportunity", &id).unwrap();
    let first = entries.iter().find(|e| &*e.field == "name").unwrap().change;
    set(hub, &id, "name", Value::Text("longer".into()));
    let renamed = hub.history("opportunity", &id).unwrap().iter().rfind(|e| &*e.field == "name").unwrap().change;
    assert_ne!(first, renamed);
    edit(hub, &id, 2_000..2_400);
    assert!(packed(&company.folder("hub")).0 > 512);
    hub.transact(|tx| tx.undo("opportunity", &id, renamed)).unwrap();
    assert_eq!(hub.record("opportunity", &id).unwrap().text("name"), "long");
    exchange(&laptop, hub).unwrap();
    assert_eq!(laptop.digest().unwrap(), hub.digest().unwrap());
    assert!(laptop.verify(false).unwrap().is_sound() && hub.verify(false).unwrap().is_sound());
}

#[test]
fn a_damaged_pack_is_told_and_fetched_anew_and_a_damaged_row_is_named_by_its_pack() {
    let company = Company::new();
    let hub = &company.hub;
    let id = deal(hub, "long", vec![]);
    work(&company, "hub", &id, |_| {});
    let hub = &company.reopened("hub");
    let laptop = laptop(&company, "workspace");
    let typed = history(&laptop, &id);
    drop(laptop);
    let dir = company.folder("laptop");
    // A row that names another change than its pack has.
    do_plainly(
        &dir,
        "UPDATE log SET hash = zeroblob(32) WHERE seq = (SELECT min(seq) + 9 FROM log WHERE record <> 0 AND raw = x'')",
    );
    let laptop = company.reopened("laptop");
    assert!(!laptop.verify(false).unwrap().is_sound());
    let mended = laptop.verify(true).unwrap();
    assert!(mended.repaired && laptop.verify(false).unwrap().is_sound(), "{mended:?}");
    assert_eq!(history(&laptop, &id), typed);
    // Mended without a pack; the next edits make it anew.
    assert_eq!(packed(&dir).0, 0);
    edit(&laptop, &id, 5_000..5_064);
    exchange(&laptop, hub).unwrap();
    edit(&laptop, &id, 5_064..5_128);
    exchange(&laptop, hub).unwrap();
    assert!(packed(&dir).0 >= 512);
    // A pack of which a byte is lost.
    let typed = history(&laptop, &id);
    drop(laptop);
    do_plainly(
        &dir,
        "UPDATE pack SET bytes = substr(bytes, 1, 200) || x'00' || substr(bytes, 202)
         WHERE last = (SELECT min(last) FROM pack)",
    );
    let laptop = company.reopened("laptop");
    let found = laptop.verify(false).unwrap();
    assert!(!found.is_sound() && found.places_differ == 0, "{found:?}");
    assert_eq!(laptop.record("opportunity", &id).unwrap_err().code(), "store_corrupt");
    assert_eq!(
        laptop.list(&branchline_core::replica::Query::of("opportunity")).unwrap().rows.len(),
        1,
        "it still shows"
    );
    assert_eq!(laptop.verify(true).unwrap().fetching, 1);
    exchange(&laptop, hub).unwrap();
    assert_eq!(history(&laptop, &id), typed);
    assert!(laptop.verify(false).unwrap().is_sound());
    assert_eq!(laptop.digest().unwrap(), hub.digest().unwrap());
}

#[test]
fn a_hub_set_back_gets_a_packed_history_back_from_below() {
    let company = Company::new();
    let (central, hub) = (company.branch("Central"), &company.hub);
    let id = deal(&central, "long", vec![]);
    exchange(&central, hub).unwrap();
    let (home, old) = (company.folder("hub"), company.folder("old"));
    std::fs::create_dir_all(&old).unwrap();
    for entry in std::fs::read_dir(&home).unwrap().flatten().filter(|e| e.path().is_file()) {
        std::fs::copy(entry.path(), old.join(entry.file_name())).unwrap();
    }
    work(&company, "Central", &id, |replica| {
        exchange(replica, hub).unwrap();
    });
    let central = company.reopened("Central");
    assert_eq!(packed(&company.folder("Central")), (512, 2));
    let restored = company.reopened("old");
    exchange(&central, &restored).unwrap();
    assert_eq!(history(&restored, &id), history(&central, &id));
    assert_eq!(packed(&old), (512, 2), "and packs it itself");
    assert!(restored.verify(false).unwrap().is_sound() && central.verify(false).unwrap().is_sound());
}

#[test]
fn a_packed_record_leaves_a_branch_without_a_trace_and_comes_back_whole() {
    let company = Company::new();
    let (central, east) = (company.branch("Central"), company.branch("East"));
    let hub = &company.hub;
    let id = deal(&central, "wanderer", vec![]);
    work(&company, "Central", &id, |replica| {
        exchange(replica, hub).unwrap();
    });
    drop(central);
    let central = company.reopened("Central");
    let typed = history(&central, &id);
    let laptop = laptop(&company, "branch:central");
    assert_eq!(packed(&company.folder("laptop")), (512, 2));
    for (code, gains, loses) in [("east", &east, &central), ("central", &central, &east)] {
        let to = hub.find("branch", &format!("code={code}")).unwrap();
        set(hub, &id, "branch", Value::Reference(to));
        exchange(loses, hub).unwrap();
        exchange(loses, hub).unwrap();
        exchange(gains, hub).unwrap();
        assert_eq!(loses.record("opportunity", &id).unwrap_err().code(), "record_not_found");
        assert_eq!(history(gains, &id)[..typed.len()], typed);
        assert!(gains.verify(false).unwrap().is_sound() && loses.verify(false).unwrap().is_sound());
        exchange(&laptop, hub).unwrap();
        let here = if code == "central" { (512, 2) } else { (0, 0) };
        assert_eq!(packed(&company.folder("laptop")), here, "what leaves leaves no pack");
        assert!(laptop.verify(false).unwrap().is_sound());
    }
}

#[test]
fn a_folder_that_packing_has_emptied_is_written_anew_when_it_is_opened() {
    let company = Company::new();
    let id = deal(&company.hub, "long", vec![]);
    edit(&company.hub, &id, 0..900);
    let (dir, typed) = (company.folder("hub"), history(&company.hub, &id));
    assert!(plainly::<i64>(&dir, "SELECT count(*) FROM meta WHERE key = 'freed'") == 1);
    drop(company.reopened("hub"));
    let pages = |dir: &Path| plainly::<i64>(dir, "SELECT page_count FROM pragma_page_count");
    let before = pages(&dir);
    assert!(plainly::<i64>(&dir, "SELECT count(*) FROM meta WHERE key = 'freed'") == 1, "too little to be worth it");
    do_plainly(&dir, "UPDATE meta SET value = x'0000000001000000' WHERE key = 'freed'");
    let hub = company.reopened("hub");
    assert!(pages(&dir) < before, "{} of {before} pages", pages(&dir));
    assert!(plainly::<i64>(&dir, "SELECT count(*) FROM meta WHERE key = 'freed'") == 0);
    assert_eq!(history(&hub, &id), typed);
    assert!(hub.verify(false).unwrap().is_sound());
}
