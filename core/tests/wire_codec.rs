//! Batches of the compact codec from the outside: what goes in comes out, whatever the changes are, and nothing that
//! arrives makes it panic.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{Automerge, AutomergeError, ObjType, ROOT, ReadDoc};
use branchline_core::id::{ActorId, BatchId, ChangeHash, DeviceId, RecordId, RecordIds};
use branchline_core::time::Millis;
use branchline_core::wire::chunk::{
    self, Action, GenesisKind, InitialText, NewChange, Pred, RootOp, Scalar, build, genesis_actor, parse,
};
use branchline_core::wire::codec::{Binding, Decoded, Encoder, Origin, Outgoing, decode};
use proptest::prelude::*;

/// A store reduced to what the codec asks of it.
#[derive(Default, Clone)]
struct Log {
    changes: HashMap<(RecordId, ActorId, u64), ChangeHash>,
    bindings: HashMap<ActorId, Binding>,
}

impl Origin for Log {
    fn binding(&mut self, actor: &ActorId) -> Option<Binding> {
        self.bindings.get(actor).cloned()
    }
    fn locate(&mut self, record: &RecordId, hash: &ChangeHash) -> Option<(ActorId, u64)> {
        self.changes.iter().find(|((r, _, _), h)| r == record && *h == hash).map(|((_, actor, seq), _)| (*actor, *seq))
    }
    fn genesis_fields(&mut self, _: &str) -> Vec<(String, GenesisKind)> {
        vec![("notes".into(), GenesisKind::Text), ("visits".into(), GenesisKind::Counter)]
    }
}

#[derive(Debug, Clone)]
struct Sent {
    record: RecordId,
    raw: Vec<u8>,
    hash: ChangeHash,
    tx_end: bool,
}

impl Sent {
    fn new(record: RecordId, (raw, hash): (Vec<u8>, ChangeHash)) -> Self {
        Self { record, raw, hash, tx_end: hash.0[0] & 1 == 0 }
    }
}

fn encode(changes: &[Sent], origin: &mut Log, level: i32) -> Vec<u8> {
    let mut encoder = Encoder::new(level);
    for change in changes {
        let Sent { record, raw, hash, tx_end } = change;
        encoder
            .push(&Outgoing { record: *record, collection: "account", raw, hash: *hash, tx_end: *tx_end }, origin)
            .unwrap();
    }
    assert_eq!(encoder.len(), changes.len());
    encoder.finish().unwrap()
}

fn assert_same(sent: &[Sent], decoded: &Decoded) {
    assert_eq!(decoded.missing, []);
    let back: Vec<Sent> = decoded
        .changes
        .iter()
        .map(|change| Sent {
            record: decoded.records[change.record].0,
            raw: decoded.raw(change).to_vec(),
            hash: change.hash,
            tx_end: change.tx_end,
        })
        .collect();
    assert_eq!(format!("{back:?}"), format!("{sent:?}"));
}

fn decode_knowing(frame: &[u8], log: &Log) -> Decoded {
    decode(frame, &mut |record, actor, seq| log.changes.get(&(*record, *actor, seq)).copied()).unwrap()
}

fn fields(i: usize) -> Vec<(&'static str, Scalar<'static>)> {
    let leak = |text: String| &*text.leak();
    vec![
        ("external_id", Scalar::Str(leak(format!("X{i:07}")))),
        ("name", Scalar::Str(leak(format!("Заря {} {i:06}", i % 7)))),
        ("city", Scalar::Str(["Москва", "Lviv", "Tver"][i % 3])),
        ("size", Scalar::Int((i * i % 1000) as i64)),
        ("active", Scalar::Bool(i.is_multiple_of(5))),
        ("closed", Scalar::Timestamp(1_500_000_000_000 + i as i64 * 86_400_000)),
        ("owner", Scalar::Bytes(if i.is_multiple_of(2) { &[1; 16] } else { &[9; 16] })),
    ]
}

