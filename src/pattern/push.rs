//! PUSH: the start of a pipeline, load-balanced (RFC 30), and SCATTER, the same without parts (RFC 49).

use super::multipart::Multipart;
use super::routing::LoadBalancer;
use super::{Attachment, Env, Pattern};
use crate::error::Result;
use crate::message::Message;
use crate::pipe::PipeId;

/// The PUSH pattern, and SCATTER's where messages of several parts are refused.
pub struct Push {
    outbound: LoadBalancer,
}

impl Push {
    /// One whose messages may have several parts, or not.
    pub fn new(multipart: Multipart) -> Self {
        Self { outbound: LoadBalancer::new(multipart) }
    }
}

impl Pattern for Push {
    fn attached(&mut self, env: &mut Env, pipe: PipeId, _attachment: Attachment) {
        // Nobody here reads what a closing peer may have left.
        env.pipes.set_no_delay(pipe);
        self.outbound.attach(pipe);
    }

    #[inline]
    fn send(&mut self, env: &mut Env, message: &mut Message) -> Result<()> {
        self.outbound.send(env.pipes, message).map(drop)
    }

    fn has_out(&mut self, env: &mut Env) -> bool {
        self.outbound.has_out(env.pipes)
    }

    fn write_activated(&mut self, _env: &mut Env, pipe: PipeId) {
        self.outbound.activated(pipe);
    }

    fn terminated(&mut self, _env: &mut Env, pipe: PipeId) {
        self.outbound.terminated(pipe);
    }
}

#[cfg(test)]
mod tests {
    use crate::error::Error;
    use crate::options::SocketType;
    use crate::pattern::testing::Socket;

    #[test]
    fn without_a_peer_it_would_block() {
        let mut push = Socket::new(SocketType::Push);
        assert!(!push.has_out() && !push.has_in());
        assert_eq!(push.send(&["x"]), Err(Error::Again));
        assert_eq!(push.recv(), Err(Error::NotSupported));
    }

    #[test]
    fn peers_take_turns_and_keep_their_messages_whole() {
        let mut push = Socket::new(SocketType::Push);
        let (mut a, mut b) = (push.peer(), push.peer());
        for message in [["1", "2"], ["3", "4"], ["5", "6"]] {
            push.send(&message).unwrap();
        }
        assert_eq!(a.recv(&mut push).unwrap(), ["1", "2"]);
        assert_eq!(b.recv(&mut push).unwrap(), ["3", "4"]);
        assert_eq!(a.recv(&mut push).unwrap(), ["5", "6"]);
        assert_eq!(b.recv(&mut push), None);
    }

    #[test]
    fn full_peers_are_left_out_until_they_have_read_half() {
        let mut push = Socket::new(SocketType::Push);
        push.options.sndhwm = 4;
        let mut a = push.peer();
        for n in 0..4 {
            push.send(&[&n.to_string()]).unwrap();
        }
        assert_eq!(push.send(&["x"]), Err(Error::Again));
        assert!(!push.has_out());
        assert_eq!(a.recv(&mut push).unwrap(), ["0"]);
        assert_eq!(push.send(&["x"]), Err(Error::Again));
        assert_eq!(a.recv(&mut push).unwrap(), ["1"]);
        assert!(push.has_out());
        push.send(&["4"]).unwrap();
        push.send(&["5"]).unwrap();
        assert_eq!(push.send(&["x"]), Err(Error::Again));
        assert_eq!(a.recv_all(&mut push), ["2", "3", "4", "5"]);
    }

    #[test]
    fn the_rest_of_a_message_goes_with_its_peer() {
        let mut push = Socket::new(SocketType::Push);
        let a = push.peer();
        push.send_part(b"1", true).unwrap();
        a.close(&mut push);
        let mut b = push.peer();
        push.send_part(b"2", true).unwrap();
        push.send_part(b"3", false).unwrap();
        push.send(&["4"]).unwrap();
        assert_eq!(b.recv_all(&mut push), ["4"]);
    }

    #[test]
    fn a_half_sent_message_stays_with_its_peer_when_another_one_goes() {
        let mut push = Socket::new(SocketType::Push);
        let (a, mut b, mut c) = (push.peer(), push.peer(), push.peer());
        push.send(&["a"]).unwrap();
        push.send(&["b"]).unwrap();
        push.send_part(b"c1", true).unwrap();
        a.close(&mut push);
        push.send_part(b"c2", false).unwrap();
        assert_eq!(c.recv(&mut push).unwrap(), ["c1", "c2"]);
        assert_eq!(b.recv_all(&mut push), ["b"]);
    }

    #[test]
    fn peers_take_turns_and_those_that_are_full_are_left_out() {
        let mut scatter = Socket::new(SocketType::Scatter);
        scatter.options.sndhwm = 2;
        assert!(!scatter.has_out() && !scatter.has_in());
        assert_eq!(scatter.send(&["x"]), Err(Error::Again));
        assert_eq!(scatter.recv(), Err(Error::NotSupported));
        let (mut a, mut b) = (scatter.peer(), scatter.peer());
        for body in ["1", "2", "3", "4"] {
            scatter.send(&[body]).unwrap();
        }
        assert_eq!(scatter.send(&["x"]), Err(Error::Again));
        assert_eq!(a.recv_all(&mut scatter), ["1", "3"]);
        scatter.send(&["5"]).unwrap();
        assert_eq!(a.recv_all(&mut scatter), ["5"]);
        assert_eq!(b.recv_all(&mut scatter), ["2", "4"]);
    }

    #[test]
    fn parts_are_refused() {
        let mut scatter = Socket::new(SocketType::Scatter);
        assert_eq!(scatter.send_part(b"x", true), Err(Error::Invalid));
        let mut a = scatter.peer();
        assert_eq!(scatter.send_part(b"x", true), Err(Error::Invalid));
        assert_eq!(a.recv_all(&mut scatter), [""; 0]);
    }
}
