//! A session over a multicast transport: there is nobody to shake hands with, nor to lose. It drives the transport itself, in its I/O thread, and has both ends of
//! the pipe all along.

use super::{Fate, Role, Session};
use crate::error::Result;
use crate::message::Message;
use crate::options::{Options, SocketType};
use crate::pipe::{Inbound, Outbound, PipeEnd};
use crate::runtime::io_thread::IoCommand;
use crate::runtime::link::SessionLink;
use crate::runtime::mailbox::Command;
use crate::runtime::owner::Owner;
use crate::transport::multicast::{Arrival, Layout, MAX_PIECE, Multicast, Piece, Watched};
use crate::zmtp::Version;
use crate::zmtp::multicast::{Assembly, Frames};
use mio::unix::SourceFd;
use mio::{Interest, Token};
use std::collections::HashMap;

/// Messages that go through before others have their turn in the I/O thread.
const BUDGET: usize = 4096;
/// What the unfinished messages of one source, and of all, may take; bytes. One source's limit is `ZMQ_MAXMSGSIZE` if that is more.
const UNFINISHED: usize = 256 << 20;
const ALL_UNFINISHED: usize = 1 << 30;
/// A transport is called by its own wish no sooner than this, in nanoseconds.
const SOONEST: u64 = 50_000;
/// Sources that are listened to at the same time. The transports have bounds of their own; this one holds whatever they do.
const SOURCES: usize = 1024;

/// A transport and what is between it and the pipe.
pub struct Channel {
    transport: Box<dyn Multicast>,
    direction: Direction,
    due: Option<u64>,
}

enum Direction {
    Send(Outgoing),
    Receive(Box<Incoming>),
}

/// What is under way to the transport.
struct Outgoing {
    frames: Frames,
    /// The part that is being handed over: its head, its body, and how much of the two went.
    head: Vec<u8>,
    part: Message,
    sent: usize,
    /// The next part is the first one of its message.
    first: bool,
    /// Something was handed over since the last flush.
    unflushed: bool,
}

/// What has come from the transport.
struct Incoming {
    frames: Frames,
    max_msg_size: i64,
    buffer: Box<[u8]>,
    /// The source whose bytes are in the buffer, and which of them are still to be looked at.
    current: Option<(u64, std::ops::Range<usize>)>,
    sources: HashMap<u64, Assembly>,
    /// What they keep, together; bytes.
    held: usize,
}

/// How it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// When something happens.
    Wait,
    /// Soon; there is more to do.
    Again,
}

impl Channel {
    /// For a socket that sends (PUB, XPUB) or receives (SUB, XSUB).
    pub fn new(transport: Box<dyn Multicast>, options: &Options) -> Self {
        let frames = match transport.layout() {
            Layout::Zmtp1 => Frames { version: Version::V1, marked: false },
            Layout::MarkedZmtp2 => Frames { version: Version::V2, marked: true },
        };
        let direction = match options.socket_type {
            SocketType::Pub | SocketType::XPub => Direction::Send(Outgoing {
                frames,
                head: Vec::new(),
                part: Message::new(),
                sent: 0,
                first: true,
                unflushed: false,
            }),
            _ => Direction::Receive(Box::new(Incoming {
                frames,
                max_msg_size: options.maxmsgsize,
                buffer: vec![0; MAX_PIECE].into_boxed_slice(),
                current: None,
                sources: HashMap::new(),
                held: 0,
            })),
        };
        Self { transport, direction, due: None }
    }

    /// When `ready` is to be called at the latest.
    pub fn due(&self) -> Option<u64> {
        self.due
    }

    /// Whether something is left of what the socket has sent.
    pub fn has_pending(&self, inbound: &mut Inbound) -> bool {
        match &self.direction {
            Direction::Send(outgoing) => {
                inbound.is_ready() || !outgoing.is_idle() || !self.transport.is_drained()
            }
            Direction::Receive(_) => false,
        }
    }

    fn watch(&self, owner: &Owner, name: Token) -> Result<()> {
        for Watched { fd, writable } in self.transport.watched() {
            let interest =
                if writable { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            owner.group.io.registry().register(&mut SourceFd(&fd), name, interest)?;
        }
        Ok(())
    }

    /// Before it is dropped: its descriptors are nobody's then.
    fn unwatch(&self, owner: &Owner) {
        for Watched { fd, .. } in self.transport.watched() {
            // One that `watch` has failed at isn't there.
            let _ = owner.group.io.registry().deregister(&mut SourceFd(&fd));
        }
    }

    fn drive(&mut self, end: &mut PipeEnd, link: &SessionLink, owner: &Owner, now: u64) -> Next {
        let Self { transport, direction, due } = self;
        let next = match direction {
            Direction::Send(outgoing) => {
                let make_room = || {
                    if let Some(pipe) = link.pipe() {
                        owner.mailbox.post(Command::Room(pipe));
                    }
                };
                outgoing.drive(&mut **transport, &mut end.inbound, make_room, now)
            }
            Direction::Receive(incoming) => {
                // What the socket says (that it subscribes) stays here: there is nobody to tell.
                drop_all(&mut end.inbound);
                incoming.drive(&mut **transport, &mut end.outbound, now)
            }
        };
        // A time that has passed already would keep the I/O thread from all else.
        *due = transport.due().map(|at| at.max(now + SOONEST));
        next
    }
}

fn drop_all(inbound: &mut Inbound) {
    let mut message = Message::new();
    loop {
        while inbound.pop(&mut message) {
            let _ = inbound.count(&message);
        }
        if inbound.sleep() {
            return;
        }
    }
}

impl Outgoing {
    /// Nothing is between the pipe and the transport.
    fn is_idle(&self) -> bool {
        self.head.is_empty()
    }

