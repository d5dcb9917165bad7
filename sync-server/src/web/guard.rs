//! What stands between a stranger and the people's passwords: limits on guessing, on hashing at a time, and the second
//! step of signing in. All of it is of this process alone, and bounded.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use branchline_core::id::RecordId;
use branchline_core::replica::Environment;
use branchline_core::time::Millis;
use branchline_core::{Error, Result};
use data_encoding::BASE64URL_NOPAD;
use lru::LruCache;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::password::Second;
use crate::output::drawn;

/// Wrong tries without a pause: of one person, and from one address, behind which a whole office may be.
const FREE_TRIES: u32 = 5;
const FREE_TRIES_OF_ADDRESS: u32 = 20;
/// The first pause; each further wrong try doubles it.
const PAUSE_MS: i64 = 15_000;
/// The longest pause: longer ones would let a stranger keep people out.
const PAUSE_MS_MAX: i64 = 10 * 60_000;
/// After so long without a try everything is forgiven.
const FORGIVEN_MS: i64 = 60 * 60_000;
/// People and addresses remembered, and sign-ins that wait for their second factor.
const REMEMBERED_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);
const HALVES_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(999);
/// Longest text remembered of what was typed as an address, in bytes.
const NAME_BYTES_MAX: usize = 128;
/// Passwords hashed at a time; each takes 19 MiB.
const HASHING_MAX: usize = 2;
/// How long one waits for its turn to be hashed.
const HASHING_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long a sign-in may wait for its second factor.
const HALF_MS: i64 = 5 * 60_000;

/// Who tries, as it is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Who {
    Person(String),
    Address(IpAddr),
}

#[derive(Debug, Clone, Copy, Default)]
struct Tries {
    wrong: u32,
    last: Millis,
}

/// One who has given the right password and owes a code.
#[derive(Clone)]
pub(super) struct Half {
    pub(super) person: RecordId,
    pub(super) email: String,
    /// What the session will be bound to.
    pub(super) mark: String,
    pub(super) second: Second,
    expires: Millis,
}

/// The guard of one server.
pub struct Guard {
    tries: Mutex<LruCache<Who, Tries>>,
    halves: Mutex<LruCache<String, Half>>,
    /// The last step of which each person has used a code: none is good twice.
    steps: Mutex<LruCache<RecordId, u64>>,
    hashing: Semaphore,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            tries: Mutex::new(LruCache::new(REMEMBERED_MAX)),
            halves: Mutex::new(LruCache::new(HALVES_MAX)),
            steps: Mutex::new(LruCache::new(REMEMBERED_MAX)),
            hashing: Semaphore::new(HASHING_MAX),
        }
    }
}

impl Guard {
    /// Counts a try before it is made, so that many at once are counted, too.
    ///
    /// # Errors
    /// `too_many_tries` with the seconds to wait.
    pub(super) fn admit(&self, now: Millis, person: &str, address: Option<IpAddr>) -> Result<()> {
        let all = who(person, address);
        let mut tries = locked(&self.tries);
        let pause = all.iter().filter_map(|who| Some(left(now, who, tries.get(who)?))).max().unwrap_or(0);
        if pause > 0 {
            let seconds = pause.div_euclid(1_000) + 1;
            return Err(Error::limit("too-many-tries").with("seconds", seconds));
        }
        for who in all {
            let known =
                tries.get(&who).filter(|tries| now.0 - tries.last.0 <= FORGIVEN_MS).copied().unwrap_or_default();
            tries.put(who, Tries { wrong: known.wrong.saturating_add(1), last: now });
        }
        Ok(())
    }

    /// The try was right: it is forgiven, to the address this one alone.
    pub(super) fn forgive(&self, person: &str, address: Option<IpAddr>) {
        let mut tries = locked(&self.tries);
        for who in who(person, address) {
            if matches!(who, Who::Person(_)) {
                tries.pop(&who);
            } else if let Some(known) = tries.get_mut(&who) {
                known.wrong = known.wrong.saturating_sub(1);
            }
        }
    }

    /// The turn to hash a password.
    ///
    /// # Errors
    /// `sign_in_busy`.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>> {
        let busy = || Error::busy("sign-in-busy");
        tokio::time::timeout(HASHING_WAIT_MAX, self.hashing.acquire()).await.map_err(|_| busy())?.map_err(|_| busy())
    }

    /// Keeps a sign-in until its code comes; gives the token that the form carries.
    pub(super) fn wait_for_code(
        &self,
        env: &dyn Environment,
        person: RecordId,
        email: &str,
        mark: String,
        second: Second,
    ) -> String {
        let token = BASE64URL_NOPAD.encode(&drawn::<24>(env));
        let half = Half { person, email: email.to_owned(), mark, second, expires: env.now().plus(HALF_MS) };
        locked(&self.halves).put(token.clone(), half);
        token
    }

    /// The sign-in that waits under this token.
    pub(super) fn half(&self, now: Millis, token: &str) -> Option<Half> {
        locked(&self.halves).get(token).filter(|half| half.expires > now).cloned()
    }

    /// It waits no more.
    pub(super) fn forget_half(&self, token: &str) {
        locked(&self.halves).pop(token);
    }

    /// Whether a code of this step is good: it must be a later one than the person's last.
    pub(super) fn is_new(&self, person: RecordId, step: u64) -> bool {
        let mut steps = locked(&self.steps);
        let new = steps.get(&person).is_none_or(|last| *last < step);
        if new {
            steps.put(person, step);
        }
        new
    }
}

