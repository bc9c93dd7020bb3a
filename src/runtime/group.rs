//! The connections of one socket, and who waits for them.
//!
//! A socket that has connections has an epoll of its own, which holds all of them. By default the socket's I/O thread watches
//! that epoll. A thread that is about to wait in a receive (or a poll) takes it over: it leaves the I/O thread's
//! set, and the caller sleeps on it, reads what arrives and decodes it itself, so that a message reaches the
//! program without a hop through another thread. The group stays *lent* between calls, as the next one will most
//! likely wait again. The I/O thread looks after its lent groups every few milliseconds and takes back those that
//! nobody has used meanwhile.
//!
//! Who has the group decides only who waits. Driving a connection is safe from any thread (its halves have locks), so
//! nothing is lost when both watch for a moment; an event is worked off by whoever got it.
//!
//! Descriptors are registered edge-triggered, for reading and writing, once. So whoever takes an event has to drive
//! the connection until it is dry or has to leave it in `ready`.

use super::connection::{Connection, IO_BUDGET};
use super::io_thread::{IoCommand, IoHandle};
use super::mailbox::{Mailbox, Wait};
use super::spin::Spin;
use crate::error::Result;
use crate::mutex::Mutex;
use crate::sys::epoll::{Epoll, Event, Interest};
use crate::sys::{poll, time};
use mio::unix::SourceFd;
use std::collections::VecDeque;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

/// How many messages between two waits make a stream.
const STREAM: u32 = 16;
/// How many events one look takes.
const EVENTS: usize = 64;
/// The epoll token of the mailbox's descriptor.
const MAILBOX: u64 = u64::MAX;

/// Nanoseconds that `catch_up` waits for the I/O thread: a few times of what it takes to read some subscriptions.
const LONGEST_CATCHING_UP: u64 = 50_000;

/// See the module's text.
pub struct Group {
    epoll: Epoll,
    /// The I/O thread that watches when no caller does.
    pub io: Arc<IoHandle>,
    /// The I/O thread's name for the group.
    pub token: mio::Token,
    mailbox: Arc<Mailbox>,
    connections: Mutex<Slots>,
    /// Connections that have bytes to decode, or more to read, without another event.
    ready: Mutex<VecDeque<Arc<Connection>>>,
    has_ready: AtomicBool,
    /// A caller watches.
    lent: AtomicBool,
    /// Held while that changes, and with it what the I/O thread watches.
    changing: Mutex<()>,
    /// The I/O thread knows that the group is lent, and looks after it.
    tracked: AtomicBool,
    /// A caller sleeps on the epoll now.
    waiting: AtomicBool,
    /// The I/O thread is at work on what the epoll has told it.
    driven: AtomicBool,
    /// How often a caller has used the group while lent.
    uses: AtomicU32,
    has_wait_fd: AtomicBool,
    /// How many connections messages flow over.
    open: AtomicUsize,
    /// What was learnt from the last waits.
    spin: Spin,
}

#[derive(Default)]
struct Slots {
    slots: Vec<Option<Arc<Connection>>>,
    free: Vec<usize>,
}

impl Group {
    /// A group without connections, which `io` will watch once it was told of it (`IoCommand::AddGroup`).
    pub fn new(io: Arc<IoHandle>, mailbox: Arc<Mailbox>) -> Result<Arc<Self>> {
        let token = io.new_token();
        Ok(Arc::new(Self {
            epoll: Epoll::new()?,
            io,
            token,
            mailbox,
            connections: Mutex::default(),
            ready: Mutex::default(),
            has_ready: AtomicBool::new(false),
            lent: AtomicBool::new(false),
            changing: Mutex::new(()),
            tracked: AtomicBool::new(false),
            waiting: AtomicBool::new(false),
            driven: AtomicBool::new(false),
            uses: AtomicU32::new(0),
            has_wait_fd: AtomicBool::new(false),
            open: AtomicUsize::new(0),
            spin: Spin::new(),
        }))
    }

    /// The epoll's descriptor.
    pub fn as_raw_fd(&self) -> RawFd {
        self.epoll.as_raw_fd()
    }