/// Creating changes of one import and, for every third record, an edit that follows.
fn batch(count: usize) -> Vec<Sent> {
    let mut ids = RecordIds::new(0x1234_5678_9abc_def0);
    let actor = [0x11, 2, 3, 4, 5, 6, 7, 8];
    let mut sent = Vec::new();
    for i in 0..count {
        let now = 1_700_000_000_000 + i as i64 / 40;
        let record = ids.next_id(Millis(now));
        let ops: Vec<RootOp<'_>> = fields(i)
            .into_iter()
            .map(|(key, value)| RootOp { key, action: Action::Set, value, preds: vec![] })
            .collect();
        let create =
            build(&NewChange { deps: &[], actor: &actor, seq: 1, start_op: 1, time: now, ops: &ops, texts: &[] });
        sent.push(Sent::new(record, create.clone()));
        if i % 3 == 0 {
            let preds = vec![Pred { ctr: 3, actor: &actor }];
            let op = RootOp { key: "city", action: Action::Set, value: Scalar::Str("Київ"), preds };
            let editor = [0x20; 8];
            let edit = NewChange {
                deps: &[create.1],
                actor: &editor,
                seq: 1,
                start_op: 8,
                time: now + 5000,
                ops: &[op],
                texts: &[],
            };
            sent.push(Sent::new(record, build(&edit)));
        }
    }
    sent
}

#[test]
fn an_import_with_edits_comes_back_byte_for_byte_and_small() {
    let sent = batch(600);
    let frame = encode(&sent, &mut Log::default(), 3);
    assert_same(&sent, &decode_knowing(&frame, &Log::default()));
    let raw: usize = sent.iter().map(|change| change.raw.len()).sum();
    assert!(frame.len() * 20 < raw, "{} of {raw} bytes", frame.len());
}

#[test]
fn edits_of_records_that_the_receiver_holds_name_their_dependency() {
    let all = batch(90);
    let (creates, edits): (Vec<Sent>, Vec<Sent>) =
        all.into_iter().partition(|change| parse(&change.raw).unwrap().deps.is_empty());
    let mut log = Log::default();
    for create in &creates {
        log.changes.insert((create.record, ActorId([0x11, 2, 3, 4, 5, 6, 7, 8]), 1), create.hash);
    }
    let frame = encode(&edits, &mut log, 3);
    assert_same(&edits, &decode_knowing(&frame, &log));
    assert!(frame.len() < 400, "{} edits in {} bytes", edits.len(), frame.len());

    let mut forgetful = log.clone();
    forgetful.changes.remove(&(edits[20].record, ActorId([0x11, 2, 3, 4, 5, 6, 7, 8]), 1));
    let decoded = decode_knowing(&frame, &forgetful);
    let missing: Vec<usize> = decoded.missing.iter().map(|change| change.index).collect();
    assert!(missing.contains(&20) && missing.iter().all(|index| (16..30).contains(index)), "{missing:?}");
    assert_eq!(decoded.changes.len() + missing.len(), edits.len());

    let mut forked = log.clone();
    forked.changes.insert((edits[3].record, ActorId([0x11, 2, 3, 4, 5, 6, 7, 8]), 1), ChangeHash([3; 32]));
    let decoded = decode_knowing(&frame, &forked);
    assert!(decoded.missing.iter().any(|change| change.index == 3));
    assert!(decoded.changes.iter().all(|change| change.hash == edits[change.index].hash));
}

#[test]
fn bindings_travel_with_the_first_batch_that_uses_their_actor() {
    let sent = batch(4);
    let actor = ActorId([0x11, 2, 3, 4, 5, 6, 7, 8]);
    let binding = Binding {
        actor,
        device: DeviceId([7; 8]),
        device_name: "склад-2".into(),
        person: RecordId([5; 16]),
        batch: Some(BatchId([6; 16])),
        signature: [9; 64],
    };
    let mut log = Log { bindings: HashMap::from([(actor, binding.clone())]), ..Log::default() };
    let decoded = decode_knowing(&encode(&sent, &mut log, 3), &log);
    assert_eq!(decoded.bindings, [binding]);
    assert_eq!(decoded.records[0].1, "account");
}

