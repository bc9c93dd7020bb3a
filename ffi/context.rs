//! Contexts: zmq_ctx_new(3) and the pages that it names.

use std::sync::Arc;

use libc::{c_int, c_void, size_t};

use super::boundary::{call, call_unit, slice, slice_mut};
use super::table::{Kind, Table};
use crate::error::{Error, Result};
use crate::runtime::context::Context;

static CONTEXTS: Table<Arc<Context>> = Table::new(Kind::Context);

/// The context that a handle names. `EFAULT` for anything else; `ETERM` in a child of `fork`, where the context has no threads.
pub(super) fn context(handle: *mut c_void) -> Result<Arc<Context>> {
    let context = CONTEXTS.get(handle).map(|context| (*context).clone()).ok_or(Error::Fault)?;
    if context.is_inherited() { Err(Error::Terminated) } else { Ok(context) }
}

/// In a child of `fork`, forgets a context that it has inherited: there is nobody to wait for. False: it isn't such a context.
fn forget_inherited(handle: *mut c_void) -> bool {
    let inherited = CONTEXTS.get(handle).is_some_and(|context| context.is_inherited());
    if inherited {
        // Its locks may be held by threads that only the parent has.
        std::mem::forget(CONTEXTS.remove(handle));
    }
    inherited
}

/// A new context, or null (zmq_ctx_new(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_ctx_new() -> *mut c_void {
    call(|| Ok(CONTEXTS.insert(Context::new())))
}

/// Ends a context: waits until all of its sockets are closed and what they linger for is sent (zmq_ctx_term(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_ctx_term(context: *mut c_void) -> c_int {
    call_unit(|| {
        if forget_inherited(context) {
            return Ok(());
        }
        self::context(context)?.term()?;
        CONTEXTS.remove(context);
        Ok(())
    })
}

/// Makes every call on the context's sockets return ETERM (zmq_ctx_shutdown(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_ctx_shutdown(context: *mut c_void) -> c_int {
    call_unit(|| {
        self::context(context)?.shutdown();
        Ok(())
    })
}

/// Sets an option of a context (zmq_ctx_set(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_ctx_set(context: *mut c_void, option: c_int, value: c_int) -> c_int {
    call_unit(|| self::context(context)?.options().set(option, &value.to_ne_bytes()))
}

/// An option of a context (zmq_ctx_get(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_ctx_get(context: *mut c_void, option: c_int) -> c_int {
    call(|| self::context(context)?.options().get(option))
}

/// Deprecated: `zmq_ctx_new` with a number of I/O threads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_init(io_threads: c_int) -> *mut c_void {
    const IO_THREADS: c_int = 1;
    call(|| {
        let context = Context::new();
        if io_threads < 0 {
            return Err(Error::Invalid);
        }
        context.options().set(IO_THREADS, &io_threads.to_ne_bytes())?;
        Ok(CONTEXTS.insert(context))
    })
}

/// Deprecated: `zmq_ctx_term`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_term(context: *mut c_void) -> c_int {
    // SAFETY: the same contract.
    unsafe { zmq_ctx_term(context) }
}

/// Deprecated: `zmq_ctx_term`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_ctx_destroy(context: *mut c_void) -> c_int {
    // SAFETY: the same contract.
    unsafe { zmq_ctx_term(context) }
}

/// Sets an option of a context whose value may be more than an int.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_ctx_set_ext(
    context: *mut c_void,
    option: c_int,
    value: *const c_void,
    len: size_t,
) -> c_int {
    call_unit(|| {
        // SAFETY: the caller passes a value of that length. Upstream calls any value that isn't one invalid.
        let value = unsafe { slice(value, len) }.map_err(|_| Error::Invalid)?;
        self::context(context)?.options().set(option, value)
    })
}

/// An option of a context whose value may be more than an int.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_ctx_get_ext(
    context: *mut c_void,
    option: c_int,
    value: *mut c_void,
    len: *mut size_t,
) -> c_int {
    call_unit(|| {
        // SAFETY: the caller passes a pointer to a length, or null.
        let len = unsafe { len.as_ref() }.copied().ok_or(Error::Fault)?;
        // SAFETY: the caller passes a buffer of that length. Upstream calls any value that isn't one invalid.
        let buffer = unsafe { slice_mut(value, len) }.map_err(|_| Error::Invalid)?;
        self::context(context)?.options().get_into(option, buffer)
    })
}
