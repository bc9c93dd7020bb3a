//! A socket's mailbox: how the rest of the world reaches a socket without taking its lock.
//!
//! I/O threads and other sockets post commands; a thread that is inside a call on the socket works them off. Whoever
//! posts also wakes those who wait for something to happen on the socket:
//!
//! - threads that wait for this socket alone sleep on a futex, the mailbox's `word`;
//! - a thread that waits on the socket's connections as well (see [`super::group`]) sleeps on an epoll which
//!   holds `wait_fd`, and one that polls several things (see [`super::poll`]) on `wait_fd` itself;
//! - `ZMQ_FD` is `user_fd`.
//!
//! The descriptors are made when they are first needed. `word` counts the posts: a waiter reads it before it looks at
//! the socket for the last time, and doesn't sleep if it has moved since. Each side stores (its post, its
//! intention to sleep) before it loads the other's, sequentially consistent, so one of them sees the other.

use crate::error::Result;
use crate::metadata::Metadata;
use crate::pipe::{PipeEnd, PipeId};
use crate::sys::eventfd::EventFd;
use crate::sys::futex;
use parking_lot::Mutex;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::connection::Connection;
use super::io_thread::SessionId;
use super::link::{InprocLink, SessionLink};

/// What is posted to a socket.
#[allow(missing_docs)] // the variants say what their fields are
pub enum Command {
    /// A pipe to a peer's socket in this process.
    AttachInproc { end: PipeEnd, link: Arc<InprocLink>, subscribe_to_all: bool },
    /// A pipe to a session, for a peer that has connected, or (with `ZMQ_IMMEDIATE`) been connected to.
    AttachSession {
        end: PipeEnd,
        link: Arc<SessionLink>,
        connection: Arc<Connection>,
        metadata: Arc<Metadata>,
        subscribe_to_all: bool,
        local: bool,
    },
    /// A session of this socket has a connection that the socket's callers may drive.
    Connected { pipe: PipeId, connection: Arc<Connection>, metadata: Arc<Metadata> },
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
    /// A session has given up for good: its endpoint is no longer one of the socket's.
    EndpointGone(SessionId),
    /// The context is being terminated: every call fails with `ETERM` from now on.
    Stop,
}

