//! A network in virtual time: sources and receivers, with packets between them that are lost, doubled and overtaken as a seed says.

use super::jitter::Jitter;
use super::packet::Identity;
use super::*;
use core::net::{IpAddr, Ipv4Addr};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

pub const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 1, 2, 3));
pub const PORT: u16 = 5555;
pub const OVERHEAD: usize = 28;

/// What is wrong with a network, in thousandths of all packets, and its delay in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub lost: u64,
    pub doubled: u64,
    /// Up to so much longer than others.
    pub spread: u64,
    pub delay: u64,
    pub corrupted: u64,
}

/// What a receiver's user sees of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Data(Vec<u8>),
    Loss,
}

#[derive(Default)]
pub struct Log {
    pub seen: Vec<Seen>,
}

/// Who gets a packet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    Sender(usize),
    Receiver(usize),
}

/// A packet on its way: when it arrives, its number, where, from whom, its bytes.
type Carried = (u64, u64, Host, usize, Vec<u8>);

pub struct World {
    pub now: u64,
    pub faults: Faults,
    pub senders: Vec<(Sender, VecDeque<Vec<u8>>)>,
    pub receivers: Vec<Receiver<Log>>,
    /// What each receiver has seen, of all sources.
    pub seen: Vec<Vec<Seen>>,
    /// Nothing arrives there.
    pub deaf: Vec<bool>,
    /// How many packets went to senders, and to the group.
    pub upstream: usize,
    pub downstream: usize,
    jitter: Jitter,
    number: u64,
    on_the_way: BinaryHeap<Reverse<Carried>>,
}

pub fn address(sender: usize) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, sender as u8 + 1).into()
}

pub fn tsi(sender: usize) -> Tsi {
    Tsi { gsi: [1, 2, 3, 4, 5, sender as u8], port: 1000 + sender as u16 }
}

pub fn sender_config(sender: usize) -> SenderConfig {
    SenderConfig {
        identity: Identity { tsi: tsi(sender), port: PORT },
        first: Sequence(0),
        address: address(sender),
        group: GROUP,
        rate: 1_000_000,
        max_tpdu: 1500,
        overhead: OVERHEAD,
        window: 1000,
    }
}

pub fn receiver_config(receiver: usize) -> ReceiverConfig {
    ReceiverConfig {
        port: PORT,
        max_tpdu: 1500,
        overhead: OVERHEAD,
        window: 1000,
        seed: 77 + receiver as u64,
    }
}

/// A packet for [`Sender::push`].
pub fn with_room(data: &[u8]) -> Box<[u8]> {
    [&[0; DATA_HEADER], data].concat().into()
}

impl World {
    pub fn new(seed: u64, faults: Faults) -> Self {
        Self {
            now: 1_000_000 * MS,
            faults,
            senders: Vec::new(),
            receivers: Vec::new(),
            seen: Vec::new(),
            deaf: Vec::new(),
            upstream: 0,
            downstream: 0,
            jitter: Jitter::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            number: 0,
            on_the_way: BinaryHeap::new(),
        }
    }

    pub fn add_sender(&mut self, config: SenderConfig) {
        self.senders.push((Sender::new(config, self.now), VecDeque::new()));
    }

    pub fn add_receiver(&mut self, config: ReceiverConfig) {
        self.receivers.push(Receiver::new(config));
        self.seen.push(Vec::new());
        self.deaf.push(false);
    }

    /// Data for the first source: so many units, each with its number in the first bytes.
    pub fn send_numbers(&mut self, numbers: std::ops::Range<u32>, size: usize) {
        self.senders[0].1.extend(numbers.map(|number| unit(number, size)));
    }

    fn chance(&mut self, thousandths: u64) -> bool {
        self.jitter.up_to(1000) <= thousandths
    }

    /// Puts a packet on its way.
    pub fn carry(&mut self, from: usize, to: Host, packet: &[u8]) {
        let copies = 1 + usize::from(self.chance(self.faults.doubled));
        for _ in 0..copies {
            if self.chance(self.faults.lost) {
                continue;
            }
            let mut packet = packet.to_vec();
            if self.chance(self.faults.corrupted) {
                let at = self.jitter.up_to(packet.len() as u64) as usize - 1;
                packet[at] ^= self.jitter.up_to(255) as u8;
            }
            let delay = self.faults.delay + self.jitter.up_to(self.faults.spread);
            self.number += 1;
            self.on_the_way.push(Reverse((self.now + delay, self.number, to, from, packet)));
        }
    }

