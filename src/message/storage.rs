//! The 64 bytes of a message, and everything about them that needs `unsafe`.

use super::block::{FreeFn, Header};
use super::group::Group;
use super::pool::NONE;
use super::state::*;
use super::words::to_words;
use crate::error::{Error, Result};
use crate::metadata::Metadata;
use std::ffi::c_void;
use std::mem::{ManuallyDrop, MaybeUninit, offset_of};
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// Bodies up to this size, in bytes, are stored in the message itself.
pub const MAX_INLINE: usize = 33;
/// Where an inline body begins.
const INLINE_AT: usize = offset_of!(Message, body);

/// A message, and in C a `zmq_msg_t`.
///
/// It never refers to itself, so it may be moved byte by byte, as C programs and language bindings do.
#[repr(C, align(8))]
pub struct Message {
    metadata: ManuallyDrop<Option<Arc<Metadata>>>,
    /// The body, or an [`Outline`]. The last byte of an inline body that fills all room is in `head`.
    body: [MaybeUninit<u64>; 4],
    /// See [`super::state`].
    ///
    /// One word, like those of the body, because a message is composed and moved on right away: a processor can
    /// load what it has just stored only if it was stored in one piece. With a field for each this costs more than anything
    /// else that is done to a short message.
    head: u64,
    group: Group,
}

/// A body that isn't inline.
#[derive(Clone, Copy)]
#[repr(C)]
struct Outline {
    data: *mut u8,
    len: usize,
    /// Null for a constant.
    owner: *mut Header,
    /// The owner's class in the pool of memory for bodies, or [`NONE`]. Here, so that the owner isn't read, by a thread that
    /// hasn't seen it yet, only to be given back.
    class: usize,
}

const _: () = {
    assert!(size_of::<Message>() == 64 && align_of::<Message>() == 8);
    assert!(offset_of!(Message, body) + 32 == offset_of!(Message, head) && size_of::<Outline>() <= 32);
    assert!(MAGIC & (OWNING | STORAGE | MORE | SHARED | KIND) == 0 && MAGIC & MAGIC_MASK == MAGIC);
    assert!(MAGIC_MASK & (OWNING | STORAGE | MORE | SHARED | KIND) == 0);
};

// SAFETY: owners are counted atomically; memory of the caller's is given away with the promise that any thread may read and
// free it (`Message::from_external`, `Message::from_constant`).
unsafe impl Send for Message {}
// SAFETY: a shared reference gives nothing but read access.
unsafe impl Sync for Message {}

impl Drop for Message {
    #[inline]
    fn drop(&mut self) {
        if self.state() & OWNING != 0 {
            self.release();
        }
    }
}

impl Message {
    /// An empty message.
    #[inline]
    pub const fn new() -> Self {
        Self::compose([0; 4], 0, 0, INLINE)
    }

    /// Takes the message out and leaves an empty one, as [`std::mem::take`] does.
    ///
    /// It is the quicker one if the message was composed or changed just before, as when it is written to a pipe: it
    /// moves word by word, as a message is composed (see the field `head`), where the compiler would load pairs of words, for
    /// which the processor has to wait until the stores are through.
    #[inline(always)]
    pub fn take(&mut self) -> Message {
        let from = ptr::from_mut(self).cast::<MaybeUninit<u64>>();
        // SAFETY: a message is eight words. It isn't used any more before it is overwritten.
        let words: [MaybeUninit<u64>; 8] = unsafe { std::array::from_fn(|i| from.add(i).read_volatile()) };
        // SAFETY: the message has been moved out, so it isn't dropped here; all its words are there.
        unsafe {
            ptr::write(self, Message::new());
            std::mem::transmute::<[MaybeUninit<u64>; 8], Message>(words)
        }
    }

