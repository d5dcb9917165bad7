//! The room `net`; see the crate's root for what it owns.
