//! Messages in the bytes of multicast transports, where there is no handshake: frames of ZMTP 1.0 (pgm), or of ZMTP 2.0 with a mark in front (norm).
//!
//! What a source has sent may lack some bytes, and a receiver may come late. So it is *in step* only from the beginning of a message on, until something is missing or
//! isn't a frame. What it has of an unfinished message by then is dropped.

use super::ProtocolError;
use super::frame::{self, Version};
use crate::error::Error;
use crate::message::Message;

/// Before the first frame of a message, and before the others.
const FIRST: u8 = 0;
const LATER: u8 = 0xff;

/// What a part takes besides its body, about; parts without a body are not for nothing.
const PART: usize = 64;

/// The layout of such frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frames {
    /// Whose they are.
    pub version: Version,
    /// Each has a mark in front.
    pub marked: bool,
}

impl Frames {
    /// Appends what goes before the body of a part; `first`: of its message.
    pub fn write_head(self, part: &Message, first: bool, out: &mut Vec<u8>) {
        if self.marked {
            out.push(if first { FIRST } else { LATER });
        }
        frame::write(self.version, if part.more() { frame::MORE } else { 0 }, part.len(), out);
    }
}

/// Puts the messages of one source together.
pub struct Assembly {
    frames: Frames,
    max_body: u64,
    /// What the next byte is; `None` out of step.
    next: Option<Next>,
    parts: Vec<Message>,
    /// What the parts take, in bytes.
    size: usize,
    complete: bool,
}

enum Next {
    Mark,
    /// The header, of which these bytes have come.
    Header {
        bytes: [u8; frame::MAX_HEADER],
        len: usize,
    },
    /// The body, of which so much is there.
    Body {
        part: Message,
        filled: usize,
    },
}

impl Assembly {
    /// Out of step. `max_msg_size` is in bytes, negative for no limit.
    pub fn new(frames: Frames, max_msg_size: i64) -> Self {
        let max_body = u64::try_from(max_msg_size).unwrap_or(u64::MAX);
        Self { frames, max_body, next: None, parts: Vec::new(), size: 0, complete: false }
    }

    /// Whether the next byte is understood.
    pub fn is_in_step(&self) -> bool {
        self.next.is_some()
    }

    /// The next byte begins a message.
    pub fn begin(&mut self) {
        self.drop_unfinished();
        self.next = Some(self.frame());
    }

    /// The next byte is none that is understood.
    pub fn lose(&mut self) {
        self.drop_unfinished();
        self.next = None;
    }

    fn drop_unfinished(&mut self) {
        if !self.complete {
            self.parts = Vec::new();
            self.size = 0;
        }
    }

    /// The beginning of a frame.
    fn frame(&self) -> Next {
        if self.frames.marked { Next::Mark } else { Next::Header { bytes: [0; frame::MAX_HEADER], len: 0 } }
    }

    /// How many bytes it keeps, or has taken memory for.
    pub fn held(&self) -> usize {
        let under_way = match &self.next {
            Some(Next::Body { part, .. }) => part.len(),
            _ => 0,
        };
        self.size + under_way
    }

