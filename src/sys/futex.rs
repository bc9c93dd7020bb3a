//! Sleeping on a word of memory (`futex`(2)).

use super::time;
use std::ptr;
use std::sync::atomic::AtomicU32;

/// Why a [`wait`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Somebody called [`wake`], or the word didn't have the expected value, or for no reason: look again.
    Woken,
    /// The deadline has passed.
    TimedOut,
    /// A signal was handled.
    Interrupted,
}

/// Sleeps as long as `word` is `expected` and nobody calls [`wake`], at most until `deadline` (nanoseconds of
/// [`time::monotonic_ns`]; none: no limit).
///
/// There always is a time-out: without one the kernel would resume the wait after a signal handler with `SA_RESTART`
/// (`signal`(7)).
pub fn wait(word: &AtomicU32, expected: u32, deadline: Option<u64>) -> Wait {
    let until = time::timespec(deadline.unwrap_or(u64::MAX));
    // SAFETY: word and time-out live for the whole call; the kernel only reads the word. FUTEX_WAIT_BITSET takes an absolute
    // time of the monotonic clock.
    let result = unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG,
            expected,
            &raw const until,
            ptr::null::<u32>(),
            libc::FUTEX_BITSET_MATCH_ANY,
        )
    };
    match result {
        -1 if errno::errno().0 == libc::ETIMEDOUT => Wait::TimedOut,
        -1 if errno::errno().0 == libc::EINTR => Wait::Interrupted,
        _ => Wait::Woken,
    }
}

/// Wakes up to `count` threads that sleep on `word`, and says how many it woke.
pub fn wake(word: &AtomicU32, count: u32) -> usize {
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    // SAFETY: the kernel uses the address as a name only.
    let woken = unsafe {
        libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, count)
    };
    usize::try_from(woken).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    #[test]
    fn another_value_or_a_past_deadline_ends_it_at_once() {
        let word = AtomicU32::new(1);
        assert_eq!(wait(&word, 0, None), Wait::Woken);
        assert_eq!(wait(&word, 1, Some(0)), Wait::TimedOut);
        let deadline = time::deadline(Duration::from_millis(3));
        while wait(&word, 1, Some(deadline)) != Wait::TimedOut {}
        assert!(time::monotonic_ns() >= deadline);
        assert_eq!(wake(&word, 1), 0);
    }

    #[test]
    fn wake_wakes() {
        let word = AtomicU32::new(0);
        std::thread::scope(|scope| {
            let sleeper = scope
                .spawn(|| while word.load(Ordering::Acquire) == 0 && wait(&word, 0, None) == Wait::Woken {});
            // It wakes by `wake` alone: the value doesn't change before somebody was woken.
            while wake(&word, u32::MAX) == 0 {
                std::thread::yield_now();
            }
            word.store(1, Ordering::Release);
            wake(&word, u32::MAX);
            sleeper.join().unwrap();
        });
    }

    extern "C" fn handler(_signal: libc::c_int) {}

    #[test]
    fn a_restarting_signal_handler_interrupts() {
        // SAFETY: a zeroed sigaction is a valid one, the handler does nothing, and nothing else here uses this signal.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as extern "C" fn(libc::c_int) as usize;
            action.sa_flags = libc::SA_RESTART;
            assert_eq!(libc::sigaction(libc::SIGURG, &action, ptr::null_mut()), 0);
        }
        let (word, id) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| {
                // SAFETY: takes no arguments.
                id.store(unsafe { libc::gettid() } as u32, Ordering::Release);
                wait(&word, 0, None)
            });
            while !sleeper.is_finished() {
                let id = id.load(Ordering::Acquire);
                if id != 0 {
                    // SAFETY: takes no pointers; the thread belongs to this process, or is gone.
                    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), id, libc::SIGURG) };
                }
                std::thread::yield_now();
            }
            assert_eq!(sleeper.join().unwrap(), Wait::Interrupted);
        });
    }
}
