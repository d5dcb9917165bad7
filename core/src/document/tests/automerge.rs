//! This room against Automerge: the same changes show the same values, and what the fast door lets in, Automerge loads.

use std::collections::BTreeMap;

use automerge::{Automerge, ObjType, ROOT, ReadDoc};
use proptest::prelude::*;

use super::fixture::*;
use super::script::*;
use crate::document::{Foreign, State, bridge, vet};
use crate::wire::chunk::Scalar;

type View = BTreeMap<String, Vec<String>>;

fn automerge_view(doc: &Automerge) -> View {
    let mut view = View::new();
    for key in doc.keys(ROOT) {
        let mut values: Vec<String> = Vec::new();
        for (value, id) in doc.get_all(ROOT, key.as_str()).unwrap() {
            values.push(match value {
                automerge::Value::Object(ObjType::Text) => format!("text {:?}", doc.text(&id).unwrap()),
                automerge::Value::Scalar(scalar) => match scalar.as_ref() {
                    automerge::ScalarValue::Counter(counter) => format!("counter {}", i64::from(counter)),
                    automerge::ScalarValue::Null => format!("Null {id}"),
                    automerge::ScalarValue::Boolean(b) => format!("Bool({b}) {id}"),
                    automerge::ScalarValue::Int(i) => format!("Int({i}) {id}"),
                    automerge::ScalarValue::Bytes(bytes) => format!("Bytes({bytes:?}) {id}"),
                    automerge::ScalarValue::Str(s) => format!("Str({s:?}) {id}"),
                    other => panic!("{other:?}"),
                },
                other => panic!("{other:?}"),
            });
        }
        values.sort();
        view.insert(key, values);
    }
    view
}

fn own_view(state: &State) -> View {
    let mut view = View::new();
    for slot in state.fold().under(state.changes(), "") {
        let key = slot.key(state.changes()).to_owned();
        let mut values: Vec<String> = slot
            .writes(state.changes())
            .map(|(change, op)| match op.value {
                Scalar::Str(text) => format!("Str({text:?}) {}@{}", op.counter, change.actor()),
                value => format!("{value:?} {}@{}", op.counter, change.actor()),
            })
            .chain(slot.counter.map(|sum| format!("counter {sum}")))
            .collect();
        values.sort();
        if let Some(field) = key.strip_prefix("~text/") {
            view.insert(field.to_owned(), vec![format!("text {:?}", state.text(field).unwrap())]);
        }
        if !values.is_empty() {
            view.insert(key, values);
        }
    }
    view
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn automerge_shows_the_same(script in scripts(30, true), seed in 1u64..) {
        let changes = shuffled(&all_changes(&play(&script)), seed);
        let state = state(&changes);
        let doc = bridge::document(Some(&state), &record(), None).expect("Automerge takes our changes");
        let mut heads: Vec<_> = doc.get_heads().iter().map(|head| head.0).collect();
        heads.sort_unstable();
        prop_assert_eq!(heads, state.heads().iter().map(|head| head.0).collect::<Vec<_>>());
        prop_assert_eq!(automerge_view(&doc), own_view(&state));
        let reloaded = Automerge::load(&doc.save()).expect("what was saved loads");
        prop_assert_eq!(automerge_view(&reloaded), own_view(&state));
    }

    #[test]
    fn every_change_passes_the_door_in_any_order_and_automerge_takes_it_too(
        script in scripts(20, true),
        seed in 1u64..,
    ) {
        let changes = shuffled(&all_changes(&play(&script)), seed);
        let mut state = State::new(record());
        for change in &changes {
            let input = Foreign { record: record(), collection: &deals(), raw: change.raw(), hash: change.hash() };
            let vetted = vet(input, Some(&state)).map_err(|refusal| TestCaseError::fail(format!("{refusal:?}")))?;
            if state.change(&change.hash()).is_none() {
                prop_assert_eq!(bridge::admits(Some(&state), &record(), &vetted), Ok(()));
            }
            state.apply(&vetted).unwrap();
        }
    }
}
