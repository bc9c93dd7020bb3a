//! Polling a list of sockets and descriptors: zmq_poll(3).
#![allow(unused_variables)] // until the engine is behind it

use libc::{c_int, c_long, c_short, c_void, sigset_t};

use super::boundary::call;
use super::types::zmq_fd_t;
use crate::error::Error;

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

/// Waits until an item is ready, `timeout` milliseconds at most (-1: for ever); returns how many are (zmq_poll(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poll(items: *mut zmq_pollitem_t, count: c_int, timeout: c_long) -> c_int {
    call(|| Err(Error::NotSupported))
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
    call(|| Err(Error::NotSupported))
}
