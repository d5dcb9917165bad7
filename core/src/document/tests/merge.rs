//! Merging: any order and any repetition of the same changes shows the same.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::fixture::*;
use super::script::*;
use crate::document::{Edit, State};
use crate::schema::Value;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn order_and_repetition_make_no_difference(script in scripts(30, true), seed in 1u64..) {
        let changes = all_changes(&play(&script));
        let (one, other) = (state(&changes), state(&shuffled(&changes, seed)));
        prop_assert_eq!(seen(&one), seen(&other));
        let raws = other.changes().iter().map(|change| change.raw().to_vec());
        prop_assert_eq!(seen(&one), seen(&State::rebuild(record(), raws).unwrap()));
    }

    #[test]
    fn editing_every_field_settles_every_conflict(script in scripts(30, false)) {
        let mut state = state(&all_changes(&play(&script)));
        for conflict in state.conflicts(&deals()) {
            let shown = conflict.values[0].value.clone();
            let edit = match &conflict.cell {
                None => Edit::Set(conflict.field.clone(), shown),
                Some((line, sub)) => Edit::SetLine {
                    field: conflict.field.clone(), line: line.clone(), sub: sub.clone(), value: shown,
                },
            };
            then(&mut state, &[edit], person(2), 1_000);
        }
        prop_assert_eq!(state.conflicts(&deals()), vec![]);
    }
}

#[test]
fn of_concurrent_places_in_an_order_the_latest_is_taken_and_nobody_is_asked() {
    let base = created(&[("board_place", text("80000000")), ("name", text("a"))], person(2), 0);
    let put =
        |field: &str, value: &str, actor, at| edited(&base, &[Edit::Set(name(field), text(value))], person(actor), at);
    let places = [put("board_place", "80000100", 4, 10), put("board_place", "7fffff00", 6, 20)];
    for order in [[0, 1], [1, 0]] {
        let mut both = base.clone();
        order.iter().for_each(|at| both.apply(&places[*at]).unwrap());
        assert_eq!(both.conflicts(&deals()), vec![]);
        assert_eq!(both.value(deals().field("board_place").unwrap()), text("7fffff00"));
    }
    // A fact beside it is asked about as ever.
    let mut facts = base.clone();
    [put("name", "b", 4, 10), put("name", "c", 6, 20)].iter().for_each(|change| facts.apply(change).unwrap());
    assert_eq!(facts.conflicts(&deals()).len(), 1);
}

#[test]
fn an_addition_wins_over_a_concurrent_removal() {
    let items = |items: &[&str]| Value::Set(items.iter().map(|i| (*i).to_owned()).collect::<BTreeSet<_>>());
    let mut base = created(&[("tags", items(&["a"]))], person(2), 0);
    let removed = edited(&base, &[Edit::Remove(name("tags"), "a".into())], person(4), 10);
    let dropped_and_added = {
        let mut other = base.clone();
        let removal = then(&mut other, &[Edit::Remove(name("tags"), "a".into())], person(6), 5);
        [removal, then(&mut other, &[Edit::Add(name("tags"), "a".into())], person(6), 6)]
    };
    for change in dropped_and_added.iter().chain([&removed]) {
        base.apply(change).unwrap();
    }
    assert_eq!(value(&base, "tags"), items(&["a"]));
}

#[test]
fn increments_of_all_replicas_add_up() {
    let mut base = created(&[("name", text("a"))], person(2), 0);
    let one = edited(&base, &[Edit::Increment(name("visits"), 2)], person(4), 1);
    let two = edited(&base, &[Edit::Increment(name("visits"), 3)], person(6), 1);
    base.apply(&one).unwrap();
    base.apply(&two).unwrap();
    assert_eq!(value(&base, "visits"), Value::Integer(5));
    then(&mut base, &[Edit::Increment(name("visits"), -1)], person(2), 2);
    assert_eq!(value(&base, "visits"), Value::Integer(4));
}

#[test]
fn texts_first_written_by_two_replicas_merge_into_one() {
    let mut base = created(&[("name", text("a"))], person(2), 0);
    let one = edited(&base, &[set("notes", text("hello"))], person(4), 1);
    let two = edited(&base, &[set("notes", text("world"))], person(6), 1);
    base.apply(&one).unwrap();
    base.apply(&two).unwrap();
    let Value::Text(merged) = value(&base, "notes") else { panic!("a text") };
    assert!(merged == "helloworld" || merged == "worldhello", "{merged}");
    then(&mut base, &[set("notes", text("hello, world"))], person(2), 2);
    assert_eq!(value(&base, "notes"), text("hello, world"));
}

#[test]
fn concurrent_edits_of_one_text_both_stay() {
    let mut base = created(&[("notes", text("one two three"))], person(2), 0);
    let first = edited(&base, &[set("notes", text("ONE two three"))], person(4), 1);
    let last = edited(&base, &[set("notes", text("one two three four"))], person(6), 1);
    base.apply(&last).unwrap();
    base.apply(&first).unwrap();
    assert_eq!(value(&base, "notes"), text("ONE two three four"));
}
