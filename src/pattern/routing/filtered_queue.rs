//! Fair queueing of what is wanted: what comes in to subscribers.

use super::FairQueue;
use crate::message::Message;
use crate::pipe::{PipeId, Pipes};

/// A fair queue whose owner may leave messages out. Whether there is one that is wanted is seen only by receiving, so it looks ahead.
#[derive(Default)]
pub struct FilteredQueue {
    queue: FairQueue,
    /// What was received ahead.
    held: Option<Message>,
}

impl FilteredQueue {
    /// Adds a pipe; it may have something to read.
    pub fn attach(&mut self, pipe: PipeId) {
        self.queue.attach(pipe);
    }

    /// A passive pipe has something to read again.
    pub fn activated(&mut self, pipe: PipeId) {
        self.queue.activated(pipe);
    }

    /// Forgets a pipe.
    pub fn terminated(&mut self, pipe: PipeId) {
        self.queue.terminated(pipe);
    }

    /// The queue itself, for an owner that wants everything.
    pub fn unfiltered(&mut self) -> &mut FairQueue {
        &mut self.queue
    }

    /// Receives the next part of a message that is wanted, going by its first one. False: there is none.
    #[inline]
    pub fn recv(&mut self, pipes: &mut Pipes, out: &mut Message, wants: impl Fn(&Message) -> bool) -> bool {
        if let Some(message) = self.held.take() {
            *out = message;
            return true;
        }
        self.recv_next(pipes, out, wants)
    }

    /// Whether there is something to receive.
    pub fn has_in(&mut self, pipes: &mut Pipes, wants: impl Fn(&Message) -> bool) -> bool {
        if self.held.is_some() {
            return true;
        }
        if self.queue.is_mid_message() {
            return self.queue.has_in(pipes);
        }
        let mut message = Message::new();
        let there = self.recv_next(pipes, &mut message, wants);
        if there {
            self.held = Some(message);
        }
        there
    }

    #[inline]
    fn recv_next(&mut self, pipes: &mut Pipes, out: &mut Message, wants: impl Fn(&Message) -> bool) -> bool {
        loop {
            let first = !self.queue.is_mid_message();
            if self.queue.recv(pipes, out).is_none() {
                return false;
            }
            if !first || wants(out) {
                return true;
            }
            while out.more() {
                if self.queue.recv(pipes, out).is_none() {
                    return false;
                }
            }
        }
    }
}
