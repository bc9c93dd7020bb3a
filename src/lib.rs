//! ferrozmq: `libzmq.so.5` rewritten in Rust.
//!
//! The crate is layered, imports point down only, and a test (`tests/layers.rs`) holds that:
//! `ffi -> runtime -> {pattern, transport, security} -> {pipe, zmtp, pgm, sys} -> {error, options, message, mutex}`.
//! `docs/architecture.md` walks through the code.
#![deny(unsafe_code)]

#[cfg(test)]
#[path = "../tests/sockets/dice.rs"]
mod dice;
pub mod error;
#[path = "../ffi/mod.rs"]
#[allow(unsafe_code)]
pub mod ffi;
#[allow(unsafe_code)]
pub mod message;
pub mod metadata;
mod mutex;
pub mod options;
pub mod pattern;
pub mod pgm;
pub mod pipe;
pub mod random;
pub mod runtime;
pub mod security;
#[allow(unsafe_code)]
pub mod sys;
pub mod transport;
#[allow(unsafe_code)]
pub mod vectors;
pub mod z85;
pub mod zmtp;
