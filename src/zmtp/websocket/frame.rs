//! The header of a WebSocket's frame (RFC 6455, section 5.2), and the flags byte of ZWS that follows it (RFC 45, "Framing").
//!
//! ```text
//! FIN and opcode, mask bit and length (7 bits; or 126 and 2 bytes, or 127 and 8), mask (4, from a client), flags (1, in a binary frame)
//! ```

use super::mask::{self, Mask};
use crate::error::Error;
use crate::zmtp::{ProtocolError, frame};

/// The longest header, with the flags byte.
pub const MAX_HEADER: usize = 15;

const FIN: u8 = 0x80;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;
/// These lengths stand for a length in the next 2 or 8 bytes.
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;
/// The flags byte.
const MORE: u8 = 0x01;
const COMMAND: u8 = 0x02;

/// What a frame is. Text isn't spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    /// What goes on with a message that came in fragments.
    Continuation = 0x0,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xa,
}

/// What a data frame has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The beginning of a message.
    Message,
    /// The rest of one whose fragments were empty so far, so that the flags byte is still to come.
    Flags,
    /// The rest of one whose flags byte has come.
    Rest,
}

/// A header, parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Bytes that the header itself takes, the flags byte included.
    pub size: usize,
    pub opcode: Opcode,
    /// The last frame of its message, or the only one.
    pub last: bool,
    /// ZMTP's, if the frame has the flags byte: [`frame::MORE`] and [`frame::COMMAND`].
    pub flags: Option<u8>,
    /// Bytes of the body, without the flags byte.
    pub body: u64,
    /// For the body's first byte on; zero without a mask.
    pub mask: Mask,
}

/// Parses the header at the beginning of `bytes`; `None` if it isn't complete yet. `masked`: whether the peer masks what it sends. `due`: what
/// a data frame has to be; control frames may come between fragments.
///
/// Reserved bits and unknown flags are ignored, as libzmq does.
///
/// # Errors
/// As soon as it shows: an opcode that isn't spoken, a control frame in fragments, a continuation of nothing, a new message where one isn't
/// complete, a mask bit that should be the other way, or a message without a flags byte.
#[inline]
pub(super) fn parse(bytes: &[u8], masked: bool, due: Due) -> Result<Option<Header>, ProtocolError> {
    let malformed = ProtocolError::silent(Error::Protocol);
    let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
    let last = first & FIN != 0;
    let opcode = match first & OPCODE {
        0x0 if due != Due::Message => Opcode::Continuation,
        0x2 if due == Due::Message => Opcode::Binary,
        0x8 if last => Opcode::Close,
        0x9 if last => Opcode::Ping,
        0xa if last => Opcode::Pong,
        _ => return Err(malformed),
    };
    let Some((&second, rest)) = rest.split_first() else { return Ok(None) };
    if (second & MASKED != 0) != masked {
        return Err(malformed);
    }
    let (length, mut rest) = match second & LENGTH {
        LENGTH_16 => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
            None => return Ok(None),
        },
        LENGTH_64 => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest),
            None => return Ok(None),
        },
        length => (u64::from(length), rest),
    };
    let mut mask = Mask::default();
    if masked {
        let Some((bytes, behind)) = rest.split_first_chunk() else { return Ok(None) };
        (mask, rest) = (*bytes, behind);
    }
    let size = bytes.len() - rest.len();
    let whole = Header { size, opcode, last, flags: None, body: length, mask };
    if !matches!(opcode, Opcode::Binary | Opcode::Continuation) || due == Due::Rest {
        return Ok(Some(whole));
    }
    let Some(body) = length.checked_sub(1) else {
        // The flags byte may come with a later fragment.
        return if last { Err(malformed) } else { Ok(Some(whole)) };
    };
    let Some(flags) = rest.first().map(|byte| byte ^ mask[0]) else { return Ok(None) };
    mask.rotate_left(1);
    let flags = if flags & MORE != 0 { frame::MORE } else { 0 }
        | if flags & COMMAND != 0 { frame::COMMAND } else { 0 };
    Ok(Some(Header { size: size + 1, flags: Some(flags), body, mask, ..whole }))
}

/// A header about to be written. The flags byte belongs to what is masked, so it isn't part of it here.
#[derive(Clone, Copy)]
pub(super) struct Outgoing {
    bytes: [u8; MAX_HEADER],
    len: usize,
}

