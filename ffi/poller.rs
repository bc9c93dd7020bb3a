//! Polling a set of sockets and descriptors that lasts: zmq_poller(3).
#![allow(unused_variables)] // until the engine is behind it

use libc::{c_int, c_long, c_short, c_void};

use super::boundary::call;
use super::types::zmq_fd_t;
use crate::error::Error;

/// What a poller reports.
#[allow(non_camel_case_types)]
#[cfg(feature = "draft")]
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zmq_poller_event_t {
    /// The socket that is ready, or null.
    pub socket: *mut c_void,
    /// The descriptor that is ready, where there is no socket.
    pub fd: zmq_fd_t,
    /// What was given when it was added.
    pub user_data: *mut c_void,
    /// What it is ready for.
    pub events: c_short,
}

/// A new poller, or null (zmq_poller(3)).
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_new() -> *mut c_void {
    call(|| Err(Error::NotSupported))
}

/// Destroys a poller and sets the pointer to null.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_destroy(poller: *mut *mut c_void) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// How many sockets and descriptors are in a poller.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_size(poller: *mut c_void) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Adds a socket. `user_data` comes back with its events.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_add(
    poller: *mut c_void,
    socket: *mut c_void,
    user_data: *mut c_void,
    events: c_short,
) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Changes what to wait for on a socket.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_modify(
    poller: *mut c_void,
    socket: *mut c_void,
    events: c_short,
) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Removes a socket.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_remove(poller: *mut c_void, socket: *mut c_void) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Waits for one event, `timeout` milliseconds at most (-1: for ever).
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_wait(
    poller: *mut c_void,
    event: *mut zmq_poller_event_t,
    timeout: c_long,
) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Waits for up to `count` events; returns how many there were.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_wait_all(
    poller: *mut c_void,
    events: *mut zmq_poller_event_t,
    count: c_int,
    timeout: c_long,
) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// A descriptor that is readable when the poller may have an event; pollers of thread-safe sockets have one.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_fd(poller: *mut c_void, fd: *mut zmq_fd_t) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Adds a descriptor.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_add_fd(
    poller: *mut c_void,
    fd: zmq_fd_t,
    user_data: *mut c_void,
    events: c_short,
) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Changes what to wait for on a descriptor.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_modify_fd(poller: *mut c_void, fd: zmq_fd_t, events: c_short) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Removes a descriptor.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_remove_fd(poller: *mut c_void, fd: zmq_fd_t) -> c_int {
    call(|| Err(Error::NotSupported))
}