#[test]
fn long_texts_and_counters_travel_as_values() {
    let mut sent = Vec::new();
    for i in 0..50u8 {
        let record = RecordId([i; 16]);
        let notes = genesis_actor(&record, "notes");
        let visits = genesis_actor(&record, "visits");
        let deps = [chunk::build_text_genesis(&notes, "notes").1, chunk::build_counter_genesis(&visits, "visits").1];
        let ops = [
            RootOp { key: "name", action: Action::Set, value: Scalar::Int(i.into()), preds: vec![] },
            RootOp {
                key: "visits",
                action: Action::Increment,
                value: Scalar::Int(2),
                preds: vec![Pred { ctr: 1, actor: &visits }],
            },
        ];
        let text = format!("позвонить {i}, потом выслать договор");
        let texts = [InitialText { genesis: &notes, text: &text }];
        let new = NewChange { deps: &deps, actor: &[4; 8], seq: 1, start_op: 2, time: 5, ops: &ops, texts: &texts };
        sent.push(Sent::new(record, build(&new)));
    }
    let frame = encode(&sent, &mut Log::default(), 3);
    assert_same(&sent, &decode_knowing(&frame, &Log::default()));
    let ids = 50 * 16;
    assert!(frame.len() < ids + 400, "{} bytes", frame.len());
}

#[test]
fn changes_that_fit_no_shape_come_back_too() {
    let mut sent = batch(10);
    for i in 0..30u8 {
        let record = RecordId([i; 16]);
        let actor = if i == 7 { vec![i; 16] } else { vec![i; 8] };
        let mut doc = Automerge::new().with_actor(automerge::ActorId::from(actor));
        doc.transact_with::<_, _, AutomergeError, _>(
            |_| CommitOptions::default().with_time(1_700_000_000_000).with_message("by hand"),
            |tx| {
                let list = tx.put_object(ROOT, "list", ObjType::List)?;
                tx.insert(&list, 0, i64::from(i))?;
                tx.put(ROOT, "name", "x")
            },
        )
        .unwrap();
        let first = doc.get_last_local_change().unwrap();
        sent.push(Sent::new(record, (first.raw_bytes().to_vec(), ChangeHash(first.hash().0))));
        doc.transact::<_, _, AutomergeError>(|tx| {
            let (_, list) = tx.get(ROOT, "list")?.unwrap();
            tx.insert(&list, 1, 3.5)
        })
        .unwrap();
        let second = doc.get_last_local_change().unwrap();
        sent.push(Sent::new(record, (second.raw_bytes().to_vec(), ChangeHash(second.hash().0))));
    }
    for level in [1, 9] {
        assert_same(&sent, &decode_knowing(&encode(&sent, &mut Log::default(), level), &Log::default()));
    }
}

#[test]
fn items_of_sets_and_lines_are_values_though_they_are_part_of_keys() {
    let mut sent = Vec::new();
    for i in 0..200 {
        let keys =
            [format!("phones/+7495{:07}", 31 * i), format!("phones/+7812{:07}", 77 * i), format!("lines/{i}/qty")];
        let kept = &keys[usize::from(i % 4 == 0)..];
        let ops: Vec<RootOp<'_>> = kept
            .iter()
            .map(|key| RootOp { key, action: Action::Set, value: Scalar::Bool(true), preds: vec![] })
            .collect();
        let notes = genesis_actor(&RecordId([(i % 9) as u8; 16]), "notes");
        let texts = [InitialText { genesis: &notes, text: "звонил" }];
        let texts = if i % 3 == 0 { &texts[..] } else { &[] };
        let new = NewChange { deps: &[], actor: &[4; 8], seq: i, start_op: 1, time: 5, ops: &ops, texts };
        sent.push(Sent::new(RecordId([(i % 9) as u8; 16]), build(&NewChange { seq: i + 1, ..new })));
    }
    let frame = encode(&sent, &mut Log::default(), 3);
    assert_same(&sent, &decode_knowing(&frame, &Log::default()));
    assert!(frame.len() < 200 * 10, "{} bytes", frame.len());
}

#[test]
fn a_batch_is_bounded() {
    let mut encoder = Encoder::new(3);
    assert!(encoder.has_room(5_000, 8 << 20));
    assert!(!encoder.has_room(5_001, 0));
    assert!(!encoder.has_room(1, 9 << 20));
    let broken = Outgoing {
        record: RecordId([1; 16]),
        collection: "account",
        raw: &[1, 2, 3],
        hash: ChangeHash([0; 32]),
        tx_end: true,
    };
    assert_eq!(encoder.push(&broken, &mut Log::default()).unwrap_err().code(), "change_malformed");
    assert!(encoder.is_empty());
}

