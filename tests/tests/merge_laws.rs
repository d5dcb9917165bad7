//! The laws of merging, over the built-in collections: replicas that hold the same changes show the same, whatever way
//! and however often the changes came, and Automerge agrees.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use branchline_core::crm::builtin;
use branchline_core::document::{Author, Edit, Foreign, Refusal, State, create, derived_id, edit, undo, vet};
use branchline_core::id::{ActorId, ChangeHash, RecordId};
use branchline_core::schema::{Collection, Currency, Money, Name, Value};
use branchline_core::time::{Day, Millis};
use branchline_core::wire::chunk::{GenesisKind, build_genesis, genesis_actor};
use proptest::prelude::*;

const REPLICAS: usize = 4;
const START_MS: i64 = 1_700_000_000_000;

fn opportunities() -> &'static Collection {
    builtin().collection("opportunity").unwrap()
}

/// One replica: a record, and the changes that are on their way to it.
struct Replica {
    actor: ActorId,
    state: State,
    inbox: Vec<(Vec<u8>, ChangeHash)>,
}

/// All replicas of one record; what one writes goes into the inbox of all others.
struct Company {
    record: RecordId,
    replicas: Vec<Replica>,
    written: Vec<(Vec<u8>, ChangeHash)>,
}

#[derive(Debug, Clone)]
enum Step {
    Edit(usize, Vec<Edit>),
    /// A replica takes the n-th thing out of its inbox; `true` leaves a copy there.
    Receive(usize, prop::sample::Index, bool),
    Undo(usize, prop::sample::Index),
}

impl Company {
    fn new(record: RecordId) -> Self {
        // The last replica is an import.
        let actor = |at: usize| ActorId::from_random([at as u8 * 2 + 2; 8], at + 1 == REPLICAS);
        let replica = |at| Replica { actor: actor(at), state: State::new(record), inbox: Vec::new() };
        Self { record, replicas: (0..REPLICAS).map(replica).collect(), written: Vec::new() }
    }

    fn write(&mut self, at: usize, edits: &[Edit], moment: i64) {
        let replica = &mut self.replicas[at];
        // Clocks are minutes apart, and moments come together now and then.
        let now = Millis(START_MS + moment / 2 + at as i64 % 2 * 60_000);
        let author = Author { actor: replica.actor, now };
        let change = if replica.state.is_empty() {
            let values = [(Name::from("name"), Value::Text(format!("deal {at}"))), (Name::from("stage"), text("new"))];
            Some(create(self.record, opportunities(), &values, None, &author).unwrap())
        } else {
            edit(&replica.state, opportunities(), edits, &author).unwrap()
        };
        let Some(change) = change else { return };
        replica.state.apply(&change).unwrap();
        let sent = (change.raw().to_vec(), change.hash());
        self.written.push(sent.clone());
        for (_, replica) in self.replicas.iter_mut().enumerate().filter(|(other, _)| *other != at) {
            replica.inbox.push(sent.clone());
        }
    }

    fn receive(&mut self, at: usize, which: usize, again: bool) {
        let (record, replica) = (self.record, &mut self.replicas[at]);
        let (raw, hash) = replica.inbox.swap_remove(which);
        let input = Foreign { record, collection: opportunities(), raw: &raw, hash };
        match vet(input, Some(&replica.state)) {
            Ok(change) => {
                replica.state.apply(&change).unwrap();
                if again {
                    replica.inbox.push((raw, hash));
                }
            }
            Err(Refusal::Missing { deps }) => {
                assert!(deps.iter().all(|dep| replica.state.change(dep).is_none()));
                replica.inbox.push((raw, hash));
            }
            Err(refusal) => panic!("an honest change was refused: {refusal:?}"),
        }
    }

    fn undo(&mut self, at: usize, which: prop::sample::Index, moment: i64) {
        let state = &self.replicas[at].state;
        if state.is_empty() {
            return;
        }
        let change = state.changes()[which.index(state.changes().len())].hash();
        if let Ok(edits) = undo(state, opportunities(), change) {
            self.write(at, &edits, moment);
        }
    }

