//! A set of repeating timers: zmq_timers(3).
//!
//! Time is an argument, in milliseconds from any fixed point. A timer that is due is handed out by [`Timers::next_due`], run by the caller
//! without any lock, and handed back to [`Timers::ran`]; meanwhile it may be cancelled, reset, or changed, also by its own handler.

use std::collections::{BTreeMap, HashMap};

use crate::error::{Error, Result};

/// When a timer is due, and how many were scheduled before it: equal times run in the order of scheduling.
type Slot = (u64, u64);

struct Timer<H> {
    interval: u64,
    handler: H,
    /// Where in `schedule` it stands; `None` while its handler runs.
    slot: Option<Slot>,
    /// It never runs again, but as upstream does, its id is known until a look at the timers finds it before all others.
    cancelled: bool,
}

/// Timers, each with a handler `H`.
pub struct Timers<H> {
    last_id: i32,
    scheduled: u64,
    timers: HashMap<i32, Timer<H>>,
    schedule: BTreeMap<Slot, i32>,
}

/// A run through the timers that are due: what was scheduled after it began waits for the next one, so that an interval of 0 ends.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    now: u64,
    limit: u64,
}

impl<H: Clone> Timers<H> {
    /// No timers.
    pub fn new() -> Self {
        Self { last_id: 0, scheduled: 0, timers: HashMap::new(), schedule: BTreeMap::new() }
    }

    /// Adds a timer that is due in `interval` milliseconds and every so many from then on. Returns its id, which is positive.
    pub fn add(&mut self, now: u64, interval: u64, handler: H) -> Result<i32> {
        // Ids run in sequence; after 2^31 of them, those in use are skipped.
        let id = (0..=self.timers.len())
            .map(|_| {
                self.last_id = self.last_id.checked_add(1).unwrap_or(1);
                self.last_id
            })
            .find(|id| !self.timers.contains_key(id))
            .ok_or(Error::OutOfMemory)?;
        self.timers.insert(id, Timer { interval, handler, slot: None, cancelled: false });
        self.place(id, now, interval);
        Ok(id)
    }

    /// Cancels a timer.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is no such timer, or no more.
    pub fn cancel(&mut self, id: i32) -> Result<()> {
        match self.timers.get_mut(&id) {
            Some(timer) if !timer.cancelled => {
                timer.cancelled = true;
                Ok(())
            }
            _ => Err(Error::Invalid),
        }
    }

    /// Gives a timer another interval, which begins now.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is no such timer.
    pub fn set_interval(&mut self, now: u64, id: i32, interval: u64) -> Result<()> {
        self.timers.get_mut(&id).ok_or(Error::Invalid)?.interval = interval;
        self.place(id, now, interval);
        Ok(())
    }

    /// Begins a timer's interval anew.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is no such timer.
    pub fn reset(&mut self, now: u64, id: i32) -> Result<()> {
        let interval = self.timers.get(&id).ok_or(Error::Invalid)?.interval;
        self.place(id, now, interval);
        Ok(())
    }

    /// The milliseconds until a timer is due: 0 if one is, `None` without timers.
    pub fn timeout(&mut self, now: u64) -> Option<u64> {
        self.forget_cancelled();
        let (slot, _) = self.schedule.first_key_value()?;
        Some(slot.0.saturating_sub(now))
    }

    /// Begins a run.
    pub fn run(&self, now: u64) -> Run {
        Run { now, limit: self.scheduled }
    }

    /// The next timer of a run, to be handed back to [`Timers::ran`] when its handler has returned.
    pub fn next_due(&mut self, run: Run) -> Option<(i32, H)> {
        loop {
            self.forget_cancelled();
            let (slot, id) = self
                .schedule
                .range(..=(run.now, u64::MAX))
                .find(|(slot, _)| slot.1 < run.limit)
                .map(|(slot, id)| (*slot, *id))?;
            self.schedule.remove(&slot);
            let timer = self.timers.get_mut(&id)?;
            timer.slot = None;
            if !timer.cancelled {
                return Some((id, timer.handler.clone()));
            }
            self.timers.remove(&id);
        }
    }

    /// Schedules a timer again whose handler has run, counting from the run's time, unless the handler has seen to that.
    pub fn ran(&mut self, run: Run, id: i32) {
        if let Some(Timer { slot: None, interval, .. }) = self.timers.get(&id) {
            self.place(id, run.now, *interval);
        }
    }

    /// Forgets the cancelled timers that would be due before all others.
    fn forget_cancelled(&mut self) {
        while let Some(first) = self.schedule.first_entry()
            && self.timers.get(first.get()).is_none_or(|timer| timer.cancelled)
        {
            self.timers.remove(&first.remove());
        }
    }

