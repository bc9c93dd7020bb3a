//! The atomics that the biased lock is made of: std's, or loom's when loom checks it.

#[cfg(not(loom))]
pub use parking_lot::{Mutex, MutexGuard};
#[cfg(not(loom))]
pub use std::{
    cell::UnsafeCell,
    sync::atomic::{AtomicUsize, Ordering},
};

/// The owner's half of the asymmetric fence: `membarrier` in the other thread does the rest.
#[cfg(not(loom))]
#[inline]
pub fn hint_fence() {
    std::sync::atomic::compiler_fence(Ordering::SeqCst);
}

/// The other half; see [`super::membarrier`].
#[cfg(not(loom))]
pub fn heavy_fence() {
    super::membarrier::heavy();
}

/// Whether `heavy_fence` does what it says.
#[cfg(not(loom))]
pub fn bias_is_possible() -> bool {
    super::membarrier::is_available()
}

/// Waits a little, the longer the more often it was tried.
#[cfg(not(loom))]
pub fn relax(tries: u32) {
    match tries {
        0..64 => std::hint::spin_loop(),
        64..128 => std::thread::yield_now(),
        _ => std::thread::sleep(std::time::Duration::from_micros(20)),
    }
}

#[cfg(loom)]
pub use loom::sync::atomic::{AtomicUsize, Ordering};
#[cfg(loom)]
pub use std::cell::UnsafeCell;

#[cfg(loom)]
pub fn hint_fence() {
    loom::sync::atomic::fence(Ordering::SeqCst);
}

#[cfg(loom)]
pub fn heavy_fence() {
    loom::sync::atomic::fence(Ordering::SeqCst);
}

#[cfg(loom)]
pub fn bias_is_possible() -> bool {
    true
}

#[cfg(loom)]
pub fn relax(_tries: u32) {
    loom::thread::yield_now();
}

/// loom's mutex with parking_lot's signature.
#[cfg(loom)]
pub struct Mutex<T>(loom::sync::Mutex<T>);
#[cfg(loom)]
pub type MutexGuard<'a, T> = loom::sync::MutexGuard<'a, T>;

#[cfg(loom)]
impl<T> Mutex<T> {
    pub fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("the model doesn't panic while it holds this")
    }
}
