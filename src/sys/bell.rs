//! A descriptor that is readable from when it is rung until it is quietened, for few system calls.
//!
//! `state` tells whether the descriptor is readable, so that ringing it twice costs one call, and quietening it when it is
//! quiet none. The calls take time, and others may come in between, so the state has two more values for while they last:
//!
//! - Who finds it being rung leaves it at that: it will be readable in a moment. So does who wants it quiet; it is readable once
//!   too often then, and still known to be.
//! - Who rings it while it is being quietened may do so in vain. So who quietens it has to look *afterwards* at what others have
//!   said before they rang. All of these are sequentially consistent, so either the look sees it, or the ringing comes
//!   after the quietening.

use super::primitive::{AtomicUsize, EventFd, Ordering, after_exchange};
use crate::error::Result;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::OnceLock;

const QUIET: usize = 0;
const RINGING: usize = 1;
const RUNG: usize = 2;
const QUIETENING: usize = 3;

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
        if self.state.compare_exchange(QUIET, RINGING, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            fd.signal();
            self.state.store(RUNG, Ordering::Release);
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
        if mine && let Some(fd) = self.fd.get() {
            fd.drain();
            self.state.swap(QUIET, Ordering::SeqCst);
            after_exchange();
        }
        mine
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
