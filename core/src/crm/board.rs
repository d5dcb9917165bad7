//! The columns of a board: first the cards that people have put in an order, then the others in the order asked for.
//!
//! A place is a text of hexadecimal digits, read as the digits behind a point, so that there is one between any two
//! (a fractional index): whoever moves a card writes that card alone, and what others move meanwhile keeps its order.

use crate::id::RecordId;
use crate::replica::{Direction, Query};
use crate::schema::{Filter, Literal, Op};

/// The field of deals that holds the place.
pub const PLACE: &str = "board_place";
/// Digits that count up and down; those behind them divide.
const WHOLE_DIGITS: usize = 8;
/// How far the whole parts of neighbours at an end lie apart: room for cards between them, and for millions at the ends.
const STEP: u32 = 0x100;

/// The questions whose answers, one behind the other, are a column: those that have a place, in its order, and the
/// others.
pub fn halves(column: &Query) -> [Query; 2] {
    // Every place is at least this, and an index over those that have one serves the comparison.
    let first = Literal::Text("0".to_owned());
    let placed = Filter::Compare { field: PLACE.into(), op: Op::Ge, value: first };
    let others = Filter::Empty { field: PLACE.into(), negated: false };
    let narrowed = |part: Filter| Query {
        filter: Some(Filter::And(column.filter.iter().cloned().chain([part]).collect())),
        ..column.clone()
    };
    let sort = vec![(PLACE.into(), Direction::Ascending)];
    [Query { sort, ..narrowed(placed) }, narrowed(others)]
}

/// A card of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Its record.
    pub record: RecordId,
    /// Its place; empty where nobody has given it one.
    pub place: String,
}

/// What must be written so that `record` stands behind the card `behind`, or first without one: its place, and those of
/// the cards before it that have none yet. Nothing where it stands there already, or where `behind` is not in the column.
pub fn moved(column: &[Card], record: RecordId, behind: Option<RecordId>) -> Vec<Card> {
    let before = column.iter().position(|card| card.record == record).map(|at| at.checked_sub(1));
    let stands = before.is_some_and(|before| before.and_then(|at| column.get(at)).map(|card| card.record) == behind);
    let others: Vec<&Card> = column.iter().filter(|card| card.record != record).collect();
    let at = match behind {
        None => Some(0),
        Some(behind) => others.iter().position(|card| card.record == behind).map(|at| at + 1),
    };
    let Some((above, below)) = at.filter(|_| !stands).and_then(|at| others.split_at_checked(at)) else {
        return Vec::new();
    };
    let mut written: Vec<Card> = Vec::new();
    let mut low = String::new();
    for card in above {
        if card.place.is_empty() {
            low = between(&low, "");
            written.push(Card { record: card.record, place: low.clone() });
        } else {
            low.clone_from(&card.place);
        }
    }
    // Of cards that were put into one gap at the same time, several may have one place.
    let high = below.iter().map(|card| card.place.as_str()).find(|place| *place > low.as_str());
    written.push(Card { record, place: between(&low, high.unwrap_or_default()) });
    written
}

/// A place between two others; an empty one is an open end.
fn between(low: &str, high: &str) -> String {
    let middle = |(low, high): (u32, u32)| Some(low + high.checked_sub(low)? / 2).filter(|middle| *middle > low);
    let whole_part = match (low, high) {
        ("", "") => Some(1 << 31),
        (low, "") => whole(low).and_then(|low| low.checked_add(STEP)),
        ("", high) => whole(high).and_then(|high| high.checked_sub(STEP)).filter(|place| *place > 0),
        (low, high) => whole(low).zip(whole(high)).and_then(middle),
    };
    let place = whole_part.map_or_else(|| divided(low, high), |place| format!("{place:08x}"));
    // Nothing lies above a place that has no digits: right behind it.
    if place.as_str() > low { place } else { format!("{low}8") }
}

fn whole(place: &str) -> Option<u32> {
    let digits = place.get(..WHOLE_DIGITS.min(place.len()))?;
    u32::from_str_radix(&format!("{digits:0<WHOLE_DIGITS$}"), 16).ok()
}

