//! Monitoring: zmq_socket_monitor(3).
#![allow(unused_variables)] // until the engine is behind it

use libc::{c_char, c_int, c_void};

use super::boundary::call;
use crate::error::Error;

/// Reports events of a socket to a PAIR socket at an inproc endpoint; a null endpoint ends it (zmq_socket_monitor(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_socket_monitor(
    socket: *mut c_void,
    endpoint: *const c_char,
    events: c_int,
) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// `zmq_socket_monitor` with a version of the reports and the type of the socket that sends them (zmq_socket_monitor_versioned(3)).
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_socket_monitor_versioned(
    socket: *mut c_void,
    endpoint: *const c_char,
    events: u64,
    event_version: c_int,
    socket_type: c_int,
) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Asks for a report on how full the pipes of a socket are.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_socket_monitor_pipes_stats(socket: *mut c_void) -> c_int {
    call(|| Err(Error::NotSupported))
}
