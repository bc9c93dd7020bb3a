//! A poller: a set of sockets and descriptors that lasts (zmq_poller(3)).

use super::cell::SocketRef;
use super::poll::{self, Item, Target};
use super::socket::{POLLIN, POLLOUT};
use crate::error::{Error, Result};
use crate::sys::epoll::{Epoll, Interest};
use std::os::fd::{AsRawFd, RawFd};

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
#[derive(Debug)]
pub struct Poller<T> {
    entries: Vec<Entry<T>>,
    /// Holds the `ZMQ_FD` of each thread-safe socket.
    epoll: Option<Epoll>,
}

impl<T: Copy> Poller<T> {
    /// An empty one.
    pub const fn new() -> Self {
        Self { entries: Vec::new(), epoll: None }
    }

    /// How many members it has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a member. `EINVAL` for an event that doesn't exist, and for what is a member already; `ENOTSOCK`; `EBADF` for a descriptor of -1;
    /// `EMFILE` for a thread-safe socket, which needs a descriptor.
    pub fn add(&mut self, target: Target, data: T, wanted: i16) -> Result<()> {
        check(target)?;
        check_events(wanted)?;
        if self.find(target).is_ok() {
            return Err(Error::Invalid);
        }
        if let Target::Socket(socket) = target {
            self.watch(socket)?;
        }
        self.entries.push(Entry { target, data, wanted, found: 0 });
        Ok(())
    }

    fn watch(&mut self, socket: SocketRef) -> Result<()> {
        let guard = socket.lock()?;
        if !guard.kind().is_thread_safe() {
            return Ok(());
        }
        if self.epoll.is_none() {
            self.epoll = Some(Epoll::new()?);
        }
        match &self.epoll {
            Some(epoll) => epoll.add(guard.mailbox().user_fd()?, 0, Interest::READ),
            None => Ok(()),
        }
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
            if let (Target::Socket(socket), Some(epoll)) = (target, &self.epoll)
                && let Ok(guard) = socket.lock()
                && guard.kind().is_thread_safe()
            {
                epoll.delete(guard.mailbox().user_fd()?)?;
            }
            return checked;
        }
        checked?;
        Err(Error::Invalid)
    }

    fn find(&self, target: Target) -> Result<usize> {
        self.entries.iter().position(|entry| entry.target == target).ok_or(Error::Invalid)
    }

    /// A descriptor that is readable when a thread-safe member may have events. `EINVAL` if there has been no such member.
    pub fn fd(&self) -> Result<RawFd> {
        self.epoll.as_ref().map(Epoll::as_raw_fd).ok_or(Error::Invalid)
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
pub fn wait<T>(entries: &mut [Entry<T>], timeout: i64) -> Result<usize> {
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
