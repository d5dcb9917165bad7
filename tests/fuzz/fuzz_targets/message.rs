//! Guided by coverage: messages of the link.

#![no_main]

branchline_fuzz::guided!("message");
