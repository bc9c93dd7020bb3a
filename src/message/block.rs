//! Reference-counted memory: what the body of a message that isn't inline belongs to.
//!
//! Every owner begins with a [`Header`]. Which kind of owner it is, only its `release` function knows, so that a message
//! treats an allocation of its own and the caller's memory alike.
//!
//! `malloc` and `free` are used directly: `free` needs no size, and a failure is an error here, not an abort. The body of a
//! message comes from, and goes back to, a pool of such memory ([`super::pool`]), whose header is written only if the
//! message is shared.

use super::pool;
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering, fence};

/// `zmq_free_fn`: gets the data and the hint that `zmq_msg_init_data` was given.
pub type FreeFn = unsafe extern "C" fn(data: *mut c_void, hint: *mut c_void);

/// The beginning of every owner.
#[repr(C, align(16))]
pub(super) struct Header {
    /// How many references there are. Not kept up by a message that is the only one (see `Message::share`).
    refs: AtomicUsize,
    /// Frees the owner.
    release: unsafe fn(NonNull<Header>),
}

/// The caller's memory.
#[repr(C)]
struct External {
    header: Header,
    data: *mut c_void,
    hint: *mut c_void,
    free: FreeFn,
}

/// Where the bytes of a [`Header::with_body`] begin.
const BODY: usize = size_of::<Header>();

impl Header {
    /// One allocation for header and body, with one reference. The content of the body is arbitrary, but initialised.
    pub(super) fn with_body(size: usize) -> Option<NonNull<Header>> {
        let header = allocate(size)?;
        // SAFETY: the block is large enough for a header, and malloc aligns for any fundamental type (16 bytes here).
        unsafe { header.write(Header { refs: AtomicUsize::new(1), release: free_body }) };
        Some(header)
    }

    /// As [`Header::with_body`], for a body that a single message owns, and with the class of the pool that the block is of. Its
    /// references aren't counted until [`Header::set_refs`].
    #[inline]
    pub(super) fn for_message(size: usize) -> Option<(NonNull<Header>, usize)> {
        let class = if cfg!(feature = "plain-malloc") { pool::NONE } else { pool::class_of(size) };
        if class == pool::NONE {
            return Some((Self::with_body(size)?, class));
        }
        let header = match pool::take(class) {
            Some(header) => header,
            None => allocate(pool::capacity(class))?,
        };
        initialise(Self::body(header), size);
        Some((header, class))
    }

    /// An owner of the caller's memory, with one reference. `free` is called once, when the last reference goes.
    pub(super) fn external(data: *mut c_void, free: FreeFn, hint: *mut c_void) -> Option<NonNull<Header>> {
        // SAFETY: malloc may be called with any size.
        let owner = NonNull::new(unsafe { libc::malloc(size_of::<External>()) })?.cast::<External>();
        let header = Header { refs: AtomicUsize::new(1), release: free_external };
        // SAFETY: the block has the size of an External, and malloc's alignment.
        unsafe { owner.write(External { header, data, hint, free }) };
        Some(owner.cast())
    }

    /// Where the body of an owner made by `with_body` begins.
    #[inline]
    pub(super) fn body(header: NonNull<Header>) -> *mut u8 {
        header.as_ptr().wrapping_byte_add(BODY).cast()
    }

    /// States the number of references; for one who is the only one to hold one.
    #[inline]
    pub(super) fn set_refs(&self, count: usize) {
        // Relaxed: another thread can learn of this owner only by something that synchronises.
        self.refs.store(count, Ordering::Relaxed);
    }

    /// Adds a reference.
    #[inline]
    pub(super) fn add_ref(&self) {
        self.add_refs(1);
    }

    /// Adds `count` references.
    #[inline]
    pub(super) fn add_refs(&self, count: usize) {
        // Relaxed, as in Arc: whoever adds a reference has one.
        self.refs.fetch_add(count, Ordering::Relaxed);
    }

    /// Whether there is one reference only, whose holder then has the memory for itself.
    #[inline]
    pub(super) fn is_unique(&self) -> bool {
        // Acquire: what the former holders did with the memory has happened before.
        self.refs.load(Ordering::Acquire) == 1
    }

    /// Gives a reference back, and frees the owner, which is of this class, if it was the last one.
    ///
    /// # Safety
    /// The caller holds a reference, and doesn't use it any more. The class is as for [`Header::free`].
    pub(super) unsafe fn drop_ref(header: NonNull<Header>, class: usize) {
        // SAFETY: as long as the caller's reference isn't given back the header is there.
        let this = unsafe { header.as_ref() };
        if !this.is_unique() {
            if this.refs.fetch_sub(1, Ordering::Release) != 1 {
                return;
            }
            fence(Ordering::Acquire);
        }
        // SAFETY: the last reference is gone.
        unsafe { Self::free(header, class) };
    }

    /// Frees the owner, whatever its number of references.
    ///
    /// # Safety
    /// The caller holds the only reference, and doesn't use it any more. The class is that of [`Header::for_message`], else
    /// [`pool::NONE`].
    #[inline]
    pub(super) unsafe fn free(header: NonNull<Header>, class: usize) {
        if class < pool::CLASSES {
            // SAFETY: the block was allocated for this class.
            unsafe { pool::give(class, header) };
        } else {
            // SAFETY: the header is alive, and `release` is the function that goes with this kind of owner.
            unsafe { (header.as_ref().release)(header) };
        }
    }
}

/// Memory for a header, without a value yet, and a body.
fn allocate(size: usize) -> Option<NonNull<Header>> {
    if size > isize::MAX as usize - BODY {
        return None;
    }
    // SAFETY: malloc may be called with any size.
    let header = NonNull::new(unsafe { libc::malloc(BODY + size) })?.cast();
    initialise(Header::body(header), size);
    Some(header)
}

unsafe fn free_body(header: NonNull<Header>) {
    // SAFETY: the owner was allocated by malloc, and has no reference left.
    unsafe { libc::free(header.as_ptr().cast()) };
}

unsafe fn free_external(header: NonNull<Header>) {
    // SAFETY: the owner is an External without references; nobody else will read it.
    let External { data, hint, free, .. } = unsafe { header.cast::<External>().read() };
    // SAFETY: allocated by malloc. Freed before the caller's function runs, which may not return (an exception, exit).
    unsafe { libc::free(header.as_ptr().cast()) };
    // SAFETY: whoever gave the memory away promised that it can be freed by this function, once, in any thread.
    unsafe { free(data, hint) };
}

/// Makes freshly allocated memory count as initialised, at no cost: to the compiler the (empty) assembly may have filled it.
#[inline]
fn initialise(start: *mut u8, size: usize) {
    #[cfg(not(miri))]
    {
        let _ = size;
        // SAFETY: no instruction is executed. What the compiler must assume is that `size` bytes from `start` were
        // given arbitrary values, which is what they have.
        unsafe { std::arch::asm!("/* {0} */", in(reg) start, options(nostack, preserves_flags)) };
    }
    #[cfg(miri)]
    // SAFETY: the memory was just allocated with that size.
    unsafe {
        start.write_bytes(0, size)
    };
}
