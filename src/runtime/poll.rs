//! Polling: waiting for several sockets and descriptors at once (zmq_poll(3), zmq_poller(3), proxies).
//!
//! First each socket is asked for its events, as `ZMQ_EVENTS` does. Only if none has any does the caller sleep: on one
//! descriptor per socket, and the descriptors that were given. For a socket with connections that is its group's epoll, taken
//! over as a receive does it (see [`super::group`]), so that what arrives is read and decoded here, without a hop through
//! the I/O thread; for one without it is the mailbox's. A single socket is waited for as a receive does, without any
//! descriptor. Then everything is asked again.

use super::cell::SocketRef;
use super::connection::CALLER_BUDGET;
use super::group::Group;
use super::mailbox::{Mailbox, Wait};
use super::socket::POLLIN;
use crate::error::{Error, Result};
use crate::sys::{poll as sys, time};
use libc::sigset_t;
use smallvec::SmallVec;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

/// `ZMQ_POLLERR`
pub const POLLERR: i16 = 4;
/// `ZMQ_POLLPRI`
pub const POLLPRI: i16 = 8;
/// How many items need no allocation.
const FEW: usize = 16;
/// With more sockets than this, taking over the connections of each costs more than the hop through the I/O threads.
const MOST_GROUPS: usize = 64;
/// How long not to look at a socket that there is no descriptor for.
const BLIND_NAP: Duration = Duration::from_millis(5);

/// What an item polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A socket.
    Socket(SocketRef),
    /// A descriptor; a negative one is skipped.
    Descriptor(RawFd),
}

/// One of the things to be polled, in whatever form the caller keeps it.
pub trait Item {
    /// What it polls. `ENOTSOCK` if that is no socket's handle.
    fn target(&self) -> Result<Target>;
    /// Which events are waited for: `POLLIN`, `POLLOUT`, and for a descriptor also [`POLLERR`] and [`POLLPRI`]. A socket
    /// with none is still looked after, and its end noticed.
    fn wanted(&self) -> i16;
    /// Takes what there was.
    fn set_found(&mut self, events: i16);
    /// What it took last.
    fn found(&self) -> i16;
}

type Descriptors = SmallVec<[sys::Item; FEW]>;
type Watches = SmallVec<[Watch; FEW]>;

/// Waits until an item has one of its events, or the time is up: `timeout` in milliseconds, negative for ever. How many items have
/// any. With a signal mask, that applies while the caller sleeps; a signal that it lets through comes before any event.
///
/// `EINTR`; `ETERM`, `ENOTSOCK` for any socket among the items.
pub fn poll<I: Item>(items: &mut [I], timeout: i64, mask: Option<&sigset_t>) -> Result<usize> {
    // Descriptors first: one may be the `ZMQ_FD` of a socket, which goes quiet when that is asked for its events.
    let mut fds = descriptors(items)?;
    if !fds.is_empty() {
        sys::poll(&mut fds, Some(Duration::ZERO))?;
    }
    let found = look(items, timeout == 0)?;
    if found > 0 || timeout == 0 || fds.iter().any(|fd| fd.revents != 0) {
        let_signals_through(mask)?;
        return report(items, &fds);
    }
    let deadline = u64::try_from(timeout).ok().map(|ms| time::deadline(Duration::from_millis(ms)));
    poll_slowly(items, deadline, mask)
}

/// Asks every socket; how many have events.
fn look<I: Item>(items: &mut [I], read: bool) -> Result<usize> {
    let mut found = 0;
    for item in items {
        let mut events = 0;
        if let Target::Socket(socket) = item.target()? {
            events = socket.lock()?.ready(item.wanted(), read)?;
            found += usize::from(events != 0);
        }
        item.set_found(events);
    }
    Ok(found)
}

/// Adds what the descriptors have to what the sockets have.
fn finish<I: Item>(items: &mut [I], mask: Option<&sigset_t>) -> Result<usize> {
    let mut fds = descriptors(items)?;
    if !fds.is_empty() {
        sys::poll(&mut fds, Some(Duration::ZERO))?;
    }
    let_signals_through(mask)?;
    report(items, &fds)
}