    /// Keeps a connection under a new token. It is watched from `watch` on.
    pub fn insert(&self, make: impl FnOnce(u64) -> Arc<Connection>) -> Arc<Connection> {
        let mut slots = self.connections.lock();
        let index = slots.free.pop().unwrap_or(slots.slots.len());
        let connection = make(index as u64);
        if index == slots.slots.len() {
            slots.slots.push(Some(connection.clone()));
        } else {
            slots.slots[index] = Some(connection.clone());
        }
        connection
    }

    /// Begins to watch a connection's descriptor.
    pub fn watch(&self, fd: RawFd, token: u64) -> Result<()> {
        self.epoll.add(fd, token, Interest::READ | Interest::READ_HANGUP | Interest::WRITE | Interest::EDGE)
    }

    /// Forgets a connection and its descriptor.
    pub fn remove(&self, fd: RawFd, token: u64) {
        // It may never have been watched.
        let _ = self.epoll.delete(fd);
        // Left there, it would keep the group, and the group it. Nobody leaves it there from now on; see `push_ready`.
        self.ready.lock().retain(|left| left.token != token);
        let mut slots = self.connections.lock();
        if let Some(slot) = slots.slots.get_mut(token as usize)
            && slot.take().is_some()
        {
            slots.free.push(token as usize);
        }
    }

    fn get(&self, token: u64) -> Option<Arc<Connection>> {
        self.connections.lock().slots.get(usize::try_from(token).ok()?)?.clone()
    }

    /// One more connection is open.
    pub fn opened(&self) {
        self.open.fetch_add(1, Ordering::SeqCst);
    }

    /// An open connection has ended.
    pub fn closed(&self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }

    /// Whether it is worth a caller's while to wait here: there is something to watch.
    #[inline]
    pub fn is_useful(&self) -> bool {
        self.open.load(Ordering::Relaxed) > 0 || self.is_lent()
    }

    /// Leaves a connection for whoever watches to go on with.
    pub fn push_ready(&self, connection: Arc<Connection>) {
        let mut ready = self.ready.lock();
        // One that is being closed is over before it is removed.
        if connection.is_over() {
            return;
        }
        ready.push_back(connection);
        drop(ready);
        // Sequentially consistent, as in `give_back` and `wait_alone`: either they see that there is something, or it is seen here that the
        // I/O thread watches, or that a caller sleeps.
        if !self.has_ready.swap(true, Ordering::SeqCst) {
            if !self.is_lent() {
                self.io.post(IoCommand::DriveGroup(self.token));
            } else if self.mailbox.has_sleepers() {
                // The I/O thread has driven it all the same (what came right behind the handshake, say).
                self.mailbox.notify();
            }
        }
    }

    /// Whether connections wait to be gone on with.
    #[inline]
    pub fn has_ready(&self) -> bool {
        self.has_ready.load(Ordering::SeqCst)
    }

    /// Goes on with the connections that were left behind. True: there were some.
    pub fn drive_ready(&self, budget: usize) -> bool {
        if !self.has_ready() {
            return false;
        }
        self.has_ready.store(false, Ordering::Release);
        // Only those that are there now: driving one may leave it here again.
        let count = self.ready.lock().len();
        for _ in 0..count {
            let Some(connection) = self.ready.lock().pop_front() else { break };
            connection.drive_read(false, budget);
        }
        if !self.ready.lock().is_empty() {
            self.has_ready.store(true, Ordering::Release);
        }
        count > 0
    }

    /// Works off what the epoll has to say at once. True: there was something.
    pub fn drive_now(&self, budget: usize) -> bool {
        self.work_off(budget).0
    }

    /// As `drive_now`, and what the I/O thread is reading at this moment is there afterwards, too, unless it takes long.
    pub fn catch_up(&self, budget: usize) {
        self.drive_now(budget);
        if self.driven.load(Ordering::SeqCst) {
            let until = time::monotonic_ns() + LONGEST_CATCHING_UP;
            while self.driven.load(Ordering::SeqCst) && time::monotonic_ns() < until {
                // It may want this processor.
                std::thread::yield_now();
            }
        }
    }

