//! Buffers for what is read and what is to be written.
//!
//! They belong to a pool, not to a connection: one is taken when there is something to put into it and goes back when it is
//! empty, so that an idle connection has none.

use crate::message::Message;
use crate::mutex::Mutex;
use std::io::IoSlice;

/// Bytes that one read asks for, and one write gathers, at most. Larger ones gain nothing (docs/architecture.md).
pub const BATCH: usize = 64 * 1024;
/// Up to so many bytes are kept in a buffer of their own size.
const FEW: usize = 1024;
/// How many empty buffers are kept.
const KEPT: usize = 8;
/// Bodies from this size on are written from where they are instead of being copied.
pub const BY_REFERENCE: usize = 16 * 1024;
/// How many bodies one write takes by reference.
const MAX_BODIES: usize = 16;

// Never waited for: who finds them taken does without, and so does a child of `fork` whose parent had them taken.
static READ_BUFFERS: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());
static WRITE_BUFFERS: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Bytes that were read and not decoded yet. Without a buffer while it is empty.
#[derive(Default)]
pub struct ReadBuffer {
    bytes: Option<Box<[u8]>>,
    start: usize,
    end: usize,
}

impl ReadBuffer {
    /// The bytes to be decoded.
    #[inline]
    pub fn unread(&self) -> &[u8] {
        match &self.bytes {
            Some(bytes) => &bytes[self.start..self.end],
            None => &[],
        }
    }

    /// No bytes to be decoded.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// `count` bytes were decoded.
    #[inline]
    pub fn skip(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// Room for a read of up to `limit` bytes behind those that are there.
    pub fn room(&mut self, limit: usize) -> &mut [u8] {
        let bytes = match self.bytes.take() {
            Some(mut bytes) if bytes.len() == BATCH => {
                if self.start > 0 {
                    bytes.copy_within(self.start..self.end, 0);
                }
                bytes
            }
            few => {
                let mut bytes = take_buffer();
                if let Some(few) = few {
                    bytes[..self.end - self.start].copy_from_slice(&few[self.start..self.end]);
                }
                bytes
            }
        };
        self.end -= self.start;
        self.start = 0;
        let end = (self.end + limit).min(BATCH);
        &mut self.bytes.insert(bytes)[self.end..end]
    }

    /// `count` bytes were read into the room.
    pub fn filled(&mut self, count: usize) {
        self.end += count;
    }

    /// Gives the buffer back if it is empty, or has so few bytes that they are better kept in a small one: many connections may
    /// wait with the beginning of something.
    pub fn release(&mut self) {
        let unread = self.end - self.start;
        if unread > FEW {
            return;
        }
        let Some(bytes) = self.bytes.take() else { return };
        if bytes.len() < BATCH && unread > 0 {
            self.bytes = Some(bytes);
            return;
        }
        if unread > 0 {
            self.bytes = Some(bytes[self.start..self.end].into());
        }
        (self.start, self.end) = (0, unread);
        give_buffer(bytes);
    }
}

fn take_buffer() -> Box<[u8]> {
    let kept = READ_BUFFERS.try_lock().and_then(|mut kept| kept.pop());
    kept.unwrap_or_else(|| vec![0; BATCH].into_boxed_slice())
}

fn give_buffer(bytes: Box<[u8]>) {
    if let Some(mut kept) = READ_BUFFERS.try_lock()
        && kept.len() < KEPT
        && bytes.len() == BATCH
    {
        kept.push(bytes);
    }
}

/// Bytes to be written: encoded ones, and large bodies by reference in between.
#[derive(Default)]
pub struct WriteBatch {
    bytes: Vec<u8>,
    /// A body, and how many of `bytes` go before it.
    bodies: Vec<(usize, Message)>,
    len: usize,
    sent: usize,
}

impl WriteBatch {
    /// Nothing left to be written.
    pub fn is_empty(&self) -> bool {
        self.sent == self.len
    }

    /// Bytes left to be written.
    pub fn remaining(&self) -> usize {
        self.len - self.sent
    }

