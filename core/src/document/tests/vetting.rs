//! The door: what gets in, what does not and why, and that nothing which gets in can hurt.

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::fixture::*;
use super::script::*;
use crate::document::{Edit, Foreign, Refusal, State, Vetted, bridge, create, derived_id, vet};
use crate::id::{ActorId, ChangeHash, RecordId};
use crate::limits::{CHANGE_BYTES_MAX, CHANGE_OPS_MAX, OP_COUNTER_MAX};
use crate::schema::{Collection, Value};
use crate::wire::chunk::{
    Action, GenesisKind, InitialText, NewChange, Pred, RootOp, Scalar, build, build_genesis, genesis_actor, hash,
};

fn judge(raw: &[u8], state: Option<&State>) -> Result<Vetted, Refusal> {
    judge_in(&deals(), record(), raw, state)
}

fn judge_in(collection: &Collection, record: RecordId, raw: &[u8], state: Option<&State>) -> Result<Vetted, Refusal> {
    vet(Foreign { record, collection, raw, hash: hash(raw).unwrap_or_default() }, state)
}

fn op<'a>(key: &'a str, value: Scalar<'a>) -> RootOp<'a> {
    RootOp { key, action: Action::Set, value, preds: Vec::new() }
}

/// A creating change of these operations, written by hand.
fn raw_create(ops: &[RootOp<'_>]) -> Vec<u8> {
    let actor = person(2);
    build(&NewChange { deps: &[], actor: actor.as_bytes(), seq: 1, start_op: 1, time: NOW, ops, texts: &[] }).0
}

struct RawEdit<'a> {
    deps: Vec<ChangeHash>,
    actor: ActorId,
    seq: u64,
    start_op: u64,
    time: i64,
    ops: Vec<RootOp<'a>>,
}

/// An edit of `name` as it should be, for a test to spoil.
fn raw_edit<'a>(state: &State, pred_actor: &'a ActorId) -> RawEdit<'a> {
    let preds = vec![Pred { ctr: 1, actor: pred_actor.as_bytes() }];
    let ops = vec![RootOp { key: "name", action: Action::Set, value: Scalar::Str("b"), preds }];
    RawEdit { deps: state.heads().to_vec(), actor: person(4), seq: 1, start_op: 2, time: NOW + 1, ops }
}

impl RawEdit<'_> {
    fn build(&self) -> Vec<u8> {
        let Self { deps, seq, start_op, time, ops, .. } = self;
        let actor = self.actor.as_bytes();
        build(&NewChange { deps, actor, seq: *seq, start_op: *start_op, time: *time, ops, texts: &[] }).0
    }
}

#[test]
fn a_created_record_and_its_edits_get_in_on_a_replica_that_knows_nothing() {
    let mut source =
        created(&[("name", text("a")), ("notes", text("long")), ("visits", Value::Integer(2))], person(2), 0);
    then(&mut source, &[set("name", text("b")), Edit::Increment(name("visits"), 1)], person(4), 1);
    then(&mut source, &[set("notes", text("longer"))], person(2), 2);
    let mut here: Option<State> = None;
    for change in source.changes() {
        let vetted = judge(change.raw(), here.as_ref()).unwrap();
        here.get_or_insert_with(|| State::new(record())).apply(&vetted).unwrap();
    }
    assert_eq!(seen(&here.unwrap()), seen(&source));
}

#[test]
fn fields_of_a_newer_schema_get_in_and_come_back_unchanged() {
    let mut older = deals();
    let newer = ["name", "tags", "lines", "visits", "notes"];
    older.fields = older.fields.iter().filter(|field| !newer.contains(&&*field.name)).cloned().collect();
    let mut source = created(&[("name", text("a")), ("stage", text("open")), ("notes", text("long"))], person(2), 0);
    let edits = [
        set("name", Value::Null),
        Edit::Add(name("tags"), "x".into()),
        Edit::SetLine { field: name("lines"), line: "l1".into(), sub: name("qty"), value: Value::Integer(1) },
        Edit::Increment(name("visits"), 1),
        set("notes", text("not so long")),
    ];
    then(&mut source, &edits, person(4), 1);
    let mut here = State::new(record());
    for change in source.changes() {
        here.apply(&judge_in(&older, record(), change.raw(), Some(&here)).unwrap()).unwrap();
    }
    assert_eq!(older.named(here.values(&older)), values(&[("stage", text("open"))]));
    assert_eq!(seen(&here), seen(&source));
}

