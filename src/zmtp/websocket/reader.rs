//! What a WebSocket adds to the decoder: the header, masks, control frames, and a routing id that comes as a message.

use super::frame::{self, Opcode};
use super::mask::{self, Mask};
use crate::error::Result;
use crate::message::{Kind, Message};
use crate::zmtp::ProtocolError;
use crate::zmtp::frame as zmtp;

/// Understands the frames of one direction. The frame whose header was parsed last is the current one.
#[derive(Debug)]
pub struct FrameReader {
    /// The peer is the client.
    masked: bool,
    opcode: Opcode,
    mask: Mask,
    /// There is no mechanism. Then control frames mean nothing, as in libzmq.
    plain: bool,
    /// The next frame is the peer's routing id, and whether that is for the socket.
    routing_id: Option<bool>,
}

impl FrameReader {
    /// For what a client sends (`masked`), or a server.
    pub fn new(masked: bool) -> Self {
        Self { masked, opcode: Opcode::Binary, mask: Mask::default(), plain: false, routing_id: None }
    }

    /// For a connection without a mechanism, where the peer's routing id comes first. `wanted`: it is for the socket.
    pub fn without_mechanism(self, wanted: bool) -> Self {
        Self { plain: true, routing_id: Some(wanted), ..self }
    }

    /// Parses a header. Whatever isn't a message has [`zmtp::COMMAND`] among its flags, so that it comes to [`Self::interpret`].
    ///
    /// # Errors
    /// See [`frame::parse`].
    #[inline]
    pub fn parse(&mut self, bytes: &[u8]) -> Result<Option<zmtp::Header>, ProtocolError> {
        let Some(header) = frame::parse(bytes, self.masked)? else { return Ok(None) };
        (self.opcode, self.mask) = (header.opcode, header.mask);
        let special = header.opcode != Opcode::Binary || self.routing_id.is_some();
        let flags = if special { header.flags | zmtp::COMMAND } else { header.flags };
        Ok(Some(zmtp::Header { size: header.size, flags, body: header.body }))
    }

    /// Unmasks a part of the current frame's body that begins `at` so many bytes into it.
    #[inline]
    pub fn unmask(&self, part: &mut [u8], at: usize) {
        if self.masked {
            mask::apply(part, self.mask, at);
        }
    }

    /// What the current frame is if it is neither a message nor a command of ZMTP's; the inner `None`: nothing.
    ///
    /// The frame itself comes back in the error if it is one of ZMTP's.
    pub fn interpret(&mut self, mut body: Message) -> std::result::Result<Option<Message>, Message> {
        let kind = match self.opcode {
            Opcode::Binary => match self.routing_id.take() {
                Some(true) => Kind::RoutingId,
                Some(false) => return Ok(None),
                None => return Err(body),
            },
            _ if self.plain => return Ok(None),
            // A PING's body isn't ZMTP's TTL and context, and the answer to it has none.
            Opcode::Ping => {
                body = Message::new();
                Kind::Ping
            }
            Opcode::Pong => Kind::Pong,
            Opcode::Close => Kind::Close,
        };
        body.set_more(false);
        body.set_kind(kind);
        Ok(Some(body))
    }

    /// Whether a command of ZMTP's means something here. Heartbeats are control frames, and subscriptions are messages that begin with
    /// 1 or 0; but libzmq, if it seals them (CURVE), sends commands.
    pub fn takes(&self, kind: Kind, sealed: bool) -> bool {
        match kind {
            Kind::Join | Kind::Leave => true,
            Kind::Subscribe | Kind::Cancel => sealed,
            _ => false,
        }
    }
}