    /// Whether there was something, and whether there may be more.
    fn work_off(&self, budget: usize) -> (bool, bool) {
        let mut events = [Event::EMPTY; EVENTS];
        let mut any = self.drive_ready(budget);
        // Bounded: a peer that never stops sending mustn't keep the thread here.
        for _ in 0..4 {
            match self.epoll.wait(&mut events, Some(Duration::ZERO)) {
                Ok(count) if count > 0 => {
                    any |= self.drive(&events[..count], budget);
                    if count < EVENTS {
                        return (any, false);
                    }
                }
                _ => return (any, false),
            }
        }
        (any, true)
    }

    /// As `drive_now`, for the I/O thread, which comes back for what is left.
    pub fn drive_for_io_thread(&self) {
        // Whether the epoll is readable is no measure: the mailbox's descriptor may have been left readable, and is for callers only.
        self.driven.store(true, Ordering::SeqCst);
        let (_, more) = self.work_off(IO_BUDGET);
        self.driven.store(false, Ordering::SeqCst);
        self.io.post_if(more && !self.is_lent(), || IoCommand::DriveGroup(self.token));
    }

    fn drive(&self, events: &[Event], budget: usize) -> bool {
        let mut any = false;
        for event in events {
            any |= event.token() != MAILBOX;
            self.drive_event(*event, budget);
        }
        any
    }

    fn drive_event(&self, event: Event, budget: usize) {
        if let Some(connection) = self.get(event.token()) {
            if event.is_hang_up() {
                connection.hang_up();
            }
            if event.is_readable() {
                connection.drive_read(true, budget);
            }
            if event.is_writable() && connection.wants_to_write() {
                connection.drive_write(true);
            }
        }
    }

    /// Whether a caller watches.
    #[inline]
    pub fn is_lent(&self) -> bool {
        self.lent.load(Ordering::SeqCst)
    }

    /// A caller is about to wait: the I/O thread stops watching.
    fn borrow(self: &Arc<Self>) {
        self.uses.fetch_add(1, Ordering::Relaxed);
        if !self.is_lent() {
            let _changing = self.changing.lock();
            if !self.lent.swap(true, Ordering::SeqCst) {
                // It fails if the I/O thread hasn't begun to watch yet; it won't, then.
                let _ = self.io.registry().deregister(&mut SourceFd(&self.epoll.as_raw_fd()));
            }
        }
        self.track();
    }

    fn track(self: &Arc<Self>) {
        if !self.tracked.swap(true, Ordering::SeqCst) {
            self.io.post(IoCommand::Lent(self.clone()));
        }
    }

    /// The I/O thread watches again.
    pub fn give_back(&self) {
        if self.is_lent() {
            let changing = self.changing.lock();
            self.lent.swap(false, Ordering::SeqCst);
            drop(changing);
            self.watch_in_io_thread();
        }
    }

    /// Registers the epoll with the I/O thread, unless it is lent.
    pub fn watch_in_io_thread(&self) {
        let changing = self.changing.lock();
        if self.is_lent() {
            return;
        }
        let fd = self.epoll.as_raw_fd();
        let (registry, interest) = (self.io.registry(), mio::Interest::READABLE);
        // It fails when it is registered already (two threads were at it). Then an edge may have been ignored because the group was lent;
        // registering anew has it reported again.
        if registry.register(&mut SourceFd(&fd), self.token, interest).is_err() {
            let _ = registry.reregister(&mut SourceFd(&fd), self.token, interest);
        }
        drop(changing);
        if self.has_ready() {
            self.io.post(IoCommand::DriveGroup(self.token));
        }
    }

    /// The I/O thread no longer watches, for good.
    pub fn unwatch(&self) {
        let _ = self.io.registry().deregister(&mut SourceFd(&self.epoll.as_raw_fd()));
    }

    /// The I/O thread's look at a lent group: `seen` is the count of uses at the last one. The new count, or `None` if
    /// there is no need to look again.
    pub fn check_lent(&self, seen: u32) -> Option<u32> {
        // From here on whoever begins or ends a wait asks to be looked after. Whoever did so before that has set what is read below.
        self.tracked.store(false, Ordering::SeqCst);
        let uses = self.uses.load(Ordering::SeqCst);
        if !self.lent.load(Ordering::SeqCst) || self.waiting.load(Ordering::SeqCst) {
            return None;
        }
        if uses != seen {
            return (!self.tracked.swap(true, Ordering::SeqCst)).then_some(uses);
        }
        self.give_back();
        None
    }

