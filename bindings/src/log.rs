//! What the package tells whoever runs it: one listener for the process, and the panics that calls were saved from.

use std::cell::RefCell;
use std::sync::{Arc, Once, PoisonError, RwLock};

use crate::error::CallbackError;

/// How much a line of the log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, uniffi::Enum)]
pub enum LogLevel {
    /// Steps of a link.
    Debug,
    /// A link has begun, has become quiet, has ended.
    Info,
    /// Something failed and will be tried again; a callback failed.
    Warning,
    /// A fault inside Branchline.
    Error,
}

/// Hears the log. Lines are for developers, in English.
#[uniffi::export(with_foreign)]
pub trait LogListener: Send + Sync {
    /// A line. It may come from any thread; what it throws is dropped.
    fn line(&self, level: LogLevel, part: String, text: String) -> Result<(), CallbackError>;
}

struct Sink {
    least: LogLevel,
    listener: Arc<dyn LogListener>,
}

static SINK: RwLock<Option<Sink>> = RwLock::new(None);

thread_local! {
    // Where the panic that a call was saved from happened.
    static PANICKED_AT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Sends the log of the whole process to a listener, from `least` upwards; without one it goes nowhere.
#[uniffi::export]
pub fn set_log(least: LogLevel, listener: Option<Arc<dyn LogListener>>) {
    remember_panics();
    *SINK.write().unwrap_or_else(PoisonError::into_inner) = listener.map(|listener| Sink { least, listener });
}

/// Writes a line; `text` is made only if somebody listens.
pub(crate) fn log(level: LogLevel, part: &str, text: impl FnOnce() -> String) {
    let listener = {
        let sink = SINK.read().unwrap_or_else(PoisonError::into_inner);
        match &*sink {
            Some(sink) if level >= sink.least => sink.listener.clone(),
            _ => return,
        }
    };
    let _ = listener.line(level, part.to_owned(), text());
}

/// The words and the place of the panic that this thread was just saved from.
pub(crate) fn take_panic() -> Option<String> {
    PANICKED_AT.with(|at| at.borrow_mut().take())
}

/// Has panics leave their place for the log, besides what they do anyway.
pub(crate) fn remember_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICKED_AT.with(|at| *at.borrow_mut() = Some(info.to_string()));
            usual(info);
        }));
    });
}
