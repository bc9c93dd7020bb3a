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
