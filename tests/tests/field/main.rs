//! Real processes under what the field does to them: lines that are slow, lossy and cut, `kill -9` in the middle of a
//! transfer, and peers that mean harm. What must have come through is known from a plain record of what was typed.
//!
//! `tests/run` runs a bounded slice. With `BRANCHLINE_WHOLE=1` the tests do all that the page on promises speaks of.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod day;
mod hostile;
mod kills;
mod slow_line;
mod versions;

/// Whether all of it is asked for, not only what `tests/run` has time for.
fn whole() -> bool {
    std::env::var_os("BRANCHLINE_WHOLE").is_some_and(|value| value == "1")
}
