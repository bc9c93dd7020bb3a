//! Fan-out: what goes out to all peers, or to many.

use super::Order;
use crate::message::Message;
use crate::pipe::{PipeId, Pipes};

/// Sends each message to all pipes, or to those that were marked for it. A pipe that is full misses the message.
#[derive(Default)]
pub struct Distribution {
    /// First the pipes that the message under way goes to, then the other active ones, then those that have
    /// room but came in the middle of the message, then the passive ones.
    order: Order,
    matching: usize,
    active: usize,
    eligible: usize,
    /// A message was half sent.
    more: bool,
}

impl Distribution {
    /// Adds a pipe; it may have room.
    pub fn attach(&mut self, pipe: PipeId) {
        self.order.push(pipe);
        self.activated(pipe);
    }

    /// A passive pipe has room again.
    pub fn activated(&mut self, pipe: PipeId) {
        let Some(place) = self.order.place(pipe).filter(|&place| place >= self.eligible) else { return };
        self.order.swap(place, self.eligible);
        // It must not get the rest of a message whose beginning it missed.
        if !self.more {
            self.order.swap(self.eligible, self.active);
            self.active += 1;
        }
        self.eligible += 1;
    }

    /// The connection behind the pipe was lost and made again: what kept it full is gone.
    pub fn hiccuped(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        if pipes.check_write(pipe) {
            self.activated(pipe);
        }
    }

    /// Forgets a pipe.
    pub fn terminated(&mut self, pipe: PipeId) {
        if let Some(place) = self.order.place(pipe) {
            let place = self.demote(place);
            self.order.remove(place);
        }
    }

    /// Whether the pipe is among those to send to.
    pub fn contains(&self, pipe: PipeId) -> bool {
        self.order.place(pipe).is_some()
    }

    /// A message was half sent.
    #[inline]
    pub fn is_mid_message(&self) -> bool {
        self.more
    }

    /// Marks a pipe as one that the next message goes to, if it has room.
    #[inline]
    pub fn mark(&mut self, pipe: PipeId) {
        if let Some(place) = self.order.place(pipe)
            && (self.matching..self.eligible).contains(&place)
        {
            self.order.swap(place, self.matching);
            self.matching += 1;
        }
    }

    /// Marks the unmarked pipes and unmarks the marked ones.
    pub fn invert_marks(&mut self) {
        let marked = self.matching;
        self.matching = 0;
        for place in marked..self.eligible {
            self.order.swap(place, self.matching);
            self.matching += 1;
        }
    }

    /// Unmarks all pipes.
    #[inline]
    pub fn clear_marks(&mut self) {
        self.matching = 0;
    }

    /// Whether all marked pipes have room.
    pub fn has_room(&self, pipes: &mut Pipes) -> bool {
        self.order.pipes[..self.matching].iter().all(|&pipe| pipes.check_write(pipe))
    }

    /// Sends one part to all pipes.
    pub fn send_to_all(&mut self, pipes: &mut Pipes, message: &mut Message) {
        self.matching = self.active;
        self.send_to_marked(pipes, message);
    }

    /// Sends one part to the marked pipes. The marks stay until the end of the message.
    #[inline]
    pub fn send_to_marked(&mut self, pipes: &mut Pipes, message: &mut Message) {
        let more = message.more();
        if self.matching > 0 {
            self.distribute(pipes, message, more);
        } else {
            *message = Message::new();
        }
        self.more = more;
        if !more {
            self.matching = 0;
            self.active = self.eligible;
        }
    }

    fn distribute(&mut self, pipes: &mut Pipes, message: &mut Message, more: bool) {
        let mut at = 0;
        let mut shares = message.shares(self.matching - 1);
        while at + 1 < self.matching {
            let pipe = self.order.pipes[at];
            let mut copy = shares.take();
            if !pipes.write(pipe, &mut copy) {
                shares.put_back(copy);
                // Another pipe takes this place.
                self.demote(at);
                continue;
            }
            at += 1;
        }
        drop(shares);
        if at < self.matching {
            let pipe = self.order.pipes[at];
            if !pipes.write(pipe, message) {
                self.demote(at);
            }
        }
        if !more {
            pipes.flush_all(&self.order.pipes[..self.matching]);
        }
        *message = Message::new();
    }

    /// Makes a pipe passive, wherever it stands; gives its new place.
    fn demote(&mut self, mut place: usize) -> usize {
        if place < self.matching {
            self.matching -= 1;
            self.order.swap(place, self.matching);
            place = self.matching;
        }
        if place < self.active {
            self.active -= 1;
            self.order.swap(place, self.active);
            place = self.active;
        }
        if place < self.eligible {
            self.eligible -= 1;
            self.order.swap(place, self.eligible);
            place = self.eligible;
        }
        place
    }
}
