//! Row of the door for foreign changes: what judging costs, against all that a hub does for an upload.

use std::collections::HashMap;

use branchline_core::crm;
use branchline_core::document::{Edit, Foreign, State, vet};
use branchline_core::id::{ChangeHash, RecordId};
use branchline_core::replica::Replica;
use branchline_core::schema::Value;
use rusqlite::Connection;

use super::Figure;
use super::company::{create, edit_each, open};
use super::cpu::best_micros;
use super::link::{Pair, Synced, up};
use super::local::ids;

const RECORDS: usize = 10_000;
const TEXTS: usize = 2_000;
const RUNS: usize = 3;

/// Creations, edits of one field and edits of a long text, each pushed to a hub and judged alone: the checksum included.
pub(super) fn door() -> Vec<Figure> {
    let pair = Pair::new(0);
    Synced::of(&pair.device);
    let dir = pair.device.dir();
    let mut log = Log { db: Connection::open(dir.join("branchline.db")).expect("the device's log"), end: 0 };
    log.rest();
    let mut states = HashMap::new();
    create(&open(dir), 0, RECORDS);
    let (creates, created) = (log.rest(), up(&pair, RECORDS));
    let of_creates = judged(&creates, &mut states);
    edit_each(&open(dir));
    let (edits, edited) = (log.rest(), up(&pair, RECORDS));
    let of_edits = judged(&edits, &mut states);
    note(&open(dir), "Called, will call again on Monday. Wants the price of twelve pumps.");
    let (texts, _) = (log.rest(), up(&pair, TEXTS));
    judged(&texts, &mut states);
    note(&open(dir), "Called, will call again on Tuesday. Wants the price of fifteen pumps.");
    let (texts, noted) = (log.rest(), up(&pair, TEXTS));
    let of_texts = judged(&texts, &mut states);
    // CPU microseconds of the hub for each change.
    let hub = |per_second: f64| 1e6 / per_second;
    vec![
        Figure::note("µs in the fast door for a creation", of_creates),
        Figure::at_most("share of the hub's CPU for it", of_creates / hub(created), 0.5, 0.33),
        Figure::note("µs in the fast door for a one-field edit", of_edits),
        Figure::at_most("share of the hub's CPU for it", of_edits / hub(edited), 0.5, 0.33),
        Figure::note("µs in the full door for an edit of a long text", of_texts),
        Figure::note("share of the hub's CPU for it", of_texts / hub(noted)),
    ]
}

struct Change {
    record: RecordId,
    raw: Vec<u8>,
    hash: ChangeHash,
}

struct Log {
    db: Connection,
    end: i64,
}

impl Log {
    /// The changes of accounts that came since it was asked last.
    fn rest(&mut self) -> Vec<Change> {
        let sql = "SELECT l.seq, r.id, l.raw, l.hash FROM log l JOIN record r ON r.n = l.record
                   JOIN projection p ON p.n = r.collection WHERE l.seq > ? AND p.name = 'account' ORDER BY l.seq";
        let mut statement = self.db.prepare(sql).expect("the log can be asked");
        let rows = statement.query_map([self.end], |row| {
            let change = Change { record: RecordId(row.get(1)?), raw: row.get(2)?, hash: ChangeHash(row.get(3)?) };
            Ok((row.get::<_, i64>(0)?, change))
        });
        let rows: Vec<_> = rows.and_then(Iterator::collect).expect("the log can be read");
        self.end = rows.last().map_or(self.end, |(seq, _)| *seq);
        rows.into_iter().map(|(_, change)| change).collect()
    }
}

/// CPU microseconds of the door for each change, held against the records as they are; then the changes are in them.
fn judged(changes: &[Change], states: &mut HashMap<RecordId, State>) -> f64 {
    let accounts = crm::builtin().collection("account").expect("a built-in collection");
    let door = |change: &Change, state: Option<&State>| {
        let foreign = Foreign { record: change.record, collection: accounts, raw: &change.raw, hash: change.hash };
        vet(foreign, state).expect("a change of our own gets in")
    };
    let micros = best_micros(RUNS, changes.len(), || {
        changes.iter().map(|change| door(change, states.get(&change.record))).collect::<Vec<_>>()
    });
    for change in changes {
        let vetted = door(change, states.get(&change.record));
        let state = states.entry(change.record).or_insert_with(|| State::new(change.record));
        state.apply(&vetted).expect("what got in follows what is there");
    }
    micros
}

fn note(replica: &Replica, text: &str) {
    for ids in ids(replica, TEXTS).chunks(100) {
        let noted = replica.transact(|tx| {
            for id in ids {
                tx.edit("account", id, vec![Edit::Set("notes".into(), Value::Text(text.into()))])?;
            }
            Ok(())
        });
        noted.expect("edits");
    }
}
