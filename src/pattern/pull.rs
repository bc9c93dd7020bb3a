//! PULL: the end of a pipeline, fair-queued (RFC 30).

use super::routing::FairQueue;
use super::{Attachment, Env, Pattern};
use crate::error::{Error, Result};
use crate::message::Message;
use crate::pipe::PipeId;

/// The PULL pattern.
#[derive(Default)]
pub struct Pull {
    inbound: FairQueue,
}

impl Pattern for Pull {
    fn attached(&mut self, _env: &mut Env, pipe: PipeId, _attachment: Attachment) {
        self.inbound.attach(pipe);
    }

    fn send(&mut self, _env: &mut Env, _message: &mut Message) -> Result<()> {
        Err(Error::NotSupported)
    }

    #[inline]
    fn recv(&mut self, env: &mut Env, out: &mut Message) -> Result<()> {
        self.inbound.recv(env.pipes, out).map(drop).ok_or(Error::Again)
    }

    fn has_in(&mut self, env: &mut Env) -> bool {
        self.inbound.has_in(env.pipes)
    }

    fn has_out(&mut self, _env: &mut Env) -> bool {
        false
    }

    fn read_activated(&mut self, _env: &mut Env, pipe: PipeId) {
        self.inbound.activated(pipe);
    }

    fn write_activated(&mut self, _env: &mut Env, _pipe: PipeId) {}

    fn terminated(&mut self, _env: &mut Env, pipe: PipeId) {
        self.inbound.terminated(pipe);
    }
}

#[cfg(test)]
mod tests {
    use crate::error::Error;
    use crate::options::SocketType;
    use crate::pattern::testing::{Socket, part};

    #[test]
    fn peers_are_heard_in_turn() {
        let mut pull = Socket::new(SocketType::Pull);
        assert!(!pull.has_in() && !pull.has_out());
        assert_eq!(pull.recv(), Err(Error::Again));
        let (mut a, mut b) = (pull.peer(), pull.peer());
        a.send(&mut pull, &["a1"]);
        a.send(&mut pull, &["a2", "and more"]);
        b.send(&mut pull, &["b1"]);
        assert!(pull.has_in());
        assert_eq!(pull.recv().unwrap(), ["a1"]);
        assert_eq!(pull.recv().unwrap(), ["b1"]);
        assert_eq!(pull.recv().unwrap(), ["a2", "and more"]);
        assert_eq!(pull.recv(), Err(Error::Again));
        b.send(&mut pull, &["b2"]);
        assert_eq!(pull.recv().unwrap(), ["b2"]);
        assert_eq!(pull.send(&["x"]), Err(Error::NotSupported));
    }

    #[test]
    fn a_message_is_not_seen_before_its_last_part() {
        let mut pull = Socket::new(SocketType::Pull);
        let mut a = pull.peer();
        a.push(part(b"1", true));
        a.flush(&mut pull);
        assert!(!pull.has_in());
        a.push(part(b"2", false));
        a.flush(&mut pull);
        assert_eq!(pull.recv().unwrap(), ["1", "2"]);
    }

    #[test]
    fn what_a_peer_left_is_still_received() {
        let mut pull = Socket::new(SocketType::Pull);
        let (mut a, mut b) = (pull.peer(), pull.peer());
        a.send(&mut pull, &["a1"]);
        a.send(&mut pull, &["a2"]);
        a.close(&mut pull);
        b.send(&mut pull, &["b1"]);
        assert_eq!(
            [pull.recv().unwrap(), pull.recv().unwrap(), pull.recv().unwrap()],
            [["a1"], ["b1"], ["a2"]]
        );
        assert_eq!(pull.recv(), Err(Error::Again));
        assert_eq!(pull.pipes.len(), 1);
    }

    #[test]
    fn a_half_received_message_is_finished_first_when_another_peer_goes() {
        let mut pull = Socket::new(SocketType::Pull);
        let (mut a, mut b, mut c) = (pull.peer(), pull.peer(), pull.peer());
        a.send(&mut pull, &["a"]);
        b.send(&mut pull, &["b1"]);
        b.send(&mut pull, &["b2"]);
        c.send(&mut pull, &["c1", "c2"]);
        assert_eq!([pull.recv().unwrap(), pull.recv().unwrap()], [["a"], ["b1"]]);
        assert!(pull.recv_part().unwrap().more());
        pull.call(|_, env| env.pipes.terminate(a.id, false));
        assert_eq!(pull.recv().unwrap(), ["c2"]);
        assert_eq!(pull.recv().unwrap(), ["b2"]);
    }
}
