//! The web workplace in a real Chromium, as people use it. `tests/run web` installs the browser and fetches axe-core.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod company;
mod driver;
mod every_page;
mod figures;
mod pictures;
mod tutorial;
mod work;
