//! The step from Rust to C: a `Result` becomes a return value and `errno`, a panic becomes an error, pointers
//! become slices.
//!
//! `errno` is written in one place, [`call`], after the closure has returned (so no guard's `Drop` can overwrite it) and only
//! on failure. What a call that succeeds leaves in `errno` is whatever it was, or what a system call left there, as C allows.

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use libc::{c_char, c_int, c_long, c_void};

use crate::error::{Error, Result};

/// What `errno` is after a panic was caught: a fault of the library, which no function documents for anything else.
pub const PANICKED: Error = Error::Os(libc::ENOTRECOVERABLE);

/// A C return type, and the value that says "failed, see errno".
pub trait CReturn {
    /// That value.
    const FAILED: Self;
}

impl CReturn for c_int {
    const FAILED: Self = -1;
}

impl CReturn for c_long {
    const FAILED: Self = -1;
}

/// A routing id: zero is none (`zmq_connect_peer`, `zmq_msg_routing_id`).
impl CReturn for u32 {
    const FAILED: Self = 0;
}

impl<T> CReturn for *mut T {
    const FAILED: Self = std::ptr::null_mut();
}

impl<T> CReturn for *const T {
    const FAILED: Self = std::ptr::null();
}

/// Runs the body of an entry point.
#[inline]
pub fn call<T: CReturn>(body: impl FnOnce() -> Result<T>) -> T {
    match catch_unwind(AssertUnwindSafe(body)).unwrap_or(Err(PANICKED)) {
        Ok(value) => value,
        Err(error) => fail(error),
    }
}

/// Runs the body of an entry point that returns 0 when it succeeds.
#[inline]
pub fn call_unit(body: impl FnOnce() -> Result<()>) -> c_int {
    call(|| body().map(|()| 0))
}

/// Sets `errno`; out of line, because it is off every fast path.
#[cold]
pub(super) fn fail<T: CReturn>(error: Error) -> T {
    errno::set_errno(errno::Errno(error.errno()));
    T::FAILED
}

/// A C string's bytes, without the terminating zero.
///
/// # Errors
/// [`Error::Fault`] for a null pointer.
///
/// # Safety
/// `string` is null or points to a zero-terminated string that outlives `'a`.
pub unsafe fn c_string<'a>(string: *const c_char) -> Result<&'a [u8]> {
    if string.is_null() {
        return Err(Error::Fault);
    }
    // SAFETY: not null, and the caller vouches for the rest.
    Ok(unsafe { CStr::from_ptr(string) }.to_bytes())
}

/// A buffer that C passed for reading. Null is fine as long as it is empty.
///
/// # Errors
/// [`Error::Fault`] for a null pointer to more than nothing, [`Error::Invalid`] for a length that no buffer has.
///
/// # Safety
/// `data` is null or points to `len` initialised bytes that outlive `'a` and aren't written meanwhile.
pub unsafe fn slice<'a>(data: *const c_void, len: usize) -> Result<&'a [u8]> {
    check_extent(data, len)?;
    if len == 0 {
        return Ok(&[]);
    }
    // SAFETY: not null, at most isize::MAX long, and the caller vouches for the rest.
    Ok(unsafe { std::slice::from_raw_parts(data.cast(), len) })
}

/// A buffer that C passed for writing. Null is fine as long as it is empty.
///
/// # Errors
/// As [`slice()`].
///
/// # Safety
/// `data` is null or points to `len` bytes that outlive `'a` and that nothing else uses meanwhile.
pub unsafe fn slice_mut<'a>(data: *mut c_void, len: usize) -> Result<&'a mut [u8]> {
    check_extent(data, len)?;
    if len == 0 {
        return Ok(&mut []);
    }
    // SAFETY: not null, at most isize::MAX long, and the caller vouches for the rest.
    Ok(unsafe { std::slice::from_raw_parts_mut(data.cast(), len) })
}

fn check_extent(data: *const c_void, len: usize) -> Result<()> {
    if len > isize::MAX as usize {
        return Err(Error::Invalid);
    }
    if data.is_null() && len != 0 {
        return Err(Error::Fault);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_and_goes_no_further() {
        errno::set_errno(errno::Errno(0));
        assert_eq!(call::<c_int>(|| panic!("expected in this test")), -1);
        assert_eq!(errno::errno().0, libc::ENOTRECOVERABLE);
    }

    #[test]
    fn errno_is_set_after_guards_have_dropped_and_on_failure_only() {
        struct Clobber;
        impl Drop for Clobber {
            fn drop(&mut self) {
                errno::set_errno(errno::Errno(libc::EXDEV));
            }
        }
        let failed = call_unit(|| {
            let _guard = Clobber;
            Err(Error::Again)
        });
        assert_eq!((failed, errno::errno().0), (-1, libc::EAGAIN));
        assert_eq!(call_unit(|| Ok(())), 0);
        assert_eq!(errno::errno().0, libc::EAGAIN);
    }

    #[test]
    fn null_is_an_empty_buffer_and_nothing_else() {
        let null = std::ptr::null_mut();
        // SAFETY: null pointers are what is tested, and are allowed.
        unsafe {
            assert_eq!(slice(null, 0), Ok(&[][..]));
            assert_eq!(slice(null, 1), Err(Error::Fault));
            assert_eq!(slice_mut(null, usize::MAX), Err(Error::Invalid));
            assert_eq!(c_string(null.cast()), Err(Error::Fault));
            assert_eq!(c_string(c"abc".as_ptr()), Ok(&b"abc"[..]));
        }
    }
}
