//! Rows of the codec alone: bytes and CPU time of change chunks and batches.

use std::collections::HashMap;

use branchline_core::id::{ActorId, ChangeHash, RecordId, RecordIds};
use branchline_core::time::Millis;
use branchline_core::wire::chunk::{
    Action, GenesisKind, NewChange, Pred, RootOp, Scalar, build, parse, parse_hashed, root_ops,
};
use branchline_core::wire::codec::{Binding, Encoder, Origin, Outgoing, decode};
use serde_json::json;

use super::Figure;
use super::cpu::best_micros;
use crate::generator::{self, Draw};

const IMPORTER: ActorId = ActorId([0x13, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0]);
const EDITOR: ActorId = ActorId([0x20, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf1]);
const START_MS: i64 = 1_700_000_000_000;
const RECORDS: usize = 10_000;
const EDITS: usize = 5_000;
const RUNS: usize = 5;

/// A change with the record it belongs to.
struct Sent {
    record: RecordId,
    raw: Vec<u8>,
    hash: ChangeHash,
}

/// A log reduced to what the codec asks of it: which change an actor wrote first.
struct Log {
    actor: ActorId,
    hashes: HashMap<RecordId, ChangeHash>,
}

impl Log {
    fn of(changes: &[Sent]) -> Self {
        Self { actor: IMPORTER, hashes: changes.iter().map(|change| (change.record, change.hash)).collect() }
    }
}

impl Origin for Log {
    fn binding(&mut self, _: &ActorId) -> Option<Binding> {
        None
    }
    fn locate(&mut self, record: &RecordId, hash: &ChangeHash) -> Option<(ActorId, u64)> {
        self.hashes.get(record).filter(|known| *known == hash).map(|_| (self.actor, 1))
    }
    fn genesis_fields(&mut self, _: &str) -> Vec<(String, GenesisKind)> {
        Vec::new()
    }
}

/// Creating changes of one import, forty records a millisecond.
fn created(records: &[Vec<(String, String)>]) -> Vec<Sent> {
    let mut ids = RecordIds::new(generator::SEED);
    let mut changes = Vec::with_capacity(records.len());
    for (i, fields) in records.iter().enumerate() {
        let time = START_MS + i as i64 / 40;
        let set = |(key, value)| RootOp { key, action: Action::Set, value: Scalar::Str(value), preds: Vec::new() };
        let ops: Vec<RootOp<'_>> = fields.iter().map(|(key, value)| set((key.as_str(), value.as_str()))).collect();
        let new = NewChange { deps: &[], actor: &IMPORTER.0, seq: 1, start_op: 1, time, ops: &ops, texts: &[] };
        let (raw, hash) = build(&new);
        changes.push(Sent { record: ids.next_id(Millis(time)), raw, hash });
    }
    changes
}