    fn play(mut self, script: &[Step]) -> Self {
        self.write(0, &[], 0);
        for (step, moment) in script.iter().zip(1i64..) {
            match step {
                Step::Edit(at, edits) => self.write(*at, edits, moment),
                Step::Undo(at, which) => self.undo(*at, *which, moment),
                Step::Receive(at, which, again) => {
                    let waiting = self.replicas[*at].inbox.len();
                    if waiting > 0 {
                        self.receive(*at, which.index(waiting), *again);
                    }
                }
            }
        }
        for at in 0..REPLICAS {
            let mut turns = 0;
            while let Some(last) = self.replicas[at].inbox.len().checked_sub(1) {
                turns += 1;
                assert!(turns < 100_000, "every change finds its place in the end");
                self.receive(at, turns % (last + 1), false);
            }
        }
        self
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn edits() -> impl Strategy<Value = Edit> {
    let set = |field: &'static str| move |value| Edit::Set(Name::from(field), value);
    let usd = |minor| Value::Money(Money { minor, currency: Currency(*b"USD") });
    let stage = prop::sample::select(vec!["new", "proposal", "won", "lost"]);
    let words = prop::collection::vec(prop::sample::select(vec!["звонок ", "price ", "👍🏽", "\n", "ё"]), 0..6);
    let line = (0..2u8, 0..3i64, any::<bool>()).prop_map(move |(line, price, remove)| {
        let (field, line) = (Name::from("lines"), format!("l{line}"));
        if remove {
            Edit::RemoveLine { field, line }
        } else {
            Edit::SetLine { field, line, sub: "unit_price".into(), value: usd(price * 100) }
        }
    });
    prop_oneof![
        3 => stage.prop_map(text).prop_map(set("stage")),
        2 => (0..4i64).prop_map(usd).prop_map(set("amount")),
        1 => Just(Value::Null).prop_map(set("amount")),
        2 => (17_000..17_004).prop_map(|day| Value::Date(Day(day))).prop_map(set("opened_on")),
        2 => words.prop_map(|words| text(&words.concat())).prop_map(set("notes")),
        2 => line,
        1 => any::<bool>().prop_map(Edit::Archive),
        1 => (1..3u8).prop_map(|branch| Value::Reference(RecordId([branch; 16]))).prop_map(set("branch")),
    ]
}

fn scripts() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..REPLICAS, prop::collection::vec(edits(), 1..4)).prop_map(|(at, edits)| Step::Edit(at, edits)),
        6 => (0..REPLICAS, any::<prop::sample::Index>(), prop::bool::weighted(0.2))
            .prop_map(|(at, which, again)| Step::Receive(at, which, again)),
        1 => (0..REPLICAS, any::<prop::sample::Index>()).prop_map(|(at, which)| Step::Undo(at, which)),
    ];
    prop::collection::vec(step, 1..40)
}

/// All that a person can see of the record.
fn shown(state: &State) -> String {
    let of = opportunities();
    let marks = (state.archived(), state.review_mark(), state.created(), state.updated());
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?}",
        state.heads(),
        state.values(of),
        state.conflicts(of),
        state.scope_values("branch"),
        marks,
        state.history(of)
    )
}

