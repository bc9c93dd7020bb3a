//! What is known of the packets of a source, from the next one to be delivered on (RFC 3208, section 6.1), and for each that is missing the state of
//! its repair (section 6.3).

use super::jitter::Jitter;
use super::packet::{Data, Fragment};
use super::{MS, Sequence};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// A NAK is held back for a random time up to this one (NAK_BO_IVL). Others may ask first.
const BACK_OFF: u64 = 50 * MS;
/// How long its confirmation is waited for (NAK_RPT_IVL), and then the data (NAK_RDATA_IVL).
const CONFIRMATION: u64 = 200 * MS;
const REPAIR: u64 = 200 * MS;
/// After so many times of waiting in vain for either, a packet is lost. These five are libzmq's.
const RETRIES: u8 = 50;

/// Places that a source has, whatever others take.
const GUARANTEED: usize = 32;

/// How far the repair of a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    BackOff,
    WaitingForConfirmation,
    WaitingForData,
}

#[derive(Clone, Copy, Debug)]
struct Missing {
    state: State,
    /// When that ends.
    at: u64,
    unconfirmed: u8,
    unrepaired: u8,
}

/// Data that wait for their turn.
#[derive(Debug, PartialEq, Eq)]
pub struct Stored {
    /// Their number.
    pub sequence: Sequence,
    /// The data.
    pub payload: Box<[u8]>,
    /// What they are a part of.
    pub fragment: Option<Fragment>,
}

#[derive(Debug)]
enum Slot {
    Missing(Missing),
    Data(Stored),
    Lost,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Data.
    Data(Stored),
    /// So many packets were lost for good.
    Lost(u32),
}

/// See the module's text.
pub struct ReceiveWindow {
    slots: VecDeque<Slot>,
    /// The number of the first slot. `None` before anything was heard.
    base: Option<Sequence>,
    /// The earliest packet that the source can repair, as far as that was heard and acted upon.
    trail: Sequence,
    /// Packets before the first slot that were lost, and nobody was told as yet.
    lost: u32,
    /// Ends of states, with the packet's number. What isn't so any more is gone past when its time comes.
    timers: BinaryHeap<Reverse<(u64, u32)>>,
    /// A packet that is further ahead than the window is long isn't believed alone.
    suspect: Option<Sequence>,
    limit: usize,
}

impl ReceiveWindow {
    /// One that begins with the first packet that it hears of, and has so many places at most.
    pub fn new(limit: usize) -> Self {
        Self {
            slots: VecDeque::new(),
            base: None,
            trail: Sequence(0),
            lost: 0,
            timers: BinaryHeap::new(),
            suspect: None,
            limit: limit.clamp(1, i32::MAX as usize),
        }
    }

    /// How many places are taken.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Begins with this packet if nothing was heard before.
    fn begin(&mut self, first: Sequence) -> Sequence {
        if self.base.is_none() {
            self.trail = first;
        }
        *self.base.get_or_insert(first)
    }

    fn index(&self, sequence: Sequence) -> Option<usize> {
        let index = usize::try_from(sequence.since(self.base?)).ok()?;
        (index < self.slots.len()).then_some(index)
    }

    /// A packet with data. `allowance` is how many places more may be taken. False: it isn't news, or there is no place for it.
    pub fn data(&mut self, data: &Data<'_>, now: u64, allowance: usize, jitter: &mut Jitter) -> bool {
        let base = self.begin(data.sequence);
        if data.sequence.is_before(base) || !self.reach(data.sequence, now, allowance, jitter) {
            return false;
        }
        self.give_up_before(data.trail);
        let Some(slot) = self.index(data.sequence).and_then(|index| self.slots.get_mut(index)) else {
            return false;
        };
        if matches!(slot, Slot::Data(_)) {
            return false;
        }
        let Data { sequence, fragment, payload, .. } = *data;
        *slot = Slot::Data(Stored { sequence, payload: payload.into(), fragment });
        true
    }

    /// What an SPM says of the source's window.
    pub fn spm(&mut self, trail: Sequence, lead: Sequence, now: u64, allowance: usize, jitter: &mut Jitter) {
        self.begin(lead.plus(1));
        let known = self.index(lead).is_some();
        if !self.reach(lead, now, allowance, jitter) {
            return;
        }
        if !known
            && let Some(Slot::Missing(missing)) = self.index(lead).and_then(|index| self.slots.get(index))
        {
            self.timers.push(Reverse((missing.at, lead.0)));
        }
        self.give_up_before(trail);
    }

    /// Has a place for the packet with that number, unless its turn is over; those before it are missing, and asked for after a while. False: there
    /// can't be one.
    fn reach(&mut self, to: Sequence, now: u64, allowance: usize, jitter: &mut Jitter) -> bool {
        let Some(base) = self.base else { return false };
        let next = base.plus(self.slots.len() as u32);
        let Ok(ahead) = usize::try_from(to.since(next)).map(|ahead| ahead + 1) else {
            self.suspect = None;
            return true;
        };
        if ahead > self.limit {
            return self.jump(to);
        }
        self.suspect = None;
        if ahead > allowance && self.slots.len() + ahead > GUARANTEED {
            return false;
        }
        let over = (self.slots.len() + ahead).saturating_sub(self.limit);
        for _ in 0..over {
            // The earliest packets were waited for long enough. But what is only to be read isn't given up.
            if !matches!(self.slots.front(), Some(Slot::Missing(_) | Slot::Lost)) {
                return false;
            }
            self.slots.pop_front();
            self.lost = self.lost.saturating_add(1);
            self.base = self.base.map(|base| base.plus(1));
        }
        let at = now + jitter.up_to(BACK_OFF);
        for step in 0..ahead {
            let missing = Missing { state: State::BackOff, at, unconfirmed: 0, unrepaired: 0 };
            self.slots.push_back(Slot::Missing(missing));
            if step + 1 < ahead {
                self.timers.push(Reverse((at, next.plus(step as u32).0)));
            }
        }
        true
    }

