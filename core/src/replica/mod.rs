//! The room `replica`; see the crate's root for what it owns.
