//! PEER: each side may begin, to peers of its choice, addressed by routing id (RFC 51).
//!
//! It sends and receives as a SERVER does. What it has beyond that is `zmq_connect_peer`, which tells the routing id of the peer that
//! it connects to, so that it can speak first.

use super::server::Server;
use super::{Attachment, Env, Pattern};
use crate::error::Result;
use crate::message::Message;
use crate::pipe::PipeId;

/// The PEER pattern.
#[derive(Default)]
pub struct Peer {
    server: Server,
}

impl Pattern for Peer {
    fn attached(&mut self, env: &mut Env, pipe: PipeId, attachment: Attachment) {
        self.server.attached(env, pipe, attachment);
    }

    #[inline]
    fn send(&mut self, env: &mut Env, message: &mut Message) -> Result<()> {
        self.server.send(env, message)
    }

    #[inline]
    fn recv(&mut self, env: &mut Env, out: &mut Message) -> Result<()> {
        self.server.recv(env, out)
    }

    fn has_in(&mut self, env: &mut Env) -> bool {
        self.server.has_in(env)
    }

    fn has_out(&mut self, env: &mut Env) -> bool {
        self.server.has_out(env)
    }

    fn read_activated(&mut self, env: &mut Env, pipe: PipeId) {
        self.server.read_activated(env, pipe);
    }

    fn write_activated(&mut self, env: &mut Env, pipe: PipeId) {
        self.server.write_activated(env, pipe);
    }

    fn terminated(&mut self, env: &mut Env, pipe: PipeId) {
        self.server.terminated(env, pipe);
    }

    fn find_peer(&mut self, routing_id: u32) -> Result<PipeId> {
        self.server.find_peer(routing_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::options::SocketType;
    use crate::pattern::testing::{Socket, part};

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
