//! A receiver (RFC 3208, section 6): follows sources, asks for what is missing, and delivers what they send in its order.

use super::jitter::Jitter;
use super::packet::{self, Body, DATA_HEADER, Tsi};
use super::source::Source;
use super::{MS, Sequence};
use core::net::IpAddr;
use std::collections::VecDeque;

/// How many sources are followed. Another one takes the place of the one that has been silent longest, if that has never sent data, or has been silent
/// for longer than any source is (`AMBIENT` of the sender); else it isn't listened to.
const MAX_SOURCES: usize = 256;
const SILENCE: u64 = 60_000 * MS;
/// How many windows' worth of packets may be missing or wait for missing ones, of all sources together.
const MAX_WINDOWS: usize = 4;
/// Below that many packets in sum the sources aren't counted against each other.
const MIN_PLACES: usize = 4096;

/// What a receiver may do.
#[derive(Clone, Copy, Debug)]
pub struct ReceiverConfig {
    /// The data-destination port: packets for another one are none of its business.
    pub port: u16,
    /// The longest packet in bytes, all headers included (`ZMQ_MULTICAST_MAXTPDU`).
    pub max_tpdu: usize,
    /// What is before the PGM header of a packet, in bytes: the headers of IP and UDP.
    pub overhead: usize,
    /// How many packets of a source may be missing, or wait for missing ones.
    pub window: usize,
    /// For random times. Receivers of one group should have different ones.
    pub seed: u64,
}

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// To a host.
    Host(IpAddr),
    /// To a group. Such a packet shouldn't leave the network (section 13.6: a TTL of 1).
    Group(IpAddr),
}

/// A packet that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Where to.
    pub to: To,
    /// Its bytes.
    pub packet: Vec<u8>,
}

/// Something that has come of a source.
#[derive(Debug)]
pub struct Arrival<'a, S> {
    /// What the user keeps for the source.
    pub state: &'a mut S,
    /// Data, as they were sent; `None` if some were lost for good at this place.
    pub data: Option<Box<[u8]>>,
}

/// See the module's text. Times are nanoseconds on a clock of the caller's. `S` is what the user keeps for each source; it begins as the default.
pub struct Receiver<S> {
    config: ReceiverConfig,
    jitter: Jitter,
    sources: Vec<Option<Box<Source<S>>>>,
    /// Where the last packet's source is, which is often that of the next one.
    last: usize,
    /// The places of sources that may have something to deliver.
    listed: VecDeque<usize>,
    out: VecDeque<Outgoing>,
    named: Vec<Sequence>,
    /// What was kept for sources that are forgotten.
    gone: VecDeque<S>,
}

impl<S: Default> Receiver<S> {
    /// A receiver that knows no source yet.
    pub fn new(config: ReceiverConfig) -> Self {
        Self {
            config,
            jitter: Jitter::new(config.seed),
            sources: Vec::new(),
            last: 0,
            listed: VecDeque::new(),
            out: VecDeque::new(),
            named: Vec::new(),
            gone: VecDeque::new(),
        }
    }

    /// Takes a packet from the network that has come from a host to a group. See whether [`Self::arrival`] has something then.
    pub fn handle(&mut self, bytes: &[u8], host: IpAddr, group: IpAddr, now: u64) {
        if bytes.len() + self.config.overhead > self.config.max_tpdu {
            return;
        }
        let Some(packet) = packet::parse(bytes).filter(|packet| packet.port == self.config.port) else {
            return;
        };
        let index = match (self.find(packet.tsi), packet.body) {
            (Some(index), _) => index,
            // Only a source itself makes itself known.
            (None, Body::Spm(_) | Body::Data(_)) => match self.add(packet.tsi, host, group, now) {
                Some(index) => index,
                None => return,
            },
            (None, _) => return,
        };
        self.last = index;
        let allowance = self.allowance();
        let Some(source) = self.sources.get_mut(index).and_then(Option::as_mut) else { return };
        source.handle(&packet, now, allowance, &mut self.jitter);
        if source.window.has_next() && !std::mem::replace(&mut source.listed, true) {
            self.listed.push_back(index);
        }
    }

