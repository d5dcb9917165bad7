//! Who writes next: in the order in which they asked. A mutex alone lets whoever has just written write again, so that
//! one downstream with much to say would keep all others waiting.
//!
//! A transaction is committed whole, however large, so the order alone does not protect the others: a device that keeps
//! writing more than a person types is heavy, and for each of the others that had to wait for a heavy one, it rests for
//! [`REST_TURNS`] turns: of a hundred turns, less than one waits for it. Heavy ones that wait for each other are at par.
//! A rest is waited for outside of this queue, by whoever holds no thread meanwhile.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::id::DeviceId;
use crate::limits::{REST_MS_MAX, REST_QUIET_MS, REST_TURNS, TURN_CHANGES_MIN};

/// A queue of writers.
#[derive(Debug, Default)]
pub(super) struct Turns {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    serving: u64,
    /// Who waits, the one whose turn comes next first: whether he is a heavy one.
    waiting: VecDeque<bool>,
    /// Changes that the one whose turn it is has handled so far.
    handled: u64,
    accounts: HashMap<DeviceId, Account>,
    ended_at: Option<Instant>,
}

/// What a device has written lately.
#[derive(Debug, Clone, Copy)]
struct Account {
    /// Changes, less one for each turn since.
    changes: u64,
    as_of: u64,
    /// The turn before which it does not write, and when it began to rest.
    rest: Option<(u64, Instant)>,
}

/// Accounts that are kept before those that say nothing are dropped.
const ACCOUNTS_KEPT: usize = 256;

/// The right to write now; it passes on with the value.
pub(super) struct Turn<'t> {
    turns: &'t Turns,
    writer: Option<DeviceId>,
}

impl Turns {
    /// Waits until all who asked before have written. `writer` is the downstream that writes, if it is one.
    pub(super) fn take(&self, writer: Option<DeviceId>) -> Turn<'_> {
        let mut queue = self.locked();
        let own = queue.next;
        queue.next += 1;
        if queue.serving != own {
            let heavy = writer.is_some_and(|device| queue.is_heavy(&device));
            queue.waiting.push_back(heavy);
            while queue.serving != own {
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
            queue.waiting.pop_front();
        }
        Turn { turns: self, writer }
    }

    /// Whether somebody waits for the one who writes now.
    pub(super) fn are_awaited(&self) -> bool {
        !self.locked().waiting.is_empty()
    }

    /// The one whose turn it is has handled so many changes.
    pub(super) fn handled(&self, changes: usize) {
        self.locked().handled += changes as u64;
    }

    /// Whether a device rests: others have waited for it, and are still at work.
    pub(super) fn rests(&self, device: &DeviceId) -> bool {
        self.locked().rests(device, Instant::now())
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.locked().end(self.writer, Instant::now());
        self.turns.changed.notify_all();
    }
}

impl Queue {
    fn end(&mut self, writer: Option<DeviceId>, now: Instant) {
        self.serving += 1;
        self.ended_at = Some(now);
        let handled = std::mem::take(&mut self.handled);
        let Some(device) = writer.filter(|_| handled > 0) else { return };
        if self.accounts.len() >= ACCOUNTS_KEPT {
            let turn = self.serving;
            let rests = |account: &Account| account.rest.is_some_and(|(until, _)| turn < until);
            self.accounts.retain(|_, account| account.changes_at(turn) > 0 || rests(account));
        }
        let harmed = self.waiting.iter().filter(|heavy| !**heavy).count() as u64;
        let turn = self.serving;
        let account = self.accounts.entry(device).or_insert(Account { changes: 0, as_of: turn, rest: None });
        account.changes = account.changes_at(turn) + handled;
        account.as_of = turn;
        if account.is_heavy(turn) && harmed > 0 {
            account.rest = Some((turn + harmed * REST_TURNS, now));
        }
    }

    fn is_heavy(&self, device: &DeviceId) -> bool {
        self.accounts.get(device).is_some_and(|account| account.is_heavy(self.serving))
    }

