//! The one error that crosses the border: the core's, with its words spelt out.

use std::panic::{AssertUnwindSafe, catch_unwind};

use branchline_core::Error;
use branchline_core::message::Language;

use crate::log::{self, LogLevel};

macro_rules! flat {
    ($($(#[$doc:meta])* $kind:ident),* $(,)?) => {
        /// What went wrong, by kind; each kind with the same fields.
        ///
        /// `what` happened, in the replica's language; `place` is where (a field, a row, an address), empty where `what`
        /// says it; `to_do` is the advice; `retryable` is whether the same call can succeed later by itself; `code` is
        /// for programs and never changes.
        #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
        #[non_exhaustive]
        pub enum ReplicaError {
            $(
                $(#[$doc])*
                #[error("{what}")]
                #[expect(missing_docs, reason = "the fields are those of every kind, described above")]
                $kind { what: String, place: String, to_do: String, retryable: bool, code: String },
            )*
        }
    };
}

flat! {
    /// A value, file or expression breaks a rule.
    Invalid,
    /// Something named does not exist here.
    NotFound,
    /// A name fits several things.
    Ambiguous,
    /// The acting person's role does not allow it.
    Denied,
    /// The call itself is wrong: a folder that is no replica, an object used after `close`.
    Usage,
    /// The upstream cannot be reached now; local work is safe and waits.
    Unreachable,
    /// The upstream says what it must not say.
    Protocol,
    /// The upstream refuses this replica.
    Refused,
    /// SQLite or the disk failed; nothing of the call stays.
    Storage,
    /// Stored bytes are damaged; the store is left as it is.
    Corrupt,
    /// Another version wrote this.
    Version,
    /// A stated bound was exceeded.
    Limit,
    /// Another process holds what is needed; trying again can help.
    Busy,
    /// The folder is encrypted and its key is missing or wrong, or a key was given for a plain one. Nothing is damaged.
    Locked,
    /// A fault inside Branchline; nothing of the call stays.
    Fault,
}

macro_rules! spelt {
    ($error:expr, $language:expr, $($from:ident),* $(,)?) => {{
        let (error, language) = ($error, $language);
        let what = error.what(language);
        let place = error.place().to_owned();
        let to_do = error.advice(language);
        let (retryable, code) = (error.retryable(), error.code());
        match error {
            $(Error::$from(_) => ReplicaError::$from { what, place, to_do, retryable, code },)*
            // A kind that the core has gained and this border does not know yet.
            _ => ReplicaError::Fault { what, place, to_do, retryable, code },
        }
    }};
}

/// The error in a person's language.
pub(crate) fn spell(error: &Error, language: Language) -> ReplicaError {
    spelt!(
        error,
        language,
        Invalid,
        NotFound,
        Ambiguous,
        Denied,
        Usage,
        Unreachable,
        Protocol,
        Refused,
        Storage,
        Corrupt,
        Version,
        Limit,
        Busy,
        Locked,
    )
}

/// A callback of the app failed: what it threw, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum CallbackError {
    /// It said why, or threw something.
    #[error("{reason}")]
    Failed {
        /// What it said.
        reason: String,
    },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for CallbackError {
    fn from(thrown: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed { reason: thrown.reason }
    }
}

/// An error in words, where it is told and not thrown.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Problem {
    /// What happened.
    pub what: String,
    /// Where; empty where `what` says it.
    pub place: String,
    /// What to do next.
    pub to_do: String,
    /// Whether it can go away by itself.
    pub retryable: bool,
    /// For programs; never changes.
    pub code: String,
}

impl Problem {
    pub(crate) fn of(error: &Error, language: Language) -> Self {
        Self {
            what: error.what(language),
            place: error.place().to_owned(),
            to_do: error.advice(language),
            retryable: error.retryable(),
            code: error.code(),
        }
    }
}

/// Runs a call from outside: its error is spelt out, its panic becomes an error.
pub(crate) fn guarded<T>(
    language: Language,
    call: impl FnOnce() -> branchline_core::Result<T>,
) -> Result<T, ReplicaError> {
    unwound(call).map_err(|error| match error {
        Some(error) => spell(&error, language),
        None => {
            let Problem { what, place, to_do, retryable, code } = Problem::of(&fault(), language);
            ReplicaError::Fault { what, place, to_do, retryable, code }
        }
    })
}

/// What a panic becomes.
pub(crate) fn fault() -> Error {
    Error::usage("engine-fault")
}

/// The result of a call; no error where it panicked.
pub(crate) fn unwound<T>(call: impl FnOnce() -> branchline_core::Result<T>) -> Result<T, Option<Error>> {
    log::remember_panics();
    // The replica commits whole or not at all, so an unwound call leaves nothing half-done behind.
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(Some),
        Err(_) => {
            log::log(LogLevel::Error, "engine", || log::take_panic().unwrap_or_else(|| "a panic".to_owned()));
            Err(None)
        }
    }
}

/// Runs a callback of the app: whatever it does, the engine goes on, and the log says so.
pub(crate) fn told(part: &str, callback: impl FnOnce() -> Result<(), CallbackError>) {
    match catch_unwind(AssertUnwindSafe(callback)) {
        Ok(Ok(())) => {}
        Ok(Err(failure)) => log::log(LogLevel::Warning, part, || format!("the callback failed: {failure}")),
        Err(_) => log::log(LogLevel::Warning, part, || "the callback failed".to_owned()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn an_error_crosses_with_all_its_parts() {
        let core = Error::not_found("unknown-field").with("field", "sise").with("collection", "account").at("row 7");
        let ReplicaError::NotFound { what, place, to_do, retryable, code } = spell(&core, Language::En) else {
            panic!("the kind stays");
        };
        assert!(what.contains("sise") && to_do.contains("schema show"));
        assert_eq!((place.as_str(), retryable, code.as_str()), ("row 7", false, "unknown_field"));
    }

    #[test]
    fn a_panic_becomes_an_error() {
        let result: Result<(), _> = guarded(Language::Ru, || panic!("a fault for the test"));
        assert!(matches!(result, Err(ReplicaError::Fault { code, .. }) if code == "engine_fault"));
    }
}
