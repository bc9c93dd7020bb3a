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
pub use parking_lot::Mutex;

#[cfg(loom)]
pub use loom::sync::{
    Arc,
    atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering, fence},
};
#[cfg(loom)]
pub use std::cell::UnsafeCell;

/// loom's mutex with parking_lot's signature.
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