    fn rests(&mut self, device: &DeviceId, now: Instant) -> bool {
        // While nobody writes, nobody is kept waiting: whoever rests may all go on.
        let idle = |since: Instant, ms| now.saturating_duration_since(since) >= Duration::from_millis(ms);
        let quiet = self.waiting.is_empty()
            && self.serving == self.next
            && self.ended_at.is_none_or(|ended| idle(ended, REST_QUIET_MS));
        if quiet {
            self.accounts.clear();
        }
        let Some(account) = self.accounts.get_mut(device) else { return false };
        account.rest = account.rest.filter(|(until, since)| self.serving < *until && !idle(*since, REST_MS_MAX));
        account.rest.is_some()
    }
}

impl Account {
    fn changes_at(&self, turn: u64) -> u64 {
        self.changes.saturating_sub(turn.saturating_sub(self.as_of))
    }

    fn is_heavy(&self, turn: u64) -> bool {
        self.changes_at(turn) > TURN_CHANGES_MIN as u64
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const FLOODING: DeviceId = DeviceId([1; 8]);
    const TYPING: DeviceId = DeviceId([2; 8]);

    #[test]
    fn whoever_asked_first_is_next_and_nobody_comes_twice_before() {
        let (turns, order) = (Turns::default(), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            let first = turns.take(None);
            assert!(!turns.are_awaited());
            for number in 0..4 {
                let (turns, order) = (&turns, &order);
                scope.spawn(move || {
                    let _turn = turns.take(None);
                    order.lock().unwrap().push(number);
                });
                // The next one asks only when this one waits.
                while turns.locked().waiting.len() < number + 1 {
                    std::thread::yield_now();
                }
            }
            assert!(turns.are_awaited());
            drop(first);
            let _again = turns.take(None);
            assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3]);
        });
    }

    /// A turn of a device, and who asks meanwhile.
    fn turn(queue: &mut Queue, device: DeviceId, changes: u64, waiting: &[bool], now: Instant) {
        queue.next = queue.serving + 1;
        queue.waiting = waiting.iter().copied().collect();
        queue.handled = changes;
        queue.end(Some(device), now);
        // Those who waited have written since.
        for _ in 0..waiting.len() {
            queue.next += 1;
            queue.waiting.pop_front();
            queue.end(None, now);
        }
    }

    #[test]
    fn a_heavy_writer_rests_for_those_who_waited_for_it_and_a_light_one_never() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        turn(&mut queue, FLOODING, 1_000, &[], now);
        assert!(!queue.rests(&FLOODING, now), "nobody has waited");
        turn(&mut queue, FLOODING, 1_000, &[true, true], now);
        assert!(!queue.rests(&FLOODING, now), "other heavy ones are at par with it");
        turn(&mut queue, FLOODING, 1_000, &[false, true, false], now);
        for _ in 0..2 * REST_TURNS - 3 {
            assert!(queue.rests(&FLOODING, now));
            turn(&mut queue, TYPING, 1, &[false], now);
            assert!(!queue.rests(&TYPING, now));
            if queue.serving >= 2 * REST_TURNS + 6 {
                break;
            }
        }
        assert!(!queue.rests(&FLOODING, now), "it has rested for as many turns as it owed");
        assert!(queue.is_heavy(&FLOODING), "and is heavy still");
    }

    #[test]
    fn a_rest_ends_when_nobody_else_writes_or_it_has_lasted_long_enough() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        turn(&mut queue, FLOODING, 1_000, &[false; 50], now);
        assert!(queue.rests(&FLOODING, now));
        let late = now + Duration::from_millis(REST_MS_MAX);
        queue.ended_at = Some(late);
        assert!(!queue.rests(&FLOODING, late), "however many others there are, it comes to its turn");
        turn(&mut queue, FLOODING, 1_000, &[false; 50], late);
        assert!(queue.rests(&FLOODING, late));
        queue.next = queue.serving;
        assert!(!queue.rests(&FLOODING, late + Duration::from_millis(REST_QUIET_MS)), "nobody is kept waiting now");
        assert!(!queue.is_heavy(&FLOODING));
    }
}
