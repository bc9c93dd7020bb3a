//! SCATTER: the start of a pipeline, load-balanced, without parts (RFC 49).

use super::routing::LoadBalancer;
use super::{Attachment, Env, Pattern, refuse_parts};
use crate::error::{Error, Result};
use crate::message::Message;
use crate::pipe::PipeId;

/// The SCATTER pattern.
#[derive(Default)]
pub struct Scatter {
    outbound: LoadBalancer,
}

impl Pattern for Scatter {
    fn attached(&mut self, env: &mut Env, pipe: PipeId, _attachment: Attachment) {
        // Nobody here reads what a closing peer may have left.
        env.pipes.set_no_delay(pipe);
        self.outbound.attach(pipe);
    }

    #[inline]
    fn send(&mut self, env: &mut Env, message: &mut Message) -> Result<()> {
        refuse_parts(message)?;
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
