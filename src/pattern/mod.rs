//! (see docs/architecture.md)
pub mod subscriptions;
mod trie;
