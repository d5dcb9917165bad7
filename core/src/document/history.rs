//! Who changed which field from what to what, read back from the changes themselves.
//!
//! What a field was before is what the author of the change saw there, which his operations name, not what happened to
//! stand there on this replica. The order is that of the changes' times, which agrees with who followed whom.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::keys::{self, Target};
use super::read::{candidate, reference};
use super::state::State;
use super::values::value_of;
use super::vetted::{Op, Vetted};
use super::winner;
use crate::id::{ActorId, ChangeHash};
use crate::schema::{Collection, Field, FieldType, Name, Value, Winner};
use crate::time::Millis;
use crate::wire::chunk::{Action, Scalar, genesis_actor};

/// One field in one change.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEntry {
    /// The change.
    pub change: ChangeHash,
    /// When, by the author's corrected clock.
    pub at: Millis,
    /// Who.
    pub actor: ActorId,
    /// The field; `archived` and `merged_into` stand for what every record has, `cites` for the refused changes that
    /// this one brings again.
    pub field: Name,
    /// What the author saw. Of a set or lines only what the change took away, of a counter the sum before.
    pub from: Value,
    /// What the author wrote. Of a set or lines only what the change put in, of a counter the sum after.
    pub to: Value,
}

impl State {
    /// Every field of every change, oldest first, in the order of the collection within a change. Fields that the
    /// collection does not know are left out.
    pub fn history(&self, collection: &Collection) -> Vec<HistoryEntry> {
        let mut places: Vec<usize> = (0..self.changes().len()).collect();
        places.sort_by_key(|at| self.changes().get(*at).map(|c| (c.time(), c.actor(), c.seq())));
        let mut reader = Reader { state: self, collection, line: self.straight(), sums: HashMap::new() };
        let mut entries = Vec::new();
        for at in places {
            let Some(change) = self.changes().get(at) else { continue };
            for (field, from, to) in reader.differences(at) {
                let (hash, actor) = (change.hash(), change.actor());
                entries.push(HistoryEntry { change: hash, at: change.time(), actor, field, from, to });
            }
        }
        entries
    }

    /// How many changes from the first one on each follow the one before: the author of each had all before it.
    pub(super) fn straight(&self) -> usize {
        let follows = |pair: &[Vetted]| matches!(pair, [a, b] if b.deps().contains(&a.hash()));
        1 + self.changes().windows(2).take_while(|pair| follows(pair)).count()
    }

    /// What the author of an operation saw in its field.
    pub(super) fn before(&self, field: &Field, op: &Op<'_>) -> Value {
        self.best(&field.winner, &field.ty, op)
    }

    /// The value that a rule would have shown the author of an operation in its field.
    pub(super) fn best(&self, rule: &Winner, ty: &FieldType, op: &Op<'_>) -> Value {
        let writes = self.superseded(op).filter_map(|write| candidate(ty, write));
        winner::rank(rule, writes).into_iter().next().map_or(Value::Null, |shown| shown.value)
    }

