//! How a person wants to read and be told things: one sealed record for each person, which the person alone writes.
//!
//! What the texts mean is the business of whoever shows pages; here they are opaque, and an empty one is no choice.

use super::Principal;
use crate::error::Result;

/// The sealed collection.
pub(super) const PREFERENCES: &str = "preferences";
/// Its fields besides those that say whose it is.
pub(super) const FIELDS: [&str; 5] = ["time_zone", "numbers", "days", "notices", "seen_at"];

/// What one person has chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preferences {
    /// A time zone by its name.
    pub time_zone: String,
    /// How numbers are written.
    pub numbers: String,
    /// In which order days are written.
    pub days: String,
    /// Of what the person wants to be told.
    pub notices: String,
    /// Up to when the person has looked at what was told.
    pub seen_at: String,
}

impl Principal {
    /// What the person has chosen; nothing where this replica does not hold it.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn preferences(&self) -> Result<Preferences> {
        let [time_zone, numbers, days, notices, seen_at] = self.sealed(PREFERENCES, FIELDS)?.unwrap_or_default();
        Ok(Preferences { time_zone, numbers, days, notices, seen_at })
    }

    /// Keeps what the person has chosen, in the person's own name; only what differs is written.
    ///
    /// # Errors
    /// As [`Principal::keeps_sealed`]; what the store answers.
    pub fn set_preferences(&self, chosen: &Preferences) -> Result<()> {
        let Preferences { time_zone, numbers, days, notices, seen_at } = chosen;
        let texts = [time_zone, numbers, days, notices, seen_at];
        let known = self.preferences()?;
        let held = [&known.time_zone, &known.numbers, &known.days, &known.notices, &known.seen_at];
        let changed = FIELDS.iter().zip(texts).zip(held).filter(|((_, text), held)| text != held);
        let changed: Vec<(&str, &str)> = changed.map(|((field, text), _)| (*field, text.as_str())).collect();
        if changed.is_empty() { Ok(()) } else { self.seal(PREFERENCES, &changed) }
    }
}
