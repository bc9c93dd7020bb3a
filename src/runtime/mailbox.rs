//! A socket's mailbox: how the rest of the world reaches a socket without taking its lock.
//!
//! I/O threads and other sockets post commands; a thread that is inside a call on the socket works them off. Whoever
//! posts also wakes those who wait for something to happen on the socket:
//!
//! - threads that wait for this socket alone sleep on a futex, the mailbox's `word`;
//! - a thread that waits on the socket's connections as well (see [`super::group`]) sleeps on an epoll which
//!   holds `wait_fd`, and one that polls several things (see [`super::poll`]) on `wait_fd` itself;
//! - `ZMQ_FD` is `user_fd`;
//! - the descriptor of a poller (`zmq_poller_fd`) is a bell that the poller has registered with each of its thread-safe sockets.
//!
//! [`Waiters`] sees to it that nobody sleeps through a post. The descriptors are made when they are first needed.

use crate::error::Result;
use crate::metadata::Metadata;
use crate::mutex::Mutex;
use crate::pipe::{PipeEnd, PipeId};
use crate::sys::bell::Bell;
use crate::sys::futex;
use crate::sys::waiters::Waiters;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Weak};

use super::connection::Connection;
use super::io_thread::SessionId;
use super::link::{InprocLink, SessionLink};
use super::spin::Spin;

/// What is posted to a socket. Connections aren't kept alive by it: a socket that nobody uses may have many such commands, of peers that have
/// gone long ago.
#[allow(missing_docs)] // the variants say what their fields are
pub enum Command {
    /// A pipe to a peer's socket in this process.
    AttachInproc { end: PipeEnd, link: Arc<InprocLink>, subscribe_to_all: bool },
    /// A pipe to a session, for a peer that has connected, or (with `ZMQ_IMMEDIATE`) been connected to.
    AttachSession {
        end: PipeEnd,
        link: Arc<SessionLink>,
        connection: Weak<Connection>,
        metadata: Arc<Metadata>,
        local: bool,
    },
    /// A session of this socket has a connection that the socket's callers may drive.
    Connected { pipe: PipeId, connection: Weak<Connection>, metadata: Option<Arc<Metadata>> },
    /// ... and has lost it.
    Disconnected { pipe: PipeId },
    /// The peer behind the pipe has written.
    Readable(PipeId),
    /// The peer behind the pipe has made room.
    Room(PipeId),
    /// The peer has closed its end of the pipe.
    Closed(PipeId),
    /// The connection behind the pipe was made again: the peer has forgotten what it knew.
    Hiccup(PipeId),
    /// The socket at the other end of an inproc pipe has changed its high-water marks (send, receive).
    PeerMarks(PipeId, usize, usize),
    /// A session has ended by itself. With `forget` its endpoint is no longer one of the socket's; else it can still be disconnected.
    EndpointGone { session: SessionId, forget: bool },
    /// The context is being terminated: every call fails with `ETERM` from now on.
    Stop,
}

/// How often to look at a word of memory before looking at the clock.
const CHECKS: u32 = 16;

/// See the module's text.
pub struct Mailbox {
    commands: Mutex<Vec<Command>>,
    pending: AtomicBool,
    waiters: Waiters,
    /// What else is rung, as long as its owner keeps it; and whether there is any.
    bells: Mutex<Vec<Weak<Bell>>>,
    has_bells: AtomicBool,
    stopped: AtomicBool,
    spin: Spin,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Something has happened on the socket, or may have.
    Woken,
    /// The time is up.
    TimedOut,
    /// A signal handler has run.
    Interrupted,
}

