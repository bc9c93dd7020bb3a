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

#[cfg(test)]
mod tests {
    use crate::error::Error;
    use crate::options::SocketType;
    use crate::pattern::testing::Socket;

    #[test]
    fn sends_to_and_hears_its_peers_in_turn() {
        let mut dealer = Socket::new(SocketType::Dealer);
        assert_eq!(dealer.send(&["x"]), Err(Error::Again));
        let (mut a, mut b) = (dealer.peer(), dealer.peer());
        for body in ["1", "2", "3"] {
            dealer.send(&[body]).unwrap();
        }
        assert_eq!(a.recv_all(&mut dealer), ["1", "3"]);
        assert_eq!(b.recv_all(&mut dealer), ["2"]);
        a.send(&mut dealer, &["a1"]);
        a.send(&mut dealer, &["a2"]);
        b.send(&mut dealer, &["b1"]);
        assert!(dealer.has_in());
        let received = std::iter::from_fn(|| dealer.recv().ok()).flatten().collect::<Vec<_>>();
        assert_eq!(received, ["a1", "b1", "a2"]);
        assert!(!dealer.has_in() && dealer.has_out());
    }

    #[test]
    fn a_full_peer_does_not_hold_up_the_others() {
        let mut dealer = Socket::new(SocketType::Dealer);
        dealer.options.sndhwm = 1;
        let (mut a, mut b) = (dealer.peer(), dealer.peer());
        dealer.send(&["1"]).unwrap();
        dealer.send(&["2"]).unwrap();
        assert_eq!(dealer.send(&["x"]), Err(Error::Again));
        assert_eq!(b.recv_all(&mut dealer), ["2"]);
        dealer.send(&["3"]).unwrap();
        assert_eq!(b.recv_all(&mut dealer), ["3"]);
        assert_eq!(a.recv_all(&mut dealer), ["1"]);
    }

    #[test]
    fn a_probe_is_an_empty_message() {
        let mut dealer = Socket::new(SocketType::Dealer);
        dealer.options.probe_router = true;
        assert_eq!(dealer.peer().recv(&mut dealer).unwrap(), [""]);
    }
}