    /// The operations that an operation superseded.
    pub(super) fn superseded<'s>(&'s self, op: &Op<'s>) -> impl Iterator<Item = (&'s Vetted, Op<'s>)> {
        op.preds().filter_map(|pred| {
            let has = |change: &&Vetted| {
                change.actor_bytes() == pred.actor && (change.start_op()..=change.max_op()).contains(&pred.ctr)
            };
            let change = self.changes().iter().rev().find(has)?;
            Some((change, change.ops().find(|op| op.counter == pred.ctr)?))
        })
    }

    /// What a change did to a long text; `None` where it did not touch it.
    pub(super) fn text_difference(&self, field: &Field, at: usize, line: usize) -> Option<(Value, Value)> {
        let change = self.changes().get(at)?;
        if change.texts().len() == 0 {
            return None;
        }
        let genesis = genesis_actor(&self.record(), &field.name);
        change.texts().find(|(touched, _)| **touched == genesis)?;
        let seen = || self.seen_by(at, line);
        let value = |text: String| if text.is_empty() { Value::Null } else { Value::Text(text) };
        let before = self.text_of(&field.name, seen());
        let after = self.text_of(&field.name, seen().chain([change]));
        Some((value(before), value(after)))
    }

    // The changes that the author of the change at `at` had. In the straight part of a history that needs no search.
    fn seen_by(&self, at: usize, line: usize) -> impl Iterator<Item = &Vetted> {
        let search = || self.changes().get(at).map(|change| self.ancestors(change.deps())).unwrap_or_default();
        let seen = if at < line { vec![true; at] } else { search() };
        self.changes().iter().zip(seen).filter(|(_, seen)| *seen).map(|(change, _)| change)
    }

    /// What the newest import that wrote the field put there; `None` where no import ever did. Of a set or lines, what
    /// imports put in and did not take out again; of a counter, the sum of what they counted.
    pub fn last_imported(&self, field: &Field) -> Option<Value> {
        let mut imports: Vec<(usize, &Vetted)> =
            self.changes().iter().enumerate().filter(|(_, change)| change.actor().is_import()).collect();
        imports.sort_by_key(|(_, change)| (change.time(), change.actor(), change.seq()));
        if field.ty == FieldType::LongText {
            let line = self.straight();
            return imports.iter().rev().find_map(|(at, _)| self.text_difference(field, *at, line)).map(|(_, to)| to);
        }
        let prefix = format!("{}/", field.name);
        let mut last: Option<Value> = None;
        for op in imports.iter().flat_map(|(_, change)| change.ops()) {
            match (&field.ty, op.key.strip_prefix(&prefix)) {
                (FieldType::Set(_), Some(item)) => set_item(last.get_or_insert(Value::Null), item, &op),
                (FieldType::Lines(subs), Some(cell)) => set_cell(last.get_or_insert(Value::Null), cell, subs, &op),
                (FieldType::Counter, None) if op.key == &*field.name => {
                    let (Scalar::Int(by), Value::Integer(sum)) = (op.value, last.clone().unwrap_or(Value::Integer(0)))
                    else {
                        continue;
                    };
                    last = Some(Value::Integer(sum.wrapping_add(by)));
                }
                (_, None) if op.key == &*field.name => last = Some(after(&field.ty, &op)),
                _ => {}
            }
        }
        last
    }
}

// Goes through the changes in the order of their times.
struct Reader<'s> {
    state: &'s State,
    collection: &'s Collection,
    line: usize,
    // Sums of counters over the straight part of the history, as far as it was read.
    sums: HashMap<&'s str, i64>,
}

