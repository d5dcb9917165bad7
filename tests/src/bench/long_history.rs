//! Row of one record with a long history: 2,000 edits by 50 people, as a replica keeps it and with every change by itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use automerge::{Automerge, Change};
use branchline_core::document::Edit;
use branchline_core::id::RecordId;
use branchline_core::replica::link::Invitation;
use branchline_core::replica::{Replica, SystemEnvironment};
use branchline_core::schema::Value;
use branchline_core::wire::codec;
use rusqlite::{Connection, params};

use super::Figure;
use super::company::{folder_bytes, hub, open};
use super::cpu::thread_seconds;
use super::link::{Pair, Synced};
use super::local::{ids, millis, quantile};
use crate::process::home;
use crate::sim::pair::{enrol, exchange};

const EDITS: usize = 2_000;
const PEOPLE: usize = 50;
const RUNS: usize = 15;

/// Bytes, reading, one more edit and first sync of such a record.
pub(super) fn long_history() -> Vec<Figure> {
    let home = home();
    kept(&home.path().join("empty"), 1);
    let dir = home.path().join("hub");
    let id = kept(&dir, EDITS);
    let plain = home.path().join("plain");
    unpacked(&dir, &plain);
    let bytes = |dir: &Path| {
        vacuum(dir);
        folder_bytes(dir) as f64
    };
    let nothing = bytes(&home.path().join("empty"));
    let (packed, before) = (bytes(&dir) - nothing, bytes(&plain) - nothing);
    let mut figures = vec![
        Figure::note("bytes of a change in the folder, each by itself", before / EDITS as f64),
        Figure::note("bytes of a change in the folder, packed", packed / EDITS as f64),
        Figure::note("the same against each by itself", packed / before),
        Figure::note("bytes of a packed change in its pack", pack_bytes(&dir)),
        Figure::note("ms to open and fold it, each by itself", cold_read(&plain, &id)),
        Figure::note("ms to open and fold it, packed", cold_read(&dir, &id)),
    ];
    figures.extend(documented(&plain));
    let mut edits = Vec::new();
    for (count, name) in [(20, "short"), (200, "middle"), (EDITS, "long")] {
        let dir = home.path().join(name);
        let id = kept(&dir, count);
        edits.push((count, one_more(&dir, &id)));
    }
    let mut exchanges = Vec::new();
    for (count, name) in [(20, "above-short"), (EDITS, "above-long")] {
        exchanges.push(exchanged(home.path(), name, count));
        figures.push(Figure::note(
            format!("CPU µs of both ends to exchange one more edit after {count}"),
            exchanges[exchanges.len() - 1],
        ));
    }
    figures.push(Figure::at_most(
        "one more edit exchanged after 2,000 against 20",
        exchanges[1] / exchanges[0],
        2.0,
        1.2,
    ));
    let shortest = edits[0].1;
    for (count, (warm, cold)) in &edits {
        figures.push(Figure::note(format!("CPU µs of one more edit after {count}, record in memory"), *warm));
        figures.push(Figure::note(format!("CPU µs of one more edit after {count}, read first"), *cold));
    }
    let last = edits[edits.len() - 1].1;
    figures.push(Figure::at_most("one more edit after 2,000 against 20, in memory", last.0 / shortest.0, 1.5, 1.2));
    figures.push(Figure::note("one more edit after 2,000 against 20, read first", last.1 / shortest.1));
    figures.push(Figure::note("bytes down of the first sync of the record", first_sync()));
    figures
}

/// A hub with one account that 50 people have edited so often between them, each under an actor of its own.
fn kept(dir: &Path, count: usize) -> RecordId {
    let id = ids(&hub(dir, 1), 1)[0];
    edit_by_many(dir, &id, count);
    id
}

fn edit_by_many(dir: &Path, id: &RecordId, count: usize) {
    let people = PEOPLE.min(count);
    for person in 0..people {
        let edited = open(dir).transact(|tx| {
            for n in (0..count).filter(|n| n % people == person) {
                tx.edit("account", id, edits(n))?;
            }
            Ok(())
        });
        edited.expect("edits");
    }
}

// What people change: a word here, a number there, now and then a telephone. The history grows, what it comes to does not.
fn edits(n: usize) -> Vec<Edit> {
    let text = |field: &str, text: String| Edit::Set(field.into(), Value::Text(text));
    let phone = format!("+380 44 200 30 0{}", n % 7);
    vec![match n % 4 {
        0 => text("city", format!("City {}", n % 37)),
        1 => text("address", format!("Street {}, house {}", n % 211, n)),
        2 => text("legal_name", format!("Company {} Ltd", n % 13)),
        _ if (n / 28).is_multiple_of(2) => Edit::Add("phones".into(), phone),
        _ => Edit::Remove("phones".into(), phone),
    }]
}

/// The folder with every packed change put back into its row, as it was kept before there were packs.
fn unpacked(from: &Path, to: &Path) {
    vacuum(from);
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten().filter(|entry| entry.path().is_file()) {
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
    }
    let db = Connection::open(database(to)).expect("the copy");
    let mut packs = db.prepare("SELECT bytes FROM pack").expect("packs");
    let packs: Vec<Vec<u8>> =
        packs.query_map([], |row| row.get(0)).and_then(Iterator::collect).expect("packs can be read");
    assert!(packs.len() >= EDITS / 256 - 1, "{} packs", packs.len());
    for pack in packs {
        let decoded = codec::decode(&pack, &mut |_, _, _| None).expect("a pack is a batch");
        assert!(decoded.missing.is_empty());
        for change in &decoded.changes {
            let put = "UPDATE log SET raw = ? WHERE hash = ? AND raw = x''";
            db.execute(put, params![decoded.raw(change), change.hash.0]).expect("a change");
        }
    }
    db.execute("DELETE FROM pack", []).expect("no packs");
}

