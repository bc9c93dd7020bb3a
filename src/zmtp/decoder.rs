//! From bytes to messages.

use super::command::{self, Accepts};
use super::groups::Assembly;
use super::mechanism::Unseal;
use super::websocket::{self, FrameReader};
use super::{ProtocolError, Version, frame};
use crate::error::Error;
use crate::message::{MAX_INLINE, Message};

/// When more than this is missing of a body, it is worth a read of its own, straight into its place.
pub const DIRECT_READ: usize = 8 * 1024;

/// What [`Decoder::decode_into`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A message, or one part of it, of any [`crate::message::Kind`] that its socket type takes, is in `out`.
    Message,
    /// All input was consumed; more is needed.
    Need,
    /// All input was consumed, and more than [`DIRECT_READ`] bytes are missing of a body: read into [`Decoder::body`].
    Body,
}

/// What [`Decoder::decode`] came to; see [`Progress`].
#[derive(Debug)]
pub enum Decoded {
    /// A message, or one part of it.
    Message(Message),
    /// All input was consumed; more is needed.
    Need,
    /// All input was consumed, and more than [`DIRECT_READ`] bytes are missing of a body: read into [`Decoder::body`].
    Body,
}

/// How the bytes are laid out.
#[derive(Debug)]
enum Framing {
    Zmtp(Version),
    /// No frames: what arrives is cut into messages of at most this many bytes.
    Raw(usize),
    WebSocket(Box<FrameReader>),
}

impl Framing {
    /// The header at the beginning of `bytes`; `None` if it isn't complete yet.
    #[inline]
    fn parse(&mut self, bytes: &[u8]) -> Result<Option<frame::Header>, ProtocolError> {
        match self {
            Self::Zmtp(version) => frame::parse(*version, bytes),
            Self::WebSocket(reader) => reader.parse(bytes),
            Self::Raw(_) => Ok(None),
        }
    }

    /// Makes of a part of the current body, which begins `at` so many bytes into it, what it is.
    #[inline]
    fn reveal(&self, part: &mut [u8], at: usize) {
        if let Self::WebSocket(reader) = self {
            reader.unmask(part, at);
        }
    }

    /// Bytes that the current body's message has had in earlier frames.
    fn before(&self) -> u64 {
        if let Self::WebSocket(reader) = self { reader.before() } else { 0 }
    }
}

/// The longest header in any layout.
const MAX_HEADER: usize =
    if websocket::MAX_HEADER > frame::MAX_HEADER { websocket::MAX_HEADER } else { frame::MAX_HEADER };

/// A body of which some bytes are still to come.
struct Partial {
    message: Message,
    flags: u8,
    filled: usize,
}

/// Finds the messages in the bytes of one direction of an established connection.
pub struct Decoder {
    framing: Framing,
    /// Bodies shorter than this are made messages of on the short way; 0 where that isn't possible.
    short: usize,
    /// The longest body that is let in (`ZMQ_MAXMSGSIZE`).
    max_body: u64,
    /// `None` while the handshake uses the decoder: every frame is a message then.
    accepts: Option<Accepts>,
    unseal: Option<Box<dyn Unseal>>,
    /// A DISH's messages come in two frames.
    groups: Option<Box<Assembly>>,
    /// The beginning of a header that was cut off.
    header: [u8; MAX_HEADER],
    header_len: usize,
    partial: Option<Partial>,
}

impl Decoder {
    /// A decoder for the frames of a handshake: commands come out as they are. `max_msg_size` is in bytes, negative
    /// for no limit.
    pub(super) fn for_handshake(version: Version, max_msg_size: i64) -> Self {
        Self::with_framing(Framing::Zmtp(version), max_msg_size)
    }

    /// The same for a WebSocket.
    pub(super) fn for_websocket(reader: FrameReader, max_msg_size: i64) -> Self {
        Self::with_framing(Framing::WebSocket(Box::new(reader)), max_msg_size)
    }

    fn with_framing(framing: Framing, max_msg_size: i64) -> Self {
        Self {
            framing,
            short: 0,
            max_body: u64::try_from(max_msg_size).unwrap_or(u64::MAX),
            accepts: None,
            unseal: None,
            groups: None,
            header: [0; MAX_HEADER],
            header_len: 0,
            partial: None,
        }
    }

    /// Goes over to messages, at the end of the handshake.
    pub(super) fn establish(mut self, accepts: Accepts, unseal: Option<Box<dyn Unseal>>) -> Self {
        self.accepts = Some(accepts);
        self.unseal = unseal;
        self.set_short();
        self
    }

    /// For a DISH: a group and a body make a message.
    pub(super) fn with_groups(mut self) -> Self {
        self.groups = Some(Box::default());
        self.set_short();
        self
    }

