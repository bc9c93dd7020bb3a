//! CURVE: encryption and authentication by CurveZMQ (RFC 26, which RFC 25 puts into ZMTP).
//!
//! ```text
//! client                                             server
//! HELLO     C', Box[64 zeros](C'->S)           ->
//!                                              <-    WELCOME   Box[S', cookie](S->C')
//! INITIATE  cookie,
//!           Box[C, vouch, metadata](C'->S'),
//!           vouch = Box[C', S](C->S')          ->
//!                                              <-    READY     Box[metadata](S'->C'), or ERROR
//! MESSAGE   Box[flags, body](C'->S')          <->    MESSAGE   Box[flags, body](S'->C')
//! ```
//!
//! C and S are the long-term public keys, C' and S' those of the connection; `Box[X](A->B)` is what the owner of A's secret key
//! encrypts for the owner of B's. docs/security.md says what that protects, and where the cryptography is from.

pub mod client;
pub mod codec;
pub mod keys;
mod salsa20;
pub mod server;
#[cfg(test)]
mod tests;

pub use client::Client;
pub use server::Server;
