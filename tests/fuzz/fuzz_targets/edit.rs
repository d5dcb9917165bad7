//! Guided by coverage: changes written from a script, at the door.

#![no_main]

branchline_fuzz::guided!("edit");