    /// Whether it holds enough for one write.
    #[inline]
    pub fn is_full(&self, limit: usize) -> bool {
        self.len >= limit || self.bodies.len() >= MAX_BODIES
    }

    /// Appends what `encode` appends to the bytes.
    #[inline]
    pub fn append(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        if self.bytes.capacity() == 0
            && let Some(bytes) = WRITE_BUFFERS.try_lock().and_then(|mut kept| kept.pop())
        {
            self.bytes = bytes;
        }
        let before = self.bytes.len();
        encode(&mut self.bytes);
        self.len += self.bytes.len() - before;
    }

    /// Appends a body by reference.
    pub fn append_body(&mut self, body: Message) {
        self.len += body.len();
        self.bodies.push((self.bytes.len(), body));
    }

    /// Hands what is left to `write`, whose result is the count of bytes that it took.
    pub fn write<R>(&mut self, write: impl FnOnce(&[IoSlice<'_>]) -> R) -> R {
        if self.bodies.is_empty() {
            return write(&[IoSlice::new(&self.bytes[self.sent..])]);
        }
        let mut slices = Vec::with_capacity(2 * self.bodies.len() + 1);
        let mut skip = self.sent;
        let mut push = |piece| {
            let piece: &[u8] = piece;
            let cut = skip.min(piece.len());
            skip -= cut;
            if cut < piece.len() {
                slices.push(IoSlice::new(&piece[cut..]));
            }
        };
        let mut at = 0;
        for (before, body) in &self.bodies {
            push(&self.bytes[at..*before]);
            push(body.data());
            at = *before;
        }
        push(&self.bytes[at..]);
        write(&slices)
    }

    /// `count` more bytes were written.
    pub fn advance(&mut self, count: usize) {
        self.sent += count;
        if self.sent == self.len {
            self.bytes.clear();
            self.bodies.clear();
            (self.len, self.sent) = (0, 0);
        }
    }

    /// Gives the buffer back if everything was written.
    pub fn release(&mut self) {
        if self.is_empty() && self.bytes.capacity() > 0 {
            let bytes = std::mem::take(&mut self.bytes);
            // A buffer that has grown out of all proportion isn't worth keeping.
            if bytes.capacity() <= 4 * BATCH
                && let Some(mut kept) = WRITE_BUFFERS.try_lock()
                && kept.len() < KEPT
            {
                kept.push(bytes);
            }
        }
        if self.is_empty() {
            self.bodies = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_written_in_order_however_it_is_cut() {
        let mut batch = WriteBatch::default();
        let mut expected = Vec::new();
        for number in 0..5_u8 {
            batch.append(|bytes| bytes.extend([number; 3]));
            batch.append_body(Message::from_slice(&[100 + number; 40]).expect("memory"));
            expected.extend([number; 3]);
            expected.extend([100 + number; 40]);
        }
        batch.append(|bytes| bytes.push(9));
        expected.push(9);
        let mut written: Vec<u8> = Vec::new();
        while !batch.is_empty() {
            let count = batch.write(|slices| {
                let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
                let count = all.len().min(7);
                written.extend(&all[..count]);
                count
            });
            batch.advance(count);
        }
        assert_eq!(written, expected);
    }

    #[test]
    fn unread_bytes_stay_when_room_is_made() {
        let mut buffer = ReadBuffer::default();
        buffer.room(100)[..4].copy_from_slice(b"abcd");
        buffer.filled(4);
        buffer.skip(2);
        buffer.room(100)[..2].copy_from_slice(b"ef");
        buffer.filled(2);
        assert_eq!(buffer.unread(), b"cdef");
        buffer.release();
        assert_eq!(buffer.unread(), b"cdef");
        assert_eq!(buffer.bytes.as_ref().map(|bytes| bytes.len()), Some(4), "few bytes are kept in few");
        buffer.skip(1);
        buffer.release();
        buffer.room(100)[..1].copy_from_slice(b"g");
        buffer.filled(1);
        assert_eq!(buffer.unread(), b"defg");
        buffer.skip(4);
        buffer.release();
        assert!(buffer.unread().is_empty() && buffer.bytes.is_none());
    }
}
