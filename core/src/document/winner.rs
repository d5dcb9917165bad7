//! Which of several concurrent values is shown: a pure function of the conflict set.
//!
//! Equal values form one group. A group that a person wrote beats those that only imports wrote; among the rest the
//! field's declared rule decides. Nothing here depends on the order in which changes arrived.

use std::cmp::Ordering;

use crate::id::{ActorId, ChangeHash};
use crate::schema::{Value, Winner};
use crate::time::Millis;

/// One concurrent write of a field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Candidate {
    pub(super) value: Value,
    pub(super) actor: ActorId,
    pub(super) at: Millis,
    pub(super) change: ChangeHash,
}

impl Candidate {
    // A person before an import, then the newer, then the greater actor.
    fn rank(&self) -> (bool, Millis, ActorId, ChangeHash) {
        (!self.actor.is_import(), self.at, self.actor, self.change)
    }

    // Which of two equal writes stands for both: the one that the rule would rather show.
    fn stands_for(&self, other: &Candidate, rule: &Winner) -> bool {
        let by_hand = (!self.actor.is_import()).cmp(&!other.actor.is_import());
        let by_time = (self.at, self.actor, self.change).cmp(&(other.at, other.actor, other.change));
        let by_time = if matches!(rule, Winner::Earliest) { by_time.reverse() } else { by_time };
        by_hand.then(by_time).is_gt()
    }
}

/// The distinct values, each by its best write, the shown one first, the others newest first.
pub(super) fn rank(rule: &Winner, candidates: impl IntoIterator<Item = Candidate>) -> Vec<Candidate> {
    let mut groups: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        match groups.iter_mut().find(|group| group.value == candidate.value) {
            None => groups.push(candidate),
            Some(group) if candidate.stands_for(group, rule) => *group = candidate,
            Some(_) => {}
        }
    }
    if !canary!("first_come_wins") {
        groups.sort_by_key(|group| std::cmp::Reverse(group.rank()));
    }
    let by_hand = groups.iter().filter(|group| !group.actor.is_import()).count();
    let eligible = if by_hand == 0 { groups.len() } else { by_hand };
    if let Some(shown) = shown(rule, groups.get(..eligible).unwrap_or_default()) {
        groups.get_mut(..=shown).unwrap_or_default().rotate_right(1);
    }
    groups
}

// `groups` are ranked: the latest stands first.
fn shown(rule: &Winner, groups: &[Candidate]) -> Option<usize> {
    let places = 0..groups.len();
    match rule {
        Winner::Latest | Winner::Ask => None,
        Winner::Earliest => places.min_by_key(|i| groups.get(*i).map(|g| (g.at, g.actor, g.change))),
        Winner::State(state) => {
            groups.iter().position(|group| matches!(&group.value, Value::Text(text) if text == state))
        }
        // An empty field is no extreme: it is shown only when nothing else is there.
        Winner::Highest => places.reduce(|a, b| if extreme(groups, a, b, Ordering::Less) { b } else { a }),
        Winner::Lowest => places.reduce(|a, b| if extreme(groups, a, b, Ordering::Greater) { b } else { a }),
    }
}

fn extreme(groups: &[Candidate], a: usize, b: usize, wanted: Ordering) -> bool {
    match (groups.get(a).map(|g| &g.value), groups.get(b).map(|g| &g.value)) {
        (Some(Value::Null), Some(_)) => true,
        (Some(_), Some(Value::Null)) => false,
        (Some(a), Some(b)) => compare(a, b) == wanted,
        _ => false,
    }
}