#[test]
fn values_that_are_none_of_their_fields_are_refused() {
    let long = "x".repeat(20_000);
    for (key, value) in [
        ("name", Scalar::Int(1)),
        ("name", Scalar::Str(&long)),
        ("score", Scalar::Str("1")),
        ("rate", Scalar::Str("1.50")),
        ("amount", Scalar::Str("12 usd")),
        ("amount", Scalar::Str("+12 USD")),
        ("first_seen", Scalar::Int(i64::MAX)),
        ("met_at", Scalar::Int(5)),
        ("branch", Scalar::Bytes(&[1, 2, 3])),
        ("tags/x", Scalar::Bool(false)),
        ("lines/l1/qty", Scalar::Str("2")),
        ("place", Scalar::Str("91000000,0")),
        ("contract", Scalar::Str("../../etc/passwd")),
        ("notes", Scalar::Str("a plain text where a mergeable one belongs")),
        ("visits", Scalar::Int(5)),
        ("~archived", Scalar::Str("yes")),
        ("~merged_into", Scalar::Bytes(&[0; 15])),
    ] {
        let refusal = judge(&raw_create(&[op(key, value)]), None).map(|_| ()).unwrap_err();
        assert_eq!(refusal, Refusal::Type { field: key.to_owned() }, "{value:?}");
    }
}

#[test]
fn keys_that_no_schema_can_mean_are_refused() {
    let long = format!("tags/{}", "x".repeat(300));
    for key in
        ["", "Name", "na me", "name/x", "tags", "tags/", "lines/l1", "lines//qty", "people/nobody", "~", "~A", &long]
    {
        let refusal = judge(&raw_create(&[op(key, Scalar::Bool(true))]), None).map(|_| ()).unwrap_err();
        assert!(matches!(refusal, Refusal::Key { .. }), "{key}: {refusal:?}");
    }
}

#[test]
fn operations_beyond_the_protocol_are_refused() {
    let make = RootOp { key: "extra", action: Action::Make(0), value: Scalar::Null, preds: Vec::new() };
    assert_eq!(judge(&raw_create(&[make]), None).map(|_| ()), Err(Refusal::Unsupported));
    for value in [Scalar::Uint(1), Scalar::Float(1.5), Scalar::Counter(3)] {
        assert_eq!(judge(&raw_create(&[op("extra", value)]), None).map(|_| ()), Err(Refusal::Unsupported));
    }
    let twice = [op("name", Scalar::Str("a")), op("name", Scalar::Str("b"))];
    assert!(matches!(judge(&raw_create(&twice), None), Err(Refusal::Predecessors { .. })));
    let removal = RootOp { key: "tags/x", action: Action::Delete, value: Scalar::Null, preds: Vec::new() };
    assert!(matches!(judge(&raw_create(&[removal]), None), Err(Refusal::Predecessors { .. })));
}

#[test]
fn what_does_not_follow_from_the_dependencies_is_refused() {
    let state = created(&[("name", text("a"))], person(2), 0);
    let first = person(2);
    let good = || raw_edit(&state, &first);
    assert!(judge(&good().build(), Some(&state)).is_ok());
    let check = |raw: RawEdit<'_>, expected: Refusal| {
        assert_eq!(judge(&raw.build(), Some(&state)).map(|_| ()), Err(expected));
    };
    check(RawEdit { seq: 2, ..good() }, Refusal::Order { part: "sequence" });
    check(RawEdit { start_op: 1, ..good() }, Refusal::Order { part: "counter" });
    check(RawEdit { start_op: 1 << 29, ..good() }, Refusal::Order { part: "counter" });
    check(RawEdit { time: NOW, ..good() }, Refusal::Order { part: "time" });
    check(RawEdit { actor: person(2), seq: 1, ..good() }, Refusal::Fork { actor: person(2), seq: 1 });
    let elsewhere = ChangeHash([7; 32]);
    check(RawEdit { deps: vec![elsewhere], ..good() }, Refusal::Missing { deps: vec![elsewhere] });
    let mut blind = good();
    blind.ops[0].preds.clear();
    check(blind, Refusal::Predecessors { field: "name".into() });
    let mut wrong = good();
    wrong.ops[0].preds[0].ctr = 9;
    check(wrong, Refusal::Predecessors { field: "name".into() });
    let mut key = good();
    key.ops = vec![op("~key", Scalar::Str("name"))];
    check(key, Refusal::Type { field: "~key".into() });
}

