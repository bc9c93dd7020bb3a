//! Proxies: zmq_proxy(3), and devices, which came before them.
#![allow(unused_variables)] // until the engine is behind it

use libc::{c_int, c_void};

use super::boundary::call;
use crate::error::Error;

/// Passes messages both ways until the context ends; `capture` gets a copy of each, unless it is null (zmq_proxy(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_proxy(
    frontend: *mut c_void,
    backend: *mut c_void,
    capture: *mut c_void,
) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// `zmq_proxy` that `control` can pause, resume, end, and ask for statistics (zmq_proxy_steerable(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_proxy_steerable(
    frontend: *mut c_void,
    backend: *mut c_void,
    capture: *mut c_void,
    control: *mut c_void,
) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Deprecated: `zmq_proxy`. The type changes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_device(
    device_type: c_int,
    frontend: *mut c_void,
    backend: *mut c_void,
) -> c_int {
    call(|| Err(Error::NotSupported))
}