    /// As [`take`](Self::take), straight to where it is to be: on the way over another place it would be loaded there in pairs of words.
    #[inline(always)]
    pub fn take_to(&mut self, place: &mut MaybeUninit<Message>) {
        let from = ptr::from_mut(self).cast::<MaybeUninit<u64>>();
        let to = place.as_mut_ptr().cast::<MaybeUninit<u64>>();
        for i in 0..8 {
            // SAFETY: both are eight words. The message isn't used any more before it is overwritten.
            unsafe { to.add(i).write(from.add(i).read_volatile()) };
        }
        // SAFETY: the message has been moved out, so it isn't dropped here.
        unsafe { ptr::write(self, Message::new()) };
    }

    /// A message with this body, or part of one, and head.
    #[inline(always)]
    const fn compose(body: [u64; 4], last_byte: u8, len: u8, state: u16) -> Self {
        let [a, b, c, d] = body;
        let head = (last_byte as u64) << LAST_BYTE_AT
            | (len as u64) << LEN_AT
            | ((MAGIC | state) as u64) << STATE_AT;
        Self {
            metadata: ManuallyDrop::new(None),
            body: [MaybeUninit::new(a), MaybeUninit::new(b), MaybeUninit::new(c), MaybeUninit::new(d)],
            head,
            group: Group::EMPTY,
        }
    }

    #[inline(always)]
    const fn outlined(state: u16, outline: Outline) -> Self {
        let mut message = Self::compose([0; 4], 0, 0, state);
        // SAFETY: `body` is large enough and aligned for an Outline (asserted above).
        unsafe { (&raw mut message.body).cast::<Outline>().write(outline) };
        message
    }

    /// A message of `size` bytes, whose content is arbitrary.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    #[inline(always)]
    pub fn with_size(size: usize) -> Result<Self> {
        if size <= MAX_INLINE {
            return Ok(Self::compose([0; 4], 0, size as u8, INLINE));
        }
        Self::owning(size)
    }

    /// A message with a copy of `body`.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    // Always inlined, like `with_size`, so that the message is composed in its place and not in a `Result` on the way there.
    #[inline(always)]
    pub fn from_slice(body: &[u8]) -> Result<Self> {
        if body.len() <= MAX_INLINE {
            let (words, last_byte) = to_words(body);
            return Ok(Self::compose(words, last_byte, body.len() as u8, INLINE));
        }
        let message = Self::owning(body.len())?;
        // SAFETY: the body was just allocated with this size, and isn't the one that is copied.
        unsafe { message.outline().data.copy_from_nonoverlapping(body.as_ptr(), body.len()) };
        Ok(message)
    }

    /// A message with a body of its own, of `len` bytes, which are arbitrary.
    #[inline(always)]
    fn owning(len: usize) -> Result<Self> {
        let (owner, class) = Header::for_message(len).ok_or(Error::OutOfMemory)?;
        let outline = Outline { data: Header::body(owner), len, owner: owner.as_ptr(), class };
        Ok(Self::outlined(OWNED | OWNING, outline))
    }

    /// Replaces this message by one with a copy of `body`, without flags.
    ///
    /// A short body is put together in registers and written where the message stands, which a decoder needs to be fast.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]; the message is as it was.
    #[inline(always)]
    pub fn assign(&mut self, body: &[u8]) -> Result<()> {
        *self = Self::from_slice(body)?;
        Ok(())
    }

    /// A message that refers to `body`.
    pub const fn from_static(body: &'static [u8]) -> Self {
        // SAFETY: the slice is there for ever, and no message writes to a constant.
        unsafe { Self::from_constant(body.as_ptr(), body.len()) }
    }

    /// A message that refers to memory that nobody changes or frees.
    ///
    /// # Safety
    /// `data` points to `len` bytes that can be read, and don't change, as long as there are messages that refer to them,
    /// by any thread. `len` is at most `isize::MAX`. `data` may be null if `len` is 0.
    pub const unsafe fn from_constant(data: *const u8, len: usize) -> Self {
        Self::outlined(CONSTANT, Outline { data: data.cast_mut(), len, owner: ptr::null_mut(), class: NONE })
    }

