//! The facade over one folder: what it writes is read back, found, judged and kept.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use branchline_core::crm;
use branchline_core::document::Edit;
use branchline_core::id::{BatchId, RecordId};
use branchline_core::replica::{Direction, Init, Query, Replica, SystemEnvironment};
use branchline_core::schema::{Currency, Filter, Literal, Money, Name, Value, parse_filter};
use branchline_core::time::Day;

fn hub(dir: &Path) -> Replica {
    crm::init(dir, &Init::named("Acme"), Arc::new(SystemEnvironment)).unwrap()
}

fn open(dir: &Path) -> Replica {
    crm::open(dir, Arc::new(SystemEnvironment)).unwrap()
}

fn text(field: &str, value: &str) -> (Name, Value) {
    (field.into(), Value::Text(value.into()))
}

fn account(replica: &Replica, name: &str) -> RecordId {
    replica.transact(|tx| tx.create("account", vec![text("name", name)])).unwrap()
}

fn names(replica: &Replica, query: &Query) -> Vec<String> {
    replica.list(query).unwrap().rows.iter().map(|row| row.text("name").to_owned()).collect()
}

fn filtered(replica: &Replica, collection: &str, filter: &str) -> Query {
    let schema = replica.schema();
    let filter = parse_filter(filter, schema.require(collection).unwrap(), Day(0)).unwrap();
    Query::of(collection).filtered(filter)
}

#[test]
fn a_record_is_read_back_after_the_folder_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let id = {
        let replica = hub(dir.path());
        let phones = Value::Set(["+74951234567".to_owned(), "+380441234567".to_owned()].into());
        let revenue = Value::Money(Money { minor: 105_400, currency: Currency(*b"USD") });
        let values = vec![text("name", "Ёлка"), ("phones".into(), phones), ("annual_revenue".into(), revenue)];
        replica.transact(|tx| tx.create("account", values)).unwrap()
    };
    let replica = open(dir.path());
    let record = replica.record("account", &id).unwrap();
    let listed = replica.list(&Query::of("account")).unwrap().rows.remove(0);
    assert_eq!(record.text("name"), "Ёлка");
    assert_eq!(record.fields, listed.fields);
    assert_eq!((record.created.at, record.created.by), (listed.created.at, listed.created.by));
    assert_eq!(record.created.by, Some(replica.me().unwrap().id));
    assert_eq!(record.created.device, Some(replica.settings().unwrap().device));
}

#[test]
fn an_edit_changes_only_what_it_names() {
    let dir = tempfile::tempdir().unwrap();
    let replica = hub(dir.path());
    let id = account(&replica, "Orbit");
    let edit = |edits| replica.transact(|tx| tx.edit("account", &id, edits)).unwrap();
    assert!(edit(vec![
        Edit::Set("city".into(), Value::Text("Самара".into())),
        Edit::Add("phones".into(), "+7".into())
    ]));
    assert!(!edit(vec![Edit::Set("city".into(), Value::Text("Самара".into()))]));
    let record = replica.record("account", &id).unwrap();
    assert_eq!((record.text("name"), record.text("city")), ("Orbit", "Самара"));
    let row = replica.list(&filtered(&replica, "account", "phones = \"+7\"")).unwrap().rows.remove(0);
    assert_eq!(row.fields, record.fields);
    let history = replica.history("account", &id).unwrap();
    assert_eq!(history.last().map(|entry| entry.device.as_str()), Some("Acme"));
}

#[test]
fn a_failed_transaction_leaves_nothing_and_draws_a_new_actor() {
    let dir = tempfile::tempdir().unwrap();
    let replica = hub(dir.path());
    account(&replica, "Orbit");
    let before = replica.status().unwrap();
    let failed = replica.transact(|tx| {
        tx.create("account", vec![text("name", "Half")])?;
        tx.create("account", vec![])
    });
    assert_eq!(failed.unwrap_err().code(), "required_field");
    assert_eq!(replica.status().unwrap(), before);
    account(&replica, "Amber");
    assert_eq!(replica.sql("SELECT count(DISTINCT actor) AS n FROM log WHERE record > 1").unwrap()[0]["n"], 2);
}

