//! Guided by coverage: the bytes of a socket.

#![no_main]

branchline_fuzz::guided!("frame");
