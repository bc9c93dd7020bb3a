//! How messages are spread over the pipes of a socket: fair queueing for what comes in, load balancing and
//! fan-out for what goes out (RFC 28-31).
//!
//! Each of the three keeps its pipes in one array, those in use before those that are passive, so that no
//! message costs more than the pipes that it touches.

use crate::error::{Error, Result};
use crate::message::{Kind, Message};
use crate::pipe::{PipeId, Pipes};

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

/// Receives from all pipes in turn, message by message.
#[derive(Default)]
pub struct FairQueue {
    /// Active are those that may have something to read.
    turns: Turns,
    /// The last part received has others of its message behind it, in the current pipe.
    more: bool,
}

impl FairQueue {
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

    /// As `recv`, for sockets that take whole messages only: those of several parts are dropped.
    #[inline]
    pub fn recv_whole(&mut self, pipes: &mut Pipes, out: &mut Message) -> Option<PipeId> {
        loop {
            let pipe = self.recv(pipes, out)?;
            if !self.more {
                return Some(pipe);
            }
            *out = Message::new();
            self.drop_rest(pipes);
        }
    }

    /// As `has_in`, for sockets that take whole messages only: those of several parts are dropped.
    pub fn has_whole(&mut self, pipes: &mut Pipes) -> bool {
        while self.has_in(pipes) {
            let Some(pipe) = self.turns.current() else { return false };
            if pipes.peek(pipe).is_none_or(|message| !message.more()) {
                return true;
            }
            self.more = true;
            self.drop_rest(pipes);
        }
        false
    }

    /// Drops what is left of the message that is being received.
    #[cold]
    fn drop_rest(&mut self, pipes: &mut Pipes) {
        let mut part = Message::new();
        while self.more && self.recv(pipes, &mut part).is_some() {}
    }

