//! What a receiver knows of one source.

use super::jitter::Jitter;
use super::packet::{self, Body, Identity, MAX_NAMED, Marks, Packet, Spm, Tsi};
use super::receive_window::{Delivery, ReceiveWindow};
use super::receiver::{Outgoing, To};
use super::units::Units;
use super::{MS, Sequence};
use core::net::IpAddr;
use std::collections::VecDeque;

/// A source that is silent for so long is forgotten; one that has said that its session ends, after the second time.
const EXPIRY: u64 = 300_000 * MS;
const EXPIRY_AFTER_END: u64 = 20_000 * MS;
/// If no SPM is heard for so long from a new source, it is asked for one (libzmq's interval), and again after twice the time, so many times.
const SPM_REQUEST: u64 = 25 * MS;
const SPM_REQUESTS: u32 = 5;
/// An SPM whose number is further ahead isn't from the same session, or not from the source: in the time after which a source is forgotten there
/// can't be so many.
const MAX_SPM_STEP: i32 = 1 << 16;
/// How many packets with NAKs wait to be sent at most.
const MAX_NAKS: usize = 16;

/// See the module's text. `S` is what the user of the receiver keeps for each source.
pub(super) struct Source<S> {
    pub tsi: Tsi,
    pub window: ReceiveWindow,
    units: Units,
    /// Whom to send NAKs to: whom the SPMs name; before, where packets come from.
    path: IpAddr,
    /// The group that it sends to, and where its packets really come from.
    group: IpAddr,
    host: IpAddr,
    spm_sequence: Option<Sequence>,
    /// When to ask for an SPM, and how often that was done.
    ask_at: Option<u64>,
    asked: u32,
    pub last_heard: u64,
    /// It has sent data.
    pub proven: bool,
    ends: bool,
    /// It is in the receiver's list of those with something to deliver.
    pub listed: bool,
    pub state: S,
}

impl<S: Default> Source<S> {
    pub fn new(tsi: Tsi, window: usize, host: IpAddr, group: IpAddr, now: u64) -> Self {
        Self {
            tsi,
            window: ReceiveWindow::new(window),
            units: Units::default(),
            path: host,
            group,
            host,
            spm_sequence: None,
            ask_at: Some(now + SPM_REQUEST),
            asked: 0,
            last_heard: now,
            proven: false,
            ends: false,
            listed: false,
            state: S::default(),
        }
    }

    pub fn handle(&mut self, packet: &Packet<'_>, now: u64, allowance: usize, jitter: &mut Jitter) {
        match &packet.body {
            Body::Spm(spm) => self.on_spm(spm, now, allowance, jitter),
            Body::Data(data) => {
                self.last_heard = now;
                self.window.data(data, now, allowance, jitter);
                self.note(data.marks);
            }
            Body::Ncf(ncf) => {
                if ncf.group == self.group {
                    ncf.sequences().for_each(|sequence| self.window.confirm(sequence, now));
                }
            }
            // Somebody else has asked: the answer is for all.
            Body::Spmr => {
                if let Some(at) = &mut self.ask_at {
                    *at = now + (SPM_REQUEST << self.asked.min(SPM_REQUESTS));
                }
            }
            Body::Nak(_) => {}
        }
    }

    fn on_spm(&mut self, spm: &Spm, now: u64, allowance: usize, jitter: &mut Jitter) {
        let step = self.spm_sequence.map_or(0, |last| spm.sequence.since(last));
        if !(0..MAX_SPM_STEP).contains(&step) || spm.path.is_ipv4() != self.group.is_ipv4() {
            return;
        }
        self.spm_sequence = Some(spm.sequence);
        self.path = spm.path;
        self.ask_at = None;
        self.last_heard = now;
        self.window.spm(spm.trail, spm.lead, now, allowance, jitter);
        self.note(spm.marks);
    }

    fn note(&mut self, marks: Marks) {
        self.ends |= marks.fin || marks.rst;
    }

    /// When it is forgotten.
    pub fn expires_at(&self) -> u64 {
        self.last_heard + if self.ends { EXPIRY_AFTER_END } else { EXPIRY }
    }

    /// Does what is due, and adds what is to be sent to `out`, until that is full.
    pub fn time_has_come(
        &mut self,
        port: u16,
        now: u64,
        jitter: &mut Jitter,
        out: &mut VecDeque<Outgoing>,
        named: &mut Vec<Sequence>,
    ) {
        let identity = Identity { tsi: self.tsi, port };
        if self.ask_at.is_some_and(|at| at <= now) {
            self.asked += 1;
            self.ask_at = (self.asked < SPM_REQUESTS).then(|| now + (SPM_REQUEST << self.asked));
            // Other receivers hear that it was asked for.
            for to in [To::Group(self.group), To::Host(self.host)] {
                out.push_back(Outgoing { to, packet: packet::spmr(identity) });
            }
        }
        while self.window.due() <= now && out.len() < MAX_NAKS {
            named.clear();
            self.window.time_has_come(now, MAX_NAMED, named, jitter);
            if let Some(packet) = packet::nak(identity, false, named, self.path, self.group) {
                out.push_back(Outgoing { to: To::Host(self.path), packet });
            }
        }
    }

    pub fn due(&self) -> u64 {
        self.window.due().min(self.ask_at.unwrap_or(u64::MAX)).min(self.expires_at())
    }

    /// What comes next: a unit of data, or `Err` for a loss.
    pub fn next(&mut self) -> Option<Result<Box<[u8]>, ()>> {
        loop {
            match self.window.next()? {
                Delivery::Lost(_) => {
                    self.units.clear();
                    return Some(Err(()));
                }
                Delivery::Data(stored) => match self.units.add(stored) {
                    Ok(Some(unit)) => {
                        self.proven = true;
                        return Some(Ok(unit));
                    }
                    Ok(None) => {}
                    Err(()) => return Some(Err(())),
                },
            }
        }
    }
}
