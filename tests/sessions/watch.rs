//! A monitor and its reader. All that tests may want, whether one does now or not.

#![allow(dead_code)]

use std::ffi::{CString, c_int, c_void};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::support::{Context, Outcome, Socket, errno};
use zmq::ffi::constants::*;
use zmq::ffi::monitor::{zmq_socket_monitor, zmq_socket_monitor_versioned};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A name for an inproc endpoint that no other test uses.
pub fn fresh_name() -> String {
    format!("inproc://monitor-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// `zmq_socket_monitor_versioned`; `None`: a null pointer.
pub fn monitor(
    socket: *mut c_void,
    at: Option<&str>,
    events: u64,
    version: c_int,
    kind: c_int,
) -> Outcome<()> {
    let at = at.map(|at| CString::new(at).expect("no zero byte"));
    let at = at.as_ref().map_or(std::ptr::null(), |at| at.as_ptr());
    // SAFETY: null or a C string.
    let code = unsafe { zmq_socket_monitor_versioned(socket, at, events, version, kind) };
    if code == 0 { Ok(()) } else { Err(errno()) }
}

/// `zmq_socket_monitor`.
pub fn monitor_v1(socket: *mut c_void, at: &str, events: c_int) -> Outcome<()> {
    let at = CString::new(at).expect("no zero byte");
    // SAFETY: a C string.
    let code = unsafe { zmq_socket_monitor(socket, at.as_ptr(), events) };
    if code == 0 { Ok(()) } else { Err(errno()) }
}

/// An event in the format of version 2.
#[derive(Debug, PartialEq, Eq)]
pub struct Event {
    pub event: i32,
    pub values: Vec<u64>,
    pub local: String,
    pub remote: String,
}

/// Reads the events of one socket.
pub struct Watch(pub Socket);

impl Watch {
    /// All events.
    pub fn new(context: &Context, socket: &Socket) -> Self {
        let name = fresh_name();
        monitor(socket.handle(), Some(&name), ZMQ_EVENT_ALL_V2 as u64, 2, ZMQ_PAIR).expect("a monitor");
        Self::reader(context, &name)
    }

    /// A reader of what is sent to that endpoint.
    pub fn reader(context: &Context, name: &str) -> Self {
        let reader = context.socket(ZMQ_PAIR);
        reader.connect(name).expect("a monitor");
        Self(reader)
    }

    /// The next event.
    pub fn next(&self) -> Event {
        let parts = self.0.recv_all().expect("an event");
        let number = |part: &Vec<u8>| u64::from_ne_bytes(part[..].try_into().expect("eight bytes"));
        let text = |part: &Vec<u8>| String::from_utf8(part.clone()).expect("text");
        let count = usize::try_from(number(&parts[1])).expect("a count");
        assert_eq!(parts.len(), count + 4);
        Event {
            event: i32::try_from(number(&parts[0])).expect("an event's number"),
            values: parts[2..2 + count].iter().map(number).collect(),
            local: text(&parts[2 + count]),
            remote: text(&parts[3 + count]),
        }
    }

    /// The next events are these, in this order.
    pub fn expect(&self, events: &[i32]) {
        for expected in events {
            let event = self.next();
            assert_eq!(event.event, *expected, "{event:?}");
        }
    }

    /// Waits for this event, whatever comes before it.
    pub fn wait_for(&self, wanted: i32) -> Event {
        loop {
            let event = self.next();
            if event.event == wanted {
                return event;
            }
        }
    }
}
