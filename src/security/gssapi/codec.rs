//! MESSAGE commands: what is exchanged after the tokens, unless `ZMQ_GSSAPI_PLAINTEXT` is set.
//!
//! ```text
//! 7 "MESSAGE" | length of what follows, 4 bytes | wrapped: flags, 1 byte | body
//! ```

use super::{CRYPTOGRAPHIC, Protection, Refused, UNEXPECTED, check_command};
use crate::error::Error;
use crate::message::Message;
use crate::zmtp::error::code;
use crate::zmtp::mechanism::{Codec, Seal, Unseal};
use crate::zmtp::{ProtocolError, frame};
use std::sync::Arc;

const NAME: &[u8; 8] = b"\x07MESSAGE";

/// The flags inside; [`MORE`](frame::MORE) is the first one.
const COMMAND: u8 = 0x02;
/// How libzmq marks subscriptions from 4.3.6 on, whose body is the topic alone. (Those of 4.3.5 and before aren't marked at all, and are lost.)
/// Here they are sent as commands, which every version understands.
const SUBSCRIBE: u8 = 0x04;
/// See [`SUBSCRIBE`].
const CANCEL: u8 = 0x08;

/// The codec of one side. Both directions share the context.
pub fn codec(protection: Arc<dyn Protection>) -> Codec {
    Codec {
        seal: Some(Box::new(Sealer { protection: protection.clone(), sealed: Vec::new() })),
        unseal: Some(Box::new(Unsealer::new(protection))),
    }
}

/// The body of the frame that carries `parts`.
pub fn seal(protection: &dyn Protection, flags: u8, parts: [&[u8]; 2]) -> Result<Vec<u8>, Refused> {
    let command = if flags & frame::COMMAND != 0 { COMMAND } else { 0 };
    let plain = [&[(flags & frame::MORE) | command], parts[0], parts[1]].concat();
    let mut sealed = [&NAME[..], &[0; 4]].concat();
    let start = sealed.len();
    protection.wrap(&plain, &mut sealed)?;
    let length = u32::try_from(sealed.len() - start).map_err(|_| Refused)?;
    sealed[NAME.len()..start].copy_from_slice(&length.to_be_bytes());
    Ok(sealed)
}

/// The sending direction. How long a message gets, only wrapping it tells.
struct Sealer {
    protection: Arc<dyn Protection>,
    sealed: Vec<u8>,
}

impl Seal for Sealer {
    fn sealed_size(&mut self, flags: u8, parts: [&[u8]; 2]) -> usize {
        // Nothing can be said after a failure (the ticket has expired, or the message is too long): an empty frame makes the peer end the
        // connection, and the next one has a new context.
        self.sealed = seal(&*self.protection, flags, parts).unwrap_or_default();
        self.sealed.len()
    }

    fn seal(&mut self, _flags: u8, _parts: [&[u8]; 2], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.sealed);
        self.sealed = Vec::new();
    }
}

/// The receiving direction.
pub struct Unsealer {
    protection: Arc<dyn Protection>,
}

impl Unsealer {
    /// For what comes under this context.
    pub fn new(protection: Arc<dyn Protection>) -> Self {
        Self { protection }
    }
}

impl Unseal for Unsealer {
    fn unseal(&mut self, frame: &[u8], out: &mut Message) -> Result<u8, ProtocolError> {
        check_command(frame)?;
        let rest = frame.strip_prefix(NAME).ok_or(UNEXPECTED)?;
        let malformed = ProtocolError::with_code(code::MALFORMED_MESSAGE);
        let (length, wrapped) = rest.split_first_chunk().ok_or(malformed)?;
        if usize::try_from(u32::from_be_bytes(*length)) != Ok(wrapped.len()) {
            return Err(malformed);
        }
        let mut opened = Err(malformed);
        let mut take = |plain: &[u8]| {
            if let [flags, body @ ..] = plain {
                opened = open(*flags, body, out).map_err(ProtocolError::silent);
            }
        };
        self.protection.unwrap(wrapped, &mut take).map_err(|Refused| CRYPTOGRAPHIC)?;
        opened
    }

    fn unseal_in_place(&mut self, frame: Message) -> Result<(u8, Message), ProtocolError> {
        let mut message = Message::new();
        let flags = self.unseal(frame.data(), &mut message)?;
        Ok((flags, message))
    }
}

/// Puts a body in `out`, and says with which flags of a frame it was sent. Reserved bits are ignored.
fn open(flags: u8, body: &[u8], out: &mut Message) -> Result<u8, Error> {
    let subscription: &[u8] = match flags & (SUBSCRIBE | CANCEL) {
        SUBSCRIBE => b"\x09SUBSCRIBE",
        CANCEL => b"\x06CANCEL",
        _ => {
            out.assign(body)?;
            let command = if flags & COMMAND != 0 { frame::COMMAND } else { 0 };
            return Ok((flags & frame::MORE) | command);
        }
    };
    out.assign(&[subscription, body].concat())?;
    Ok(frame::COMMAND)
}
