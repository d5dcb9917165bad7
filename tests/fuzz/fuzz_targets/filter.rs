//! Guided by coverage: filter expressions.

#![no_main]

branchline_fuzz::guided!("filter");