    fn carry_to_group(&mut self, from: usize, packet: &[u8]) {
        for receiver in 0..self.receivers.len() {
            self.carry(from, Host::Receiver(receiver), packet);
        }
    }

    fn run_senders(&mut self) {
        for index in 0..self.senders.len() {
            loop {
                let (sender, data) = &mut self.senders[index];
                sender.fill(self.now);
                while sender.has_room(self.now)
                    && let Some(data) = data.pop_front()
                {
                    assert!(data.len() <= sender.max_data());
                    sender.push(with_room(&data), self.now);
                }
                let Some(packet) = sender.packet(0).map(<[u8]>::to_vec) else { break };
                sender.sent(1);
                self.downstream += 1;
                self.carry_to_group(index, &packet);
            }
        }
    }

    fn run_receivers(&mut self) {
        for index in 0..self.receivers.len() {
            self.receivers[index].time_has_come(self.now);
            self.read(index);
            while let Some(Outgoing { to, packet }) = self.receivers[index].send() {
                match to {
                    To::Host(host) => {
                        self.upstream += 1;
                        let sender = (0..self.senders.len()).find(|&sender| address(sender) == host);
                        if let Some(sender) = sender {
                            self.carry(0, Host::Sender(sender), &packet);
                        }
                    }
                    To::Group(_) => self.carry_to_group(0, &packet),
                }
            }
        }
    }

    fn read(&mut self, index: usize) {
        while let Some(Arrival { state, data }) = self.receivers[index].arrival() {
            let seen = data.map_or(Seen::Loss, |data| Seen::Data(data.into_vec()));
            state.seen.push(seen.clone());
            self.seen[index].push(seen);
        }
    }

    /// Lets time pass.
    pub fn run(&mut self, duration: u64) {
        let end = self.now + duration;
        let mut steps = 0;
        while self.now < end {
            steps += 1;
            assert!(steps < 2_000_000, "time doesn't pass");
            self.run_senders();
            self.run_receivers();
            let next_packet = self.on_the_way.peek().map_or(u64::MAX, |Reverse((at, ..))| *at);
            let senders = self.senders.iter().map(|(sender, data)| {
                let room = if data.is_empty() { u64::MAX } else { sender.room_at() };
                sender.due().min(room)
            });
            let receivers = self.receivers.iter().map(Receiver::due);
            let due = senders.chain(receivers).min().unwrap_or(u64::MAX);
            self.now = due.min(next_packet).max(self.now + 1).min(end);
            while let Some(Reverse((at, ..))) = self.on_the_way.peek()
                && *at <= self.now
                && let Some(Reverse((_, _, to, from, packet))) = self.on_the_way.pop()
            {
                self.arrive(to, from, &packet);
            }
        }
    }

    /// A packet arrives.
    pub fn arrive(&mut self, to: Host, from: usize, packet: &[u8]) {
        match to {
            Host::Sender(index) => {
                self.senders[index].0.handle(packet, self.now);
            }
            Host::Receiver(index) if self.deaf[index] => {}
            Host::Receiver(index) => {
                self.receivers[index].handle(packet, address(from), GROUP, self.now);
                self.read(index);
            }
        }
    }

    /// The numbers of the units that a receiver has seen, and how often it was told of a loss.
    pub fn numbers(&self, receiver: usize) -> (Vec<u32>, usize) {
        let mut losses = 0;
        let mut numbers = Vec::new();
        for seen in &self.seen[receiver] {
            match seen {
                Seen::Data(data) => numbers.push(number(data)),
                Seen::Loss => losses += 1,
            }
        }
        (numbers, losses)
    }
}

/// Data with a number in it, which say of themselves whether they are whole.
pub fn unit(number: u32, size: usize) -> Vec<u8> {
    let mut data = vec![number as u8; size.max(4)];
    data[..4].copy_from_slice(&number.to_be_bytes());
    data
}

fn number(data: &[u8]) -> u32 {
    let number = u32::from_be_bytes(*data.first_chunk().expect("a number"));
    assert_eq!(data, unit(number, data.len()), "a unit was torn");
    number
}
