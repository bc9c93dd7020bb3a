//! Load balancing: what goes out to one peer or another.

use super::Turns;
use crate::error::{Error, Result};
use crate::message::Message;
use crate::pattern::multipart::Multipart;
use crate::pipe::{PipeId, Pipes};

/// Sends to all pipes in turn, message by message, leaving out those that are full.
#[derive(Default)]
pub struct LoadBalancer {
    /// Active are those that may have room.
    turns: Turns,
    /// A message was half sent, to the current pipe.
    more: bool,
    /// The pipe of the message that is being sent has gone; its other parts are dropped.
    dropping: bool,
    multipart: Multipart,
}

impl LoadBalancer {
    /// A balancer that refuses messages of several parts, if `multipart` says so.
    pub fn new(multipart: Multipart) -> Self {
        Self { multipart, ..Self::default() }
    }

    /// Adds a pipe; it may have room.
    pub fn attach(&mut self, pipe: PipeId) {
        self.turns.attach(pipe);
    }

    /// A passive pipe has room again.
    pub fn activated(&mut self, pipe: PipeId) {
        self.turns.activate(pipe);
    }

    /// Forgets a pipe. What is left of a message that was half sent to it will be dropped.
    pub fn terminated(&mut self, pipe: PipeId) {
        if self.turns.remove(pipe, self.more) && self.more {
            self.dropping = true;
        }
    }

    /// Sends one part, and says to which pipe; `None` if it was dropped with the rest of its message.
    ///
    /// `Error::Again`: no pipe has room. `Error::BrokenPipe`: the peer went away in the middle of this message,
    /// whose earlier parts are lost; the following ones will be dropped. `Error::Invalid`: it mustn't have parts.
    #[inline]
    pub fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<Option<PipeId>> {
        if self.multipart.refuses(message) {
            return Err(Error::Invalid);
        }
        let more = message.more();
        if self.dropping {
            (self.more, self.dropping) = (more, more);
            *message = Message::new();
            return Ok(None);
        }
        while let Some(pipe) = self.turns.current() {
            if pipes.write(pipe, message) {
                self.more = more;
                if !more {
                    pipes.flush(pipe);
                    self.turns.advance();
                }
                return Ok(Some(pipe));
            }
            if self.more {
                pipes.rollback(pipe);
                (self.more, self.dropping) = (false, more);
                return Err(Error::BrokenPipe);
            }
            self.turns.deactivate_current();
        }
        Err(Error::Again)
    }

    /// Whether there is room for a message, or a message is half sent.
    pub fn has_out(&mut self, pipes: &mut Pipes) -> bool {
        if self.more {
            return true;
        }
        while let Some(pipe) = self.turns.current() {
            if pipes.check_write(pipe) {
                return true;
            }
            self.turns.deactivate_current();
        }
        false
    }
}
