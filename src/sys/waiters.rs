//! Who waits for something to happen, and how they are woken: on a word of memory, on one descriptor, or on another.
//!
//! - A thread that can sleep on memory sleeps on `word` (a futex).
//! - A thread that waits for other descriptors as well waits for the descriptor of `wait`, which is readable after a notice while
//!   somebody does so.
//! - The descriptor of `user` is the program's, which watches it as it likes. It is readable after each notice until `quieten`.
//!
//! `word` counts the notices. A waiter reads it before it looks for the last time at what it waits for, and doesn't sleep if
//! it has moved since. Each side stores (the notice, the intention to sleep) before it loads the other's,
//! sequentially consistent, so one of them sees the other.

use super::bell::Bell;
use super::futex::Wait;
use super::primitive::{AtomicUsize, Ordering, Word, after_exchange};
use crate::error::Result;
use std::os::fd::RawFd;

/// See the module's text.
#[derive(Default)]
pub struct Waiters {
    word: Word,
    sleepers: AtomicUsize,
    fd_waiters: AtomicUsize,
    wait: Bell,
    user: Bell,
}

impl Waiters {
    /// Nobody waits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Wakes all who wait. What they wait for has to be seen before.
    pub fn notify(&self) {
        self.word.increment();
        after_exchange();
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            self.word.wake();
        }
        if self.fd_waiters.load(Ordering::SeqCst) > 0 {
            self.wait.ring();
        }
        self.user.ring();
    }

    /// What to compare with when going to sleep; read before the last look.
    pub fn word(&self) -> u32 {
        self.word.get()
    }

    /// Whether threads sleep on the word, or on the descriptor for waiting.
    pub fn any(&self) -> bool {
        self.sleepers.load(Ordering::SeqCst) > 0 || self.fd_waiters.load(Ordering::SeqCst) > 0
    }

    /// Sleeps until a notice comes after `seen` was read, or the deadline (nanoseconds of the monotonic clock).
    pub fn sleep(&self, seen: u32, deadline: Option<u64>) -> Wait {
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        after_exchange();
        let outcome = self.word.wait(seen, deadline);
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
        outcome
    }

    /// The descriptor that becomes readable when a notice comes while somebody is between `enter_fd_wait` and `leave_fd_wait`.
    pub fn wait_fd(&self) -> Result<RawFd> {
        self.wait.fd()
    }

    /// Announces a sleep on `wait_fd`. False: a notice has come since `seen` was read, so don't.
    pub fn enter_fd_wait(&self, seen: u32) -> bool {
        self.fd_waiters.fetch_add(1, Ordering::SeqCst);
        after_exchange();
        if self.word() == seen {
            return true;
        }
        self.leave_fd_wait();
        false
    }

    /// Ends a sleep on `wait_fd`.
    pub fn leave_fd_wait(&self) {
        // Others that sleep on it are to see it too, so the last one to leave makes it quiet.
        let last = self.fd_waiters.fetch_sub(1, Ordering::SeqCst) == 1;
        // One that has come meanwhile may have missed a notice that was given while the descriptor was being quietened.
        if last && self.wait.quieten() && self.fd_waiters.load(Ordering::SeqCst) > 0 {
            self.wait.ring();
        }
    }

    /// The program's descriptor. A new one is readable.
    pub fn user_fd(&self) -> Result<RawFd> {
        let is_new = !self.user.has_fd();
        let fd = self.user.fd()?;
        if is_new {
            self.user.ring();
        }
        Ok(fd)
    }

    /// Whether the program has a descriptor to watch.
    #[inline]
    pub fn has_user_fd(&self) -> bool {
        self.user.has_fd()
    }

    /// Makes the program's descriptor quiet. Look *afterwards* at what has happened: a notice that comes in between doesn't make it
    /// readable.
    #[inline]
    pub fn quieten(&self) {
        self.user.quieten();
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;

    struct Model {
        waiters: Waiters,
        posted: AtomicUsize,
    }

    impl Model {
        fn post(&self) {
            // Stands for a command in a list and the flag that there is one.
            self.posted.fetch_add(1, Ordering::Release);
            self.waiters.notify();
        }
    }

    /// `wait` returns when it has seen `posts` posts; a lost wake-up is a deadlock, which loom reports.
    fn check(posts: usize, waits: &'static [fn(&Model, usize)]) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(move || {
            let model = Arc::new(Model { waiters: Waiters::new(), posted: AtomicUsize::new(0) });
            model.waiters.wait_fd().expect("made");
            model.waiters.user_fd().expect("made");
            let waiting: Vec<_> = waits
                .iter()
                .map(|&wait| {
                    let model = model.clone();
                    loom::thread::spawn(move || wait(&model, posts))
                })
                .collect();
            (0..posts).for_each(|_| model.post());
            waiting.into_iter().for_each(|waiting| waiting.join().expect("it doesn't panic"));
        });
    }

    fn on_memory(model: &Model, posts: usize) {
        loop {
            let seen = model.waiters.word();
            if model.posted.load(Ordering::Acquire) == posts {
                return;
            }
            model.waiters.sleep(seen, None);
        }
    }

    fn on_the_descriptor(model: &Model, posts: usize) {
        loop {
            let seen = model.waiters.word();
            if model.posted.load(Ordering::Acquire) == posts {
                return;
            }
            if model.waiters.enter_fd_wait(seen) {
                model.waiters.wait.wait();
                model.waiters.leave_fd_wait();
                // It goes round in vain as long as the poster is held up within `ring`.
                loom::thread::yield_now();
            }
        }
    }

    /// A program's event loop: sleeps on its descriptor, and looks once each time.
    fn as_a_program(model: &Model, posts: usize) {
        loop {
            model.waiters.user.wait();
            model.waiters.quieten();
            if model.posted.load(Ordering::Acquire) == posts {
                return;
            }
            loom::thread::yield_now();
        }
    }

    #[test]
    fn loom_who_sleeps_on_memory_is_woken() {
        check(2, &[on_memory, on_memory]);
    }

    #[test]
    fn loom_who_sleeps_on_the_descriptor_is_woken() {
        check(2, &[on_the_descriptor]);
    }

    #[test]
    fn loom_two_who_sleep_on_the_descriptor_are_woken() {
        check(1, &[on_the_descriptor, on_the_descriptor]);
    }

    #[test]
    fn loom_a_program_that_watches_the_descriptor_is_woken() {
        check(2, &[as_a_program]);
    }
}
