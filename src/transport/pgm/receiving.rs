//! The side that subscribes.

use super::address::Address;
use super::channel::{Channel, Encapsulation};
use super::{NONE, OFFSET, Sizes};
use crate::options::Options;
use crate::pgm::{self, Receiver, ReceiverConfig, To};
use crate::random;
use crate::transport::multicast::{Arrival, Layout, Multicast, Piece, Watched};
use std::io;
use std::net::IpAddr;

/// What is kept for each source: its number, once it has one.
#[derive(Default)]
struct Source {
    number: u64,
}

/// See the module's text.
pub struct Receiving {
    address: Address,
    /// One for each group, with the group.
    channels: Vec<(Channel, IpAddr)>,
    /// The one that the next packet is taken from.
    turn: usize,
    receiver: Receiver<Source>,
    /// Numbers that were given to sources.
    sources: u64,
    /// All that had arrived was delivered, so the next packets can be looked at.
    drained: bool,
}

impl Receiving {
    /// Errors: whatever the system says of the address.
    pub fn open(
        address: &Address,
        options: &Options,
        encapsulation: Encapsulation,
        sizes: Sizes,
    ) -> io::Result<Self> {
        let mut seed = [0; 8];
        random::fill(&mut seed).map_err(|error| io::Error::from_raw_os_error(error.errno()))?;
        let Sizes { max_tpdu, overhead, window, .. } = sizes;
        let config =
            ReceiverConfig { port: address.port, max_tpdu, overhead, window, seed: u64::from_ne_bytes(seed) };
        let receiver = Receiver::new(config);
        let channel = |&group: &IpAddr| {
            let channel = Channel::open(address, group, options, encapsulation, receiver.max_packet())?;
            io::Result::Ok((channel, group))
        };
        let channels = address.receive.iter().map(channel).collect::<io::Result<_>>()?;
        Ok(Self { address: address.clone(), channels, turn: 0, receiver, sources: 0, drained: false })
    }

    /// The next data, or loss, of what was taken from the network.
    fn arrival(&mut self, buffer: &mut [u8]) -> Option<Arrival> {
        while let Some(gone) = self.receiver.gone() {
            if gone.number != 0 {
                return Some(Arrival { source: gone.number, what: Piece::Gone });
            }
        }
        loop {
            let pgm::Arrival { state, data } = self.receiver.arrival()?;
            if state.number == 0 {
                self.sources += 1;
                state.number = self.sources;
            }
            let source = state.number;
            let Some(data) = data else { return Some(Arrival { source, what: Piece::Gap }) };
            let Some((offset, bytes)) = data.split_first_chunk::<OFFSET>() else {
                return Some(Arrival { source, what: Piece::Gap });
            };
            let Some(place) = buffer.get_mut(..bytes.len()) else { continue };
            place.copy_from_slice(bytes);
            let offset = u16::from_be_bytes(*offset);
            let start = usize::from(offset);
            let start = (offset != NONE && start < bytes.len()).then_some(start);
            return Some(Arrival { source, what: Piece::Bytes { len: bytes.len(), start } });
        }
    }

    /// Looks at the next packet. False: there is none for now.
    fn next_packet(&mut self, now: u64) -> bool {
        for _ in 0..self.channels.len() {
            let turn = self.turn;
            self.turn = (turn + 1) % self.channels.len();
            if let Some((channel, group)) = self.channels.get_mut(turn)
                && let Some((packet, from)) = channel.receive()
            {
                self.receiver.handle(packet, from, *group, now);
                return true;
            }
        }
        false
    }

    fn send_what_is_due(&mut self) {
        while let Some(outgoing) = self.receiver.send() {
            let ip = match outgoing.to {
                To::Host(ip) | To::Group(ip) => ip,
            };
            let of_group = |(_, group): &&(Channel, IpAddr)| *group == ip;
            if let Some((channel, _)) = self.channels.iter().find(of_group).or(self.channels.first()) {
                channel.send_once(&outgoing.packet, self.address.with_port(ip));
            }
        }
    }
}

impl Multicast for Receiving {
    fn layout(&self) -> Layout {
        Layout::Zmtp1
    }

    fn watched(&self) -> Vec<Watched> {
        self.channels.iter().map(|(channel, _)| Watched { fd: channel.fd(), writable: false }).collect()
    }

    fn ready(&mut self, _now: u64) {
        self.channels.iter_mut().for_each(|(channel, _)| channel.wake());
    }

    fn due(&self) -> Option<u64> {
        // While the socket has no room, nothing is looked at, so there is nothing to ask for either.
        Some(self.receiver.due()).filter(|&due| self.drained && due < u64::MAX)
    }

    fn send(&mut self, bytes: &[u8], _begins: bool, _now: u64) -> usize {
        bytes.len()
    }

    fn flush(&mut self, _now: u64) {}

    fn is_drained(&self) -> bool {
        true
    }

    fn receive(&mut self, buffer: &mut [u8], now: u64) -> Option<Arrival> {
        self.drained = false;
        loop {
            if let Some(arrival) = self.arrival(buffer) {
                return Some(arrival);
            }
            if self.next_packet(now) {
                continue;
            }
            if self.receiver.due() > now {
                self.drained = true;
                return None;
            }
            self.receiver.time_has_come(now);
            self.send_what_is_due();
        }
    }
}
