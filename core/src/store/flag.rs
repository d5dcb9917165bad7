//! The bits of `record.flags`.

/// The record has several concurrent values in some field.
pub(crate) const CONFLICT: i64 = 1;
/// The record is archived.
pub(crate) const ARCHIVED: i64 = 2;
/// The record has left this replica's scopes and waits for its purge.
pub(crate) const HIDDEN: i64 = 4;
/// Beside [`HIDDEN`]: its changes are gone as well. What stays is its id, to tell whoever comes with an older folder that it
/// has left. The highest of all: what needs the other bits stops below it.
pub(crate) const FORGOTTEN: i64 = 32;
/// Both.
pub(crate) const AWAY: i64 = HIDDEN | FORGOTTEN;
/// An edit concurrent with its archiving brought it back; somebody should look.
pub(crate) const REVIEW: i64 = 8;
/// Some conflict asks a person.
pub(crate) const ASKS: i64 = 16;
