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

/// What a frame is. Text and fragments aren't spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xa,
}

/// A header, parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Bytes that the header itself takes, the flags byte included.
    pub size: usize,
    pub opcode: Opcode,
    /// ZMTP's: [`frame::MORE`] and [`frame::COMMAND`].
    pub flags: u8,
    /// Bytes of the body, without the flags byte.
    pub body: u64,
    /// For the body's first byte on; zero without a mask.
    pub mask: Mask,
}

/// Parses the header at the beginning of `bytes`; `None` if it isn't complete yet. `masked`: whether the peer masks what it sends.
///
/// Reserved bits and unknown flags are ignored, as libzmq does.
///
/// # Errors
/// As soon as it shows: a fragment, an opcode that isn't spoken, a mask bit that should be the other way, or a binary frame without
/// a flags byte.
#[inline]
pub(super) fn parse(bytes: &[u8], masked: bool) -> Result<Option<Header>, ProtocolError> {
    let malformed = ProtocolError::silent(Error::Protocol);
    let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
    let opcode = match first & OPCODE {
        0x2 => Opcode::Binary,
        0x8 => Opcode::Close,
        0x9 => Opcode::Ping,
        0xa => Opcode::Pong,
        _ => return Err(malformed),
    };
    if first & FIN == 0 {
        return Err(malformed);
    }
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
    if opcode != Opcode::Binary {
        return Ok(Some(Header { size, opcode, flags: 0, body: length, mask }));
    }
    let Some(body) = length.checked_sub(1) else { return Err(malformed) };
    let Some(flags) = rest.first().map(|byte| byte ^ mask[0]) else { return Ok(None) };
    mask.rotate_left(1);
    let flags = if flags & MORE != 0 { frame::MORE } else { 0 }
        | if flags & COMMAND != 0 { frame::COMMAND } else { 0 };
    Ok(Some(Header { size: size + 1, opcode, flags, body, mask }))
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
                        assert_eq!(parse(&bytes[..end], mask.is_some()), Ok(None), "{body} cut at {end}");
                    }
                    let header = Header {
                        size: bytes.len(),
                        opcode: Opcode::Binary,
                        flags,
                        body: body as u64,
                        mask: mask.map_or([0; 4], |[a, b, c, d]| [b, c, d, a]),
                    };
                    assert_eq!(parse(&bytes, mask.is_some()), Ok(Some(header)));
                    assert!(parse(&bytes, mask.is_none()).is_err());
                }
                for opcode in [Opcode::Close, Opcode::Ping, Opcode::Pong] {
                    let bytes = Outgoing::new(opcode, body, mask).bytes().to_vec();
                    let header = Header {
                        size: bytes.len(),
                        opcode,
                        flags: 0,
                        body: body as u64,
                        mask: mask.unwrap_or_default(),
                    };
                    assert_eq!(parse(&bytes, mask.is_some()), Ok(Some(header)));
                }
            }
        }
    }

    #[test]
    fn what_is_not_spoken_is_refused_at_the_first_byte_that_shows_it() {
        for first in 0..=u8::MAX {
            let spoken = first & FIN != 0 && matches!(first & OPCODE, 2 | 8 | 9 | 10);
            assert_eq!(parse(&[first], true).is_ok(), spoken, "{first:#x}");
            assert_eq!(parse(&[first, 0x81], true).is_ok(), spoken);
            assert!(parse(&[first, 0x01], true).is_err());
        }
        assert!(parse(&[0x82, 0], false).is_err());
        assert!(parse(&[0x82, 0x80, 1, 2, 3, 4], true).is_err());
        assert!(parse(&[0x82, 126, 0, 0], false).is_err());
    }

    #[test]
    fn lengths_may_take_more_bytes_than_they_need_and_any_value() {
        let header = parse(&[0x82, 126, 0, 3, 1], false).unwrap().unwrap();
        assert_eq!((header.size, header.body, header.flags), (5, 2, frame::MORE));
        let header = parse(&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0, 0xfe], false).unwrap().unwrap();
        assert_eq!((header.body, header.flags), ((1 << 63) - 1, frame::COMMAND));
    }
}
