//! Who writes next: in the order in which they asked. A mutex alone lets whoever has just written write again, so that
//! one downstream with much to say would keep all others waiting.

use std::sync::{Condvar, Mutex, PoisonError};

/// A queue of writers.
#[derive(Debug, Default)]
pub(super) struct Turns {
    tickets: Mutex<Tickets>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Tickets {
    next: u64,
    serving: u64,
}

/// The right to write now; it passes on with the value.
pub(super) struct Turn<'t>(&'t Turns);

impl Turns {
    /// Waits until all who asked before have written.
    pub(super) fn take(&self) -> Turn<'_> {
        let mut tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        let own = tickets.next;
        tickets.next += 1;
        while tickets.serving != own {
            tickets = self.changed.wait(tickets).unwrap_or_else(PoisonError::into_inner);
        }
        Turn(self)
    }

    /// Whether somebody waits for the one who writes now.
    pub(super) fn are_awaited(&self) -> bool {
        let tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.next > tickets.serving + 1
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.tickets.lock().unwrap_or_else(PoisonError::into_inner).serving += 1;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asked_first_is_next_and_nobody_comes_twice_before() {
        let (turns, order) = (Turns::default(), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            let first = turns.take();
            assert!(!turns.are_awaited());
            for number in 0..4 {
                let (turns, order) = (&turns, &order);
                scope.spawn(move || {
                    let _turn = turns.take();
                    order.lock().unwrap().push(number);
                });
                // The next one asks only when this one waits.
                while turns.tickets.lock().unwrap().next < number + 2 {
                    std::thread::yield_now();
                }
            }
            assert!(turns.are_awaited());
            drop(first);
            let _again = turns.take();
            assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3]);
        });
    }
}
