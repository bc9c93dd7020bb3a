//! The halves of a connection that is one for datagrams: each of them is a message, there is no handshake, and no peer that could end
//! the connection.
//!
//! What a datagram meets on its way is its own affair: one that can't be sent, or isn't what it should be, is dropped, and the next one follows.

use super::{Connection, Next};
use crate::message::Message;
use crate::pipe::{Inbound, Outbound};
use crate::runtime::mailbox::Command;
use crate::transport::udp::{self, BATCH, Datagrams, Incoming, MAX_DATAGRAM, Outgoing};
use crate::zmtp::{datagram, groups};
use parking_lot::Mutex;
use socket2::SockAddr;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How many errors of the descriptor in a row are gone past before it is left until the next event.
const PATIENCE: usize = 8;

/// What a datagram is to the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A group and a body (RADIO, DISH).
    Grouped,
    /// A body, led by its peer's name in a part of its own (DGRAM).
    Named,
}

/// Room for a batch of the longest datagrams. The system supplies memory only for what is written to, so that short ones cost a page each.
type Room = Box<[u8]>;

/// Rooms that nobody uses now, for an idle socket has none.
static ROOMS: Mutex<Vec<Room>> = Mutex::new(Vec::new());
/// How many of them are kept.
const KEPT: usize = 2;

fn take_room() -> Room {
    ROOMS.lock().pop().unwrap_or_else(|| vec![0; BATCH * MAX_DATAGRAM].into_boxed_slice())
}

fn give_room(room: Room) {
    let mut rooms = ROOMS.lock();
    if rooms.len() < KEPT {
        rooms.push(room);
    }
}

/// The half that receives.
pub struct Receiver {
    /// Towards the socket.
    pub(super) outbound: Outbound,
    /// `None`: nothing is received (RADIO).
    form: Option<Form>,
    /// The longest body that is let in (`ZMQ_MAXMSGSIZE`).
    max_body: usize,
}

impl Receiver {
    /// `max_msg_size` in bytes, negative for no limit.
    pub fn new(form: Option<Form>, max_msg_size: i64, outbound: Outbound) -> Self {
        Self { outbound, form, max_body: usize::try_from(max_msg_size).unwrap_or(usize::MAX) }
    }

    /// Receives what has arrived, up to so many datagrams. `dry`: nothing is there before the next event.
    pub(super) fn drive(&mut self, connection: &Connection, budget: usize, dry: &mut bool) -> Next {
        let Some(form) = self.form else { return Next::Wait };
        if *dry {
            return Next::Wait;
        }
        let mut room = take_room();
        let next = self.receive(connection, form, &mut room, budget, dry);
        give_room(room);
        next
    }

    fn receive(
        &mut self,
        connection: &Connection,
        form: Form,
        room: &mut [u8],
        mut budget: usize,
        dry: &mut bool,
    ) -> Next {
        let mut incoming = [Incoming::default(); BATCH];
        let mut errors = 0;
        loop {
            if budget == 0 {
                return Next::Again;
            }
            if !self.outbound.has_room() && !self.outbound.wait_for_room() {
                // `Command::Room` of the socket makes it go on.
                return Next::Wait;
            }
            let wanted = self.outbound.room().min(budget).min(BATCH);
            let names = form == Form::Named;
            let stream = connection.stream();
            let count = match Datagrams::receive(stream, room, wanted, names, &mut incoming) {
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    *dry = true;
                    return Next::Wait;
                }
                Err(_) if errors < PATIENCE => {
                    errors += 1;
                    continue;
                }
                Err(_) => {
                    *dry = true;
                    return Next::Wait;
                }
            };
            errors = 0;
            budget -= count;
            for (incoming, bytes) in incoming.iter().zip(room.chunks_exact(MAX_DATAGRAM)).take(count) {
                if !incoming.truncated {
                    self.deliver(form, incoming, &bytes[..incoming.len]);
                }
            }
            self.publish(connection);
            if count < wanted {
                *dry = true;
                return Next::Wait;
            }
        }
    }

    /// Makes a message of a datagram. One for which there is no memory is lost, as by the network.
    fn deliver(&mut self, form: Form, incoming: &Incoming, bytes: &[u8]) {
        match (form, incoming.from) {
            (Form::Grouped, _) => {
                let Some((group, body)) = datagram::parse(bytes) else { return };
                if body.len() <= self.max_body
                    && let Ok(mut message) = Message::from_slice(body)
                    && message.set_group(groups::until_zero(group)).is_ok()
                {
                    self.outbound.push(message);
                }
            }
            (Form::Named, Some(peer)) if bytes.len() <= self.max_body => {
                let name = udp::with_peer_name(&peer, Message::from_slice);
                if let (Ok(mut name), Ok(body)) = (name, Message::from_slice(bytes)) {
                    name.set_more(true);
                    self.outbound.push(name);
                    self.outbound.push(body);
                }
            }
            (Form::Named, _) => {}
        }
    }

    fn publish(&mut self, connection: &Connection) {
        if self.outbound.flush() {
            match connection.link.pipe() {
                Some(pipe) => connection.mailbox.post(Command::Readable(pipe)),
                None => connection.mailbox.notify(),
            }
        }
    }
}

