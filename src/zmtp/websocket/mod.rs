//! ZWS 2.0 (RFC 45): ZMTP's messages in the frames of a WebSocket (RFC 6455).
//!
//! ```text
//! HTTP upgrade --ZWS2.0/MECHANISM--> the mechanism's commands --> messages
//!       \-------ZWS2.0--> routing ids, as the first frame of each side, and messages at once
//! ```
//!
//! The subprotocol takes the place of the greeting. Each frame of ZMTP is one binary frame, whose first byte says whether more follow and
//! whether it is a command. Heartbeats are the WebSocket's own PING and PONG. What isn't said in the RFCs is as libzmq has it:
//! `docs/websocket.md`.

mod frame;
mod http;
mod mask;
mod reader;
#[cfg(test)]
mod tests;
mod upgrade;
mod writer;

pub(super) use frame::MAX_HEADER;
pub(super) use reader::FrameReader;
pub(super) use upgrade::{Protocol, Upgrade};
pub(super) use writer::FrameWriter;

use crate::error::Result;

/// Fills a buffer with unpredictable bytes: the system's random numbers, as this layer makes no calls of its own.
pub type Random = fn(&mut [u8]) -> Result<()>;

/// What the handshake of a WebSocket needs to know besides ZMTP's.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which side this is.
    pub side: Side,
    /// Keys and masks come from there.
    pub random: Random,
    /// Whether the peer's routing id is a message for the socket. It isn't known before messages flow if there is no mechanism.
    pub wants_routing_id: bool,
}

/// A side of a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    /// It asks for the upgrade, and masks its frames.
    Client {
        /// The header `Host`.
        host: String,
        /// What is asked for, `/` at least.
        path: String,
    },
    /// It grants the upgrade.
    Server,
}
