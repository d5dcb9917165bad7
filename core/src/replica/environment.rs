//! What a replica takes from the machine: the clock, randomness, threads. A simulator gives its own.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::time::Millis;

/// The clock and the randomness of a replica.
pub trait Environment: Send + Sync {
    /// The local clock.
    fn now(&self) -> Millis;

    /// Fills `bytes` with unpredictable ones: ids, actors and keys are made of them.
    fn fill_random(&self, bytes: &mut [u8]);

    /// Whether the store's work runs on threads of its own beside the sockets. In a simulation it does not: what happens
    /// next must not depend on which thread is faster.
    fn has_threads(&self) -> bool {
        true
    }
}

/// The machine's own clock and randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEnvironment;

impl Environment for SystemEnvironment {
    fn now(&self) -> Millis {
        // A clock before 1970 gives negative moments; a clock that a machine cannot express stands at the epoch.
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
            Err(before) => Millis(-i64::try_from(before.duration().as_millis()).unwrap_or(0)),
        }
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        if let Err(failure) = getrandom::fill(bytes) {
            // Keys and actors from predictable bytes would break every promise: a process without randomness ends.
            unreachable!("the system gives no random bytes: {failure}");
        }
    }
}
