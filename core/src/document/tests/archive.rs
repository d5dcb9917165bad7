//! Archiving and what happens at the same time.

use super::fixture::*;
use crate::document::{Edit, State};
use crate::id::ActorId;

fn archived_while(edit: Edit, by: ActorId, archiver: ActorId) -> State {
    let mut state = created(&[("name", text("a"))], person(2), 0);
    let archive = edited(&state, &[Edit::Archive(true)], archiver, 20);
    let edit = edited(&state, &[edit], by, 10);
    state.apply(&archive).unwrap();
    state.apply(&edit).unwrap();
    state
}

#[test]
fn an_edit_at_the_same_time_brings_the_record_back_for_review() {
    let mut state = archived_while(set("name", text("b")), person(4), person(6));
    assert!(!state.archived() && state.review_mark());
    then(&mut state, &[set("name", text("c"))], person(4), 30);
    assert!(state.review_mark(), "a further edit is no review");
    then(&mut state, &[Edit::Archive(true)], person(6), 40);
    assert!(state.archived() && !state.review_mark());
}

#[test]
fn bringing_it_back_ends_the_review() {
    let mut state = archived_while(set("name", text("b")), person(4), person(6));
    then(&mut state, &[Edit::Archive(false)], person(6), 40);
    assert!(!state.archived() && !state.review_mark());
}

#[test]
fn an_import_does_not_bring_it_back_but_loses_to_an_edit_of_its_own_archiving() {
    let state = archived_while(set("name", text("b")), import(4), person(6));
    assert!(state.archived() && !state.review_mark());
    let state = archived_while(set("name", text("b")), person(4), import(6));
    assert!(!state.archived() && state.review_mark());
}

#[test]
fn edits_before_and_after_archiving_leave_it_archived() {
    let mut state = created(&[("name", text("a"))], person(2), 0);
    then(&mut state, &[set("name", text("b"))], person(4), 1);
    then(&mut state, &[Edit::Archive(true)], person(2), 2);
    then(&mut state, &[set("name", text("c"))], person(4), 3);
    assert!(state.archived() && !state.review_mark());
}

#[test]
fn archiving_twice_at_once_is_agreement() {
    let state = archived_while(Edit::Archive(true), person(4), person(6));
    assert!(state.archived() && !state.review_mark());
}

#[test]
fn an_archiver_who_saw_the_edit_outweighs_one_who_did_not() {
    let mut state = created(&[("name", text("a"))], person(2), 0);
    let blind = edited(&state, &[Edit::Archive(true)], person(6), 20);
    then(&mut state, &[set("name", text("b"))], person(4), 10);
    let seeing = edited(&state, &[Edit::Archive(true)], person(8), 20);
    state.apply(&blind).unwrap();
    assert!(state.review_mark());
    state.apply(&seeing).unwrap();
    assert!(state.archived());
}