fn accounts(count: usize) -> Vec<Vec<(String, String)>> {
    (0..count)
        .map(|i| generator::account(i).into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
        .collect()
}

fn json_lines(records: &[Vec<(String, String)>]) -> Vec<u8> {
    let mut out = Vec::new();
    for fields in records {
        let object: serde_json::Map<_, _> = fields.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        out.extend(serde_json::Value::Object(object).to_string().bytes());
        out.push(b'\n');
    }
    out
}

/// Bytes of a generated account in JSON lines at zstd-3.
pub(super) fn json_bytes_each(accounts: usize) -> f64 {
    zstd_bytes_each(&json_lines(&self::accounts(accounts)), accounts)
}

fn encode(changes: &[Sent], batch: usize, level: i32, log: &mut Log) -> Vec<Vec<u8>> {
    let encode = |batch: &[Sent]| {
        let mut encoder = Encoder::new(level);
        for Sent { record, raw, hash } in batch {
            let change = Outgoing { record: *record, collection: "account", raw, hash: *hash, tx_end: false };
            encoder.push(&change, log).expect("a change of ours");
        }
        encoder.finish().expect("a batch of ours")
    };
    changes.chunks(batch).map(encode).collect()
}

fn decode_all(frames: &[Vec<u8>], log: &Log) -> usize {
    let mut lookup = |record: &RecordId, _: &ActorId, _: u64| log.hashes.get(record).copied();
    frames.iter().map(|frame| decode(frame, &mut lookup).expect("a batch of ours").changes.len()).sum()
}

fn bytes_each(frames: &[Vec<u8>], count: usize) -> f64 {
    frames.iter().map(Vec::len).sum::<usize>() as f64 / count as f64
}

fn zstd_bytes_each(text: &[u8], count: usize) -> f64 {
    zstd::bulk::compress(text, 3).expect("zstd compresses").len() as f64 / count as f64
}

/// Reading and writing single chunks.
pub(super) fn chunks() -> Vec<Figure> {
    let records = accounts(RECORDS);
    let changes = created(&records);
    let read = best_micros(RUNS, RECORDS, || {
        changes
            .iter()
            .filter_map(|change| root_ops(&parse_hashed(&change.raw, change.hash).ok()?))
            .map(|ops| ops.len())
            .sum::<usize>()
    });
    let checked = best_micros(RUNS, RECORDS, || changes.iter().filter_map(|change| parse(&change.raw).ok()).count());
    let write = best_micros(RUNS, RECORDS, || created(&records).len());
    vec![
        Figure::note(
            "bytes of a chunk",
            changes.iter().map(|change| change.raw.len()).sum::<usize>() as f64 / RECORDS as f64,
        ),
        Figure::note("µs to read a chunk and its operations", read),
        Figure::note("µs to read a chunk with its checksum", checked),
        Figure::note("µs to write a chunk with its hash", write),
    ]
}

/// Created records: bytes against JSON lines, CPU time of both ends.
pub(super) fn creates() -> Vec<Figure> {
    let records = accounts(RECORDS);
    let json = json_bytes_each(RECORDS);
    let mut figures = vec![Figure::note("bytes of a record as JSON lines, zstd-3", json)];
    figures.extend(batches(&created(&records), json));
    figures
}

fn batches(changes: &[Sent], json: f64) -> Vec<Figure> {
    let count = changes.len();
    let mut log = Log::of(&[]);
    let frames = encode(changes, 2_500, 3, &mut log);
    assert_eq!(decode_all(&frames, &log), count);
    let bytes = bytes_each(&frames, count);
    let small = bytes_each(&encode(changes, 100, 9, &mut log), count);
    vec![
        Figure::note("bytes of a record in batches of 2,500, zstd-3", bytes),
        Figure::at_most("the same against JSON lines, zstd-3", bytes / json, 0.95, 0.65),
        Figure::note("bytes of a record in batches of 100, zstd-9", small),
        Figure::note("µs to encode a change", best_micros(RUNS, count, || encode(changes, 2_500, 3, &mut log).len())),
        Figure::note("µs to decode a change, with its hash", best_micros(RUNS, count, || decode_all(&frames, &log))),
    ]
}

/// One-field edits of records that the receiver holds.
pub(super) fn edits() -> Vec<Figure> {
    let created = created(&accounts(RECORDS));
    let mut log = Log::of(&created);
    let mut draw = Draw::of(RECORDS);
    let mut time = START_MS + 3_600_000;
    let (mut changes, mut json) = (Vec::new(), Vec::new());
    for i in 0..EDITS {
        // Each record once, in no order: 7 and 10,000 have no common factor.
        let number = i * 7_777 % RECORDS;
        let before = &created[number];
        let fields = generator::account(number + RECORDS);
        let place = [4, 5, 7, 8, 10][draw.below(5)];
        let (key, value) = &fields[place];
        time += draw.below(60_000) as i64;
        let preds = vec![Pred { ctr: place as u64 + 1, actor: &IMPORTER.0 }];
        let op = RootOp { key, action: Action::Set, value: Scalar::Str(value), preds };
        let deps = [before.hash];
        let new = NewChange { deps: &deps, actor: &EDITOR.0, seq: 1, start_op: 12, time, ops: &[op], texts: &[] };
        let (raw, hash) = build(&new);
        changes.push(Sent { record: before.record, raw, hash });
        json.push(format!("{}\n", json!({ "id": before.record.to_string(), *key: value })));
    }
    let json: f64 = json.chunks(1_000).map(|lines| zstd_bytes_each(lines.concat().as_bytes(), EDITS)).sum();
    let frames = encode(&changes, 1_000, 3, &mut log);
    assert_eq!(decode_all(&frames, &log), EDITS);
    let bytes = bytes_each(&frames, EDITS);
    vec![
        Figure::note("bytes of an edit as JSON lines, zstd-3", json),
        Figure::note("bytes of an edit", bytes),
        Figure::at_most("the same against JSON lines, zstd-3", bytes / json, 1.2, 0.6),
        Figure::note("µs to encode an edit", best_micros(RUNS, EDITS, || encode(&changes, 1_000, 3, &mut log).len())),
        Figure::note("µs to decode an edit, with its hash", best_micros(RUNS, EDITS, || decode_all(&frames, &log))),
    ]
}

/// The real deals, each row as it stands in the file.
pub(super) fn deals() -> Vec<Figure> {
    let file = crate::data_dir().join("crm-sales-opportunities/sales_pipeline.csv");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().expect("a header").split(',').collect();
    let row = |line: &str| {
        let cells = header.iter().zip(line.split(',')).filter(|(_, cell)| !cell.is_empty());
        cells.map(|(key, cell)| ((*key).to_owned(), cell.to_owned())).collect()
    };
    let records: Vec<Vec<(String, String)>> = lines.map(row).collect();
    let json = zstd_bytes_each(&json_lines(&records), records.len());
    let mut figures = vec![Figure::note("bytes of a deal as JSON lines, zstd-3", json)];
    figures.extend(batches(&created(&records), json));
    figures
}