#[test]
fn an_edit_is_judged_by_what_its_author_saw_not_by_what_is_here() {
    let base = created(&[("name", text("a"))], person(2), 0);
    let mine = edited(&base, &[set("name", text("mine"))], person(4), 1);
    let theirs = edited(&base, &[set("name", text("theirs"))], person(6), 2);
    let mut here = base;
    here.apply(&mine).unwrap();
    assert!(judge(theirs.raw(), Some(&here)).is_ok());
}

#[test]
fn counters_and_texts_must_stand_on_their_genesis() {
    let state = created(&[("name", text("a"))], person(2), 0);
    let genesis = genesis_actor(&record(), "visits");
    let increment = |by| RootOp {
        key: "visits",
        action: Action::Increment,
        value: Scalar::Int(by),
        preds: vec![Pred { ctr: 1, actor: &genesis }],
    };
    let without_genesis = RawEdit { ops: vec![increment(1)], ..raw_edit(&state, &person(2)) };
    assert!(matches!(judge(&without_genesis.build(), Some(&state)), Err(Refusal::Predecessors { .. })));
    let huge = RawEdit { ops: vec![increment(i64::MAX)], ..raw_edit(&state, &person(2)) };
    assert_eq!(judge(&huge.build(), Some(&state)).map(|_| ()), Err(Refusal::Limit { part: "counter" }));
    let mark = RawEdit { ops: vec![op("~text/notes", Scalar::Bool(true))], ..raw_edit(&state, &person(2)) };
    assert!(matches!(judge(&mark.build(), Some(&state)), Err(Refusal::Predecessors { .. })));
}

#[test]
fn what_is_beyond_a_bound_of_size_counter_or_operations_is_refused_before_anything_is_made_of_it() {
    let state = created(&[("name", text("a"))], person(2), 0);
    let first = person(2);
    let far = RawEdit { start_op: OP_COUNTER_MAX + 1, ..raw_edit(&state, &first) };
    let many = RawEdit { seq: OP_COUNTER_MAX + 1, ..raw_edit(&state, &first) };
    let long = "x".repeat(CHANGE_BYTES_MAX);
    for raw in [far.build(), many.build(), raw_create(&[op("name", Scalar::Str(&long))])] {
        assert_eq!(judge(&raw, Some(&state)).map(|_| ()).unwrap_err().code(), "change_limit");
    }
    let (genesis, typed) = (genesis_actor(&record(), "notes"), "y".repeat(CHANGE_OPS_MAX + 1));
    let texts = [InitialText { genesis: &genesis, text: &typed }];
    let (deps, actor) = ([build_genesis(GenesisKind::Text, &genesis, "notes").1], person(2));
    let change =
        NewChange { deps: &deps, actor: actor.as_bytes(), seq: 1, start_op: 2, time: NOW, ops: &[], texts: &texts };
    assert!(judge(&build(&change).0, None).is_err());
}

#[test]
fn a_derived_id_must_be_the_one_of_its_key() {
    let collection = deals();
    let branch = RecordId([4; 16]);
    let keyed =
        values(&[("name", text(" ACME  Ltd")), ("external_id", text("X7")), ("branch", Value::Reference(branch))]);
    let key = values(&[("external_id", text("x7")), ("name", text("acme ltd"))]);
    let id = derived_id(&collection, &key, Some(branch));
    let fields = [name("name"), name("external_id")];
    let change = create(id, &collection, &keyed, Some(&fields), &author(person(2), 0)).unwrap();
    assert!(judge_in(&collection, id, change.raw(), None).is_ok());
    for elsewhere in [record(), derived_id(&collection, &key, Some(RecordId([5; 16]))), RecordId::derived(&[b"guess"])]
    {
        let refusal = judge_in(&collection, elsewhere, change.raw(), None).map(|_| ());
        assert_eq!(refusal, Err(Refusal::DerivedId));
        assert!(create(elsewhere, &collection, &keyed, Some(&fields), &author(person(2), 0)).is_err());
    }
    let unkeyed = raw_create(&[op("name", Scalar::Str("a"))]);
    assert_eq!(judge_in(&collection, id, &unkeyed, None).map(|_| ()), Err(Refusal::DerivedId));
    assert!(judge_in(&collection, record(), &unkeyed, None).is_ok());
}

