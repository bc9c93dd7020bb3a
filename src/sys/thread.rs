//! Threads: what one is called, where and how it runs, and which signals it gets.

use super::check;
use crate::error::{Error, Result};
use std::ffi::CString;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a thread of the system's runs.
pub type Body = extern "C" fn(*mut libc::c_void) -> *mut libc::c_void;

/// Starts a thread of the system's in which all signals are blocked, from its first instruction on. It is to be joined or detached.
///
/// # Errors
/// `EAGAIN`: no memory, or as many threads as the system allows.
///
/// # Safety
/// `body` may be called with `argument` in another thread, once.
pub unsafe fn start(body: Body, argument: *mut libc::c_void) -> Result<libc::pthread_t> {
    let signals = SignalGuard::block_all();
    let mut thread = MaybeUninit::uninit();
    // SAFETY: there is room for the name of the thread; null: the usual attributes; the rest is the caller's promise.
    let result = unsafe { libc::pthread_create(thread.as_mut_ptr(), std::ptr::null(), body, argument) };
    drop(signals);
    positive(result)?;
    // SAFETY: the call has succeeded, so it was written.
    Ok(unsafe { thread.assume_init() })
}

/// A thread of the library's own. Dropping it leaves it to itself.
///
/// It isn't one of std's, because those enter themselves, under a lock, into a list of the process's when they begin (in programs whose `main` is
/// Rust's), and a child of `fork` may have inherited that lock taken.
#[derive(Debug)]
pub struct Thread(libc::pthread_t);

impl Thread {
    /// Starts it, with all signals blocked. A panic ends it.
    ///
    /// # Errors
    /// `EAGAIN`: no memory, or as many threads as the system allows.
    pub fn spawn<F: FnOnce() + Send + 'static>(work: F) -> Result<Self> {
        extern "C" fn body<F: FnOnce()>(work: *mut libc::c_void) -> *mut libc::c_void {
            // SAFETY: `spawn` has let go of it for this thread alone.
            let work = unsafe { Box::from_raw(work.cast::<F>()) };
            // The panic has been reported, and there is nobody who asks.
            let _ = catch_unwind(AssertUnwindSafe(work));
            std::ptr::null_mut()
        }
        let work = Box::into_raw(Box::new(work)).cast();
        // SAFETY: `body` is called with what it expects, which may be sent to another thread, and only if this succeeds.
        match unsafe { start(body::<F>, work) } {
            Ok(thread) => Ok(Self(thread)),
            Err(error) => {
                // SAFETY: no thread has taken it.
                drop(unsafe { Box::from_raw(work.cast::<F>()) });
                Err(error)
            }
        }
    }

    /// Waits until it has ended.
    pub fn join(self) {
        let thread = std::mem::ManuallyDrop::new(self);
        // SAFETY: it was neither joined nor detached, as either uses the value up.
        unsafe { libc::pthread_join(thread.0, std::ptr::null_mut()) };
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // SAFETY: as in `join`.
        unsafe { libc::pthread_detach(self.0) };
    }
}

/// Names the calling thread. The name is cut off after 15 bytes, and at a NUL.
pub fn set_name(name: &[u8]) {
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len()).min(15);
    if let Ok(name) = CString::new(&name[..end]) {
        // SAFETY: the name is a C string within the limit, so the call can't fail.
        unsafe { libc::pthread_setname_np(libc::pthread_self(), name.as_ptr()) };
    }
}

/// Lets the calling thread run on these CPUs only. No CPUs: no change.
///
/// # Errors
/// `EINVAL` if the machine has none of them, or a number is too high for `sched_setaffinity`(2).
pub fn set_affinity(cpus: &[usize]) -> Result<()> {
    if cpus.is_empty() {
        return Ok(());
    }
    // SAFETY: an empty set is all zeros.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for &cpu in cpus {
        if cpu >= libc::CPU_SETSIZE as usize {
            return Err(Error::Invalid);
        }
        // SAFETY: the number is within the set.
        unsafe { libc::CPU_SET(cpu, &mut set) };
    }
    // SAFETY: the set lives for the whole call; 0 is the calling thread.
    check(unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) }).map(drop)
}

