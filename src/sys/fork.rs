//! Noticing a `fork`.
//!
//! A child has a copy of all memory, but none of the other threads, so whatever needs an I/O thread, or a lock that one may
//! have held, can't be used there. Asking for the process id each time would cost a system call, so a counter is
//! changed in the child by `pthread_atfork`(3). (A child of `vfork` or `posix_spawn` isn't counted: it shares its parent's
//! memory and can do nothing but `exec`.)

use crate::mutex::{Mutex, MutexGuard};
use std::any::Any;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

static GENERATION: AtomicU32 = AtomicU32::new(0);
static LOCKS: Mutex<Vec<&'static dyn Holdable>> = Mutex::new(Vec::new());

thread_local! {
    /// What the thread that forks holds meanwhile.
    static HELD: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
}

extern "C" fn before() {
    let _ = HELD.try_with(|held| {
        let mut held = held.borrow_mut();
        if !held.is_empty() {
            return;
        }
        let locks = LOCKS.lock();
        let guards = locks.iter().map(|lock| lock.hold()).collect::<Vec<_>>();
        held.push(Box::new(locks));
        held.extend(guards);
    });
}

extern "C" fn in_parent() {
    let _ = HELD.try_with(|held| held.borrow_mut().clear());
}

extern "C" fn in_child() {
    let done = HELD.try_with(|held| held.borrow().is_empty());
    if done != Ok(true) {
        GENERATION.fetch_add(1, Ordering::Relaxed);
        in_parent();
    }
}

/// Begins to count. To be called before the first [`generation`] that is remembered.
pub fn watch() {
    static WATCHES: AtomicBool = AtomicBool::new(false);
    // Two threads that come first at the same time both do it, since a child could wait for ever for one that was about to. The handlers mind
    // being called twice.
    if !WATCHES.load(Ordering::Acquire) {
        // SAFETY: the handlers do nothing but atomic operations and what this module's locks are for. They stay registered for ever, and so does
        // the code: the library is linked with `-z nodelete`. A failure (no memory) means that forks go unnoticed.
        unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
        WATCHES.store(true, Ordering::Release);
    }
}

/// A lock that a child of `fork` finds free and what it protects whole, whatever the parent's other threads were doing: the thread
/// that forks takes it before and gives it back after, in both processes. For what belongs to the process as a whole, so that a child can
/// begin anew. While it is held, no other such lock may be taken.
///
/// # The rule
///
/// A child that begins anew must not wait for a thread that only its parent has. So whatever belongs to the process (a `static`, here or in a
/// library that is used) is one of these:
/// - a `ForkLock`;
/// - a lock that is never waited for (`try_lock`), with something to be done without it: pools of buffers and bodies;
/// - a value made on first use by whoever needs it, by several threads at once if need be, and kept in an atomic. Not `OnceLock`, `LazyLock`,
///   `Once`: who comes second waits for who is making the value;
/// - a `OnceLock` that is filled under a `ForkLock`, and otherwise only read.
///
/// Locks inside of contexts, sockets and the like need none of this: a child doesn't touch those that it has inherited, and a lock that it
/// makes is one word of its own ([`crate::mutex`]). Threads are plain pthreads ([`super::thread::Thread`]), since std's take a lock of the process's when they begin
/// and end.
pub struct ForkLock<T> {
    inner: Mutex<T>,
    registered: AtomicBool,
}

trait Holdable: Sync {
    fn hold(&'static self) -> Box<dyn Any>;
}

impl<T: Send + 'static> Holdable for ForkLock<T> {
    fn hold(&'static self) -> Box<dyn Any> {
        Box::new(self.inner.lock())
    }
}

impl<T> ForkLock<T> {
    /// A lock around `value`.
    pub const fn new(value: T) -> Self {
        Self { inner: Mutex::new(value), registered: AtomicBool::new(false) }
    }
}

impl<T: Send + 'static> ForkLock<T> {
    /// Waits for the lock.
    pub fn lock(&'static self) -> MutexGuard<'static, T> {
        if !self.registered.load(Ordering::Acquire) {
            self.register();
        }
        self.inner.lock()
    }

    #[cold]
    fn register(&'static self) {
        watch();
        let mut locks = LOCKS.lock();
        if !self.registered.swap(true, Ordering::Release) {
            locks.push(self);
        }
    }
}

/// How many forks lie between the process that called [`watch`] first and this one. Something that was made in one generation
/// can't be used in another.
#[inline]
pub fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}
