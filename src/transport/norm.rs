//! `norm://`: NORM (RFC 5740), by the system's `libnorm`; see docs/norm.md.
//!
//! A socket that sends has one stream of bytes, in which the beginning of each message is marked. One that receives has a stream of each sender.

use super::multicast::{Arrival, Layout, Multicast, Piece, Watched};
use super::resolve::leading_integer;
use crate::error::{Error, Result};
use crate::options::{Options, SocketType};
use crate::sys::norm::{self, Congestion, Event, Sending, Session, Setup};
use crate::sys::packet_filter::{self, Sockets};
use std::collections::{HashMap, HashSet, VecDeque};
use std::ffi::CString;
use std::os::fd::OwnedFd;

mod filter;

pub use norm::{is_present, require};

/// Senders that are listened to at the same time, at most.
const SENDERS: usize = 64;
/// What the buffers of all senders may take together, in bytes, as long as there are at least [`FEW_SENDERS`].
const ALL_BUFFERS: u64 = 160 << 20;
const FEW_SENDERS: usize = 4;
/// Streams that one sender has at the same time; libzmq's have one.
const STREAMS: u16 = 1;
/// How long a closed socket waits, after everything was sent, for receivers to say what they lack; nanoseconds.
const REPAIR: u64 = 500_000_000;
/// So often a stream may lead nowhere (a gap, no frame where one should begin) before it has to rest, for so many nanoseconds. `libnorm` can find the same beginning
/// of a message, or the same gap, for ever.
const PATIENCE: u32 = 16;
const REST: u64 = 10_000_000;
/// What goes before the first frame of a message.
const FIRST: u8 = 0;
/// The longest payload of a packet: of what a datagram over IPv4 holds, NORM's headers take less than 128 bytes.
const MAX_SEGMENT: i32 = 65_507 - 128;

/// `[id,][interface;]address:port`
#[derive(Clone, Debug, PartialEq, Eq)]
struct Address {
    node: Option<u32>,
    interface: Option<CString>,
    host: CString,
    port: u16,
}

impl Address {
    /// Errors: `EINVAL`.
    fn parse(address: &str) -> Result<Self> {
        let string = |text: &str| CString::new(text).map_err(|_| Error::Invalid);
        let (node, rest) = match address.split_once(',') {
            // As the low 32 bits of whatever number it is.
            Some((id, rest)) => (Some(leading_integer(id) as u32), rest),
            None => (None, address),
        };
        let (interface, rest) = match rest.split_once(';') {
            Some((interface, rest)) => (Some(string(interface)?), rest),
            None => (None, rest),
        };
        let (host, port) = rest.rsplit_once(':').ok_or(Error::Invalid)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = u16::try_from(leading_integer(port)).map_err(|_| Error::Invalid)?;
        if host.is_empty() || port == 0 {
            return Err(Error::Invalid);
        }
        Ok(Self { node, interface, host: string(host)?, port })
    }
}

/// Opens an address, for a PUB or XPUB to send there and for others to receive.
///
/// Errors: `EINVAL` for an address that is none; `EADDRINUSE`, `ENODEV` and whatever else the system says of it. May block to look a name up.
pub(super) fn open(address: &str, options: &Options) -> Result<Box<dyn Multicast>> {
    let Address { node, interface, host, port } = Address::parse(address)?;
    let setup = Setup {
        node,
        address: &host,
        port,
        interface: interface.as_deref(),
        ttl: options.multicast_hops.clamp(0, 255) as u8,
        tos: type_of_service(options),
        unicast_nacks: options.norm_unicast_nack,
    };
    let mut session = Session::new(&setup)?;
    let buffer = u32::try_from(options.norm_buffer_size).unwrap_or(0).saturating_mul(1024);
    // Its thread doesn't read before what it reads is looked at.
    if !session.suspend() {
        return Err(Error::OutOfMemory);
    }
    let sockets = begin(&mut session, options, buffer);
    session.resume();
    Ok(Box::new(Norm::new(session, sockets?, buffer)))
}

/// Opens the session's sockets, with the filter on them.
fn begin(session: &mut Session, options: &Options, buffer: u32) -> Result<Vec<OwnedFd>> {
    let before = Sockets::now()?;
    if matches!(options.socket_type, SocketType::Pub | SocketType::XPub) {
        session.start_sender(&sending(options, buffer))?;
    } else {
        session.limit_objects(STREAMS);
        session.start_receiver(buffer)?;
    }
    let sockets = before.new_on(&session.ports())?;
    if sockets.is_empty() {
        return Err(Error::NotPermitted);
    }
    for socket in &sockets {
        filter::filter(accepted_buffer(buffer), None).attach(socket)?;
        packet_filter::empty(socket);
    }
    Ok(sockets)
}

/// The buffer of a sender that is accepted, in bytes.
fn accepted_buffer(own: u32) -> u32 {
    own.saturating_mul(2).clamp(4 << 20, u32::MAX / 8)
}

