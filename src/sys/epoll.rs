//! Waiting for many descriptors (`epoll`(7)).

use super::{check, last_error, time};
use crate::error::{Error, Result};
use std::ops::BitOr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What a descriptor is watched for, and how. Errors and hang-ups are reported always, except with [`Interest::NONE`] and
/// [`Interest::EDGE`], when they are reported once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest(u32);

impl Interest {
    /// Nothing but errors and hang-ups.
    pub const NONE: Self = Self(0);
    /// Readable.
    pub const READ: Self = Self(libc::EPOLLIN as u32);
    /// Writable.
    pub const WRITE: Self = Self(libc::EPOLLOUT as u32);
    /// The peer shut its side down.
    pub const READ_HANGUP: Self = Self(libc::EPOLLRDHUP as u32);
    /// Urgent data.
    pub const PRIORITY: Self = Self(libc::EPOLLPRI as u32);
    /// Report a change once, rather than as long as the state lasts.
    pub const EDGE: Self = Self(libc::EPOLLET as u32);
    /// Report one event, then nothing until [`Epoll::modify`].
    pub const ONE_SHOT: Self = Self(libc::EPOLLONESHOT as u32);
}

impl BitOr for Interest {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// An event of one descriptor.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Event(libc::epoll_event);

impl Event {
    /// A place for [`Epoll::wait`] to write to.
    pub const EMPTY: Self = Self(libc::epoll_event { events: 0, u64: 0 });

    /// The token that the descriptor was added with.
    pub fn token(&self) -> u64 {
        self.0.u64
    }

    /// The events as the kernel gives them, `libc::EPOLLIN` and the like.
    pub fn bits(&self) -> u32 {
        self.0.events
    }

    /// A read won't block: there are data, the end, or an error.
    pub fn is_readable(&self) -> bool {
        self.has(libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR)
    }

    /// A write won't block: there is room, or an error.
    pub fn is_writable(&self) -> bool {
        self.has(libc::EPOLLOUT | libc::EPOLLHUP | libc::EPOLLERR)
    }

    /// The peer has shut its side down, or there is an error: a read will come to an end.
    pub fn is_hang_up(&self) -> bool {
        self.has(libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR)
    }

    /// There is an error, or both sides were shut down.
    pub fn is_error(&self) -> bool {
        self.has(libc::EPOLLHUP | libc::EPOLLERR)
    }

    fn has(&self, bits: i32) -> bool {
        self.bits() & bits as u32 != 0
    }
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Event {{ token: {}, bits: {:#x} }}", self.token(), self.bits())
    }
}

/// A set of descriptors. It is a descriptor itself, readable when one of its members has an event, and can be a member
/// of another set.
#[derive(Debug)]
pub struct Epoll {
    fd: OwnedFd,
}

impl Epoll {
    /// An empty set, closed on `exec`.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn new() -> Result<Self> {
        // SAFETY: takes no pointers.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the descriptor is new, nobody else closes it.
        Ok(Self { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// Adds a descriptor. It leaves the set by itself when the last duplicate of it is closed.
    ///
    /// # Errors
    /// `EEXIST` if it is a member, `EPERM` if it can't be waited for (a regular file), `EBADF`, `ENOMEM`, `ENOSPC`;
    /// `ELOOP` and `EINVAL` for sets that would contain each other.
    pub fn add(&self, fd: RawFd, token: u64, interest: Interest) -> Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, interest)
    }

    /// Changes token and interest of a member. What is ready at this moment is reported once more, with [`Interest::EDGE`] too.
    ///
    /// # Errors
    /// `ENOENT` if it isn't a member, `EBADF`, `ENOMEM`.
    pub fn modify(&self, fd: RawFd, token: u64, interest: Interest) -> Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, token, interest)
    }

    /// Removes a member.
    ///
    /// # Errors
    /// `ENOENT` if it isn't one, `EBADF`.
    pub fn delete(&self, fd: RawFd) -> Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, Interest::NONE)
    }

    fn control(&self, operation: libc::c_int, fd: RawFd, token: u64, interest: Interest) -> Result<()> {
        let mut event = libc::epoll_event { events: interest.0, u64: token };
        // SAFETY: the kernel reads the event during the call; descriptors that aren't open give EBADF.
        check(unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), operation, fd, &mut event) }).map(drop)
    }

    /// Waits until there are events, and says how many were written to `events`. `None` waits for ever.
    ///
    /// # Errors
    /// `EINTR` if a signal was handled, `EINVAL` if `events` is empty.
    pub fn wait(&self, events: &mut [Event], timeout: Option<Duration>) -> Result<usize> {
        let max = i32::try_from(events.len()).unwrap_or(i32::MAX);
        let (fd, first) = (self.fd.as_raw_fd(), events.as_mut_ptr().cast::<libc::epoll_event>());
        // A zero or endless time-out needs no precise clock.
        if let Some(timeout) = timeout.filter(|timeout| !timeout.is_zero()) {
            match wait_precisely(fd, first, max, timeout) {
                Err(Error::Os(libc::ENOSYS)) => {}
                result => return result,
            }
        }
        // Rounded up, so as not to be early.
        let ms = timeout
            .map_or(-1, |timeout| i32::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX));
        // SAFETY: an Event is an epoll_event, and there is room for `max` of them.
        check(unsafe { libc::epoll_wait(fd, first, max, ms) }).map(|count| count as usize)
    }
}