impl Mailbox {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            commands: Mutex::new(Vec::new()),
            pending: AtomicBool::new(false),
            waiters: Waiters::new(),
            bells: Mutex::new(Vec::new()),
            has_bells: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            spin: Spin::new(),
        }
    }

    /// Posts a command and wakes whoever waits.
    pub fn post(&self, command: Command) {
        self.commands.lock().push(command);
        self.pending.store(true, Ordering::SeqCst);
        self.notify();
    }

    /// Tells the socket to stop; see [`Command::Stop`].
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.post(Command::Stop);
    }

    /// Whether the socket was told to stop.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Wakes whoever waits, without a command.
    pub fn notify(&self) {
        self.waiters.notify();
        if self.has_bells.load(Ordering::SeqCst) {
            self.ring_bells();
        }
    }

    #[cold]
    fn ring_bells(&self) {
        let mut bells = self.bells.lock();
        bells.retain(|bell| bell.upgrade().inspect(|bell| bell.ring()).is_some());
        self.has_bells.store(!bells.is_empty(), Ordering::SeqCst);
    }

    /// Rings `bell` after each post from now on, until it is dropped or removed. Look *afterwards* at what has come before.
    pub fn add_bell(&self, bell: &Arc<Bell>) {
        self.bells.lock().push(Arc::downgrade(bell));
        self.has_bells.store(true, Ordering::SeqCst);
        // Before the caller's look, as a poster looks at the flag after its store.
        fence(Ordering::SeqCst);
    }

    /// Undoes `add_bell`.
    pub fn remove_bell(&self, bell: &Arc<Bell>) {
        let mut bells = self.bells.lock();
        bells.retain(|known| known.strong_count() > 0 && !std::ptr::eq(known.as_ptr(), Arc::as_ptr(bell)));
        self.has_bells.store(!bells.is_empty(), Ordering::SeqCst);
    }

    /// Whether commands are waiting.
    #[inline]
    pub fn has_commands(&self) -> bool {
        self.pending.load(Ordering::SeqCst)
    }

    /// Takes the commands, leaving `empty` (whose capacity is kept) in their place.
    pub fn take(&self, empty: &mut Vec<Command>) {
        let mut commands = self.commands.lock();
        self.pending.store(false, Ordering::Relaxed);
        std::mem::swap(&mut *commands, empty);
    }

    /// What to compare with when going to sleep; read before the last look at the socket.
    pub fn word(&self) -> u32 {
        self.waiters.word()
    }

    /// Whether threads sleep here: on the futex, or on `wait_fd`.
    pub fn has_sleepers(&self) -> bool {
        self.waiters.any()
    }

    /// Looks until `is_over`, for as long as looking has paid lately. True: it is.
    pub fn look(&self, is_over: impl FnMut() -> bool) -> bool {
        self.spin.wait(CHECKS, is_over)
    }

    /// Sleeps until something is posted after `seen` was read, or the deadline. `stream`: the caller only receives, and got so
    /// many messages since it waited last.
    pub fn sleep(&self, seen: u32, deadline: Option<u64>, stream: Option<u32>) -> Wait {
        if self.spin.wait(CHECKS, || self.waiters.word() != seen) {
            if let Some(received) = stream {
                self.spin.gather(received);
            }
            return Wait::Woken;
        }
        match self.waiters.sleep(seen, deadline) {
            futex::Wait::Woken => Wait::Woken,
            futex::Wait::TimedOut => Wait::TimedOut,
            futex::Wait::Interrupted => Wait::Interrupted,
        }
    }

    /// The descriptor that is readable once something was posted while somebody is between `enter_fd_wait` and `leave_fd_wait`.
    pub fn wait_fd(&self) -> Result<RawFd> {
        self.waiters.wait_fd()
    }

    /// Announces a sleep on `wait_fd`. False: something was posted since `seen` was read, so don't.
    pub fn enter_fd_wait(&self, seen: u32) -> bool {
        self.waiters.enter_fd_wait(seen)
    }

    /// Ends a sleep on `wait_fd`.
    pub fn leave_fd_wait(&self) {
        self.waiters.leave_fd_wait();
    }

    /// The descriptor of `ZMQ_FD`: readable after each post until `quiet`. A new one is readable.
    pub fn user_fd(&self) -> Result<RawFd> {
        self.waiters.user_fd()
    }

    /// Whether the program has a descriptor that tells of the socket: `ZMQ_FD`, or a poller's.
    #[inline]
    pub fn has_user_fd(&self) -> bool {
        self.waiters.has_user_fd() || self.has_bells.load(Ordering::Relaxed)
    }

    /// Makes `ZMQ_FD` quiet. Look for commands *afterwards*: one that is posted in between doesn't make it readable.
    #[inline]
    pub fn quiet(&self) {
        self.waiters.quieten();
    }
}

impl Default for Mailbox {
    fn default() -> Self {
        Self::new()
    }
}
