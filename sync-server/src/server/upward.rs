//! What the process that keeps the own upstream link knows of it, for people.

use std::sync::{Arc, Mutex, PoisonError};

use branchline_core::Error;
use branchline_core::net::Following;
use branchline_core::time::Millis;

/// The own line upwards; all clones are one.
#[derive(Clone, Default)]
pub struct Upward {
    failed: Arc<Mutex<Option<(Millis, Error)>>>,
}

impl Upward {
    /// Takes note of what happens to the line.
    pub fn note(&self, now: Millis, following: &Following) {
        let failed = match following {
            Following::Online | Following::Paused => None,
            Following::Offline { error, .. } => Some((now, error.clone())),
            Following::Event(_) => return,
        };
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = failed;
    }

    /// With what the last try failed, and when; none while the line is up.
    pub fn failed(&self) -> Option<(Millis, Error)> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
