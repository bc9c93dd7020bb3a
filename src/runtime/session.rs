//! A session: what serves one pipe of a socket, or will, over one connection after the other.
//!
//! A session that connects keeps its pipe while it reconnects; one that was accepted ends with its connection. It lives in
//! its I/O thread, which calls it when something has happened or its time has come ([`Session::next_timer`]).
//!
//! The pipe's end towards the socket is in the connection's halves while that is open, and parked here else.

use self::multicast::Channel;
use super::connection::{BatchSizes, Connection, Failure};
use super::handshake;
use super::io_thread::SessionId;
use super::link::SessionLink;
use super::mailbox::Command;
use super::monitor::{Endpoints, event};
use super::owner::Owner;
use super::reconnect::Backoff;
use super::zap::Inquiry;
use crate::error::Error;
use crate::message::{Kind, Message};
use crate::metadata::Metadata;
use crate::options::SocketType;
use crate::pattern::ReplyFrames;
use crate::pipe::{Marks, PipeEnd, pipe};
use crate::transport::udp::Datagrams;
use crate::transport::{Attempt, Connector, Stream, Tunnel};
use crate::zmtp::heartbeat::{Due, Heartbeat, HeartbeatConfig};
use crate::zmtp::{Established, HandshakeEvent};
use mio::event::Event;
use mio::unix::SourceFd;
use std::os::fd::AsRawFd;
use std::sync::Arc;

mod attempt;
mod authentication;
mod datagrams;
mod ending;
pub mod multicast;
mod tunnel;

const MS: u64 = 1_000_000;
/// `ZMQ_NOTIFY_CONNECT`
const NOTIFY_CONNECT: i32 = 1;
/// `ZMQ_NOTIFY_DISCONNECT`
const NOTIFY_DISCONNECT: i32 = 2;

/// Whether a session goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It does.
    Live,
    /// It has ended, and is to be forgotten.
    Over,
}

/// How a session gets its connection.
pub enum Role {
    /// It connects.
    Connect {
        /// Where to.
        connector: Connector,
        /// The attempt that is under way.
        attempt: Option<Attempt>,
        /// The proxy that the attempt has reached, while it is talked to.
        tunnel: Option<Box<Tunnel>>,
        /// How long to wait between attempts.
        backoff: Backoff,
    },
    /// It was accepted.
    Accept {
        /// Until it begins.
        stream: Option<Stream>,
        /// By whom.
        listener: SessionId,
    },
    /// It needs none, as datagrams don't.
    Datagrams(Option<Datagrams>),
    /// Nor does multicast, which it sees to by itself.
    Multicast(Box<Channel>),
}

impl Role {
    /// For a session that connects.
    pub fn connect(connector: Connector) -> Self {
        Self::Connect { connector, attempt: None, tunnel: None, backoff: Backoff::default() }
    }
}

/// See the module's text.
pub struct Session {
    /// Its name in the I/O thread.
    pub id: SessionId,
    /// Its socket.
    pub owner: Arc<Owner>,
    role: Role,
    /// The pipe's end towards the socket, while no connection has it.
    parked: Option<PipeEnd>,
    /// The pipe's link; `None` without a pipe.
    link: Option<Arc<SessionLink>>,
    connection: Option<Arc<Connection>>,
    /// What the connection's handshake asks the ZAP handler.
    inquiry: Option<Box<Inquiry>>,
    /// The connection's descriptor is watched by the I/O thread itself, under the session's name: until the handshake is done.
    watched: bool,
    /// The handshake is done and messages flow.
    open: bool,
    /// The connection has a security mechanism, as all of ZMTP 3 have.
    has_mechanism: bool,
    endpoints: Endpoints,
    heartbeat: Option<Heartbeat>,
    /// When to try again, to give up connecting, to give up the handshake, to stop lingering; nanoseconds.
    reconnect_at: Option<u64>,
    connect_until: Option<u64>,
    handshake_until: Option<u64>,
    linger_until: Option<u64>,
    /// For when the I/O thread has set its timer.
    pub timer: Option<u64>,
    /// The socket is closed or has disconnected: end when what is queued is written.
    stopping: bool,
}

