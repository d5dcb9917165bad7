//! History and undo.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::fixture::*;
use super::script::*;
use crate::document::{Edit, State, undo};
use crate::schema::Value;

fn items(items: &[&str]) -> Value {
    Value::Set(items.iter().map(|item| (*item).to_owned()).collect::<BTreeSet<_>>())
}

fn line(line: &str, qty: i64) -> Value {
    Value::Lines(BTreeMap::from([(line.to_owned(), BTreeMap::from([("qty".to_owned(), Value::Integer(qty))]))]))
}

fn set_qty(line: &str, qty: i64) -> Edit {
    Edit::SetLine { field: name("lines"), line: line.into(), sub: name("qty"), value: Value::Integer(qty) }
}

/// A record with one edit of every kind after its creation.
fn edited_once() -> (State, crate::document::Vetted) {
    let mut state = created(
        &[("name", text("a")), ("tags", items(&["x", "y"])), ("notes", text("old")), ("visits", Value::Integer(5))],
        person(2),
        0,
    );
    let edits = [
        set("name", text("b")),
        Edit::Add(name("tags"), "z".into()),
        Edit::Remove(name("tags"), "x".into()),
        set("notes", text("new")),
        Edit::Increment(name("visits"), 2),
        set_qty("l1", 4),
        Edit::Archive(true),
        Edit::MergeInto(Some(crate::id::RecordId([8; 16]))),
    ];
    let change = then(&mut state, &edits, person(4), 10);
    (state, change)
}

#[test]
fn history_says_what_each_change_made_of_what() {
    let (state, change) = edited_once();
    let entries: Vec<_> = state
        .history(&deals())
        .into_iter()
        .filter(|entry| entry.change == change.hash())
        .map(|entry| (entry.field.to_string(), entry.from, entry.to))
        .collect();
    let entry = |field: &str, from, to| (field.to_owned(), from, to);
    assert_eq!(
        entries,
        [
            entry("name", text("a"), text("b")),
            entry("tags", items(&["x"]), items(&["z"])),
            entry("lines", Value::Null, line("l1", 4)),
            entry("visits", Value::Integer(5), Value::Integer(7)),
            entry("notes", text("old"), text("new")),
            entry("archived", Value::Boolean(false), Value::Boolean(true)),
            entry("merged_into", Value::Null, Value::Reference(crate::id::RecordId([8; 16]))),
        ]
    );
}

#[test]
fn what_a_field_was_is_what_its_author_saw() {
    let mut state = created(&[("name", text("a")), ("notes", text("n"))], person(2), 0);
    let other = edited(&state, &[set("name", text("other")), set("notes", text("n!"))], person(6), 1);
    let mine = edited(&state, &[set("name", text("mine")), set("notes", text("n?"))], person(4), 5);
    state.apply(&other).unwrap();
    state.apply(&mine).unwrap();
    let entries: Vec<_> = state.history(&deals()).into_iter().filter(|e| e.change == mine.hash()).collect();
    assert_eq!((&entries[0].from, &entries[0].to), (&text("a"), &text("mine")));
    assert_eq!((&entries[1].from, &entries[1].to), (&text("n"), &text("n?")));
}

#[test]
fn undo_puts_back_every_kind_of_field() {
    let (mut state, change) = edited_once();
    let before = created(
        &[("name", text("a")), ("tags", items(&["x", "y"])), ("notes", text("old")), ("visits", Value::Integer(5))],
        person(2),
        0,
    );
    let edits = undo(&state, &deals(), change.hash()).unwrap();
    then(&mut state, &edits, person(2), 20);
    assert_eq!(state.values(&deals()), before.values(&deals()));
    assert!(!state.archived() && state.merged_into().is_none());
}

#[test]
fn undo_leaves_what_others_wrote_since() {
    let mut state = created(&[("name", text("a")), ("stage", text("open"))], person(2), 0);
    let change = then(&mut state, &[set("name", text("b")), set("stage", text("won"))], person(4), 10);
    then(&mut state, &[set("name", text("c"))], person(6), 20);
    let edits = undo(&state, &deals(), change.hash()).unwrap();
    assert_eq!(edits, [set("stage", text("open"))]);
    then(&mut state, &edits, person(2), 30);
    assert_eq!(undo(&state, &deals(), change.hash()).unwrap_err().code(), "nothing_to_undo");
}

#[test]
fn undo_of_a_creation_archives_and_an_unknown_change_is_named() {
    let mut state = created(&[("name", text("a"))], person(2), 0);
    let first = state.heads()[0];
    assert_eq!(undo(&state, &deals(), first).unwrap(), [Edit::Archive(true)]);
    then(&mut state, &[Edit::Archive(true)], person(2), 1);
    assert_eq!(undo(&state, &deals(), first).unwrap_err().code(), "nothing_to_undo");
    let nobody = crate::id::ChangeHash([1; 32]);
    assert_eq!(undo(&state, &deals(), nobody).unwrap_err().code(), "unknown_change");
}

#[test]
fn the_last_import_is_remembered_beneath_what_people_typed() {
    let mut state = created(&[("name", text("file 1")), ("tags", items(&["a", "b"]))], import(2), 0);
    then(&mut state, &[set("name", text("typed"))], person(4), 10);
    let field = |name: &str| deals().field(name).unwrap().clone();
    assert_eq!(state.last_imported(&field("name")), Some(text("file 1")));
    then(&mut state, &[set("name", text("file 2")), Edit::Remove(name("tags"), "a".into())], import(6), 20);
    then(&mut state, &[set("name", text("typed again")), Edit::Add(name("tags"), "c".into())], person(4), 30);
    assert_eq!(state.last_imported(&field("name")), Some(text("file 2")));
    assert_eq!(state.last_imported(&field("tags")), Some(items(&["b"])));
    assert_eq!(state.last_imported(&field("stage")), None);
    assert_eq!(value(&state, "name"), text("typed again"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn history_is_the_same_on_every_replica_and_undo_of_the_newest_edit_restores_all(
        script in scripts(20, true),
        seed in 1u64..,
        edit_script in scripts(3, true),
    ) {
        let changes = all_changes(&play(&script));
        let mut one = state(&changes);
        prop_assert_eq!(one.history(&deals()), state(&shuffled(&changes, seed)).history(&deals()));
        let Some(Step::Edit(_, edits)) = edit_script.iter().find(|step| matches!(step, Step::Edit(..))) else {
            return Ok(());
        };
        // A counter that was counted back is at zero, not uncounted.
        let shown = |state: &State| {
            let mut values = deals().named(state.values(&deals()));
            values.retain(|(_, value)| *value != Value::Integer(0));
            values
        };
        let before = shown(&one);
        let newest = author(person(100), 1_000);
        if let Some(change) = crate::document::edit(&one, &deals(), edits, &newest).unwrap() {
            one.apply(&change).unwrap();
            let back = undo(&one, &deals(), change.hash()).unwrap();
            let newer = author(person(100), 2_000);
            if let Some(change) = crate::document::edit(&one, &deals(), &back, &newer).unwrap() {
                one.apply(&change).unwrap();
            }
            prop_assert_eq!(before, shown(&one));
        }
    }
}
