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

    // A reply never waits for room: it is dropped where there is none.
    fn write_activated(&mut self, _env: &mut Env, _pipe: PipeId) {}

    fn terminated(&mut self, _env: &mut Env, pipe: PipeId) {
        if self.inbound.terminated(pipe) && self.state == State::Receiving {
            self.state = State::Idle;
        }
        if self.peer == Some(pipe) {
            self.peer = None;
        }
    }
}
