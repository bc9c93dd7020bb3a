//! Waiting for a few descriptors (`poll`(2)).

use super::{check, time};
use crate::error::Result;
use std::os::fd::RawFd;
use std::ptr;
use std::time::Duration;

/// One descriptor and the events it is polled for, `libc::POLLIN` and the like. A negative descriptor is skipped.
pub use libc::pollfd as Item;

/// A descriptor to be polled for `events`.
pub const fn item(fd: RawFd, events: i16) -> Item {
    Item { fd, events, revents: 0 }
}

/// Waits until one of the descriptors is ready or has an error; says how many are. `None` waits for ever.
///
/// # Errors
/// `EINTR` if a signal was handled, `EINVAL` if there are more items than the process may have descriptors, `ENOMEM`.
pub fn poll(items: &mut [Item], timeout: Option<Duration>) -> Result<usize> {
    ppoll(items, timeout, None)
}

/// As [`poll`], with another signal mask while it waits.
///
/// # Errors
/// As [`poll`].
pub fn ppoll(items: &mut [Item], timeout: Option<Duration>, mask: Option<&libc::sigset_t>) -> Result<usize> {
    let timeout = timeout.map(time::timespec_of);
    let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    let mask = mask.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: all pointers are null or valid for the whole call. Descriptors that aren't open give POLLNVAL.
    let ready =
        check(unsafe { libc::ppoll(items.as_mut_ptr(), items.len() as libc::nfds_t, timeout, mask) })?;
    Ok(ready as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::sys::eventfd::EventFd;
    use crate::sys::thread::SignalGuard;
    use std::os::fd::AsRawFd;

    #[test]
    fn reports_what_is_ready() {
        let (ready, quiet) = (EventFd::new().unwrap(), EventFd::new().unwrap());
        ready.signal();
        let mut items = [
            item(quiet.as_raw_fd(), libc::POLLIN),
            item(ready.as_raw_fd(), libc::POLLIN),
            item(-1, libc::POLLIN),
            item(i32::MAX, libc::POLLIN),
        ];
        assert_eq!(poll(&mut items, None), Ok(2));
        assert_eq!(items.map(|item| item.revents), [0, libc::POLLIN, 0, libc::POLLNVAL]);
        assert_eq!(poll(&mut items[..1], Some(Duration::from_millis(1))), Ok(0));
        assert_eq!(poll(&mut [], Some(Duration::ZERO)), Ok(0));
    }

    extern "C" fn handler(_signal: libc::c_int) {}

    #[test]
    fn a_signal_let_through_interrupts() {
        let _guard = SignalGuard::block_all();
        // SAFETY: a zeroed sigaction or sigset_t is a valid one; the handler does nothing; SIGWINCH isn't used elsewhere here.
        let unblocked = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as extern "C" fn(libc::c_int) as usize;
            assert_eq!(libc::sigaction(libc::SIGWINCH, &action, ptr::null_mut()), 0);
            assert_eq!(libc::pthread_kill(libc::pthread_self(), libc::SIGWINCH), 0);
            std::mem::zeroed::<libc::sigset_t>()
        };
        assert_eq!(poll(&mut [], Some(Duration::from_millis(1))), Ok(0), "still blocked");
        assert_eq!(ppoll(&mut [], None, Some(&unblocked)), Err(Error::Interrupted));
    }
}
