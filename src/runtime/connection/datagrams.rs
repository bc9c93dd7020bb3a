//! The halves of a connection that is one for datagrams: each of them is a message, there is no handshake, and no peer that could end
//! the connection.
//!
//! What a datagram meets on its way is its own affair: one that can't be sent, or isn't what it should be, is dropped, and the next one follows.

use super::{Connection, Next};
use crate::message::Message;
use crate::mutex::Mutex;
use crate::pipe::{Inbound, Outbound};
use crate::runtime::mailbox::Command;
use crate::transport::udp::{self, BATCH, Datagrams, Incoming, MAX_DATAGRAM, Outgoing, TRAIN};
use crate::zmtp::{datagram, groups};
use smallvec::SmallVec;
use socket2::SockAddr;
use std::io::{ErrorKind, IoSlice};
use std::net::SocketAddr;
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

/// What was received at once. The system supplies memory only for what is written to, so that short datagrams cost a page each.
struct Batch {
    bytes: Box<[u8]>,
    incoming: [Incoming; BATCH],
    count: usize,
    /// The one to be delivered next, and where in it, for it may be a train of several.
    at: usize,
    offset: usize,
}

/// Batches that nobody uses now, for an idle socket has none. Never waited for: who finds them taken does without, and so does a child of `fork`
/// whose parent had them taken.
#[allow(clippy::vec_box)] // moved as a pointer, not as two kilobytes
static BATCHES: Mutex<Vec<Box<Batch>>> = Mutex::new(Vec::new());
/// How many of them are kept.
const KEPT: usize = 2;

impl Batch {
    fn new() -> Box<Self> {
        BATCHES.try_lock().and_then(|mut kept| kept.pop()).unwrap_or_else(|| {
            Box::new(Self {
                bytes: vec![0; BATCH * MAX_DATAGRAM].into_boxed_slice(),
                incoming: [Incoming::default(); BATCH],
                count: 0,
                at: 0,
                offset: 0,
            })
        })
    }

    fn release(self: Box<Self>) {
        if let Some(mut kept) = BATCHES.try_lock()
            && kept.len() < KEPT
        {
            kept.push(self);
        }
    }

    /// Whether everything was delivered.
    fn is_empty(&self) -> bool {
        self.at == self.count
    }

    /// Receives what is there. False: there may be more.
    fn fill(&mut self, connection: &Connection, form: Form) -> std::io::Result<bool> {
        (self.count, self.at, self.offset) = (0, 0, 0);
        let names = form == Form::Named;
        let stream = connection.stream();
        self.count = Datagrams::receive(stream, &mut self.bytes, BATCH, names, &mut self.incoming)?;
        Ok(self.count < BATCH)
    }

    /// The next datagram, and who has sent it.
    fn next(&mut self) -> Option<(&[u8], Option<SocketAddr>)> {
        while self.at < self.count {
            let (index, incoming) = (self.at, self.incoming[self.at]);
            let start = self.offset;
            let end = match incoming.segment {
                0 => incoming.len,
                size => (start + size).min(incoming.len),
            };
            self.offset = end;
            if end == incoming.len {
                (self.at, self.offset) = (index + 1, 0);
            }
            if !incoming.truncated {
                let place = index * MAX_DATAGRAM;
                return Some((&self.bytes[place + start..place + end], incoming.from));
            }
        }
        None
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
    /// What was received and has no room as yet.
    held: Option<Box<Batch>>,
}

impl Receiver {
    /// `max_msg_size` in bytes, negative for no limit.
    pub fn new(form: Option<Form>, max_msg_size: i64, outbound: Outbound) -> Self {
        Self { outbound, form, max_body: usize::try_from(max_msg_size).unwrap_or(usize::MAX), held: None }
    }

    /// Receives what has arrived, up to so many datagrams. `dry`: nothing is there before the next event.
    pub(super) fn drive(&mut self, connection: &Connection, budget: usize, dry: &mut bool) -> Next {
        let Some(form) = self.form else { return Next::Wait };
        if *dry && self.held.is_none() {
            return Next::Wait;
        }
        let mut batch = self.held.take().unwrap_or_else(Batch::new);
        let next = self.receive(connection, form, &mut batch, budget, dry);
        if batch.is_empty() {
            batch.release();
        } else {
            self.held = Some(batch);
        }
        next
    }

    fn receive(
        &mut self,
        connection: &Connection,
        form: Form,
        batch: &mut Batch,
        mut budget: usize,
        dry: &mut bool,
    ) -> Next {
        let mut errors = 0;
        loop {
            while !batch.is_empty() {
                // `Command::Room` of the socket makes it go on if there is no room.
                let has_room = self.outbound.has_room() || self.outbound.wait_for_room();
                if budget == 0 || !has_room {
                    self.publish(connection);
                    return if has_room { Next::Again } else { Next::Wait };
                }
                if let Some((bytes, from)) = batch.next() {
                    budget -= 1;
                    self.deliver(form, from, bytes);
                }
            }
            self.publish(connection);
            if *dry {
                return Next::Wait;
            }
            if budget == 0 {
                return Next::Again;
            }
            match batch.fill(connection, form) {
                Ok(was_all) => (*dry, errors) = (was_all, 0),
                Err(error) if error.kind() == ErrorKind::WouldBlock => *dry = true,
                Err(_) if errors < PATIENCE => errors += 1,
                Err(_) => *dry = true,
            }
        }
    }