    /// A message is there to be taken.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The parts of the message that is complete.
    pub fn take(&mut self) -> std::vec::Drain<'_, Message> {
        self.complete = false;
        self.size = 0;
        self.parts.drain(..)
    }

    /// Takes bytes up to the end of a message, and says how many. None while one is complete, or out of step. `room`: how many bytes it may keep.
    ///
    /// # Errors
    /// [`ProtocolError`] if this isn't what such a source sends, or is longer than it may be, or memory is short. It is out of step then.
    pub fn decode(&mut self, input: &[u8], room: usize) -> Result<usize, ProtocolError> {
        let mut used = 0;
        while !self.complete && used < input.len() {
            let Some(next) = self.next.take() else { break };
            match self.advance(next, &input[used..], &mut used, room) {
                Ok(next) => self.next = Some(next),
                Err(error) => {
                    self.lose();
                    return Err(error);
                }
            }
        }
        Ok(used)
    }

    /// One step, with at least a byte of input.
    fn advance(
        &mut self,
        next: Next,
        input: &[u8],
        used: &mut usize,
        room: usize,
    ) -> Result<Next, ProtocolError> {
        match next {
            Next::Mark => {
                *used += 1;
                let expected = if self.parts.is_empty() { FIRST } else { LATER };
                if input.first() != Some(&expected) {
                    return Err(ProtocolError::silent(Error::Protocol));
                }
                Ok(Next::Header { bytes: [0; frame::MAX_HEADER], len: 0 })
            }
            Next::Header { mut bytes, mut len } => {
                // Byte by byte, as they are few and may come in two pieces.
                for &byte in input {
                    *used += 1;
                    // No header is longer than the room for it.
                    if let Some(slot) = bytes.get_mut(len) {
                        *slot = byte;
                        len += 1;
                    }
                    if let Some(header) = frame::parse(self.frames.version, &bytes[..len])? {
                        return self.begin_body(header, room);
                    }
                }
                Ok(Next::Header { bytes, len })
            }
            Next::Body { mut part, mut filled } => {
                let body = part.data_mut().get_mut(filled..).unwrap_or_default();
                let count = body.len().min(input.len());
                body[..count].copy_from_slice(&input[..count]);
                filled += count;
                *used += count;
                Ok(self.end_body(part, filled))
            }
        }
    }

    fn begin_body(&mut self, header: frame::Header, room: usize) -> Result<Next, ProtocolError> {
        if header.flags & frame::COMMAND != 0 {
            return Err(ProtocolError::silent(Error::Protocol));
        }
        let too_long = ProtocolError::silent(Error::MessageSize);
        let room = room.checked_sub(self.size + PART).ok_or(too_long)?;
        let size = usize::try_from(header.body).map_err(|_| too_long)?;
        if header.body > self.max_body || size > room {
            return Err(too_long);
        }
        let mut part = Message::with_size(size).map_err(ProtocolError::silent)?;
        part.set_more(header.flags & frame::MORE != 0);
        Ok(self.end_body(part, 0))
    }

    /// Takes the part, if its body is there.
    fn end_body(&mut self, part: Message, filled: usize) -> Next {
        if filled < part.len() {
            return Next::Body { part, filled };
        }
        self.size += PART + part.len();
        self.complete = !part.more();
        self.parts.push(part);
        self.frame()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NORM: Frames = Frames { version: Version::V2, marked: true };
    const PGM: Frames = Frames { version: Version::V1, marked: false };
    const AMPLE: usize = 1 << 20;

    fn part(body: &[u8], more: bool) -> Message {
        let mut part = Message::from_slice(body).unwrap();
        part.set_more(more);
        part
    }

    /// The bytes of a message of such parts.
    fn encoded(frames: Frames, parts: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        for (index, body) in parts.iter().enumerate() {
            frames.write_head(&part(body, index + 1 < parts.len()), index == 0, &mut out);
            out.extend_from_slice(body);
        }
        out
    }

    /// What comes out of bytes that arrive in pieces of this size.
    fn decoded(assembly: &mut Assembly, bytes: &[u8], piece: usize) -> Vec<Vec<Vec<u8>>> {
        let mut messages = Vec::new();
        for mut input in bytes.chunks(piece) {
            while !input.is_empty() {
                let used = assembly.decode(input, AMPLE).unwrap();
                input = &input[used..];
                if assembly.is_complete() {
                    messages.push(assembly.take().map(|part| part.data().to_vec()).collect());
                }
            }
        }
        messages
    }

    #[test]
    fn messages_come_out_as_they_went_in() {
        let long = vec![7; 70_000];
        let sent: [&[&[u8]]; 5] = [&[b"a"], &[b"", b"", b""], &[&long, b"x"], &[&long[..255]], &[b""]];
        for frames in [NORM, PGM] {
            let bytes: Vec<u8> = sent.iter().flat_map(|parts| encoded(frames, parts)).collect();
            for piece in [1, 2, 7, 1400, bytes.len()] {
                let mut assembly = Assembly::new(frames, -1);
                assembly.begin();
                assert_eq!(decoded(&mut assembly, &bytes, piece), sent, "{frames:?} by {piece}");
                assert_eq!(assembly.held(), 0);
            }
        }
    }

    #[test]
    fn the_bytes_are_those_of_libzmq() {
        assert_eq!(encoded(NORM, &[b"ab", b"c"]), b"\x00\x01\x02ab\xff\x00\x01c");
        assert_eq!(encoded(PGM, &[b"ab", b"c"]), b"\x03\x01ab\x02\x00c");
    }

    #[test]
    fn nothing_is_taken_out_of_step() {
        let mut assembly = Assembly::new(NORM, -1);
        assert!(!assembly.is_in_step());
        assert_eq!(assembly.decode(b"\x00\x00\x01a", AMPLE), Ok(0));
        assembly.begin();
        assert_eq!(assembly.decode(b"\x00\x01\x01a\xff\x00\x05b", AMPLE), Ok(8));
        assert!(assembly.held() > 0);
        // A gap: the message is not to be had any more, and the next one is.
        assembly.lose();
        assert_eq!((assembly.held(), assembly.is_in_step()), (0, false));
        assembly.begin();
        assert_eq!(decoded(&mut assembly, &encoded(NORM, &[b"next"]), 3), [[b"next"]]);
    }

    #[test]
    fn a_message_that_is_complete_survives_a_gap() {
        let mut assembly = Assembly::new(PGM, -1);
        assembly.begin();
        assert_eq!(assembly.decode(b"\x02\x00a", AMPLE), Ok(3));
        assembly.lose();
        assert!(assembly.is_complete());
        assert_eq!(assembly.take().next().unwrap().data(), b"a");
    }

    #[test]
    fn what_is_no_frame_ends_the_step() {
        let refused = |frames, max, room, bytes: &[u8], error| {
            let mut assembly = Assembly::new(frames, max);
            assembly.begin();
            assert_eq!(assembly.decode(bytes, room), Err(ProtocolError::silent(error)), "{bytes:?}");
            assert_eq!((assembly.is_in_step(), assembly.held()), (false, 0));
        };
        // A mark of a later part first, one of a first part later, none at all, and a command.
        refused(NORM, -1, AMPLE, b"\xff\x00\x01a", Error::Protocol);
        refused(NORM, -1, AMPLE, b"\x00\x01\x01a\x00\x00\x01b", Error::Protocol);
        refused(NORM, -1, AMPLE, b"\x42", Error::Protocol);
        refused(NORM, -1, AMPLE, b"\x00\x04\x05\x04PING", Error::Protocol);
        refused(PGM, -1, AMPLE, b"\x00\x00", Error::Protocol);
        // Longer than allowed, or than there is room for, before any memory is taken.
        refused(NORM, 3, AMPLE, b"\x00\x00\x04", Error::MessageSize);
        refused(NORM, -1, AMPLE, b"\x00\x02\xff\xff\xff\xff\xff\xff\xff\xff", Error::MessageSize);
        refused(PGM, -1, AMPLE, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00", Error::MessageSize);
        // Parts without end, empty ones too.
        refused(
            NORM,
            -1,
            1000,
            &[&b"\x00\x01\x00"[..], &b"\xff\x01\x00".repeat(20)].concat(),
            Error::MessageSize,
        );
    }
}