// The digits of the middle, as many as are needed to tell it from both; those of `low` where nothing lies between.
fn divided(low: &str, high: &str) -> String {
    let digit = |text: &str, at: usize| text.chars().nth(at).and_then(|digit| digit.to_digit(16));
    let mut middle = String::new();
    let mut is_below = high.is_empty();
    loop {
        let at = middle.len();
        let floor = digit(low, at).unwrap_or(0);
        let ceiling = if is_below { 16 } else { digit(high, at).unwrap_or(0) };
        let next = if ceiling > floor + 1 { (floor + ceiling) / 2 } else { floor };
        middle.extend(char::from_digit(next, 16));
        if next > floor {
            return middle;
        }
        is_below |= ceiling > floor;
        if at > low.len().max(high.len()) && !is_below {
            return low.to_owned();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> RecordId {
        RecordId::derived(&[&n.to_be_bytes()])
    }

    fn column(places: &[&str]) -> Vec<Card> {
        places.iter().enumerate().map(|(n, place)| Card { record: id(n), place: (*place).to_owned() }).collect()
    }

    // As a board shows it: the placed ones by place and id, then the others as they are.
    fn shown(mut cards: Vec<Card>, written: &[Card]) -> Vec<Card> {
        for card in written {
            match cards.iter_mut().find(|known| known.record == card.record) {
                Some(known) => known.place.clone_from(&card.place),
                None => cards.push(card.clone()),
            }
        }
        cards.sort_by(|a, b| match (a.place.is_empty(), b.place.is_empty()) {
            (false, false) => (&a.place, a.record).cmp(&(&b.place, b.record)),
            (a, b) => a.cmp(&b),
        });
        cards
    }

    fn behind(cards: &[Card], record: RecordId) -> Option<Option<RecordId>> {
        let at = cards.iter().position(|card| card.record == record)?;
        Some(at.checked_sub(1).and_then(|at| cards.get(at)).map(|card| card.record))
    }

    #[test]
    fn a_card_goes_anywhere_in_a_column_that_nobody_has_ordered_and_the_others_keep_their_order() {
        let untouched = column(&[""; 6]);
        for from in 0..6 {
            for target in (0..6).filter(|target| *target != from).map(|n| Some(id(n))).chain([None]) {
                let written = moved(&untouched, id(from), target);
                let after = shown(untouched.clone(), &written);
                assert_eq!(behind(&after, id(from)), Some(target), "{from} behind {target:?}");
                let rest =
                    |cards: &[Card]| cards.iter().map(|c| c.record).filter(|r| *r != id(from)).collect::<Vec<_>>();
                assert_eq!(rest(&after), rest(&untouched));
            }
        }
    }

    #[test]
    fn thousands_of_moves_each_write_one_card_and_places_stay_short() {
        let mut cards = shown(Vec::new(), &moved(&[], id(0), None));
        for n in 1..40 {
            let last = cards.last().map(|card| card.record);
            cards = shown(cards.clone(), &moved(&cards, id(n), last));
        }
        let mut seed = 1_usize;
        for round in 0..4_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let who = id((seed >> 33) % 40);
            let target = match round % 4 {
                0 => None,
                1 => cards.iter().map(|card| card.record).rfind(|record| *record != who),
                _ => Some(id((seed >> 45) % 40)).filter(|target| *target != who),
            };
            let written = moved(&cards, who, target);
            assert!(written.len() <= 1, "{written:?}");
            cards = shown(cards, &written);
            assert_eq!(behind(&cards, who), Some(target));
        }
        let longest = cards.iter().map(|card| card.place.len()).max();
        assert!(longest <= Some(24), "{longest:?}");
    }

    #[test]
    fn always_into_the_same_gap_makes_places_longer_by_a_digit_for_four_moves() {
        let mut high = "80000100".to_owned();
        for n in 0..400 {
            let place = between("80000000", &high);
            assert!(place.as_str() > "80000000" && place < high, "{n}: {place}");
            assert!(place.len() == 8 || !place.ends_with('0'), "{n}: {place}");
            high = place;
        }
        assert!(high.len() <= 8 + 100, "{high}");
    }

    #[test]
    fn a_move_to_where_the_card_stands_or_behind_one_that_has_gone_writes_nothing() {
        let cards = column(&["80000000", "80000100", ""]);
        assert_eq!(moved(&cards, id(1), Some(id(0))), []);
        assert_eq!(moved(&cards, id(0), None), []);
        assert_eq!(moved(&cards, id(0), Some(id(9))), []);
    }

    #[test]
    fn cards_of_one_place_are_passed_together_and_places_that_nobody_here_wrote_do_no_harm() {
        let twins = column(&["80000000", "80000000", "80000100"]);
        let written = moved(&twins, id(9), Some(id(0)));
        assert_eq!(written, [Card { record: id(9), place: "80000080".into() }]);
        for (low, high) in [("zz", ""), ("", "zz"), ("8", "80"), ("é", "é1"), ("80000000", "80000000"), ("", "0")] {
            assert!(!between(low, high).is_empty(), "{low} {high}");
        }
        assert!(between("zz", "").as_str() > "zz");
    }
}
