//! The room `document`; see the crate's root for what it owns.
