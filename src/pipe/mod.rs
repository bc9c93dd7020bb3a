//! Pipes: what connects a socket with a peer, or with the connection that leads to one.
//!
//! A pipe is two queues, one in each direction ([`queue`]). Its two ends are [`PipeEnd`]s; a socket keeps its own
//! in a [`Pipes`], which is all that a pattern ever sees. High-water marks are counted in whole messages, as
//! upstream counts them: a pipe takes `hwm` messages, and once it was full it takes more after the reader has read
//! `(hwm + 1) / 2` of them, and then that many in one go.
//!
//! Nothing here wakes anybody. What has to be done for the other side is left in [`Pipes::notices`]; the
//! runtime, which knows who the other side is, works the list off after each call.

mod primitive;
#[allow(unsafe_code)]
pub mod queue;
mod set;

pub use set::{Notice, PipeId, Pipes};

use crate::message::{Kind, Message};
use queue::{Consumer, Producer};

/// The high-water marks of one direction, and what follows from them.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    /// The own end's part; 0 is unlimited.
    own: usize,
    /// The peer socket's part, if the pipe leads straight to a socket (inproc); 0 is unlimited.
    boost: Option<usize>,
}

impl Mark {
    /// Messages that the direction holds, `usize::MAX` without a limit.
    fn limit(self) -> usize {
        match (self.own, self.boost) {
            (0, _) | (_, Some(0)) => usize::MAX,
            (own, boost) => own + boost.unwrap_or(0),
        }
    }

    /// The same sum from the other end.
    fn seen_by_peer(self) -> Self {
        match self.boost {
            Some(boost) => Self { own: boost, boost: Some(self.own) },
            None => self,
        }
    }

    /// After how many messages the reader grants credit; `usize::MAX`: never, as none is needed.
    fn low(self) -> usize {
        match self.limit() {
            usize::MAX => usize::MAX,
            limit => limit.div_ceil(2),
        }
    }
}

/// The writing half of a pipe's end.
pub struct Outbound {
    queue: Producer<Message>,
    mark: Mark,
    limit: usize,
    /// Messages written, and how many of them the reader is known to have consumed.
    written: usize,
    consumed: usize,
    /// A multipart message is under way.
    more: bool,
}

impl Outbound {
    /// Whether one more message has room. The count is the reader's as it told it last.
    #[inline]
    pub fn has_room(&mut self) -> bool {
        self.has_known_room() || self.refresh()
    }

    /// As `has_room`, by what is known already: what the reader has told since isn't looked at.
    #[inline]
    fn has_known_room(&self) -> bool {
        self.written - self.consumed < self.limit
    }

    #[cold]
    fn refresh(&mut self) -> bool {
        self.consumed = self.queue.consumed();
        self.has_known_room()
    }

    /// Whether there is room; if there isn't, the reader will owe a wake-up when there is.
    pub fn wait_for_room(&mut self) -> bool {
        // If the count has moved there usually is room, but not if the mark was lowered meanwhile.
        loop {
            if self.has_room() {
                return true;
            }
            if self.queue.sleep(self.consumed) {
                return false;
            }
        }
    }

    /// Writes one part, whether there is room or not. It isn't seen before `flush`.
    #[inline]
    pub fn push(&mut self, mut message: Message) {
        self.push_from(&mut message);
    }

    /// As `push`. The message is left empty.
    #[inline(always)]
    pub fn push_from(&mut self, message: &mut Message) {
        let more = message.more();
        // What the engine itself puts in front (a routing id) doesn't count, as it doesn't upstream.
        if !more && message.kind() != Kind::RoutingId {
            self.written += 1;
        }
        self.more = more;
        self.queue.push_from(message, !more);
    }

    /// Publishes the complete messages. True: the reader was asleep and has to be woken.
    #[inline]
    #[must_use]
    pub fn flush(&mut self) -> bool {
        self.queue.publish()
    }

    /// As `flush`, in two halves; see [`Pipes::flush_all`].
    #[inline]
    fn show(&mut self) {
        self.queue.show();
    }

    /// See `show`.
    #[inline]
    fn take_sleeper(&self) -> bool {
        self.queue.take_sleeper()
    }

    /// Takes an unfinished message back. True if there was one.
    pub fn rollback(&mut self) -> bool {
        let mut any = false;
        while self.queue.rollback().is_some() {
            any = true;
        }
        self.more = false;
        any
    }

    /// In the middle of a multipart message.
    pub fn is_mid_message(&self) -> bool {
        self.more
    }

    /// Ends this direction behind the last complete message. True: the reader has to be woken.
    #[must_use]
    pub fn close(&mut self) -> bool {
        self.more = false;
        self.queue.close()
    }

    /// Nobody reads the other end any more.
    pub fn is_abandoned(&self) -> bool {
        self.queue.is_abandoned()
    }

    /// Messages written and not known to be read.
    pub fn queued(&self) -> usize {
        self.written - self.queue.consumed()
    }

    fn set_mark(&mut self, mark: Mark) {
        let before = std::mem::replace(&mut self.limit, mark.limit());
        self.mark = mark;
        if self.limit < before && before != 0 {
            // The reader may go on granting by the old mark, which the writer can no longer reach.
            self.queue.set_eager();
        }
    }
}

/// The reading half of a pipe's end.
pub struct Inbound {
    queue: Consumer<Message>,
    mark: Mark,
    low: usize,
    read: usize,
    /// The count of messages read at which credit is granted next.
    grant_at: usize,
}

