//! Doing a refused change again on a record that has gone on without it.

use super::fixture::*;
use crate::document::{Edit, Foreign, State, create_again, edit, redo, vet};
use crate::id::{ChangeHash, RecordId};
use crate::schema::{Field, FieldType, Name, Value};

fn line(line: &str, sub: &str, value: Value) -> Edit {
    Edit::SetLine { field: "lines".into(), line: line.into(), sub: sub.into(), value }
}

fn applied(state: &State, edits: &[Edit]) -> State {
    let change = edit(state, &deals(), edits, &author(person(9), 90)).unwrap().expect("something differs");
    let mut after = state.clone();
    after.apply(&change).unwrap();
    after
}

#[test]
fn every_kind_of_edit_is_done_again_beside_what_others_wrote() {
    let start = [("name", text("Spring")), ("notes", text("one two"))];
    let mut base = created(&start, person(1), 0);
    then(&mut base, &[Edit::Add("tags".into(), "old".into()), line("l1", "product", text("tea"))], person(1), 1);
    let refused = edited(
        &base,
        &[
            set("name", text("Summer")),
            Edit::Add("tags".into(), "hot".into()),
            Edit::Remove("tags".into(), "old".into()),
            line("l2", "qty", Value::Integer(3)),
            Edit::RemoveLine { field: "lines".into(), line: "l1".into() },
            Edit::Increment("visits".into(), 4),
            Edit::Archive(true),
            set("notes", text("one and two")),
        ],
        person(2),
        2,
    );
    let mut seen = base.clone();
    seen.apply(&refused).unwrap();
    let mut now = base;
    let others = [set("stage", text("won")), Edit::Increment("visits".into(), 1), set("notes", text("one two three"))];
    then(&mut now, &others, person(3), 3);
    let after = applied(&now, &redo(&now, &seen, &deals(), &refused).unwrap());
    for field in ["name", "tags", "lines"] {
        assert_eq!(value(&after, field), value(&seen, field), "{field}");
    }
    assert_eq!(value(&after, "stage"), text("won"), "what somebody else wrote stays");
    assert_eq!(value(&after, "visits"), Value::Integer(5), "counted once more");
    assert_eq!(value(&after, "notes"), text("one and two three"));
    assert!(after.archived());
}

#[test]
fn an_edit_of_a_text_is_done_again_without_the_refused_typing_before_it() {
    let base = created(&[("notes", text("call Anna"))], person(1), 0);
    let mut seen = base.clone();
    then(&mut seen, &[set("notes", text("call Anna today"))], person(2), 1);
    let after_it = then(&mut seen, &[set("notes", text("please call Anna today!"))], person(2), 2);
    let edits = redo(&base, &seen, &deals(), &after_it).unwrap();
    assert_eq!(value(&applied(&base, &edits), "notes"), text("please call Anna!"));
}

#[test]
fn a_creation_is_done_again_under_its_own_id_and_key() {
    let key = [Name::from("external_id")];
    let named = values(&[("external_id", text("X7")), ("name", text("Spring"))]);
    let id = crate::document::derived_id(&deals(), &named[..1], None);
    let refused = crate::document::create(id, &deals(), &named, Some(&key), &author(person(1), 0)).unwrap();
    let mut seen = State::new(id);
    seen.apply(&refused).unwrap();
    let mut edits = redo(&State::new(id), &seen, &deals(), &refused).unwrap();
    edits.push(Edit::Cite(vec![refused.hash()]));
    let again = create_again(id, &deals(), &edits, refused.key(), &author(person(2), 5)).unwrap();
    let foreign = Foreign { record: id, collection: &deals(), raw: again.raw(), hash: again.hash() };
    let vetted = vet(foreign, None).expect("every upstream lets it in");
    assert_eq!(vetted.cites(), [refused.hash()]);
    let mut state = State::new(id);
    state.apply(&vetted).unwrap();
    assert_eq!(state.values(&deals()), seen.values(&deals()));
    assert!(state.is_cited(&refused.hash()));
    let cites = state.history(&deals()).into_iter().find(|entry| &*entry.field == "cites").expect("history tells");
    assert_eq!(cites.to, Value::Set([refused.hash().to_string()].into()));
}

#[test]
fn a_field_that_this_schema_does_not_know_is_not_dropped_in_silence() {
    let base = created(&[("name", text("Spring"))], person(1), 0);
    let mut newer = deals();
    newer.fields.push(Field { name: "colour".into(), ..newer.fields[1].clone() });
    let refused = edit(&base, &newer, &[set("colour", text("red"))], &author(person(2), 1)).unwrap().unwrap();
    let mut seen = base.clone();
    seen.apply(&refused).unwrap();
    assert_eq!(redo(&base, &seen, &deals(), &refused).unwrap_err().code(), "change_key");
}

#[test]
fn a_citation_is_one_to_many_whole_hashes() {
    let base = created(&[("name", text("Spring"))], person(1), 0);
    let many = |n: usize| Edit::Cite(vec![ChangeHash([7; 32]); n]);
    let cited = edited(&base, &[many(2)], person(2), 1);
    let door = |raw: &[u8], hash| {
        let foreign = Foreign { record: record(), collection: &deals(), raw, hash };
        vet(foreign, Some(&base)).map(|_| ()).map_err(|refusal| refusal.code())
    };
    assert_eq!(door(cited.raw(), cited.hash()), Ok(()));
    let too_many = edit(&base, &deals(), &[many(crate::limits::CITES_MAX + 1)], &author(person(2), 1));
    assert_eq!(too_many.unwrap_err().code(), "change_limit");
    // An id is half a hash.
    let mut half = deals();
    let ty = FieldType::Reference("user".into());
    half.fields.push(Field { name: "~cites".into(), ty, ..half.fields[0].clone() });
    let odd = edit(&base, &half, &[set("~cites", Value::Reference(RecordId([1; 16])))], &author(person(2), 1));
    let odd = odd.unwrap().unwrap();
    assert_eq!(door(odd.raw(), odd.hash()), Err("change_type".to_owned()));
}
