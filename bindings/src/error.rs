//! The one error that crosses the border: the core's, with its words spelt out.

use std::panic::{AssertUnwindSafe, catch_unwind};

use branchline_core::Error;
use branchline_core::message::Language;

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
    )
}

/// Runs a call from outside: its error is spelt out, its panic becomes an error.
pub(crate) fn guarded<T>(
    language: Language,
    call: impl FnOnce() -> branchline_core::Result<T>,
) -> Result<T, ReplicaError> {
    // The replica commits whole or not at all, so an unwound call leaves nothing half-done behind.
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|error| spell(&error, language)),
        Err(_) => match spell(&Error::usage("engine-fault"), language) {
            ReplicaError::Usage { what, place, to_do, retryable, code } => {
                Err(ReplicaError::Fault { what, place, to_do, retryable, code })
            }
            other => Err(other),
        },
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
