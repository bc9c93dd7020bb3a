//! A source (RFC 3208, section 5): sends data at a rate, tells of its window, and repairs what receivers miss.

use super::packet::{self, Body, DATA_HEADER, Identity, Marks, Nak, Spm, finish_data, turn_into_repair};
use super::rate::Bucket;
use super::transmit_window::TransmitWindow;
use super::{MS, Sequence};
use core::net::IpAddr;
use std::collections::VecDeque;

/// How long after the last data SPMs are sent, one after the other; then at each [`AMBIENT`]. libzmq's intervals.
const HEARTBEATS: [u64; 9] =
    [100 * MS, 100 * MS, 100 * MS, 100 * MS, 1300 * MS, 7000 * MS, 16_000 * MS, 25_000 * MS, 30_000 * MS];
/// SPMs are sent at least so often.
const AMBIENT: u64 = 30_000 * MS;
/// SPMs that were asked for are no closer together (IHB_MIN, section 13.6).
const ASKED: u64 = 100 * MS;
/// SPMs at the beginning and at the end, against losses.
const REPEATS: usize = 3;
/// How many confirmations wait to be sent at most. A NAK beyond that isn't confirmed; it will come again.
const MAX_CONFIRMATIONS: usize = 64;
/// How many packets a call of [`Sender::fill`] leaves ready at most.
const MAX_READY: usize = 64;

/// What a source is and may do.
#[derive(Clone, Copy, Debug)]
pub struct SenderConfig {
    /// Who it is.
    pub identity: Identity,
    /// The number of its first packet. OpenPGM's sources begin with 0.
    pub first: Sequence,
    /// Its own address, for NAKs.
    pub address: IpAddr,
    /// The group that it sends to.
    pub group: IpAddr,
    /// Bytes per second.
    pub rate: u64,
    /// The longest packet in bytes, all headers included (`ZMQ_MULTICAST_MAXTPDU`).
    pub max_tpdu: usize,
    /// What is before the PGM header of a packet, in bytes: the headers of IP and UDP. They count for the rate.
    pub overhead: usize,
    /// How many packets can be repaired.
    pub window: usize,
}

/// What goes to the group next.
enum Ready {
    Spm(Vec<u8>),
    Confirmation(Vec<u8>),
    /// A packet of the window, as original data.
    Original(Sequence),
    Repair(Box<[u8]>),
}

/// See the module's text. Times are nanoseconds on a clock of the caller's.
///
/// [`Sender::fill`] says what is to be sent: as long as [`Sender::packet`] has something at 0, send it, and say so by [`Sender::sent`].
pub struct Sender {
    config: SenderConfig,
    window: TransmitWindow,
    /// Original data and repairs have a bucket each: a receiver that misses much mustn't stop the others, nor have more sent than data are.
    originals: Bucket,
    repairs: Bucket,
    ready: VecDeque<Ready>,
    /// Data that was packed and has to wait for its bucket: those from here to the lead.
    unsent: Sequence,
    wanted: VecDeque<Sequence>,
    confirmations: usize,
    spm_sequence: Sequence,
    ambient_at: u64,
    heartbeat_at: Option<u64>,
    /// Which of [`HEARTBEATS`] comes then.
    heartbeat: usize,
    /// When an SPM may be sent to who asks for one; who has asked.
    spm_allowed: u64,
    spm_asked: bool,
    finished: bool,
}

impl Sender {
    /// A new source, which announces itself.
    pub fn new(config: SenderConfig, now: u64) -> Self {
        let bucket = Bucket::new(config.rate, config.max_tpdu);
        let mut sender = Self {
            config,
            window: TransmitWindow::new(config.first, config.window),
            originals: bucket,
            repairs: bucket,
            ready: VecDeque::new(),
            unsent: config.first,
            wanted: VecDeque::new(),
            confirmations: 0,
            spm_sequence: Sequence(0),
            ambient_at: now + AMBIENT,
            heartbeat_at: None,
            heartbeat: 0,
            spm_allowed: now,
            spm_asked: false,
            finished: false,
        };
        for _ in 0..REPEATS {
            sender.send_spm(Marks::default());
        }
        sender
    }

