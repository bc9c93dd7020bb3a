//! Proxies: zmq_proxy(3), and devices, which came before them.

use libc::{c_int, c_void};

use super::boundary::call_unit;
use super::handle;
use crate::error::{Error, Result};
use crate::runtime::cell::SocketRef;
use crate::runtime::proxy::Proxy;

fn required(handle: *mut c_void) -> Result<SocketRef> {
    if handle.is_null() { Err(Error::Fault) } else { handle::socket(handle) }
}

fn optional(handle: *mut c_void) -> Result<Option<SocketRef>> {
    if handle.is_null() { Ok(None) } else { handle::socket(handle).map(Some) }
}

fn run(
    frontend: *mut c_void,
    backend: *mut c_void,
    capture: *mut c_void,
    control: *mut c_void,
) -> Result<()> {
    let proxy = Proxy {
        frontend: required(frontend)?,
        backend: required(backend)?,
        capture: optional(capture)?,
        control: optional(control)?,
    };
    // A capture socket that has gone would show only with the first message.
    for socket in proxy.capture.iter().chain(&proxy.control) {
        drop(socket.lock()?);
    }
    proxy.run()
}

/// Passes messages both ways until the context ends; `capture` gets a copy of each, unless it is null (zmq_proxy(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_proxy(
    frontend: *mut c_void,
    backend: *mut c_void,
    capture: *mut c_void,
) -> c_int {
    call_unit(|| run(frontend, backend, capture, std::ptr::null_mut()))
}

/// `zmq_proxy` that `control` can pause, resume, end, and ask for statistics (zmq_proxy_steerable(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_proxy_steerable(
    frontend: *mut c_void,
    backend: *mut c_void,
    capture: *mut c_void,
    control: *mut c_void,
) -> c_int {
    call_unit(|| run(frontend, backend, capture, control))
}

/// Deprecated: `zmq_proxy`. The type changes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_device(
    device_type: c_int,
    frontend: *mut c_void,
    backend: *mut c_void,
) -> c_int {
    let _ = device_type;
    call_unit(|| run(frontend, backend, std::ptr::null_mut(), std::ptr::null_mut()))
}
