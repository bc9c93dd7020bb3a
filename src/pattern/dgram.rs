//! DGRAM: datagrams, each with the address of its peer (man page `zmq_socket`, draft).

use super::{Attachment, Env, Pattern};
use crate::error::{Error, Result};
use crate::message::Message;
use crate::pipe::PipeId;

/// The DGRAM pattern. A message has two parts: the peer's address and a body.
#[derive(Default)]
pub struct Dgram {
    /// The one that it has bound; further ones are turned away.
    pipe: Option<PipeId>,
    /// The address was sent, and the body is to come.
    addressed: bool,
}

impl Pattern for Dgram {
    fn attached(&mut self, env: &mut Env, pipe: PipeId, _attachment: Attachment) {
        match self.pipe {
            None => self.pipe = Some(pipe),
            Some(_) => env.pipes.terminate(pipe, false),
        }
    }

    fn send(&mut self, env: &mut Env, message: &mut Message) -> Result<()> {
        let Some(pipe) = self.pipe else { return Err(Error::HostUnreachable) };
        if message.more() == self.addressed {
            return Err(Error::Invalid);
        }
        if !env.pipes.write(pipe, message) {
            return Err(Error::Again);
        }
        self.addressed = !self.addressed;
        if !self.addressed {
            env.pipes.flush(pipe);
        }
        Ok(())
    }

    fn recv(&mut self, env: &mut Env, out: &mut Message) -> Result<()> {
        let received = self.pipe.is_some_and(|pipe| env.pipes.read(pipe, out));
        if received { Ok(()) } else { Err(Error::Again) }
    }

    fn has_in(&mut self, env: &mut Env) -> bool {
        self.pipe.is_some_and(|pipe| env.pipes.check_read(pipe))
    }

    fn has_out(&mut self, env: &mut Env) -> bool {
        self.pipe.is_some_and(|pipe| env.pipes.check_write(pipe))
    }

    fn terminated(&mut self, _env: &mut Env, pipe: PipeId) {
        if self.pipe == Some(pipe) {
            (self.pipe, self.addressed) = (None, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::SocketType;
    use crate::pattern::testing::Socket;

    #[test]
    fn messages_are_an_address_and_a_body() {
        let mut dgram = Socket::new(SocketType::Dgram);
        let mut network = dgram.peer();
        assert_eq!(dgram.send_part(b"no body", false), Err(Error::Invalid));
        dgram.send_part(b"address", true).unwrap();
        assert!(network.recv_part(&mut dgram).is_none());
        assert_eq!(dgram.send_part(b"and more", true), Err(Error::Invalid));
        dgram.send_part(b"body", false).unwrap();
        assert_eq!(network.recv(&mut dgram).unwrap(), ["address", "body"]);
        network.send(&mut dgram, &["address", "answer"]);
        assert!(dgram.has_in());
        assert_eq!(dgram.recv().unwrap(), ["address", "answer"]);
        assert_eq!(dgram.recv(), Err(Error::Again));
    }

    #[test]
    fn without_an_endpoint_nobody_can_be_reached() {
        let mut dgram = Socket::new(SocketType::Dgram);
        assert_eq!(dgram.send_part(b"address", true), Err(Error::HostUnreachable));
        assert_eq!(dgram.recv(), Err(Error::Again));
        assert!(!dgram.has_in() && !dgram.has_out());
        // One that goes in the middle of a message takes its beginning with it.
        let first = dgram.peer();
        dgram.send_part(b"address", true).unwrap();
        dgram.call(|_, env| env.pipes.terminate(first.id, false));
        assert_eq!(dgram.send_part(b"body", false), Err(Error::HostUnreachable));
        let mut second = dgram.peer();
        dgram.send(&["address", "body"]).unwrap();
        assert_eq!(second.recv(&mut dgram).unwrap(), ["address", "body"]);
    }

    #[test]
    fn a_second_endpoint_is_turned_away() {
        let mut dgram = Socket::new(SocketType::Dgram);
        let mut first = dgram.peer();
        let _second = dgram.peer();
        assert_eq!(dgram.pipes.len(), 1);
        dgram.send(&["address", "body"]).unwrap();
        assert_eq!(first.recv(&mut dgram).unwrap(), ["address", "body"]);
    }

    #[test]
    fn a_full_queue_takes_no_further_address() {
        let mut dgram = Socket::new(SocketType::Dgram);
        dgram.options.sndhwm = 1;
        let mut network = dgram.peer();
        dgram.send(&["address", "body"]).unwrap();
        assert!(!dgram.has_out());
        assert_eq!(dgram.send_part(b"address", true), Err(Error::Again));
        assert!(network.recv(&mut dgram).is_some());
        assert!(dgram.has_out());
    }
}
