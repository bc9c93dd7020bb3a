//! The transport inproc: sockets of one context, joined by pipes. No thread, no descriptor.
//!
//! Connecting may come before binding: the connecting socket has its pipe at once, and the other end waits here.

use super::link::{InprocLink, Listener};
use super::mailbox::{Command, Mailbox};
use super::monitor::Monitor;
use crate::error::{Error, Result};
use crate::message::{Kind, Message};
use crate::mutex::Mutex;
use crate::options::Options;
use crate::pipe::{Marks, PipeEnd, pipe};
use std::collections::HashMap;
use std::sync::{Arc, Weak};

/// The bound names of a context, and who waits for one.
#[derive(Default)]
pub struct Registry {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    bound: HashMap<String, Bound>,
    waiting: HashMap<String, Vec<Waiting>>,
}

struct Bound {
    socket: Party,
    /// The monitor whose events go there, if the context itself has bound the name.
    monitor: Weak<Monitor>,
}

/// What one socket has to know of the other.
#[derive(Clone)]
pub struct Party {
    mailbox: Arc<Mailbox>,
    send: usize,
    receive: usize,
    routing_id: Vec<u8>,
    wants_routing_id: bool,
    hello: Vec<u8>,
    disconnect: Vec<u8>,
}

struct Waiting {
    end: PipeEnd,
    link: Arc<InprocLink>,
    party: Party,
}

/// The connecting socket's side of a new pipe.
pub struct Joined {
    /// Its end.
    pub end: PipeEnd,
    /// Its link; the own side is 0.
    pub link: Arc<InprocLink>,
    /// The monitor that the peer belongs to, to be told when the pipe stands.
    pub monitor: Option<Arc<Monitor>>,
}

impl Party {
    /// A socket, as its options are now.
    pub fn new(mailbox: Arc<Mailbox>, options: &Options) -> Self {
        let mark = |value: i32| usize::try_from(value).unwrap_or(0);
        let kind = options.socket_type;
        let message = |wanted: bool, body: &Vec<u8>| if wanted { body.clone() } else { Vec::new() };
        Self {
            mailbox,
            send: mark(options.sndhwm),
            receive: mark(options.rcvhwm),
            routing_id: options.routing_id.clone(),
            wants_routing_id: options.recv_routing_id,
            hello: message(kind.sends_hello(), &options.hello_msg),
            disconnect: message(kind.receives_disconnect(), &options.disconnect_msg),
        }
    }

    /// Writes what goes before the first message.
    fn greet(&self, end: &mut PipeEnd, peer_wants_routing_id: bool) {
        if peer_wants_routing_id && let Ok(mut id) = Message::from_slice(&self.routing_id) {
            id.set_kind(Kind::RoutingId);
            end.outbound.push(id);
        }
        if !self.hello.is_empty()
            && let Ok(hello) = Message::from_slice(&self.hello)
        {
            end.outbound.push(hello);
        }
        // Nobody sleeps on a pipe that nobody has taken in yet.
        let _ = end.outbound.flush();
    }
}

impl Registry {
    /// `zmq_bind`. `EADDRINUSE` if the name is taken.
    pub fn bind(&self, name: &str, socket: Party) -> Result<()> {
        let mut inner = self.inner.lock();
        if inner.bound.contains_key(name) {
            return Err(Error::AddressInUse);
        }
        for waiting in inner.waiting.remove(name).unwrap_or_default() {
            Self::join_waiting(waiting, &socket);
        }
        inner.bound.insert(name.to_owned(), Bound { socket, monitor: Weak::new() });
        Ok(())
    }

    fn join_waiting(waiting: Waiting, socket: &Party) {
        let Waiting { mut end, link, party } = waiting;
        end.set_own_marks(socket.send, socket.receive);
        end.set_peer_marks(party.send, party.receive);
        // It was sent in case it is wanted.
        if !socket.wants_routing_id && end.inbound.peek().is_some_and(|first| first.kind() == Kind::RoutingId)
        {
            end.inbound.pop(&mut Message::new());
        }
        socket.greet(&mut end, party.wants_routing_id);
        link.set_bound(socket.mailbox.clone());
        link.set_farewell(0, socket.disconnect.clone());
        let (send, receive) = (socket.send, socket.receive);
        link.post(1, move |pipe| Command::PeerMarks(pipe, send, receive));
        link.post(1, Command::Room);
        link.post(1, Command::Readable);
        socket.mailbox.post(Command::AttachInproc { end, link, subscribe_to_all: false });
    }