    /// Whether there is something to receive.
    pub fn has_in(&mut self, pipes: &mut Pipes) -> bool {
        if self.more {
            return true;
        }
        while let Some(pipe) = self.turns.current() {
            if pipes.check_read(pipe) {
                return true;
            }
            self.turns.deactivate_current();
        }
        false
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

/// Sends to all pipes in turn, message by message, leaving out those that are full.
#[derive(Default)]
pub struct LoadBalancer {
    /// Active are those that may have room.
    turns: Turns,
    /// A message was half sent, to the current pipe.
    more: bool,
    /// The pipe of the message that is being sent has gone; its other parts are dropped.
    dropping: bool,
}

impl LoadBalancer {
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
    /// whose earlier parts are lost; the following ones will be dropped.
    #[inline]
    pub fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<Option<PipeId>> {
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
            if !more {
                pipes.flush(pipe);
            }
            at += 1;
        }
        drop(shares);
        if at < self.matching {
            let pipe = self.order.pipes[at];
            if !pipes.write(pipe, message) {
                self.demote(at);
            } else if !more {
                pipes.flush(pipe);
            }
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

#[cfg(test)]
mod tests {
    use crate::message::Kind;
    use crate::options::SocketType;
    use crate::pattern::testing::{Numbers, Parts, Peer, Socket};

    /// Sends numbered messages of one to three parts, a part at a time.
    #[derive(Default)]
    struct Sequence {
        message: usize,
        part: usize,
        parts: usize,
    }

    impl Sequence {
        fn next(&mut self, numbers: &mut Numbers) -> (String, bool) {
            if self.part == self.parts {
                *self = Self { message: self.message + 1, part: 0, parts: 1 + numbers.below(3) as usize };
            }
            self.part += 1;
            (format!("{} {}/{}", self.message, self.part, self.parts), self.part < self.parts)
        }

        fn at_start(&self) -> bool {
            self.part == self.parts
        }
    }

    /// The message's number, after checking that it is whole.
    fn number(parts: &Parts) -> usize {
        let number = parts[0].split(' ').next().unwrap();
        for (index, part) in parts.iter().enumerate() {
            assert_eq!(*part, format!("{number} {}/{}", index + 1, parts.len()));
        }
        number.parse().unwrap()
    }

    /// A peer and what it has received, or was to receive.
    struct Subscriber {
        peer: Peer,
        last: usize,
        received: usize,
        expected: usize,
    }

    #[test]
    fn fan_out_is_whole_and_in_order_whoever_comes_and_goes() {
        for hwm in [0, 3] {
            let mut numbers = Numbers::new(1);
            let mut xpub = Socket::new(SocketType::XPub);
            xpub.options.sndhwm = hwm;
            let mut subscribers: Vec<Subscriber> = Vec::new();
            let mut sequence = Sequence::default();
            for _ in 0..20_000 {
                if numbers.chance(40) && subscribers.len() < 8 {
                    let mut peer = xpub.peer();
                    peer.send_kind(&mut xpub, Kind::Subscribe, "");
                    subscribers.push(Subscriber { peer, last: 0, received: 0, expected: 0 });
                }
                if numbers.chance(60) && !subscribers.is_empty() {
                    let gone = subscribers.swap_remove(numbers.below(subscribers.len() as u64) as usize);
                    gone.peer.close(&mut xpub);
                }
                let first = sequence.at_start();
                let (body, more) = sequence.next(&mut numbers);
                xpub.send_part(body.as_bytes(), more).unwrap();
                for subscriber in &mut subscribers {
                    subscriber.expected += usize::from(first);
                    if more || numbers.chance(3) {
                        continue;
                    }
                    while let Some(parts) = subscriber.peer.recv(&mut xpub) {
                        let number = number(&parts);
                        assert!(number > subscriber.last);
                        subscriber.last = number;
                        subscriber.received += 1;
                    }
                    // Without a mark nothing is missed. (The first message had begun when it came, maybe.)
                    assert!(hwm > 0 || subscriber.received == subscriber.expected);
                }
            }
            assert!(sequence.message > 5_000);
        }
    }

    #[test]
    fn load_balancing_keeps_messages_whole_and_loses_none_while_peers_stay() {
        let mut numbers = Numbers::new(2);
        let mut push = Socket::new(SocketType::Push);
        push.options.sndhwm = 3;
        let mut peers: Vec<Peer> = Vec::new();
        let mut sequence = Sequence::default();
        let (mut sent, mut received, mut lost) = (0, 0, 0);
        for _ in 0..20_000 {
            if peers.len() < 2 || (numbers.chance(40) && peers.len() < 6) {
                peers.push(push.peer());
            }
            if push.has_out() {
                let (body, more) = sequence.next(&mut numbers);
                // A message whose peer has gone is dropped, one part after the other.
                push.send_part(body.as_bytes(), more).unwrap();
                sent += usize::from(!more);
            }
            let chosen = numbers.below(peers.len() as u64) as usize;
            while let Some(parts) = peers[chosen].recv(&mut push) {
                number(&parts);
                received += 1;
            }
            if numbers.chance(60) && sequence.at_start() {
                let mut gone = peers.swap_remove(chosen);
                while gone.recv(&mut push).is_some() {
                    received += 1;
                }
                gone.close(&mut push);
            } else if numbers.chance(60) {
                // It may take a message along that is half sent.
                lost += usize::from(!sequence.at_start());
                peers.swap_remove(chosen).close(&mut push);
            }
        }
        for peer in &mut peers {
            while let Some(parts) = peer.recv(&mut push) {
                number(&parts);
                received += 1;
            }
        }
        assert!(sent > 5_000 && received <= sent && sent - received <= lost, "{sent} {received} {lost}");
    }

    #[test]
    fn fair_queueing_keeps_messages_whole_and_in_the_order_of_each_peer() {
        let mut numbers = Numbers::new(3);
        let mut pull = Socket::new(SocketType::Pull);
        let mut peers: Vec<(Peer, usize)> = Vec::new();
        let (mut sent, mut received) = (0, Parts::new());
        let mut got = 0;
        for _ in 0..20_000 {
            if peers.len() < 2 || (numbers.chance(40) && peers.len() < 6) {
                peers.push((pull.peer(), 0));
            }
            let chosen = numbers.below(peers.len() as u64) as usize;
            if numbers.chance(50) {
                // What it has sent is still to be received.
                peers.swap_remove(chosen).0.close(&mut pull);
            } else if numbers.chance(2) {
                sent += 1;
                let parts = 1 + numbers.below(3);
                let bodies: Vec<_> = (1..=parts).map(|part| format!("{sent} {part}/{parts}")).collect();
                peers[chosen].0.send(&mut pull, &bodies.iter().map(String::as_str).collect::<Vec<_>>());
            }
            if let Ok(part) = pull.recv_part() {
                received.push(String::from_utf8_lossy(part.data()).into_owned());
                if !part.more() {
                    number(&std::mem::take(&mut received));
                    got += 1;
                }
            }
        }
        while pull.recv_part().is_ok_and(|part| {
            part.more() || {
                got += 1;
                true
            }
        }) {}
        assert!(sent > 5_000);
        assert_eq!(got, sent);
    }
}
