//! Guided by coverage: invitation codes.

#![no_main]

branchline_fuzz::guided!("invitation");