/// Where the datagrams of a socket go.
pub enum Destination {
    /// There are none: what the socket says (that it joins a group) stays here.
    Nowhere,
    /// To one address, or one group of hosts.
    One(SockAddr),
    /// To the peer whose name leads the message.
    Named {
        /// By a socket for IPv6.
        ipv6: bool,
    },
}

/// A datagram that is to be sent.
struct Pending {
    body: Message,
    /// Where its head ends in [`Sender::heads`].
    head_end: usize,
    /// Its address among [`Sender::peers`].
    peer: usize,
}

/// The half that sends.
pub struct Sender {
    /// From the socket.
    pub(super) inbound: Inbound,
    destination: Destination,
    pending: Vec<Pending>,
    /// How many of those were sent, or dropped.
    sent: usize,
    /// What goes before the bodies, one after the other.
    heads: Vec<u8>,
    /// The addresses of the pending datagrams, each once if it follows itself; the name that the last one was made of.
    peers: Vec<SockAddr>,
    last_name: Vec<u8>,
    /// The name was read, and its body wasn't: where to, if that is an address.
    named: Option<Option<usize>>,
}

impl Sender {
    /// For what comes from the socket.
    pub fn new(destination: Destination, inbound: Inbound) -> Self {
        Self {
            inbound,
            destination,
            pending: Vec::new(),
            sent: 0,
            heads: Vec::new(),
            peers: Vec::new(),
            last_name: Vec::new(),
            named: None,
        }
    }

    /// Nothing waits here for the kernel.
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Sends what is queued. False: the kernel takes no more for now.
    pub(super) fn drive(&mut self, connection: &Arc<Connection>) -> bool {
        loop {
            if self.is_empty() && !self.fill(connection) {
                return true;
            }
            match self.send(connection) {
                Ok(count) => self.advance(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                // Too long, no route, no permission, no memory ...: it is lost, as it may be anywhere on its way.
                Err(_) => self.advance(1),
            }
        }
    }

    fn send(&self, connection: &Connection) -> std::io::Result<usize> {
        let (pending, peers) = (&self.pending[self.sent..], &self.peers[..]);
        let before = |index: usize| match (self.sent + index).checked_sub(1) {
            Some(index) => self.pending[index].head_end,
            None => 0,
        };
        Datagrams::send(connection.stream(), pending.len(), |index| Outgoing {
            to: match &self.destination {
                Destination::One(target) => target,
                _ => &peers[pending[index].peer],
            },
            parts: [&self.heads[before(index)..pending[index].head_end], pending[index].body.data()],
        })
    }

    /// `count` more datagrams are done with.
    fn advance(&mut self, count: usize) {
        self.sent += count;
        if self.sent >= self.pending.len() {
            self.pending.clear();
            self.heads.clear();
            self.sent = 0;
            if self.named.is_none() {
                self.peers.clear();
                self.last_name.clear();
            }
        }
    }

    /// Takes messages from the pipe. False: there is none.
    fn fill(&mut self, connection: &Connection) -> bool {
        let mut message = Message::new();
        let mut written = 0;
        while self.pending.len() < BATCH {
            if !self.inbound.pop(&mut message) {
                if !self.is_empty() {
                    break;
                }
                if self.inbound.sleep() {
                    if self.inbound.grant_dry() {
                        tell_room(connection);
                    }
                    break;
                }
                continue;
            }
            if self.inbound.count(&message) {
                tell_room(connection);
            }
            if self.take(std::mem::take(&mut message)) {
                written += 1;
            }
        }
        connection.written.fetch_add(written, Ordering::Relaxed);
        !self.is_empty()
    }

    /// True: it was a datagram's last part.
    fn take(&mut self, message: Message) -> bool {
        match &self.destination {
            Destination::Nowhere => false,
            Destination::One(_) => {
                datagram::write_head(message.group(), &mut self.heads);
                self.pending.push(Pending { body: message, head_end: self.heads.len(), peer: 0 });
                true
            }
            Destination::Named { ipv6 } => {
                let ipv6 = *ipv6;
                let Some(peer) = self.named.take() else {
                    self.named = Some(self.peer(message.data(), ipv6));
                    return false;
                };
                if let Some(peer) = peer {
                    self.pending.push(Pending { body: message, head_end: 0, peer });
                }
                true
            }
        }
    }

    fn peer(&mut self, name: &[u8], ipv6: bool) -> Option<usize> {
        if self.peers.is_empty() || self.last_name != name {
            self.peers.push(udp::parse_peer(name, ipv6)?);
            self.last_name.clear();
            self.last_name.extend_from_slice(name);
        }
        Some(self.peers.len() - 1)
    }
}

fn tell_room(connection: &Connection) {
    if let Some(pipe) = connection.link.pipe() {
        connection.mailbox.post(Command::Room(pipe));
    }
}