    /// How many bytes of data a packet holds at most.
    pub fn max_data(&self) -> usize {
        self.config.max_tpdu.saturating_sub(self.config.overhead + DATA_HEADER)
    }

    /// Whether a packet of data would be sent at once: the rate allows it, and none waits.
    pub fn has_room(&self, now: u64) -> bool {
        // What is ready is part of the window, and mustn't leave it before it was sent.
        self.ready.len() < MAX_READY.min(self.config.window)
            && self.unsent == self.window.next()
            && self.originals.allows(self.config.max_tpdu, now)
    }

    /// Adds data. The packet begins with [`DATA_HEADER`] bytes of room, and has up to [`Self::max_data`] bytes of data. It is for the time when
    /// there is room; else the rate is kept all the same, and it waits.
    pub fn push(&mut self, mut packet: Box<[u8]>, now: u64) {
        if packet.len() < DATA_HEADER {
            return;
        }
        // The trail in it is that of the window with this packet in it.
        self.window.advance();
        finish_data(self.config.identity, self.window.next(), self.window.trail(), &mut packet);
        self.window.push(packet);
        if self.ready.len() >= self.config.window {
            let trail = self.window.trail();
            self.ready
                .retain(|ready| !matches!(ready, Ready::Original(sequence) if sequence.is_before(trail)));
        }
        self.fill(now);
    }

    /// Takes a packet from the network, and says whether it is one from a receiver that wants something.
    pub fn handle(&mut self, bytes: &[u8], now: u64) -> bool {
        let Some(packet) = packet::parse(bytes) else { return false };
        let Identity { tsi, port } = self.config.identity;
        if (packet.tsi, packet.port) != (tsi, port) || self.finished {
            return false;
        }
        match packet.body {
            Body::Nak(nak) => self.on_nak(&nak),
            Body::Spmr => self.spm_asked = true,
            Body::Spm(_) | Body::Data(_) | Body::Ncf(_) => return false,
        }
        self.fill(now);
        true
    }

    /// Confirms a NAK, and notes what is to be repaired. A storm of them costs no more than the rate of the repairs: a packet is wanted once at
    /// a time, and confirmations wait in a short queue.
    fn on_nak(&mut self, nak: &Nak<'_>) {
        if (nak.source, nak.group) != (self.config.address, self.config.group) {
            return;
        }
        let mut there = Vec::new();
        for sequence in nak.sequences() {
            if self.window.packet(sequence).is_some() && sequence.is_before(self.unsent) {
                there.push(sequence);
                if self.window.want(sequence) {
                    self.wanted.push_back(sequence);
                }
            } else {
                // What has left the window can't be repaired. The trail in an SPM says so.
                self.spm_asked = true;
            }
        }
        if self.confirmations < MAX_CONFIRMATIONS
            && let Some(ncf) = packet::nak(self.config.identity, true, &there, nak.source, nak.group)
        {
            self.confirmations += 1;
            self.ready.push_front(Ready::Confirmation(ncf));
        }
    }

    /// Ends the session: receivers hear what the last packet was. What is missing then isn't repaired any more.
    pub fn finish(&mut self) {
        if !std::mem::replace(&mut self.finished, true) {
            self.wanted.clear();
            for _ in 0..REPEATS {
                self.send_spm(Marks { fin: true, rst: false });
            }
        }
    }

    fn send_spm(&mut self, marks: Marks) {
        let spm = Spm {
            sequence: self.spm_sequence,
            trail: self.window.trail(),
            lead: self.unsent.minus(1),
            path: self.config.address,
            marks,
        };
        self.spm_sequence = self.spm_sequence.plus(1);
        self.ready.push_back(Ready::Spm(packet::spm(self.config.identity, &spm)));
    }

