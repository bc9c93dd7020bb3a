//! The peers of a socket that addresses them by routing id (ROUTER, STREAM).

use std::collections::HashMap;

use super::{Attachment, Env, random};
use crate::pipe::{PipeId, Pipes};

/// Routing ids and the pipes that they stand for. Each id is also noted on its pipe.
///
/// Peers choose their ids, so the table's hash has to be keyed.
pub struct Peers {
    pipes: HashMap<Box<[u8]>, PipeId>,
    /// The number in the next id that is made here.
    next: u32,
    /// What was looked up last; mostly it is what is looked up next.
    last: Option<PipeId>,
}

impl Default for Peers {
    fn default() -> Self {
        Self { pipes: HashMap::new(), next: random(), last: None }
    }
}

impl Peers {
    /// An id for a peer that has none: a zero, which ids from peers shouldn't begin with, and a number.
    pub fn generate(&mut self) -> Vec<u8> {
        loop {
            let mut id = vec![0];
            id.extend_from_slice(&self.next.to_be_bytes());
            self.next = self.next.wrapping_add(1);
            if !self.contains(&id) {
                return id;
            }
        }
    }

    /// Whether an id is in use.
    pub fn contains(&self, id: &[u8]) -> bool {
        self.pipes.contains_key(id)
    }

    /// Gives the pipe's peer an id that isn't in use.
    pub fn insert(&mut self, pipes: &mut Pipes, pipe: PipeId, id: Vec<u8>) {
        self.pipes.insert(id.as_slice().into(), pipe);
        pipes.set_routing_id(pipe, id);
    }

    /// The pipe of the peer with this id.
    #[inline]
    pub fn find(&mut self, pipes: &Pipes, id: &[u8]) -> Option<PipeId> {
        if let Some(last) = self.last
            && pipes.routing_id(last) == id
        {
            return Some(last);
        }
        let found = self.pipes.get(id).copied();
        if found.is_some() {
            self.last = found;
        }
        found
    }

    /// Frees a pipe's id.
    pub fn remove(&mut self, pipes: &Pipes, pipe: PipeId) {
        let id = pipes.routing_id(pipe);
        if self.pipes.get(id) == Some(&pipe) {
            self.pipes.remove(id);
        }
        if self.last == Some(pipe) {
            self.last = None;
        }
    }

    /// All pipes whose peers have an id.
    pub fn pipes(&self) -> impl Iterator<Item = PipeId> + '_ {
        self.pipes.values().copied()
    }

    /// The id that the program has chosen for the peer it connects to (`ZMQ_CONNECT_ROUTING_ID`). It holds for one
    /// connection. An id in use is of no use: the peer is then named as if none had been chosen.
    pub fn chosen(&self, env: &mut Env, attachment: Attachment) -> Option<Vec<u8>> {
        if !attachment.locally_initiated || env.options.connect_routing_id.is_empty() {
            return None;
        }
        let id = std::mem::take(&mut env.options.connect_routing_id);
        (!self.contains(&id)).then_some(id)
    }
}
