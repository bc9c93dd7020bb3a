//! MESSAGE commands: what is exchanged after the handshake (RFC 26, "The MESSAGE Command").
//!
//! ```text
//! 7 "MESSAGE" | nonce, 8 bytes | box: MAC, 16 bytes | flags, 1 byte | body
//! ```
//!
//! The key stream is XSalsa20's: its first 32 bytes are the key of the MAC, the rest encrypts flags and body. XSalsa20 derives a
//! Salsa20 key from the first 16 bytes of its nonce. Those are constant for each direction of a connection, so here that is done once for short messages. Longer
//! ones go through the library as a whole.

use super::keys::{MAC, SharedKey, counted};
use super::salsa20::{KeyStream, KeyStreams};
use crate::error::Error;
use crate::message::Message;
use crate::zmtp::ProtocolError;
use crate::zmtp::error::code;
use crate::zmtp::frame;
use crate::zmtp::mechanism::{Codec, Seal, Unseal};
use dryoc::classic::crypto_onetimeauth::{crypto_onetimeauth, crypto_onetimeauth_verify};

/// Which side sends: the first 16 bytes of its nonces.
pub const FROM_CLIENT: &[u8; 16] = b"CurveZMQMESSAGEC";
/// See [`FROM_CLIENT`].
pub const FROM_SERVER: &[u8; 16] = b"CurveZMQMESSAGES";

const NAME: &[u8; 8] = b"\x07MESSAGE";
/// Where the MAC begins.
const MAC_AT: usize = NAME.len() + 8;
/// Where the encrypted part begins.
const BOX_AT: usize = MAC_AT + MAC;
/// What a message grows by: all that, and the flags.
const OVERHEAD: usize = BOX_AT + 1;
/// Flags and body of a short message: what two blocks of key stream are enough for.
const SHORT: usize = size_of::<KeyStream>() - size_of::<[u8; 32]>();

/// That the body is a command, among the flags inside a MESSAGE (RFC 26, "MESSAGE Command"). Those of a frame have another bit for it.
const SEALED_COMMAND: u8 = 0x02;

/// The flags of a frame as they stand inside.
#[inline]
fn flags_to_seal(flags: u8) -> u8 {
    (flags & frame::MORE) | if flags & frame::COMMAND != 0 { SEALED_COMMAND } else { 0 }
}

/// The reverse. The other bits are reserved, and ignored.
#[inline]
fn sealed_flags(sealed: u8) -> u8 {
    (sealed & frame::MORE) | if sealed & SEALED_COMMAND != 0 { frame::COMMAND } else { 0 }
}

/// The codec of one side. `sent` and `received` are the nonces used so far in each direction.
pub fn codec(
    key: &SharedKey,
    (to_peer, sent): (&[u8; 16], u64),
    (from_peer, received): (&[u8; 16], u64),
) -> Codec {
    Codec {
        seal: Some(Box::new(Sealer { direction: Direction::new(key, to_peer), last: sent })),
        unseal: Some(Box::new(Unsealer { direction: Direction::new(key, from_peer), last: received })),
    }
}

/// One direction of a connection.
struct Direction {
    key: SharedKey,
    prefix: [u8; 16],
    short: KeyStreams,
}

impl Direction {
    fn new(key: &SharedKey, prefix: &[u8; 16]) -> Self {
        Self { key: key.clone(), prefix: *prefix, short: KeyStreams::new(&key.stream_key(prefix)) }
    }
}

/// The sending direction.
struct Sealer {
    direction: Direction,
    last: u64,
}

impl Seal for Sealer {
    #[inline]
    fn sealed_size(&mut self, _flags: u8, parts: [&[u8]; 2]) -> usize {
        OVERHEAD + parts[0].len() + parts[1].len()
    }

    #[inline]
    fn seal(&mut self, flags: u8, parts: [&[u8]; 2], out: &mut Vec<u8>) {
        let size = 1 + parts[0].len() + parts[1].len();
        let Some(nonce) = self.last.checked_add(1) else {
            // No nonce may be used twice. What follows is no message, so the peer ends the connection, and the next one has new keys.
            out.resize(out.len() + BOX_AT + size, 0);
            return;
        };
        self.last = nonce;
        if size <= SHORT {
            let mut frame = [0; BOX_AT + SHORT];
            frame[BOX_AT] = flags_to_seal(flags);
            let (body, _) = frame[OVERHEAD..].split_at_mut(size - 1);
            let (first, second) = body.split_at_mut(parts[0].len());
            first.copy_from_slice(parts[0]);
            second.copy_from_slice(parts[1]);
            self.seal_short(nonce, size, &mut frame);
            out.extend_from_slice(&frame[..BOX_AT + size]);
        } else {
            self.append_long(nonce, flags, parts, out);
        }
    }
}

impl Sealer {
    /// Encrypts flags and body, which are `size` bytes, and completes the rest of the frame.
    #[inline]
    fn seal_short(&mut self, nonce: u64, size: usize, frame: &mut [u8; BOX_AT + SHORT]) {
        let [mac_key, stream @ ..] = &self.direction.short.of(nonce);
        for (byte, key) in frame[BOX_AT..].iter_mut().zip(stream.as_flattened()) {
            *byte ^= key;
        }
        let mut mac = [0; MAC];
        crypto_onetimeauth(&mut mac, &frame[BOX_AT..BOX_AT + size], mac_key);
        frame[..NAME.len()].copy_from_slice(NAME);
        frame[NAME.len()..MAC_AT].copy_from_slice(&nonce.to_be_bytes());
        frame[MAC_AT..BOX_AT].copy_from_slice(&mac);
    }

