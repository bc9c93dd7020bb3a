//! PAIR: exactly one peer at a time (RFC 31), and CHANNEL, the same without parts (RFC 52).

use super::multipart::{Multipart, drop_message};
use super::{Attachment, Env, Pattern};
use crate::error::{Error, Result};
use crate::message::Message;
use crate::pipe::PipeId;

/// The PAIR pattern, and CHANNEL's where messages of several parts are refused.
pub struct Pair {
    peer: Option<PipeId>,
    multipart: Multipart,
}

impl Pair {
    /// One whose messages may have several parts, or not.
    pub fn new(multipart: Multipart) -> Self {
        Self { peer: None, multipart }
    }

    /// Receives a message of one part, and drops others. Apart, so that it costs those nothing that take any.
    #[inline(never)]
    fn recv_whole(&self, env: &mut Env, out: &mut Message) -> Result<()> {
        let pipe = self.peer.ok_or(Error::Again)?;
        while env.pipes.read(pipe, out) {
            if !out.more() {
                return Ok(());
            }
            *out = Message::new();
            drop_message(env.pipes, pipe);
        }
        Err(Error::Again)
    }
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
        if self.multipart.refuses(message) {
            return Err(Error::Invalid);
        }
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
        if self.multipart == Multipart::Refused {
            return self.recv_whole(env, out);
        }
        match self.peer {
            Some(pipe) if env.pipes.read(pipe, out) => Ok(()),
            _ => Err(Error::Again),
        }
    }

    fn has_in(&mut self, env: &mut Env) -> bool {
        let Some(pipe) = self.peer else { return false };
        while env.pipes.check_read(pipe) {
            if !self.multipart.refuses_next(env.pipes, pipe) {
                return true;
            }
            drop_message(env.pipes, pipe);
        }
        false
    }

    fn has_out(&mut self, env: &mut Env) -> bool {
        self.peer.is_some_and(|pipe| env.pipes.check_write(pipe))
    }

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
    fn messages_have_parts() {
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
        for kind in [SocketType::Pair, SocketType::Channel] {
            let mut socket = Socket::new(kind);
            socket.options.sndhwm = 1;
            let mut a = socket.peer();
            socket.send(&["1"]).unwrap();
            assert_eq!(socket.send(&["x"]), Err(Error::Again));
            assert!(!socket.has_out());
            assert_eq!(a.recv_all(&mut socket), ["1"]);
            assert!(socket.has_out());
        }
    }

    #[test]
    fn talks_to_one_peer_at_a_time() {
        for kind in [SocketType::Pair, SocketType::Channel] {
            let mut socket = Socket::new(kind);
            assert_eq!(socket.send(&["x"]), Err(Error::Again));
            assert_eq!(socket.recv(), Err(Error::Again));
            assert!(!socket.has_in() && !socket.has_out());
            let mut a = socket.peer();
            let mut b = socket.peer();
            b.send(&mut socket, &["not heard"]);
            assert_eq!(socket.pipes.len(), 1);
            socket.send(&["1"]).unwrap();
            assert_eq!(a.recv(&mut socket).unwrap(), ["1"]);
            a.send(&mut socket, &["2"]);
            assert!(socket.has_in() && socket.has_out());
            assert_eq!(socket.recv().unwrap(), ["2"]);
            a.close(&mut socket);
            assert!(!socket.has_out());
            let mut c = socket.peer();
            socket.send(&["3"]).unwrap();
            assert_eq!(c.recv(&mut socket).unwrap(), ["3"]);
        }
    }

    #[test]
    fn parts_are_neither_sent_nor_received() {
        let mut channel = Socket::new(SocketType::Channel);
        assert_eq!(channel.send_part(b"x", true), Err(Error::Invalid));
        let mut a = channel.peer();
        assert_eq!(channel.send_part(b"x", true), Err(Error::Invalid));
        a.send(&mut channel, &["1", "2"]);
        assert!(!channel.has_in());
        a.send(&mut channel, &["3", "4", "5"]);
        a.send(&mut channel, &["6", "7"]);
        assert_eq!(channel.recv(), Err(Error::Again));
        a.send(&mut channel, &["8", "9"]);
        a.send(&mut channel, &["10"]);
        assert!(channel.has_in());
        assert_eq!(channel.recv().unwrap(), ["10"]);
    }
}
