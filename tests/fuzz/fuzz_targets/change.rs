//! Guided by coverage: change chunks at the door.

#![no_main]

branchline_fuzz::guided!("change");
