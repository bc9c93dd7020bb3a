//! DEALER: asynchronous request-reply, fair-queued and load-balanced (RFC 28), and CLIENT, the same without parts (RFC 41).

use super::multipart::Multipart;
use super::routing::{FairQueue, LoadBalancer};
use super::{Attachment, Env, Pattern, probe};
use crate::error::{Error, Result};
use crate::message::Message;
use crate::pipe::PipeId;

/// The DEALER pattern, and CLIENT's where messages of several parts are refused.
pub struct Dealer {
    inbound: FairQueue,
    outbound: LoadBalancer,
}

impl Dealer {
    /// One whose messages may have several parts, or not.
    pub fn new(multipart: Multipart) -> Self {
        Self { inbound: FairQueue::new(multipart), outbound: LoadBalancer::new(multipart) }
    }
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
        for kind in [SocketType::Dealer, SocketType::Client] {
            let mut socket = Socket::new(kind);
            assert_eq!(socket.send(&["x"]), Err(Error::Again));
            let (mut a, mut b) = (socket.peer(), socket.peer());
            for body in ["1", "2", "3"] {
                socket.send(&[body]).unwrap();
            }
            assert_eq!(a.recv_all(&mut socket), ["1", "3"]);
            assert_eq!(b.recv_all(&mut socket), ["2"]);
            a.send(&mut socket, &["a1"]);
            a.send(&mut socket, &["a2"]);
            b.send(&mut socket, &["b1"]);
            assert!(socket.has_in());
            let received = std::iter::from_fn(|| socket.recv().ok()).flatten().collect::<Vec<_>>();
            assert_eq!(received, ["a1", "b1", "a2"]);
            assert!(!socket.has_in() && socket.has_out());
        }
    }

    #[test]
    fn a_full_peer_does_not_hold_up_the_others() {
        for kind in [SocketType::Dealer, SocketType::Client] {
            let mut socket = Socket::new(kind);
            socket.options.sndhwm = 1;
            let (mut a, mut b) = (socket.peer(), socket.peer());
            socket.send(&["1"]).unwrap();
            socket.send(&["2"]).unwrap();
            assert!(!socket.has_out());
            assert_eq!(socket.send(&["x"]), Err(Error::Again));
            assert_eq!(b.recv_all(&mut socket), ["2"]);
            socket.send(&["3"]).unwrap();
            assert_eq!(b.recv_all(&mut socket), ["3"]);
            assert_eq!(a.recv_all(&mut socket), ["1"]);
        }
    }

    #[test]
    fn a_probe_is_an_empty_message() {
        let mut dealer = Socket::new(SocketType::Dealer);
        dealer.options.probe_router = true;
        assert_eq!(dealer.peer().recv(&mut dealer).unwrap(), [""]);
    }

    #[test]
    fn parts_are_refused_and_stay_the_callers() {
        let mut client = Socket::new(SocketType::Client);
        assert_eq!(client.send_part(b"1", true), Err(Error::Invalid));
        let mut a = client.peer();
        assert_eq!(client.send_part(b"1", true), Err(Error::Invalid));
        client.send(&["2"]).unwrap();
        assert_eq!(a.recv_all(&mut client), ["2"]);
    }

    #[test]
    fn messages_of_several_parts_are_not_received() {
        let mut client = Socket::new(SocketType::Client);
        let (mut a, mut b) = (client.peer(), client.peer());
        a.send(&mut client, &["1", "2", "3"]);
        assert!(!client.has_in());
        a.send(&mut client, &["4", "5"]);
        assert_eq!(client.recv(), Err(Error::Again));
        a.send(&mut client, &["6", "7"]);
        a.send(&mut client, &["8"]);
        b.send(&mut client, &["9"]);
        assert!(client.has_in());
        let mut received = [client.recv().unwrap(), client.recv().unwrap()].concat();
        received.sort();
        assert_eq!(received, ["8", "9"]);
        assert!(!client.has_in());
    }
}
