//! How long to look again and again before going to sleep.
//!
//! Between two threads of a process, falling asleep and being woken costs far more than a small message. When the other side is
//! running, what one waits for comes within microseconds, and looking for it that long is cheaper for both.
//! Whether it does is learnt from the last waits: each one that was over in time makes the next look longer, each one that
//! wasn't halves it, so that a socket which waits for long soon doesn't look at all (but for one short look now and then).

use crate::sys::lazy_bool::LazyBool;
use crate::sys::time;
use std::sync::atomic::{AtomicU32, Ordering};

/// Nanoseconds: the longest look, which is the first one too, and the one now and then. It is a little longer than it takes to wake a
/// thread on another processor, so that of two threads which wait for each other in turn one can begin.
const LONGEST: u32 = 50_000;
/// A shorter look isn't worth it.
const SHORTEST: u32 = 2_000;
/// How many waits go without a look before one is tried again.
const PROBE_EVERY: u32 = 32;
/// Which wait is the first one with a look. Those before it are mostly for handshakes, which take longer, and in which the
/// I/O threads need the processors.
const FIRST: u32 = 4;

/// What was learnt from the last waits.
pub struct Spin {
    budget: AtomicU32,
    skipped: AtomicU32,
    /// Nanoseconds to let messages gather; see [`Spin::gather`].
    gathering: AtomicU32,
}

/// The longest time to let messages gather, in nanoseconds, and how many of them make a batch.
const LONGEST_GATHERING: u32 = 1_000;
const BATCH: u32 = 32;

impl Spin {
    /// Nothing as yet.
    pub const fn new() -> Self {
        Self {
            budget: AtomicU32::new(0),
            skipped: AtomicU32::new(PROBE_EVERY - FIRST),
            gathering: AtomicU32::new(0),
        }
    }

    /// Something came while this thread looked, and it is part of a stream: the last wait gave `received` messages and nothing was
    /// sent between. A receiver that takes each message as it comes makes both sides fight for the same cache lines, which costs each of
    /// them more than the messages; so it lets a few of them gather, for less than a microsecond.
    pub fn gather(&self, received: u32) {
        let before = self.gathering.load(Ordering::Relaxed);
        let time = if received < BATCH { (before + 100).min(LONGEST_GATHERING) } else { before - before / 8 };
        self.gathering.store(time, Ordering::Relaxed);
        let until = time::monotonic_ns() + u64::from(time);
        while time::monotonic_ns() < until {
            std::hint::spin_loop();
        }
    }

    /// Looks until `is_over`, but not for long; at the clock after so many `checks`. True: it is.
    pub fn wait(&self, checks: u32, mut is_over: impl FnMut() -> bool) -> bool {
        let mut budget = self.budget.load(Ordering::Relaxed);
        if budget == 0 {
            if self.skipped.fetch_add(1, Ordering::Relaxed) % PROBE_EVERY != PROBE_EVERY - 1 {
                return false;
            }
            budget = LONGEST;
        }
        if !has_company() {
            return false;
        }
        let until = time::monotonic_ns() + u64::from(budget);
        let over = loop {
            if (0..checks).any(|_| {
                std::hint::spin_loop();
                is_over()
            }) {
                break true;
            }
            if time::monotonic_ns() >= until {
                break false;
            }
        };
        let next = match over {
            true => (budget * 2).min(LONGEST),
            // The one now and then has failed.
            false if self.budget.load(Ordering::Relaxed) == 0 => 0,
            false if budget / 2 >= SHORTEST => budget / 2,
            false => 0,
        };
        self.budget.store(next, Ordering::Relaxed);
        over
    }
}

impl Default for Spin {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether another thread can run while this one looks.
fn has_company() -> bool {
    static COMPANY: LazyBool = LazyBool::new();
    COMPANY.get(|| std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() > 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_that_find_nothing_become_shorter_and_stop() {
        if !has_company() {
            return;
        }
        let spin = Spin::new();
        for _ in 0..FIRST {
            spin.wait(16, || true);
        }
        assert_eq!(spin.budget.load(Ordering::Relaxed), LONGEST);
        for _ in 0..8 {
            assert!(!spin.wait(16, || false));
        }
        assert_eq!(spin.budget.load(Ordering::Relaxed), 0);
        let looked = (0..PROBE_EVERY).filter(|_| {
            let mut looks = 0;
            spin.wait(16, || {
                looks += 1;
                false
            });
            looks > 0
        });
        assert_eq!(looked.count(), 1, "one in so many waits");
    }

    #[test]
    fn looks_that_pay_become_longer() {
        if !has_company() {
            return;
        }
        let spin = Spin::new();
        for wait in 1..100 {
            assert_eq!(spin.wait(16, || true), wait >= FIRST);
        }
        assert_eq!(spin.budget.load(Ordering::Relaxed), LONGEST);
    }
}
