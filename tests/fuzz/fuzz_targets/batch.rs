//! Guided by coverage: batches of the compact codec.

#![no_main]

branchline_fuzz::guided!("batch");