fn values() -> impl Strategy<Value = Vec<(String, i64, String, u8)>> {
    proptest::collection::vec(("[a-d]{1,2}(/[a-c]{0,2}){0,2}", any::<i64>(), "[a-z0-9 ]{0,12}", 0u8..9), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_flat_changes_come_back(changes in proptest::collection::vec((values(), 0u8..4, 1u64..4, any::<i32>(), 0usize..3), 0..40)) {
        let mut sent: Vec<Sent> = Vec::new();
        for (values, record, seq, time, deps) in changes {
            let record = RecordId([record; 16]);
            let own = [record.0[0]; 8];
            let genesis = genesis_actor(&record, "a");
            let preds = |n: u8| match n {
                6 => vec![Pred { ctr: seq, actor: &own[..] }],
                7 => vec![Pred { ctr: 3, actor: &[66; 8][..] }, Pred { ctr: 3, actor: &[77; 8][..] }],
                8 => vec![Pred { ctr: 1, actor: &genesis[..] }],
                _ => vec![],
            };
            let value = |n: u8, number: i64, text| match n {
                0 => Scalar::Null,
                1 => Scalar::Bool(number > 0),
                2 => Scalar::Uint(number as u64),
                3 => Scalar::Float(number as f64),
                4 => Scalar::Timestamp(number),
                5 => Scalar::Counter(number),
                6 => Scalar::Int(number),
                _ => Scalar::Str(text),
            };
            let ops: Vec<RootOp<'_>> = values.iter().map(|(key, number, text, n)| RootOp {
                key, action: Action::Set, value: value(*n, *number, text), preds: preds(*n),
            }).collect();
            let mut deps: Vec<ChangeHash> = sent.iter().rev().filter(|c| c.record == record).take(deps).map(|c| c.hash).collect();
            deps.sort();
            deps.dedup();
            let new = NewChange { deps: &deps, actor: &own, seq, start_op: 2, time: i64::from(time), ops: &ops, texts: &[] };
            sent.push(Sent::new(record, build(&new)));
        }
        // One actor may not use a sequence number twice in a record: then the second one has no name.
        let mut names = std::collections::HashSet::new();
        sent.retain(|c| { let chunk = parse(&c.raw).unwrap(); names.insert((c.record, chunk.actor.to_vec(), chunk.seq)) });
        let mut log = Log::default();
        let frame = encode(&sent, &mut log, 3);
        assert_same(&sent, &decode_knowing(&frame, &log));
    }

    #[test]
    fn damaged_batches_are_refused_or_read_but_never_panic(at: usize, bit in 0u8..8, cut in 0usize..30, extra in proptest::collection::vec(any::<u8>(), 0..4)) {
        // Small enough to travel without zstd, whose own check would hide what lies behind it.
        for frame in [encode(&batch(1), &mut Log::default(), 3), encode(&batch(40), &mut Log::default(), 3), plain(&batch(9))] {
            let mut bad = frame.clone();
            let at = at % bad.len();
            bad[at] ^= 1 << bit;
            bad.truncate(bad.len() - cut.min(bad.len()));
            bad.extend_from_slice(&extra);
            let _ = decode(&bad, &mut |_, _, _| Some(ChangeHash([1; 32])));
        }
    }
}

/// The batch with its text half as it is: method 1 instead of zstd.
fn plain(sent: &[Sent]) -> Vec<u8> {
    let frame = encode(sent, &mut Log::default(), 3);
    let number = |bytes: &[u8]| {
        let len = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
        let value = bytes[..len].iter().rev().fold(0usize, |value, byte| value << 7 | usize::from(byte & 0x7f));
        (value, len)
    };
    assert_eq!(frame[0], 2);
    let (bits, len) = number(&frame[1..]);
    let behind_bits = 1 + len + bits;
    let (text, len) = number(&frame[behind_bits..]);
    let mut out = frame[..behind_bits].to_vec();
    out[0] = 1;
    out.extend(zstd::bulk::decompress(&frame[behind_bits + len..], text).unwrap());
    assert_same(sent, &decode(&out, &mut |_, _, _| None).unwrap());
    out
}

/// Version 1 is on other people's disks and sticks: what it wrote must stay readable.
#[test]
fn golden_batch_of_version_1_reads() {
    let golden = data_encoding::HEXLOWER.decode(include_str!("golden/batch.hex").trim().as_bytes()).unwrap();
    assert_same(&batch(12), &decode(&golden, &mut |_, _, _| None).unwrap());
}
