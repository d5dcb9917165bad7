//! Guided by coverage: courier files and seeds.

#![no_main]

branchline_fuzz::guided!("courier");
