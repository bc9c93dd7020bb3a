//! GATHER: the end of a pipeline, fair-queued, without parts (RFC 49).

use super::routing::FairQueue;
use super::{Attachment, Env, Pattern};
use crate::error::{Error, Result};
use crate::message::Message;
use crate::pipe::PipeId;

/// The GATHER pattern.
#[derive(Default)]
pub struct Gather {
    inbound: FairQueue,
}

impl Pattern for Gather {
    fn attached(&mut self, _env: &mut Env, pipe: PipeId, _attachment: Attachment) {
        self.inbound.attach(pipe);
    }

    fn send(&mut self, _env: &mut Env, _message: &mut Message) -> Result<()> {
        Err(Error::NotSupported)
    }

    #[inline]
    fn recv(&mut self, env: &mut Env, out: &mut Message) -> Result<()> {
        self.inbound.recv_whole(env.pipes, out).map(drop).ok_or(Error::Again)
    }

    fn has_in(&mut self, env: &mut Env) -> bool {
        self.inbound.has_whole(env.pipes)
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
    use crate::pattern::testing::Socket;

    #[test]
    fn peers_are_heard_in_turn_and_to_the_end() {
        let mut gather = Socket::new(SocketType::Gather);
        assert!(!gather.has_in() && !gather.has_out());
        assert_eq!(gather.recv(), Err(Error::Again));
        assert_eq!(gather.send(&["x"]), Err(Error::NotSupported));
        assert_eq!(gather.send_part(b"x", true), Err(Error::NotSupported));
        let (mut a, mut b) = (gather.peer(), gather.peer());
        a.send(&mut gather, &["a1"]);
        a.send(&mut gather, &["a2"]);
        b.send(&mut gather, &["b1"]);
        a.close(&mut gather);
        let received = std::iter::from_fn(|| gather.recv().ok()).flatten().collect::<Vec<_>>();
        assert_eq!(received, ["a1", "b1", "a2"]);
    }

    #[test]
    fn messages_of_several_parts_are_dropped_wherever_they_stand() {
        let mut gather = Socket::new(SocketType::Gather);
        let mut a = gather.peer();
        for parts in [&["1", "2"][..], &["whole"], &["3", "4", "5"], &["6", "7"], &["too"], &["8", "9"]] {
            a.send(&mut gather, parts);
        }
        assert_eq!(gather.recv().unwrap(), ["whole"]);
        assert!(gather.has_in());
        assert_eq!(gather.recv().unwrap(), ["too"]);
        assert!(!gather.has_in());
        assert_eq!(gather.recv(), Err(Error::Again));
        a.send(&mut gather, &["and on"]);
        assert_eq!(gather.recv().unwrap(), ["and on"]);
    }

    #[test]
    fn what_is_dropped_makes_room() {
        let mut gather = Socket::new(SocketType::Gather);
        gather.options.rcvhwm = 2;
        let mut a = gather.peer();
        a.send(&mut gather, &["1", "2"]);
        a.send(&mut gather, &["3", "4"]);
        assert!(!gather.has_in());
        assert!(a.has_room());
    }
}