    fn find(&self, tsi: Tsi) -> Option<usize> {
        let is_it = |source: &Option<Box<Source<S>>>| source.as_ref().is_some_and(|source| source.tsi == tsi);
        if self.sources.get(self.last).is_some_and(is_it) {
            return Some(self.last);
        }
        self.sources.iter().position(is_it)
    }

    fn add(&mut self, tsi: Tsi, host: IpAddr, group: IpAddr, now: u64) -> Option<usize> {
        let free = self.sources.iter().position(Option::is_none);
        let index = match free {
            Some(index) => index,
            None if self.sources.len() < MAX_SOURCES => {
                self.sources.push(None);
                self.sources.len() - 1
            }
            None => {
                // Those that nothing has come of go first.
                let key = |index: usize| {
                    let source = self.sources.get(index).and_then(Option::as_ref);
                    source.map_or((false, 0), |source| (source.proven, source.last_heard))
                };
                let quietest = (0..self.sources.len()).min_by_key(|&index| key(index))?;
                let (proven, last_heard) = key(quietest);
                if proven && last_heard + SILENCE > now {
                    return None;
                }
                self.forget(quietest);
                quietest
            }
        };
        let source = Source::new(tsi, self.config.window, host, group, now);
        *self.sources.get_mut(index)? = Some(Box::new(source));
        Some(index)
    }

    fn forget(&mut self, index: usize) {
        if let Some(source) = self.sources.get_mut(index).and_then(Option::take) {
            self.gone.push_back(source.state);
        }
        self.listed.retain(|&listed| listed != index);
    }

    /// How many more places in windows there may be.
    fn allowance(&self) -> usize {
        let taken: usize = match &self.sources[..] {
            // One alone is bounded by its window.
            [_] => return usize::MAX,
            sources => sources.iter().flatten().map(|source| source.window.len()).sum(),
        };
        (self.config.window.saturating_mul(MAX_WINDOWS)).max(MIN_PLACES).saturating_sub(taken)
    }

    /// What was kept for a source that is forgotten now.
    pub fn gone(&mut self) -> Option<S> {
        self.gone.pop_front()
    }

    /// What has come next, of any source; `None` if there is nothing before another packet or [`Self::due`].
    pub fn arrival(&mut self) -> Option<Arrival<'_, S>> {
        while let Some(&index) = self.listed.front() {
            let Some(source) = self.sources.get_mut(index).and_then(Option::as_mut) else {
                self.listed.pop_front();
                continue;
            };
            match source.next() {
                None => {
                    source.listed = false;
                    self.listed.pop_front();
                }
                Some(next) => {
                    // It is borrowed anew, since the compiler doesn't see that this ends the loop.
                    let source = self.sources.get_mut(index).and_then(Option::as_mut)?;
                    return Some(Arrival { state: &mut source.state, data: next.ok() });
                }
            }
        }
        None
    }

    /// Does what is due. See whether [`Self::arrival`] and [`Self::send`] have something then.
    pub fn time_has_come(&mut self, now: u64) {
        let port = self.config.port;
        for index in 0..self.sources.len() {
            let Some(source) = &mut self.sources[index] else { continue };
            if source.due() > now {
                continue;
            }
            if source.expires_at() <= now && !source.window.has_next() {
                self.forget(index);
                continue;
            }
            source.time_has_come(port, now, &mut self.jitter, &mut self.out, &mut self.named);
            if source.window.has_next() && !std::mem::replace(&mut source.listed, true) {
                self.listed.push_back(index);
            }
        }
    }

    /// The next packet that is to be sent.
    pub fn send(&mut self) -> Option<Outgoing> {
        self.out.pop_front()
    }

    /// When [`Self::time_has_come`] has something to do, in nanoseconds.
    pub fn due(&self) -> u64 {
        self.sources.iter().flatten().map(|source| source.due()).min().unwrap_or(u64::MAX)
    }

    /// The longest packet that is understood, in bytes, from the PGM header on.
    pub fn max_packet(&self) -> usize {
        self.config.max_tpdu.saturating_sub(self.config.overhead).max(DATA_HEADER)
    }

    /// How many places in windows are taken.
    #[cfg(test)]
    pub fn places(&self) -> usize {
        self.sources.iter().flatten().map(|source| source.window.len()).sum()
    }

    /// How many sources are followed.
    #[cfg(test)]
    pub fn sources(&self) -> usize {
        self.sources.iter().flatten().count()
    }
}
