//! A mutex that costs its usual user no atomic read-modify-write.
//!
//! A socket is nearly always used by one thread at a time, and a plain mutex would cost more than everything else in a
//! small message's way. So the lock is *biased*: it remembers the thread that uses it, its owner.
//!
//! # How it works
//!
//! The owner enters by storing the lock's address in its own place (see [`super::place`]) and looking that it still is the
//! owner, and leaves by clearing its place. Any other thread takes the inner mutex, which makes it the only one that may
//! change `owner`, stores that there is no owner, and then makes sure that one of two things has happened: either the owner's
//! look sees that, or what it has stored in its place is seen here. That would need a full fence on both sides between the
//! store and the load (Dekker's argument); `membarrier`(2) puts one into every running thread of the process, so the owner
//! needs only keep the compiler from reordering. Then the revoker waits until the owner's place is clear, and the
//! lock is a plain mutex from there on.
//!
//! A thread that has taken the mutex several times in a row becomes the owner. How many times doubles with each
//! revocation, so that a lock which changes hands all the time stays a plain mutex.
//!
//! Where `membarrier` is missing there is never an owner.
//!
//! A thread that tries to enter a second time (a signal handler, a message's free function) is told so. A thread that is
//! inside of one lock by bias enters another by its mutex, as it has one place only.

use super::place::{self, Place};
use super::primitive::{
    AtomicUsize, Mutex, MutexGuard, Ordering, UnsafeCell, bias_is_possible, heavy_fence, hint_fence,
};
use super::thread_token::thread_token;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};

/// No thread has this token.
const NOBODY: usize = 0;
/// No lock has this address.
const NOWHERE: usize = 0;
/// After how many turns in a row a thread becomes the owner, at most.
const MAX_TURNS: u32 = 1 << 16;

/// What only the holder of the inner mutex touches.
struct Turns {
    last: usize,
    in_a_row: u32,
    needed: u32,
}

/// The lock, and what it protects.
pub struct BiasedMutex<T> {
    /// The thread that may enter by its place alone. Changed only under `inner`, and set only by that thread.
    owner: AtomicUsize,
    /// The thread that is inside by the mutex, to notice its second entry.
    holder: AtomicUsize,
    inner: Mutex<Turns>,
    value: UnsafeCell<T>,
}

// SAFETY: the lock lets one thread at a time reach the value.
unsafe impl<T: Send> Send for BiasedMutex<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for BiasedMutex<T> {}

/// Being inside. Dropping it leaves.
pub struct BiasedGuard<'a, T> {
    lock: &'a BiasedMutex<T>,
    how: Entry<'a>,
    /// A guard stays with its thread.
    not_send: PhantomData<*const ()>,
}

enum Entry<'a> {
    /// By bias: the owner's place.
    Bias(&'static Place),
    /// A guard of the mutex, let go by `end_turn`, so that nothing of it is in the way of leaving by bias.
    Turn(ManuallyDrop<MutexGuard<'a, Turns>>),
}

impl<T> BiasedMutex<T> {
    /// Without an owner as yet.
    pub fn new(value: T) -> Self {
        Self {
            owner: AtomicUsize::new(NOBODY),
            holder: AtomicUsize::new(NOBODY),
            inner: Mutex::new(Turns { last: NOBODY, in_a_row: 0, needed: 1 }),
            value: UnsafeCell::new(value),
        }
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Enters, waiting for whoever is inside. `None`: this very thread is inside already.
    #[inline]
    pub fn lock(&self) -> Option<BiasedGuard<'_, T>> {
        self.lock_by_bias().or_else(|| self.lock_slowly(thread_token()))
    }

    /// Enters if this thread is the owner. Inlined, what the guard needs to leave is known to be the place.
    #[inline(always)]
    pub fn lock_by_bias(&self) -> Option<BiasedGuard<'_, T>> {
        let me = thread_token();
        if self.owner.load(Ordering::Relaxed) == me {
            // An owner has claimed its place.
            let place = place::of(me);
            if place.inside.load(Ordering::Relaxed) == NOWHERE {
                place.inside.store(self.address(), Ordering::Relaxed);
                hint_fence();
                if self.owner.load(Ordering::Relaxed) == me {
                    return Some(BiasedGuard { lock: self, how: Entry::Bias(place), not_send: PhantomData });
                }
                place.inside.store(NOWHERE, Ordering::Release);
            }
        }
        None
    }

    #[cold]
    #[inline(never)]
    fn lock_slowly(&self, me: usize) -> Option<BiasedGuard<'_, T>> {
        if self.holder.load(Ordering::Relaxed) == me {
            return None;
        }
        // Inside by bias, which may have been revoked meanwhile: whoever does that holds the mutex and waits for this thread.
        let place = place::of(me);
        if place.inside.load(Ordering::Relaxed) == self.address() && place.is_of(me) {
            return None;
        }
        let mut turns = self.inner.lock();
        let owner = self.owner.load(Ordering::Relaxed);
        if owner != NOBODY {
            self.revoke(owner);
            turns.needed = (turns.needed * 2).min(MAX_TURNS);
        }
        if turns.last != me {
            turns.last = me;
            turns.in_a_row = 0;
        }
        turns.in_a_row += 1;
        self.holder.store(me, Ordering::Relaxed);
        let how = Entry::Turn(ManuallyDrop::new(turns));
        Some(BiasedGuard { lock: self, how, not_send: PhantomData })
    }

    /// Whether nobody is inside, nor about to be. For a child of `fork`, where a thread that was inside may be none of its own.
    pub fn is_at_rest(&self) -> bool {
        let Some(turns) = self.inner.try_lock() else { return false };
        let owner = self.owner.load(Ordering::Relaxed);
        let inside = owner != NOBODY && place::of(owner).inside.load(Ordering::Acquire) == self.address();
        drop(turns);
        !inside
    }

    /// Takes the bias away and waits until its owner is outside. The caller holds `inner`.
    fn revoke(&self, owner: usize) {
        self.owner.store(NOBODY, Ordering::Relaxed);
        heavy_fence();
        let place = place::of(owner);
        let mut tries = 0;
        // `Acquire` pairs with the owner's `Release` when it leaves.
        while place.inside.load(Ordering::Acquire) == self.address() {
            tries += 1;
            super::primitive::relax(tries);
        }
    }
}