    fn append_long(&self, nonce: u64, flags: u8, parts: [&[u8]; 2], out: &mut Vec<u8>) {
        let start = out.len();
        out.reserve(OVERHEAD + parts[0].len() + parts[1].len());
        out.extend_from_slice(NAME);
        out.extend_from_slice(&nonce.to_be_bytes());
        out.extend_from_slice(&[0; MAC]);
        out.push(flags_to_seal(flags));
        out.extend_from_slice(parts[0]);
        out.extend_from_slice(parts[1]);
        let (head, sealed) = out[start..].split_at_mut(BOX_AT);
        let mac = self.direction.key.seal_in_place(&counted(&self.direction.prefix, nonce), sealed);
        head[MAC_AT..].copy_from_slice(&mac);
    }
}

/// The receiving direction.
struct Unsealer {
    direction: Direction,
    last: u64,
}

/// A frame that may be a MESSAGE, taken apart.
struct Parts<'a> {
    nonce: u64,
    mac: &'a [u8; MAC],
    /// Flags and body, encrypted: at least the flags.
    sealed: &'a [u8],
}

impl Unsealer {
    /// Checks everything that isn't encrypted. The nonce has to be larger than all before.
    #[inline]
    fn take_apart<'a>(&mut self, frame: &'a [u8]) -> Result<Parts<'a>, ProtocolError> {
        let [name_length, .., _] = frame else { return refused(code::MALFORMED_COMMAND) };
        if frame.len() <= usize::from(*name_length) {
            return refused(code::MALFORMED_COMMAND);
        }
        let Some(rest) = frame.strip_prefix(NAME) else { return refused(code::UNEXPECTED_COMMAND) };
        let Some((nonce, rest)) = rest.split_first_chunk() else { return refused(code::MALFORMED_MESSAGE) };
        let Some((mac, sealed @ [_, ..])) = rest.split_first_chunk() else {
            return refused(code::MALFORMED_MESSAGE);
        };
        let nonce = u64::from_be_bytes(*nonce);
        if nonce <= self.last {
            return refused(code::INVALID_SEQUENCE);
        }
        self.last = nonce;
        Ok(Parts { nonce, mac, sealed })
    }

    #[inline]
    fn open_short(&mut self, parts: &Parts<'_>, out: &mut Message) -> Result<u8, ProtocolError> {
        let [mac_key, stream @ ..] = &self.direction.short.of(parts.nonce);
        if crypto_onetimeauth_verify(parts.mac, parts.sealed, mac_key).is_err() {
            return refused(code::CRYPTOGRAPHIC);
        }
        let mut plain = [0; SHORT];
        plain[..parts.sealed.len()].copy_from_slice(parts.sealed);
        for (byte, key) in plain.iter_mut().zip(stream.as_flattened()) {
            *byte ^= key;
        }
        out.assign(&plain[1..parts.sealed.len()]).map_err(ProtocolError::silent)?;
        Ok(sealed_flags(plain[0]))
    }
}

impl Unseal for Unsealer {
    #[inline]
    fn unseal(&mut self, frame: &[u8], out: &mut Message) -> Result<u8, ProtocolError> {
        let parts = self.take_apart(frame)?;
        if parts.sealed.len() <= SHORT {
            return self.open_short(&parts, out);
        }
        // The flags come before the body. They are put there in such a way that the body is aligned as others are.
        const ALIGNED: usize = 16;
        let mut message =
            Message::with_size(ALIGNED - 1 + parts.sealed.len()).map_err(ProtocolError::silent)?;
        let plain = &mut message.data_mut()[ALIGNED - 1..];
        let nonce = counted(&self.direction.prefix, parts.nonce);
        if !self.direction.key.open_into(&nonce, parts.mac, parts.sealed, plain) {
            return refused(code::CRYPTOGRAPHIC);
        }
        let flags = sealed_flags(plain[0]);
        message.remove_front(ALIGNED);
        *out = message;
        Ok(flags)
    }

    fn unseal_in_place(&mut self, mut frame: Message) -> Result<(u8, Message), ProtocolError> {
        let Parts { nonce, mac, sealed } = self.take_apart(frame.data())?;
        if sealed.len() <= SHORT {
            let mut message = Message::new();
            let flags = self.open_short(&Parts { nonce, mac, sealed }, &mut message)?;
            return Ok((flags, message));
        }
        let (mac, nonce) = (*mac, counted(&self.direction.prefix, nonce));
        let Some(data) = frame.data_mut().get_mut(BOX_AT..) else {
            return Err(ProtocolError::silent(Error::OutOfMemory));
        };
        if !self.direction.key.open_in_place(&nonce, &mac, data) {
            return refused(code::CRYPTOGRAPHIC);
        }
        let flags = sealed_flags(data[0]);
        frame.remove_front(OVERHEAD);
        Ok((flags, frame))
    }
}

fn refused<T>(code: u32) -> Result<T, ProtocolError> {
    Err(ProtocolError::with_code(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_inside_are_those_of_the_rfc() {
        assert_eq!([0, frame::MORE, frame::COMMAND, frame::LARGE].map(flags_to_seal), [0, 1, 2, 0]);
        assert_eq!([0, 1, 2, 4, 0xfc].map(sealed_flags), [0, frame::MORE, frame::COMMAND, 0, 0]);
    }
}
