//! What the lock-free parts are made of: std's atomics and the system's calls, or loom's models of both when loom checks them.

#[cfg(not(loom))]
pub use crate::mutex::{Mutex, MutexGuard};
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

#[cfg(not(loom))]
pub use super::eventfd::EventFd;

/// A word to sleep on; see [`super::futex`].
#[cfg(not(loom))]
#[derive(Default)]
pub struct Word(std::sync::atomic::AtomicU32);

#[cfg(not(loom))]
impl Word {
    pub fn get(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }

    pub fn increment(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub fn wake(&self) {
        super::futex::wake(&self.0, u32::MAX);
    }

    pub fn wait(&self, seen: u32, deadline: Option<u64>) -> super::futex::Wait {
        super::futex::wait(&self.0, seen, deadline)
    }
}

/// Between a sequentially consistent exchange and a sequentially consistent load: nothing more is needed.
#[cfg(not(loom))]
#[inline(always)]
pub fn after_exchange() {}

/// loom knows sequential consistency by fences only.
#[cfg(loom)]
pub fn after_exchange() {
    loom::sync::atomic::fence(Ordering::SeqCst);
}

#[cfg(loom)]
pub struct Word {
    value: loom::sync::atomic::AtomicU32,
    queue: loom::sync::Mutex<()>,
    woken: loom::sync::Condvar,
}

#[cfg(loom)]
impl Default for Word {
    fn default() -> Self {
        Self {
            value: loom::sync::atomic::AtomicU32::new(0),
            queue: loom::sync::Mutex::new(()),
            woken: loom::sync::Condvar::new(),
        }
    }
}

#[cfg(loom)]
impl Word {
    pub fn get(&self) -> u32 {
        self.value.load(Ordering::SeqCst)
    }

    pub fn increment(&self) {
        self.value.fetch_add(1, Ordering::SeqCst);
    }

    pub fn wake(&self) {
        drop(self.queue.lock());
        self.woken.notify_all();
    }

    pub fn wait(&self, seen: u32, _deadline: Option<u64>) -> super::futex::Wait {
        let queue = self.queue.lock().expect("the model doesn't panic while it holds this");
        if self.get() == seen {
            drop(self.woken.wait(queue));
        }
        super::futex::Wait::Woken
    }
}

#[cfg(loom)]
pub struct EventFd {
    readable: loom::sync::Mutex<bool>,
    changed: loom::sync::Condvar,
}

#[cfg(loom)]
impl EventFd {
    pub fn new() -> crate::error::Result<Self> {
        Ok(Self { readable: loom::sync::Mutex::new(false), changed: loom::sync::Condvar::new() })
    }

    pub fn signal(&self) {
        *self.readable.lock().expect("the model doesn't panic while it holds this") = true;
        self.changed.notify_all();
    }

    pub fn drain(&self) -> bool {
        std::mem::take(&mut *self.readable.lock().expect("the model doesn't panic while it holds this"))
    }

    pub fn wait(&self) {
        let mut readable = self.readable.lock().expect("the model doesn't panic while it holds this");
        while !*readable {
            readable = self.changed.wait(readable).expect("the model doesn't panic while it holds this");
        }
    }
}

#[cfg(loom)]
impl std::os::fd::AsRawFd for EventFd {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        -1
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

/// loom's mutex with the signature of [`crate::mutex`]'s.
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

    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok()
    }
}
