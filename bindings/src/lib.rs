//! Branchline: bindings.
