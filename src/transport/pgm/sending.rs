//! The side that publishes.

use super::address::Address;
use super::channel::{Channel, Encapsulation};
use super::{NONE, OFFSET, Sizes};
use crate::options::Options;
use crate::pgm::{DATA_HEADER, Identity, Sender, SenderConfig, Sequence, Tsi};
use crate::random;
use crate::sys::datagrams::{BATCH, Outgoing};
use crate::sys::time;
use crate::transport::multicast::{Arrival, Layout, Multicast, Watched};
use socket2::SockAddr;
use std::io;

/// How long after the last data or repair a closed socket stays for those who miss some; nanoseconds. Receivers hear of the last packet within 100 ms, and ask
/// within 50 more.
const REPAIR: u64 = 500_000_000;
/// How many packets from receivers are looked at before the I/O thread looks after others.
const BUDGET: usize = 4 * BATCH;
/// When to go on after that, in nanoseconds.
const AGAIN: u64 = 1_000_000;

/// See the module's text.
pub struct Sending {
    channel: Channel,
    group: SockAddr,
    sender: Sender,
    /// The packet that is being filled, or nothing.
    packet: Vec<u8>,
    /// Where in it the first message begins.
    offset: u16,
    /// It isn't to wait until it is full.
    flushing: bool,
    /// There are data that had to wait for the rate.
    waiting: bool,
    /// The kernel takes no more for now.
    blocked: bool,
    /// Until when somebody may want a repair; `None` after that.
    kept_until: Option<u64>,
    /// More has arrived than was looked at.
    again_at: Option<u64>,
}

impl Sending {
    /// Errors: whatever the system says of the address.
    pub fn open(
        address: &Address,
        options: &Options,
        encapsulation: Encapsulation,
        sizes: Sizes,
    ) -> io::Result<Self> {
        let mut bytes = [0; 8];
        random::fill(&mut bytes).map_err(|error| io::Error::from_raw_os_error(error.errno()))?;
        let [gsi @ .., p0, p1] = bytes;
        // Not that of the session, by which packets for sources are told from those of sources.
        let mut port = u16::from_ne_bytes([p0, p1]);
        if port == address.port || port == 0 {
            port = address.port ^ 1;
        }
        let Sizes { max_tpdu, overhead, window, rate } = sizes;
        let channel = Channel::open(address, address.own, options, encapsulation, max_tpdu - overhead)?;
        let config = SenderConfig {
            identity: Identity { tsi: Tsi { gsi, port }, port: address.port },
            first: Sequence(0),
            address: address.own,
            group: address.send,
            rate,
            max_tpdu,
            overhead,
            window,
        };
        let mut sending = Self {
            group: channel.target(address.with_port(address.send)),
            channel,
            sender: Sender::new(config, time::monotonic_ns()),
            packet: Vec::new(),
            offset: NONE,
            flushing: false,
            waiting: false,
            blocked: false,
            kept_until: None,
            again_at: None,
        };
        sending.transmit(time::monotonic_ns());
        Ok(sending)
    }

    fn max_packet(&self) -> usize {
        DATA_HEADER + self.sender.max_data()
    }

    /// Hands the packet over, if the rate allows it.
    fn finish_packet(&mut self, now: u64) {
        if self.packet.is_empty() {
            return;
        }
        self.waiting = !self.sender.has_room(now);
        if self.waiting {
            return;
        }
        self.packet[DATA_HEADER..DATA_HEADER + OFFSET].copy_from_slice(&self.offset.to_be_bytes());
        self.sender.push(std::mem::take(&mut self.packet).into(), now);
        (self.offset, self.flushing) = (NONE, false);
        self.kept_until = Some(now + REPAIR);
        if self.sender.packet(BATCH - 1).is_some() {
            self.transmit(now);
        }
    }

    /// Sends what may be sent.
    fn transmit(&mut self, now: u64) {
        self.sender.fill(now);
        while !self.blocked && self.sender.packet(0).is_some() {
            let count = (1..BATCH).find(|&index| self.sender.packet(index).is_none()).unwrap_or(BATCH);
            let Self { channel, group, sender, .. } = &*self;
            let packet =
                |index| Outgoing { to: group, parts: [sender.packet(index).unwrap_or_default(), &[]] };
            match channel.send(count, packet) {
                Ok(sent) => self.sender.sent(sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.blocked = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // It is lost, as it may be anywhere on its way, and can be repaired like that.
                Err(_) => self.sender.sent(1),
            }
            self.sender.fill(now);
        }
    }

    fn hear(&mut self, now: u64) {
        self.again_at = None;
        for _ in 0..BUDGET {
            let Some((packet, _)) = self.channel.receive() else { return };
            if self.sender.handle(packet, now) && self.kept_until.is_some() {
                self.kept_until = Some(now + REPAIR);
            }
        }
        self.again_at = Some(now + AGAIN);
    }
}

impl Multicast for Sending {
    fn layout(&self) -> Layout {
        Layout::Zmtp1
    }

    fn watched(&self) -> Vec<Watched> {
        vec![Watched { fd: self.channel.fd(), writable: true }]
    }

    fn ready(&mut self, now: u64) {
        self.blocked = false;
        self.channel.wake();
        self.hear(now);
        self.transmit(now);
        if self.flushing {
            self.finish_packet(now);
            self.transmit(now);
        }
        if self.kept_until.is_some_and(|until| until <= now) && self.is_all_sent() {
            self.kept_until = None;
        }
    }

    fn due(&self) -> Option<u64> {
        let mut due = self.again_at.unwrap_or(u64::MAX);
        if !self.blocked {
            due = due.min(self.sender.due());
            if self.waiting {
                due = due.min(self.sender.room_at());
            }
            if self.is_all_sent() {
                due = due.min(self.kept_until.unwrap_or(u64::MAX));
            }
        }
        (due < u64::MAX).then_some(due)
    }

    fn send(&mut self, bytes: &[u8], begins: bool, now: u64) -> usize {
        let mut taken = 0;
        while taken < bytes.len() {
            if self.packet.len() >= self.max_packet() {
                self.finish_packet(now);
            }
            if self.packet.is_empty() {
                self.waiting = !self.sender.has_room(now);
                if self.waiting {
                    self.transmit(now);
                    self.waiting = !self.sender.has_room(now);
                }
                if self.waiting {
                    break;
                }
                self.packet = Vec::with_capacity(self.max_packet());
                self.packet.resize(DATA_HEADER + OFFSET, 0);
            }
            let room = self.max_packet() - self.packet.len();
            if room == 0 {
                self.transmit(now);
                break;
            }
            if begins && taken == 0 && self.offset == NONE {
                self.offset = (self.packet.len() - DATA_HEADER - OFFSET) as u16;
            }
            let part = &bytes[taken..bytes.len().min(taken + room)];
            self.packet.extend_from_slice(part);
            taken += part.len();
        }
        taken
    }

    fn flush(&mut self, now: u64) {
        self.flushing = !self.packet.is_empty();
        self.finish_packet(now);
        self.transmit(now);
    }

    fn is_drained(&self) -> bool {
        self.kept_until.is_none() && self.is_all_sent()
    }

    fn receive(&mut self, _buffer: &mut [u8], _now: u64) -> Option<Arrival> {
        None
    }
}

impl Sending {
    fn is_all_sent(&self) -> bool {
        self.packet.is_empty() && self.sender.is_drained()
    }
}

impl Drop for Sending {
    /// Says that the session ends, to those who hear it.
    fn drop(&mut self) {
        let now = time::monotonic_ns();
        self.sender.finish();
        self.transmit(now);
    }
}
