//! A poller: a set of sockets and descriptors that lasts (zmq_poller(3)).

use super::cell::SocketRef;
use super::poll::{self, Item, Target};
use super::socket::{POLLIN, POLLOUT};
use crate::error::{Error, Result};
use crate::sys::bell::Bell;
use std::os::fd::RawFd;
use std::sync::Arc;

const ALL_EVENTS: i16 = POLLIN | POLLOUT | poll::POLLERR | poll::POLLPRI;

/// A member of a poller. `T` is what the program wants to be given back with its events.
#[derive(Clone, Copy, Debug)]
pub struct Entry<T> {
    /// The socket or descriptor.
    pub target: Target,
    /// What the program gave.
    pub data: T,
    wanted: i16,
    /// Which events there were.
    pub found: i16,
}

impl<T> Entry<T> {
    /// One whose events aren't known yet.
    pub(super) const fn new(target: Target, data: T, wanted: i16) -> Self {
        Self { target, data, wanted, found: 0 }
    }
}

impl<T> Item for Entry<T> {
    fn target(&self) -> Result<Target> {
        Ok(self.target)
    }

    fn wanted(&self) -> i16 {
        self.wanted
    }

    fn set_found(&mut self, events: i16) {
        self.found = events;
    }

    fn found(&self) -> i16 {
        self.found
    }
}

/// See the module's text.
pub struct Poller<T> {
    entries: Vec<Entry<T>>,
    /// There has been a thread-safe socket among the members.
    has_thread_safe: bool,
    /// What `zmq_poller_fd` tells the descriptor of, once it was asked for.
    bell: Option<Arc<Bell>>,
}

impl<T: Copy> Poller<T> {
    /// An empty one.
    pub const fn new() -> Self {
        Self { entries: Vec::new(), has_thread_safe: false, bell: None }
    }

    /// How many members it has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a member. `EINVAL` for an event that doesn't exist, and for what is a member already; `ENOTSOCK`; `EBADF` for a descriptor of -1.
    pub fn add(&mut self, target: Target, data: T, wanted: i16) -> Result<()> {
        check(target)?;
        check_events(wanted)?;
        if self.find(target).is_ok() {
            return Err(Error::Invalid);
        }
        self.entries.push(Entry::new(target, data, wanted));
        if let Target::Socket(socket) = target
            && socket.lock()?.kind().is_thread_safe()
        {
            self.has_thread_safe = true;
            if let Some(bell) = &self.bell {
                watch(bell, socket, wanted)?;
            }
        }
        Ok(())
    }

    /// Changes the events of a member. Errors as for `add`, but `EINVAL` for what isn't a member.
    pub fn modify(&mut self, target: Target, wanted: i16) -> Result<()> {
        check(target)?;
        check_events(wanted)?;
        let index = self.find(target)?;
        self.entries[index].wanted = wanted;
        Ok(())
    }

    /// Removes a member. A socket that was closed is removed as well, and yet `ENOTSOCK`.
    pub fn remove(&mut self, target: Target) -> Result<()> {
        let checked = check(target);
        if let Ok(index) = self.find(target) {
            self.entries.remove(index);
            if let (Target::Socket(socket), Some(bell)) = (target, &self.bell)
                && let Ok(guard) = socket.lock()
            {
                guard.mailbox().remove_bell(bell);
            }
            return checked;
        }
        checked?;
        Err(Error::Invalid)
    }

    fn find(&self, target: Target) -> Result<usize> {
        self.entries.iter().position(|entry| entry.target == target).ok_or(Error::Invalid)
    }

    /// A descriptor that is readable when a thread-safe member may have events, until the next wait. `EINVAL` if there has been no such
    /// member; `EMFILE`.
    pub fn fd(&mut self) -> Result<RawFd> {
        if !self.has_thread_safe {
            return Err(Error::Invalid);
        }
        if let Some(bell) = &self.bell {
            return bell.fd();
        }
        let bell = Arc::new(Bell::new());
        let fd = bell.fd()?;
        for entry in &self.entries {
            if let Target::Socket(socket) = entry.target {
                // One that was closed meanwhile has nothing to tell.
                let _ = watch(&bell, socket, entry.wanted);
            }
        }
        self.bell = Some(bell);
        Ok(fd)
    }

    /// For [`wait`].
    pub fn bell(&self) -> Option<Arc<Bell>> {
        self.bell.clone()
    }

    /// The members, to be waited for by [`wait`] while others may change the poller.
    pub fn copy_entries(&self, to: &mut Vec<Entry<T>>) {
        to.clear();
        to.extend_from_slice(&self.entries);
    }
}

impl<T: Copy> Default for Poller<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Has the bell rung by what happens on a thread-safe socket, and by what has happened.
fn watch(bell: &Arc<Bell>, socket: SocketRef, wanted: i16) -> Result<()> {
    let mut guard = socket.lock()?;
    if guard.kind().is_thread_safe() {
        guard.mailbox().add_bell(bell);
        if guard.ready(wanted, true) != Ok(0) {
            bell.ring();
        }
        guard.leave_to_descriptor();
    }
    Ok(())
}

fn check(target: Target) -> Result<()> {
    match target {
        Target::Socket(socket) => socket.lock().map(drop),
        Target::Descriptor(-1) => Err(Error::BadDescriptor),
        Target::Descriptor(_) => Ok(()),
    }
}

fn check_events(events: i16) -> Result<()> {
    if events & !ALL_EVENTS != 0 { Err(Error::Invalid) } else { Ok(()) }
}

/// Waits until one of `entries` has an event, `timeout` milliseconds at most (negative: for ever); how many have. Those with `found` not 0
/// are meant.
///
/// `EAGAIN` when the time is up; `EFAULT` for waiting for ever without any event to wait for; `EINTR`, `ETERM`, and `ENOTSOCK` if a socket was
/// closed.
///
/// `bell` is the poller's, whose program may be going to wait for its descriptor afterwards.
pub fn wait<T>(entries: &mut [Entry<T>], timeout: i64, bell: Option<&Bell>) -> Result<usize> {
    let Some(bell) = bell else { return wait_for_events(entries, timeout) };
    // Before the sockets are asked: what comes in between makes it readable again.
    bell.quieten();
    let found = wait_for_events(entries, timeout);
    for entry in entries {
        if let Target::Socket(socket) = entry.target
            && let Ok(guard) = socket.lock()
            && guard.kind().is_thread_safe()
        {
            guard.leave_to_descriptor();
        }
    }
    found
}

fn wait_for_events<T>(entries: &mut [Entry<T>], timeout: i64) -> Result<usize> {
    if entries.iter().all(|entry| entry.wanted == 0) {
        if timeout < 0 {
            return Err(Error::Fault);
        }
        // As long as upstream takes, which doesn't look at the sockets then.
        poll::poll::<Entry<T>>(&mut [], timeout, None)?;
        return Err(Error::Again);
    }
    match poll::poll(entries, timeout, None)? {
        0 => Err(Error::Again),
        count => Ok(count),
    }
}
