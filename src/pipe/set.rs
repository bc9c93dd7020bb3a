//! The pipes of one socket.

use super::primitive::stores_before_loads;
use super::{Inbound, Outbound, PipeEnd};
use crate::message::Message;
use crate::metadata::Metadata;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

/// Names one pipe of a socket. An id is never used again for another pipe of the same socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PipeId {
    index: u32,
    generation: u32,
}

impl PipeId {
    /// The place in the socket's table. A place is used again after its pipe has gone.
    pub fn index(self) -> usize {
        self.index as usize
    }
}

/// What the runtime has to do for a pipe after a call into a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The peer sleeps, and there is something for it to read.
    Written(PipeId),
    /// The peer waits for room, and there is some.
    Room(PipeId),
    /// Everything the closed peer had written was read, or the pattern has asked for the pipe's end.
    Ended(PipeId),
}

struct Slot {
    generation: u32,
    pipe: Option<Pipe>,
}

struct Pipe {
    outbound: Outbound,
    inbound: Inbound,
    /// There may be something to read; false: the runtime says when.
    readable: bool,
    /// There may be room; false: the runtime says when.
    writable: bool,
    /// Not writable, only because room that may have come isn't to be looked for yet (see `Pipes::set_strict`).
    held: bool,
    /// The peer has closed: nothing can be written any more, and what is queued can be read.
    peer_closed: bool,
    /// `Notice::Ended` was given, once.
    ended: bool,
    /// Don't wait for what a closed peer has left to be read.
    no_delay: bool,
    routing_id: Vec<u8>,
    server_routing_id: u32,
    /// What the messages that come by this pipe say of their peer.
    metadata: Option<Arc<Metadata>>,
}

/// All the pipes of a socket, as its pattern sees them.
#[derive(Default)]
pub struct Pipes {
    slots: Vec<Slot>,
    free: Vec<u32>,
    count: usize,
    notices: Vec<Notice>,
    /// See `set_strict`.
    strict: bool,
    held: Vec<PipeId>,
}

