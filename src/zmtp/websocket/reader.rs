//! What a WebSocket adds to the decoder: the header, masks, control frames, messages in fragments, and a routing id that comes as a message.

use super::frame::{self, Due, Header, Opcode};
use super::mask::{self, Mask};
use crate::error::{Error, Result};
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
    /// The next message is the peer's routing id, and whether that is for the socket.
    routing_id: Option<bool>,
    /// What the current frame is of the message in `fragments`.
    part: Part,
    /// A message of which some fragments have come, and the last one hasn't.
    fragments: Option<Fragments>,
}

/// How much of a message a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Fragment,
    LastFragment,
}

/// The fragments of a message so far (RFC 6455, section 5.4).
#[derive(Debug, Default)]
struct Fragments {
    /// ZMTP's flags, once there was a byte.
    flags: Option<u8>,
    body: Vec<u8>,
}

impl FrameReader {
    /// For what a client sends (`masked`), or a server.
    pub fn new(masked: bool) -> Self {
        Self {
            masked,
            opcode: Opcode::Binary,
            mask: Mask::default(),
            plain: false,
            routing_id: None,
            part: Part::Whole,
            fragments: None,
        }
    }

    /// For a connection without a mechanism, where the peer's routing id comes first. `wanted`: it is for the socket.
    pub fn without_mechanism(self, wanted: bool) -> Self {
        Self { plain: true, routing_id: Some(wanted), ..self }
    }

    /// Parses a header. Whatever isn't a whole message has [`zmtp::COMMAND`] among its flags, so that it comes to [`Self::join`] and
    /// [`Self::interpret`].
    ///
    /// # Errors
    /// See [`frame::parse`].
    #[inline]
    pub fn parse(&mut self, bytes: &[u8]) -> Result<Option<zmtp::Header>, ProtocolError> {
        let due = match &self.fragments {
            None => Due::Message,
            Some(Fragments { flags: None, .. }) => Due::Flags,
            Some(_) => Due::Rest,
        };
        let Some(header) = frame::parse(bytes, self.masked, due)? else { return Ok(None) };
        (self.opcode, self.mask, self.part) = (header.opcode, header.mask, Part::Whole);
        let mut special = header.opcode != Opcode::Binary || self.routing_id.is_some();
        if header.opcode == Opcode::Continuation || !header.last {
            self.begin_fragment(&header);
            special = true;
        }
        let flags = header.flags.unwrap_or_default() | if special { zmtp::COMMAND } else { 0 };
        Ok(Some(zmtp::Header { size: header.size, flags, body: header.body }))
    }

    #[cold]
    fn begin_fragment(&mut self, header: &Header) {
        self.opcode = Opcode::Binary;
        self.part = if header.last { Part::LastFragment } else { Part::Fragment };
        let fragments = self.fragments.get_or_insert_default();
        fragments.flags = fragments.flags.or(header.flags);
    }

    /// Bytes that the current frame's message has had before it.
    pub fn before(&self) -> u64 {
        match (&self.fragments, self.part) {
            (Some(fragments), Part::Fragment | Part::LastFragment) => fragments.body.len() as u64,
            _ => 0,
        }
    }

    /// Takes the current frame, with its flags. A whole one comes back as it is, and so does the message that a last fragment completes;
    /// `None`: it isn't complete.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]
    pub fn join(&mut self, flags: u8, body: Message) -> Result<Option<(u8, Message)>, ProtocolError> {
        let Some(fragments) = self.fragments.as_mut().filter(|_| self.part != Part::Whole) else {
            return Ok(Some((flags, body)));
        };
        let room = fragments.body.try_reserve(body.len());
        room.map_err(|_| ProtocolError::silent(Error::OutOfMemory))?;
        fragments.body.extend_from_slice(body.data());
        if self.part == Part::Fragment {
            return Ok(None);
        }
        let Fragments { flags, body } = self.fragments.take().unwrap_or_default();
        let flags = flags.unwrap_or_default() | if self.routing_id.is_some() { zmtp::COMMAND } else { 0 };
        let message = Message::from_slice(&body).map_err(ProtocolError::silent)?;
        Ok(Some((flags, message)))
    }

    /// Unmasks a part of the current frame's body that begins `at` so many bytes into it.
    #[inline]
    pub fn unmask(&self, part: &mut [u8], at: usize) {
        if self.masked {
            mask::apply(part, self.mask, at);
        }
    }

    /// What the current frame, or the message that it completes, is if it is neither a message nor a command of ZMTP's; the inner `None`: nothing.
    ///
    /// The frame itself comes back in the error if it is one of ZMTP's.
    pub fn interpret(&mut self, mut body: Message) -> std::result::Result<Option<Message>, Message> {
        let kind = match self.opcode {
            Opcode::Binary | Opcode::Continuation => match self.routing_id.take() {
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