/// How many senders are accepted. `libnorm` takes twice what a sender announces, and the receiver's own buffer, for each.
fn accepted_senders(own: u32) -> usize {
    let each = 2 * u64::from(accepted_buffer(own)) + u64::from(own);
    usize::try_from(ALL_BUFFERS / each).unwrap_or(SENDERS).clamp(FEW_SENDERS, SENDERS)
}

/// `ZMQ_TOS`, with the bits that say "ECN-capable" if congestion is told by marks (RFC 3168).
fn type_of_service(options: &Options) -> u8 {
    let tos = options.tos as u8;
    match (options.norm_mode, tos % 4) {
        (CCE | CCE_ECNONLY, 0) => tos + 1,
        // "Congestion experienced" isn't for the sender to say.
        (CCE | CCE_ECNONLY, 3) => tos - 1,
        _ => tos,
    }
}

// `ZMQ_NORM_MODE`
const FIXED: i32 = 0;
const CCL: i32 = 2;
const CCE: i32 = 3;
const CCE_ECNONLY: i32 = 4;

fn sending(options: &Options, buffer: u32) -> Sending {
    let congestion = match options.norm_mode {
        FIXED => Congestion::Fixed(u64::try_from(options.rate).unwrap_or(0) * 1000),
        mode => Congestion::Controlled {
            ecn: matches!(mode, CCE | CCE_ECNONLY),
            ignore_loss: mode == CCE_ECNONLY,
            tolerate_loss: mode == CCL,
        },
    };
    // What contradicts itself is made to fit: more is sent unasked than there is, or no data in a block.
    let auto_parity = options.norm_num_autoparity.clamp(0, 254);
    let parity = options.norm_num_parity.clamp(auto_parity, 254);
    let block = options.norm_block_size.clamp(parity + 1, 255);
    Sending {
        buffer,
        segment: options.norm_segment_size.clamp(1, MAX_SEGMENT) as u16,
        block: block as u16,
        parity: parity as u16,
        auto_parity: auto_parity as u8,
        congestion,
        push: options.norm_push,
    }
}

/// How it stands with a stream that is received.
#[derive(Default)]
struct Stream {
    /// It is among those that may have something.
    queued: bool,
    in_step: bool,
    /// The mark of a first frame was read, and what follows it wasn't there.
    begun: bool,
    /// How often it led nowhere since it has rested.
    failures: u32,
}

/// How it stands with what was sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// Some of it may not be.
    Waiting,
    /// All of it is. Who lacks some of it may say so until then.
    Once { until: u64 },
    /// All of it, and who lacks some doesn't say so.
    Done,
}

struct Norm {
    session: Session,
    /// The library's sockets, and what was said when the filter was made.
    sockets: Vec<OwnedFd>,
    max_buffer: u32,
    max_senders: usize,
    /// Only those senders come through that are known.
    closed: bool,
    streams: HashMap<u64, Stream>,
    /// Those that may have something to be read, in turn.
    readable: VecDeque<u64>,
    gone: VecDeque<u64>,
    /// Those that rest, and until when.
    resting: Vec<u64>,
    rest_until: u64,
    senders: HashSet<u32>,
    sent: Sent,
    /// A receiver was heard of.
    has_receivers: bool,
    written: bool,
}

impl Norm {
    fn new(session: Session, sockets: Vec<OwnedFd>, buffer: u32) -> Self {
        Self {
            session,
            sockets,
            max_buffer: accepted_buffer(buffer),
            max_senders: accepted_senders(buffer),
            closed: false,
            streams: HashMap::new(),
            readable: VecDeque::new(),
            gone: VecDeque::new(),
            resting: Vec::new(),
            rest_until: 0,
            senders: HashSet::new(),
            sent: Sent::Done,
            has_receivers: false,
            written: false,
        }
    }

    fn handle_events(&mut self, now: u64) {
        while let Some(event) = self.session.next_event() {
            match event {
                Event::Feedback => self.has_receivers = true,
                Event::Empty if self.sent == Sent::Waiting => {
                    let until = now + if self.has_receivers { REPAIR } else { 0 };
                    self.sent = Sent::Once { until };
                }
                Event::Flushed => self.sent = Sent::Done,
                Event::NewSender => self.admit_sender(),
                Event::SilentSender => self.forget_sender(),
                Event::Readable(number) => {
                    let stream = self.streams.entry(number).or_default();
                    if !std::mem::replace(&mut stream.queued, true) {
                        self.readable.push_back(number);
                    }
                }
                Event::Ended(number) => self.forget_stream(number),
                Event::Vacancy | Event::Empty | Event::Other => {}
            }
        }
    }

    fn admit_sender(&mut self) {
        let Some((id, _)) = self.session.sender() else { return };
        if self.senders.len() < self.max_senders || self.senders.contains(&id) {
            self.senders.insert(id);
        } else {
            self.forget_sender();
        }
        self.let_in();
    }