    /// A packet that far ahead means that all between was missed for longer than it can be repaired, or that somebody tells lies: so it takes two
    /// that agree, with none from here between them.
    fn jump(&mut self, to: Sequence) -> bool {
        let agrees = |suspect: Sequence| to.since(suspect).unsigned_abs() as usize <= self.limit;
        if !self.suspect.is_some_and(agrees) {
            self.suspect = Some(to);
            return false;
        }
        if matches!(self.slots.front(), Some(Slot::Data(_))) {
            // What can be delivered is first.
            return false;
        }
        self.suspect = None;
        if let Some(base) = self.base {
            self.lost = self.lost.saturating_add(to.since(base).unsigned_abs());
        }
        self.slots.clear();
        self.timers.clear();
        self.slots.push_back(Slot::Lost);
        self.base = Some(to);
        self.trail = to;
        true
    }

    /// The source can't repair what is before `trail`.
    fn give_up_before(&mut self, trail: Sequence) {
        let Some(base) = self.base else { return };
        if !self.trail.is_before(trail) {
            return;
        }
        let from = if self.trail.is_before(base) { base } else { self.trail };
        self.trail = trail;
        let count = usize::try_from(trail.since(from)).unwrap_or(0);
        let start = usize::try_from(from.since(base)).unwrap_or(0);
        for slot in self.slots.iter_mut().skip(start).take(count) {
            if matches!(slot, Slot::Missing(_)) {
                *slot = Slot::Lost;
            }
        }
    }

    /// The source has heard a NAK for this packet, whoever has sent it: so it needn't be asked (again).
    pub fn confirm(&mut self, sequence: Sequence, now: u64) {
        if let Some(Slot::Missing(missing)) = self.index(sequence).and_then(|index| self.slots.get_mut(index))
            && missing.state != State::WaitingForData
        {
            missing.state = State::WaitingForData;
            missing.at = now + REPAIR;
            self.timers.push(Reverse((missing.at, sequence.0)));
        }
    }

    /// Does what is due, and adds the packets to be asked for now to `named` until that has `room` numbers.
    pub fn time_has_come(&mut self, now: u64, room: usize, named: &mut Vec<Sequence>, jitter: &mut Jitter) {
        // The same for all, so that they go on together.
        let again = now + jitter.up_to(BACK_OFF);
        while named.len() < room
            && let Some(&Reverse((at, number))) = self.timers.peek()
            && at <= now
        {
            self.timers.pop();
            let sequence = Sequence(number);
            let Some(slot) = self.index(sequence).and_then(|index| self.slots.get_mut(index)) else {
                continue;
            };
            let Slot::Missing(missing) = slot else { continue };
            if missing.at != at {
                continue;
            }
            let retries = match missing.state {
                State::BackOff => {
                    named.push(sequence);
                    missing.state = State::WaitingForConfirmation;
                    missing.at = now + CONFIRMATION;
                    self.timers.push(Reverse((missing.at, number)));
                    continue;
                }
                State::WaitingForConfirmation => &mut missing.unconfirmed,
                State::WaitingForData => &mut missing.unrepaired,
            };
            *retries += 1;
            if *retries >= RETRIES {
                *slot = Slot::Lost;
                continue;
            }
            missing.state = State::BackOff;
            missing.at = again;
            self.timers.push(Reverse((again, number)));
        }
    }

    /// When [`Self::time_has_come`] may have something to do, in nanoseconds.
    pub fn due(&self) -> u64 {
        self.timers.peek().map_or(u64::MAX, |Reverse((at, _))| *at)
    }

    /// Whether [`Self::next`] has something.
    pub fn has_next(&self) -> bool {
        self.lost > 0 || matches!(self.slots.front(), Some(Slot::Data(_) | Slot::Lost))
    }

    /// What comes next, in the order of the numbers; `None` as long as that is missing.
    pub fn next(&mut self) -> Option<Delivery> {
        while let Some(Slot::Lost) = self.slots.front() {
            self.lost = self.lost.saturating_add(1);
            self.step();
        }
        if self.lost > 0 {
            return Some(Delivery::Lost(std::mem::take(&mut self.lost)));
        }
        if !matches!(self.slots.front(), Some(Slot::Data(_))) {
            return None;
        }
        match self.step() {
            Some(Slot::Data(stored)) => Some(Delivery::Data(stored)),
            _ => None,
        }
    }

    fn step(&mut self) -> Option<Slot> {
        let slot = self.slots.pop_front()?;
        self.base = self.base.map(|base| base.plus(1));
        Some(slot)
    }
}

#[cfg(test)]
mod tests;
