//! The room `store`; see the crate's root for what it owns.
