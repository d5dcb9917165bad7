//! The room `sync`; see the crate's root for what it owns.
