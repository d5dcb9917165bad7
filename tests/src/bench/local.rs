//! Rows of one replica by itself: writing, size, import.

use std::time::Instant;

use branchline_core::crm::import::{Import, ImportMap};
use branchline_core::document::Edit;
use branchline_core::id::RecordId;
use branchline_core::replica::Query;
use branchline_core::schema::Value;
use rusqlite::Connection;

use super::company::{folder_bytes, hub, plain_table};
use super::{Figure, cpu};
use crate::process::home;

const WRITES: usize = 300;

/// A durable edit of one field, against a commit of one row to SQLite alone.
pub(super) fn write() -> Vec<Figure> {
    let home = home();
    let replica = hub(&home.path().join("hub"), 10_000);
    let ids = ids(&replica, WRITES);
    let plain = Connection::open(home.path().join("plain.db")).expect("a new database");
    plain
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (n INTEGER PRIMARY KEY, v);",
        )
        .expect("a table");
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    // Turn about, so that a disk that slows down slows both.
    for (i, id) in ids.iter().enumerate() {
        let text = Value::Text(format!("Ополе {i}"));
        ours.push(millis(|| {
            replica.transact(|tx| tx.edit("account", id, vec![Edit::Set("city".into(), text)])).expect("an edit")
        }));
        bare.push(millis(|| plain.execute("INSERT INTO t (v) VALUES (?)", [i as i64]).expect("a row")));
    }
    let (ours, bare) = (quantile(&mut ours, 0.5), quantile(&mut bare, 0.5));
    vec![
        Figure::note("ms for a commit of one row, median", bare),
        Figure::at_most("ms for an edit of one field, median", ours, 15.0, 5.0),
        Figure::at_most("the same against the commit", ours / bare, 3.0, 1.7),
    ]
}

/// The folder of a replica against the same rows in a plain table.
pub(super) fn size() -> Vec<Figure> {
    let home = home();
    let (folder, plain) = (home.path().join("hub"), home.path().join("plain"));
    let replica = hub(&folder, 10_000);
    std::fs::create_dir(&plain).expect("a folder");
    plain_table(&plain.join("plain.db"), &replica, 10_000);
    drop(replica);
    let ours = folder_bytes(&folder) as f64 / 10_000.0;
    let bare = folder_bytes(&plain) as f64 / 10_000.0;
    vec![
        Figure::note("bytes of a record in a plain table", bare),
        Figure::note("bytes of a record in the folder", ours),
        Figure::at_most("the same against the plain table", ours / bare, 4.0, 2.0),
    ]
}

/// The 8,800 real deals, with the example map.
pub(super) fn import() -> Vec<Figure> {
    let home = home();
    let replica = hub(&home.path().join("hub"), 0);
    let data = crate::data_dir().join("crm-sales-opportunities");
    let maps = crate::checkout().join("docs/examples/maps/sales");
    let mut seconds = 0.0;
    let mut rows = 0;
    for (file, map) in
        [("sales_teams", "teams"), ("products", "products"), ("accounts", "accounts"), ("sales_pipeline", "pipeline")]
    {
        let map = ImportMap::open(&maps.join(format!("{map}.toml"))).expect("an example map");
        let before = cpu::process_seconds(std::process::id());
        let import = Import { map: Some(map), ..Import::default() };
        let outcome = import.run_file(&replica, &data.join(format!("{file}.csv"))).expect("an import");
        seconds = cpu::process_seconds(std::process::id()) - before;
        rows = outcome.rows;
    }
    vec![
        Figure::note("rows", rows as f64),
        Figure::at_least("rows per CPU second", rows as f64 / seconds, 6_000.0, 25_000.0),
    ]
}

pub(super) fn ids(replica: &branchline_core::replica::Replica, count: usize) -> Vec<RecordId> {
    let query = Query::of("account").fields(["name"]).limited(count);
    let mut ids = Vec::with_capacity(count);
    let visit = &mut |record: branchline_core::replica::Record| {
        ids.push(record.id);
        Ok(())
    };
    replica.each(&query, visit).expect("all records");
    ids
}

pub(super) fn millis<T>(work: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    std::hint::black_box(work());
    start.elapsed().as_secs_f64() * 1_000.0
}

pub(super) fn quantile(times: &mut [f64], share: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times[((times.len() - 1) as f64 * share) as usize]
}