    /// A decoder that makes a message of whatever arrives (`ZMQ_STREAM`, `ZMQ_ROUTER_RAW`), of at most `chunk` bytes
    /// each (`ZMQ_IN_BATCH_SIZE`).
    pub fn raw(chunk: usize) -> Self {
        Self { framing: Framing::Raw(chunk.max(1)), ..Self::for_handshake(Version::V1, -1) }
    }

    /// Makes at most one message of the beginning of `input`, puts it in `out`, and says how many bytes that took.
    ///
    /// `out` is best the place where the message stays: moving it afterwards can cost more than decoding it.
    ///
    /// # Errors
    /// [`ProtocolError`] if the bytes aren't ZMTP, a body is longer than allowed, or memory is short. The connection
    /// is to be closed; a further call is harmless, but meaningless.
    #[inline]
    pub fn decode_into(
        &mut self,
        input: &[u8],
        out: &mut Message,
    ) -> Result<(usize, Progress), ProtocolError> {
        // A short data frame that is there as a whole.
        if let [flags @ (0 | frame::MORE), length, rest @ ..] = input
            && usize::from(*length) < self.short
            && let Some(body) = rest.get(..usize::from(*length))
            && out.assign(body).is_ok()
        {
            if *flags != 0 {
                out.set_more(true);
            }
            return Ok((2 + body.len(), Progress::Message));
        }
        self.decode_any(input, out)
    }

    /// As [`Self::decode_into`], for where speed doesn't matter.
    ///
    /// # Errors
    /// As for [`Self::decode_into`].
    pub fn decode(&mut self, input: &[u8]) -> Result<(usize, Decoded), ProtocolError> {
        let mut message = Message::new();
        let (used, progress) = self.decode_into(input, &mut message)?;
        let decoded = match progress {
            Progress::Message => Decoded::Message(message),
            Progress::Need => Decoded::Need,
            Progress::Body => Decoded::Body,
        };
        Ok((used, decoded))
    }

    /// The part of a body that is still missing, for a read straight into it; empty if none is under way.
    pub fn body(&mut self) -> &mut [u8] {
        match &mut self.partial {
            Some(partial) => partial.message.data_mut().get_mut(partial.filled..).unwrap_or_default(),
            None => &mut [],
        }
    }

    /// Says that the first `n` bytes of [`Self::body`] have been read. The message, once it is complete (and is one:
    /// a command may turn out to be nothing).
    ///
    /// # Errors
    /// As for [`Self::decode`].
    pub fn filled(&mut self, n: usize) -> Result<Option<Message>, ProtocolError> {
        let Some(partial) = &mut self.partial else { return Ok(None) };
        let before = partial.filled;
        partial.filled = partial.filled.saturating_add(n).min(partial.message.len());
        if let Some(part) = partial.message.data_mut().get_mut(before..partial.filled) {
            self.framing.reveal(part, before);
        }
        if partial.filled < partial.message.len() {
            return Ok(None);
        }
        self.complete()
    }

    #[inline(never)]
    fn decode_any(&mut self, input: &[u8], out: &mut Message) -> Result<(usize, Progress), ProtocolError> {
        if let Framing::Raw(chunk) = self.framing {
            return Self::decode_raw(&input[..input.len().min(chunk)], out);
        }
        let mut used = 0;
        loop {
            if self.partial.is_some() {
                used += self.fill(&input[used..]);
                let missing = self.body().len();
                if missing > 0 {
                    return Ok((used, if missing > DIRECT_READ { Progress::Body } else { Progress::Need }));
                }
                if let Some(message) = self.complete()? {
                    *out = message;
                    return Ok((used, Progress::Message));
                }
            }
            let Some(header) = self.next_header(input, &mut used)? else {
                return Ok((used, Progress::Need));
            };
            if self.begin_body(header, input, &mut used, out)? {
                return Ok((used, Progress::Message));
            }
        }
    }

    fn decode_raw(input: &[u8], out: &mut Message) -> Result<(usize, Progress), ProtocolError> {
        if input.is_empty() {
            return Ok((0, Progress::Need));
        }
        out.assign(input).map_err(ProtocolError::silent)?;
        Ok((input.len(), Progress::Message))
    }

    /// Copies input into the body under way. Says how much.
    fn fill(&mut self, input: &[u8]) -> usize {
        let Some(partial) = &mut self.partial else { return 0 };
        let at = partial.filled;
        let body = partial.message.data_mut().get_mut(at..).unwrap_or_default();
        let n = body.len().min(input.len());
        body[..n].copy_from_slice(&input[..n]);
        self.framing.reveal(&mut body[..n], at);
        partial.filled += n;
        n
    }