impl Outgoing {
    /// Of a frame of `length` bytes, which counts the flags byte.
    #[inline]
    pub(super) fn new(opcode: Opcode, length: usize, mask: Option<Mask>) -> Self {
        let mut bytes = [0; MAX_HEADER];
        bytes[0] = FIN | opcode as u8;
        let bit = if mask.is_some() { MASKED } else { 0 };
        let mut len = match length {
            0..126 => {
                bytes[1] = bit | length as u8;
                2
            }
            126..=0xffff => {
                bytes[1] = bit | LENGTH_16;
                bytes[2..4].copy_from_slice(&(length as u16).to_be_bytes());
                4
            }
            _ => {
                bytes[1] = bit | LENGTH_64;
                bytes[2..10].copy_from_slice(&(length as u64).to_be_bytes());
                10
            }
        };
        if let Some(mask) = mask {
            bytes[len..len + 4].copy_from_slice(&mask);
            len += 4;
        }
        Self { bytes, len }
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The flags byte for ZMTP's flags.
#[inline]
pub(super) fn flags_byte(flags: u8) -> u8 {
    (flags & frame::MORE) | if flags & frame::COMMAND != 0 { COMMAND } else { 0 }
}

/// Masks what was appended to `out` from `start` on.
#[inline]
pub(super) fn mask_from(out: &mut [u8], start: usize, mask: Option<Mask>) {
    if let (Some(mask), Some(payload)) = (mask, out.get_mut(start..)) {
        mask::apply(payload, mask, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_as_it_was_written() {
        for mask in [None, Some([7, 1, 0, 255])] {
            for body in [0, 1, 124, 125, 126, 0xfffe, 0xffff, 1 << 40] {
                for flags in [0, frame::MORE, frame::COMMAND, frame::MORE | frame::COMMAND] {
                    let mut bytes = Outgoing::new(Opcode::Binary, body + 1, mask).bytes().to_vec();
                    bytes.push(flags_byte(flags) ^ mask.map_or(0, |mask| mask[0]));
                    assert!(bytes.len() <= MAX_HEADER);
                    for end in 0..bytes.len() {
                        assert_eq!(
                            parse(&bytes[..end], mask.is_some(), Due::Message),
                            Ok(None),
                            "{body} {end}"
                        );
                    }
                    let header = Header {
                        size: bytes.len(),
                        opcode: Opcode::Binary,
                        last: true,
                        flags: Some(flags),
                        body: body as u64,
                        mask: mask.map_or([0; 4], |[a, b, c, d]| [b, c, d, a]),
                    };
                    assert_eq!(parse(&bytes, mask.is_some(), Due::Message), Ok(Some(header)));
                    assert!(parse(&bytes, mask.is_none(), Due::Message).is_err());
                }
                for opcode in [Opcode::Close, Opcode::Ping, Opcode::Pong] {
                    let bytes = Outgoing::new(opcode, body, mask).bytes().to_vec();
                    let header = Header {
                        size: bytes.len(),
                        opcode,
                        last: true,
                        flags: None,
                        body: body as u64,
                        mask: mask.unwrap_or_default(),
                    };
                    for due in [Due::Message, Due::Flags, Due::Rest] {
                        assert_eq!(parse(&bytes, mask.is_some(), due), Ok(Some(header)));
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_not_spoken_is_refused_at_the_first_byte_that_shows_it() {
        for due in [Due::Message, Due::Flags, Due::Rest] {
            for first in 0..=u8::MAX {
                let spoken = match first & OPCODE {
                    0 => due != Due::Message,
                    2 => due == Due::Message,
                    8..=10 => first & FIN != 0,
                    _ => false,
                };
                assert_eq!(parse(&[first], true, due).is_ok(), spoken, "{first:#x} {due:?}");
                assert_eq!(parse(&[first, 0x81], true, due).is_ok(), spoken);
                assert!(parse(&[first, 0x01], true, due).is_err());
            }
        }
        assert!(parse(&[0x82, 0], false, Due::Message).is_err());
        assert!(parse(&[0x82, 0x80, 1, 2, 3, 4], true, Due::Message).is_err());
        assert!(parse(&[0x82, 126, 0, 0], false, Due::Message).is_err());
        assert!(parse(&[0x80, 0], false, Due::Flags).is_err());
    }

    #[test]
    fn the_flags_byte_is_the_first_byte_of_a_message_whichever_fragment_it_comes_in() {
        let flags = |bytes: &[u8], due| {
            let header = parse(bytes, false, due).unwrap().unwrap();
            (header.last, header.flags, header.body, header.size)
        };
        assert_eq!(flags(&[0x02, 2, 1], Due::Message), (false, Some(frame::MORE), 1, 3));
        assert_eq!(flags(&[0x02, 0], Due::Message), (false, None, 0, 2));
        assert_eq!(flags(&[0x00, 0], Due::Flags), (false, None, 0, 2));
        assert_eq!(flags(&[0x80, 1, 2], Due::Flags), (true, Some(frame::COMMAND), 0, 3));
        assert_eq!(flags(&[0x80, 1, 2], Due::Rest), (true, None, 1, 2));
        assert_eq!(flags(&[0x80, 0], Due::Rest), (true, None, 0, 2));
    }

    #[test]
    fn lengths_may_take_more_bytes_than_they_need_and_any_value() {
        let header = parse(&[0x82, 126, 0, 3, 1], false, Due::Message).unwrap().unwrap();
        assert_eq!((header.size, header.body, header.flags), (5, 2, Some(frame::MORE)));
        let bytes = [0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0, 0xfe];
        let header = parse(&bytes, false, Due::Message).unwrap().unwrap();
        assert_eq!((header.body, header.flags), ((1 << 63) - 1, Some(frame::COMMAND)));
    }
}
