//! The room `crm`; see the crate's root for what it owns.

pub mod import;
