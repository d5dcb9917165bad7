//! Change chunks against Automerge itself: what it writes is what `build` writes, and `flat_ops` gives it back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, AutomergeError, ObjType, ROOT, ReadDoc, ScalarValue};
use branchline_core::id::RecordId;
use branchline_core::wire::chunk::{
    self, Action, InitialText, NewChange, Pred, RootOp, Scalar, build, flat_ops, genesis_actor, parse, root_ops,
};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

#[derive(Debug, Clone)]
enum Step {
    Put(&'static str, ScalarValue),
    Delete(&'static str),
    Increment(&'static str, i64),
}

const KEYS: [&str; 6] = ["name", "city", "tags/vip", "size", "~archived", "имя"];

fn scalar() -> impl Strategy<Value = ScalarValue> {
    prop_oneof![
        Just(ScalarValue::Null),
        any::<bool>().prop_map(ScalarValue::Boolean),
        any::<i64>().prop_map(ScalarValue::Int),
        any::<u64>().prop_map(ScalarValue::Uint),
        any::<f64>().prop_map(ScalarValue::F64),
        any::<i64>().prop_map(ScalarValue::Timestamp),
        (-1000i64..1000).prop_map(ScalarValue::counter),
        "[a-zа-я]{0,200}".prop_map(|s| ScalarValue::Str(s.into())),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(ScalarValue::Bytes),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let key = proptest::sample::select(&KEYS[..]);
    prop_oneof![
        4 => (key.clone(), scalar()).prop_map(|(k, v)| Step::Put(k, v)),
        1 => key.clone().prop_map(Step::Delete),
        1 => (key, -5i64..5).prop_map(|(k, n)| Step::Increment(k, n)),
    ]
}

/// A session: who writes, from whose state (merged or not), and what.
fn sessions() -> impl Strategy<Value = Vec<(usize, bool, Vec<Step>)>> {
    proptest::collection::vec((0usize..3, any::<bool>(), proptest::collection::vec(step(), 1..12)), 1..8)
}

fn apply(doc: &mut Automerge, time: i64, steps: &[Step]) {
    doc.transact_with::<_, _, AutomergeError, _>(
        |_| CommitOptions::default().with_time(time),
        |tx| {
            for step in steps {
                match step {
                    Step::Put(key, value) => tx.put(ROOT, *key, value.clone())?,
                    Step::Delete(key) => tx.delete(ROOT, *key)?,
                    Step::Increment(key, by) => {
                        let counter = matches!(tx.get(ROOT, *key)?, Some((automerge::Value::Scalar(v), _)) if matches!(*v, ScalarValue::Counter(_)));
                        if counter {
                            tx.increment(ROOT, *key, *by)?;
                        }
                    }
                }
            }
            Ok(())
        },
    )
    .unwrap();
}

fn rebuilt(raw: &[u8]) -> Vec<u8> {
    let chunk = parse(raw).unwrap();
    let ops = flat_ops(&chunk).expect("a flat change");
    let new = NewChange {
        deps: &chunk.deps,
        actor: chunk.actor,
        seq: chunk.seq,
        start_op: chunk.start_op,
        time: chunk.time,
        ops: &ops.root,
        texts: &ops.texts,
    };
    let (again, hash) = build(&new);
    assert_eq!(hash, chunk.hash);
    again
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_flat_change_of_automerge_is_rebuilt_byte_for_byte(sessions in sessions(), times in proptest::collection::vec(-(1i64 << 40)..(1i64 << 50), 8)) {
        let actors = [vec![9u8; 8], vec![1, 2, 3, 4, 5, 6, 7, 8], vec![200; 8]];
        let mut docs: Vec<Automerge> = actors.iter().map(|a| Automerge::new().with_actor(ActorId::from(a.clone()))).collect();
        let mut newest = Automerge::new();
        for (i, (who, merged, steps)) in sessions.iter().enumerate() {
            if *merged {
                docs[*who].merge(&mut newest).unwrap();
            }
            apply(&mut docs[*who], times[i], steps);
            newest.merge(&mut docs[*who]).unwrap();
        }
        let reloaded = Automerge::load(&newest.save()).unwrap();
        for change in newest.get_changes(&[]).into_iter().chain(reloaded.get_changes(&[])) {
            let raw = change.raw_bytes();
            prop_assert_eq!(rebuilt(raw), raw);
            let chunk = parse(raw).unwrap();
            prop_assert_eq!(chunk.hash.0, change.hash().0);
            prop_assert_eq!(root_ops(&chunk).unwrap().len(), change.len());
            prop_assert_eq!(chunk.seq, change.seq());
            prop_assert_eq!(chunk.time, change.timestamp());
        }
    }

    #[test]
    fn what_we_build_automerge_reads_alike(values in proptest::collection::btree_map("[a-z]{1,12}", scalar(), 1..40), time in 0i64..(1 << 45)) {
        let ops: Vec<RootOp<'_>> = values.iter().map(|(key, value)| RootOp { key, action: Action::Set, value: borrowed(value), preds: vec![] }).collect();
        let (raw, hash) = build(&NewChange { deps: &[], actor: &[7; 8], seq: 1, start_op: 1, time, ops: &ops, texts: &[] });
        let mut doc = Automerge::new();
        doc.apply_changes([automerge::Change::from_bytes(raw.clone()).unwrap()]).unwrap();
        prop_assert_eq!(doc.get_heads(), vec![automerge::ChangeHash(hash.0)]);
        let seen: BTreeMap<String, ScalarValue> = doc.keys(ROOT).map(|key| {
            let (value, _) = doc.get(ROOT, &key).unwrap().unwrap();
            (key, value.as_scalar().unwrap().clone())
        }).collect();
        prop_assert_eq!(format!("{seen:?}"), format!("{values:?}"));
        let chunk = parse(&raw).unwrap();
        prop_assert_eq!(format!("{:?}", root_ops(&chunk).unwrap()), format!("{ops:?}"));
    }

    #[test]
    fn damaged_chunks_are_refused_or_read_but_never_panic(at in 8usize..400, with: u8, cut in 0usize..40, fix: bool) {
        for raw in samples() {
            let mut bad = raw.clone();
            let at = 8 + at % (bad.len() - 8);
            bad[at] ^= with;
            bad.truncate(bad.len() - cut.min(bad.len()));
            if fix && bad.len() > 8 {
                let digest = Sha256::digest(&bad[8..]);
                bad[4..8].copy_from_slice(&digest[..4]);
            }
            match parse(&bad) {
                Err(_) => {}
                // A change that is read as flat has no second encoding.
                Ok(chunk) => if flat_ops(&chunk).is_some() {
                    prop_assert_eq!(rebuilt(&bad), bad);
                }
            }
        }
    }

    #[test]
    fn initial_texts_are_what_automerge_splices(first in "[a-zа-яё😀]{0,90}", second in "[a-z]{1,3}", puts in 0usize..3) {
        let record = RecordId([3; 16]);
        let texts = [("notes", first.as_str()), ("story", second.as_str())];
        let (doc, raw) = with_texts(record, &texts, puts);
        let chunk = parse(&raw).unwrap();
        let ops = flat_ops(&chunk).expect("flat");
        let genesis: Vec<[u8; 16]> = texts.iter().map(|(field, _)| genesis_actor(&record, field)).collect();
        let expected: Vec<InitialText<'_>> = texts.iter().zip(&genesis)
            .filter(|((_, text), _)| !text.is_empty())
            .map(|((_, text), genesis)| InitialText { genesis, text }).collect();
        prop_assert_eq!(&ops.texts, &expected);
        prop_assert_eq!(ops.root.len(), puts);
        prop_assert_eq!(rebuilt(&raw), raw);
        drop(doc);
    }
}

fn borrowed(value: &ScalarValue) -> Scalar<'_> {
    match value {
        ScalarValue::Null => Scalar::Null,
        ScalarValue::Boolean(b) => Scalar::Bool(*b),
        ScalarValue::Int(n) => Scalar::Int(*n),
        ScalarValue::Uint(n) => Scalar::Uint(*n),
        ScalarValue::F64(x) => Scalar::Float(*x),
        ScalarValue::Timestamp(n) => Scalar::Timestamp(*n),
        ScalarValue::Counter(c) => Scalar::Counter(i64::from(c)),
        ScalarValue::Str(s) => Scalar::Str(s),
        ScalarValue::Bytes(b) => Scalar::Bytes(b),
        ScalarValue::Unknown { .. } => unreachable!("not generated"),
    }
}

/// A document whose last change sets some keys and fills two genesis texts, and that change's bytes.
fn with_texts(record: RecordId, texts: &[(&str, &str)], puts: usize) -> (Automerge, Vec<u8>) {
    let mut doc = Automerge::new().with_actor(ActorId::from(vec![100u8; 8]));
    for (field, _) in texts {
        let (raw, _) = chunk::build_text_genesis(&genesis_actor(&record, field), field);
        doc.apply_changes([automerge::Change::from_bytes(raw).unwrap()]).unwrap();
    }
    doc.transact::<_, _, AutomergeError>(|tx| {
        for (i, key) in KEYS.iter().enumerate().take(puts) {
            tx.put(ROOT, *key, i as i64)?;
        }
        for (field, text) in texts {
            let (_, object) = tx.get(ROOT, *field)?.unwrap();
            tx.splice_text(&object, 0, 0, text)?;
        }
        Ok(())
    })
    .unwrap();
    for (field, text) in texts {
        let (_, object) = doc.get(ROOT, *field).unwrap().unwrap();
        assert_eq!(doc.text(&object).unwrap(), *text);
    }
    let raw = doc.get_last_local_change().unwrap().raw_bytes().to_vec();
    (doc, raw)
}

/// Chunks of several kinds: a create, an edit with predecessors, texts, and one that is not flat.
fn samples() -> Vec<Vec<u8>> {
    let mut doc = Automerge::new().with_actor(ActorId::from(vec![5u8; 8]));
    apply(&mut doc, 1_700_000_000_000, &[Step::Put("name", "x".into()), Step::Put("size", ScalarValue::counter(3))]);
    let mut other = doc.fork().with_actor(ActorId::from(vec![4u8; 8]));
    apply(&mut other, 1_700_000_000_001, &[Step::Put("name", "y".into())]);
    apply(&mut doc, 1_700_000_000_001, &[Step::Put("name", "z".into())]);
    doc.merge(&mut other).unwrap();
    apply(&mut doc, 1_700_000_000_002, &[Step::Delete("name"), Step::Increment("size", 2)]);
    let mut raws: Vec<Vec<u8>> = doc.get_changes(&[]).iter().map(|c| c.raw_bytes().to_vec()).collect();
    raws.push(with_texts(RecordId([8; 16]), &[("notes", "привет"), ("story", "x")], 2).1);
    let mut nested = Automerge::new();
    nested
        .transact::<_, _, AutomergeError>(|tx| {
            let list = tx.put_object(ROOT, "list", ObjType::List)?;
            tx.insert(&list, 0, 1)
        })
        .unwrap();
    raws.push(nested.get_last_local_change().unwrap().raw_bytes().to_vec());
    raws
}

#[test]
fn nested_objects_parse_but_are_not_flat() {
    let raw = samples().pop().unwrap();
    assert!(flat_ops(&parse(&raw).unwrap()).is_none());
}

#[test]
fn predecessors_keep_actor_and_order() {
    let raw = samples().remove(3);
    let chunk = parse(&raw).unwrap();
    let ops = root_ops(&chunk).unwrap();
    let name = ops.iter().find(|op| op.key == "name").unwrap();
    assert_eq!(name.action, Action::Delete);
    assert_eq!(name.preds, [Pred { ctr: 3, actor: &[4; 8] }, Pred { ctr: 3, actor: &[5; 8] }]);
}

#[test]
fn a_flipped_bit_is_seen_by_the_checksum() {
    for raw in samples() {
        for at in 0..raw.len() {
            let mut bad = raw.clone();
            bad[at] ^= 1;
            assert!(parse(&bad).is_err(), "byte {at}");
        }
    }
}

#[test]
fn genesis_changes_are_golden() {
    let record = RecordId([1; 16]);
    let text = chunk::build_text_genesis(&genesis_actor(&record, "notes"), "notes");
    let counter = chunk::build_counter_genesis(&genesis_actor(&record, "visits"), "visits");
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    assert_eq!(hex(&text.0), include_str!("golden/genesis_text.hex").trim());
    assert_eq!(hex(&counter.0), include_str!("golden/genesis_counter.hex").trim());
    for raw in [text.0, counter.0] {
        assert_eq!(rebuilt(&raw), raw);
        Automerge::new().apply_changes([automerge::Change::from_bytes(raw).unwrap()]).unwrap();
    }
}