impl<T> Drop for BiasedGuard<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        match &mut self.how {
            Entry::Bias(place) => place.inside.store(NOWHERE, Ordering::Release),
            // SAFETY: it isn't used any more.
            Entry::Turn(turns) => self.lock.end_turn(unsafe { ManuallyDrop::take(turns) }),
        }
    }
}

impl<T> BiasedMutex<T> {
    /// Leaves by the mutex, which is released at the end.
    #[cold]
    #[inline(never)]
    fn end_turn(&self, turns: MutexGuard<'_, Turns>) {
        self.holder.store(NOBODY, Ordering::Relaxed);
        if turns.in_a_row >= turns.needed && bias_is_possible() && place::of(turns.last).claim(turns.last) {
            self.owner.store(turns.last, Ordering::Relaxed);
        }
    }
}

impl<T> Deref for BiasedGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: a guard exists only while its thread is the only one inside.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for BiasedGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and `&mut self` makes this the only reference by this guard.
        unsafe { &mut *self.lock.value.get() }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn one_thread_at_a_time() {
        let lock = Arc::new(BiasedMutex::new((0_u64, 0_u64)));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let lock = lock.clone();
                std::thread::spawn(move || {
                    for turn in 0..20_000_u64 {
                        let mut guard = lock.lock().expect("not inside");
                        guard.0 += 1;
                        guard.1 += 1;
                        assert_eq!(guard.0, guard.1);
                        drop(guard);
                        if turn % 1000 == 0 {
                            std::thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no thread panics");
        }
        assert_eq!(lock.lock().expect("free").0, 80_000);
    }

    #[test]
    fn a_second_entry_is_refused_with_and_without_bias() {
        let lock = BiasedMutex::new(());
        for _ in 0..3 {
            let guard = lock.lock().expect("free");
            assert!(lock.lock().is_none());
            drop(guard);
        }
        assert!(lock.lock().is_some());
    }

    #[test]
    fn the_owner_moves_with_the_user() {
        let lock = Arc::new(BiasedMutex::new(0));
        *lock.lock().expect("free") += 1;
        let other = lock.clone();
        std::thread::spawn(move || {
            for _ in 0..100 {
                *other.lock().expect("free") += 1;
            }
            if bias_is_possible() {
                assert_eq!(other.owner.load(Ordering::Relaxed), thread_token());
            }
        })
        .join()
        .expect("the other thread gets in");
        assert_eq!(*lock.lock().expect("free"), 101);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;

    /// Looks from inside whether it is alone there; loom tries every order of the steps in between.
    fn enter(lock: &BiasedMutex<usize>, inside: &AtomicUsize) {
        let mut guard = lock.lock().expect("this thread isn't inside");
        assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0, "two threads are inside");
        *guard += 1;
        assert_eq!(inside.fetch_sub(1, Ordering::Relaxed), 1, "two threads are inside");
    }

    fn check(preemptions: usize, entries: &'static [usize]) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(preemptions);
        builder.check(move || {
            let lock = Arc::new((BiasedMutex::new(0), AtomicUsize::new(0)));
            let others: Vec<_> = entries[1..]
                .iter()
                .map(|&count| {
                    let lock = lock.clone();
                    loom::thread::spawn(move || (0..count).for_each(|_| enter(&lock.0, &lock.1)))
                })
                .collect();
            (0..entries[0]).for_each(|_| enter(&lock.0, &lock.1));
            others.into_iter().for_each(|other| other.join().expect("it doesn't panic"));
            assert_eq!(*lock.0.lock().expect("free"), entries.iter().sum());
        });
    }

    /// The first becomes the owner, and the second revokes it.
    #[test]
    fn loom_one_revokes_another() {
        check(4, &[2, 1]);
    }

    /// Both become the owner, one after the other.
    #[test]
    fn loom_the_bias_moves() {
        check(3, &[2, 3]);
    }

    /// A former owner that was held up between its look and its store mustn't disturb the next owner and who revokes that.
    #[test]
    fn loom_a_former_owner_is_late() {
        check(2, &[2, 3, 1]);
    }
}
