//! A descriptor that is readable from when it is rung until it is quietened, for few system calls.
//!
//! `state` tells whether the descriptor is readable, so that ringing it twice costs one call, and quietening it when it is
//! quiet none. The calls take time, and others may come in between:
//!
//! - Who rings says so first and writes to the descriptor then. Others that want to ring meanwhile leave it at that: it will be readable in a
//!   moment. Whoever the write wakes may be running before the writer goes on, so nothing is left to be said after it.
//! - Who wants it quiet and finds nothing to read has come before the write, and leaves everything as it was. It will be readable once too
//!   often, and is known to be.
//! - Who rings it while it is being quietened may do so in vain. So who quietens it has to look *afterwards* at what others have
//!   said before they rang. All of these are sequentially consistent, so either the look sees it, or the ringing comes
//!   after the quietening.
//!
//! So there is never more than one write that hasn't been read, and none while it is quiet.

use super::primitive::{AtomicUsize, EventFd, Ordering, after_exchange};
use crate::error::Result;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::OnceLock;

const QUIET: usize = 0;
/// Readable, or to be so in a moment.
const RUNG: usize = 1;
const QUIETENING: usize = 2;

/// See the module's text. The descriptor is made when it is first asked for.
pub struct Bell {
    fd: OnceLock<EventFd>,
    state: AtomicUsize,
}

impl Bell {
    /// Quiet, and without a descriptor.
    pub fn new() -> Self {
        Self { fd: OnceLock::new(), state: AtomicUsize::new(QUIET) }
    }

    /// The descriptor. `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn fd(&self) -> Result<RawFd> {
        if let Some(fd) = self.fd.get() {
            return Ok(fd.as_raw_fd());
        }
        let fresh = EventFd::new()?;
        Ok(self.fd.get_or_init(|| fresh).as_raw_fd())
    }

    /// Whether there is a descriptor.
    #[inline]
    pub fn has_fd(&self) -> bool {
        self.fd.get().is_some()
    }

    /// Makes it readable, if it exists.
    #[inline]
    pub fn ring(&self) {
        if let Some(fd) = self.fd.get() {
            self.ring_fd(fd);
        }
    }

    #[cold]
    fn ring_fd(&self, fd: &EventFd) {
        if self.state.compare_exchange(QUIET, RUNG, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            fd.signal();
        }
    }

    /// Makes it quiet. True: it was readable, and others may have rung it in vain meanwhile.
    #[inline]
    pub fn quieten(&self) -> bool {
        self.state.load(Ordering::Relaxed) == RUNG && self.quieten_fd()
    }

    #[cold]
    fn quieten_fd(&self) -> bool {
        let mine =
            self.state.compare_exchange(RUNG, QUIETENING, Ordering::Acquire, Ordering::Relaxed).is_ok();
        let Some(fd) = self.fd.get().filter(|_| mine) else { return false };
        let was_readable = fd.drain();
        self.state.swap(if was_readable { QUIET } else { RUNG }, Ordering::SeqCst);
        after_exchange();
        was_readable
    }

    /// Waits until it is readable.
    #[cfg(all(test, loom))]
    pub fn wait(&self) {
        self.fd.get().expect("it was made").wait();
    }
}

impl Default for Bell {
    fn default() -> Self {
        Self::new()
    }
}
