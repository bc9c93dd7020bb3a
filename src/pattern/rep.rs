//! REP: the service of request-reply. Receiving and sending alternate strictly (RFC 28).
//!
//! The frames of a request up to the empty delimiter are its envelope: the way back through whatever devices it
//! came by. They go into the reply unchanged, so they are moved to the pipe that the request came from, and
//! published with the reply's last part.

use super::routing::FairQueue;
use super::{Attachment, Env, Pattern, probe};
use crate::error::{Error, Result};
use crate::message::{Kind, Message};
use crate::pipe::PipeId;

/// The REP pattern.
#[derive(Default)]
pub struct Rep {
    inbound: FairQueue,
    state: State,
    /// Where the reply goes; `None` if it is dropped, because the peer has gone or takes no more.
    peer: Option<PipeId>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// The next part is the first one of a request.
    #[default]
    Idle,
    /// The envelope was received, the body is under way.
    Receiving,
    /// The request was received; the reply is awaited, or partly sent.
    Sending,
}

impl Rep {
    /// Receives an envelope and writes it back to the peer. Messages without one are skipped.
    fn recv_envelope(&mut self, env: &mut Env, out: &mut Message) -> Result<()> {
        loop {
            let first = !self.inbound.is_mid_message();
            let pipe = self.inbound.recv(env.pipes, out).ok_or(Error::Again)?;
            if out.kind() == Kind::RoutingId {
                continue;
            }
            if first {
                self.peer = Some(pipe);
            }
            if !out.more() {
                if let Some(peer) = self.peer.take() {
                    env.pipes.rollback(peer);
                }
                continue;
            }
            let delimiter = out.is_empty();
            if self.peer.is_some_and(|peer| !env.pipes.write(peer, out)) {
                self.peer = None;
            }
            if delimiter {
                self.state = State::Receiving;
                return Ok(());
            }
        }
    }
}

impl Pattern for Rep {
    fn attached(&mut self, env: &mut Env, pipe: PipeId, _attachment: Attachment) {
        probe(env, pipe);
        self.inbound.attach(pipe);
    }

    fn send(&mut self, env: &mut Env, message: &mut Message) -> Result<()> {
        if self.state != State::Sending {
            return Err(Error::State);
        }
        let more = message.more();
        match self.peer {
            Some(peer) if env.pipes.write(peer, message) => {
                if !more {
                    env.pipes.flush(peer);
                }
            }
            Some(peer) => {
                // A reply never waits for room: it is dropped where there is none.
                env.pipes.rollback(peer);
                self.peer = None;
                *message = Message::new();
            }
            None => *message = Message::new(),
        }
        if !more {
            (self.state, self.peer) = (State::Idle, None);
        }
        Ok(())
    }

    fn recv(&mut self, env: &mut Env, out: &mut Message) -> Result<()> {
        match self.state {
            State::Sending => return Err(Error::State),
            State::Idle => self.recv_envelope(env, out)?,
            State::Receiving => {}
        }
        if self.inbound.recv(env.pipes, out).is_none() {
            // The peer went away in the middle of its request.
            self.state = State::Idle;
            return Err(Error::Again);
        }
        if !out.more() {
            self.state = State::Sending;
        }
        Ok(())
    }

    fn has_in(&mut self, env: &mut Env) -> bool {
        self.state != State::Sending && self.inbound.has_message(env.pipes)
    }

    fn has_out(&mut self, _env: &mut Env) -> bool {
        self.state == State::Sending
    }

    fn read_activated(&mut self, _env: &mut Env, pipe: PipeId) {
        self.inbound.activated(pipe);
    }

    fn terminated(&mut self, _env: &mut Env, pipe: PipeId) {
        if self.inbound.terminated(pipe) && self.state == State::Receiving {
            self.state = State::Idle;
        }
        if self.peer == Some(pipe) {
            self.peer = None;
        }
    }