    /// A message whose body is memory of the caller's (`zmq_msg_init_data`), which `free` gets back with `hint`, exactly once.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]; `free` isn't called then.
    ///
    /// # Safety
    /// `data` points to `len` bytes (null if `len` is 0; at most `isize::MAX`) that belong to the message until `free` is
    /// called, which may be called by any thread.
    pub unsafe fn from_external(data: *mut u8, len: usize, free: FreeFn, hint: *mut c_void) -> Result<Self> {
        let owner = Header::external(data.cast(), free, hint).ok_or(Error::OutOfMemory)?;
        Ok(Self::outlined(OWNED | OWNING, Outline { data, len, owner: owner.as_ptr(), class: NONE }))
    }

    #[inline]
    pub(super) fn state(&self) -> u16 {
        (self.head >> STATE_AT) as u16
    }

    /// Sets the bits of `mask`, which may be MORE and KIND, to those of `value`.
    #[inline]
    pub(super) fn set_state(&mut self, mask: u16, value: u16) {
        debug_assert!(mask & !(MORE | KIND) == 0 && value & !mask == 0);
        // Storing a part of the head would delay whoever moves the message next, so it is done only if need be.
        if self.state() & mask != value {
            self.change(mask, value);
        }
    }

    /// Sets the bits of `mask` to those of `value`.
    #[inline]
    fn change(&mut self, mask: u16, value: u16) {
        let head = (self.head & !(u64::from(mask) << STATE_AT)) | u64::from(value) << STATE_AT;
        // In one piece: left to itself the compiler changes a single byte.
        // SAFETY: a field of this message's.
        unsafe { (&raw mut self.head).write_volatile(head) };
    }

    /// Only for a message that isn't inline.
    #[inline]
    fn outline(&self) -> Outline {
        debug_assert!(!self.is_inline());
        // SAFETY: all messages that aren't inline have an Outline in the place of the body.
        unsafe { (&raw const self.body).cast::<Outline>().read() }
    }

    /// Where the body begins. May be null or dangling if it is empty.
    #[inline]
    pub fn as_ptr(&self) -> *const u8 {
        if self.is_inline() {
            ptr::from_ref(self).wrapping_byte_add(INLINE_AT).cast()
        } else {
            self.outline().data
        }
    }

