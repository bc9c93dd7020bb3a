//! CHANNEL: exactly one peer at a time, without parts (RFC 52).

use super::{Attachment, Env, Pattern, refuse_parts};
use crate::error::{Error, Result};
use crate::message::Message;
use crate::pipe::PipeId;

/// The CHANNEL pattern.
#[derive(Default)]
pub struct Channel {
    peer: Option<PipeId>,
}

/// Reads what is left of a message that is dropped.
#[cold]
fn drop_rest(env: &mut Env, pipe: PipeId) {
    let mut part = Message::new();
    while env.pipes.read(pipe, &mut part) && part.more() {}
}

impl Pattern for Channel {
    fn attached(&mut self, env: &mut Env, pipe: PipeId, _attachment: Attachment) {
        if self.peer.is_none() {
            self.peer = Some(pipe);
        } else {
            env.pipes.terminate(pipe, false);
        }
    }

    #[inline]
    fn send(&mut self, env: &mut Env, message: &mut Message) -> Result<()> {
        refuse_parts(message)?;
        match self.peer {
            Some(pipe) if env.pipes.write(pipe, message) => {
                env.pipes.flush(pipe);
                Ok(())
            }
            _ => Err(Error::Again),
        }
    }

    #[inline]
    fn recv(&mut self, env: &mut Env, out: &mut Message) -> Result<()> {
        let pipe = self.peer.ok_or(Error::Again)?;
        while env.pipes.read(pipe, out) {
            if !out.more() {
                return Ok(());
            }
            drop_rest(env, pipe);
            *out = Message::new();
        }
        Err(Error::Again)
    }

    fn has_in(&mut self, env: &mut Env) -> bool {
        let Some(pipe) = self.peer else { return false };
        while env.pipes.check_read(pipe) {
            if env.pipes.peek(pipe).is_none_or(|message| !message.more()) {
                return true;
            }
            drop_rest(env, pipe);
        }
        false
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
    fn talks_to_one_peer_at_a_time() {
        let mut channel = Socket::new(SocketType::Channel);
        assert_eq!(channel.send(&["x"]), Err(Error::Again));
        assert_eq!(channel.recv(), Err(Error::Again));
        assert!(!channel.has_in() && !channel.has_out());
        let mut a = channel.peer();
        let mut b = channel.peer();
        b.send(&mut channel, &["not heard"]);
        assert_eq!(channel.pipes.len(), 1);
        channel.send(&["1"]).unwrap();
        assert_eq!(a.recv(&mut channel).unwrap(), ["1"]);
        a.send(&mut channel, &["2"]);
        assert!(channel.has_in() && channel.has_out());
        assert_eq!(channel.recv().unwrap(), ["2"]);
        a.close(&mut channel);
        assert!(!channel.has_out());
        let mut c = channel.peer();
        channel.send(&["3"]).unwrap();
        assert_eq!(c.recv(&mut channel).unwrap(), ["3"]);
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

    #[test]
    fn at_the_high_water_mark_it_would_block() {
        let mut channel = Socket::new(SocketType::Channel);
        channel.options.sndhwm = 1;
        let mut a = channel.peer();
        channel.send(&["1"]).unwrap();
        assert_eq!(channel.send(&["x"]), Err(Error::Again));
        assert!(!channel.has_out());
        assert_eq!(a.recv_all(&mut channel), ["1"]);
        assert!(channel.has_out());
    }
}
