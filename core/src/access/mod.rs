//! The room `access`; see the crate's root for what it owns.
