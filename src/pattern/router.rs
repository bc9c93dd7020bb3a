//! ROUTER: asynchronous request-reply, addressed by routing id (RFC 28).
//!
//! Received messages have the peer's routing id in front; the first part of a message to be sent says whom it
//! is for.

use std::collections::HashSet;

use super::peers::Peers;
use super::routing::FairQueue;
use super::{Attachment, Env, Pattern, probe};
use crate::error::{Error, Result};
use crate::message::{Kind, Message};
use crate::pipe::PipeId;

/// `ZMQ_POLLOUT`.
const POLLOUT: i32 = 2;

/// The ROUTER pattern.
#[derive(Default)]
pub struct Router {
    inbound: FairQueue,
    peers: Peers,
    /// Pipes whose peer isn't known: its routing id hasn't come yet, or is taken by another one.
    anonymous: HashSet<PipeId>,
    /// The first part of a message whose routing id was handed out.
    held: Option<Message>,
    /// Where the message comes from that is being received.
    from: Option<PipeId>,
    /// That peer's routing id was taken over: its pipe ends with this message.
    end_after_message: bool,
    /// The next part to be sent belongs to a message whose address was given.
    addressed: bool,
    /// Where the message goes that is being sent; `None`: nowhere.
    to: Option<PipeId>,
}

/// What is known of a peer.
enum Identity {
    /// Nothing yet.
    Pending,
    /// Its routing id belongs to another peer.
    Taken,
    Known(Vec<u8>),
}

impl Router {
    /// Finds out who is at the other end of a new pipe.
    fn identify(&mut self, env: &mut Env, pipe: PipeId) -> Identity {
        if env.options.router_raw {
            return Identity::Known(self.peers.generate());
        }
        if !env.pipes.check_read(pipe) {
            return Identity::Pending;
        }
        let mut id = Message::new();
        if env.pipes.peek(pipe).is_some_and(|message| message.kind() == Kind::RoutingId) {
            env.pipes.read(pipe, &mut id);
        }
        if id.is_empty() {
            return Identity::Known(self.peers.generate());
        }
        if let Some(old) = self.peers.find(env.pipes, id.data()) {
            if !env.options.router_handover {
                return Identity::Taken;
            }
            // The old pipe needs some id until it has ended.
            self.peers.remove(env.pipes, old);
            let substitute = self.peers.generate();
            self.peers.insert(env.pipes, old, substitute);
            if self.from == Some(old) {
                self.end_after_message = true;
            } else {
                env.pipes.terminate(old, true);
            }
        }
        Identity::Known(id.data().to_vec())
    }

    fn admit(&mut self, env: &mut Env, pipe: PipeId, identity: Identity) {
        match identity {
            Identity::Known(id) => {
                self.anonymous.remove(&pipe);
                self.peers.insert(env.pipes, pipe, id);
                self.inbound.attach(pipe);
            }
            Identity::Taken => {
                // Nobody will ever read what comes from there.
                env.pipes.set_no_delay(pipe);
                self.anonymous.insert(pipe);
            }
            Identity::Pending => {
                self.anonymous.insert(pipe);
            }
        }
    }

    /// Takes the first part of a message to be sent.
    fn address(&mut self, env: &mut Env, id: &[u8]) -> Result<()> {
        self.to = self.peers.find(env.pipes, id);
        if let Some(pipe) = self.to
            && !env.pipes.check_write(pipe)
        {
            self.to = None;
            if env.options.router_mandatory && env.pipes.is_full(pipe) {
                return Err(Error::Again);
            }
        }
        if self.to.is_none() && env.options.router_mandatory {
            return Err(Error::HostUnreachable);
        }
        self.addressed = true;
        Ok(())
    }

    /// To be called with each part that was received, but for routing ids.
    #[inline]
    fn received(&mut self, env: &mut Env, more: bool) {
        if more {
            return;
        }
        if let Some(pipe) = self.from.take()
            && std::mem::take(&mut self.end_after_message)
        {
            env.pipes.terminate(pipe, true);
        }
    }
}

impl Pattern for Router {
    fn attached(&mut self, env: &mut Env, pipe: PipeId, attachment: Attachment) {
        probe(env, pipe);
        let identity = match self.peers.chosen(env, attachment) {
            Some(id) => Identity::Known(id),
            None => self.identify(env, pipe),
        };
        self.admit(env, pipe, identity);
    }

