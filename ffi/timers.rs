//! Timers: zmq_timers(3).
//!
//! Handlers run without any lock, so they may call everything here on the same timers. What they throw passes through
//! `zmq_timers_execute` to its caller, as it does upstream.

use libc::{c_int, c_long, c_void, size_t};

use super::boundary::{call, call_unit};
use super::table::{Kind, Table};
use super::types::zmq_timer_fn;
use crate::error::{Error, Result};
use crate::mutex::Mutex;
use crate::runtime::timers::Timers;
use crate::sys::time;

/// A function and the argument to call it with.
#[derive(Clone, Copy)]
struct Handler {
    function: unsafe extern "C-unwind" fn(c_int, *mut c_void),
    arg: *mut c_void,
}

// SAFETY: the argument is only passed on, in the thread that calls `zmq_timers_execute`.
unsafe impl Send for Handler {}

type Set = Mutex<Timers<Handler>>;

static SETS: Table<Set> = Table::new(Kind::Timers);

/// A new set of timers.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_new() -> *mut c_void {
    call(|| Ok(SETS.insert(Mutex::new(Timers::new()))))
}

/// Destroys a set of timers and sets the pointer to null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_timers_destroy(timers_p: *mut *mut c_void) -> c_int {
    call_unit(|| {
        // SAFETY: the caller passes a pointer to a handle, or null.
        let handle = unsafe { timers_p.as_mut() }.ok_or(Error::Fault)?;
        SETS.remove(*handle).ok_or(Error::Fault)?;
        *handle = std::ptr::null_mut();
        Ok(())
    })
}

/// Adds a timer that calls `handler` every `interval` milliseconds; returns its id.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_timers_add(
    timers: *mut c_void,
    interval: size_t,
    handler: zmq_timer_fn,
    arg: *mut c_void,
) -> c_int {
    call(|| {
        with(timers, |timers| {
            let function = handler.ok_or(Error::Fault)?;
            timers.add(now(), interval as u64, Handler { function, arg })
        })
    })
}

/// Cancels a timer.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_cancel(timers: *mut c_void, timer_id: c_int) -> c_int {
    call_unit(|| with(timers, |timers| timers.cancel(timer_id)))
}

/// Gives a timer another interval, which begins now.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_set_interval(timers: *mut c_void, timer_id: c_int, interval: size_t) -> c_int {
    call_unit(|| with(timers, |timers| timers.set_interval(now(), timer_id, interval as u64)))
}

/// Begins the interval of a timer anew.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_reset(timers: *mut c_void, timer_id: c_int) -> c_int {
    call_unit(|| with(timers, |timers| timers.reset(now(), timer_id)))
}

/// The milliseconds until a timer is due; -1 without timers.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_timeout(timers: *mut c_void) -> c_long {
    call(|| {
        let timeout = with(timers, |timers| Ok(timers.timeout(now())))?;
        Ok(timeout.map_or(-1, |timeout| c_long::try_from(timeout).unwrap_or(c_long::MAX)))
    })
}

/// Calls the handlers of all timers that are due.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn zmq_timers_execute(timers: *mut c_void) -> c_int {
    let mut run = None;
    let mut ran = None;
    loop {
        let mut due = None;
        let result = call_unit(|| {
            // A handler may have destroyed the set; then there is nothing left to do, and that is no error.
            let stale = if run.is_some() { Ok(()) } else { Err(Error::Fault) };
            let Some(set) = SETS.get(timers) else { return stale };
            let mut set = set.lock();
            let run = *run.get_or_insert_with(|| set.run(now()));
            if let Some(id) = ran.take() {
                set.ran(run, id);
            }
            due = set.next_due(run);
            Ok(())
        });
        let Some((id, handler)) = due else { return result };
        // SAFETY: the caller of `zmq_timers_add` vouches for the function and its argument. Nothing here waits to be dropped, should it unwind.
        unsafe { (handler.function)(id, handler.arg) };
        ran = Some(id);
    }
}

/// Does something with the set that a handle stands for.
fn with<T>(handle: *mut c_void, action: impl FnOnce(&mut Timers<Handler>) -> Result<T>) -> Result<T> {
    let set = SETS.get(handle).ok_or(Error::Fault)?;
    let mut timers = set.lock();
    action(&mut timers)
}

/// Milliseconds of the monotonic clock.
fn now() -> u64 {
    time::monotonic_ns() / 1_000_000
}

#[cfg(test)]
mod tests {
    use std::ptr::null_mut;

    use super::*;

    unsafe extern "C-unwind" fn destroy(_: c_int, arg: *mut c_void) {
        // SAFETY: the test passes the place of its handle.
        assert_eq!(unsafe { zmq_timers_destroy(arg.cast()) }, 0);
    }

    unsafe extern "C-unwind" fn recurse(id: c_int, arg: *mut c_void) {
        assert_eq!(zmq_timers_cancel(arg, id), 0);
        // SAFETY: the test passes its handle.
        assert_eq!(unsafe { zmq_timers_execute(arg) }, 0);
    }

    #[test]
    fn a_handler_may_destroy_its_own_timers() {
        let mut timers = zmq_timers_new();
        let place = &raw mut timers;
        // SAFETY: `destroy` gets the place of the handle, which outlives the timers.
        unsafe {
            assert_eq!(zmq_timers_add(timers, 0, Some(destroy), place.cast()), 1);
            assert_eq!(zmq_timers_add(timers, 0, Some(destroy), place.cast()), 2);
            let handle = timers;
            assert_eq!(zmq_timers_execute(handle), 0);
            assert!(place.read().is_null());
            assert_eq!(zmq_timers_execute(handle), -1);
            assert_eq!(errno::errno().0, libc::EFAULT);
        }
    }

    #[test]
    fn a_handler_may_execute_its_own_timers() {
        let timers = zmq_timers_new();
        // SAFETY: `recurse` gets the handle.
        unsafe {
            assert_eq!(zmq_timers_add(timers, 0, Some(recurse), timers), 1);
            assert_eq!(zmq_timers_execute(timers), 0);
        }
        assert_eq!(zmq_timers_timeout(timers), -1);
    }

    #[test]
    fn no_timers_is_not_an_error_and_no_handle_is() {
        let mut timers = zmq_timers_new();
        errno::set_errno(errno::Errno(0));
        assert_eq!(zmq_timers_timeout(timers), -1);
        assert_eq!(errno::errno().0, 0);
        // SAFETY: null and stale handles are what is tested.
        unsafe {
            assert_eq!(zmq_timers_add(timers, 1, None, null_mut()), -1);
            assert_eq!(errno::errno().0, libc::EFAULT);
            assert_eq!(zmq_timers_destroy(&mut timers), 0);
            assert_eq!(zmq_timers_destroy(&mut timers), -1);
            assert_eq!(zmq_timers_destroy(null_mut()), -1);
            let foreign = (&raw mut timers).cast();
            for handle in [null_mut(), foreign] {
                errno::set_errno(errno::Errno(0));
                assert_eq!(zmq_timers_timeout(handle), -1);
                assert_eq!(errno::errno().0, libc::EFAULT);
                assert_eq!(zmq_timers_reset(handle, 1), -1);
            }
        }
    }
}
