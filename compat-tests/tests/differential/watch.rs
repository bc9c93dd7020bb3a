//! Monitors: the events of a socket as lines.

use std::ffi::{CString, c_int};
use std::time::{Duration, Instant};

use crate::script::{Outcome, Show, Socket, call, errno_name};
use crate::zmq;

/// A monitor on a socket, and the socket that reads it.
pub struct Watch<'a> {
    reader: Socket<'a>,
    version: c_int,
}

/// An event: its name and how it stands in a line.
pub struct Event {
    pub name: String,
    pub line: String,
}

impl Show for Event {
    fn show(&self) -> String {
        self.line.clone()
    }
}

/// Has a monitor report the events of the mask on a socket, to an inproc name.
pub fn monitor(socket: &Socket, name: &str, mask: u64, version: c_int, kind: c_int) -> Outcome {
    let name = CString::new(name).unwrap_or_default();
    call!(socket.test, socket_monitor_versioned(socket.handle, name.as_ptr(), mask, version, kind))
}

/// Ends the monitor of a socket.
pub fn stop(socket: &Socket) -> Outcome {
    call!(socket.test, socket_monitor_versioned(socket.handle, std::ptr::null(), 0, 1, zmq::PAIR))
}

impl<'a> Watch<'a> {
    /// All events in the older version, whose lines are shorter.
    pub fn new(socket: &Socket<'a>) -> Self {
        Self::version(socket, 1)
    }

    pub fn version(socket: &Socket<'a>, version: c_int) -> Self {
        let test = socket.test;
        let endpoint = format!("inproc://watch-{}", test.number());
        let mask = if version == 1 { 0xffff } else { 0x1_ffff };
        if let Err(errno) = monitor(socket, &endpoint, mask, version, zmq::PAIR) {
            test.say(format_args!("no monitor: {}", errno.show()));
            test.end();
        }
        let reader = test.socket(zmq::PAIR);
        let _ = reader.connect(&endpoint);
        Self { reader, version }
    }

    /// Reads events from a socket that a script has connected by itself.
    pub fn reading(reader: Socket<'a>, version: c_int) -> Self {
        Self { reader, version }
    }

    /// The next event that comes within the time.
    pub fn next(&self, time: Duration) -> Option<Event> {
        self.reader.wait(zmq::POLLIN, time);
        let parts = self.reader.recv_now().ok()?;
        Some(if self.version == 2 { second(&parts) } else { first(&parts) })
    }

    /// Waits for an event of that name, and shows all up to it.
    pub fn until(&self, what: &str, name: &str) {
        let deadline = Instant::now() + self.reader.test.limit();
        loop {
            match self.next(deadline.saturating_duration_since(Instant::now())) {
                Some(event) => {
                    self.reader.test.say(format_args!("{what}: {}", event.line));
                    if event.name == name {
                        return;
                    }
                }
                None => return self.reader.test.say(format_args!("{what}: no {name}")),
            }
        }
    }

    /// Waits for an event of that name, and shows none.
    pub fn skip_until(&self, name: &str) {
        let deadline = Instant::now() + self.reader.test.limit();
        while let Some(event) = self.next(deadline.saturating_duration_since(Instant::now())) {
            if event.name == name {
                return;
            }
        }
    }

    /// Shows the events that come until it is quiet.
    pub fn rest(&self, what: &str) {
        // Events come from another thread, by way of inproc.
        while let Some(event) = self.next(self.reader.test.quiet() * 2) {
            self.reader.test.say(format_args!("{what}: {}", event.line));
        }
    }

    /// The events up to the first one of that name.
    pub fn names_until(&self, name: &str) -> String {
        let deadline = Instant::now() + self.reader.test.limit();
        let mut lines = Vec::new();
        while let Some(event) = self.next(deadline.saturating_duration_since(Instant::now())) {
            lines.push(event.line);
            if event.name == name {
                break;
            }
        }
        lines.join(", ")
    }

    /// The events that come until it is quiet.
    pub fn names(&self) -> String {
        let events = std::iter::from_fn(|| self.next(self.reader.test.quiet()));
        events.map(|event| event.line).collect::<Vec<_>>().join(", ")
    }

    /// The events that have come.
    pub fn so_far(&self) -> String {
        let events = std::iter::from_fn(|| self.next(self.reader.test.quiet() / 10));
        events.map(|event| event.line).collect::<Vec<_>>().join(", ")
    }

    pub fn close(&self) {
        let _ = self.reader.close();
    }
}

fn name_of(event: u64) -> String {
    let known = zmq::EVENTS_BY_BIT.iter().find(|(bit, _)| *bit == event);
    known.map_or_else(|| format!("event {event:#x}"), |(_, name)| (*name).to_owned())
}

/// What a value means; descriptors and times vary.
fn value_of(name: &str, value: u64) -> String {
    match name {
        "LISTENING" | "ACCEPTED" | "CONNECTED" | "CLOSED" | "DISCONNECTED" => "fd".to_owned(),
        "CONNECT_RETRIED" => "time".to_owned(),
        "CONNECT_DELAYED"
        | "BIND_FAILED"
        | "ACCEPT_FAILED"
        | "CLOSE_FAILED"
        | "HANDSHAKE_FAILED_NO_DETAIL" => match value as c_int {
            // It depends on who was quicker.
            libc::EPIPE | libc::ECONNRESET => "EPIPE or ECONNRESET".to_owned(),
            value => errno_name(value),
        },
        "HANDSHAKE_FAILED_PROTOCOL" => format!("{value:#x}"),
        _ => value.to_string(),
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn first(parts: &[Vec<u8>]) -> Event {
    let [head, address] = parts else { return odd(parts) };
    if head.len() != 6 {
        return odd(parts);
    }
    let name = name_of(number(&head[..2]));
    let value = value_of(&name, number(&head[2..]));
    let line = format!("{name} {value} {}", String::from_utf8_lossy(address));
    Event { name, line }
}

fn second(parts: &[Vec<u8>]) -> Event {
    let [event, count, values @ .., local, remote] = parts else { return odd(parts) };
    let name = name_of(number(event));
    let values: Vec<String> =
        values.iter().map(|value| format!("{}:{}", value.len(), value_of(&name, number(value)))).collect();
    let line = format!(
        "{name} {} {values:?} local {} remote {}",
        number(count),
        String::from_utf8_lossy(local),
        String::from_utf8_lossy(remote)
    );
    Event { name, line }
}

fn odd(parts: &[Vec<u8>]) -> Event {
    Event { name: "odd".to_owned(), line: format!("odd {}", parts.to_vec().show()) }
}

/// `zmq_socket_monitor_pipes_stats`
pub fn stats(socket: &Socket) -> Outcome {
    call!(socket.test, socket_monitor_pipes_stats(socket.handle))
}
