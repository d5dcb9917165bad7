//! Guided by coverage: import maps.

#![no_main]

branchline_fuzz::guided!("map");
