//! Contexts: zmq_ctx_new(3) and the pages that it names.
#![allow(unused_variables)] // until the engine is behind it

use libc::{c_int, c_void, size_t};

use super::boundary::call;
use crate::error::Error;

/// A new context, or null (zmq_ctx_new(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_ctx_new() -> *mut c_void {
    call(|| Err(Error::NotSupported))
}

/// Ends a context: waits until all of its sockets are closed and what they linger for is sent (zmq_ctx_term(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_ctx_term(context: *mut c_void) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Makes every call on the context's sockets return ETERM (zmq_ctx_shutdown(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_ctx_shutdown(context: *mut c_void) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Sets an option of a context (zmq_ctx_set(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_ctx_set(context: *mut c_void, option: c_int, value: c_int) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// An option of a context (zmq_ctx_get(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_ctx_get(context: *mut c_void, option: c_int) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Deprecated: `zmq_ctx_new` with a number of I/O threads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_init(io_threads: c_int) -> *mut c_void {
    call(|| Err(Error::NotSupported))
}

/// Deprecated: `zmq_ctx_term` by its old name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_term(context: *mut c_void) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Deprecated: `zmq_ctx_term` by its old name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_ctx_destroy(context: *mut c_void) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Sets an option of a context, of any type (zmq_ctx_set_ext(3)).
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_ctx_set_ext(
    context: *mut c_void,
    option: c_int,
    value: *const c_void,
    len: size_t,
) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// An option of a context, of any type (zmq_ctx_get_ext(3)).
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_ctx_get_ext(
    context: *mut c_void,
    option: c_int,
    value: *mut c_void,
    len: *mut size_t,
) -> c_int {
    call(|| Err(Error::NotSupported))
}
