//! STREAM: raw TCP (man page `zmq_socket`).
//!
//! A message has two parts: which connection, and bytes. An empty second part disconnects when sent; when
//! received, it says that a connection came or went (`ZMQ_STREAM_NOTIFY`, which the connection sees to).

use super::peers::Peers;
use super::routing::FairQueue;
use super::{Attachment, Env, Pattern};
use crate::error::{Error, Result};
use crate::message::Message;
use crate::pipe::PipeId;

/// The STREAM pattern.
#[derive(Default)]
pub struct Stream {
    inbound: FairQueue,
    peers: Peers,
    /// The bytes that belong to the routing id handed out last.
    held: Option<Message>,
    /// The next part to be sent is the second one.
    addressed: bool,
    /// Where it goes; `None`: nowhere.
    to: Option<PipeId>,
}

impl Pattern for Stream {
    fn attached(&mut self, env: &mut Env, pipe: PipeId, attachment: Attachment) {
        let id = self.peers.chosen(env, attachment).unwrap_or_else(|| {
            let id = self.peers.generate();
            // That is how a program learns the id of the connection it has just made (ZMQ_ROUTING_ID).
            env.options.routing_id.clone_from(&id);
            id
        });
        self.peers.insert(env.pipes, pipe, id);
        self.inbound.attach(pipe);
    }

    fn send(&mut self, env: &mut Env, message: &mut Message) -> Result<()> {
        if !self.addressed {
            if message.more() {
                let pipe = self.peers.find(env.pipes, message.data()).ok_or(Error::HostUnreachable)?;
                if !env.pipes.check_write(pipe) {
                    return Err(Error::Again);
                }
                self.to = Some(pipe);
            }
            self.addressed = true;
            *message = Message::new();
            return Ok(());
        }
        message.set_more(false);
        self.addressed = false;
        if let Some(pipe) = self.to.take() {
            if message.is_empty() {
                env.pipes.terminate(pipe, false);
            } else if env.pipes.write(pipe, message) {
                env.pipes.flush(pipe);
            }
        }
        *message = Message::new();
        Ok(())
    }

    fn recv(&mut self, env: &mut Env, out: &mut Message) -> Result<()> {
        if let Some(bytes) = self.held.take() {
            *out = bytes;
            return Ok(());
        }
        let pipe = self.inbound.recv(env.pipes, out).ok_or(Error::Again)?;
        let mut id = Message::from_slice(env.pipes.routing_id(pipe))?;
        id.set_more(true);
        id.set_metadata(out.metadata().cloned());
        self.held = Some(std::mem::replace(out, id));
        Ok(())
    }

    fn has_in(&mut self, env: &mut Env) -> bool {
        self.held.is_some() || self.inbound.has_in(env.pipes)
    }

    // Whether a connection has room is looked at when something for it comes.
    fn has_out(&mut self, _env: &mut Env) -> bool {
        true
    }

    fn read_activated(&mut self, _env: &mut Env, pipe: PipeId) {
        self.inbound.activated(pipe);
    }

    fn terminated(&mut self, env: &mut Env, pipe: PipeId) {
        self.peers.remove(env.pipes, pipe);
        self.inbound.terminated(pipe);
        if self.to == Some(pipe) {
            self.to = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::SocketType;
    use crate::pattern::testing::Socket;

    #[test]
    fn bytes_come_with_the_id_of_their_connection() {
        let mut stream = Socket::new(SocketType::Stream);
        let mut a = stream.peer();
        let known = stream.options.routing_id.clone();
        let mut b = stream.peer();
        a.send(&mut stream, &["from a"]);
        b.send(&mut stream, &[""]);
        assert!(stream.has_in());
        let id = stream.recv_part().unwrap();
        assert_eq!((id.data(), id.more()), (&known[..], true));
        assert_eq!(stream.recv().unwrap(), ["from a"]);
        assert_eq!(stream.recv_part().unwrap().len(), 5);
        assert_eq!(stream.recv().unwrap(), [""]);
        stream.send_part(&known, true).unwrap();
        stream.send_part(b"to a", true).unwrap();
        assert_eq!(a.recv(&mut stream).unwrap(), ["to a"]);
        assert_eq!(b.recv(&mut stream), None);
    }

    #[test]
    fn an_empty_part_disconnects() {
        let mut stream = Socket::new(SocketType::Stream);
        let _a = stream.peer();
        let id = stream.options.routing_id.clone();
        stream.send_part(&id, true).unwrap();
        stream.send_part(b"", false).unwrap();
        assert!(stream.pipes.is_empty());
        assert_eq!(stream.send_part(&id, true), Err(Error::HostUnreachable));
    }

    #[test]
    fn a_full_connection_would_block() {
        let mut stream = Socket::new(SocketType::Stream);
        stream.options.sndhwm = 1;
        let mut a = stream.peer();
        let id = stream.options.routing_id.clone();
        stream.send_part(&id, true).unwrap();
        stream.send_part(b"1", false).unwrap();
        assert_eq!(stream.send_part(&id, true), Err(Error::Again));
        assert_eq!(a.recv_all(&mut stream), ["1"]);
        stream.send_part(&id, true).unwrap();
        stream.send_part(b"2", false).unwrap();
        assert_eq!(a.recv_all(&mut stream), ["2"]);
    }

    #[test]
    fn the_program_may_choose_the_id_of_a_connection_it_makes() {
        let mut stream = Socket::new(SocketType::Stream);
        stream.options.connect_routing_id = b"mine".to_vec();
        let connected = Attachment { subscribe_to_all: false, locally_initiated: true };
        let mut a = stream.peer_with(connected, |_| {});
        assert!(stream.options.routing_id.is_empty());
        stream.send(&["mine", "x"]).unwrap();
        assert_eq!(a.recv(&mut stream).unwrap(), ["x"]);
    }

    #[test]
    fn a_first_part_alone_is_followed_by_a_part_that_is_dropped() {
        let mut stream = Socket::new(SocketType::Stream);
        let mut a = stream.peer();
        let id = stream.options.routing_id.clone();
        stream.send_part(&id, false).unwrap();
        stream.send_part(b"dropped", false).unwrap();
        assert_eq!(a.recv(&mut stream), None);
    }
}
