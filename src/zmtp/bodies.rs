//! Where the bodies of received messages are put.
//!
//! Inline, or in an allocation of their own, or, when many of middling size arrive at once, many in one: that saves
//! most of what `malloc`, and `free` in another thread, cost. Such an allocation is kept as long as one of its
//! messages, so it is small (the reference keeps its whole read buffer, of 8 KiB too).

use crate::error::Result;
use crate::message::{MAX_INLINE, Message, SharedBuffer};

/// Sizes of the allocations for many: the first one of a batch, and the largest. Each is twice the one before, so that a
/// short batch doesn't keep much more memory than it needs.
const BLOCK: std::ops::Range<usize> = 1024..8 * 1024;

/// Larger bodies get an allocation of their own: copying them costs more than that.
const LARGEST: usize = BLOCK.start;

/// So many bodies in one batch get allocations of their own before it pays to think that more will come.
const PATIENCE: u8 = 4;

/// Puts bodies into messages.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    /// How many bodies of middling size have come since the last pause, up to [`PATIENCE`].
    seen: u8,
    block: Option<SharedBuffer>,
    /// Size of the last block of this batch; 0 before the first.
    block_size: usize,
}

impl Bodies {
    /// Makes `out` a message with a copy of `body`.
    #[inline]
    pub(super) fn copy(&mut self, body: &[u8], out: &mut Message) -> Result<()> {
        if body.len() <= MAX_INLINE || body.len() > LARGEST {
            return out.assign(body);
        }
        if self.seen < PATIENCE {
            self.seen += 1;
            return out.assign(body);
        }
        if self.block.as_mut().is_some_and(|block| block.spare_mut().len() < body.len()) {
            self.block = None;
        }
        let block = match &mut self.block {
            Some(block) => block,
            none => {
                self.block_size = (2 * self.block_size).clamp(BLOCK.start, BLOCK.end);
                none.insert(SharedBuffer::with_capacity(self.block_size)?)
            }
        };
        block.spare_mut()[..body.len()].copy_from_slice(body);
        // Programs like to find the numbers in a body aligned.
        let aligned = body.len().next_multiple_of(16);
        block.commit(aligned);
        *out = block.take(body.len());
        block.skip(aligned - out.len());
        Ok(())
    }

    /// The input is at its end: what comes next may come alone, and an idle connection shall hold no memory.
    #[inline]
    pub(super) fn pause(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_body_arrives_whatever_its_place() {
        let mut bodies = Bodies::default();
        let mut messages = Vec::new();
        for round in 0..3 {
            for size in [34, 35, 48, 100, 255, 256, 1000, 1024, 1025, 0, 33].repeat(10) {
                let body: Vec<u8> = (0..size).map(|i| (i + round) as u8).collect();
                let mut message = Message::new();
                bodies.copy(&body, &mut message).unwrap();
                messages.push((message, body));
            }
            bodies.pause();
            assert!(bodies.block.is_none());
        }
        for (message, body) in messages {
            assert_eq!(message.data(), body);
            assert!(message.is_inline() || message.as_ptr().addr().is_multiple_of(16));
        }
    }

    #[test]
    fn a_body_that_comes_alone_has_its_own_memory() {
        let mut bodies = Bodies::default();
        for _ in 0..100 {
            bodies.copy(&[1; 64], &mut Message::new()).unwrap();
            bodies.pause();
        }
        assert!(bodies.block.is_none());
    }
}