/// With `epoll_pwait2`(2), which counts nanoseconds. Fails with `ENOSYS` where the kernel is older than 5.11, or a sandbox
/// doesn't know the call.
fn wait_precisely(fd: RawFd, events: *mut libc::epoll_event, max: i32, timeout: Duration) -> Result<usize> {
    static MISSING: AtomicBool = AtomicBool::new(false);
    if MISSING.load(Ordering::Relaxed) {
        return Err(Error::Os(libc::ENOSYS));
    }
    let timeout = time::timespec_of(timeout);
    let no_mask = ptr::null::<libc::sigset_t>();
    // SAFETY: the caller gives room for `max` events; the time-out lives for the whole call; the mask is null.
    let count = unsafe {
        libc::syscall(libc::SYS_epoll_pwait2, fd, events, max, &raw const timeout, no_mask, 0usize)
    };
    match usize::try_from(count) {
        Ok(count) => Ok(count),
        Err(_) => match last_error() {
            // Sandboxes may refuse calls they don't know with EPERM.
            Error::Os(libc::ENOSYS) | Error::NotPermitted => {
                MISSING.store(true, Ordering::Relaxed);
                Err(Error::Os(libc::ENOSYS))
            }
            error => Err(error),
        },
    }
}

impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Epoll {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::eventfd::EventFd;
    use std::time::Instant;

    const NOW: Option<Duration> = Some(Duration::ZERO);

    fn tokens(epoll: &Epoll) -> Vec<u64> {
        let mut events = [Event::EMPTY; 8];
        let count = epoll.wait(&mut events, NOW).unwrap();
        events[..count].iter().map(Event::token).collect()
    }

    #[test]
    fn levels_and_edges() {
        let (epoll, level, edge) = (Epoll::new().unwrap(), EventFd::new().unwrap(), EventFd::new().unwrap());
        epoll.add(level.as_raw_fd(), u64::MAX, Interest::READ).unwrap();
        epoll.add(edge.as_raw_fd(), 2, Interest::READ | Interest::EDGE).unwrap();
        assert_eq!(tokens(&epoll), []);
        level.signal();
        assert_eq!(tokens(&epoll), [u64::MAX]);
        assert_eq!(tokens(&epoll), [u64::MAX]);
        level.drain();
        edge.signal();
        assert_eq!(tokens(&epoll), [2]);
        assert_eq!(tokens(&epoll), [], "reported once");
        epoll.modify(edge.as_raw_fd(), 3, Interest::READ | Interest::EDGE).unwrap();
        assert_eq!(tokens(&epoll), [3], "modify reports again");
        epoll.modify(edge.as_raw_fd(), 4, Interest::NONE).unwrap();
        assert_eq!(tokens(&epoll), []);
        epoll.delete(edge.as_raw_fd()).unwrap();
        assert_eq!(epoll.delete(edge.as_raw_fd()), Err(Error::NotFound));
        assert_eq!(epoll.add(level.as_raw_fd(), 1, Interest::READ), Err(Error::Exists));
        assert_eq!(epoll.wait(&mut [], NOW), Err(Error::Invalid));
    }

    #[test]
    fn readiness_by_kind() {
        let (epoll, event) = (Epoll::new().unwrap(), EventFd::new().unwrap());
        epoll.add(event.as_raw_fd(), 9, Interest::READ | Interest::WRITE).unwrap();
        let mut events = [Event::EMPTY; 2];
        assert_eq!(epoll.wait(&mut events, None), Ok(1));
        assert!(events[0].is_writable() && !events[0].is_readable() && !events[0].is_error());
        assert_eq!(format!("{:?}", events[0]), "Event { token: 9, bits: 0x4 }");
    }

    #[test]
    fn a_set_within_a_set() {
        let (outer, inner, event) = (Epoll::new().unwrap(), Epoll::new().unwrap(), EventFd::new().unwrap());
        outer.add(inner.as_raw_fd(), 1, Interest::READ).unwrap();
        inner.add(event.as_raw_fd(), 2, Interest::READ).unwrap();
        assert_eq!(tokens(&outer), []);
        event.signal();
        assert_eq!(tokens(&outer), [1]);
        assert_eq!(tokens(&inner), [2]);
        outer.modify(inner.as_raw_fd(), 1, Interest::NONE).unwrap();
        assert_eq!(tokens(&outer), []);
    }

    #[test]
    fn timeouts_are_never_early() {
        let epoll = Epoll::new().unwrap();
        for timeout in [Duration::from_micros(200), Duration::from_millis(2)] {
            let start = Instant::now();
            assert_eq!(epoll.wait(&mut [Event::EMPTY], Some(timeout)), Ok(0));
            assert!(start.elapsed() >= timeout);
        }
    }
}