/// The order of two values of one field. Sums of different currencies are ordered by currency first.
fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
        (Value::Decimal(a), Value::Decimal(b)) => a.cmp(b),
        (Value::Money(a), Value::Money(b)) => (a.currency, a.minor).cmp(&(b.currency, b.minor)),
        (Value::Boolean(a), Value::Boolean(b)) => a.cmp(b),
        (Value::Date(a), Value::Date(b)) => a.cmp(b),
        (Value::Instant(a), Value::Instant(b)) => a.cmp(b),
        (Value::Reference(a), Value::Reference(b)) => a.cmp(b),
        (Value::Attachment(a), Value::Attachment(b)) => (a.size, a.hash, &a.name).cmp(&(b.size, b.hash, &b.name)),
        (Value::Location(a), Value::Location(b)) => (a.lat_micro, a.lon_micro).cmp(&(b.lat_micro, b.lon_micro)),
        _ => Ordering::Equal,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn write(value: Value, at: i64, actor: u8) -> Candidate {
        Candidate { value, actor: ActorId([actor; 8]), at: Millis(at), change: ChangeHash([actor; 32]) }
    }

    fn values(rule: &Winner, writes: &[Candidate]) -> Vec<Value> {
        rank(rule, writes.iter().cloned()).into_iter().map(|c| c.value).collect()
    }

    fn number(n: i64) -> Value {
        Value::Integer(n)
    }

    #[test]
    fn each_rule_shows_its_value_first_and_the_rest_newest_first() {
        let writes = [write(number(5), 10, 2), write(number(9), 20, 4), write(number(1), 30, 6)];
        for (rule, expected) in [
            (Winner::Latest, [1, 9, 5]),
            (Winner::Ask, [1, 9, 5]),
            (Winner::Earliest, [5, 1, 9]),
            (Winner::Highest, [9, 1, 5]),
            (Winner::Lowest, [1, 9, 5]),
        ] {
            let mut shuffled = writes.to_vec();
            for _ in 0..3 {
                shuffled.rotate_left(1);
                assert_eq!(values(&rule, &shuffled), expected.map(number), "{rule:?}");
            }
        }
    }

    #[test]
    fn a_named_state_wins_over_a_later_one() {
        let text = |t: &str| Value::Text(t.into());
        let writes = [write(text("done"), 10, 2), write(text("open"), 20, 4)];
        assert_eq!(values(&Winner::State("done".into()), &writes), [text("done"), text("open")]);
        assert_eq!(values(&Winner::State("void".into()), &writes), [text("open"), text("done")]);
    }

    #[test]
    fn imports_lose_to_people_under_every_rule_but_stay_visible() {
        let writes = [write(number(9), 90, 3), write(number(5), 10, 2)];
        for rule in [Winner::Latest, Winner::Highest, Winner::Ask] {
            assert_eq!(values(&rule, &writes), [number(5), number(9)], "{rule:?}");
        }
        let imports = [write(number(9), 90, 3), write(number(5), 10, 5)];
        assert_eq!(values(&Winner::Latest, &imports), [number(9), number(5)]);
    }

    #[test]
    fn equal_values_are_one_group_credited_to_the_person_who_wrote_it() {
        let writes = [write(number(7), 50, 3), write(number(7), 10, 2), write(number(8), 20, 5)];
        let ranked = rank(&Winner::Latest, writes);
        assert_eq!(ranked.len(), 2);
        assert_eq!((ranked[0].value.clone(), ranked[0].at), (number(7), Millis(10)));
    }

    #[test]
    fn the_earliest_write_of_a_value_counts_where_the_earliest_wins() {
        let writes = [write(number(7), 50, 2), write(number(7), 1, 4), write(number(8), 20, 6)];
        assert_eq!(values(&Winner::Earliest, &writes), [number(7), number(8)]);
    }

    #[test]
    fn ties_fall_to_the_greater_actor_and_an_empty_field_is_no_extreme() {
        assert_eq!(values(&Winner::Latest, &[write(number(1), 5, 2), write(number(2), 5, 4)])[0], number(2));
        assert_eq!(values(&Winner::Lowest, &[write(Value::Null, 9, 2), write(number(2), 5, 4)])[0], number(2));
    }
}