    /// As long as there are as many senders as may be, the kernel drops what others send.
    fn let_in(&mut self) {
        let close = self.senders.len() >= self.max_senders;
        if close == std::mem::replace(&mut self.closed, close) {
            return;
        }
        let known: Vec<u32> = self.senders.iter().copied().collect();
        let filter = filter::filter(self.max_buffer, close.then_some(&known));
        for socket in &self.sockets {
            // If there is no memory for it, the one before stays.
            let _ = filter.attach(socket);
            if close {
                // What waits came by the filter before. Who is known repeats what is asked for.
                packet_filter::empty(socket);
            }
        }
    }

    fn forget_sender(&mut self) {
        let Some((id, streams)) = self.session.sender() else { return };
        self.session.delete_sender();
        self.senders.remove(&id);
        streams.into_iter().for_each(|number| self.forget_stream(number));
        self.let_in();
    }

    fn forget_stream(&mut self, number: u64) {
        if self.streams.remove(&number).is_some() {
            self.gone.push_back(number);
        }
        self.readable.retain(|&other| other != number);
        self.resting.retain(|&other| other != number);
    }

    /// Goes forward to the first frame of a message, and behind its mark. False: none has come as yet.
    fn find_beginning(&mut self, number: u64) -> bool {
        while self.streams.get(&number).is_some_and(|stream| stream.failures < PATIENCE)
            && self.session.seek(number)
        {
            let mut mark = [0];
            match self.session.read(number, &mut mark) {
                Ok(1) if mark == [FIRST] => return true,
                Ok(0) => return false,
                // A later frame, or a gap: on to the next one.
                Ok(_) | Err(()) => {
                    if let Some(stream) = self.streams.get_mut(&number) {
                        stream.failures += 1;
                    }
                }
            }
        }
        false
    }
}

impl Multicast for Norm {
    fn layout(&self) -> Layout {
        Layout::MarkedZmtp2
    }

    fn watched(&self) -> Vec<Watched> {
        vec![Watched { fd: self.session.descriptor(), writable: false }]
    }

    fn ready(&mut self, now: u64) {
        self.handle_events(now);
        if let Sent::Once { until } = self.sent
            && until <= now
        {
            self.sent = Sent::Done;
        }
        if self.rest_until <= now {
            self.readable.extend(self.resting.drain(..));
        }
    }

    fn due(&self) -> Option<u64> {
        let sent = match self.sent {
            Sent::Once { until } => Some(until),
            Sent::Waiting | Sent::Done => None,
        };
        let rested = (!self.resting.is_empty()).then_some(self.rest_until);
        [sent, rested].into_iter().flatten().min()
    }

    fn send(&mut self, bytes: &[u8], begins: bool, _now: u64) -> usize {
        if begins && self.written {
            self.session.mark();
        }
        let count = self.session.write(bytes);
        self.written |= count > 0;
        count
    }

    fn flush(&mut self, now: u64) {
        // What was told by now is of what was sent before; what is told from here on is of this.
        let suspended = self.session.suspend();
        self.handle_events(now);
        self.session.flush();
        self.sent = Sent::Waiting;
        if suspended {
            self.session.resume();
        }
    }

    fn is_drained(&self) -> bool {
        self.sent == Sent::Done
    }

    fn receive(&mut self, buffer: &mut [u8], now: u64) -> Option<Arrival> {
        if let Some(source) = self.gone.pop_front() {
            return Some(Arrival { source, what: Piece::Gone });
        }
        loop {
            // To the end of the queue: the others have their turn before the next piece of this one.
            let source = self.readable.pop_front()?;
            let Some(stream) = self.streams.get_mut(&source) else { continue };
            let in_step = stream.in_step;
            if stream.failures >= PATIENCE {
                stream.failures = 0;
                if self.resting.is_empty() {
                    self.rest_until = now + REST;
                }
                self.resting.push(source);
                continue;
            }
            let begins = in_step || self.find_beginning(source);
            let stream = self.streams.get_mut(&source)?;
            if !begins {
                if stream.failures < PATIENCE {
                    stream.queued = false;
                } else {
                    self.readable.push_back(source);
                }
                continue;
            }
            if !std::mem::replace(&mut stream.in_step, true) {
                stream.begun = true;
            }
            // The mark was read already, but belongs to the frame.
            let from = usize::from(stream.begun);
            if let Some(mark) = buffer.first_mut().filter(|_| stream.begun) {
                *mark = FIRST;
            }
            match self.session.read(source, buffer.get_mut(from..)?) {
                Ok(0) => stream.queued = false,
                Ok(count) => {
                    let start = std::mem::take(&mut stream.begun).then_some(0);
                    self.readable.push_back(source);
                    return Some(Arrival { source, what: Piece::Bytes { len: from + count, start } });
                }
                Err(()) => {
                    (stream.in_step, stream.begun) = (false, false);
                    stream.failures += 1;
                    self.readable.push_back(source);
                    return Some(Arrival { source, what: Piece::Gap });
                }
            }
        }
    }

    fn out_of_step(&mut self, source: u64) {
        if let Some(stream) = self.streams.get_mut(&source) {
            (stream.in_step, stream.begun) = (false, false);
            stream.failures += 1;
        }
    }
}

#[cfg(test)]
mod tests;
