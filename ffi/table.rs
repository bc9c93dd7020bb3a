//! Handles of things that are off the way of a message: contexts, pollers, timers, threads.
//!
//! Such a handle is a number that was never used before, not an address, so one that is stale, foreign or null is simply not in the table. Its low bits
//! tell what kind of thing it stands for, so that the handle of one table is never that of another.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use libc::c_void;

use crate::sys::fork::ForkLock;

/// The kinds of handles. All are multiples of 16, so that they look aligned to callers who keep flags in the low bits of pointers; sockets have
/// one of their own (see [`super::handle`]).
#[derive(Clone, Copy)]
pub enum Kind {
    /// `zmq_ctx_new`
    Context = 0x10,
    /// `zmq_poller_new`
    Poller = 0x20,
    /// `zmq_timers_new`
    Timers = 0x30,
    /// `zmq_threadstart`
    Thread = 0x40,
}

/// What handles of one kind stand for.
pub struct Table<T> {
    kind: Kind,
    inner: ForkLock<Inner<T>>,
}

struct Inner<T> {
    last: usize,
    entries: BTreeMap<usize, Arc<T>>,
}

/// Handles are this far apart, which leaves the low byte to their kind.
const STEP: usize = 0x100;

impl<T> Table<T> {
    /// A table without entries.
    pub const fn new(kind: Kind) -> Self {
        Self { kind, inner: ForkLock::new(Inner { last: 0, entries: BTreeMap::new() }) }
    }
}

impl<T: Send + Sync + 'static> Table<T> {
    /// Puts `value` in; returns its handle, which isn't null.
    pub fn insert(&'static self, value: T) -> *mut c_void {
        let mut inner = self.inner.lock();
        loop {
            inner.last = inner.last.wrapping_add(STEP);
            let handle = inner.last | self.kind as usize;
            if let Entry::Vacant(free) = inner.entries.entry(handle) {
                free.insert(Arc::new(value));
                return std::ptr::without_provenance_mut(handle);
            }
        }
    }

    /// What `handle` stands for, if it is a living handle of this table.
    pub fn get(&'static self, handle: *mut c_void) -> Option<Arc<T>> {
        self.inner.lock().entries.get(&handle.addr()).cloned()
    }

    /// Takes out what `handle` stood for. The handle is stale from now on.
    pub fn remove(&'static self, handle: *mut c_void) -> Option<Arc<T>> {
        self.inner.lock().entries.remove(&handle.addr())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_handle_stays_stale() {
        static TABLE: Table<i32> = Table::new(Kind::Timers);
        let table = &TABLE;
        let first = table.insert(1);
        assert_eq!(table.get(first).as_deref(), Some(&1));
        assert!(table.remove(first).is_some());
        let second = table.insert(2);
        assert_ne!(first, second);
        assert!(table.get(first).is_none());
        assert!(table.remove(first).is_none());
        assert!(table.get(std::ptr::null_mut()).is_none());
    }
}