    /// The next header, which may have begun in earlier input.
    fn next_header(
        &mut self,
        input: &[u8],
        used: &mut usize,
    ) -> Result<Option<frame::Header>, ProtocolError> {
        if self.header_len == 0 {
            let rest = &input[*used..];
            if let Some(header) = self.framing.parse(rest)? {
                *used += header.size;
                return Ok(Some(header));
            }
        }
        // Byte by byte: nothing behind the header may be taken, and there are few.
        while let (Some(&byte), Some(slot)) = (input.get(*used), self.header.get_mut(self.header_len)) {
            *slot = byte;
            self.header_len += 1;
            *used += 1;
            if let Some(header) = self.framing.parse(&self.header[..self.header_len])? {
                self.header_len = 0;
                self.set_short();
                return Ok(Some(header));
            }
        }
        // The short way begins with a header, so it is closed in the middle of one.
        if self.header_len > 0 {
            self.short = 0;
        }
        Ok(None)
    }

    /// Takes a body if it is there as a whole, and says whether it is a message; else makes room for it.
    fn begin_body(
        &mut self,
        header: frame::Header,
        input: &[u8],
        used: &mut usize,
        out: &mut Message,
    ) -> Result<bool, ProtocolError> {
        if header.body.saturating_add(self.framing.before()) > self.max_body {
            return Err(ProtocolError::silent(Error::MessageSize));
        }
        let size = usize::try_from(header.body).map_err(|_| ProtocolError::silent(Error::MessageSize))?;
        let Some(body) = input[*used..].get(..size) else {
            let message = Message::with_size(size).map_err(ProtocolError::silent)?;
            self.partial = Some(Partial { message, flags: header.flags, filled: 0 });
            self.short = 0;
            return Ok(false);
        };
        *used += size;
        if let Framing::WebSocket(reader) = &self.framing {
            out.assign(body).map_err(ProtocolError::silent)?;
            reader.unmask(out.data_mut(), 0);
            if header.flags & frame::COMMAND == 0 && self.unseal.is_none() && self.groups.is_none() {
                if header.flags & frame::MORE != 0 {
                    out.set_more(true);
                }
                return Ok(true);
            }
            return Ok(match self.open(header.flags, std::mem::take(out))? {
                Some(message) => {
                    *out = message;
                    true
                }
                None => false,
            });
        }
        let flags = match &mut self.unseal {
            None => {
                out.assign(body).map_err(ProtocolError::silent)?;
                header.flags
            }
            Some(unseal) => unseal.unseal(body, out)?,
        };
        if flags & frame::COMMAND == 0 && self.groups.is_none() {
            if flags & frame::MORE != 0 {
                out.set_more(true);
            }
            return Ok(true);
        }
        Ok(match self.finish(flags, std::mem::take(out))? {
            Some(message) => {
                *out = message;
                true
            }
            None => false,
        })
    }

    /// Ends the body under way.
    fn complete(&mut self) -> Result<Option<Message>, ProtocolError> {
        self.set_short();
        match self.partial.take() {
            Some(Partial { message, flags, .. }) => self.open(flags, message),
            None => Ok(None),
        }
    }

    /// What a frame means, as it has come; `None` if nothing.
    fn open(&mut self, mut flags: u8, mut message: Message) -> Result<Option<Message>, ProtocolError> {
        if let Framing::WebSocket(reader) = &mut self.framing {
            (flags, message) = match reader.join(flags, message)? {
                Some(whole) => whole,
                None => return Ok(None),
            };
            if self.accepts.is_some() {
                message = match reader.interpret(message) {
                    Ok(meaning) => return Ok(meaning),
                    Err(frame) => frame,
                };
            }
        }
        let (flags, message) = match &mut self.unseal {
            Some(unseal) => unseal.unseal_in_place(message)?,
            None => (flags, message),
        };
        self.finish(flags, message)
    }

    /// What a frame means, unsealed; `None` if nothing.
    fn finish(&mut self, flags: u8, mut message: Message) -> Result<Option<Message>, ProtocolError> {
        let Some(accepts) = self.accepts else { return Ok(Some(message)) };
        let sealed = self.unseal.is_some();
        if flags & frame::COMMAND != 0 {
            let command = command::parse(message.data(), accepts).map_err(ProtocolError::silent)?;
            let known = |command: &Message| match &self.framing {
                Framing::WebSocket(reader) => reader.takes(command.kind(), sealed),
                _ => true,
            };
            return Ok(command.filter(known));
        }
        let more = flags & frame::MORE != 0;
        if let Some(groups) = &mut self.groups {
            return groups.take(message, more);
        }
        message.set_more(more);
        Ok(Some(message))
    }

    /// Opens the short way, where there is one.
    fn set_short(&mut self) {
        let framed = matches!(self.framing, Framing::Zmtp(version) if version >= Version::V2);
        self.short = if framed && self.accepts.is_some() && self.unseal.is_none() && self.groups.is_none() {
            usize::try_from(self.max_body).unwrap_or(usize::MAX).min(MAX_INLINE) + 1
        } else {
            0
        };
    }
}

#[cfg(test)]
mod tests;