impl Pipes {
    /// Without any pipe.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a pipe's end in.
    pub fn insert(&mut self, end: PipeEnd) -> PipeId {
        let pipe = Pipe {
            outbound: end.outbound,
            inbound: end.inbound,
            readable: true,
            writable: true,
            held: false,
            peer_closed: false,
            ended: false,
            no_delay: false,
            routing_id: Vec::new(),
            server_routing_id: 0,
            metadata: None,
        };
        self.count += 1;
        if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            slot.pipe = Some(pipe);
            return PipeId { index, generation: slot.generation };
        }
        let index = u32::try_from(self.slots.len()).expect("a socket has fewer than 2^32 pipes");
        self.slots.push(Slot { generation: 0, pipe: Some(pipe) });
        PipeId { index, generation: 0 }
    }

    /// Lets a pipe go, closing it in both directions; `None` if it had gone already.
    pub fn remove(&mut self, id: PipeId) -> Option<PipeEnd> {
        let slot = self.slots.get_mut(id.index()).filter(|slot| slot.generation == id.generation)?;
        let pipe = slot.pipe.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.index);
        self.count -= 1;
        Some(PipeEnd { outbound: pipe.outbound, inbound: pipe.inbound })
    }

    /// How many pipes there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// No pipe at all.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Every pipe's id, in the order of their places.
    pub fn ids(&self) -> impl Iterator<Item = PipeId> + '_ {
        self.slots.iter().enumerate().filter(|(_, slot)| slot.pipe.is_some()).map(|(index, slot)| PipeId {
            index: u32::try_from(index).unwrap_or(u32::MAX),
            generation: slot.generation,
        })
    }

    /// Whether the pipe is there.
    pub fn contains(&self, id: PipeId) -> bool {
        self.get(id).is_some()
    }

    #[inline]
    fn get(&self, id: PipeId) -> Option<&Pipe> {
        match self.slots.get(id.index()) {
            Some(slot) if slot.generation == id.generation => slot.pipe.as_ref(),
            _ => None,
        }
    }

    #[inline]
    fn get_mut(&mut self, id: PipeId) -> Option<&mut Pipe> {
        match self.slots.get_mut(id.index()) {
            Some(slot) if slot.generation == id.generation => slot.pipe.as_mut(),
            _ => None,
        }
    }

    /// Reads the next part into `out`. False: there is nothing now, and the pipe is passive until `read_activated`.
    #[inline]
    pub fn read(&mut self, id: PipeId, out: &mut Message) -> bool {
        let Some(pipe) = self.get_mut(id) else { return false };
        if !pipe.readable {
            return false;
        }
        loop {
            if pipe.pop(out) {
                if pipe.inbound.count(out) {
                    self.notices.push(Notice::Room(id));
                }
                return true;
            }
            if pipe.inbound.sleep() {
                pipe.readable = false;
                self.check_end(id);
                return false;
            }
        }
    }

    /// Whether there is something to read. False: the pipe is passive until `read_activated`.
    #[inline]
    pub fn check_read(&mut self, id: PipeId) -> bool {
        let Some(pipe) = self.get_mut(id) else { return false };
        if !pipe.readable {
            return false;
        }
        if pipe.inbound.is_ready() || !pipe.inbound.sleep() {
            return true;
        }
        pipe.readable = false;
        self.check_end(id);
        false
    }

    /// The next part to be read, left in the pipe.
    pub fn peek(&mut self, id: PipeId) -> Option<&Message> {
        self.get_mut(id)?.inbound.peek()
    }

    /// Writes one part, unseen by the peer until `flush`. True: it was taken and `message` is empty now.
    /// False: the pipe is full or closing, and passive until `write_activated`.
    #[inline]
    pub fn write(&mut self, id: PipeId, message: &mut Message) -> bool {
        let Some(pipe) = self.get_mut(id) else { return false };
        if pipe.has_known_room() {
            pipe.outbound.push_from(message);
            return true;
        }
        self.write_to_full(id, message)
    }

    /// As `write`, when there is no room as far as is known.
    #[cold]
    fn write_to_full(&mut self, id: PipeId, message: &mut Message) -> bool {
        let room = self.find_room(id);
        if room && let Some(pipe) = self.get_mut(id) {
            pipe.outbound.push_from(message);
        }
        room
    }

    /// Whether room has come meanwhile. If not, the pipe is passive from now on.
    fn find_room(&mut self, id: PipeId) -> bool {
        let strict = self.strict;
        let Some(pipe) = self.get_mut(id) else { return false };
        if !pipe.writable {
            return false;
        }
        // Over inproc the peer's program has made the room, by receiving.
        if strict && pipe.outbound.mark.boost.is_none() {
            pipe.writable = false;
            pipe.held = true;
            self.held.push(id);
            return false;
        }
        pipe.room()
    }

    /// Whether room that has come since a pipe was full by what was known of it is left alone. Then the pipe becomes passive, as if it were full still, until
    /// `release_held`. For senders that may not wait: a connection goes on taking messages out of the pipe for as long as the kernel takes
    /// them, and whoever sends all the time would never notice that it has reached its mark.
    #[inline]
    pub fn set_strict(&mut self, strict: bool) {
        self.strict = strict;
    }

    /// See `set_strict`.
    pub fn is_strict(&self) -> bool {
        self.strict
    }

    /// Whether pipes are passive because of `set_strict`.
    #[inline]
    pub fn has_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// Looks for room in one of the pipes that are passive because of `set_strict`: the pipe, and whether it has some. Then the pattern has to hear of it.
    pub fn release_held(&mut self) -> Option<(PipeId, bool)> {
        let id = self.held.pop()?;
        let found = match self.get_mut(id) {
            Some(pipe) if pipe.held => {
                (pipe.writable, pipe.held) = (true, false);
                pipe.room()
            }
            _ => false,
        };
        Some((id, found))
    }

    /// Whether a message can be written. False: the pipe is passive until `write_activated`.
    #[inline]
    pub fn check_write(&mut self, id: PipeId) -> bool {
        let Some(pipe) = self.get_mut(id) else { return false };
        pipe.has_known_room() || self.find_room(id)
    }

    /// Whether the pipe is at its high-water mark, without making it passive.
    pub fn is_full(&mut self, id: PipeId) -> bool {
        self.get_mut(id).is_none_or(|pipe| pipe.held || !pipe.outbound.has_room())
    }

    /// Shows the peer the complete messages.
    #[inline]
    pub fn flush(&mut self, id: PipeId) {
        let Some(pipe) = self.get_mut(id) else { return };
        if pipe.outbound.flush() {
            self.notices.push(Notice::Written(id));
        }
    }

    /// As `flush` for each of them, in less time: their stores don't wait for each other.
    pub fn flush_all(&mut self, ids: &[PipeId]) {
        if let &[id] = ids {
            return self.flush(id);
        }
        for &id in ids {
            if let Some(pipe) = self.get_mut(id) {
                pipe.outbound.show();
            }
        }
        stores_before_loads();
        for &id in ids {
            if self.get(id).is_some_and(|pipe| pipe.outbound.take_sleeper()) {
                self.notices.push(Notice::Written(id));
            }
        }
    }

    /// Takes the parts of an unfinished message back.
    pub fn rollback(&mut self, id: PipeId) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.outbound.rollback();
        }
    }

    /// Asks for the pipe's end; the pattern's `terminated` follows. The peer can still read what was flushed. With `delay`, what a
    /// peer that has closed left here is read first; else what is still to be read is dropped.
    pub fn terminate(&mut self, id: PipeId, delay: bool) {
        let Some(pipe) = self.get_mut(id) else { return };
        pipe.outbound.rollback();
        (pipe.writable, pipe.held) = (false, false);
        if pipe.peer_closed && delay && pipe.inbound.is_ready() {
            return;
        }
        pipe.readable = false;
        self.end(id);
    }

    /// Makes a peer's closing end the pipe at once, unread messages or not (for sockets that don't receive).
    pub fn set_no_delay(&mut self, id: PipeId) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.no_delay = true;
        }
    }

    /// The runtime says that the peer has written. True: the pipe was passive, and the pattern has to hear of it.
    pub fn activate_read(&mut self, id: PipeId) -> bool {
        match self.get_mut(id) {
            Some(pipe) if !pipe.readable && !pipe.ended => {
                pipe.readable = true;
                true
            }
            _ => false,
        }
    }

    /// The runtime says that the peer has made room. True: the pattern has to hear of it.
    pub fn activate_write(&mut self, id: PipeId) -> bool {
        match self.get_mut(id) {
            Some(pipe) if !pipe.writable && !pipe.peer_closed && !pipe.ended => {
                pipe.writable = true;
                pipe.held = false;
                true
            }
            _ => false,
        }
    }

    /// The runtime says that the peer has closed its end.
    pub fn peer_closed(&mut self, id: PipeId) {
        let Some(pipe) = self.get_mut(id) else { return };
        pipe.peer_closed = true;
        (pipe.writable, pipe.held) = (false, false);
        pipe.outbound.rollback();
        if pipe.no_delay || !pipe.inbound.is_ready() {
            pipe.readable = false;
            self.end(id);
        }
    }

    /// Whether the peer has closed its end, though nobody could tell it here as long as the pipe's name wasn't known.
    pub fn is_closed(&self, id: PipeId) -> bool {
        // The name was published before; the peer closes first and looks for the name then. One of the two sees the other.
        fence(Ordering::SeqCst);
        self.get(id).is_some_and(|pipe| pipe.inbound.is_closed())
    }

    /// Whether the peer has closed its end.
    pub fn is_peer_closed(&self, id: PipeId) -> bool {
        self.get(id).is_none_or(|pipe| pipe.peer_closed)
    }

    fn check_end(&mut self, id: PipeId) {
        if self.get_mut(id).is_some_and(|pipe| pipe.peer_closed) {
            self.end(id);
        }
    }

    fn end(&mut self, id: PipeId) {
        let Some(pipe) = self.get_mut(id) else { return };
        if !pipe.ended {
            pipe.ended = true;
            self.notices.push(Notice::Ended(id));
        }
    }

    /// The routing id that the pattern has given this pipe's peer; empty without.
    pub fn routing_id(&self, id: PipeId) -> &[u8] {
        self.get(id).map_or(&[], |pipe| &pipe.routing_id)
    }

    /// Gives the peer a routing id.
    pub fn set_routing_id(&mut self, id: PipeId, routing_id: Vec<u8>) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.routing_id = routing_id;
        }
    }

    /// What the messages that come by the pipe say of their peer.
    pub fn set_metadata(&mut self, id: PipeId, metadata: Option<Arc<Metadata>>) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.metadata = metadata;
        }
    }

    /// The 32-bit routing id of `ZMQ_SERVER` and `ZMQ_PEER`; 0 without.
    pub fn server_routing_id(&self, id: PipeId) -> u32 {
        self.get(id).map_or(0, |pipe| pipe.server_routing_id)
    }

    /// See `server_routing_id`.
    pub fn set_server_routing_id(&mut self, id: PipeId, routing_id: u32) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.server_routing_id = routing_id;
        }
    }

    /// Applies the socket's own marks to a living pipe; 0 is unlimited.
    pub fn set_own_marks(&mut self, id: PipeId, send: usize, receive: usize) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.outbound.set_mark(super::Mark { own: send, ..pipe.outbound.mark });
            pipe.inbound.set_mark(super::Mark { own: receive, ..pipe.inbound.mark });
            if pipe.inbound.grant_after_change() {
                self.notices.push(Notice::Room(id));
            }
        }
    }

    /// Applies marks that the socket at the other end of an inproc pipe has changed.
    pub fn set_peer_marks(&mut self, id: PipeId, send: usize, receive: usize) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.outbound.set_mark(super::Mark { boost: Some(receive), ..pipe.outbound.mark });
            pipe.inbound.set_mark(super::Mark { boost: Some(send), ..pipe.inbound.mark });
            if pipe.inbound.grant_after_change() {
                self.notices.push(Notice::Room(id));
            }
        }
    }

    /// Messages queued towards the peer and from it, for `zmq_socket_monitor_pipes_stats`.
    pub fn queued(&mut self, id: PipeId) -> Option<(usize, usize)> {
        self.get_mut(id).map(|pipe| (pipe.outbound.queued(), pipe.inbound.queued()))
    }

    /// What has to be done for the peers; empty most of the time.
    #[inline]
    pub fn has_notices(&self) -> bool {
        !self.notices.is_empty()
    }

    /// Takes the oldest notice.
    pub fn next_notice(&mut self) -> Option<Notice> {
        if self.notices.is_empty() { None } else { Some(self.notices.remove(0)) }
    }

    /// Takes all the notices, leaving `empty` (an empty vector whose capacity is kept) in their place.
    pub fn take_notices(&mut self, empty: &mut Vec<Notice>) {
        std::mem::swap(&mut self.notices, empty);
    }
}

impl Pipe {
    /// Takes the next part, with the pipe's metadata. A message that is received into one from the same peer keeps that one's reference,
    /// so that the usual loop counts nothing.
    #[inline]
    fn pop(&mut self, out: &mut Message) -> bool {
        let Some(metadata) = &self.metadata else { return self.inbound.pop(out) };
        let kept = match out.metadata() {
            Some(kept) if Arc::ptr_eq(kept, metadata) => out.take_metadata(),
            _ => None,
        };
        let there = self.inbound.pop(out);
        if there || kept.is_some() {
            out.set_metadata(kept.or_else(|| Some(metadata.clone())));
        }
        there
    }

    /// Whether one more part can be written, without looking at what the reader has told.
    #[inline]
    fn has_known_room(&self) -> bool {
        self.writable && (self.outbound.is_mid_message() || self.outbound.has_known_room())
    }

    /// No room: passive from now on, unless room has come meanwhile.
    #[cold]
    fn room(&mut self) -> bool {
        if self.outbound.wait_for_room() {
            return true;
        }
        self.writable = false;
        false
    }
}
