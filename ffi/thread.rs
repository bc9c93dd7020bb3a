//! `zmq_threadstart` and `zmq_threadclose`: a portable thread for tests and perf programs.

use libc::{c_int, c_void, pthread_t};

use super::boundary::{call, call_unit};
use super::table::{Kind, Table};
use super::types::zmq_thread_fn;
use crate::error::{Error, Result};
use crate::sys::thread::{self, Body};

static THREADS: Table<pthread_t> = Table::new(Kind::Thread);

struct Start {
    body: unsafe extern "C-unwind" fn(*mut c_void),
    arg: *mut c_void,
}

/// Starts a thread, with all signals blocked; returns its handle, or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_threadstart(func: zmq_thread_fn, arg: *mut c_void) -> *mut c_void {
    call(|| {
        let body = func.ok_or(Error::Fault)?;
        start(Start { body, arg }).map(|thread| THREADS.insert(thread))
    })
}

/// Waits for a thread to end, and frees what it used.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_threadclose(thread: *mut c_void) {
    call_unit(|| {
        let thread = THREADS.remove(thread).ok_or(Error::Fault)?;
        // SAFETY: a thread of ours, joined once because it was in the table once.
        check(unsafe { libc::pthread_join(*thread, std::ptr::null_mut()) })
    });
}

/// A plain pthread instead of one of std's, because the caller's code may leave it by `pthread_exit` or be cancelled, which std's threads don't
/// survive.
fn start(start: Start) -> Result<pthread_t> {
    let start = Box::into_raw(Box::new(start));
    // SAFETY: `run` takes what `start` points to, and nobody else does unless this fails.
    unsafe { thread::start(entry(), start.cast()) }.inspect_err(|_| {
        // SAFETY: no thread has taken it.
        drop(unsafe { Box::from_raw(start) });
    })
}

/// [`run`] as libc declares a thread's body.
fn entry() -> Body {
    // SAFETY: the two ABIs differ only in whether unwinding may leave the function, which is up to pthread here.
    unsafe { std::mem::transmute::<unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void, Body>(run) }
}

/// The body of a thread. Nothing in it has a destructor when the caller's code runs, so unwinding through it, by `pthread_exit`, is allowed.
unsafe extern "C-unwind" fn run(start: *mut c_void) -> *mut c_void {
    // SAFETY: `start` made it, for this thread alone.
    let Start { body, arg } = *unsafe { Box::from_raw(start.cast::<Start>()) };
    // SAFETY: the name is a string of less than 16 bytes; the caller vouches for its function.
    unsafe {
        libc::pthread_setname_np(libc::pthread_self(), c"ZMQapp".as_ptr());
        body(arg);
    }
    std::ptr::null_mut()
}

/// What pthread calls return is an errno value.
fn check(result: c_int) -> Result<()> {
    if result == 0 { Ok(()) } else { Err(Error::from_errno(result)) }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI32, Ordering};

    use super::*;

    static SEEN: AtomicI32 = AtomicI32::new(0);

    unsafe extern "C-unwind" fn note(arg: *mut c_void) {
        SEEN.store(arg.addr() as i32, Ordering::SeqCst);
        // SAFETY: ends this thread, in which nothing waits to be dropped.
        unsafe { libc::pthread_exit(std::ptr::null_mut()) };
    }

    #[test]
    fn a_thread_runs_and_is_waited_for_once() {
        // SAFETY: `note` takes any argument.
        let thread = unsafe { zmq_threadstart(Some(note), std::ptr::without_provenance_mut(7)) };
        assert!(!thread.is_null());
        zmq_threadclose(thread);
        assert_eq!(SEEN.load(Ordering::SeqCst), 7);
        errno::set_errno(errno::Errno(0));
        zmq_threadclose(thread);
        assert_eq!(errno::errno().0, libc::EFAULT);
        // SAFETY: no function is what is tested.
        assert!(unsafe { zmq_threadstart(None, std::ptr::null_mut()) }.is_null());
    }
}
