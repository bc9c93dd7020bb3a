//! A descriptor that becomes readable when it is told to.

use super::check;
use crate::error::Result;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// An `eventfd`(2), non-blocking and closed on `exec`.
#[derive(Debug)]
pub struct EventFd {
    fd: OwnedFd,
}

impl EventFd {
    /// Makes one; it isn't readable.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn new() -> Result<Self> {
        // SAFETY: takes no pointers.
        let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        // SAFETY: the descriptor is new, nobody else closes it.
        Ok(Self { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// Makes it readable. May be called by any thread.
    pub fn signal(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: `one` is 8 bytes. The only failure is EAGAIN: the counter is full, so it is readable.
        unsafe { libc::write(self.fd.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    /// Makes it quiet. Says whether it was readable.
    pub fn drain(&self) -> bool {
        let mut count = [0u8; 8];
        // SAFETY: `count` has room for 8 bytes. The only failure is EAGAIN: it isn't readable.
        unsafe { libc::read(self.fd.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) == 8 }
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for EventFd {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::poll;
    use std::time::Duration;

    #[test]
    fn readable_from_signal_to_drain() {
        let event = EventFd::new().unwrap();
        let readable = || {
            let mut items = [poll::item(event.as_raw_fd(), libc::POLLIN)];
            poll::poll(&mut items, Some(Duration::ZERO)).unwrap() == 1
        };
        assert!(!readable() && !event.drain());
        event.signal();
        event.signal();
        assert!(readable() && event.drain() && !readable() && !event.drain());
    }

    #[test]
    fn closed_on_exec() {
        let event = EventFd::new().unwrap();
        // SAFETY: takes no pointers.
        let flags = unsafe { libc::fcntl(event.as_raw_fd(), libc::F_GETFD) };
        assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
    }
}