impl Session {
    /// A session that `start` or `start_accepted` sets going.
    pub fn new(
        id: SessionId,
        owner: Arc<Owner>,
        role: Role,
        pipe: Option<(PipeEnd, Arc<SessionLink>)>,
    ) -> Self {
        let (parked, link) = match pipe {
            Some((end, link)) => (Some(end), Some(link)),
            None => (None, None),
        };
        let endpoints = match &role {
            Role::Connect { connector, .. } => {
                Endpoints::connecting(&connector.remote_endpoint(&owner.options))
            }
            Role::Accept { stream, .. } => stream.as_ref().map(Endpoints::accepted).unwrap_or_default(),
            Role::Datagrams(_) | Role::Multicast(_) => Endpoints::default(),
        };
        Self {
            id,
            owner,
            role,
            parked,
            link,
            connection: None,
            inquiry: None,
            watched: false,
            open: false,
            has_mechanism: false,
            endpoints,
            heartbeat: None,
            reconnect_at: None,
            connect_until: None,
            handshake_until: None,
            linger_until: None,
            timer: None,
            stopping: false,
        }
    }

    fn emit(&self, event: u64, value: u64) {
        self.owner.monitor.emit(event, &[value], &self.endpoints);
    }

    /// The time of the earliest of what it waits for, in nanoseconds.
    pub fn next_timer(&self) -> Option<u64> {
        let heartbeat = self.heartbeat.as_ref().and_then(|heartbeat| heartbeat.deadline()).map(|at| at * MS);
        let multicast = match &self.role {
            Role::Multicast(channel) => channel.due(),
            _ => None,
        };
        [self.reconnect_at, self.connect_until, self.handshake_until, self.linger_until, heartbeat, multicast]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does what is due.
    pub fn time_has_come(&mut self, now: u64) -> Fate {
        let due = |at: Option<u64>| at.is_some_and(|at| at <= now);
        if due(self.linger_until) {
            return self.end();
        }
        if let Role::Multicast(channel) = &self.role {
            return if due(channel.due()) { self.multicast_ready(now) } else { Fate::Live };
        }
        if due(self.reconnect_at) {
            self.reconnect_at = None;
            return self.start(now);
        }
        if due(self.connect_until) {
            return self.attempt_failed(now);
        }
        if due(self.handshake_until)
            && let Some(connection) = &self.connection
        {
            let token = connection.token;
            // The monitor hears of it by what the last read came to, as from libzmq: there was nothing.
            return self.failed(token, Failure::Transport(Error::Again), now);
        }
        self.beat(now)
    }

    /// Begins with a connection that was accepted.
    pub fn start_accepted(&mut self, now: u64) -> Fate {
        match &mut self.role {
            Role::Accept { stream, .. } => match stream.take() {
                Some(stream) => self.connected(stream, now),
                None => Fate::Live,
            },
            Role::Connect { .. } | Role::Datagrams(_) | Role::Multicast(_) => Fate::Live,
        }
    }

    fn connected(&mut self, stream: Stream, now: u64) -> Fate {
        if let Role::Connect { backoff, .. } = &mut self.role {
            backoff.reset();
        }
        let owner = self.owner.clone();
        let fd = stream.as_raw_fd();
        if self.link.is_none() {
            self.link = Some(SessionLink::new(owner.group.io.clone(), self.id, self.listener()));
        }
        let Some(link) = self.link.clone() else { return Fate::Live };
        let sizes = BatchSizes::from_options(&owner.options);
        let (group, mailbox) = (owner.group.clone(), owner.mailbox.clone());
        // A WebSocket always has frames.
        let raw = owner.options.raw_socket && stream.websocket().is_none();
        let connection = owner.group.insert(|token| {
            if raw {
                let established = handshake::skip(&owner.options);
                return Connection::raw(token, group, link, mailbox, stream, established, sizes);
            }
            let start = handshake::begin(&owner.options, &stream);
            Connection::new(token, group, link, mailbox, stream, start, sizes)
        });
        self.connection = Some(connection.clone());
        self.open = false;
        let handshake_ivl = owner.options.handshake_ivl;
        let token = connection.token;
        if raw {
            return self.established(token, now);
        }
        self.handshake_until = u64::try_from(handshake_ivl).ok().filter(|&ms| ms > 0).map(|ms| now + ms * MS);
        connection.drive_read(true, super::connection::IO_BUDGET);
        // Not by the group: connections get ready in the order in which they were begun, whoever waits for which of them.
        let interest = mio::Interest::READABLE | mio::Interest::WRITABLE;
        let name = mio::Token(self.id.0);
        match owner.group.io.registry().register(&mut SourceFd(&fd), name, interest) {
            Ok(()) => self.watched = true,
            Err(error) => return self.failed(token, Failure::Transport(error.into()), now),
        }
        Fate::Live
    }

    /// What the I/O thread watches under the session's name has become ready: a handshake's connection, or an attempt.
    pub fn ready(&mut self, event: &Event, now: u64) -> Fate {
        if let Role::Multicast(_) = &self.role {
            return self.multicast_ready(now);
        }
        if !self.watched {
            return self.attempt_ready(now);
        }
        let Some(connection) = &self.connection else { return Fate::Live };
        if event.is_read_closed() {
            connection.hang_up();
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            connection.drive_read(true, super::connection::IO_BUDGET);
        }
        if event.is_writable() && connection.wants_to_write() {
            connection.drive_write(true);
        }
        Fate::Live
    }

    /// The connection is the group's from now on, or nobody's.
    fn unwatch(&mut self) {
        if std::mem::take(&mut self.watched)
            && let Some(connection) = &self.connection
        {
            let fd = connection.stream().as_raw_fd();
            let _ = self.owner.group.io.registry().deregister(&mut SourceFd(&fd));
        }
    }

    fn is_current(&self, token: u64) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.token == token)
    }

    /// The handshake is done: messages can flow.
    pub fn established(&mut self, token: u64, now: u64) -> Fate {
        if !self.is_current(token) || self.open {
            return Fate::Live;
        }
        let Some(connection) = self.connection.clone() else { return Fate::Live };
        let Some(established) = connection.take_established() else { return Fate::Live };
        let Established { decoder, encoder, peer, subscribe_to_all, .. } = established;
        self.handshake_until = None;
        self.unwatch();
        connection.announce();
        let options = self.owner.options.clone();
        let raw = options.raw_socket && connection.stream().websocket().is_none();
        self.has_mechanism = established.has_mechanism;
        let metadata = handshake::metadata(&peer, connection.stream());
        let Some(mut end) = self.attach(&connection, &metadata) else { return self.end() };
        if options.recv_routing_id && !raw && !established.routing_id_follows {
            let mut id = Message::from_slice(&peer.routing_id).unwrap_or_default();
            id.set_kind(Kind::RoutingId);
            end.outbound.push(id);
        }
        let notify = if raw {
            options.stream_notify
        } else {
            self.has_mechanism && options.router_notify & NOTIFY_CONNECT != 0
        };
        if notify {
            end.outbound.push(Message::new());
        }
        if subscribe_to_all {
            // As such a peer would say if it could: it wants everything.
            end.outbound.push(Message::from_slice(&[1]).unwrap_or_default());
        }
        if established.has_heartbeats {
            self.heartbeat = self.new_heartbeat(now);
        }
        if self.has_mechanism {
            self.emit(event::HANDSHAKE_SUCCEEDED, 0);
        }
        self.open = true;
        let hello = &options.hello_msg;
        let greeting = (options.socket_type.sends_hello() && !hello.is_empty())
            .then(|| Message::from_slice(hello).unwrap_or_default());
        let replies = (options.socket_type == SocketType::Req).then(ReplyFrames::default);
        connection.open((decoder, encoder), end, greeting, replies);
        if let Err(error) = self.owner.group.watch(connection.stream().as_raw_fd(), token) {
            return self.failed(token, Failure::Transport(error), now);
        }
        Fate::Live
    }

    /// Gives the socket a pipe, or tells it that the one it has is connected (again). The session's end.
    fn attach(&mut self, connection: &Arc<Connection>, metadata: &Arc<Metadata>) -> Option<PipeEnd> {
        let metadata = metadata.clone();
        if let Some(end) = self.parked.take() {
            if let Some(pipe) = self.link.as_ref().and_then(|link| link.pipe()) {
                let connection = Arc::downgrade(connection);
                let metadata = Some(metadata);
                self.owner.mailbox.post(Command::Connected { pipe, connection, metadata });
            }
            return Some(end);
        }
        if self.stopping {
            return None;
        }
        let options = &self.owner.options;
        let mark = |value: i32| usize::try_from(value).unwrap_or(0);
        let marks = Marks { send: mark(options.sndhwm), receive: mark(options.rcvhwm), peer: None };
        let (theirs, ours) = pipe(marks, options.effective_conflate());
        let link = connection.link.clone();
        let local = matches!(self.role, Role::Connect { .. });
        self.owner.mailbox.post(Command::AttachSession {
            end: theirs,
            link,
            connection: Arc::downgrade(connection),
            metadata,
            local,
        });
        Some(ours)
    }

    fn new_heartbeat(&self, now: u64) -> Option<Heartbeat> {
        let options = &self.owner.options;
        let config = HeartbeatConfig {
            interval: options.heartbeat_ivl,
            ttl: options.heartbeat_ttl,
            timeout: options.heartbeat_timeout,
        };
        Some(Heartbeat::new(config, now / MS))
    }

    /// The socket has done something to the pipe while it didn't know of the connection, or there is none.
    pub fn nudge(&mut self, now: u64) -> Fate {
        if let Role::Multicast(_) = &self.role {
            return self.drive_multicast(now);
        }
        if let Some(connection) = &self.connection {
            connection.drive_write(false);
            connection.drive_read(false, super::connection::IO_BUDGET);
        }
        Fate::Live
    }

    /// A PING has come.
    pub fn heartbeat(&mut self, message: &Message, now: u64) -> Fate {
        if let (Some(heartbeat), Some(connection)) = (&mut self.heartbeat, &self.connection)
            && message.kind() == Kind::Ping
        {
            match heartbeat.ping(now / MS, message.data()) {
                Ok(pong) => {
                    // What was heard was this very message. The TTL begins with it, so it mustn't end it, too.
                    connection.take_heard();
                    connection.send_command(pong);
                }
                Err(_) => connection.answered(),
            }
        }
        Fate::Live
    }

    /// The handshake has something to tell monitors, and goes on.
    pub fn handshake_event(&mut self, token: u64, event: HandshakeEvent) -> Fate {
        if self.is_current(token) {
            self.emit_handshake(event);
        }
        Fate::Live
    }

    /// The peer closes the connection by a frame, which is answered with the same.
    pub fn peer_closes(&mut self, token: u64, close: Message, now: u64) -> Fate {
        if !self.is_current(token) {
            return Fate::Live;
        }
        if let Some(connection) = &self.connection {
            connection.send_command(close);
        }
        self.failed(token, Failure::Transport(Error::ConnectionReset), now)
    }

    fn beat(&mut self, now: u64) -> Fate {
        let (Some(heartbeat), Some(connection)) = (&mut self.heartbeat, self.connection.clone()) else {
            return Fate::Live;
        };
        // What has arrived and lies in the kernel counts as a sign of life too.
        connection.drive_read(true, super::connection::IO_BUDGET);
        if connection.take_heard() {
            heartbeat.received();
        }
        loop {
            match heartbeat.due(now / MS) {
                Ok(Due::Ping(ping)) => connection.send_command(ping),
                Ok(Due::Expired) => {
                    return self.failed(connection.token, Failure::Transport(Error::TimedOut), now);
                }
                _ => return Fate::Live,
            }
        }
    }
}
