//! Monitoring: zmq_socket_monitor(3).

use libc::{c_char, c_int, c_void};

use super::boundary::{c_string, call_unit};
use super::constants::ZMQ_PAIR;
use super::handle;
use crate::error::{Error, Result};
use crate::runtime::monitor;

/// Starts or ends a monitor.
///
/// # Safety
/// `endpoint` is null or points to a zero-terminated string.
unsafe fn start(
    socket: *mut c_void,
    endpoint: *const c_char,
    events: u64,
    version: c_int,
    kind: c_int,
) -> Result<()> {
    let mut socket = handle::socket(socket)?.lock()?;
    let endpoint = if endpoint.is_null() {
        None
    } else {
        // SAFETY: the caller's promise.
        let bytes = unsafe { c_string(endpoint) }?;
        Some(std::str::from_utf8(bytes).map_err(|_| Error::Invalid)?)
    };
    monitor::monitor(&mut socket, endpoint, events, version, kind)
}

/// Reports events of a socket to a PAIR socket at an inproc endpoint; a null endpoint ends it (zmq_socket_monitor(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_socket_monitor(
    socket: *mut c_void,
    endpoint: *const c_char,
    events: c_int,
) -> c_int {
    // A negative number has bits that no event of version 1 has.
    let events = i64::from(events).cast_unsigned();
    // SAFETY: the caller passes a C string, or null.
    call_unit(|| unsafe { start(socket, endpoint, events, 1, ZMQ_PAIR) })
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
    // SAFETY: the caller passes a C string, or null.
    call_unit(|| unsafe { start(socket, endpoint, events, event_version, socket_type) })
}

/// Asks for a report on how full the pipes of a socket are.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_socket_monitor_pipes_stats(socket: *mut c_void) -> c_int {
    call_unit(|| monitor::pipes_stats(&mut *handle::socket(socket)?.lock()?))
}