    /// Makes a message of a datagram. One for which there is no memory is lost, as by the network.
    fn deliver(&mut self, form: Form, from: Option<SocketAddr>, bytes: &[u8]) {
        match (form, from) {
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
    /// Datagrams of one size may go as a train. Not where the kernel has refused one.
    trains: bool,
    /// So many of the pending ones go by themselves, as their train was refused.
    alone: usize,
}

/// Longer datagrams don't go as trains: the packets on the way must hold them.
const MAX_SEGMENT: usize = 1400;
/// A datagram counts as so many bytes.
const DATAGRAM_COST: usize = 1024;
/// Bytes that a train has at most.
const MAX_TRAIN: usize = 65_000;

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
            trains: true,
            alone: 0,
        }
    }

    /// Nothing waits here for the kernel.
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Sends what is queued, until the budget is used up: then it is 0. False: the kernel takes no more for now.
    pub(super) fn drive(&mut self, connection: &Arc<Connection>, budget: &mut usize) -> bool {
        while *budget > 0 {
            if self.is_empty() && !self.fill(connection) {
                return true;
            }
            let train = self.train(self.sent);
            let outcome = if train > 1 { self.send_train(connection, train) } else { self.send(connection) };
            let count = outcome.as_ref().map_or(1, |count| *count);
            *budget = budget.saturating_sub(count * DATAGRAM_COST);
            match outcome {
                Ok(count) => self.advance(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) if train > 1 => {
                    // Whether it is the train or the way that is wrong shows when they go one by one.
                    self.alone = self.sent + train;
                    let no_way = [
                        libc::ENETUNREACH,
                        libc::EHOSTUNREACH,
                        libc::ENETDOWN,
                        libc::ECONNREFUSED,
                        libc::ENOBUFS,
                    ];
                    self.trains = error.raw_os_error().is_some_and(|number| no_way.contains(&number));
                }
                // Too long, no route, no permission, no memory ...: it is lost, as it may be anywhere on its way.
                Err(_) => self.advance(1),
            }
        }
        true
    }

    /// The part of the pending datagram's head and body.
    fn parts(&self, index: usize) -> [&[u8]; 2] {
        let start = match index.checked_sub(1) {
            Some(before) => self.pending[before].head_end,
            None => 0,
        };
        [&self.heads[start..self.pending[index].head_end], self.pending[index].body.data()]
    }

    fn size(&self, index: usize) -> usize {
        self.parts(index).map(<[u8]>::len).iter().sum()
    }

    fn target(&self, index: usize) -> &SockAddr {
        match &self.destination {
            Destination::One(target) => target,
            _ => &self.peers[self.pending[index].peer],
        }
    }

    /// How many of the pending datagrams from `first` on make a train: all of one size to one peer, but for a shorter one at the end.
    fn train(&self, first: usize) -> usize {
        let segment = self.size(first);
        if !self.trains || first < self.alone || !(1..=MAX_SEGMENT).contains(&segment) {
            return 1;
        }
        let (mut count, mut bytes) = (1, segment);
        for index in first + 1..self.pending.len().min(first + TRAIN) {
            let size = self.size(index);
            bytes += size;
            let same_peer = self.pending[index].peer == self.pending[first].peer;
            if !same_peer || size > segment || size == 0 || bytes > MAX_TRAIN {
                break;
            }
            count += 1;
            if size < segment {
                break;
            }
        }
        count
    }

    fn send_train(&self, connection: &Connection, count: usize) -> std::io::Result<usize> {
        let parts: SmallVec<[IoSlice<'_>; 2 * TRAIN]> = (self.sent..self.sent + count)
            .flat_map(|index| self.parts(index))
            .filter(|part| !part.is_empty())
            .map(IoSlice::new)
            .collect();
        let segment = self.size(self.sent) as u16;
        Datagrams::send_train(connection.stream(), self.target(self.sent), &parts, segment)?;
        Ok(count)
    }

    /// Sends the datagrams up to the next train.
    fn send(&self, connection: &Connection) -> std::io::Result<usize> {
        let first = self.sent;
        let trains = (first + 1..self.pending.len()).find(|&index| self.train(index) > 1);
        let count = trains.unwrap_or(self.pending.len()) - first;
        Datagrams::send(connection.stream(), count.min(BATCH), |index| Outgoing {
            to: self.target(first + index),
            parts: self.parts(first + index),
        })
    }

    /// `count` more datagrams are done with.
    fn advance(&mut self, count: usize) {
        self.sent += count;
        if self.sent >= self.pending.len() {
            self.pending.clear();
            self.heads.clear();
            (self.sent, self.alone) = (0, 0);
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
        while self.pending.len() < TRAIN {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn batches_are_not_waited_for() {
        // As a child of `fork` finds them, if another thread of its parent had them.
        let taken = BATCHES.lock();
        let (done, outcome) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            Batch::new().release();
            done.send(()).unwrap();
        });
        assert_eq!(outcome.recv_timeout(Duration::from_secs(20)), Ok(()));
        drop(taken);
    }
}