impl<'s> Reader<'s> {
    // Fields of one change with what they were and became.
    fn differences(&mut self, at: usize) -> Vec<(Name, Value, Value)> {
        let (state, collection) = (self.state, self.collection);
        let Some(change) = state.changes().get(at) else { return Vec::new() };
        let mut found: BTreeMap<usize, (Value, Value)> = BTreeMap::new();
        let mut system = Vec::new();
        let place = |field: &Field| collection.fields.iter().position(|known| known.name == field.name);
        for op in change.ops() {
            match keys::target(collection, op.key) {
                Some(Target::Plain(field)) if field.ty == FieldType::Counter => {
                    let Scalar::Int(by) = op.value else { continue };
                    let before = self.sum_before(&op, at);
                    let sums = (Value::Integer(before), Value::Integer(before.wrapping_add(by)));
                    found.extend(place(field).map(|place| (place, sums)));
                }
                Some(Target::Plain(field)) => {
                    let values = (state.before(field, &op), after(&field.ty, &op));
                    found.extend(place(field).map(|place| (place, values)));
                }
                Some(Target::Item(field, item)) => {
                    let Some(place) = place(field) else { continue };
                    let (from, to) = found.entry(place).or_insert((Value::Null, Value::Null));
                    let side = if op.action == Action::Delete { from } else { to };
                    put_item(side, item);
                }
                Some(Target::Cell(field, line, sub)) => {
                    let Some(place) = place(field) else { continue };
                    let (from, to) = found.entry(place).or_insert((Value::Null, Value::Null));
                    put_cell(from, line, sub, state.before(sub, &op));
                    put_cell(to, line, sub, after(&sub.ty, &op));
                }
                Some(Target::Archived) => {
                    let before = state.superseded(&op).any(|(_, op)| op.value == Scalar::Bool(true));
                    let after = op.value == Scalar::Bool(true);
                    system.push((Name::from("archived"), Value::Boolean(before), Value::Boolean(after)));
                }
                Some(Target::MergedInto) => {
                    let before = state.best(&Winner::Latest, &reference(), &op);
                    system.push((Name::from("merged_into"), before, after(&reference(), &op)));
                }
                Some(Target::Cites) => {
                    let cited: Vec<String> = change.cites().iter().map(ToString::to_string).collect();
                    system.push((Name::from("cites"), Value::Null, Value::Set(cited.into_iter().collect())));
                }
                Some(Target::Key | Target::TextMark(_) | Target::Unknown) | None => {}
            }
        }
        for (place, field) in collection.fields.iter().enumerate().filter(|(_, f)| f.ty == FieldType::LongText) {
            found.extend(state.text_difference(field, at, self.line).map(|texts| (place, texts)));
        }
        let named = found
            .into_iter()
            .filter_map(|(place, (from, to))| collection.fields.get(place).map(|field| (field.name.clone(), from, to)));
        named.chain(system).collect()
    }

    fn sum_before(&mut self, op: &Op<'s>, at: usize) -> i64 {
        let by = |op: &Op<'_>| if let Scalar::Int(by) = op.value { by } else { 0 };
        if at < self.line {
            let sum = self.sums.entry(op.key).or_default();
            return std::mem::replace(sum, sum.wrapping_add(by(op)));
        }
        let mut sum = 0i64;
        for change in self.state.seen_by(at, self.line) {
            for earlier in change.ops().filter(|o| o.key == op.key && o.action == Action::Increment) {
                sum = sum.wrapping_add(by(&earlier));
            }
        }
        sum
    }
}

fn after(ty: &FieldType, op: &Op<'_>) -> Value {
    match op.action {
        Action::Set => value_of(ty, op.value).unwrap_or(Value::Null),
        _ => Value::Null,
    }
}

fn put_item(set: &mut Value, item: &str) {
    match set {
        Value::Set(items) => {
            items.insert(item.to_owned());
        }
        other => *other = Value::Set(BTreeSet::from([item.to_owned()])),
    }
}

fn put_cell(lines: &mut Value, line: &str, sub: &Field, value: Value) {
    if value == Value::Null {
        return;
    }
    if !matches!(lines, Value::Lines(_)) {
        *lines = Value::Lines(BTreeMap::new());
    }
    if let Value::Lines(lines) = lines {
        lines.entry(line.to_owned()).or_default().insert(sub.name.to_string(), value);
    }
}

fn set_item(set: &mut Value, item: &str, op: &Op<'_>) {
    match (op.action, &mut *set) {
        (Action::Set, _) => put_item(set, item),
        (_, Value::Set(items)) => {
            items.remove(item);
        }
        _ => {}
    }
}

fn set_cell(lines: &mut Value, cell: &str, subs: &[Field], op: &Op<'_>) {
    let Some((line, sub)) = cell.split_once('/') else { return };
    let Some(sub) = subs.iter().find(|known| &*known.name == sub) else { return };
    match after(&sub.ty, op) {
        Value::Null => {
            if let Value::Lines(lines) = lines
                && let Some(cells) = lines.get_mut(line)
            {
                cells.remove(&*sub.name);
                if cells.is_empty() {
                    lines.remove(line);
                }
            }
        }
        value => put_cell(lines, line, sub, value),
    }
}
