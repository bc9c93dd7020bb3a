//! Fair queueing: what comes in.

use super::Turns;
use crate::message::{Kind, Message};
use crate::pattern::multipart::{Multipart, drop_message};
use crate::pipe::{PipeId, Pipes};

/// Receives from all pipes in turn, message by message.
#[derive(Default)]
pub struct FairQueue {
    /// Active are those that may have something to read.
    turns: Turns,
    /// The last part received has others of its message behind it, in the current pipe.
    more: bool,
    multipart: Multipart,
}

impl FairQueue {
    /// A queue that drops messages of several parts, if `multipart` says so.
    pub fn new(multipart: Multipart) -> Self {
        Self { multipart, ..Self::default() }
    }

    /// Adds a pipe; it may have something to read.
    pub fn attach(&mut self, pipe: PipeId) {
        self.turns.attach(pipe);
    }

    /// A passive pipe has something to read again.
    pub fn activated(&mut self, pipe: PipeId) {
        self.turns.activate(pipe);
    }

    /// Forgets a pipe. True if a message from it was half received: the rest of it won't come.
    pub fn terminated(&mut self, pipe: PipeId) -> bool {
        let cut = self.turns.remove(pipe, self.more) && self.more;
        if cut {
            self.more = false;
        }
        cut
    }

    /// A message was half received; the next part comes from the same pipe.
    #[inline]
    pub fn is_mid_message(&self) -> bool {
        self.more
    }

    /// Receives the next part, and says from which pipe. `None`: nothing is there.
    #[inline]
    pub fn recv(&mut self, pipes: &mut Pipes, out: &mut Message) -> Option<PipeId> {
        match self.multipart {
            Multipart::Allowed => self.recv_part(pipes, out),
            Multipart::Refused => self.recv_whole(pipes, out),
        }
    }

    #[inline]
    fn recv_part(&mut self, pipes: &mut Pipes, out: &mut Message) -> Option<PipeId> {
        while let Some(pipe) = self.turns.current() {
            if pipes.read(pipe, out) {
                self.more = out.more();
                if !self.more {
                    self.turns.advance();
                }
                return Some(pipe);
            }
            self.turns.deactivate_current();
            // The parts of a message become readable together, so a missing one means that the pipe is ending.
            // No other pipe's message may take its place: the caller has to see that it is another one.
            if std::mem::take(&mut self.more) {
                return None;
            }
        }
        None
    }

    /// Apart, so that it costs those nothing that take messages of any parts.
    #[inline(never)]
    fn recv_whole(&mut self, pipes: &mut Pipes, out: &mut Message) -> Option<PipeId> {
        loop {
            let pipe = self.recv_part(pipes, out)?;
            if !self.more {
                return Some(pipe);
            }
            *out = Message::new();
            self.drop_current(pipes, pipe);
        }
    }

    /// Whether there is something to receive.
    pub fn has_in(&mut self, pipes: &mut Pipes) -> bool {
        if self.more {
            return true;
        }
        while let Some(pipe) = self.turns.current() {
            if !pipes.check_read(pipe) {
                self.turns.deactivate_current();
            } else if self.multipart.refuses_next(pipes, pipe) {
                self.drop_current(pipes, pipe);
            } else {
                return true;
            }
        }
        false
    }

    /// Drops the message, or what is left of it, that the current pipe is at.
    #[cold]
    fn drop_current(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        self.more = false;
        if drop_message(pipes, pipe) {
            self.turns.advance();
        } else {
            self.turns.deactivate_current();
        }
    }

    /// Like `has_in`, for sockets that get their peers' routing ids: drops those in front, which a program
    /// never sees.
    pub fn has_message(&mut self, pipes: &mut Pipes) -> bool {
        while self.has_in(pipes) {
            let Some(pipe) = self.turns.current() else { return true };
            if self.more || pipes.peek(pipe).is_none_or(|message| message.kind() != Kind::RoutingId) {
                return true;
            }
            pipes.read(pipe, &mut Message::new());
        }
        false
    }
}
