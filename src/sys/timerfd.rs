//! A timer that is a descriptor, precise to less than what `epoll`(7)'s time-outs in milliseconds can say.

use super::check;
use crate::error::Result;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// A `timerfd_create`(2), non-blocking and closed on `exec`.
#[derive(Debug)]
pub struct TimerFd {
    fd: OwnedFd,
}

impl TimerFd {
    /// Makes one; it isn't running.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn new() -> Result<Self> {
        // SAFETY: takes no pointers.
        let fd = check(unsafe {
            libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC | libc::TFD_NONBLOCK)
        })?;
        // SAFETY: the descriptor is new, nobody else closes it.
        Ok(Self { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// Becomes readable once, after this time (at least a nanosecond). Setting it makes it quiet first.
    pub fn set(&self, after: Duration) {
        let after = super::time::timespec_of(after.max(Duration::from_nanos(1)));
        let never = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let times = libc::itimerspec { it_interval: never, it_value: after };
        // SAFETY: `times` lives for the call, the old value isn't asked for. Valid times can't fail.
        unsafe { libc::timerfd_settime(self.fd.as_raw_fd(), 0, &raw const times, std::ptr::null_mut()) };
    }
}

impl AsRawFd for TimerFd {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::poll;

    #[test]
    fn it_fires_after_its_time_and_once() {
        let timer = TimerFd::new().unwrap();
        let mut items = [poll::item(timer.as_raw_fd(), libc::POLLIN)];
        assert_eq!(poll::poll(&mut items, Some(Duration::ZERO)), Ok(0));
        timer.set(Duration::from_micros(50));
        assert_eq!(poll::poll(&mut items, Some(Duration::from_secs(5))), Ok(1));
        timer.set(Duration::from_secs(100));
        assert_eq!(poll::poll(&mut items, Some(Duration::ZERO)), Ok(0));
    }
}
