//! Creating and editing: what is written is what is read, and Automerge reads the same.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::fixture::*;
use crate::document::{Edit, State, create, edit};
use crate::id::{BlobHash, RecordId};
use crate::schema::{Attachment, Currency, Location, Money, Value};
use crate::time::{Day, Millis};

fn full() -> Vec<(&'static str, Value)> {
    let line = |product: &str, qty| {
        BTreeMap::from([("product".to_owned(), text(product)), ("qty".to_owned(), Value::Integer(qty))])
    };
    vec![
        ("name", text("Заря Foods")),
        ("stage", text("open")),
        ("score", Value::Integer(-7)),
        ("first_seen", Value::Date(Day(17_000))),
        ("assignee", Value::Reference(RecordId([9; 16]))),
        ("rate", Value::Decimal(Decimal::new(1250, 2))),
        ("amount", Value::Money(Money { minor: 105_400, currency: Currency(*b"USD") })),
        ("hot", Value::Boolean(true)),
        ("met_at", Value::Instant(Millis(-5))),
        ("tags", Value::Set(BTreeSet::from(["a/b".to_owned(), "vip".to_owned()]))),
        ("people", Value::Set(BTreeSet::from([RecordId([3; 16]).to_string()]))),
        ("lines", Value::Lines(BTreeMap::from([("l1".to_owned(), line("tea", 2)), ("l2".to_owned(), line("ink", 1))]))),
        ("visits", Value::Integer(3)),
        ("notes", text("Звонил 👩‍👩‍👧 дважды\nперезвонить")),
        ("minutes", text("x")),
        (
            "contract",
            Value::Attachment(Attachment {
                hash: BlobHash([5; 32]),
                size: 12,
                media: "image/png".into(),
                name: "скан 1.png".into(),
            }),
        ),
        ("place", Value::Location(Location { lat_micro: 55_750_000, lon_micro: -37_610_000 })),
    ]
}

fn normalised(pairs: &[(&str, Value)]) -> BTreeMap<String, Value> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn read(values: Vec<Value>) -> BTreeMap<String, Value> {
    deals().named(values).into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

/// It was not projected: lists and reports showed the text as it had been.
#[test]
fn what_is_put_in_front_of_a_text_touches_more_than_its_keys_name() {
    let base = created(&[("notes", text("price"))], person(1), 1);
    let change = edited(&base, &[set("notes", text("the price"))], person(2), 2);
    assert_eq!(change.touched_fields(), None);
    let first = edited(&created(&[("name", text("a"))], person(1), 1), &[set("notes", text("x"))], person(2), 2);
    assert_eq!(first.touched_fields(), Some(vec!["notes".into()]));
}

#[test]
fn a_created_record_reads_as_written_from_state_from_the_change_and_from_its_bytes() {
    let change = create(record(), &deals(), &values(&full()), None, &author(person(2), 0)).unwrap();
    assert!(change.is_flat());
    let expected = normalised(&full());
    assert_eq!(read(change.values(&record(), &deals()).unwrap()), expected);
    assert_eq!(read(state([&change]).values(&deals())), expected);
    let rebuilt = State::rebuild(record(), [change.raw().to_vec()]).unwrap();
    assert_eq!(read(rebuilt.values(&deals())), expected);
    assert_eq!(rebuilt.heads(), [change.hash()]);
}

#[test]
fn edits_of_every_kind_read_as_written() {
    let mut state = created(&full(), person(2), 0);
    let edits = [
        set("name", text("Нева")),
        set("amount", Value::Null),
        Edit::Add("tags".into(), "new".into()),
        Edit::Remove("tags".into(), "vip".into()),
        Edit::Increment("visits".into(), 4),
        Edit::SetLine { field: "lines".into(), line: "l3".into(), sub: "qty".into(), value: Value::Integer(8) },
        Edit::RemoveLine { field: "lines".into(), line: "l1".into() },
        set("notes", text("Звонил 👩‍👩‍👧 трижды\nперезвонить!")),
        Edit::Archive(true),
    ];
    let change = then(&mut state, &edits, person(4), 10);
    assert!(!change.is_flat());
    let rebuilt = State::rebuild(record(), state.changes().iter().map(|c| c.raw().to_vec())).unwrap();
    for state in [&state, &rebuilt] {
        assert_eq!(value(state, "name"), text("Нева"));
        assert_eq!(value(state, "amount"), Value::Null);
        assert_eq!(value(state, "tags"), Value::Set(BTreeSet::from(["a/b".to_owned(), "new".to_owned()])));
        assert_eq!(value(state, "visits"), Value::Integer(7));
        let Value::Lines(lines) = value(state, "lines") else { panic!("lines") };
        assert_eq!(lines.keys().collect::<Vec<_>>(), ["l2", "l3"]);
        assert_eq!(value(state, "notes"), text("Звонил 👩‍👩‍👧 трижды\nперезвонить!"));
        assert!(state.archived());
    }
}

#[test]
fn an_edit_that_changes_nothing_writes_nothing() {
    let state = created(&full(), person(2), 0);
    let same: Vec<Edit> =
        full().into_iter().filter(|(name, _)| *name != "visits").map(|(name, value)| set(name, value)).collect();
    assert_eq!(edit(&state, &deals(), &same, &author(person(2), 1)).unwrap().map(|c| c.hash()), None);
    let idle = [Edit::Archive(false), Edit::MergeInto(None), Edit::Increment("visits".into(), 0)];
    assert!(edit(&state, &deals(), &idle, &author(person(2), 1)).unwrap().is_none());
}

#[test]
fn the_last_of_several_edits_of_one_key_counts() {
    let mut state = created(&[("name", text("a"))], person(2), 0);
    let edits = [
        set("name", text("b")),
        set("name", text("c")),
        Edit::Add("tags".into(), "x".into()),
        Edit::Remove("tags".into(), "x".into()),
        Edit::Increment("visits".into(), 2),
        Edit::Increment("visits".into(), 3),
    ];
    then(&mut state, &edits, person(2), 1);
    assert_eq!((value(&state, "name"), value(&state, "tags")), (text("c"), Value::Null));
    assert_eq!(value(&state, "visits"), Value::Integer(5));
}

#[test]
fn a_change_is_later_than_what_it_follows_even_where_the_clock_stepped_back() {
    let mut state = created(&[("name", text("a"))], person(2), 100);
    let change = then(&mut state, &[set("name", text("b"))], person(4), -1_000_000);
    assert_eq!(change.time(), Millis(NOW + 101));
    assert_eq!((state.updated().actor, state.created().actor), (person(4), person(2)));
}