    /// Takes the group over: until `end_wait` no other thread waits here, and the descriptor is readable as soon as a connection has something,
    /// or (between the mailbox's `enter_fd_wait` and `leave_fd_wait`) something is posted to the socket. What `has_ready` says needs no waiting for.
    /// False: another thread waits here already, or it can't be done; so wait elsewhere.
    pub fn begin_wait(self: &Arc<Self>) -> bool {
        if self.waiting.swap(true, Ordering::SeqCst) {
            return false;
        }
        if !self.has_wait_fd.load(Ordering::Relaxed) {
            let added = self.mailbox.wait_fd().and_then(|fd| self.epoll.add(fd, MAILBOX, Interest::READ));
            if added.is_err() {
                // No descriptor is to be had. The mailbox's word needs none, and the I/O thread watches the connections.
                self.waiting.store(false, Ordering::SeqCst);
                return false;
            }
            self.has_wait_fd.store(true, Ordering::Relaxed);
        }
        self.borrow();
        true
    }

    /// The other end of `begin_wait`.
    pub fn end_wait(self: &Arc<Self>) {
        self.waiting.store(false, Ordering::SeqCst);
        if self.mailbox.has_sleepers() {
            // Threads that sleep elsewhere can't drive the connections; the I/O thread does it for all.
            self.give_back();
        } else if self.is_lent() {
            self.track();
        }
    }

    /// Sleeps until a connection has something, something is posted to the socket after `seen` was read, or the deadline; then drives what has
    /// come. `None`: as with `begin_wait`, wait elsewhere.
    pub fn wait(
        self: &Arc<Self>,
        seen: u32,
        deadline: Option<u64>,
        budget: usize,
        stream: Option<u32>,
    ) -> Option<Result<Wait>> {
        if !self.is_useful() || !self.begin_wait() {
            return None;
        }
        let outcome = self.wait_alone(seen, deadline, budget, stream);
        self.end_wait();
        Some(outcome)
    }

    fn wait_alone(
        &self,
        seen: u32,
        deadline: Option<u64>,
        budget: usize,
        stream: Option<u32>,
    ) -> Result<Wait> {
        if self.drive_ready(budget) {
            return Ok(Wait::Woken);
        }
        let mut events = [Event::EMPTY; EVENTS];
        let mut count = 0;
        // In a stream there is more to be had by letting it gather than by being quick.
        let in_stream = stream.is_some_and(|received| received >= STREAM);
        let found = !in_stream
            && self.spin.wait(1, || {
                count = self.epoll.wait(&mut events, Some(Duration::ZERO)).unwrap_or(0);
                count > 0 || self.mailbox.word() != seen
            });
        if found {
            self.drive(&events[..count], budget);
            return Ok(Wait::Woken);
        }
        if !self.mailbox.enter_fd_wait(seen) {
            return Ok(Wait::Woken);
        }
        if self.has_ready() {
            self.mailbox.leave_fd_wait();
            return Ok(Wait::Woken);
        }
        let timeout = deadline.map(|at| Duration::from_nanos(at.saturating_sub(time::monotonic_ns())));
        // Slept in poll(2), not in epoll_wait(2): that one fails with EINTR when the process was stopped and goes on, without any
        // handler having run (signal(7)), which upstream's callers never see.
        let mut readable = [poll::item(self.epoll.as_raw_fd(), libc::POLLIN)];
        let outcome = poll::poll(&mut readable, timeout).and_then(|count| match count {
            0 => Ok(None),
            _ => self.epoll.wait(&mut events, Some(Duration::ZERO)).map(Some),
        });
        self.mailbox.leave_fd_wait();
        match outcome {
            Ok(None) => Ok(Wait::TimedOut),
            Ok(Some(count)) => {
                self.drive(&events[..count], budget);
                Ok(Wait::Woken)
            }
            Err(crate::error::Error::Interrupted) => Ok(Wait::Interrupted),
            Err(error) => Err(error),
        }
    }
}
