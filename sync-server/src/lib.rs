//! Branchline: sync-server.
