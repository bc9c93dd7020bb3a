//! Noticing a `fork`.
//!
//! A child has a copy of all memory, but none of the other threads, so whatever needs an I/O thread, or a lock that one may
//! have held, can't be used there. Asking for the process id each time would cost a system call, so a counter is
//! changed in the child by `pthread_atfork`(3). (A child of `vfork` or `posix_spawn` isn't counted: it shares its parent's
//! memory and can do nothing but `exec`.)

use std::any::Any;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

static GENERATION: AtomicU32 = AtomicU32::new(0);
static LOCKS: Mutex<Vec<&'static dyn Holdable>> = Mutex::new(Vec::new());

thread_local! {
    /// What the thread that forks holds meanwhile.
    static HELD: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
}

extern "C" fn before() {
    let _ = HELD.try_with(|held| {
        let mut held = held.borrow_mut();
        let locks = LOCKS.lock().unwrap_or_else(PoisonError::into_inner);
        let guards = locks.iter().map(|lock| lock.hold()).collect::<Vec<_>>();
        held.push(Box::new(locks));
        held.extend(guards);
    });
}

extern "C" fn in_parent() {
    let _ = HELD.try_with(|held| held.borrow_mut().clear());
}

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    in_parent();
}

/// Begins to count. To be called before the first [`generation`] that is remembered.
pub fn watch() {
    static REGISTER: Once = Once::new();
    // SAFETY: the handlers do nothing but atomic operations and what this module's locks are for. They stay registered for ever, and so does the
    // code: the library is linked with `-z nodelete`. A failure (no memory) means that forks go unnoticed.
    REGISTER.call_once(|| unsafe {
        libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child));
    });
}

/// A lock that a child of `fork` finds free and what it protects whole, whatever the parent's other threads were doing: the thread
/// that forks takes it before and gives it back after, in both processes. For what belongs to the process as a whole, so that a child can
/// begin anew. While it is held, no other such lock may be taken.
///
/// It is the standard library's, since that one needs nothing besides its own word of memory (`parking_lot` has a table that all
/// locks share, and that the child would inherit in the middle of a change).
pub struct ForkLock<T> {
    inner: Mutex<T>,
    registered: AtomicBool,
}

#[cfg(not(tsan))]
fn take<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who has to wait gets the lock within std, which ThreadSanitizer can't see into; who tries gets it here.
#[cfg(tsan)]
fn take<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    use std::sync::TryLockError;
    loop {
        match lock.try_lock() {
            Ok(guard) => return guard,
            Err(TryLockError::Poisoned(error)) => return error.into_inner(),
            Err(TryLockError::WouldBlock) => std::thread::yield_now(),
        }
    }
}

trait Holdable: Sync {
    fn hold(&'static self) -> Box<dyn Any>;
}

impl<T: Send + 'static> Holdable for ForkLock<T> {
    fn hold(&'static self) -> Box<dyn Any> {
        Box::new(take(&self.inner))
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
        take(&self.inner)
    }

    #[cold]
    fn register(&'static self) {
        watch();
        let mut locks = LOCKS.lock().unwrap_or_else(PoisonError::into_inner);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_of_the_next_generation() {
        watch();
        watch();
        let before = generation();
        // SAFETY: the child calls nothing but async-signal-safe functions.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: ends the child at once.
            unsafe { libc::_exit((generation() == before + 1) as i32) };
        }
        let mut status = 0;
        // SAFETY: the child was just made, and `status` can be written.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 1);
        assert_eq!(generation(), before);
    }

    #[test]
    fn a_child_finds_the_lock_free_and_its_value_whole() {
        static PAIR: ForkLock<(u64, u64)> = ForkLock::new((0, 0));
        static STOP: AtomicBool = AtomicBool::new(false);
        let busy = std::thread::spawn(|| {
            while !STOP.load(Ordering::Relaxed) {
                let mut pair = PAIR.lock();
                pair.0 += 1;
                std::hint::black_box(&mut *pair);
                pair.1 += 1;
            }
        });
        for _ in 0..200 {
            // SAFETY: the child takes a lock that is made for it, and ends. A lock that is never free ends it by SIGALRM.
            let child = unsafe { libc::fork() };
            if child == 0 {
                // SAFETY: both are async-signal-safe.
                unsafe {
                    libc::alarm(20);
                    let pair = PAIR.lock();
                    libc::_exit((pair.0 == pair.1) as i32);
                }
            }
            let mut status = 0;
            // SAFETY: the child was just made, and `status` can be written.
            assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
            assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 1);
        }
        STOP.store(true, Ordering::Relaxed);
        busy.join().expect("no panic");
    }
}
