//! Random histories: a few replicas edit one record and hear of each other now and then.

use proptest::prelude::*;

use super::fixture::*;
use crate::document::{Edit, State, Vetted, create, edit};
use crate::id::ActorId;
use crate::schema::{Name, Value};

/// What happens at one moment of a history.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// A replica edits.
    Edit(usize, Vec<Edit>),
    /// A replica hears all that another one has.
    Hear(usize, usize),
}

pub(super) const REPLICAS: usize = 3;

/// The last replica is an import, the others are people.
pub(super) fn actor(replica: usize) -> ActorId {
    let n = replica as u8 * 2 + 2;
    if replica + 1 == REPLICAS { import(n) } else { person(n) }
}

fn one_edit(texts: bool) -> BoxedStrategy<Edit> {
    let word = prop::sample::select(vec!["open", "won", "lost", "x"]);
    let item = prop::sample::select(vec!["a", "b/c", "ж"]);
    let number = -2i64..3;
    let flat = prop_oneof![
        3 => word.clone().prop_map(|w| set("name", text(w))),
        2 => word.clone().prop_map(|w| set("stage", text(w))),
        2 => number.clone().prop_map(|n| set("score", Value::Integer(n))),
        1 => Just(set("name", Value::Null)),
        2 => item.clone().prop_map(|i| Edit::Add("tags".into(), i.into())),
        2 => item.prop_map(|i| Edit::Remove("tags".into(), i.into())),
        2 => number.clone().prop_map(|n| Edit::Increment("visits".into(), n)),
        2 => (0..2u8, number).prop_map(|(l, n)| Edit::SetLine {
            field: "lines".into(), line: format!("l{l}"), sub: "qty".into(), value: Value::Integer(n),
        }),
        1 => (0..2u8).prop_map(|l| Edit::RemoveLine { field: "lines".into(), line: format!("l{l}") }),
        1 => any::<bool>().prop_map(Edit::Archive),
        1 => (1..3u8).prop_map(|b| set("branch", Value::Reference(crate::id::RecordId([b; 16])))),
    ];
    if !texts {
        return flat.boxed();
    }
    let letters = prop::collection::vec(prop::sample::select(vec!["a", "b", "ё", " ", "👍🏽", "\n"]), 0..8);
    let field = prop::sample::select(vec!["notes", "minutes"]);
    prop_oneof![3 => flat, 1 => (field, letters).prop_map(|(f, l)| set(f, text(&l.concat())))].boxed()
}

/// Scripts of up to `steps` steps.
pub(super) fn scripts(steps: usize, texts: bool) -> BoxedStrategy<Vec<Step>> {
    let replica = 0..REPLICAS;
    let step = prop_oneof![
        3 => (replica.clone(), prop::collection::vec(one_edit(texts), 1..4)).prop_map(|(r, e)| Step::Edit(r, e)),
        1 => (replica.clone(), replica).prop_map(|(a, b)| Step::Hear(a, b)),
    ];
    prop::collection::vec(step, 1..steps).boxed()
}

/// The replicas after a script that began with one record known to all.
pub(super) fn play(script: &[Step]) -> Vec<State> {
    let first = [("name", text("first")), ("stage", text("open")), ("score", Value::Integer(0))];
    let first = create(record(), &deals(), &values(&first), None, &author(person(200), 0)).unwrap();
    let mut replicas = vec![state([&first]); REPLICAS];
    for (at, step) in script.iter().enumerate() {
        match step {
            Step::Edit(replica, edits) => {
                // Clocks differ by replica; now and then two writes have the same time.
                let author = author(actor(*replica), (at / 2) as i64 * 3 - *replica as i64);
                if let Some(change) = edit(&replicas[*replica], &deals(), edits, &author).unwrap() {
                    replicas[*replica].apply(&change).unwrap();
                }
            }
            Step::Hear(to, from) => {
                let heard = replicas[*from].changes().to_vec();
                heard.iter().for_each(|change| replicas[*to].apply(change).unwrap());
            }
        }
    }
    replicas
}

/// All changes of all replicas, in one causal order.
pub(super) fn all_changes(replicas: &[State]) -> Vec<Vetted> {
    let mut all = State::new(record());
    for replica in replicas {
        replica.changes().iter().for_each(|change| all.apply(change).unwrap());
    }
    all.changes().to_vec()
}

/// Another causal order of the same changes, some of them twice, chosen by `seed`.
pub(super) fn shuffled(changes: &[Vetted], mut seed: u64) -> Vec<Vetted> {
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below.max(1) as u64) as usize
    };
    let mut waiting: Vec<&Vetted> = changes.iter().collect();
    let mut done: Vec<Vetted> = Vec::new();
    while !waiting.is_empty() {
        let is_ready = |change: &&Vetted| !waiting.iter().any(|other| change.deps().contains(&other.hash()));
        let ready: Vec<usize> = (0..waiting.len()).filter(|at| is_ready(&waiting[*at])).collect();
        let next = waiting.remove(ready[random(ready.len())]).clone();
        done.push(next);
        if random(4) == 0 {
            done.push(done[random(done.len())].clone());
        }
    }
    done
}

/// Values, conflicts and marks: all that a reader can see.
pub(super) fn seen(state: &State) -> String {
    format!(
        "{:?} {:?} {:?} {:?} {} {} {:?} {:?}",
        state.heads(),
        state.values(&deals()),
        state.conflicts(&deals()),
        state.scope_values("branch"),
        state.archived(),
        state.review_mark(),
        state.created(),
        state.updated(),
    )
}

pub(super) fn name(name: &str) -> Name {
    Name::from(name)
}
