//! DEALER: asynchronous request-reply, fair-queued and load-balanced (RFC 28).

use super::routing::{FairQueue, LoadBalancer};
use super::{Attachment, Env, Pattern, probe};
use crate::error::{Error, Result};
use crate::message::Message;
use crate::pipe::PipeId;

/// The DEALER pattern.
#[derive(Default)]
pub struct Dealer {
    inbound: FairQueue,
    outbound: LoadBalancer,
}

impl Pattern for Dealer {
    fn attached(&mut self, env: &mut Env, pipe: PipeId, _attachment: Attachment) {
        probe(env, pipe);
        self.inbound.attach(pipe);
        self.outbound.attach(pipe);
    }

    #[inline]
    fn send(&mut self, env: &mut Env, message: &mut Message) -> Result<()> {
        self.outbound.send(env.pipes, message).map(drop)
    }

    #[inline]
    fn recv(&mut self, env: &mut Env, out: &mut Message) -> Result<()> {
        self.inbound.recv(env.pipes, out).map(drop).ok_or(Error::Again)
    }

    fn has_in(&mut self, env: &mut Env) -> bool {
        self.inbound.has_in(env.pipes)
    }

    fn has_out(&mut self, env: &mut Env) -> bool {
        self.outbound.has_out(env.pipes)
    }

    fn read_activated(&mut self, _env: &mut Env, pipe: PipeId) {
        self.inbound.activated(pipe);
    }

    fn write_activated(&mut self, _env: &mut Env, pipe: PipeId) {
        self.outbound.activated(pipe);
    }

    fn terminated(&mut self, _env: &mut Env, pipe: PipeId) {
        self.inbound.terminated(pipe);
        self.outbound.terminated(pipe);
    }
}
