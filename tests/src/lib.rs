//! What Branchline's tests share: where the data is, real processes, the sources as text, the generated reference.
//!
//! The tests themselves are in `tests/tests`: `house` holds the code against its own rules, `docs` the pages against
//! the code, `e2e` runs real processes on real data. This crate may panic: a failure here is a failed test.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod bench;
pub mod catalogue;
#[cfg(feature = "canary")]
pub mod disk;
pub mod fuzz;
pub mod generator;
pub mod golden;
pub mod line;
#[cfg(feature = "canary")]
pub mod network;
pub mod peer;
pub mod process;
pub mod reference;
pub mod sim;
pub mod source;
#[cfg(feature = "canary")]
pub mod swarm;
pub mod visitor;

use std::path::{Path, PathBuf};

/// The root of the checkout.
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate lies in a folder of the checkout")
}

/// The folder of the real data: `BRANCHLINE_DATA_DIR`, else `../shared/data` beside the checkout.
///
/// # Panics
/// Where it is missing: tests on real data cannot pass without it.
pub fn data_dir() -> PathBuf {
    let dir = std::env::var_os("BRANCHLINE_DATA_DIR")
        .map_or_else(|| checkout().parent().unwrap_or(checkout()).join("shared/data"), PathBuf::from);
    assert!(
        dir.join("crm-sales-opportunities/sales_pipeline.csv").is_file(),
        "no test data in {}: set BRANCHLINE_DATA_DIR to the folder that holds crm-sales-opportunities",
        dir.display()
    );
    dir
}

/// The binary under test: `BRANCHLINE_BIN`, else `branchline` in the build folder of whoever asks.
///
/// # Panics
/// Where it has not been built.
pub fn binary() -> PathBuf {
    let path = std::env::var_os("BRANCHLINE_BIN").map_or_else(beside_this_test, PathBuf::from);
    assert!(path.is_file(), "no binary at {}: run `cargo build --bin branchline` first", path.display());
    path
}

// Tests run from `target/<profile>/deps`, binaries from one folder up.
fn beside_this_test() -> PathBuf {
    let own = std::env::current_exe().expect("a running test has a path");
    let folder = own.parent().expect("an executable lies in a folder");
    let profile = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    profile.join(format!("branchline{}", std::env::consts::EXE_SUFFIX))
}