    fn send(&mut self, env: &mut Env, message: &mut Message) -> Result<()> {
        if !self.addressed {
            // An address with nothing behind it is ignored.
            if message.more() {
                self.address(env, message.data())?;
            }
            *message = Message::new();
            return Ok(());
        }
        let raw = env.options.router_raw;
        if raw {
            message.set_more(false);
        }
        let more = message.more();
        self.addressed = more;
        match self.to {
            Some(pipe) if raw && message.is_empty() => {
                env.pipes.terminate(pipe, false);
                self.to = None;
            }
            Some(pipe) if env.pipes.write(pipe, message) => {
                if !more {
                    env.pipes.flush(pipe);
                    self.to = None;
                }
                return Ok(());
            }
            Some(pipe) => {
                // There was room for the message when it began, so the pipe is ending.
                env.pipes.rollback(pipe);
                self.to = None;
            }
            None => {}
        }
        *message = Message::new();
        Ok(())
    }

    fn recv(&mut self, env: &mut Env, out: &mut Message) -> Result<()> {
        if let Some(part) = self.held.take() {
            *out = part;
            self.received(env, out.more());
            return Ok(());
        }
        let first = !self.inbound.is_mid_message();
        let pipe = loop {
            let pipe = self.inbound.recv(env.pipes, out).ok_or(Error::Again)?;
            // After a reconnection the peer's id comes again. It is taken to be the same.
            if out.kind() != Kind::RoutingId {
                break pipe;
            }
        };
        if !first {
            self.received(env, out.more());
            return Ok(());
        }
        let mut id = Message::from_slice(env.pipes.routing_id(pipe))?;
        id.set_more(true);
        id.set_metadata(out.metadata().cloned());
        self.held = Some(std::mem::replace(out, id));
        self.from = Some(pipe);
        Ok(())
    }

    fn has_in(&mut self, env: &mut Env) -> bool {
        self.held.is_some() || self.inbound.has_message(env.pipes)
    }

    fn has_out(&mut self, env: &mut Env) -> bool {
        !env.options.router_mandatory || self.peers.pipes().any(|pipe| env.pipes.check_write(pipe))
    }

    fn read_activated(&mut self, env: &mut Env, pipe: PipeId) {
        if self.anonymous.contains(&pipe) {
            let identity = self.identify(env, pipe);
            self.admit(env, pipe, identity);
        } else {
            self.inbound.activated(pipe);
        }
    }

    fn terminated(&mut self, env: &mut Env, pipe: PipeId) {
        if self.anonymous.remove(&pipe) {
            return;
        }
        self.peers.remove(env.pipes, pipe);
        self.inbound.terminated(pipe);
        if self.to == Some(pipe) {
            self.to = None;
        }
        if self.from == Some(pipe) {
            self.from = None;
            self.end_after_message = false;
        }
    }

