//! The atomics that the queue is made of: std's, or loom's when loom checks it.

#[cfg(not(loom))]
pub use std::{
    cell::UnsafeCell,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering, fence},
    },
};

#[cfg(not(loom))]
pub use crate::mutex::Mutex;

/// Stores, so that a load that follows can't be done before it. One exchange costs half of a store and a fence.
#[cfg(not(loom))]
#[inline]
pub fn store_before_load(place: &AtomicUsize, value: usize) {
    place.swap(value, Ordering::SeqCst);
}

/// What was stored before is stored before what follows is loaded: dearer than one `store_before_load`, and cheaper than several.
#[inline]
pub fn stores_before_loads() {
    fence(Ordering::SeqCst);
}

/// Stores what `stores_before_loads` follows, and what was stored before it.
#[cfg(not(loom))]
#[inline]
pub fn store(place: &AtomicUsize, value: usize) {
    place.store(value, Ordering::Release);
}

/// As `store_before_load` for loom, which the other stores to the place have to be like.
#[cfg(loom)]
pub fn store(place: &AtomicUsize, value: usize) {
    place.swap(value, Ordering::AcqRel);
}

/// As `store_before_load`.
#[cfg(not(loom))]
#[inline]
pub fn set_before_load(place: &AtomicBool) {
    place.swap(true, Ordering::SeqCst);
}

/// loom knows sequential consistency by fences only. (And two stores, of which one is an exchange, have an order for it only if
/// the other one is too.)
#[cfg(loom)]
pub fn store_before_load(place: &AtomicUsize, value: usize) {
    place.swap(value, Ordering::AcqRel);
    fence(Ordering::SeqCst);
}

/// As `store_before_load`.
#[cfg(loom)]
pub fn set_before_load(place: &AtomicBool) {
    place.swap(true, Ordering::AcqRel);
    fence(Ordering::SeqCst);
}

#[cfg(loom)]
pub use loom::sync::{
    Arc,
    atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering, fence},
};
#[cfg(loom)]
pub use std::cell::UnsafeCell;

/// loom's mutex with the signature of [`crate::mutex`]'s.
#[cfg(loom)]
pub struct Mutex<T>(loom::sync::Mutex<T>);

#[cfg(loom)]
impl<T> Mutex<T> {
    pub fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
        self.0.lock().expect("the model doesn't panic while it holds this")
    }
}
