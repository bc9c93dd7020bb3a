//! The monitor: tells whoever asked what happens to a socket's connections (man page `zmq_socket_monitor`).
//!
//! Events are messages on a PAIR, PUB or PUSH socket of the context's own, which is bound to an inproc address. Nobody
//! waits for the reader: an event that finds no room is dropped.

use super::cell::SocketRef;
use crate::message::Message;
use crate::transport::Stream;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// The events, as `zmq.h` numbers them (without `ZMQ_EVENT_`).
#[allow(missing_docs)]
pub mod event {
    pub const CONNECTED: u64 = 0x0001;
    pub const CONNECT_DELAYED: u64 = 0x0002;
    pub const CONNECT_RETRIED: u64 = 0x0004;
    pub const LISTENING: u64 = 0x0008;
    pub const BIND_FAILED: u64 = 0x0010;
    pub const ACCEPTED: u64 = 0x0020;
    pub const ACCEPT_FAILED: u64 = 0x0040;
    pub const CLOSED: u64 = 0x0080;
    pub const CLOSE_FAILED: u64 = 0x0100;
    pub const DISCONNECTED: u64 = 0x0200;
    pub const MONITOR_STOPPED: u64 = 0x0400;
    pub const HANDSHAKE_FAILED_NO_DETAIL: u64 = 0x0800;
    pub const HANDSHAKE_SUCCEEDED: u64 = 0x1000;
    pub const HANDSHAKE_FAILED_PROTOCOL: u64 = 0x2000;
    pub const HANDSHAKE_FAILED_AUTH: u64 = 0x4000;
    pub const PIPES_STATS: u64 = 0x10000;
}

/// The two ends of what an event is about.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    /// The own end.
    pub local: String,
    /// The peer's.
    pub remote: String,
    /// Version 1 of the format has room for one of the two: the one that the program has named.
    bound: bool,
}

impl Endpoints {
    /// Of a session that connects.
    pub fn connecting(endpoint: &str) -> Self {
        Self { local: String::new(), remote: endpoint.to_owned(), bound: false }
    }

    /// Of a listener.
    pub fn listening(endpoint: &str) -> Self {
        Self { local: endpoint.to_owned(), remote: String::new(), bound: true }
    }

    /// Of a connection that was accepted.
    pub fn accepted(stream: &Stream) -> Self {
        Self { local: stream.local_endpoint(), remote: stream.remote_endpoint(), bound: true }
    }

    fn named(&self) -> &str {
        if self.bound { &self.local } else { &self.remote }
    }
}

/// Who listens to a socket's events, if anybody.
#[derive(Default)]
pub struct Monitor {
    /// The events asked for; 0 without a listener.
    events: AtomicU64,
    active: Mutex<Option<Active>>,
}

struct Active {
    socket: SocketRef,
    version: i32,
}

impl Monitor {
    /// Begins: events go to `socket`, in the format of `version`. The one before, if there was one.
    pub fn start(&self, socket: SocketRef, events: u64, version: i32) -> Option<SocketRef> {
        let before = self.active.lock().replace(Active { socket, version });
        self.events.store(events, Ordering::Release);
        before.map(|active| active.socket)
    }

    /// Ends. The socket that the events went to, for the caller to close.
    pub fn stop(&self) -> Option<SocketRef> {
        if self.events.load(Ordering::Acquire) & event::MONITOR_STOPPED != 0 {
            self.emit(event::MONITOR_STOPPED, &[0], &Endpoints::default());
        }
        self.events.store(0, Ordering::Release);
        self.active.lock().take().map(|active| active.socket)
    }

    /// The version of the format, while there is a listener.
    pub fn version(&self) -> Option<i32> {
        self.active.lock().as_ref().map(|active| active.version)
    }

    /// Tells the listener, if it has asked for this event.
    pub fn emit(&self, event: u64, values: &[u64], endpoints: &Endpoints) {
        if self.events.load(Ordering::Acquire) & event == 0 {
            return;
        }
        let active = self.active.lock();
        let Some(active) = &*active else { return };
        let Ok(mut socket) = active.socket.lock() else { return };
        for part in parts(active.version, event, values, endpoints) {
            if socket.try_send(part).is_err() {
                return;
            }
        }
    }
}

/// The frames of an event. Integers are in the machine's byte order.
fn parts(version: i32, event: u64, values: &[u64], endpoints: &Endpoints) -> Vec<Message> {
    let mut bodies: Vec<Vec<u8>> = Vec::new();
    if version == 2 {
        bodies.push(event.to_ne_bytes().to_vec());
        bodies.push((values.len() as u64).to_ne_bytes().to_vec());
        bodies.extend(values.iter().map(|value| value.to_ne_bytes().to_vec()));
        bodies.push(endpoints.local.clone().into_bytes());
        bodies.push(endpoints.remote.clone().into_bytes());
    } else {
        let value = values.first().copied().unwrap_or(0);
        let mut first = (event as u16).to_ne_bytes().to_vec();
        first.extend((value as u32).to_ne_bytes());
        bodies.push(first);
        bodies.push(endpoints.named().to_owned().into_bytes());
    }
    let last = bodies.len() - 1;
    let part = |(index, body): (usize, Vec<u8>)| {
        let mut part = Message::from_slice(&body).unwrap_or_default();
        part.set_more(index < last);
        part
    };
    bodies.into_iter().enumerate().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_has_two_frames_and_version_2_all_there_is() {
        let endpoints = Endpoints { local: "tcp://l".into(), remote: "tcp://r".into(), bound: true };
        let one = parts(1, event::ACCEPTED, &[7], &endpoints);
        assert_eq!(one.len(), 2);
        assert_eq!(one[0].data(), [&0x20_u16.to_ne_bytes()[..], &7_u32.to_ne_bytes()].concat());
        assert_eq!(one[1].data(), b"tcp://l");
        assert!(one[0].more() && !one[1].more());
        let two = parts(2, event::PIPES_STATS, &[1, 2], &endpoints);
        let sizes: Vec<_> = two.iter().map(|part| part.len()).collect();
        assert_eq!(sizes, [8, 8, 8, 8, 7, 7]);
    }
}
