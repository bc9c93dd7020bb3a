//! SERVER: asynchronous request-reply with CLIENTs, addressed by routing id, without parts (RFC 41).
//!
//! A routing id is a number other than 0, which the SERVER gives to each connection. Received messages carry it; a message to be
//! sent goes where its own says.
//!
//! PEER (RFC 51) is the same between equals. What it has beyond that is `zmq_connect_peer`, which tells the routing id of the peer that
//! it connects to, so that it can speak first; that is the runtime's business.

use std::collections::HashMap;

use super::multipart::Multipart;
use super::routing::FairQueue;
use super::{Attachment, Env, Pattern, random};
use crate::error::{Error, Result};
use crate::message::Message;
use crate::pipe::PipeId;

/// The SERVER pattern, and PEER's.
pub struct Server {
    inbound: FairQueue,
    pipes: HashMap<u32, PipeId>,
    /// What was looked up or received from last; mostly it is what is looked up next.
    last: Option<(u32, PipeId)>,
    next: u32,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            inbound: FairQueue::new(Multipart::Refused),
            pipes: HashMap::new(),
            last: None,
            next: random(),
        }
    }
}

impl Server {
    /// An id that isn't in use. It comes again after 2^32 connections only.
    fn generate(&mut self) -> u32 {
        loop {
            let id = self.next;
            self.next = id.wrapping_add(1);
            if id != 0 && !self.pipes.contains_key(&id) {
                return id;
            }
        }
    }

    #[inline]
    fn find(&mut self, routing_id: u32) -> Result<PipeId> {
        match self.last {
            Some((id, pipe)) if id == routing_id => Ok(pipe),
            _ => {
                let pipe = *self.pipes.get(&routing_id).ok_or(Error::HostUnreachable)?;
                self.last = Some((routing_id, pipe));
                Ok(pipe)
            }
        }
    }
}

impl Pattern for Server {
    fn attached(&mut self, env: &mut Env, pipe: PipeId, _attachment: Attachment) {
        let id = self.generate();
        self.pipes.insert(id, pipe);
        env.pipes.set_server_routing_id(pipe, id);
        self.inbound.attach(pipe);
    }

    fn send(&mut self, env: &mut Env, message: &mut Message) -> Result<()> {
        if Multipart::Refused.refuses(message) {
            return Err(Error::Invalid);
        }
        let routing_id = message.routing_id();
        let pipe = self.find(routing_id)?;
        // It is this socket's name for the connection, and none of the receiver's.
        message.set_routing_id(0);
        if env.pipes.write(pipe, message) {
            env.pipes.flush(pipe);
            return Ok(());
        }
        message.set_routing_id(routing_id);
        // Who has gone won't have room again, although there may be something to be received from there still.
        Err(if env.pipes.is_peer_closed(pipe) { Error::HostUnreachable } else { Error::Again })
    }

    #[inline]
    fn recv(&mut self, env: &mut Env, out: &mut Message) -> Result<()> {
        let pipe = self.inbound.recv(env.pipes, out).ok_or(Error::Again)?;
        let routing_id = env.pipes.server_routing_id(pipe);
        out.set_routing_id(routing_id);
        self.last = Some((routing_id, pipe));
        Ok(())
    }

    fn has_in(&mut self, env: &mut Env) -> bool {
        self.inbound.has_in(env.pipes)
    }

    // Whether a peer has room is looked at when a message for it comes.
    fn has_out(&mut self, _env: &mut Env) -> bool {
        true
    }

    fn read_activated(&mut self, _env: &mut Env, pipe: PipeId) {
        self.inbound.activated(pipe);
    }

    fn terminated(&mut self, env: &mut Env, pipe: PipeId) {
        self.pipes.remove(&env.pipes.server_routing_id(pipe));
        self.inbound.terminated(pipe);
        if self.last.is_some_and(|(_, last)| last == pipe) {
            self.last = None;
        }
    }

