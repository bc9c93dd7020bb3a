//! (see docs/architecture.md)
pub mod descriptor;