/// The system's `ppoll` leaves a signal that it was to let through pending if there are events as well. A program whose sockets are
/// busy would never get it.
fn let_signals_through(mask: Option<&sigset_t>) -> Result<()> {
    match mask {
        Some(_) => sys::ppoll(&mut [], Some(Duration::ZERO), mask).map(drop),
        None => Ok(()),
    }
}

/// The descriptors among the items, in their order.
fn descriptors<I: Item>(items: &[I]) -> Result<Descriptors> {
    let mut fds = Descriptors::new();
    for item in items {
        if let Target::Descriptor(fd) = item.target()? {
            fds.push(sys::item(fd, to_system(item.wanted())));
        }
    }
    Ok(fds)
}

/// Passes on what the system says of the descriptors among the items; how many items have events, sockets too.
fn report<I: Item>(items: &mut [I], fds: &[sys::Item]) -> Result<usize> {
    let mut fds = fds.iter();
    let mut count = 0;
    for item in items {
        if let Target::Descriptor(_) = item.target()? {
            item.set_found(fds.next().map_or(0, |fd| from_system(fd.revents)));
        }
        count += usize::from(item.found() != 0);
    }
    Ok(count)
}

fn to_system(events: i16) -> i16 {
    let mut bits = 0;
    if events & POLLIN != 0 {
        bits |= libc::POLLIN;
    }
    if events & super::socket::POLLOUT != 0 {
        bits |= libc::POLLOUT;
    }
    if events & POLLPRI != 0 {
        bits |= libc::POLLPRI;
    }
    bits
}

fn from_system(bits: i16) -> i16 {
    let mut events = 0;
    if bits & libc::POLLIN != 0 {
        events |= POLLIN;
    }
    if bits & libc::POLLOUT != 0 {
        events |= super::socket::POLLOUT;
    }
    if bits & libc::POLLPRI != 0 {
        events |= POLLPRI;
    }
    if bits & !(libc::POLLIN | libc::POLLOUT | libc::POLLPRI) != 0 {
        events |= POLLERR;
    }
    events
}

#[inline(never)]
fn poll_slowly<I: Item>(items: &mut [I], deadline: Option<u64>, mask: Option<&sigset_t>) -> Result<usize> {
    let mut over = false;
    loop {
        let mut watches = Watches::new();
        if look_last(items, &mut watches, over)? > 0 || over {
            return finish(items, mask);
        }
        let mut fds = Descriptors::new();
        let outcome = match (&watches[..], mask) {
            ([watch], None) if items.len() == 1 => watch.sleep_alone(deadline)?,
            _ => {
                fds = descriptors(items)?;
                sleep(&mut watches, &mut fds, deadline, mask)?
            }
        };
        match outcome {
            Wait::Woken => {
                // A socket's events may be gone again, or never have been any; a descriptor's are there.
                if fds.iter().any(|fd| fd.revents != 0) {
                    look(items, false)?;
                    let_signals_through(mask)?;
                    return report(items, &fds);
                }
            }
            Wait::TimedOut => over = true,
            Wait::Interrupted => return Err(Error::Interrupted),
        }
    }
}

/// As `look`, but remembers how far each mailbox was, so that what is posted from now on ends the sleep.
fn look_last<I: Item>(items: &mut [I], watches: &mut Watches, read: bool) -> Result<usize> {
    let mut found = 0;
    for item in items {
        let mut events = 0;
        if let Target::Socket(socket) = item.target()? {
            let wanted = item.wanted();
            let mut guard = socket.lock()?;
            let seen = guard.mailbox().word();
            events = guard.ready(wanted, read)?;
            found += usize::from(events != 0);
            guard.turn();
            // For room alone the connections are left where they are, as a send that waits does it.
            let group = guard
                .group()
                .filter(|group| wanted & POLLIN != 0 && group.is_useful() || group.is_lent())
                .cloned();
            let mailbox = guard.mailbox().clone();
            let stream = if events == 0 { guard.take_stream() } else { None };
            watches.push(Watch { mailbox, seen, group, stream, entered: false, has_group: false });
        }
        item.set_found(events);
    }
    Ok(found)
}

/// One socket that is slept on.
struct Watch {
    mailbox: Arc<Mailbox>,
    /// The mailbox's word before the last look.
    seen: u32,
    /// The connections to be taken over, if any.
    group: Option<Arc<Group>>,
    /// See `Socket::take_stream`.
    stream: Option<u32>,
    /// Between `enter_fd_wait` and `leave_fd_wait`.
    entered: bool,
    /// Between `begin_wait` and `end_wait`.
    has_group: bool,
}

