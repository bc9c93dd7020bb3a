//! The group of a message, for RADIO and DISH sockets: inline if it is short, else in reference-counted memory.

use super::block::Header;
use super::pool;
use crate::error::{Error, Result};
use std::ptr::{self, NonNull};

/// The longest group, in bytes (`ZMQ_GROUP_MAX_LENGTH`).
pub const MAX_GROUP: usize = 255;
/// Groups up to this size are stored in the message itself.
const MAX_INLINE: usize = 14;
/// Where a short group has its length.
const LONG: u8 = 0xff;

/// A group. A copy of it counts as a further reference only after [`Group::add_ref`].
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) union Group {
    /// So that it can be composed in whole words.
    words: [u64; 2],
    short: Short,
    long: Long,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Short {
    len: u8,
    /// Ends with a NUL.
    text: [u8; MAX_INLINE + 1],
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Long {
    /// [`LONG`].
    mark: u8,
    len: u8,
    /// Its body is the text and a NUL.
    owner: NonNull<Header>,
}

const _: () = assert!(size_of::<Group>() == 16);

impl Group {
    /// No group: a short one of length 0.
    pub(super) const EMPTY: Self = Group { words: [0; 2] };

    /// A group with this text.
    pub(super) fn new(text: &[u8]) -> Result<Self> {
        let len = u8::try_from(text.len()).map_err(|_| Error::Invalid)?;
        if text.len() <= MAX_INLINE {
            let mut room = [0; MAX_INLINE + 1];
            room[..text.len()].copy_from_slice(text);
            return Ok(Group { short: Short { len, text: room } });
        }
        let owner = Header::with_body(text.len() + 1).ok_or(Error::OutOfMemory)?;
        // SAFETY: the body has room for the text and a NUL.
        unsafe {
            ptr::copy_nonoverlapping(text.as_ptr(), Header::body(owner), text.len());
            Header::body(owner).add(text.len()).write(0);
        }
        Ok(Group { long: Long { mark: LONG, len, owner } })
    }

    fn long(&self) -> Option<Long> {
        // SAFETY: all variants begin with a byte, and only a long group has this value there.
        unsafe { if self.short.len == LONG { Some(self.long) } else { None } }
    }

    /// Whether it has to be released.
    pub(super) fn is_long(&self) -> bool {
        self.long().is_some()
    }

    /// The text and its length; a NUL follows.
    pub(super) fn text(&self) -> (*const u8, usize) {
        match self.long() {
            Some(long) => (Header::body(long.owner), usize::from(long.len)),
            // SAFETY: it is a short group.
            None => unsafe { ((&raw const self.short.text).cast(), usize::from(self.short.len)) },
        }
    }

    /// Counts one more copy.
    pub(super) fn add_ref(&self) {
        if let Some(long) = self.long() {
            // SAFETY: the owner is there as long as a group refers to it.
            unsafe { long.owner.as_ref() }.add_ref();
        }
    }

    /// Gives the memory of a long group back.
    ///
    /// # Safety
    /// This copy was counted, and isn't used any more.
    pub(super) unsafe fn release(&self) {
        if let Some(long) = self.long() {
            // SAFETY: the caller says so.
            unsafe { Header::drop_ref(long.owner, pool::NONE) };
        }
    }
}
