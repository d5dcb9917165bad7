//! Guided by coverage: imported files.

#![no_main]

branchline_fuzz::guided!("table");