    fn peer_state(&mut self, env: &mut Env, routing_id: &[u8]) -> Result<i32> {
        let pipe = self.peers.find(env.pipes, routing_id).ok_or(Error::HostUnreachable)?;
        Ok(if env.pipes.is_full(pipe) { 0 } else { POLLOUT })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::SocketType;
    use crate::pattern::testing::{Socket, part};

    const CONNECTED: Attachment = Attachment { subscribe_to_all: false, locally_initiated: true };

    fn router() -> Socket {
        Socket::new(SocketType::Router)
    }

    #[test]
    fn messages_carry_the_routing_id_of_their_peer() {
        let mut router = router();
        let (mut a, mut b) = (router.peer_named("a"), router.peer_named("b"));
        assert!(!router.has_in());
        a.send(&mut router, &["1", "2"]);
        b.send(&mut router, &["3"]);
        assert!(router.has_in());
        assert_eq!(router.recv().unwrap(), ["a", "1", "2"]);
        assert_eq!(router.recv().unwrap(), ["b", "3"]);
        assert_eq!(router.recv(), Err(Error::Again));
        router.send(&["b", "4", "5"]).unwrap();
        router.send(&["a", "6"]).unwrap();
        assert_eq!(b.recv(&mut router).unwrap(), ["4", "5"]);
        assert_eq!(a.recv(&mut router).unwrap(), ["6"]);
    }

    #[test]
    fn peers_without_an_id_get_one() {
        let mut router = router();
        let (mut a, mut b) = (router.peer_named(""), router.peer_named(""));
        let mut ids = Vec::new();
        for peer in [&mut a, &mut b] {
            peer.send(&mut router, &["x"]);
            let id = router.recv_part().unwrap();
            assert!(id.more() && id.len() == 5 && id.data()[0] == 0);
            assert_eq!(router.recv().unwrap(), ["x"]);
            ids.push(id.data().to_vec());
        }
        assert_ne!(ids[0], ids[1]);
        router.send_part(&ids[1], true).unwrap();
        router.send_part(b"y", false).unwrap();
        assert_eq!(b.recv(&mut router).unwrap(), ["y"]);
    }

    #[test]
    fn a_peer_is_heard_once_its_id_has_come() {
        let mut router = router();
        let mut a = router.peer();
        router.send(&["a", "lost"]).unwrap();
        a.send_kind(&mut router, Kind::RoutingId, "a");
        assert!(!router.has_in());
        router.send(&["a", "1"]).unwrap();
        a.send(&mut router, &["2"]);
        assert_eq!(a.recv(&mut router).unwrap(), ["1"]);
        assert_eq!(router.recv().unwrap(), ["a", "2"]);
        // It reconnects.
        a.send_kind(&mut router, Kind::RoutingId, "a");
        assert!(!router.has_in());
        a.send(&mut router, &["3"]);
        assert_eq!(router.recv().unwrap(), ["a", "3"]);
    }

    #[test]
    fn messages_to_nobody_vanish_unless_mandatory() {
        let mut router = router();
        router.send(&["nobody", "x", "y"]).unwrap();
        router.send(&["address only"]).unwrap();
        router.options.router_mandatory = true;
        assert!(!router.has_out());
        assert_eq!(router.send(&["nobody", "x"]), Err(Error::HostUnreachable));
        let mut a = router.peer_named("a");
        assert!(router.has_out());
        router.send(&["a", "x"]).unwrap();
        assert_eq!(a.recv(&mut router).unwrap(), ["x"]);
        a.close(&mut router);
        assert_eq!(router.send(&["a", "x"]), Err(Error::HostUnreachable));
    }

    #[test]
    fn messages_to_a_full_peer_vanish_or_would_block() {
        let mut router = router();
        router.options.sndhwm = 1;
        let mut a = router.peer_named("a");
        router.send(&["a", "1"]).unwrap();
        router.send(&["a", "lost"]).unwrap();
        router.options.router_mandatory = true;
        assert!(!router.has_out());
        assert_eq!(router.call(|pattern, env| pattern.peer_state(env, b"a")), Ok(0));
        assert_eq!(router.send(&["a", "x"]), Err(Error::Again));
        assert_eq!(a.recv_all(&mut router), ["1"]);
        assert!(router.has_out());
        assert_eq!(router.call(|pattern, env| pattern.peer_state(env, b"a")), Ok(POLLOUT));
        assert_eq!(router.call(|pattern, env| pattern.peer_state(env, b"b")), Err(Error::HostUnreachable));
        router.send(&["a", "2"]).unwrap();
        assert_eq!(a.recv_all(&mut router), ["2"]);
    }

    #[test]
    fn a_message_whose_peer_goes_halfway_is_dropped() {
        let mut router = router();
        let a = router.peer_named("a");
        router.send_part(b"a", true).unwrap();
        router.send_part(b"1", true).unwrap();
        a.close(&mut router);
        router.send_part(b"2", false).unwrap();
        let mut b = router.peer_named("b");
        router.send(&["b", "3"]).unwrap();
        assert_eq!(b.recv(&mut router).unwrap(), ["3"]);
    }

    #[test]
    fn a_second_peer_with_the_same_id_is_not_heard() {
        let mut router = router();
        let (mut first, mut second) = (router.peer_named("a"), router.peer_named("a"));
        second.send(&mut router, &["from the second"]);
        assert!(!router.has_in());
        first.send(&mut router, &["from the first"]);
        assert_eq!(router.recv().unwrap(), ["a", "from the first"]);
        router.send(&["a", "x"]).unwrap();
        assert_eq!(first.recv(&mut router).unwrap(), ["x"]);
        assert_eq!(second.recv(&mut router), None);
        second.close(&mut router);
        assert_eq!(router.pipes.len(), 1);
    }

    #[test]
    fn with_handover_a_second_peer_takes_the_id() {
        let mut router = router();
        router.options.router_handover = true;
        let mut first = router.peer_named("a");
        first.send(&mut router, &["dropped"]);
        let mut second = router.peer_named("a");
        assert_eq!(router.pipes.len(), 1);
        second.send(&mut router, &["from the second"]);
        assert_eq!(router.recv().unwrap(), ["a", "from the second"]);
        router.send(&["a", "x"]).unwrap();
        assert_eq!(second.recv(&mut router).unwrap(), ["x"]);
        assert_eq!(first.recv(&mut router), None);
    }

    #[test]
    fn handover_waits_for_the_end_of_the_message_being_received() {
        let mut router = router();
        router.options.router_handover = true;
        let mut first = router.peer_named("a");
        first.send(&mut router, &["1", "2"]);
        assert_eq!(router.recv_part().unwrap().data(), b"a");
        assert_eq!(router.recv_part().unwrap().data(), b"1");
        let _second = router.peer_named("a");
        assert_eq!(router.recv().unwrap(), ["2"]);
        assert_eq!(router.pipes.len(), 1);
    }

    #[test]
    fn a_message_cut_short_does_not_run_into_the_next_one() {
        let mut router = router();
        let (mut a, mut b) = (router.peer_named("a"), router.peer_named("b"));
        a.send(&mut router, &["1", "2", "3"]);
        b.send(&mut router, &["4"]);
        assert_eq!(router.recv_part().unwrap().data(), b"a");
        assert_eq!(router.recv_part().unwrap().data(), b"1");
        router.call(|_, env| env.pipes.terminate(a.id, false));
        assert_eq!(router.recv().unwrap(), ["b", "4"]);
    }

    #[test]
    fn the_program_may_choose_the_id_of_a_peer_it_connects_to() {
        let mut router = router();
        router.options.connect_routing_id = b"mine".to_vec();
        let mut accepted = router.peer_named("theirs");
        let mut connected = router.peer_with(CONNECTED, |_| {});
        assert!(router.options.connect_routing_id.is_empty());
        router.send(&["mine", "1"]).unwrap();
        assert_eq!(connected.recv(&mut router).unwrap(), ["1"]);
        connected.send_kind(&mut router, Kind::RoutingId, "ignored");
        connected.send(&mut router, &["2"]);
        assert_eq!(router.recv().unwrap(), ["mine", "2"]);
        // The same one again: it is taken, so the peer is known by its own.
        router.options.connect_routing_id = b"mine".to_vec();
        let mut again = router.peer_with(CONNECTED, |_| {});
        again.send_kind(&mut router, Kind::RoutingId, "own");
        router.send(&["own", "3"]).unwrap();
        assert_eq!(again.recv(&mut router).unwrap(), ["3"]);
        assert_eq!(accepted.recv(&mut router), None);
    }

    #[test]
    fn raw_messages_have_one_part_and_an_empty_one_disconnects() {
        let mut router = router();
        router.options.router_raw = true;
        let mut a = router.peer();
        a.send(&mut router, &["bytes"]);
        let id = router.recv_part().unwrap();
        assert_eq!((id.len(), id.more()), (5, true));
        assert_eq!(router.recv().unwrap(), ["bytes"]);
        router.send_part(id.data(), true).unwrap();
        router.send_part(b"answer", true).unwrap();
        assert_eq!(a.recv(&mut router).unwrap(), ["answer"]);
        router.send_part(id.data(), true).unwrap();
        router.send_part(b"", false).unwrap();
        assert!(router.pipes.is_empty());
    }

    #[test]
    fn a_probe_is_an_empty_message() {
        let mut router = router();
        router.options.probe_router = true;
        let mut a = router.peer_named("a");
        assert_eq!(a.recv(&mut router).unwrap(), [""]);
    }

    #[test]
    fn ids_from_peers_and_generated_ones_do_not_collide() {
        let mut router = router();
        let mut a = router.peer_named("");
        a.send(&mut router, &["x"]);
        let id = router.recv_part().unwrap();
        assert_eq!(router.recv().unwrap(), ["x"]);
        let mut next = id.data().to_vec();
        let number = u32::from_be_bytes(next[1..].try_into().unwrap()).wrapping_add(1);
        next[1..].copy_from_slice(&number.to_be_bytes());
        let mut claimed = part(&next, false);
        claimed.set_kind(Kind::RoutingId);
        let mut thief = router.peer();
        thief.push(claimed);
        thief.flush(&mut router);
        let mut b = router.peer_named("");
        b.send(&mut router, &["y"]);
        let id = router.recv_part().unwrap();
        assert_ne!(id.data(), next);
    }
}
