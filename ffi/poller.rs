//! Polling a set of sockets and descriptors that lasts: zmq_poller(3).

use libc::{c_int, c_long, c_short, c_void};

use super::boundary::{call, call_unit};
use super::handle;
use super::table::{Kind, Table};
use super::types::zmq_fd_t;
use crate::error::{Error, Result};
use crate::mutex::Mutex;
use crate::runtime::poll::Target;
use crate::runtime::poller::{self, Entry, Poller};

/// What the program wants back for a member: the socket's handle, and its own pointer.
#[derive(Clone, Copy, Debug)]
struct Data {
    socket: *mut c_void,
    user_data: *mut c_void,
}

// SAFETY: the pointers are only kept and given back.
unsafe impl Send for Data {}

#[derive(Default)]
struct Set {
    poller: Poller<Data>,
    /// The copy of the members that the last wait used, for the next one.
    spare: Vec<Entry<Data>>,
}

static POLLERS: Table<Mutex<Set>> = Table::new(Kind::Poller);

/// Does something with the poller that a handle stands for.
fn with<T>(handle: *mut c_void, action: impl FnOnce(&mut Set) -> Result<T>) -> Result<T> {
    let set = POLLERS.get(handle).ok_or(Error::Fault)?;
    let mut set = set.lock();
    action(&mut set)
}

/// What a poller reports.
#[allow(non_camel_case_types)]
#[cfg(feature = "draft")]
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zmq_poller_event_t {
    /// The socket that is ready, or null.
    pub socket: *mut c_void,
    /// The descriptor that is ready, where there is no socket.
    pub fd: zmq_fd_t,
    /// What was given when it was added.
    pub user_data: *mut c_void,
    /// What it is ready for.
    pub events: c_short,
}

impl zmq_poller_event_t {
    const NONE: Self =
        Self { socket: std::ptr::null_mut(), fd: -1, user_data: std::ptr::null_mut(), events: 0 };

    fn new(entry: &Entry<Data>) -> Self {
        let fd = match entry.target {
            Target::Socket(_) => -1,
            Target::Descriptor(fd) => fd,
        };
        let Data { socket, user_data } = entry.data;
        Self { socket, fd, user_data, events: entry.found }
    }
}

/// Fills `events` with what there is; how many there are.
fn wait(set: &Mutex<Set>, events: &mut [zmq_poller_event_t], timeout: c_long) -> Result<usize> {
    let (mut entries, bell) = {
        let mut set = set.lock();
        let mut entries = std::mem::take(&mut set.spare);
        set.poller.copy_entries(&mut entries);
        (entries, set.poller.bell())
    };
    if events.is_empty() {
        // No place for any event, so none is waited for.
        entries.clear();
    }
    // Not inside the poller: another thread may change it, or destroy it, meanwhile.
    let found = poller::wait(&mut entries, timeout, bell.as_deref());
    if found.is_ok() {
        let mut found = entries.iter().filter(|entry| entry.found != 0).map(zmq_poller_event_t::new);
        events.fill_with(|| found.next().unwrap_or(zmq_poller_event_t::NONE));
    }
    set.lock().spare = entries;
    found.map(|found| found.min(events.len()))
}

/// A new poller, or null (zmq_poller(3)).
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_new() -> *mut c_void {
    call(|| Ok(POLLERS.insert(Mutex::default())))
}

/// Destroys a poller and sets the pointer to null.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_destroy(poller: *mut *mut c_void) -> c_int {
    call_unit(|| {
        // SAFETY: the caller passes a pointer to a handle, or null.
        let handle = unsafe { poller.as_mut() }.ok_or(Error::Fault)?;
        POLLERS.remove(*handle).ok_or(Error::Fault)?;
        *handle = std::ptr::null_mut();
        Ok(())
    })
}

/// How many sockets and descriptors are in a poller.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_size(poller: *mut c_void) -> c_int {
    call(|| with(poller, |set| Ok(c_int::try_from(set.poller.len()).unwrap_or(c_int::MAX))))
}

/// Adds a socket. `user_data` comes back with its events.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_add(
    poller: *mut c_void,
    socket: *mut c_void,
    user_data: *mut c_void,
    events: c_short,
) -> c_int {
    call_unit(|| {
        with(poller, |set| {
            let target = Target::Socket(handle::socket(socket)?);
            set.poller.add(target, Data { socket, user_data }, events)
        })
    })
}

/// Changes what to wait for on a socket.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_modify(
    poller: *mut c_void,
    socket: *mut c_void,
    events: c_short,
) -> c_int {
    call_unit(|| with(poller, |set| set.poller.modify(Target::Socket(handle::socket(socket)?), events)))
}

/// Removes a socket.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_remove(poller: *mut c_void, socket: *mut c_void) -> c_int {
    call_unit(|| with(poller, |set| set.poller.remove(Target::Socket(handle::socket(socket)?))))
}

/// Waits for one event, `timeout` milliseconds at most (-1: for ever).
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_wait(
    poller: *mut c_void,
    event: *mut zmq_poller_event_t,
    timeout: c_long,
) -> c_int {
    call_unit(|| {
        // SAFETY: the caller passes room for one event, or null.
        let event = unsafe { event.as_mut() }.ok_or(Error::Fault)?;
        *event = zmq_poller_event_t::NONE;
        let set = POLLERS.get(poller).ok_or(Error::Fault)?;
        wait(&set, std::slice::from_mut(event), timeout).map(drop)
    })
}

/// Waits for up to `count` events; returns how many there were.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_wait_all(
    poller: *mut c_void,
    events: *mut zmq_poller_event_t,
    count: c_int,
    timeout: c_long,
) -> c_int {
    call(|| {
        let set = POLLERS.get(poller).ok_or(Error::Fault)?;
        if events.is_null() {
            return Err(Error::Fault);
        }
        let count = usize::try_from(count).map_err(|_| Error::Invalid)?;
        // SAFETY: the caller passes room for that many events.
        let events = unsafe { std::slice::from_raw_parts_mut(events, count) };
        wait(&set, events, timeout).map(|count| c_int::try_from(count).unwrap_or(c_int::MAX))
    })
}

/// A descriptor that is readable when the poller may have an event; pollers of thread-safe sockets have one.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_fd(poller: *mut c_void, fd: *mut zmq_fd_t) -> c_int {
    call_unit(|| {
        let found = with(poller, |set| set.poller.fd())?;
        // SAFETY: the caller passes a place for the descriptor, or null.
        *unsafe { fd.as_mut() }.ok_or(Error::Fault)? = found;
        Ok(())
    })
}

/// Adds a descriptor.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_add_fd(
    poller: *mut c_void,
    fd: zmq_fd_t,
    user_data: *mut c_void,
    events: c_short,
) -> c_int {
    call_unit(|| {
        let data = Data { socket: std::ptr::null_mut(), user_data };
        with(poller, |set| set.poller.add(Target::Descriptor(fd), data, events))
    })
}

/// Changes what to wait for on a descriptor.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_modify_fd(poller: *mut c_void, fd: zmq_fd_t, events: c_short) -> c_int {
    call_unit(|| with(poller, |set| set.poller.modify(Target::Descriptor(fd), events)))
}

/// Removes a descriptor.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_remove_fd(poller: *mut c_void, fd: zmq_fd_t) -> c_int {
    call_unit(|| with(poller, |set| set.poller.remove(Target::Descriptor(fd))))
}
