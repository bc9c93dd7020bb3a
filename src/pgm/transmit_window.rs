//! What a source has sent and can send again (RFC 3208, section 5.1.2).

use super::Sequence;
use std::collections::VecDeque;

struct Entry {
    packet: Box<[u8]>,
    /// A repair of it is under way, so another NAK for it changes nothing.
    wanted: bool,
}

/// The last packets with data, as they were sent.
pub struct TransmitWindow {
    entries: VecDeque<Entry>,
    trail: Sequence,
    /// How many packets it holds at most.
    limit: usize,
}

impl TransmitWindow {
    /// An empty one, whose first packet will have the number `first`. It holds at least one packet, and less than half of all numbers.
    pub fn new(first: Sequence, limit: usize) -> Self {
        Self { entries: VecDeque::new(), trail: first, limit: limit.clamp(1, i32::MAX as usize) }
    }

    /// The earliest packet that can be repaired.
    pub fn trail(&self) -> Sequence {
        self.trail
    }

    /// The number of the next packet.
    pub fn next(&self) -> Sequence {
        self.trail.plus(self.entries.len() as u32)
    }

    /// Makes room for one more packet, for which the earliest one is given up if need be.
    pub fn advance(&mut self) {
        while self.entries.len() >= self.limit {
            self.entries.pop_front();
            self.trail = self.trail.plus(1);
        }
    }

    /// Adds the packet that has the number [`Self::next`].
    pub fn push(&mut self, packet: Box<[u8]>) {
        self.advance();
        self.entries.push_back(Entry { packet, wanted: false });
    }

    fn index(&self, sequence: Sequence) -> Option<usize> {
        usize::try_from(sequence.since(self.trail)).ok().filter(|&index| index < self.entries.len())
    }

    /// The packet with that number, if it is still there.
    pub fn packet(&self, sequence: Sequence) -> Option<&[u8]> {
        self.index(sequence).and_then(|index| self.entries.get(index)).map(|entry| &*entry.packet)
    }

    /// Notes that a repair is wanted, and says whether that is possible and news.
    pub fn want(&mut self, sequence: Sequence) -> bool {
        let entry = self.index(sequence).and_then(|index| self.entries.get_mut(index));
        entry.is_some_and(|entry| !std::mem::replace(&mut entry.wanted, true))
    }

    /// The packet for a repair that was wanted, if it is still there. It may be wanted again from now on.
    pub fn repair(&mut self, sequence: Sequence) -> Option<&mut [u8]> {
        let entry = self.index(sequence).and_then(|index| self.entries.get_mut(index))?;
        entry.wanted = false;
        Some(&mut entry.packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_packets_leave_and_numbers_go_round() {
        let mut window = TransmitWindow::new(Sequence(u32::MAX - 1), 3);
        assert_eq!(window.next(), Sequence(u32::MAX - 1));
        for byte in 0..5 {
            window.push(Box::new([byte]));
        }
        assert_eq!((window.trail(), window.next()), (Sequence(0), Sequence(3)));
        assert_eq!(window.packet(Sequence(u32::MAX)), None);
        assert_eq!(window.packet(Sequence(0)), Some(&[2][..]));
        assert_eq!(window.packet(Sequence(2)), Some(&[4][..]));
        assert_eq!(window.packet(Sequence(3)), None);
    }

    #[test]
    fn a_repair_is_wanted_once_at_a_time() {
        let mut window = TransmitWindow::new(Sequence(0), 2);
        window.push(Box::new([0]));
        window.push(Box::new([1]));
        assert!(window.want(Sequence(1)));
        assert!(!window.want(Sequence(1)));
        assert!(!window.want(Sequence(2)));
        assert!(window.repair(Sequence(1)).is_some());
        assert!(window.want(Sequence(1)));
        window.push(Box::new([2]));
        assert!(!window.want(Sequence(0)), "it has left");
        assert!(window.repair(Sequence(0)).is_none());
        assert!(window.want(Sequence(2)), "a new packet in an old place");
    }
}