fn pack_bytes(dir: &Path) -> f64 {
    let db = Connection::open(database(dir)).expect("the folder");
    let sql = "SELECT sum(length(bytes)) * 1.0 / (SELECT count(*) FROM log WHERE record <> 0 AND raw = x'') FROM pack";
    db.query_row(sql, [], |row| row.get(0)).expect("packs")
}

/// What the same history comes to as an Automerge document, which also gives back single changes.
fn documented(plain: &Path) -> Vec<Figure> {
    let db = Connection::open(database(plain)).expect("the copy");
    let sql =
        "SELECT raw FROM log WHERE record = (SELECT record FROM log GROUP BY record ORDER BY count(*) DESC LIMIT 1)
               ORDER BY seq";
    let mut raws = db.prepare(sql).expect("the log can be asked");
    let raws: Vec<Vec<u8>> = raws.query_map([], |row| row.get(0)).and_then(Iterator::collect).expect("changes");
    let changes = raws.iter().map(|raw| Change::from_bytes(raw.clone()).expect("a change")).collect::<Vec<_>>();
    let mut doc = Automerge::new();
    doc.apply_changes(changes).expect("Automerge takes the history");
    let saved = doc.save();
    let mut took: Vec<f64> = (0..RUNS)
        .map(|_| {
            millis(|| {
                let doc = Automerge::load(&saved).expect("a document");
                doc.get_changes(&[]).iter().map(|change| change.raw_bytes().len()).sum::<usize>()
            })
        })
        .collect();
    vec![
        Figure::note("bytes of a change in an Automerge document", saved.len() as f64 / raws.len() as f64),
        Figure::note("ms to load that and take the changes out", quantile(&mut took, 0.5)),
    ]
}

fn database(dir: &Path) -> PathBuf {
    dir.join("branchline.db")
}

fn vacuum(dir: &Path) {
    let db = Connection::open(database(dir)).expect("a folder");
    db.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);").expect("a vacuum");
}

fn cold_read(dir: &Path, id: &RecordId) -> f64 {
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let replica = open(dir);
            // The connection is made and the schema known before the record is read.
            replica.find("account", &id.to_string()).expect("the record");
            millis(|| replica.record("account", id).expect("the record as a whole"))
        })
        .collect();
    quantile(&mut times, 0.5)
}

/// CPU microseconds of one more edit: with the record in memory, and in a process that reads it first.
fn one_more(dir: &Path, id: &RecordId) -> (f64, f64) {
    let edit = |replica: &Replica, n: usize| {
        let set = vec![Edit::Set("city".into(), Value::Text(format!("Ополе {n}")))];
        let before = thread_seconds();
        replica.transact(|tx| tx.edit("account", id, set)).expect("an edit");
        (thread_seconds() - before) * 1e6
    };
    let (mut warm, mut cold) = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        let replica = open(dir);
        // Another record's edit makes the connection ready and draws the actor.
        let other = ids(&replica, 2).into_iter().find(|other| other != id);
        let other = other.unwrap_or_else(|| {
            super::company::create(&replica, 1, 1);
            ids(&replica, 2).into_iter().find(|other| other != id).expect("another account")
        });
        let set = vec![Edit::Set("city".into(), Value::Text(format!("Lviv {run}")))];
        replica.transact(|tx| tx.edit("account", &other, set)).expect("an edit");
        cold.push(edit(&replica, 10 * run));
        warm.extend((1..4).map(|n| edit(&replica, 10 * run + n)));
    }
    (quantile(&mut warm, 0.5), quantile(&mut cold, 0.5))
}

/// CPU microseconds of both ends to carry one more edit down and one up, without a line.
fn exchanged(home: &Path, name: &str, count: usize) -> f64 {
    let dir = home.join(name);
    let id = kept(&dir, count);
    let upper = open(&dir);
    upper.announce("http://127.0.0.1:1", None).expect("an address");
    let scopes = vec!["workspace".to_owned()];
    let invitation = Invitation { name: name.to_owned(), scopes, expires_ms: 60_000, ..Invitation::default() };
    let env = Arc::new(SystemEnvironment);
    let lower = enrol(&upper, &home.join(format!("{name}-device")), &invitation, env);
    exchange(&lower, &upper).expect("a first sync");
    let edit = |replica: &Replica, n: usize| {
        let set = vec![Edit::Set("city".into(), Value::Text(format!("Ополе {n}")))];
        replica.transact(|tx| tx.edit("account", &id, set)).expect("an edit");
    };
    let mut times: Vec<f64> = (0..RUNS)
        .map(|run| {
            edit(&upper, 2 * run);
            edit(&lower, 2 * run + 1);
            let before = thread_seconds();
            exchange(&lower, &upper).expect("an exchange");
            (thread_seconds() - before) * 1e6
        })
        .collect();
    quantile(&mut times, 0.5)
}

fn first_sync() -> f64 {
    let pair = Pair::new(0);
    Synced::of(&pair.device);
    let nothing = Synced::of(&pair.device).number("bytes_down");
    let hub = open(pair.hub.dir());
    super::company::create(&hub, 0, 1);
    let id = ids(&hub, 1)[0];
    drop(hub);
    edit_by_many(pair.hub.dir(), &id, EDITS);
    Synced::of(&pair.device).number("bytes_down") - nothing
}