impl Watch {
    /// Sleeps on this socket and nothing else.
    fn sleep_alone(&self, deadline: Option<u64>) -> Result<Wait> {
        match self
            .group
            .as_ref()
            .and_then(|group| group.wait(self.seen, deadline, CALLER_BUDGET, self.stream))
        {
            Some(outcome) => outcome,
            None => Ok(self.mailbox.sleep(self.seen, deadline, None)),
        }
    }

    /// The descriptor to sleep on. `None`: there is something already. `EMFILE`, `ENFILE`, `ENOMEM`: there is no descriptor.
    fn enter(&mut self) -> Result<Option<RawFd>> {
        let fd = self.mailbox.wait_fd()?;
        // Before it is tried to take the group over: whoever has it will see, when done, that somebody sleeps here.
        if !self.mailbox.enter_fd_wait(self.seen) {
            return Ok(None);
        }
        self.entered = true;
        if let Some(group) = &self.group
            && group.begin_wait()
        {
            self.has_group = true;
            if group.drive_ready(CALLER_BUDGET) {
                return Ok(None);
            }
            return Ok(Some(group.as_raw_fd()));
        }
        Ok(Some(fd))
    }

    fn leave_mailbox(&mut self) {
        if std::mem::take(&mut self.entered) {
            self.mailbox.leave_fd_wait();
        }
    }

    /// `readable`: what `enter` gave has become so.
    fn leave_group(&mut self, readable: bool) {
        if std::mem::take(&mut self.has_group)
            && let Some(group) = &self.group
        {
            if readable {
                group.drive_now(CALLER_BUDGET);
            }
            group.end_wait();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.leave_mailbox();
        self.leave_group(false);
    }
}

/// Looks for a while whether something is posted to one of the sockets, as a receive does, if they have no connections. True: there is.
fn look_before_sleep(watches: &[Watch]) -> bool {
    match watches {
        [first, ..] if watches.len() <= FEW && watches.iter().all(|watch| watch.group.is_none()) => {
            first.mailbox.look(|| watches.iter().any(|watch| watch.mailbox.word() != watch.seen))
        }
        _ => false,
    }
}

/// Sleeps on all the sockets and on `fds`, which tell afterwards what they have.
fn sleep(
    watches: &mut [Watch],
    fds: &mut Descriptors,
    deadline: Option<u64>,
    mask: Option<&sigset_t>,
) -> Result<Wait> {
    if watches.len() > MOST_GROUPS {
        watches.iter_mut().for_each(|watch| watch.group = None);
    }
    if fds.is_empty() && mask.is_none() && look_before_sleep(watches) {
        return Ok(Wait::Woken);
    }
    let given = fds.len();
    let mut awake = false;
    let mut blind = false;
    for watch in watches.iter_mut() {
        match watch.enter() {
            Ok(Some(fd)) => fds.push(sys::item(fd, libc::POLLIN)),
            Ok(None) => {
                awake = true;
                break;
            }
            // The process may have no more descriptors. Then the socket is looked at again and again.
            Err(_) => {
                fds.push(sys::item(-1, 0));
                blind = true;
            }
        }
    }
    let left = deadline.map(|at| Duration::from_nanos(at.saturating_sub(time::monotonic_ns())));
    let nap = blind && left.is_none_or(|left| left > BLIND_NAP);
    let outcome = match () {
        () if awake => Ok(1),
        () if nap => sys::ppoll(fds, Some(BLIND_NAP), mask).map(|ready| ready.max(1)),
        () => sys::ppoll(fds, left, mask),
    };
    // All mailboxes first: if somebody sleeps on one, `leave_group` gives its connections back.
    watches.iter_mut().for_each(Watch::leave_mailbox);
    for (watch, fd) in watches.iter_mut().zip(&fds[given..]) {
        watch.leave_group(fd.revents != 0);
    }
    fds.truncate(given);
    match outcome {
        Ok(0) => Ok(Wait::TimedOut),
        Ok(_) => Ok(Wait::Woken),
        Err(Error::Interrupted) => Ok(Wait::Interrupted),
        Err(error) => Err(error),
    }
}
