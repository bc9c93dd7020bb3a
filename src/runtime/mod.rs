//! (see docs/architecture.md)
pub mod timers;
