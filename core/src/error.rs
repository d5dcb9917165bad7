//! The one error that leaves this crate: what happened, where, what to do next, and whether trying again can help.

use std::fmt;

use crate::message::{Arg, Language, Message};

/// The result of everything that can fail here.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, by kind. Each kind carries a [`Report`]; the kind decides retry and exit code.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// A value, file or expression breaks a rule.
    Invalid(Report),
    /// Something named does not exist here.
    NotFound(Report),
    /// A name fits several things.
    Ambiguous(Report),
    /// The acting person's role does not allow it.
    Denied(Report),
    /// The call itself is wrong: options, order, a folder that is no replica.
    Usage(Report),
    /// The other end cannot be reached now.
    Unreachable(Report),
    /// The other end says what it must not say.
    Protocol(Report),
    /// The other end refuses this replica.
    Refused(Report),
    /// SQLite or the disk failed; nothing of the current operation stays.
    Storage(Report),
    /// Stored bytes are damaged; the store is left as it is.
    Corrupt(Report),
    /// Another version wrote this.
    Version(Report),
    /// A stated bound was exceeded.
    Limit(Report),
    /// Another process holds what is needed; trying again can help.
    Busy(Report),
    /// The folder is encrypted and the key for it is missing or wrong, or there is a key for what is not encrypted.
    Locked(Report),
}

/// The text of an error: a catalogue message whose `.do` attribute is the advice.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    message: Box<Message>,
    place: String,
}

impl Report {
    /// What happened, not yet in any language.
    pub fn message(&self) -> &Message {
        &self.message
    }
}

impl From<Message> for Report {
    fn from(message: Message) -> Self {
        Self { message: Box::new(message), place: String::new() }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $make:ident => $kind:ident),* $(,)?) => {
        impl Error {
            $(
                $(#[$doc])*
                pub fn $make(id: &'static str) -> Self {
                    Error::$kind(Report { message: Box::new(Message::new(id)), place: String::new() })
                }
            )*

            /// The message with its arguments and the place.
            pub fn report(&self) -> &Report {
                match self { $(Error::$kind(report) => report,)* }
            }

            fn report_mut(&mut self) -> &mut Report {
                match self { $(Error::$kind(report) => report,)* }
            }
        }
    };
}

kinds! {
    /// An [`Error::Invalid`] with the catalogue message `id`.
    invalid => Invalid,
    /// An [`Error::NotFound`] with the catalogue message `id`.
    not_found => NotFound,
    /// An [`Error::Ambiguous`] with the catalogue message `id`.
    ambiguous => Ambiguous,
    /// An [`Error::Denied`] with the catalogue message `id`.
    denied => Denied,
    /// An [`Error::Usage`] with the catalogue message `id`.
    usage => Usage,
    /// An [`Error::Unreachable`] with the catalogue message `id`.
    unreachable => Unreachable,
    /// An [`Error::Protocol`] with the catalogue message `id`.
    protocol => Protocol,
    /// An [`Error::Refused`] with the catalogue message `id`.
    refused => Refused,
    /// An [`Error::Storage`] with the catalogue message `id`.
    storage => Storage,
    /// An [`Error::Corrupt`] with the catalogue message `id`.
    corrupt => Corrupt,
    /// An [`Error::Version`] with the catalogue message `id`.
    version => Version,
    /// An [`Error::Limit`] with the catalogue message `id`.
    limit => Limit,
    /// An [`Error::Busy`] with the catalogue message `id`.
    busy => Busy,
    /// An [`Error::Locked`] with the catalogue message `id`.
    locked => Locked,
}

impl Error {
    /// The same error with an argument for its message.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Arg>) -> Self {
        let report = self.report_mut();
        let message = std::mem::replace(&mut *report.message, Message::new(""));
        *report.message = message.with(name, value);
        self
    }

    /// The same error with the place where it happened (a file, a row, a field, an address).
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.report_mut().place = place.into();
        self
    }

    /// A stable code for programs, `unknown_field`; never translated.
    pub fn code(&self) -> String {
        self.report().message.id().replace('-', "_")
    }

    /// What happened, in words.
    pub fn what(&self, language: Language) -> String {
        self.report().message.render(language)
    }

    /// Where it happened; empty where the words already say it.
    pub fn place(&self) -> &str {
        &self.report().place
    }

    /// What to do next, in words.
    pub fn advice(&self, language: Language) -> String {
        self.report().message.render_advice(language)
    }

    /// Whether the same call can succeed later without a person changing anything.
    pub fn retryable(&self) -> bool {
        matches!(self, Error::Unreachable(_) | Error::Busy(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.what(Language::En);
        if self.place().is_empty() { f.write_str(&what) } else { write!(f, "{what} ({})", self.place()) }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_where_and_what_to_do() {
        let error = Error::not_found("unknown-field").with("field", "sise").with("collection", "account").at("row 7");
        assert_eq!(error.code(), "unknown_field");
        assert!(error.to_string().contains("sise") && error.to_string().contains("row 7"));
        assert!(!error.advice(Language::Uk).is_empty());
        assert!(!error.retryable());
    }
}