#[test]
fn a_transaction_reads_what_it_wrote() {
    let dir = tempfile::tempdir().unwrap();
    let replica = hub(dir.path());
    replica
        .transact(|tx| {
            let id = tx.create("account", vec![text("name", "Orbit")])?;
            assert_eq!(tx.find("account", "orbit")?, id);
            tx.edit("account", &id, vec![Edit::Set("name".into(), Value::Text("Amber".into()))])?;
            assert_eq!(tx.record("account", &id)?.unwrap().text("name"), "Amber");
            assert_eq!(tx.find("account", "Orbit").unwrap_err().code(), "record_not_found");
            assert_eq!(tx.list(&Query::of("account"))?.rows.len(), 1);
            Ok(())
        })
        .unwrap();
    assert_eq!(names(&replica, &Query::of("account")), ["Amber"]);
}

#[test]
fn keyed_records_are_made_once() {
    let dir = tempfile::tempdir().unwrap();
    let replica = hub(dir.path());
    let key = [Name::from("external_id")];
    let make = |name| {
        let values = vec![text("external_id", "X7"), text("name", name)];
        replica.transact_as_import(BatchId([1; 16]), |tx| tx.create_keyed("account", values, &key)).unwrap()
    };
    let (first, second) = (make("Orbit"), make("Orbit again"));
    assert!(first.created && !second.created);
    assert_eq!(first.id, second.id);
    assert!(first.id.is_derived());
}

#[test]
fn what_an_import_brought_is_known_after_a_person_changed_it() {
    let dir = tempfile::tempdir().unwrap();
    let replica = hub(dir.path());
    let key = [Name::from("external_id")];
    let values = vec![text("external_id", "X7"), text("name", "Orbit"), text("notes", "from the file")];
    let batch = BatchId([1; 16]);
    let id = replica.transact_as_import(batch, |tx| tx.create_keyed("account", values, &key)).unwrap().id;
    let edits = vec![
        Edit::Set("name".into(), Value::Text("Orbit Foods".into())),
        Edit::Set("notes".into(), Value::Text("by hand".into())),
    ];
    replica.transact(|tx| tx.edit("account", &id, edits)).unwrap();
    let last = |field: &str| replica.transact_as_import(batch, |tx| tx.last_imported("account", &id, field)).unwrap();
    assert_eq!(last("name"), Some(Value::Text("Orbit".into())));
    assert_eq!(last("notes"), Some(Value::Text("from the file".into())));
    assert_eq!(last("city"), None);
}

