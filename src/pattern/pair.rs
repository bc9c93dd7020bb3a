//! PAIR: exactly one peer at a time (RFC 31).

use super::{Attachment, Env, Pattern};
use crate::error::{Error, Result};
use crate::message::Message;
use crate::pipe::PipeId;

/// The PAIR pattern.
#[derive(Default)]
pub struct Pair {
    peer: Option<PipeId>,
}

impl Pattern for Pair {
    fn attached(&mut self, env: &mut Env, pipe: PipeId, _attachment: Attachment) {
        if self.peer.is_none() {
            self.peer = Some(pipe);
        } else {
            env.pipes.terminate(pipe, false);
        }
    }

    #[inline]
    fn send(&mut self, env: &mut Env, message: &mut Message) -> Result<()> {
        let more = message.more();
        match self.peer {
            Some(pipe) if env.pipes.write(pipe, message) => {
                if !more {
                    env.pipes.flush(pipe);
                }
                Ok(())
            }
            _ => Err(Error::Again),
        }
    }

    #[inline]
    fn recv(&mut self, env: &mut Env, out: &mut Message) -> Result<()> {
        match self.peer {
            Some(pipe) if env.pipes.read(pipe, out) => Ok(()),
            _ => Err(Error::Again),
        }
    }

    fn has_in(&mut self, env: &mut Env) -> bool {
        self.peer.is_some_and(|pipe| env.pipes.check_read(pipe))
    }

    fn has_out(&mut self, env: &mut Env) -> bool {
        self.peer.is_some_and(|pipe| env.pipes.check_write(pipe))
    }

    fn read_activated(&mut self, _env: &mut Env, _pipe: PipeId) {}

    fn write_activated(&mut self, _env: &mut Env, _pipe: PipeId) {}

    fn terminated(&mut self, _env: &mut Env, pipe: PipeId) {
        if self.peer == Some(pipe) {
            self.peer = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::error::Error;
    use crate::options::SocketType;
    use crate::pattern::testing::Socket;

    #[test]
    fn talks_to_one_peer() {
        let mut pair = Socket::new(SocketType::Pair);
        assert_eq!(pair.send(&["x"]), Err(Error::Again));
        assert_eq!(pair.recv(), Err(Error::Again));
        let mut a = pair.peer();
        pair.send(&["1", "2"]).unwrap();
        assert_eq!(a.recv(&mut pair).unwrap(), ["1", "2"]);
        assert!(!pair.has_in() && pair.has_out());
        a.send(&mut pair, &["3", "4"]);
        assert!(pair.has_in());
        assert_eq!(pair.recv().unwrap(), ["3", "4"]);
    }

    #[test]
    fn a_second_peer_is_turned_away_until_the_first_has_gone() {
        let mut pair = Socket::new(SocketType::Pair);
        let first = pair.peer();
        let mut second = pair.peer();
        second.send(&mut pair, &["not heard"]);
        assert_eq!(pair.pipes.len(), 1);
        assert_eq!(pair.recv(), Err(Error::Again));
        first.close(&mut pair);
        assert!(!pair.has_out());
        let mut third = pair.peer();
        pair.send(&["x"]).unwrap();
        assert_eq!(third.recv(&mut pair).unwrap(), ["x"]);
    }

    #[test]
    fn at_the_high_water_mark_it_would_block() {
        let mut pair = Socket::new(SocketType::Pair);
        pair.options.sndhwm = 1;
        let mut a = pair.peer();
        pair.send(&["1"]).unwrap();
        assert_eq!(pair.send(&["x"]), Err(Error::Again));
        assert!(!pair.has_out());
        assert_eq!(a.recv_all(&mut pair), ["1"]);
        assert!(pair.has_out());
    }
}