    /// Says that a bound name is a monitor's, which wants to know when a reader comes.
    pub fn set_monitor(&self, name: &str, monitor: &Arc<Monitor>) {
        if let Some(bound) = self.inner.lock().bound.get_mut(name) {
            bound.monitor = Arc::downgrade(monitor);
        }
    }

    /// `zmq_connect`. `conflate`: the connecting socket's, for both directions.
    pub fn connect(&self, name: &str, socket: Party, conflate: bool) -> Joined {
        let mut inner = self.inner.lock();
        let bound = inner.bound.get(name);
        let peer = bound.map(|bound| bound.socket.clone());
        let monitor = bound.and_then(|bound| bound.monitor.upgrade());
        let marks = Marks {
            send: socket.send,
            receive: socket.receive,
            peer: peer.as_ref().map(|peer| (peer.send, peer.receive)),
        };
        let (mut here, mut there) = pipe(marks, conflate);
        let link = InprocLink::new(
            Listener::Socket(socket.mailbox.clone()),
            peer.as_ref().map(|peer| peer.mailbox.clone()),
        );
        socket.greet(&mut here, peer.as_ref().is_none_or(|peer| peer.wants_routing_id));
        match peer {
            Some(peer) => {
                peer.greet(&mut there, socket.wants_routing_id);
                link.set_farewell(0, peer.disconnect.clone());
                peer.mailbox.post(Command::AttachInproc {
                    end: there,
                    link: link.clone(),
                    subscribe_to_all: false,
                });
            }
            None => {
                let waiting = Waiting { end: there, link: link.clone(), party: socket };
                inner.waiting.entry(name.to_owned()).or_default().push(waiting);
            }
        }
        drop(inner);
        Joined { end: here, link, monitor }
    }

    /// A pipe without marks to the socket that has bound the name, for a session of the context's own, with one message in it; `None`: there
    /// is no such socket.
    pub fn ask(
        &self,
        name: &str,
        message: Vec<Message>,
        session: Listener,
    ) -> Option<(PipeEnd, Arc<InprocLink>)> {
        let inner = self.inner.lock();
        let peer = &inner.bound.get(name)?.socket;
        let (mut here, there) = pipe(Marks { send: 0, receive: 0, peer: Some((0, 0)) }, false);
        if peer.wants_routing_id {
            let mut id = Message::new();
            id.set_kind(Kind::RoutingId);
            here.outbound.push(id);
        }
        for part in message {
            here.outbound.push(part);
        }
        // Nobody sleeps on a pipe that nobody has taken in yet.
        let _ = here.outbound.flush();
        let link = InprocLink::new(session, Some(peer.mailbox.clone()));
        let attach = Command::AttachInproc { end: there, link: link.clone(), subscribe_to_all: false };
        peer.mailbox.post(attach);
        Some((here, link))
    }

    /// `zmq_unbind`. `ENOENT` if this socket hasn't bound the name.
    pub fn unbind(&self, name: &str, mailbox: &Arc<Mailbox>) -> Result<()> {
        let mut inner = self.inner.lock();
        match inner.bound.get(name) {
            Some(bound) if Arc::ptr_eq(&bound.socket.mailbox, mailbox) => {
                inner.bound.remove(name);
                Ok(())
            }
            _ => Err(Error::NotFound),
        }
    }

    /// A socket was closed: its names are free again.
    pub fn forget(&self, mailbox: &Arc<Mailbox>) {
        self.inner.lock().bound.retain(|_, bound| !Arc::ptr_eq(&bound.socket.mailbox, mailbox));
    }

    /// The context ends: who still waits for a bind waits in vain.
    pub fn clear(&self) {
        let waiting = std::mem::take(&mut self.inner.lock().waiting);
        for waiting in waiting.into_values().flatten() {
            waiting.link.post(1, Command::Closed);
        }
    }

    /// The marks of a bound socket were changed; connections to come heed them.
    pub fn has(&self, name: &str) -> bool {
        self.inner.lock().bound.contains_key(name)
    }
}
