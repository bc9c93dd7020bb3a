//! The lock that is taken everywhere: the standard library's, without poisoning.
//!
//! It is one word of memory and the kernel's, and nothing that locks share. That matters in a child of `fork`, where all threads but one have gone:
//! a lock that is made there works whatever the others were doing. (`parking_lot` keeps those who wait in a table that all locks
//! share. A child inherits it in the middle of a change, or with links into the stacks of threads that it doesn't have.)

use std::sync::TryLockError;

pub use std::sync::MutexGuard;

/// See the module's text. A panic of whoever holds it lets it go as usual: what that means for the value is the business of those who catch it.
#[derive(Default)]
pub struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    /// A lock around `value`.
    pub const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    /// Waits for the lock.
    #[cfg(not(tsan))]
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Who has to wait gets the lock within std, which ThreadSanitizer can't see into; who tries gets it here.
    #[cfg(tsan)]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        loop {
            match self.try_lock() {
                Some(guard) => return guard,
                None => std::thread::yield_now(),
            }
        }
    }

    /// The lock, if it is free at this moment.
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_lets_it_go() {
        let lock = Mutex::new(1);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _inside = lock.lock();
            assert!(lock.try_lock().is_none());
            panic!("expected in this test");
        }));
        assert!(panicked.is_err());
        assert_eq!(*lock.lock(), 1);
        assert_eq!(lock.try_lock().as_deref(), Some(&1));
    }
}