    /// Schedules a timer, which must exist, for `interval` from `now`.
    fn place(&mut self, id: i32, now: u64, interval: u64) {
        let Some(timer) = self.timers.get_mut(&id) else { return };
        let slot = (now.saturating_add(interval), self.scheduled);
        self.scheduled += 1;
        if let Some(old) = timer.slot.replace(slot) {
            self.schedule.remove(&old);
        }
        self.schedule.insert(slot, id);
    }
}

impl<H: Clone> Default for Timers<H> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ids that a run executes, with what `handler` does to the timers while each runs.
    fn execute(timers: &mut Timers<()>, now: u64, mut handler: impl FnMut(&mut Timers<()>, i32)) -> Vec<i32> {
        let run = timers.run(now);
        let mut ran = Vec::new();
        while let Some((id, ())) = timers.next_due(run) {
            ran.push(id);
            handler(timers, id);
            timers.ran(run, id);
        }
        ran
    }

    fn nothing(_: &mut Timers<()>, _: i32) {}

    #[test]
    fn timers_repeat_in_the_order_of_their_times() {
        let mut timers = Timers::new();
        let slow = timers.add(0, 30, ()).unwrap();
        let fast = timers.add(0, 20, ()).unwrap();
        assert_eq!(timers.timeout(5), Some(15));
        assert_eq!(execute(&mut timers, 19, nothing), []);
        assert_eq!(execute(&mut timers, 35, nothing), [fast, slow]);
        assert_eq!(timers.timeout(35), Some(20));
        assert_eq!(timers.timeout(99), Some(0));
    }

    #[test]
    fn an_interval_of_zero_runs_once_in_each_run() {
        let mut timers = Timers::new();
        let id = timers.add(0, 0, ()).unwrap();
        assert_eq!(execute(&mut timers, 0, nothing), [id]);
        assert_eq!(execute(&mut timers, 0, nothing), [id]);
        let second = execute(&mut timers, 0, |timers, _| {
            timers.add(0, 0, ()).unwrap();
        });
        assert_eq!(second, [id]);
    }

    #[test]
    fn the_longest_interval_is_never_due() {
        let mut timers = Timers::new();
        timers.add(5, u64::MAX, ()).unwrap();
        assert_eq!(execute(&mut timers, 1 << 60, nothing), []);
    }

    #[test]
    fn a_cancelled_timer_never_runs() {
        let mut timers = Timers::new();
        let id = timers.add(0, 10, ()).unwrap();
        assert_eq!(timers.cancel(id), Ok(()));
        assert_eq!(timers.cancel(id), Err(Error::Invalid));
        assert_eq!(timers.timeout(0), None);
        assert_eq!(timers.reset(0, id), Err(Error::Invalid));
        assert_eq!(timers.set_interval(0, id, 1), Err(Error::Invalid));
        assert!(timers.timers.is_empty());
    }

    #[test]
    fn a_cancelled_timer_is_known_while_another_is_due_before_it() {
        let mut timers = Timers::new();
        let first = timers.add(0, 10, ()).unwrap();
        let second = timers.add(0, 20, ()).unwrap();
        timers.cancel(second).unwrap();
        assert_eq!(timers.timeout(0), Some(10));
        assert_eq!(timers.reset(0, second), Ok(()), "as in the reference");
        assert_eq!(execute(&mut timers, 25, nothing), [first]);
        assert_eq!(timers.reset(25, second), Err(Error::Invalid));
    }

    #[test]
    fn a_handler_may_cancel_itself_and_others() {
        let mut timers = Timers::new();
        let first = timers.add(0, 10, ()).unwrap();
        let second = timers.add(0, 10, ()).unwrap();
        let ran = execute(&mut timers, 10, |timers, _| {
            timers.cancel(first).unwrap();
            timers.cancel(second).unwrap();
        });
        assert_eq!(ran, [first]);
        assert_eq!(execute(&mut timers, 100, nothing), []);
        assert_eq!(timers.timeout(100), None);
    }

    #[test]
    fn a_handler_may_change_its_own_interval() {
        let mut timers = Timers::new();
        let id = timers.add(0, 10, ()).unwrap();
        let ran = execute(&mut timers, 10, |timers, id| timers.set_interval(12, id, 50).unwrap());
        assert_eq!(ran, [id]);
        assert_eq!(timers.timeout(12), Some(50));
        assert_eq!(timers.schedule.len(), 1);
    }

    #[test]
    fn ids_in_use_are_skipped_when_they_come_round() {
        let mut timers = Timers::new();
        assert_eq!(timers.add(0, 10, ()), Ok(1));
        timers.last_id = i32::MAX;
        assert_eq!(timers.add(0, 10, ()), Ok(2));
    }
}
