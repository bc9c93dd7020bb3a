//! Something that whoever comes first works on, and nobody waits for.
//!
//! Who finds it held by another leaves word, and the holder goes round once more before it lets go. So the work is done
//! after every call of [`Handover::drive`], by whomever.
//!
//! All of it is one word, which tells whether somebody holds the value and whether word was left. Leaving word and letting go change the
//! same word by exchanges, so one of them comes first: either the holder finds the word that was left, or the other finds that
//! nobody holds the value, and takes it.

use super::primitive::{AtomicUsize, Ordering, UnsafeCell, relax};
use std::ops::{Deref, DerefMut};

/// Somebody has it.
const HELD: usize = 1;
/// Whoever has it is to go round once more.
const AGAIN: usize = 2;
/// ... since there was an event.
const EVENT: usize = 4;

/// See the module's text.
pub struct Handover<T> {
    state: AtomicUsize,
    value: UnsafeCell<T>,
}

// SAFETY: one thread at a time reaches the value.
unsafe impl<T: Send> Send for Handover<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Handover<T> {}

/// Having the value. Dropping it lets go, and leaves what word was left for the next call of [`Handover::drive`].
pub struct Held<'a, T> {
    handover: &'a Handover<T>,
}

impl<T> Handover<T> {
    /// Nobody has it.
    pub fn new(value: T) -> Self {
        Self { state: AtomicUsize::new(0), value: UnsafeCell::new(value) }
    }

    /// Works on the value, as often as word is left meanwhile, or leaves word if another thread has it. `work` is told whether there
    /// was an event, here or where the word came from.
    #[inline]
    pub fn drive(&self, event: bool, mut work: impl FnMut(&mut T, bool)) {
        let Some((mut held, left)) = self.enter(event) else { return };
        let mut event = event || left;
        loop {
            work(&mut held, event);
            // `Release`: for whoever takes it next.
            if self.state.compare_exchange(HELD, 0, Ordering::Release, Ordering::Relaxed).is_ok() {
                // Let go already.
                std::mem::forget(held);
                return;
            }
            // `Acquire`: what was done before the word was left has to be seen in the next round.
            event = self.state.swap(HELD, Ordering::Acquire) & EVENT != 0;
        }
    }

    /// Takes the value, and says whether there was an event that nobody has worked off; or leaves word.
    #[inline]
    fn enter(&self, event: bool) -> Option<(Held<'_, T>, bool)> {
        let word = AGAIN | if event { EVENT } else { 0 };
        let mut state = 0;
        loop {
            let free = state & HELD == 0;
            let next = if free { HELD } else { state | word };
            match self.state.compare_exchange(state, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) if free => return Some((Held { handover: self }, state & EVENT != 0)),
                Ok(_) => return None,
                Err(now) => state = now,
            }
        }
    }

    /// Waits for the value. Call `drive` afterwards: word may have been left meanwhile.
    pub fn lock(&self) -> Held<'_, T> {
        let mut tries = 0;
        while self.state.fetch_or(HELD, Ordering::Acquire) & HELD != 0 {
            tries += 1;
            relax(tries);
        }
        Held { handover: self }
    }

    /// Whether somebody has it. If not, what the last one stored before it let go is seen.
    #[inline]
    pub fn is_held(&self) -> bool {
        self.state.load(Ordering::Acquire) & HELD != 0
    }
}

impl<T> Drop for Held<'_, T> {
    fn drop(&mut self) {
        self.handover.state.fetch_and(!HELD, Ordering::Release);
    }
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: only one `Held` exists at a time.
        unsafe { &*self.handover.value.get() }
    }
}

impl<T> DerefMut for Held<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and `&mut self` makes this the only reference by it.
        unsafe { &mut *self.handover.value.get() }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn word_left_in_the_middle_leads_to_another_round() {
        let handover = Handover::new(Vec::new());
        let mut calls = 0;
        handover.drive(true, |rounds, event| {
            rounds.push(event);
            calls += 1;
            if calls < 3 {
                handover.drive(calls == 2, |_, _| unreachable!("it is held"));
            }
        });
        assert_eq!(*handover.lock(), [true, false, true]);
    }

    #[test]
    fn word_left_while_it_is_locked_waits_for_the_next_drive() {
        let handover = Handover::new(());
        let held = handover.lock();
        handover.drive(true, |_, _| unreachable!("it is locked"));
        drop(held);
        let mut events = Vec::new();
        handover.drive(false, |_, event| events.push(event));
        assert_eq!(events, [true]);
    }

    #[test]
    fn a_panic_lets_go() {
        let handover = Handover::new(());
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            handover.drive(false, |_, _| std::panic::resume_unwind(Box::new(())));
        }));
        assert!(panicked.is_err() && !handover.is_held());
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;

    /// What each thread has made known before it drives is worked off in the end, whoever does it, and by one at a time.
    fn check(threads: usize, locked: bool) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(move || {
            let shared = Arc::new((Handover::new((0, 0)), AtomicUsize::new(0), AtomicUsize::new(0)));
            let drive = |shared: &(Handover<(usize, usize)>, AtomicUsize, AtomicUsize), event| {
                let (handover, todo, inside) = shared;
                todo.fetch_add(1, Ordering::Relaxed);
                handover.drive(event, |(done, events), event| {
                    assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0, "two threads have it");
                    *done = todo.load(Ordering::Relaxed);
                    *events += usize::from(event);
                    inside.fetch_sub(1, Ordering::Relaxed);
                });
            };
            let others: Vec<_> = (1..threads)
                .map(|number| {
                    let shared = shared.clone();
                    loom::thread::spawn(move || drive(&shared, number == 1))
                })
                .collect();
            if locked {
                drop(shared.0.lock());
            }
            drive(&shared, false);
            others.into_iter().for_each(|other| other.join().expect("it doesn't panic"));
            let (done, events) = *shared.0.lock();
            assert_eq!(done, threads, "something was left undone");
            assert!(events > 0, "an event was lost");
        });
    }

    #[test]
    fn loom_nothing_is_left_undone() {
        check(3, false);
    }

    #[test]
    fn loom_nor_by_who_locks() {
        check(2, true);
    }
}