#[test]
fn a_record_made_twice_under_one_key_is_one_record_without_conflict() {
    let collection = deals();
    let keyed = values(&[("external_id", text("X7")), ("stage", text("open"))]);
    let id = derived_id(&collection, &values(&[("external_id", text("X7"))]), None);
    let make = |actor, at| create(id, &collection, &keyed, Some(&[name("external_id")]), &author(actor, at)).unwrap();
    let (one, other) = (make(import(2), 5), make(import(4), 3));
    let mut state = State::new(id);
    for change in [&one, &other] {
        state.apply(&judge_in(&collection, id, change.raw(), Some(&state)).unwrap()).unwrap();
    }
    assert_eq!(state.conflicts(&collection), vec![]);
    assert_eq!((state.heads().len(), state.created().actor), (2, import(4)));
}

#[test]
fn every_refusal_has_words_and_a_stable_code() {
    use crate::message::Language;
    let state = created(&[("name", text("a"))], person(2), 0);
    let malformed = judge(b"\x85\x6f\x4a\x83 no chunk", None).map(|_| ()).unwrap_err();
    let refusals = [
        (malformed, "change_hash_differs"),
        (judge(&raw_edit(&state, &person(2)).build(), None).map(|_| ()).unwrap_err(), "change_missing"),
        (Refusal::Fork { actor: person(2), seq: 1 }, "change_fork"),
        (Refusal::Unloadable, "change_unloadable"),
        (Refusal::Unsupported, "change_unsupported"),
        (Refusal::Key { key: "k".into() }, "change_key"),
        (Refusal::Type { field: "f".into() }, "change_type"),
        (Refusal::Predecessors { field: "f".into() }, "change_predecessors"),
        (Refusal::Order { part: "time" }, "change_order"),
        (Refusal::DerivedId, "change_derived_id"),
        (Refusal::Limit { part: "text" }, "change_limit"),
    ];
    for (refusal, code) in refusals {
        assert_eq!(refusal.code(), code);
        for language in Language::ALL {
            assert!(!refusal.message().render(language).is_empty());
            assert!(!refusal.message().render_advice(language).is_empty());
        }
    }
}

// Sets checksum and hash right again, as somebody would who means harm.
fn sealed(mut raw: Vec<u8>) -> Vec<u8> {
    let digest: [u8; 32] = Sha256::digest(&raw[8..]).into();
    raw[4..8].copy_from_slice(&digest[..4]);
    raw
}

fn check_mutant(mutant: &[u8], state: Option<&State>) -> Result<(), TestCaseError> {
    let Ok(vetted) = judge(mutant, state) else { return Ok(()) };
    prop_assert_eq!(bridge::admits(state, &record(), &vetted), Ok(()));
    let mut after = state.cloned().unwrap_or_else(|| State::new(record()));
    after.apply(&vetted).unwrap();
    let raws = after.changes().iter().map(|change| change.raw().to_vec());
    prop_assert_eq!(seen(&State::rebuild(record(), raws).unwrap()), seen(&after));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_damaged_change_never_panics_and_never_gets_in_unless_automerge_reloads_it(
        script in scripts(12, true),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..8u32), 1..40),
        cut in any::<prop::sample::Index>(),
    ) {
        let changes = all_changes(&play(&script));
        for (which, place, bit) in flips {
            let at = which.index(changes.len());
            let before = (at > 0).then(|| state(&changes[..at]));
            let mut raw = changes[at].raw().to_vec();
            let place = 8 + place.index(raw.len() - 8);
            raw[place] ^= 1 << bit;
            check_mutant(&sealed(raw.clone()), before.as_ref())?;
            let unsealed = vet(
                Foreign { record: record(), collection: &deals(), raw: &raw, hash: changes[at].hash() },
                before.as_ref(),
            );
            prop_assert_eq!(unsealed.map(|_| ()), Err(Refusal::Hash));
            raw.truncate(9 + cut.index(raw.len() - 9));
            check_mutant(&sealed(raw), before.as_ref())?;
        }
    }

    #[test]
    fn any_bytes_are_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut chunk = vec![0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 1];
        chunk.extend(bytes);
        prop_assert!(judge(&sealed(chunk), None).is_err());
    }
}
