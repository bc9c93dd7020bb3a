//! CLIENT: asynchronous request-reply with SERVERs, fair-queued and load-balanced, without parts (RFC 41).

use super::routing::{FairQueue, LoadBalancer};
use super::{Attachment, Env, Pattern, refuse_parts};
use crate::error::{Error, Result};
use crate::message::Message;
use crate::pipe::PipeId;

/// The CLIENT pattern.
#[derive(Default)]
pub struct Client {
    inbound: FairQueue,
    outbound: LoadBalancer,
}

impl Pattern for Client {
    fn attached(&mut self, _env: &mut Env, pipe: PipeId, _attachment: Attachment) {
        self.inbound.attach(pipe);
        self.outbound.attach(pipe);
    }

    #[inline]
    fn send(&mut self, env: &mut Env, message: &mut Message) -> Result<()> {
        refuse_parts(message)?;
        self.outbound.send(env.pipes, message).map(drop)
    }

    #[inline]
    fn recv(&mut self, env: &mut Env, out: &mut Message) -> Result<()> {
        self.inbound.recv_whole(env.pipes, out).map(drop).ok_or(Error::Again)
    }

    fn has_in(&mut self, env: &mut Env) -> bool {
        self.inbound.has_whole(env.pipes)
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
    fn sends_to_and_hears_its_servers_in_turn() {
        let mut client = Socket::new(SocketType::Client);
        assert_eq!(client.send(&["x"]), Err(Error::Again));
        let (mut a, mut b) = (client.peer(), client.peer());
        for body in ["1", "2", "3"] {
            client.send(&[body]).unwrap();
        }
        assert_eq!(a.recv_all(&mut client), ["1", "3"]);
        assert_eq!(b.recv_all(&mut client), ["2"]);
        a.send(&mut client, &["a1"]);
        a.send(&mut client, &["a2"]);
        b.send(&mut client, &["b1"]);
        assert!(client.has_in());
        let received = std::iter::from_fn(|| client.recv().ok()).flatten().collect::<Vec<_>>();
        assert_eq!(received, ["a1", "b1", "a2"]);
        assert!(!client.has_in() && client.has_out());
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

    #[test]
    fn a_full_server_is_left_out_and_the_message_stays_the_callers() {
        let mut client = Socket::new(SocketType::Client);
        client.options.sndhwm = 1;
        let (mut a, mut b) = (client.peer(), client.peer());
        client.send(&["1"]).unwrap();
        client.send(&["2"]).unwrap();
        assert!(!client.has_out());
        assert_eq!(client.send(&["x"]), Err(Error::Again));
        assert_eq!(b.recv_all(&mut client), ["2"]);
        client.send(&["3"]).unwrap();
        assert_eq!(b.recv_all(&mut client), ["3"]);
        assert_eq!(a.recv_all(&mut client), ["1"]);
    }
}