/// Sets the calling thread's scheduling policy (`libc::SCHED_OTHER`, ...) and priority; `None` leaves one as it is.
///
/// Only `SCHED_FIFO` and `SCHED_RR` know priorities (1 to 99). With any other policy a priority above 0 asks for the best
/// nice value instead, as libzmq does.
///
/// # Errors
/// `EPERM`, `EINVAL`.
pub fn set_scheduling(policy: Option<i32>, priority: Option<i32>) -> Result<()> {
    if policy.is_none() && priority.is_none() {
        return Ok(());
    }
    let mut old_policy = 0;
    let mut param = libc::sched_param { sched_priority: 0 };
    // SAFETY: both can be written; the calling thread exists.
    positive(unsafe { libc::pthread_getschedparam(libc::pthread_self(), &mut old_policy, &mut param) })?;
    let policy = policy.unwrap_or(old_policy);
    let has_priorities = policy == libc::SCHED_FIFO || policy == libc::SCHED_RR;
    if !has_priorities {
        param.sched_priority = 0;
    } else if let Some(priority) = priority {
        param.sched_priority = priority;
    }
    // SAFETY: `param` can be read; the calling thread exists.
    positive(unsafe { libc::pthread_setschedparam(libc::pthread_self(), policy, &param) })?;
    if !has_priorities && priority.is_some_and(|priority| priority > 0) {
        // -20 is the best nice value; on Linux it belongs to the thread (0 is the calling one).
        // SAFETY: takes no pointers.
        check(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -20) })?;
    }
    Ok(())
}

/// Turns the error number that a pthread function returns into the error.
fn positive(number: libc::c_int) -> Result<()> {
    if number == 0 { Ok(()) } else { Err(Error::from_errno(number)) }
}

/// Blocks all signals in the calling thread, as long as it lives. Threads that are spawned meanwhile block them from their
/// first instruction on, and for good.
#[derive(Debug)]
pub struct SignalGuard {
    old: libc::sigset_t,
    /// It has to be dropped by the thread that made it.
    not_send: PhantomData<*mut ()>,
}

impl SignalGuard {
    /// Blocks all signals.
    pub fn block_all() -> Self {
        // SAFETY: both sets can be written; any bytes are a valid set. The call can't fail.
        let old = unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            let mut old: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut old);
            old
        };
        Self { old, not_send: PhantomData }
    }
}

impl Drop for SignalGuard {
    fn drop(&mut self) {
        // SAFETY: the set is the one that the thread had; null: the present one isn't wanted.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.old, std::ptr::null_mut()) };
    }
}

/// Blocks all signals in the calling thread for good.
pub fn block_all_signals() {
    std::mem::forget(SignalGuard::block_all());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    /// Runs `test` in a thread of its own, whose properties may be changed.
    fn in_thread(test: impl FnOnce() + Send + 'static) {
        thread::spawn(test).join().unwrap();
    }

    fn is_blocked(signal: i32) -> bool {
        // SAFETY: the set can be written.
        unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut set);
            libc::sigismember(&set, signal) == 1
        }
    }

    #[test]
    fn a_thread_works_is_waited_for_and_may_panic() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = Thread::spawn(move || {
            assert!(is_blocked(libc::SIGTERM));
            sender.send(7).unwrap();
        });
        thread.unwrap().join();
        assert_eq!(receiver.try_recv(), Ok(7), "it has ended");
        Thread::spawn(|| panic!("expected in this test")).unwrap().join();
    }

    #[test]
    fn names_are_cut_off() {
        in_thread(|| {
            for (name, expected) in
                [(&b"short"[..], "short"), (b"0123456789abcdefghi", "0123456789abcde"), (b"a\0b", "a")]
            {
                set_name(name);
                let shown = std::fs::read_to_string("/proc/thread-self/comm").unwrap();
                assert_eq!(shown.trim_end(), expected);
            }
        });
    }

    #[test]
    fn affinity() {
        in_thread(|| {
            set_affinity(&[]).unwrap();
            assert_eq!(set_affinity(&[100_000]), Err(Error::Invalid));
            assert_eq!(set_affinity(&[1023]), Err(Error::Invalid), "there are not that many CPUs");
            // SAFETY: takes no arguments.
            let cpu = unsafe { libc::sched_getcpu() } as usize;
            set_affinity(&[cpu]).unwrap();
            assert_eq!(thread::available_parallelism().unwrap().get(), 1);
        });
    }

    #[test]
    fn scheduling() {
        in_thread(|| {
            set_scheduling(None, None).unwrap();
            assert_eq!(set_scheduling(Some(12345), None), Err(Error::Invalid));
            set_scheduling(Some(libc::SCHED_BATCH), None).unwrap();
            // SAFETY: takes no pointers; 0 is the calling thread.
            assert_eq!(unsafe { libc::sched_getscheduler(0) }, libc::SCHED_BATCH);
            set_scheduling(None, Some(0)).unwrap();
        });
    }

    #[test]
    fn signals_are_blocked_and_let_through_again() {
        in_thread(|| {
            assert!(!is_blocked(libc::SIGUSR1));
            let guard = SignalGuard::block_all();
            assert!(is_blocked(libc::SIGUSR1));
            in_thread(|| assert!(is_blocked(libc::SIGTERM)));
            drop(guard);
            assert!(!is_blocked(libc::SIGUSR1));
            block_all_signals();
            assert!(is_blocked(libc::SIGUSR1));
        });
    }
}