/// The heads that Automerge has after taking in the same bytes and the genesis of the notes.
fn automerge_heads(company: &Company) -> Vec<[u8; 32]> {
    let actor = genesis_actor(&company.record, "notes");
    let (genesis, genesis_hash) = build_genesis(GenesisKind::Text, &actor, "notes");
    let raws = company.written.iter().map(|(raw, _)| raw.clone()).chain([genesis]);
    let changes: Vec<_> = raws.map(|raw| automerge::Change::from_bytes(raw).unwrap()).collect();
    let mut doc = automerge::Automerge::new();
    doc.apply_changes(changes).unwrap();
    let doc = automerge::Automerge::load(&doc.save()).unwrap();
    let heads = doc.get_heads().into_iter().map(|head| head.0).filter(|head| *head != genesis_hash.0);
    let mut heads: Vec<[u8; 32]> = heads.collect();
    heads.sort_unstable();
    heads
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn replicas_that_hold_the_same_changes_show_the_same(script in scripts()) {
        let company = Company::new(RecordId([7; 16])).play(&script);
        let first = &company.replicas[0].state;
        for replica in &company.replicas[1..] {
            prop_assert_eq!(shown(first), shown(&replica.state));
        }
        let heads: Vec<[u8; 32]> = first.heads().iter().map(|head| head.0).collect();
        prop_assert_eq!(automerge_heads(&company), heads);
    }

    #[test]
    fn nothing_that_somebody_typed_is_lost(script in scripts()) {
        let company = Company::new(RecordId([7; 16])).play(&script);
        let state = &company.replicas[0].state;
        prop_assert_eq!(state.changes().len(), company.written.len());
        // What a person wrote last in a plain field is shown, or stands among the field's conflicts.
        let conflicts = state.conflicts(opportunities());
        let mut last: BTreeMap<(ActorId, Name), Value> = BTreeMap::new();
        let plain = ["stage", "amount", "opened_on", "branch"];
        for entry in state.history(opportunities()).into_iter().filter(|e| plain.contains(&&*e.field)) {
            let superseded_by_later = state.changes().iter().any(|change| {
                change.ops().any(|op| op.key == &*entry.field && op.preds().any(|pred| {
                    let writer = state.change(&entry.change).unwrap();
                    pred.actor == writer.actor().as_bytes()
                        && (writer.start_op()..=writer.max_op()).contains(&pred.ctr)
                }))
            });
            if !superseded_by_later {
                last.insert((entry.actor, entry.field), entry.to);
            }
        }
        for ((_, field), value) in last {
            let shown = state.value(opportunities().field(&field).unwrap());
            let among = conflicts.iter().filter(|c| c.field == field).flat_map(|c| &c.values).any(|v| v.value == value);
            prop_assert!(shown == value || among, "{field}: {value:?}");
        }
    }
}

#[test]
fn two_offices_that_import_the_same_file_offline_make_one_record_and_hand_edits_stand() {
    let accounts = builtin().collection("account").unwrap();
    let (name, key) = (Name::from("name"), Name::from("external_id"));
    let values = |title: &str| vec![(name.clone(), text(title)), (key.clone(), text("X7"))];
    let id = derived_id(accounts, &[(key.clone(), text(" x7 "))], None);
    let import = |n: u8| ActorId::from_random([n; 8], true);
    let person = ActorId::from_random([8; 8], false);
    let at = |actor, ms| Author { actor, now: Millis(START_MS + ms) };
    let keyed = |values: &[(Name, Value)], author: &Author| {
        create(id, accounts, values, Some(std::slice::from_ref(&key)), author).unwrap()
    };
    let north = keyed(&values("Acme"), &at(import(1), 0));
    let south = keyed(&values("Acme"), &at(import(2), 9));
    let mut state = State::new(id);
    for change in [&north, &south] {
        let input = Foreign { record: id, collection: accounts, raw: change.raw(), hash: change.hash() };
        let vetted = vet(input, Some(&state)).unwrap();
        state.apply(&vetted).unwrap();
    }
    assert!(state.conflicts(accounts).is_empty());

    // A person corrects the name while a third office imports an older file.
    let set = |title: &str| [Edit::Set(name.clone(), text(title))];
    let typed = edit(&state, accounts, &set("ACME Ltd"), &at(person, 20)).unwrap().unwrap();
    let older = keyed(&values("Akme"), &at(import(3), 1_000));
    state.apply(&typed).unwrap();
    state.apply(&older).unwrap();
    let field = accounts.field("name").unwrap();
    assert_eq!(state.value(field), text("ACME Ltd"));
    assert_eq!(state.last_imported(field), Some(text("Akme")));
    assert_eq!(state.conflicts(accounts).len(), 1, "the loser stays visible");
}
