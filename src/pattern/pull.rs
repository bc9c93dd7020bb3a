//! PULL: the end of a pipeline, fair-queued (RFC 30), and GATHER, the same without parts (RFC 49).

use super::multipart::Multipart;
use super::routing::FairQueue;
use super::{Attachment, Env, Pattern};
use crate::error::{Error, Result};
use crate::message::Message;
use crate::pipe::PipeId;

/// The PULL pattern, and GATHER's where messages of several parts are refused.
pub struct Pull {
    inbound: FairQueue,
}

impl Pull {
    /// One whose messages may have several parts, or not.
    pub fn new(multipart: Multipart) -> Self {
        Self { inbound: FairQueue::new(multipart) }
    }
}

impl Pattern for Pull {
    fn attached(&mut self, _env: &mut Env, pipe: PipeId, _attachment: Attachment) {
        self.inbound.attach(pipe);
    }

    #[inline]
    fn recv(&mut self, env: &mut Env, out: &mut Message) -> Result<()> {
        self.inbound.recv(env.pipes, out).map(drop).ok_or(Error::Again)
    }

    fn has_in(&mut self, env: &mut Env) -> bool {
        self.inbound.has_in(env.pipes)
    }

    fn read_activated(&mut self, _env: &mut Env, pipe: PipeId) {
        self.inbound.activated(pipe);
    }

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