fn who(person: &str, address: Option<IpAddr>) -> Vec<Who> {
    let mut name = person.trim().to_lowercase();
    let end = (0..=NAME_BYTES_MAX.min(name.len())).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
    name.truncate(end);
    let network = address.map(|address| match address {
        // Whoever has one address of a home or office has all of its network.
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 => v4,
    });
    let person = (!name.is_empty()).then_some(Who::Person(name));
    person.into_iter().chain(network.map(Who::Address)).collect()
}

// How long it has to wait yet.
fn left(now: Millis, who: &Who, tries: &Tries) -> i64 {
    let free = if matches!(who, Who::Person(_)) { FREE_TRIES } else { FREE_TRIES_OF_ADDRESS };
    let Some(beyond) = tries.wrong.checked_sub(free) else { return 0 };
    let pause = PAUSE_MS.saturating_mul(1 << beyond.min(20)).min(PAUSE_MS_MAX);
    // A clock that was set back lets nobody wait longer.
    pause - (now.0 - tries.last.0).clamp(0, pause)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use branchline_core::replica::SystemEnvironment;

    use super::*;

    const ANNA: &str = "anna@acme.example";

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    fn admits(guard: &Guard, at_ms: i64, person: &str, from: &str) -> bool {
        match guard.admit(Millis(at_ms), person, address(from)) {
            Ok(()) => true,
            Err(error) => {
                assert_eq!(error.code(), "too_many_tries");
                false
            }
        }
    }

    #[test]
    fn who_guesses_waits_longer_and_longer_and_who_is_right_begins_anew() {
        let guard = Guard::default();
        let mut at = 1_000_000;
        for try_n in 0..FREE_TRIES {
            assert!(admits(&guard, at, ANNA, &format!("10.0.0.{try_n}")));
        }
        assert!(!admits(&guard, at, " Anna@ACME.example", "10.0.1.1"), "the person counts, from wherever");
        assert!(admits(&guard, at, "oleh@acme.example", "10.0.1.1"), "others do not");
        let mut pause = PAUSE_MS;
        for _ in 0..12 {
            assert!(!admits(&guard, at + pause - 1, ANNA, "10.0.1.1"));
            at += pause;
            assert!(admits(&guard, at, ANNA, "10.0.1.1"));
            pause = (pause * 2).min(PAUSE_MS_MAX);
        }
        guard.forgive(ANNA, None);
        for _ in 0..FREE_TRIES {
            assert!(admits(&guard, at, ANNA, "10.0.1.2"));
        }
        assert!(!admits(&guard, at, ANNA, "10.0.1.2"));
        assert!(admits(&guard, at + FORGIVEN_MS + 1, ANNA, "10.0.1.2"));
    }

    #[test]
    fn one_address_cannot_try_everybody() {
        let guard = Guard::default();
        let tries =
            |from: &str, count: u32| (0..count).filter(|n| admits(&guard, 0, &format!("p{n}{from}"), from)).count();
        assert_eq!(tries("10.0.0.1", 100), FREE_TRIES_OF_ADDRESS as usize);
        assert_eq!(tries("2001:db8::1", 100), FREE_TRIES_OF_ADDRESS as usize);
        assert_eq!(tries("2001:db8::2", 100), 0, "the same network");
        assert_eq!(tries("2001:db8:0:1::1", 1), 1);
        // A busy office that types right is never made to wait.
        for n in 0..1_000 {
            let person = format!("right{n}");
            assert!(admits(&guard, 0, &person, "10.0.0.2"), "{n}");
            guard.forgive(&person, address("10.0.0.2"));
        }
    }

    #[test]
    fn memory_is_bounded_and_a_code_is_good_once() {
        let guard = Guard::default();
        for n in 0..30_000_u32 {
            let _ = guard.admit(Millis(0), &format!("{n}{}", "я".repeat(300)), Some(IpAddr::V4(n.into())));
        }
        assert_eq!(locked(&guard.tries).len(), REMEMBERED_MAX.get());
        let (anna, oleh) = (RecordId::derived(&[b"anna"]), RecordId::derived(&[b"oleh"]));
        assert!(guard.is_new(anna, 7) && guard.is_new(oleh, 7));
        assert!(!guard.is_new(anna, 7) && !guard.is_new(anna, 6) && guard.is_new(anna, 8));
    }

    #[test]
    fn a_sign_in_waits_a_while_for_its_code() {
        let (guard, env) = (Guard::default(), SystemEnvironment);
        let second = Second::drawn(&env);
        let token = guard.wait_for_code(&env, RecordId::derived(&[b"anna"]), ANNA, String::new(), second);
        assert!(guard.half(env.now(), &token).is_some() && guard.half(env.now(), "").is_none());
        assert!(guard.half(env.now().plus(HALF_MS + 1), &token).is_none());
        guard.forget_half(&token);
        assert!(guard.half(env.now(), &token).is_none());
    }
}