/// See the module's text.
pub struct Mailbox {
    commands: Mutex<Vec<Command>>,
    pending: AtomicBool,
    word: AtomicU32,
    sleepers: AtomicU32,
    fd_waiters: AtomicU32,
    wait_fd: OnceLock<EventFd>,
    wait_signaled: AtomicBool,
    user_fd: OnceLock<EventFd>,
    user_signaled: AtomicBool,
    stopped: AtomicBool,
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
            word: AtomicU32::new(0),
            sleepers: AtomicU32::new(0),
            fd_waiters: AtomicU32::new(0),
            wait_fd: OnceLock::new(),
            wait_signaled: AtomicBool::new(false),
            user_fd: OnceLock::new(),
            user_signaled: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        }
    }

    /// Posts a command and wakes whoever waits.
    pub fn post(&self, command: Command) {
        self.commands.lock().push(command);
        self.pending.store(true, Ordering::Release);
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
        self.word.fetch_add(1, Ordering::SeqCst);
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            futex::wake(&self.word, u32::MAX);
        }
        if self.fd_waiters.load(Ordering::SeqCst) > 0
            && let Some(fd) = self.wait_fd.get()
            && !self.wait_signaled.swap(true, Ordering::SeqCst)
        {
            fd.signal();
        }
        if let Some(fd) = self.user_fd.get()
            && !self.user_signaled.swap(true, Ordering::SeqCst)
        {
            fd.signal();
        }
    }

    /// Whether commands are waiting.
    #[inline]
    pub fn has_commands(&self) -> bool {
        self.pending.load(Ordering::Acquire)
    }

    /// Takes the commands, leaving `empty` (whose capacity is kept) in their place.
    pub fn take(&self, empty: &mut Vec<Command>) {
        let mut commands = self.commands.lock();
        self.pending.store(false, Ordering::Relaxed);
        std::mem::swap(&mut *commands, empty);
    }

    /// What to compare with when going to sleep; read before the last look at the socket.
    pub fn word(&self) -> u32 {
        self.word.load(Ordering::SeqCst)
    }

    /// Whether threads sleep on the futex, or on `wait_fd`.
    pub fn has_sleepers(&self) -> bool {
        self.sleepers.load(Ordering::SeqCst) > 0 || self.fd_waiters.load(Ordering::SeqCst) > 0
    }

    /// Sleeps until something is posted after `seen` was read, or the deadline.
    pub fn sleep(&self, seen: u32, deadline: Option<u64>) -> Wait {
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let outcome = futex::wait(&self.word, seen, deadline);
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
        match outcome {
            futex::Wait::Woken => Wait::Woken,
            futex::Wait::TimedOut => Wait::TimedOut,
            futex::Wait::Interrupted => Wait::Interrupted,
        }
    }

    /// The descriptor that is signalled while somebody is between `enter_fd_wait` and `leave_fd_wait`.
    pub fn wait_fd(&self) -> Result<RawFd> {
        Self::lazily(&self.wait_fd)
    }

    /// Announces a sleep on `wait_fd`. False: something was posted since `seen` was read, so don't.
    pub fn enter_fd_wait(&self, seen: u32) -> bool {
        self.fd_waiters.fetch_add(1, Ordering::SeqCst);
        if self.word.load(Ordering::SeqCst) == seen {
            return true;
        }
        self.leave_fd_wait();
        false
    }

    /// Ends a sleep on `wait_fd`.
    pub fn leave_fd_wait(&self) {
        let last = self.fd_waiters.fetch_sub(1, Ordering::SeqCst) == 1;
        // Others that sleep on it are to see it too, so the last one to leave makes it quiet.
        if last
            && self.wait_signaled.load(Ordering::SeqCst)
            && let Some(fd) = self.wait_fd.get()
        {
            // Drained first: whoever posts in between finds it signalled and doesn't signal again, but this thread isn't
            // asleep then, and will see that the word has moved. One that has gone to sleep in between is woken for nothing.
            fd.drain();
            self.wait_signaled.store(false, Ordering::SeqCst);
            if self.fd_waiters.load(Ordering::SeqCst) > 0 && !self.wait_signaled.swap(true, Ordering::SeqCst)
            {
                fd.signal();
            }
        }
    }

    /// The descriptor of `ZMQ_FD`: readable after each post until `quiet`. A new one is readable.
    pub fn user_fd(&self) -> Result<RawFd> {
        if let Some(fd) = self.user_fd.get() {
            return Ok(fd.as_raw_fd());
        }
        let fd = Self::lazily(&self.user_fd)?;
        if !self.user_signaled.swap(true, Ordering::SeqCst)
            && let Some(fd) = self.user_fd.get()
        {
            fd.signal();
        }
        Ok(fd)
    }

    /// Makes `ZMQ_FD` quiet, before the commands are worked off.
    #[inline]
    pub fn quiet(&self) {
        if self.user_signaled.load(Ordering::Relaxed) {
            self.drain_user_fd();
        }
    }

    #[cold]
    fn drain_user_fd(&self) {
        if let Some(fd) = self.user_fd.get() {
            // Drained first: a poster that comes in between finds it signalled, and its command is worked off after this.
            fd.drain();
            self.user_signaled.store(false, Ordering::SeqCst);
        }
    }

    fn lazily(cell: &OnceLock<EventFd>) -> Result<RawFd> {
        if let Some(fd) = cell.get() {
            return Ok(fd.as_raw_fd());
        }
        let fresh = EventFd::new()?;
        Ok(cell.get_or_init(|| fresh).as_raw_fd())
    }
}

impl Default for Mailbox {
    fn default() -> Self {
        Self::new()
    }
}
