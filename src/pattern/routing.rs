//! How messages are spread over the pipes of a socket: fair queueing for what comes in, load balancing and
//! fan-out for what goes out (RFC 28-31).
//!
//! Each of the three keeps its pipes in one array, those in use before those that are passive, so that no
//! message costs more than the pipes that it touches.

mod distribution;
mod fair_queue;
mod filtered_queue;
mod load_balancer;
#[cfg(test)]
mod tests;

pub use distribution::Distribution;
pub use fair_queue::FairQueue;
pub use filtered_queue::FilteredQueue;
pub use load_balancer::LoadBalancer;

use crate::pipe::PipeId;

/// Pipes in an order that the owner decides on. Finding a pipe's place takes no search.
#[derive(Default)]
struct Order {
    pipes: Vec<PipeId>,
    /// The place in `pipes` by the pipe's index.
    places: Vec<u32>,
}

impl Order {
    #[inline]
    fn place(&self, pipe: PipeId) -> Option<usize> {
        let place = *self.places.get(pipe.index())? as usize;
        (self.pipes.get(place) == Some(&pipe)).then_some(place)
    }

    fn push(&mut self, pipe: PipeId) -> usize {
        if self.places.len() <= pipe.index() {
            self.places.resize(pipe.index() + 1, u32::MAX);
        }
        self.places[pipe.index()] = self.pipes.len() as u32;
        self.pipes.push(pipe);
        self.pipes.len() - 1
    }

    #[inline]
    fn swap(&mut self, a: usize, b: usize) {
        if a != b {
            self.pipes.swap(a, b);
            self.places[self.pipes[a].index()] = a as u32;
            self.places[self.pipes[b].index()] = b as u32;
        }
    }

    fn remove(&mut self, place: usize) {
        self.swap(place, self.pipes.len() - 1);
        self.pipes.pop();
    }
}

/// Pipes that take turns. The active ones stand first.
#[derive(Default)]
struct Turns {
    order: Order,
    active: usize,
    current: usize,
}

impl Turns {
    fn attach(&mut self, pipe: PipeId) {
        self.order.push(pipe);
        self.activate(pipe);
    }

    fn activate(&mut self, pipe: PipeId) {
        if let Some(place) = self.order.place(pipe).filter(|&place| place >= self.active) {
            self.order.swap(place, self.active);
            self.active += 1;
        }
    }

    /// The active pipe whose turn it is.
    #[inline]
    fn current(&self) -> Option<PipeId> {
        if self.current < self.active { Some(self.order.pipes[self.current]) } else { None }
    }

    #[inline]
    fn advance(&mut self) {
        self.current += 1;
        if self.current >= self.active {
            self.current = 0;
        }
    }

    /// Takes the current pipe out until it is activated; the next one takes its turn.
    fn deactivate_current(&mut self) {
        self.active -= 1;
        self.order.swap(self.current, self.active);
        if self.current == self.active {
            self.current = 0;
        }
    }

    /// Forgets a pipe. With `hold`, the turn stays with the pipe that has it. True if that was this one.
    fn remove(&mut self, pipe: PipeId, hold: bool) -> bool {
        let Some(mut place) = self.order.place(pipe) else { return false };
        let had_turn = place == self.current && place < self.active;
        if place < self.active {
            self.active -= 1;
            self.order.swap(place, self.active);
            if self.current == self.active {
                self.current = if hold && !had_turn { place } else { 0 };
            }
            place = self.active;
        }
        self.order.remove(place);
        had_turn
    }
}
