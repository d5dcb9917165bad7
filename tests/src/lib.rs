//! Branchline: tests.
