//! The room `wire`; see the crate's root for what it owns.