    /// Does what is due, and makes ready what the rate allows.
    pub fn fill(&mut self, now: u64) {
        self.fill_spm(now);
        while self.ready.len() < MAX_READY
            && let Some(&sequence) = self.wanted.front()
        {
            let Some(size) = self.window.packet(sequence).map(<[u8]>::len) else {
                self.wanted.pop_front();
                continue;
            };
            if !self.repairs.allows(size + self.config.overhead, now) {
                break;
            }
            self.wanted.pop_front();
            let trail = self.window.trail();
            if let Some(packet) = self.window.repair(sequence) {
                turn_into_repair(trail, packet);
                self.repairs.take(size + self.config.overhead, now);
                self.ready.push_back(Ready::Repair((&*packet).into()));
                self.restart_heartbeat(now);
            }
        }
        while self.ready.len() < MAX_READY && self.unsent.is_before(self.window.next()) {
            // A packet whose turn never came before it had to leave the window is lost, and receivers see that.
            let Some(size) = self.window.packet(self.unsent).map(<[u8]>::len) else {
                self.unsent = self.window.trail();
                continue;
            };
            if !self.originals.allows(size + self.config.overhead, now) {
                break;
            }
            self.originals.take(size + self.config.overhead, now);
            self.ready.push_back(Ready::Original(self.unsent));
            self.unsent = self.unsent.plus(1);
            self.restart_heartbeat(now);
        }
    }

    fn restart_heartbeat(&mut self, now: u64) {
        self.heartbeat = 0;
        self.heartbeat_at = Some(now + HEARTBEATS[0]);
    }

    fn fill_spm(&mut self, now: u64) {
        if self.finished || self.ready.len() >= MAX_READY {
            return;
        }
        if self.spm_asked && self.spm_allowed <= now {
            self.spm_asked = false;
            self.spm_allowed = now + ASKED;
            self.send_spm(Marks::default());
        }
        let heartbeat = self.heartbeat_at.is_some_and(|at| at <= now);
        if heartbeat || self.ambient_at <= now {
            self.send_spm(Marks::default());
        }
        if heartbeat {
            self.heartbeat += 1;
            self.heartbeat_at = HEARTBEATS.get(self.heartbeat).map(|interval| now + interval);
        }
        if self.ambient_at <= now {
            self.ambient_at = now + AMBIENT;
        }
    }

    /// The packet that is to be sent after so many others.
    pub fn packet(&self, index: usize) -> Option<&[u8]> {
        match self.ready.get(index)? {
            Ready::Spm(packet) | Ready::Confirmation(packet) => Some(packet),
            Ready::Repair(packet) => Some(packet),
            Ready::Original(sequence) => self.window.packet(*sequence),
        }
    }

    /// Says that the first so many were sent.
    pub fn sent(&mut self, count: usize) {
        for ready in self.ready.drain(..count.min(self.ready.len())) {
            self.confirmations -= usize::from(matches!(ready, Ready::Confirmation(_)));
        }
    }

    /// When [`Self::fill`] has something to do, unless something arrives before; nanoseconds.
    pub fn due(&self) -> u64 {
        if self.ready.len() >= MAX_READY {
            // Nothing is made ready before something was sent.
            return u64::MAX;
        }
        let mut due = u64::MAX;
        if !self.finished {
            due = self.ambient_at.min(self.heartbeat_at.unwrap_or(u64::MAX));
            if self.spm_asked {
                due = due.min(self.spm_allowed);
            }
        }
        let waiting = |sequence: Sequence, bucket: &Bucket| {
            let size = self.window.packet(sequence).map_or(0, <[u8]>::len);
            bucket.ready_at(size + self.config.overhead)
        };
        if let Some(&sequence) = self.wanted.front() {
            due = due.min(waiting(sequence, &self.repairs));
        }
        if self.unsent.is_before(self.window.next()) {
            due = due.min(waiting(self.unsent, &self.originals));
        }
        due
    }

    /// When there will be room for data as far as the rate goes, in nanoseconds. Where a millisecond brings many packets, it is when some of them can go
    /// together.
    pub fn room_at(&self) -> u64 {
        self.originals.ready_at(self.config.max_tpdu.max(self.originals.portion()))
    }

    /// Whether all data were sent.
    pub fn is_drained(&self) -> bool {
        self.ready.is_empty() && self.unsent == self.window.next()
    }
}

#[cfg(test)]
mod tests;