impl Inbound {
    /// Takes the next part into `out`. False: there is none.
    #[inline]
    pub fn pop(&mut self, out: &mut Message) -> bool {
        self.queue.pop_into(out)
    }

    /// Counts a message that was read to its end. True: the writer waits for room and has to be woken.
    #[inline]
    #[must_use]
    pub fn count(&mut self, message: &Message) -> bool {
        if message.more() || message.kind() == Kind::RoutingId {
            return false;
        }
        self.read += 1;
        self.read >= self.grant_at && self.grant()
    }

    #[cold]
    fn grant(&mut self) -> bool {
        self.grant_at = self.read.saturating_add(self.low);
        self.queue.set_consumed(self.read)
    }

    /// The next part, left where it is.
    pub fn peek(&mut self) -> Option<&Message> {
        self.queue.peek()
    }

    /// Whether a part is there.
    #[inline]
    pub fn is_ready(&mut self) -> bool {
        self.queue.is_ready()
    }

    /// Announces that the reader has run dry; the writer will owe it a wake-up. False: something came meanwhile.
    pub fn sleep(&mut self) -> bool {
        self.queue.sleep()
    }

    /// The writer has closed this direction and everything was read.
    pub fn is_finished(&mut self) -> bool {
        self.queue.is_closed() && !self.queue.is_ready()
    }

    /// The writer has closed this direction; there may still be messages to read.
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    /// Drops what is queued and says that nothing more will be read.
    pub fn abandon(&mut self) {
        self.queue.abandon();
    }

    /// Messages read so far.
    pub fn read(&self) -> usize {
        self.read
    }

    /// Messages that the writer doesn't know to be read yet, as [`Outbound::queued`] of the other end counts them.
    pub fn queued(&mut self) -> usize {
        let waiting = self.queue.count(|part| !part.more() && part.kind() != Kind::RoutingId);
        waiting + self.read.saturating_sub(self.queue.told())
    }

    /// Grants what new marks make due: a writer at a lower mark may already wait for it, and what was read before won't be read again. True:
    /// the writer waits for room and has to be woken.
    fn grant_after_change(&mut self) -> bool {
        let due = self.low == usize::MAX || self.read - self.queue.told() >= self.low;
        due && self.grant()
    }

    /// For a reader that has run dry and may not know of a lower mark: grants all that was read, if there was one. So it never leaves a
    /// writer waiting. True: the writer has to be woken.
    #[must_use]
    pub fn grant_dry(&mut self) -> bool {
        self.queue.is_eager() && self.read != self.queue.told() && self.grant()
    }

    fn set_mark(&mut self, mark: Mark) {
        self.mark = mark;
        self.low = mark.low();
        self.grant_at = (self.read - self.read % self.low.max(1)).saturating_add(self.low);
    }
}

/// One end of a pipe.
pub struct PipeEnd {
    /// Towards the peer.
    pub outbound: Outbound,
    /// From the peer.
    pub inbound: Inbound,
}

/// How many messages each direction of a new pipe holds.
#[derive(Clone, Copy, Debug)]
pub struct Marks {
    /// The first end's `ZMQ_SNDHWM` and `ZMQ_RCVHWM`; 0 is unlimited.
    pub send: usize,
    /// See `send`.
    pub receive: usize,
    /// The same of the socket at the other end, if there is one (inproc).
    pub peer: Option<(usize, usize)>,
}

/// Makes a pipe. With `conflate` each direction holds the last message only (`ZMQ_CONFLATE`).
pub fn pipe(marks: Marks, conflate: bool) -> (PipeEnd, PipeEnd) {
    let (peer_send, peer_receive) = match marks.peer {
        Some((send, receive)) => (Some(send), Some(receive)),
        None => (None, None),
    };
    let (mut there_in, there_out) = direction(Mark { own: marks.send, boost: peer_receive }, conflate);
    let (here_in, mut here_out) = direction(Mark { own: marks.receive, boost: peer_send }, conflate);
    // What is one end's own part is the peer's part to the other end. The sum is the same.
    there_in.mark = there_in.mark.seen_by_peer();
    here_out.mark = here_out.mark.seen_by_peer();
    (PipeEnd { outbound: there_out, inbound: here_in }, PipeEnd { outbound: here_out, inbound: there_in })
}

fn direction(mark: Mark, conflate: bool) -> (Inbound, Outbound) {
    // What is conflated has no limit: the last message always has room.
    let mark = if conflate { Mark::default() } else { mark };
    let (producer, consumer) = queue::queue(conflate);
    let mut outbound = Outbound { queue: producer, mark, limit: 0, written: 0, consumed: 0, more: false };
    let mut inbound = Inbound { queue: consumer, mark, low: 0, read: 0, grant_at: 0 };
    outbound.set_mark(mark);
    inbound.set_mark(mark);
    (inbound, outbound)
}

impl PipeEnd {
    /// Applies marks that were changed on a living pipe: the own `ZMQ_SNDHWM` and `ZMQ_RCVHWM`.
    pub fn set_own_marks(&mut self, send: usize, receive: usize) {
        self.outbound.set_mark(Mark { own: send, ..self.outbound.mark });
        self.inbound.set_mark(Mark { own: receive, ..self.inbound.mark });
    }

    /// Applies marks that the socket at the other end has changed (inproc).
    pub fn set_peer_marks(&mut self, send: usize, receive: usize) {
        self.outbound.set_mark(Mark { boost: Some(receive), ..self.outbound.mark });
        self.inbound.set_mark(Mark { boost: Some(send), ..self.inbound.mark });
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
