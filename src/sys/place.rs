//! A word of each thread's own that other threads can read: which biased lock it is inside of.
//!
//! A thread that may enter a lock without an atomic read-modify-write has to say so by a plain store, and it may be held up
//! for any time between its look at the lock and that store. So the word can't be the lock's: by then the lock may belong to
//! another thread, whose sign the late store would overwrite. It has to be the thread's, and to stay when the thread ends.
//!
//! The table is never freed. A thread's token leads to its place, which it claims once; if another thread has it (their
//! tokens collide), it has none. A thread that is born with the token of one that has ended inherits its place.

use super::primitive::{AtomicUsize, Ordering};

/// No thread has this token, and no lock this address.
const NOBODY: usize = 0;

/// See the module's text.
#[repr(align(64))]
pub struct Place {
    thread: AtomicUsize,
    /// The address of the lock. Stored by the place's thread alone.
    pub inside: AtomicUsize,
}

#[cfg(not(loom))]
const PLACES_LOG2: u32 = 11;

/// The place that a thread with this token has if it has one.
#[cfg(not(loom))]
#[inline(always)]
pub fn of(token: usize) -> &'static Place {
    static PLACES: [Place; 1 << PLACES_LOG2] =
        [const { Place { thread: AtomicUsize::new(NOBODY), inside: AtomicUsize::new(NOBODY) } };
            1 << PLACES_LOG2];
    // Tokens are aligned addresses that differ in some bits or other; a multiplication carries all of them upwards.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let index = (token as u64).wrapping_mul(FACTOR) >> (u64::BITS - PLACES_LOG2);
    &PLACES[index as usize]
}

#[cfg(loom)]
loom::lazy_static! {
    static ref PLACES: [Place; 4] =
        std::array::from_fn(|_| Place { thread: AtomicUsize::new(NOBODY), inside: AtomicUsize::new(NOBODY) });
}

/// See above: loom's tokens are small numbers, from 1.
#[cfg(loom)]
pub fn of(token: usize) -> &'static Place {
    &PLACES[token - 1]
}

impl Place {
    /// Makes it the thread's. False: another thread has it, for good.
    pub fn claim(&self, thread: usize) -> bool {
        self.is_of(thread)
            || self.thread.compare_exchange(NOBODY, thread, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Whether it is the thread's.
    pub fn is_of(&self, thread: usize) -> bool {
        self.thread.load(Ordering::Relaxed) == thread
    }
}