    fn find_peer(&mut self, routing_id: u32) -> Result<PipeId> {
        self.find(routing_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::SocketType;
    use crate::pattern::testing::{Peer, Socket, part};

    fn server() -> Socket {
        Socket::new(SocketType::Server)
    }

    fn send_to(socket: &mut Socket, routing_id: u32, body: &str) -> Result<()> {
        let mut message = part(body.as_bytes(), false);
        message.set_routing_id(routing_id);
        let result = socket.call(|pattern, env| pattern.send(env, &mut message));
        match result {
            Ok(()) => assert!(message.is_empty() && message.routing_id() == 0),
            Err(_) => assert!(message.data() == body.as_bytes() && message.routing_id() == routing_id),
        }
        result
    }

    fn id(socket: &mut Socket, peer: &mut Peer) -> u32 {
        peer.send(socket, &["hello"]);
        let message = socket.recv_part().unwrap();
        assert_eq!(message.data(), b"hello");
        assert_ne!(message.routing_id(), 0);
        message.routing_id()
    }

    #[test]
    fn answers_go_to_who_has_asked() {
        let mut server = server();
        assert!(server.has_out() && !server.has_in());
        let (mut a, mut b) = (server.peer(), server.peer());
        let (to_a, to_b) = (id(&mut server, &mut a), id(&mut server, &mut b));
        assert_ne!(to_a, to_b);
        send_to(&mut server, to_a, "1").unwrap();
        send_to(&mut server, to_b, "2").unwrap();
        send_to(&mut server, to_a, "3").unwrap();
        // The id is the server's alone.
        let first = a.recv_part(&mut server).unwrap();
        assert_eq!((first.data(), first.routing_id()), (&b"1"[..], 0));
        assert_eq!(a.recv_all(&mut server), ["3"]);
        assert_eq!(b.recv_all(&mut server), ["2"]);
        assert_eq!(id(&mut server, &mut a), to_a);
    }

    #[test]
    fn messages_to_nobody_are_refused() {
        let mut server = server();
        assert_eq!(server.send(&["x"]), Err(Error::HostUnreachable));
        let mut a = server.peer();
        let to_a = id(&mut server, &mut a);
        assert_eq!(server.send(&["x"]), Err(Error::HostUnreachable));
        assert_eq!(send_to(&mut server, to_a.wrapping_add(1).max(1), "x"), Err(Error::HostUnreachable));
        a.close(&mut server);
        assert_eq!(send_to(&mut server, to_a, "x"), Err(Error::HostUnreachable));
        // Nor does it ever mean another one.
        let mut b = server.peer();
        assert_ne!(id(&mut server, &mut b), to_a);
        assert_eq!(send_to(&mut server, to_a, "x"), Err(Error::HostUnreachable));
    }

    #[test]
    fn who_has_gone_is_unreachable_although_something_is_still_to_be_received() {
        let mut server = server();
        let mut a = server.peer();
        let to_a = id(&mut server, &mut a);
        a.send(&mut server, &["farewell"]);
        a.close(&mut server);
        assert_eq!(send_to(&mut server, to_a, "x"), Err(Error::HostUnreachable));
        let message = server.recv_part().unwrap();
        assert_eq!((message.data(), message.routing_id()), (&b"farewell"[..], to_a));
        assert!(!server.has_in() && server.pipes.is_empty());
    }

    #[test]
    fn a_full_peer_would_block_and_no_other() {
        let mut server = server();
        server.options.sndhwm = 1;
        let (mut a, mut b) = (server.peer(), server.peer());
        let (to_a, to_b) = (id(&mut server, &mut a), id(&mut server, &mut b));
        send_to(&mut server, to_a, "1").unwrap();
        assert_eq!(send_to(&mut server, to_a, "x"), Err(Error::Again));
        assert!(server.has_out());
        send_to(&mut server, to_b, "2").unwrap();
        assert_eq!(a.recv_all(&mut server), ["1"]);
        send_to(&mut server, to_a, "3").unwrap();
        assert_eq!(a.recv_all(&mut server), ["3"]);
        assert_eq!(b.recv_all(&mut server), ["2"]);
    }

    #[test]
    fn parts_are_neither_sent_nor_received() {
        let mut server = server();
        let (mut a, mut b) = (server.peer(), server.peer());
        assert_eq!(server.send_part(b"x", true), Err(Error::Invalid));
        let to_b = id(&mut server, &mut b);
        a.send(&mut server, &["1", "2"]);
        assert!(!server.has_in());
        a.send(&mut server, &["3", "4", "5"]);
        b.send(&mut server, &["6"]);
        let message = server.recv_part().unwrap();
        assert_eq!((message.data(), message.routing_id()), (&b"6"[..], to_b));
        assert!(server.recv_part().is_err());
    }

    #[test]
    fn ids_are_not_used_twice_at_a_time_and_never_0() {
        let mut server = Server { next: u32::MAX - 1, ..Server::default() };
        let pipe = Socket::new(SocketType::Server).peer().id;
        let ids: Vec<_> = (0..4)
            .map(|_| {
                let id = server.generate();
                server.pipes.insert(id, pipe);
                id
            })
            .collect();
        assert_eq!(ids, [u32::MAX - 1, u32::MAX, 1, 2]);
        server.next = u32::MAX;
        assert_eq!(server.generate(), 3);
    }

    #[test]
    fn it_can_speak_first_and_knows_who_answers() {
        let mut socket = Socket::new(SocketType::Peer);
        let connected = Attachment { subscribe_to_all: false, locally_initiated: true };
        let mut a = socket.peer_with(connected, |_| {});
        let mut b = socket.peer();
        let to_a = socket.pipes.server_routing_id(a.id);
        let to_b = socket.pipes.server_routing_id(b.id);
        assert!(to_a != 0 && to_b != 0 && to_a != to_b);
        for (id, body) in [(to_a, "to a"), (to_b, "to b")] {
            let mut message = part(body.as_bytes(), false);
            message.set_routing_id(id);
            socket.call(|pattern, env| pattern.send(env, &mut message)).unwrap();
        }
        assert_eq!(a.recv_all(&mut socket), ["to a"]);
        assert_eq!(b.recv_all(&mut socket), ["to b"]);
        a.send(&mut socket, &["from a"]);
        let answer = socket.recv_part().unwrap();
        assert_eq!((answer.data(), answer.routing_id()), (&b"from a"[..], to_a));
        assert!(socket.has_out() && !socket.has_in());
    }

    #[test]
    fn its_peers_are_found_by_their_ids_until_they_have_gone() {
        let mut socket = Socket::new(SocketType::Peer);
        let a = socket.peer();
        let to_a = socket.pipes.server_routing_id(a.id);
        assert_eq!(socket.call(|pattern, _| pattern.find_peer(to_a)), Ok(a.id));
        a.close(&mut socket);
        assert_eq!(socket.call(|pattern, _| pattern.find_peer(to_a)), Err(Error::HostUnreachable));
    }
}