    fn peer_state(&mut self, _env: &mut Env, _routing_id: &[u8]) -> Result<i32> {
        // Replies find their way without ids, so none are kept.
        Err(Error::HostUnreachable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::SocketType;
    use crate::pattern::testing::{Socket, part};

    fn rep() -> Socket {
        Socket::new(SocketType::Rep)
    }

    #[test]
    fn receiving_and_sending_alternate() {
        let mut rep = rep();
        assert_eq!(rep.send(&["x"]), Err(Error::State));
        assert_eq!(rep.recv(), Err(Error::Again));
        let mut client = rep.peer_named("");
        assert!(!rep.has_in() && !rep.has_out());
        client.send(&mut rep, &["", "q1", "q2"]);
        assert!(rep.has_in());
        assert_eq!(rep.recv().unwrap(), ["q1", "q2"]);
        assert!(!rep.has_in() && rep.has_out());
        assert_eq!(rep.recv(), Err(Error::State));
        rep.send(&["r1", "r2"]).unwrap();
        assert_eq!(client.recv(&mut rep).unwrap(), ["", "r1", "r2"]);
        assert_eq!(rep.send(&["x"]), Err(Error::State));
    }

    #[test]
    fn the_envelope_goes_back_as_it_came() {
        let mut rep = rep();
        let (mut a, mut b) = (rep.peer_named("a"), rep.peer_named("b"));
        a.send(&mut rep, &["hop 1", "hop 2", "", "qa"]);
        b.send(&mut rep, &["", "", "qb"]);
        assert_eq!(rep.recv().unwrap(), ["qa"]);
        rep.send(&["ra"]).unwrap();
        assert_eq!(rep.recv().unwrap(), ["", "qb"]);
        rep.send(&["rb"]).unwrap();
        assert_eq!(a.recv(&mut rep).unwrap(), ["hop 1", "hop 2", "", "ra"]);
        assert_eq!(b.recv(&mut rep).unwrap(), ["", "rb"]);
    }

    #[test]
    fn messages_without_delimiter_are_skipped() {
        let mut rep = rep();
        let mut client = rep.peer();
        client.send(&mut rep, &["only"]);
        client.send(&mut rep, &["no", "delimiter"]);
        client.send(&mut rep, &[""]);
        client.send(&mut rep, &["", "q"]);
        assert_eq!(rep.recv().unwrap(), ["q"]);
        rep.send(&["r"]).unwrap();
        assert_eq!(client.recv(&mut rep).unwrap(), ["", "r"]);
        assert_eq!(client.recv(&mut rep), None);
    }

    #[test]
    fn a_reply_to_a_peer_that_has_gone_is_dropped() {
        let mut rep = rep();
        let (mut a, mut b) = (rep.peer(), rep.peer());
        a.send(&mut rep, &["", "qa"]);
        b.send(&mut rep, &["", "qb"]);
        assert_eq!(rep.recv().unwrap(), ["qa"]);
        a.close(&mut rep);
        rep.send(&["r1", "r2"]).unwrap();
        assert_eq!(rep.recv().unwrap(), ["qb"]);
        rep.send(&["rb"]).unwrap();
        assert_eq!(b.recv(&mut rep).unwrap(), ["", "rb"]);
    }

    #[test]
    fn a_reply_to_a_peer_that_takes_no_more_is_dropped() {
        let mut rep = rep();
        rep.options.sndhwm = 1;
        let mut client = rep.peer();
        for body in ["1", "2"] {
            client.send(&mut rep, &["", body]);
            assert_eq!(rep.recv().unwrap(), [body]);
            rep.send(&[body]).unwrap();
        }
        assert_eq!(client.recv(&mut rep).unwrap(), ["", "1"]);
        assert_eq!(client.recv(&mut rep), None);
        client.send(&mut rep, &["", "3"]);
        assert_eq!(rep.recv().unwrap(), ["3"]);
        rep.send(&["3"]).unwrap();
        assert_eq!(client.recv(&mut rep).unwrap(), ["", "3"]);
    }

    #[test]
    fn a_request_cut_short_does_not_run_into_the_next_one() {
        let mut rep = rep();
        let (mut a, mut b) = (rep.peer(), rep.peer());
        a.send(&mut rep, &["", "1", "2"]);
        b.send(&mut rep, &["", "q"]);
        assert!(rep.recv_part().unwrap().more());
        rep.call(|_, env| env.pipes.terminate(a.id, false));
        assert_eq!(rep.recv().unwrap(), ["q"]);
        rep.send(&["r"]).unwrap();
        assert_eq!(b.recv(&mut rep).unwrap(), ["", "r"]);
    }

    #[test]
    fn a_routing_id_after_a_reconnection_is_no_request() {
        let mut rep = rep();
        let mut client = rep.peer_named("a");
        client.send_kind(&mut rep, Kind::RoutingId, "a");
        assert!(!rep.has_in());
        client.send_kind(&mut rep, Kind::RoutingId, "a");
        client.push(part(b"", true));
        client.push(part(b"q", false));
        client.flush(&mut rep);
        assert_eq!(rep.recv().unwrap(), ["q"]);
    }
}
