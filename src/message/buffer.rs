//! A read buffer that messages can take their bodies from without copying.

use super::block::Header;
use super::{MAX_INLINE, Message};
use crate::error::{Error, Result};
use std::ptr::NonNull;

/// How many references a [`SharedBuffer`] adds when it needs some.
const REFS_AT_ONCE: usize = 1 << 16;

/// Bytes that come in at one end ([`SharedBuffer::spare_mut`], [`SharedBuffer::commit`]) and go out at the other, some of
/// them as messages that refer to this memory ([`SharedBuffer::take`]).
///
/// The memory is freed when the buffer and all those messages are gone. Such a message keeps *all* of it, so a small one
/// is better copied unless it will be consumed soon.
#[derive(Debug)]
pub struct SharedBuffer {
    /// Made by `with_body`: all bytes are initialised.
    owner: NonNull<Header>,
    /// How many references the buffer holds beside its own, to be handed out with messages. They are added many at a
    /// time, since an atomic operation per message, on memory that another thread releases messages of, is a good
    /// part of what a small one costs.
    spare_refs: usize,
    capacity: usize,
    /// Up to here bytes are taken, and may belong to messages.
    start: usize,
    /// Up to here there are bytes.
    end: usize,
}

// SAFETY: the memory belongs to the buffer, except for what was handed out to messages, which are Send themselves.
unsafe impl Send for SharedBuffer {}
// SAFETY: a shared reference gives nothing but read access.
unsafe impl Sync for SharedBuffer {}

impl Drop for SharedBuffer {
    fn drop(&mut self) {
        // SAFETY: the buffer holds so many references.
        unsafe { Header::drop_refs(self.owner, self.spare_refs + 1) };
    }
}

impl SharedBuffer {
    /// An empty buffer with room for `capacity` bytes.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn with_capacity(capacity: usize) -> Result<Self> {
        let owner = Header::with_body(capacity).ok_or(Error::OutOfMemory)?;
        Ok(Self { owner, spare_refs: 0, capacity, start: 0, end: 0 })
    }

    /// How many bytes it has room for, taken ones included.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    fn at(&self, offset: usize) -> *mut u8 {
        debug_assert!(offset <= self.capacity);
        // SAFETY: no offset is beyond the capacity.
        unsafe { Header::body(self.owner).add(offset) }
    }

    /// The bytes that were put in and not taken yet.
    pub fn unread(&self) -> &[u8] {
        // SAFETY: the bytes from `start` on belong to the buffer alone; all are initialised.
        unsafe { std::slice::from_raw_parts(self.at(self.start), self.end - self.start) }
    }

    /// As [`SharedBuffer::unread`], to be changed in place.
    pub fn unread_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `unread`.
        unsafe { std::slice::from_raw_parts_mut(self.at(self.start), self.end - self.start) }
    }

    /// The room behind them: put bytes there, then call [`SharedBuffer::commit`].
    pub fn spare_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `unread`.
        unsafe { std::slice::from_raw_parts_mut(self.at(self.end), self.capacity - self.end) }
    }

    /// States that the first `count` bytes of the spare room were filled. (No more than there are.)
    pub fn commit(&mut self, count: usize) {
        self.end += count.min(self.capacity - self.end);
    }

    /// Drops the first `count` unread bytes. (No more than there are.)
    pub fn skip(&mut self, count: usize) {
        self.start += count.min(self.end - self.start);
    }

    /// Takes the first `count` unread bytes (no more than there are) as a message, which refers to them; short ones it copies.
    pub fn take(&mut self, count: usize) -> Message {
        let count = count.min(self.end - self.start);
        if count <= MAX_INLINE
            && let Ok(message) = Message::from_slice(&self.unread()[..count])
        {
            self.skip(count);
            return message;
        }
        if self.spare_refs == 0 {
            // SAFETY: the buffer holds a reference.
            unsafe { self.owner.as_ref() }.add_refs(REFS_AT_ONCE);
            self.spare_refs = REFS_AT_ONCE;
        }
        self.spare_refs -= 1;
        // SAFETY: the bytes are initialised, and nothing reaches back before `start` as long as there are such messages.
        // The message gets one of the spare references.
        let message = unsafe { Message::from_part(self.owner, self.at(self.start), count) };
        self.skip(count);
        message
    }

    /// Whether no message refers to the buffer.
    pub fn is_unique(&self) -> bool {
        // SAFETY: the buffer holds a reference.
        unsafe { self.owner.as_ref() }.has_refs(self.spare_refs + 1)
    }

    /// Makes the spare room at least `count` bytes large: by moving the unread bytes to the beginning if no message refers
    /// to the memory any more, else by moving them to fresh memory, of the same capacity or more.
    ///
    /// Taken bytes are given up whenever that costs nothing, so call it before each read.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]; the buffer is as it was.
    pub fn reserve(&mut self, count: usize) -> Result<()> {
        let unread = self.end - self.start;
        if self.start > 0 && (unread == 0 || self.capacity - self.end < count) && self.is_unique() {
            // SAFETY: both ranges lie in the buffer, and nobody else refers to it.
            unsafe { std::ptr::copy(self.at(self.start), self.at(0), unread) };
            (self.start, self.end) = (0, unread);
        }
        if self.capacity - self.end < count {
            let needed = unread.checked_add(count).ok_or(Error::OutOfMemory)?;
            let mut fresh = Self::with_capacity(needed.max(self.capacity))?;
            fresh.spare_mut()[..unread].copy_from_slice(self.unread());
            fresh.commit(unread);
            *self = fresh;
        }
        Ok(())
    }
}
