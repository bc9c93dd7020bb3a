//! PUSH: the start of a pipeline, load-balanced (RFC 30).

use super::routing::LoadBalancer;
use super::{Attachment, Env, Pattern};
use crate::error::{Error, Result};
use crate::message::Message;
use crate::pipe::PipeId;

/// The PUSH pattern.
#[derive(Default)]
pub struct Push {
    outbound: LoadBalancer,
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

    fn recv(&mut self, _env: &mut Env, _out: &mut Message) -> Result<()> {
        Err(Error::NotSupported)
    }

    fn has_in(&mut self, _env: &mut Env) -> bool {
        false
    }

    fn has_out(&mut self, env: &mut Env) -> bool {
        self.outbound.has_out(env.pipes)
    }

    fn read_activated(&mut self, _env: &mut Env, _pipe: PipeId) {}

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
}
