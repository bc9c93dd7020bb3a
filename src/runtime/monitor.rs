//! The monitor: tells whoever asked what happens to a socket's connections (man page `zmq_socket_monitor`).
//!
//! Events are messages on a PAIR, PUB or PUSH socket of the context's own, which is bound to an inproc address. Nobody
//! waits for the reader: an event that finds no room is dropped.

use super::cell::SocketRef;
use super::socket::Socket;
use crate::error::{Error, Result};
use crate::message::Message;
use crate::mutex::Mutex;
use crate::options::SocketType;
use crate::transport::{Scheme, Stream, check_protocol, parse_endpoint};
use std::collections::VecDeque;
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

/// Events that wait for the reader, at most. Later ones are dropped: a monitor never blocks and never grows without bound.
const BACKLOG: usize = 1000;

/// Who listens to a socket's events, if anybody. Dropped with the last session and listener of its socket, so that what a closed socket
/// still has to say is heard; its last word is `MONITOR_STOPPED`.
#[derive(Default)]
pub struct Monitor {
    /// The events asked for; 0 without a listener.
    events: AtomicU64,
    active: Mutex<Option<Active>>,
}

struct Active {
    socket: SocketRef,
    version: i32,
    /// Whole events that found no reader yet, or a full one.
    backlog: VecDeque<Vec<Message>>,
}

impl Monitor {
    /// Begins: events go to `socket`, in the format of `version`.
    pub fn start(&self, socket: SocketRef, events: u64, version: i32) {
        let active = Active { socket, version, backlog: VecDeque::new() };
        let before = self.active.lock().replace(active);
        self.events.store(events, Ordering::Release);
        if let Some(before) = before {
            // Nobody else has its handle.
            let _ = super::close(before.socket);
        }
    }

    /// Ends, if it had begun.
    pub fn stop(&self) {
        self.emit(event::MONITOR_STOPPED, &[0], &Endpoints::default());
        self.events.store(0, Ordering::Release);
        let active = self.active.lock().take();
        if let Some(active) = active {
            // Nobody else has its handle.
            let _ = super::close(active.socket);
        }
    }

    /// The events asked for; 0 without a listener.
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Acquire)
    }

    /// Tells the listener, if it has asked for this event.
    pub fn emit(&self, event: u64, values: &[u64], endpoints: &Endpoints) {
        if self.events() & event == 0 {
            return;
        }
        if let Some(active) = &mut *self.active.lock() {
            let parts = parts(active.version, event, values, endpoints);
            if !parts.is_empty() && active.backlog.len() < BACKLOG {
                active.backlog.push_back(parts);
            }
            active.flush();
        }
    }

    /// A reader has come: gives it what has waited.
    pub fn reader_came(&self) {
        if let Some(active) = &mut *self.active.lock() {
            active.flush();
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Active {
    fn flush(&mut self) {
        let Ok(mut socket) = self.socket.lock() else { return };
        while let Some(parts) = self.backlog.front_mut() {
            for part in parts {
                // Only the first part of a message can find no room.
                if socket.try_send(part).is_err() {
                    return;
                }
            }
            self.backlog.pop_front();
        }
    }
}

/// `zmq_socket_monitor` and `zmq_socket_monitor_versioned`; no endpoint: end it.
///
/// Errors: `ETERM`; `EINVAL` for events that version 1 can't express, a bad endpoint, a type other than PAIR, PUB and PUSH;
/// `EPROTONOSUPPORT` for a transport other than inproc, `ENOCOMPATPROTO` for one that the
/// watched socket can't have either; what making and binding a socket says.
pub fn monitor(
    socket: &mut Socket,
    endpoint: Option<&str>,
    events: u64,
    version: i32,
    kind: i32,
) -> Result<()> {
    socket.process()?;
    if version == 1 && events >> 16 != 0 {
        return Err(Error::Invalid);
    }
    let Some(endpoint) = endpoint else {
        socket.monitor().stop();
        return Ok(());
    };
    let (scheme, name) = parse_endpoint(endpoint)?;
    check_protocol(scheme, socket.kind)?;
    if scheme != Scheme::Inproc {
        return Err(Error::ProtocolNotSupported);
    }
    socket.monitor().stop();
    let kind = match SocketType::from_raw(kind) {
        Some(kind @ (SocketType::Pair | SocketType::Pub | SocketType::Push)) => kind,
        _ => return Err(Error::Invalid),
    };
    let context = socket.context().clone();
    let reports = context.socket(kind)?;
    let bound = reports.lock().and_then(|mut reports| {
        // Events that nobody reads mustn't keep the context from ending.
        reports.options.linger = 0;
        reports.bind(endpoint)
    });
    if let Err(error) = bound {
        let _ = super::close(reports);
        return Err(error);
    }
    context.inproc.set_monitor(name, socket.monitor());
    socket.monitor().start(reports, events, version);
    Ok(())
}

/// `zmq_socket_monitor_pipes_stats`: an event for each pipe, with the messages queued towards the peer and from it.
///
/// Errors: `EINVAL` unless a monitor listens to `ZMQ_EVENT_PIPES_STATS`, `EAGAIN` without pipes.
pub fn pipes_stats(socket: &mut Socket) -> Result<()> {
    socket.process()?;
    if socket.monitor().events() & event::PIPES_STATS == 0 {
        return Err(Error::Invalid);
    }
    let pipes: Vec<_> = socket.pipes.ids().collect();
    if pipes.is_empty() {
        return Err(Error::Again);
    }
    for pipe in pipes {
        let endpoints = socket.pipe_endpoints(pipe);
        if let Some((outbound, inbound)) = socket.pipes.queued(pipe) {
            socket.monitor().emit(event::PIPES_STATS, &[outbound as u64, inbound as u64], &endpoints);
        }
    }
    Ok(())
}

/// The frames of an event, in the machine's byte order. None for a version that doesn't exist: upstream lets such a monitor begin, too.
fn parts(version: i32, event: u64, values: &[u64], endpoints: &Endpoints) -> Vec<Message> {
    let mut bodies: Vec<Vec<u8>> = Vec::new();
    if version == 2 {
        bodies.push(event.to_ne_bytes().to_vec());
        bodies.push((values.len() as u64).to_ne_bytes().to_vec());
        bodies.extend(values.iter().map(|value| value.to_ne_bytes().to_vec()));
        bodies.push(endpoints.local.clone().into_bytes());
        bodies.push(endpoints.remote.clone().into_bytes());
    } else if version == 1 {
        let value = values.first().copied().unwrap_or(0);
        let mut first = (event as u16).to_ne_bytes().to_vec();
        first.extend((value as u32).to_ne_bytes());
        bodies.push(first);
        bodies.push(endpoints.named().to_owned().into_bytes());
    }
    let last = bodies.len().saturating_sub(1);
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
        assert!(parts(3, event::ACCEPTED, &[7], &endpoints).is_empty());
        let two = parts(2, event::PIPES_STATS, &[1, 2], &endpoints);
        let sizes: Vec<_> = two.iter().map(|part| part.len()).collect();
        assert_eq!(sizes, [8, 8, 8, 8, 7, 7]);
    }
}