#[test]
fn pages_stay_in_place_while_records_come_in() {
    let dir = tempfile::tempdir().unwrap();
    let replica = hub(dir.path());
    for n in 0..40 {
        let city = if n % 5 == 0 { vec![] } else { vec![text("city", &format!("c{}", n % 3))] };
        replica.transact(|tx| tx.create("account", [vec![text("name", &format!("n{n:02}"))], city].concat())).unwrap();
    }
    for direction in [Direction::Ascending, Direction::Descending] {
        let query = Query::of("account").sorted("city", direction).sorted("name", Direction::Descending);
        let whole = names(&replica, &query);
        let (mut paged, mut after) = (Vec::new(), None);
        loop {
            let page = replica.list(&query.clone().limited(7).after(after)).unwrap();
            paged.extend(page.rows.iter().map(|row| row.text("name").to_owned()));
            // Sorts before everything: it must move no later page.
            account(&replica, "new");
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        paged.retain(|name| name != "new");
        let whole: Vec<String> = whole.into_iter().filter(|name| name != "new").collect();
        assert_eq!(paged, whole, "{direction:?}");
    }
}

#[test]
fn filters_mean_what_they_say() {
    let dir = tempfile::tempdir().unwrap();
    let replica = hub(dir.path());
    let acme = account(&replica, "Acme");
    for (name, minor, currency, stage) in
        [("small", 99_900, b"USD", "new"), ("large", 150_000, b"USD", "won"), ("yen", 2_000, b"JPY", "won")]
    {
        let amount = Value::Money(Money { minor, currency: Currency(*currency) });
        let values = vec![
            text("name", name),
            ("amount".into(), amount),
            text("stage", stage),
            ("account".into(), Value::Reference(acme)),
        ];
        replica.transact(|tx| tx.create("opportunity", values)).unwrap();
    }
    replica.transact(|tx| tx.create("opportunity", vec![text("name", "empty")])).unwrap();
    let check = |filter: &str, expected: &[&str]| {
        let query = filtered(&replica, "opportunity", filter).sorted("name", Direction::Ascending);
        assert_eq!(names(&replica, &query), expected, "{filter}");
    };
    check("amount > 1000", &["large", "yen"]);
    check("amount > \"1000 USD\"", &["large"]);
    check("amount <= 999", &["small"]);
    check("stage = won and not amount > 1600", &["large"]);
    check("stage != won", &["empty", "small"]);
    check("stage in (new, lost)", &["small"]);
    check("account = Acme and name ~ AR", &["large"]);
    check("account != Acme", &["empty"]);
    check("amount is empty or name = yen", &["empty", "yen"]);
}

#[test]
fn records_are_asked_for_by_however_many_ids() {
    let home = tempfile::tempdir().unwrap();
    let replica = hub(home.path());
    let ids: Vec<RecordId> = (0..3).map(|n| account(&replica, &format!("Client {n}"))).collect();
    let unknown = (0..2_000).map(|n| format!("00000000-0000-7000-8000-{n:012}"));
    let asked = |texts: Vec<String>| {
        let values = texts.into_iter().map(Literal::Text).collect();
        names(&replica, &Query::of("account").filtered(Filter::In { field: "id".into(), values }))
    };
    assert_eq!(asked(unknown.chain([ids[2].to_string(), ids[0].to_string()]).collect()), ["Client 0", "Client 2"]);
    // The beginning of an id is enough.
    let short = ids[1].to_string()[..35].to_owned();
    assert_eq!(asked(vec![short, ids[0].to_string()]), ["Client 0", "Client 1"]);
}

#[test]
fn what_is_counted_once_is_counted_anew_after_whoever_wrote() {
    let home = tempfile::tempdir().unwrap();
    let (replica, other) = (hub(home.path()), open(home.path()));
    let usd = |minor| ("amount".into(), Value::Money(Money { minor, currency: Currency(*b"USD") }));
    let deal = |of: &Replica, stage: &str, minor| {
        of.transact(|tx| tx.create("opportunity", vec![text("name", "x"), text("stage", stage), usd(minor)])).unwrap()
    };
    let seen = |of: &Replica| -> Vec<(String, u64, Vec<i64>)> {
        let tallies = of.tally(&Query::of("opportunity"), "stage", "amount").unwrap();
        tallies.iter().map(|t| (t.value.clone(), t.records, t.sums.values().copied().collect())).collect()
    };
    let won = |count, sum| ("won".to_owned(), count, vec![sum]);
    // Far beyond what SQLite adds up by itself, and below zero.
    deal(&replica, "won", i64::MAX - 5);
    deal(&replica, "won", 5);
    assert_eq!(seen(&replica), [won(2, i64::MAX)]);
    let refund = deal(&replica, "won", -7);
    assert_eq!(seen(&replica), [won(3, i64::MAX - 7)]);
    // Of another collection, of another process, and again of this one.
    account(&replica, "Orbit");
    assert_eq!((seen(&replica), replica.count(&Query::of("account")).unwrap()), (vec![won(3, i64::MAX - 7)], 1));
    deal(&other, "lost", 3);
    let lost = |count, sum| ("lost".to_owned(), count, vec![sum]);
    assert_eq!(seen(&replica), [lost(1, 3), won(3, i64::MAX - 7)]);
    account(&replica, "Amber");
    // An own commit of something else hides none of another process.
    deal(&other, "lost", 4);
    account(&replica, "Yantar");
    assert_eq!((seen(&replica), replica.count(&Query::of("account")).unwrap()), (seen(&other), 3));
    replica.transact(|tx| tx.archive("opportunity", &refund, true)).unwrap();
    assert_eq!(seen(&replica), [lost(2, 7), won(2, i64::MAX)]);
    // Pages in an order that no index gives are remembered alike, each with its length.
    let first = |of: &Replica, limit| {
        let query = Query::of("account").sorted("updated_at", Direction::Descending).limited(limit);
        names(of, &query)
    };
    assert_eq!(
        (first(&replica, 1), first(&replica, 2)),
        (vec!["Yantar".into()], vec!["Yantar".into(), "Amber".into()])
    );
    account(&replica, "Zarya");
    assert_eq!(first(&replica, 1), ["Zarya"]);
    account(&other, "Amur");
    assert_eq!(first(&replica, 1), ["Amur"]);
    // An open transaction sees its own work, and what it did not keep is not counted.
    let none: Result<(), _> = replica.transact(|tx| {
        tx.create("account", vec![text("name", "Gone")])?;
        Err(branchline_core::Error::usage("no-upstream"))
    });
    assert!(none.is_err());
    assert_eq!(replica.count(&Query::of("account")).unwrap(), 5);
    assert_eq!(replica.tally(&Query::of("opportunity"), "name", "amount").unwrap_err().code(), "filter_does_not_fit");
    assert_eq!(replica.tally(&Query::of("opportunity"), "stage", "name").unwrap_err().code(), "filter_does_not_fit");
}

#[test]
fn search_finds_cyrillic_in_any_case_by_prefix_and_without_dots() {
    let dir = tempfile::tempdir().unwrap();
    let replica = hub(dir.path());
    let fir = account(&replica, "ООО «ЁЛКА Плюс»");
    account(&replica, "Orbit");
    for query in ["елка", "Ёлк", "ПЛЮС", "плюс ёл", "пл ёлк", "\"елка\" OR"] {
        let hits = replica.search(query, 10).unwrap();
        let expected = if query.contains("OR") { vec![] } else { vec![fir] };
        assert_eq!(hits.iter().map(|hit| hit.id).collect::<Vec<_>>(), expected, "{query}");
    }
    let rename = vec![Edit::Set("name".into(), Value::Text("Берёза".into()))];
    replica.transact(|tx| tx.edit("account", &fir, rename)).unwrap();
    assert!(replica.search("елка", 10).unwrap().is_empty());
    assert_eq!(replica.search("береза", 10).unwrap()[0].label, "Берёза");
    replica.transact(|tx| tx.archive("account", &fir, true)).unwrap();
    assert!(replica.search("береза", 10).unwrap().is_empty());
}

#[test]
fn search_finds_the_same_however_many_records_have_the_words() {
    let dir = tempfile::tempdir().unwrap();
    let replica = hub(dir.path());
    // Half are granite; of a tenth the number is rare, of one the name has letters that only the index can fold.
    let name = |n: usize| match n {
        7 => "Müller 000007 Granite".to_owned(),
        n if n % 2 == 0 => format!("Granite {n:06} мост"),
        n => format!("Amber {n:06} Granada"),
    };
    let names: Vec<String> = (0..300).map(name).collect();
    let ids = replica
        .transact(|tx| {
            names.iter().map(|name| tx.create("account", vec![("name".into(), Value::Text(name.clone()))])).collect()
        })
        .map(|ids: Vec<RecordId>| ids)
        .unwrap();
    let found =
        |query: &str| -> Vec<String> { replica.search(query, 5).unwrap().into_iter().map(|hit| hit.label).collect() };
    let newest = |take: &dyn Fn(usize) -> bool| -> Vec<String> {
        (0..300).rev().filter(|n| take(*n)).take(5).map(|n| names[n].clone()).collect()
    };
    assert_eq!(found("granite"), newest(&|n| n % 2 == 0));
    assert_eq!(found("gran"), newest(&|_| true));
    assert_eq!(found("мост gran"), newest(&|n| n % 2 == 0));
    assert_eq!(found("amber mul"), Vec::<String>::new());
    assert_eq!(found("000117 gran"), [names[117].clone()]);
    assert_eq!(found("000117 мост"), Vec::<String>::new());
    assert_eq!(found("muller gran"), [names[7].clone()]);
    assert_eq!(found("gra 00011"), newest(&|n| n / 10 == 11));
    replica.transact(|tx| tx.archive("account", &ids[118], true)).unwrap();
    assert_eq!(found("000118 granite"), Vec::<String>::new());
    assert!(!found("gran 00011").contains(&names[118]));
}

#[test]
fn records_are_found_by_what_people_call_them() {
    let dir = tempfile::tempdir().unwrap();
    let replica = hub(dir.path());
    let (acme, orbit) = (account(&replica, "Acme"), account(&replica, "Orbit"));
    assert_eq!(replica.find("account", "ACME").unwrap(), acme);
    assert_eq!(replica.find("account", "name=Orbit").unwrap(), orbit);
    assert_eq!(replica.find("account", &acme.to_string()).unwrap(), acme);
    assert_eq!(replica.find("account", &replica.short_id(&orbit)).unwrap(), orbit);
    assert_eq!(replica.find("account", "Nobody").unwrap_err().code(), "record_not_found");
    let twin = account(&replica, "Acme");
    let error = replica.find("account", "Acme").unwrap_err();
    assert_eq!(error.code(), "record_ambiguous");
    assert!(error.to_string().contains(&twin.to_string()), "{error}");
    replica.transact(|tx| tx.merge_into("account", &twin, Some(acme))).unwrap();
    assert_eq!(replica.find("account", "Acme").unwrap(), acme);
    assert_eq!(names(&replica, &Query::of("account")), ["Acme", "Orbit"]);
}

#[test]
fn crossed_merges_leave_one_record_in_sight() {
    let dir = tempfile::tempdir().unwrap();
    let replica = hub(dir.path());
    let (one, two, three) = (account(&replica, "one"), account(&replica, "two"), account(&replica, "three"));
    for (lose, keep) in [(one, two), (two, one), (three, two)] {
        replica.transact(|tx| tx.merge_into("account", &lose, Some(keep))).unwrap();
    }
    assert_eq!(names(&replica, &Query::of("account")), ["one"]);
    for id in [one, two, three] {
        assert_eq!(replica.root("account", &id).unwrap(), one);
        assert_eq!(replica.label(&id).as_deref(), Some("one"));
    }
    replica.transact(|tx| tx.merge_into("account", &one, None)).unwrap();
    assert_eq!(names(&replica, &Query::of("account")), ["one"]);
    replica.transact(|tx| tx.merge_into("account", &two, None)).unwrap();
    assert_eq!(names(&replica, &Query::of("account")), ["one", "two"]);
}

#[test]
fn sql_reads_and_never_writes() {
    let dir = tempfile::tempdir().unwrap();
    let replica = hub(dir.path());
    account(&replica, "Orbit");
    assert_eq!(replica.sql("SELECT name FROM account").unwrap()[0]["name"], "Orbit");
    assert_eq!(replica.sql("WITH a AS (SELECT 1 AS x) SELECT x FROM a").unwrap()[0]["x"], 1);
    for refused in [
        "DELETE FROM account",
        "UPDATE account SET name = 'x'",
        "CREATE TABLE t (x)",
        "PRAGMA query_only = 0",
        "ATTACH 'other.db' AS other",
        "SELECT 1; DELETE FROM account",
        "INSERT INTO search (search) VALUES ('delete-all')",
    ] {
        assert_eq!(replica.sql(refused).unwrap_err().code(), "sql_not_reading", "{refused}");
    }
    assert_eq!(replica.sql("SELECT nothing").unwrap_err().code(), "sql_failed");
    assert_eq!(names(&replica, &Query::of("account")), ["Orbit"]);
}

#[test]
fn two_openings_of_one_folder_see_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (hub(dir.path()), open(dir.path()));
    assert!(!two.changed().unwrap());
    let id = account(&one, "Orbit");
    assert!(two.changed().unwrap() && !two.changed().unwrap());
    let set = |replica: &Replica, city: &str| {
        let edits = vec![Edit::Set("city".into(), Value::Text(city.into()))];
        replica.transact(|tx| tx.edit("account", &id, edits)).unwrap()
    };
    for n in 0..3 {
        assert!(set(&one, &format!("a{n}")) && set(&two, &format!("b{n}")));
    }
    assert_eq!(one.record("account", &id).unwrap().text("city"), "b2");
    assert!(one.conflicts().unwrap().is_empty());
    assert_eq!(one.history("account", &id).unwrap().len(), 7);
    assert_eq!(one.digest().unwrap(), two.digest().unwrap());
}