    /// As [`Message::as_ptr`], to write to. A constant or shared body must not be written to.
    #[inline]
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        if self.is_inline() {
            ptr::from_mut(self).wrapping_byte_add(INLINE_AT).cast()
        } else {
            self.outline().data
        }
    }

    /// The number of bytes of the body.
    #[inline]
    #[allow(clippy::len_without_is_empty, reason = "stands with the rest of the interface")]
    pub fn len(&self) -> usize {
        if self.is_inline() { usize::from(self.inline_len()) } else { self.outline().len }
    }

    #[inline]
    fn inline_len(&self) -> u8 {
        (self.head >> LEN_AT) as u8
    }

    /// The body.
    #[inline]
    pub fn data(&self) -> &[u8] {
        let (data, len) = (self.as_ptr(), self.len());
        if data.is_null() {
            return &[];
        }
        // SAFETY: whoever made the message saw to it that so many bytes are there, initialised; nobody writes to them as
        // long as there is a shared reference to the message.
        unsafe { std::slice::from_raw_parts(data, len) }
    }

    /// The body, to be changed. A body that is constant or shared with another message is copied first; if there is no
    /// memory for that the result is empty (it can't happen to a message made by [`Message::with_size`] and not shared).
    #[inline]
    pub fn data_mut(&mut self) -> &mut [u8] {
        if (self.state() & STORAGE == CONSTANT || self.state() & SHARED != 0) && self.unshare().is_err() {
            return &mut [];
        }
        let (data, len) = (self.as_mut_ptr(), self.len());
        if data.is_null() {
            return &mut [];
        }
        // SAFETY: as in `data`, and this message has the bytes for itself.
        unsafe { std::slice::from_raw_parts_mut(data, len) }
    }

    /// Makes this message the only one that refers to its body.
    #[cold]
    fn unshare(&mut self) -> Result<()> {
        // SAFETY: an owner is there as long as a message refers to it.
        let unique = unsafe { self.outline().owner.as_ref() }.is_some_and(Header::is_unique);
        if !unique {
            let copy = ManuallyDrop::new(Self::from_slice(self.data())?);
            let owner = self.owner();
            self.body = copy.body;
            // All of the head but the flags and the routing id. What the message owned besides it still owns.
            let kept = MORE | KIND | (self.state() & OWNING);
            let kept = u64::from(kept) << STATE_AT | u64::from(u32::MAX) << ROUTING_ID_AT;
            self.head = copy.head | (self.head & kept);
            if let Some((owner, class)) = owner {
                // SAFETY: the message doesn't refer to it any more. It was shared, so its references are counted.
                unsafe { Header::drop_ref(owner, class) };
            }
        }
        self.change(SHARED, 0);
        Ok(())
    }

    /// Cuts the body off after `len` bytes; does nothing to a body that is no longer than that.
    pub fn truncate(&mut self, len: usize) {
        if len >= self.len() {
            return;
        }
        if self.is_inline() {
            self.head = (self.head & !(0xff << LEN_AT)) | (len as u64) << LEN_AT;
        } else {
            let outline = Outline { len, ..self.outline() };
            // SAFETY: as in `outlined`.
            unsafe { (&raw mut self.body).cast::<Outline>().write(outline) };
        }
    }

    /// Cuts the first `len` bytes of the body off, or all if there are fewer.
    pub fn remove_front(&mut self, len: usize) {
        let left = self.len().saturating_sub(len);
        if self.is_inline() {
            let len = self.len() - left;
            self.data_mut().copy_within(len.., 0);
            self.truncate(left);
        } else {
            let outline = self.outline();
            let data = outline.data.wrapping_add(outline.len - left);
            // SAFETY: as in `outlined`.
            unsafe { (&raw mut self.body).cast::<Outline>().write(Outline { data, len: left, ..outline }) };
        }
    }

    /// A second message with the same body, metadata, group and flags. Bodies that aren't inline aren't copied, but shared.
    #[inline]
    pub fn share(&mut self) -> Message {
        if self.state() & OWNING != 0 {
            self.add_refs();
        }
        // SAFETY: everything that the copy owns was counted once more.
        unsafe { ptr::read(self) }
    }

    /// Counts `count` more references to the body. False: it owns something that isn't counted this way, and each copy has to
    /// count for itself.
    pub(super) fn count_shares(&mut self, count: usize) -> bool {
        let state = self.state();
        let Some((owner, _)) = self.owner() else { return false };
        if count == 0 || self.metadata.is_some() || !self.group().is_empty() {
            return false;
        }
        // SAFETY: owners are there as long as a message refers to them.
        let owner = unsafe { owner.as_ref() };
        if state & (STORAGE | SHARED) == OWNED {
            owner.set_refs(1 + count)
        } else {
            owner.add_refs(count)
        }
        self.change(SHARED, SHARED);
        true
    }

    fn add_refs(&mut self) {
        let state = self.state();
        if let Some((owner, _)) = self.owner() {
            // SAFETY: owners are there as long as a message refers to them.
            let owner = unsafe { owner.as_ref() };
            // The first time the count begins; nobody else can know of the owner yet.
            if state & (STORAGE | SHARED) == OWNED {
                owner.set_refs(2)
            } else {
                owner.add_ref()
            }
            if state & SHARED == 0 {
                self.change(SHARED, SHARED);
            }
        }
        self.group.add_ref();
        std::mem::forget(Option::clone(&self.metadata));
    }

    /// The owner of the body, if that is counted, and its class.
    #[inline]
    fn owner(&self) -> Option<(NonNull<Header>, usize)> {
        if self.state() & STORAGE != OWNED {
            return None;
        }
        let Outline { owner, class, .. } = self.outline();
        Some((NonNull::new(owner)?, class))
    }

    /// Gives back all that the message owns, and makes it an invalid one.
    #[inline(never)]
    fn release(&mut self) {
        let (state, owner) = (self.state(), self.owner());
        // Nothing may be released twice, even if the caller's free function gets at the message again.
        self.head = 0;
        drop(self.metadata.take());
        if self.group.is_long() {
            // SAFETY: the message holds a reference, and the group is overwritten right away.
            unsafe { self.group.release() };
            self.group = Group::EMPTY;
        }
        if let Some((owner, class)) = owner {
            // SAFETY: the message has just become one without a body, so its reference isn't used any more. It is the only
            // one if they aren't counted.
            unsafe {
                if state & (STORAGE | SHARED) == OWNED {
                    Header::free(owner, class)
                } else {
                    Header::drop_ref(owner, class)
                }
            }
        }
    }

    /// The peer's routing id, for SERVER and PEER sockets; 0 if there is none.
    #[inline]
    pub fn routing_id(&self) -> u32 {
        (self.head >> ROUTING_ID_AT) as u32
    }

    /// Sets the peer's routing id; 0 for none.
    #[inline]
    pub fn set_routing_id(&mut self, routing_id: u32) {
        let others = self.head & !(u64::from(u32::MAX) << ROUTING_ID_AT);
        self.head = others | u64::from(routing_id) << ROUTING_ID_AT;
    }

    /// The properties of the connection that the message came over.
    #[inline]
    pub fn metadata(&self) -> Option<&Arc<Metadata>> {
        self.metadata.as_ref()
    }

    /// Replaces the properties.
    #[inline]
    pub fn set_metadata(&mut self, metadata: Option<Arc<Metadata>>) {
        if metadata.is_some() {
            self.change(OWNING, OWNING);
        }
        *self.metadata = metadata;
    }

    /// Takes the properties away.
    #[inline]
    pub fn take_metadata(&mut self) -> Option<Arc<Metadata>> {
        self.metadata.take()
    }

    /// The group, for RADIO and DISH sockets; empty if there is none.
    pub fn group(&self) -> &[u8] {
        let (text, len) = self.group.text();
        // SAFETY: the text lives as long as the message, and isn't changed while there is a shared reference to it.
        unsafe { std::slice::from_raw_parts(text, len) }
    }

    /// The group as a C string.
    pub fn group_c_str(&self) -> *const std::ffi::c_char {
        self.group.text().0.cast()
    }

    /// Sets the group.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is longer than [`super::MAX_GROUP`], [`Error::OutOfMemory`].
    pub fn set_group(&mut self, group: &[u8]) -> Result<()> {
        let new = Group::new(group)?;
        if new.is_long() {
            self.change(OWNING, OWNING);
        }
        // SAFETY: the message holds a reference, and the group is overwritten right away.
        unsafe { self.group.release() };
        self.group = new;
        Ok(())
    }

    /// Whether there is a message at `message`: not null, initialised and not closed. Memory that was never initialised
    /// is found out in most cases only.
    ///
    /// # Safety
    /// `message` is null or points to 64 bytes that can be read.
    #[inline]
    pub unsafe fn is_valid(message: *const Message) -> bool {
        if message.is_null() {
            return false;
        }
        // SAFETY: the caller says so; integers have no invalid values.
        let head = unsafe { (&raw const (*message).head).read() };
        let (state, len) = ((head >> STATE_AT) as u16, (head >> LEN_AT) as u8);
        state & MAGIC_MASK == MAGIC && usize::from(len) <= MAX_INLINE
    }

    /// Releases the message and makes it an invalid one.
    #[inline]
    pub fn close(&mut self) {
        if self.state() & OWNING != 0 {
            self.release();
        }
        self.head = 0;
    }
}
