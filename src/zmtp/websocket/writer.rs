//! From messages to a WebSocket's frames.

use super::Random;
use super::frame::{MAX_HEADER, Opcode, Outgoing, flags_byte, mask_from};
use super::mask::{Mask, Masks};
use crate::zmtp::mechanism::Seal;

/// A body that is masked is copied by so much at a time, so that it is masked while it is in the fastest cache.
const STEP: usize = 4096;

/// Writes the frames of one direction.
pub struct FrameWriter {
    /// A client masks.
    masks: Option<Masks>,
}

impl FrameWriter {
    /// For a client: each frame has a mask from `random`.
    pub fn client(random: Random) -> Self {
        Self { masks: Some(Masks::new(random)) }
    }

    /// For a server.
    pub fn server() -> Self {
        Self { masks: None }
    }

    /// Whether bodies appear on the wire as they are.
    pub fn by_reference(&self) -> bool {
        self.masks.is_none()
    }

    #[inline]
    fn next_mask(&mut self) -> Option<Mask> {
        self.masks.as_mut().map(Masks::next)
    }

    /// Appends a frame of ZMTP's, with its flags, whose body is `parts`, one after the other.
    #[inline]
    pub fn frame(&mut self, flags: u8, parts: [&[u8]; 2], out: &mut Vec<u8>) {
        let [prefix, body] = parts;
        let mask = self.next_mask();
        let length = 1 + prefix.len() + body.len();
        let header = Outgoing::new(Opcode::Binary, length, mask);
        out.reserve(MAX_HEADER + length);
        out.extend_from_slice(header.bytes());
        let start = out.len();
        out.push(flags_byte(flags));
        out.extend_from_slice(prefix);
        let Some(mask) = mask.filter(|_| body.len() > STEP) else {
            out.extend_from_slice(body);
            mask_from(out, start, mask);
            return;
        };
        mask_from(out, start, Some(mask));
        for piece in body.chunks(STEP) {
            let at = out.len();
            out.extend_from_slice(piece);
            super::mask::apply(&mut out[at..], mask, at - start);
        }
    }

    /// Appends the beginning of a frame whose body, of `body` bytes, goes out by reference.
    pub fn header(&mut self, flags: u8, prefix: &[u8], body: usize, out: &mut Vec<u8>) {
        let header = Outgoing::new(Opcode::Binary, 1 + prefix.len() + body, None);
        out.extend_from_slice(header.bytes());
        out.push(flags_byte(flags));
        out.extend_from_slice(prefix);
    }

    /// Appends the frame that carries a frame of ZMTP's, sealed.
    pub fn sealed(&mut self, seal: &mut dyn Seal, flags: u8, parts: [&[u8]; 2], out: &mut Vec<u8>) {
        let mask = self.next_mask();
        let length = 1 + seal.sealed_size(flags, parts);
        out.reserve(MAX_HEADER + length);
        out.extend_from_slice(Outgoing::new(Opcode::Binary, length, mask).bytes());
        let start = out.len();
        out.push(flags_byte(0));
        seal.seal(flags, parts, out);
        mask_from(out, start, mask);
    }

    /// Appends a PING, which has no body.
    pub fn ping(&mut self, out: &mut Vec<u8>) {
        self.control(Opcode::Ping, &[], out);
    }

    /// Appends a PONG, which has no body.
    pub fn pong(&mut self, out: &mut Vec<u8>) {
        self.control(Opcode::Pong, &[], out);
    }

    /// Appends a Close frame.
    pub fn close(&mut self, reason: &[u8], out: &mut Vec<u8>) {
        self.control(Opcode::Close, reason, out);
    }

    fn control(&mut self, opcode: Opcode, body: &[u8], out: &mut Vec<u8>) {
        let mask = self.next_mask();
        out.extend_from_slice(Outgoing::new(opcode, body.len(), mask).bytes());
        let start = out.len();
        out.extend_from_slice(body);
        mask_from(out, start, mask);
    }
}
