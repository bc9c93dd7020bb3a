//! Frames: the header before each body, in the two layouts that ZMTP has had.
//!
//! ```text
//! 2.0 and later (RFC 37)   flags, then the length in 1 byte (or, if flags say LARGE, in 8), then the body
//! 1.0           (RFC 13)   the length in 1 byte (or 0xff and 8 bytes), counting the flags too; flags; body
//! ```

use super::ProtocolError;
use crate::error::Error;

/// More frames of the same message follow.
pub const MORE: u8 = 0x01;
/// The length takes 8 bytes (not in ZMTP 1.0).
pub const LARGE: u8 = 0x02;
/// The body is a command (not in ZMTP 1.0).
pub const COMMAND: u8 = 0x04;

/// The longest header of any version.
pub const MAX_HEADER: usize = 10;

/// The version of ZMTP that a connection speaks: the lower one of the two peers'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// 1.0, revision 0 or without any greeting (libzmq 2.x).
    V1,
    /// 2.0 (libzmq 3.x).
    V2,
    /// 3.0 (libzmq 4.0 and 4.1).
    V3_0,
    /// 3.1 (libzmq 4.2 and later).
    V3_1,
}

impl Version {
    /// Whether there are a mechanism, metadata and commands. Without them there are no heartbeats either, and no
    /// `ZMQ_EVENT_HANDSHAKE_SUCCEEDED`.
    pub fn has_mechanism(self) -> bool {
        self >= Self::V3_0
    }
}

/// A frame's header, parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Bytes that the header itself takes.
    pub size: usize,
    /// [`MORE`] and [`COMMAND`]; unknown bits are ignored.
    pub flags: u8,
    /// Bytes of the body.
    pub body: u64,
}

/// Parses the header at the beginning of `bytes`; `None` if it isn't complete yet.
pub(super) fn parse(version: Version, bytes: &[u8]) -> Result<Option<Header>, ProtocolError> {
    if version == Version::V1 { parse_v1(bytes) } else { Ok(parse_v2(bytes)) }
}

fn parse_v2(bytes: &[u8]) -> Option<Header> {
    let (&flags, rest) = bytes.split_first()?;
    let (size, body) = if flags & LARGE == 0 {
        (2, u64::from(*rest.first()?))
    } else {
        (9, u64::from_be_bytes(*rest.first_chunk()?))
    };
    Some(Header { size, flags: flags & (MORE | COMMAND), body })
}

fn parse_v1(bytes: &[u8]) -> Result<Option<Header>, ProtocolError> {
    let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
    let (at, length) = match (first, rest.first_chunk()) {
        (0xff, Some(length)) => (9, u64::from_be_bytes(*length)),
        (0xff, None) => return Ok(None),
        _ => (1, u64::from(first)),
    };
    // The length counts the flags, so it can't be 0. That is known before the flags have arrived.
    let body = length.checked_sub(1).ok_or(ProtocolError::silent(Error::Protocol))?;
    Ok(bytes.get(at).map(|flags| Header { size: at + 1, flags: flags & MORE, body }))
}

/// Appends the header of a frame with `flags` ([`MORE`], [`COMMAND`]) and `body` bytes.
pub(super) fn write(version: Version, flags: u8, body: usize, out: &mut Vec<u8>) {
    if version == Version::V1 {
        // The length 255 itself needs the long form, since 0xff in its place announces that.
        match u8::try_from(body + 1) {
            Ok(length) if length < u8::MAX => out.extend_from_slice(&[length, flags & MORE]),
            _ => {
                out.push(u8::MAX);
                out.extend_from_slice(&(body as u64 + 1).to_be_bytes());
                out.push(flags & MORE);
            }
        }
    } else if let Ok(length) = u8::try_from(body) {
        out.extend_from_slice(&[flags, length]);
    } else {
        out.push(flags | LARGE);
        out.extend_from_slice(&(body as u64).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [usize; 9] = [0, 1, 33, 253, 254, 255, 256, 65_536, 1 << 40];

    #[test]
    fn a_header_comes_back_as_it_was_written() {
        for version in [Version::V1, Version::V2, Version::V3_0, Version::V3_1] {
            for size in SIZES {
                for flags in [0, MORE, COMMAND, MORE | COMMAND] {
                    let flags = if version == Version::V1 { flags & MORE } else { flags };
                    let mut bytes = Vec::new();
                    write(version, flags, size, &mut bytes);
                    assert!(bytes.len() <= MAX_HEADER);
                    let header = Header { size: bytes.len(), flags, body: size as u64 };
                    assert_eq!(parse(version, &bytes), Ok(Some(header)));
                    for end in 0..bytes.len() {
                        assert_eq!(
                            parse(version, &bytes[..end]),
                            Ok(None),
                            "{version:?} {size} cut at {end}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_rfcs() {
        let bytes = |version, flags, size| {
            let mut out = Vec::new();
            write(version, flags, size, &mut out);
            out
        };
        assert_eq!(bytes(Version::V3_1, MORE, 5), [1, 5]);
        assert_eq!(bytes(Version::V3_1, COMMAND, 255), [4, 255]);
        assert_eq!(bytes(Version::V2, 0, 256), [2, 0, 0, 0, 0, 0, 0, 1, 0]);
        assert_eq!(bytes(Version::V1, MORE, 0), [1, 1]);
        assert_eq!(bytes(Version::V1, 0, 253), [254, 0]);
        assert_eq!(bytes(Version::V1, 0, 254), [255, 0, 0, 0, 0, 0, 0, 0, 255, 0]);
    }

    #[test]
    fn a_v1_length_of_zero_is_refused() {
        assert_eq!(parse(Version::V1, &[0]), Err(ProtocolError::silent(Error::Protocol)));
        assert!(parse(Version::V1, &[0xff, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
    }

    #[test]
    fn reserved_bits_are_ignored() {
        assert_eq!(parse(Version::V3_1, &[0xf8, 3]), Ok(Some(Header { size: 2, flags: 0, body: 3 })));
    }
}
