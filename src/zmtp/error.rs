//! What is wrong with what a peer sent, and what a monitor is told about it.

use crate::error::Error;

/// Protocol error codes: the value of the monitor event `ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL` (`zmq_socket_monitor`(3)).
pub mod code {
    /// `ZMQ_PROTOCOL_ERROR_ZMTP_UNSPECIFIED`
    pub const UNSPECIFIED: u32 = 0x1000_0000;
    /// `ZMQ_PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND`
    pub const UNEXPECTED_COMMAND: u32 = 0x1000_0001;
    /// `ZMQ_PROTOCOL_ERROR_ZMTP_INVALID_SEQUENCE`
    pub const INVALID_SEQUENCE: u32 = 0x1000_0002;
    /// `ZMQ_PROTOCOL_ERROR_ZMTP_KEY_EXCHANGE`
    pub const KEY_EXCHANGE: u32 = 0x1000_0003;
    /// `ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_UNSPECIFIED`
    pub const MALFORMED_COMMAND: u32 = 0x1000_0011;
    /// `ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_MESSAGE`
    pub const MALFORMED_MESSAGE: u32 = 0x1000_0012;
    /// `ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_HELLO`
    pub const MALFORMED_HELLO: u32 = 0x1000_0013;
    /// `ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_INITIATE`
    pub const MALFORMED_INITIATE: u32 = 0x1000_0014;
    /// `ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_ERROR`
    pub const MALFORMED_ERROR: u32 = 0x1000_0015;
    /// `ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_READY`
    pub const MALFORMED_READY: u32 = 0x1000_0016;
    /// `ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_WELCOME`
    pub const MALFORMED_WELCOME: u32 = 0x1000_0017;
    /// `ZMQ_PROTOCOL_ERROR_ZMTP_INVALID_METADATA`
    pub const INVALID_METADATA: u32 = 0x1000_0018;
    /// `ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC`
    pub const CRYPTOGRAPHIC: u32 = 0x1100_0001;
    /// `ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH`
    pub const MECHANISM_MISMATCH: u32 = 0x1100_0002;
    /// `ZMQ_PROTOCOL_ERROR_ZAP_UNSPECIFIED`
    pub const ZAP_UNSPECIFIED: u32 = 0x2000_0000;
    /// `ZMQ_PROTOCOL_ERROR_ZAP_MALFORMED_REPLY`
    pub const ZAP_MALFORMED_REPLY: u32 = 0x2000_0001;
    /// `ZMQ_PROTOCOL_ERROR_ZAP_BAD_REQUEST_ID`
    pub const ZAP_BAD_REQUEST_ID: u32 = 0x2000_0002;
    /// `ZMQ_PROTOCOL_ERROR_ZAP_BAD_VERSION`
    pub const ZAP_BAD_VERSION: u32 = 0x2000_0003;
    /// `ZMQ_PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE`
    pub const ZAP_INVALID_STATUS_CODE: u32 = 0x2000_0004;
    /// `ZMQ_PROTOCOL_ERROR_ZAP_INVALID_METADATA`
    pub const ZAP_INVALID_METADATA: u32 = 0x2000_0005;
    /// `ZMQ_PROTOCOL_ERROR_WS_UNSPECIFIED`
    pub const WS_UNSPECIFIED: u32 = 0x3000_0000;
}

/// A monitor event about a handshake, with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeEvent {
    /// `ZMQ_EVENT_HANDSHAKE_SUCCEEDED`, of a WebSocket's upgrade: the mechanism's handshake comes after it.
    Upgraded,
    /// `ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL`: one of [`code`].
    Protocol(u32),
    /// `ZMQ_EVENT_HANDSHAKE_FAILED_AUTH`: a ZAP status code, 300, 400 or 500 (RFC 27).
    Auth(u16),
    /// `ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL`: its value is the errno.
    NoDetail(Error),
}

/// The peer broke the protocol, or was refused; the connection has to be closed.
///
/// `ZMQ_EVENT_DISCONNECTED` follows `event`. A session that connects ends here and does **not** reconnect: the peer
/// would do the same again. (Errors of the transport and time-outs, which do lead to a reconnection, are none of
/// this layer's.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtocolError {
    /// The errno that describes it, for logs.
    pub error: Error,
    /// What a monitor hears before `ZMQ_EVENT_DISCONNECTED`. Frames that are too large or can't be parsed,
    /// incompatible socket types and malformed metadata under NULL are followed by the disconnection alone.
    pub event: Option<HandshakeEvent>,
}

impl ProtocolError {
    /// A violation that a monitor hears of by one of [`code`].
    pub const fn with_code(code: u32) -> Self {
        Self { error: Error::Protocol, event: Some(HandshakeEvent::Protocol(code)) }
    }

    /// A failure that a monitor sees as a disconnection only.
    pub const fn silent(error: Error) -> Self {
        Self { error, event: None }
    }
}

impl std::fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.event {
            Some(event) => write!(f, "{} ({event:?})", self.error),
            None => write!(f, "{}", self.error),
        }
    }
}

impl std::error::Error for ProtocolError {}