    fn drive(
        &mut self,
        transport: &mut dyn Multicast,
        inbound: &mut Inbound,
        make_room: impl Fn(),
        now: u64,
    ) -> Next {
        for _ in 0..BUDGET {
            if !self.hand_over(transport, now) {
                return Next::Wait;
            }
            if !inbound.pop(&mut self.part) {
                if std::mem::take(&mut self.unflushed) {
                    transport.flush(now);
                }
                if !inbound.sleep() {
                    continue;
                }
                if inbound.grant_dry() {
                    make_room();
                }
                return Next::Wait;
            }
            if inbound.count(&self.part) {
                make_room();
            }
            self.frames.write_head(&self.part, self.first, &mut self.head);
            self.unflushed = true;
        }
        Next::Again
    }

    /// Hands the part over. False: the transport has no room for all of it.
    fn hand_over(&mut self, transport: &mut dyn Multicast, now: u64) -> bool {
        if self.head.is_empty() {
            return true;
        }
        let in_head = self.head.len();
        while self.sent < in_head + self.part.len() {
            let rest = match self.sent.checked_sub(in_head) {
                None => &self.head[self.sent..],
                Some(at) => &self.part.data()[at..],
            };
            let taken = transport.send(rest, self.first && self.sent == 0, now);
            if taken == 0 {
                return false;
            }
            self.sent += taken.min(rest.len());
        }
        self.first = !self.part.more();
        self.part = Message::new();
        self.head.clear();
        self.sent = 0;
        true
    }
}

impl Incoming {
    fn drive(&mut self, transport: &mut dyn Multicast, outbound: &mut Outbound, now: u64) -> Next {
        let mut budget = BUDGET;
        loop {
            if !self.deliver_current(transport, outbound, &mut budget) {
                return Next::Wait;
            }
            if budget == 0 {
                return Next::Again;
            }
            budget -= 1;
            match transport.receive(&mut self.buffer, now) {
                None => return Next::Wait,
                Some(Arrival { source, what }) => self.take(source, what),
            }
        }
    }

    fn take(&mut self, source: u64, what: Piece) {
        if !self.sources.contains_key(&source) && self.sources.len() >= SOURCES {
            return;
        }
        if what == Piece::Gone {
            if let Some(assembly) = self.sources.remove(&source) {
                self.held -= assembly.held();
            }
            return;
        }
        let new = || Assembly::new(self.frames, self.max_msg_size);
        let assembly = self.sources.entry(source).or_insert_with(new);
        self.held -= assembly.held();
        match what {
            Piece::Bytes { len, start } => {
                let len = len.min(self.buffer.len());
                let from = match start {
                    _ if assembly.is_in_step() => 0,
                    Some(start) => {
                        assembly.begin();
                        start.min(len)
                    }
                    None => len,
                };
                self.current = Some((source, from..len));
            }
            Piece::Gap | Piece::Gone => assembly.lose(),
        }
        self.held += assembly.held();
    }

    /// Makes messages of what is in the buffer. False: the socket has no room for them.
    fn deliver_current(
        &mut self,
        transport: &mut dyn Multicast,
        outbound: &mut Outbound,
        budget: &mut usize,
    ) -> bool {
        let Some((source, mut range)) = self.current.take() else { return true };
        let Some(assembly) = self.sources.get_mut(&source) else { return true };
        self.held -= assembly.held();
        let own = usize::try_from(self.max_msg_size).unwrap_or(0).max(UNFINISHED);
        let room = own.min(ALL_UNFINISHED.max(own).saturating_sub(self.held));
        let mut has_room = true;
        while assembly.is_complete() || !range.is_empty() {
            if assembly.is_complete() {
                has_room = outbound.has_room() || outbound.wait_for_room();
                if !has_room {
                    break;
                }
                assembly.take().for_each(|part| outbound.push(part));
                *budget = budget.saturating_sub(1);
                continue;
            }
            match assembly.decode(&self.buffer[range.clone()], room) {
                Ok(used) if used > 0 => range.start += used,
                // Not in step, so there is nothing to be had of it.
                Ok(_) => break,
                Err(_) => {
                    transport.out_of_step(source);
                    break;
                }
            }
        }
        self.held += assembly.held();
        if !has_room {
            self.current = Some((source, range));
        }
        has_room
    }
}

impl Session {
    /// Begins to send or to receive.
    pub fn start_multicast(&mut self, now: u64) -> Fate {
        let Role::Multicast(channel) = &self.role else { return Fate::Live };
        if channel.watch(&self.owner, Token(self.id.0)).is_err() {
            return self.end();
        }
        self.drive_multicast(now)
    }

    /// A descriptor is ready, or a time has come.
    pub fn multicast_ready(&mut self, now: u64) -> Fate {
        if let Role::Multicast(channel) = &mut self.role {
            channel.transport.ready(now);
        }
        self.drive_multicast(now)
    }

    /// Goes on with whatever can go on: something has happened in the network, or at the other end of the pipe.
    pub fn drive_multicast(&mut self, now: u64) -> Fate {
        let (Role::Multicast(channel), Some(end), Some(link)) =
            (&mut self.role, &mut self.parked, &self.link)
        else {
            return Fate::Live;
        };
        if channel.drive(end, link, &self.owner, now) == Next::Again {
            link.post(IoCommand::Nudge);
        }
        self.publish();
        if self.stopping && !self.has_pending() {
            return self.end();
        }
        Fate::Live
    }

    /// The transport's descriptors aren't watched any more, as it ends.
    pub(super) fn unwatch_multicast(&self) {
        if let Role::Multicast(channel) = &self.role {
            channel.unwatch(&self.owner);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
