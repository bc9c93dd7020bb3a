//! ZMTP, the wire protocol, without I/O: bytes and time go in, bytes and events come out.
//!
//! Nothing here owns a file descriptor, reads a clock or starts a thread. A connection begins with a
//! [`Handshake`]; when that is established it turns into a [`Decoder`] and an [`Encoder`], which share nothing, so
//! that the reading and the writing half of a connection can each stand under a lock of its own.
//!
//! Spoken: ZMTP 3.1 (RFC 37), 3.0 (RFC 23), 2.0 (RFC 15), 1.0 (RFC 13), ZWS 2.0 (RFC 45), and raw bytes for STREAM sockets.

pub mod command;
pub mod datagram;
pub mod decoder;
pub mod encoder;
pub mod error;
pub mod frame;
pub mod greeting;
pub mod groups;
pub mod handshake;
pub mod heartbeat;
pub mod mechanism;
pub mod multicast;
pub mod properties;
#[cfg(test)]
mod testing;
pub mod websocket;

pub use decoder::{Decoded, Decoder, Progress};
pub use encoder::Encoder;
pub use error::{HandshakeEvent, ProtocolError};
pub use frame::Version;
pub use handshake::{Established, Handshake, HandshakeConfig};
pub use heartbeat::Heartbeat;
pub use mechanism::{Mechanism, Peer};
