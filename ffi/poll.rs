//! Polling a list of sockets and descriptors: zmq_poll(3).

use libc::{c_int, c_long, c_short, c_void, sigset_t};

use super::boundary::call;
use super::constants::{ZMQ_POLLERR, ZMQ_POLLIN, ZMQ_POLLOUT, ZMQ_POLLPRI};
use super::handle;
use super::types::zmq_fd_t;
use crate::error::{Error, Result};
use crate::runtime::poll::{self, Item, Target};

/// Every event that there is.
const ALL_EVENTS: c_short = (ZMQ_POLLIN | ZMQ_POLLOUT | ZMQ_POLLERR | ZMQ_POLLPRI) as c_short;

/// A socket, or else a descriptor, and what to wait for on it.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zmq_pollitem_t {
    /// The socket; null to use `fd`.
    pub socket: *mut c_void,
    /// The descriptor, where there is no socket.
    pub fd: zmq_fd_t,
    /// What to wait for: ZMQ_POLLIN, ZMQ_POLLOUT, ZMQ_POLLERR, ZMQ_POLLPRI.
    pub events: c_short,
    /// What there was.
    pub revents: c_short,
}

impl Item for zmq_pollitem_t {
    #[inline]
    fn target(&self) -> Result<Target> {
        if self.socket.is_null() {
            Ok(Target::Descriptor(self.fd))
        } else {
            handle::socket(self.socket).map(Target::Socket)
        }
    }

    fn wanted(&self) -> i16 {
        self.events
    }

    fn set_found(&mut self, events: i16) {
        self.revents = events;
    }

    fn found(&self) -> i16 {
        self.revents
    }
}

/// The items as a slice.
///
/// # Errors
/// [`Error::Invalid`] for a negative count, [`Error::Fault`] for a null pointer to more than nothing.
///
/// # Safety
/// `items` is null or points to `count` items that nothing else uses meanwhile.
unsafe fn items_mut<'a>(items: *mut zmq_pollitem_t, count: c_int) -> Result<&'a mut [zmq_pollitem_t]> {
    let count = usize::try_from(count).map_err(|_| Error::Invalid)?;
    if count == 0 {
        return Ok(&mut []);
    }
    if items.is_null() {
        return Err(Error::Fault);
    }
    // SAFETY: not null, and the caller vouches for the rest.
    Ok(unsafe { std::slice::from_raw_parts_mut(items, count) })
}

/// Whether there is a thread-safe socket among the items, which changes a few things. `ENOTSOCK` if one isn't a socket.
fn has_thread_safe(items: &[zmq_pollitem_t]) -> Result<bool> {
    let mut any = false;
    for item in items {
        if let Target::Socket(socket) = item.target()? {
            any |= socket.lock()?.kind().is_thread_safe();
        }
    }
    Ok(any)
}

/// What zmq_poll is more particular about beside a thread-safe socket, where upstream goes by a poller's rules: events that don't exist, a
/// descriptor of -1, and waiting for ever for no event at all. True: there is nothing to wait for but the time.
#[cold]
fn check_as_poller(items: &mut [zmq_pollitem_t], timeout: c_long) -> Result<bool> {
    if !has_thread_safe(items)? {
        return Ok(false);
    }
    let mut any = false;
    for item in items {
        item.revents = 0;
        if item.socket.is_null() && item.fd == -1 {
            return Err(Error::BadDescriptor);
        }
        if item.events & !ALL_EVENTS != 0 {
            return Err(Error::Invalid);
        }
        any |= item.events != 0;
    }
    if !any && timeout < 0 {
        return Err(Error::Fault);
    }
    Ok(!any)
}

/// Whether something in a list may be what [`check_as_poller`] looks for.
fn is_odd(items: &[zmq_pollitem_t]) -> bool {
    let mut wanted = 0;
    let mut odd = false;
    for item in items {
        wanted |= item.events;
        odd |= item.socket.is_null() && item.fd == -1;
    }
    odd || wanted == 0 || wanted & !ALL_EVENTS != 0
}

/// Waits until an item is ready, `timeout` milliseconds at most (-1: for ever); returns how many are (zmq_poll(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poll(items: *mut zmq_pollitem_t, count: c_int, timeout: c_long) -> c_int {
    call(|| {
        // SAFETY: the caller passes that many items.
        let items = unsafe { items_mut(items, count) }?;
        if is_odd(items) && check_as_poller(items, timeout)? {
            return ready(poll::poll::<zmq_pollitem_t>(&mut [], timeout, None)?);
        }
        ready(poll::poll(items, timeout, None)?)
    })
}

/// `zmq_poll` with a signal mask while it waits (zmq_ppoll(3)).
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_ppoll(
    items: *mut zmq_pollitem_t,
    count: c_int,
    timeout: c_long,
    signal_mask: *const sigset_t,
) -> c_int {
    call(|| {
        // SAFETY: the caller passes that many items.
        let items = unsafe { items_mut(items, count) }?;
        // SAFETY: the caller passes a signal mask, or null.
        let mask = unsafe { signal_mask.as_ref() };
        if has_thread_safe(items)? {
            return Err(Error::Invalid);
        }
        ready(poll::poll(items, timeout, mask)?)
    })
}

fn ready(count: usize) -> Result<c_int> {
    Ok(c_int::try_from(count).unwrap_or(c_int::MAX))
}