/// The folder's own file was blamed for a full disk elsewhere.
#[test]
fn a_copy_that_fails_says_at_which_end() {
    let dir = tempfile::tempdir().unwrap();
    let replica = hub(&dir.path().join("hub"));
    let file = dir.path().join("photo.jpg");
    std::fs::write(&file, [7; 100_000]).unwrap();
    let photo = replica.attach_file(&file, "image/jpeg").unwrap();
    let mut full = &mut [0; 1_000][..];
    assert_eq!(replica.copy_blob(&photo.hash, &mut full).unwrap_err().code(), "blob_not_copied");
    let mut copy = Vec::new();
    replica.copy_blob(&photo.hash, &mut copy).unwrap();
    assert_eq!(copy, [7; 100_000]);
    std::fs::write(dir.path().join("hub/blobs").join(photo.hash.to_string()), [8; 100_000]).unwrap();
    assert_eq!(replica.copy_blob(&photo.hash, &mut copy).unwrap_err().code(), "blob_damaged");
    // A folder cannot be read as a file.
    let unread = replica.attach_file(dir.path(), "image/jpeg").unwrap_err();
    assert!(unread.what(Default::default()).contains(&dir.path().display().to_string()));
    assert_eq!(std::fs::read_dir(dir.path().join("hub/blobs")).unwrap().count(), 1, "nothing of it stays");
}
