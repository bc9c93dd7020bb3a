//! A proxy: passes messages between two sockets, both ways, until the context ends or it is told to (zmq_proxy(3), zmq_proxy_steerable(3)).
//!
//! A message is taken from one side only when the other has room. So a direction waits either for a message or for room, never for
//! both, and a full side holds up the other one's senders, not the proxy.

use super::blocking;
use super::cell::SocketRef;
use super::poll::{self, Target};
use super::poller::Entry;
use super::socket::{POLLIN, POLLOUT};
use crate::error::{Error, Result};
use crate::message::Message;
use smallvec::SmallVec;

/// How many messages go one way before the other way, and the control socket, get their turn; upstream's figure.
const BURST: usize = 1000;

/// The sockets of a proxy.
#[derive(Clone, Copy, Debug)]
pub struct Proxy {
    /// One side.
    pub frontend: SocketRef,
    /// The other one; may be the same.
    pub backend: SocketRef,
    /// Gets a copy of everything.
    pub capture: Option<SocketRef>,
    /// Commands come from here.
    pub control: Option<SocketRef>,
}

/// Parts of messages, and their bytes.
#[derive(Clone, Copy, Default)]
struct Count {
    parts: u64,
    bytes: u64,
}

impl Count {
    fn add(&mut self, bytes: usize) {
        self.parts += 1;
        self.bytes += bytes as u64;
    }
}

/// In the order of the reply to STATISTICS.
#[derive(Default)]
struct Statistics {
    frontend_received: Count,
    frontend_sent: Count,
    backend_received: Count,
    backend_sent: Count,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Active,
    Paused,
    Terminated,
}

/// What one direction waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Blocked {
    /// It has got somewhere.
    No,
    /// Its source has nothing.
    Empty,
    /// Its destination has no room.
    Full,
}

impl Proxy {
    /// Runs until TERMINATE comes. Otherwise it ends with an error: `ETERM`, `EINTR`, `ENOTSOCK`, and what sending says (`EAGAIN` with
    /// `ZMQ_SNDTIMEO`).
    pub fn run(self) -> Result<()> {
        let mut state = State::Active;
        let mut statistics = Statistics::default();
        let mut message = Message::new();
        loop {
            if let Some(control) = self.control
                && control.lock()?.ready(POLLIN, false)? != 0
            {
                state = obey(control, state, &statistics)?;
            }
            let (mut requests, mut replies) = (Blocked::Full, Blocked::Full);
            match state {
                State::Terminated => return Ok(()),
                State::Paused => {}
                State::Active => {
                    let Statistics { frontend_received, frontend_sent, backend_received, backend_sent } =
                        &mut statistics;
                    requests = self.forward(
                        (self.frontend, frontend_received),
                        (self.backend, backend_sent),
                        &mut message,
                    )?;
                    // With one socket only, that was all of it.
                    replies = if self.frontend == self.backend {
                        Blocked::Empty
                    } else {
                        self.forward(
                            (self.backend, backend_received),
                            (self.frontend, frontend_sent),
                            &mut message,
                        )?
                    };
                }
            }
            if requests != Blocked::No && replies != Blocked::No {
                self.wait(state, requests, replies)?;
            }
        }
    }

    /// Sleeps until one of the directions can go on or a command comes. While it is paused the sides are watched for their end only.
    fn wait(&self, state: State, requests: Blocked, replies: Blocked) -> Result<()> {
        let (mut front, mut back) = (0, 0);
        if state == State::Active {
            front |= if requests == Blocked::Empty { POLLIN } else { 0 };
            back |= if requests == Blocked::Full { POLLOUT } else { 0 };
            if self.frontend != self.backend {
                back |= if replies == Blocked::Empty { POLLIN } else { 0 };
                front |= if replies == Blocked::Full { POLLOUT } else { 0 };
            }
        }
        let mut sides = SmallVec::<[Entry<()>; 3]>::new();
        let mut add = |socket, wanted| sides.push(Entry::new(Target::Socket(socket), (), wanted));
        add(self.frontend, front);
        if self.frontend != self.backend {
            add(self.backend, back);
        }
        if let Some(control) = self.control {
            add(control, POLLIN);
        }
        poll::poll(&mut sides, -1, None).map(drop)
    }

    /// Passes a burst of messages on, each with all of its parts.
    fn forward(
        &self,
        (from, received): (SocketRef, &mut Count),
        (to, sent): (SocketRef, &mut Count),
        message: &mut Message,
    ) -> Result<Blocked> {
        if from.lock()?.ready(POLLIN, false)? == 0 {
            return Ok(Blocked::Empty);
        }
        // With one socket only there is room once the message was taken (REP).
        if from != to && to.lock()?.ready(POLLOUT, false)? == 0 {
            return Ok(Blocked::Full);
        }
        for count in 0..BURST {
            match take(from, message) {
                Ok(()) => {}
                Err(Error::Again) => return Ok(if count == 0 { Blocked::Empty } else { Blocked::No }),
                // A REP or REQ, which has to send first.
                Err(Error::State) if count > 0 => return Ok(Blocked::No),
                Err(error) => return Err(error),
            }
            loop {
                let (more, len) = (message.more(), message.len());
                received.add(len);
                // The properties are those of the connection that it came by.
                message.set_metadata(None);
                if let Some(capture) = self.capture {
                    blocking::send(capture, &mut message.share(), false)?;
                }
                blocking::send(to, message, false)?;
                sent.add(len);
                if !more {
                    break;
                }
                take(from, message)?;
            }
        }
        Ok(Blocked::No)
    }
}

/// The next part of what has been read.
fn take(from: SocketRef, message: &mut Message) -> Result<()> {
    let mut guard = from.lock()?;
    guard.process()?;
    guard.recv(message)
}

/// Carries a command out, and answers it, whatever it was.
fn obey(control: SocketRef, state: State, statistics: &Statistics) -> Result<State> {
    let mut command = Message::new();
    match blocking::recv(control, &mut command, true) {
        Err(Error::Again) => return Ok(state),
        received => received?,
    }
    let next = match command.data() {
        b"PAUSE" => State::Paused,
        b"RESUME" => State::Active,
        b"TERMINATE" => State::Terminated,
        b"STATISTICS" => {
            report(control, statistics)?;
            return Ok(state);
        }
        _ => state,
    };
    blocking::send(control, &mut Message::new(), false)?;
    Ok(next)
}

/// Eight parts of eight bytes each, in the machine's byte order.
fn report(control: SocketRef, statistics: &Statistics) -> Result<()> {
    let Statistics { frontend_received, frontend_sent, backend_received, backend_sent } = statistics;
    let counts = [frontend_received, frontend_sent, backend_received, backend_sent];
    let values = counts.map(|count| [count.parts, count.bytes]);
    let values = values.as_flattened();
    for (index, value) in values.iter().enumerate() {
        let mut part = Message::from_slice(&value.to_ne_bytes())?;
        part.set_more(index + 1 < values.len());
        blocking::send(control, &mut part, false)?;
    }
    Ok(())
}
