//! Sending and receiving with waiting: the only place, besides polling, where a caller sleeps on a socket.
//!
//! Nobody sleeps inside a socket. A caller that has to wait leaves it, sleeps on its mailbox or its connections, enters
//! it again and looks again.

use super::cell::{SocketGuard, SocketRef};
use super::connection::CALLER_BUDGET;
use super::mailbox::Wait;
use crate::error::{Error, Result};
use crate::message::Message;
use crate::options::SocketType;
use crate::sys::time;

/// `zmq_msg_send`: one part, whose `more` flag is set. On success the message is left empty.
///
/// `EAGAIN` at once with `dont_wait`, or when `ZMQ_SNDTIMEO` is over; `EINTR`; `ETERM`; `ENOTSOCK`; and what the pattern says.
#[inline]
pub fn send(socket: SocketRef, message: &mut Message, dont_wait: bool) -> Result<()> {
    // Two ways for one thing, so that on the usual one the guard is known to be what it is there.
    match socket.enter() {
        Some(guard) => send_inside(socket, guard, message, dont_wait),
        None => send_entering(socket, message, dont_wait),
    }
}

#[inline(never)]
fn send_entering(socket: SocketRef, message: &mut Message, dont_wait: bool) -> Result<()> {
    send_inside(socket, socket.lock()?, message, dont_wait)
}

#[inline(always)]
fn send_inside(
    socket: SocketRef,
    mut guard: SocketGuard,
    message: &mut Message,
    dont_wait: bool,
) -> Result<()> {
    guard.process()?;
    guard.set_may_wait(!dont_wait);
    match guard.send(message) {
        Err(Error::Again) => send_slowly(socket, guard, message, dont_wait),
        Err(Error::BrokenPipe) => cut_off(&guard, message, dont_wait),
        done => done,
    }
}

/// The peer has gone in the middle of a multipart message: who may not wait is told so, who may has this part dropped as well.
#[cold]
fn cut_off(guard: &SocketGuard, message: &mut Message, dont_wait: bool) -> Result<()> {
    if dont_wait || guard.options().sndtimeo == 0 {
        return Err(Error::Again);
    }
    *message = Message::new();
    Ok(())
}

#[cold]
fn send_slowly(socket: SocketRef, guard: SocketGuard, message: &mut Message, dont_wait: bool) -> Result<()> {
    let timeout = guard.options().sndtimeo;
    let mut wait = Waiting::new(timeout, dont_wait);
    let mut guard = guard;
    loop {
        let seen = guard.mailbox().word();
        guard.process()?;
        match guard.send(message) {
            Err(Error::Again) => {}
            Err(Error::BrokenPipe) => return cut_off(&guard, message, dont_wait),
            done => {
                guard.leave_writing();
                return done;
            }
        }
        if guard.look_for_room() {
            continue;
        }
        // Who may not wait is told that the mark was reached, although there may be room now: so a sender that never waits stays within
        // its marks, instead of filling the kernel's buffers first.
        if guard.write_connections() && !wait.is_over() {
            continue;
        }
        guard = wait.wait(socket, guard, seen)?;
    }
}

/// `zmq_msg_recv`: one part.
///
/// `EAGAIN` at once with `dont_wait`, or when `ZMQ_RCVTIMEO` is over; `EINTR`; `ETERM`; `ENOTSOCK`; and what the pattern says.
#[inline]
pub fn recv(socket: SocketRef, out: &mut Message, dont_wait: bool) -> Result<()> {
    match socket.enter() {
        Some(guard) => recv_inside(socket, guard, out, dont_wait),
        None => recv_entering(socket, out, dont_wait),
    }
}

#[inline(never)]
fn recv_entering(socket: SocketRef, out: &mut Message, dont_wait: bool) -> Result<()> {
    recv_inside(socket, socket.lock()?, out, dont_wait)
}

#[inline(always)]
fn recv_inside(socket: SocketRef, mut guard: SocketGuard, out: &mut Message, dont_wait: bool) -> Result<()> {
    guard.process()?;
    match guard.recv(out) {
        Err(Error::Again) => recv_slowly(socket, guard, out, dont_wait),
        done => done,
    }
}

#[inline(never)]
fn recv_slowly(socket: SocketRef, guard: SocketGuard, out: &mut Message, dont_wait: bool) -> Result<()> {
    let timeout = guard.options().rcvtimeo;
    let mut wait = Waiting::new(timeout, dont_wait);
    if !matches!(guard.kind(), SocketType::XPub | SocketType::Stream) {
        // Who looks for a message in vain has an empty one then. With these two types upstream doesn't touch it.
        *out = Message::new();
    }
    let mut guard = guard;
    loop {
        let seen = guard.mailbox().word();
        // What was read and not decoded, and with `dont_wait` what can be read at once.
        if guard.decode_ready() || wait.is_over() && guard.read_connections() {
            guard.process()?;
        }
        guard.process()?;
        match guard.recv(out) {
            Err(Error::Again) => {}
            done => return done,
        }
        guard = wait.wait(socket, guard, seen)?;
    }
}

struct Waiting {
    /// Not to wait at all.
    never: bool,
    deadline: Option<u64>,
    expired: bool,
}

impl Waiting {
    /// `timeout` in milliseconds, negative for ever.
    fn new(timeout: i32, dont_wait: bool) -> Self {
        let never = dont_wait || timeout == 0;
        let deadline = match u64::try_from(timeout) {
            Ok(ms) if !never => Some(time::monotonic_ns() + ms * 1_000_000),
            _ => None,
        };
        Self { never, deadline, expired: false }
    }

    fn is_over(&self) -> bool {
        self.never || self.expired
    }

    /// Leaves the socket, sleeps until something may have changed since `seen` was read, and enters it again.
    fn wait(&mut self, socket: SocketRef, mut guard: SocketGuard, seen: u32) -> Result<SocketGuard> {
        if self.is_over() {
            guard.leave_to_descriptor();
            return Err(Error::Again);
        }
        guard.turn();
        let mailbox = guard.mailbox().clone();
        let stream = guard.take_stream();
        let group = guard.group().cloned();
        drop(guard);
        let outcome = match group.and_then(|group| group.wait(seen, self.deadline, CALLER_BUDGET, stream)) {
            Some(outcome) => outcome?,
            None => mailbox.sleep(seen, self.deadline, stream),
        };
        match outcome {
            Wait::Woken => {}
            // One more look, and then it is over.
            Wait::TimedOut => self.expired = true,
            Wait::Interrupted => return Err(Error::Interrupted),
        }
        socket.lock()
    }
}
