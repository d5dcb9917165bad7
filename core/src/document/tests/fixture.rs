//! A collection with a field of every type, and small ways to write about it.

use crate::document::{Author, Edit, State, Vetted, create, edit};
use crate::id::{ActorId, RecordId};
use crate::schema::{Collection, Field, FieldType, Kind, Labels, Name, SetOf, Value, Winner};
use crate::time::Millis;

pub(super) const NOW: i64 = 1_700_000_000_000;

fn field(name: &str, ty: FieldType) -> Field {
    Field {
        name: Name::from(name),
        ty,
        labels: Labels::default(),
        required: false,
        indexed: false,
        searchable: false,
        winner: Winner::Latest,
        placing: false,
    }
}

/// A collection of a branch with a field of every type.
pub(super) fn deals() -> Collection {
    let ruled = |name: &str, ty, winner| Field { winner, ..field(name, ty) };
    let reference = || FieldType::Reference(Name::from("branch"));
    let lines = vec![field("product", FieldType::Text), ruled("qty", FieldType::Integer, Winner::Highest)];
    Collection {
        name: Name::from("deal"),
        kind: Kind::Branch,
        labels: Labels::default(),
        fields: vec![
            field("name", FieldType::Text),
            field("external_id", FieldType::Text),
            ruled("stage", FieldType::Choice(Vec::new()), Winner::State("won".into())),
            ruled("score", FieldType::Integer, Winner::Highest),
            ruled("first_seen", FieldType::Date, Winner::Earliest),
            ruled("assignee", reference(), Winner::Ask),
            field("rate", FieldType::Decimal),
            field("amount", FieldType::Money),
            field("hot", FieldType::Boolean),
            field("met_at", FieldType::Instant),
            field("tags", FieldType::Set(SetOf::Text)),
            field("people", FieldType::Set(SetOf::Reference(Name::from("contact")))),
            field("lines", FieldType::Lines(lines)),
            field("visits", FieldType::Counter),
            field("notes", FieldType::LongText),
            field("minutes", FieldType::LongText),
            field("contract", FieldType::Attachment),
            field("place", FieldType::Location),
            Field { placing: true, ..field("board_place", FieldType::Text) },
            field("branch", reference()),
            field("owner", FieldType::Reference(Name::from("user"))),
        ]
        .into(),
        natural_keys: vec![Name::from("external_id")],
        title: vec![Name::from("name")],
        priority: 5,
        custom: false,
    }
}

pub(super) fn record() -> RecordId {
    RecordId::parse("018f0000-0000-7000-8000-000000000001").unwrap()
}

/// A person's actor; `import` makes a batch's.
pub(super) fn person(n: u8) -> ActorId {
    ActorId::from_random([n, n, n, n, n, n, n, n], false)
}

pub(super) fn import(n: u8) -> ActorId {
    ActorId::from_random([n, n, n, n, n, n, n, n], true)
}

pub(super) fn author(actor: ActorId, at: i64) -> Author {
    Author { actor, now: Millis(NOW + at) }
}

pub(super) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(super) fn set(field: &str, value: Value) -> Edit {
    Edit::Set(Name::from(field), value)
}

pub(super) fn values(pairs: &[(&str, Value)]) -> Vec<(Name, Value)> {
    pairs.iter().map(|(name, value)| (Name::from(*name), value.clone())).collect()
}

pub(super) fn created(pairs: &[(&str, Value)], actor: ActorId, at: i64) -> State {
    let change = create(record(), &deals(), &values(pairs), None, &author(actor, at)).unwrap();
    state([&change])
}

pub(super) fn state<'c>(changes: impl IntoIterator<Item = &'c Vetted>) -> State {
    let mut state = State::new(record());
    for change in changes {
        state.apply(change).unwrap();
    }
    state
}

/// Edits a copy of `base`: what one replica does before it hears of others.
pub(super) fn edited(base: &State, edits: &[Edit], actor: ActorId, at: i64) -> Vetted {
    edit(base, &deals(), edits, &author(actor, at)).unwrap().expect("something differs")
}

/// Applies edits one after the other.
pub(super) fn then(state: &mut State, edits: &[Edit], actor: ActorId, at: i64) -> Vetted {
    let change = edited(state, edits, actor, at);
    state.apply(&change).unwrap();
    change
}

pub(super) fn value(state: &State, field: &str) -> Value {
    state.value(deals().field(field).unwrap())
}
